/* SPDX-License-Identifier: Apache-2.0
 *
 * Exchanges: a whole server over the simulated backend, with one peer that sends request behind
 * request. The input is the world's seed, the limits, what the application does in each callback
 * (exchanges.h), and what the peer does: legal requests, bytes of its own, bodies in odd chunks,
 * frames, ends and resets, silence. Checked afterwards (verdict.h): one answer for each request, in
 * order, framed as it has to be, with the body that the application gave; bodies of requests whole
 * and unchanged; `done` once for each `request`; and nothing left: sockets, operations, buffers,
 * memory that counts.
 *
 *     flags | seed | limits | limits | length and script of exchanges | ... of the session | peer
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/http_server/scene.h"

#define ROUNDS_MAX   400000
#define DRAIN_NS     (50 * WRING_NS_PER_MS)
#define ASKS_MAX     100    /* legal requests of one input */
#define FILLER_MAX   100000 /* bytes of bodies of one input */
#define TRICKLES_MAX 2000   /* small pieces of one input; then it sends all it can */
#define FAR_MS       9000   /* timeouts not to be met; what is last queued has 10 s to move */

/* What the peer does: below SAYS_MAX it sends so many bytes of the input, plus one; from WAITS on
 * it waits so many rounds, and from WAITS_LONG on for the next thing that is due as well. */
enum { SAYS_MAX = 0xC0, WAITS = 0xC0, WAITS_LONG = 0xD0, WAITS_MAX = 0xE0 };
enum act {
    ACT_ASK = 0xE0, /* a request by the grammar */
    ACT_UPGRADE,
    ACT_FILLER, /* bytes of a body */
    ACT_CHUNK,
    ACT_LAST_CHUNK,
    ACT_FRAME,
    ACT_CLOSE_FRAME,
    ACT_MAIL,
    ACT_PUSH,
    ACT_SHUTDOWN,
    ACT_CLOSE,
    ACT_RESET,
    ACT_STOP_READING,
    ACT_READ_ON,
    ACT_DRAIN
};

/* ---- the server ------------------------------------------------------------------------------ */

static const char *const subprotocols[] = {"chat"};

static size_t routes_make(struct scene *scene, const wring_policy *policy, wring_route *routes) {
    exchanges *opts = scene->app;
    const wring_handler *session = &scene->handler;
    const uint32_t size = sizeof(wring_route);
    const wring_route all[] = {
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
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(all); i++) {
        routes[i] = all[i];
        routes[i].opts = opts;
    }
    return WRING_ARRAY_LEN(all);
}

static void limits_make(wring_server_config *config, struct scene *scene, uint8_t limits,
                        uint8_t more) {
    static const uint32_t buffers[] = {1, 2, 4, 64};
    static const uint32_t sizes[] = {64, 100, 2048, 700};
    const uint32_t far = FAR_MS;
    const bool timeouts = (scene->flags & FLAG_TIMEOUTS) != 0;
    config->receive_buffers = buffers[limits & 3];
    config->receive_buffer_bytes = sizes[limits >> 2 & 3];
    config->handshake_bytes_max = scene->head_max = (limits & 16) != 0 ? 300 : 65536;
    config->target_bytes_max = scene->target_max = (limits & 16) != 0 ? 20 : 8192;
    config->pause_bytes = (limits & 32) != 0 ? 300 : 0;
    config->body_bytes_max = (limits & 64) != 0 ? 100 : 20000;
    config->exchanges_max = (limits & 128) != 0 ? 1 + (more & 3) : 0;
    config->handshake_timeout_ms = timeouts ? 500 : far;
    config->keep_alive_timeout_ms = (more & 4) != 0 ? WRING_OFF : timeouts ? 300 : far;
    config->body_timeout_ms = timeouts ? 200 : far;
    config->answer_timeout_ms = timeouts ? 400 : far;
    config->connections_max = (more & 8) != 0 ? 1 : 4;
}

