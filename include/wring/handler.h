/* SPDX-License-Identifier: Apache-2.0
 *
 * The application's side of a session: four callbacks, as in erlang_ws. All run on the session's
 * own worker, one at a time; calling back into the library from them is legal.
 */
#ifndef WRING_HANDLER_H
#define WRING_HANDLER_H

#include "wring/session.h"

WRING_BEGIN_DECLS

typedef struct wring_request wring_request; /* wring/http.h */

/** What a callback wants next. */
typedef enum wring_verdict {
    WRING_CONTINUE, /**< go on; what was replied goes out */
    WRING_STOP      /**< end the session: what was replied goes out, then a close frame (1000 unless
                         the callback closed with another code), then the stream is shut */
} wring_verdict;

/** Something another thread posted with wring_post. `data` is what was posted. */
typedef struct wring_info {
    uint64_t tag;
    void *data;
} wring_info;

/** A const vtable; NULL callbacks do nothing. */
typedef struct wring_handler {
    const char *name;  /**< for logs */
    size_t state_size; /**< bytes at wring_session_user, zeroed; part of the connection's block */

    /** Once, right after the upgrade. `request` is borrowed for the call. */
    wring_verdict (*init)(wring_session *session, const wring_request *request, void *opts);

    /** Each whole message; pings are answered before. `message` is borrowed for the call. */
    wring_verdict (*handle_in)(wring_session *session, const wring_message *message);

    /** Each wring_post. */
    wring_verdict (*handle_info)(wring_session *session, const wring_info *info);

    /** Exactly once, last; not called when init was never reached. Sending is no longer possible.
     */
    void (*terminate)(wring_session *session, const wring_end *end);

    /** The peer reads again: what is queued to it was above the soft mark of the server and is at
     *  half of it. Only from a server. */
    wring_verdict (*drained)(wring_session *session);
} wring_handler;

/** A 64-bit name of a session that any thread may keep and use after the session is gone. */
typedef uint64_t wring_ref;
#define WRING_REF_NONE UINT64_C(0)

/** The session's name for other threads; WRING_REF_NONE for sessions no worker owns. */
WRING_API wring_ref wring_session_ref(const wring_session *session);

/** Queues one frame, from a callback of this session. Same contract as wring_session_send; of a
 *  server's session also WRING_ERR_QUEUE_FULL: so much is queued that nothing more is taken, until
 *  `drained`. */
WRING_API WRING_MUST_CHECK wring_result wring_reply(wring_session *session,
                                                    const wring_frame *frame);

/** Queues frames in order; stops at the first that fails and returns its error. */
WRING_API WRING_MUST_CHECK wring_result wring_reply_list(wring_session *session,
                                                         const wring_frame *frames, size_t count);

WRING_END_DECLS

#endif
