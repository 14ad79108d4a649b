/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by h1_upgrade.c and h2_upgrade.c. See upgrade.h.
 */
#include "proto/upgrade.h"

#include "core/sized.h"
#include "proto/http1.h"

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

wring_result wring__subprotocols_check(const char *const *list, size_t count, wring_error *error) {
    char shown[64];
    const wring_result result =
        wring__list_check(list, count, "subprotocols", "subprotocol_count", error);
    for (size_t i = 0; i < count && result == WRING_OK; i++) {
        if (list[i] == NULL) {
            return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                                   "subprotocols has an element that is NULL");
        }
        if (!wring__http1_is_token(wring_str(list[i]))) {
            (void)wring_text_printable(wring_str(list[i]), shown, sizeof shown);
            return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                                   "subprotocols has \"%s\", which is no token: use letters, "
                                   "digits, '-', '.' and '_', and one element for each name",
                                   shown);
        }
    }
    return result;
}

/* What the application offered by a header of its own stands in place of the options. */
static bool subprotocol_is_offered(const wring_upgrade_offer *options, wring_bytes chosen) {
    const char *name = "sec-websocket-protocol";
    if (wring_headers_count(options->extra, name) > 0) {
        wring_list_cursor cursor = {0, 0};
        wring_bytes offered;
        bool found = false;
        while (!found && wring_headers_next(options->extra, name, &cursor, &offered)) {
            found = wring_bytes_equal(offered, chosen);
        }
        return found;
    }
    for (size_t i = 0; i < options->subprotocol_count; i++) {
        if (wring_bytes_equal(chosen, wring_str(options->subprotocols[i]))) {
            return true;
        }
    }
    return false;
}

wring_result wring__answer_check(wring_headers headers, const wring_upgrade_offer *offer,
                                 wring_bytes *subprotocol) {
    *subprotocol = wring_bytes_of(NULL, 0);
    const bool offered_extensions =
        offer->extensions != NULL ||
        wring_headers_count(offer->extra, "sec-websocket-extensions") > 0;
    if (!offered_extensions && wring_headers_count(headers, "sec-websocket-extensions") > 0) {
        return WRING_ERR_UNEXPECTED_EXTENSION;
    }
    if (!wring_headers_get(headers, "sec-websocket-protocol", subprotocol)) {
        return WRING_OK;
    }
    return wring_headers_count(headers, "sec-websocket-protocol") == 1 &&
                   subprotocol_is_offered(offer, *subprotocol)
               ? WRING_OK
               : WRING_ERR_UNEXPECTED_SUBPROTOCOL;
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

static wring_result adopt(void *out, uint32_t size, const void *in) {
    const wring_result result = wring__sized_adopt(out, size, in, 2 * sizeof(void *), "", NULL);
    return result == WRING_OK ? WRING_OK : WRING_ERR_INVALID_ARGUMENT;
}

wring_result wring__upgrade_options_adopt(const wring_upgrade_options *in,
                                          wring_upgrade_options *out) {
    static const wring_upgrade_options none = {.struct_size = sizeof none};
    return adopt(out, sizeof *out, in == NULL ? &none : in);
}

wring_result wring__upgrade_offer_adopt(const wring_upgrade_offer *in, wring_upgrade_offer *out) {
    static const wring_upgrade_offer none = {.struct_size = sizeof none};
    return adopt(out, sizeof *out, in == NULL ? &none : in);
}
