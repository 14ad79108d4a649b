/* SPDX-License-Identifier: Apache-2.0
 *
 * The pairs of a query, or of a form's body: split as browsers do for application/x-www-form-
 * urlencoded (WHATWG URL 5.1), decoded one at a time.
 */
#include "core/base.h"
#include "proto/percent.h"
#include "wring/http.h"

/* Where the first `c` of text[from, end) is; `end` when there is none. */
static size_t find(wring_bytes text, size_t from, size_t end, int c) {
    const uint8_t *found = from < end ? memchr(text.data + from, c, end - from) : NULL;
    return found == NULL ? end : (size_t)(found - text.data);
}

bool wring_query_next(wring_bytes query, wring_query_cursor *cursor, wring_bytes *name,
                      wring_bytes *value) {
    while (cursor->offset < query.len) {
        const size_t start = cursor->offset;
        const size_t end = find(query, start, query.len, '&');
        cursor->offset = end == query.len ? end : end + 1;
        if (start == end) {
            continue;
        }
        const size_t equals = find(query, start, end, '=');
        const size_t behind = equals == end ? end : equals + 1;
        *name = wring_bytes_of(query.data + start, equals - start);
        *value = wring_bytes_of(query.data + behind, end - behind);
        return true;
    }
    return false;
}

/* Decoded, `text` is `want`. Nothing is what a malformed text is. */
static bool decoded_is(wring_bytes text, wring_bytes want) {
    size_t len = 0;
    size_t at = 0;
    if (text.len < want.len || !wring__percent_measure(text, &len) || len != want.len) {
        return false;
    }
    for (size_t i = 0; i < want.len; i++) {
        if (wring__percent_take(text, &at, true) != want.data[i]) {
            return false;
        }
    }
    return true;
}

wring_result wring_query_get(wring_bytes query, const char *name, uint8_t *out, size_t cap,
                             size_t *len) {
    const wring_bytes want = wring_str(name);
    wring_query_cursor cursor = {0};
    wring_bytes its_name;
    wring_bytes value;
    *len = 0;
    while (wring_query_next(query, &cursor, &its_name, &value)) {
        size_t need = 0;
        if (!decoded_is(its_name, want)) {
            continue;
        }
        if (!wring__percent_measure(value, &need) || need > cap) {
            return WRING_ERR_INVALID_ARGUMENT;
        }
        wring__percent_write(value, true, out);
        *len = need;
        return WRING_OK;
    }
    return WRING_ERR_NOT_FOUND;
}
