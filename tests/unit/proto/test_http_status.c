/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <limits.h>

#include "core/base.h"
#include "wring/http.h"

Test(http_status, what_a_result_is_answered_with) {
    static const struct {
        wring_result result;
        int status;
    } rows[] = {
        {WRING_ERR_BAD_HTTP, 400},         {WRING_ERR_BAD_HOST, 400},
        {WRING_ERR_UNEXPECTED_BODY, 400},  {WRING_ERR_BAD_KEY, 400},
        {WRING_ERR_NOT_FOUND, 404},        {WRING_ERR_WRONG_METHOD, 405},
        {WRING_ERR_TIMEOUT, 408},          {WRING_ERR_MESSAGE_TOO_BIG, 413},
        {WRING_ERR_TARGET_TOO_BIG, 414},   {WRING_ERR_MISSING_UPGRADE, 426},
        {WRING_ERR_RATE_LIMIT, 429},       {WRING_ERR_HANDSHAKE_TOO_BIG, 431},
        {WRING_ERR_TOO_MANY_HEADERS, 431}, {WRING_ERR_INTERNAL, 500},
        {WRING_ERR_NO_MEMORY, 500},        {WRING_ERR_UNSUPPORTED_ENCODING, 501},
        {WRING_ERR_QUEUE_FULL, 503},       {WRING_ERR_MEMORY_BUDGET, 503},
        {WRING_ERR_CLOSED, 503},           {WRING_ERR_TOO_MANY_CONNECTIONS, 503},
        {WRING_ERR_BAD_HTTP_VERSION, 505},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        cr_assert_eq(wring_http_status(rows[i].result), rows[i].status, "%s",
                     wring_result_name(rows[i].result));
    }
}

Test(http_status, each_result_has_a_status_with_a_reason) {
#define ROW(name, number, class_, close, text)                                                     \
    cr_assert_neq(wring_http_reason(wring_http_status(WRING_##name))[0], 0, #name);
    WRING_RESULT_TABLE(ROW)
#undef ROW
}

Test(http_status, reasons) {
    static const struct {
        int status;
        const char *reason;
    } rows[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {204, "No Content"},
        {304, "Not Modified"},
        {308, "Permanent Redirect"},
        {404, "Not Found"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {421, "Misdirected Request"},
        {451, "Unavailable For Legal Reasons"},
        {501, "Not Implemented"},
        {511, "Network Authentication Required"},
        {306, ""}, /* not used any more */
        {418, ""},
        {99, ""},
        {0, ""},
        {-1, ""},
        {512, ""},
        {600, ""},
        {INT_MAX, ""},
        {INT_MIN, ""},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        cr_assert_str_eq(wring_http_reason(rows[i].status), rows[i].reason, "%d", rows[i].status);
    }
    size_t count = 0;
    for (int status = 0; status < 1000; status++) {
        count += wring_http_reason(status)[0] != 0;
    }
    cr_assert_eq(count, 61);
}
