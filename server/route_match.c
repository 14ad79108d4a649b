/* SPDX-License-Identifier: Apache-2.0
 *
 * Which route a request leads to. See routes.h.
 */
#include "server/routes.h"

static bool is_served(const wring__route *route) {
    return route->config.handler != NULL || route->config.http != NULL;
}

static bool is_of_path(const wring__route *route, const wring__path *path) {
    return path == NULL || wring__path_pattern_matches(&route->pattern, path->key);
}

/* Writes the methods of all routes of a path; NULL: of the server. False: nothing is served there.
 * A WebSocket handler is reached by GET, and OPTIONS is answered everywhere. */
static bool allow_write(const wring__routes *routes, const wring__path *path,
                        char allow[WRING__ALLOW_MAX]) {
    unsigned bits = 0;
    for (size_t i = 0; i < routes->count; i++) {
        const wring__route *route = &routes->list[i];
        if (is_served(route) && is_of_path(route, path)) {
            bits |= WRING__METHOD_OPTIONS;
            bits |= route->config.http != NULL ? route->methods.bits : 0;
            bits |= route->config.handler != NULL ? WRING__METHOD_GET | WRING__METHOD_HEAD : 0u;
        }
    }
    wring__methods_write(bits, allow, WRING__ALLOW_MAX);
    for (size_t i = 0; i < routes->count; i++) {
        const wring__route *route = &routes->list[i];
        if (route->config.http != NULL && is_of_path(route, path)) {
            const bool fits = wring__methods_write_others(&route->methods, allow, WRING__ALLOW_MAX);
            WRING_ASSERT(fits); /* wring__routes_allow_check */
        }
    }
    return bits != 0;
}

wring_result wring__routes_allow_check(const wring__routes *routes, wring_error *error) {
    char allow[WRING__ALLOW_MAX];
    wring__methods_write(WRING__METHOD_OTHER - 1, allow, sizeof allow);
    for (size_t i = 0; i < routes->count; i++) {
        const wring__route *route = &routes->list[i];
        if (route->config.http != NULL &&
            !wring__methods_write_others(&route->methods, allow, sizeof allow)) {
            const wring_result result = wring_error_set(
                error, WRING_ERR_INVALID_CONFIG, 0,
                "methods: with this route, all routes together have methods of more than %d bytes, "
                "which an Allow header has no room for: have fewer, or \"*\" for all",
                WRING__ALLOW_MAX - 1);
            return wring__route_name(route, result, error);
        }
    }
    return WRING_OK;
}

static wring_result route_set(wring__match *out, const wring__route *route, bool is_upgrade,
                              const wring__path *path) {
    out->route = route;
    out->is_upgrade = is_upgrade;
    out->param_count = wring__path_pattern_params(&route->pattern, path, out->params);
    return WRING_OK;
}

/* No route serves the request: the server answers it. */
static wring_result unserved(const wring__routes *routes, const wring__path *path,
                             enum wring__method_bit method, wring__match *out) {
    if (!allow_write(routes, path, out->allow)) {
        return WRING_ERR_NOT_FOUND;
    }
    out->is_options = method == WRING__METHOD_OPTIONS;
    return out->is_options ? WRING_OK : WRING_ERR_WRONG_METHOD;
}

/* "*" asks for the whole server, and CONNECT without :protocol for a proxy.   RFC 9112 3.2 */
static wring_result pathless_match(const wring__routes *routes, wring_bytes raw_path,
                                   wring_bytes method, wring__match *out) {
    const enum wring__method_bit bit = wring__method_bit(method);
    const bool is_connect = wring_bytes_equal(method, wring_str("CONNECT"));
    const bool is_star = wring_bytes_equal(raw_path, wring_str("*"));
    return is_connect || (is_star && bit == WRING__METHOD_OPTIONS)
               ? unserved(routes, NULL, bit, out)
               : WRING_ERR_BAD_HTTP;
}

typedef struct route_search {
    wring_bytes key;
    wring_bytes method;
    enum wring__method_bit bit; /* of the method */
    bool wants_upgrade;
    const wring__route *http;    /* found: the first that serves the method; NULL: none */
    const wring__route *sockets; /* found: the first with a WebSocket handler; NULL: none */
} route_search;

/* Ends at the first route that is good for the request. */
static void routes_search(const wring__routes *routes, route_search *search) {
    for (size_t i = 0; i < routes->count; i++) {
        const wring__route *route = &routes->list[i];
        if (!wring__path_pattern_matches(&route->pattern, search->key)) {
            continue;
        }
        if (route->config.handler != NULL && search->sockets == NULL) {
            search->sockets = route;
        }
        if (route->config.http != NULL && search->http == NULL &&
            wring__methods_have(&route->methods, search->bit, search->method)) {
            search->http = route;
        }
        if ((search->wants_upgrade ? search->sockets : search->http) != NULL) {
            return;
        }
    }
}

static void match_init(wring__match *out, wring_bytes path) {
    out->route = NULL;
    out->is_upgrade = false;
    out->is_options = false;
    out->path = path;
    out->param_count = 0;
    out->allow[0] = 0;
}

wring_result wring__routes_match(const wring__routes *routes, wring_bytes raw_path,
                                 wring_bytes method, bool wants_upgrade, uint8_t *storage,
                                 wring__match *out) {
    wring__path path;
    raw_path = raw_path.len == 0 ? wring_str("/") : raw_path; /* RFC 9110 4.2.3 */
    match_init(out, raw_path);
    if (raw_path.data[0] != '/') {
        return pathless_match(routes, raw_path, method, out);
    }
    const wring_result result = wring__path_decode(raw_path, storage, &path);
    if (result != WRING_OK) {
        return result;
    }
    out->path = path.text;
    route_search search = {.key = path.key,
                           .method = method,
                           .bit = wring__method_bit(method),
                           .wants_upgrade = wants_upgrade};
    routes_search(routes, &search);
    const bool is_get = (search.bit & (WRING__METHOD_GET | WRING__METHOD_HEAD)) != 0;
    if (search.sockets != NULL && (wants_upgrade || (is_get && search.http == NULL))) {
        return route_set(out, search.sockets, true, &path);
    }
    return search.http != NULL ? route_set(out, search.http, false, &path)
                               : unserved(routes, &path, search.bit, out);
}
