/* SPDX-License-Identifier: Apache-2.0
 *
 * Published messages that wait for a connection whose queue is above its soft mark, where the
 * topic's policy may still take them back: drop_oldest and keep_latest. What was queued to the
 * connection itself is never taken back, so whole messages are dropped and nothing the kernel has.
 *
 * A ring in the order of publishing; a message that was replaced leaves a hole. Bounded by the
 * caller in bytes and here in number. One thread.
 */
#ifndef WRING_SERVER_BACKLOG_H
#define WRING_SERVER_BACKLOG_H

#include "core/shared.h"

#define WRING__BACKLOG_MAX 1024

typedef struct wring__backlog {
    wring__shared **messages; /* NULL: a hole */
    uint64_t *ids;
    uint32_t cap;   /* a power of two; 0 before the first */
    uint32_t head;  /* the oldest */
    uint32_t count; /* holes included */
    uint32_t alive; /* messages that wait */
    uint64_t bytes; /* of their wire forms */
} wring__backlog;

/** Adds behind the newest.  Own: shares.
 *  Errors: WRING_ERR_QUEUE_FULL (take one out first), WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__backlog_push(wring__backlog *backlog, wring__shared *message,
                                                  uint64_t id);

/** Takes the oldest out; the caller has its reference. NULL when none waits. */
wring__shared *wring__backlog_pop(wring__backlog *backlog);

/** Drops the one that waits with this id; false when there is none.  Cost: linear. */
bool wring__backlog_remove(wring__backlog *backlog, uint64_t id);

/** Drops all. Legal on a zeroed one. */
void wring__backlog_deinit(wring__backlog *backlog);

#endif
