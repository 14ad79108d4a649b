/* SPDX-License-Identifier: Apache-2.0
 *
 * What moves the bytes of a server or a pool: io_uring, or epoll where io_uring is forbidden, as it
 * is in most containers. Everything works on both.
 */
#ifndef WRING_BACKEND_H
#define WRING_BACKEND_H

#include "wring/export.h"
#include "wring/result.h"

WRING_BEGIN_DECLS

/** What moves the bytes. */
typedef enum wring_backend {
    WRING_BACKEND_AUTO = 0, /**< what the environment's WRING_BACKEND names; else uring where the
                                 system has it and allows it, and epoll where not */
    WRING_BACKEND_URING,    /**< io_uring (Linux 6.1); an error where it is not to be had */
    WRING_BACKEND_EPOLL     /**< epoll */
} wring_backend;

/** "auto", "uring", "epoll"; "" for none of them. */
WRING_API const char *wring_backend_name(wring_backend backend);

/** The backend of this name.  Errors: WRING_ERR_INVALID_ARGUMENT. */
WRING_API WRING_MUST_CHECK wring_result wring_backend_parse(const char *name, wring_backend *out);

/** Which backend a server or pool that asks for `wanted` would run on, and why. Servers and pools
 *  ask by themselves when they start; this is for showing it.
 *  @param reason  a sentence in its text, on success too. After a fall-back it says what io_uring
 *                 failed with and what to do about that
 *  Errors: WRING_ERR_BACKEND (io_uring is asked for and is not to be had; or automatically when it
 *  fails for a reason that is not about io_uring, such as no memory or no descriptors left),
 *  WRING_ERR_INVALID_CONFIG (`wanted` is no wring_backend, or WRING_BACKEND names none).
 *  Thread: any. Cost: opens and closes a small ring, some 100 us. */
WRING_API WRING_MUST_CHECK wring_result wring_backend_pick(wring_backend wanted, wring_backend *out,
                                                           wring_error *reason);

WRING_END_DECLS

#endif
