/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP server for tests that attack one: a route for each way of answering. It says "port N",
 * then one line for each exchange that ended ("done /late OK 201"). No timeout passes during a
 * test, unless --timeout sets all of them. The end of input ends it: then it says "begun N ended
 * N", the exchanges whose handler was asked, and those that `done` was called for. The line "drain"
 * stops it in order, "stop" at once, and any other is answered with some statistics.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wring/wring.h>

#define BIG_BYTES  ((size_t)256 * 1024)
#define FOREVER_MS 600000

static uint8_t big[BIG_BYTES];
static _Atomic uint64_t begun;
static _Atomic uint64_t ended;
static bool is_quiet; /* says nothing of single exchanges */

static void say(const char *text) {
    printf("%s\n", text);
    fflush(stdout);
}

static void must(wring_result result, const char *what) {
    if (result != WRING_OK && result != WRING_ERR_CLOSED) {
        fprintf(stderr, "fault: %s gave %s\n", what, wring_result_name(result));
    }
}

static void done(wring_exchange *exchange, const wring_exchange_end *end) {
    char line[300];
    atomic_fetch_add(&ended, 1);
    if (is_quiet) {
        return;
    }
    const wring_request *request = wring_exchange_request(exchange);
    (void)snprintf(line, sizeof line, "done %.*s %s %u", (int)request->path.len,
                   (const char *)request->path.data, wring_result_name(end->result),
                   (unsigned)end->status);
    say(line);
}

/* ---- answers at once ------------------------------------------------------------------------- */

/* "GET /hello?query [body]": which request it is that was answered. */
static wring_bytes echo_text(const wring_request *request, char *out, size_t cap) {
    const int len = snprintf(out, cap, "%.*s %.*s?%.*s [%.*s]\n", (int)request->method.len,
                             (const char *)request->method.data, (int)request->path.len,
                             (const char *)request->path.data, (int)request->query.len,
                             request->query.len == 0 ? "" : (const char *)request->query.data,
                             (int)(request->body.len < 64 ? request->body.len : 64),
                             request->body.len == 0 ? "" : (const char *)request->body.data);
    return wring_bytes_of(out, (size_t)len < cap ? (size_t)len : cap - 1);
}

static void hello(wring_exchange *exchange, const wring_request *request, void *opts) {
    char text[4096];
    wring_answer answer = {.struct_size = sizeof answer, .body = echo_text(request, text, 4096)};
    (void)opts;
    must(wring_exchange_answer(exchange, &answer), "answer");
}

/* The status that the route's opts name, without a body. */
static void status(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer, .status = *(const uint16_t *)opts};
    (void)request;
    must(wring_exchange_answer(exchange, &answer), "answer");
}

static void send_big(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer,
                                 .body = wring_bytes_of(big, sizeof big)};
    (void)request;
    (void)opts;
    must(wring_exchange_answer(exchange, &answer), "answer");
}

static void nothing(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)exchange;
    (void)request;
    (void)opts;
}

static void cut(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    wring_exchange_abort(exchange);
    wring_exchange_abort(exchange);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static void begin(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer, .body = wring_str("first\n")};
    (void)request;
    (void)opts;
    must(wring_exchange_answer_begin(exchange, &answer), "answer_begin");
}

static void mirror(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer};
    (void)request;
    (void)opts;
    must(wring_exchange_answer_begin(exchange, &answer), "answer_begin");
}

static void mirror_body(wring_exchange *exchange, wring_bytes piece, bool is_last) {
    const wring_result result = wring_exchange_answer_write(exchange, piece);
    if (result == WRING_ERR_QUEUE_FULL) {
        wring_exchange_abort(exchange);
        return;
    }
    must(result, "answer_write");
    if (is_last) {
        must(wring_exchange_answer_end(exchange), "answer_end");
    }
}

/* Two pieces whose sum is announced, or less than it. */
static void measured(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer, .body_bytes = 10};
    (void)opts;
    must(wring_exchange_answer_begin(exchange, &answer), "answer_begin");
    must(wring_exchange_answer_write(exchange, wring_str("01234")), "answer_write");
    if (request->query.len == 0) {
        must(wring_exchange_answer_write(exchange, wring_str("56789")), "answer_write");
        must(wring_exchange_answer_end(exchange), "answer_end");
    } else if (wring_exchange_answer_end(exchange) != WRING_ERR_INVALID_STATE) {
        fprintf(stderr, "fault: a short answer ended\n");
    }
}

