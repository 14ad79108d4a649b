/* SPDX-License-Identifier: Apache-2.0
 *
 * The admin port of `wring serve`: a small HTTP server of its own, on the loopback only, with its
 * own thread and limits, so that it answers whatever the workers do. admin.c moves the bytes,
 * admin_http.c turns one request into one response.
 *
 *     GET  /healthz        200 while the process runs
 *     GET  /readyz         200; 503 once it drains
 *     GET  /stats          the server's counters, JSON
 *     POST /publish/NAME   the body goes to every subscriber of NAME
 */
#ifndef WRING_CLI_ADMIN_H
#define WRING_CLI_ADMIN_H

#include <stdatomic.h>

#include "wring/server.h"

#define ADMIN_HEAD_MAX 8192

typedef struct admin_config {
    uint16_t port;     /* 0: picked */
    const char *token; /* what /stats and /publish need as a bearer token; NULL: nothing */
    size_t body_max;   /* bytes of a message to publish */
    wring_server *server;
} admin_config;

typedef struct admin admin;

/** Binds and starts the thread. NULL after a complaint. */
admin *admin_start(const admin_config *config);
uint16_t admin_port(const admin *admin);
/** What /readyz answers. Any thread. */
void admin_set_ready(admin *admin, bool ready);
/** Ends the thread and its connections. NULL is legal. */
void admin_stop(admin *admin);

/* ---- admin_http.c ---------------------------------------------------------------------------- */

enum admin_step {
    ADMIN_MORE,     /* the request is not whole yet */
    ADMIN_CONTINUE, /* the same, and its sender waits to be told to go on */
    ADMIN_ANSWER    /* the response is written */
};

typedef struct admin_response {
    char head[512];
    size_t head_len;
    char body[4096];
    size_t body_len;
    size_t used;     /* bytes of the request */
    bool keep_alive; /* false: nothing behind this request is read */
} admin_response;

/** Acts on the request at the start of `bytes`. */
enum admin_step admin_request(const admin_config *config, bool ready, wring_bytes bytes,
                              admin_response *out);

#endif
