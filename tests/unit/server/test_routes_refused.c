/* SPDX-License-Identifier: Apache-2.0
 *
 * Routes that are refused, and whether the sentence names the route, the field and the value.
 */
#include <criterion/criterion.h>

#include <stdio.h>

#include "tests/unit/server/routes_make.h"

static void body(wring_exchange *exchange, wring_bytes piece, bool is_last) {
    (void)exchange;
    (void)piece;
    (void)is_last;
}

static void expect_refused(wring_server_config in, const char *named, const char *why) {
    const wring_server_config config = adopted(in);
    wring__routes routes = {0};
    wring_error error = {.text = ""};
    cr_expect_eq(wring__routes_init(&routes, &config, &error), WRING_ERR_INVALID_CONFIG, "%s", why);
    cr_expect_not_null(strstr(error.text, named), "'%s' is not in '%s'", named, error.text);
    cr_expect_not_null(strstr(error.text, why), "'%s' is not in '%s'", why, error.text);
    for (const char *c = error.text; *c != 0; c++) {
        cr_expect((uint8_t)*c >= 0x20 && *c != 0x7F, "not printable: %s", error.text);
    }
    wring__routes_deinit(&routes);
}

Test(routes_refused, a_server_without_any_is_told) {
    expect_refused((wring_server_config){0}, "handler", "routes");
}

typedef struct refused {
    wring_route route;
    const char *named, *why;
} refused;

static void expect_all_refused(const refused *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const wring_route list[] = {ROUTE(.path = "/good", .handler = &handler_a), rows[i].route};
        expect_refused((wring_server_config){.routes = list, .route_count = 2}, rows[i].named,
                       rows[i].why);
    }
}
#define EXPECT_ALL_REFUSED(rows) expect_all_refused(rows, sizeof(rows) / sizeof *(rows))

Test(routes_refused, the_path_of_a_bad_route_is_named) {
    const wring_handler lame = {.struct_size = 0};
    const wring_handler huge = {.struct_size = sizeof huge, .state_size = (16u << 20) + 1};
    const wring_http_handler lame_http = {.request = answer};
    const wring_http_handler huge_http = {
        .struct_size = sizeof huge_http, .state_size = (16u << 20) + 1, .request = answer};
    const wring_http_handler mute_http = {.struct_size = sizeof mute_http};
    const wring_http_handler eager_http = {
        .struct_size = sizeof eager_http, .request = answer, .body = body};
    const refused rows[] = {
        {ROUTE(.path = "a", .handler = &handler_a), "route a", "'/'"},
        {ROUTE(.path = "*", .handler = &handler_a), "route *", "'/'"},
        {ROUTE(.path = "", .handler = &handler_a), "route ", "'/'"},
        {ROUTE(.handler = &handler_a), "without a path", "'/'"},
        {ROUTE(.path = "/p"), "/p", "handler (WebSockets), http (exchanges)"},
        {ROUTE(.path = "/p/{x", .handler = &handler_a), "route /p/{x", "'}'"},
        {ROUTE(.path = "/p", .http = &http, .upgrade = &http), "/p", "upgrade is set"},
        {ROUTE(.path = "/p", .http = &lame_http), "/p", "http: wring_http_handler"},
        {ROUTE(.path = "/p", .http = &huge_http), "/p", "http: state_size"},
        {ROUTE(.path = "/p", .http = &mute_http), "/p", "http: the callback `request`"},
        {ROUTE(.path = "/p", .handler = &handler_a, .upgrade = &lame_http), "/p",
         "upgrade: wring_http_handler"},
        {ROUTE(.path = "/p", .handler = &handler_a, .upgrade = &huge_http), "/p",
         "upgrade: state_size"},
        {ROUTE(.path = "/p", .handler = &handler_a, .methods = "GET"), "/p", "methods is set"},
        {ROUTE(.path = "/p", .http = &http, .methods = ""), "/p", "methods is not"},
        {ROUTE(.path = "/p", .http = &http, .methods = "GET,"), "/p", "methods is not"},
        {ROUTE(.path = "/p", .http = &http, .methods = "GET POST"), "/p", "methods is not"},
        {ROUTE(.path = "/p", .http = &http, .methods = "GET, *"), "/p", "methods is not"},
        {ROUTE(.path = "/p", .http = &http, .methods = "get"), "/p", "lower case"},
        {ROUTE(.path = "/p", .http = &http, .methods = "GET, CONNECT"), "/p", "CONNECT"},
        {ROUTE(.path = "/p", .http = &http, .methods = "TRACE"), "/p", "TRACE"},
        {ROUTE(.path = "/p\x1b[2J\n", .handler = &handler_a), "route /p\\x1b[2J\\x0a", "control"},
        {ROUTE(.path = "/p\x9b", .handler = &lame), "route /p\\x9b", "wring_handler"},
        {ROUTE(.path = "/p?q=1", .handler = &handler_a), "/p?q=1", "'?'"},
        {ROUTE(.path = "/p#q", .handler = &handler_a), "/p#q", "'#'"},
        {ROUTE(.path = "/p/:id", .handler = &handler_a), "/p/:id", "write {name}"},
        {ROUTE(.path = "/p", .handler = &handler_a, .body_bytes_max = 7), "/p",
         "body_bytes_max is set, and http is NULL"},
        {ROUTE(.path = "/p", .handler = &handler_a, .upgrade = &eager_http), "/p",
         "upgrade: the callback `body`"},
        {ROUTE(.path = "/p", .http = &http, .methods = "GET|POST"), "/p", "\"GET|POST\""},
        {ROUTE(.path = "/p", .http = &http, .methods = "GET/POST"), "/p", "\"GET/POST\""},
        {ROUTE(.path = "/p", .http = &http, .methods = "GE\x1bT"), "/p", "\"GE\\x1bT\""},
        {ROUTE(.path = "/p", .http = &http, .methods = "GET, ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"),
         "/p", "32"},
        {ROUTE(.path = "/p", .handler = &lame), "/p", "wring_handler"},
        {ROUTE(.path = "/p", .handler = &huge), "/p", "state_size"},
    };
    EXPECT_ALL_REFUSED(rows);
}

