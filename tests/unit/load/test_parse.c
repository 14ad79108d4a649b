/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/parse.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>

static size_t sources(const char *text, load_address *list) {
    size_t count = 0;
    return load_parse_sources(text, list, &count) ? count : 0;
}

static void is_v4(const load_address *address, const char *text) {
    char got[INET_ADDRSTRLEN];
    cr_assert_eq(address->any.sa_family, AF_INET);
    cr_assert_str_eq(inet_ntop(AF_INET, &address->v4.sin_addr, got, sizeof got), text);
}

Test(parse, source_addresses) {
    static load_address list[LOAD_SOURCES_MAX];
    cr_assert_eq(sources("127.0.0.2", list), 1u);
    is_v4(&list[0], "127.0.0.2");
    cr_assert_eq(sources("127.0.0.2-127.0.0.5", list), 4u);
    is_v4(&list[3], "127.0.0.5");
    cr_assert_eq(sources("127.0.0.2-9,10.0.0.1,fd00::1", list), 10u);
    is_v4(&list[7], "127.0.0.9");
    is_v4(&list[8], "10.0.0.1");
    cr_assert_eq(list[9].any.sa_family, AF_INET6);
    cr_assert_eq(sources("10.0.0.254-10.0.1.3", list), 6u);
    is_v4(&list[5], "10.0.1.3");
    static const char *const bad[] = {"",
                                      ",",
                                      "127.0.0.1,",
                                      "127.0.0",
                                      "localhost",
                                      "127.0.0.9-127.0.0.2",
                                      "127.0.0.2-300",
                                      "fd00::1-fd00::4",
                                      "10.0.0.0-10.255.255.255",
                                      "127.0.0.2-"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(sources(bad[i], list), 0u, "'%s'", bad[i]);
    }
}

Test(parse, the_whole_range_of_addresses_ends) {
    static load_address list[LOAD_SOURCES_MAX];
    cr_assert_eq(sources("255.255.255.250-255.255.255.255", list), 6u);
}
