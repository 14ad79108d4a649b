/* SPDX-License-Identifier: Apache-2.0
 *
 * Clients of HTTP/2: a pool over the simulated backend whose clients share connections, with a
 * server whose every frame the input chooses. The input is the world's seed, the settings, what the
 * application does in each callback (app.h), and what the server does: answers of all kinds, frames
 * of WebSockets, frames of HTTP/2 legal and not, raw bytes; windows, resets, GOAWAY, ends. Checked
 * meanwhile (tests/h2/judge.h): each frame of the clients' is legal and within its windows. Checked
 * afterwards: what sessions got and sent is what their streams had; each callback came as often as
 * promised, CLOSED once for each client; and nothing is left.
 *
 *     flags | seed | settings | length and script of sessions | what the server does
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"
#include "client/pool.h"
#include "tests/fuzz/http2_client/scene.h"

#define ROUNDS_MAX 400000
#define QUIET_NS   (300 * WRING_NS_PER_MS)
#define PORT       4444

/* ---- clients --------------------------------------------------------------------------------- */

static void on_status(wring_client *client, const wring_client_report *report, void *opts) {
    user *mine = opts;
    (void)client;
    FUZZ_CHECK(mine->closes == 0);
    FUZZ_CHECK((report->ref != WRING_REF_NONE) == (report->status == WRING_CLIENT_OPEN));
    mine->opens += report->status == WRING_CLIENT_OPEN;
    mine->closes += report->status == WRING_CLIENT_CLOSED;
    FUZZ_CHECK(report->status != WRING_CLIENT_CLOSED || mine->app.inits == mine->app.terminates);
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    user *mine = opts;
    const wring__stream *stream = wring__stream_of(session);
    FUZZ_CHECK(mine->app.inits == 0 && mine->opens == 1 && stream->end.kind == WRING__END_MUX);
    mine->stream = (uint32_t)stream->mux.id;
    return fuzz_app_handler.init(session, request, &mine->app);
}

static wring_handler handler_make(void) {
    wring_handler handler = fuzz_app_handler;
    handler.init = on_init;
    return handler;
}

static void user_make(struct scene *scene) {
    char url[64];
    wring_error error;
    if (scene->user_count == USERS_MAX) {
        return;
    }
    user *mine = &scene->users[scene->user_count];
    mine->app.is_one_of_many = true;
    mine->app.budget = 3000;
    mine->app.script = fuzz_take(&scene->script, SCRIPT_EACH);
    (void)snprintf(url, sizeof url, "ws://127.0.0.1:%d/%zu", PORT, scene->user_count++);
    const wring_client_config config = {.struct_size = sizeof config,
                                        .handler = &scene->handler,
                                        .handler_opts = mine,
                                        .session = &scene->session,
                                        .connect_timeout_ms = 2000,
                                        .handshake_bytes_max = 2000,
                                        .on_status = on_status,
                                        .on_status_opts = mine,
                                        .http2 = &scene->http2};
    FUZZ_CHECK(wring_client_create(wring_pool_loop(scene->pool), url, &config, &mine->client,
                                   &error) == WRING_OK);
    mine->client->random = scene->user_count;
}

