/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels written once for vectors of VEC_BYTES bytes. A kernels_<isa>.c defines VEC_BYTES, the
 * type `vec` and a dozen one-line operations, then includes this header and fills its table. It is
 * compiled with that file's instruction set, hence everything is static inline.
 *
 * Needed from the including file:
 *   vec_load/vec_store (any alignment), vec_splat8, vec_splat32, vec_and/or/xor,
 *   vec_high_nibbles (each byte >> 4, given 0F in each byte), vec_less(v, w) (saturating v - w),
 *   (a 16-byte table by indices 0-15), vec_prev1/2/3(now, before) (each byte's predecessor),
 *   vec_any(v) (is any bit set), vec_any_high(v) (is any byte >= 0x80), vec_keep(v) (v),
 *   vec_table(const uint8_t[16]), vec_mask_short (0 to VEC_BYTES - 1 bytes; are they ASCII).
 *
 * The validation is the lookup algorithm of J. Keiser and D. Lemire, "Validating UTF-8 In Less
 * Than One Instruction Per Byte" (2021): three table lookups by nibbles classify every pair of
 * neighbouring bytes; their AND has a bit set for each way in which the pair is wrong.
 */
#ifndef WRING_PROTO_KERNELS_VECTOR_H
#define WRING_PROTO_KERNELS_VECTOR_H

#include "proto/kernels_small.h"

#define VEC_INLINE static inline __attribute__((always_inline))

/* ---- masking ---- */

/* From the first aligned place behind dst to where at most one vector is left. */
VEC_INLINE vec vec_mask_middle(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    size_t i = VEC_BYTES - ((uintptr_t)dst & (VEC_BYTES - 1));
    const vec keys = vec_splat32(key_turned(key, i));
    vec any = vec_splat8(0);
    for (; i + 4 * VEC_BYTES <= len; i += 4 * VEC_BYTES) {
        const vec a = vec_xor(vec_load(src + i), keys);
        const vec b = vec_xor(vec_load(src + i + VEC_BYTES), keys);
        const vec c = vec_xor(vec_load(src + i + 2 * VEC_BYTES), keys);
        const vec d = vec_xor(vec_load(src + i + 3 * VEC_BYTES), keys);
        vec_store(dst + i, a);
        vec_store(dst + i + VEC_BYTES, b);
        vec_store(dst + i + 2 * VEC_BYTES, c);
        vec_store(dst + i + 3 * VEC_BYTES, d);
        any = vec_or(any, vec_or(vec_or(a, b), vec_or(c, d)));
    }
    for (; i + VEC_BYTES < len; i += VEC_BYTES) {
        const vec a = vec_xor(vec_load(src + i), keys);
        vec_store(dst + i, a);
        any = vec_or(any, a);
    }
    return any;
}

/* Masks len >= VEC_BYTES bytes; gives the OR of all that was stored. `key` is turned to src[0].
 * dst may be src: the first and the last vector, which overlap the aligned ones between them, are
 * loaded before anything is stored. */
VEC_INLINE vec vec_mask_long(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    const vec head = vec_xor(vec_load(src), vec_splat32(key));
    const vec tail = vec_xor(vec_load(src + len - VEC_BYTES), vec_splat32(key_turned(key, len)));
    vec any = vec_or(head, tail);
    if (len > 2 * VEC_BYTES) {
        any = vec_or(any, vec_mask_middle(dst, src, len, key));
    }
    vec_store(dst, head);
    vec_store(dst + len - VEC_BYTES, tail);
    return any;
}

VEC_INLINE void vec_mask(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    if (len < VEC_BYTES) {
        vec_mask_short(dst, src, len, key);
    } else {
        vec_mask_long(dst, src, len, key);
    }
}

/* ---- UTF-8: pairs of neighbouring bytes, RFC 3629 4 ---- */

enum pair_error {
    TOO_SHORT = 1 << 0,    /* a lead byte, then no tail byte */
    TOO_LONG = 1 << 1,     /* ASCII, then a tail byte */
    OVERLONG_3 = 1 << 2,   /* E0 80-9F */
    TOO_LARGE = 1 << 3,    /* F4 90-BF, F5-FF with any tail byte but 80-8F */
    SURROGATE = 1 << 4,    /* ED A0-BF */
    OVERLONG_2 = 1 << 5,   /* C0 or C1 with any tail byte */
    OVERLONG_4 = 1 << 6,   /* F0 80-8F */
    TOO_LARGE_80 = 1 << 6, /* F5-FF 80-8F: shares a bit, the low nibble tells them apart */
    TWO_TAILS = 1 << 7,    /* right only in the third or fourth place: checked apart */
    ANY_LOW = TOO_SHORT | TOO_LONG | TWO_TAILS /* errors whatever the first byte's low nibble */
};

#define BEYOND (ANY_LOW | TOO_LARGE | TOO_LARGE_80)
#define TAILED (TOO_LONG | OVERLONG_2 | TWO_TAILS)

/* By the high nibble of the first byte, its low nibble, and the high nibble of the second. */
static const uint8_t pair_first_high[16] = {
    [0x0 ... 0x7] = TOO_LONG,
    [0x8 ... 0xB] = TWO_TAILS,
    [0xC] = TOO_SHORT | OVERLONG_2,
    [0xD] = TOO_SHORT,
    [0xE] = TOO_SHORT | OVERLONG_3 | SURROGATE,
    [0xF] = TOO_SHORT | TOO_LARGE | TOO_LARGE_80 | OVERLONG_4,
};
static const uint8_t pair_first_low[16] = {
    [0x0] = ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
    [0x1] = ANY_LOW | OVERLONG_2,
    [0x2 ... 0x3] = ANY_LOW,
    [0x4] = ANY_LOW | TOO_LARGE,
    [0x5 ... 0xC] = BEYOND,
    [0xD] = BEYOND | SURROGATE,
    [0xE ... 0xF] = BEYOND,
};
static const uint8_t pair_second_high[16] = {
    [0x0 ... 0x7] = TOO_SHORT,
    [0x8] = TAILED | OVERLONG_3 | OVERLONG_4 | TOO_LARGE_80,
    [0x9] = TAILED | OVERLONG_3 | TOO_LARGE,
    [0xA ... 0xB] = TAILED | SURROGATE | TOO_LARGE,
    [0xC ... 0xF] = TOO_SHORT,
};

/* The constants of the check, in registers. vec_keep() hides that they are constant: gcc would
 * build them anew for every block, which costs a third of the speed on text that is not ASCII. */
struct vec_rules {
    vec first_high, first_low, second_high;
    vec low_nibble, third, fourth, two_tails;
};

VEC_INLINE struct vec_rules vec_rules_load(void) {
    return (struct vec_rules){
        .first_high = vec_keep(vec_table(pair_first_high)),
        .first_low = vec_keep(vec_table(pair_first_low)),
        .second_high = vec_keep(vec_table(pair_second_high)),
        .low_nibble = vec_keep(vec_splat8(0x0F)),
        .third = vec_keep(vec_splat8(0xE0 - 0x80)),
        .fourth = vec_keep(vec_splat8(0xF0 - 0x80)),
        .two_tails = vec_keep(vec_splat8(TWO_TAILS)),
    };
}

/* Non-zero where a byte is wrong after the three before it. Two tail bytes in a row are right just
 * where the byte two back is E0 or more, or the byte three back F0 or more: one XOR says both
 * "a third or fourth byte is missing" and "there is one too many". */
VEC_INLINE vec vec_wrong_after(const struct vec_rules *rules, vec now, vec prev1, vec prev2,
                               vec prev3) {
    const vec first_high =
        vec_lookup(rules->first_high, vec_high_nibbles(prev1, rules->low_nibble));
    const vec first_low = vec_lookup(rules->first_low, vec_and(prev1, rules->low_nibble));
    const vec second_high =
        vec_lookup(rules->second_high, vec_high_nibbles(now, rules->low_nibble));
    const vec pair = vec_and(vec_and(first_high, first_low), second_high);
    const vec later = vec_or(vec_less(prev2, rules->third), vec_less(prev3, rules->fourth));
    return vec_xor(vec_and(later, rules->two_tails), pair);
}

/* Non-zero if the vector ends inside a character: F0-FF third from the end, E0-FF second, or
 * C0-FF last. */
VEC_INLINE vec vec_open_end(vec v) {
    static const uint8_t most[64] = {
        [0 ... 60] = 0xFF, [61] = 0xF0 - 1, [62] = 0xE0 - 1, [63] = 0xC0 - 1};
    return vec_less(v, vec_load(most + sizeof most - VEC_BYTES));
}

/* ---- UTF-8: a whole text ---- */

/* The vector at `data`; its predecessors by loads, which cost less than as many byte shifts. */
VEC_INLINE vec vec_wrong_at(const struct vec_rules *rules, const uint8_t *data) {
    return vec_wrong_after(rules, vec_load(data), vec_load(data - 1), vec_load(data - 2),
                           vec_load(data - 3));
}

VEC_INLINE vec vec_wrong_at_start(const struct vec_rules *rules, const uint8_t *data) {
    const vec now = vec_load(data), none = vec_splat8(0);
    return vec_wrong_after(rules, now, vec_prev1(now, none), vec_prev2(now, none),
                           vec_prev3(now, none));
}

/* Is this a run of whole characters? len >= VEC_BYTES + 3; the last vector overlaps the one before.
 * Two sums, so that two vectors are judged side by side. */
VEC_INLINE bool vec_is_utf8(const uint8_t *data, size_t len) {
    const struct vec_rules rules = vec_rules_load();
    const uint8_t *last = data + len - VEC_BYTES;
    vec wrong = vec_or(vec_wrong_at(&rules, last), vec_open_end(vec_load(last)));
    vec wrong_too = vec_wrong_at_start(&rules, data);
    size_t i = VEC_BYTES;
    for (; i + 2 * VEC_BYTES < len; i += 2 * VEC_BYTES) {
        const uint8_t *at = data + i;
        if (!vec_any_high(vec_or(vec_load(at), vec_load(at + VEC_BYTES)))) {
            wrong = vec_or(wrong, vec_open_end(vec_load(at - VEC_BYTES)));
        } else {
            wrong = vec_or(wrong, vec_wrong_at(&rules, at));
            wrong_too = vec_or(wrong_too, vec_wrong_at(&rules, at + VEC_BYTES));
        }
    }
    for (; i + VEC_BYTES < len; i += VEC_BYTES) {
        wrong = vec_or(wrong, vec_wrong_at(&rules, data + i));
    }
    return !vec_any(vec_or(wrong, wrong_too));
}

/* How many of the last three bytes may be the start of a character whose rest is yet to come. */
VEC_INLINE size_t utf8_open_len(uint32_t last4) {
    if (last4 >> 24 >= 0xC0) {
        return 1;
    }
    if ((last4 >> 16 & 0xFF) >= 0xE0) {
        return 2;
    }
    return (last4 >> 8 & 0xFF) >= 0xF0 ? 3 : 0;
}

/* Below this, after a character that began earlier (3) and before one that ends later (3), less
 * than a vector and its three predecessors could be left. */
#define VEC_TEXT_MIN (VEC_BYTES + 9)

VEC_INLINE uint32_t vec_text_short(uint32_t state, const uint8_t *data, size_t len,
                                   size_t *bad_at) {
    if (state == WRING__UTF8_COMPLETE && is_ascii_words(data, len)) {
        return state;
    }
    return wring__utf8_feed_scalar(state, data, len, bad_at);
}

/* A text that starts at a character: the whole characters by vectors, the open one at the end by
 * the automaton, and if anything is wrong, all of it by the automaton for the exact place. */
VEC_INLINE uint32_t vec_text_long(const uint8_t *data, size_t len, size_t *bad_at) {
    const size_t whole = len - utf8_open_len(load32(data + len - 4));
    const bool valid = vec_is_utf8(data, whole);
    const size_t from = valid ? whole : 0;
    const uint32_t state =
        wring__utf8_feed_scalar(WRING__UTF8_COMPLETE, data + from, len - from, bad_at);
    WRING_DEBUG_ASSERT(valid || state == WRING__UTF8_REJECT);
    if (state == WRING__UTF8_REJECT) {
        *bad_at += from;
    }
    return state;
}

static uint32_t vec_text(uint32_t state, const uint8_t *data, size_t len, size_t *bad_at) {
    if (len < VEC_TEXT_MIN) {
        return vec_text_short(state, data, len, bad_at);
    }
    size_t i = 0;
    for (; state != WRING__UTF8_COMPLETE; i++) { /* ends a character: at most three turns */
        state = utf8_step(state, data[i]);
        if (state == WRING__UTF8_REJECT) {
            *bad_at = i;
            return state;
        }
    }
    state = vec_text_long(data + i, len - i, bad_at);
    if (state == WRING__UTF8_REJECT) {
        *bad_at += i;
    }
    return state;
}

/* ---- both ---- */

/* A masked text goes by chunks: unmask one, and only if a byte of it is not ASCII read it again, by
 * then out of the store queue and still in the first-level cache. Rejected: unmasking in registers
 * and validating there, a tenth slower on AVX2, which has too few of them. */
#define VEC_CHUNK 8192

static uint32_t vec_unmask_text_long(uint32_t state, uint8_t *data, size_t len, uint32_t key,
                                     size_t *bad_at) {
    size_t n;
    for (size_t i = 0; i < len; i += n) { /* a multiple of four: the key stays turned */
        n = len - i < VEC_CHUNK + VEC_BYTES ? len - i : VEC_CHUNK;
        const bool ascii = !vec_any_high(vec_mask_long(data + i, data + i, n, key));
        if (ascii && state == WRING__UTF8_COMPLETE) {
            continue;
        }
        state = vec_text(state, data + i, n, bad_at);
        if (state == WRING__UTF8_REJECT) {
            *bad_at += i;
            vec_mask(data + i + n, data + i + n, len - i - n, key);
            return state;
        }
    }
    return state;
}

VEC_INLINE uint32_t vec_unmask_text(uint32_t state, uint8_t *data, size_t len, uint32_t key,
                                    size_t *bad_at) {
    if (len >= VEC_BYTES) {
        return vec_unmask_text_long(state, data, len, key, bad_at);
    }
    const bool ascii = vec_mask_short(data, data, len, key);
    return ascii && state == WRING__UTF8_COMPLETE ? state : vec_text(state, data, len, bad_at);
}

/* ---- the functions of the table ---- */

static void vec_kernel_mask(uint8_t *data, size_t len, uint32_t key, unsigned phase) {
    vec_mask(data, data, len, key_turned(key, phase));
}

static void vec_kernel_mask_copy(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                 unsigned phase) {
    vec_mask(dst, src, len, key_turned(key, phase));
}

static uint32_t vec_kernel_unmask_utf8(uint32_t state, uint8_t *data, size_t len, uint32_t key,
                                       unsigned phase, size_t *bad_at) {
    return vec_unmask_text(state, data, len, key_turned(key, phase), bad_at);
}

#define VEC_KERNELS(name_, needs_)                                                                 \
    {                                                                                              \
        .name = name_, .needs = needs_, .mask = vec_kernel_mask,                                   \
        .mask_copy = vec_kernel_mask_copy, .utf8_feed = vec_text,                                  \
        .unmask_utf8 = vec_kernel_unmask_utf8                                                      \
    }

#endif
