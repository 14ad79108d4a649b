/* SPDX-License-Identifier: Apache-2.0
 *
 * bench-budget: the path of a message, and of an HTTP exchange, to be counted, not timed.
 *
 *     bench-budget null|uring|epoll SCENARIO ROUNDS
 *
 * `null` runs the server's code over a backend that moves nothing: for callgrind, and for the count
 * of allocations that this program keeps. `uring` runs it over real sockets with the worker on the
 * main thread and the clients on another, for strace, which follows the first thread only. Each is
 * run with two values of ROUNDS; the difference, divided, is what a message costs without start-up.
 * bench/budget/budget.py does that and compares with the recorded figures.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/budget/h2_client.h"
#include "bench/budget/null_backend.h"
#include "bench/budget/scenarios.h"
#include "proto/frame.h"
#include "proto/kernels.h"
#include "server/server.h"
#include "wring/ref.h"

#define KEY        UINT32_C(0x84C2B1F7)
#define PAYLOAD    1024
#define CONNS_MAX  1000
#define FRAMES_MAX 100

static const struct scenario *scenario;
static wring_server *server;
static uint64_t rounds;
static uint64_t allocations;
static wring_ref refs[CONNS_MAX];
static unsigned opened;
static uint8_t filler[PAYLOAD];
static uint8_t batch[FRAMES_MAX * (PAYLOAD + WRING__FRAME_HEADER_MAX)]; /* a client's */
static size_t batch_len;
static size_t reply_len; /* what the server sends for one message; of HTTP known from the first */

/* ---- allocations ----------------------------------------------------------------------------- */

#ifndef __SANITIZE_ADDRESS__
#ifndef __SANITIZE_THREAD__
/* glibc's own, under the names it keeps for this; free is not of interest */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size) {
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_realloc(old, size);
}
#endif
#endif

static void die(const char *what) {
    fprintf(stderr, "bench-budget: %s\n", what);
    exit(1);
}

/* ---- the application ------------------------------------------------------------------------- */

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    refs[opened++ % CONNS_MAX] = wring_session_ref(session);
    const bool subscriber = scenario->kind == PUBLISH;
    return !subscriber || wring_session_subscribe(session, wring_str("news")) == WRING_OK
               ? WRING_CONTINUE
               : WRING_STOP;
}

static wring_verdict on_in(wring_session *session, const wring_message *message) {
    const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
    return message->opcode != WRING_BINARY || wring_session_send(session, &frame) == WRING_OK
               ? WRING_CONTINUE
               : WRING_STOP;
}

static const wring_handler handler = {
    .struct_size = sizeof handler, .name = "budget", .init = on_init, .handle_in = on_in};

static void on_get(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer,
                                 .body = wring_bytes_of(filler, scenario->payload)};
    (void)request;
    (void)opts;
    if (wring_exchange_answer(exchange, &answer) != WRING_OK) {
        die("not answered");
    }
}

static void on_post(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer, .body = wring_str("ok\n")};
    (void)opts;
    if (request->body.len != scenario->payload ||
        wring_exchange_answer(exchange, &answer) != WRING_OK) {
        die("not answered");
    }
}

static const wring_http_handler getting = {
    .struct_size = sizeof getting, .name = "get", .request = on_get};
static const wring_http_handler posting = {
    .struct_size = sizeof posting, .name = "post", .request = on_post};
static const wring_route routes[] = {
    {.struct_size = sizeof *routes, .path = "/1k", .http = &getting},
    {.struct_size = sizeof *routes, .path = "/post", .methods = "POST", .http = &posting}};

static bool is_http(void) {
    return scenario->kind == GET || scenario->kind == BROWSER_GET || scenario->kind == POST;
}

/* Connections that carry the scenario's: of HTTP/2 these are sessions. */
static unsigned carriers(void) {
    return scenario->streams == 0 ? scenario->connections
                                  : scenario->connections / scenario->streams;
}

