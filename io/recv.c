/* SPDX-License-Identifier: Apache-2.0
 *
 * Receive buffers and spans. See recv.h.
 */
#include "io/recv.h"
#include "core/trace.h"

#include <stdlib.h>

#define SPANS_MIN 256
/* Slow peers may keep bytes in one of so many buffers, at most. */
#define KEPT_SHARE 4

static void buffer_free(wring__recv_pool *pool, wring__recv_buffer *buffer) {
    const uint16_t index = (uint16_t)(buffer - pool->buffers);
    WRING_ASSERT(!buffer->is_lent && buffer->spans == 0);
    if (buffer->is_kept) {
        buffer->is_kept = false;
        pool->kept_count--;
    }
    WRING_ASSERT(pool->return_count < pool->backend->buffer_count);
    buffer->block.refs = 1;
    buffer->used = 0;
    buffer->is_lent = true;
    pool->returns[pool->return_count++] = index;
}

/* The last that was to be sent from it is sent. */
static void buffer_released(wring__block *block) {
    wring__recv_pool *pool = block->owner;
    buffer_free(pool, WRING_CONTAINER_OF(block, wring__recv_buffer, block));
}

/* After the kernel or a span is done with it. */
static void buffer_settle(wring__recv_pool *pool, wring__recv_buffer *buffer) {
    if (buffer->is_lent || buffer->spans > 0) {
        return;
    }
    if (buffer->block.refs == 1) {
        buffer_free(pool, buffer);
    } else {
        wring__block_unref(&buffer->block);
    }
}

wring_result wring__recv_init(wring__recv_pool *pool, wring__backend *backend) {
    const uint32_t count = backend->buffer_count;
    memset(pool, 0, sizeof *pool);
    pool->span_free = WRING__RECV_NONE;
    pool->kept_max = count / KEPT_SHARE;
    pool->buffers = calloc(count, sizeof *pool->buffers);
    pool->returns = calloc(count, sizeof *pool->returns);
    if (pool->buffers == NULL || pool->returns == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    pool->backend = backend;
    for (uint32_t i = 0; i < count; i++) {
        pool->buffers[i].is_lent = true;
        pool->buffers[i].block = (wring__block){.data = wring__backend_buffer(backend, (uint16_t)i),
                                                .cap = backend->buffer_size,
                                                .owner = pool,
                                                .released = buffer_released,
                                                .refs = 1};
    }
    return WRING_OK;
}

void wring__recv_deinit(wring__recv_pool *pool) {
    for (uint32_t i = 0; pool->backend != NULL && i < pool->backend->buffer_count; i++) {
        WRING_ASSERT(pool->buffers[i].is_lent && pool->buffers[i].spans == 0);
    }
    free(pool->buffers);
    free(pool->spans);
    free(pool->returns);
    memset(pool, 0, sizeof *pool);
}

/* ---- spans ----------------------------------------------------------------------------------- */

static bool spans_grow(wring__recv_pool *pool) {
    const uint32_t cap = pool->span_cap == 0 ? SPANS_MIN : pool->span_cap * 2;
    if (cap > WRING__RECV_NONE + 1U) {
        return false;
    }
    wring__recv_span *grown = realloc(pool->spans, cap * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    pool->spans = grown;
    for (uint32_t i = cap < WRING__RECV_NONE ? cap : WRING__RECV_NONE; i > pool->span_cap; i--) {
        pool->spans[i - 1].next = pool->span_free;
        pool->span_free = (uint16_t)(i - 1);
    }
    pool->span_cap = cap;
    return true;
}

static uint16_t span_acquire(wring__recv_pool *pool) {
    if (pool->span_free == WRING__RECV_NONE && !spans_grow(pool)) {
        return WRING__RECV_NONE;
    }
    const uint16_t index = pool->span_free;
    pool->span_free = pool->spans[index].next;
    return index;
}

/* Where the bytes of the completion are; from here on the kernel is done with them. */
static uint8_t *claim(wring__recv_pool *pool, const wring__completion *completion) {
    wring__recv_buffer *buffer = &pool->buffers[completion->buffer];
    WRING_ASSERT(buffer->is_lent);
    uint8_t *data = buffer->block.data + buffer->used;
    const uint32_t len = completion->result > 0 ? (uint32_t)completion->result : 0;
    WRING_ASSERT(len <= pool->backend->buffer_size - buffer->used);
    WRING_UNPOISON(data, len);
    buffer->used += len;
    buffer->is_lent = (completion->flags & WRING__COMPLETION_BUFFER_MORE) != 0;
    return data;
}

void wring__recv_discard(wring__recv_pool *pool, const wring__completion *completion) {
    (void)claim(pool, completion);
    buffer_settle(pool, &pool->buffers[completion->buffer]);
}

/* The kernel went on where this connection's last bytes end. */
static bool tail_takes(const wring__recv_pool *pool, const wring__recv_chain *chain,
                       const uint8_t *data, const wring__completion *completion) {
    if (wring__recv_is_empty(chain)) {
        return false;
    }
    const wring__recv_span *tail = &pool->spans[chain->tail];
    return tail->buffer == completion->buffer && tail->data + tail->len == data &&
           tail->len + (uint32_t)completion->result <= WRING__RECV_SPAN_MAX;
}

wring_result wring__recv_push(wring__recv_pool *pool, wring__recv_chain *chain,
                              const wring__completion *completion) {
    WRING_TRACE_STOP();
    WRING_ASSERT(completion->result > 0);
    uint8_t *data = claim(pool, completion);
    if (tail_takes(pool, chain, data, completion)) {
        pool->spans[chain->tail].len += (uint32_t)completion->result;
        return WRING_OK;
    }
    const uint16_t index = span_acquire(pool);
    if (index == WRING__RECV_NONE) {
        buffer_settle(pool, &pool->buffers[completion->buffer]);
        return WRING_ERR_NO_MEMORY;
    }
    pool->spans[index] = (wring__recv_span){data, (uint32_t)completion->result, completion->buffer,
                                            WRING__RECV_NONE};
    pool->buffers[completion->buffer].spans++;
    if (wring__recv_is_empty(chain)) {
        chain->head = index;
    } else {
        pool->spans[chain->tail].next = index;
    }
    chain->tail = index;
    return WRING_OK;
}

/* ---- giving ---------------------------------------------------------------------------------- */

static void span_free(wring__recv_pool *pool, wring__recv_chain *chain) {
    const uint16_t index = chain->head;
    wring__recv_span *span = &pool->spans[index];
    chain->head = span->next;
    if (chain->head == WRING__RECV_NONE) {
        chain->tail = WRING__RECV_NONE;
    }
    span->next = pool->span_free;
    pool->span_free = index;
}

wring__recv_lease wring__recv_take(wring__recv_pool *pool, wring__recv_chain *chain,
                                   bool may_keep) {
    WRING_DEBUG_ASSERT(!wring__recv_is_empty(chain));
    wring__recv_span *span = &pool->spans[chain->head];
    wring__recv_buffer *buffer = &pool->buffers[span->buffer];
    /* One that is kept already costs no further buffer. */
    const bool has_room = buffer->is_kept || pool->kept_count < pool->kept_max;
    const wring__recv_lease lease = {
        .bytes = {span->data, wring__min_size(span->len, WRING__RECV_SPAN_MAX)},
        .block = may_keep && has_room ? &buffer->block : NULL,
        .buffer = buffer,
        .refs = buffer->block.refs};
    span->data += lease.bytes.len;
    span->len -= (uint32_t)lease.bytes.len;
    if (span->len == 0) {
        span_free(pool, chain);
    } else {
        buffer->spans++; /* the lease's own */
    }
    return lease;
}

uint32_t wring__recv_lent(const wring__recv_pool *pool) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < pool->backend->buffer_count; i++) {
        count += pool->buffers[i].is_lent;
    }
    return count;
}

