/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of connections as 64-bit numbers: a wring_ref for other threads, a token for the kernel.
 * Both carry slot and generation, so that a stale one is recognised and never followed.
 *
 *     ref:    worker 8 | slot 24 | generation 32
 *     token:  op     8 | slot 24 | generation 32
 */
#ifndef WRING_CORE_REF_H
#define WRING_CORE_REF_H

#include "core/base.h"

#define WRING__SLOT_MAX ((1u << 24) - 1)

static inline uint64_t wring__ref_pack(uint8_t worker, uint32_t slot, uint32_t generation) {
    return (uint64_t)worker << 56 | (uint64_t)slot << 32 | generation;
}

static inline uint8_t wring__ref_worker(uint64_t ref) {
    return (uint8_t)(ref >> 56);
}
static inline uint32_t wring__ref_slot(uint64_t ref) {
    return (uint32_t)(ref >> 32) & WRING__SLOT_MAX;
}
static inline uint32_t wring__ref_generation(uint64_t ref) {
    return (uint32_t)ref;
}

static inline uint64_t wring__token_pack(uint8_t op, uint32_t slot, uint32_t generation) {
    return wring__ref_pack(op, slot, generation);
}
static inline uint8_t wring__token_op(uint64_t token) {
    return wring__ref_worker(token);
}
static inline uint32_t wring__token_slot(uint64_t token) {
    return wring__ref_slot(token);
}
static inline uint32_t wring__token_generation(uint64_t token) {
    return wring__ref_generation(token);
}

#endif