/* How many connections' clients send `batch` in each round. */
static unsigned askers(void) {
    return scenario->kind == ECHO || is_http() ? carriers() : 0;
}

static void http_batch_make(void) {
    const wring_bytes head = scenario->kind == GET           ? wring_str(get)
                             : scenario->kind == BROWSER_GET ? wring_str(browser_get)
                                                             : wring_str(post);
    for (unsigned i = 0; i < scenario->messages; i++) {
        memcpy(batch + batch_len, head.data, head.len);
        batch_len += head.len;
        if (scenario->kind == POST) {
            memset(batch + batch_len, 'b', scenario->payload);
            batch_len += scenario->payload;
        }
    }
}

/* What a connection begins with. */
static wring_bytes first_request(void) {
    static uint8_t begin[H2_CLIENT_BEGIN_MAX + FRAMES_MAX * H2_CLIENT_OPEN_MAX];
    if (scenario->streams == 0) {
        return is_http() ? wring_bytes_of(batch, batch_len / scenario->messages)
                         : wring_str(upgrade_request);
    }
    size_t len = h2_client_begin(begin);
    for (unsigned i = 0; i < scenario->streams; i++) {
        len += h2_client_open(begin + len, i);
    }
    return wring_bytes_of(begin, len);
}

/* A session's messages in a DATA frame of each stream. */
static void batch_wrap(void) {
    static uint8_t one[sizeof batch];
    const wring_bytes messages = wring_bytes_of(one, batch_len);
    memcpy(one, batch, batch_len);
    batch_len = 0;
    for (unsigned i = 0; i < scenario->streams && messages.len > 0; i++) {
        batch_len += h2_client_data(batch + batch_len, i, messages);
    }
}

static void batch_make(void) {
    if (is_http()) {
        http_batch_make();
        return;
    }
    uint8_t *at = batch;
    for (unsigned i = 0; i < scenario->messages && scenario->kind == ECHO; i++) {
        const size_t header = wring__frame_header_write(at, WRING__FIN | WRING_BINARY,
                                                        scenario->payload, &(uint32_t){KEY});
        memset(at + header, 'b', scenario->payload);
        wring__mask(at + header, scenario->payload, KEY, 0);
        at += header + scenario->payload;
    }
    batch_len = (size_t)(at - batch);
    if (scenario->streams > 0) {
        batch_wrap();
    }
    reply_len = wring__frame_header_len(scenario->payload, false) + scenario->payload;
}

/* What comes from outside the worker: publishes, sends. */
static void push_round(void) {
    const wring_frame frame = wring_frame_binary(wring_bytes_of(filler, scenario->payload));
    for (unsigned i = 0; scenario->kind == PUBLISH && i < scenario->messages; i++) {
        if (wring_server_publish(server, wring_str("news"), &frame) != WRING_OK) {
            die("publish failed");
        }
    }
    for (unsigned i = 0; scenario->kind == SEND && i < scenario->connections; i++) {
        if (wring_ref_send(refs[i], &frame, 1) != WRING_OK) {
            die("send failed");
        }
    }
}

static void turn(uint32_t worker, wring_time_ns deadline) {
    if (wring__worker_turn(&server->workers[worker].io, deadline) != WRING_OK) {
        die("the turn failed");
    }
}

static void server_begin(const wring__backend_ops *backend) {
    static const wring_http2_config http2 = {.struct_size = sizeof http2, .cleartext = true};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = scenario->workers,
                                        .handler = &handler,
                                        .http2 = scenario->streams > 0 ? &http2 : NULL,
                                        .routes = is_http() ? routes : NULL,
                                        .route_count = is_http() ? WRING_ARRAY_LEN(routes) : 0};
    wring_error error;
    if (wring_server_create(&config, &server, &error) != WRING_OK) {
        die(error.text);
    }
    wring__server_set_backend(server, (wring__backend_choice){.ops = backend, .is_driven = true});
    if (wring_server_start(server, &error) != WRING_OK) {
        die(error.text);
    }
}

