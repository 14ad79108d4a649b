/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/histogram.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static load_histogram *made(void) {
    load_histogram *h = load_histogram_create();
    cr_assert_not_null(h);
    return h;
}

Test(histogram, an_empty_one_has_no_values) {
    load_histogram *h = made();
    cr_assert_eq(load_histogram_percentile(h, 50), 0u);
    cr_assert_eq(load_histogram_percentile(h, 100), 0u);
    cr_assert_eq(h->max, 0u);
    free(h);
}

Test(histogram, values_up_to_2047_are_exact) {
    load_histogram *h = made();
    for (uint64_t value = 0; value < 2048; value++) {
        load_histogram_record(h, value);
    }
    for (uint64_t rank = 1; rank <= 2048; rank++) {
        const double percentile = 100.0 * (double)rank / 2048;
        cr_assert_eq(load_histogram_percentile(h, percentile), rank - 1, "rank %lu", rank);
    }
    free(h);
}

Test(histogram, every_value_is_kept_to_three_digits) {
    load_histogram *h = made();
    for (uint64_t value = 1; value < UINT64_C(3600) * 1000000000; value += value / 7 + 1) {
        load_histogram_reset(h);
        load_histogram_record(h, value);
        load_histogram_record(h, (UINT64_C(1) << 42) - 1); /* so that the maximum does not cap it */
        const uint64_t got = load_histogram_percentile(h, 50);
        cr_assert_geq(got, value);
        cr_assert_leq((double)(got - value), (double)value / 1000, "%lu became %lu", value, got);
    }
    free(h);
}

Test(histogram, slots_are_dense_and_monotonic) {
    uint32_t last = 0;
    for (uint64_t value = 0; value < 1u << 20; value++) {
        const uint32_t slot = load_histogram_slot(value);
        cr_assert(slot == last || slot == last + 1, "at %lu", value);
        last = slot;
    }
    cr_assert_eq(load_histogram_slot(UINT64_MAX), LOAD_HISTOGRAM_SLOTS - 1);
}

Test(histogram, the_tail_is_told_apart) {
    load_histogram *h = made();
    load_histogram_record_many(h, 1000, 99990);
    load_histogram_record_many(h, 50000000, 9);
    load_histogram_record(h, 900000000);
    cr_assert_eq(load_histogram_percentile(h, 99.9), 1000u);
    cr_assert_eq(load_histogram_percentile(h, 99.99), 1000u); /* rank 99,990 of 100,000 */
    cr_assert_float_eq((double)load_histogram_percentile(h, 99.995), 5e7, 5e4);
    cr_assert_float_eq((double)load_histogram_percentile(h, 99.999), 5e7, 5e4);
    cr_assert_eq(load_histogram_percentile(h, 100), 900000000u);
    free(h);
}

Test(histogram, a_percentile_is_never_above_the_maximum) {
    load_histogram *h = made();
    load_histogram_record(h, 123456789);
    cr_assert_eq(load_histogram_percentile(h, 50), 123456789u);
    free(h);
}

Test(histogram, merging_is_the_same_as_recording_all) {
    load_histogram *one = made();
    load_histogram *two = made();
    load_histogram *all = made();
    uint64_t value = 17;
    for (int i = 0; i < 5000; i++) {
        value = value * 6364136223846793005u + 1442695040888963407u;
        load_histogram_record(i % 3 == 0 ? one : two, value >> 30);
        load_histogram_record(all, value >> 30);
    }
    load_histogram_merge(one, two);
    cr_assert_eq(one->count, all->count);
    cr_assert_eq(one->min, all->min);
    cr_assert_eq(one->max, all->max);
    cr_assert_eq(one->sum, all->sum);
    cr_assert_arr_eq(one->slots, all->slots, sizeof one->slots);
    free(one);
    free(two);
    free(all);
}

Test(histogram, a_reset_forgets_everything) {
    load_histogram *h = made();
    load_histogram_record(h, 5);
    load_histogram_record(h, 500000);
    load_histogram_reset(h);
    for (size_t i = 0; i < LOAD_HISTOGRAM_SLOTS; i++) {
        cr_assert_eq(h->slots[i], 0u);
    }
    cr_assert_eq(h->count, 0u);
    free(h);
}

Test(histogram, hgrm_ends_with_everything_and_its_percentiles_rise) {
    load_histogram *h = made();
    for (uint64_t i = 1; i <= 10000; i++) {
        load_histogram_record(h, i * 1000);
    }
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    load_histogram_write_hgrm(h, to);
    fclose(to);
    double last = -1;
    double value = 0;
    double percentile = 0;
    unsigned long long count = 0;
    int lines = 0;
    for (char *line = strchr(text, '\n'); line != NULL; line = strchr(line + 1, '\n')) {
        if (line[1] != '\n' && sscanf(line, "%lf %lf %llu", &value, &percentile, &count) == 3) {
            cr_assert_gt(percentile, last);
            last = percentile;
            lines++;
        }
    }
    cr_assert_gt(lines, 40);
    cr_assert_eq(count, 10000u);
    cr_assert_float_eq(value, 10000, 0.001);
    cr_assert_float_eq(percentile, 1, 1e-9);
    free(text);
    free(h);
}
