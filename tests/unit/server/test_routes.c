/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's routes: which one a path leads to, what is copied, what is refused by its path.
 */
#include <criterion/criterion.h>

#include <stdio.h>

#include "tests/unit/server/routes_make.h"

static const wring_handler handler_b = {
    .struct_size = sizeof handler_b, .name = "b", .state_size = 100};

static wring__routes made(wring_server_config in) {
    const wring_server_config config = adopted(in);
    wring__routes routes = {0};
    wring_error error = {.text = ""};
    cr_assert_eq(wring__routes_init(&routes, &config, &error), WRING_OK, "%s", error.text);
    return routes;
}

static wring_result match(const wring__routes *routes, const char *method, const char *path,
                          wring__match *out) {
    static uint8_t storage[512];
    const bool wants_upgrade = strcmp(method, "UPGRADE") == 0;
    return wring__routes_match(routes, wring_str(path), wring_str(wants_upgrade ? "GET" : method),
                               wants_upgrade, storage, out);
}

/* What a request leads to: "opts" of an exchange, "opts ws" of the WebSocket handler,
 * "OPTIONS: ..." for the server's own answer, or the number of an error and what is allowed. */
static const char *found(const wring__routes *routes, const char *method, const char *path) {
    static char text[WRING__ALLOW_MAX + 16];
    wring__match out;
    memset(&out, 0xA5, sizeof out);
    const wring_result result = match(routes, method, path, &out);
    if (result == WRING_OK && out.is_options) {
        (void)snprintf(text, sizeof text, "OPTIONS: %s", out.allow);
    } else if (result == WRING_OK) {
        (void)snprintf(text, sizeof text, "%s%s", (const char *)out.route->config.opts,
                       out.is_upgrade ? " ws" : "");
        cr_expect_str_eq(out.allow, "");
    } else if (result == WRING_ERR_WRONG_METHOD) {
        (void)snprintf(text, sizeof text, "405: %s", out.allow);
    } else {
        return result == WRING_ERR_NOT_FOUND ? "404" : result == WRING_ERR_BAD_HTTP ? "400" : "?";
    }
    cr_expect_eq(out.route == NULL, out.is_options || result != WRING_OK);
    return text;
}

typedef struct row {
    const char *method, *path, *want;
} row;

static void expect_found(const wring__routes *routes, const row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cr_expect_str_eq(found(routes, rows[i].method, rows[i].path), rows[i].want, "%s %s: %s",
                         rows[i].method, rows[i].path, found(routes, rows[i].method, rows[i].path));
    }
}
#define EXPECT_FOUND(routes, rows) expect_found(routes, rows, sizeof(rows) / sizeof *(rows))

Test(routes, the_first_that_matches_wins_and_the_handler_takes_the_rest) {
    const wring_route list[] = {
        ROUTE(.path = "/a", .handler = &handler_a, .opts = "exact"),
        ROUTE(.path = "/a/*", .handler = &handler_a, .opts = "below"),
        ROUTE(.path = "/x*", .handler = &handler_b, .opts = "prefix"),
    };
    static const row rows[] = {
        {"UPGRADE", "/a", "exact ws"},     {"UPGRADE", "/a/", "below ws"},
        {"UPGRADE", "/a/b", "below ws"},   {"UPGRADE", "/A", "rest ws"},
        {"UPGRADE", "/ab", "rest ws"},     {"UPGRADE", "/x", "prefix ws"},
        {"UPGRADE", "/xyz", "prefix ws"},  {"UPGRADE", "/", "rest ws"},
        {"UPGRADE", "/a/b/c", "below ws"}, {"UPGRADE", "", "rest ws"},
        {"UPGRADE", "/%61", "exact ws"},   {"UPGRADE", "*", "400"},
        {"UPGRADE", "a", "400"},
    };
    wring__routes routes = made((wring_server_config){
        .routes = list, .route_count = 3, .handler = &handler_b, .handler_opts = "rest"});
    EXPECT_FOUND(&routes, rows);
    cr_expect_eq(routes.state_size_max, 100u);
    wring__routes_deinit(&routes);
    wring__routes_deinit(&routes);
}

