/* SPDX-License-Identifier: Apache-2.0
 *
 * A constant rate in virtual time: a message is sent in the turn in which it falls due, or the
 * thread wakes for it, wherever in a turn that moment lies.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/load/load_world.h"

/* Looks at the clock from the moment a message is due until it has gone out: those of the turn it
 * falls into and of the one that sends it, for each thread. */
#define LOOKS_MAX 8

static int by_time(const void *a, const void *b) {
    const wring_time_ns x = *(const wring_time_ns *)a;
    const wring_time_ns y = *(const wring_time_ns *)b;
    return x < y ? -1 : x > y;
}

static const char *label(const load_config *config, wring_duration_ns tick,
                         wring_duration_ns phase) {
    static char text[160];
    (void)snprintf(text, sizeof text,
                   "mode %d, %u connections, %u publishers, %u threads, %g/s, "
                   "bursts of %u, tick %llu, phase %llu",
                   config->mode, config->connections, config->publishers, config->threads,
                   config->rate, config->burst, (unsigned long long)tick,
                   (unsigned long long)phase);
    return text;
}

/* All of the schedule came to the peers, each message within a few looks of its time. */
static void check_arrivals(load_world *world, const char *what) {
    const load_config *config = &world->config;
    const double gap = 1e9 * config->burst / config->rate;
    size_t due_count = 0;
    while ((wring_duration_ns)((double)due_count * gap) < config->duration) {
        due_count++;
    }
    cr_assert_eq(world->arrival_count, due_count * config->burst, "%s: %zu of %zu", what,
                 world->arrival_count, due_count * config->burst);
    cr_assert_eq(world->result.unsent, 0, "%s", what);
    qsort(world->arrivals, world->arrival_count, sizeof world->arrivals[0], by_time);
    for (size_t i = 0; i < world->arrival_count; i++) {
        const wring_time_ns due =
            world->start + (wring_duration_ns)((double)(i / config->burst) * gap);
        cr_assert(world->arrivals[i] >= due, "%s: message %zu went out too early", what, i);
        const wring_duration_ns late = world->arrivals[i] - due;
        cr_assert(late <= LOOKS_MAX * config->threads * world->tick,
                  "%s: message %zu is %.3f us late", what, i, (double)late / 1e3);
    }
}

static void run_at(const load_config *wanted, wring_duration_ns tick, wring_duration_ns phase) {
    load_world *world = load_world_create();
    const char *url = world->config.url;
    world->config = *wanted;
    world->config.url = url;
    world->config.interval = wanted->duration / 3 + 1;
    world->tick = tick;
    world->random = phase;
    world->delay_max = (wring_duration_ns)(2e9 * wanted->burst / wanted->rate);
    if (wanted->mode == LOAD_FANOUT) {
        world->answer = load_peer_spread;
    }
    load_world_run(world, phase);
    check_arrivals(world, label(wanted, tick, phase));
    cr_assert_eq(world->result.held, 0);
    cr_assert_eq(world->result.lag->count * wanted->burst, world->arrival_count);
    cr_assert(world->result.lag->max <= LOOKS_MAX * wanted->threads * tick);
    load_world_destroy(world);
}

#define PATROL_NS (100 * WRING_NS_PER_MS)

/* Slow ones: the thread looks around ten times a second meanwhile, and a message may fall due at
 * any moment of that. Only a thread alone sleeps exactly (see step()); of several, fewer moments.
 */
static void run_slow_rates(load_config *config) {
    static const double rates[] = {1, 3, 9.7};
    const wring_duration_ns tick = WRING_NS_PER_MS;
    const wring_duration_ns apart = config->threads == 1 ? tick : 9 * tick;
    for (size_t r = 0; r < WRING_ARRAY_LEN(rates); r++) {
        config->rate = rates[r];
        config->duration = (wring_duration_ns)(4e9 * config->burst / rates[r]);
        for (wring_duration_ns phase = tick; phase <= PATROL_NS; phase += apart) {
            run_at(config, tick, phase);
        }
    }
}

/* Fast ones: answers come at any moment between two messages. */
static void run_fast_rates(load_config *config) {
    static const double rates[] = {100, 2500, 20000, 1e6};
    static const double looks[] = {20, 100, 1000}; /* at the clock, between two messages */
    uint64_t random = 42;
    for (size_t r = 0; r < WRING_ARRAY_LEN(rates); r++) {
        config->rate = rates[r];
        const double gap = 1e9 * config->burst / config->rate;
        config->duration = (wring_duration_ns)(gap * 100);
        for (size_t i = 0; i < WRING_ARRAY_LEN(looks) * 4; i++) {
            const double tick = gap / looks[i / 4] / config->threads;
            run_at(config, 1 + (wring_duration_ns)tick,
                   1 + load_random(&random) % (wring_duration_ns)gap);
        }
    }
}

