/* SPDX-License-Identifier: Apache-2.0
 *
 * See retry.h.
 */
#include "client/retry.h"

#include <string.h>

#include "core/base.h"

/* What another attempt may change: a server that is overloaded, restarting or behind a proxy that
 * does not reach it. A 4xx is about the request, and the next attempt would send the same. */
static bool status_is_passing(int status) {
    switch (status) {
    case 408: /* the request came too slowly */
    case 425: /* Too Early: RFC 8470 5.2 */
    case 429: /* Too Many Requests: RFC 6585 4 */
        return true;
    case 501: /* not in this server's program */
    case 505:
        return false;
    default:
        return status < 300 ||
               status >= 500; /* a 200 is a page of a proxy or of a captive portal */
    }
}

/* A server's close code. 4000 to 4999 are the application's: it knows that server, and the rest is
 * for wring_client_config.retry. A 1008 at once is about who we are; one after a while is about
 * what was too much then, such as a slow consumer. */
static bool code_is_passing(const wring_client_report *report) {
    const uint16_t code = report->close_code;
    const bool was_stable = report->attempt == 0;
    if (code >= 4000) {
        return false;
    }
    return code != WRING_CLOSE_POLICY_VIOLATION || was_stable;
}

bool wring_client_report_is_retryable(const wring_client_report *report) {
    if (report->answer != NULL) {
        return status_is_passing(report->answer->status);
    }
    if (report->close_code != 0) {
        return !report->by_peer || code_is_passing(report);
    }
    return wring_result_class(report->result) != WRING_CLASS_CALLER;
}

/* ---- Retry-After ----------------------------------------------------------------------------- */

static bool digits_take(const char **text, unsigned count, int *out) {
    int value = 0;
    for (unsigned i = 0; i < count; i++) {
        const char c = (*text)[i];
        if (c < '0' || c > '9') {
            return false;
        }
        value = value * 10 + (c - '0');
    }
    *text += count;
    *out = value;
    return true;
}

static bool byte_take(const char **text, char c) {
    const bool fits = **text == c;
    *text += fits;
    return fits;
}

static bool month_take(const char **text, int *out) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (strncmp(*text, months + (ptrdiff_t)3 * i, 3) == 0) {
            *text += 3;
            *out = i;
            return true;
        }
    }
    return false;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT". The two forms that are obsolete are not understood. RFC 9110
 * 5.6.7 */
static bool date_parse(wring_bytes value, time_t *out) {
    char copy[32];
    struct tm tm = {.tm_isdst = 0};
    if (value.len != strlen("Sun, 06 Nov 1994 08:49:37 GMT")) {
        return false;
    }
    memcpy(copy, value.data, value.len);
    copy[value.len] = 0;
    const char *at = copy + 3;
    const bool good = byte_take(&at, ',') && byte_take(&at, ' ') &&
                      digits_take(&at, 2, &tm.tm_mday) && byte_take(&at, ' ') &&
                      month_take(&at, &tm.tm_mon) && byte_take(&at, ' ') &&
                      digits_take(&at, 4, &tm.tm_year) && byte_take(&at, ' ') &&
                      digits_take(&at, 2, &tm.tm_hour) && byte_take(&at, ':') &&
                      digits_take(&at, 2, &tm.tm_min) && byte_take(&at, ':') &&
                      digits_take(&at, 2, &tm.tm_sec) && strcmp(at, " GMT") == 0;
    tm.tm_year -= 1900;
    *out = good ? timegm(&tm) : 0;
    return good;
}

static bool seconds_parse(wring_bytes value, int64_t *out) {
    int64_t seconds = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return false;
        }
        seconds =
            seconds > WRING__RETRY_AFTER_MAX_S ? seconds : seconds * 10 + (value.data[i] - '0');
    }
    *out = seconds;
    return value.len > 0;
}

uint32_t wring__retry_after_ms(const wring_http_answer *answer, time_t now) {
    wring_bytes value;
    time_t then = 0;
    int64_t seconds = 0;
    if (!wring_headers_get(answer->headers, "retry-after", &value)) {
        return 0;
    }
    if (!seconds_parse(value, &seconds)) {
        if (!date_parse(value, &then)) {
            return 0;
        }
        wring_bytes date; /* the server's clock is the one that the date was made by */
        (void)(wring_headers_get(answer->headers, "date", &date) && date_parse(date, &now));
        seconds = (int64_t)then - (int64_t)now;
    }
    if (seconds < 0) {
        return 0;
    }
    return (uint32_t)wring__min_u64((uint64_t)seconds, WRING__RETRY_AFTER_MAX_S) * 1000;
}
