/* SPDX-License-Identifier: Apache-2.0
 *
 * Hexadecimal digits, of either case, whatever the locale.
 */
#ifndef WRING_PROTO_HEX_H
#define WRING_PROTO_HEX_H

#include <stdint.h>

/** The value of a digit; -1 when `c` is none. */
static inline int wring__hex_of(uint8_t c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
