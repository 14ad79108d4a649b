/* SPDX-License-Identifier: Apache-2.0
 *
 * Extended CONNECT: RFC 8441 over HTTP/2, RFC 9220 over HTTP/3. See wring/connect.h.
 */
#include "core/base.h"
#include "proto/upgrade.h"
#include "wring/connect.h"

/* ---- server -------------------------------------------------------------------------------- */

/* A pseudo-header that must be there, not empty, once. */
static wring_result pseudo_get(wring_headers headers, const char *name, wring_result missing,
                               wring_bytes *value) {
    if (!wring_headers_get(headers, name, value) || value->len == 0) {
        return missing;
    }
    return wring_headers_count(headers, name) == 1 ? WRING_OK : WRING_ERR_BAD_HTTP;
}

static wring_result pseudos_get(wring_headers headers, wring_connect_info *out) {
    wring_bytes protocol;
    const struct {
        const char *name;
        wring_result missing;
        wring_bytes *value;
    } wanted[] = {
        {":method", WRING_ERR_WRONG_METHOD, &out->method},
        {":protocol", WRING_ERR_WRONG_PROTOCOL, &protocol},
        {":scheme", WRING_ERR_MISSING_SCHEME, &out->scheme},
        {":authority", WRING_ERR_MISSING_AUTHORITY, &out->authority},
        {":path", WRING_ERR_MISSING_PATH, &out->path},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(wanted); i++) {
        wring_result result =
            pseudo_get(headers, wanted[i].name, wanted[i].missing, wanted[i].value);
        if (result != WRING_OK) {
            return result;
        }
        if (i == 0 && !wring_bytes_equal(out->method, wring_str("CONNECT"))) {
            return WRING_ERR_WRONG_METHOD;
        }
        if (i == 1 && !wring_bytes_equal(protocol, wring_str("websocket"))) {
            return WRING_ERR_WRONG_PROTOCOL;
        }
    }
    return WRING_OK;
}

wring_result wring_h2_validate_request(wring_headers headers, const wring_upgrade_options *options,
                                       wring_connect_info *out) {
    memset(out, 0, sizeof *out);
    wring_result result = pseudos_get(headers, out);
    if (result != WRING_OK) {
        return result;
    }
    wring_bytes version = wring_str("13"); /* RFC 8441 5: the header is sent as over HTTP/1.1 */
    wring_headers_get(headers, "sec-websocket-version", &version);
    if (!wring_bytes_equal(version, wring_str("13"))) {
        return WRING_ERR_UNSUPPORTED_VERSION;
    }
    wring_headers_get(headers, "origin", &out->origin);
    return wring__subprotocol_choose(headers, options, &out->subprotocol);
}

size_t wring_h2_response_headers(const wring_connect_info *info, wring_header out[2]) {
    out[0] = (wring_header){wring_str(":status"), wring_str("200")};
    if (info->subprotocol.len == 0) {
        return 1;
    }
    out[1] = (wring_header){wring_str("sec-websocket-protocol"), info->subprotocol};
    return 2;
}

/* ---- client -------------------------------------------------------------------------------- */

/* "a, b" into `storage`. */
static wring_result subprotocols_join(const wring_h1_client_options *options, char *storage,
                                      size_t cap, wring_bytes *out) {
    size_t len = 0;
    for (size_t i = 0; i < options->subprotocol_count; i++) {
        size_t n = strlen(options->subprotocols[i]);
        size_t comma = i == 0 ? 0 : 2;
        if (cap - len < n + comma) {
            return WRING_ERR_INVALID_ARGUMENT;
        }
        memcpy(storage + len, ", ", comma);
        memcpy(storage + len + comma, options->subprotocols[i], n);
        len += n + comma;
    }
    *out = wring_bytes_of(storage, len);
    return WRING_OK;
}

static void list_add(wring_header *list, size_t *count, const char *name, wring_bytes value) {
    list[*count].name = wring_str(name);
    list[*count].value = value;
    (*count)++;
}

static wring_result options_add(const wring_h1_client_options *options, char *storage,
                                size_t storage_len, wring_header *list, size_t *count) {
    wring_bytes joined;
    wring_result result = subprotocols_join(options, storage, storage_len, &joined);
    if (result != WRING_OK) {
        return result;
    }
    if (joined.len > 0) {
        list_add(list, count, "sec-websocket-protocol", joined);
    }
    if (options->extensions != NULL) {
        list_add(list, count, "sec-websocket-extensions", wring_str(options->extensions));
    }
    if (options->origin != NULL) {
        list_add(list, count, "origin", wring_str(options->origin));
    }
    for (size_t i = 0; i < options->extra.count; i++) {
        list[(*count)++] = options->extra.list[i];
    }
    return WRING_OK;
}

wring_result wring_h2_client_request(const char *scheme, const char *authority, const char *path,
                                     bool peer_allows_connect,
                                     const wring_h1_client_options *options, char *storage,
                                     size_t storage_len, wring_header *list, size_t *count) {
    *count = 0;
    if (!peer_allows_connect) { /* RFC 8441 3 */
        return WRING_ERR_PEER_NO_CONNECT_PROTOCOL;
    }
    list_add(list, count, ":method", wring_str("CONNECT"));
    list_add(list, count, ":protocol", wring_str("websocket"));
    list_add(list, count, ":scheme", wring_str(scheme));
    list_add(list, count, ":authority", wring_str(authority));
    list_add(list, count, ":path", wring_str(path));
    list_add(list, count, "sec-websocket-version", wring_str("13"));
    wring_result result =
        options == NULL ? WRING_OK : options_add(options, storage, storage_len, list, count);
    for (size_t i = 0; i < *count && result == WRING_OK; i++) {
        bool safe = list[i].name.len > 0 && wring__header_text_is_safe(list[i].name) &&
                    wring__header_text_is_safe(list[i].value);
        result = safe ? WRING_OK : WRING_ERR_INVALID_HEADER;
    }
    return result;
}

wring_result wring_h2_validate_response(int status, wring_headers headers,
                                        const wring_h1_client_options *options,
                                        wring_bytes *subprotocol) {
    *subprotocol = wring_bytes_of(NULL, 0);
    if (status < 200 || status > 299) {
        return WRING_ERR_UNEXPECTED_STATUS;
    }
    return wring__answer_check(headers, options, subprotocol);
}
