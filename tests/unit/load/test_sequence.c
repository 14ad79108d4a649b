/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/sequence.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "bench/load/sizes.h"

static enum load_arrival take(load_sequence *s, uint64_t n) {
    uint64_t skipped;
    return load_sequence_take(s, n, &skipped);
}

Test(sequence, in_order_nothing_is_lost) {
    load_sequence s = {0};
    for (uint64_t n = 0; n < 1000; n++) {
        cr_assert_eq(take(&s, n), LOAD_ARRIVAL_IN_ORDER);
    }
    cr_assert_eq(load_sequence_lost(&s, 1000), 0u);
    cr_assert_eq(load_sequence_lost(&s, 1003), 3u);
}

Test(sequence, a_gap_is_lost_until_it_is_filled) {
    load_sequence s = {0};
    uint64_t skipped;
    cr_assert_eq(take(&s, 0), LOAD_ARRIVAL_IN_ORDER);
    cr_assert_eq(load_sequence_take(&s, 3, &skipped), LOAD_ARRIVAL_AHEAD);
    cr_assert_eq(skipped, 2u);
    cr_assert_eq(load_sequence_lost(&s, 4), 2u);
    cr_assert_eq(take(&s, 1), LOAD_ARRIVAL_LATE);
    cr_assert_eq(load_sequence_lost(&s, 4), 1u);
    cr_assert_eq(take(&s, 1), LOAD_ARRIVAL_DUPLICATE);
    cr_assert_eq(load_sequence_lost(&s, 4), 1u);
}

Test(sequence, a_repetition_is_seen_at_every_age_in_the_window) {
    for (uint64_t age = 0; age < 64; age++) {
        load_sequence s = {0};
        for (uint64_t n = 0; n < 200; n++) {
            (void)take(&s, n);
        }
        cr_assert_eq(take(&s, 199 - age), LOAD_ARRIVAL_DUPLICATE, "age %lu", age);
        cr_assert_eq(load_sequence_lost(&s, 200), 0u);
    }
}

Test(sequence, beyond_the_window_what_is_missing_may_still_come) {
    load_sequence s = {0};
    (void)take(&s, 1); /* 0 is missing */
    for (uint64_t n = 2; n < 500; n++) {
        (void)take(&s, n);
    }
    cr_assert_eq(load_sequence_lost(&s, 500), 1u);
    cr_assert_eq(take(&s, 0), LOAD_ARRIVAL_LATE);
    cr_assert_eq(load_sequence_lost(&s, 500), 0u);
    cr_assert_eq(take(&s, 0), LOAD_ARRIVAL_DUPLICATE);
}

Test(sequence, nothing_came_at_all) {
    load_sequence s = {0};
    cr_assert_eq(load_sequence_lost(&s, 7), 7u);
    cr_assert_eq(load_sequence_lost(&s, 0), 0u);
}

Test(sequence, a_jump_of_any_length_counts_all_it_skips) {
    for (uint64_t jump = 1; jump < 300; jump++) {
        load_sequence s = {0};
        for (uint64_t n = 0; n < 10; n++) {
            (void)take(&s, n);
        }
        uint64_t skipped;
        cr_assert_eq(load_sequence_take(&s, 10 + jump, &skipped), LOAD_ARRIVAL_AHEAD);
        cr_assert_eq(skipped, jump);
        cr_assert_eq(load_sequence_lost(&s, 11 + jump), jump);
    }
}

/* Random losses, repetitions and delays within the window, against a plain record of what came. */
Test(sequence, agrees_with_a_plain_record) {
    enum { TOTAL = 5000, DELAY = 40 };
    for (uint64_t seed = 1; seed <= 50; seed++) {
        uint64_t random = seed;
        load_sequence s = {0};
        unsigned times[TOTAL] = {0};
        uint64_t order[TOTAL * 2];
        size_t count = 0;
        for (uint64_t n = 0; n < TOTAL; n++) {
            const uint64_t dice = load_random(&random) % 100;
            if (dice >= 3) {
                order[count++] = n;
            }
            if (dice >= 97) {
                order[count++] = n;
            }
        }
        for (size_t i = 0; i + DELAY < count; i += 1 + load_random(&random) % 50) {
            const size_t other = i + load_random(&random) % (DELAY / 2);
            const uint64_t kept = order[i];
            order[i] = order[other];
            order[other] = kept;
        }
        uint64_t duplicates = 0;
        for (size_t i = 0; i < count; i++) {
            duplicates += take(&s, order[i]) == LOAD_ARRIVAL_DUPLICATE;
            times[order[i]]++;
        }
        uint64_t lost = 0;
        uint64_t repeated = 0;
        for (size_t n = 0; n < TOTAL; n++) {
            lost += times[n] == 0;
            repeated += times[n] > 1 ? times[n] - 1 : 0;
        }
        cr_assert_eq(load_sequence_lost(&s, TOTAL), lost, "seed %lu", seed);
        cr_assert_eq(duplicates, repeated, "seed %lu", seed);
    }
}
