/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernels of all instruction sets share: the key turned to a phase, masking of short
 * ranges by overlapping words, and the UTF-8 automaton for short ranges, cut characters and the
 * exact place of an error. Included by kernels_*.c only.
 */
#ifndef WRING_PROTO_KERNELS_SMALL_H
#define WRING_PROTO_KERNELS_SMALL_H

#include <string.h>

#include "core/base.h"
#include "proto/kernels.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "turning the key needs little endian");

#define key_turned wring__key_turned

static inline uint64_t key_doubled(uint32_t key) {
    return (uint64_t)key << 32 | key;
}

static inline uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store64(uint8_t *p, uint64_t v) {
    memcpy(p, &v, sizeof v);
}

static inline uint32_t load32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store32(uint8_t *p, uint32_t v) {
    memcpy(p, &v, sizeof v);
}

#define HIGH_BITS UINT64_C(0x8080808080808080)

/** Masks 0-15 bytes by two words that overlap in the middle; is all that was stored below 0x80?
 *  Both are loaded before the first is stored, so that dst may be src. `key` is turned to src[0].
 */
static inline bool mask_to_15(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    if (len >= 8) {
        const uint64_t head = load64(src) ^ key_doubled(key);
        const uint64_t tail = load64(src + len - 8) ^ key_doubled(key_turned(key, len));
        store64(dst, head);
        store64(dst + len - 8, tail);
        return ((head | tail) & HIGH_BITS) == 0;
    }
    if (len >= 4) {
        const uint32_t head = load32(src) ^ key;
        const uint32_t tail = load32(src + len - 4) ^ key_turned(key, len);
        store32(dst, head);
        store32(dst + len - 4, tail);
        return ((head | tail) & (uint32_t)HIGH_BITS) == 0;
    }
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) {
        dst[i] = (uint8_t)(src[i] ^ key >> 8 * i);
        any |= dst[i];
    }
    return any < 0x80;
}

/** All of the 0-n bytes below 0x80?  Reads words, overlapping at the end. */
static inline bool is_ascii_words(const uint8_t *data, size_t len) {
    uint64_t any = 0;
    if (len >= 8) {
        for (size_t i = 0; i + 8 <= len; i += 8) {
            any |= load64(data + i);
        }
        any |= load64(data + len - 8);
    } else if (len >= 4) {
        any = (uint64_t)load32(data) | load32(data + len - 4);
    } else {
        for (size_t i = 0; i < len; i++) {
            any |= data[i];
        }
    }
    return (any & HIGH_BITS) == 0;
}

/** The UTF-8 automaton: a row a byte value; bits s..s+5 of a row hold the state after state s. */
extern const uint64_t wring__utf8_rows[256];

static inline uint32_t utf8_step(uint32_t state, uint8_t byte) {
    return (uint32_t)(wring__utf8_rows[byte] >> state) & 63u;
}

uint32_t wring__utf8_feed_scalar(uint32_t state, const uint8_t *data, size_t len, size_t *bad_at);

#endif
