/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker's mailbox: a bounded queue, many producers, one consumer. Producers are lock-free: each
 * claims a cell by its sequence number, writes it and publishes it (Vyukov's bounded queue). A
 * producer stalled between claim and publication delays what lies behind its cell; the consumer
 * then finds nothing for now, it never skips and never spins.
 *
 * Sleep: the consumer stores its flag, looks again, and only then waits; a producer that finds the
 * flag set clears it, and the one that cleared it wakes. So there is one wake per sleep, and no
 * item is left with the consumer asleep.
 */
#ifndef WRING_CORE_MAILBOX_H
#define WRING_CORE_MAILBOX_H

#include <stdatomic.h>

#include "core/mail.h"

typedef struct wring__mailbox {
    struct wring__mail_cell *cells;
    uint64_t mask;
    WRING_CACHE_ALIGNED _Atomic uint64_t tail; /* producers */
    _Atomic uint64_t full;                     /* pushes refused */
    WRING_CACHE_ALIGNED uint64_t head;         /* the consumer */
    WRING_CACHE_ALIGNED _Atomic uint32_t sleeping;
} wring__mailbox;

/** @param items  capacity, rounded up to a power of two.  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__mailbox_init(wring__mailbox *mailbox, uint32_t items);
void wring__mailbox_deinit(wring__mailbox *mailbox);

/** Copies one item in.  @param must_wake  set to true when this caller has to wake the consumer
 *  Errors: WRING_ERR_QUEUE_FULL, counted.   Thread: any. Cost: O(1), lock-free. */
WRING_MUST_CHECK wring_result wring__mailbox_push(wring__mailbox *mailbox, const wring__mail *mail,
                                                  bool *must_wake);

/** Takes the next item; false when there is none for now. Consumer only. */
bool wring__mailbox_pop(wring__mailbox *mailbox, wring__mail *mail);

/** Everything handed over so far is popped. Consumer only: of its own pushes it knows for sure. */
static inline bool wring__mailbox_is_empty(const wring__mailbox *mailbox) {
    return atomic_load_explicit(&mailbox->tail, memory_order_relaxed) == mailbox->head;
}

/** Announces that the consumer is going to wait; false when something is there: do not wait. */
bool wring__mailbox_prepare_sleep(wring__mailbox *mailbox);

/** The consumer runs again. */
void wring__mailbox_awake(wring__mailbox *mailbox);

#endif
