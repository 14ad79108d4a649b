/* SPDX-License-Identifier: Apache-2.0
 *
 * What a route's fields, and those of the server that stand for one, may not be. See routes.h.
 */
#include "core/sized.h"
#include "proto/http1.h"
#include "proto/upgrade.h"
#include "server/origin.h"
#include "server/routes.h"

static wring_result bad(wring_error *error, const char *why) {
    return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0, "%s", why);
}

wring_result wring__route_bad_value(wring_error *error, const char *why, const char *value) {
    char shown[64];
    (void)wring_text_printable(wring_str(value), shown, sizeof shown);
    return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0, "%s: it is \"%s\"", why, shown);
}

static wring_result origins_check(const char *const *list, size_t count, wring_error *error) {
    char shown[64];
    const wring_result result = wring__list_check(list, count, "origins", "origin_count", error);
    if (list != NULL && count == 0) { /* "nobody", or forgotten: not for us to guess */
        return bad(error,
                   "origins is set, and origin_count is 0: set it to the number of elements, "
                   "or origins to NULL");
    }
    for (size_t i = 0; i < count && result == WRING_OK; i++) {
        if (list[i] == NULL) {
            return bad(error, "origins has an element that is NULL");
        }
        if (!wring__origin_is_legal(wring_str(list[i]))) {
            (void)wring_text_printable(wring_str(list[i]), shown, sizeof shown);
            return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                                   "origins has \"%s\", which is neither \"*\", \"null\" nor of "
                                   "the form \"https://example.com\" or "
                                   "\"https://example.com:8443\" (no path, and no '/' at its end)",
                                   shown);
        }
    }
    return result;
}

/* NULL, or what is wrong, as the end of a sentence. */
static const char *handlers_check(const wring_route *route) {
    if (route->handler == NULL && route->http == NULL) {
        return "needs handler (WebSockets), http (exchanges), or both";
    }
    if (route->handler == NULL && route->upgrade != NULL) {
        return "upgrade is set, and handler is NULL: there is nothing to upgrade to";
    }
    if (route->handler == NULL && (route->origins != NULL || route->origin_count > 0)) {
        return "origins is set, and handler is NULL: origins are compared for upgrades only";
    }
    if (route->handler == NULL && (route->subprotocols != NULL || route->subprotocol_count > 0)) {
        return "subprotocols is set, and handler is NULL: only WebSockets have subprotocols";
    }
    if (route->http == NULL && route->methods != NULL) {
        return "methods is set, and http is NULL: only exchanges have methods";
    }
    if (route->http == NULL && route->body_bytes_max != 0) {
        return "body_bytes_max is set, and http is NULL: only exchanges have bodies";
    }
    return NULL;
}

wring_result wring__route_check(const wring_route *route, wring__path_pattern *pattern,
                                wring_error *error) {
    const char *why = wring__path_pattern_init(pattern, route->path);
    why = why != NULL ? why : handlers_check(route);
    if (why != NULL) {
        return bad(error, why);
    }
    const wring_result result =
        wring__subprotocols_check(route->subprotocols, route->subprotocol_count, error);
    return result == WRING_OK ? origins_check(route->origins, route->origin_count, error) : result;
}

wring_result wring__routes_check(const wring_server_config *config, wring_error *error) {
    wring_error why = {.text = ""};
    wring_result result =
        wring__list_check(config->routes, config->route_count, "routes", "route_count", &why);
    if (result == WRING_OK && config->handler == NULL && config->route_count == 0) {
        result = bad(&why, "handler is missing: set handler, or routes");
    }
    if (result == WRING_OK) {
        result = wring__subprotocols_check(config->subprotocols, config->subprotocol_count, &why);
    }
    if (result == WRING_OK && config->handler == NULL && config->subprotocol_count > 0) {
        result = bad(&why, "subprotocols is set, and handler is NULL: each route has its own");
    }
    return result == WRING_OK ? WRING_OK
                              : wring_error_set(error, result, 0, "server config: %s", why.text);
}

/* ---- one route against those before it ------------------------------------------------------- */

/* Of two routes of the same path. */
static wring_result pair_check(const wring__routes *routes, size_t first, size_t second,
                               wring_error *error) {
    const wring__route *a = &routes->list[first];
    const wring__route *b = &routes->list[second];
    char method[WRING__HTTP1_METHOD_MAX + 1];
    if (a->config.handler != NULL && b->config.handler != NULL) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "handler of routes[%zu] would never be called: routes[%zu] has the "
                               "same path and a handler, and the first wins: leave one out",
                               second, first);
    }
    if (a->config.http == NULL || b->config.http == NULL) {
        return WRING_OK;
    }
    const wring_bytes common = wring__methods_common(&a->methods, &b->methods);
    if (common.len == 0) {
        return WRING_OK;
    }
    (void)wring_text_printable(common, method, sizeof method);
    return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                           "methods of routes[%zu] has %s, which routes[%zu] of the same path "
                           "serves, and the first wins: leave it out of one of them",
                           second, method, first);
}

/* What the routes before one leave of it. */
typedef struct route_rest {
    size_t taken_by; /* the last of those that took something */
    bool has_http;
    bool has_sockets;
} route_rest;

static void rest_take(route_rest *rest, const wring__routes *routes, size_t earlier, size_t later) {
    const wring__route *a = &routes->list[earlier];
    const wring__route *b = &routes->list[later];
    if (rest->has_http && a->config.http != NULL &&
        wring__methods_cover(&a->methods, &b->methods)) {
        rest->has_http = false;
        rest->taken_by = earlier;
    }
    if (rest->has_sockets && a->config.handler != NULL) {
        rest->has_sockets = false;
        rest->taken_by = earlier;
    }
}

static wring_result order_check(const wring__routes *routes, size_t at, wring_error *error) {
    const wring__route *route = &routes->list[at];
    route_rest rest = {.has_http = route->config.http != NULL,
                       .has_sockets = route->config.handler != NULL};
    for (size_t i = 0; i < at; i++) {
        const wring__path_pattern *earlier = &routes->list[i].pattern;
        if (!wring__path_pattern_covers(earlier, &route->pattern)) {
            continue;
        }
        if (wring__path_pattern_covers(&route->pattern, earlier)) {
            const wring_result result = pair_check(routes, i, at, error);
            if (result != WRING_OK) {
                return result;
            }
        }
        rest_take(&rest, routes, i, at);
    }
    if (rest.has_http || rest.has_sockets) {
        return WRING_OK;
    }
    char by[64];
    (void)wring_text_printable(wring_str(routes->list[rest.taken_by].config.path), by, sizeof by);
    return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                           "routes[%zu] would never be reached: routes[%zu] (%s) matches all its "
                           "paths, and the first wins: put routes[%zu] before it",
                           at, rest.taken_by, by, at);
}

wring_result wring__routes_order_check(const wring__routes *routes, wring_error *error) {
    wring_result result = WRING_OK;
    for (size_t i = 0; i + 1 < routes->count && result == WRING_OK; i++) {
        result = wring__route_name(&routes->list[i], order_check(routes, i, error), error);
    }
    return result;
}
