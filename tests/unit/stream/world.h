/* SPDX-License-Identifier: Apache-2.0
 *
 * A server and one client of it in a simulated world, for what a session is told and sent. One
 * thread; the test says when everybody has their turns.
 */
#ifndef WRING_TESTS_UNIT_STREAM_WORLD_H
#define WRING_TESTS_UNIT_STREAM_WORLD_H

#include "wring/wring.h"

typedef struct world {
    struct wring__sim *sim;
    wring_server *server;
    wring_pool *pool;
    wring_client *client;
} world;

/** What a test has of its own; everything else is filled in. NULL: nothing. */
typedef struct world_config {
    const wring_handler *of_server; /**< needed */
    void *server_opts;
    const wring_policy *policy;
    const wring_handler *of_client; /**< needed */
    void *client_opts;
    const wring_deflate_config *client_deflate;
} world_config;

/** Starts both. The client is not open yet. */
world world_begin(const world_config *config);

/** Turns of everybody until `done` says so: it is a failure if that takes too long. */
void world_run(world *w, bool (*done)(void));

/** Turns until nothing moves any more at this moment. */
void world_rest(world *w);

/** Stops both; every session ends. */
void world_end(world *w);

#endif
