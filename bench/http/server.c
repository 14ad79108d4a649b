/* SPDX-License-Identifier: Apache-2.0
 *
 * bench-http-server PORT: wring's server of script/bench http and beside, with one worker. GET /1k
 * is answered with 1 KiB, POST /post, when its body is there whole, with "ok", GET /100m with
 * 100 MB in pieces; /echo is a WebSocket. WRING_BACKEND picks the backend.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "wring/wring.h"

static uint8_t page[1024];

static void answer(wring_exchange *exchange, wring_bytes body) {
    const wring_answer with = {.struct_size = sizeof with, .body = body};
    if (wring_exchange_answer(exchange, &with) != WRING_OK) {
        wring_exchange_abort(exchange);
    }
}

static void on_get(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    answer(exchange, wring_bytes_of(page, sizeof page));
}

static void on_post(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)opts;
    answer(exchange, wring_str(request->body.len == sizeof page ? "ok\n" : "no\n"));
}

/* As much as the queue takes, each time that it has room. */
#define LONG_BYTES UINT64_C(100000000)

static void long_go_on(wring_exchange *exchange) {
    static uint8_t piece[16 * 1024];
    uint64_t *left = wring_exchange_user(exchange);
    while (*left > 0) {
        const size_t len = *left < sizeof piece ? (size_t)*left : sizeof piece;
        const wring_result result =
            wring_exchange_answer_write(exchange, wring_bytes_of(piece, len));
        if (result != WRING_OK) { /* `drained` follows, or `done` */
            return;
        }
        *left -= len;
    }
    (void)!wring_exchange_answer_end(exchange);
}

static void on_long(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer begin = {.struct_size = sizeof begin, .body_bytes = LONG_BYTES};
    (void)request;
    (void)opts;
    *(uint64_t *)wring_exchange_user(exchange) = LONG_BYTES;
    if (wring_exchange_answer_begin(exchange, &begin) != WRING_OK) {
        wring_exchange_abort(exchange);
        return;
    }
    long_go_on(exchange);
}

static wring_verdict on_message(wring_session *session, const wring_message *message) {
    const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
    if (message->opcode != WRING_TEXT && message->opcode != WRING_BINARY) {
        return WRING_CONTINUE;
    }
    return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

static const wring_handler echo = {
    .struct_size = sizeof echo, .name = "echo", .handle_in = on_message};
static const wring_http_handler lengthy = {.struct_size = sizeof lengthy,
                                           .name = "long",
                                           .state_size = sizeof(uint64_t),
                                           .request = on_long,
                                           .drained = long_go_on};
static const wring_http_handler getting = {
    .struct_size = sizeof getting, .name = "get", .request = on_get};
static const wring_http_handler posting = {
    .struct_size = sizeof posting, .name = "post", .request = on_post};

static const wring_route routes[] = {
    {.struct_size = sizeof *routes, .path = "/1k", .http = &getting},
    {.struct_size = sizeof *routes, .path = "/post", .methods = "POST", .http = &posting},
    {.struct_size = sizeof *routes, .path = "/100m", .http = &lengthy},
    {.struct_size = sizeof *routes, .path = "/echo", .handler = &echo},
};

int main(int argc, char **argv) {
    const int port = argc == 2 ? (int)strtol(argv[1], NULL, 10) : 0;
    const wring_http2_config http2 = {.struct_size = sizeof http2, .cleartext = true};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .http2 = &http2,
                                        .port = (uint16_t)port,
                                        .workers = 1,
                                        .routes = routes,
                                        .route_count = sizeof routes / sizeof *routes};
    wring_server *server = NULL;
    wring_error error;
    if (port <= 0 || port > UINT16_MAX) {
        fputs("usage: bench-http-server PORT\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < sizeof page; i++) {
        page[i] = (uint8_t)('a' + i % 26);
    }
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL); /* before the worker begins, which inherits it */
    if (wring_server_create(&config, &server, &error) != WRING_OK ||
        wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "bench-http-server: %s\n", error.text);
        return 1;
    }
    int got;
    sigwait(&ends, &got);
    wring_server_stop(server, 0);
    wring_server_destroy(server);
    return 0;
}
