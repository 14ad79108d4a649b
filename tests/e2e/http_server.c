/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP and WebSocket server for the tests' scripts, which drive it with programs that nobody
 * here wrote.
 * Usage: e2e-http-server [--trust PROXY] [--tls FOLDER] [--body-max BYTES] [--http2 HOW]
 * HOW is `all`, `requests`: HTTP/2 without WebSockets, or `many`: 1,000 requests of a connection at
 * a time. By ALPN and by prior knowledge.
 *
 * It says "port N". What it logs goes to standard error, a line each, and so does every exchange
 * that did not end with WRING_OK. The end of input stops it; then it says
 * "exchanges N connections N".
 *
 *   /         an empty page, for a browser's scripts
 *   /hello    GET, POST: what was asked for, as JSON
 *   /big      1 MiB; ?how=pieces: in pieces, as fast as the client takes them
 *   /late     answered by another thread after some time
 *   /echo     POST, PUT: the body, as it comes; ?end=early: nothing, at once
 *   /copy     POST, PUT: the body, when it is there whole
 *   /go       GET, POST: a redirect to ?to= with the status ?status=, and a cookie
 *   /sse      text/event-stream: three events a connection, from Last-Event-ID on; 204 after nine
 *   /ws       a WebSocket that echoes
 *   /auth     a WebSocket that says who was let in, then echoes. ?how= says how that is decided
 *   /peer     a WebSocket that says "ADDRESS:PORT HTTP-VERSION" of its connection, then echoes
 *   /deflate  a WebSocket that echoes, with permessage-deflate
 */
#include "http_server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BIG_BYTES        (1024 * 1024)
#define PIECE_BYTES      (64 * 1024)
#define STREAM_BYTES_MAX (64 * 1024 * 1024)
#define EVENTS_EACH      3
#define EVENTS_ALL       9

static uint8_t big_body[BIG_BYTES];
static atomic_uint threads;    /* that were started and have not ended */
static _Atomic uint64_t ended; /* exchanges */

void check(wring_result result, const char *what) {
    if (result != WRING_OK && result != WRING_ERR_CLOSED) {
        fprintf(stderr, "%s: %s\n", what, wring_result_name(result));
    }
}

void answer_text(wring_exchange *exchange, uint16_t status, const char *text) {
    const wring_answer answer = {
        .struct_size = sizeof answer, .status = status, .body = wring_str(text)};
    check(wring_exchange_answer(exchange, &answer), "answer");
}

void on_done(wring_exchange *exchange, const wring_exchange_end *end) {
    const wring_request *request = wring_exchange_request(exchange);
    atomic_fetch_add(&ended, 1);
    if (end->result != WRING_OK) {
        fprintf(stderr, "done %.*s %s %u\n", (int)request->path.len,
                (const char *)request->path.data, wring_result_name(end->result),
                (unsigned)end->status);
    }
}

/* ---- work for another thread ----------------------------------------------------------------- */

struct task {
    wring_ref ref;
    void (*run)(wring_ref ref, uint64_t number);
    uint64_t number;
};

static void *task_run(void *opts) {
    struct task task = *(struct task *)opts;
    free(opts);
    task.run(task.ref, task.number);
    atomic_fetch_sub(&threads, 1);
    return NULL;
}

void task_start(wring_exchange *exchange, void (*run)(wring_ref, uint64_t), uint64_t number) {
    pthread_t thread;
    struct task *task = malloc(sizeof *task);
    *task = (struct task){.run = run, .number = number};
    check(wring_exchange_ref(exchange, &task->ref), "ref");
    atomic_fetch_add(&threads, 1);
    if (pthread_create(&thread, NULL, task_run, task) != 0) {
        abort();
    }
    pthread_detach(thread);
}

/* ---- /hello, /, /big, /late ------------------------------------------------------------------ */

static void on_page(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer,
                                 .content_type = "text/html; charset=utf-8",
                                 .body = wring_str("<!doctype html><title>wring</title>\n")};
    (void)request;
    (void)opts;
    check(wring_exchange_answer(exchange, &answer), "answer");
}