static void server_begin(struct scene *scene, uint8_t limits, uint8_t more) {
    static const uint64_t softs[] = {0, 64, 500, 5000};
    wring_route routes[8];
    scene->handler = exchanges_session();
    scene->session =
        (wring_session_config){.struct_size = sizeof scene->session, .message_bytes_max = 3000};
    const wring_policy policy = {.struct_size = sizeof policy,
                                 .session = &scene->session,
                                 .controls_per_second = WRING_UNLIMITED /* time stands still */};
    wring_policy small = policy;
    small.send_soft_bytes = softs[more >> 4 & 3];
    small.send_hard_bytes = 2 * small.send_soft_bytes;
    wring_server_config config = {.struct_size = sizeof config,
                                  .workers = 1,
                                  .routes = routes,
                                  .route_count = routes_make(scene, &small, routes),
                                  .mailbox_items = 8192,
                                  .policy = &policy};
    limits_make(&config, scene, limits, more);
    wring_error error;
    const wring_result result = wring_server_create(&config, &scene->server, &error);
    FUZZ_CHECK(result == WRING_OK);
    wring__server_set_backend(scene->server, wring__sim_backend(scene->world));
    FUZZ_CHECK(wring_server_start(scene->server, &error) == WRING_OK);
    scene->app->session.server = scene->server;
    scene->socket = wring__sim_dial(scene->world, wring_server_port(scene->server));
    FUZZ_CHECK(scene->socket != WRING__SOCKET_NONE);
}

static wring__server_worker *worker_of(const struct scene *scene) {
    return &scene->server->workers[0];
}

static void turn(struct scene *scene) {
    if (!wring__server_worker_is_done(worker_of(scene))) {
        FUZZ_CHECK(wring__worker_turn(&worker_of(scene)->io, WRING_TIME_NEVER) == WRING_OK);
    }
}

/* Before the shortest timeout could have passed nothing is late. */
static bool advance(struct scene *scene) {
    const uint64_t shortest_ms = (scene->flags & FLAG_TIMEOUTS) != 0 ? 200 : FAR_MS;
    const bool moved = wring__sim_advance(scene->world);
    scene->waited = scene->waited || !scene->reads;
    scene->late = wring__sim_now(scene->world) - scene->began >= shortest_ms * WRING_NS_PER_MS;
    scene->cut = scene->cut || (scene->late && scene->waited); /* the server lost its patience */
    if (scene->drained && wring__sim_now(scene->world) - scene->drained_at >= DRAIN_NS) {
        scene->cut = true;
    }
    return moved;
}

static void server_end(struct scene *scene) {
    if (!scene->draining) {
        scene->draining = true;
        wring__server_drain(scene->server, 1000);
    }
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
    wring_server_stop(scene->server, 0);
    wring_server_destroy(scene->server);
    const wring__sim_leftovers left = wring__sim_leftover(scene->world);
    FUZZ_CHECK(left.sockets == 0 && left.operations == 0 && left.buffers == 0);
    wring__sim_destroy(scene->world);
}

/* ---- the peer -------------------------------------------------------------------------------- */

static void peer_receive(struct scene *scene) {
    uint8_t buffer[4096];
    bool reset = false;
    if (scene->gone || !scene->reads || scene->end) {
        return;
    }
    const size_t len = wring__sim_peer_recv(scene->world, scene->socket, buffer, sizeof buffer,
                                            &scene->end, &reset);
    fuzz_log_bytes(&scene->received, wring_bytes_of(buffer, len));
    scene->cut = scene->cut || reset;
}

/* What the peer has still to send. */
static wring_bytes unsent_of(const struct scene *scene) {
    wring_bytes all = wring_bytes_of(scene->says.data, scene->says.len);
    (void)fuzz_take(&all, scene->sent);
    return all;
}

static void peer_send(struct scene *scene) {
    static const size_t pieces[] = {1, 7, 40, 300};
    wring_bytes unsent = unsent_of(scene);
    if (scene->gone || scene->shut || unsent.len == 0) {
        return;
    }
    if ((scene->flags & FLAG_TRICKLE) != 0 && scene->trickles < TRICKLES_MAX) {
        unsent.len = wring__min_size(unsent.len, pieces[scene->seed >> 2 & 3]);
        scene->trickles++;
    }
    scene->sent += wring__sim_peer_send(scene->world, scene->socket, unsent);
}

