/* SPDX-License-Identifier: Apache-2.0
 *
 * Slot table. See slots.h.
 */
#include "core/slots.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "core/ref.h"

#define SLOT_NONE   UINT32_MAX
#define SLOTS_FIRST 64

struct wring__slot {
    void *object; /* NULL when free */
    uint32_t generation;
    uint32_t free_next;
};

/* Where the generations of the next table start: a ref of a table that is gone must not fit one
 * that took its place. */
static _Atomic uint32_t generation_base;

wring_result wring__slots_init(wring__slots *slots, uint32_t max) {
    memset(slots, 0, sizeof *slots);
    slots->max = max == 0 || max > WRING__SLOT_MAX ? WRING__SLOT_MAX : max;
    slots->free_head = SLOT_NONE;
    slots->free_tail = SLOT_NONE;
    return WRING_OK;
}

void wring__slots_deinit(wring__slots *slots) {
    free(slots->entries);
    memset(slots, 0, sizeof *slots);
}

static wring_result slots_grow(wring__slots *slots) {
    if (slots->count < slots->cap) {
        return WRING_OK;
    }
    if (slots->count == slots->max) {
        return WRING_ERR_TOO_MANY_CONNECTIONS;
    }
    uint32_t cap = slots->cap == 0 ? SLOTS_FIRST : slots->cap * 2;
    cap = cap > slots->max ? slots->max : cap;
    struct wring__slot *grown = realloc(slots->entries, cap * sizeof *grown);
    if (grown == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    slots->entries = grown;
    slots->cap = cap;
    return WRING_OK;
}

static uint32_t generation_after(uint32_t generation) {
    return generation + 1 == 0 ? 1 : generation + 1;
}

wring_result wring__slots_acquire(wring__slots *slots, void *object, uint32_t *slot,
                                  uint32_t *generation) {
    uint32_t index = slots->free_head;
    if (index != SLOT_NONE) {
        slots->free_head = slots->entries[index].free_next;
        if (slots->free_head == SLOT_NONE) {
            slots->free_tail = SLOT_NONE;
        }
    } else {
        wring_result result = slots_grow(slots);
        if (result != WRING_OK) {
            return result;
        }
        index = slots->count++;
        slots->entries[index].generation = generation_after(
            atomic_fetch_add_explicit(&generation_base, 2654435761u, /* 2^32 by the golden ratio */
                                      memory_order_relaxed));
    }
    struct wring__slot *entry = &slots->entries[index];
    entry->object = object;
    entry->free_next = SLOT_NONE;
    *slot = index;
    *generation = entry->generation;
    return WRING_OK;
}

void *wring__slots_get(const wring__slots *slots, uint32_t slot, uint32_t generation) {
    if (slot >= slots->count || slots->entries[slot].generation != generation) {
        return NULL;
    }
    return slots->entries[slot].object;
}

void *wring__slots_at(const wring__slots *slots, uint32_t slot) {
    return slot < slots->count ? slots->entries[slot].object : NULL;
}

void wring__slots_release(wring__slots *slots, uint32_t slot, uint32_t generation) {
    WRING_ASSERT(wring__slots_get(slots, slot, generation) != NULL);
    struct wring__slot *entry = &slots->entries[slot];
    entry->object = NULL;
    entry->generation = generation_after(generation);
    if (slots->free_tail == SLOT_NONE) {
        slots->free_head = slot;
    } else {
        slots->entries[slots->free_tail].free_next = slot;
    }
    slots->free_tail = slot;
}

void wring__slots_each(wring__slots *slots, void (*visit)(void *object, void *arg), void *arg) {
    for (uint32_t i = 0; i < slots->count; i++) {
        if (slots->entries[i].object != NULL) {
            visit(slots->entries[i].object, arg);
        }
    }
}
