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
 *   vec_table(const uint8_t[16]), vec_mask_short (0 to VEC_BYTES - 1 bytes).
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
VEC_INLINE void vec_mask_middle(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    size_t i = VEC_BYTES - ((uintptr_t)dst & (VEC_BYTES - 1));
    const vec keys = vec_splat32(key_turned(key, i));
    for (; i + 4 * VEC_BYTES <= len; i += 4 * VEC_BYTES) {
        const vec a = vec_load(src + i), b = vec_load(src + i + VEC_BYTES);
        const vec c = vec_load(src + i + 2 * VEC_BYTES), d = vec_load(src + i + 3 * VEC_BYTES);
        vec_store(dst + i, vec_xor(a, keys));
        vec_store(dst + i + VEC_BYTES, vec_xor(b, keys));
        vec_store(dst + i + 2 * VEC_BYTES, vec_xor(c, keys));
        vec_store(dst + i + 3 * VEC_BYTES, vec_xor(d, keys));
    }
    for (; i + VEC_BYTES < len; i += VEC_BYTES) {
        vec_store(dst + i, vec_xor(vec_load(src + i), keys));
    }
}

/* `key` is turned to src[0]. dst may be src: the first and the last vector, which overlap the
 * aligned ones between them, are loaded before anything is stored. */
