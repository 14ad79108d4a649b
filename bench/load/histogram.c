/* SPDX-License-Identifier: Apache-2.0
 *
 * Log-linear histogram. See histogram.h.
 */
#include "bench/load/histogram.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define HGRM_STEPS_PER_HALF 5 /* lines for each halving of the distance to 100 % */

load_histogram *load_histogram_create(void) {
    load_histogram *histogram = malloc(sizeof *histogram);
    if (histogram != NULL) {
        memset(histogram->slots, 0, sizeof histogram->slots);
        histogram->low = 0;
        histogram->high = 0;
        load_histogram_reset(histogram);
    }
    return histogram;
}

void load_histogram_reset(load_histogram *h) {
    if (h->low <= h->high) {
        memset(&h->slots[h->low], 0, (h->high - h->low + 1) * sizeof h->slots[0]);
    }
    h->count = 0;
    h->sum = 0;
    h->min = UINT64_MAX;
    h->max = 0;
    h->low = LOAD_HISTOGRAM_SLOTS;
    h->high = 0;
}

void load_histogram_merge(load_histogram *into, const load_histogram *from) {
    if (from->count == 0) {
        return;
    }
    for (uint32_t i = from->low; i <= from->high; i++) {
        into->slots[i] += from->slots[i];
    }
    into->count += from->count;
    into->sum += from->sum;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    into->low = from->low < into->low ? from->low : into->low;
    into->high = from->high > into->high ? from->high : into->high;
}

/* The largest value that falls into the slot. */
static uint64_t slot_value(uint32_t slot) {
    const uint32_t step = 1u << LOAD_HISTOGRAM_STEP_BITS;
    if (slot < 2 * step) {
        return slot;
    }
    const uint32_t shift = (slot >> LOAD_HISTOGRAM_STEP_BITS) - 1;
    const uint64_t mantissa = slot - ((uint64_t)shift << LOAD_HISTOGRAM_STEP_BITS);
    return ((mantissa + 1) << shift) - 1;
}

uint64_t load_histogram_percentile(const load_histogram *h, double percentile) {
    if (h->count == 0) {
        return 0;
    }
    /* The smallest rank that is at least the share; the epsilon absorbs 99.9 not being exact. */
    uint64_t rank = (uint64_t)ceil(percentile / 100 * (double)h->count - 1e-9 * (double)h->count);
    rank = rank == 0 ? 1 : wring__min_u64(rank, h->count);
    uint64_t seen = 0;
    for (uint32_t i = h->low; i <= h->high; i++) {
        seen += h->slots[i];
        if (seen >= rank) {
            return wring__min_u64(slot_value(i), h->max);
        }
    }
    return h->max;
}

double load_histogram_mean(const load_histogram *h) {
    return h->count == 0 ? 0 : (double)h->sum / (double)h->count;
}

static double deviation(const load_histogram *h) {
    const double mean = load_histogram_mean(h);
    double squares = 0;
    for (uint32_t i = h->low; i <= h->high && h->count > 0; i++) {
        const double distance = (double)slot_value(i) - mean;
        squares += distance * distance * (double)h->slots[i];
    }
    return h->count == 0 ? 0 : sqrt(squares / (double)h->count);
}

static uint64_t count_up_to(const load_histogram *h, uint64_t value) {
    uint64_t seen = 0;
    for (uint32_t i = h->low; i <= h->high && slot_value(i) <= value; i++) {
        seen += h->slots[i];
    }
    return value >= h->max ? h->count : seen;
}

void load_histogram_write_hgrm(const load_histogram *h, FILE *to) {
    fprintf(to, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    double percentile = 0;
    double half = 50; /* distance covered by the steps at hand */
    for (unsigned step = 1; h->count > 0; step++) {
        const uint64_t value = load_histogram_percentile(h, percentile);
        if (value >= h->max) {
            break;
        }
        fprintf(to, "%12.3f %14.12f %10" PRIu64 " %14.2f\n", (double)value / 1e3, percentile / 100,
                count_up_to(h, value), 1 / (1 - percentile / 100));
        percentile += half / HGRM_STEPS_PER_HALF;
        if (step % HGRM_STEPS_PER_HALF == 0) {
            half /= 2;
        }
    }
    if (h->count > 0) {
        fprintf(to, "%12.3f %14.12f %10" PRIu64 "\n", (double)h->max / 1e3, 1.0, h->count);
    }
    fprintf(to, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", load_histogram_mean(h) / 1e3,
            deviation(h) / 1e3);
    fprintf(to, "#[Max     = %12.3f, Total count    = %12" PRIu64 "]\n",
            h->count == 0 ? 0.0 : (double)h->max / 1e3, h->count);
    fprintf(to, "#[Buckets = %12d, SubBuckets     = %12d]\n",
            LOAD_HISTOGRAM_MAX_BITS - LOAD_HISTOGRAM_STEP_BITS, 2 << LOAD_HISTOGRAM_STEP_BITS);
}
