/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's routes: which one a path leads to, what is copied, what is refused by its path.
 */
#include <criterion/criterion.h>

#include "server/routes.h"

static const wring_handler handler_a = {.struct_size = sizeof handler_a, .name = "a"};
static const wring_handler handler_b = {
    .struct_size = sizeof handler_b, .name = "b", .state_size = 100};

static void respond(const wring_request *request, wring_http_response *response, void *opts) {
    (void)request;
    (void)response;
    (void)opts;
}

#define ROUTE(...)                                                                                 \
    { .struct_size = sizeof(wring_route), __VA_ARGS__ }

static wring_server_config adopted(wring_server_config in) {
    wring_server_config out = {.struct_size = sizeof out};
    in.struct_size = sizeof in;
    cr_assert_eq(wring_server_config_adopt(&in, &out, NULL), WRING_OK);
    return out;
}

static wring__routes made(wring_server_config in) {
    const wring_server_config config = adopted(in);
    wring__routes routes = {0};
    wring_error error = {.text = ""};
    cr_assert_eq(wring__routes_init(&routes, &config, &error), WRING_OK, "%s", error.text);
    return routes;
}

/* Whose opts the path leads to: NULL for no route. */
static const char *opts_at(const wring__routes *routes, const char *path) {
    const wring__route *route = wring__routes_find(routes, wring_str(path));
    return route == NULL ? NULL : route->binding.opts;
}

Test(routes, the_first_that_matches_wins_and_the_handler_takes_the_rest) {
    const wring_route list[] = {
        ROUTE(.path = "/a", .handler = &handler_a, .opts = "exact"),
        ROUTE(.path = "/a/*", .handler = &handler_a, .opts = "below"),
        ROUTE(.path = "/a/b", .handler = &handler_a, .opts = "never"),
        ROUTE(.path = "/x*", .handler = &handler_b, .opts = "prefix"),
    };
    wring__routes routes = made((wring_server_config){
        .routes = list, .route_count = 4, .handler = &handler_b, .handler_opts = "rest"});
    static const char *const rows[][2] = {
        {"/a", "exact"},     {"/a/", "below"}, {"/a/b", "below"},  {"/A", "rest"},
        {"/ab", "rest"},     {"/x", "prefix"}, {"/xyz", "prefix"}, {"/", "rest"},
        {"/a/b/c", "below"}, {"*", "rest"},    {"", "rest"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_expect_str_eq(opts_at(&routes, rows[i][0]), rows[i][1], "%s", rows[i][0]);
    }
    cr_expect_eq(routes.state_size_max, 100u);
    wring__routes_deinit(&routes);
    wring__routes_deinit(&routes);
}

Test(routes, without_a_handler_of_all_paths_some_lead_nowhere) {
    const wring_route list[] = {ROUTE(.path = "/a", .handler = &handler_a, .opts = "a"),
                                ROUTE(.path = "/h", .respond = respond, .opts = "h")};
    wring__routes routes = made((wring_server_config){.routes = list, .route_count = 2});
    cr_expect_str_eq(opts_at(&routes, "/a"), "a");
    cr_expect_null(wring__routes_find(&routes, wring_str("/b")));
    const wring__route *http = wring__routes_find(&routes, wring_str("/h"));
    cr_assert_not_null(http);
    cr_expect_eq(http->config.respond, respond);
    cr_expect_eq(http->config.opts, (void *)list[1].opts);
    cr_expect_null(http->config.handler);
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
    wring_route list[] = {ROUTE(.path = "/a", .handler = &handler, .policy = &policy)};
    wring__routes routes = made((wring_server_config){
        .routes = list, .route_count = 1, .handler = &rest, .policy = &policy});
    memset(&handler, 0xFF, sizeof handler);
    memset(&rest, 0xFF, sizeof rest);
    memset(&session, 0xFF, sizeof session);
    memset(&deflate, 0xFF, sizeof deflate);
    memset(&policy, 0xFF, sizeof policy);
    memset(list, 0xFF, sizeof list);
    const wring__route *route = wring__routes_find(&routes, wring_str("/a"));
    cr_assert_not_null(route);
    cr_expect_str_eq(route->binding.handler->name, "b");
    cr_expect_eq(route->binding.handler->state_size, 100u);
    cr_expect_eq(route->config.handler, route->binding.handler);
    cr_expect_eq(route->policy.session.idle_timeout_ms, 7u);
    cr_expect_eq(route->policy.deflate.level, 3);
    cr_expect_eq(route->policy.config.age_max_ms, 8u);
    const wring__route *other = wring__routes_find(&routes, wring_str("/b"));
    cr_assert_not_null(other);
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
    cr_expect_str_eq(opts_at(&routes, "/one"), "1");
    cr_expect_str_eq(opts_at(&routes, "/two"), "2");
    wring__routes_deinit(&routes);
}

/* ---- refused --------------------------------------------------------------------------------- */

static void expect_refused(wring_server_config in, const char *named, const char *why) {
    const wring_server_config config = adopted(in);
    wring__routes routes = {0};
    wring_error error = {.text = ""};
    cr_expect_eq(wring__routes_init(&routes, &config, &error), WRING_ERR_INVALID_CONFIG, "%s", why);
    cr_expect_not_null(strstr(error.text, named), "'%s' is not in '%s'", named, error.text);
    cr_expect_not_null(strstr(error.text, why), "'%s' is not in '%s'", why, error.text);
    wring__routes_deinit(&routes);
}

Test(routes, a_server_without_any_is_told) {
    expect_refused((wring_server_config){0}, "handler", "routes");
}

Test(routes, the_path_of_a_bad_route_is_named) {
    const wring_handler lame = {.struct_size = 0};
    const wring_handler huge = {.struct_size = sizeof huge, .state_size = (16u << 20) + 1};
    const struct {
        wring_route route;
        const char *named, *why;
    } rows[] = {
        {ROUTE(.path = "a", .handler = &handler_a), "route a", "'/'"},
        {ROUTE(.path = "*", .handler = &handler_a), "route *", "'/'"},
        {ROUTE(.path = "", .handler = &handler_a), "route ", "'/'"},
        {ROUTE(.handler = &handler_a), "without a path", "'/'"},
        {ROUTE(.path = "/p"), "/p", "handler and respond"},
        {ROUTE(.path = "/p", .handler = &handler_a, .respond = respond), "/p",
         "handler and respond"},
        {ROUTE(.path = "/p", .handler = &lame), "/p", "wring_handler"},
        {ROUTE(.path = "/p", .handler = &huge), "/p", "state_size"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const wring_route list[] = {ROUTE(.path = "/good", .handler = &handler_a), rows[i].route};
        expect_refused((wring_server_config){.routes = list, .route_count = 2}, rows[i].named,
                       rows[i].why);
    }
}

Test(routes, routes_of_different_sizes_are_refused) {
    wring_route list[] = {ROUTE(.path = "/a", .handler = &handler_a),
                          ROUTE(.path = "/b", .handler = &handler_a)};
    list[1].struct_size -= 8;
    expect_refused((wring_server_config){.routes = list, .route_count = 2}, "wring_route",
                   "element 1");
    list[0].struct_size = 0;
    expect_refused((wring_server_config){.routes = list, .route_count = 2}, "wring_route",
                   "struct_size");
    expect_refused((wring_server_config){.routes = NULL, .route_count = 2}, "wring_route", "NULL");
}
