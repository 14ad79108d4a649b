/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/wheel.h"

#define MS WRING_NS_PER_MS

Test(wheel, fires_in_order_and_never_early) {
    wring__wheel wheel;
    wring_timer a = {0};
    wring_timer b = {0};
    wring__wheel_init(&wheel, 1000 * MS);
    wring__wheel_set(&wheel, &a, 1005 * MS + 1);
    wring__wheel_set(&wheel, &b, 1003 * MS);
    cr_assert_null(wring__wheel_expire(&wheel, 1003 * MS - 1));
    cr_assert_eq(wring__wheel_expire(&wheel, 1005 * MS), &b);
    cr_assert_null(wring__wheel_expire(&wheel, 1005 * MS));
    cr_assert_eq(wring__wheel_expire(&wheel, 1006 * MS), &a);
    cr_assert_eq(wring__wheel_next(&wheel), WRING_TIME_NEVER);
}

Test(wheel, a_deadline_in_the_past_is_due_at_once) {
    wring__wheel wheel;
    wring_timer a = {0};
    wring__wheel_init(&wheel, 1000 * MS);
    wring__wheel_set(&wheel, &a, 5);
    cr_assert_eq(wring__wheel_next(&wheel), 0);
    cr_assert_eq(wring__wheel_expire(&wheel, 1000 * MS), &a);
    cr_assert(!wring__wheel_is_set(&a));
}

Test(wheel, cancel_and_move) {
    wring__wheel wheel;
    wring_timer a = {0};
    wring__wheel_init(&wheel, 0);
    wring__wheel_cancel(&wheel, &a); /* legal on one that is not set */
    wring__wheel_set(&wheel, &a, 10 * MS);
    wring__wheel_set(&wheel, &a, 5000 * MS);
    cr_assert_null(wring__wheel_expire(&wheel, 4999 * MS));
    wring__wheel_cancel(&wheel, &a);
    cr_assert_null(wring__wheel_expire(&wheel, 6000 * MS));
    cr_assert_eq(wring__wheel_next(&wheel), WRING_TIME_NEVER);
}

#define TIMERS 200

static uint64_t random_state;
static uint64_t next_random(void) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return random_state >> 24;
}

/* Against a plain array: every timer fires exactly when the model says, at every jump of time. */
Test(wheel, against_a_model_with_jumps_up_to_years) {
    static const uint64_t spans[] = {1, 50, 5000, 400000, 90000000, UINT64_C(40000000000)};
    for (random_state = 1; random_state < 60; random_state++) {
        uint64_t keep = random_state;
        wring__wheel wheel;
        static wring_timer timers[TIMERS];
        static uint64_t model[TIMERS]; /* deadline, 0: not set */
        memset(timers, 0, sizeof timers);
        memset(model, 0, sizeof model);
        wring_time_ns now = next_random();
        wring__wheel_init(&wheel, now);
        for (int step = 0; step < 500; step++) {
            size_t i = next_random() % TIMERS;
            uint64_t span = spans[next_random() % 6];
            switch (next_random() % 4) {
            case 0: /* cancel */
                wring__wheel_cancel(&wheel, &timers[i]);
                model[i] = 0;
                break;
            case 1: { /* time passes */
                now += next_random() % (span * MS);
                wring_timer *due;
                while ((due = wring__wheel_expire(&wheel, now)) != NULL) {
                    size_t d = (size_t)(due - timers);
                    cr_assert(model[d] != 0 && model[d] <= now);
                    model[d] = 0;
                }
                for (size_t k = 0; k < TIMERS; k++) { /* at most a tick late */
                    cr_assert(model[k] == 0 || model[k] + MS > now);
                }
                break;
            }
            default: /* set */
                model[i] = now + next_random() % (span * MS) + 1;
                wring__wheel_set(&wheel, &timers[i], model[i]);
            }
            uint64_t next = wring__wheel_next(&wheel);
            for (size_t k = 0; k < TIMERS; k++) {
                cr_assert(model[k] == 0 || next <= model[k] + MS);
            }
        }
        random_state = keep;
    }
}
