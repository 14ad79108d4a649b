/* SPDX-License-Identifier: Apache-2.0
 *
 * Sizes of messages: one, a range, a list with weights, or a distribution. The sizes are drawn once
 * into a deck that all connections deal from, so that a message costs a load and the run's sizes
 * are the same each time.
 */
#ifndef WRING_LOAD_SIZES_H
#define WRING_LOAD_SIZES_H

#include "core/base.h"

#define LOAD_DECK     4096
#define LOAD_SIZE_MAX (UINT32_C(1) << 30)

typedef struct load_sizes {
    uint32_t max;
    uint32_t min;
    double mean;
    bool fixed;
    uint32_t deck[LOAD_DECK];
} load_sizes;

/** "125", "16k"; "64-1k" evenly between; "64,512,4k" each as likely; "64:90,16k:10" with weights;
 *  "exp:512" exponential with that mean; "normal:1k:200" mean and deviation.
 *  False for text that is none of these, or a size above LOAD_SIZE_MAX. */
bool load_sizes_parse(const char *text, load_sizes *out);

/** All of one size. */
void load_sizes_fixed(load_sizes *sizes, uint32_t size);

/** A generator of pseudo-random numbers: xorshift64*. The seed is not 0. */
static inline uint64_t load_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

#endif
