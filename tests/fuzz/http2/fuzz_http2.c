/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/2: a whole server over the simulated backend, with one peer whose every frame the input
 * chooses, and a neighbour that behaves. The input is the world's seed, the limits, what the
 * applications do in each callback (exchanges.h, app.h), and what the peer does: requests,
 * WebSockets, frames legal and not, such with a byte changed, raw bytes; windows, resets, floods,
 * silence, ends. Checked meanwhile (tests/h2/judge.h): each frame of the server's is legal, and
 * within the windows it has. Checked afterwards (verdict.c): what handlers got and what they said
 * is what streams had; each callback came as often as promised; the neighbour has its echoes; and
 * nothing is left: sockets, operations, buffers, memory that counts.
 *
 *     flags | seed | limits | limits | length and script of exchanges | ... of sessions | peer
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/http2/scene.h"

#define ROUNDS_MAX 400000
#define QUIET_NS   (1500 * WRING_NS_PER_MS) /* a failed accept is tried again within that */
#define DRAIN_MS   50
#define FAR_MS     9000

/* What the peer does: below SAYS_MAX it sends so many bytes of the input, plus one; up to WAITS_MAX
 * it waits so many rounds, and from WAITS_LONG on for the next thing that is due as well. Then come
 * the frames of script.c, and these. */
enum { SAYS_MAX = 0x60, WAITS = 0x60, WAITS_LONG = 0x70, WAITS_MAX = 0x80 };
enum act {
    ACT_MAIL = 0xA0,
    ACT_PUSH,
    ACT_SHUTDOWN,
    ACT_CLOSE,
    ACT_BREAK,
    ACT_STOP_READING,
    ACT_READ_ON,
    ACT_DRAIN
};

/* ---- the server ------------------------------------------------------------------------------ */

static const char *const subprotocols[] = {"chat"};

#define ROUTES 10

static size_t routes_make(struct scene *scene, const wring_policy *policy, wring_route *routes) {
    const wring_handler *session = &scene->handler;
    const uint32_t size = sizeof(wring_route);
    const wring_route all[ROUTES] = {
        {size, .path = "/c", .methods = "*", .http = &exchanges_collect, .policy = policy},
        {size, .path = "/s", .methods = "*", .http = &exchanges_stream, .policy = policy},
        {size, .path = "/r", .methods = "GET, POST", .http = &exchanges_collect,
         .body_bytes_max = 50},
        {size, .path = "/t", .methods = "POST", .http = &exchanges_stream, .body_bytes_max = 50},
        {size, .path = "/p/{name}", .methods = "PUT, OPTIONS", .http = &exchanges_collect},
        {size, .path = "/u", .methods = "POST, GET", .http = &exchanges_collect,
         .upgrade = &exchanges_hook, .handler = session},
        {size, .path = "/v", .upgrade = &exchanges_hook, .handler = session,
         .subprotocols = subprotocols, .subprotocol_count = 1},
        {size, .path = "/w*", .handler = session},
        {size, .path = "/e", .handler = &neighbour_session},
        {size, .path = "/n", .http = &neighbour_page},
    };
    for (size_t i = 0; i < ROUTES; i++) {
        routes[i] = all[i];
        routes[i].opts = scene->app;
    }
    return ROUTES;
}

