/* SPDX-License-Identifier: Apache-2.0
 *
 * Long messages that are sent: compressed in shares, one a turn, so that others have theirs. Each
 * has a compressor of its own meanwhile, so only a few are under way at a time. See deflate.h.
 */
#include "proto/deflate_pool.h"

/* Long messages of a thread that are compressed at the same time; more wait. It bounds what a turn
 * compresses for them, and the memory of their compressors. */
#define TX_PLACES_MAX 4

bool wring__deflate_is_long(const wring__deflate *deflate, const wring_frame *frame) {
    return deflate->pool->metered && frame->payload.len > deflate->tx_turn_bytes &&
           !deflate->tx_short_only &&
           wring__deflate_is_worth(frame->payload, deflate->message_bytes_min, frame->compress);
}

bool wring__deflate_is_spent(const wring__deflate *deflate, const void *whose) {
    const wring_deflate *pool = deflate->pool;
    return pool->metered && (pool->whose != whose || pool->tx_turn_left == 0);
}

/* ---- compressors ----------------------------------------------------------------------------- */

/* Taken from its place, so that nobody else uses it meanwhile. */
static wring__compressor *compressor_lend(wring_deflate *pool, const wring__deflate_tuning *like) {
    wring__compressor *compressor = wring__compressor_shared(pool, like);
    for (unsigned i = 0; i < WRING__DEFLATE_COMPRESSORS_MAX; i++) {
        if (pool->compressors[i].compressor == compressor) {
            pool->compressors[i].compressor = NULL;
        }
    }
    return compressor;
}

/* Back to a place, if there is one. */
static void compressor_return(wring_deflate *pool, const wring__deflate_tuning *tuning,
                              wring__compressor *compressor) {
    for (unsigned i = 0; i < WRING__DEFLATE_COMPRESSORS_MAX; i++) {
        struct shared_compressor *place = &pool->compressors[i];
        if (place->compressor == NULL) {
            wring__compressor_reset(compressor);
            *place = (struct shared_compressor){compressor, *tuning};
            return;
        }
    }
    wring__compressor_destroy(compressor);
}

static wring_result deflation_begin(wring__deflate *d, wring__deflation *deflation) {
    wring_deflate *pool = d->pool;
    if (pool->tx_places == TX_PLACES_MAX) {
        return WRING_MORE;
    }
    deflation->compressor = d->tx_takeover ? wring__compressor_own(d) : NULL;
    deflation->is_lent = deflation->compressor == NULL;
    if (deflation->is_lent) {
        deflation->compressor = compressor_lend(pool, &d->tx);
    }
    if (deflation->compressor == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    pool->tx_places++;
    deflation->has_place = true;
    d->tx_busy = d->tx_takeover; /* without it the share is everybody's */
    return WRING_OK;
}

static void deflation_end(wring__deflate *d, wring__deflation *deflation) {
    if (deflation->has_place) {
        d->pool->tx_places--;
    }
    if (deflation->is_lent && deflation->compressor != NULL) {
        compressor_return(d->pool, &d->tx, deflation->compressor);
    }
    d->tx_busy = false;
    memset(deflation, 0, sizeof *deflation);
}

/* ---- shares ---------------------------------------------------------------------------------- */

static bool pays(const wring_frame *frame, const wring__deflation *deflation) {
    return !deflation->is_lent || frame->compress == WRING_COMPRESS_ALWAYS ||
           deflation->made < deflation->taken;
}

static void whole_count(const wring__deflate *d, const wring__deflation *deflation) {
    wring_deflate_stats *stats = d->pool->stats;
    wring__count(&stats->tx_messages, 1);
    wring__count(&stats->tx_bytes_before, deflation->taken);
    wring__count(&stats->tx_bytes_after, deflation->made);
}

/* One share; WRING_MORE: it was not the last. */
static wring_result share_make(wring__deflate *d, const wring_frame *frame,
                               wring__deflation *deflation, wring_bytes *out) {
    wring_deflate *pool = d->pool;
    const wring_bytes payload = frame->payload;
    const bool is_first = deflation->taken == 0;
    const size_t left = payload.len - deflation->taken;
    const size_t len = (size_t)wring__min_u64(left, pool->tx_turn_left);
    if (!wring__deflate_scratch_reserve(pool, wring__deflate_part_bound(len))) {
        return WRING_ERR_NO_MEMORY;
    }
    const wring_bytes part = wring_bytes_of(payload.data + deflation->taken, len);
    out->data = pool->scratch;
    out->len = wring__compressor_part(deflation->compressor, part, len == left, pool->scratch);
    pool->tx_turn_left -= len;
    deflation->taken += len;
    deflation->made += out->len;
    if (is_first && !pays(frame, deflation)) { /* as it begins, so it will go on */
        out->len = 0;
        return WRING_OK;
    }
    return len == left ? WRING_OK : WRING_MORE;
}

wring_result wring__deflate_share(wring__deflate *deflate, const void *whose,
                                  const wring_frame *frame, wring__deflation *deflation,
                                  wring_bytes *out) {
    wring_deflate_stats *stats = deflate->pool->stats;
    wring_result result = wring__deflate_is_spent(deflate, whose) ? WRING_MORE : WRING_OK;
    *out = wring_bytes_of(NULL, 0);
    if (result == WRING_OK && !deflation->has_place) {
        result = deflation_begin(deflate, deflation);
    }
    if (result == WRING_OK) {
        result = share_make(deflate, frame, deflation, out);
    }
    if (result == WRING_MORE) {
        wring__count(&stats->tx_interrupted, 1);
        return result;
    }
    if (result == WRING_OK && out->len > 0) {
        whole_count(deflate, deflation);
    } else if (result == WRING_OK) {
        wring__count(&stats->tx_plain_messages, 1);
    }
    deflation_end(deflate, deflation);
    return result;
}

wring_result wring__deflate_cut(wring__deflate *deflate, wring__deflation *deflation,
                                wring_bytes *out) {
    wring_deflate *pool = deflate->pool;
    wring_result result = WRING_ERR_NO_MEMORY;
    if (wring__deflate_scratch_reserve(pool, wring__deflate_part_bound(0))) {
        *out = wring_bytes_of(pool->scratch,
                              wring__compressor_flush(deflation->compressor, pool->scratch));
        deflation->made += out->len;
        whole_count(deflate, deflation);
        result = WRING_OK;
    }
    if (!deflation->is_lent) { /* the peer's window moves on without it */
        wring__compressor_reset(deflation->compressor);
    }
    deflation_end(deflate, deflation);
    return result;
}

void wring__deflate_drop(wring__deflate *deflate, wring__deflation *deflation) {
    if (!deflation->has_place) {
        return;
    }
    if (!deflation->is_lent) { /* what it holds back must not come out with the next message */
        wring__compressor_reset(deflation->compressor);
    }
    deflation_end(deflate, deflation);
}