size_t wring__recv_bytes(const wring__recv_pool *pool, const wring__recv_chain *chain) {
    size_t bytes = 0;
    for (uint16_t i = chain->head; i != WRING__RECV_NONE; i = pool->spans[i].next) {
        bytes += pool->spans[i].len;
    }
    return bytes;
}

void wring__recv_done(wring__recv_pool *pool, const wring__recv_lease *lease) {
    WRING_ASSERT(lease->buffer->spans > 0);
    if (lease->buffer->block.refs == lease->refs) { /* nothing of it was kept */
        WRING_POISON(lease->bytes.data, lease->bytes.len);
    }
    if (lease->buffer->block.refs > 1 && !lease->buffer->is_kept) {
        /* Counted now, not when the buffer is done with: until then every other buffer could be
         * kept as well, and nothing would be left to receive into. */
        lease->buffer->is_kept = true;
        pool->kept_count++;
    }
    lease->buffer->spans--;
    buffer_settle(pool, lease->buffer);
}

void wring__recv_drop(wring__recv_pool *pool, wring__recv_chain *chain) {
    while (!wring__recv_is_empty(chain)) {
        wring__recv_buffer *buffer = &pool->buffers[pool->spans[chain->head].buffer];
        span_free(pool, chain);
        buffer->spans--;
        buffer_settle(pool, buffer);
    }
}

void wring__recv_rewind(wring__recv_pool *pool) {
    const uint16_t filling = pool->backend->filling;
    if (filling == WRING__RECV_NONE) {
        return;
    }
    wring__recv_buffer *buffer = &pool->buffers[filling];
    if (buffer->used > 0 && buffer->spans == 0 && buffer->block.refs == 1) {
        WRING_POISON(buffer->block.data, buffer->used);
        buffer->used = 0;
        pool->kept_count -= buffer->is_kept;
        buffer->is_kept = false;
        pool->backend->ops->buffer_rewind(pool->backend, filling);
    }
}

void wring__recv_return(wring__recv_pool *pool) {
    if (pool->return_count > 0) {
        pool->backend->ops->buffers_return(pool->backend, pool->returns, pool->return_count);
        pool->return_count = 0;
    }
}
