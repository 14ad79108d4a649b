/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a pool, for deflate_pool.c and deflate_rx.c. Nobody else includes it.
 */
#ifndef WRING_PROTO_DEFLATE_POOL_H
#define WRING_PROTO_DEFLATE_POOL_H

#include "core/count.h"
#include "proto/deflate.h"

/* Buffers up to here stay with the pool; a larger one serves its message and goes. */
#define WRING__DEFLATE_SCRATCH_KEEP ((size_t)256 << 10)
/* Different tunings a pool keeps a compressor for: windows 9 to 15 of one configuration. */
#define WRING__DEFLATE_COMPRESSORS_MAX 8

struct wring_deflate {
    wring_deflate_config config; /* of wring_deflate_create */
    struct shared_compressor {
        wring__compressor *compressor;
        wring__deflate_tuning tuning;
    } compressors[WRING__DEFLATE_COMPRESSORS_MAX];
    unsigned next_evicted;
    wring__inflater *inflater; /* 15 bits: right for any peer */
    uint8_t *scratch;          /* compressed bytes, until they are queued */
    size_t scratch_cap;
    wring__inflated spare;  /* for the next message inflated */
    wring__deflate *shared; /* of the sessions without takeover, by their parameters */
    uint32_t users;         /* sessions */
    uint32_t places;        /* of PLACES_MAX in use */
    bool metered;           /* wring__deflate_turn was called */
    const void *whose;      /* the machine whose share of */
    uint64_t turn;          /* ... this turn */
    uint64_t turn_left;     /* ... is this much yet */
    uint64_t tx_turn_left;  /* the same of what is compressed */
    uint32_t tx_places;     /* of TX_PLACES_MAX in use */
    wring_deflate_stats *stats;
    wring_deflate_stats own_stats;
};

/** One that all sessions with this tuning use, for one message at a time.  NULL: no memory. */
wring__compressor *wring__compressor_shared(wring_deflate *pool,
                                            const wring__deflate_tuning *tuning);
/** The machine's own, of one with takeover.  NULL: no memory, or the budget has no room for it. */
wring__compressor *wring__compressor_own(wring__deflate *deflate);
/** Room for compressed bytes; false when memory is out. */
bool wring__deflate_scratch_reserve(wring_deflate *pool, size_t need);

#endif
