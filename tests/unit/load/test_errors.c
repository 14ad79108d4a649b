/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "bench/load/load.h"

static const char *shown(load_errors *errors, const char *text) {
    memset(errors, 0, sizeof *errors);
    load_errors_add(errors, 1, text);
    return errors->kinds[0].text;
}

Test(errors, the_same_text_is_one_kind) {
    load_errors errors = {.count = 0};
    load_errors_add(&errors, 2, "lost: a");
    load_errors_add(&errors, 1, "lost: b");
    load_errors_add(&errors, 3, "lost: a");
    cr_assert_eq(errors.count, 2u);
    cr_assert_eq(errors.kinds[0].count, 5u);
    cr_assert_eq(load_errors_total(&errors), 6u);
}

Test(errors, the_last_kind_is_for_all_others) {
    load_errors errors = {.count = 0};
    for (int i = 0; i < 100; i++) {
        char text[24];
        (void)snprintf(text, sizeof text, "kind %d", i);
        load_errors_add(&errors, 1, text);
    }
    cr_assert_eq(errors.count, (uint32_t)LOAD_ERROR_KINDS);
    cr_assert_str_eq(errors.kinds[LOAD_ERROR_KINDS - 1].text, "others");
    cr_assert_eq(errors.kinds[LOAD_ERROR_KINDS - 1].count, 100u - (LOAD_ERROR_KINDS - 1));
    cr_assert_eq(load_errors_total(&errors), 100u);
}

Test(errors, what_a_terminal_would_obey_is_not_shown) {
    load_errors errors;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"plain", "plain"},
        {"gr\xc3\xbc\xc3\x9f dich", "gr\xc3\xbc\xc3\x9f dich"},
        {"\xf0\x9f\x90\x9d", "\xf0\x9f\x90\x9d"},
        {"a\x1b[2Jb\x7f\n", "a\\x1b[2Jb\\x7f\\x0a"},
        {"\xc2\x9b"
         "2J",
         "\\u009b2J"},                       /* U+009B: the same in one character */
        {"\xff\xfe x", "\\xff\\xfe x"},      /* no UTF-8 */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* a surrogate */
        {"cut \xe2\x82", "cut \\xe2\\x82"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_str_eq(shown(&errors, cases[i].text), cases[i].shown);
    }
}

Test(errors, a_long_text_is_cut_between_characters) {
    load_errors errors;
    char text[600];
    const size_t room = sizeof errors.kinds[0].text - 1;
    memset(text, 'x', sizeof text);
    memcpy(text + room - 1, "\xe2\x82\xac", 4);
    cr_assert_str_eq(shown(&errors, text) + room - 4, "x...");
    memset(text, 'x', sizeof text);
    memcpy(text + room - 4, "\xe2\x82\xac\xe2\x82\xac", 6);
    text[sizeof text - 1] = 0;
    cr_assert_str_eq(shown(&errors, text) + room - 5, "x...", "half a character would remain");
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    cr_assert_eq(strlen(shown(&errors, text)), room);
    load_errors_add(&errors, 1, text);
    cr_assert_eq(errors.count, 1u, "texts that are shown alike are one kind");
}
