/* SPDX-License-Identifier: Apache-2.0
 *
 * What publishing over HTTP needs. See publish.h.
 */
#include "cli/publish.h"

#include <string.h>

static bool begins(wring_bytes text, const char *with) {
    const size_t len = strlen(with);
    return text.len >= len && memcmp(text.data, with, len) == 0;
}

bool publish_name_is_legal(wring_bytes name) {
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] < 0x20 || name.data[i] == 0x7F) {
            return false;
        }
    }
    return name.len > 0 && name.len <= WRING_TOPIC_MAX;
}

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t publish_name_decode(wring_bytes raw, char name[WRING_TOPIC_MAX]) {
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        int c = raw.data[i];
        if (c == '%') { /* RFC 3986 2.1 */
            const int high = i + 2 < raw.len ? hex_digit(raw.data[i + 1]) : -1;
            const int low = high < 0 ? -1 : hex_digit(raw.data[i + 2]);
            if (low < 0) {
                return 0;
            }
            c = high << 4 | low;
            i += 2;
        }
        if (len == WRING_TOPIC_MAX) {
            return 0;
        }
        name[len++] = (char)c;
    }
    return publish_name_is_legal(wring_bytes_of(name, len)) ? len : 0;
}

wring_opcode publish_opcode(const wring_request *request) {
    wring_bytes type = {NULL, 0};
    if (wring_bytes_equal(request->query, wring_str("binary=1"))) {
        return WRING_BINARY;
    }
    if (wring_bytes_equal(request->query, wring_str("binary=0"))) {
        return WRING_TEXT;
    }
    (void)wring_headers_get(request->headers, "content-type", &type);
    return begins(type, "application/octet-stream") ? WRING_BINARY : WRING_TEXT;
}

bool publish_token_is_right(const char *token, const wring_request *request) {
    static const char scheme[] = "Bearer ";
    wring_bytes given = {NULL, 0};
    if (token == NULL) {
        return true;
    }
    if (!wring_headers_get(request->headers, "authorization", &given) || !begins(given, scheme)) {
        return false;
    }
    const size_t skip = sizeof scheme - 1;
    const size_t len = strlen(token);
    unsigned difference = given.len - skip != len;
    for (size_t i = 0; i < given.len - skip; i++) {
        difference |= given.data[skip + i] ^ (unsigned char)token[len == 0 ? 0 : i % len];
    }
    return difference == 0;
}