static void limits_make(wring_server_config *config, const struct scene *scene, uint8_t limits,
                        uint8_t more) {
    static const uint32_t buffers[] = {1, 2, 4, 64};
    static const uint32_t sizes[] = {64, 100, 2048, 700};
    const uint32_t far = FAR_MS;
    const bool timeouts = (scene->flags & FLAG_TIMEOUTS) != 0;
    config->receive_buffers = buffers[limits & 3];
    config->receive_buffer_bytes = sizes[limits >> 2 & 3];
    config->handshake_bytes_max = (limits & 16) != 0 ? 300 : 65536;
    config->target_bytes_max = (limits & 16) != 0 ? 20 : 8192;
    config->pause_bytes = (limits & 32) != 0 ? 300 : 0;
    config->body_bytes_max = (limits & 64) != 0 ? 100 : 20000;
    config->handshake_timeout_ms = timeouts ? 500 : far;
    config->keep_alive_timeout_ms = (more & 4) != 0 ? WRING_OFF : timeouts ? 300 : far;
    config->body_timeout_ms = timeouts ? 200 : far;
    config->answer_timeout_ms = timeouts ? 400 : far;
    config->connections_max = (scene->flags & FLAG_TIGHT) != 0 ? 7 : 1000;
}

static void http2_make(struct scene *scene, uint8_t limits, uint8_t more) {
    static const uint32_t windows[] = {65535, 64, 1000, 300000};
    const bool is_tight = (scene->flags & FLAG_TIGHT) != 0;
    const wring_http2_config http2 = {.struct_size = sizeof http2,
                                      .cleartext = true,
                                      .window_bytes = windows[more & 3],
                                      .connection_window_bytes = (limits & 128) != 0 ? 65535 : 0,
                                      .requests_max = is_tight ? 2 : 0,
                                      .sessions_max = is_tight ? 2 : 0,
                                      .resets_per_second =
                                          is_tight ? 1 : WRING_UNLIMITED /* time stands still */,
                                      .resets_burst = is_tight ? 6 : 0,
                                      .controls_per_second = is_tight ? 1 : WRING_UNLIMITED,
                                      .controls_burst = is_tight ? 12 : 0};
    scene->http2.struct_size = sizeof scene->http2;
    FUZZ_CHECK(wring_http2_config_adopt(&http2, &scene->http2, NULL) == WRING_OK);
}

static void server_begin(struct scene *scene, uint8_t limits, uint8_t more) {
    static const uint64_t softs[] = {0, 64, 500, 5000};
    wring_route routes[ROUTES];
    scene->handler = sessions_handler();
    scene->session =
        (wring_session_config){.struct_size = sizeof scene->session, .message_bytes_max = 3000};
    const wring_policy policy = {.struct_size = sizeof policy,
                                 .session = &scene->session,
                                 .controls_per_second = WRING_UNLIMITED};
    wring_policy small = policy;
    small.send_soft_bytes = softs[more >> 4 & 3];
    small.send_hard_bytes = 2 * small.send_soft_bytes;
    http2_make(scene, limits, more);
    wring_server_config config = {.struct_size = sizeof config,
                                  .workers = 1,
                                  .routes = routes,
                                  .route_count = routes_make(scene, &small, routes),
                                  .mailbox_items = 8192,
                                  .policy = &policy,
                                  .http2 = &scene->http2};
    limits_make(&config, scene, limits, more);
    wring_error error;
    FUZZ_CHECK(wring_server_create(&config, &scene->server, &error) == WRING_OK);
    wring__server_set_backend(scene->server, wring__sim_backend(scene->world));
    FUZZ_CHECK(wring_server_start(scene->server, &error) == WRING_OK);
    scene->app->session.server = scene->server;
}

static wring__server_worker *worker_of(const struct scene *scene) {
    return &scene->server->workers[0];
}

static void turn(const struct scene *scene) {
    if (!wring__server_worker_is_done(worker_of(scene))) {
        FUZZ_CHECK(wring__worker_turn(&worker_of(scene)->io, WRING_TIME_NEVER) == WRING_OK);
    }
}

/* Before the shortest timeout could have passed nothing is late. */
static bool advance(struct scene *scene) {
    const uint64_t shortest_ms = (scene->flags & FLAG_TIMEOUTS) != 0 ? 200 : FAR_MS;
    const bool moved = wring__sim_advance(scene->world);
    scene->late = wring__sim_now(scene->world) - scene->began >= shortest_ms * WRING_NS_PER_MS;
    return moved;
}

