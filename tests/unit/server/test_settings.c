/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a server may be replaced: what a route takes over from the server's policy, now and after
 * a change; and that a change that is refused has changed nothing.
 */
#include <criterion/criterion.h>

#include "server/server.h"

static const wring_handler handler = {.struct_size = sizeof handler, .name = "any"};

#define ROUTE(...)                                                                                 \
    { .struct_size = sizeof(wring_route), .handler = &handler, __VA_ARGS__ }
#define RULE(...)                                                                                  \
    { .struct_size = sizeof(wring_topic_rule), __VA_ARGS__ }

static wring_server *made(const wring_policy *policy, const wring_policy *own) {
    const wring_route routes[] = {ROUTE(.path = "/own", .policy = own), ROUTE(.path = "/none")};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = 1,
                                        .routes = routes,
                                        .route_count = 2,
                                        .policy = policy};
    wring_server *server = NULL;
    wring_error error = {.text = ""};
    cr_assert_eq(wring_server_create(&config, &server, &error), WRING_OK, "%s", error.text);
    return server;
}

enum { OWN, NONE, SERVER };

static const wring_policy *policy_of(const wring_server *server, int which) {
    return &server->settings.newest->policies[which].config;
}

Test(settings, a_route_has_the_servers_policy_where_it_says_nothing) {
    const wring_policy policy = {
        .struct_size = sizeof policy, .age_max_ms = 5, .subscriptions_max = 6};
    const wring_policy own = {.struct_size = sizeof own, .subscriptions_max = 7};
    wring_server *server = made(&policy, &own);
    cr_expect_eq(policy_of(server, OWN)->age_max_ms, 5u);
    cr_expect_eq(policy_of(server, OWN)->subscriptions_max, 7u);
    cr_expect_eq(policy_of(server, NONE)->subscriptions_max, 6u);
    cr_expect_eq(policy_of(server, SERVER)->subscriptions_max, 6u);
    wring_server_destroy(server);
}

Test(settings, a_new_policy_of_the_server_reaches_the_routes_that_have_none_of_their_own) {
    const wring_policy own = {.struct_size = sizeof own, .subscriptions_max = 7};
    const wring_policy next = {
        .struct_size = sizeof next, .age_max_ms = 9, .subscriptions_max = 11};
    wring_server *server = made(NULL, &own);
    wring_error error = {.text = ""};
    cr_assert_eq(wring_server_set_policy(server, NULL, &next, &error), WRING_OK, "%s", error.text);
    cr_expect_eq(policy_of(server, OWN)->subscriptions_max, 7u);
    cr_expect_eq(policy_of(server, OWN)->age_max_ms, 9u);
    cr_expect_eq(policy_of(server, NONE)->subscriptions_max, 11u);
    wring_server_destroy(server);
}

Test(settings, a_new_policy_of_a_route_is_that_route_s_alone) {
    wring_session_config limits = {.struct_size = sizeof limits, .message_bytes_max = 100};
    const wring_policy next = {.struct_size = sizeof next, .session = &limits};
    wring_server *server = made(NULL, NULL);
    cr_assert_eq(wring_server_set_policy(server, "/none", &next, NULL), WRING_OK);
    limits.message_bytes_max = 1; /* it was copied */
    cr_expect_eq(server->settings.newest->policies[NONE].session.message_bytes_max, 100u);
    cr_expect_eq(server->settings.newest->policies[OWN].session.message_bytes_max, 64u << 20);
    cr_assert_eq(wring_server_set_policy(server, NULL, NULL, NULL), WRING_OK);
    cr_expect_eq(server->settings.newest->policies[NONE].session.message_bytes_max, 100u,
                 "a later change of the server's policy forgot the route's");
    wring_server_destroy(server);
}

Test(settings, what_is_refused_changes_nothing) {
    const wring_policy good = {.struct_size = sizeof good, .subscriptions_max = 3};
    const wring_policy bad = {
        .struct_size = sizeof bad, .send_soft_bytes = 100, .send_hard_bytes = 100};
    const wring_topic_rule nameless[] = {RULE(.name = "a"), RULE(.coalesce_us = 5)};
    wring_server *server = made(NULL, &good);
    wring_error error = {.text = ""};
    const wring__settings *before = server->settings.newest;
    cr_expect_eq(wring_server_set_policy(server, "/own", &bad, &error), WRING_ERR_INVALID_CONFIG);
    cr_expect_not_null(strstr(error.text, "route /own: policy: send_hard_bytes"), "%s", error.text);
    cr_expect_eq(wring_server_set_policy(server, "/nowhere", &good, &error),
                 WRING_ERR_INVALID_ARGUMENT);
    cr_expect_not_null(strstr(error.text, "/nowhere"));
    cr_expect_eq(wring_server_set_policy(server, "/\x1b\n", &good, &error),
                 WRING_ERR_INVALID_ARGUMENT);
    cr_expect_not_null(strstr(error.text, "'/\\x1b\\x0a'"), "%s", error.text);
    cr_expect_eq(wring_server_set_topic_rules(server, nameless, 2, &error),
                 WRING_ERR_INVALID_CONFIG);
    cr_expect_eq(server->settings.newest, before);
    cr_assert_eq(wring_server_set_policy(server, NULL, NULL, &error), WRING_OK);
    cr_expect_eq(policy_of(server, OWN)->subscriptions_max, 3u, "the refused one was kept");
    wring_server_destroy(server);
}

Test(settings, topic_rules_are_copied_with_their_names) {
    char name[] = "news";
    const wring_topic_rule rules[] = {RULE(.name = name, .message_bytes_max = 10)};
    wring_server *server = made(NULL, NULL);
    wring__publish_rule rule;
    cr_assert_eq(wring_server_set_topic_rules(server, rules, 1, NULL), WRING_OK);
    memcpy(name, "gone", 4);
    wring__settings_judge(server, wring_str("news"), &rule);
    cr_expect_eq(rule.message_bytes_max, 10u);
    cr_assert_eq(wring_server_set_topic_rules(server, NULL, 0, NULL), WRING_OK);
    wring__settings_judge(server, wring_str("news"), &rule);
    cr_expect_eq(rule.message_bytes_max, WRING_UNLIMITED);
    wring_server_destroy(server);
}
