/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/parse.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>

Test(parse, counts_and_rates) {
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},        {"250", 250},      {"2.5k", 2500},     {"10K", 10000},
                {"1m", 1000000}, {"1.5M", 1500000}, {"1g", 1000000000}, {".5", 0.5}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double value = -1;
        cr_assert(load_parse_count(good[i].text, &value), "%s", good[i].text);
        cr_assert_float_eq(value, good[i].value, 1e-6, "%s", good[i].text);
    }
    static const char *const bad[] = {"",   "k",    "-1", "+1",  "1kk", "1 k",
                                      " 1", "0x10", "1x", "inf", "nan", "1e999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double value;
        cr_assert_not(load_parse_count(bad[i], &value), "'%s'", bad[i]);
    }
}

Test(parse, bytes) {
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0},         {"125", 125},       {"125b", 125},
                {"16k", 16384},   {"16KiB", 16384},   {"1m", 1048576},
                {"1MB", 1048576}, {"2g", 2147483648}, {"1.5k", 1536}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t value = 1;
        cr_assert(load_parse_bytes(good[i].text, &value), "%s", good[i].text);
        cr_assert_eq(value, good[i].value, "%s", good[i].text);
    }
    static const char *const bad[] = {"", "b", "-5", "5x", "5kx", "1e30"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t value;
        cr_assert_not(load_parse_bytes(bad[i], &value), "'%s'", bad[i]);
    }
}

Test(parse, durations) {
    static const struct {
        const char *text;
        wring_duration_ns value;
    } good[] = {{"10", 10000000000},   {"10s", 10000000000},
                {"500ms", 500000000},  {"5us", 5000},
                {"100ns", 100},        {"2m", 120000000000},
                {"1h", 3600000000000}, {"1m30s", 90000000000},
                {"0.5s", 500000000},   {"0", 0}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        wring_duration_ns value = 1;
        cr_assert(load_parse_duration(good[i].text, &value), "%s", good[i].text);
        cr_assert_eq(value, good[i].value, "%s", good[i].text);
    }
    static const char *const bad[] = {"", "s", "-1s", "1x", "1s2x", "1 s", "10d", "99999999999h"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        wring_duration_ns value;
        cr_assert_not(load_parse_duration(bad[i], &value), "'%s'", bad[i]);
    }
}

Test(parse, shares) {
    double value;
    cr_assert(load_parse_share("5%", &value));
    cr_assert_float_eq(value, 0.05, 1e-12);
    cr_assert(load_parse_share("0.1", &value));
    cr_assert_float_eq(value, 0.1, 1e-12);
    cr_assert_not(load_parse_share("5%%", &value));
    cr_assert_not(load_parse_share("%", &value));
}

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
