/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's routes: copies of the API's, each with its handlers and policy. The last one is the
 * handler of the configuration, which matches every path; its policy is the server's.
 *
 * routes.c        copies them
 * route_check.c   what is refused of one
 * route_match.c   which one a request leads to
 */
#ifndef WRING_SERVER_ROUTES_H
#define WRING_SERVER_ROUTES_H

#include "proto/session.h"
#include "server/methods.h"
#include "server/path.h"
#include "server/policy.h"
#include "wring/exchange.h"
#include "wring/server.h"

typedef struct wring__route {
    wring__path_pattern pattern;
    wring__methods methods; /* of exchanges: where config.http is set */
    wring_route config;     /* body_bytes_max is filled in */
    wring_handler handler;  /* where config.handler is set, which points to it */
    wring_http_handler http;
    wring_http_handler upgrade;
    wring__binding binding;
    wring__policy_given policy; /* config.policy points to it */
} wring__route;

typedef struct wring__routes {
    wring__route *list;
    size_t count;          /* at least 1: the last one is the server's */
    size_t state_size_max; /* of all handlers, of all three kinds */
} wring__routes;

/** @param config  adopted
 *  Errors: WRING_ERR_INVALID_CONFIG, WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__routes_init(wring__routes *routes,
                                                 const wring_server_config *config,
                                                 wring_error *error);
/** Legal on a zeroed one. */
void wring__routes_deinit(wring__routes *routes);

/** Checks the fields of one, and parses its path.  The sentence does not name the route.
 *  @param route  without defaults
 *  Errors: WRING_ERR_INVALID_CONFIG. */
WRING_MUST_CHECK wring_result wring__route_check(const wring_route *route,
                                                 wring__path_pattern *pattern, wring_error *error);

/** Checks what the server's configuration says about routes, and its own handler's subprotocols.
 *  Errors: WRING_ERR_INVALID_CONFIG. */
WRING_MUST_CHECK wring_result wring__routes_check(const wring_server_config *config,
                                                  wring_error *error);

/** Checks each route against those before it: none may be unreachable, nor have a method or a
 *  WebSocket handler that one of the same path has.   Cost: quadratic.
 *  Errors: WRING_ERR_INVALID_CONFIG. */
WRING_MUST_CHECK wring_result wring__routes_order_check(const wring__routes *routes,
                                                        wring_error *error);

/** Says why, and the text that is wrong, printable.  Returns WRING_ERR_INVALID_CONFIG. */
wring_result wring__route_bad_value(wring_error *error, const char *why, const char *value);

/** Puts the route's path before the sentence of an error, if there is one. Returns `result`. */
wring_result wring__route_name(const wring__route *route, wring_result result, wring_error *error);

/** The route that was configured with this path; NULL: none. A NULL path: the last one. */
wring__route *wring__routes_named(const wring__routes *routes, const char *path);

/* ---- route_match.c --------------------------------------------------------------------------- */

/** Bytes of a list of methods, with its NUL: all that are registered have room together. */
#define WRING__ALLOW_MAX 512

/** The methods of all routes together have to fit, so that those of any path do.
 *  Errors: WRING_ERR_INVALID_CONFIG (the text names the route that is too much). */
WRING_MUST_CHECK wring_result wring__routes_allow_check(const wring__routes *routes,
                                                        wring_error *error);

/** Where a request leads.
 *  `is_upgrade`: it is for route->handler: a WebSocket, or 426 when the request is no upgrade.
 *  `is_options`: the server itself answers, with `allow`; `route` is NULL. */
typedef struct wring__match {
    const wring__route *route; /* NULL: none */
    bool is_upgrade;
    bool is_options;
    wring_bytes path; /* percent-decoded: a view of the raw path, or of `storage` */
    size_t param_count;
    wring_header params[WRING__PARAMS_MAX]; /* views: names of the route's path, values of `path` */
    char allow[WRING__ALLOW_MAX]; /* of WRING_ERR_WRONG_METHOD and is_options; else empty */
} wring__match;

/** Finds the route of a request. Routes are tried in order; the first wins that matches the path
 *  and serves the request: of an upgrade the first with `handler`, else the first with `http` and
 *  the method. An upgrade at a path without a `handler` is an ordinary request. GET and HEAD at a
 *  path that has a `handler`, and no `http` for them, lead to the `handler` (426).
 *  @param raw_path       what stands before '?'; empty is "/"
 *  @param wants_upgrade  GET with Upgrade: websocket, or an extended CONNECT
 *  @param storage        room for 2 * raw_path.len bytes; `out` borrows from it, from the path and
 *                        from the routes
 *  Errors: WRING_ERR_BAD_HTTP (wring__path_decode; a path that does not begin with '/', except
 *          OPTIONS *), WRING_ERR_NOT_FOUND, WRING_ERR_WRONG_METHOD (`allow` has those of the path).
 *  Cost: linear in the path; a memcmp for each route without parameters.   RFC: 9110 9.3, 15.5.6 */
WRING_MUST_CHECK wring_result wring__routes_match(const wring__routes *routes, wring_bytes raw_path,
                                                  wring_bytes method, bool wants_upgrade,
                                                  uint8_t *storage, wring__match *out);

#endif