VEC_INLINE void vec_mask(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    if (len < VEC_BYTES) {
        vec_mask_short(dst, src, len, key);
        return;
    }
    const vec head = vec_xor(vec_load(src), vec_splat32(key));
    const vec tail = vec_xor(vec_load(src + len - VEC_BYTES), vec_splat32(key_turned(key, len)));
    if (len > 2 * VEC_BYTES) {
        vec_mask_middle(dst, src, len, key);
    }
    vec_store(dst, head);
    vec_store(dst + len - VEC_BYTES, tail);
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

VEC_INLINE vec vec_wrong(const struct vec_rules *rules, vec now, vec before) {
    return vec_wrong_after(rules, now, vec_prev1(now, before), vec_prev2(now, before),
                           vec_prev3(now, before));
}

/* The same for a vector that lies in memory with what precedes it: three loads are cheaper than the
 * byte shifts, but only where the text was not stored a moment ago (no store forwarding). */
VEC_INLINE vec vec_wrong_at(const struct vec_rules *rules, const uint8_t *data) {
    return vec_wrong_after(rules, vec_load(data), vec_load(data - 1), vec_load(data - 2),
                           vec_load(data - 3));
}

/* Non-zero if the vector ends inside a character: F0-FF third from the end, E0-FF second, or
 * C0-FF last. */
VEC_INLINE vec vec_open_end(vec v) {
    static const uint8_t most[64] = {
        [0 ... 60] = 0xFF, [61] = 0xF0 - 1, [62] = 0xE0 - 1, [63] = 0xC0 - 1};
    return vec_less(v, vec_load(most + sizeof most - VEC_BYTES));
}

/* ---- UTF-8: a whole text ---- */

/* One vector of the text: unmasked in place if it is masked. */
VEC_INLINE vec vec_take(uint8_t *data, vec keys, bool masked) {
    vec v = vec_load(data);
    if (masked) {
        v = vec_xor(v, keys);
        vec_store(data, v);
    }
    return v;
}

/* The vector at data + offset, unmasked but not stored. `key` is turned to data[0]. */
VEC_INLINE vec vec_peek(const uint8_t *data, size_t offset, uint32_t key, bool masked) {
    const vec v = vec_load(data + offset);
    return masked ? vec_xor(v, vec_splat32(key_turned(key, offset))) : v;
}

/* Is this a run of whole characters? len >= VEC_BYTES + 3. Unmasks all of it in any case. The last
 * vector overlaps the one before; it and what precedes it is loaded before anything is stored. */
VEC_INLINE bool vec_is_utf8(uint8_t *data, size_t len, uint32_t key, bool masked) {
    const struct vec_rules rules = vec_rules_load();
    const vec keys = vec_splat32(key);
    const size_t last_at = len - VEC_BYTES;
    const vec last = vec_peek(data, last_at, key, masked);
    vec wrong = vec_wrong_after(&rules, last, vec_peek(data, last_at - 1, key, masked),
                                vec_peek(data, last_at - 2, key, masked),
                                vec_peek(data, last_at - 3, key, masked));
    wrong = vec_or(wrong, vec_open_end(last));
    vec before = vec_splat8(0);
    size_t i = 0;
    for (; i + 4 * VEC_BYTES < len; i += 4 * VEC_BYTES) {
        const vec a = vec_take(data + i, keys, masked);
        const vec b = vec_take(data + i + VEC_BYTES, keys, masked);
        const vec c = vec_take(data + i + 2 * VEC_BYTES, keys, masked);
        const vec d = vec_take(data + i + 3 * VEC_BYTES, keys, masked);
        if (WRING_LIKELY(!vec_any_high(vec_or(vec_or(a, b), vec_or(c, d))))) {
            wrong = vec_or(wrong, vec_open_end(before));
        } else if (masked) {
            const vec ab = vec_or(vec_wrong(&rules, a, before), vec_wrong(&rules, b, a));
            const vec cd = vec_or(vec_wrong(&rules, c, b), vec_wrong(&rules, d, c));
            wrong = vec_or(wrong, vec_or(ab, cd));
        } else {
            const uint8_t *at = data + i;
            wrong = vec_or(wrong, vec_wrong(&rules, a, before));
            wrong = vec_or(wrong, vec_wrong_at(&rules, at + VEC_BYTES));
            wrong = vec_or(wrong, vec_wrong_at(&rules, at + 2 * VEC_BYTES));
            wrong = vec_or(wrong, vec_wrong_at(&rules, at + 3 * VEC_BYTES));
        }
        before = d;
    }
    for (; i + VEC_BYTES < len; i += VEC_BYTES) {
        const vec v = vec_take(data + i, keys, masked);
        wrong = vec_or(wrong, vec_wrong(&rules, v, before));
        before = v;
    }
    if (masked) {
        vec_store(data + last_at, last);
    }
    return !vec_any(wrong);
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
VEC_INLINE uint32_t vec_text_long(uint8_t *data, size_t len, uint32_t key, bool masked,
                                  size_t *bad_at) {
    const uint32_t last4 = load32(data + len - 4) ^ (masked ? key_turned(key, len) : 0);
    const size_t open_len = utf8_open_len(last4);
    const size_t whole = len - open_len;
    const bool valid = vec_is_utf8(data, whole, key, masked);
    if (masked) {
        mask_to_15(data + whole, data + whole, open_len, key_turned(key, whole));
    }
    const size_t from = valid ? whole : 0;
    const uint32_t state =
        wring__utf8_feed_scalar(WRING__UTF8_COMPLETE, data + from, len - from, bad_at);
    WRING_DEBUG_ASSERT(valid || state == WRING__UTF8_REJECT);
    if (state == WRING__UTF8_REJECT) {
        *bad_at += from;
    }
    return state;
}

/* Both text kernels; `masked` is a constant at each call. `data` is written only if masked. */
VEC_INLINE uint32_t vec_text(uint32_t state, uint8_t *data, size_t len, uint32_t key, bool masked,
                             size_t *bad_at) {
    if (len < VEC_TEXT_MIN) {
        if (masked) {
            vec_mask(data, data, len, key);
        }
        return vec_text_short(state, data, len, bad_at);
    }
    size_t i = 0;
    for (; state != WRING__UTF8_COMPLETE; i++) { /* ends a character: at most three turns */
        if (masked) {
            data[i] = (uint8_t)(data[i] ^ key >> 8 * (i & 3));
        }
        state = utf8_step(state, data[i]);
        if (state == WRING__UTF8_REJECT) {
            if (masked) {
                vec_mask(data + i + 1, data + i + 1, len - i - 1, key_turned(key, i + 1));
            }
            *bad_at = i;
            return state;
        }
    }
    state = vec_text_long(data + i, len - i, key_turned(key, i), masked, bad_at);
    if (state == WRING__UTF8_REJECT) {
        *bad_at += i;
    }
    return state;
}

/* A long masked text goes by chunks: unmask one, looking for bytes that are not ASCII, and only if
 * there are any read it again. By then it is in the first-level cache and out of the store queue.
 */
#define VEC_CHUNK 4096

/* Unmasks a chunk in place; is there a byte >= 0x80? */
VEC_INLINE bool vec_unmask_chunk(uint8_t *data, uint32_t key) {
    const vec keys = vec_splat32(key);
    vec seen = vec_splat8(0);
    for (size_t i = 0; i < VEC_CHUNK; i += 4 * VEC_BYTES) {
        const vec a = vec_take(data + i, keys, true);
        const vec b = vec_take(data + i + VEC_BYTES, keys, true);
        const vec c = vec_take(data + i + 2 * VEC_BYTES, keys, true);
        const vec d = vec_take(data + i + 3 * VEC_BYTES, keys, true);
        seen = vec_or(seen, vec_or(vec_or(a, b), vec_or(c, d)));
    }
    return vec_any_high(seen);
}

VEC_INLINE uint32_t vec_unmask_text(uint32_t state, uint8_t *data, size_t len, uint32_t key,
                                    size_t *bad_at) {
    size_t i = 0; /* a multiple of four: the key stays turned */
    for (; len - i >= VEC_CHUNK; i += VEC_CHUNK) {
        if (!vec_unmask_chunk(data + i, key) && state == WRING__UTF8_COMPLETE) {
            continue;
        }
        state = vec_text(state, data + i, VEC_CHUNK, 0, false, bad_at);
        if (state == WRING__UTF8_REJECT) {
            *bad_at += i;
            i += VEC_CHUNK;
            vec_mask(data + i, data + i, len - i, key);
            return state;
        }
    }
    state = vec_text(state, data + i, len - i, key, true, bad_at);
    if (state == WRING__UTF8_REJECT) {
        *bad_at += i;
    }
    return state;
}

/* ---- the functions of the table ---- */

static void vec_kernel_mask(uint8_t *data, size_t len, uint32_t key, unsigned phase) {
    vec_mask(data, data, len, key_turned(key, phase));
}

static void vec_kernel_mask_copy(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                 unsigned phase) {
    vec_mask(dst, src, len, key_turned(key, phase));
}

static uint32_t vec_kernel_utf8_feed(uint32_t state, const uint8_t *data, size_t len,
                                     size_t *bad_at) {
    return vec_text(state, (uint8_t *)(uintptr_t)data, len, 0, false, bad_at);
}

static uint32_t vec_kernel_unmask_utf8(uint32_t state, uint8_t *data, size_t len, uint32_t key,
                                       unsigned phase, size_t *bad_at) {
    return vec_unmask_text(state, data, len, key_turned(key, phase), bad_at);
}

#define VEC_KERNELS(name_, needs_)                                                                 \
    {                                                                                              \
        .name = name_, .needs = needs_, .mask = vec_kernel_mask,                                   \
        .mask_copy = vec_kernel_mask_copy, .utf8_feed = vec_kernel_utf8_feed,                      \
        .unmask_utf8 = vec_kernel_unmask_utf8                                                      \
    }

#endif
