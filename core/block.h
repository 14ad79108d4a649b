/* SPDX-License-Identifier: Apache-2.0
 *
 * A run of bytes with several holders on one worker: a message under assembly that the kernel
 * writes to, that is shown to a handler, and that then goes out as it is. Counted without atomics.
 *
 * Large ones are kept for the next message, within bounds: getting a megabyte from the system costs
 * more than copying it.
 */
#ifndef WRING_CORE_BLOCK_H
#define WRING_CORE_BLOCK_H

#include "core/base.h"

/** Room before the bytes of a made block: for the header of a frame. */
#define WRING__BLOCK_HEADROOM 16

/** Kept blocks of one worker. NULL in place of it: none are. */
typedef struct wring__block_cache {
    struct wring__block *kept;
    size_t kept_bytes;
    size_t kept_bytes_max;
    size_t held; /* bytes of the made blocks that are in use */
    bool lean;   /* memory is short: whoever makes one larger does not make it twice as large */
} wring__block_cache;

typedef struct wring__block {
    uint8_t *data;
    size_t cap;
    size_t at;  /* for a receive under way: where it writes, */
    size_t len; /* how much it may and then how much it did */
    union {
        wring__block_cache *cache; /* made ones: where it goes; NULL: freed */
        struct wring__block *next; /* kept ones */
        void *owner;               /* others */
    };
    /* For blocks that were not made here: the last holder is gone. */
    void (*released)(struct wring__block *block);
    uint32_t refs;
} wring__block;

void wring__block_cache_init(wring__block_cache *cache);
void wring__block_cache_deinit(wring__block_cache *cache);

/** A block of at least `cap` bytes, held once.  NULL: no memory. */
wring__block *wring__block_make(wring__block_cache *cache, size_t cap);

/** A kept block of at least `cap` bytes, held once; NULL: there is none. */
wring__block *wring__block_take_kept(wring__block_cache *cache, size_t cap);

/** More room in a block held once; its first `used` bytes stay.  NULL: no memory, and the block is
 *  what it was. */
wring__block *wring__block_grow(wring__block_cache *cache, wring__block *block, size_t used,
                                size_t cap);

static inline wring__block *wring__block_ref(wring__block *block) {
    block->refs++;
    return block;
}

void wring__block_unref(wring__block *block); /* NULL is legal */

/** Bytes of the block before one that lies in it. */
static inline size_t wring__block_room_before(const wring__block *block, const uint8_t *at) {
    return (size_t)(at - block->data) + (block->released == NULL ? WRING__BLOCK_HEADROOM : 0);
}

#endif
