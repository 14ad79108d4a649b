/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's side of a scenario.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim_test.h"

uint64_t sim_seed;
const wring_tls_server_config *sim_run_tls;
const wring_http2_config *sim_run_http2;
wring__h2_counters sim_run_http2_counters;
bool sim_run_calm;
bool sim_run_has_room;
uint32_t sim_run_pipe_bytes;
const wring_deflate_config *sim_deflate;

void sim_fail(const char *what, const char *file, int line) {
    fprintf(stderr, "FAILED seed=%llu %s:%d: %s\n", (unsigned long long)sim_seed, file, line, what);
    abort();
}

void sim_run_begin(sim_run *run, uint64_t seed, const wring_handler *handler, void *opts,
                   uint32_t workers) {
    sim_run_begin_mailbox(run, seed, handler, opts, workers, 4096);
}

void sim_run_begin_mailbox(sim_run *run, uint64_t seed, const wring_handler *handler, void *opts,
                           uint32_t workers, uint32_t mailbox_items) {
    wring_server_config config = {
        .workers = workers,
        .handler = handler,
        .handler_opts = opts,
        .mailbox_items = mailbox_items,
    };
    sim_run_begin_config(run, seed, &config);
}

/* What the scenario set, and what all servers have here. */
static wring_policy policy_make(const wring_policy *given) {
    wring_policy policy = {.struct_size = sizeof policy};
    policy = given == NULL ? policy : *given;
    policy.deflate = sim_deflate;
    policy.controls_per_second = WRING_UNLIMITED;
    return policy;
}

static void server_create(sim_run *run, const wring_server_config *config) {
    const wring_policy policy = policy_make(config->policy);
    wring_server_config whole = *config;
    wring_error error;
    whole.policy = &policy;
    EXPECT(wring_server_create(&whole, &run->server, &error) == WRING_OK);
}

void sim_run_begin_config(sim_run *run, uint64_t seed, wring_server_config *config) {
    wring__sim_config world = {.seed = seed,
                               .pipe_bytes = sim_run_pipe_bytes,
                               .faults = seed != 0 && !sim_run_calm}; /* seed 0: fair weather */
    static const uint32_t buffer_counts[] = {1, 2, 4, 64};
    static const uint32_t buffer_sizes[] = {64, 100, 2048, 8192};
    run->world = wring__sim_create(&world);
    config->struct_size = sizeof *config;
    config->receive_buffers = buffer_counts[wring__sim_random(run->world, 4)];
    config->receive_buffer_bytes = buffer_sizes[wring__sim_random(run->world, 4)];
    if (sim_run_has_room) {
        config->receive_buffers = 64;
        config->receive_buffer_bytes = 8192;
    }
    config->pause_bytes = wring__sim_random(run->world, 2) == 0 ? 300 : 0;
    run->client_tls = NULL;
    /* the world's clock may stand still for long stretches of one-byte pipes */
    if (config->handshake_timeout_ms == 0) {
        config->handshake_timeout_ms = WRING_OFF;
    }
    config->tls = sim_run_tls;
    config->http2 = sim_run_http2;
    server_create(run, config);
    wring__server_set_backend(run->server, wring__sim_backend(run->world));
    EXPECT(wring_server_start(run->server, NULL) == WRING_OK);
    run->port = wring_server_port(run->server);
}

void sim_run_workers(sim_run *run) {
    uint32_t count = run->server->config.workers;
    uint32_t start = (uint32_t)wring__sim_random(run->world, count);
    for (uint32_t i = 0; i < count; i++) {
        wring__server_worker *worker = &run->server->workers[(start + i) % count];
        if (!wring__server_worker_is_done(worker)) {
            EXPECT(wring__worker_turn(&worker->io, WRING_TIME_NEVER) == WRING_OK);
            EXPECT(wring__recv_lent(&worker->io.recv) > 0); /* it can always receive */
            EXPECT(worker->io.recv.kept_count <= worker->io.recv.kept_max);
        }
    }
}

static bool server_is_done(const sim_run *run) {
    for (uint32_t i = 0; i < run->server->config.workers; i++) {
        if (!wring__server_worker_is_done(&run->server->workers[i])) {
            return false;
        }
    }
    return true;
}

/* All of its fields are counts. */
static void http2_count(const wring__h2_counters *of_worker) {
    const uint64_t *from = (const uint64_t *)(const void *)of_worker;
    uint64_t *to = (uint64_t *)(void *)&sim_run_http2_counters;
    EXPECT(of_worker->connections == of_worker->closed);
    for (size_t i = 0; i < sizeof *of_worker / sizeof *to; i++) {
        to[i] += from[i];
    }
}

void sim_run_end(sim_run *run) {
    wring__server_drain(run->server, 1000);
    for (int round = 0; !server_is_done(run); round++) {
        EXPECT(round < 1000000);
        uint64_t before = wring__sim_activity(run->world);
        sim_run_workers(run);
        if (before == wring__sim_activity(run->world)) {
            EXPECT(wring__sim_advance(run->world));
        }
    }
    for (uint32_t i = 0; i < run->server->config.workers; i++) {
        EXPECT(run->server->workers[i].io.conn_count == 0);
        EXPECT(run->server->workers[i].topics.topic_count == 0);
        EXPECT(run->server->workers[i].io.chunks.held == 0); /* every byte was given back */
        http2_count(&run->server->workers[i].http2);
    }
    wring_server_stop(run->server, 0);
    wring_server_destroy(run->server);
    wring__sim_leftovers left = wring__sim_leftover(run->world);
    EXPECT(left.sockets == 0);
    EXPECT(left.operations == 0);
    EXPECT(left.buffers == 0);
    wring__sim_destroy(run->world);
}
