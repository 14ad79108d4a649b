/* SPDX-License-Identifier: Apache-2.0
 *
 * A session: one WebSocket from its upgrade to its end, as its handler sees it. A pointer to a
 * session is good within the handler's callbacks; other threads name a session by its ref
 * (wring/ref.h).
 *
 * Thread: everything here is called on the session's own worker, from a callback, or for an
 * embedder's session (wring/embed.h) on the thread that drives it.
 */
#ifndef WRING_SESSION_H
#define WRING_SESSION_H

#include "wring/bytes.h"
#include "wring/close.h"
#include "wring/config.h"
#include "wring/frame.h"
#include "wring/log.h"
#include "wring/loop.h"
#include "wring/result.h"

WRING_BEGIN_DECLS

/** One WebSocket, as its handler sees it. */
typedef struct wring_session wring_session;
/** A server (wring/server.h). */
typedef struct wring_server wring_server;
/** A client (wring/client.h). */
typedef struct wring_client wring_client;

/** A 64-bit name of a session that any thread may keep and use after the session is gone. */
typedef uint64_t wring_ref;
/** No session. */
#define WRING_REF_NONE UINT64_C(0)

/* ---- what belongs to it ---------------------------------------------------------------------- */

/** The handler's `state_size` bytes, zeroed at first, aligned to 16; NULL if the size is 0. */
WRING_API void *wring_session_user(const wring_session *session);

/** The `opts` of its route, or of the configuration that named its handler. */
WRING_API void *wring_session_opts(const wring_session *session);

/** Its server; NULL for a session that no server accepted. */
WRING_API wring_server *wring_session_server(const wring_session *session);

/** Its client; NULL for a session that no client opened. */
WRING_API wring_client *wring_session_client(const wring_session *session);

/** The worker it lives on; WRING_LOOP_NONE for an embedder's session. */
WRING_API wring_loop wring_session_loop(const wring_session *session);

/** The number of its worker within its server or pool, from 0: for one array element a worker. 0
 * for an embedder's session. */
WRING_API uint32_t wring_session_worker(const wring_session *session);

/** The session's name for other threads; WRING_REF_NONE for an embedder's session. */
WRING_API wring_ref wring_session_ref(const wring_session *session);

/** Bytes queued to the peer that the kernel has not taken. */
WRING_API uint64_t wring_session_queued_bytes(const wring_session *session);

/** Writes a record to the log of its server, client or pool, as the library does: fields are the
 *  handler's name and the session's ref. Each `event` has its own limit of repeats, up to 32 names
 *  a server.
 *  Without a log, and for an embedder's session, it does nothing.
 *  @param event  a stable name, such as "login_failed"; borrowed for the call
 *  @param text   a sentence */
WRING_API void wring_session_log(wring_session *session, wring_log_level level, const char *event,
                                 const char *text);

/* ---- sending --------------------------------------------------------------------------------- */

/** Queues one frame to the peer.
 *  Errors: WRING_ERR_CLOSED once a close frame was queued; WRING_ERR_INVALID_ARGUMENT for a control
 *  payload over 125 bytes, or an opcode that wring_frame does not list; WRING_ERR_MESSAGE_OPEN;
 *  WRING_ERR_QUEUE_FULL (servers: nothing more is taken until `drained`); WRING_ERR_NO_MEMORY,
 *  WRING_ERR_NO_RANDOM
 *  Cost: one copy of the payload; an echo of a payload of 512 bytes or more is queued without a
 *  copy.   RFC: 6455 5.6 */
WRING_API WRING_MUST_CHECK wring_result wring_session_send(wring_session *session,
                                                           const wring_frame *frame);

/** Queues frames in order; stops at the first that fails and returns its error. */
WRING_API WRING_MUST_CHECK wring_result wring_session_send_list(wring_session *session,
                                                                const wring_frame *frames,
                                                                size_t count);

/** Begins a text or binary message whose length is not known yet. Each piece, from here to
 *  wring_session_message_end, goes out at once as one uncompressed fragment; an empty piece makes
 *  none.
 *  Until the end, pings, pongs and a close may go between. Another message from this session is
 *  WRING_ERR_MESSAGE_OPEN. Messages sent from other threads, and published messages, wait and count
 *  as queued. A message that is still being compressed over several turns goes out whole before.
 *  @param payload  the first piece, or nothing yet
 *  Errors: those of wring_session_send; WRING_ERR_MESSAGE_OPEN; WRING_ERR_INVALID_UTF8 (a text is
 *  checked, across its pieces). After an error nothing was sent.
 *  RFC: 6455 5.4 */
WRING_API WRING_MUST_CHECK wring_result wring_session_message_begin(wring_session *session,
                                                                    wring_opcode opcode,
                                                                    wring_bytes payload);
/** The message's next piece.
 *  Errors: as wring_session_message_begin; WRING_ERR_INVALID_STATE when none was begun. After an
 *  error the message is open as before. */
WRING_API WRING_MUST_CHECK wring_result wring_session_message_continue(wring_session *session,
                                                                       wring_bytes payload);
/** The message's last piece. An empty one is never refused because of a full queue.
 *  Errors: as wring_session_message_continue; WRING_ERR_INVALID_UTF8 also for a text that stops
 *  within a character. */
WRING_API WRING_MUST_CHECK wring_result wring_session_message_end(wring_session *session,
                                                                  wring_bytes payload);

/** Begins the close handshake: queues a close frame. Code 0 sends an empty one, a code that is
 *  illegal on the wire goes out as 1002; a reason is cut at 123 bytes, between code points. A
 *  second close does nothing. To end without waiting for the peer's close frame, return
 *  WRING_STOP.   RFC: 6455 7.1.2 */
WRING_API void wring_session_close(wring_session *session, uint16_t code, wring_bytes reason);

/* ---- receiving ------------------------------------------------------------------------------- */

/** Stops reading from the peer, so that TCP slows the peer down. Messages that were received before
 *  may still come. While paused, the idle and ping timeouts do not run. Closing the session from
 *  here ends the pause. Does nothing to an embedder's session: its embedder decides what to read.
 */
WRING_API void wring_session_pause(wring_session *session);

/** Reads again: to be called from handle_info or drained, since a paused peer causes no other
 *  callback. */
WRING_API void wring_session_resume(wring_session *session);

WRING_END_DECLS

#endif
