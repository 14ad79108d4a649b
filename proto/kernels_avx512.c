/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels for AVX-512 (F, BW, VL, VBMI): vectors of 64 bytes. See kernels_vector.inc.
 */
#if defined(__x86_64__)
#include <immintrin.h>

#include "core/cpu.h"
#include "proto/kernels_small.h"

#define VEC_BYTES 64
typedef __m512i vec;

static inline vec vec_load(const uint8_t *p) {
    return _mm512_loadu_si512((const void *)p);
}
static inline void vec_store(uint8_t *p, vec v) {
    _mm512_storeu_si512((void *)p, v);
}
static inline vec vec_splat8(uint8_t v) {
    return _mm512_set1_epi8((char)v);
}
static inline vec vec_splat32(uint32_t v) {
    return _mm512_set1_epi32((int)v);
}
static inline vec vec_and(vec v, vec w) {
    return _mm512_and_si512(v, w);
}
static inline vec vec_or(vec v, vec w) {
    return _mm512_or_si512(v, w);
}
static inline vec vec_xor(vec v, vec w) {
    return _mm512_xor_si512(v, w);
}
static inline vec vec_less(vec v, vec w) {
    return _mm512_subs_epu8(v, w);
}
/* VBMI looks up by six bits, whatever is in the other two: the high nibble's rows stand four times
 * each, the low nibble's four times over, and no nibble has to be cut out first. */
static inline vec vec_table_high(const uint8_t *rows) {
    static const uint8_t quarters[64] = {
        0,  0,  0,  0,  1,  1,  1,  1,  2,  2,  2,  2,  3,  3,  3,  3,  4,  4,  4,  4,  5,  5,
        5,  5,  6,  6,  6,  6,  7,  7,  7,  7,  8,  8,  8,  8,  9,  9,  9,  9,  10, 10, 10, 10,
        11, 11, 11, 11, 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 15};
    const vec table = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)rows));
    return _mm512_shuffle_epi8(table, _mm512_loadu_si512((const void *)quarters));
}
static inline vec vec_table_low(const uint8_t *rows) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)rows));
}
static inline vec vec_lookup_high(vec table, vec v, vec low) {
    (void)low;
    return _mm512_permutexvar_epi8(_mm512_srli_epi16(v, 2), table);
}
static inline vec vec_lookup_low(vec table, vec v, vec low) {
    (void)low;
    return _mm512_permutexvar_epi8(v, table);
}

/* The byte shift works within 16-byte lanes: give each lane the lane before it. */
static inline vec lanes_before(vec now, vec before) {
    return _mm512_alignr_epi64(now, before, 6);
}
static inline vec vec_prev1(vec now, vec before) {
    return _mm512_alignr_epi8(now, lanes_before(now, before), 15);
}
static inline vec vec_prev2(vec now, vec before) {
    return _mm512_alignr_epi8(now, lanes_before(now, before), 14);
}
static inline vec vec_prev3(vec now, vec before) {
    return _mm512_alignr_epi8(now, lanes_before(now, before), 13);
}
static inline vec vec_keep(vec v) {
    __asm__("" : "+v"(v));
    return v;
}
static inline bool vec_any(vec v) {
    return _mm512_test_epi8_mask(v, v) != 0;
}
static inline bool vec_any_high(vec v) {
    return _mm512_movepi8_mask(v) != 0;
}

/* Overlapping vectors rather than a masked store: the handler reads the bytes next, and a load
 * cannot be served from a masked store that is still on its way to the cache. */
static inline bool vec_mask_short(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    if (len < 16) {
        return mask_to_15(dst, src, len, key);
    }
    const uint32_t tail_key = key_turned(key, len);
    if (len < 32) {
        const __m128i head =
            _mm_xor_si128(_mm_loadu_si128((const void *)src), _mm_set1_epi32((int)key));
        const __m128i tail = _mm_xor_si128(_mm_loadu_si128((const void *)(src + len - 16)),
                                           _mm_set1_epi32((int)tail_key));
        _mm_storeu_si128((void *)dst, head);
        _mm_storeu_si128((void *)(dst + len - 16), tail);
        return (_mm_movepi8_mask(head) | _mm_movepi8_mask(tail)) == 0;
    }
    const __m256i head =
        _mm256_xor_si256(_mm256_loadu_si256((const void *)src), _mm256_set1_epi32((int)key));
    const __m256i tail = _mm256_xor_si256(_mm256_loadu_si256((const void *)(src + len - 32)),
                                          _mm256_set1_epi32((int)tail_key));
    _mm256_storeu_si256((void *)dst, head);
    _mm256_storeu_si256((void *)(dst + len - 32), tail);
    return (_mm256_movepi8_mask(head) | _mm256_movepi8_mask(tail)) == 0;
}

#include "proto/kernels_vector.inc"

const struct wring__kernels wring__kernels_avx512 =
    VEC_KERNELS("avx512", WRING__CPU_AVX512F | WRING__CPU_AVX512BW | WRING__CPU_AVX512VL |
                              WRING__CPU_AVX512VBMI | WRING__CPU_BMI1 | WRING__CPU_BMI2);
#endif
