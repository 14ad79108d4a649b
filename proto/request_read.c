/* SPDX-License-Identifier: Apache-2.0
 *
 * What an application reads from a request: its bearer token (RFC 6750 2.1) and the parameters of
 * its route. The query is in query.c, cookies are in cookies.c.
 */
#include "core/base.h"
#include "proto/upgrade.h"
#include "wring/http.h"

/* RFC 6750 2.1: b64token, without the '=' at its end. RFC 9110 11.2 calls it token68. */
static bool is_token68(uint8_t c) {
    const uint8_t low = c | 0x20;
    return (c >= '0' && c <= '9') || (low >= 'a' && low <= 'z') ||
           (c != 0 && strchr("-._~+/", c) != NULL);
}

static bool token68_is_legal(wring_bytes text) {
    size_t at = 0;
    while (at < text.len && is_token68(text.data[at])) {
        at++;
    }
    const bool has_text = at > 0;
    while (at < text.len && text.data[at] == '=') {
        at++;
    }
    return has_text && at == text.len;
}

bool wring_bearer_get(wring_headers headers, wring_bytes *token) {
    static const char scheme[] = "Bearer";
    const size_t len = sizeof scheme - 1;
    wring_bytes value = {NULL, 0};
    /* Of two headers nobody knows which one a proxy has checked. */
    if (wring__headers_find(headers, "authorization", &value) != 1 || value.len <= len ||
        !wring__text_is(wring_bytes_of(value.data, len), scheme) || value.data[len] != ' ') {
        return false;
    }
    size_t at = len;
    while (at < value.len && value.data[at] == ' ') {
        at++;
    }
    const wring_bytes found = wring_bytes_of(value.data + at, value.len - at);
    if (!token68_is_legal(found)) {
        return false;
    }
    *token = found;
    return true;
}

bool wring_request_param(const wring_request *request, const char *name, wring_bytes *value) {
    const wring_bytes want = wring_str(name);
    /* A request made by an embedder that is older than this field has none. */
    if (request->struct_size < offsetof(wring_request, params) + sizeof request->params) {
        return false;
    }
    for (size_t i = 0; i < request->params.count; i++) {
        if (wring_bytes_equal(request->params.list[i].name, want)) {
            *value = request->params.list[i].value;
            return true;
        }
    }
    return false;
}
