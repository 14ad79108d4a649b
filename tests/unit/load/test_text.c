/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/text.h"

#include <criterion/criterion.h>

Test(text, utf8_is_told_from_other_bytes_and_where_it_ends) {
    static const struct {
        const char *text;
        size_t bad_at; /* beyond the text: it is UTF-8 */
    } cases[] = {{"", 1},
                 {"plain", 6},
                 {"gr\xc3\xbc\xc3\x9f", 7},
                 {"\xf0\x9f\x90\x9d", 5},
                 {"\xff", 0},
                 {"caf\xe9 noir", 4},  /* begins a character that the space does not go on with */
                 {"cut \xe2\x82", 6},  /* ends within one */
                 {"\xed\xa0\x80", 1}}; /* a surrogate */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const wring_bytes text = wring_str(cases[i].text);
        size_t bad_at = SIZE_MAX;
        const bool good = load_text_is_utf8(text, &bad_at);
        cr_assert_eq(good, cases[i].bad_at > text.len, "'%s'", cases[i].text);
        cr_assert(good || bad_at == cases[i].bad_at, "'%s': %zu", cases[i].text, bad_at);
    }
}
