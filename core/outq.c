/* SPDX-License-Identifier: Apache-2.0
 *
 * Outgoing queue of a stream. See outq.h.
 */
#include "core/outq.h"

#include <stdlib.h>

/* The first three are the free lists of a cache; a block's segment rests with the shared ones. */
enum segment_kind { SEGMENT_SHARED, SEGMENT_SMALL, SEGMENT_LARGE, SEGMENT_OWN, SEGMENT_BLOCK };

typedef struct wring__segment segment;

/* How many free segments a worker keeps: bounded, so that one burst is not held for ever. */
static const uint32_t keep_max_default[3] = {16384, 8192, 256};

void wring__chunk_cache_init(wring__chunk_cache *cache) {
    memset(cache, 0, sizeof *cache);
    wring__block_cache_init(&cache->blocks);
    memcpy(cache->keep_max, keep_max_default, sizeof keep_max_default);
#ifdef WRING_ASAN
    memset(cache->keep_max, 0, sizeof cache->keep_max); /* malloc twin: ASan sees use after free */
#endif
}

void wring__chunk_cache_deinit(wring__chunk_cache *cache) {
    for (unsigned kind = 0; kind < WRING_ARRAY_LEN(cache->free_list); kind++) {
        while (cache->free_list[kind] != NULL) {
            segment *s = cache->free_list[kind];
            cache->free_list[kind] = s->next;
            free(s);
        }
        cache->free_count[kind] = 0;
    }
    wring__block_cache_deinit(&cache->blocks);
}

static size_t segment_room(enum segment_kind kind, size_t own) {
    switch (kind) {
    case SEGMENT_SHARED:
    case SEGMENT_BLOCK:
        return 0;
    case SEGMENT_SMALL:
        return WRING__CHUNK_SMALL;
    case SEGMENT_LARGE:
        return WRING__CHUNK_LARGE;
    case SEGMENT_OWN:
        return own;
    }
    WRING_UNREACHABLE();
}

/* What it takes, whatever of it is written or consumed by now. */
static size_t segment_held(const segment *s) {
    const bool own_bytes = s->kind != SEGMENT_SHARED && s->kind != SEGMENT_BLOCK;
    return sizeof *s + (own_bytes ? (size_t)(s->data - s->bytes) + s->len + s->room : 0);
}

/* Once for each delivery of a publication: as a call it would be 2 % of it. */
__attribute__((always_inline)) static inline segment *
segment_acquire(wring__chunk_cache *cache, enum segment_kind kind, size_t own) {
    segment *s;
    if (cache != NULL && kind != SEGMENT_OWN && cache->free_list[kind] != NULL) {
        s = cache->free_list[kind];
        cache->free_list[kind] = s->next;
        cache->free_count[kind]--;
    } else {
        s = malloc(sizeof *s + segment_room(kind, own));
        if (s == NULL) {
            return NULL;
        }
    }
    s->next = NULL;
    s->data = s->bytes;
    s->len = 0;
    s->room = segment_room(kind, own);
    s->shared = NULL;
    s->kind = kind;
    if (cache != NULL) {
        cache->held += segment_held(s);
    }
    return s;
}

static void segment_release(wring__chunk_cache *cache, segment *s) {
    if (cache != NULL) {
        cache->held -= segment_held(s);
    }
    if (s->kind == SEGMENT_SHARED) {
        wring__shared_unref(s->shared);
    } else if (s->kind == SEGMENT_BLOCK) {
        wring__block_unref(s->block);
        s->kind = SEGMENT_SHARED;
    }
    if (cache == NULL || s->kind == SEGMENT_OWN ||
        cache->free_count[s->kind] >= cache->keep_max[s->kind]) {
        free(s);
        return;
    }
    s->next = cache->free_list[s->kind];
    cache->free_list[s->kind] = s;
    cache->free_count[s->kind]++;
}

static void outq_push(wring__outq *q, segment *s) {
    if (q->tail == NULL) {
        q->head = s;
    } else {
        q->tail->next = s;
    }
    q->tail = s;
}

void wring__outq_deinit(wring__outq *q, wring__chunk_cache *cache) {
    while (q->head != NULL) {
        segment *s = q->head;
        q->head = s->next;
        segment_release(cache, s);
    }
    memset(q, 0, sizeof *q);
}

uint8_t *wring__outq_extend(wring__outq *q, wring__chunk_cache *cache, size_t len) {
    segment *s = q->tail;
    enum segment_kind kind = SEGMENT_OWN;
    if (len <= WRING__CHUNK_SMALL && (s == NULL || s->kind == SEGMENT_SHARED)) {
        /* the first reply of a turn is usually the only one, and what comes behind a shared message
         * is most often as short as that one */
        kind = SEGMENT_SMALL;
    } else if (len <= WRING__CHUNK_LARGE) {
        kind = SEGMENT_LARGE;
    }
    s = segment_acquire(cache, kind, len);
    if (s == NULL) {
        return NULL;
    }
    outq_push(q, s);
    return s->bytes;
}