/* A turn of everybody; false when nothing moved. */
static bool round_run(struct scene *scene) {
    const uint64_t before = wring__sim_activity(scene->world);
    peer_send(scene);
    turn(scene);
    peer_receive(scene);
    return before != wring__sim_activity(scene->world);
}

static void peer_shutdown(struct scene *scene) {
    if (!scene->gone && !scene->shut) {
        scene->shut = true;
        wring__sim_peer_shutdown(scene->world, scene->socket);
    }
}

static void peer_close(struct scene *scene, bool reset) {
    if (!scene->gone) {
        scene->gone = true;
        scene->cut = scene->cut || !scene->end;
        wring__sim_peer_close(scene->world, scene->socket, reset);
    }
}

static void says(struct scene *scene, const char *text) {
    fuzz_log_bytes(&scene->says, wring_str(text));
}

static void says_filler(struct scene *scene, size_t len) {
    for (size_t i = 0; i < len; i++) {
        const uint8_t byte = (uint8_t)(scene->filled * 13 + (scene->filled >> 8));
        scene->filled++;
        fuzz_log_bytes(&scene->says, wring_bytes_of(&byte, 1));
    }
}

/* A length of the input's, within what is left of FILLER_MAX. */
static size_t length_take(const struct scene *scene, wring_bytes *in) {
    const size_t len = fuzz_u8(in);
    return wring__min_size(len < 200 ? len : (len - 199) * 100, FILLER_MAX - scene->filled);
}

static void says_chunk(struct scene *scene, size_t len, unsigned how) {
    static const char *const formats[] = {"%zx\r\n", "%zX;name=value\r\n", "%05zx\r\n",
                                          "%zx ;a=\"b;c\"\r\n"};
    char line[40];
    snprintf(line, sizeof line, formats[how & 3], len);
    says(scene, line);
    says_filler(scene, len);
    says(scene, len == 0 && (how & 4) != 0 ? "X-Trailer: 1\r\n\r\n" : "\r\n");
}

static void peer_body(struct scene *scene, wring_bytes *in, bool chunked, size_t len) {
    if (!chunked) {
        says_filler(scene, len);
        return;
    }
    const uint8_t how = fuzz_u8(in);
    const size_t most = 1 + (how >> 3);
    while (len > 0) {
        const size_t piece = wring__min_size(most, len);
        says_chunk(scene, piece, how);
        len -= piece;
    }
    says_chunk(scene, 0, how);
}

static const char *const asked_paths[] = {
    "/c", "/s", "/r",    "/t",       "/p/a%20b", "/u", "/w", "/",
    "/c", "/s", "/none", "/c?a=b&c", "/s%2",     "*",  "/v", "http://other/s?x"};

/* A request by the grammar: what it asks for, how, and its body. */
static void peer_ask(struct scene *scene, wring_bytes *in) {
    static const char *const methods[] = {"GET",     "POST",   "HEAD", "PUT",
                                          "OPTIONS", "DELETE", "BREW", "POST"};
    static const char *const framings[] = {"", "L", "L", "C", "C", "E", "B", "2"};
    const uint8_t what = fuzz_u8(in);
    const uint8_t how = fuzz_u8(in);
    const uint8_t extra = fuzz_u8(in);
    const char framing = framings[how & 7][0];
    char line[64];
    size_t len = 0;
    if (scene->asks++ >= ASKS_MAX) {
        return;
    }
    snprintf(line, sizeof line, "%s ", methods[what >> 4 & 7]);
    says(scene, line);
    says(scene, asked_paths[what & 15]);
    says(scene, (how & 8) != 0 ? " HTTP/1.0\r\nHost: h\r\n" : " HTTP/1.1\r\nHost: h\r\n");
    says(scene, (how & 16) != 0 ? "Connection: close\r\n" : "");
    says(scene, (how & 32) != 0 ? "Connection: keep-alive\r\n" : "");
    says(scene, (how & 64) != 0 ? "Expect: 100-continue\r\n" : "");
    says(scene, (how & 128) != 0 ? "Upgrade: websocket\r\n" : "");
    says(scene, extra == 1   ? "Expect: 200-maybe\r\n"
                : extra == 2 ? "Content-Length: 3\r\n"
                : extra == 3 ? "Transfer-Encoding: gzip, chunked\r\n"
                : extra == 4 ? "Origin: http://evil\r\n"
                             : "X-Field: some value\r\n");
    if (framing != 0) {
        len = length_take(scene, in);
    }
    if (framing == 'L' || framing == 'E' || framing == '2') { /* E: less comes than announced */
        snprintf(line, sizeof line, "Content-Length: %zu\r\n", len + (framing == 'E' ? 7 : 0));
        says(scene, line);
        says(scene, framing == '2' ? line : "");
    } else if (framing != 0) {
        says(scene, framing == 'C' ? "Transfer-Encoding: chunked\r\n"
                                   : "Transfer-Encoding: chunked\r\nContent-Length: 9\r\n");
    }
    says(scene, "\r\n");
    if (framing != 0) {
        peer_body(scene, in, framing == 'C' || framing == 'B', len);
    }
}

