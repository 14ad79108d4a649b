/* SPDX-License-Identifier: Apache-2.0
 *
 * See authority.h.
 */
#include "proto/authority.h"

#include "proto/hex.h"

static bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

static bool is_alnum(uint8_t c) {
    uint8_t low = c | 0x20;
    return is_digit(c) || (low >= 'a' && low <= 'z');
}

static bool is_hex(uint8_t c) {
    return wring__hex_of(c) >= 0;
}

bool wring__uri_text_is_legal(wring_bytes text, const char *also) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '%') {
            if (wring__escape_of(text, i) < 0) {
                return false;
            }
            i += 2;
        } else if (!is_alnum(c) && (c == 0 || strchr(also, c) == NULL)) {
            return false;
        }
    }
    return true;
}

static wring_bytes tail(wring_bytes text, size_t from) {
    return wring_bytes_of(text.data + from, text.len - from);
}

/* Four numbers up to 255, without leading zeros. RFC 3986 3.2.2 */
static bool ipv4_is_legal(wring_bytes text) {
    size_t i = 0;
    for (int number = 0; number < 4; number++) {
        if (number > 0 && (i == text.len || text.data[i++] != '.')) {
            return false;
        }
        size_t start = i;
        unsigned value = 0;
        for (; i < text.len && i - start < 3 && is_digit(text.data[i]); i++) {
            value = value * 10 + (text.data[i] - '0');
        }
        size_t digits = i - start;
        if (digits == 0 || value > 255 || (digits > 1 && text.data[start] == '0')) {
            return false;
        }
    }
    return i == text.len;
}

bool wring__ipv6_is_legal(wring_bytes text) {
    unsigned groups = 0;
    bool gap = text.len >= 2 && text.data[0] == ':' && text.data[1] == ':';
    size_t i = gap ? 2 : 0;
    while (i < text.len) {
        size_t end = i;
        while (end < text.len && is_hex(text.data[end])) {
            end++;
        }
        if (end < text.len && text.data[end] == '.') {
            groups += 2;
            return ipv4_is_legal(tail(text, i)) && (gap ? groups < 8 : groups == 8);
        }
        if (end == i || end - i > 4) {
            return false;
        }
        groups++;
        if (end == text.len) {
            break;
        }
        i = end + 1;
        bool doubled = i < text.len && text.data[i] == ':';
        if (text.data[end] != ':' || (doubled && gap) || i == text.len) {
            return false;
        }
        gap = gap || doubled;
        i += doubled;
    }
    return gap ? groups < 8 : groups == 8;
}

bool wring__port_parse(wring_bytes digits, uint32_t *port) {
    *port = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (!is_digit(digits.data[i])) {
            return false;
        }
        *port = *port * 10 + (digits.data[i] - '0');
        if (*port > UINT16_MAX) {
            return false;
        }
    }
    return true;
}

/* A registered name or an IPv4 address. Most are of letters, digits, dots and hyphens only. */
static bool name_is_legal(wring_bytes name) {
    size_t at = 0;
    while (at < name.len &&
           (is_alnum(name.data[at]) || name.data[at] == '.' || name.data[at] == '-')) {
        at++;
    }
    return at == name.len || wring__uri_text_is_legal(tail(name, at), "-._~!$&'()*+,;=");
}

/* Length of the host at the start of `text`; 0 when it is empty or illegal. */
static size_t host_len(wring_bytes text) {
    if (text.len == 0 || text.data[0] != '[') {
        const uint8_t *colon = text.len == 0 ? NULL : memchr(text.data, ':', text.len);
        const size_t len = colon == NULL ? text.len : (size_t)(colon - text.data);
        return name_is_legal(wring_bytes_of(text.data, len)) ? len : 0;
    }
    const uint8_t *end = memchr(text.data, ']', text.len);
    if (end == NULL) {
        return 0;
    }
    const size_t len = (size_t)(end - text.data) + 1;
    return wring__ipv6_is_legal(wring_bytes_of(text.data + 1, len - 2)) ? len : 0;
}

bool wring__authority_is_legal(wring_bytes text) {
    const size_t len = host_len(text);
    uint32_t port;
    if (len == 0 || len == text.len) {
        return len > 0;
    }
    return text.data[len] == ':' && wring__port_parse(tail(text, len + 1), &port);
}
