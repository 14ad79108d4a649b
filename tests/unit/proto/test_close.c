/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "wring/close.h"

Test(close, all_65536_codes) {
    for (uint32_t code = 0; code <= 65535; code++) {
        bool rfc = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1011) ||
                   (code >= 3000 && code <= 4999);
        bool iana = rfc || (code >= 1012 && code <= 1014);
        cr_assert_eq(wring_close_valid_on_wire(code), rfc, "code %u", code);
        cr_assert_eq(wring_close_valid_on_wire_iana(code), iana, "code %u", code);
    }
}

Test(close, names) {
    cr_assert_str_eq(wring_close_reason_name(1009), "message_too_big");
    cr_assert_str_eq(wring_close_reason_name(1006), "abnormal");
    cr_assert_str_eq(wring_close_reason_name(3999), "registered");
    cr_assert_str_eq(wring_close_reason_name(4000), "private");
    cr_assert_str_eq(wring_close_reason_name(2000), "unassigned");
}
