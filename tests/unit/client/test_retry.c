/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "client/retry.h"
#include "core/base.h"

Test(retry, which_answers_are_final) {
    static const int again[] = {200, 204, 408, 425, 429, 500, 502, 503, 504, 511, 599};
    static const int final[] = {300, 301, 302, 307, 308, 400, 401,
                                403, 404, 407, 410, 426, 501, 505};
    for (size_t i = 0; i < WRING_ARRAY_LEN(again) + WRING_ARRAY_LEN(final); i++) {
        const bool passes = i < WRING_ARRAY_LEN(again);
        for (int by_proxy = 0; by_proxy < 2; by_proxy++) {
            const wring_http_answer answer = {.status = passes ? again[i]
                                                               : final[i - WRING_ARRAY_LEN(again)],
                                              .by_proxy = by_proxy != 0};
            const wring_client_report report = {.result = by_proxy ? WRING_ERR_PROXY
                                                                   : WRING_ERR_UNEXPECTED_STATUS,
                                                .answer = &answer,
                                                .attempt = 1};
            cr_assert_eq(wring_client_report_is_retryable(&report), passes, "%d", answer.status);
        }
    }
}

Test(retry, which_ends_are_final) {
    static const struct {
        wring_result result;
        uint16_t code;
        bool by_peer;
        uint32_t attempt; /* 0: the session was stable */
        bool again;
    } rows[] = {
        {WRING_ERR_CONNECT, 0, false, 1, true},
        {WRING_ERR_ADDRESS, 0, false, 1, true},
        {WRING_ERR_TIMEOUT, 0, false, 1, true},
        {WRING_ERR_TLS_CERTIFICATE_EXPIRED, 0, false, 1, true},
        {WRING_ERR_CLOSED, 0, false, 1, false},
        {WRING_ERR_INVALID_URL, 0, false, 1, false},
        {WRING_ERR_TRUNCATED, 1006, false, 1, true},
        {WRING_OK, 1000, true, 1, true},
        {WRING_OK, 1001, true, 1, true},
        {WRING_OK, 1012, true, 1, true},
        {WRING_OK, 1013, true, 1, true},
        {WRING_OK, 1008, true, 1, false},
        {WRING_OK, 1008, true, 0, true},
        {WRING_ERR_TOO_MANY_FRAGMENTS, 1008, false, 1, true},
        {WRING_OK, 4000, true, 1, false},
        {WRING_OK, 4999, true, 0, false},
        {WRING_OK, 4001, false, 1, true}, /* our own handler closed it */
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        const wring_client_report report = {.result = rows[i].result,
                                            .close_code = rows[i].code,
                                            .by_peer = rows[i].by_peer,
                                            .attempt = rows[i].attempt};
        cr_assert_eq(wring_client_report_is_retryable(&report), rows[i].again, "row %zu", i);
    }
}

Test(retry, retry_after_in_seconds_and_as_a_date) {
    static const struct {
        const char *value, *date;
        uint32_t seconds;
    } rows[] = {
        {"0", NULL, 0},
        {"120", NULL, 120},
        {"3600", NULL, 3600},
        {"99999999999999999999", NULL, 3600},
        {"", NULL, 0},
        {"-1", NULL, 0},
        {"1.5", NULL, 0},
        {"soon", NULL, 0},
        {"Sun, 06 Nov 1994 08:50:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 60},
        {"Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT", 0},
        {"Mon, 07 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 3600},
        {"Thu, 01 Jan 1970 00:16:50 GMT", NULL, 10}, /* now is 1000 */
        {"Thu, 01 Jan 1970 00:16:50 GMT", "nonsense", 10},
        {"Thu, 01 Xxx 1970 00:16:50 GMT", NULL, 0},
        {"Thu, 01 Jan 1970 00:16:50 UTC", NULL, 0},
        {"Thu, 01 Jan 1970 00-16:50 GMT", NULL, 0},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        const wring_header list[] = {{wring_str("Retry-After"), wring_str(rows[i].value)},
                                     {wring_str("Date"), wring_str(rows[i].date)}};
        const wring_http_answer answer = {.status = 503,
                                          .headers = {list, rows[i].date == NULL ? 1 : 2}};
        cr_assert_eq(wring__retry_after_ms(&answer, 1000), rows[i].seconds * 1000, "row %zu: %u", i,
                     wring__retry_after_ms(&answer, 1000));
    }
    const wring_http_answer none = {.status = 503};
    cr_assert_eq(wring__retry_after_ms(&none, 0), 0);
}
