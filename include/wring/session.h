/* SPDX-License-Identifier: Apache-2.0
 *
 * The WebSocket session: a role-neutral protocol machine without I/O, clock, thread or callback.
 * It is fed bytes, yields one event at a time, and keeps the bytes that have to go out.
 *
 *     ready -> open -> closing -> closed
 *
 * The pull style, for a program with its own event loop:
 *
 *     wring_session_feed(s, bytes, now);
 *     while (wring_session_next(s, &event) == WRING_OK) { ... }
 *     while ((out = wring_session_output(s)).len > 0) { n = write(...); wring_session_sent(s, n); }
 *
 * Handlers (wring/handler.h) get the same object. Thread: one session, one thread at a time.
 */
#ifndef WRING_SESSION_H
#define WRING_SESSION_H

#include "wring/bytes.h"
#include "wring/close.h"
#include "wring/frame.h"
#include "wring/result.h"

WRING_BEGIN_DECLS

typedef struct wring_session wring_session;

/** "No limit" and "no timeout" in fields where 0 means the default. */
#define WRING_UNLIMITED UINT64_MAX
#define WRING_OFF       UINT32_MAX

/** Limits and timeouts of a session; 0 takes the default. */
typedef struct wring_session_config {
    uint32_t struct_size;        /**< sizeof(wring_session_config) */
    wring_role role;             /**< which end this is; default server */
    uint64_t max_frame;          /**< bytes of one frame's payload; default 16 MiB */
    uint64_t max_message;        /**< bytes of one message's payload; default 64 MiB */
    uint64_t max_fragment_bytes; /**< bytes a message's fragments may pin, their bookkeeping
                                      included; default 2 x max_message, 1 MiB at least */
    uint32_t close_timeout_ms;   /**< wait for the peer's close frame; default 5,000 */
    uint32_t idle_timeout_ms;    /**< nothing received for so long ends it; default off */
    uint32_t ping_interval_ms;   /**< a ping when nothing was received for so long; default off */
    bool allow_iana_close_codes; /**< also 1012, 1013 and 1014 on the wire */
    uint32_t pong_timeout_ms;    /**< nothing received for so long after a ping ends the session;
                                      default 20,000 */

    /* wring_session_create and wring_accept only; borrowed, `deflate` for the session's life */
    struct wring_deflate *deflate; /**< contexts of this thread (wring/deflate.h); NULL: none */
    const struct wring_deflate_params *deflate_params; /**< what was negotiated */
} wring_session_config;

typedef enum wring_session_state {
    WRING_SESSION_READY,   /**< created; the handshake is not finished */
    WRING_SESSION_OPEN,    /**< frames flow both ways */
    WRING_SESSION_CLOSING, /**< a close frame was sent or received, the other is outstanding */
    WRING_SESSION_CLOSED   /**< nothing more is read; what is queued may still be sent */
} wring_session_state;

typedef enum wring_event_kind {
    WRING_EVENT_MESSAGE, /**< text, binary, ping (already answered), pong or the peer's close */
    WRING_EVENT_END      /**< exactly once, last: see `end` */
} wring_event_kind;

/** How a session ended. */
typedef struct wring_end {
    wring_result result; /**< WRING_OK after a close handshake, else the reason */
    uint16_t close_code; /**< in the peer's close frame (1005: it had none); in ours after a stop
                               or a violation by the peer; 1006 when the stream ended, broke or
                               timed out before its close frame came */
    bool by_peer;        /**< the peer began the close, or broke the protocol */
} wring_end;

typedef struct wring_event {
    wring_event_kind kind;
    wring_message message; /**< MESSAGE */
    wring_end end;         /**< END */
} wring_event;

/** Creates a session in state READY.
 *  @param config  copied; NULL takes every default
 *  Errors: WRING_ERR_INVALID_CONFIG (error names the field), WRING_ERR_NO_MEMORY
 *  Own: give; wring_session_destroy frees it.   Cost: one allocation. */
WRING_API WRING_MUST_CHECK wring_result wring_session_create(const wring_session_config *config,
                                                             wring_session **out,
                                                             wring_error *error);

/** Frees the session and everything queued in it. NULL is legal. */
WRING_API void wring_session_destroy(wring_session *session);

/** The handshake is done: READY becomes OPEN.  @param now_ns monotonic time */
WRING_API WRING_MUST_CHECK wring_result wring_session_open(wring_session *session, uint64_t now_ns);