Test(routes_refused, a_bad_list_is_named_with_its_element) {
    static const char *const list_of_path[] = {"https://a.example/"};
    static const char *const list_of_null[] = {NULL};
    static const char *const list_of_port[] = {"https://a.example:"};
    static const char *const list_of_control[] = {"https://a\r\nb"};
    const refused rows[] = {
        {ROUTE(.path = "/p", .http = &http, .origins = list_of_path, .origin_count = 1), "/p",
         "origins is set"},
        {ROUTE(.path = "/p", .handler = &handler_a, .origins = list_of_path, .origin_count = 1),
         "/p", "origins has \"https://a.example/\""},
        {ROUTE(.path = "/p", .handler = &handler_a, .origins = list_of_null, .origin_count = 1),
         "/p", "origins has an element that is NULL"},
        {ROUTE(.path = "/p", .handler = &handler_a, .origin_count = 1), "/p", "origin_count"},
        {ROUTE(.path = "/p", .handler = &handler_a, .subprotocol_count = 1), "/p",
         "subprotocol_count"},
        {ROUTE(.path = "/p", .handler = &handler_a, .subprotocols = list_of_null,
               .subprotocol_count = 1),
         "/p", "subprotocols has an element that is NULL"},
        {ROUTE(.path = "/p", .handler = &handler_a, .origins = list_of_path), "/p",
         "origin_count is 0"},
        {ROUTE(.path = "/p", .http = &http, .subprotocols = list_of_null, .subprotocol_count = 1),
         "/p", "subprotocols is set, and handler is NULL"},
        {ROUTE(.path = "/p", .handler = &handler_a, .origins = list_of_port, .origin_count = 1),
         "/p", "\"https://a.example:\""},
        {ROUTE(.path = "/p", .handler = &handler_a, .origins = list_of_control, .origin_count = 1),
         "/p", "\"https://a\\x0d\\x0ab\""},
    };
    EXPECT_ALL_REFUSED(rows);
}

Test(routes_refused, routes_of_different_sizes_are_refused) {
    wring_route list[] = {ROUTE(.path = "/a", .handler = &handler_a),
                          ROUTE(.path = "/b", .handler = &handler_a)};
    list[1].struct_size -= 8;
    expect_refused((wring_server_config){.routes = list, .route_count = 2}, "wring_route",
                   "element 1");
    list[0].struct_size = 0;
    expect_refused((wring_server_config){.routes = list, .route_count = 2}, "wring_route",
                   "struct_size");
    expect_refused((wring_server_config){.routes = NULL, .route_count = 2}, "routes is NULL",
                   "route_count");
}

