/* SPDX-License-Identifier: Apache-2.0
 *
 * Routes. See routes.h.
 */
#include "server/routes.h"

#include <stdlib.h>

#include "core/sized.h"

#define HTTP_STATE_MAX ((size_t)16 << 20)

static void state_size_note(wring__routes *routes, size_t state_size) {
    routes->state_size_max =
        state_size > routes->state_size_max ? state_size : routes->state_size_max;
}

static wring_result handler_take(wring__routes *routes, wring__route *route, wring_error *error) {
    if (route->config.handler == NULL) {
        return WRING_OK;
    }
    const wring_result result = wring__handler_adopt(route->config.handler, &route->handler, error);
    route->config.handler = &route->handler;
    route->binding = (wring__binding){&route->handler, route->config.opts};
    state_size_note(routes, route->handler.state_size);
    return result;
}

/* @param field  of the route: "http" or "upgrade" */
static wring_result http_adopt(const wring_http_handler *in, const char *field,
                               wring_http_handler *out, wring_error *error) {
    wring_error why = {.text = ""};
    const wring_result result = wring__sized_adopt(
        out, sizeof *out, in, offsetof(wring_http_handler, done), "wring_http_handler", &why);
    if (result != WRING_OK) {
        return wring_error_set(error, result, 0, "%s: %s", field, why.text);
    }
    if (out->state_size > HTTP_STATE_MAX) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "%s: state_size is %zu, above 16 MiB: let the state hold a pointer",
                               field, out->state_size);
    }
    if (out->request == NULL) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "%s: the callback `request` is missing: nothing else could answer",
                               field);
    }
    return WRING_OK;
}

static wring_result http_take(wring__routes *routes, wring__route *route, wring_error *error) {
    wring_result result = WRING_OK;
    if (route->config.http != NULL) {
        result = http_adopt(route->config.http, "http", &route->http, error);
        route->config.http = &route->http;
    }
    if (result == WRING_OK && route->config.upgrade != NULL) {
        result = http_adopt(route->config.upgrade, "upgrade", &route->upgrade, error);
        route->config.upgrade = &route->upgrade;
    }
    if (result == WRING_OK && route->upgrade.body != NULL) {
        result = wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                                 "upgrade: the callback `body` is set, and would never be called: "
                                 "an upgrade has no body");
    }
    state_size_note(routes, route->http.state_size);
    state_size_note(routes, route->upgrade.state_size);
    return result;
}

static wring_result policy_take(wring__route *route, wring_error *error) {
    const wring_result result = wring__policy_keep(route->config.policy, &route->policy, error);
    route->config.policy = &route->policy.config;
    return result;
}

/* ---- taking ---------------------------------------------------------------------------------- */

static wring_result fields_take(wring__route *route, uint64_t body_bytes_max, wring_error *error) {
    wring_route *config = &route->config;
    const wring_result result = wring__route_check(config, &route->pattern, error);
    if (result != WRING_OK) {
        return result;
    }
    config->methods = config->methods == NULL && config->http != NULL ? "GET" : config->methods;
    config->body_bytes_max = config->body_bytes_max == 0 ? body_bytes_max : config->body_bytes_max;
    const char *why =
        config->http == NULL ? NULL : wring__methods_init(&route->methods, config->methods);
    return why == NULL ? WRING_OK : wring__route_bad_value(error, why, config->methods);
}

static wring_result route_take(wring__routes *routes, wring__route *route, uint64_t body_bytes_max,
                               wring_error *error) {
    wring_result result = fields_take(route, body_bytes_max, error);
    if (result == WRING_OK) {
        result = policy_take(route, error);
    }
    if (result == WRING_OK) {
        result = handler_take(routes, route, error);
    }
    if (result == WRING_OK) {
        result = http_take(routes, route, error);
    }
    return wring__route_name(route, result, error);
}

wring_result wring__route_name(const wring__route *route, wring_result result, wring_error *error) {
    char path[128];
    if (result != WRING_OK && error != NULL) {
        const wring_error why = *error;
        const char *text = route->config.path == NULL ? "without a path" : route->config.path;
        (void)wring_text_printable(wring_str(text), path, sizeof path);
        (void)wring_error_set(error, result, why.system_errno, "route %s: %s", path, why.text);
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
    last->pattern = (wring__path_pattern){"*", 0, WRING__PATTERN_PREFIX, true};
    last->config = (wring_route){.struct_size = sizeof last->config,
                                 .path = "*",
                                 .handler = config->handler,
                                 .opts = config->handler_opts,
                                 .subprotocols = config->subprotocols,
                                 .subprotocol_count = config->subprotocol_count,
                                 .policy = config->policy,
                                 .body_bytes_max = config->body_bytes_max};
    const wring_result result = policy_take(last, error);
    return result == WRING_OK ? handler_take(routes, last, error) : result;
}

wring_result wring__routes_init(wring__routes *routes, const wring_server_config *config,
                                wring_error *error) {
    wring_route *list = NULL;
    wring_result result = wring__routes_check(config, error);
    if (result != WRING_OK) {
        return result;
    }
    result = list_adopt(config, &list, error);
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
        result = route_take(routes, &routes->list[i], config->body_bytes_max, error);
    }
    free(list);
    if (result == WRING_OK) {
        result = wring__routes_order_check(routes, error);
    }
    return result == WRING_OK ? wring__routes_allow_check(routes, error) : result;
}

void wring__routes_deinit(wring__routes *routes) {
    free(routes->list);
    *routes = (wring__routes){0};
}

wring__route *wring__routes_named(const wring__routes *routes, const char *path) {
    for (size_t i = 0; i + 1 < routes->count && path != NULL; i++) {
        if (strcmp(routes->list[i].config.path, path) == 0) {
            return &routes->list[i];
        }
    }
    return path == NULL ? &routes->list[routes->count - 1] : NULL;
}
