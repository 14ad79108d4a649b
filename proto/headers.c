/* SPDX-License-Identifier: Apache-2.0
 *
 * Header lists: look-up by name, and comma-separated values as one list (RFC 9110 5). Linear, no
 * backtracking.
 */
#include "core/base.h"
#include "proto/ows.h"
#include "proto/upgrade.h"
#include "wring/http.h"

static uint8_t lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* The lengths tell most names apart, before a byte is looked at. */
static inline bool is_same(wring_bytes text, wring_bytes want) {
    if (text.len != want.len) {
        return false;
    }
    for (size_t i = 0; i < want.len; i++) {
        const uint8_t is = text.data[i];
        const uint8_t wanted = want.data[i];
        if (is != wanted && lower(is) != lower(wanted)) { /* most are the same as they stand */
            return false;
        }
    }
    return true;
}

bool wring__text_is(wring_bytes text, const char *want) {
    return is_same(text, wring_str(want));
}

bool wring_headers_get(wring_headers headers, const char *name, wring_bytes *value) {
    const wring_bytes wanted = wring_str(name);
    for (size_t i = 0; i < headers.count; i++) {
        if (is_same(headers.list[i].name, wanted)) {
            *value = headers.list[i].value;
            return true;
        }
    }
    return false;
}

size_t wring__headers_find_named(wring_headers headers, wring_bytes name, wring_bytes *value) {
    size_t count = 0;
    for (size_t i = 0; i < headers.count; i++) {
        if (is_same(headers.list[i].name, name) && count++ == 0) {
            *value = headers.list[i].value;
        }
    }
    return count;
}

size_t wring_headers_count(wring_headers headers, const char *name) {
    wring_bytes unused;
    return wring__headers_find(headers, name, &unused);
}

/* The element of `value` that begins at `*offset`; moves behind its comma. */
static wring_bytes element_take(wring_bytes value, size_t *offset) {
    size_t start = *offset;
    size_t i = start;
    bool quoted = false;
    for (; i < value.len && (quoted || value.data[i] != ','); i++) {
        if (quoted && value.data[i] == '\\' && i + 1 < value.len) {
            i++;
        } else if (value.data[i] == '"') {
            quoted = !quoted;
        }
    }
    *offset = i + 1;
    return wring__ows_trim(value, start, i);
}

static inline bool next(wring_headers headers, wring_bytes name, wring_list_cursor *cursor,
                        wring_bytes *element) {
    for (; cursor->header < headers.count; cursor->header++, cursor->offset = 0) {
        const wring_header *header = &headers.list[cursor->header];
        if (!is_same(header->name, name)) {
            continue;
        }
        while (cursor->offset < header->value.len) {
            *element = element_take(header->value, &cursor->offset);
            if (element->len > 0) { /* empty elements are legal and mean nothing */
                return true;
            }
        }
    }
    return false;
}

bool wring_headers_next(wring_headers headers, const char *name, wring_list_cursor *cursor,
                        wring_bytes *element) {
    return next(headers, wring_str(name), cursor, element);
}

bool wring__headers_has_token(wring_headers headers, wring_bytes name, wring_bytes token) {
    wring_list_cursor cursor = {0, 0};
    wring_bytes element;
    while (next(headers, name, &cursor, &element)) {
        if (is_same(element, token)) {
            return true;
        }
    }
    return false;
}

bool wring_headers_has_token(wring_headers headers, const char *name, const char *token) {
    return wring__headers_has_token(headers, wring_str(name), wring_str(token));
}