static void peer_upgrades(struct scene *scene, wring_bytes *in) {
    static const char *const paths[] = {"/u", "/v", "/w/x", "/c"};
    const uint8_t how = fuzz_u8(in);
    if (scene->asks++ >= ASKS_MAX) {
        return;
    }
    says(scene, "GET ");
    says(scene, paths[how & 3]);
    says(scene, " HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    says(scene, (how & 4) != 0 ? "Sec-WebSocket-Version: 12\r\n" : "Sec-WebSocket-Version: 13\r\n");
    says(scene, (how & 8) != 0 ? "Sec-WebSocket-Protocol: chat, other\r\n" : "");
    says(scene, (how & 16) != 0 ? "Content-Length: 5\r\n\r\nabcde" : "\r\n");
}

static void peer_frame(struct scene *scene, wring_bytes *in, bool closes) {
    uint8_t code[2] = {0x03, 0xE8};
    const uint8_t first = closes ? 0x88 : fuzz_u8(in);
    const wring_bytes payload = closes ? wring_bytes_of(code, 2) : fuzz_take(in, fuzz_u8(in));
    fuzz_frame_write(&scene->says, WRING_ROLE_SERVER, first, payload, 0x3D21FA37);
}

static void peer_waits(struct scene *scene, uint8_t op) {
    for (int i = WAITS; i <= op; i++) {
        if (!round_run(scene) && (op >= WAITS_LONG || (scene->flags & FLAG_FAULTS) != 0)) {
            (void)advance(scene);
        }
    }
}

static void peer_does(struct scene *scene, wring_bytes *in, enum act act) {
    size_t len;
    switch (act) {
    case ACT_ASK:
        peer_ask(scene, in);
        break;
    case ACT_UPGRADE:
        peer_upgrades(scene, in);
        break;
    case ACT_FILLER:
        says_filler(scene, length_take(scene, in));
        break;
    case ACT_CHUNK:
        len = length_take(scene, in);
        says_chunk(scene, len, fuzz_u8(in));
        break;
    case ACT_LAST_CHUNK:
        says_chunk(scene, 0, fuzz_u8(in));
        break;
    case ACT_FRAME:
    case ACT_CLOSE_FRAME:
        peer_frame(scene, in, act == ACT_CLOSE_FRAME);
        break;
    case ACT_MAIL:
        exchanges_mail(scene->app, in);
        break;
    case ACT_PUSH:
        fuzz_app_push(&scene->app->session, in);
        break;
    case ACT_SHUTDOWN:
        peer_shutdown(scene);
        break;
    case ACT_CLOSE:
    case ACT_RESET:
        peer_close(scene, act == ACT_RESET);
        break;
    case ACT_STOP_READING:
    case ACT_READ_ON:
        scene->reads = act == ACT_READ_ON;
        break;
    case ACT_DRAIN:
        if (!scene->draining) {
            scene->draining = scene->drained = true;
            scene->drained_at = wring__sim_now(scene->world);
            wring__server_drain(scene->server, DRAIN_NS / WRING_NS_PER_MS);
        }
        break;
    }
}

static void peer_acts(struct scene *scene, wring_bytes *in) {
    const uint8_t op = fuzz_u8(in);
    if (op < SAYS_MAX) {
        fuzz_log_bytes(&scene->says, fuzz_take(in, op + 1u));
    } else if (op < WAITS_MAX) {
        peer_waits(scene, op);
    } else {
        peer_does(scene, in, (enum act)op);
    }
    (void)round_run(scene);
}

/* No deadline ends a session without limits, nor an answer that the application does not go on
 * with. Then the client's end ends it, if that does not stand behind more than is read
 * meanwhile. */
static bool may_idle(const struct scene *scene) {
    const exchanges *app = scene->app;
    const record *last = app->record_count == 0 ? NULL : &app->records[app->record_count - 1];
    const bool is_begun =
        last != NULL && last->dones == 0 && last->answer != REPLIES_MAX && !last->is_whole;
    const bool is_behind =
        (is_begun && last->is_paused) || scene->says.len >= WRING__HTTP_BEHIND_MAX;
    return scene->shut ? is_begun && is_behind : is_begun || app->session.inits == 1;
}

/* So much time has passed that each deadline would have. */
static bool is_forgotten(const struct scene *scene, wring_time_ns since) {
    return wring__sim_now(scene->world) - since > 10 * FAR_MS * WRING_NS_PER_MS;
}

/* The peer has nothing more to do: it reads to the end, and the end comes. */
static void peer_finish(struct scene *scene) {
    wring_time_ns since = wring__sim_now(scene->world);
    scene->reads = true;
    for (int round = 0; !scene->end && !scene->gone; round++) {
        FUZZ_CHECK(round < ROUNDS_MAX);
        if (wring__server_worker_is_done(worker_of(scene))) {
            scene->cut = true;
            break; /* never accepted: the stop closes the listener, and its backlog with it */
        }
        if (round_run(scene) || scene->end) {
            continue;
        }
        const bool keeps = (scene->flags & FLAG_KEEP_OPEN) != 0;
        if (!keeps && !scene->shut && unsent_of(scene).len == 0) {
            peer_shutdown(scene);
        } else if (!advance(scene) || is_forgotten(scene, since)) {
            FUZZ_CHECK(may_idle(scene));
            scene->shut ? peer_close(scene, true) : peer_shutdown(scene);
            since = wring__sim_now(scene->world);
        }
    }
    peer_close(scene, false);
}

/* ---- the target ------------------------------------------------------------------------------ */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const uint32_t pipes[] = {65536, 64, 1000, 125};
    wring_bytes in = {data, len};
    struct scene scene = {.flags = fuzz_u8(&in), .seed = fuzz_u8(&in), .reads = true};
    const uint8_t limits = fuzz_u8(&in);
    const uint8_t more = fuzz_u8(&in);
    wring__sim_config world = {.seed = scene.seed,
                               .faults = (scene.flags & FLAG_FAULTS) != 0,
                               .pipe_bytes = pipes[scene.seed & 3]};
    scene.world = wring__sim_create(&world);
    scene.began = wring__sim_now(scene.world);
    scene.app = calloc(1, sizeof *scene.app);
    FUZZ_CHECK(scene.app != NULL);
    scene.app->budget = 100000;
    scene.app->session.budget = 10000;
    scene.app->script = fuzz_take(&in, fuzz_u8(&in));
    scene.app->session.script = fuzz_take(&in, fuzz_u8(&in));
    server_begin(&scene, limits, more);
    while (in.len > 0) {
        peer_acts(&scene, &in);
    }
    peer_finish(&scene);
    server_end(&scene);
    exchanges_check(scene.app);
    verdict_check(&scene);
    exchanges_free(scene.app);
    free(scene.app);
    fuzz_log_free(&scene.says);
    fuzz_log_free(&scene.received);
    return 0;
}
