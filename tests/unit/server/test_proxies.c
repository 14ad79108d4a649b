/* SPDX-License-Identifier: Apache-2.0
 *
 * Trusted proxies: which peers a list covers, which lists are refused.
 */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "server/proxies.h"

static struct sockaddr_storage peer_of(const char *text) {
    struct sockaddr_storage out = {.ss_family = AF_UNIX};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        out.ss_family = AF_INET;
    } else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        out.ss_family = AF_INET6;
    }
    return out;
}

Test(proxies, an_entry_covers_its_address_or_network) {
    static const struct {
        const char *entry, *peer;
        bool trusted;
    } rows[] = {
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.2", false},
        {"10.0.0.1", "::ffff:10.0.0.1", true},
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {"10.0.0.0/8", "::ffff:10.9.9.9", true},
        {"10.1.2.3/8", "10.9.9.9", true},
        {"192.168.4.0/22", "192.168.7.255", true},
        {"192.168.4.0/22", "192.168.8.0", false},
        {"192.168.4.0/22", "192.168.3.255", false},
        {"10.0.0.1/32", "10.0.0.1", true},
        {"10.0.0.0/31", "10.0.0.1", true},
        {"10.0.0.0/31", "10.0.0.2", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "::1", false},
        {"0.0.0.0/0", "::ffff:1.2.3.4", true},
        {"::1", "::1", true},
        {"::1", "127.0.0.1", false},
        {"0:0:0:0:0:0:0:1", "::1", true},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fe00::1", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "10.0.0.1", false},
        {"::ffff:10.0.0.1", "10.0.0.1", true},
        {"::ffff:10.0.0.0/104", "10.9.9.9", true},
        {"::ffff:10.0.0.0/104", "::ffff:10.9.9.9", true},
        {"::ffff:10.0.0.0/104", "11.0.0.1", false},
        {"unix", "a socket", true},
        {"unix", "127.0.0.1", false},
        {"0.0.0.0/0", "a socket", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wring__proxies *proxies = NULL;
        wring_error error = {.text = ""};
        const struct sockaddr_storage peer = peer_of(rows[i].peer);
        cr_assert_eq(wring__proxies_init(&rows[i].entry, 1, &proxies, &error), WRING_OK, "%s",
                     error.text);
        cr_expect_eq(wring__proxies_trust(proxies, &peer), rows[i].trusted, "%s for %s",
                     rows[i].entry, rows[i].peer);
        cr_expect_not(wring__proxies_trust(proxies, NULL));
        wring__proxies_free(proxies);
    }
}

Test(proxies, any_entry_of_the_list_counts) {
    static const char *const list[] = {"unix", "10.0.0.0/8", "::1"};
    static const char *const trusted[] = {"a socket", "10.1.1.1", "::1"};
    wring__proxies *proxies = NULL;
    cr_assert_eq(wring__proxies_init(list, 3, &proxies, NULL), WRING_OK);
    for (size_t i = 0; i < 3; i++) {
        const struct sockaddr_storage peer = peer_of(trusted[i]);
        cr_expect(wring__proxies_trust(proxies, &peer), "%s", trusted[i]);
    }
    const struct sockaddr_storage other = peer_of("192.0.2.1");
    cr_expect_not(wring__proxies_trust(proxies, &other));
    wring__proxies_free(proxies);
}

Test(proxies, an_empty_list_trusts_nobody) {
    wring__proxies *proxies = NULL;
    const struct sockaddr_storage peer = peer_of("127.0.0.1");
    cr_assert_eq(wring__proxies_init(NULL, 0, &proxies, NULL), WRING_OK);
    cr_expect_not(wring__proxies_trust(proxies, &peer));
    const struct sockaddr_storage unknown = {.ss_family = AF_UNSPEC};
    cr_expect_not(wring__proxies_trust(proxies, &unknown));
    wring__proxies_free(proxies);
}

Test(proxies, a_bad_entry_is_named) {
    static const char *const rows[] = {"",          "proxy",       "10.0.0",      "10.0.0.0/33",
                                       "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ",
                                       " 10.0.0.1", "10.0.0.1:80", "::1/129",     "[::1]",
                                       "fe80::1%1", "Unix",        "10.0.0.0/8/8"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const list[] = {"10.0.0.1", rows[i]};
        wring__proxies *proxies = NULL;
        wring_error error = {.text = ""};
        char named[64];
        (void)snprintf(named, sizeof named, "\"%s\"", rows[i]);
        cr_expect_eq(wring__proxies_init(list, 2, &proxies, &error), WRING_ERR_INVALID_CONFIG, "%s",
                     rows[i]);
        cr_expect_null(proxies);
        cr_expect_not_null(strstr(error.text, "trusted_proxies"), "%s", error.text);
        cr_expect_not_null(strstr(error.text, named), "%s", error.text);
    }
    wring__proxies *proxies = NULL;
    const char *const null_entry[] = {NULL};
    cr_expect_eq(wring__proxies_init(null_entry, 1, &proxies, NULL), WRING_ERR_INVALID_CONFIG);
    cr_expect_eq(wring__proxies_init(NULL, 1, &proxies, NULL), WRING_ERR_INVALID_CONFIG);
    cr_expect_eq(wring__proxies_init(null_entry, 0, &proxies, NULL), WRING_OK); /* an empty list */
    cr_expect_null(proxies);
}