static void drain(struct scene *scene, uint32_t ms) {
    if (!scene->draining) {
        scene->draining = scene->peer.cut = true;
        wring__server_drain(scene->server, ms);
    }
}

static void server_end(struct scene *scene) {
    drain(scene, 1000);
    for (int round = 0; !wring__server_worker_is_done(worker_of(scene)); round++) {
        FUZZ_CHECK(round < ROUNDS_MAX);
        const uint64_t before = wring__sim_activity(scene->world);
        turn(scene);
        if (before == wring__sim_activity(scene->world)) {
            FUZZ_CHECK(wring__sim_advance(scene->world));
        }
    }
    const wring__worker *io = &worker_of(scene)->io;
    FUZZ_CHECK(io->conn_count == 0 && io->chunks.held == 0);
    FUZZ_CHECK(worker_of(scene)->topics.topic_count == 0);
    FUZZ_CHECK(worker_of(scene)->http2.connections == worker_of(scene)->http2.closed);
    wring_server_stop(scene->server, 0);
    wring_server_destroy(scene->server);
    const wring__sim_leftovers left = wring__sim_leftover(scene->world);
    FUZZ_CHECK(left.sockets == 0 && left.operations == 0 && left.buffers == 0);
    wring__sim_destroy(scene->world);
}

/* ---- the run --------------------------------------------------------------------------------- */

/* A turn of everybody; false when nothing moved. */
static bool round_run(struct scene *scene) {
    const uint64_t before = wring__sim_activity(scene->world);
    peer_send(scene, &scene->peer);
    peer_send(scene, &scene->neighbour.peer);
    turn(scene);
    peer_receive(scene, &scene->peer);
    peer_receive(scene, &scene->neighbour.peer);
    const bool acted = neighbour_act(scene);
    return acted || before != wring__sim_activity(scene->world);
}

static void peer_waits(struct scene *scene, uint8_t op) {
    for (int i = WAITS; i <= op; i++) {
        if (!round_run(scene) && (op >= WAITS_LONG || (scene->flags & FLAG_FAULTS) != 0)) {
            (void)advance(scene);
        }
    }
}

static void peer_does(struct scene *scene, wring_bytes *in, enum act act) {
    switch (act) {
    case ACT_MAIL:
        exchanges_mail(scene->app, in);
        break;
    case ACT_PUSH:
        if (scene->session_count > 0) {
            fuzz_app_push(&scene->sessions[fuzz_u8(in) % scene->session_count]->app, in);
        }
        break;
    case ACT_SHUTDOWN:
        peer_shutdown(scene, &scene->peer);
        break;
    case ACT_CLOSE:
    case ACT_BREAK:
        peer_close(scene, &scene->peer, act == ACT_BREAK);
        break;
    case ACT_STOP_READING:
    case ACT_READ_ON:
        scene->peer.reads = act == ACT_READ_ON;
        break;
    case ACT_DRAIN:
        drain(scene, DRAIN_MS);
        break;
    }
}

static void peer_acts(struct scene *scene, wring_bytes *in) {
    const uint8_t op = fuzz_u8(in);
    if (op < SAYS_MAX) {
        const wring_bytes raw = fuzz_take(in, op + 1u);
        h2_buffer_add(&scene->peer.unsent, raw.data, raw.len);
    } else if (op < WAITS_MAX) {
        peer_waits(scene, op);
    } else if (!script_says(scene, in, op)) {
        peer_does(scene, in, (enum act)op);
    }
    if ((scene->flags & FLAG_HOLD) == 0) {
        (void)round_run(scene);
    }
}

/* Runs until nothing moves for a while. */
static void quiet_wait(struct scene *scene) {
    const wring_time_ns until = wring__sim_now(scene->world) + QUIET_NS;
    for (int round = 0; wring__sim_now(scene->world) < until; round++) {
        FUZZ_CHECK(round < ROUNDS_MAX);
        if (!round_run(scene)) {
            wring__sim_alarm(scene->world, until);
            (void)advance(scene);
        }
    }
}

