/* SPDX-License-Identifier: Apache-2.0
 *
 * Hexadecimal digits, of either case, whatever the locale.
 */
#ifndef WRING_PROTO_HEX_H
#define WRING_PROTO_HEX_H

#include "core/base.h"

/** The value of a digit; -1 when `c` is none. */
static inline int wring__hex_of(uint8_t c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/** The byte that "%XX" at text[at] stands for; -1: there are no two digits behind the '%'.
 *  RFC: 3986 2.1 */
static inline int wring__escape_of(wring_bytes text, size_t at) {
    if (text.len - at < 3) {
        return -1;
    }
    const int high = wring__hex_of(text.data[at + 1]);
    const int low = wring__hex_of(text.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

#endif
