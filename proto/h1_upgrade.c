/* SPDX-License-Identifier: Apache-2.0
 *
 * The opening handshake over HTTP/1.1, both roles (RFC 6455 4). Pure functions.
 */
#include <stdio.h>

#include "core/base.h"
#include "core/sized.h"
#include "proto/authority.h"
#include "proto/crypto.h"
#include "proto/http1.h"
#include "proto/upgrade.h"
#include "wring/http.h"

/* ---- server ---------------------------------------------------------------------------------- */

/* Upgrade and Connection, the same in requests and responses. RFC 6455 4.1, 4.2.1 */
static wring_result upgrade_check(wring_headers headers) {
    if (wring_headers_count(headers, "upgrade") == 0) {
        return WRING_ERR_MISSING_UPGRADE;
    }
    if (!wring_headers_has_token(headers, "upgrade", "websocket")) {
        return WRING_ERR_INVALID_UPGRADE;
    }
    if (wring_headers_count(headers, "connection") == 0) {
        return WRING_ERR_MISSING_CONNECTION;
    }
    return wring_headers_has_token(headers, "connection", "upgrade") ? WRING_OK
                                                                     : WRING_ERR_INVALID_CONNECTION;
}

/* What follows the head are frames. `Content-Length: 0` says so too, and some clients send it. */
static bool has_body(wring_headers headers) {
    bool chunked;
    uint64_t length;
    return wring__http1_framing(headers, 1, &chunked, &length) != WRING_OK || chunked || length > 0;
}

/* RFC 9112 3.2. An upgrade is of HTTP/1.1. */
static bool has_host(wring_headers headers) {
    wring_bytes host = {NULL, 0};
    return wring__headers_find(headers, "host", &host) == 1 && wring__authority_is_legal(host);
}

static wring_result version_and_key_check(wring_headers headers, wring_bytes *key) {
    wring_bytes version = {NULL, 0};
    if (wring__headers_find(headers, "sec-websocket-version", &version) != 1 ||
        !wring_bytes_equal(version, wring_str("13"))) {
        return WRING_ERR_UNSUPPORTED_VERSION;
    }
    const size_t keys = wring__headers_find(headers, "sec-websocket-key", key);
    if (keys == 0) {
        return WRING_ERR_MISSING_KEY;
    }
    return keys == 1 && wring__client_key_is_valid(*key) ? WRING_OK : WRING_ERR_BAD_KEY;
}

wring_result wring__h1_request_check(wring_bytes method, wring_headers headers,
                                     const wring_upgrade_options *options,
                                     wring_h1_upgrade_info *info) {
    if (!wring_bytes_equal(method, wring_str("GET"))) {
        return WRING_ERR_WRONG_METHOD;
    }
    if (!has_host(headers)) {
        return WRING_ERR_BAD_HOST;
    }
    if (has_body(headers)) {
        return WRING_ERR_UNEXPECTED_BODY;
    }
    wring_result result = upgrade_check(headers);
    if (result == WRING_OK) {
        result = version_and_key_check(headers, &info->key);
    }
    if (result == WRING_OK) {
        result = wring__subprotocol_choose(headers, options, &info->subprotocol);
    }
    return result;
}

wring_result wring_h1_request_validate(wring_bytes method, wring_headers headers,
                                       const wring_upgrade_options *options,
                                       wring_h1_upgrade_info *out) {
    wring_upgrade_options asked;
    wring_h1_upgrade_info info = {.struct_size = sizeof info};
    if (wring__upgrade_options_adopt(options, &asked) != WRING_OK ||
        wring__sized_give(out, &info, sizeof info) != WRING_OK) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    wring_result result = wring__h1_request_check(method, headers, &asked, &info);
    if (result == WRING_OK) {
        wring_headers_get(headers, "origin", &info.origin);
        result = wring__accept_key(info.key, info.accept);
    }
    return result == WRING_OK ? wring__sized_give(out, &info, sizeof info) : result;
}

wring_result wring_h1_accept_key(wring_bytes key, char out[29]) {
    return wring__accept_key(key, out);
}

wring_result wring_h1_client_key(char out[25]) {
    return wring__client_key(out);
}

wring_headers wring_h1_response_headers(const wring_h1_upgrade_info *info,
                                        wring_header storage[4]) {
    storage[0] = (wring_header){wring_str("Upgrade"), wring_str("websocket")};
    storage[1] = (wring_header){wring_str("Connection"), wring_str("Upgrade")};
    storage[2] = (wring_header){wring_str("Sec-WebSocket-Accept"), wring_str(info->accept)};
    storage[3] = (wring_header){wring_str("Sec-WebSocket-Protocol"), info->subprotocol};
    return (wring_headers){storage, info->subprotocol.len == 0 ? 3 : 4};
}

/* ---- writing heads --------------------------------------------------------------------------- */

/* A cursor over the caller's buffer; `result` remembers the first thing that went wrong. */
struct writer {
    char *out;
    size_t cap;
    size_t len;
    wring_result result;
};

static void put(struct writer *w, wring_bytes text) {
    if (w->result == WRING_OK && w->cap - w->len < text.len) {
        w->result = WRING_ERR_INVALID_ARGUMENT;
    }
    if (w->result == WRING_OK && text.len > 0) {
        memcpy(w->out + w->len, text.data, text.len);
        w->len += text.len;
    }
}

