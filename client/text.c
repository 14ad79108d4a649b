/* SPDX-License-Identifier: Apache-2.0
 *
 * See text.h.
 */
#include "client/text.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/hex.h"

wring_result wring__percent_decode(wring_bytes text, char **decoded) {
    *decoded = NULL;
    char *out = malloc(text.len + 1);
    if (out == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        const int escaped = c == '%' ? wring__escape_of(text, i) : -1;
        if (escaped >= 0) {
            c = (uint8_t)escaped;
            i += 2;
        }
        if (c == 0) {
            free(out);
            return WRING_ERR_INVALID_ARGUMENT;
        }
        out[len++] = (char)c;
    }
    out[len] = 0;
    *decoded = out;
    return WRING_OK;
}

char *wring__basic_credentials(const char *user, const char *password) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t len = strlen(user) + 1 + strlen(password);
    char *plain = malloc(len + 1);
    char *out = malloc(sizeof "Basic " + (len + 2) / 3 * 4);
    if (plain == NULL || out == NULL) {
        free(plain);
        free(out);
        return NULL;
    }
    (void)snprintf(plain, len + 1, "%s:%s", user, password);
    memcpy(out, "Basic ", 6);
    char *at = out + 6;
    for (size_t i = 0; i < len; i += 3) {
        const uint8_t *p = (const uint8_t *)plain + i;
        const size_t left = len - i;
        const uint32_t group =
            (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0) | (left > 2 ? p[2] : 0);
        *at++ = digits[group >> 18];
        *at++ = digits[group >> 12 & 63];
        *at++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *at++ = left > 2 ? digits[group & 63] : '=';
    }
    *at = 0;
    free(plain);
    return out;
}
