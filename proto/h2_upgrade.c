/* SPDX-License-Identifier: Apache-2.0
 *
 * Extended CONNECT: RFC 8441 over HTTP/2, RFC 9220 over HTTP/3. See wring/upgrade.h.
 */
#include "core/base.h"
#include "core/sized.h"
#include "proto/upgrade.h"
#include "wring/upgrade.h"

/* ---- server -------------------------------------------------------------------------------- */

/* A pseudo-header that must be there, not empty, once. */
static wring_result pseudo_get(wring_headers headers, const char *name, wring_result missing,
                               wring_bytes *value) {
    if (!wring_headers_get(headers, name, value) || value->len == 0) {
        return missing;
    }
    return wring_headers_count(headers, name) == 1 ? WRING_OK : WRING_ERR_BAD_HTTP;
}

static wring_result pseudos_get(wring_headers headers, wring_h2_upgrade_info *out) {
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
        if (i == 1 && !wring__text_is(protocol, "websocket")) {
            return WRING_ERR_WRONG_PROTOCOL;
        }
    }
    return WRING_OK;
}

wring_result wring_h2_request_validate(wring_headers headers, const wring_upgrade_options *options,
                                       wring_h2_upgrade_info *out) {
    wring_upgrade_options asked;
    wring_h2_upgrade_info info = {.struct_size = sizeof info};
    if (wring__upgrade_options_adopt(options, &asked) != WRING_OK ||
        wring__sized_give(out, &info, sizeof info) != WRING_OK) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    wring_result result = pseudos_get(headers, &info);
    if (result != WRING_OK) {
        return result;
    }
    wring_bytes version = wring_str("13"); /* RFC 8441 5: the header is sent as over HTTP/1.1 */
    wring_headers_get(headers, "sec-websocket-version", &version);
    if (!wring_bytes_equal(version, wring_str("13")) ||
        wring_headers_count(headers, "sec-websocket-version") > 1) {
        return WRING_ERR_UNSUPPORTED_VERSION;
    }
    wring_headers_get(headers, "origin", &info.origin);
    result = wring__subprotocol_choose(headers, &asked, &info.subprotocol);
    return result == WRING_OK ? wring__sized_give(out, &info, sizeof info) : result;
}

wring_headers wring_h2_response_headers(const wring_h2_upgrade_info *info,
                                        wring_header storage[2]) {
    storage[0] = (wring_header){wring_str(":status"), wring_str("200")};
    storage[1] = (wring_header){wring_str("sec-websocket-protocol"), info->subprotocol};
    return (wring_headers){storage, info->subprotocol.len == 0 ? 1 : 2};
}

/* ---- client -------------------------------------------------------------------------------- */

/* "a, b" into `storage`. */
static wring_result subprotocols_join(const wring_upgrade_offer *offer, wring_mut_bytes storage,
                                      wring_bytes *out) {
    size_t len = 0;
    for (size_t i = 0; i < offer->subprotocol_count; i++) {
        size_t n = strlen(offer->subprotocols[i]);
        size_t comma = i == 0 ? 0 : 2;
        if (storage.len - len < n + comma) {
            return WRING_ERR_INVALID_ARGUMENT;
        }
        memcpy(storage.data + len, ", ", comma);
        memcpy(storage.data + len + comma, offer->subprotocols[i], n);
        len += n + comma;
    }
    *out = wring_bytes_of(storage.data, len);
    return WRING_OK;
}

static void list_add(wring_header *list, size_t *count, const char *name, wring_bytes value) {
    list[*count].name = wring_str(name);
    list[*count].value = value;
    (*count)++;
}

/* RFC 9113 8.2.1: names are in lower case. */
static bool is_lower(wring_bytes name) {
    bool lower = true;
    for (size_t i = 0; i < name.len; i++) {
        lower = lower && !(name.data[i] >= 'A' && name.data[i] <= 'Z');
    }
    return lower;
}

/* Unless the application gave it. */
static void own_add(wring_header *list, size_t *count, const char *name, wring_bytes value,
                    wring_headers extra) {
    if (value.len > 0 && wring_headers_count(extra, name) == 0) {
        list_add(list, count, name, value);
    }
}

/* What HTTP/1.1 refuses there is refused here as well, and Host: that is :authority. */
static wring_result extra_add(wring_headers extra, wring_header *list, size_t *count) {
    wring_result result = wring_h1_request_headers_check(extra, NULL);
    for (size_t i = 0; i < extra.count && result == WRING_OK; i++) {
        const wring_bytes name = extra.list[i].name;
        result =
            is_lower(name) && !wring__text_is(name, "host") ? WRING_OK : WRING_ERR_INVALID_HEADER;
        list[(*count)++] = extra.list[i];
    }
    return result;
}

static wring_result offer_add(const wring_upgrade_offer *offer, wring_mut_bytes storage,
                              wring_header *list, size_t *count) {
    wring_bytes joined;
    wring_result result = subprotocols_join(offer, storage, &joined);
    if (result != WRING_OK) {
        return result;
    }
    own_add(list, count, "sec-websocket-protocol", joined, offer->extra);
    own_add(list, count, "sec-websocket-extensions", wring_str(offer->extensions), offer->extra);
    own_add(list, count, "origin", wring_str(offer->origin), offer->extra);
    return extra_add(offer->extra, list, count);
}

wring_result wring_h2_request_headers(const wring_upgrade_offer *offer, wring_mut_bytes storage,
                                      wring_header *list, wring_headers *out) {
    wring_upgrade_offer o;
    *out = (wring_headers){list, 0};
    if (wring__upgrade_offer_adopt(offer, &o) != WRING_OK || o.scheme == NULL || o.host == NULL ||
        o.target == NULL) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    if (!o.peer_allows_connect) { /* RFC 8441 3 */
        return WRING_ERR_PEER_NO_CONNECT_PROTOCOL;
    }
    size_t count = 0;
    list_add(list, &count, ":method", wring_str("CONNECT"));
    list_add(list, &count, ":protocol", wring_str("websocket"));
    list_add(list, &count, ":scheme", wring_str(o.scheme));
    list_add(list, &count, ":authority", wring_str(o.host));
    list_add(list, &count, ":path", wring_str(o.target));
    list_add(list, &count, "sec-websocket-version", wring_str("13"));
    wring_result result = offer_add(&o, storage, list, &count);
    for (size_t i = 0; i < count && result == WRING_OK; i++) {
        bool safe = list[i].name.len > 0 && wring__header_text_is_safe(list[i].name) &&
                    wring__header_text_is_safe(list[i].value);
        result = safe ? WRING_OK : WRING_ERR_INVALID_HEADER;
    }
    out->count = count;
    return result;
}

wring_result wring_h2_response_validate(const wring_upgrade_offer *offer, int status,
                                        wring_headers headers, wring_bytes *subprotocol) {
    wring_upgrade_offer o;
    *subprotocol = wring_bytes_of(NULL, 0);
    if (wring__upgrade_offer_adopt(offer, &o) != WRING_OK) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    if (status < 200 || status > 299) {
        return WRING_ERR_UNEXPECTED_STATUS;
    }
    return wring__answer_check(headers, &o, subprotocol);
}