static void user_act(struct scene *scene, wring_bytes *in, uint8_t op) {
    user *mine = &scene->users[fuzz_u8(in) % scene->user_count];
    if (op == ACT_USER_CLOSES && mine->client != NULL) {
        wring_client_close(mine->client, fuzz_u16(in), wring_str("bye"));
    } else if (op == ACT_USER_GIVES_UP && mine->client != NULL) {
        wring_client_destroy(mine->client);
        mine->client = NULL;
    } else if (op == ACT_PUSH && mine->app.inits == 1) {
        fuzz_app_push(&mine->app, in);
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

static wring__worker *worker_of(const struct scene *scene) {
    return &scene->pool->workers[0].io;
}

static bool round_run(struct scene *scene) {
    const uint64_t before = wring__sim_activity(scene->world);
    bool acted = servers_accept(scene);
    if (!wring__pool_is_done(scene->pool)) {
        FUZZ_CHECK(wring__worker_turn(worker_of(scene), WRING_TIME_NEVER) == WRING_OK);
    }
    for (size_t i = 0; i < scene->server_count; i++) {
        acted |= server_step(scene, &scene->servers[i]);
    }
    return acted || before != wring__sim_activity(scene->world);
}

static void waits(struct scene *scene, uint8_t op) {
    for (int i = WAITS; i <= op; i++) {
        if (!round_run(scene) && (op >= WAITS_LONG || (scene->flags & FLAG_FAULTS) != 0)) {
            (void)wring__sim_advance(scene->world);
        }
    }
}

static void quiet_wait(struct scene *scene) {
    const wring_time_ns until = wring__sim_now(scene->world) + QUIET_NS;
    for (int round = 0; wring__sim_now(scene->world) < until; round++) {
        FUZZ_CHECK(round < ROUNDS_MAX);
        if (!round_run(scene)) {
            wring__sim_alarm(scene->world, until);
            (void)wring__sim_advance(scene->world);
        }
    }
}

static void act(struct scene *scene, wring_bytes *in) {
    const uint8_t op = fuzz_u8(in);
    if (op < SAYS_MAX) {
        server_says(scene, fuzz_take(in, op + 1u));
    } else if (op < WAITS_MAX) {
        waits(scene, op);
    } else if (op == ACT_USER) {
        user_make(scene);
    } else if (op == ACT_USER_CLOSES || op == ACT_USER_GIVES_UP || op == ACT_PUSH) {
        user_act(scene, in, op);
    } else {
        server_acts(scene, in, op);
    }
    if ((scene->flags & FLAG_HOLD) == 0) {
        (void)round_run(scene);
    }
}

static void begin(struct scene *scene, uint8_t settings) {
    static const uint32_t windows[] = {65535, 64, 1000, 300000};
    static const uint32_t sizes[] = {64, 1000, 4096, 100};
    wring_error error;
    const wring_http2_config http2 = {.struct_size = sizeof http2,
                                      .cleartext = true,
                                      .required = true,
                                      .sessions_max = (settings & 16) != 0 ? 1 : 0,
                                      .window_bytes = windows[settings & 3],
                                      .controls_per_second =
                                          (settings & 32) != 0 ? 1 : WRING_UNLIMITED,
                                      .controls_burst = (settings & 32) != 0 ? 12 : 0,
                                      .resets_per_second = WRING_UNLIMITED,
                                      .idle_timeout_ms = (settings & 64) != 0 ? WRING_OFF : 100};
    scene->http2.struct_size = sizeof scene->http2;
    FUZZ_CHECK(wring_http2_config_adopt(&http2, &scene->http2, NULL) == WRING_OK);
    scene->session =
        (wring_session_config){.struct_size = sizeof scene->session, .message_bytes_max = 3000};
    scene->handler = handler_make();
    const wring_pool_config config = {.struct_size = sizeof config,
                                      .receive_buffers = 4,
                                      .receive_buffer_bytes = sizes[settings >> 2 & 3],
                                      .mailbox_items = 8192,
                                      .pause_bytes = (settings & 128) != 0 ? 500 : 0};
    FUZZ_CHECK(wring__pool_create_on(&config, wring__sim_backend(scene->world), &scene->pool,
                                     &error) == WRING_OK);
    scene->listener = wring__sim_peer_listen(scene->world, PORT);
    user_make(scene);
}

static void finish(struct scene *scene) {
    for (size_t i = 0; i < scene->server_count; i++) {
        scene->servers[i].reads = true;
    }
    quiet_wait(scene);
    for (size_t i = 0; i < scene->user_count; i++) {
        if (scene->users[i].client != NULL) {
            wring_client_close(scene->users[i].client, 1000, wring_str(""));
        }
    }
    quiet_wait(scene);
    wring__pool_drain(scene->pool, 1000);
    for (int round = 0; !wring__pool_is_done(scene->pool); round++) {
        FUZZ_CHECK(round < ROUNDS_MAX);
        if (!round_run(scene)) {
            FUZZ_CHECK(wring__sim_advance(scene->world));
        }
    }
    for (int round = 0; round < 1000 && round_run(scene); round++) {
    }
    FUZZ_CHECK(worker_of(scene)->conn_count == 0);
    for (size_t i = 0; i < scene->user_count; i++) {
        if (scene->users[i].client != NULL) {
            wring_client_destroy(scene->users[i].client);
        }
    }
    FUZZ_CHECK(worker_of(scene)->chunks.held == 0);
    wring_pool_destroy(scene->pool, 0);
}

static void end(struct scene *scene) {
    servers_end(scene);
    const wring__sim_leftovers left = wring__sim_leftover(scene->world);
    FUZZ_CHECK(left.sockets == 0 && left.operations == 0 && left.buffers == 0);
    wring__sim_destroy(scene->world);
    users_check(scene);
    for (size_t i = 0; i < scene->user_count; i++) {
        fuzz_app_free(&scene->users[i].app);
    }
    servers_free(scene);
    free(scene);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const uint32_t pipes[] = {65536, 64, 1000, 125};
    wring_bytes in = {data, len};
    struct scene *scene = calloc(1, sizeof *scene);
    FUZZ_CHECK(scene != NULL);
    scene->flags = fuzz_u8(&in);
    scene->seed = fuzz_u8(&in);
    const uint8_t settings = fuzz_u8(&in);
    const wring__sim_config world = {.seed = scene->seed,
                                     .faults = (scene->flags & FLAG_FAULTS) != 0,
                                     .pipe_bytes = pipes[scene->seed & 3]};
    scene->world = wring__sim_create(&world);
    scene->script = fuzz_take(&in, fuzz_u8(&in));
    begin(scene, settings);
    while (in.len > 0) {
        act(scene, &in);
    }
    finish(scene);
    end(scene);
    return 0;
}
