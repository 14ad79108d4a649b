/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "client/text.h"

Test(text, percent_decoding) {
    static const char *const rows[][2] = {
        {"", ""},         {"a", "a"},     {"%41", "A"},           {"%4", "%4"},
        {"%", "%"},       {"%zz", "%zz"}, {"%c3%A9", "\xC3\xA9"}, {"a%2Fb%2f", "a/b/"},
        {"%2541", "%41"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text;
        cr_assert_eq(wring__percent_decode(wring_str(rows[i][0]), &text), WRING_OK);
        cr_assert_str_eq(text, rows[i][1]);
        free(text);
    }
    char *none;
    cr_assert_eq(wring__percent_decode(wring_str("a%00b"), &none), WRING_ERR_INVALID_ARGUMENT);
    cr_assert_null(none);
}

Test(text, basic_credentials_of_each_length) { /* RFC 4648 10 */
    static const char *const rows[][3] = {
        {"", "", "Basic Og=="},
        {"f", "", "Basic Zjo="},
        {"f", "o", "Basic Zjpv"},
        {"Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
        {"\xFF\xFE", "\xFB", "Basic //46+w=="},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = wring__basic_credentials(rows[i][0], rows[i][1]);
        cr_assert_str_eq(text, rows[i][2]);
        free(text);
    }
}
