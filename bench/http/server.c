/* SPDX-License-Identifier: Apache-2.0
 *
 * bench-http-server PORT: wring's server of script/bench http, with one worker. GET /1k is answered
 * with 1 KiB, POST /post, when its body is there whole, with "ok". WRING_BACKEND picks the backend.
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

static const wring_http_handler getting = {
    .struct_size = sizeof getting, .name = "get", .request = on_get};
static const wring_http_handler posting = {
    .struct_size = sizeof posting, .name = "post", .request = on_post};

static const wring_route routes[] = {
    {.struct_size = sizeof *routes, .path = "/1k", .http = &getting},
    {.struct_size = sizeof *routes, .path = "/post", .methods = "POST", .http = &posting},
};

int main(int argc, char **argv) {
    const int port = argc == 2 ? (int)strtol(argv[1], NULL, 10) : 0;
    const wring_server_config config = {.struct_size = sizeof config,
                                        .port = (uint16_t)port,
                                        .workers = 1,
                                        .routes = routes,
                                        .route_count = 2};
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
