/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "wring/result.h"

Test(result, every_row_has_a_name_a_text_and_a_legal_close_code) {
#define CHECK(name_, number, class_, close, text_)                                                 \
    cr_assert_str_eq(wring_result_name(WRING_##name_), #name_);                                    \
    cr_assert(strlen(wring_result_text(WRING_##name_)) > 5);                                       \
    cr_assert_eq(wring_result_class(WRING_##name_), WRING_CLASS_##class_);                         \
    cr_assert(close == 0 || (close >= 1002 && close <= 1011));
    WRING_RESULT_TABLE(CHECK)
#undef CHECK
}

Test(result, numbers_are_unique_and_not_positive) {
    static const int numbers[] = {
#define NUMBER(name, number, class_, close, text) number,
        WRING_RESULT_TABLE(NUMBER)
#undef NUMBER
    };
    const size_t n = sizeof numbers / sizeof numbers[0];
    for (size_t i = 0; i < n; i++) {
        cr_assert(numbers[i] <= 0);
        for (size_t j = i + 1; j < n; j++) {
            cr_assert_neq(numbers[i], numbers[j]);
        }
    }
}

Test(result, a_number_outside_the_table_is_fatal_and_named_unknown) {
    cr_assert_str_eq(wring_result_name((wring_result)12345), "UNKNOWN");
    cr_assert_eq(wring_result_class((wring_result)12345), WRING_CLASS_FATAL);
}

Test(result, error_set_cuts_a_long_sentence_and_accepts_null) {
    char big[1000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    wring_error error;
    cr_assert_eq(wring_error_set(&error, WRING_ERR_SYSTEM, 5, "%s", big), WRING_ERR_SYSTEM);
    cr_assert_eq(strlen(error.text), sizeof error.text - 1);
    cr_assert_eq(error.system_errno, 5);
    cr_assert_eq(wring_error_set(NULL, WRING_ERR_SYSTEM, 5, "x"), WRING_ERR_SYSTEM);
}
