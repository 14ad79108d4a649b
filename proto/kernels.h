/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops over payload bytes: masking and UTF-8. One table of functions per instruction set, one
 * chosen for the process. The scalar table is the specification; tests compare the others with it.
 *
 * All are exact: no byte outside [data, data + len) is read or written, at any alignment.
 */
#ifndef WRING_PROTO_KERNELS_H
#define WRING_PROTO_KERNELS_H

#include "core/base.h"

/** State of a UTF-8 text that may be cut anywhere; the others mean "inside a code point". */
#define WRING__UTF8_ACCEPT 0u
#define WRING__UTF8_REJECT 1u

/** `key`: the four wire bytes of the masking key as they lie in memory. `phase` (0-3): which of
 *  them the first byte of `data` meets, so that a payload may be handled in pieces. */
struct wring__kernels {
    const char *name;
    /** RFC 6455 5.3, in place. */
    void (*mask)(uint8_t *data, size_t len, uint32_t key, unsigned phase);
    /** The same from `source` to `target`, which do not overlap. */
    void (*mask_copy)(uint8_t *target, const uint8_t *source, size_t len, uint32_t key,
                      unsigned phase);
    /** Continues a validation: ACCEPT at a code point's end, REJECT from the first impossible
     *  byte on, another state inside a code point. RFC 3629 */
    uint32_t (*utf8)(uint32_t state, const uint8_t *data, size_t len);
    /** mask and utf8 in one pass: validates what unmasking yields. */
    uint32_t (*unmask_utf8)(uint32_t state, uint8_t *data, size_t len, uint32_t key,
                            unsigned phase);
};

extern const struct wring__kernels wring__kernels_scalar;

/** The table for this process. Any thread. Cost: one load. */
const struct wring__kernels *wring__kernels(void);

#endif
