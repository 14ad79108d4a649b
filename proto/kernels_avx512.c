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
static inline vec vec_high_nibbles(vec v, vec low) {
    return vec_and(_mm512_srli_epi16(v, 4), low);
}
static inline vec vec_table(const uint8_t *rows) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)rows));
}
static inline vec vec_lookup(vec table, vec index) {
    return _mm512_shuffle_epi8(table, index);
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

/* A masked load does not fault on the bytes it leaves out. */
static inline bool vec_mask_short(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    const __mmask64 bytes = _bzhi_u64(~UINT64_C(0), (unsigned)len);
    const vec masked = _mm512_maskz_loadu_epi8(bytes, (const void *)src);
    const vec v = _mm512_xor_si512(masked, vec_splat32(key));
    _mm512_mask_storeu_epi8((void *)dst, bytes, v);
    return (_mm512_movepi8_mask(v) & bytes) == 0;
}

#include "proto/kernels_vector.inc"

const struct wring__kernels wring__kernels_avx512 =
    VEC_KERNELS("avx512", WRING__CPU_AVX512F | WRING__CPU_AVX512BW | WRING__CPU_AVX512VL |
                              WRING__CPU_AVX512VBMI | WRING__CPU_BMI1 | WRING__CPU_BMI2);
#endif
