/* SPDX-License-Identifier: Apache-2.0
 *
 * The outgoing bytes of one stream: small writes corked into chunks, shared messages by reference.
 * The session appends at the tail; the pump lends a prefix to the kernel and consumes what was
 * taken. The two ends never touch the same bytes, so appending while a send is in flight is legal.
 *
 * Not a policy: who may append how much is decided above. One thread.
 */
#ifndef WRING_CORE_OUTQ_H
#define WRING_CORE_OUTQ_H

#include <sys/uio.h>

#include "core/base.h"
#include "core/block.h"
#include "core/shared.h"

/* Payload bytes of the chunk sizes: one reply, one turn's worth of replies. Larger writes get a
 * block of their own size. The odd sizes keep chunk starts off each other's cache sets. */
#define WRING__CHUNK_SMALL 976
#define WRING__CHUNK_LARGE (16 * 1024 + 64)

/* A shared message below this is copied into the chunk at hand rather than referenced: a copy of
 * a few cache lines is cheaper than one more segment in the gather list. */
#define WRING__SHARED_COPY_MAX 256

/** Kept chunks and segments of one worker. NULL in place of it means plain malloc. */
typedef struct wring__chunk_cache {
    size_t held; /* bytes of segments in use, and what else the owner counts here */
    struct wring__segment *free_list[3]; /* by kind: shared, small, large */
    uint32_t free_count[3];
    uint32_t keep_max[3];
    wring__block_cache blocks;
} wring__chunk_cache;

static inline wring__block_cache *wring__blocks_of(wring__chunk_cache *cache) {
    return cache == NULL ? NULL : &cache->blocks;
}

/** A run of queued bytes. For outq.c and the two functions below. */
struct wring__segment {
    struct wring__segment *next;
    const uint8_t *data; /* first byte not yet consumed */
    size_t len;          /* bytes from there */
    size_t room;         /* free bytes after them; 0 for those of others */
    union {
        wring__shared *shared;
        wring__block *block;
    };
    unsigned kind;
    uint8_t bytes[];
};

typedef struct wring__outq {
    struct wring__segment *head;
    struct wring__segment *tail;
    uint64_t bytes; /* queued and not yet consumed */
} wring__outq;

void wring__chunk_cache_init(wring__chunk_cache *cache);
void wring__chunk_cache_deinit(wring__chunk_cache *cache);

/** Bytes in use by queues and blocks; not those that are kept for later. */
static inline size_t wring__chunk_cache_held(const wring__chunk_cache *cache) {
    return cache->held + cache->blocks.held;
}

/** Frees everything queued. Legal on a zeroed queue. */
void wring__outq_deinit(wring__outq *q, wring__chunk_cache *cache);

/** A new tail with that much room. For wring__outq_reserve. */
uint8_t *wring__outq_extend(wring__outq *q, wring__chunk_cache *cache, size_t len);

/** Room for `len` contiguous bytes at the tail; they count only after wring__outq_commit.
 *  NULL when memory is out.   Cost: O(1), a few instructions where the tail has room. */
static inline uint8_t *wring__outq_reserve(wring__outq *q, wring__chunk_cache *cache, size_t len) {
    const struct wring__segment *s = q->tail;
    return s != NULL && s->room >= len ? (uint8_t *)(uintptr_t)s->data + s->len
                                       : wring__outq_extend(q, cache, len);
}

/** `len` of the bytes reserved last are written. */
static inline void wring__outq_commit(wring__outq *q, size_t len) {
    WRING_ASSERT(q->tail != NULL && len <= q->tail->room);
    q->tail->len += len;
    q->tail->room -= len;
    q->bytes += len;
}

/** Copies bytes.  Errors: WRING_ERR_NO_MEMORY, and then nothing was appended. */
WRING_MUST_CHECK wring_result wring__outq_append(wring__outq *q, wring__chunk_cache *cache,
                                                 wring_bytes bytes);

/** Appends a framed shared message: by reference if long, by copy if short.
 *  Own: shares; takes a reference of its own.  Errors: WRING_ERR_NO_MEMORY */
WRING_MUST_CHECK wring_result wring__outq_append_shared(wring__outq *q, wring__chunk_cache *cache,
                                                        wring__shared *shared);

/** Appends bytes that lie in a block.
 *  Own: takes a reference.  Errors: WRING_ERR_NO_MEMORY */
WRING_MUST_CHECK wring_result wring__outq_append_block(wring__outq *q, wring__chunk_cache *cache,
                                                       wring__block *block, wring_bytes bytes);

/** Moves the first `count` bytes of one queue to the end of another: what is longer than
 *  WRING__SHARED_COPY_MAX without a copy where it can be shared or is a segment of its own. Nothing
 *  of `from` is lent.
 *  Errors: WRING_ERR_NO_MEMORY, and then some of them have moved. */
WRING_MUST_CHECK wring_result wring__outq_move(wring__outq *from, wring__outq *to,
                                               wring__chunk_cache *cache, size_t count);

/** Bytes of all of them. */
static inline size_t wring__iov_bytes(const struct iovec *iov, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += iov[i].iov_len;
    }
    return bytes;
}

/** Lends a prefix: fills up to `max` entries, returns how many. Borrowed until consumed. */
size_t wring__outq_gather(const wring__outq *q, struct iovec *iov, size_t max);

/** The stream took the first `count` bytes. */
void wring__outq_consume(wring__outq *q, wring__chunk_cache *cache, size_t count);

#endif
