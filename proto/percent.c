/* SPDX-License-Identifier: Apache-2.0
 *
 * Percent-encoding (RFC 3986 2.1), and that of forms, where '+' is a space. A text is checked whole
 * before its first byte is written: a caller who decodes in place still has a malformed text as it
 * was.
 */
#include "proto/percent.h"

#include "proto/hex.h"
#include "wring/http.h"

bool wring__percent_measure(wring_bytes text, size_t *len) {
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++, count++) {
        if (text.data[i] != '%') {
            continue;
        }
        if (wring__escape_of(text, i) < 0) {
            return false;
        }
        i += 2;
    }
    *len = count;
    return true;
}

uint8_t wring__percent_take(wring_bytes text, size_t *at, bool plus_is_space) {
    const uint8_t c = text.data[*at];
    if (c != '%') {
        *at += 1;
        return c == '+' && plus_is_space ? ' ' : c;
    }
    const int byte = wring__escape_of(text, *at);
    WRING_DEBUG_ASSERT(byte >= 0);
    *at += 3;
    return (uint8_t)byte;
}

void wring__percent_write(wring_bytes text, bool plus_is_space, uint8_t *out) {
    size_t at = 0;
    while (at < text.len) { /* `out` never overtakes `at`, so both may be the same memory */
        *out++ = wring__percent_take(text, &at, plus_is_space);
    }
}

static wring_result decode(wring_bytes text, bool plus_is_space, uint8_t *out, size_t *len) {
    *len = 0;
    if (!wring__percent_measure(text, len)) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    wring__percent_write(text, plus_is_space, out);
    return WRING_OK;
}

wring_result wring_percent_decode(wring_bytes text, uint8_t *out, size_t *len) {
    return decode(text, false, out, len);
}

wring_result wring_query_decode(wring_bytes text, uint8_t *out, size_t *len) {
    return decode(text, true, out, len);
}
