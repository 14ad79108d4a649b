/* SPDX-License-Identifier: Apache-2.0
 *
 * The compressors and inflaters of one thread: shared by all sessions without takeover, a
 * machine's own with it; what is worth compressing; the budget of the process. See deflate.h.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "proto/deflate_pool.h"
#include "core/sized.h"

#define WINDOW_OF_8 256
/* ---- the budget ------------------------------------------------------------------------------ */

static _Atomic uint64_t budget_used;

uint64_t wring__deflate_budget_used(void) {
    return atomic_load_explicit(&budget_used, memory_order_relaxed);
}

static bool budget_take(uint64_t bytes, uint64_t budget) {
    uint64_t used = atomic_load_explicit(&budget_used, memory_order_relaxed);
    do {
        if (used > budget || bytes > budget - used) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&budget_used, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

/* The other end has decided: this must be had. */
static void budget_take_anyway(uint64_t bytes) {
    atomic_fetch_add_explicit(&budget_used, bytes, memory_order_relaxed);
}

static void budget_give(uint64_t bytes) {
    uint64_t before = atomic_fetch_sub_explicit(&budget_used, bytes, memory_order_relaxed);
    WRING_ASSERT(before >= bytes);
}

/* ---- parameters as seen from one side -------------------------------------------------------- */

static uint8_t bits_usable(uint8_t bits) {
    return bits < 9 ? 9 : bits;
}

struct side {
    uint8_t tx_bits, rx_bits;
    bool tx_takeover, rx_takeover;
};

static struct side side_of(const wring_deflate_params *params, wring_role role) {
    struct side server = {params->server_max_window_bits, params->client_max_window_bits,
                          !params->server_no_context_takeover, !params->client_no_context_takeover};
    struct side client = {server.rx_bits, server.tx_bits, server.rx_takeover, server.tx_takeover};
    return role == WRING_ROLE_SERVER ? server : client;
}

static wring__deflate_tuning tuning_of(const wring_deflate_config *config, uint8_t bits) {
    wring__deflate_tuning tuning = {bits_usable(bits), config->level, config->mem_level,
                                    (uint8_t)config->strategy};
    return tuning;
}

static uint64_t tx_memory(const wring_deflate_config *config, struct side side) {
    return side.tx_takeover ? wring__compressor_memory(tuning_of(config, side.tx_bits)) : 0;
}

static uint64_t rx_memory(struct side side) {
    return side.rx_takeover ? wring__inflater_memory(bits_usable(side.rx_bits)) : 0;
}

static void takeover_refuse(wring_deflate *pool) {
    wring__count(&pool->stats->takeover_refused, 1);
}

/* Takes what receiving needs for good; what sending needs has to fit now and is taken with the
 * first message, since a compressor can always be done without. */
static bool takeover_fits(const wring_deflate_config *config, struct side side) {
    const uint64_t rx = rx_memory(side);
    const uint64_t tx = tx_memory(config, side);
    if (!budget_take(rx + tx, config->takeover_budget_bytes)) {
        return false;
    }
    budget_give(tx);
    return true;
}

wring_deflate_config wring__deflate_offer_config(wring_deflate *pool,
                                                 const wring_deflate_config *config) {
    wring_deflate_config offered = *config;
    struct side side = {config->client_max_window_bits, config->server_max_window_bits,
                        config->client_context_takeover, config->server_context_takeover};
    if (!takeover_fits(config, side)) {
        offered.server_context_takeover = false;
        offered.client_context_takeover = false;
        takeover_refuse(pool);
    } else {
        budget_give(rx_memory(side));
    }
    return offered;
}

/* ---- a machine's share ----------------------------------------------------------------------- */

static wring__deflate share_of(wring_deflate *pool, const wring_deflate_config *config,
                               struct side side) {
    wring__deflate d = {
        .pool = pool,
        .tx = tuning_of(config, side.tx_bits),
        .rx_window_bits = bits_usable(side.rx_bits),
        .tx_takeover = side.tx_takeover,
        .rx_takeover = side.rx_takeover,
        .tx_short_only = side.tx_bits < 9,
        .message_bytes_min = config->message_bytes_min,
        .idle_ms = config->takeover_idle_ms,
        .max_inflated = config->inflated_bytes_max,
        .turn_bytes = config->inflate_turn_bytes,
        .tx_turn_bytes = config->compress_turn_bytes,
        .budget = config->takeover_budget_bytes,
    };
    return d;
}

static bool shares_are_equal(const wring__deflate *a, const wring__deflate *b) {
    return memcmp(&a->tx, &b->tx, sizeof a->tx) == 0 && a->tx_short_only == b->tx_short_only &&
           a->message_bytes_min == b->message_bytes_min && a->max_inflated == b->max_inflated &&
           a->turn_bytes == b->turn_bytes && a->tx_turn_bytes == b->tx_turn_bytes;
}

static wring__deflate *share_make(const wring__deflate *like) {
    wring__deflate *d = malloc(sizeof *d);
    if (d != NULL) {
        *d = *like;
        d->refs = 1;
    }
    return d;
}

static wring__deflate *share_find_or_make(wring_deflate *pool, const wring__deflate *wanted) {
    wring__deflate *d = pool->shared;
    while (d != NULL && !shares_are_equal(d, wanted)) {
        d = d->next;
    }
    if (d != NULL) {
        d->refs++;
        return d;
    }
    d = share_make(wanted);
    if (d != NULL) {
        d->next = pool->shared;
        pool->shared = d;
    }
    return d;
}

wring__deflate *wring__deflate_acquire(wring_deflate *pool, const wring_deflate_config *config,
                                       wring_deflate_params *params, wring_role role,
                                       bool may_refuse) {
    struct side side = side_of(params, role);
    if ((side.tx_takeover || side.rx_takeover) && may_refuse && !takeover_fits(config, side)) {
        params->server_no_context_takeover = true;
        params->client_no_context_takeover = true;
        side = side_of(params, role);
        takeover_refuse(pool);
    }
    const wring__deflate wanted = share_of(pool, config, side);
    wring__deflate *d;
    if (side.tx_takeover || side.rx_takeover) {
        d = share_make(&wanted);
        if (!may_refuse) {
            budget_take_anyway(rx_memory(side));
        }
        if (d != NULL) {
            d->rx_reserved = rx_memory(side);
        } else {
            budget_give(rx_memory(side));
        }
    } else {
        d = share_find_or_make(pool, &wanted);
    }
    pool->users += d != NULL;
    return d;
}

static void compressor_drop(wring__deflate *d) {
    wring__compressor_destroy(d->compressor);
    d->compressor = NULL;
    budget_give(d->tx_reserved);
    d->tx_reserved = 0;
}

static void share_unlink(const wring__deflate *deflate) {
    wring__deflate **link = &deflate->pool->shared;
    while (*link != NULL && *link != deflate) {
        link = &(*link)->next;
    }
    if (*link == deflate) {
        *link = deflate->next;
    }
}

void wring__deflate_release(wring__deflate *deflate) {
    if (deflate == NULL) {
        return;
    }
    deflate->pool->users--;
    if (--deflate->refs > 0) {
        return;
    }
    share_unlink(deflate);
    compressor_drop(deflate);
    wring__inflater_destroy(deflate->inflater);
    free(deflate->window);
    budget_give(deflate->rx_reserved);
    free(deflate);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Bytes sampled, and how much more often than by chance two of them are equal where compressing
 * pays: 1.3 times. Text is near 17 times, base64 near 4, what is compressed or encrypted at 1. */
#define SAMPLE_MIN  512
#define SAMPLE_RUN  256
#define SAMPLE_RUNS 4

static bool looks_random(wring_bytes payload) {
    uint32_t counts[256] = {0};
    const size_t runs =
        payload.len < SAMPLE_RUN * SAMPLE_RUNS ? payload.len / SAMPLE_RUN : SAMPLE_RUNS;
    const size_t stride = payload.len / runs;
    for (size_t r = 0; r < runs; r++) {
        for (size_t i = 0; i < SAMPLE_RUN; i++) {
            counts[payload.data[r * stride + i]]++;
        }
    }
    uint64_t pairs = 0;
    for (unsigned i = 0; i < 256; i++) {
        pairs += (uint64_t)counts[i] * counts[i];
    }
    const uint64_t n = runs * SAMPLE_RUN;
    return pairs < n + n * n / 256 * 13 / 10;
}

bool wring__deflate_is_worth(wring_bytes payload, uint32_t message_bytes_min,
                             uint16_t compression) {
    if (payload.len == 0 || compression == WRING_COMPRESS_NEVER) {
        return false;
    }
    if (compression == WRING_COMPRESS_ALWAYS) {
        return true;
    }
    return payload.len >= message_bytes_min && message_bytes_min != WRING_OFF &&
           (payload.len < SAMPLE_MIN || !looks_random(payload));
}

static bool tunings_are_equal(const wring__deflate_tuning *a, const wring__deflate_tuning *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

wring__compressor *wring__compressor_shared(wring_deflate *pool,
                                            const wring__deflate_tuning *tuning) {
    for (unsigned i = 0; i < WRING__DEFLATE_COMPRESSORS_MAX; i++) {
        if (pool->compressors[i].compressor != NULL &&
            tunings_are_equal(&pool->compressors[i].tuning, tuning)) {
            return pool->compressors[i].compressor;
        }
    }
    struct shared_compressor *place =
        &pool->compressors[pool->next_evicted++ % WRING__DEFLATE_COMPRESSORS_MAX];
    wring__compressor_destroy(place->compressor);
    place->compressor = wring__compressor_create(*tuning);
    place->tuning = *tuning;
    return place->compressor;
}

wring__compressor *wring__compressor_own(wring__deflate *d) {
    const uint64_t need = wring__compressor_memory(d->tx);
    if (d->compressor == NULL && budget_take(need, d->budget)) {
        d->tx_reserved = need;
        d->compressor = wring__compressor_create(d->tx);
        if (d->compressor == NULL) {
            compressor_drop(d);
        }
    }
    d->used = true;
    return d->compressor;
}

bool wring__deflate_scratch_reserve(wring_deflate *pool, size_t need) {
    const bool fits = need <= pool->scratch_cap;
    if (fits &&
        (pool->scratch_cap <= WRING__DEFLATE_SCRATCH_KEEP || need > WRING__DEFLATE_SCRATCH_KEEP)) {
        return true;
    }
    free(pool->scratch); /* too small, or left from a larger message */
    pool->scratch_cap = need < 4096 ? 4096 : need;
    pool->scratch = malloc(pool->scratch_cap);
    pool->scratch_cap = pool->scratch == NULL ? 0 : pool->scratch_cap;
    return pool->scratch != NULL;
}

/* Compressed into the scratch; 0: there is no compressor, or it is not smaller without takeover,
 * where nothing is lost by not sending it. With takeover what was fed has to be sent. */
static size_t message_compress(wring__deflate *d, wring_bytes payload, bool always) {
    wring__compressor *own = d->tx_takeover ? wring__compressor_own(d) : NULL;
    if (own != NULL) {
        return wring__compressor_run(own, payload, d->pool->scratch);
    }
    wring__compressor *shared = wring__compressor_shared(d->pool, &d->tx);
    if (shared == NULL) {
        return 0;
    }
    size_t len = wring__compressor_run(shared, payload, d->pool->scratch);
    wring__compressor_reset(shared);
    return len < payload.len || always ? len : 0;
}

wring_result wring__deflate_message(wring__deflate *deflate, const wring_frame *frame,
                                    wring_bytes *out) {
    wring_deflate_stats *stats = deflate->pool->stats;
    const wring_bytes payload = frame->payload;
    *out = wring_bytes_of(NULL, 0);
    if (!wring__deflate_is_worth(payload, deflate->message_bytes_min, frame->compress) ||
        (deflate->tx_short_only && payload.len > WINDOW_OF_8)) {
        wring__count(&stats->tx_plain_messages, 1);
        return WRING_OK;
    }
    if (!wring__deflate_scratch_reserve(deflate->pool, wring__deflate_bound(payload.len))) {
        return WRING_ERR_NO_MEMORY;
    }
    deflate->pool->tx_turn_left -= wring__min_u64(deflate->pool->tx_turn_left, payload.len);
    const size_t len = message_compress(deflate, payload, frame->compress == WRING_COMPRESS_ALWAYS);
    if (len == 0) {
        wring__count(&stats->tx_plain_messages, 1);
        return WRING_OK;
    }
    wring__count(&stats->tx_messages, 1);
    wring__count(&stats->tx_bytes_before, payload.len);
    wring__count(&stats->tx_bytes_after, len);
    *out = wring_bytes_of(deflate->pool->scratch, len);
    return WRING_OK;
}

void wring__deflate_bypassed(wring__deflate *deflate) {
    if (deflate->compressor != NULL) {
        wring__compressor_reset(deflate->compressor);
    }
}

uint8_t wring__deflate_window_max(const wring__deflate *deflate, size_t payload_len) {
    if (deflate->message_bytes_min == WRING_OFF) {
        return 0;
    }
    if (deflate->tx_short_only) { /* no distance in so short a message is too far for any window */
        return payload_len <= WINDOW_OF_8 ? 15 : 0;
    }
    return deflate->tx.window_bits;
}

/* ---- idleness -------------------------------------------------------------------------------- */

wring_time_ns wring__deflate_deadline(const wring__deflate *deflate, wring_time_ns activity_ns) {
    if ((deflate->compressor == NULL && deflate->inflater == NULL) ||
        deflate->idle_ms == WRING_OFF) {
        return WRING_TIME_NEVER;
    }
    const wring_time_ns from = deflate->looked_ns > activity_ns ? deflate->looked_ns : activity_ns;
    return from + deflate->idle_ms * WRING_NS_PER_MS;
}

/* Keeps the window alone; without memory for it, everything. */
static void inflater_park(wring__deflate *d) {
    uint8_t window[32768];
    const size_t len = wring__inflater_window(d->inflater, window);
    uint8_t *kept = len == 0 ? NULL : malloc(len);
    if (len > 0 && kept == NULL) {
        return;
    }
    if (len > 0) {
        memcpy(kept, window, len);
    }
    d->window = kept;
    d->window_len = len;
    wring__inflater_destroy(d->inflater);
    d->inflater = NULL;
}

void wring__deflate_expire(wring__deflate *deflate, wring_time_ns activity_ns, wring_time_ns now) {
    if (now < wring__deflate_deadline(deflate, activity_ns)) {
        return;
    }
    deflate->looked_ns = now;
    if (deflate->used || deflate->rx_busy || deflate->tx_busy) {
        deflate->used = false;
        return;
    }
    compressor_drop(deflate);
    if (deflate->inflater != NULL) {
        inflater_park(deflate);
    }
}

/* ---- the pool -------------------------------------------------------------------------------- */

wring_deflate *wring__deflate_pool_create(wring_deflate_stats *stats) {
    wring_deflate *pool = calloc(1, sizeof *pool);
    if (pool != NULL) {
        pool->stats = stats == NULL ? &pool->own_stats : stats;
    }
    return pool;
}

wring_result wring_deflate_create(const wring_deflate_config *config, wring_deflate **out,
                                  wring_error *error) {
    wring_deflate_config adopted;
    *out = NULL;
    wring_result result = wring__deflate_config_adopt(config, &adopted, error);
    if (result != WRING_OK) {
        return result;
    }
    *out = wring__deflate_pool_create(NULL);
    if (*out == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for compression");
    }
    (*out)->config = adopted;
    return WRING_OK;
}

const wring_deflate_config *wring__deflate_pool_config(const wring_deflate *pool) {
    return &pool->config;
}

void wring_deflate_destroy(wring_deflate *deflate) {
    if (deflate == NULL) {
        return;
    }
    WRING_ASSERT(deflate->users == 0);
    for (unsigned i = 0; i < WRING__DEFLATE_COMPRESSORS_MAX; i++) {
        wring__compressor_destroy(deflate->compressors[i].compressor);
    }
    wring__inflater_destroy(deflate->inflater);
    free(deflate->scratch);
    free(deflate->spare.data);
    free(deflate);
}

static void add(uint64_t *sum, const uint64_t *counter) {
    *sum += wring__count_read(counter);
}

void wring__deflate_stats_add(const wring_deflate_stats *stats, wring_deflate_stats *sum) {
    add(&sum->tx_messages, &stats->tx_messages);
    add(&sum->tx_bytes_before, &stats->tx_bytes_before);
    add(&sum->tx_bytes_after, &stats->tx_bytes_after);
    add(&sum->tx_plain_messages, &stats->tx_plain_messages);
    add(&sum->rx_messages, &stats->rx_messages);
    add(&sum->rx_bytes_before, &stats->rx_bytes_before);
    add(&sum->rx_bytes_after, &stats->rx_bytes_after);
    add(&sum->rx_interrupted, &stats->rx_interrupted);
    add(&sum->tx_interrupted, &stats->tx_interrupted);
    add(&sum->takeover_refused, &stats->takeover_refused);
}

wring_result wring_deflate_get_stats(const wring_deflate *deflate, wring_deflate_stats *out) {
    wring_deflate_stats stats = {.struct_size = sizeof stats};
    wring__deflate_stats_add(deflate->stats, &stats);
    stats.context_bytes = wring__deflate_budget_used();
    return wring__sized_give(out, &stats, sizeof stats);
}