static void put_str(struct writer *w, const char *text) {
    put(w, wring_str(text));
}

/* Nothing that could end a line may come from outside. */
static void put_checked(struct writer *w, wring_bytes text) {
    if (!wring__header_text_is_safe(text)) {
        w->result = WRING_ERR_INVALID_HEADER;
    }
    put(w, text);
}

/* A separator in a name would make another header of it: "Host: evil". */
static void put_token(struct writer *w, wring_bytes text) {
    if (!wring__http1_is_token(text)) {
        w->result = WRING_ERR_INVALID_HEADER;
    }
    put(w, text);
}

static void put_header(struct writer *w, wring_bytes name, wring_bytes value) {
    put_token(w, name);
    put_str(w, ": ");
    put_checked(w, value);
    put_str(w, "\r\n");
}

/* All but those called `without`; NULL: all. */
static void put_headers(struct writer *w, wring_headers headers, const char *without) {
    for (size_t i = 0; i < headers.count; i++) {
        if (without == NULL || !wring__text_is(headers.list[i].name, without)) {
            put_header(w, headers.list[i].name, headers.list[i].value);
        }
    }
}

wring_result wring_h1_response_write(const wring_h1_upgrade_info *info, wring_headers extra,
                                     char *out, size_t cap, size_t *len) {
    struct writer w = {out, cap, 0, WRING_OK};
    wring_header list[4];
    put_str(&w, "HTTP/1.1 101 Switching Protocols\r\n");
    put_headers(&w, wring_h1_response_headers(info, list), NULL);
    put_headers(&w, extra, NULL);
    put_str(&w, "\r\n");
    *len = w.len;
    return w.result;
}

/* ---- client ---------------------------------------------------------------------------------- */

static void put_subprotocols(struct writer *w, const wring_upgrade_offer *offer) {
    if (wring_headers_count(offer->extra, "sec-websocket-protocol") > 0) {
        return;
    }
    for (size_t i = 0; i < offer->subprotocol_count; i++) {
        put_str(w, i == 0 ? "Sec-WebSocket-Protocol: " : ", ");
        put_token(w, wring_str(offer->subprotocols[i])); /* RFC 6455 4.1 */
    }
    if (offer->subprotocol_count > 0) {
        put_str(w, "\r\n");
    }
}

static void put_target(struct writer *w, const char *target) {
    if (target[0] == 0 || strpbrk(target, " \t") != NULL) {
        w->result = WRING_ERR_INVALID_HEADER;
    }
    put_checked(w, wring_str(target));
}

/* One of the client's own headers, unless the application gave it. */
static void put_own(struct writer *w, wring_headers extra, const char *name, const char *value) {
    if (value != NULL && wring_headers_count(extra, name) == 0) {
        put_header(w, wring_str(name), wring_str(value));
    }
}

wring_result wring_h1_request_write(const wring_upgrade_offer *offer, const char *key, char *out,
                                    size_t cap, size_t *len) {
    wring_upgrade_offer o;
    if (wring__upgrade_offer_adopt(offer, &o) != WRING_OK || o.target == NULL ||
        (o.host == NULL && wring_headers_count(o.extra, "host") == 0)) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    struct writer w = {out, cap, 0, wring_h1_request_headers_check(o.extra, NULL)};
    wring_bytes host = wring_str(o.host);
    (void)wring_headers_get(o.extra, "host", &host);
    put_str(&w, "GET ");
    put_target(&w, o.target);
    put_str(&w, " HTTP/1.1\r\n");
    put_header(&w, wring_str("Host"), host);
    put_str(&w, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
    put_header(&w, wring_str("Sec-WebSocket-Key"), wring_str(key));
    put_str(&w, "Sec-WebSocket-Version: 13\r\n");
    put_subprotocols(&w, &o);
    put_own(&w, o.extra, "Sec-WebSocket-Extensions", o.extensions);
    put_own(&w, o.extra, "Origin", o.origin);
    put_headers(&w, o.extra, "host");
    put_str(&w, "\r\n");
    *len = w.len;
    return w.result;
}

wring_result wring_h1_response_validate(const wring_upgrade_offer *offer, const char *key,
                                        int status, wring_headers headers,
                                        wring_bytes *subprotocol) {
    wring_upgrade_offer o;
    char want[WRING__ACCEPT_TEXT];
    wring_bytes accept;
    *subprotocol = wring_bytes_of(NULL, 0);
    if (wring__upgrade_offer_adopt(offer, &o) != WRING_OK) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    if (status != 101) {
        return WRING_ERR_UNEXPECTED_STATUS;
    }
    wring_result result = upgrade_check(headers);
    if (result != WRING_OK) {
        return result;
    }
    if (!wring_headers_get(headers, "sec-websocket-accept", &accept)) {
        return WRING_ERR_MISSING_ACCEPT;
    }
    result = wring__accept_key(wring_str(key), want);
    if (result != WRING_OK) {
        return result;
    }
    if (!wring_bytes_equal(accept, wring_str(want)) ||
        wring_headers_count(headers, "sec-websocket-accept") != 1) {
        return WRING_ERR_ACCEPT_MISMATCH;
    }
    return wring__answer_check(headers, &o, subprotocol);
}
