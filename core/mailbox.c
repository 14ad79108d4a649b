/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounded multi-producer single-consumer queue with a sleep protocol. See mailbox.h.
 */
#include "core/mailbox.h"

#include <stdlib.h>

/* `sequence` of cell i: position while it is free for the producer of that position, position + 1
 * once its item is published, position + capacity when it is free for the next lap. */
struct wring__mail_cell {
    _Atomic uint64_t sequence;
    wring__mail mail;
};

wring_result wring__mailbox_init(wring__mailbox *mailbox, uint32_t items) {
    memset(mailbox, 0, sizeof *mailbox);
    uint64_t capacity = 2;
    while (capacity < items) {
        capacity *= 2;
    }
    mailbox->cells = calloc(capacity, sizeof *mailbox->cells);
    if (mailbox->cells == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    for (uint64_t i = 0; i < capacity; i++) {
        atomic_init(&mailbox->cells[i].sequence, i);
    }
    mailbox->mask = capacity - 1;
    return WRING_OK;
}

void wring__mailbox_deinit(wring__mailbox *mailbox) {
    free(mailbox->cells);
    memset(mailbox, 0, sizeof *mailbox);
}

/* The load and the exchange are seq_cst: they must not pass the publication before them. */
static bool wake_claim(wring__mailbox *mailbox) {
    return atomic_load_explicit(&mailbox->sleeping, memory_order_seq_cst) != 0 &&
           atomic_exchange_explicit(&mailbox->sleeping, 0, memory_order_seq_cst) != 0;
}

wring_result wring__mailbox_push(wring__mailbox *mailbox, const wring__mail *mail,
                                 bool *must_wake) {
    uint64_t position = atomic_load_explicit(&mailbox->tail, memory_order_relaxed);
    struct wring__mail_cell *cell;
    for (;;) {
        cell = &mailbox->cells[position & mailbox->mask];
        uint64_t sequence = atomic_load_explicit(&cell->sequence, memory_order_acquire);
        if (sequence == position) {
            if (atomic_compare_exchange_weak_explicit(&mailbox->tail, &position, position + 1,
                                                      memory_order_relaxed, memory_order_relaxed)) {
                break;
            }
        } else if ((int64_t)(sequence - position) < 0) {
            atomic_fetch_add_explicit(&mailbox->full, 1, memory_order_relaxed);
            return WRING_ERR_QUEUE_FULL;
        } else {
            position = atomic_load_explicit(&mailbox->tail, memory_order_relaxed);
        }
    }
    cell->mail = *mail;
    /* seq_cst pairs with prepare_sleep: either it sees the item or we see its flag */
    atomic_store_explicit(&cell->sequence, position + 1, memory_order_seq_cst);
    *must_wake = wake_claim(mailbox);
    return WRING_OK;
}

bool wring__mailbox_pop(wring__mailbox *mailbox, wring__mail *mail) {
    struct wring__mail_cell *cell = &mailbox->cells[mailbox->head & mailbox->mask];
    uint64_t sequence = atomic_load_explicit(&cell->sequence, memory_order_acquire);
    if (sequence != mailbox->head + 1) {
        return false;
    }
    *mail = cell->mail;
    atomic_store_explicit(&cell->sequence, mailbox->head + mailbox->mask + 1, memory_order_release);
    mailbox->head++;
    return true;
}

bool wring__mailbox_prepare_sleep(wring__mailbox *mailbox) {
    const struct wring__mail_cell *cell = &mailbox->cells[mailbox->head & mailbox->mask];
    atomic_store_explicit(&mailbox->sleeping, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&cell->sequence, memory_order_seq_cst) == mailbox->head + 1) {
        atomic_store_explicit(&mailbox->sleeping, 0, memory_order_relaxed);
        return false;
    }
    return true;
}

void wring__mailbox_awake(wring__mailbox *mailbox) {
    /* A plain look first: most turns end without a sleep to clear. */
    if (atomic_load_explicit(&mailbox->sleeping, memory_order_relaxed) != 0) {
        atomic_store_explicit(&mailbox->sleeping, 0, memory_order_relaxed);
    }
}
