/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "core/base.h"

static const char *shown(const char *data, size_t len, size_t cap) {
    static char out[256];
    memset(out, '#', sizeof out);
    const size_t written = wring_text_printable(wring_bytes_of(data, len), out, cap);
    cr_assert_lt(written, cap);
    cr_assert_eq(out[written], 0);
    cr_assert_eq(strlen(out), written);
    cr_assert_eq(out[cap], '#', "nothing behind the room is written");
    return out;
}

Test(printable, what_may_stand_and_what_is_written_out) {
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain text, 100%", "plain text, 100%"},
        {"\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80", "\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80"},
        {"\x1b[2J", "\\x1b[2J"},
        {"a\r\nb\tc\x7f", "a\\x0d\\x0ab\\x09c\\x7f"},
        {"\xc2\x9b", "\\u009b"},
        {"\xe2\x80\xae\xe2\x81\xa6", "\\u202e\\u2066"},
        {"\xe2\x80\xa8\xef\xbb\xbf", "\\u2028\\ufeff"},
        {"\xf3\xa0\x80\x81", "\\U000e0001"},
        {"\xff\xc3", "\\xff\\xc3"},
        {"\xc0\x80\xed\xa0\x80", "\\xc0\\x80\\xed\\xa0\\x80"},
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
        {"\xe2\x80", "\\xe2\\x80"},
        {"", ""},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        cr_assert_str_eq(shown(rows[i].in, strlen(rows[i].in), 200), rows[i].out, "row %zu", i);
    }
    cr_assert_str_eq(shown("a\0b", 3, 200), "a\\x00b");
    cr_assert_str_eq(shown(NULL, 0, 200), "");
}

Test(printable, what_does_not_fit_is_marked_and_no_character_is_cut) {
    cr_assert_str_eq(shown("abcdef", 6, 7), "abcdef");
    cr_assert_str_eq(shown("abcdefg", 7, 7), "abc...");
    cr_assert_str_eq(shown("ab\xe4\xb8\xad\xe4\xb8\xad", 8, 8), "ab...");
    cr_assert_str_eq(shown("ab\x1b\x1b", 4, 8), "ab...");
    cr_assert_str_eq(shown("abc", 3, 3), "ab");
    cr_assert_str_eq(shown("abc", 3, 1), "");
    for (size_t cap = 1; cap < 40; cap++) {
        (void)shown("\xe4\xb8\xad\x1bzz\xff\xf3\xa0\x80\x81qqqqqqqqqqqqqqqqqqqqqqqqqq", 36, cap);
    }
    cr_assert_eq(wring_text_printable(wring_str("x"), NULL, 0), 0);
}
