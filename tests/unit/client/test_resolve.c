/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "client/resolve.h"

static uint16_t port_of(const wring__address *address) {
    return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
}

Test(addresses, numeric_ones_need_no_resolver) {
    wring__address address;
    cr_assert(wring__address_parse("127.0.0.1", 80, &address));
    cr_assert_eq(address.any.sa_family, AF_INET);
    cr_assert_eq(port_of(&address), 80);
    cr_assert_eq(address.len, sizeof address.v4);
    cr_assert(wring__address_parse("::1", 443, &address));
    cr_assert_eq(address.any.sa_family, AF_INET6);
    cr_assert_eq(port_of(&address), 443);
    static const char *const names[] = {"", "localhost", "127.1", "1.2.3.4.5", "::1%1", "[::1]"};
    for (size_t i = 0; i < 6; i++) {
        cr_assert_not(wring__address_parse(names[i], 1, &address), "%s", names[i]);
    }
}

/* Families as digits in, the order of the addresses (a, b, ...) out. */
Test(addresses, families_take_turns) { /* RFC 8305 4 */
    static const char *const rows[][2] = {
        {"", ""},         {"4", "a"},       {"6644", "acbd"},   {"4466", "acbd"},
        {"6464", "abcd"}, {"6666", "abcd"}, {"66644", "adbec"}, {"4666", "abcd"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wring__addresses addresses = {.count = (uint32_t)strlen(rows[i][0])};
        for (uint32_t k = 0; k < addresses.count; k++) {
            cr_assert(wring__address_parse(rows[i][0][k] == '4' ? "127.0.0.1" : "::1",
                                           (uint16_t)('a' + k), &addresses.list[k]));
        }
        wring__addresses_interleave(&addresses);
        char order[8] = "";
        for (uint32_t k = 0; k < addresses.count; k++) {
            order[k] = (char)port_of(&addresses.list[k]);
        }
        cr_assert_str_eq(order, rows[i][1], "%s: %s", rows[i][0], order);
    }
}
