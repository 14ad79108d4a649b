/* SPDX-License-Identifier: Apache-2.0
 *
 * What a finished request head says: the four forms of its target (RFC 9112 3.2), its Host header
 * and the length of its body (RFC 9112 6). See http1.h.
 */
#include "core/sized.h"
#include "proto/authority.h"
#include "proto/http1.h"
#include "proto/upgrade.h"

/* ---- the target ------------------------------------------------------------------------------ */

static wring_bytes tail(wring_bytes text, size_t from) {
    return wring_bytes_of(text.data + from, text.len - from);
}

/* Cuts `text` at '?'. */
static void path_split(wring_bytes text, wring_request *out) {
    const uint8_t *mark = text.len == 0 ? NULL : memchr(text.data, '?', text.len);
    out->path = text;
    if (mark != NULL) {
        out->path.len = (size_t)(mark - text.data);
        out->query = tail(text, out->path.len + 1);
    }
}

/* http://authority/path?query. Its authority replaces the Host header. RFC 9112 3.2.2 */
static wring_result absolute_split(wring_request *out) {
    static const char *const schemes[] = {"http://", "https://"};
    wring_bytes rest = {NULL, 0};
    for (size_t i = 0; i < WRING_ARRAY_LEN(schemes); i++) {
        const size_t len = strlen(schemes[i]);
        if (out->target.len > len &&
            wring__text_is(wring_bytes_of(out->target.data, len), schemes[i])) {
            rest = tail(out->target, len);
        }
    }
    size_t len = 0;
    while (len < rest.len && rest.data[len] != '/' && rest.data[len] != '?') {
        len++;
    }
    const wring_bytes authority = {rest.data, len};
    if (!wring__authority_is_legal(authority)) { /* '@' is no byte of a host: no userinfo */
        return WRING_ERR_BAD_HTTP;
    }
    out->host = authority;
    path_split(tail(rest, len), out);
    if (out->path.len == 0) { /* it means "/", RFC 9110 4.2.3: the one before the authority */
        out->path = wring_bytes_of(authority.data - 1, 1);
    }
    return WRING_OK;
}

static wring_result target_split(wring_request *out) {
    const wring_bytes target = out->target;
    if (memchr(target.data, '#', target.len) != NULL) { /* no form has a fragment */
        return WRING_ERR_BAD_HTTP;
    }
    if (target.data[0] == '/') {
        path_split(target, out);
        return WRING_OK;
    }
    if (wring_bytes_equal(out->method, wring_str("CONNECT"))) { /* its authority is the router's */
        out->path = target;
        return WRING_OK;
    }
    if (wring_bytes_equal(target, wring_str("*"))) { /* RFC 9112 3.2.4 */
        out->path = target;
        return wring_bytes_equal(out->method, wring_str("OPTIONS")) ? WRING_OK : WRING_ERR_BAD_HTTP;
    }
    return absolute_split(out);
}

wring_result wring__http1_request(const wring__http1 *parser, const uint8_t *buffer,
                                  wring_header *list, wring_request *out) {
    *out = (wring_request){.struct_size = sizeof *out, .http_version = 10u + parser->minor};
    out->method = wring_bytes_of(buffer + parser->method, parser->method_len);
    out->target = wring_bytes_of(buffer + parser->target, parser->target_len);
    out->headers = wring__http1_headers(parser, buffer, list);
    (void)wring__headers_find(out->headers, "origin", &out->origin);
    (void)wring__headers_find(out->headers, "host", &out->host);
    const wring_result result = target_split(out);
    if (result != WRING_OK) {
        out->path = out->query = out->host = wring_bytes_of(NULL, 0);
    }
    return result;
}

/* ---- the host -------------------------------------------------------------------------------- */

