/* SPDX-License-Identifier: Apache-2.0
 *
 * The world of the client's scenarios. See client_test.h.
 */
#include "tests/sim/client_test.h"

#include <openssl/rand.h>

#include "tests/sim/backend/sim_world.h"
#include "tests/certs/certs.h"

/* ---- the server ------------------------------------------------------------------------------ */

/* Echoes; some sessions it ends by itself, in one way or the other. */
struct echo_state {
    client_world *world;
    unsigned left; /* messages until it ends the session; 0: never */
};

static unsigned live; /* sessions of the server */

static wring_verdict echo_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    struct echo_state *state = wring_session_user(session);
    state->world = opts;
    state->left = client_random(state->world, 4) == 0 ? 1 + (unsigned)client_random(opts, 8) : 0;
    live++;
    return WRING_CONTINUE;
}

static wring_verdict echo_in(wring_session *session, const wring_message *message) {
    struct echo_state *state = wring_session_user(session);
    if (message->opcode != WRING_TEXT && message->opcode != WRING_BINARY) {
        return WRING_CONTINUE;
    }
    wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
    wring_result result = wring_session_send(session, &frame);
    EXPECT(result == WRING_OK || result == WRING_ERR_CLOSED);
    if (state->left > 0 && --state->left == 0) {
        if (client_random(state->world, 2) == 0) {
            return WRING_STOP;
        }
        wring_session_close(session, 4001, wring_str("enough"));
    }
    return WRING_CONTINUE;
}

static void echo_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    (void)end;
    live--;
}

static const wring_handler echo = {.struct_size = sizeof echo,
                                   .name = "echo",
                                   .state_size = sizeof(struct echo_state),
                                   .init = echo_init,
                                   .handle_in = echo_in,
                                   .terminate = echo_terminate};

/* ---- begin, round, end ----------------------------------------------------------------------- */

uint64_t client_random(client_world *world, uint64_t bound) {
    return wring__sim_random(world->run.world, bound);
}

wring__h2_counters client_world_http2;

/* The server's. Every few seeds one of its ways to disappoint. */
static wring_http2_config http2_plan(client_world *world, uint64_t seed, bool tls) {
    wring_http2_config http2 = {.struct_size = sizeof http2, .cleartext = true};
    http2.window_bytes = seed % 3 == 0 ? 100 : 0;
    http2.resets_per_second = WRING_UNLIMITED;
    http2.controls_per_second = WRING_UNLIMITED;
    world->refuses = seed % 4 == 1;
    world->falls_back = tls && seed % 8 == 2;
    http2.sessions_max = world->refuses ? 1 + (uint32_t)(seed / 4 % 3) : 0;
    http2.no_websockets = world->falls_back;
    return http2;
}

static void world_begin(client_world *world, uint64_t seed, bool tls) {
    wring_tls_server_config server_tls;
    wring_http2_config http2;
    wring_error error;
    live = 0;
    if (tls) {
        server_tls = sim_tls_server();
    }
    sim_tls_random_begin(seed);
    if (world->shares) {
        http2 = http2_plan(world, seed, tls);
        sim_run_http2 = world->server_http2 != NULL ? world->server_http2 : &http2;
        sim_run_http2 = world->server_has_none ? NULL : sim_run_http2;
    }
    sim_run_tls = tls ? &server_tls : NULL;
    sim_run_begin(&world->run, seed, &echo, world, 2);
    sim_run_tls = NULL;
    sim_run_http2 = NULL;
    world->cuts = !world->calm && client_random(world, 2) == 0;
    static const uint32_t buffer_sizes[] = {64, 1000, 4096};
    const wring_pool_config config = {
        .struct_size = sizeof config,
        .receive_buffers = 1u << client_random(world, 5),
        .receive_buffer_bytes = buffer_sizes[client_random(world, 3)],
        .mailbox_items = 256,
        .pause_bytes = client_random(world, 2) == 0 ? 500 : 0,
    };
    world->slow = config.pause_bytes != 0 || world->run.world->fault_on[WRING__SIM_DELAY];
    EXPECT(wring__pool_create_on(&config, wring__sim_backend(world->run.world), &world->pool,
                                 &error) == WRING_OK);
}

void client_world_begin(client_world *world, uint64_t seed, bool tls) {
    *world = (client_world){.calm = seed == 0};
    world_begin(world, seed, tls);
}

void client_world_begin_http2(client_world *world, uint64_t seed, bool tls) {
    *world = (client_world){.calm = seed == 0, .shares = true};
    world_begin(world, seed, tls);
}

void client_world_begin_http2_calm(client_world *world, uint64_t seed,
                                   const wring_http2_config *server, bool tls) {
    *world = (client_world){
        .calm = true, .shares = true, .server_http2 = server, .server_has_none = server == NULL};
    sim_run_calm = true;
    world_begin(world, seed, tls);
    sim_run_calm = false;
}

void client_world_begin_calm(client_world *world, uint64_t seed) {
    *world = (client_world){.calm = true};
    sim_run_calm = true;
    world_begin(world, seed, false);
    sim_run_calm = false;
}

void client_world_workers(client_world *world) {
    wring__worker *worker = &world->pool->workers[0].io;
    const bool first = client_random(world, 2) == 0;
    if (first && !wring__pool_is_done(world->pool)) {
        EXPECT(wring__worker_turn(worker, WRING_TIME_NEVER) == WRING_OK);
    }
    if (!world->is_frozen) {
        sim_run_workers(&world->run);
    }
    if (!first && !wring__pool_is_done(world->pool)) {
        EXPECT(wring__worker_turn(worker, WRING_TIME_NEVER) == WRING_OK);
    }
}

void client_world_advance(client_world *world, uint64_t before) {
    const bool moved = before != wring__sim_activity(world->run.world);
    if (moved || !world->still) { /* a worker tells of a new timer in its next turn */
        world->still = !moved;
        return;
    }
    world->still = false;
    if (wring__sim_advance(world->run.world)) {
        world->idle_rounds = 0;
        return;
    }
    EXPECT(++world->idle_rounds < 1000); /* the scenario is not in the mood, but not for ever */
}

/* All of its fields are counts. */
static void http2_count(const wring__h2_counters *of_worker) {
    const uint64_t *from = (const uint64_t *)(const void *)of_worker;
    uint64_t *to = (uint64_t *)(void *)&client_world_http2;
    EXPECT(of_worker == NULL || of_worker->connections == of_worker->closed);
    for (size_t i = 0; of_worker != NULL && i < sizeof *of_worker / sizeof *to; i++) {
        to[i] += from[i];
    }
}

void client_world_end(client_world *world) {
    wring__pool_drain(world->pool, 1000);
    for (int round = 0; !wring__pool_is_done(world->pool); round++) {
        EXPECT(round < 1000000);
        const uint64_t before = wring__sim_activity(world->run.world);
        client_world_workers(world);
        client_world_advance(world, before);
    }
    EXPECT(world->pool->workers[0].io.conn_count == 0);
    wring__worker *io = &world->pool->workers[0].io;
    wring__wheel_cancel(&io->task_wheel,
                        &io->owner_timer); /* the drain's, which did not come to it */
    EXPECT(wring__wheel_next(&io->task_wheel) == WRING_TIME_NEVER);
    http2_count(wring__trunk_counters(io));
    EXPECT(io->chunks.held == 0);
    wring_pool_destroy(world->pool, 0);
    sim_run_end(&world->run);
    EXPECT(live == 0);
    sim_tls_random_end();
}
