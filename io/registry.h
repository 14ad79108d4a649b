/* SPDX-License-Identifier: Apache-2.0
 *
 * The workers of this process by the number a wring_ref carries: how any thread finds the mailbox a
 * ref leads to, and never one that is being freed.
 */
#ifndef WRING_IO_REGISTRY_H
#define WRING_IO_REGISTRY_H

#include "io/worker.h"

/** Workers a process can have: eight bits of a ref, number 0 unused. */
#define WRING__WORKERS_MAX 255

/** Enters a worker and gives it its number.  Errors: WRING_ERR_INVALID_CONFIG: too many. */
WRING_MUST_CHECK wring_result wring__registry_add(wring__worker *worker, uint8_t *index);

/** Takes it out and waits for posts under way to end. Any thread but a posting one. */
void wring__registry_remove(uint8_t index);

/** wring__registry_post, if the worker is one of `group` (wring__worker_config.group): a number
 *  that was read before may be another worker's by now. */
WRING_MUST_CHECK wring_result wring__registry_post_to(const void *group, const wring__mail *mail);

/** Posts to the worker of `mail->ref`.  Errors: WRING_ERR_CLOSED (no such worker),
 *  WRING_ERR_QUEUE_FULL.   Thread: any. */
WRING_MUST_CHECK wring_result wring__registry_post(const wring__mail *mail);

#endif
