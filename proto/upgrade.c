/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by h1_upgrade.c and h2_upgrade.c. See upgrade.h.
 */
#include "proto/upgrade.h"

wring_result wring__subprotocol_choose(wring_headers headers, const wring_upgrade_options *options,
                                       wring_bytes *chosen) {
    *chosen = wring_bytes_of(NULL, 0);
    if (options == NULL || options->required_subprotocol_count == 0) {
        return WRING_OK;
    }
    wring_list_cursor cursor = {0, 0};
    wring_bytes offered;
    while (wring_headers_next(headers, "sec-websocket-protocol", &cursor, &offered)) {
        for (size_t i = 0; i < options->required_subprotocol_count; i++) {
            if (wring_bytes_equal(offered, wring_str(options->required_subprotocols[i]))) {
                *chosen = offered;
                return WRING_OK;
            }
        }
    }
    return WRING_ERR_NO_ACCEPTABLE_SUBPROTOCOL;
}

wring_result wring__answer_check(wring_headers headers, const wring_h1_client_options *options,
                                 wring_bytes *subprotocol) {
    *subprotocol = wring_bytes_of(NULL, 0);
    bool offered_extensions = options != NULL && options->extensions != NULL;
    if (!offered_extensions && wring_headers_count(headers, "sec-websocket-extensions") > 0) {
        return WRING_ERR_UNEXPECTED_EXTENSION;
    }
    if (!wring_headers_get(headers, "sec-websocket-protocol", subprotocol)) {
        return WRING_OK;
    }
    size_t count = options == NULL ? 0 : options->subprotocol_count;
    for (size_t i = 0; i < count; i++) {
        if (wring_bytes_equal(*subprotocol, wring_str(options->subprotocols[i])) &&
            wring_headers_count(headers, "sec-websocket-protocol") == 1) {
            return WRING_OK;
        }
    }
    return WRING_ERR_UNEXPECTED_SUBPROTOCOL;
}

bool wring__header_text_is_safe(wring_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        bool control = text.data[i] < 0x20 && text.data[i] != '\t';
        if (control || text.data[i] == 0x7F) {
            return false;
        }
    }
    return true;
}
