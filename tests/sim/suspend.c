/* SPDX-License-Identifier: Apache-2.0
 *
 * Workers that do not run for up to a minute: a stopped process, a paused machine. Their peers live
 * and answer all the time, so none of them is ended for silence, and a drain that was interrupted
 * so still ends in order. A peer that is silent while the workers run is ended as ever.
 */
#include <stdlib.h>

#include "tests/sim/sim_test.h"

#define CLIENTS 12
#define DEAD    3 /* of them, from the middle of the run on */
#define DRAIN   1000

static sim_client clients[CLIENTS];
static bool dead[CLIENTS];
static unsigned open_count;
static unsigned ended_in_order;
static unsigned ended_for_silence;

static void suspend_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    ended_in_order += end->result == WRING_OK;
    ended_for_silence += end->result == WRING_ERR_TIMEOUT;
}

static const wring_handler handler = {
    .struct_size = sizeof handler, .name = "suspend", .terminate = suspend_terminate};

static void on_open(sim_client *client) {
    (void)client;
    open_count++;
}

static void on_message(sim_client *client, const wring_message *message) {
    (void)client; /* its session answers pings and closes */
    (void)message;
}

static void round_run(sim_run *run, bool suspended) {
    const uint64_t before = wring__sim_activity(run->world);
    if (!suspended) {
        sim_run_workers(run);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (!dead[i]) {
            sim_client_step(&clients[i]);
        }
    }
    if (before == wring__sim_activity(run->world)) {
        (void)wring__sim_advance(run->world);
    }
}

static void run_for(sim_run *run, uint64_t ms, bool suspended) {
    const wring_time_ns until = wring__sim_now(run->world) + ms * WRING_NS_PER_MS;
    for (unsigned round = 0; wring__sim_now(run->world) < until; round++) {
        EXPECT(round < 10000000);
        wring__sim_alarm(run->world, until);
        round_run(run, suspended);
    }
}

static bool is_over(const sim_run *run) {
    for (uint32_t i = 0; i < run->server->config.workers; i++) {
        if (!wring__server_worker_is_done(&run->server->workers[i])) {
            return false;
        }
    }
    return true;
}

static void drain_interrupted(sim_run *run) {
    wring__server_drain(run->server, DRAIN);
    run_for(run, 100, false);
    run_for(run, 60000, true);
    for (unsigned round = 0; !is_over(run); round++) {
        EXPECT(round < 1000000);
        round_run(run, false);
    }
}

static const wring_session_config timeouts = {.struct_size = sizeof timeouts,
                                              .ping_interval_ms = 1000,
                                              .pong_timeout_ms = 500,
                                              .idle_timeout_ms = 2500,
                                              .close_timeout_ms = 500};
static const wring_policy policy = {.struct_size = sizeof policy, .session = &timeouts};

void sim_suspend(uint64_t seed) {
    sim_run run;
    wring_server_config config = {.workers = 1 + (uint32_t)(seed % 2),
                                  .handler = &handler,
                                  .drain_spread_ms = WRING_OFF,
                                  .policy = &policy};
    open_count = ended_in_order = ended_for_silence = 0;
    memset(dead, 0, sizeof dead);
    sim_run_pipe_bytes = 4096; /* of one byte, answers take longer than the timeouts */
    sim_run_begin_config(&run, seed, &config);
    for (unsigned i = 0; i < CLIENTS; i++) {
        sim_client_init(&clients[i], &run);
        clients[i].on_open = on_open;
        clients[i].on_message = on_message;
    }
    for (unsigned round = 0; open_count < CLIENTS; round++) {
        EXPECT(round < 1000000);
        round_run(&run, false);
    }
    for (unsigned i = 0; i < 5; i++) {
        run_for(&run, wring__sim_random(run.world, 3000), false);
        run_for(&run, i == 0 ? 60000 : wring__sim_random(run.world, 5000), true);
    }
    run_for(&run, 5000, false);
    EXPECT(ended_for_silence == 0 && ended_in_order == 0);
    for (unsigned i = 0; i < DEAD; i++) {
        dead[i] = true;
    }
    run_for(&run, 5000, false);
    EXPECT(ended_for_silence == DEAD && ended_in_order == 0);
    drain_interrupted(&run);
    EXPECT(ended_for_silence == DEAD && ended_in_order == CLIENTS - DEAD);
    for (unsigned i = 0; i < CLIENTS; i++) {
        sim_client_cut(&clients[i], true);
    }
    sim_run_end(&run);
    sim_run_pipe_bytes = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        sim_client_deinit(&clients[i]);
    }
}
