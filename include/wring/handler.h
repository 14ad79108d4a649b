/* SPDX-License-Identifier: Apache-2.0
 *
 * The application's side of a session: five callbacks. All run on the session's own worker, one at
 * a time. Calling back into the library from them is legal. Leaving a callback by longjmp or by a
 * C++ exception is not (wring/wring.hpp catches exceptions).
 */
#ifndef WRING_HANDLER_H
#define WRING_HANDLER_H

#include "wring/session.h"

WRING_BEGIN_DECLS

/** The request a session began with (wring/http.h). */
typedef struct wring_request wring_request;

/** What a callback wants next. */
typedef enum wring_verdict {
    WRING_CONTINUE, /**< go on; what was sent goes out */
    WRING_STOP      /**< end the session: what was sent goes out, then a close frame (1000 unless
                         the callback closed with another code), then the stream is shut */
} wring_verdict;

/** Something another thread posted with wring_ref_post: what was posted, unchanged. */
typedef struct wring_info {
    uint64_t tag; /**< the application's: what kind of thing it is */
    void *data;   /**< the application's */
} wring_info;

/** Callbacks of a session. NULL callbacks do nothing. Copied by whoever is given it. */
typedef struct wring_handler {
    uint32_t struct_size; /**< sizeof(wring_handler) */
    const char *name;     /**< for logs; borrowed */
    size_t state_size;    /**< bytes at wring_session_user, zeroed; at most 16 MiB */

    /** Once, right after the upgrade. `request` is borrowed for the call. `opts` is also at
     *  wring_session_opts, in every callback. */
    wring_verdict (*init)(wring_session *session, const wring_request *request, void *opts);

    /** Each whole message and each control frame. Pings and the peer's close frame are answered
     *  already; after a close frame nothing can be sent. `message` is borrowed for the call. */
    wring_verdict (*handle_in)(wring_session *session, const wring_message *message);

    /** Each wring_ref_post. */
    wring_verdict (*handle_info)(wring_session *session, const wring_info *info);

    /** Exactly once, last, for each session that was opened, also when `init` is NULL. Nothing can
     *  be sent to this session any more. */
    void (*terminate)(wring_session *session, const wring_end *end);

    /** The peer reads again: its queue was above the soft mark and is at half of it. Only in
     *  sessions of servers. */
    wring_verdict (*drained)(wring_session *session);
} wring_handler;

WRING_END_DECLS

#endif
