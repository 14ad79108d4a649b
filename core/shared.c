/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared messages: create once, count, free with the last holder.
 */
#include "core/shared.h"

#include <stdlib.h>

/* Bytes of the larger ones: what is small is bounded by the queues it stands in, and need not touch
 * a cache line that all threads share. */
#define COUNTED_MIN 1024
static _Atomic uint64_t bytes_held;

uint64_t wring__shared_bytes(void) {
    return atomic_load_explicit(&bytes_held, memory_order_relaxed);
}

static void held_add(size_t block_len) {
    if (block_len >= COUNTED_MIN) {
        atomic_fetch_add_explicit(&bytes_held, block_len, memory_order_relaxed);
    }
}

static void held_remove(size_t block_len) {
    if (block_len >= COUNTED_MIN) {
        atomic_fetch_sub_explicit(&bytes_held, block_len, memory_order_relaxed);
    }
}

wring__shared *wring__shared_create_room(uint8_t opcode, uint16_t close_code, size_t payload_len) {
    wring__shared *shared = malloc(sizeof *shared + payload_len);
    if (shared == NULL) {
        return NULL;
    }
    atomic_init(&shared->refs, 1);
    shared->opcode = opcode;
    shared->header_len = 0;
    shared->close_code = close_code;
    shared->compress = WRING_COMPRESS_DEFAULT;
    shared->window_bits = 0;
    shared->compressed = NULL;
    shared->payload_len = payload_len;
    shared->block_len = payload_len;
    held_add(payload_len);
    return shared;
}

wring__shared *wring__shared_shrink(wring__shared *shared, size_t payload_len) {
    WRING_ASSERT(payload_len <= shared->payload_len);
    held_remove(shared->block_len);
    held_add(payload_len);
    shared->payload_len = payload_len;
    shared->block_len = payload_len;
    wring__shared *moved = realloc(shared, sizeof *shared + payload_len);
    return moved == NULL ? shared : moved;
}

wring__shared *wring__shared_create(uint8_t opcode, uint16_t close_code, wring_bytes payload) {
    wring__shared *shared = wring__shared_create_room(opcode, close_code, payload.len);
    if (shared != NULL && payload.len > 0) {
        memcpy(shared->payload, payload.data, payload.len);
    }
    return shared;
}

wring__shared *wring__shared_of_frame(const wring_frame *frame) {
    wring__shared *shared = wring__shared_create((uint8_t)frame->opcode, 0, frame->payload);
    if (shared != NULL) {
        shared->compress = (uint8_t)frame->compress;
    }
    return shared;
}

void wring__shared_unref(wring__shared *shared) {
    /* acq_rel: the freeing thread must see every reader done */
    while (shared != NULL &&
           atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel) == 1) {
        wring__shared *next = shared->compressed;
        held_remove(shared->block_len);
        free(shared);
        shared = next;
    }
}
