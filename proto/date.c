/* SPDX-License-Identifier: Apache-2.0
 *
 * See date.h. Years are counted from March here, so that the leap day is the last one of its year.
 */
#include "proto/date.h"

#include "core/base.h"

#define DAY_SECONDS   86400
#define FIRST_SECOND  INT64_C(-62167219200) /* 0000-01-01 00:00:00 */
#define LAST_SECOND   INT64_C(253402300799) /* 9999-12-31 23:59:59 */
#define DAYS_400      146097                /* days of 400 years: then the calendar repeats */
#define DAYS_100      36524                 /* of the first, second and third 100 of them */
#define DAYS_4        1461
#define DAYS_TO_EPOCH (719468 + DAYS_400) /* from 1 March of the year -400 to 1970-01-01 */

struct date {
    unsigned year;
    unsigned month;   /* 0: January */
    unsigned day;     /* of the month, from 1 */
    unsigned weekday; /* 0: Sunday */
};

/* The last year of a cycle may be a day longer, so the quotient is cut at 3. */
static unsigned part_take(unsigned *days, unsigned part_days) {
    const unsigned quotient = *days / part_days;
    const unsigned part = quotient > 3 ? 3 : quotient;
    *days -= part * part_days;
    return part;
}

/* The month that day `*day` of a year from March lies in; makes `*day` a day of the month. */
static unsigned month_take(unsigned *day) {
    static const uint8_t lengths[] = {31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29};
    unsigned month = 0;
    while (*day >= lengths[month]) {
        *day -= lengths[month++];
    }
    WRING_DEBUG_ASSERT(month < 12);
    return month;
}

/* @param epoch_days  since 1970-01-01, at least those of the year 0 */
static struct date date_of(int64_t epoch_days) {
    unsigned days = (unsigned)(epoch_days + DAYS_TO_EPOCH);
    const unsigned weekday = (days + 3) % 7; /* 1 March of the year -400 was a Wednesday */
    unsigned year = days / DAYS_400 * 400;
    days %= DAYS_400;
    year += part_take(&days, DAYS_100) * 100;
    year += days / DAYS_4 * 4;
    days %= DAYS_4;
    year += part_take(&days, 365);
    const unsigned month = (month_take(&days) + 2) % 12;
    year += month < 2; /* January and February are at the end of the year from March */
    return (struct date){year - 400, month, days + 1, weekday};
}

static void put_number(char *out, unsigned digits, unsigned value) {
    for (unsigned i = digits; i > 0; i--, value /= 10) {
        out[i - 1] = (char)('0' + value % 10);
    }
}

void wring__http_date(int64_t unix_seconds, char out[WRING__HTTP_DATE_TEXT]) {
    static const char weekdays[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t at = unix_seconds < FIRST_SECOND ? FIRST_SECOND : unix_seconds;
    at = (at > LAST_SECOND ? LAST_SECOND : at) - FIRST_SECOND; /* not negative */
    const struct date date = date_of(at / DAY_SECONDS + FIRST_SECOND / DAY_SECONDS);
    const unsigned second = (unsigned)(at % DAY_SECONDS);
    memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", WRING__HTTP_DATE_TEXT);
    memcpy(out, weekdays + 3 * date.weekday, 3);
    put_number(out + 5, 2, date.day);
    memcpy(out + 8, months + 3 * date.month, 3);
    put_number(out + 12, 4, date.year);
    put_number(out + 17, 2, second / 3600);
    put_number(out + 20, 2, second / 60 % 60);
    put_number(out + 23, 2, second % 60);
}