/** Lends received bytes. They are unmasked in place and must stay until wring_session_next has
 *  returned WRING_MORE. Bytes fed after CLOSED are ignored.
 *  Errors: WRING_ERR_INVALID_STATE (not open yet, or the last bytes are not used up) */
WRING_API WRING_MUST_CHECK wring_result wring_session_feed(wring_session *session,
                                                           wring_mut_bytes bytes, uint64_t now_ns);

/** The stream ended; without a close handshake that is WRING_ERR_TRUNCATED. */
WRING_API void wring_session_eof(wring_session *session);

/** The stream broke for `reason`. */
WRING_API void wring_session_fail(wring_session *session, wring_result reason);

/** The next event, or WRING_MORE when the bytes fed are used up and nothing is left to tell.
 *  A protocol error of the peer queues its close frame and comes as WRING_EVENT_END. */
WRING_API WRING_MUST_CHECK wring_result wring_session_next(wring_session *session,
                                                           wring_event *event);

/** Queues one frame.
 *  Errors: WRING_ERR_CLOSED once a close frame was queued; WRING_ERR_INVALID_ARGUMENT for a control
 *  payload over 125 bytes, or an opcode wring_frame does not list; WRING_ERR_NO_MEMORY.
 *  Cost: one copy of the payload.   RFC: 6455 5.6 */
WRING_API WRING_MUST_CHECK wring_result wring_session_send(wring_session *session,
                                                           const wring_frame *frame);

/** Begins a text or binary message whose length is not known yet. Each piece, from here to
 *  wring_message_end, goes out at once as a fragment, not compressed; an empty one makes none.
 * Until the end pings, pongs and a close may go between; further messages of the session's own are
 *  WRING_ERR_MESSAGE_OPEN; what other threads send to it and what is published to it waits, and
 *  counts as queued. A message in shares (wring_deflate_config) goes out before, whole.
 *  @param payload  its first piece, or nothing yet
 *  Errors: those of wring_session_send and wring_reply; WRING_ERR_MESSAGE_OPEN;
 *  WRING_ERR_INVALID_UTF8, as a text is checked, across its pieces. Then nothing was sent.
 *  RFC: 6455 5.4 */
WRING_API WRING_MUST_CHECK wring_result wring_message_begin(wring_session *session,
                                                            wring_opcode opcode,
                                                            wring_bytes payload);
/** Its next piece.  Errors: as wring_message_begin; WRING_ERR_INVALID_STATE when none was begun.
 *  After an error the message is open as before. */
WRING_API WRING_MUST_CHECK wring_result wring_message_continue(wring_session *session,
                                                               wring_bytes payload);
/** Its last piece, which may be empty: then it is never refused for a full queue. Errors: as
 *  wring_message_continue; WRING_ERR_INVALID_UTF8 also for a text that stops within a character. */
WRING_API WRING_MUST_CHECK wring_result wring_message_end(wring_session *session,
                                                          wring_bytes payload);

/** Begins the close handshake: queues a close frame and goes to CLOSING. A code illegal on the wire
 *  goes out as 1002; a reason is cut at 123 bytes, between code points. A second close does
 * nothing. RFC: 6455 7.1.2 */
WRING_API void wring_session_close(wring_session *session, uint16_t code, wring_bytes reason);

/** The first run of bytes that have to go out; empty when there are none. Borrowed until
 *  wring_session_sent. */
WRING_API wring_bytes wring_session_output(const wring_session *session);

/** The stream took `count` bytes of what wring_session_output gave. */
WRING_API void wring_session_sent(wring_session *session, size_t count);

/** When wring_session_expire has to be called, UINT64_MAX for never. Monotonic ns. */
WRING_API uint64_t wring_session_deadline(const wring_session *session);

/** Time has passed: sends a due ping, ends a session whose close or idle deadline is over. */
WRING_API void wring_session_expire(wring_session *session, uint64_t now_ns);

WRING_API wring_session_state wring_session_get_state(const wring_session *session);

/** True when the stream should be shut: the session is CLOSED and everything queued is sent. */
WRING_API bool wring_session_is_finished(const wring_session *session);

/** The handler's `state_size` bytes, zeroed at first, aligned to 16; NULL if the size is 0. */
WRING_API void *wring_session_user(const wring_session *session);

WRING_END_DECLS

#endif
