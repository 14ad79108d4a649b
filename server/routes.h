/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's routes: copies of the API's, each with its handler and policy. The last one is the
 * handler of the configuration, which matches every path; its policy is the server's.
 */
#ifndef WRING_SERVER_ROUTES_H
#define WRING_SERVER_ROUTES_H

#include "proto/session.h"
#include "server/policy.h"
#include "wring/server.h"

typedef struct wring__route {
    wring_route config;
    wring_handler handler; /* where config.handler is set */
    wring__binding binding;
    wring__policy_given policy; /* config.policy points to it */
} wring__route;

typedef struct wring__routes {
    wring__route *list;
    size_t count;          /* at least 1: the last one is the server's */
    size_t state_size_max; /* of all handlers */
} wring__routes;

/** @param config  adopted
 *  Errors: WRING_ERR_INVALID_CONFIG, WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__routes_init(wring__routes *routes,
                                                 const wring_server_config *config,
                                                 wring_error *error);
/** Legal on a zeroed one. */
void wring__routes_deinit(wring__routes *routes);

/** Puts the route's path before the sentence of an error, if there is one. Returns `result`. */
wring_result wring__route_name(const wring__route *route, wring_result result, wring_error *error);

/** NULL: nothing is served there. */
const wring__route *wring__routes_find(const wring__routes *routes, wring_bytes path);

/** The route that was configured with this path; NULL: none. A NULL path: the last one. */
wring__route *wring__routes_named(const wring__routes *routes, const char *path);

#endif
