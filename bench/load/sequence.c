/* SPDX-License-Identifier: Apache-2.0
 *
 * Loss, repetition and order by sequence numbers. See sequence.h.
 */
#include "bench/load/sequence.h"

#define WINDOW 64

static uint64_t known(const load_sequence *s) {
    return s->next < WINDOW ? s->next : WINDOW;
}

static uint64_t missing_in_window(const load_sequence *s) {
    return known(s) - (uint64_t)__builtin_popcountll(s->window);
}

/* Moves the window `by` numbers on, none of them come yet. */
static void advance(load_sequence *s, uint64_t by) {
    const uint64_t before = missing_in_window(s);
    s->window = by >= WINDOW ? 0 : s->window << by;
    s->next += by;
    /* what was missing or skipped and is not in the window any more is older than it */
    s->missing += (uint32_t)(before + by - missing_in_window(s));
}

static enum load_arrival take_old(load_sequence *s, uint64_t n) {
    const uint64_t age = s->next - 1 - n;
    if (age >= WINDOW) {
        if (s->missing == 0) {
            return LOAD_ARRIVAL_DUPLICATE;
        }
        s->missing--; /* too old to tell: taken for one that is missing */
        return LOAD_ARRIVAL_LATE;
    }
    const uint64_t bit = UINT64_C(1) << age;
    if ((s->window & bit) != 0) {
        return LOAD_ARRIVAL_DUPLICATE;
    }
    s->window |= bit;
    return LOAD_ARRIVAL_LATE;
}

enum load_arrival load_sequence_take(load_sequence *s, uint64_t n, uint64_t *skipped) {
    *skipped = 0;
    if (n < s->next) {
        return take_old(s, n);
    }
    if (WRING_LIKELY(n == s->next)) {
        if (WRING_LIKELY(s->next >= WINDOW && s->window == UINT64_MAX)) {
            s->next++;
            return LOAD_ARRIVAL_IN_ORDER;
        }
        advance(s, 1);
        s->window |= 1;
        return LOAD_ARRIVAL_IN_ORDER;
    }
    *skipped = n - s->next;
    advance(s, *skipped + 1);
    s->window |= 1;
    return LOAD_ARRIVAL_AHEAD;
}

void load_sequence_skip(load_sequence *s) {
    advance(s, 1);
}

uint64_t load_sequence_lost(const load_sequence *s, uint64_t total) {
    const uint64_t tail = total > s->next ? total - s->next : 0;
    return s->missing + missing_in_window(s) + tail;
}