Test(routes_refused, a_subprotocol_that_is_no_token) {
    static const struct {
        const char *text, *shown;
    } rows[] = {{"", "\"\""},
                {"a,b", "\"a,b\""},
                {"a b", "\"a b\""},
                {"a\r\nX: y", "\"a\\x0d\\x0aX: y\""},
                {"caf\xC3\xA9", "\"caf\xC3\xA9\""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const list[] = {"good", rows[i].text};
        const wring_route route = ROUTE(.path = "/p", .handler = &handler_a, .subprotocols = list,
                                        .subprotocol_count = 2);
        const wring_server_config by_route = {.routes = &route, .route_count = 1};
        const wring_server_config by_server = {
            .handler = &handler_a, .subprotocols = list, .subprotocol_count = 2};
        wring__routes routes = {0};
        wring_error error = {.text = ""};
        wring_server_config config = adopted(by_route);
        cr_expect_eq(wring__routes_init(&routes, &config, &error), WRING_ERR_INVALID_CONFIG);
        cr_expect_not_null(strstr(error.text, "route /p: subprotocols"), "%s", error.text);
        cr_expect_not_null(strstr(error.text, rows[i].shown), "%s", error.text);
        wring__routes_deinit(&routes);
        config = adopted(by_server);
        cr_expect_eq(wring__routes_init(&routes, &config, &error), WRING_ERR_INVALID_CONFIG);
        cr_expect_not_null(strstr(error.text, "server config: subprotocols"), "%s", error.text);
        cr_expect_not_null(strstr(error.text, rows[i].shown), "%s", error.text);
        wring__routes_deinit(&routes);
    }
}

Test(routes_refused, a_list_of_the_server_without_its_count_or_its_handler) {
    static const char *const list[] = {"good"};
    const wring_route route = ROUTE(.path = "/p", .handler = &handler_a);
    expect_refused((wring_server_config){.routes = &route}, "server config", "handler is missing");
    expect_refused((wring_server_config){.handler = &handler_a, .route_count = 1}, "routes",
                   "NULL");
    expect_refused((wring_server_config){.handler = &handler_a, .subprotocol_count = 1},
                   "server config", "subprotocols is NULL");
    expect_refused(
        (wring_server_config){
            .routes = &route, .route_count = 1, .subprotocols = list, .subprotocol_count = 1},
        "server config", "handler is NULL");
}

/* ---- one route against another --------------------------------------------------------------- */

static void expect_pair(const wring_route *first, const wring_route *second, const char *why) {
    const wring_route list[] = {ROUTE(.path = "/elsewhere", .handler = &handler_a), *first,
                                *second};
    const wring_server_config config =
        adopted((wring_server_config){.routes = list, .route_count = 3});
    wring__routes routes = {0};
    wring_error error = {.text = ""};
    const wring_result result = wring__routes_init(&routes, &config, &error);
    cr_expect_eq(result, why == NULL ? WRING_OK : WRING_ERR_INVALID_CONFIG, "%s, then %s: %s",
                 first->path, second->path, error.text);
    if (why != NULL) {
        cr_expect_not_null(strstr(error.text, why), "'%s' is not in '%s'", why, error.text);
        cr_expect_not_null(strstr(error.text, "routes[1]"), "%s", error.text);
        cr_expect_not_null(strstr(error.text, "routes[2]"), "%s", error.text);
    }
    wring__routes_deinit(&routes);
}

#define HTTP(...) ROUTE(.http = &http, __VA_ARGS__)
#define WS(...)   ROUTE(.handler = &handler_a, __VA_ARGS__)

Test(routes_refused, what_an_earlier_route_of_the_same_path_serves) {
    const struct {
        wring_route first, second;
        const char *why; /* NULL: it is legal */
    } rows[] = {
        {HTTP(.path = "/a"), HTTP(.path = "/a"), "GET"},
        {HTTP(.path = "/a"), HTTP(.path = "/a", .methods = "PUT, GET"), "GET"},
        {HTTP(.path = "/a"), HTTP(.path = "/a", .methods = "HEAD"), "HEAD"},
        {HTTP(.path = "/a", .methods = "HEAD"), HTTP(.path = "/a"), NULL},
        {HTTP(.path = "/a", .methods = "PURGE"), HTTP(.path = "/a", .methods = "COPY,PURGE"),
         "PURGE"},
        {HTTP(.path = "/a"), HTTP(.path = "/a", .methods = "PUT, DELETE"), NULL},
        {HTTP(.path = "/a"), HTTP(.path = "/a", .methods = "*"), NULL}, /* all the others */
        {HTTP(.path = "/a", .methods = "*"), HTTP(.path = "/a"), "GET"},
        {HTTP(.path = "/a", .methods = "*"), HTTP(.path = "/a", .methods = "*"), "never"},
        {HTTP(.path = "/a/{x}"), HTTP(.path = "/a/{y}"), "GET"},
        {HTTP(.path = "/a/*"), HTTP(.path = "/a/*"), "GET"},
        {WS(.path = "/a"), WS(.path = "/a"), "handler"},
        {WS(.path = "/a"), HTTP(.path = "/a"), NULL},
        {WS(.path = "/a"), HTTP(.path = "/a", .handler = &handler_a), "handler"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_pair(&rows[i].first, &rows[i].second, rows[i].why);
    }
}

Test(routes_refused, what_can_never_be_reached) {
    const struct {
        wring_route first, second;
        const char *why; /* NULL: it is legal */
    } rows[] = {
        {WS(.path = "/*"), WS(.path = "/a"), "never"},
        {WS(.path = "/a", .http = &http), WS(.path = "/*"), NULL},
        {WS(.path = "/*"), HTTP(.path = "/a"), NULL},
        {WS(.path = "/*"), HTTP(.path = "/a", .handler = &handler_a), NULL},
        {HTTP(.path = "/*"), HTTP(.path = "/a"), "never"},
        {HTTP(.path = "/*"), HTTP(.path = "/a", .methods = "GET, POST"), NULL},
        {HTTP(.path = "/*", .methods = "*"), HTTP(.path = "/a", .methods = "GET, COPY"), "never"},
        {HTTP(.path = "/*"), HTTP(.path = "/a", .methods = "*"), NULL},
        {HTTP(.path = "/{x}"), HTTP(.path = "/a"), "never"},
        {HTTP(.path = "/a"), HTTP(.path = "/{x}"), NULL},
        {HTTP(.path = "/{x}/b"), HTTP(.path = "/{y}/{z}"), NULL},
        {HTTP(.path = "/{x}/{y}"), HTTP(.path = "/{x}/b"), "never"},
        {HTTP(.path = "/a/{x}"), HTTP(.path = "/a/*"), NULL},
        {HTTP(.path = "/a/*"), HTTP(.path = "/a/{x}/b"), "never"},
        {HTTP(.path = "/a/*"), HTTP(.path = "/a*"), NULL},
        {HTTP(.path = "/a*"), HTTP(.path = "/a/*"), "never"},
        {HTTP(.path = "/{x}/*"), HTTP(.path = "/a/b*"), "never"},
        {HTTP(.path = "/{x}/*"), HTTP(.path = "/a*"), NULL},
        {HTTP(.path = "/x*"), HTTP(.path = "/{x}"), NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_pair(&rows[i].first, &rows[i].second, rows[i].why);
    }
}

/* Whatever a path's routes serve, Allow names it whole. */
Test(routes_refused, methods_that_make_an_allow_header_too_long) {
    static char methods[2][1024];
    wring_route list[2];
    for (int i = 0; i < 2; i++) {
        methods[i][0] = 0;
        for (int k = 0; k < 8; k++) {
            char *end = methods[i] + strlen(methods[i]);
            (void)snprintf(end, 64, "%sM%d%d%029d", k == 0 ? "" : ", ", i, k, 0);
        }
        list[i] = (wring_route)HTTP(.path = i == 0 ? "/m" : "/n", .methods = methods[i]);
    }
    const wring_server_config one =
        adopted((wring_server_config){.routes = list, .route_count = 1});
    wring__routes routes = {0};
    wring_error error = {.text = ""};
    cr_assert_eq(wring__routes_init(&routes, &one, &error), WRING_OK, "%s", error.text);
    uint8_t storage[8];
    wring__match out;
    cr_expect_eq(
        wring__routes_match(&routes, wring_str("/m"), wring_str("GET"), false, storage, &out),
        WRING_ERR_WRONG_METHOD);
    cr_expect_eq(strlen(out.allow), strlen("OPTIONS, ") + strlen(methods[0]), "%s", out.allow);
    wring__routes_deinit(&routes);
    expect_refused((wring_server_config){.routes = list, .route_count = 2}, "route /n", "Allow");
}
