/* SPDX-License-Identifier: Apache-2.0
 *
 * The two loops that touch every payload byte: masking (RFC 6455 5.3) and UTF-8 validation
 * (RFC 6455 8.1, RFC 3629). One implementation an instruction set, chosen at run time; scalar
 * (kernels_scalar.c) is the specification and all others give the same bytes, states and positions.
 *
 * Called by frame, message and session. All kernels are pure: any thread, no allocation, no state
 * but what is passed. They never read or write outside the given ranges.
 */
#ifndef WRING_PROTO_KERNELS_H
#define WRING_PROTO_KERNELS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What is carried between two pieces of one text: 0 at the start of a message and whenever the
 *  text so far ends with a whole character. Other values than the two named here mean "inside a
 *  character", are only to be kept and handed back, and fit into 8 bits. */
#define WRING__UTF8_COMPLETE 0u
#define WRING__UTF8_REJECT   48u

/** The key whose first byte is the one for `phase`. */
static inline uint32_t wring__key_turned(uint32_t key, size_t phase) {
    const unsigned bits = 8u * (unsigned)(phase & 3);
    return key >> bits | key << (-bits & 31u);
}

/** May the text end here: true for an empty text, false inside a character and after a reject. */
static inline bool wring__utf8_is_complete(uint32_t state) {
    return state == WRING__UTF8_COMPLETE;
}

/** One implementation of each loop.
 *
 *  `key` is the masking key as a memcpy of its four wire bytes gives it; `phase` says how many
 *  payload bytes of the frame came before (only its two lowest bits count): byte i is XORed with
 *  key byte (phase + i) & 3. So a payload may be processed in pieces of any size and alignment.
 */
struct wring__kernels {
    const char *name; /**< as in WRING_ISA */
    uint32_t needs;   /**< enum wring__cpu_feature bits */

    /** Masks or unmasks `len` bytes in place. */
    void (*mask)(uint8_t *data, size_t len, uint32_t key, unsigned phase);

    /** Masks `src` into `dst`, which does not begin inside of `src` behind its first byte. */
    void (*mask_copy)(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key, unsigned phase);

    /** Validates the next piece of a text.
     *  Returns the new state. WRING__UTF8_REJECT as soon as no continuation could make the text
     *  valid: then *bad_at (never NULL) is the index in `data` of the first impossible byte, even
     *  in the middle of a character (ED A0 fails at A0). Otherwise *bad_at is left alone. */
    uint32_t (*utf8_feed)(uint32_t state, const uint8_t *data, size_t len, size_t *bad_at);

    /** Unmasks as mask_copy does and validates in one pass, with phase 0. The whole range is
     *  unmasked, also on reject.
     *  (Six parameters: all in registers, and a struct would have to be built per frame.) */
    uint32_t (*unmask_utf8)(uint32_t state, uint8_t *dst, const uint8_t *src, size_t len,
                            uint32_t key, size_t *bad_at);
};

/** Chooses the best implementation for this CPU, or the one named by the environment variable
 *  WRING_ISA (scalar, sse41, avx2, avx512, neon) if this CPU has it; any other value is ignored.
 *  Idempotent. Reads the environment: call it before threads start, as anything that reads it.
 *  Thread: any (two at once store the same pointer). */
const struct wring__kernels *wring__kernels_select(void);

/** The chosen implementation. At first one that chooses when it is called, so that there is nothing
 *  to ask for each frame. Relaxed: what it leads to is constant and was there before main(). */
extern _Atomic(const struct wring__kernels *) wring__kernels_chosen;

static inline const struct wring__kernels *wring__kernels(void) {
    return atomic_load_explicit(&wring__kernels_chosen, memory_order_relaxed);
}

/** The `index`th implementation in this build, best first, whether or not this CPU can run it;
 *  NULL behind the last.   Thread: any. */
const struct wring__kernels *wring__kernels_at(size_t index);

/** Can this CPU run it?   Thread: any. Cost: asks the CPU, microseconds. */
bool wring__kernels_can_run(const struct wring__kernels *kernels);

/* The chosen implementation, without spelling the table at every call. */
static inline void wring__mask(uint8_t *data, size_t len, uint32_t key, unsigned phase) {
    wring__kernels()->mask(data, len, key, phase);
}

static inline void wring__mask_copy(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                    unsigned phase) {
    wring__kernels()->mask_copy(dst, src, len, key, phase);
}

static inline uint32_t wring__utf8_feed(uint32_t state, const uint8_t *data, size_t len,
                                        size_t *bad_at) {
    return wring__kernels()->utf8_feed(state, data, len, bad_at);
}

static inline uint32_t wring__unmask_utf8(uint32_t state, uint8_t *dst, const uint8_t *src,
                                          size_t len, uint32_t key, size_t *bad_at) {
    return wring__kernels()->unmask_utf8(state, dst, src, len, key, bad_at);
}

/* Each defined in its own kernels_<isa>.c. */
extern const struct wring__kernels wring__kernels_scalar;
#if defined(__x86_64__)
extern const struct wring__kernels wring__kernels_sse41;
extern const struct wring__kernels wring__kernels_avx2;
extern const struct wring__kernels wring__kernels_avx512;
#elif defined(__aarch64__)
extern const struct wring__kernels wring__kernels_neon;
#endif

#endif
