/* SPDX-License-Identifier: Apache-2.0
 *
 * The specification of the kernels, eight bytes at a time where that is as plain.
 */
#include "proto/kernels.h"

/* The key as it meets data whose first byte has this phase, twice over. */
static uint64_t key_rotate(uint32_t key, unsigned phase) {
    uint8_t bytes[4];
    uint8_t turned[8];
    uint64_t word;
    memcpy(bytes, &key, sizeof bytes);
    for (unsigned i = 0; i < sizeof turned; i++) {
        turned[i] = bytes[(i + phase) & 3];
    }
    memcpy(&word, turned, sizeof word);
    return word;
}

static void mask_copy(uint8_t *target, const uint8_t *source, size_t len, uint32_t key,
                      unsigned phase) {
    uint64_t word_key = key_rotate(key, phase);
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, source + i, sizeof word);
        word ^= word_key;
        memcpy(target + i, &word, sizeof word);
    }
    uint8_t key_bytes[8];
    memcpy(key_bytes, &word_key, sizeof key_bytes);
    for (size_t j = 0; i < len; i++, j++) {
        target[i] = source[i] ^ key_bytes[j];
    }
}

static void mask(uint8_t *data, size_t len, uint32_t key, unsigned phase) {
    mask_copy(data, data, len, key, phase);
}

/* What a byte may be, by state: RFC 3629 4 as ranges of the next byte. */
enum utf8_state {
    ACCEPT = WRING__UTF8_ACCEPT,
    REJECT = WRING__UTF8_REJECT,
    TAIL_1,   /* one more 80-BF */
    TAIL_2,   /* two more */
    TAIL_3,   /* three more */
    AFTER_E0, /* A0-BF: nothing overlong */
    AFTER_ED, /* 80-9F: no surrogates */
    AFTER_F0, /* 90-BF: nothing overlong */
    AFTER_F4  /* 80-8F: nothing above 10FFFF */
};

static const struct {
    uint8_t low;
    uint8_t high;
    uint8_t next;
} tails[] = {
    [TAIL_1] = {0x80, 0xBF, ACCEPT},   [TAIL_2] = {0x80, 0xBF, TAIL_1},
    [TAIL_3] = {0x80, 0xBF, TAIL_2},   [AFTER_E0] = {0xA0, 0xBF, TAIL_1},
    [AFTER_ED] = {0x80, 0x9F, TAIL_1}, [AFTER_F0] = {0x90, 0xBF, TAIL_2},
    [AFTER_F4] = {0x80, 0x8F, TAIL_2},
};

static uint32_t utf8_lead(uint8_t byte) {
    if (byte < 0x80) {
        return ACCEPT;
    }
    if (byte < 0xC2) {
        return REJECT; /* a tail, or overlong */
    }
    if (byte < 0xE0) {
        return TAIL_1;
    }
    if (byte < 0xF0) {
        return byte == 0xE0 ? AFTER_E0 : byte == 0xED ? AFTER_ED : TAIL_2;
    }
    return byte == 0xF0 ? AFTER_F0 : byte < 0xF4 ? TAIL_3 : byte == 0xF4 ? AFTER_F4 : REJECT;
}

static uint32_t utf8(uint32_t state, const uint8_t *data, size_t len) {
    size_t i = 0;
    while (i < len && state != REJECT) {
        if (state == ACCEPT && len - i >= 8) {
            uint64_t word;
            memcpy(&word, data + i, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                i += 8;
                continue;
            }
        }
        uint8_t byte = data[i++];
        if (state == ACCEPT) {
            state = utf8_lead(byte);
        } else {
            bool fits = byte >= tails[state].low && byte <= tails[state].high;
            state = fits ? tails[state].next : REJECT;
        }
    }
    return state;
}

static uint32_t unmask_utf8(uint32_t state, uint8_t *data, size_t len, uint32_t key,
                            unsigned phase) {
    mask(data, len, key, phase);
    return utf8(state, data, len);
}

const struct wring__kernels wring__kernels_scalar = {
    .name = "scalar",
    .mask = mask,
    .mask_copy = mask_copy,
    .utf8 = utf8,
    .unmask_utf8 = unmask_utf8,
};
