/* SPDX-License-Identifier: Apache-2.0
 *
 * What is received, through a thread's inflaters: one that is lent to the message at hand without
 * takeover, a machine's own with it. Inflating is the one step where a few bytes received make work
 * for a thousand times as many, or work and no bytes at all, so it is done in shares: of one
 * machine so much output or input a turn, and of the messages that are larger than a share only a
 * few at a time. See deflate.h.
 */
#include <stdlib.h>

#include "proto/deflate_pool.h"

/* Messages that may be inflated over several turns at the same time; more wait, without output.
 * This bounds what a turn inflates for them, and the memory they grow to. */
#define PLACES_MAX 8

static wring__inflater *inflater_own(wring__deflate *d) {
    if (d->inflater == NULL) {
        d->inflater =
            wring__inflater_create(d->rx_window_bits, wring_bytes_of(d->window, d->window_len));
        if (d->inflater != NULL) {
            free(d->window);
            d->window = NULL;
            d->window_len = 0;
        }
    }
    d->used = true;
    return d->inflater;
}

/* Lent until the message ends; the next one gets another. */
static wring__inflater *inflater_lend(wring_deflate *pool) {
    wring__inflater *inflater = pool->inflater;
    pool->inflater = NULL;
    return inflater != NULL ? inflater : wring__inflater_create(15, wring_bytes_of(NULL, 0));
}

/* Back and empty: the pool keeps one. */
static void inflater_return(wring_deflate *pool, wring__inflater *inflater) {
    if (inflater != NULL && pool->inflater == NULL) {
        wring__inflater_reset(inflater);
        pool->inflater = inflater;
    } else {
        wring__inflater_destroy(inflater);
    }
}

void wring__deflate_turn(wring__deflate *deflate, const void *whose, uint64_t turn) {
    wring_deflate *pool = deflate->pool;
    if (!pool->metered || pool->whose != whose || pool->turn != turn) {
        pool->metered = true;
        pool->whose = whose;
        pool->turn = turn;
        pool->turn_left = deflate->turn_bytes;
        pool->tx_turn_left = deflate->tx_turn_bytes;
    }
}

static bool place_take(wring_deflate *pool, wring__inflation *inflation) {
    if (!inflation->has_place && pool->places < PLACES_MAX) {
        pool->places++;
        inflation->has_place = true;
        inflation->waits = false;
    }
    return inflation->has_place;
}

/* Its output goes, its inflater too unless that is the machine's own. */
static void inflation_drop(wring__deflate *d, wring__inflation *inflation) {
    if (inflation->out.data != NULL) {
        wring__deflate_recycle(d, inflation->out.data, inflation->out.cap);
    }
    inflater_return(d->pool, inflation->inflater);
    d->pool->places -= inflation->has_place;
    memset(inflation, 0, sizeof *inflation);
}

/* No place is free. Without takeover it begins anew when one is, so that a message that waits holds
 * no more than was received of it; with takeover the window has moved on, and it keeps what it has.
 * Who had only the rest of a share has a whole one next turn, and may need no place then. */
static void inflation_shelve(wring__deflate *d, wring__inflation *inflation, bool had_whole_share) {
    if (!d->rx_takeover) {
        inflation_drop(d, inflation);
    }
    inflation->waits = had_whole_share;
}

static wring__inflater *inflation_begin(wring__deflate *d, wring__inflation *inflation) {
    wring_deflate *pool = d->pool;
    if (inflation->out.data == NULL) {
        inflation->out = (wring__inflated){pool->spare.data, 0, pool->spare.cap};
        memset(&pool->spare, 0, sizeof pool->spare);
    }
    if (d->rx_takeover) {
        d->rx_busy = true;
        return inflater_own(d);
    }
    if (inflation->inflater == NULL) {
        inflation->inflater = inflater_lend(pool);
    }
    return inflation->inflater;
}

/* After the message: a window that failed is of no more use. */
static void inflation_end(wring__deflate *d, wring__inflation *inflation, wring_result result) {
    wring__inflated whole = inflation->out;
    if (result == WRING_OK) {
        memset(&inflation->out, 0, sizeof inflation->out);
        wring__count(&d->pool->stats->rx_messages, 1);
        wring__count(&d->pool->stats->rx_bytes_before, inflation->taken);
        wring__count(&d->pool->stats->rx_bytes_after, whole.len);
    } else {
        wring__inflater_destroy(d->inflater);
        d->inflater = NULL;
    }
    d->rx_busy = false;
    inflation_drop(d, inflation);
    if (result == WRING_OK) {
        inflation->out = whole;
    }
}

/* What `whose` may still have in this turn. */
static uint64_t share_of_turn(wring_deflate *pool, const void *whose, wring__inflation *inflation) {
    if (!pool->metered) {
        return UINT64_MAX;
    }
    if (pool->whose != whose) { /* a look between two turns: at mail, at time passed */
        return 0;
    }
    if (inflation->waits && !place_take(pool, inflation)) {
        pool->turn_left = 0;
    }
    return pool->turn_left;
}

/* WRING_MORE: not in this turn. */
static wring_result inflation_step(wring__deflate *d, uint64_t share, wring_bytes payload,
                                   uint64_t max, wring__inflation *inflation) {
    wring_deflate *pool = d->pool;
    if (share == 0) {
        return WRING_MORE;
    }
    wring__inflater *inflater = inflation_begin(d, inflation);
    if (inflater == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    const size_t before = inflation->out.len;
    const size_t taken = inflation->taken;
    max = wring__min_u64(max, wring__min_u64(d->max_inflated, SIZE_MAX / 4));
    wring_result result =
        wring__inflater_run(inflater, payload, &inflation->taken, max, share, &inflation->out);
    if (result == WRING_MORE) {
        pool->turn_left = 0;
    } else if (pool->metered) {
        const uint64_t made = inflation->out.len - before;
        const uint64_t read = (inflation->taken - taken) * WRING__INFLATE_INPUT;
        pool->turn_left -= wring__min_u64(share, made > read ? made : read);
    }
    if (result == WRING_MORE && !place_take(pool, inflation)) {
        inflation_shelve(d, inflation, share == d->turn_bytes);
    }
    return result;
}

wring_result wring__deflate_inflate(wring__deflate *deflate, const void *whose, wring_bytes payload,
                                    uint64_t max, wring__inflation *inflation) {
    const uint64_t share = share_of_turn(deflate->pool, whose, inflation);
    wring_result result = inflation_step(deflate, share, payload, max, inflation);
    if (result == WRING_MORE) {
        wring__count(&deflate->pool->stats->rx_interrupted, 1);
    } else {
        inflation_end(deflate, inflation, result);
    }
    return result;
}

void wring__deflate_abandon(wring__deflate *deflate, wring__inflation *inflation) {
    if (inflation->taken > 0 || inflation->out.data != NULL || inflation->has_place) {
        inflation_end(deflate, inflation, WRING_ERR_CLOSED);
    }
}

void wring__deflate_recycle(wring__deflate *deflate, uint8_t *data, size_t cap) {
    wring_deflate *pool = deflate->pool;
#ifndef WRING_ASAN /* with it every message has memory of its own, so that ASan sees its end */
    if (pool->spare.data == NULL && cap <= WRING__DEFLATE_SCRATCH_KEEP) {
        pool->spare = (wring__inflated){data, 0, cap};
        return;
    }
#endif
    (void)pool;
    (void)cap;
    free(data);
}
