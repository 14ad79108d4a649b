/* SPDX-License-Identifier: Apache-2.0
 *
 * ws:// and wss:// URLs, strictly. See wring/url.h.
 */
#include "wring/url.h"

#include "core/base.h"
#include "proto/authority.h"

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
    if (!wring__port_parse(digits, &port) || (digits.len > 0 && port == 0) || digits.len > 5) {
        return false;
    }
    out->port = digits.len == 0 ? standard : (uint16_t)port; /* "host:" is legal: RFC 3986 3.2.3 */
    out->port_is_given = out->port != standard;
    return true;
}

static bool ipv6_take(wring_bytes *rest, wring_url *out) {
    const uint8_t *end = memchr(rest->data, ']', rest->len);
    if (end == NULL) {
        return false;
    }
    out->host = wring_bytes_of(rest->data + 1, (size_t)(end - rest->data) - 1);
    out->host_is_ipv6 = true;
    *rest = tail(*rest, out->host.len + 2);
    return wring__ipv6_is_legal(out->host);
}

static bool host_take(wring_bytes *rest, wring_url *out) {
    if (rest->len > 0 && rest->data[0] == '[') {
        return ipv6_take(rest, out);
    }
    const uint8_t *colon = rest->len == 0 ? NULL : memchr(rest->data, ':', rest->len);
    size_t len = colon == NULL ? rest->len : (size_t)(colon - rest->data);
    out->host = wring_bytes_of(rest->data, len);
    *rest = tail(*rest, len);
    return len > 0 && len <= 253 && wring__uri_text_is_legal(out->host, "-._~");
}

static bool authority_parse(wring_bytes authority, wring_url *out) {
    for (size_t i = authority.len; i > 0; i--) { /* the last '@' ends the userinfo */
        if (authority.data[i - 1] == '@') {
            out->userinfo = wring_bytes_of(authority.data, i - 1);
            authority = tail(authority, i);
            break;
        }
    }
    if (!wring__uri_text_is_legal(out->userinfo, "-._~!$&'()*+,;=:") ||
        !host_take(&authority, out)) {
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
                 wring__uri_text_is_legal(out->target, "-._~!$&'()*+,;=:@/?[]");
    return legal ? WRING_OK : WRING_ERR_INVALID_URL;
}
