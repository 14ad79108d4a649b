/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels for aarch64 NEON: vectors of 16 bytes. See kernels_vector.inc.
 */
#if defined(__aarch64__)
#include <arm_neon.h>

#include "core/cpu.h"
#include "proto/kernels_small.h"

#define VEC_BYTES 16
typedef uint8x16_t vec;

static inline vec vec_load(const uint8_t *p) {
    return vld1q_u8(p);
}
static inline void vec_store(uint8_t *p, vec v) {
    vst1q_u8(p, v);
}
static inline vec vec_splat8(uint8_t v) {
    return vdupq_n_u8(v);
}
static inline vec vec_splat32(uint32_t v) {
    return vreinterpretq_u8_u32(vdupq_n_u32(v));
}
static inline vec vec_and(vec v, vec w) {
    return vandq_u8(v, w);
}
static inline vec vec_or(vec v, vec w) {
    return vorrq_u8(v, w);
}
static inline vec vec_xor(vec v, vec w) {
    return veorq_u8(v, w);
}
static inline vec vec_less(vec v, vec w) {
    return vqsubq_u8(v, w);
}
static inline vec high_nibbles(vec v, vec low) {
    (void)low;
    return vshrq_n_u8(v, 4);
}
static inline vec vec_table_high(const uint8_t *rows) {
    return vld1q_u8(rows);
}
static inline vec vec_table_low(const uint8_t *rows) {
    return vec_table_high(rows);
}
static inline vec lookup(vec table, vec index) {
    return vqtbl1q_u8(table, index);
}
static inline vec vec_lookup_high(vec table, vec v, vec low) {
    return lookup(table, high_nibbles(v, low));
}
static inline vec vec_lookup_low(vec table, vec v, vec low) {
    return lookup(table, vec_and(v, low));
}
static inline vec vec_prev1(vec now, vec before) {
    return vextq_u8(before, now, 15);
}
static inline vec vec_prev2(vec now, vec before) {
    return vextq_u8(before, now, 14);
}
static inline vec vec_prev3(vec now, vec before) {
    return vextq_u8(before, now, 13);
}
static inline vec vec_keep(vec v) {
    __asm__("" : "+w"(v));
    return v;
}
static inline bool vec_any(vec v) {
    return vmaxvq_u8(v) != 0;
}
static inline bool vec_any_high(vec v) {
    return vmaxvq_u8(v) >= 0x80;
}

#define vec_mask_short mask_to_15

#include "proto/kernels_vector.inc"

const struct wring__kernels wring__kernels_neon = VEC_KERNELS("neon", WRING__CPU_NEON);
#endif
