/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/ramp.h"

#include <criterion/criterion.h>

#define SEC WRING_NS_PER_SEC

static load_ramp ramp_of(double from, const char *text) {
    load_ramp ramp = {.from = from};
    cr_assert(load_ramp_parse(text, &ramp), "%s", text);
    return ramp;
}

Test(ramp, stages_are_read) {
    const load_ramp ramp = ramp_of(0, "10s:100,30s:1.5k,500ms:0");
    cr_assert_eq(ramp.count, 3u);
    cr_assert_eq(ramp.stages[2].duration, SEC / 2);
    cr_assert_float_eq(ramp.stages[1].value, 1500, 1e-9);
    cr_assert_eq(load_ramp_duration(&ramp), 40 * SEC + SEC / 2);
    cr_assert_float_eq(load_ramp_max(&ramp), 1500, 1e-9);
    static const char *const bad[] = {"",       "10s",    "10s:",     ":100",   "10s:100,",
                                      ",10s:1", "10:1:2", "-1s:100,", "10s:1x", "10s:-1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        load_ramp got = {.from = 0};
        cr_assert_not(load_ramp_parse(bad[i], &got), "'%s'", bad[i]);
    }
}

Test(ramp, the_value_goes_in_straight_lines_and_then_stays) {
    const load_ramp ramp = ramp_of(100, "10s:200,10s:200,10s:0");
    static const struct {
        wring_duration_ns at;
        double value;
    } cases[] = {{0, 100},        {5 * SEC, 150}, {10 * SEC, 200}, {15 * SEC, 200},
                 {25 * SEC, 100}, {30 * SEC, 0},  {99 * SEC, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_float_eq(load_ramp_value(&ramp, cases[i].at), cases[i].value, 1e-9, "%zu", i);
    }
}

Test(ramp, a_step_alone_is_a_constant_value) {
    const load_ramp ramp = ramp_of(0, "0s:2k");
    cr_assert_eq(load_ramp_duration(&ramp), 0u);
    cr_assert_float_eq(load_ramp_value(&ramp, 0), 2000, 1e-9);
    cr_assert_float_eq(load_ramp_count(&ramp, SEC), 2000, 1e-6);
    cr_assert_eq(load_ramp_due(&ramp, 0), 0u);
    cr_assert_eq(load_ramp_due(&ramp, 1000), SEC / 2);
    cr_assert_eq(load_ramp_reach(&ramp, 2000), 0u);
    cr_assert_eq(load_ramp_reach(&ramp, 2001), WRING_TIME_NEVER);
}

Test(ramp, what_is_due_is_the_area_below_the_line) {
    const load_ramp ramp = ramp_of(0, "10s:100,10s:100,10s:0");
    cr_assert_float_eq(load_ramp_count(&ramp, 5 * SEC), 125, 1e-6);
    cr_assert_float_eq(load_ramp_count(&ramp, 10 * SEC), 500, 1e-6);
    cr_assert_float_eq(load_ramp_count(&ramp, 20 * SEC), 1500, 1e-6);
    cr_assert_float_eq(load_ramp_count(&ramp, 30 * SEC), 2000, 1e-6);
    cr_assert_float_eq(load_ramp_count(&ramp, 60 * SEC), 2000, 1e-6);
}

Test(ramp, each_message_is_due_when_so_many_were) {
    static const char *const texts[] = {"10s:100,10s:100,10s:0", "1s:50k,2s:10", "0s:500,10s:500",
                                        "5s:0,5s:1000"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const load_ramp ramp = ramp_of(i == 1 ? 10 : 0, texts[i]);
        const double all = load_ramp_count(&ramp, load_ramp_duration(&ramp));
        wring_duration_ns before = 0;
        for (double k = 0; k < all; k++) {
            const wring_duration_ns at = load_ramp_due(&ramp, k);
            cr_assert(at >= before && at <= load_ramp_duration(&ramp), "%s: %.0f", texts[i], k);
            cr_assert_float_eq(load_ramp_count(&ramp, at), k, 0.01, "%s: %.0f", texts[i], k);
            before = at;
        }
    }
    const load_ramp to_zero = ramp_of(0, "1s:10,1s:0");
    cr_assert_eq(load_ramp_due(&to_zero, 11), WRING_TIME_NEVER);
    const load_ramp stays = ramp_of(0, "1s:10");
    cr_assert_eq(load_ramp_due(&stays, 25), 3 * SEC);
}

Test(ramp, a_number_is_reached_once) {
    const load_ramp ramp = ramp_of(0, "10s:100,5s:100,10s:200");
    cr_assert_eq(load_ramp_reach(&ramp, 0), 0u);
    cr_assert_eq(load_ramp_reach(&ramp, 50), 5 * SEC);
    cr_assert_eq(load_ramp_reach(&ramp, 100), 10 * SEC);
    cr_assert_eq(load_ramp_reach(&ramp, 150), 20 * SEC);
    cr_assert_eq(load_ramp_reach(&ramp, 200), 25 * SEC);
    cr_assert_eq(load_ramp_reach(&ramp, 201), WRING_TIME_NEVER);
}
