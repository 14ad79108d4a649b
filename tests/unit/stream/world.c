/* SPDX-License-Identifier: Apache-2.0
 *
 * See world.h.
 */
#include "tests/unit/stream/world.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "client/pool.h"
#include "server/server.h"
#include "tests/sim/backend/sim.h"

#define ROUNDS 100000

static void server_make(world *w, const world_config *config) {
    const wring_server_config server = {.struct_size = sizeof server,
                                        .workers = 1,
                                        .handler = config->of_server,
                                        .handler_opts = config->server_opts,
                                        .policy = config->policy};
    wring_error error = {.text = ""};
    cr_assert_eq(wring_server_create(&server, &w->server, &error), WRING_OK, "%s", error.text);
    wring__server_set_backend(w->server, wring__sim_backend(w->sim));
    cr_assert_eq(wring_server_start(w->server, &error), WRING_OK, "%s", error.text);
}

static void client_make(world *w, const world_config *config) {
    const wring_pool_config pool = {.struct_size = sizeof pool};
    const wring_client_config client = {.struct_size = sizeof client,
                                        .handler = config->of_client,
                                        .handler_opts = config->client_opts,
                                        .deflate = config->client_deflate};
    char url[64];
    wring_error error = {.text = ""};
    cr_assert_eq(wring__pool_create_on(&pool, wring__sim_backend(w->sim), &w->pool, &error),
                 WRING_OK, "%s", error.text);
    (void)snprintf(url, sizeof url, "ws://127.0.0.1:%u/", wring_server_port(w->server));
    cr_assert_eq(wring_client_create(wring_pool_loop(w->pool), url, &client, &w->client, &error),
                 WRING_OK, "%s", error.text);
}

world world_begin(const world_config *config) {
    const wring__sim_config sim = {.seed = 1, .pipe_bytes = 4096};
    world w = {.sim = wring__sim_create(&sim)};
    server_make(&w, config);
    client_make(&w, config);
    return w;
}

/* False: nothing moved. */
static bool turns(world *w) {
    const uint64_t before = wring__sim_activity(w->sim);
    wring__server_worker *worker = &w->server->workers[0];
    if (!wring__server_worker_is_done(worker)) {
        cr_assert_eq(wring__worker_turn(&worker->io, WRING_TIME_NEVER), WRING_OK);
    }
    if (!wring__pool_is_done(w->pool)) {
        cr_assert_eq(wring__worker_turn(&w->pool->workers[0].io, WRING_TIME_NEVER), WRING_OK);
    }
    return before != wring__sim_activity(w->sim);
}

/* Everybody had a turn without anything to do, twice: mail may have been sent in the first. */
void world_rest(world *w) {
    for (int still = 0; still < 2;) {
        still = turns(w) ? 0 : still + 1;
    }
}

void world_run(world *w, bool (*done)(void)) {
    for (int round = 0; !done(); round++) {
        cr_assert(round < ROUNDS);
        world_rest(w);
        if (!done()) {
            (void)wring__sim_advance(w->sim);
        }
    }
}

static world *ending;

static bool is_over(void) {
    return wring__server_worker_is_done(&ending->server->workers[0]) &&
           wring__pool_is_done(ending->pool);
}

void world_end(world *w) {
    ending = w;
    wring_client_destroy(w->client);
    wring__pool_drain(w->pool, 1000);
    wring__server_drain(w->server, 1000);
    world_run(w, is_over);
    wring_server_stop(w->server, 0);
    wring_pool_destroy(w->pool, 0);
    wring_server_destroy(w->server);
    wring__sim_destroy(w->sim);
}
