/* SPDX-License-Identifier: Apache-2.0
 *
 * Peers' time: it stands still while the worker does not run, but never for a worker that is only
 * slow; and after a gap nobody is judged before everything that waited has been taken.
 */
#include <criterion/criterion.h>

#include "io/clock.h"

#define MS WRING_NS_PER_MS

static wring__clock clock_at(wring_time_ns now) {
    wring__clock clock;
    wring__clock_init(&clock, now);
    return clock;
}

Test(clock, a_wait_that_lasted_as_long_as_it_should_is_no_gap) {
    wring__clock clock = clock_at(1000 * MS);
    wring__clock_turn(&clock, 1000 * MS, 61000 * MS, 61001 * MS, 0);
    cr_assert(clock.lost == 0 && !clock.catching_up);
    cr_assert_eq(clock.peer_now, 61001 * MS);
}

Test(clock, a_wait_without_an_end_is_no_gap) {
    wring__clock clock = clock_at(1000 * MS);
    wring__clock_turn(&clock, 1000 * MS, WRING_TIME_NEVER, 900000 * MS, 1);
    cr_assert(clock.lost == 0 && !clock.catching_up);
}

/* The worker may have been suspended as soon as it had begun to wait. */
Test(clock, a_turn_that_took_too_long_is_lost_whole) {
    wring__clock clock = clock_at(1000 * MS);
    wring__clock_turn(&clock, 1000 * MS, 2000 * MS, 62000 * MS, 3);
    cr_assert_eq(clock.lost, 61000 * MS - WRING__CLOCK_TURN_MAX);
    cr_assert_eq(clock.peer_now, 1000 * MS + WRING__CLOCK_TURN_MAX);
    cr_assert(clock.catching_up);
}

Test(clock, a_handler_that_slept_before_a_turn_without_a_wait_is_a_gap) {
    wring__clock clock = clock_at(1000 * MS);
    wring__clock_turn(&clock, 1000 * MS, 0, 5000 * MS, 0);
    cr_assert_eq(clock.lost, 4000 * MS - WRING__CLOCK_TURN_MAX);
}

Test(clock, nobody_is_judged_until_no_completion_came_for_a_while) {
    wring__clock clock = clock_at(0);
    wring__clock_turn(&clock, 0, 0, 5000 * MS, 7);
    wring__clock_turn(&clock, 5000 * MS, 0, 5020 * MS, 7);
    cr_assert(clock.catching_up, "completions come");
    wring__clock_turn(&clock, 5020 * MS, 0, 5021 * MS, 0);
    cr_assert_not(clock.catching_up);
    wring__clock_turn(&clock, 5021 * MS, 0, 10021 * MS, 0);
    cr_assert(clock.catching_up, "none came, but none can have had the time");
}

Test(clock, who_is_busy_all_the_time_judges_after_a_second) {
    wring__clock clock = clock_at(0);
    wring__clock_turn(&clock, 0, 0, 5000 * MS, 7);
    for (wring_time_ns now = 5000 * MS; now < 6000 * MS; now += 50 * MS) {
        cr_assert(clock.catching_up);
        wring__clock_turn(&clock, now, 0, now + 50 * MS, 7);
    }
    cr_assert_not(clock.catching_up);
}

Test(clock, peers_time_goes_on_for_a_worker_that_is_always_slow) {
    wring__clock clock = clock_at(0);
    unsigned judged = 0;
    for (wring_time_ns now = 0; now < 100000 * MS; now += 500 * MS) {
        wring__clock_turn(&clock, now, 0, now + 500 * MS, 7);
        judged += !clock.catching_up;
    }
    cr_assert_eq(clock.peer_now, 200 * WRING__CLOCK_TURN_MAX);
    cr_assert_geq(judged, 60);
}