static void server_end(void) {
    wring__server_drain(server, 1000);
    for (uint32_t i = 0; i < scenario->workers; i++) {
        while (!wring__server_worker_is_done(&server->workers[i])) {
            turn(i, WRING_TIME_NEVER);
        }
    }
    wring_server_stop(server, 0);
    wring_server_destroy(server);
}

/* Sums over the workers. */
static uint64_t turns(void) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    wring_server_get_stats(server, &stats);
    return stats.turns;
}

/* ---- over the null backend ------------------------------------------------------------------- */

static uint64_t null_sent(void) {
    uint64_t sent = 0;
    for (uint32_t w = 0; w < scenario->workers; w++) {
        sent += null_backend_sent(server->workers[w].io.backend);
    }
    return sent;
}

static void null_turns(int count) {
    for (int i = 0; i < count; i++) {
        for (uint32_t w = 0; w < scenario->workers; w++) {
            turn(w, 0);
        }
    }
}

/* As the kernel would: in as many buffers as it takes. */
static void null_receive(wring__backend *backend, wring__socket socket, wring_bytes bytes) {
    for (size_t at = 0; at < bytes.len; at += backend->buffer_size) {
        const size_t len = wring__min_size(bytes.len - at, backend->buffer_size);
        null_backend_receive(backend, socket, wring_bytes_of(bytes.data + at, len));
    }
}

/* A client of worker `w` connects, and sends `head`. */
static void null_connect(uint32_t w, wring_bytes head) {
    static wring__socket sockets[2];
    wring__backend *backend = server->workers[w].io.backend;
    null_backend_accept(backend);
    null_turns(1);
    null_receive(backend, sockets[w]++, head);
    null_turns(2);
}

static void null_open(void) {
    const unsigned each = carriers() / scenario->workers;
    const wring_bytes head = first_request();
    for (uint32_t w = 0; w < scenario->workers; w++) {
        for (unsigned i = 0; i < each; i++) {
            null_connect(w, head);
        }
    }
    if (!is_http() && opened != scenario->connections) {
        die("a connection was not upgraded");
    }
    if (is_http()) {
        reply_len = (size_t)null_sent() / scenario->connections;
    }
}

static void null_upgrades(void) {
    const unsigned before = opened;
    for (unsigned i = 0; i < scenario->connections; i++) {
        null_connect(0, wring_str(upgrade_request));
    }
    if (opened - before != scenario->connections) {
        die("a connection was not upgraded");
    }
}

static void null_round(void) {
    if (scenario->kind == UPGRADE) {
        null_upgrades();
        return;
    }
    const uint64_t before = null_sent();
    wring__backend *backend = server->workers[0].io.backend;
    for (unsigned i = 0, count = askers(); i < count; i++) {
        null_receive(backend, (wring__socket)i, wring_bytes_of(batch, batch_len));
    }
    push_round();
    null_turns(2); /* one that handles them, one that takes note that all is sent */
    const uint64_t want = (uint64_t)scenario->connections * scenario->messages * reply_len;
    const uint64_t got = null_sent() - before; /* HTTP/2: with frame heads, and windows at times */
    if (scenario->streams == 0 ? got != want : got < want + scenario->connections * 9) {
        die("not every message came out");
    }
}

static void null_run(void) {
    null_open();
    for (uint64_t i = 0; i < rounds; i++) {
        null_round();
    }
}

/* ---- over real sockets ----------------------------------------------------------------------- */

static int sockets[CONNS_MAX];
static _Atomic bool over;

static void read_all(int fd, size_t len) {
    static uint8_t sink[65536];
    while (len > 0) {
        const ssize_t n = read(fd, sink, wring__min_size(len, sizeof sink));
        if (n <= 0) {
            die("the server hung up");
        }
        len -= (size_t)n;
    }
}