static void on_hello(wring_exchange *exchange, const wring_request *request, void *opts) {
    char text[1024];
    uint64_t sum = 0;
    wring_bytes agent = {0};
    wring_bytes cookie = {0};
    (void)opts;
    for (size_t i = 0; i < request->body.len; i++) {
        sum += request->body.data[i];
    }
    (void)wring_headers_get(request->headers, "x-asked", &agent);
    (void)wring_cookie_get(request->headers, "sid", &cookie);
    const char *who = request->tls == NULL ? "" : request->tls->peer_name; /* "CN:name\n..." */
    const int len =
        snprintf(text, sizeof text,
                 "{\"method\":\"%.*s\",\"version\":%u,\"host\":\"%.*s\",\"peer\":\"%.*s\","
                 "\"query\":\"%.*s\",\"who\":\"%.*s\","
                 "\"asked\":\"%.*s\",\"cookie\":\"%.*s\",\"bytes\":%zu,\"sum\":%llu}\n",
                 (int)request->method.len, (const char *)request->method.data,
                 request->http_version, (int)request->host.len, (const char *)request->host.data,
                 (int)request->peer.len, (const char *)request->peer.data, (int)request->query.len,
                 (const char *)request->query.data, (int)strcspn(who, "\n"), who, (int)agent.len,
                 (const char *)agent.data, (int)cookie.len, (const char *)cookie.data,
                 request->body.len, (unsigned long long)sum);
    const wring_answer answer = {
        .struct_size = sizeof answer,
        .content_type = "application/json",
        .body = wring_bytes_of(text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1)};
    check(wring_exchange_answer(exchange, &answer), "answer");
}

void query_text(const wring_request *request, const char *name, char *out, size_t cap) {
    size_t len = 0;
    if (wring_query_get(request->query, name, (uint8_t *)out, cap - 1, &len) != WRING_OK) {
        len = 0;
    }
    out[len] = 0;
}

static void on_go(wring_exchange *exchange, const wring_request *request, void *opts) {
    char to[256];
    char status[8];
    (void)opts;
    query_text(request, "to", to, sizeof to);
    query_text(request, "status", status, sizeof status);
    const wring_header headers[] = {{wring_str("Location"), wring_str(to)},
                                    {wring_str("Set-Cookie"), wring_str("sid=gone; Path=/")}};
    const wring_answer answer = {.struct_size = sizeof answer,
                                 .status = (uint16_t)strtoul(status, NULL, 10),
                                 .headers = {headers, 2},
                                 .body = wring_str("go on\n")};
    check(wring_exchange_answer(exchange, &answer), "answer");
}

/* Writes until the queue is full: `drained` goes on. */
static void big_go_on(wring_exchange *exchange) {
    size_t *at = wring_exchange_user(exchange);
    while (*at < BIG_BYTES) {
        const wring_result result =
            wring_exchange_answer_write(exchange, wring_bytes_of(big_body + *at, PIECE_BYTES));
        if (result == WRING_ERR_QUEUE_FULL) {
            return;
        }
        check(result, "write");
        *at += PIECE_BYTES;
    }
    check(wring_exchange_answer_end(exchange), "end");
}

static void on_big(wring_exchange *exchange, const wring_request *request, void *opts) {
    wring_answer answer = {.struct_size = sizeof answer,
                           .content_type = "application/octet-stream"};
    (void)opts;
    if (wring_bytes_equal(request->query, wring_str("how=pieces"))) {
        check(wring_exchange_answer_begin(exchange, &answer), "begin");
        big_go_on(exchange);
    } else {
        answer.body = wring_bytes_of(big_body, sizeof big_body);
        check(wring_exchange_answer(exchange, &answer), "answer");
    }
}

static void late_run(wring_ref ref, uint64_t number) {
    static const wring_answer answer = {
        .struct_size = sizeof answer, .status = 201, .body = {(const uint8_t *)"late\n", 5}};
    usleep((useconds_t)(50 + number % 151) * 1000);
    check(wring_ref_answer(ref, &answer), "late answer");
}

