/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "wring/http.h"

static const struct {
    const char *query;
    const char *want; /* each pair as "[name|value]" */
} walks[] = {
    {"", ""},
    {"a=1", "[a|1]"},
    {"a=1&b=2", "[a|1][b|2]"},
    {"a&b=&=c", "[a|][b|][|c]"},
    {"=", "[|]"},
    {"&", ""},
    {"&&a=1&&&b&&", "[a|1][b|]"},
    {"a=b=c", "[a|b=c]"},
    {"a==", "[a|=]"},
    {"a=1;b=2", "[a|1;b=2]"}, /* ';' is no separator */
    {"a%26b=c%3Dd+e", "[a%26b|c%3Dd+e]"},
    {"a=%zz&b=1", "[a|%zz][b|1]"}, /* as it was sent */
    {"?a=1", "[?a|1]"},
    {" a = 1 ", "[ a | 1 ]"},
    {"a=1&a=2", "[a|1][a|2]"},
    {"a[]=1", "[a[]|1]"},
};

Test(query, walks_the_pairs) {
    for (size_t i = 0; i < sizeof walks / sizeof walks[0]; i++) {
        char got[256] = "";
        size_t at = 0;
        wring_query_cursor cursor = {0};
        wring_bytes name;
        wring_bytes value;
        while (wring_query_next(wring_str(walks[i].query), &cursor, &name, &value)) {
            at +=
                (size_t)snprintf(got + at, sizeof got - at, "[%.*s|%.*s]", (int)name.len,
                                 (const char *)name.data, (int)value.len, (const char *)value.data);
        }
        cr_assert_str_eq(got, walks[i].want, "%s: %s", walks[i].query, got);
        cr_assert_not(wring_query_next(wring_str(walks[i].query), &cursor, &name, &value));
    }
}

Test(query, nothing_may_have_no_address) {
    wring_query_cursor cursor = {0};
    wring_bytes name;
    wring_bytes value;
    size_t len = 99;
    cr_assert_not(wring_query_next(wring_bytes_of(NULL, 0), &cursor, &name, &value));
    cr_assert_eq(wring_query_get(wring_bytes_of(NULL, 0), "", NULL, 0, &len), WRING_ERR_NOT_FOUND);
    cr_assert_eq(len, 0);
}

Test(query, a_pair_may_have_nul_bytes) {
    const wring_bytes query = wring_bytes_of("a\0=\0&b", 6);
    wring_query_cursor cursor = {0};
    wring_bytes name;
    wring_bytes value;
    cr_assert(wring_query_next(query, &cursor, &name, &value));
    cr_assert(wring_bytes_equal(name, wring_bytes_of("a\0", 2)));
    cr_assert(wring_bytes_equal(value, wring_bytes_of("\0", 1)));
    cr_assert(wring_query_next(query, &cursor, &name, &value) && name.len == 1 && value.len == 0);
}

static const struct {
    const char *query;
    const char *name;
    wring_result result;
    const char *value;
} gets[] = {
    {"a=1&b=2", "b", WRING_OK, "2"},
    {"a=1&a=2", "a", WRING_OK, "1"}, /* the first one */
    {"a=1", "A", WRING_ERR_NOT_FOUND, ""},
    {"ab=1", "a", WRING_ERR_NOT_FOUND, ""},
    {"a=1", "ab", WRING_ERR_NOT_FOUND, ""},
    {"", "a", WRING_ERR_NOT_FOUND, ""},
    {"a", "a", WRING_OK, ""},
    {"a=", "a", WRING_OK, ""},
    {"b&=c", "", WRING_OK, "c"},
    {"&&b", "", WRING_ERR_NOT_FOUND, ""}, /* an empty pair has no name */
    {"a=x+y%20z", "a", WRING_OK, "x y z"},
    {"a%20b=1", "a b", WRING_OK, "1"},
    {"a+b=1", "a b", WRING_OK, "1"},
    {"a%2Bb=1", "a+b", WRING_OK, "1"},
    {"%61=1", "a", WRING_OK, "1"},
    {"a%3D=1", "a=", WRING_OK, "1"},
    {"a=b=c", "a", WRING_OK, "b=c"},
    {"a%00=2&a=1", "a", WRING_OK, "1"}, /* a NUL does not end a name */
    {"%00a=2", "", WRING_ERR_NOT_FOUND, ""},
    {"%zz=1&a=2", "a", WRING_OK, "2"}, /* other pairs may be malformed */
    {"b=%&a=2", "a", WRING_OK, "2"},
    {"a%=1", "a%", WRING_ERR_NOT_FOUND, ""},
    {"a%4=1", "a", WRING_ERR_NOT_FOUND, ""},
    {"a=%", "a", WRING_ERR_INVALID_ARGUMENT, ""},
    {"a=%4&a=2", "a", WRING_ERR_INVALID_ARGUMENT, ""}, /* not the next one instead */
    {"a=%4&1", "a", WRING_ERR_INVALID_ARGUMENT, ""},   /* '%' does not reach behind the pair */
    {"a=12345678", "a", WRING_OK, "12345678"},
    {"a=123456789", "a", WRING_ERR_INVALID_ARGUMENT, ""}, /* longer than the room */
    {"a=%31%32%33%34%35678", "a", WRING_OK, "12345678"},  /* its room is for what is decoded */
};

Test(query, gets_the_first_of_a_name) {
    for (size_t i = 0; i < sizeof gets / sizeof gets[0]; i++) {
        uint8_t out[9];
        size_t len = 99;
        memset(out, 0xEE, sizeof out);
        cr_assert_eq(wring_query_get(wring_str(gets[i].query), gets[i].name, out, 8, &len),
                     gets[i].result, "%s", gets[i].query);
        cr_assert_eq(len, strlen(gets[i].value), "%s", gets[i].query);
        cr_assert_eq(memcmp(out, gets[i].value, len), 0, "%s", gets[i].query);
        cr_assert_eq(out[len], 0xEE, "%s", gets[i].query);
    }
}

Test(query, a_value_may_have_a_nul) {
    uint8_t out[8];
    size_t len;
    cr_assert_eq(wring_query_get(wring_str("a=x%00y"), "a", out, sizeof out, &len), WRING_OK);
    cr_assert(len == 3 && memcmp(out, "x\0y", 3) == 0);
}

Test(query, an_empty_value_needs_no_room) {
    size_t len = 99;
    cr_assert_eq(wring_query_get(wring_str("a="), "a", NULL, 0, &len), WRING_OK);
    cr_assert_eq(len, 0);
}
