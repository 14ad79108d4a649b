/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters of events: one thread counts, any thread reads.
 */
#ifndef WRING_CORE_COUNT_H
#define WRING_CORE_COUNT_H

#include "core/base.h"

/** Thread: the counter's one writer. */
static inline void wring__count(uint64_t *counter, uint64_t more) {
    __atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

/** Thread: any. */
static inline uint64_t wring__count_read(const uint64_t *counter) {
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/** Text and binary messages of one worker, or of a machine alone. */
typedef struct wring__message_counts {
    uint64_t rx; /* that came whole */
    uint64_t tx; /* that were queued to peers */
} wring__message_counts;

#endif