static void on_late(wring_exchange *exchange, const wring_request *request, void *opts) {
    static atomic_uint number;
    (void)request;
    (void)opts;
    task_start(exchange, late_run, atomic_fetch_add(&number, 37));
}

/* ---- /echo ----------------------------------------------------------------------------------- */

static void on_echo(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer,
                                 .content_type = "application/octet-stream"};
    (void)opts;
    check(wring_exchange_answer_begin(exchange, &answer), "begin");
    if (wring_bytes_equal(request->query, wring_str("end=early"))) {
        check(wring_exchange_answer_end(exchange), "early end");
    }
}

static void echo_piece(wring_exchange *exchange, wring_bytes piece, bool is_last) {
    check(wring_exchange_answer_write(exchange, piece), "echo");
    if (is_last) {
        check(wring_exchange_answer_end(exchange), "echo end");
    }
}

static void on_copy(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer,
                                 .content_type = "application/octet-stream",
                                 .body = request->body};
    (void)opts;
    check(wring_exchange_answer(exchange, &answer), "answer");
}

/* ---- /sse ------------------------------------------------------------------------------------ */

static void events_run(wring_ref ref, uint64_t number) {
    for (uint64_t i = 1; i <= EVENTS_EACH; i++) {
        const wring_info info = {.tag = number + i};
        usleep(20 * 1000);
        check(wring_ref_post(ref, &info, NULL), "post");
    }
}

static void on_sse(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer,
                                 .content_type = "text/event-stream",
                                 .body = wring_str("retry: 50\n: hello\n\n")};
    uint64_t *last = wring_exchange_user(exchange);
    wring_bytes value;
    char text[24] = "";
    (void)opts;
    if (wring_headers_get(request->headers, "last-event-id", &value) && value.len < sizeof text) {
        memcpy(text, value.data, value.len);
    }
    const uint64_t number = strtoull(text, NULL, 10);
    if (number >= EVENTS_ALL) { /* tells an EventSource to come no more */
        answer_text(exchange, 204, "");
        return;
    }
    *last = number + EVENTS_EACH;
    check(wring_exchange_answer_begin(exchange, &answer), "begin");
    task_start(exchange, events_run, number);
}

static void on_event(wring_exchange *exchange, const wring_info *info) {
    const uint64_t *last = wring_exchange_user(exchange);
    char text[128];
    const int len = snprintf(text, sizeof text, "id: %llu\nevent: count\ndata: event %llu\n\n",
                             (unsigned long long)info->tag, (unsigned long long)info->tag);
    check(wring_exchange_answer_write(exchange, wring_bytes_of(text, (size_t)len)), "event");
    if (info->tag == *last) {
        check(wring_exchange_answer_end(exchange), "last event");
    }
}

/* ---- the server ------------------------------------------------------------------------------ */

static const wring_http_handler page = {
    .struct_size = sizeof page, .name = "page", .request = on_page, .done = on_done};
static const wring_http_handler hello = {
    .struct_size = sizeof hello, .name = "hello", .request = on_hello, .done = on_done};
static const wring_http_handler go = {
    .struct_size = sizeof go, .name = "go", .request = on_go, .done = on_done};
static const wring_http_handler big = {.struct_size = sizeof big,
                                       .name = "big",
                                       .state_size = sizeof(size_t),
                                       .request = on_big,
                                       .drained = big_go_on,
                                       .done = on_done};
static const wring_http_handler late = {
    .struct_size = sizeof late, .name = "late", .request = on_late, .done = on_done};
static const wring_http_handler echo = {.struct_size = sizeof echo,
                                        .name = "echo",
                                        .request = on_echo,
                                        .body = echo_piece,
                                        .done = on_done};
static const wring_http_handler copy = {
    .struct_size = sizeof copy, .name = "copy", .request = on_copy, .done = on_done};
static const wring_http_handler sse = {.struct_size = sizeof sse,
                                       .name = "sse",
                                       .state_size = sizeof(uint64_t),
                                       .request = on_sse,
                                       .info = on_event,
                                       .done = on_done};

