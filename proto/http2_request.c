/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests of HTTP/2. See http2.h.
 */
#include "proto/authority.h"
#include "proto/http2.h"
#include "proto/upgrade.h"

static bool is_pseudo(wring_bytes name) {
    return name.len > 0 && name.data[0] == ':';
}

static void pseudo_take(const wring_header *field, wring_request *out) {
    if (wring_bytes_equal(field->name, wring_str(":method"))) {
        out->method = field->value;
    } else if (wring_bytes_equal(field->name, wring_str(":path"))) {
        out->target = field->value;
    } else if (wring_bytes_equal(field->name, wring_str(":authority"))) {
        out->host = field->value;
    }
}

/* RFC 3986 3.3, 3.4: no controls, spaces, fragments, or bytes above ASCII. */
static bool is_legal(wring_bytes target) {
    bool legal = true;
    for (size_t i = 0; i < target.len; i++) {
        legal = legal && target.data[i] > ' ' && target.data[i] < 0x7f && target.data[i] != '#';
    }
    return legal;
}

/* RFC 9113 8.3.1: it is that of RFC 9112 3.2.1, or "*"; a CONNECT without :protocol has none. */
static wring_result target_split(wring_request *out, size_t target_bytes_max) {
    if (out->target.len > target_bytes_max) {
        return WRING_ERR_TARGET_TOO_BIG;
    }
    if (out->target.len == 0) {
        out->path = out->target = out->host;
        return wring_bytes_equal(out->method, wring_str("CONNECT")) ? WRING_OK : WRING_ERR_BAD_HTTP;
    }
    const bool is_star = wring_bytes_equal(out->target, wring_str("*")) &&
                         wring_bytes_equal(out->method, wring_str("OPTIONS"));
    if ((out->target.data[0] != '/' && !is_star) || !is_legal(out->target)) {
        return WRING_ERR_BAD_HTTP;
    }
    const uint8_t *mark = memchr(out->target.data, '?', out->target.len);
    out->path = out->target;
    if (mark != NULL) {
        out->path.len = (size_t)(mark - out->target.data);
        out->query = wring_bytes_of(mark + 1, out->target.len - out->path.len - 1);
    }
    return WRING_OK;
}

/* Hosts are compared without regard to case: RFC 3986 3.2.2. */
static bool is_same(wring_bytes a, wring_bytes b) {
    bool same = a.len == b.len;
    for (size_t i = 0; i < a.len && same; i++) {
        const uint8_t x = a.data[i];
        const uint8_t y = b.data[i];
        same = (x >= 'A' && x <= 'Z' ? x | 32 : x) == (y >= 'A' && y <= 'Z' ? y | 32 : y);
    }
    return same;
}

/* RFC 9113 8.3.1: Host stands in for :authority, and must not contradict it. */
static wring_result host_check(wring_request *out) {
    wring_bytes host = {NULL, 0};
    const size_t count = wring__headers_find(out->headers, "host", &host);
    if (count > 1 || (count == 1 && out->host.len > 0 && !is_same(host, out->host))) {
        return WRING_ERR_BAD_HOST;
    }
    out->host = out->host.len > 0 ? out->host : host;
    return wring__authority_is_legal(out->host) ? WRING_OK : WRING_ERR_BAD_HOST;
}

wring_result wring__http2_request(wring_headers fields, size_t target_bytes_max,
                                  wring_request *out) {
    *out = (wring_request){.struct_size = sizeof *out, .http_version = 20};
    size_t pseudos = 0;
    while (pseudos < fields.count && is_pseudo(fields.list[pseudos].name)) {
        pseudo_take(&fields.list[pseudos++], out);
    }
    out->headers = (wring_headers){fields.list + pseudos, fields.count - pseudos};
    (void)wring__headers_find(out->headers, "origin", &out->origin);
    const wring_result result = host_check(out);
    return result == WRING_OK ? target_split(out, target_bytes_max) : result;
}