static bool is_undisturbed(const struct scene *scene) {
    const fuzz_peer *peer = &scene->peer;
    return peer->is_judged && !peer->cut && !peer->gone && !peer->shut && !peer->end &&
           !peer->judge.is_lost && peer->judge.goaways == 0 && peer->unsent.len == 0 &&
           peer->judge.peer_said.len == 0 && !scene->late && !scene->draining;
}

static void peer_wait_end(struct scene *scene, fuzz_peer *peer) {
    for (int round = 0; !peer->end && !peer->gone; round++) {
        FUZZ_CHECK(round < ROUNDS_MAX);
        if (wring__server_worker_is_done(worker_of(scene))) {
            peer->cut = true;
            break;
        }
        if (!round_run(scene) && !peer->end && !advance(scene)) {
            FUZZ_CHECK(peer->is_http1);
            peer_close(scene, peer, true);
        }
    }
    peer_close(scene, peer, false);
}

static void peers_finish(struct scene *scene) {
    fuzz_neighbour *beside = &scene->neighbour;
    scene->peer.reads = true;
    quiet_wait(scene);
    if ((scene->flags & FLAG_STINGY) == 0) {
        script_gives(scene);
    }
    quiet_wait(scene);
    if (is_undisturbed(scene) && (scene->flags & FLAG_STINGY) == 0) {
        verdict_quiet(scene);
    }
    if (!scene->draining && !scene->late && (scene->flags & FLAG_TIGHT) == 0) {
        FUZZ_CHECK(beside->is_done && !beside->peer.end);
    }
    peer_shutdown(scene, &scene->peer);
    peer_wait_end(scene, &scene->peer);
    neighbour_end(scene);
    quiet_wait(scene);
    peer_shutdown(scene, &beside->peer);
    peer_wait_end(scene, &beside->peer);
}

/* ---- the target ------------------------------------------------------------------------------ */

static void scene_free(struct scene *scene) {
    exchanges_free(scene->app);
    free(scene->app);
    for (size_t i = 0; i < scene->session_count; i++) {
        fuzz_app_free(&scene->sessions[i]->app);
        free(scene->sessions[i]);
    }
    peer_free(&scene->peer);
    peer_free(&scene->neighbour.peer);
    free(scene);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const uint32_t pipes[] = {65536, 64, 1000, 125};
    wring_bytes in = {data, len};
    struct scene *scene = scene_now = calloc(1, sizeof *scene);
    FUZZ_CHECK(scene != NULL);
    scene->flags = fuzz_u8(&in);
    scene->seed = fuzz_u8(&in);
    const uint8_t limits = fuzz_u8(&in);
    const uint8_t more = fuzz_u8(&in);
    const wring__sim_config world = {.seed = scene->seed,
                                     .faults = (scene->flags & FLAG_FAULTS) != 0,
                                     .pipe_bytes = pipes[scene->seed & 3]};
    scene->world = wring__sim_create(&world);
    scene->began = wring__sim_now(scene->world);
    scene->app = calloc(1, sizeof *scene->app);
    FUZZ_CHECK(scene->app != NULL);
    scene->app->budget = 100000;
    scene->app->tag_of = tag_of_exchange;
    scene->app->script = fuzz_take(&in, fuzz_u8(&in));
    scene->session_script = fuzz_take(&in, fuzz_u8(&in));
    server_begin(scene, limits, more);
    neighbour_begin(scene);
    peer_init(scene, &scene->peer);
    script_begins(scene);
    while (in.len > 0) {
        peer_acts(scene, &in);
    }
    peers_finish(scene);
    server_end(scene);
    exchanges_check(scene->app);
    h2_judge_peer_ends(&scene->peer.judge);
    verdict_check(scene);
    scene_free(scene);
    return 0;
}