/* ---- later ----------------------------------------------------------------------------------- */

struct late {
    wring_ref ref;
    uint32_t times;
    bool is_accept;
    uint16_t status;
};

static void lost(void *data) {
    (void)data;
    say("lost");
}

static void *late_run(void *arg) {
    struct late *late = arg;
    char text[64];
    const wring_answer answer = {
        .struct_size = sizeof answer,
        .status = late->status,
        .body = wring_bytes_of(text, (size_t)snprintf(text, sizeof text, "late\n"))};
    const wring_accept accept = {.struct_size = sizeof accept, .data = big, .lost = lost};
    usleep(3000);
    for (uint32_t i = 0; i < late->times; i++) {
        must(late->is_accept ? wring_ref_accept(late->ref, &accept)
                             : wring_ref_answer(late->ref, &answer),
             "by ref");
    }
    free(late);
    return NULL;
}

static void late_start(wring_exchange *exchange, bool is_accept, uint16_t answer_status,
                       uint32_t times) {
    pthread_t thread;
    struct late *late = malloc(sizeof *late);
    *late = (struct late){.times = times, .is_accept = is_accept, .status = answer_status};
    must(wring_exchange_ref(exchange, &late->ref), "ref");
    if (pthread_create(&thread, NULL, late_run, late) != 0) {
        abort();
    }
    (void)pthread_detach(thread);
}

/* /late answers once, /late?twice many times: the second to nobody. */
static void later(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)opts;
    late_start(exchange, false, 201, request->query.len > 0 ? 3 : 1);
}

static void never(wring_exchange *exchange, const wring_request *request, void *opts) {
    wring_ref ref;
    (void)request;
    (void)opts;
    must(wring_exchange_ref(exchange, &ref), "ref");
}

static void *info_run(void *arg) {
    wring_ref *ref = arg;
    usleep(3000);
    const wring_info info = {.tag = 1};
    must(wring_ref_post(*ref, &info, NULL), "post");
    free(ref);
    return NULL;
}

static void info_ask(wring_exchange *exchange) {
    pthread_t thread;
    wring_ref *ref = malloc(sizeof *ref);
    must(wring_exchange_ref(exchange, ref), "ref");
    if (pthread_create(&thread, NULL, info_run, ref) != 0) {
        abort();
    }
    (void)pthread_detach(thread);
}

/* Answered from `info`, with the request as it is then. */
static void asked(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    info_ask(exchange);
}

static void asked_info(wring_exchange *exchange, const wring_info *info) {
    (void)info;
    hello(exchange, wring_exchange_request(exchange), NULL);
}

/* Part of an answer leaves, then the connection is cut. */
static void torn(wring_exchange *exchange, const wring_request *request, void *opts) {
    begin(exchange, request, opts);
    info_ask(exchange);
}

static void torn_info(wring_exchange *exchange, const wring_info *info) {
    (void)info;
    wring_exchange_abort(exchange);
}

/* ---- bodies that are paused ------------------------------------------------------------------ */

static void slow_body(wring_exchange *exchange, wring_bytes piece, bool is_last) {
    if (is_last) {
        hello(exchange, wring_exchange_request(exchange), NULL);
    } else if (piece.len > 0) {
        wring_exchange_pause(exchange); /* until `info` */
        info_ask(exchange);
    }
}

static void slow_info(wring_exchange *exchange, const wring_info *info) {
    (void)info;
    wring_exchange_resume(exchange);
}

/* Never read, until its client goes. */
static void paused(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    wring_exchange_pause(exchange);
}

static void paused_body(wring_exchange *exchange, wring_bytes piece, bool is_last) {
    (void)exchange;
    (void)piece;
    (void)is_last;
}

/* ---- upgrades -------------------------------------------------------------------------------- */

