/* SPDX-License-Identifier: Apache-2.0
 *
 * What was received and waits to be given to its owner: the receive buffers of a worker, and the
 * spans of bytes in them, a chain for each connection.
 *
 * A buffer goes back to the kernel when nobody needs it: the kernel writes no further into it, no
 * span in it waits, and no owner kept bytes of it to send them from there. An incremental buffer
 * holds the bytes of many receives of many connections, back to back; what one connection receives
 * in a row is one span.
 *
 * Thread: the worker.
 */
#ifndef WRING_IO_RECV_H
#define WRING_IO_RECV_H

#include "core/block.h"
#include "io/backend.h"

#define WRING__RECV_NONE UINT16_MAX

/** Bytes given to an owner in one call: two or more spans of a connection are joined up to here. */
#define WRING__RECV_SPAN_MAX (64u << 10)

typedef struct wring__recv_span {
    uint8_t *data;
    uint32_t len;
    uint16_t buffer;
    uint16_t next; /* in its chain, or of the free ones */
} wring__recv_span;

typedef struct wring__recv_chain {
    uint16_t head; /* WRING__RECV_NONE: empty */
    uint16_t tail;
} wring__recv_chain;

typedef struct wring__recv_buffer {
    wring__block block; /* its holders: one while it is in use, and whoever keeps bytes of it */
    uint32_t used;      /* the kernel has written so far */
    uint32_t spans;     /* that wait */
    bool is_lent;       /* the kernel has it, or may */
    bool is_kept;       /* somebody kept bytes of it since it was lent: it is in kept_count */
} wring__recv_buffer;

typedef struct wring__recv_pool {
    wring__backend *backend;
    wring__recv_buffer *buffers; /* backend->buffer_count */
    wring__recv_span *spans;
    uint32_t span_cap;
    uint16_t span_free;
    uint32_t kept_count; /* buffers that somebody kept bytes of */
    uint32_t kept_max;
    uint16_t *returns; /* buffers to hand back with this turn's batch */
    uint32_t return_count;
} wring__recv_pool;

/** Errors: WRING_ERR_NO_MEMORY, and then deinit is the caller's to call. */
WRING_MUST_CHECK wring_result wring__recv_init(wring__recv_pool *pool, wring__backend *backend);
void wring__recv_deinit(wring__recv_pool *pool);

static inline bool wring__recv_is_empty(const wring__recv_chain *chain) {
    return chain->head == WRING__RECV_NONE;
}

/** Takes over the bytes of a completion that names a buffer: to the end of the chain.
 *  Errors: WRING_ERR_NO_MEMORY; the bytes are lost. */
WRING_MUST_CHECK wring_result wring__recv_push(wring__recv_pool *pool, wring__recv_chain *chain,
                                               const wring__completion *completion);

/** The same, but nobody wants them. */
void wring__recv_discard(wring__recv_pool *pool, const wring__completion *completion);

/** Bytes on their way to an owner. */
typedef struct wring__recv_lease {
    wring_mut_bytes bytes;
    wring__block *block; /* what they lie in, if the owner may keep it by a reference; or NULL */
    wring__recv_buffer *buffer;
    uint32_t refs;
} wring__recv_lease;

/** Takes the first bytes, at most WRING__RECV_SPAN_MAX, off a chain that is not empty. Until
 *  wring__recv_done they stay; longer by a reference to the lease's block.
 *  @param may_keep  false: it is not offered */
wring__recv_lease wring__recv_take(wring__recv_pool *pool, wring__recv_chain *chain, bool may_keep);
void wring__recv_done(wring__recv_pool *pool, const wring__recv_lease *lease);

/** Buffers that the kernel has, or gets with the next return: with none a worker hears nothing. For
 *  tests.   Cost: all buffers. */
uint32_t wring__recv_lent(const wring__recv_pool *pool);

/** Bytes that wait in the chain.   Cost: its spans. */
size_t wring__recv_bytes(const wring__recv_pool *pool, const wring__recv_chain *chain);

/** Gives up what waits in the chain. */
void wring__recv_drop(wring__recv_pool *pool, wring__recv_chain *chain);

/** Before a turn of a backend that rewinds: the buffer that is being filled begins anew if nothing
 * in it is needed any more. */
void wring__recv_rewind(wring__recv_pool *pool);

/** Once a turn: buffers that nobody needs any more go back. */
void wring__recv_return(wring__recv_pool *pool);

#endif
