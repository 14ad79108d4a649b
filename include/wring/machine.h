/* SPDX-License-Identifier: Apache-2.0
 *
 * The WebSocket machine (RFC 6455): the protocol of one session, for either end, without I/O,
 * clock, thread or callback. It is fed bytes, gives one event at a time, and keeps the bytes that
 * have to go out. It is for programs that drive everything themselves; a program that has a handler
 * (wring/handler.h) is given a session instead.
 *
 *     ready -> open -> closing -> closed
 *
 *     wring_machine_feed(machine, bytes, now_ns);
 *     while (wring_machine_next(machine, &event) == WRING_OK) { ... }
 *     while ((out = wring_machine_output(machine)).len > 0) {
 *         ssize_t n = write(fd, out.data, out.len);
 *         if (n < 0) { wring_machine_fail(machine, WRING_ERR_TRANSPORT); break; }
 *         wring_machine_sent(machine, (size_t)n);
 *     }
 *
 * Part of libwring-proto. Thread: any, but one machine is used by one thread at a time.
 */
#ifndef WRING_MACHINE_H
#define WRING_MACHINE_H

#include "wring/bytes.h"
#include "wring/close.h"
#include "wring/config.h"
#include "wring/frame.h"
#include "wring/result.h"

WRING_BEGIN_DECLS

/** The protocol of one WebSocket. */
typedef struct wring_machine wring_machine;

/** What a machine is made from. */
typedef struct wring_machine_config {
    uint32_t struct_size;                /**< sizeof(wring_machine_config) */
    wring_role role;                     /**< which end it is; default the server */
    const wring_session_config *session; /**< limits and timeouts; copied; NULL: the defaults */
    struct wring_deflate *deflate;       /**< compression contexts of this thread (wring/deflate.h);
                                              borrowed for the machine's life; NULL: no
                                              compression */
    /** With `deflate`: what was negotiated; copied. */
    const struct wring_deflate_params *deflate_params;
} wring_machine_config;

/** How far a machine is. */
typedef enum wring_machine_state {
    WRING_MACHINE_READY,   /**< created; the handshake is not finished */
    WRING_MACHINE_OPEN,    /**< frames flow both ways */
    WRING_MACHINE_CLOSING, /**< a close frame was sent or received, the other is outstanding */
    WRING_MACHINE_CLOSED   /**< nothing more is read; what is queued may still be sent */
} wring_machine_state;

/** What wring_machine_next tells of. */
typedef enum wring_event_kind {
    WRING_EVENT_MESSAGE, /**< text, binary, ping (already answered), pong or the peer's close */
    WRING_EVENT_END      /**< exactly once, last: see wring_machine_get_end */
} wring_event_kind;

/** One thing that happened. */
typedef struct wring_event {
    wring_event_kind kind; /**< what it is */
    wring_message message; /**< MESSAGE; borrowed until the machine is called again */
} wring_event;

/** Creates a machine in state READY.
 *  @param config  copied; NULL takes every default
 *  Own:    give, until wring_machine_destroy
 *  Errors: WRING_ERR_INVALID_CONFIG (`error` names the field), WRING_ERR_NO_MEMORY
 *  Cost:   one allocation */
WRING_API WRING_MUST_CHECK wring_result wring_machine_create(const wring_machine_config *config,
                                                             wring_machine **out,
                                                             wring_error *error);

/** Frees the machine and everything queued in it. NULL is legal. */
WRING_API void wring_machine_destroy(wring_machine *machine);

/** The handshake is done: READY becomes OPEN.  @param now_ns  monotonic time
 *  Errors: WRING_ERR_INVALID_STATE (not READY) */
WRING_API WRING_MUST_CHECK wring_result wring_machine_open(wring_machine *machine, uint64_t now_ns);