wring_result wring__outq_append(wring__outq *q, wring__chunk_cache *cache, wring_bytes bytes) {
    uint8_t *room = wring__outq_reserve(q, cache, bytes.len);
    if (room == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    if (bytes.len > 0) {
        memcpy(room, bytes.data, bytes.len);
    }
    wring__outq_commit(q, bytes.len);
    return WRING_OK;
}

wring_result wring__outq_append_shared(wring__outq *q, wring__chunk_cache *cache,
                                       wring__shared *shared) {
    wring_bytes wire = wring__shared_wire(shared);
    bool cork = wire.len <= WRING__SHARED_COPY_MAX && q->tail != NULL;
    if (cork && (q->tail->room >= wire.len || q->tail->kind == SEGMENT_SHARED)) {
        return wring__outq_append(q, cache, wire);
    }
    segment *s = segment_acquire(cache, SEGMENT_SHARED, 0);
    if (s == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    s->shared = wring__shared_ref(shared);
    s->data = wire.data;
    s->len = wire.len;
    outq_push(q, s);
    q->bytes += wire.len;
    return WRING_OK;
}

wring_result wring__outq_append_block(wring__outq *q, wring__chunk_cache *cache,
                                      wring__block *block, wring_bytes bytes) {
    segment *s = q->tail;
    if (s != NULL && s->kind == SEGMENT_BLOCK && s->block == block &&
        s->data + s->len == bytes.data) {
        s->len += bytes.len; /* they go on where the last ones end */
        q->bytes += bytes.len;
        return WRING_OK;
    }
    s = segment_acquire(cache, SEGMENT_SHARED, 0);
    if (s == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    s->kind = SEGMENT_BLOCK;
    s->block = wring__block_ref(block);
    s->data = bytes.data;
    s->len = bytes.len;
    outq_push(q, s);
    q->bytes += bytes.len;
    return WRING_OK;
}

size_t wring__outq_gather(const wring__outq *q, struct iovec *iov, size_t max) {
    size_t n = 0;
    for (const segment *s = q->head; s != NULL && n < max; s = s->next) {
        if (s->len > 0) {
            iov[n].iov_base = (void *)(uintptr_t)s->data;
            iov[n].iov_len = s->len;
            n++;
        }
    }
    return n;
}

void wring__outq_consume(wring__outq *q, wring__chunk_cache *cache, size_t count) {
    WRING_ASSERT(count <= q->bytes);
    q->bytes -= count;
    while (q->head != NULL) {
        segment *s = q->head;
        size_t taken = wring__min_size(count, s->len);
        s->data += taken;
        s->len -= taken;
        count -= taken;
        if (s->len > 0) {
            return;
        }
        q->head = s->next;
        segment_release(cache, s);
    }
    q->tail = NULL;
}

/* ---- from one queue to another --------------------------------------------------------------- */

static void segment_hand_over(wring__outq *from, wring__outq *to) {
    segment *s = from->head;
    from->head = s->next;
    from->tail = from->head == NULL ? NULL : from->tail;
    from->bytes -= s->len;
    to->bytes += s->len;
    s->next = NULL;
    outq_push(to, s);
}

/* A view of what others hold as well: the message, or the block. */
static wring_result piece_share(segment *s, wring__outq *to, wring__chunk_cache *cache,
                                size_t count) {
    if (s->kind == SEGMENT_BLOCK) {
        return wring__outq_append_block(to, cache, s->block, wring_bytes_of(s->data, count));
    }
    segment *piece = segment_acquire(cache, SEGMENT_SHARED, 0);
    if (piece == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    piece->shared = wring__shared_ref(s->shared);
    piece->data = s->data;
    piece->len = count;
    outq_push(to, piece);
    to->bytes += count;
    return WRING_OK;
}

static wring_result piece_move(wring__outq *from, wring__outq *to, wring__chunk_cache *cache,
                               size_t count) {
    segment *s = from->head;
    const bool is_long = count > WRING__SHARED_COPY_MAX;
    if (is_long && count == s->len) {
        segment_hand_over(from, to);
        return WRING_OK;
    }
    const bool is_shared = s->kind == SEGMENT_SHARED || s->kind == SEGMENT_BLOCK;
    const wring_result result = is_long && is_shared
                                    ? piece_share(s, to, cache, count)
                                    : wring__outq_append(to, cache, wring_bytes_of(s->data, count));
    if (result == WRING_OK) {
        wring__outq_consume(from, cache, count);
    }
    return result;
}

wring_result wring__outq_move(wring__outq *from, wring__outq *to, wring__chunk_cache *cache,
                              size_t count) {
    WRING_ASSERT(from != to && count <= from->bytes);
    wring_result result = WRING_OK;
    while (count > 0 && result == WRING_OK) {
        const size_t piece = wring__min_size(count, from->head->len);
        result = piece_move(from, to, cache, piece);
        count -= piece;
    }
    return result;
}
