/* SPDX-License-Identifier: Apache-2.0
 *
 * A shared message: immutable once handed over, counted, carried between threads. The payload has
 * room before it for the header of a frame, so that header and payload leave as one run of bytes.
 * Whoever creates it, or is its only holder, may write the header; then it is only read.
 *
 * Thread: ref and unref from any; the last unref frees.
 */
#ifndef WRING_CORE_SHARED_H
#define WRING_CORE_SHARED_H

#include <stdatomic.h>

#include "core/base.h"
#include "wring/frame.h"

/** Room for the longest unmasked frame header (RFC 6455 5.2). */
#define WRING__SHARED_HEADER_MAX 10

typedef struct wring__shared {
    _Atomic uint32_t refs;
    uint8_t opcode;
    uint8_t header_len;               /* 0 until a header is written */
    uint16_t close_code;              /* CLOSE */
    uint8_t compress;                 /* TEXT and BINARY of wring_ref_send: a wring_compress */
    uint8_t window_bits;              /* a compressed form: made with this window; 0: plain */
    struct wring__shared *compressed; /* forms of the same message, the largest window first; set
                                         before it is handed over; each has one reference from
                                         the one before it */
    size_t payload_len;
    size_t block_len;                              /* of payload and what lies behind it */
    uint8_t header_room[WRING__SHARED_HEADER_MAX]; /* the header ends where the payload begins */
    uint8_t payload[];
} wring__shared;

/** Copies `payload`; one reference. NULL when memory is out. Cost: one allocation, one copy. */
wring__shared *wring__shared_create(uint8_t opcode, uint16_t close_code, wring_bytes payload);

/** The same with the payload left for the caller to fill. */
wring__shared *wring__shared_create_room(uint8_t opcode, uint16_t close_code, size_t payload_len);

/** A copy of a TEXT or BINARY frame. */
wring__shared *wring__shared_of_frame(const wring_frame *frame);

/** Its only holder found that it needs no more than `payload_len`. May move it. */
wring__shared *wring__shared_shrink(wring__shared *shared, size_t payload_len);

/** Bytes of all that exist in the process.   Thread: any. */
uint64_t wring__shared_bytes(void);

static inline wring__shared *wring__shared_ref(wring__shared *shared) {
    atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    return shared;
}

void wring__shared_unref(wring__shared *shared);

/** Where the payload begins, or a header of `len` bytes before it. By the block, not by the array:
 *  an address before an array's first element is none to the compiler. */
static inline uint8_t *wring__shared_at(const wring__shared *shared, size_t header_len) {
    return (uint8_t *)(uintptr_t)shared + offsetof(wring__shared, payload) - header_len;
}

/** Header and payload as one run. */
static inline wring_bytes wring__shared_wire(const wring__shared *shared) {
    return wring_bytes_of(wring__shared_at(shared, shared->header_len),
                          shared->payload_len + shared->header_len);
}

#endif
