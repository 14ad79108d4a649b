/* SPDX-License-Identifier: Apache-2.0
 *
 * Reaching a session from any thread, by its ref. The work is handed to the session's worker; what
 * one thread sends to one session keeps its order. A ref whose worker is gone is answered with
 * WRING_ERR_CLOSED; mail for a session that ends meanwhile is dropped, and each frame of it counted
 * (mail_lost in wring_server_stats and wring_pool_stats).
 */
#ifndef WRING_REF_H
#define WRING_REF_H

#include "wring/handler.h"

WRING_BEGIN_DECLS

/** Sends frames, in order and together: all of them or none. WRING_OK means that the worker's
 *  mailbox took them. When the session has ended by then they are dropped, and counted in
 *  mail_lost. No frames (NULL is legal then) are
 *  WRING_OK, unless `ref` is WRING_REF_NONE.
 *  Own: copied.  Errors: WRING_ERR_CLOSED (WRING_REF_NONE, too), WRING_ERR_QUEUE_FULL (nothing was
 *  sent), WRING_ERR_INVALID_ARGUMENT (a NULL with a length, too), WRING_ERR_NO_MEMORY.
 *  Thread: any. Cost: one allocation. */
WRING_API WRING_MUST_CHECK wring_result wring_ref_send(wring_ref ref, const wring_frame *frames,
                                                       size_t count);

/** Begins the close handshake, as wring_session_close does. Errors as wring_ref_send. */
WRING_API WRING_MUST_CHECK wring_result wring_ref_close(wring_ref ref, uint16_t code,
                                                        wring_bytes reason);

/** Ends the session without waiting for the peer's close frame. Errors as wring_ref_send. */
WRING_API WRING_MUST_CHECK wring_result wring_ref_stop(wring_ref ref);

/** Hands `info` to handle_info on the session's worker, or to `info` of an exchange on its worker.
 *  When the session or exchange is gone by then, or its handler has none, `lost` (may be NULL) is
 *  called with the info instead: on that worker, or while it is being stopped on the thread that
 *  stops it. Errors as wring_ref_send; then `lost`
 *  is not called. */
WRING_API WRING_MUST_CHECK wring_result wring_ref_post(wring_ref ref, const wring_info *info,
                                                       void (*lost)(const wring_info *info));

WRING_END_DECLS

#endif
