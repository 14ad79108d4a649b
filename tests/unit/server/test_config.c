/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's configuration: what is refused before a server is made of it, and by which sentence.
 */
#include <criterion/criterion.h>

#include "wring/server.h"

static const wring_handler handler = {.struct_size = sizeof handler, .name = "any"};

static void expect_refused(wring_server_config in, const char *const *named, size_t count) {
    wring_server *server = NULL;
    wring_error error = {.text = ""};
    in.struct_size = sizeof in;
    in.handler = &handler;
    in.workers = 1;
    cr_expect_eq(wring_server_create(&in, &server, &error), WRING_ERR_INVALID_CONFIG, "%s",
                 named[0]);
    for (size_t i = 0; i < count; i++) {
        cr_expect_not_null(strstr(error.text, named[i]), "'%s' is not in '%s'", named[i],
                           error.text);
    }
    wring_server_destroy(server);
}
#define EXPECT_REFUSED(named, ...)                                                                 \
    expect_refused((wring_server_config){__VA_ARGS__}, named, sizeof(named) / sizeof *(named))

Test(config, a_head_that_is_too_small_for_its_target_names_both_fields) {
    static const char *const named[] = {"target_bytes_max is 8192 (default 8192)",
                                        "handshake_bytes_max is 100 (default 65536)"};
    EXPECT_REFUSED(named, .handshake_bytes_max = 100);
    static const char *const both[] = {"target_bytes_max is 201", "handshake_bytes_max is 200"};
    EXPECT_REFUSED(both, .handshake_bytes_max = 200, .target_bytes_max = 201);
    static const char *const head[] = {"handshake_bytes_max is below 64"};
    EXPECT_REFUSED(head, .handshake_bytes_max = 63);
    static const char *const target[] = {"target_bytes_max is above 65,535"};
    EXPECT_REFUSED(target, .target_bytes_max = 65536);
}

Test(config, a_log_needs_its_function) {
    static const char *const named[] = {"log config: write is missing", "NULL"};
    const wring_log_config log = {.struct_size = sizeof log, .level = WRING_LOG_DEBUG};
    EXPECT_REFUSED(named, .log = &log);
}

Test(config, a_list_has_its_count) {
    const wring_tls_server_config tls = {
        .struct_size = sizeof tls, .cert_file = "c", .key_file = "k", .sni_count = 1};
    static const char *const no_rules[] = {"topic_rule_count is 2, and topic_rules is NULL"};
    EXPECT_REFUSED(no_rules, .topic_rule_count = 2);
    static const char *const no_proxies[] = {"trusted_proxy_count is 1"};
    EXPECT_REFUSED(no_proxies, .trusted_proxy_count = 1);
    static const char *const no_names[] = {"tls.sni_count is 1"};
    EXPECT_REFUSED(no_names, .tls = &tls);
}
