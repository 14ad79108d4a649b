/* SPDX-License-Identifier: Apache-2.0
 *
 * Counted runs of bytes and the kept ones. See block.h.
 */
#include "core/block.h"

#include <stdlib.h>

#define KEPT_BYTES_MAX ((size_t)8 << 20)
#define KEPT_ONE_MIN   ((size_t)64 << 10) /* what is smaller comes from malloc at no great cost */
#define KEPT_ONE_MAX   ((size_t)4 << 20)

static uint8_t *bytes_of(wring__block *block) {
    return (uint8_t *)(block + 1) + WRING__BLOCK_HEADROOM;
}

void wring__block_cache_init(wring__block_cache *cache) {
    memset(cache, 0, sizeof *cache);
#ifndef WRING_ASAN /* malloc twin: ASan sees use after free */
    cache->kept_bytes_max = KEPT_BYTES_MAX;
#endif
}

void wring__block_cache_deinit(wring__block_cache *cache) {
    while (cache->kept != NULL) {
        wring__block *block = cache->kept;
        cache->kept = block->next;
        free(block);
    }
    memset(cache, 0, sizeof *cache);
}

static void held_add(wring__block_cache *cache, size_t bytes) {
    if (cache != NULL) {
        cache->held += bytes;
    }
}

static void held_remove(wring__block_cache *cache, size_t bytes) {
    if (cache != NULL) {
        cache->held -= bytes;
    }
}

static wring__block *block_new(wring__block_cache *cache, wring__block *old, size_t cap) {
    if (cap > SIZE_MAX - sizeof *old - WRING__BLOCK_HEADROOM) {
        return NULL;
    }
    const size_t old_cap = old == NULL ? 0 : old->cap;
    wring__block *block = realloc(old, sizeof *block + WRING__BLOCK_HEADROOM + cap);
    if (block != NULL) {
        held_add(cache, cap);
        held_remove(cache, old_cap);
        memset(block, 0, sizeof *block);
        block->data = bytes_of(block);
        block->cap = cap;
        block->cache = cache;
        block->refs = 1;
    }
    return block;
}

wring__block *wring__block_make(wring__block_cache *cache, size_t cap) {
    wring__block *block = wring__block_take_kept(cache, cap);
    return block != NULL ? block : block_new(cache, NULL, cap);
}

wring__block *wring__block_take_kept(wring__block_cache *cache, size_t cap) {
    if (cache == NULL || cap < KEPT_ONE_MIN) {
        return NULL;
    }
    for (wring__block **at = &cache->kept; *at != NULL; at = &(*at)->next) {
        wring__block *block = *at;
        if (block->cap >= cap) {
            *at = block->next;
            cache->kept_bytes -= block->cap;
            held_add(cache, block->cap);
            block->cache = cache;
            block->refs = 1;
            return block;
        }
    }
    return NULL;
}

wring__block *wring__block_grow(wring__block_cache *cache, wring__block *block, size_t used,
                                size_t cap) {
    WRING_ASSERT(block->refs == 1 && used <= block->cap && cap >= used);
    wring__block *kept = wring__block_take_kept(cache, cap);
    if (kept == NULL) {
        return block_new(cache, block, cap);
    }
    memcpy(kept->data, block->data, used);
    wring__block_unref(block);
    return kept;
}

void wring__block_unref(wring__block *block) {
    if (block == NULL || --block->refs > 0) {
        return;
    }
    if (block->released != NULL) {
        block->released(block);
        return;
    }
    wring__block_cache *cache = block->cache;
    held_remove(cache, block->cap);
    if (cache == NULL || block->cap < KEPT_ONE_MIN || block->cap > KEPT_ONE_MAX ||
        cache->kept_bytes + block->cap > cache->kept_bytes_max) {
        free(block);
        return;
    }
    block->next = cache->kept;
    cache->kept = block;
    cache->kept_bytes += block->cap;
}
