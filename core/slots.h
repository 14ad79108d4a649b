/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of slots: a small dense number and a generation for each live object. The generation
 * changes with each use of a slot, so that a name kept too long finds nothing. One thread.
 */
#ifndef WRING_CORE_SLOTS_H
#define WRING_CORE_SLOTS_H

#include "core/base.h"

typedef struct wring__slots {
    struct wring__slot *entries;
    uint32_t count; /* entries ever used */
    uint32_t cap;
    uint32_t max;
    uint32_t free_head; /* first in, first out: a slot rests as long as can be */
    uint32_t free_tail;
} wring__slots;

/** @param max  most live objects at a time; 0: 2^24 - 1 */
WRING_MUST_CHECK wring_result wring__slots_init(wring__slots *slots, uint32_t max);
void wring__slots_deinit(wring__slots *slots);

/** Errors: WRING_ERR_TOO_MANY_CONNECTIONS at `max`, WRING_ERR_NO_MEMORY. Generations are never 0.
 */
WRING_MUST_CHECK wring_result wring__slots_acquire(wring__slots *slots, void *object,
                                                   uint32_t *slot, uint32_t *generation);

/** The object, or NULL for a stale or foreign name. */
void *wring__slots_get(const wring__slots *slots, uint32_t slot, uint32_t generation);

/** The object in the slot; NULL: none. */
void *wring__slots_at(const wring__slots *slots, uint32_t slot);

void wring__slots_release(wring__slots *slots, uint32_t slot, uint32_t generation);

/** Visits every live object; the visitor may release the one it is shown. */
void wring__slots_each(wring__slots *slots, void (*visit)(void *object, void *arg), void *arg);

#endif
