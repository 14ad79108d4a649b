/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates are compared with those of the C library.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

#include "proto/date.h"

#define FIRST INT64_C(-62167219200) /* 0000-01-01 00:00:00 */
#define LAST  INT64_C(253402300799) /* 9999-12-31 23:59:59 */
#define DAY   INT64_C(86400)

static void compare(int64_t seconds) {
    char got[WRING__HTTP_DATE_TEXT];
    char format[40];
    char want[64];
    struct tm tm;
    const time_t at = (time_t)seconds;
    wring__http_date(seconds, got);
    cr_assert_not_null(gmtime_r(&at, &tm));
    /* %Y has as few digits as it needs; tests run in the locale "C" */
    snprintf(format, sizeof format, "%%a, %%d %%b %04d %%H:%%M:%%S GMT", tm.tm_year + 1900);
    strftime(want, sizeof want, format, &tm);
    if (strcmp(got, want) != 0) { /* an assertion for each of so many would be slow */
        cr_assert_str_eq(got, want, "%lld: %s, not %s", (long long)seconds, got, want);
    }
}

Test(date, of_the_rfc) {
    char got[WRING__HTTP_DATE_TEXT];
    wring__http_date(784111777, got); /* RFC 9110 5.6.7 */
    cr_assert_str_eq(got, "Sun, 06 Nov 1994 08:49:37 GMT");
    wring__http_date(0, got);
    cr_assert_str_eq(got, "Thu, 01 Jan 1970 00:00:00 GMT");
    wring__http_date(951782400, got);
    cr_assert_str_eq(got, "Tue, 29 Feb 2000 00:00:00 GMT");
}

Test(date, every_day_of_four_hundred_years) {
    for (int64_t day = -36524; day < 146097 - 36524; day++) { /* from 1870 on */
        compare(day * DAY);
        compare(day * DAY + DAY - 1);
    }
}

Test(date, every_second_of_two_days) {
    for (int64_t second = -DAY; second <= DAY; second++) {
        compare(second);
    }
}

Test(date, strides_through_all_years) {
    for (int64_t second = FIRST; second <= LAST; second += 777777 * INT64_C(2) + 1) {
        compare(second);
    }
    compare(FIRST);
    compare(LAST);
}

Test(date, ends_of_the_years_and_of_february) {
    for (int64_t day = FIRST / DAY; day < LAST / DAY; day += 365) {
        for (int64_t near = 0; near < 4; near++) {
            compare((day + near) * DAY);
        }
    }
}

Test(date, beyond_four_digits_is_the_nearest_one) {
    static const struct {
        int64_t seconds;
        const char *want;
    } rows[] = {
        {FIRST - 1, "Sat, 01 Jan 0000 00:00:00 GMT"},
        {INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT"},
        {LAST + 1, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char got[WRING__HTTP_DATE_TEXT];
        wring__http_date(rows[i].seconds, got);
        cr_assert_str_eq(got, rows[i].want);
    }
}
