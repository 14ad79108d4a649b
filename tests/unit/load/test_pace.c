/* SPDX-License-Identifier: Apache-2.0
 *
 * Rates, ramps and -n in virtual time: a message is sent in the turn in which it falls due, or the
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

/* From the begin to message `i`. */
static wring_duration_ns due_of(const load_config *config, size_t i) {
    const size_t place = i / config->burst;
    return config->ramp.count > 0
               ? load_ramp_due(&config->ramp, (double)(place * config->burst))
               : (wring_duration_ns)((double)place * (1e9 * config->burst / config->rate));
}

/* All of the schedule came to the peers, each message within a few looks of its time. */
static void check_arrivals(load_world *world, const char *what) {
    const load_config *config = &world->config;
    const size_t most = config->messages == 0 ? SIZE_MAX : (size_t)config->messages;
    size_t due_count = 0;
    while (due_count < most && due_of(config, due_count) < config->duration) {
        due_count++;
    }
    cr_assert_eq(world->arrival_count, due_count, "%s: %zu of %zu", what, world->arrival_count,
                 due_count);
    cr_assert_eq(world->result.unsent, 0, "%s", what);
    qsort(world->arrivals, world->arrival_count, sizeof world->arrivals[0], by_time);
    for (size_t i = 0; i < world->arrival_count; i++) {
        const wring_time_ns due = world->start + due_of(config, i);
        cr_assert(world->arrivals[i] >= due, "%s: message %zu went out too early", what, i);
        const wring_duration_ns late = world->arrivals[i] - due;
        cr_assert(late <= LOOKS_MAX * config->threads * world->tick,
                  "%s: message %zu is %.3f us late", what, i, (double)late / 1e3);
    }
}

/* With -n the measured time ends with the last answer, whichever thread wakes when. */
static void check_end(const load_world *world) {
    const load_config *config = &world->config;
    if (config->messages == 0) {
        cr_assert_float_eq(world->result.duration_s, (double)config->duration / 1e9, 1e-9);
        return;
    }
    const wring_duration_ns last = due_of(config, (size_t)config->messages - 1);
    const wring_duration_ns slack =
        world->delay_max + 4 * LOOKS_MAX * config->threads * world->tick;
    cr_assert_eq(world->result.measured.sent, config->messages);
    cr_assert_geq(world->result.duration_s * 1e9, (double)last);
    cr_assert_leq(world->result.duration_s * 1e9, (double)(last + slack));
}

