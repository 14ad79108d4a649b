/* SPDX-License-Identifier: Apache-2.0
 *
 * Optional whitespace around the elements of a field (RFC 9110 5.6.3).
 */
#ifndef WRING_PROTO_OWS_H
#define WRING_PROTO_OWS_H

#include "core/base.h"

static inline bool wring__is_ows(uint8_t c) {
    return c == ' ' || c == '\t';
}

/** text[begin, end) without the whitespace around it. */
static inline wring_bytes wring__ows_trim(wring_bytes text, size_t begin, size_t end) {
    while (begin < end && wring__is_ows(text.data[begin])) {
        begin++;
    }
    while (end > begin && wring__is_ows(text.data[end - 1])) {
        end--;
    }
    return wring_bytes_of(text.data + begin, end - begin);
}

#endif
