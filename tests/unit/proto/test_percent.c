/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "wring/http.h"

#define TEXT(s)                                                                                    \
    { (const uint8_t *)(s), sizeof(s) - 1 }

static const struct {
    wring_bytes text;
    wring_bytes path;  /* wring_percent_decode; no address: refused */
    wring_bytes query; /* wring_query_decode */
} rows[] = {
    {TEXT(""), TEXT(""), TEXT("")},
    {TEXT("plain"), TEXT("plain"), TEXT("plain")},
    {TEXT("%41"), TEXT("A"), TEXT("A")},
    {TEXT("a%2Fb%2fc"), TEXT("a/b/c"), TEXT("a/b/c")},
    {TEXT("%C3%A9"), TEXT("\xc3\xa9"), TEXT("\xc3\xa9")},
    {TEXT("\xc3\xa9\xff"), TEXT("\xc3\xa9\xff"), TEXT("\xc3\xa9\xff")},
    {TEXT("%ff%FF"), TEXT("\xff\xff"), TEXT("\xff\xff")},
    {TEXT("a+b"), TEXT("a+b"), TEXT("a b")},
    {TEXT("a%2Bb"), TEXT("a+b"), TEXT("a+b")}, /* '+' itself, in both */
    {TEXT("%20"), TEXT(" "), TEXT(" ")},
    {TEXT("%2541"), TEXT("%41"), TEXT("%41")}, /* once */
    {TEXT("a%00b"), TEXT("a\0b"), TEXT("a\0b")},
    {TEXT("a\0b"), TEXT("a\0b"), TEXT("a\0b")},
    {TEXT("%"), {NULL, 0}, {NULL, 0}},
    {TEXT("%4"), {NULL, 0}, {NULL, 0}},
    {TEXT("ab%"), {NULL, 0}, {NULL, 0}},
    {TEXT("ab%f"), {NULL, 0}, {NULL, 0}},
    {TEXT("%g0"), {NULL, 0}, {NULL, 0}},
    {TEXT("%0g"), {NULL, 0}, {NULL, 0}},
    {TEXT("%%41"), {NULL, 0}, {NULL, 0}},
    {TEXT("% 41"), {NULL, 0}, {NULL, 0}},
    {TEXT("%+1"), {NULL, 0}, {NULL, 0}},
    {TEXT("%4\0"), {NULL, 0}, {NULL, 0}},
    {TEXT("%u0041"), {NULL, 0}, {NULL, 0}},
    {TEXT("%41%4"), {NULL, 0}, {NULL, 0}},
};

typedef wring_result (*decoder)(wring_bytes, uint8_t *, size_t *);

static void row_check(size_t i, decoder decode, wring_bytes want) {
    uint8_t out[64];
    uint8_t own[64];
    size_t len = 99;
    const wring_bytes text = rows[i].text;
    const wring_result result = want.data == NULL ? WRING_ERR_INVALID_ARGUMENT : WRING_OK;
    memset(out, 0xEE, sizeof out);
    cr_assert_eq(decode(text, out, &len), result, "row %zu", i);
    cr_assert_eq(len, want.len, "row %zu: %zu", i, len);
    cr_assert(wring_bytes_equal(wring_bytes_of(out, len), want), "row %zu", i);
    cr_assert_eq(out[len], 0xEE, "row %zu: written behind the end", i);
    /* in place; a malformed text is left as it was */
    memcpy(own, text.data, text.len);
    cr_assert_eq(decode(wring_bytes_of(own, text.len), own, &len), result, "row %zu", i);
    cr_assert(wring_bytes_equal(wring_bytes_of(own, want.data == NULL ? text.len : len),
                                want.data == NULL ? text : want),
              "row %zu, in place", i);
}

Test(percent, table) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        row_check(i, wring_percent_decode, rows[i].path);
        row_check(i, wring_query_decode, rows[i].query);
    }
}

Test(percent, nothing_may_have_no_address) {
    size_t len = 99;
    cr_assert_eq(wring_percent_decode(wring_bytes_of(NULL, 0), NULL, &len), WRING_OK);
    cr_assert_eq(len, 0);
}

Test(percent, every_byte_survives_in_both_cases_of_its_digits) {
    static const char *const digits[] = {"0123456789abcdef", "0123456789ABCDEF"};
    for (unsigned c = 0; c < 256; c++) {
        for (unsigned of_case = 0; of_case < 2; of_case++) {
            const uint8_t text[] = {'%', (uint8_t)digits[of_case][c >> 4],
                                    (uint8_t)digits[of_case][c & 15]};
            uint8_t out[3];
            size_t len;
            cr_assert_eq(wring_query_decode(wring_bytes_of(text, 3), out, &len), WRING_OK);
            cr_assert(len == 1 && out[0] == c, "%u", c);
        }
    }
}

Test(percent, only_hexadecimal_digits_are_digits) {
    for (unsigned c = 0; c < 256; c++) {
        const bool is_digit = c != 0 && strchr("0123456789abcdefABCDEF", (int)c) != NULL;
        const uint8_t first[] = {'%', (uint8_t)c, '0'};
        const uint8_t second[] = {'%', '0', (uint8_t)c};
        uint8_t out[3];
        size_t len;
        cr_assert_eq(wring_percent_decode(wring_bytes_of(first, 3), out, &len) == WRING_OK,
                     is_digit, "%u", c);
        cr_assert_eq(wring_percent_decode(wring_bytes_of(second, 3), out, &len) == WRING_OK,
                     is_digit, "%u", c);
    }
}