static void run_at(const load_config *wanted, wring_duration_ns tick, wring_duration_ns phase) {
    load_world *world = load_world_create();
    const char *url = world->config.url;
    world->config = *wanted;
    world->config.url = url;
    world->config.interval = wring__min_u64(wanted->duration, 100 * WRING_NS_PER_SEC) / 3 + 1;
    world->tick = tick;
    world->random = phase;
    world->delay_max = (wring_duration_ns)(2e9 * wanted->burst / wanted->rate);
    if (wanted->mode == LOAD_FANOUT) {
        world->answer = load_peer_spread;
    }
    load_world_run(world, phase);
    check_arrivals(world, label(wanted, tick, phase));
    cr_assert_eq(world->result.held, 0);
    cr_assert_eq(world->result.lag->count,
                 (world->arrival_count + wanted->burst - 1) / wanted->burst);
    check_end(world);
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

/* Up from nothing, a pause at no rate, a step, and down to nothing again. */
static void run_ramps(load_config *config) {
    static const char *const ramps[] = {"1s:40,500ms:40,0s:5,2s:5", "300ms:0,0s:100,300ms:0",
                                        "2s:0.5,2s:3", "10ms:2k,10ms:2k,20ms:0"};
    for (size_t i = 0; i < WRING_ARRAY_LEN(ramps); i++) {
        cr_assert(load_ramp_parse(ramps[i], &config->ramp));
        config->rate = load_ramp_max(&config->ramp);
        config->duration = load_ramp_duration(&config->ramp);
        const wring_duration_ns gap = (wring_duration_ns)(1e9 / config->rate);
        const wring_duration_ns tick = gap / 200 / config->threads + 1;
        for (wring_duration_ns phase = 1; phase < PATROL_NS; phase += 7 * WRING_NS_PER_MS + 1) {
            run_at(config, tick, phase);
        }
    }
    config->ramp.count = 0;
}

Test(pace, a_message_of_a_ramp_goes_out_when_it_is_due) {
    load_config config = config_of(LOAD_ECHO, 1, 1);
    run_ramps(&config);
    config = config_of(LOAD_ECHO, 7, 3);
    run_ramps(&config);
    config = config_of(LOAD_FANOUT, 5, 1);
    config.publishers = 2;
    config.burst = 3;
    run_ramps(&config);
}

static void run_numbers(load_config *config) {
    static const double rates[] = {3, 100, 20000};
    static const uint64_t numbers[] = {1, 2, 7, 50};
    for (size_t i = 0; i < WRING_ARRAY_LEN(rates) * WRING_ARRAY_LEN(numbers); i++) {
        config->rate = rates[i / WRING_ARRAY_LEN(numbers)];
        config->messages = numbers[i % WRING_ARRAY_LEN(numbers)];
        config->duration = LOAD_ENDLESS;
        const double gap = 1e9 * config->burst / config->rate;
        const wring_duration_ns tick = (wring_duration_ns)(gap / 100 / config->threads) + 1;
        for (int k = 0; k < 5; k++) {
            run_at(config, tick, 1 + (wring_duration_ns)(gap * k / 5));
        }
    }
    config->messages = 0;
}

Test(pace, a_number_of_messages_goes_out_when_each_is_due_and_no_more) {
    load_config config = config_of(LOAD_ECHO, 1, 1);
    run_numbers(&config);
    config = config_of(LOAD_ECHO, 7, 3);
    run_numbers(&config);
    config = config_of(LOAD_FANOUT, 5, 1);
    config.publishers = 2;
    config.burst = 3;
    run_numbers(&config);
}

Test(pace, a_number_ends_a_ramp) {
    load_config config = config_of(LOAD_ECHO, 3, 2);
    cr_assert(load_ramp_parse("1s:40,1s:0,0s:10", &config.ramp));
    config.rate = 40;
    config.duration = LOAD_ENDLESS;
    for (config.messages = 1; config.messages < 60; config.messages += 6) {
        run_at(&config, 10000, config.messages);
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

/* A server that stands still keeps all places, and what is due meanwhile waits for one. */
Test(pace, a_handshake_counts_from_when_it_was_due_at_a_constant_rate) {
    load_world *world = load_world_create();
    const char *url = world->config.url;
    world->config = config_of(LOAD_CONNECT, 2, 1);
    world->config.url = url;
    world->config.connect_rate = 100;
    world->config.duration = WRING_NS_PER_SEC;
    world->upgrades_after = 500 * WRING_NS_PER_MS;
    load_world_run(world, 1);
    const load_result *result = &world->result;
    cr_assert_geq(result->connections.opened, 95);
    cr_assert_geq(load_histogram_percentile(result->latency, 75), 150 * WRING_NS_PER_MS);
    cr_assert_leq(load_histogram_percentile(result->connect, 75), 50 * WRING_NS_PER_MS);
    cr_assert_geq(result->behind_max, 400 * WRING_NS_PER_MS);
    cr_assert_leq(result->unsent, 2);
    load_world_destroy(world);
}

Test(pace, a_handshake_that_was_due_and_never_dialled_is_told) {
    load_world *world = load_world_create();
    const char *url = world->config.url;
    world->config = config_of(LOAD_CONNECT, 2, 1);
    world->config.url = url;
    world->config.connect_rate = 100;
    world->config.duration = WRING_NS_PER_SEC;
    world->is_mute = true;
    load_world_run(world, 1);
    cr_assert_geq(world->result.unsent, 97);
    cr_assert_leq(world->result.unsent, 98);
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

/* The dials of a ramp are in the run, each when the ramp reaches its number; the thread sleeps
 * between them. */
static void run_connect_ramp(uint32_t threads) {
    static const struct {
        const char *ramp;
        wring_duration_ns duration;
        unsigned opened;
    } cases[] = {{"1s:20,500ms:20", 1500 * WRING_NS_PER_MS, 20},
                 {"2s:1,0s:5,1s:5", 3 * WRING_NS_PER_SEC, 5},
                 {"1s:10,1s:20", 1490 * WRING_NS_PER_MS, 14}};
    for (size_t i = 0; i < WRING_ARRAY_LEN(cases); i++) {
        load_world *world = load_world_create();
        const char *url = world->config.url;
        world->config = config_of(LOAD_IDLE, 20, threads);
        world->config.url = url;
        cr_assert(load_ramp_parse(cases[i].ramp, &world->config.connect_ramp));
        world->config.connections = (uint32_t)load_ramp_max(&world->config.connect_ramp);
        world->config.duration = cases[i].duration;
        load_world_run(world, 12345);
        cr_assert_eq(world->result.connections.opened, cases[i].opened, "%s: %llu", cases[i].ramp,
                     (unsigned long long)world->result.connections.opened);
        cr_assert_eq(world->upgrade_count, cases[i].opened);
        for (unsigned k = 0; k < cases[i].opened; k++) {
            const wring_time_ns due =
                world->start + load_ramp_reach(&world->config.connect_ramp, k + 1);
            cr_assert(world->upgrades[k] >= due, "%s: connection %u came early", cases[i].ramp, k);
            cr_assert(world->upgrades[k] - due <= 40 * threads * world->tick,
                      "%s: connection %u is %.3f us late", cases[i].ramp, k,
                      (double)(world->upgrades[k] - due) / 1e3);
        }
        cr_assert_lt(world->turns, 1000 * threads, "%llu", (unsigned long long)world->turns);
        load_world_destroy(world);
    }
}

Test(pace, connections_of_a_ramp_are_opened_when_they_are_due) {
    run_connect_ramp(1);
    run_connect_ramp(3);
}

/* Handshakes by number, at a rate: the first one at once, and no more than are asked for. */
Test(pace, a_number_of_handshakes_at_a_rate) {
    for (uint64_t number = 1; number <= 9; number += 4) {
        load_world *world = load_world_create();
        const char *url = world->config.url;
        world->config = config_of(LOAD_CONNECT, 4, 2);
        world->config.url = url;
        world->config.connect_rate = 2;
        world->config.messages = number;
        world->config.duration = LOAD_ENDLESS;
        world->config.interval = 100 * WRING_NS_PER_SEC;
        load_world_run(world, WRING_NS_PER_MS);
        cr_assert_eq(world->result.connections.opened, number);
        cr_assert_eq(world->result.measured.received, number);
        cr_assert_lt(world->upgrades[0] - world->start, 100 * WRING_NS_PER_MS);
        cr_assert_lt(world->result.duration_s, (double)number / 2 + 1);
        load_world_destroy(world);
    }
}

Test(pace, a_dead_port_ends_a_number_of_handshakes) {
    load_world *world = load_world_create();
    world->config = config_of(LOAD_CONNECT, 16, 1);
    world->config.url = "ws://127.0.0.1:4243/";
    world->config.messages = 100;
    world->config.duration = LOAD_ENDLESS;
    world->config.interval = 100 * WRING_NS_PER_SEC;
    load_world_run(world, 1);
    cr_assert_eq(world->result.connections.failed, 100);
    cr_assert_eq(world->result.backoffs, 6); /* 10, 20 ... 320 ms, for 96 of them */
    cr_assert_float_eq(world->result.backoff_s, 0.63, 0.01);
    load_world_destroy(world);
}
