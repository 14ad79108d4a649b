/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of one publisher's messages at one subscriber, by their numbers: lost, repeated, out
 * of order. Remembers the last 64 numbers exactly and how many older ones are missing. One thread.
 */
#ifndef WRING_LOAD_SEQUENCE_H
#define WRING_LOAD_SEQUENCE_H

#include "core/base.h"

typedef struct load_sequence {
    uint64_t next;    /* the number expected */
    uint64_t window;  /* bit i: number next - 1 - i has come */
    uint32_t missing; /* numbers older than the window that never came */
} load_sequence;

enum load_arrival {
    LOAD_ARRIVAL_IN_ORDER,
    LOAD_ARRIVAL_AHEAD,     /* numbers before it are missing, lost so far */
    LOAD_ARRIVAL_LATE,      /* it was missing: overtaken, not lost */
    LOAD_ARRIVAL_DUPLICATE, /* it had come before */
};

/** Takes note of number `n`.  @param skipped  set for AHEAD: how many were jumped over */
enum load_arrival load_sequence_take(load_sequence *sequence, uint64_t n, uint64_t *skipped);

/** The next number is not waited for; if it comes, it is late. */
void load_sequence_skip(load_sequence *sequence);

/** How many of the first `total` numbers never came. */
uint64_t load_sequence_lost(const load_sequence *sequence, uint64_t total);

#endif
