/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels for SSE4.1 (with SSSE3's byte shuffle): vectors of 16 bytes. See kernels_vector.inc.
 */
#if defined(__x86_64__)
#include <smmintrin.h>

#include "core/cpu.h"
#include "proto/kernels_small.h"

#define VEC_BYTES 16
typedef __m128i vec;

static inline vec vec_load(const uint8_t *p) {
    return _mm_loadu_si128((const void *)p);
}
static inline void vec_store(uint8_t *p, vec v) {
    _mm_storeu_si128((void *)p, v);
}
static inline vec vec_splat8(uint8_t v) {
    return _mm_set1_epi8((char)v);
}
static inline vec vec_splat32(uint32_t v) {
    return _mm_set1_epi32((int)v);
}
static inline vec vec_and(vec v, vec w) {
    return _mm_and_si128(v, w);
}
static inline vec vec_or(vec v, vec w) {
    return _mm_or_si128(v, w);
}
static inline vec vec_xor(vec v, vec w) {
    return _mm_xor_si128(v, w);
}
static inline vec vec_less(vec v, vec w) {
    return _mm_subs_epu8(v, w);
}
static inline vec high_nibbles(vec v, vec low) {
    return vec_and(_mm_srli_epi16(v, 4), low);
}
static inline vec vec_table_high(const uint8_t *rows) {
    return vec_load(rows);
}
static inline vec vec_table_low(const uint8_t *rows) {
    return vec_table_high(rows);
}
static inline vec lookup(vec table, vec index) {
    return _mm_shuffle_epi8(table, index);
}
static inline vec vec_lookup_high(vec table, vec v, vec low) {
    return lookup(table, high_nibbles(v, low));
}
static inline vec vec_lookup_low(vec table, vec v, vec low) {
    return lookup(table, vec_and(v, low));
}
static inline vec vec_prev1(vec now, vec before) {
    return _mm_alignr_epi8(now, before, 15);
}
static inline vec vec_prev2(vec now, vec before) {
    return _mm_alignr_epi8(now, before, 14);
}
static inline vec vec_prev3(vec now, vec before) {
    return _mm_alignr_epi8(now, before, 13);
}
static inline vec vec_keep(vec v) {
    __asm__("" : "+x"(v));
    return v;
}
static inline bool vec_any(vec v) {
    return !_mm_testz_si128(v, v);
}
static inline bool vec_any_high(vec v) {
    return _mm_movemask_epi8(v) != 0;
}

#define vec_mask_short mask_to_15

#include "proto/kernels_vector.inc"

const struct wring__kernels wring__kernels_sse41 =
    VEC_KERNELS("sse41", WRING__CPU_SSSE3 | WRING__CPU_SSE41);
#endif
