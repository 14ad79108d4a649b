/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole server over the simulated backend, with one peer. The input is the world's seed, what the
 * application does in each callback (app.h), and what the peer does: bytes of its own, a legal
 * upgrade request, legal frames, silence, ends and resets. Checked: each callback as often as
 * promised, answers that are legal HTTP and then legal frames, all that was sent unless the stream
 * was cut, and nothing left at the end: sockets, operations, buffers, topics, sessions. What
 * exchanges promise is checked by the target http_server.
 *
 *     flags | seed | limits | length and bytes of the script | what the peer does
 */
#include <stdlib.h>

#include "tests/sim/backend/sim.h"
#include "server/server.h"
#include "tests/fuzz/app.h"

enum {
    FLAG_FAULTS = 1,
    FLAG_UPGRADE = 2, /* a legal request comes first */
    FLAG_SUBPROTOCOL = 4,
    FLAG_IANA = 8,
    FLAG_PAUSE = 16, /* reading stops early when the peer does not read */
    FLAG_TIMEOUTS = 32,
    FLAG_ROUTES = 64,
    FLAG_KEEP_OPEN = 128 /* the peer never ends its half by itself */
};

/* What the peer does: below SAYS_MAX it sends so many bytes of the input, plus one; from WAITS on
 * it waits so many rounds, and from WAITS_LONG on for the next thing that is due as well. */
enum { SAYS_MAX = 0xC0, WAITS = 0xC0, WAITS_LONG = 0xD0, WAITS_MAX = 0xE0 };
enum act {
    ACT_SHUTDOWN = 0xE0,
    ACT_CLOSE,
    ACT_RESET,
    ACT_STOP_READING,
    ACT_READ_ON,
    ACT_UPGRADE,
    ACT_FRAME,
    ACT_PUSH,
    ACT_DRAIN,
    ACT_CLOSE_FRAME
};

#define ROUNDS_MAX 400000

struct scene {
    uint8_t flags;
    wring__sim *world;
    wring_server *server;
    wring_route routes[3];
    wring_session_config session;
    wring__socket socket;
    fuzz_app app;
    fuzz_log unsent;   /* what the peer has still to send */
    fuzz_log said;     /* what the stream took of it */
    fuzz_log received; /* what the peer has got */
    bool reads;
    bool cut;      /* not all the server sends has to arrive */
    bool said_any; /* something went before the request at hand */
    bool upgrades; /* the first request is legal */
    bool end;      /* nothing more comes */
    bool shut;     /* the peer's half is ended */
    bool gone;     /* the peer closed its socket */
    bool draining;
};

static const char *const subprotocols[] = {"chat"};

/* ---- the server ------------------------------------------------------------------------------ */

static void page(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)opts;
    const wring_answer answer = {.struct_size = sizeof answer,
                                 .body = request->path,
                                 .status = request->query.len > 0 ? 404 : 0};
    FUZZ_CHECK(wring_exchange_answer(exchange, &answer) == WRING_OK);
}

static const wring_http_handler page_handler = {.struct_size = sizeof page_handler,
                                                .request = page};

