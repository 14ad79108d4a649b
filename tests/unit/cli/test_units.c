/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/units.h"

#include <criterion/criterion.h>

Test(units, counts_and_rates) {
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},        {"250", 250},      {"2.5k", 2500},     {"10K", 10000},
                {"1m", 1000000}, {"1.5M", 1500000}, {"1g", 1000000000}, {".5", 0.5}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double value = -1;
        cr_assert(units_parse_count(good[i].text, &value), "%s", good[i].text);
        cr_assert_float_eq(value, good[i].value, 1e-6, "%s", good[i].text);
    }
    static const char *const bad[] = {"",   "k",    "-1", "+1",  "1kk", "1 k",
                                      " 1", "0x10", "1x", "inf", "nan", "1e999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double value;
        cr_assert_not(units_parse_count(bad[i], &value), "'%s'", bad[i]);
    }
}

Test(units, bytes) {
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0},         {"125", 125},       {"125b", 125},    {"16k", 16384},
                {"16KiB", 16384}, {"1m", 1048576},    {"1MB", 1048576}, {"1MiB", 1048576},
                {"64KIB", 65536}, {"2g", 2147483648}, {"1.5k", 1536}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t value = 1;
        cr_assert(units_parse_bytes(good[i].text, &value), "%s", good[i].text);
        cr_assert_eq(value, good[i].value, "%s", good[i].text);
    }
    static const char *const bad[] = {"", "b", "-5", "5x", "5kx", "1e30"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t value;
        cr_assert_not(units_parse_bytes(bad[i], &value), "'%s'", bad[i]);
    }
}

Test(units, durations) {
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"10", 10000000000},   {"10s", 10000000000},
                {"500ms", 500000000},  {"5us", 5000},
                {"100ns", 100},        {"2m", 120000000000},
                {"1h", 3600000000000}, {"1m30s", 90000000000},
                {"0.5s", 500000000},   {"0", 0}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t value = 1;
        cr_assert(units_parse_duration(good[i].text, UNITS_NS_PER_SEC, &value), "%s", good[i].text);
        cr_assert_eq(value, good[i].value, "%s", good[i].text);
    }
    static const char *const bad[] = {"", "s", "-1s", "1x", "1s2x", "1 s", "10d", "99999999999h"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t value;
        cr_assert_not(units_parse_duration(bad[i], UNITS_NS_PER_SEC, &value), "'%s'", bad[i]);
    }
}

Test(units, shares) {
    double value;
    cr_assert(units_parse_share("5%", &value));
    cr_assert_float_eq(value, 0.05, 1e-12);
    cr_assert(units_parse_share("0.1", &value));
    cr_assert_float_eq(value, 0.1, 1e-12);
    cr_assert_not(units_parse_share("5%%", &value));
    cr_assert_not(units_parse_share("%", &value));
}

Test(units, a_plain_duration_is_of_the_unit_that_its_option_has) {
    uint64_t value = 0;
    cr_assert(units_parse_duration("25000", UNITS_NS_PER_MS, &value));
    cr_assert_eq(value, 25 * UNITS_NS_PER_SEC);
    cr_assert(units_parse_duration("250", UNITS_NS_PER_US, &value));
    cr_assert_eq(value, 250 * UNITS_NS_PER_US);
    cr_assert(units_parse_duration("30s", UNITS_NS_PER_MS, &value));
    cr_assert_eq(value, 30 * UNITS_NS_PER_SEC);
}