/** Lends received bytes. They are unmasked in place and must stay until wring_machine_next has
 *  returned WRING_MORE. Bytes fed after CLOSED are ignored.
 *  Errors: WRING_ERR_INVALID_STATE (not open yet, or the last bytes are not used up) */
WRING_API WRING_MUST_CHECK wring_result wring_machine_feed(wring_machine *machine,
                                                           wring_mut_bytes bytes, uint64_t now_ns);

/** The stream is over: it ended (`reason` is WRING_ERR_TRUNCATED) or broke. Does nothing to a
 *  machine that is CLOSED already. */
WRING_API void wring_machine_fail(wring_machine *machine, wring_result reason);

/** The next event, or WRING_MORE when the bytes fed are used up and nothing is left to tell.
 *  A protocol error of the peer queues its close frame and comes as WRING_EVENT_END. */
WRING_API WRING_MUST_CHECK wring_result wring_machine_next(wring_machine *machine,
                                                           wring_event *event);

/** How it ended: from when it is CLOSED, also before its END event was taken.
 *  Errors: WRING_ERR_INVALID_STATE (it has not), WRING_ERR_INVALID_ARGUMENT (struct_size) */
WRING_API WRING_MUST_CHECK wring_result wring_machine_get_end(const wring_machine *machine,
                                                              wring_end *out);

/** Queues one frame.
 *  Errors: WRING_ERR_CLOSED once a close frame was queued; WRING_ERR_INVALID_STATE before it is
 *  open; WRING_ERR_INVALID_ARGUMENT for a control payload over 125 bytes, or an opcode that
 *  wring_frame does not list; WRING_ERR_MESSAGE_OPEN; WRING_ERR_NO_MEMORY, WRING_ERR_NO_RANDOM
 *  Cost: one copy of the payload.   RFC: 6455 5.6 */
WRING_API WRING_MUST_CHECK wring_result wring_machine_send(wring_machine *machine,
                                                           const wring_frame *frame);

/** Begins a text or binary message whose length is not known yet: as
 *  wring_session_message_begin (wring/session.h).   RFC: 6455 5.4 */
WRING_API WRING_MUST_CHECK wring_result wring_machine_message_begin(wring_machine *machine,
                                                                    wring_opcode opcode,
                                                                    wring_bytes payload);
/** The message's next piece. */
WRING_API WRING_MUST_CHECK wring_result wring_machine_message_continue(wring_machine *machine,
                                                                       wring_bytes payload);
/** The message's last piece, which may be empty. */
WRING_API WRING_MUST_CHECK wring_result wring_machine_message_end(wring_machine *machine,
                                                                  wring_bytes payload);

/** Begins the close handshake: queues a close frame and goes to CLOSING. Code 0 sends an empty one,
 *  a code that is illegal on the wire goes out as 1002; a reason is cut at 123 bytes, between code
 *  points. A second close does nothing.   RFC: 6455 7.1.2 */
WRING_API void wring_machine_close(wring_machine *machine, uint16_t code, wring_bytes reason);

/** The first run of bytes that have to go out; empty when there are none. Borrowed until
 *  wring_machine_sent. */
WRING_API wring_bytes wring_machine_output(const wring_machine *machine);

/** The stream took `count` bytes of what wring_machine_output gave. */
WRING_API void wring_machine_sent(wring_machine *machine, size_t count);

/** When wring_machine_expire has to be called, in monotonic ns; UINT64_MAX for never. */
WRING_API uint64_t wring_machine_deadline_ns(const wring_machine *machine);

/** Time has passed: sends a due ping, ends a machine whose close or idle deadline is over. */
WRING_API void wring_machine_expire(wring_machine *machine, uint64_t now_ns);

/** How far the machine is. */
WRING_API wring_machine_state wring_machine_get_state(const wring_machine *machine);

/** True when the stream should be shut: the machine is CLOSED and everything queued is sent. */
WRING_API bool wring_machine_is_finished(const wring_machine *machine);

WRING_END_DECLS

#endif
