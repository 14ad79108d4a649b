/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP API that speaks JSON (with jansson): notes that clients keep here.
 *
 *   GET    /notes                            all of them, one on each line
 *   GET    /notes/{id}                       200 {"id":1,"text":"buy milk"}, or 404
 *   POST   /notes       {"text":"buy milk"}  201, and Location
 *   PUT    /notes/{id}  {"text":"buy tea"}   200, or 404
 *   DELETE /notes/{id}                       204, or 404
 *   POST   /primes      {"below":100}        200 {"primes":25}, from a thread of a pool
 *   POST   /session     {"name":"ann"}       204, and a cookie for /live
 *   GET    /events                           changes, as server-sent events
 *   /live                                    changes, by WebSocket
 *
 * POST, PUT and DELETE need `Authorization: Bearer TOKEN`; /live needs the token or the cookie.
 * Usage: HTTP_API_TOKEN=TOKEN http_api [port]; SIGINT and SIGTERM end it when all is answered.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "examples/http_api/api.h"

#define ROUTE .struct_size = sizeof(wring_route)
#define HTTP(call)                                                                                 \
    &(const wring_http_handler) {                                                                  \
        .struct_size = sizeof(wring_http_handler), .request = call                                 \
    }

static const wring_route routes[] = {
    {ROUTE, .path = "/notes", .http = &api_notes},
    {ROUTE, .path = "/notes", .methods = "POST", .http = HTTP(api_note_post)},
    {ROUTE, .path = "/notes/{id}", .http = HTTP(api_note_get)},
    {ROUTE, .path = "/notes/{id}", .methods = "PUT", .http = HTTP(api_note_put)},
    {ROUTE, .path = "/notes/{id}", .methods = "DELETE", .http = HTTP(api_note_delete)},
    {ROUTE, .path = "/primes", .methods = "POST", .http = HTTP(api_primes_post)},
    {ROUTE, .path = "/session", .methods = "POST", .http = HTTP(api_session_post)},
    {ROUTE, .path = "/events", .http = &api_events},
    {ROUTE, .path = "/live", .handler = &api_live, .upgrade = HTTP(api_live_decide)},
};

static bool serve(const wring_server_config *config, const sigset_t *signals) {
    wring_server *server = NULL;
    wring_error error;
    int signal;
    if (wring_server_create(config, &server, &error) != WRING_OK ||
        wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        wring_server_destroy(server);
        return false;
    }
    api_pool_start();
    printf("listening on port %u\n", wring_server_port(server));
    fflush(stdout);
    sigwait(signals, &signal);
    api_events_stop();
    wring_server_stop(server, 10000); /* the pool goes on, so that what was asked is answered */
    api_pool_end();
    wring_server_destroy(server); /* after the last wring_ref_answer */
    api_notes_free();
    return true;
}

int main(int argc, char **argv) {
    const wring_server_config config = {.struct_size = sizeof config,
                                        .port =
                                            argc > 1 ? (uint16_t)strtoul(argv[1], NULL, 10) : 8080,
                                        .body_bytes_max = 10000,
                                        .routes = routes,
                                        .route_count = sizeof routes / sizeof routes[0]};
    sigset_t signals;
    api_token = getenv("HTTP_API_TOKEN");
    if (api_token == NULL || api_token[0] == '\0') {
        fputs("set HTTP_API_TOKEN: the token that clients have to know\n", stderr);
        return 2;
    }
    sigemptyset(&signals); /* blocked before there is a thread, so that all inherit it */
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    json_object_seed(0); /* jansson asks for it before there are threads */
    return serve(&config, &signals) ? 0 : 1;
}
