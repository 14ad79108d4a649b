/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels in plain C: the specification of all others, and their helper at the edges.
 * Masking is RFC 6455 5.3; the automaton is the table of well-formed sequences of RFC 3629 4.
 */
#include "proto/kernels_small.h"

static void mask_copy_scalar(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                             unsigned phase) {
    const uint32_t turned = key_turned(key, phase);
    const uint64_t words = key_doubled(turned);
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        store64(dst + i, load64(src + i) ^ words);
    }
    for (; i < len; i++) {
        dst[i] = (uint8_t)(src[i] ^ turned >> 8 * (i & 3));
    }
}

static void mask_scalar(uint8_t *data, size_t len, uint32_t key, unsigned phase) {
    mask_copy_scalar(data, data, len, key, phase);
}

/* States are bit positions in a row, hence multiples of six; nine of them fill 54 of 64 bits. */
enum utf8_state {
    DONE = 0,      /* between characters */
    TAIL_1 = 6,    /* 80-BF is due, then done */
    TAIL_2 = 12,   /* two of 80-BF are due */
    TAIL_3 = 18,   /* three of 80-BF are due */
    AFTER_E0 = 24, /* A0-BF is due (below is overlong), then one more */
    AFTER_ED = 30, /* 80-9F is due (above are surrogates), then one more */
    AFTER_F0 = 36, /* 90-BF is due (below is overlong), then two more */
    AFTER_F4 = 42, /* 80-8F is due (above is beyond U+10FFFF), then two more */
    FAIL = 48      /* for good */
};
_Static_assert(DONE == WRING__UTF8_COMPLETE && FAIL == WRING__UTF8_REJECT, "names in kernels.h");

#define AT(state, next) ((uint64_t)(next) << (state))
#define ROW(done, t1, t2, t3, e0, ed, f0, f4)                                                      \
    (AT(DONE, done) | AT(TAIL_1, t1) | AT(TAIL_2, t2) | AT(TAIL_3, t3) | AT(AFTER_E0, e0) |        \
     AT(AFTER_ED, ed) | AT(AFTER_F0, f0) | AT(AFTER_F4, f4) | AT(FAIL, FAIL))
#define LEAD(next) ROW(next, FAIL, FAIL, FAIL, FAIL, FAIL, FAIL, FAIL)

const uint64_t wring__utf8_rows[256] = {
    [0x00 ... 0x7F] = LEAD(DONE),
    /* state before:   DONE  TAIL_1 TAIL_2  TAIL_3  AFTER_E0 AFTER_ED AFTER_F0 AFTER_F4 */
    [0x80 ... 0x8F] = ROW(FAIL, DONE, TAIL_1, TAIL_2, FAIL, TAIL_1, FAIL, TAIL_2),
    [0x90 ... 0x9F] = ROW(FAIL, DONE, TAIL_1, TAIL_2, FAIL, TAIL_1, TAIL_2, FAIL),
    [0xA0 ... 0xBF] = ROW(FAIL, DONE, TAIL_1, TAIL_2, TAIL_1, FAIL, TAIL_2, FAIL),
    [0xC0 ... 0xC1] = LEAD(FAIL), /* overlong */
    [0xC2 ... 0xDF] = LEAD(TAIL_1),
    [0xE0] = LEAD(AFTER_E0),
    [0xE1 ... 0xEC] = LEAD(TAIL_2),
    [0xED] = LEAD(AFTER_ED),
    [0xEE ... 0xEF] = LEAD(TAIL_2),
    [0xF0] = LEAD(AFTER_F0),
    [0xF1 ... 0xF3] = LEAD(TAIL_3),
    [0xF4] = LEAD(AFTER_F4),
    [0xF5 ... 0xFF] = LEAD(FAIL), /* beyond U+10FFFF, or never a byte of UTF-8 */
};

uint32_t wring__utf8_feed_scalar(uint32_t state, const uint8_t *data, size_t len, size_t *bad_at) {
    size_t i = 0;
    while (i + 8 <= len) {
        if (state == DONE && (load64(data + i) & UINT64_C(0x8080808080808080)) == 0) {
            i += 8;
            continue;
        }
        /* Eight steps without a branch: FAIL keeps itself, so one question at the end will do. */
        uint32_t after = state;
        for (size_t j = 0; j < 8; j++) {
            after = utf8_step(after, data[i + j]);
        }
        if (after == FAIL) {
            break;
        }
        state = after;
        i += 8;
    }
    for (; i < len; i++) {
        state = utf8_step(state, data[i]);
        if (state == FAIL) {
            *bad_at = i;
            return state;
        }
    }
    return state;
}

static uint32_t unmask_utf8_scalar(uint32_t state, uint8_t *dst, const uint8_t *src, size_t len,
                                   uint32_t key, size_t *bad_at) {
    mask_copy_scalar(dst, src, len, key, 0);
    return wring__utf8_feed_scalar(state, dst, len, bad_at);
}

const struct wring__kernels wring__kernels_scalar = {
    .name = "scalar",
    .needs = 0,
    .mask = mask_scalar,
    .mask_copy = mask_copy_scalar,
    .utf8_feed = wring__utf8_feed_scalar,
    .unmask_utf8 = unmask_utf8_scalar,
};
