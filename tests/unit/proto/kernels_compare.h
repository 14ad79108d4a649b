/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares one implementation of the kernels with the scalar one. Plain C, so that the Criterion
 * tests here and the program that runs under an emulator of another CPU share it.
 */
#ifndef WRING_TESTS_KERNELS_COMPARE_H
#define WRING_TESTS_KERNELS_COMPARE_H

#include "proto/kernels.h"

/** One comparison: NULL if all is equal, else what differed (static storage). */
typedef const char *kernels_comparison(const struct wring__kernels *kernels);

/** Lengths 0-512, offsets 0-63, four phases, between guard pages; neighbours stay untouched. */
kernels_comparison kernels_compare_masks;
/** Every one-, two- and three-byte sequence, and four-byte ones by all leads and seconds. */
kernels_comparison kernels_compare_sequences;
/** Each class of right and wrong sequence at each place of a text, cut at each place, both loops.
 */
kernels_comparison kernels_compare_splits;
/** Lengths 0-512 of text against the guard pages: nothing outside is read. */
kernels_comparison kernels_compare_bounds;
/** Seeded random texts, mutated and cut at random. */
kernels_comparison kernels_compare_random;

struct kernels_check {
    const char *name;
    kernels_comparison *compare;
};

/** All of the above. */
extern const struct kernels_check kernels_checks[5];

/** The next number of a splitmix64 sequence. */
uint64_t kernels_random(uint64_t *seed);

/** Writes `len` bytes of valid UTF-8 with characters of up to `width_max` bytes (padded by ASCII).
 */
void kernels_random_text(uint8_t *text, size_t len, unsigned width_max, uint64_t *seed);

#endif