static void run_rates(load_config *config) {
    run_slow_rates(config);
    run_fast_rates(config);
}

static load_config config_of(load_mode mode, uint32_t connections, uint32_t threads) {
    load_config config;
    load_config_init(&config);
    config.mode = mode;
    config.connections = connections;
    config.threads = threads;
    config.warmup = 0;
    config.pipeline = 1024;
    return config;
}

Test(pace, an_echo_goes_out_when_it_is_due_on_one_connection) {
    load_config config = config_of(LOAD_ECHO, 1, 1);
    run_rates(&config);
}

Test(pace, an_echo_goes_out_when_it_is_due_on_many_connections) {
    load_config config = config_of(LOAD_ECHO, 24, 1);
    run_rates(&config);
}

Test(pace, an_echo_goes_out_when_it_is_due_on_several_threads) {
    load_config config = config_of(LOAD_ECHO, 7, 3);
    run_rates(&config);
}

Test(pace, a_publication_goes_out_when_it_is_due) {
    load_config config = config_of(LOAD_FANOUT, 5, 1);
    run_rates(&config);
    config.publishers = 3;
    config.burst = 4;
    run_rates(&config);
}

Test(pace, threads_without_a_publisher_have_no_part_in_the_schedule) {
    load_config config = config_of(LOAD_FANOUT, 6, 3);
    for (config.publishers = 1; config.publishers <= 4; config.publishers++) {
        run_rates(&config);
    }
}

Test(pace, what_waits_for_room_is_not_the_generators_lag) {
    load_world *world = load_world_create();
    const char *url = world->config.url;
    world->config = config_of(LOAD_ECHO, 2, 1);
    world->config.url = url;
    world->config.pipeline = 1;
    world->config.rate = 1000;
    world->config.duration = WRING_NS_PER_SEC;
    world->delay_max = 20 * WRING_NS_PER_MS; /* so that two connections cannot keep the rate */
    load_world_run(world, 1);
    const load_result *result = &world->result;
    cr_assert_gt(result->held, 100);
    cr_assert_gt(result->unsent, 100);
    cr_assert_gt(result->behind_max, 100 * WRING_NS_PER_MS);
    cr_assert(result->lag->count == result->totals.sent);
    cr_assert(result->lag->max <= LOOKS_MAX * world->tick);
    load_world_destroy(world);
}

/* Handshakes are paced by the same clock: as many as the rate says, and the thread sleeps between
 * them. */
Test(pace, connections_are_opened_at_their_rate) {
    load_world *world = load_world_create();
    const char *url = world->config.url;
    world->config = config_of(LOAD_CONNECT, 2, 1);
    world->config.url = url;
    world->config.connect_rate = 20;
    world->config.duration = 2 * WRING_NS_PER_SEC;
    load_world_run(world, 12345);
    cr_assert_geq(world->result.connections.opened, 39);
    cr_assert_leq(world->result.connections.opened, 41);
    cr_assert_lt(world->turns, 1500, "%llu", (unsigned long long)world->turns);
    load_world_destroy(world);
}

/* A place is free only when a connection has ended: until then the thread does not spin. */
Test(pace, a_rate_of_connections_that_the_server_does_not_keep_is_slept_through) {
    load_world *world = load_world_create();
    const char *url = world->config.url;
    world->config = config_of(LOAD_CONNECT, 2, 1);
    world->config.url = url;
    world->config.connect_rate = 1000;
    world->config.duration = WRING_NS_PER_SEC;
    world->is_mute = true;
    world->config.connect_timeout = 200 * WRING_NS_PER_MS;
    load_world_run(world, 1);
    cr_assert_eq(world->result.connections.opened, 0);
    cr_assert_leq(world->result.connections.failed, 20);
    cr_assert_lt(world->turns, 400, "%llu", (unsigned long long)world->turns);
    load_world_destroy(world);
}

Test(pace, a_port_where_nobody_listens_is_dialled_less_and_less) {
    load_world *world = load_world_create();
    world->config = config_of(LOAD_CONNECT, 16, 1);
    world->config.url = "ws://127.0.0.1:4243/";
    world->config.duration = 10 * WRING_NS_PER_SEC;
    load_world_run(world, 1);
    const load_result *result = &world->result;
    /* after 10, 20, 40 ... 640 ms and then once a second */
    cr_assert_eq(result->connections.failed % 16, 0);
    cr_assert_geq(result->backoffs, 15);
    cr_assert_leq(result->backoffs, 17);
    cr_assert_eq(result->connections.failed, 16 * result->backoffs);
    cr_assert_float_eq(result->backoff_s, 10, 0.1);
    load_world_destroy(world);
}