wring_result wring__http1_host_check(const wring_request *request) {
    const bool old = request->http_version == 10;
    wring_bytes host = {NULL, 0};
    const size_t count = wring__headers_find(request->headers, "host", &host);
    if (count > 1 || (count == 0 && !old)) {
        return WRING_ERR_BAD_HOST;
    }
    /* RFC 9112 3.3: a server may refuse an empty one. It names no origin, so 1.1 has no use for it;
     * clients of 1.0 send none as often. */
    if (host.len == 0 && old) {
        return WRING_OK;
    }
    return wring__authority_is_legal(host) ? WRING_OK : WRING_ERR_BAD_HOST;
}

/* ---- the length of the body ------------------------------------------------------------------ */

/* Digits only, up to INT64_MAX: no sign, no list. RFC 9110 8.6 */
static bool length_parse(wring_bytes text, uint64_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        const uint64_t digit = (uint64_t)text.data[i] - '0';
        if (digit > 9 || value > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return text.len > 0;
}

/* Anything but `chunked` alone is refused. When chunked is the last of several codings the length
 * would be known, which makes it an encoding that is not supported; else the message is malformed.
 * RFC 9112 6.1, 6.3 */
static wring_result coding_check(wring_headers headers) {
    wring_bytes value = {NULL, 0};
    if (wring__headers_find(headers, "transfer-encoding", &value) != 1) {
        return WRING_ERR_BAD_HTTP;
    }
    if (wring__text_is(value, "chunked")) {
        return WRING_OK;
    }
    wring_list_cursor cursor = {0, 0};
    wring_bytes coding = {NULL, 0};
    size_t count = 0;
    size_t chunked = 0;
    bool last = false;
    while (wring_headers_next(headers, "transfer-encoding", &cursor, &coding)) {
        last = wring__text_is(coding, "chunked");
        chunked += last;
        count++;
        if (!last && !wring__http1_is_token(coding)) {
            return WRING_ERR_BAD_HTTP;
        }
    }
    return last && chunked == 1 && count > 1 ? WRING_ERR_UNSUPPORTED_ENCODING : WRING_ERR_BAD_HTTP;
}

wring_result wring__http1_framing(wring_headers headers, unsigned minor, bool *chunked,
                                  uint64_t *length) {
    wring_bytes coding = {NULL, 0};
    wring_bytes value = {NULL, 0};
    const size_t codings = wring__headers_find(headers, "transfer-encoding", &coding);
    const size_t lengths = wring__headers_find(headers, "content-length", &value);
    *chunked = false;
    *length = 0;
    if (codings > 0) {
        /* Both, or a coding in HTTP/1.0: a proxy before us may have framed it otherwise. */
        const wring_result result =
            lengths > 0 || minor == 0 ? WRING_ERR_BAD_HTTP : coding_check(headers);
        *chunked = result == WRING_OK;
        return result;
    }
    if (lengths == 0) {
        return WRING_OK;
    }
    return lengths == 1 && length_parse(value, length) ? WRING_OK : WRING_ERR_BAD_HTTP;
}

/* ---- without a state kept between calls ------------------------------------------------------ */

#define HEAD_MAX   (64u * 1024)
#define TARGET_MAX (8u * 1024)

wring_result wring_h1_request_parse(wring_bytes bytes, wring_header *list, wring_request *out,
                                    size_t *head_len) {
    wring__http1 parser;
    wring_request request;
    wring__http1_init(&parser, WRING__HTTP1_REQUEST, HEAD_MAX, TARGET_MAX);
    wring_result result = wring__http1_parse(&parser, bytes);
    if (result == WRING_OK && parser.minor == 0) { /* it has no upgrade: RFC 6455 4.2.1 */
        result = WRING_ERR_BAD_HTTP_VERSION;
    }
    if (result == WRING_OK) {
        result = wring__http1_request(&parser, bytes.data, list, &request);
    }
    if (result == WRING_OK) {
        *head_len = parser.position;
        result = wring__sized_give(out, &request, sizeof request);
    }
    return result;
}