static void decide(wring_exchange *exchange, const wring_request *request, void *opts) {
    wring_bytes what = wring_str("accept");
    const wring_answer answer = {
        .struct_size = sizeof answer, .status = 401, .body = wring_str("who are you?\n")};
    (void)opts;
    wring_headers_get(request->headers, "x-do", &what);
    switch (what.data[0]) {
    case 'a': /* accept */
        must(wring_exchange_accept(exchange, NULL), "accept");
        break;
    case 'r': /* refuse */
        must(wring_exchange_answer(exchange, &answer), "answer");
        break;
    case 'l': /* later */
        late_start(exchange, true, 0, 2);
        break;
    case 'd': /* denied later */
        late_start(exchange, false, 403, 1);
        break;
    case 'n': /* never */
        never(exchange, request, NULL);
        break;
    case 'x':
        wring_exchange_abort(exchange);
        break;
    default: /* nothing at all */
        break;
    }
}

static wring_verdict echo(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY) {
        const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
    }
    return WRING_CONTINUE;
}

/* ---- the server ------------------------------------------------------------------------------ */

/* A handler whose requests are counted. */
#define HANDLER(name_, request_, body_, info_)                                                     \
    static void name_##_counted(wring_exchange *exchange, const wring_request *request,            \
                                void *opts) {                                                      \
        atomic_fetch_add(&begun, 1);                                                               \
        request_(exchange, request, opts);                                                         \
    }                                                                                              \
    static const wring_http_handler name_##_http = {.struct_size = sizeof(wring_http_handler),     \
                                                    .name = #name_,                                \
                                                    .request = name_##_counted,                    \
                                                    .body = body_,                                 \
                                                    .info = info_,                                 \
                                                    .done = done}

HANDLER(hello, hello, NULL, NULL);
HANDLER(status, status, NULL, NULL);
HANDLER(big, send_big, NULL, NULL);
HANDLER(none, nothing, NULL, NULL);
HANDLER(cut, cut, NULL, NULL);
HANDLER(begin, begin, NULL, NULL);
HANDLER(mirror, mirror, mirror_body, NULL);
HANDLER(measured, measured, NULL, NULL);
HANDLER(late, later, NULL, NULL);
HANDLER(never, never, NULL, NULL);
HANDLER(asked, asked, NULL, asked_info);
HANDLER(slow, nothing, slow_body, slow_info);
HANDLER(paused, paused, paused_body, NULL);
HANDLER(torn, torn, NULL, torn_info);
HANDLER(decide, decide, NULL, NULL);
static const wring_handler echo_handler = {
    .struct_size = sizeof echo_handler, .name = "echo", .handle_in = echo};

static uint16_t no_content = 204, not_modified = 304, teapot = 418;
static const char *const chat[] = {"chat"};

#define ROUTE(path_, ...)                                                                          \
    { .struct_size = sizeof(wring_route), .path = path_, __VA_ARGS__ }
static const wring_route routes[] = {
    ROUTE("/hello", .methods = "GET, POST", .http = &hello_http),
    ROUTE("/any", .methods = "*", .http = &hello_http),
    ROUTE("/odd", .methods = "GET, BREW", .http = &hello_http),
    ROUTE("/u/{id}/*", .http = &hello_http),
    ROUTE("/post", .methods = "POST", .http = &hello_http),
    ROUTE("/204", .methods = "*", .http = &status_http, .opts = &no_content),
    ROUTE("/304", .http = &status_http, .opts = &not_modified),
    ROUTE("/418", .http = &status_http, .opts = &teapot),
    ROUTE("/big", .http = &big_http),
    ROUTE("/none", .http = &none_http),
    ROUTE("/cut", .http = &cut_http),
    ROUTE("/begin", .http = &begin_http),
    ROUTE("/mirror", .methods = "POST", .http = &mirror_http),
    ROUTE("/measured", .http = &measured_http),
    ROUTE("/late", .methods = "*", .http = &late_http),
    ROUTE("/never", .methods = "*", .http = &never_http),
    ROUTE("/asked", .methods = "POST", .http = &asked_http),
    ROUTE("/slow", .methods = "POST", .http = &slow_http),
    ROUTE("/paused", .methods = "POST", .http = &paused_http),
    ROUTE("/torn", .http = &torn_http),
    ROUTE("/ws", .handler = &echo_handler),
    ROUTE("/chat", .handler = &echo_handler, .subprotocols = chat, .subprotocol_count = 1),
    ROUTE("/both", .handler = &echo_handler, .http = &hello_http),
    ROUTE("/auth", .handler = &echo_handler, .upgrade = &decide_http),
};