static void server_begin(struct scene *scene, uint8_t limits) {
    static const uint32_t buffers[] = {1, 2, 4, 64};
    static const uint32_t sizes[] = {64, 100, 2048, 700};
    bool routed = (scene->flags & FLAG_ROUTES) != 0;
    const size_t offers = (scene->flags & FLAG_SUBPROTOCOL) != 0 ? 1 : 0;
    bool timeouts = (scene->flags & FLAG_TIMEOUTS) != 0;
    scene->routes[0] =
        (wring_route){.struct_size = sizeof(wring_route), .path = "/page", .http = &page_handler};
    scene->routes[1] = (wring_route){.struct_size = sizeof(wring_route),
                                     .path = "/ws*",
                                     .handler = &fuzz_app_handler,
                                     .opts = &scene->app,
                                     .subprotocols = subprotocols,
                                     .subprotocol_count = offers};
    scene->routes[2] = (wring_route){.struct_size = sizeof(wring_route),
                                     .path = "/",
                                     .handler = &fuzz_app_handler,
                                     .opts = &scene->app,
                                     .subprotocols = subprotocols,
                                     .subprotocol_count = offers};
    scene->session = (wring_session_config){
        .struct_size = sizeof scene->session,
        .message_bytes_max = (limits & 32) != 0 ? 300 : 0,
        .frame_bytes_max = (limits & 64) != 0 ? 200 : 0,
        .idle_timeout_ms = timeouts ? 200 : 0,
        .ping_interval_ms = timeouts ? 70 : 0,
        .allow_iana_close_codes = (scene->flags & FLAG_IANA) != 0,
    };
    const wring_policy policy = {.struct_size = sizeof policy,
                                 .session = &scene->session,
                                 .controls_per_second = WRING_UNLIMITED /* time stands still */};
    const wring_server_config config = {
        .struct_size = sizeof config,
        .workers = 1,
        .handler = routed ? NULL : &fuzz_app_handler,
        .handler_opts = &scene->app,
        .subprotocols = subprotocols,
        .subprotocol_count = routed ? 0 : offers,
        .routes = scene->routes,
        .route_count = routed ? WRING_ARRAY_LEN(scene->routes) : 0,
        .receive_buffers = buffers[limits & 3],
        .receive_buffer_bytes = sizes[limits >> 2 & 3],
        .pause_bytes = (scene->flags & FLAG_PAUSE) != 0 ? 300 : 0,
        .handshake_timeout_ms = timeouts ? 500 : WRING_OFF,
        .handshake_bytes_max = (limits & 16) != 0 ? 300 : 0,
        .target_bytes_max = (limits & 16) != 0 ? 20 : 0,
        .mailbox_items = 4096,
        .connections_max = 4,
        .policy = &policy,
    };
    FUZZ_CHECK(wring_server_create(&config, &scene->server, NULL) == WRING_OK);
    wring__server_set_backend(scene->server, wring__sim_backend(scene->world));
    wring_error error;
    FUZZ_CHECK(wring_server_start(scene->server, &error) == WRING_OK);
    scene->app.server = scene->server;
    scene->app.allow_iana = (scene->flags & FLAG_IANA) != 0;
    scene->socket = wring__sim_dial(scene->world, wring_server_port(scene->server));
    FUZZ_CHECK(scene->socket != WRING__SOCKET_NONE);
}

static void turn(struct scene *scene) {
    wring__server_worker *worker = &scene->server->workers[0];
    if (!wring__server_worker_is_done(worker)) {
        FUZZ_CHECK(wring__worker_turn(&worker->io, WRING_TIME_NEVER) == WRING_OK);
    }
}

static void server_end(struct scene *scene) {
    wring__server_worker *worker = &scene->server->workers[0];
    if (!scene->draining) {
        wring__server_drain(scene->server, 1000);
    }
    for (int round = 0; !wring__server_worker_is_done(worker); round++) {
        FUZZ_CHECK(round < ROUNDS_MAX);
        uint64_t before = wring__sim_activity(scene->world);
        turn(scene);
        if (before == wring__sim_activity(scene->world)) {
            FUZZ_CHECK(wring__sim_advance(scene->world));
        }
    }
    FUZZ_CHECK(worker->io.conn_count == 0 && worker->topics.topic_count == 0);
    wring_server_stop(scene->server, 0);
    wring_server_destroy(scene->server);
    wring__sim_leftovers left = wring__sim_leftover(scene->world);
    FUZZ_CHECK(left.sockets == 0 && left.operations == 0 && left.buffers == 0);
    wring__sim_destroy(scene->world);
}

/* ---- the peer -------------------------------------------------------------------------------- */

static void peer_receive(struct scene *scene) {
    uint8_t buffer[1024];
    bool reset = false;
    if (scene->gone || !scene->reads || scene->end) {
        return;
    }
    size_t len = wring__sim_peer_recv(scene->world, scene->socket, buffer, sizeof buffer,
                                      &scene->end, &reset);
    fuzz_log_bytes(&scene->received, wring_bytes_of(buffer, len));
    scene->cut = scene->cut || reset;
}

static void peer_send(struct scene *scene) {
    fuzz_log *unsent = &scene->unsent;
    if (scene->gone || scene->shut || unsent->len == 0) {
        return;
    }
    size_t taken = wring__sim_peer_send(scene->world, scene->socket,
                                        wring_bytes_of(unsent->data, unsent->len));
    fuzz_log_bytes(&scene->said, wring_bytes_of(unsent->data, taken));
    memmove(unsent->data, unsent->data + taken, unsent->len - taken);
    unsent->len -= taken;
}

/* A turn of everybody; false when nothing moved. */
static bool round_run(struct scene *scene) {
    uint64_t before = wring__sim_activity(scene->world);
    peer_send(scene);
    turn(scene);
    peer_receive(scene);
    return before != wring__sim_activity(scene->world);
}