Test(routes, methods_decide_among_the_routes_of_a_path) {
    const wring_route list[] = {
        ROUTE(.path = "/r", .http = &http, .opts = "get"),
        ROUTE(.path = "/r", .http = &http, .opts = "put", .methods = "PUT , DELETE,PURGE"),
        ROUTE(.path = "/own", .http = &http, .opts = "own", .methods = "OPTIONS, POST"),
        ROUTE(.path = "/any", .http = &http, .opts = "any", .methods = "*"),
        ROUTE(.path = "/head", .http = &http, .opts = "head", .methods = "HEAD"),
        ROUTE(.path = "/r/{id}", .http = &http, .opts = "one", .methods = "PATCH"),
        ROUTE(.path = "/r/new", .http = &http, .opts = "new", .methods = "POST"),
    };
    static const row rows[] = {
        {"GET", "/r", "get"},
        {"HEAD", "/r", "get"},
        {"PUT", "/r", "put"},
        {"DELETE", "/r", "put"},
        {"PURGE", "/r", "put"},
        {"POST", "/r", "405: GET, HEAD, PUT, DELETE, OPTIONS, PURGE"},
        {"get", "/r", "405: GET, HEAD, PUT, DELETE, OPTIONS, PURGE"},
        {"PURG", "/r", "405: GET, HEAD, PUT, DELETE, OPTIONS, PURGE"},
        {"CONNECT", "/r", "405: GET, HEAD, PUT, DELETE, OPTIONS, PURGE"},
        {"OPTIONS", "/r", "OPTIONS: GET, HEAD, PUT, DELETE, OPTIONS, PURGE"},
        {"OPTIONS", "/own", "own"},
        {"GET", "/own", "405: POST, OPTIONS"},
        {"GET", "/any", "any"},
        {"OPTIONS", "/any", "any"},
        {"BREW", "/any", "any"},
        {"CONNECT", "/any", "405: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
        {"TRACE", "/any", "405: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
        {"GET", "/head", "405: HEAD, OPTIONS"},
        {"HEAD", "/head", "head"},
        {"PATCH", "/r/new", "one"},
        {"POST", "/r/new", "new"},
        {"POST", "/r/7", "405: PATCH, OPTIONS"},
        {"GET", "/r/new", "405: POST, PATCH, OPTIONS"},
        {"GET", "/none", "404"},
        {"OPTIONS", "/none", "404"},
        {"OPTIONS", "*", "OPTIONS: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, PURGE"},
        {"GET", "*", "400"},
        {"GET", "**", "400"},
        {"CONNECT", "a.example:443", "405: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, PURGE"},
        {"GET", "/r%", "400"},
        {"GET", "/x/../r", "400"},
        {"UPGRADE", "/r", "get"}, /* no WebSockets there: an ordinary request */
        {"UPGRADE", "/head", "405: HEAD, OPTIONS"},
        {"UPGRADE", "/none", "404"},
    };
    wring__routes routes = made((wring_server_config){.routes = list, .route_count = 7});
    EXPECT_FOUND(&routes, rows);
    wring__routes_deinit(&routes);
}

Test(routes, a_path_may_have_websockets_and_exchanges) {
    const wring_route list[] = {
        ROUTE(.path = "/both", .handler = &handler_a, .http = &http, .opts = "both"),
        ROUTE(.path = "/split", .http = &http, .methods = "POST", .opts = "post"),
        ROUTE(.path = "/split", .handler = &handler_a, .opts = "split"),
        ROUTE(.path = "/ws", .handler = &handler_a, .opts = "only"),
        ROUTE(.path = "/http", .http = &http, .opts = "http"),
    };
    static const row rows[] = {
        {"GET", "/both", "both"},
        {"UPGRADE", "/both", "both ws"},
        {"POST", "/both", "405: GET, HEAD, OPTIONS"},
        {"POST", "/split", "post"},
        {"UPGRADE", "/split", "split ws"},
        {"GET", "/split", "split ws"}, /* the caller answers 426 */
        {"PUT", "/split", "405: GET, HEAD, POST, OPTIONS"},
        {"GET", "/ws", "only ws"},
        {"HEAD", "/ws", "only ws"},
        {"UPGRADE", "/ws", "only ws"},
        {"POST", "/ws", "405: GET, HEAD, OPTIONS"},
        {"OPTIONS", "/ws", "OPTIONS: GET, HEAD, OPTIONS"},
        {"UPGRADE", "/http", "http"},
    };
    wring__routes routes = made((wring_server_config){.routes = list, .route_count = 5});
    EXPECT_FOUND(&routes, rows);
    wring__routes_deinit(&routes);
    /* The handler of the configuration is at each of these paths too. */
    static const row with_rest[] = {
        {"UPGRADE", "/http", "rest ws"},
        {"GET", "/http", "http"},
        {"POST", "/http", "405: GET, HEAD, OPTIONS"},
        {"GET", "/none", "rest ws"},
        {"OPTIONS", "/none", "OPTIONS: GET, HEAD, OPTIONS"},
    };
    routes = made((wring_server_config){
        .routes = list, .route_count = 5, .handler = &handler_b, .handler_opts = "rest"});
    EXPECT_FOUND(&routes, with_rest);
    wring__routes_deinit(&routes);
}

Test(routes, parameters_and_the_path_are_decoded) {
    const wring_route list[] = {
        ROUTE(.path = "/{a}/x/{b}", .handler = &handler_a),
        ROUTE(.path = "/{one}/*", .http = &http),
    };
    wring__routes routes = made((wring_server_config){.routes = list, .route_count = 2});
    wring__match out;
    cr_assert_eq(match(&routes, "UPGRADE", "/u%2Fv/x/%C3%A9", &out), WRING_OK);
    cr_expect_eq(out.param_count, 2u);
    cr_expect(wring_bytes_equal(out.params[0].name, wring_str("a")));
    cr_expect(wring_bytes_equal(out.params[0].value, wring_str("u/v")));
    cr_expect(wring_bytes_equal(out.params[1].value, wring_str("\xC3\xA9")));
    cr_expect(wring_bytes_equal(out.path, wring_str("/u/v/x/\xC3\xA9")));
    cr_assert_eq(match(&routes, "GET", "/u/x/v", &out), WRING_OK); /* not those of the first */
    cr_expect_eq(out.route, &routes.list[1]);
    cr_expect_eq(out.param_count, 1u);
    cr_expect(wring_bytes_equal(out.params[0].name, wring_str("one")));
    cr_expect_eq(match(&routes, "POST", "/u/x/v", &out), WRING_ERR_WRONG_METHOD);
    cr_expect_eq(out.param_count, 0u);
    wring__routes_deinit(&routes);
}

/* server.h: copied with every record it points to. */
Test(routes, what_the_caller_changes_afterwards_has_no_effect) {
    wring_handler handler = handler_b;
    wring_handler rest = handler_a;
    wring_session_config session = {.struct_size = sizeof session, .idle_timeout_ms = 7};
    wring_deflate_config deflate = {.struct_size = sizeof deflate, .level = 3};
    wring_policy policy = {
        .struct_size = sizeof policy, .session = &session, .deflate = &deflate, .age_max_ms = 8};
    wring_http_handler exchanges = {
        .struct_size = sizeof exchanges, .name = "x", .state_size = 300, .request = answer};
    wring_http_handler upgrade = {
        .struct_size = sizeof upgrade, .name = "u", .state_size = 200, .request = answer};
    wring_route list[] = {ROUTE(.path = "/a", .handler = &handler, .policy = &policy,
                                .http = &exchanges, .upgrade = &upgrade)};
    wring__routes routes = made((wring_server_config){
        .routes = list, .route_count = 1, .handler = &rest, .policy = &policy});
    memset(&handler, 0xFF, sizeof handler);
    memset(&rest, 0xFF, sizeof rest);
    memset(&session, 0xFF, sizeof session);
    memset(&deflate, 0xFF, sizeof deflate);
    memset(&policy, 0xFF, sizeof policy);
    memset(&exchanges, 0xFF, sizeof exchanges);
    memset(&upgrade, 0xFF, sizeof upgrade);
    memset(list, 0xFF, sizeof list);
    wring__match out;
    cr_assert_eq(match(&routes, "UPGRADE", "/a", &out), WRING_OK);
    const wring__route *route = out.route;
    cr_expect_eq(route->config.http, &route->http);
    cr_expect_str_eq(route->http.name, "x");
    cr_expect_eq(route->http.request, answer);
    cr_expect_eq(route->config.upgrade, &route->upgrade);
    cr_expect_str_eq(route->upgrade.name, "u");
    cr_expect_eq(routes.state_size_max, 300u);
    cr_expect_str_eq(route->binding.handler->name, "b");
    cr_expect_eq(route->binding.handler->state_size, 100u);
    cr_expect_eq(route->config.handler, route->binding.handler);
    cr_expect_eq(route->policy.session.idle_timeout_ms, 7u);
    cr_expect_eq(route->policy.deflate.level, 3);
    cr_expect_eq(route->policy.config.age_max_ms, 8u);
    cr_assert_eq(match(&routes, "UPGRADE", "/b", &out), WRING_OK);
    const wring__route *other = out.route;
    cr_expect_str_eq(other->binding.handler->name, "a");
    cr_expect_eq(other->policy.session.idle_timeout_ms, 7u);
    wring__routes_deinit(&routes);
}

/* Programs of an older header have a shorter route: its size is the stride. */
Test(routes, a_list_of_an_older_program_is_walked_by_its_own_size) {
    struct older {
        _Alignas(wring_route) uint8_t bytes[offsetof(wring_route, policy)];
    } list[2];
    for (uint32_t i = 0; i < 2; i++) {
        const wring_route route = {.struct_size = sizeof *list,
                                   .path = i == 0 ? "/one" : "/two",
                                   .handler = &handler_a,
                                   .opts = i == 0 ? "1" : "2"};
        memcpy(&list[i], &route, sizeof *list);
    }
    wring__routes routes = made(
        (wring_server_config){.routes = (const wring_route *)(const void *)list, .route_count = 2});
    cr_expect_str_eq(found(&routes, "UPGRADE", "/one"), "1 ws");
    cr_expect_str_eq(found(&routes, "UPGRADE", "/two"), "2 ws");
    wring__routes_deinit(&routes);
}

Test(routes, a_body_is_limited_as_the_server_has_it_if_not_by_the_route) {
    const wring_route list[] = {ROUTE(.path = "/own", .http = &http, .body_bytes_max = 5),
                                ROUTE(.path = "/open", .http = &http)};
    wring__routes routes = made((wring_server_config){.routes = list, .route_count = 2});
    cr_expect_eq(routes.list[0].config.body_bytes_max, 5u);
    cr_expect_eq(routes.list[1].config.body_bytes_max, 1u << 20);
    cr_expect_eq(routes.list[2].config.body_bytes_max, 1u << 20);
    cr_expect_str_eq(routes.list[1].config.methods, "GET");
    wring__routes_deinit(&routes);
    routes = made((wring_server_config){.routes = list, .route_count = 2, .body_bytes_max = 7});
    cr_expect_eq(routes.list[1].config.body_bytes_max, 7u);
    wring__routes_deinit(&routes);
}

Test(routes, the_defaults_of_exchanges_are_filled_in) {
    const wring_server_config config = adopted((wring_server_config){0});
    cr_expect_eq(config.keep_alive_timeout_ms, 60000u);
    cr_expect_eq(config.body_timeout_ms, 30000u);
    cr_expect_eq(config.answer_timeout_ms, 60000u);
    cr_expect_eq(config.body_bytes_max, 1u << 20);
    cr_expect_eq(config.exchanges_max, WRING_UNLIMITED);
    const char *const proxies[] = {"10.0.0.0/8", "x"};
    const wring_server_config bad = {
        .struct_size = sizeof bad, .trusted_proxies = proxies, .trusted_proxy_count = 2};
    wring_server_config out = {.struct_size = sizeof out};
    wring_error error = {.text = ""};
    cr_expect_eq(wring_server_config_adopt(&bad, &out, &error), WRING_ERR_INVALID_CONFIG);
    cr_expect_not_null(strstr(error.text, "trusted_proxies"), "%s", error.text);
}