static void statistics_say(const wring_server *server) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    char text[400];
    (void)wring_server_get_stats(server, &stats);
    (void)snprintf(
        text, sizeof text,
        "statistics connections=%llu sessions=%llu held=%llu accepted=%llu closed=%llu "
        "evicted=%llu refused_total=%llu refused_source=%llu begun=%llu ended=%llu",
        (unsigned long long)stats.connections, (unsigned long long)stats.sessions,
        (unsigned long long)stats.memory_held_bytes, (unsigned long long)stats.accepted,
        (unsigned long long)stats.closed, (unsigned long long)stats.handshakes_evicted,
        (unsigned long long)stats.refused_total, (unsigned long long)stats.refused_source,
        (unsigned long long)atomic_load(&begun), (unsigned long long)atomic_load(&ended));
    say(text);
}

static void lines_obey(wring_server *server) {
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strcmp(line, "drain\n") == 0) {
            wring_server_stop(server, 3000);
            say("drained");
        } else if (strcmp(line, "stop\n") == 0) {
            wring_server_stop(server, 0);
            say("stopped");
        } else {
            statistics_say(server);
        }
    }
}

/* The certificates of a folder: its server's, and another for one more name. */
static void tls_set(wring_server_config *config, wring_tls_server_config *tls, const char *folder) {
    static char paths[4][512];
    static const char *const names[] = {"server.pem", "server.key", "second.pem", "second.key"};
    static wring_tls_sni second = {.struct_size = sizeof second, .server_name = "second.example"};
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "%s/%s", folder, names[i]);
    }
    tls->cert_file = paths[0];
    tls->key_file = paths[1];
    second.cert_file = paths[2];
    second.key_file = paths[3];
    tls->sni = &second;
    tls->sni_count = 1;
    config->tls = tls;
}

/* HTTP/2, also without TLS, with so many requests and WebSockets of one connection. */
static void http2_set(wring_server_config *config, uint32_t streams_max) {
    static wring_http2_config http2 = {.struct_size = sizeof http2, .cleartext = true};
    http2.requests_max = http2.sessions_max = streams_max;
    config->http2 = &http2;
}

static bool options_read(wring_server_config *config, wring_tls_server_config *tls, int argc,
                         char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i];
        const uint32_t value = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        if (strcmp(name, "--timeout") == 0) {
            config->handshake_timeout_ms = config->keep_alive_timeout_ms = value;
            config->body_timeout_ms = config->answer_timeout_ms = value;
        } else if (strcmp(name, "--workers") == 0) {
            config->workers = value;
        } else if (strcmp(name, "--handshakes") == 0) {
            config->handshakes_max = value;
        } else if (strcmp(name, "--connections") == 0) {
            config->connections_total_max = value;
        } else if (strcmp(name, "--budget") == 0) {
            config->memory_budget_bytes = value;
        } else if (strcmp(name, "--quiet") == 0) {
            is_quiet = value != 0;
        } else if (strcmp(name, "--tls") == 0) {
            tls_set(config, tls, argv[i + 1]);
        } else if (strcmp(name, "--http2") == 0) {
            http2_set(config, value);
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv) {
    wring_tls_server_config tls = {.struct_size = sizeof tls};
    wring_server_config config = {
        .struct_size = sizeof config,
        .workers = 1,
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .handshake_timeout_ms = FOREVER_MS,
        .handshake_bytes_max = 8192,
        .target_bytes_max = 1024,
        .keep_alive_timeout_ms = FOREVER_MS,
        .body_timeout_ms = FOREVER_MS,
        .answer_timeout_ms = FOREVER_MS,
        .body_bytes_max = 100000,
    };
    wring_server *server;
    wring_error error;
    if (!options_read(&config, &tls, argc, argv)) {
        return 2;
    }
    if (wring_server_create(&config, &server, &error) != WRING_OK ||
        wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 2;
    }
    printf("port %u\n", wring_server_port(server));
    fflush(stdout);
    lines_obey(server);
    wring_server_stop(server, 0);
    wring_server_destroy(server);
    printf("begun %llu ended %llu\n", (unsigned long long)atomic_load(&begun),
           (unsigned long long)atomic_load(&ended));
    return 0;
}