static void peer_shutdown(struct scene *scene) {
    if (!scene->gone && !scene->shut) {
        scene->shut = true;
        scene->upgrades = scene->upgrades && scene->unsent.len == 0;
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

static void peer_says(struct scene *scene, wring_bytes bytes) {
    scene->said_any = scene->said_any || bytes.len > 0;
    fuzz_log_bytes(&scene->unsent, bytes);
}

static void peer_upgrades(struct scene *scene) {
    scene->upgrades = scene->upgrades || (!scene->said_any && !scene->shut);
    peer_says(scene, wring_str("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                               "Sec-WebSocket-Protocol: chat\r\n\r\n"));
}

static void peer_frame(struct scene *scene, wring_bytes *in, bool closes) {
    uint8_t code[2] = {0x03, 0xE8};
    uint8_t first = closes ? 0x88 : fuzz_u8(in);
    wring_bytes payload = closes ? wring_bytes_of(code, 2) : fuzz_take(in, fuzz_u8(in));
    scene->said_any = true;
    fuzz_frame_write(&scene->unsent, WRING_ROLE_SERVER, first, payload, 0x3D21FA37);
}

static void peer_act(struct scene *scene, wring_bytes *in) {
    uint8_t op = fuzz_u8(in);
    if (op < SAYS_MAX) {
        peer_says(scene, fuzz_take(in, op + 1u));
    } else if (op < WAITS_MAX) {
        for (int i = WAITS; i <= op; i++) {
            if (!round_run(scene) && (op >= WAITS_LONG || (scene->flags & FLAG_FAULTS) != 0)) {
                (void)wring__sim_advance(scene->world);
            }
        }
    }
    switch ((enum act)op) {
    case ACT_SHUTDOWN:
        peer_shutdown(scene);
        break;
    case ACT_CLOSE:
    case ACT_RESET:
        peer_close(scene, op == ACT_RESET);
        break;
    case ACT_STOP_READING:
        scene->reads = false;
        scene->cut = true; /* the server may lose its patience */
        break;
    case ACT_READ_ON:
        scene->reads = true;
        break;
    case ACT_UPGRADE:
        peer_upgrades(scene);
        break;
    case ACT_FRAME:
    case ACT_CLOSE_FRAME:
        peer_frame(scene, in, op == ACT_CLOSE_FRAME);
        break;
    case ACT_PUSH:
        fuzz_app_push(&scene->app, in);
        break;
    case ACT_DRAIN:
        if (!scene->draining) {
            scene->draining = true;
            scene->cut = true; /* at the end of the drain window */
            wring__server_drain(scene->server, 50);
        }
        break;
    }
    (void)round_run(scene);
}

static void idle_check(wring__endpoint *end, void *unused) {
    wring__conn *conn = wring__end_conn(end);
    (void)unused;
    FUZZ_CHECK(end->out.bytes == 0 && !wring__end_is_stopped(end) && conn->stash == NULL);
}

/* The peer has nothing more to do: it reads to the end, and the end comes. */
static void peer_finish(struct scene *scene) {
    scene->reads = true;
    for (int round = 0; !scene->end && !scene->gone; round++) {
        FUZZ_CHECK(round < ROUNDS_MAX);
        if (wring__server_worker_is_done(&scene->server->workers[0])) {
            break; /* never accepted: the stop closes the listener, and its backlog with it */
        }
        if (round_run(scene) || scene->end) {
            continue;
        }
        bool keeps = (scene->flags & FLAG_KEEP_OPEN) != 0;
        if (!keeps && !scene->shut && scene->unsent.len == 0) {
            peer_shutdown(scene);
        } else if (!wring__sim_advance(scene->world)) {
            FUZZ_CHECK(keeps && !scene->shut); /* only an idle connection waits for ever */
            wring__worker_each(&scene->server->workers[0].io, idle_check, NULL);
            peer_shutdown(scene);
        }
    }
    peer_close(scene, false);
}

/* ---- what the peer got ----------------------------------------------------------------------- */

static size_t number_read(wring_bytes digits) {
    size_t number = 0;
    FUZZ_CHECK(digits.len > 0 && digits.len < 6);
    for (size_t i = 0; i < digits.len; i++) {
        FUZZ_CHECK(digits.data[i] >= '0' && digits.data[i] <= '9');
        number = number * 10 + (digits.data[i] - '0');
    }
    return number;
}

static bool has_said(const struct scene *scene, const char *what) {
    return memmem(scene->said.data, scene->said.len, what, strlen(what)) != NULL;
}

/* Takes the body of a plain answer from `bytes`. True when no other answer may follow. */
static bool plain_take(const struct scene *scene, int status, wring_headers headers,
                       wring_bytes *bytes) {
    const wring_bytes next = wring_str("HTTP/1.1 ");
    wring_bytes value = {NULL, 0};
    if (status == 204) { /* RFC 9110 8.6: without a length */
        FUZZ_CHECK(has_said(scene, "OPTIONS "));
        FUZZ_CHECK(!wring_headers_get(headers, "content-length", &value));
        return wring_headers_has_token(headers, "connection", "close");
    }
    FUZZ_CHECK(status == 200 || (status >= 400 && status < 600));
    FUZZ_CHECK(wring_headers_get(headers, "content-length", &value));
    const size_t want = number_read(value);
    wring_bytes rest = *bytes;
    if (want > 0 && (rest.len == 0 || wring_bytes_equal(fuzz_take(&rest, next.len), next))) {
        const bool asked = has_said(scene, "HEAD "); /* no body here is so */
        FUZZ_CHECK(asked || (scene->cut && bytes->len == 0));
    } else {
        const size_t got = fuzz_take(bytes, want).len;
        FUZZ_CHECK(got == want || scene->cut);
    }
    return wring_headers_has_token(headers, "connection", "close");
}

/* What came behind the upgrade request, which `before` requests preceded, was shown to the
 * application. */
static void said_check(const struct scene *scene, size_t before) {
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_bytes bytes = {scene->said.data, scene->said.len};
    for (size_t i = 0; i <= before; i++) {
        wring_request request = {.struct_size = sizeof request};
        size_t head_len = 0;
        const wring_result result = wring_h1_request_parse(bytes, list, &request, &head_len);
        FUZZ_CHECK(result == WRING_OK || i < before);
        const bool has_body = wring_headers_count(request.headers, "content-length") > 0 ||
                              wring_headers_count(request.headers, "transfer-encoding") > 0;
        if (result != WRING_OK || (has_body && i < before)) {
            return; /* of HTTP/1.0, or with a body: where it ends is not looked for here */
        }
        (void)fuzz_take(&bytes, head_len);
    }
    fuzz_app_check_got(&scene->app, WRING_ROLE_SERVER, &scene->session, bytes, scene->cut);
}

static void received_check(const struct scene *scene) {
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_bytes bytes = {scene->received.data, scene->received.len};
    fuzz_wire wire = {0};
    size_t plain = 0;
    bool is_last = false;
    bool upgraded = false;
    while (bytes.len > 0 && !upgraded) {
        wring_headers headers;
        int status;
        size_t head_len;
        const wring_result result =
            wring_h1_response_parse(bytes, list, &status, &headers, &head_len);
        FUZZ_CHECK(!is_last && (result == WRING_OK || (result == WRING_MORE && scene->cut)));
        if (result != WRING_OK) {
            break;
        }
        (void)fuzz_take(&bytes, head_len);
        upgraded = status == 101;
        if (!upgraded && status != 100) {
            is_last = plain_take(scene, status, headers, &bytes);
            FUZZ_CHECK(!scene->upgrades || plain > 0 || scene->draining ||
                       (scene->flags & (FLAG_TIMEOUTS | FLAG_FAULTS)) != 0);
            plain++;
        }
    }
    FUZZ_CHECK(upgraded || plain > 0 || scene->cut || !scene->upgrades);
    FUZZ_CHECK(upgraded == (scene->app.inits == 1) || scene->cut);
    if (upgraded) {
        wire = fuzz_wire_read(WRING_ROLE_SERVER, bytes, scene->cut);
        said_check(scene, plain);
    }
    fuzz_app_check(&scene->app, &wire, scene->cut);
    fuzz_wire_free(&wire);
}

/* ---- the target ------------------------------------------------------------------------------ */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const uint32_t pipes[] = {65536, 64, 1000, 125};
    wring_bytes in = {data, len};
    struct scene scene = {.flags = fuzz_u8(&in), .reads = true, .app = {.budget = 100000}};
    uint8_t seed = fuzz_u8(&in);
    uint8_t limits = fuzz_u8(&in);
    wring__sim_config world = {
        .seed = seed, .faults = (scene.flags & FLAG_FAULTS) != 0, .pipe_bytes = pipes[seed & 3]};
    scene.world = wring__sim_create(&world);
    scene.app.script = fuzz_take(&in, fuzz_u8(&in));
    server_begin(&scene, limits);
    if ((scene.flags & FLAG_UPGRADE) != 0) {
        peer_upgrades(&scene);
    }
    while (in.len > 0) {
        peer_act(&scene, &in);
    }
    peer_finish(&scene);
    server_end(&scene);
    received_check(&scene);
    fuzz_app_free(&scene.app);
    fuzz_log_free(&scene.unsent);
    fuzz_log_free(&scene.said);
    fuzz_log_free(&scene.received);
    return 0;
}
