/* SPDX-License-Identifier: Apache-2.0
 *
 * Routes. See routes.h.
 */
#include "server/routes.h"

#include <stdlib.h>

#include "core/sized.h"
#include "server/pattern.h"

static wring_result bad(wring_error *error, const wring_route *route, const char *why) {
    return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0, "route %s: %s",
                           route->path == NULL ? "without a path" : route->path, why);
}

static wring_result handler_take(wring__routes *routes, wring__route *route, wring_error *error) {
    if (route->config.handler == NULL) {
        return WRING_OK;
    }
    const wring_result result = wring__handler_adopt(route->config.handler, &route->handler, error);
    route->config.handler = &route->handler;
    route->binding = (wring__binding){&route->handler, route->config.opts};
    if (result == WRING_OK && route->handler.state_size > routes->state_size_max) {
        routes->state_size_max = route->handler.state_size;
    }
    return result;
}

static wring_result policy_take(wring__route *route, wring_error *error) {
    const wring_result result = wring__policy_keep(route->config.policy, &route->policy, error);
    route->config.policy = &route->policy.config;
    return result;
}

static wring_result route_take(wring__routes *routes, wring__route *route, wring_error *error) {
    if (route->config.path == NULL || route->config.path[0] != '/') {
        return bad(error, &route->config, "does not begin with '/'");
    }
    if (route->config.subprotocols == NULL && route->config.subprotocol_count > 0) {
        return bad(error, &route->config, "has a subprotocol_count, and subprotocols is NULL");
    }
    if ((route->config.handler == NULL) == (route->config.respond == NULL)) {
        return bad(error, &route->config, "needs exactly one of handler and respond");
    }
    wring_result result = policy_take(route, error);
    if (result == WRING_OK) {
        result = handler_take(routes, route, error);
    }
    return wring__route_name(route, result, error);
}

wring_result wring__route_name(const wring__route *route, wring_result result, wring_error *error) {
    if (result != WRING_OK && error != NULL) {
        const wring_error why = *error;
        (void)wring_error_set(error, result, why.system_errno, "route %s: %s", route->config.path,
                              why.text);
    }
    return result;
}

static wring_result list_adopt(const wring_server_config *config, wring_route **out,
                               wring_error *error) {
    *out = calloc(config->route_count + 1, sizeof **out);
    if (*out == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for the routes");
    }
    return wring__sized_list_adopt(*out, sizeof **out, config->routes, config->route_count,
                                   offsetof(wring_route, policy), "wring_route", error);
}

static wring_result last_take(wring__routes *routes, const wring_server_config *config,
                              wring_error *error) {
    wring__route *last = &routes->list[routes->count - 1];
    if (config->subprotocols == NULL && config->subprotocol_count > 0) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "server config: subprotocol_count is set, and subprotocols is NULL");
    }
    last->config = (wring_route){.struct_size = sizeof last->config,
                                 .path = "*",
                                 .handler = config->handler,
                                 .opts = config->handler_opts,
                                 .subprotocols = config->subprotocols,
                                 .subprotocol_count = config->subprotocol_count,
                                 .policy = config->policy};
    const wring_result result = policy_take(last, error);
    return result == WRING_OK ? handler_take(routes, last, error) : result;
}

wring_result wring__routes_init(wring__routes *routes, const wring_server_config *config,
                                wring_error *error) {
    if (config->handler == NULL && config->route_count == 0) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "server config: handler is missing: set handler, or routes");
    }
    wring_route *list = NULL;
    wring_result result = list_adopt(config, &list, error);
    routes->count = config->route_count + 1;
    routes->list = calloc(routes->count, sizeof *routes->list);
    if (result == WRING_OK && routes->list == NULL) {
        result = wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for the routes");
    }
    if (result == WRING_OK) {
        result = last_take(routes, config, error);
    }
    for (size_t i = 0; i < config->route_count && result == WRING_OK; i++) {
        routes->list[i].config = list[i];
        result = route_take(routes, &routes->list[i], error);
    }
    free(list);
    return result;
}

void wring__routes_deinit(wring__routes *routes) {
    free(routes->list);
    *routes = (wring__routes){0};
}

const wring__route *wring__routes_find(const wring__routes *routes, wring_bytes path) {
    for (size_t i = 0; i < routes->count; i++) {
        const wring__route *route = &routes->list[i];
        const bool serves = route->config.handler != NULL || route->config.respond != NULL;
        if (serves && wring__pattern_matches(route->config.path, path)) {
            return route;
        }
    }
    return NULL;
}

wring__route *wring__routes_named(const wring__routes *routes, const char *path) {
    for (size_t i = 0; i + 1 < routes->count && path != NULL; i++) {
        if (strcmp(routes->list[i].config.path, path) == 0) {
            return &routes->list[i];
        }
    }
    return path == NULL ? &routes->list[routes->count - 1] : NULL;
}