static const wring_route routes[] = {
    {.struct_size = sizeof(wring_route), .path = "/", .http = &page},
    {.struct_size = sizeof(wring_route), .path = "/hello", .methods = "GET, POST", .http = &hello},
    {.struct_size = sizeof(wring_route), .path = "/go", .methods = "GET, POST", .http = &go},
    {.struct_size = sizeof(wring_route), .path = "/big", .http = &big},
    {.struct_size = sizeof(wring_route), .path = "/late", .methods = "GET, POST", .http = &late},
    {.struct_size = sizeof(wring_route),
     .path = "/echo",
     .methods = "POST, PUT",
     .http = &echo,
     .body_bytes_max = STREAM_BYTES_MAX},
    {.struct_size = sizeof(wring_route),
     .path = "/copy",
     .methods = "POST, PUT",
     .http = &copy,
     .body_bytes_max = STREAM_BYTES_MAX},
    {.struct_size = sizeof(wring_route), .path = "/sse", .http = &sse},
    {.struct_size = sizeof(wring_route), .path = "/ws", .handler = &http_echo},
    {.struct_size = sizeof(wring_route),
     .path = "/auth",
     .handler = &http_greeter,
     .upgrade = &http_auth},
    {.struct_size = sizeof(wring_route), .path = "/peer", .handler = &http_peer},
    {.struct_size = sizeof(wring_route),
     .path = "/deflate",
     .handler = &http_echo,
     .policy = &http_deflate},
};

/* One call of fprintf a record: records of several workers do not mix. */
static void log_write(const wring_log_record *record, void *opts) {
    (void)opts;
    fprintf(stderr, "log %s: %s\n", record->event, record->text);
}

static int serve(wring_server_config *config) {
    static const wring_log_config log = {.struct_size = sizeof log,
                                         .level = WRING_LOG_INFO,
                                         .write = log_write,
                                         .repeat_burst = WRING_OFF};
    wring_server *server;
    wring_error error;
    config->log = &log;
    config->routes = routes;
    config->route_count = sizeof routes / sizeof routes[0];
    if (wring_server_create(config, &server, &error) != WRING_OK ||
        wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    printf("port %u\n", wring_server_port(server));
    fflush(stdout);
    while (getchar() != EOF) {
    }
    wring_server_stats stats = {.struct_size = sizeof stats};
    wring_server_stop(server, 1000);
    check(wring_server_get_stats(server, &stats), "stats");
    wring_server_destroy(server);
    while (atomic_load(&threads) > 0) {
        usleep(1000);
    }
    printf("exchanges %llu connections %llu\n", (unsigned long long)atomic_load(&ended),
           (unsigned long long)stats.accepted);
    return 0;
}

int main(int argc, char **argv) {
    wring_server_config config = {.struct_size = sizeof config, .workers = 2};
    wring_tls_server_config tls = {.struct_size = sizeof tls};
    wring_http2_config http2 = {.struct_size = sizeof http2, .cleartext = true};
    char cert[512];
    char key[512];
    char ca[512];
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--trust") == 0) {
            config.trusted_proxies = (const char *const *)&argv[i + 1];
            config.trusted_proxy_count = 1;
        } else if (strcmp(argv[i], "--body-max") == 0) {
            config.body_bytes_max = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--tls") == 0) {
            (void)snprintf(cert, sizeof cert, "%s/server.pem", argv[i + 1]);
            (void)snprintf(key, sizeof key, "%s/server.key", argv[i + 1]);
            tls.cert_file = cert;
            tls.key_file = key;
            (void)snprintf(ca, sizeof ca, "%s/ca.pem", argv[i + 1]);
            tls.client_ca_file = ca;
            tls.client_optional = true;
            config.tls = &tls;
        } else if (strcmp(argv[i], "--http2") == 0) {
            http2.no_websockets = strcmp(argv[i + 1], "requests") == 0;
            http2.requests_max = strcmp(argv[i + 1], "many") == 0 ? 1000 : 0;
            config.http2 = &http2;
        } else {
            return 2;
        }
    }
    for (size_t i = 0; i < sizeof big_body; i++) {
        big_body[i] = (uint8_t)(i % 251);
    }
    return serve(&config);
}
