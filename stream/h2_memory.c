/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of nghttp2: counted, and in a list. See h2_mux.h.
 */
#include <stdlib.h>

#include "stream/h2_mux.h"

/* What nghttp2 holds counts as what the worker's connections hold. All of it is in a list: where
 * memory is out, nghttp2 1.52 frees some things twice (an item whose push onto a queue fails stays
 * with its stream), so after that its blocks are freed one by one, and not by it. */
struct wring__h2_block {
    struct wring__h2_block *next;
    struct wring__h2_block **link;
    size_t size;
    _Alignas(16) uint8_t bytes[];
};

static struct wring__h2_block *block_of(void *bytes) {
    return WRING_CONTAINER_OF(bytes, struct wring__h2_block, bytes);
}

static void block_link(wring__h2 *mux, struct wring__h2_block *block) {
    block->next = mux->blocks;
    block->link = &mux->blocks;
    if (block->next != NULL) {
        block->next->link = &block->next;
    }
    mux->blocks = block;
    wring__h2_below(mux)->worker->chunks.held += block->size;
}

static void block_unlink(wring__h2 *mux, struct wring__h2_block *block) {
    *block->link = block->next;
    if (block->next != NULL) {
        block->next->link = block->link;
    }
    wring__h2_below(mux)->worker->chunks.held -= block->size;
}

void *wring__h2_memory_resize(void *bytes, size_t size, void *user) {
    struct wring__h2_block *old = bytes == NULL ? NULL : block_of(bytes);
    if (size > SIZE_MAX - sizeof *old) {
        return NULL;
    }
    if (old != NULL) {
        block_unlink(user, old);
    }
    struct wring__h2_block *block = realloc(old, sizeof *block + size);
    if (block == NULL) {
        if (old != NULL) {
            block_link(user, old);
        }
        return NULL;
    }
    block->size = size;
    block_link(user, block);
    return block->bytes;
}

void *wring__h2_memory_get(size_t size, void *user) {
    return wring__h2_memory_resize(NULL, size, user);
}

void *wring__h2_memory_get_zeroed(size_t count, size_t size, void *user) {
    void *bytes =
        size > 0 && count > SIZE_MAX / size ? NULL : wring__h2_memory_get(count * size, user);
    return bytes == NULL ? NULL : memset(bytes, 0, count * size);
}

void wring__h2_memory_free(void *bytes, void *user) {
    if (bytes != NULL) {
        block_unlink(user, block_of(bytes));
        free(block_of(bytes));
    }
}

void wring__h2_memory_free_all(wring__h2 *mux) {
    while (mux->blocks != NULL) {
        wring__h2_memory_free(mux->blocks->bytes, mux);
    }
}
