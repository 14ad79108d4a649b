/* SPDX-License-Identifier: Apache-2.0
 *
 * ws:// and wss:// URLs, strictly. See wring/url.h.
 */
#include "wring/url.h"

#include "core/base.h"

static bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

static bool is_alnum(uint8_t c) {
    uint8_t low = c | 0x20;
    return is_digit(c) || (low >= 'a' && low <= 'z');
}

static bool is_hex(uint8_t c) {
    uint8_t low = c | 0x20;
    return is_digit(c) || (low >= 'a' && low <= 'f');
}

/* Every byte is alphanumeric, one of `also`, or part of a percent-encoding. RFC 3986 2 */
static bool text_is_legal(wring_bytes text, const char *also) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '%') {
            if (text.len - i < 3 || !is_hex(text.data[i + 1]) || !is_hex(text.data[i + 2])) {
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

static bool scheme_take(wring_bytes *text, wring_url *out) {
    static const char *const schemes[] = {"ws://", "wss://"};
    for (size_t s = 0; s < 2; s++) {
        size_t len = strlen(schemes[s]);
        bool same = text->len >= len;
        for (size_t i = 0; same && i < len; i++) {
            uint8_t c = text->data[i];
            c = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
            same = c == (uint8_t)schemes[s][i];
        }
        if (same) {
            out->secure = s == 1;
            *text = tail(*text, len);
            return true;
        }
    }
    return false;
}

static bool port_parse(wring_bytes digits, wring_url *out) {
    uint16_t standard = out->secure ? 443 : 80;
    uint32_t port = 0;
    if (digits.len > 5) {
        return false;
    }
    for (size_t i = 0; i < digits.len; i++) {
        if (!is_digit(digits.data[i])) {
            return false;
        }
        port = port * 10 + (digits.data[i] - '0');
    }
    if (digits.len > 0 && (port == 0 || port > UINT16_MAX)) {
        return false;
    }
    out->port = digits.len == 0 ? standard : (uint16_t)port; /* "host:" is legal: RFC 3986 3.2.3 */
    out->port_is_given = out->port != standard;
    return true;
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

/* Eight groups of up to four hex digits, "::" at most once in place of some, the last two also as
 * an IPv4 address. RFC 3986 3.2.2; no zones (RFC 6874): they mean nothing to another host. */
static bool ipv6_is_legal(wring_bytes text) {
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

static bool ipv6_take(wring_bytes *rest, wring_url *out) {
    const uint8_t *end = memchr(rest->data, ']', rest->len);
    if (end == NULL) {
        return false;
    }
    out->host = wring_bytes_of(rest->data + 1, (size_t)(end - rest->data) - 1);
    out->host_is_ipv6 = true;
    *rest = tail(*rest, out->host.len + 2);
    return ipv6_is_legal(out->host);
}

static bool host_take(wring_bytes *rest, wring_url *out) {
    if (rest->len > 0 && rest->data[0] == '[') {
        return ipv6_take(rest, out);
    }
    const uint8_t *colon = rest->len == 0 ? NULL : memchr(rest->data, ':', rest->len);
    size_t len = colon == NULL ? rest->len : (size_t)(colon - rest->data);
    out->host = wring_bytes_of(rest->data, len);
    *rest = tail(*rest, len);
    return len > 0 && len <= 253 && text_is_legal(out->host, "-._~");
}

static bool authority_parse(wring_bytes authority, wring_url *out) {
    for (size_t i = authority.len; i > 0; i--) { /* the last '@' ends the userinfo */
        if (authority.data[i - 1] == '@') {
            out->userinfo = wring_bytes_of(authority.data, i - 1);
            authority = tail(authority, i);
            break;
        }
    }
    if (!text_is_legal(out->userinfo, "-._~!$&'()*+,;=:") || !host_take(&authority, out)) {
        return false;
    }
    if (authority.len > 0 && authority.data[0] != ':') {
        return false;
    }
    return port_parse(authority.len == 0 ? authority : tail(authority, 1), out);
}

wring_result wring_url_parse(wring_bytes text, wring_url *out) {
    memset(out, 0, sizeof *out);
    if (!scheme_take(&text, out)) {
        return WRING_ERR_INVALID_URL;
    }
    size_t len = 0;
    while (len < text.len && text.data[len] != '/' && text.data[len] != '?' &&
           text.data[len] != '#') {
        len++;
    }
    out->target = tail(text, len);
    bool legal = authority_parse(wring_bytes_of(text.data, len), out) &&
                 text_is_legal(out->target, "-._~!$&'()*+,;=:@/?[]");
    return legal ? WRING_OK : WRING_ERR_INVALID_URL;
}
