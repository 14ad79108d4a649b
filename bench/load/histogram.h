/* SPDX-License-Identifier: Apache-2.0
 *
 * A histogram in HdrHistogram's style: log-linear buckets that keep three significant digits from
 * 1 ns to more than an hour, so that p99.999 is as exact as the median. Debian has no package of
 * the C library; this is the part of it that a load tester needs. One thread, no allocation after
 * load_histogram_create.
 */
#ifndef WRING_LOAD_HISTOGRAM_H
#define WRING_LOAD_HISTOGRAM_H

#include <stdio.h>

#include "core/base.h"

/* 2^11 linear steps in the first bucket, 2^10 in each further one: below 0.1 % apart. */
#define LOAD_HISTOGRAM_STEP_BITS 10
#define LOAD_HISTOGRAM_MAX_BITS  42
#define LOAD_HISTOGRAM_SLOTS                                                                       \
    ((LOAD_HISTOGRAM_MAX_BITS - LOAD_HISTOGRAM_STEP_BITS + 1) << LOAD_HISTOGRAM_STEP_BITS)

typedef struct load_histogram {
    uint64_t count;
    uint64_t min;
    uint64_t max;
    uint64_t sum;
    uint32_t low; /* slots outside low..high are zero */
    uint32_t high;
    uint64_t slots[LOAD_HISTOGRAM_SLOTS];
} load_histogram;

/** NULL when memory is out; freed by free(). */
load_histogram *load_histogram_create(void);
void load_histogram_reset(load_histogram *histogram);

/** Values beyond the range count as its end. */
static inline uint32_t load_histogram_slot(uint64_t value) {
    const uint64_t top = (UINT64_C(1) << LOAD_HISTOGRAM_MAX_BITS) - 1;
    value = value > top ? top : value;
    const unsigned bits = 64u - (unsigned)__builtin_clzll(value | 1);
    if (bits <= LOAD_HISTOGRAM_STEP_BITS + 1) {
        return (uint32_t)value;
    }
    const unsigned shift = bits - LOAD_HISTOGRAM_STEP_BITS - 1;
    return (uint32_t)((shift << LOAD_HISTOGRAM_STEP_BITS) + (value >> shift));
}

static inline void load_histogram_record_many(load_histogram *h, uint64_t value, uint64_t count) {
    const uint32_t slot = load_histogram_slot(value);
    h->slots[slot] += count;
    h->count += count;
    h->sum += value * count;
    h->min = value < h->min ? value : h->min;
    h->max = value > h->max ? value : h->max;
    h->low = slot < h->low ? slot : h->low;
    h->high = slot > h->high ? slot : h->high;
}

static inline void load_histogram_record(load_histogram *h, uint64_t value) {
    load_histogram_record_many(h, value, 1);
}

void load_histogram_merge(load_histogram *into, const load_histogram *from);

/** The value that `percentile` (0 to 100) of all values do not exceed, exact to three digits and
 *  never above the maximum; 0 for an empty one. */
uint64_t load_histogram_percentile(const load_histogram *histogram, double percentile);
double load_histogram_mean(const load_histogram *histogram);

/** The distribution as text in the format of HdrHistogram's plotter (.hgrm), in microseconds. */
void load_histogram_write_hgrm(const load_histogram *histogram, FILE *to);

#endif
