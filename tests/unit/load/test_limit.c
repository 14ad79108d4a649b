/* SPDX-License-Identifier: Apache-2.0
 *
 * -n: how many may go out, and where the measured time ends, whenever a thread wakes to see it.
 */
#include <criterion/criterion.h>

#include "bench/load/engine.h"

#define FROM 1000
#define TO   (3600 * WRING_NS_PER_SEC)

static load_config config;
static load_run run;
static load_thread threads[2];

static void begin(uint64_t messages) {
    static load_thread *list[] = {&threads[0], &threads[1]};
    load_config_init(&config);
    config.messages = messages;
    config.warmup = 0;
    config.rate = 100;
    memset(&run, 0, sizeof run);
    run.config = &config;
    run.threads = list;
    run.thread_count = 2;
    atomic_store(&run.start, FROM);
    atomic_store(&run.measure_from, FROM);
    atomic_store(&run.measure_to, TO);
    atomic_store(&run.senders, 2);
    memset(threads, 0, sizeof threads);
    for (size_t i = 0; i < WRING_ARRAY_LEN(threads); i++) {
        threads[i].run = &run;
        threads[i].phase = LOAD_MEASURING;
    }
}

Test(limit, threads_share_the_number) {
    begin(3);
    cr_assert(load_limit_take(&threads[0]));
    cr_assert(load_limit_take(&threads[1]));
    cr_assert(load_limit_allows(&threads[0]), "asking takes none");
    cr_assert(load_limit_take(&threads[0]));
    cr_assert_not(load_limit_take(&threads[1]));
    cr_assert_not(load_limit_allows(&threads[0]));
}

Test(limit, only_a_warm_up_sends_before_and_is_not_counted) {
    begin(1);
    threads[0].phase = LOAD_WARMUP;
    cr_assert_not(load_limit_take(&threads[0]));
    config.warmup = 1;
    cr_assert(load_limit_take(&threads[0]));
    threads[0].phase = LOAD_MEASURING;
    cr_assert(load_limit_take(&threads[0]));
    cr_assert_not(load_limit_take(&threads[0]));
}

Test(limit, the_end_is_the_last_answer_and_not_when_a_thread_wakes) {
    begin(1);
    cr_assert(load_limit_take(&threads[0]));
    threads[0].awaited = 1;
    load_limit_step(&threads[0], FROM + 10);
    load_limit_step(&threads[1], FROM + 20);
    cr_assert_eq(atomic_load(&run.measure_to), TO, "one is awaited");
    threads[0].awaited = 0;
    threads[0].arrived = FROM + 50;
    load_limit_step(&threads[0], FROM + 900);
    cr_assert_eq(atomic_load(&run.measure_to), FROM + 51, "%llu",
                 (unsigned long long)atomic_load(&run.measure_to));
}

Test(limit, an_idle_thread_that_wakes_last_adds_nothing) {
    begin(1);
    cr_assert(load_limit_take(&threads[0]));
    threads[0].arrived = FROM + 50;
    load_limit_step(&threads[0], FROM + 60);
    cr_assert_eq(atomic_load(&run.measure_to), TO, "the other thread has not said so yet");
    load_limit_step(&threads[1], FROM + 100 * WRING_NS_PER_MS);
    cr_assert_eq(atomic_load(&run.measure_to), FROM + 51);
}

Test(limit, silence_ends_it) {
    begin(2);
    cr_assert(load_limit_take(&threads[0]));
    cr_assert(load_limit_take(&threads[0]));
    threads[0].awaited = 1;
    threads[0].arrived = FROM + 50;
    load_limit_step(&threads[1], FROM + 60);
    load_limit_step(&threads[0], FROM + 70);
    load_limit_step(&threads[0], FROM + 70 + 2 * WRING_NS_PER_SEC);
    cr_assert_eq(atomic_load(&run.measure_to), TO);
    load_limit_step(&threads[0], FROM + 71 + 2 * WRING_NS_PER_SEC);
    cr_assert_eq(atomic_load(&run.measure_to), FROM + 71, "since the number was reached");
}

Test(limit, nobody_left_to_send_ends_it) {
    begin(5);
    cr_assert(load_limit_take(&threads[0]));
    atomic_store(&run.senders, 0);
    load_limit_step(&threads[0], FROM + 40);
    load_limit_step(&threads[1], FROM + 30);
    cr_assert_eq(atomic_load(&run.measure_to), FROM + 41);
}
