/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/sizes.h"

#include <criterion/criterion.h>

static load_sizes sizes;

static unsigned count_of(uint32_t size) {
    unsigned count = 0;
    for (size_t i = 0; i < LOAD_DECK; i++) {
        count += sizes.deck[i] == size;
    }
    return count;
}

Test(sizes, one_size) {
    cr_assert(load_sizes_parse("16k", &sizes));
    cr_assert(sizes.fixed);
    cr_assert_eq(sizes.min, 16384u);
    cr_assert_eq(sizes.max, 16384u);
    cr_assert(load_sizes_parse("0", &sizes));
    cr_assert_eq(sizes.max, 0u);
}

Test(sizes, a_range_is_covered_evenly_and_not_left) {
    cr_assert(load_sizes_parse("64-1k", &sizes));
    cr_assert_not(sizes.fixed);
    cr_assert_geq(sizes.min, 64u);
    cr_assert_leq(sizes.max, 1024u);
    cr_assert_float_eq(sizes.mean, 544, 20);
    cr_assert(load_sizes_parse("10-11", &sizes));
    cr_assert_eq(count_of(10) + count_of(11), (unsigned)LOAD_DECK);
    cr_assert_float_eq(count_of(10), LOAD_DECK / 2.0, 200);
}

Test(sizes, a_list_has_its_exact_shares) {
    cr_assert(load_sizes_parse("64,512,4k,16k", &sizes));
    cr_assert_eq(count_of(64), LOAD_DECK / 4u);
    cr_assert_eq(count_of(16384), LOAD_DECK / 4u);
    cr_assert(load_sizes_parse("64:3,16k:1", &sizes));
    cr_assert_eq(count_of(64), LOAD_DECK * 3 / 4u);
    cr_assert_eq(count_of(16384), LOAD_DECK / 4u);
    unsigned changes = 0;
    for (size_t i = 1; i < LOAD_DECK; i++) {
        changes += sizes.deck[i] != sizes.deck[i - 1];
    }
    cr_assert_gt(changes, LOAD_DECK / 4u, "not shuffled");
}

Test(sizes, distributions_have_their_mean) {
    cr_assert(load_sizes_parse("exp:512", &sizes));
    cr_assert_float_eq(sizes.mean, 512, 30);
    cr_assert_lt(sizes.min, 10u);
    cr_assert_gt(sizes.max, 2048u);
    cr_assert(load_sizes_parse("normal:1k:100", &sizes));
    cr_assert_float_eq(sizes.mean, 1024, 10);
    cr_assert_geq(sizes.min, 500u);
    cr_assert_leq(sizes.max, 1600u);
}

Test(sizes, a_deck_is_the_same_each_time) {
    static load_sizes again;
    cr_assert(load_sizes_parse("1-100000", &sizes));
    cr_assert(load_sizes_parse("1-100000", &again));
    cr_assert_arr_eq(sizes.deck, again.deck, sizeof sizes.deck);
}

Test(sizes, what_is_no_size_is_refused) {
    static const char *const bad[] = {"",    "x",        "64-",       "-64",   "1k-64", "64,",
                                      ",64", "64:",      "64:0",      "64:x",  "exp:",  "exp:x",
                                      "2g",  "normal:5", "normal::5", "1-2-3", "64;128"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_not(load_sizes_parse(bad[i], &sizes), "'%s'", bad[i]);
    }
}
