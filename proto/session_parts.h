/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a session, and a map of its files. Nobody else includes this.
 *
 *   session.c              its life and clock: configuration, opening, closing, timeouts
 *   session_rx.c           bytes received, to events: the machine of frames, and the short way of a
 *                          message that is whole
 *   session_rx_control.c   ... control frames received: pings are answered, a close is judged
 *   session_rx_assembly.c  ... the memory of a frame or message that is not over yet
 *   session_rx_inflate.c   ... compressed messages, in shares of a turn
 *   session_send.c         a frame to send: checked, framed and queued at once
 *   session_pending.c      messages that take several turns to send, and what waits behind them
 */
#ifndef WRING_PROTO_SESSION_PARTS_H
#define WRING_PROTO_SESSION_PARTS_H

#include "proto/kernels.h"
#include "proto/session.h"

/** Goes to CLOSED and owes WRING_EVENT_END. The first reason wins. */
void wring__session_end(wring_session *session, wring_result result, uint16_t code, bool by_peer);

/** Queues the one close frame of this session, if none was queued yet. */
void wring__session_close_frame(wring_session *session, uint16_t code, wring_bytes reason);

bool wring__session_code_is_legal(const wring_session *session, uint16_t code);

/** Whether anything may be sent: RFC 6455 5.5.1, and not before it is open. */
WRING_MUST_CHECK wring_result wring__session_send_check(const wring_session *session);

/** Frames and queues, whatever the session's state.  @param first  the first byte of the header */
WRING_MUST_CHECK wring_result wring__session_append(wring_session *session, uint8_t first,
                                                    wring_bytes payload);
/** The same of a text or binary message, compressed if that is worth while, and a published one. */
WRING_MUST_CHECK wring_result wring__session_deflate_append(wring_session *session,
                                                            const wring_frame *frame);
WRING_MUST_CHECK wring_result wring__session_shared_append(wring_session *session,
                                                           wring__shared *shared);

/** Messages that are compressed over several turns, and what waits behind them (session_pending.c).
 *  Own: a copy; shares.  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__session_pending_add(wring_session *session,
                                                         const wring_frame *frame);
WRING_MUST_CHECK wring_result wring__session_pending_add_shared(wring_session *session,
                                                                wring__shared *shared);
/** What waits is sent now, no longer compressed; behind an open message it cannot be, and is given
 *  up. May end the session. */
void wring__session_pending_finish(wring_session *session);

/** A compressed message is whole, at `data`: inflates it, or as much of it as this turn allows.
 *  WRING_OK: `event` shows it. WRING_MORE: the phase is WRING__RX_INFLATE, the bytes fed are kept.
 *  Errors: those of wring__deflate_inflate, WRING_ERR_INVALID_UTF8. (session_rx_inflate.c) */
WRING_MUST_CHECK wring_result wring__session_inflate(wring_session *session, wring_event *event,
                                                     const uint8_t *data, size_t len);
/** ... goes on with it. */
WRING_MUST_CHECK wring_result wring__session_inflate_on(wring_session *session, wring_event *event);
/** Gives up what of it is not done. */
void wring__session_inflate_end(wring_session *session);
/** Lets go of bytes that were kept, once they are used up. */
void wring__session_kept_rest(wring_session *session);

/** Shows a message that is whole. */
void wring__session_message_show(wring__rx *rx, wring_event *event, const uint8_t *data,
                                 size_t len);

/** Bytes that were fed are used up. */
static inline void wring__session_in_skip(wring_session *session, size_t count) {
    session->in += count;
    session->in_len -= count;
}

static inline void wring__rx_unmask(const wring__rx *rx, uint8_t *data, size_t len) {
    if (rx->frame_masked) {
        wring__mask(data, len, rx->key, rx->key_phase);
    }
}

/** The next bytes of a control frame. (session_rx_control.c)
 *  WRING_MORE: it is not whole. Errors: WRING_ERR_BAD_CLOSE_CODE, WRING_ERR_INVALID_UTF8,
 *  WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__session_control(wring_session *session, wring_event *event);

/* The memory of a frame in progress. (session_rx_assembly.c) */

/** False: no memory. */
WRING_MUST_CHECK bool wring__session_rx_begin(wring_session *session);

/** The last event's view is no longer needed; between messages nothing is kept. */
void wring__session_rx_rest(wring_session *session);

/** Frees the buffers of the receiving half. */
void wring__session_rx_deinit(wring_session *session);

/** Room for `more` bytes: doubles with what was received, never past what this message still can
 *  bring where that is known. A kept block may be larger: it is there already.
 *  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__assembly_reserve(wring__rx *rx, wring__block_cache *cache,
                                                      size_t more);

#endif