/* Returns its length. */
static size_t read_head(int fd) {
    uint32_t last = 0;
    uint8_t byte;
    size_t len = 0;
    for (; last != 0x0D0A0D0A; len++) {
        if (read(fd, &byte, 1) != 1) {
            die("no answer to the first request");
        }
        last = last << 8 | byte;
    }
    return len;
}

/* The first request, and its answer. */
static void ask_first(int fd) {
    const wring_bytes head = first_request();
    if (write(fd, head.data, head.len) != (ssize_t)head.len) {
        die("cannot write the first request");
    }
    const size_t head_len = read_head(fd);
    if (is_http()) {
        const size_t body_len = scenario->kind == POST ? 3 : scenario->payload;
        read_all(fd, body_len);
        reply_len = head_len + body_len;
    }
}

static void *clients(void *unused) {
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(wring_server_port(server)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (unsigned i = 0; i < scenario->connections; i++) {
        sockets[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(sockets[i], (const struct sockaddr *)&address, sizeof address) != 0) {
            die("cannot connect");
        }
        ask_first(sockets[i]);
    }
    for (uint64_t r = 0; r < rounds; r++) {
        push_round();
        for (unsigned i = 0, count = askers(); i < count; i++) {
            if (write(sockets[i], batch, batch_len) != (ssize_t)batch_len) {
                die("write failed");
            }
        }
        for (unsigned i = 0; i < scenario->connections; i++) {
            read_all(sockets[i], scenario->messages * reply_len);
        }
    }
    for (unsigned i = 0; i < scenario->connections; i++) {
        close(sockets[i]);
    }
    atomic_store(&over, true);
    return unused;
}

static void kernel_run(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, clients, NULL) != 0) {
        die("no thread");
    }
    wring__worker *worker = &server->workers[0].io;
    while (!atomic_load(&over)) {
        turn(0, worker->backend->ops->now(worker->backend) + 20 * WRING_NS_PER_MS);
    }
    pthread_join(thread, NULL);
}

/* ---- main ------------------------------------------------------------------------------------ */

static void usage(void) {
    fputs("usage: bench-budget null|uring|epoll SCENARIO ROUNDS\n       bench-budget list\n",
          stderr);
    exit(2);
}

static void list(void) {
#ifdef WRING_DEBUG
    const char *build = "debug";
#else
    const char *build = "release";
#endif
#ifdef __clang__
    const char *compiler = "clang";
#else
    const char *compiler = "gcc";
#endif
    printf("%s %s, %s, %s kernels\n", compiler, __VERSION__, build, wring__kernels_select()->name);
    for (size_t i = 0; i < WRING_ARRAY_LEN(scenarios); i++) {
        printf("%s\n", scenarios[i].name);
    }
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        list();
        return 0;
    }
    const bool null = argc == 4 && strcmp(argv[1], "null") == 0;
    wring_backend kernel = WRING_BACKEND_AUTO;
    if (argc != 4 || (!null && (wring_backend_parse(argv[1], &kernel) != WRING_OK ||
                                kernel == WRING_BACKEND_AUTO))) {
        usage();
    }
    for (size_t i = 0; i < WRING_ARRAY_LEN(scenarios); i++) {
        scenario = strcmp(argv[2], scenarios[i].name) == 0 ? &scenarios[i] : scenario;
    }
    if (scenario == NULL ||
        (!null && (scenario->workers > 1 || scenario->kind == UPGRADE || scenario->streams > 0))) {
        usage();
    }
    rounds = strtoull(argv[3], NULL, 10);
    memset(filler, 'f', sizeof filler);
    batch_make();
    server_begin(null ? &null_backend_ops : wring__backend_ops_of(kernel));
    if (null) {
        null_run();
    } else {
        kernel_run();
    }
    const uint64_t messages = rounds * scenario->connections * scenario->messages;
    printf("{\"messages\": %llu, \"allocations\": %llu, \"turns\": %llu}\n",
           (unsigned long long)messages, (unsigned long long)allocations,
           (unsigned long long)turns());
    server_end();
    return 0;
}
