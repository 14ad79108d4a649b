/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels for AVX2: vectors of 32 bytes. See kernels_vector.inc.
 */
#if defined(__x86_64__)
#include <immintrin.h>

#include "core/cpu.h"
#include "proto/kernels_small.h"

#define VEC_BYTES 32
typedef __m256i vec;

static inline vec vec_load(const uint8_t *p) {
    return _mm256_loadu_si256((const void *)p);
}
static inline void vec_store(uint8_t *p, vec v) {
    _mm256_storeu_si256((void *)p, v);
}
static inline vec vec_splat8(uint8_t v) {
    return _mm256_set1_epi8((char)v);
}
static inline vec vec_splat32(uint32_t v) {
    return _mm256_set1_epi32((int)v);
}
static inline vec vec_and(vec v, vec w) {
    return _mm256_and_si256(v, w);
}
static inline vec vec_or(vec v, vec w) {
    return _mm256_or_si256(v, w);
}
static inline vec vec_xor(vec v, vec w) {
    return _mm256_xor_si256(v, w);
}
static inline vec vec_less(vec v, vec w) {
    return _mm256_subs_epu8(v, w);
}
static inline vec high_nibbles(vec v, vec low) {
    return vec_and(_mm256_srli_epi16(v, 4), low);
}
static inline vec vec_table_high(const uint8_t *rows) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)rows));
}
static inline vec vec_table_low(const uint8_t *rows) {
    return vec_table_high(rows);
}
static inline vec lookup(vec table, vec index) {
    return _mm256_shuffle_epi8(table, index);
}
static inline vec vec_lookup_high(vec table, vec v, vec low) {
    return lookup(table, high_nibbles(v, low));
}
static inline vec vec_lookup_low(vec table, vec v, vec low) {
    return lookup(table, vec_and(v, low));
}

/* The byte shift works within 16-byte lanes: give each lane the lane before it. */
static inline vec lanes_before(vec now, vec before) {
    return _mm256_permute2x128_si256(before, now, 0x21);
}
static inline vec vec_prev1(vec now, vec before) {
    return _mm256_alignr_epi8(now, lanes_before(now, before), 15);
}
static inline vec vec_prev2(vec now, vec before) {
    return _mm256_alignr_epi8(now, lanes_before(now, before), 14);
}
static inline vec vec_prev3(vec now, vec before) {
    return _mm256_alignr_epi8(now, lanes_before(now, before), 13);
}
static inline vec vec_keep(vec v) {
    __asm__("" : "+x"(v));
    return v;
}
static inline bool vec_any(vec v) {
    return !_mm256_testz_si256(v, v);
}
static inline bool vec_any_high(vec v) {
    return _mm256_movemask_epi8(v) != 0;
}

static inline bool vec_mask_short(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    if (len < 16) {
        return mask_to_15(dst, src, len, key);
    }
    const __m128i head =
        _mm_xor_si128(_mm_loadu_si128((const void *)src), _mm_set1_epi32((int)key));
    const __m128i tail = _mm_xor_si128(_mm_loadu_si128((const void *)(src + len - 16)),
                                       _mm_set1_epi32((int)key_turned(key, len)));
    _mm_storeu_si128((void *)dst, head);
    _mm_storeu_si128((void *)(dst + len - 16), tail);
    return _mm_movemask_epi8(_mm_or_si128(head, tail)) == 0;
}

#include "proto/kernels_vector.inc"

const struct wring__kernels wring__kernels_avx2 =
    VEC_KERNELS("avx2", WRING__CPU_AVX2 | WRING__CPU_BMI1 | WRING__CPU_BMI2);
#endif
