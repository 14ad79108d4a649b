/* SPDX-License-Identifier: Apache-2.0
 *
 * What was published to a topic within its coalescing window, to leave as one send per subscriber.
 * A window of 0 ends with the worker's turn, before what is queued is sent. One thread.
 */
#ifndef WRING_SERVER_BATCH_H
#define WRING_SERVER_BATCH_H

#include "core/shared.h"
#include "io/worker.h"

struct wring__topic;

/** Bounds of a batch: whoever reaches one ends the window early. */
#define WRING__BATCH_MESSAGES_MAX 1024
#define WRING__BATCH_BYTES_MAX    ((size_t)64 * 1024)

typedef struct wring__batch {
    wring__task task; /* the end of the window */
    struct wring__topic *topic;
    wring__worker *worker;
    wring__shared **messages;
    uint32_t count;
    uint32_t cap;
    size_t bytes; /* of their wire forms */
} wring__batch;

/** NULL when memory is out.  @param run  called when the window is over */
wring__batch *wring__batch_create(wring__worker *worker, struct wring__topic *topic,
                                  void (*run)(wring__task *task));

/** Drops what is in it. NULL is legal. */
void wring__batch_destroy(wring__batch *batch);

/** Adds; the first one begins the window.  Own: shares.
 *  Errors: WRING_ERR_QUEUE_FULL (a bound: flush first), WRING_ERR_NO_MEMORY (the same). */
WRING_MUST_CHECK wring_result wring__batch_add(wring__batch *batch, wring__shared *message,
                                               wring_duration_ns window);

/** All messages as one run of bytes; NULL when memory is out.  Cost: one copy. */
wring__shared *wring__batch_join(const wring__batch *batch);

/** Empties it: the window is over. */
void wring__batch_clear(wring__batch *batch);

#endif
