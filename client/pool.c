/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads for clients: create, drain, join. See pool.h.
 */
#include "client/pool.h"

#include <stdlib.h>

#include "core/ref.h"
#include "core/sized.h"
#include "io/registry.h"

static wring__pool_worker *worker_of(wring__worker *io) {
    return WRING_CONTAINER_OF(io, wring__pool_worker, io);
}

static void worker_mail(wring__worker *io, const wring__mail *mail) {
    wring__member_drain(&worker_of(io)->member, mail);
}

static void worker_timer(wring__worker *io) {
    wring__worker_abort_guests(io);
}

static const wring__worker_ops worker_ops = {
    .name = "pool",
    .mail = worker_mail,
    .timer = worker_timer,
};

/* ---- a member of the group ------------------------------------------------------------------- */

static wring_result member_open(wring__member *member) {
    wring__pool_worker *worker = worker_of(member->worker);
    const wring_pool *pool = worker->pool;
    wring__worker_config config = {
        .backend = pool->group.backend.ops,
        .backend_config = {.entries = pool->config.ring_entries,
                           .buffer_count = pool->config.receive_buffers,
                           .buffer_size = pool->config.receive_buffer_bytes,
                           .context = pool->group.backend.context},
        .ops = &worker_ops,
        .log = &worker->pool->log,
        .number = member->number,
        .group = pool,
        .mailbox_items = pool->config.mailbox_items,
        .dialled_pause_bytes = pool->config.pause_bytes,
    };
    wring_result result = wring__worker_init(&worker->io, &config, &member->error);
    if (result != WRING_OK) {
        return result;
    }
    result = wring__registry_add(&worker->io, &worker->io.index);
    if (result != WRING_OK) {
        wring__worker_deinit(&worker->io);
        return wring_error_set(&member->error, result, 0, "the process has 255 workers already");
    }
    return WRING_OK;
}

static void member_close(wring__member *member) {
    WRING_ASSERT(wring__worker_is_quiet(member->worker));
    wring__registry_remove(member->worker->index);
    wring__worker_empty_mailbox(member->worker);
    wring__worker_deinit(member->worker);
}

static void member_drain(wring__member *member, wring_duration_ns longest) {
    wring__worker *io = member->worker;
    wring__worker_set_owner_timer(io, io->now + longest);
    wring__worker_drain_guests(io);
}

static const wring__group_ops group_ops = {member_open, member_close, member_drain};

/* ---- create ---------------------------------------------------------------------------------- */

static wring_result config_adopt(const wring_pool_config *in, wring_pool_config *out,
                                 wring_error *error) {
    const wring_pool_config none = {.struct_size = sizeof none};
    const wring_result sized = wring__sized_adopt(out, sizeof *out, in == NULL ? &none : in,
                                                  offsetof(wring_pool_config, receive_buffers),
                                                  "wring_pool_config", error);
    if (sized != WRING_OK) {
        return sized;
    }
    out->threads = out->threads == 0 ? 1 : out->threads;
    out->receive_buffers = out->receive_buffers == 0 ? 1024 : out->receive_buffers;
    out->receive_buffer_bytes =
        out->receive_buffer_bytes == 0 ? WRING__BUFFER_SIZE_DEFAULT : out->receive_buffer_bytes;
    const bool power_of_two = (out->receive_buffers & (out->receive_buffers - 1)) == 0;
    if (out->threads > WRING__WORKERS_MAX || !power_of_two || out->receive_buffers > 32768 ||
        out->receive_buffer_bytes < 64 || out->receive_buffer_bytes > (1u << 24)) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "threads is above 255, receive_buffers is no power of two up to "
                               "32,768, or receive_buffer_bytes is not from 64 bytes to 16 MiB");
    }
    return WRING_OK;
}

static wring_result pool_alloc(const wring_pool_config *config, wring_pool **out,
                               wring_error *error) {
    wring_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for a pool");
    }
    wring_result result = config_adopt(config, &pool->config, error);
    if (result == WRING_OK) {
        result = wring__log_init(&pool->log, pool->config.log, error);
    }
    if (result != WRING_OK) {
        free(pool);
        return result;
    }
    const size_t size = pool->config.threads * sizeof *pool->workers;
    pool->workers = aligned_alloc(WRING_CACHE_LINE, size);
    if (pool->workers == NULL ||
        wring__group_init(&pool->group, &group_ops, pool->config.threads) != WRING_OK) {
        free(pool->workers);
        free(pool);
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for a pool");
    }
    memset(pool->workers, 0, size);
    for (uint32_t i = 0; i < pool->config.threads; i++) {
        pool->workers[i].pool = pool;
        wring__group_place(&pool->group, i, &pool->workers[i].member, &pool->workers[i].io);
    }
    pool->group.is_pinned = pool->config.pinned;
    *out = pool;
    return WRING_OK;
}

static void started_tell(wring_pool *pool) {
    wring__log_entry entry;
    wring__group_tell_fallback(&pool->group, pool->config.backend, &pool->log);
    if (wring__log_begin(&entry, &pool->log, WRING__LOG_STARTED)) {
        wring__log_number(&entry, "threads", pool->config.threads);
        wring__log_text(&entry, "backend", wring_backend_name(pool->group.picked));
        wring__log_write(&entry, "a pool of %u threads runs", pool->config.threads);
    }
}

wring_result wring__pool_create_on(const wring_pool_config *config, wring__backend_choice backend,
                                   wring_pool **out, wring_error *error) {
    wring_pool *pool = NULL;
    *out = NULL;
    wring_result result = pool_alloc(config, &pool, error);
    if (result != WRING_OK) {
        return result;
    }
    pool->group.backend = backend;
    result = wring__group_pick(&pool->group, pool->config.backend, error);
    if (result == WRING_OK) {
        result = wring__group_start(&pool->group, error);
    }
    if (result != WRING_OK) {
        wring_pool_destroy(pool, 0);
        return result;
    }
    started_tell(pool);
    *out = pool;
    return WRING_OK;
}

wring_result wring_pool_create(const wring_pool_config *config, wring_pool **out,
                               wring_error *error) {
    return wring__pool_create_on(config, (wring__backend_choice){.ops = NULL}, out, error);
}

wring_loop wring_pool_loop(wring_pool *pool) {
    const uint32_t next = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
    return pool->workers[next % pool->config.threads].io.index;
}

wring_result wring_pool_get_stats(const wring_pool *pool, wring_pool_stats *stats) {
    wring_pool_stats full = {.struct_size = sizeof full};
    wring_pool_stats *out = &full;
    out->backend = pool->group.picked;
    out->backend_reason = pool->group.reason.text;
    for (uint32_t i = 0; i < pool->config.threads; i++) {
        const wring__worker *worker = &pool->workers[i].io;
        out->rx_bytes += wring__count_read(&worker->counters.rx_bytes);
        out->tx_bytes += wring__count_read(&worker->counters.tx_bytes);
        out->rx_messages += wring__count_read(&worker->messages.rx);
        out->tx_messages += wring__count_read(&worker->messages.tx);
        out->turns += wring__count_read(&worker->counters.turns);
        out->mail_stale += wring__count_read(&worker->counters.stale_mail);
        out->mail_lost += wring__count_read(&worker->counters.lost_mail);
        out->mail_refused += atomic_load_explicit(&worker->mail_refused, memory_order_relaxed);
    }
    return wring__sized_give(stats, &full, sizeof full);
}

/* ---- ending ---------------------------------------------------------------------------------- */

void wring__pool_drain(wring_pool *pool, uint32_t drain_ms) {
    wring__group_drain(&pool->group, drain_ms * WRING_NS_PER_MS);
}

bool wring__pool_is_done(const wring_pool *pool) {
    return wring__group_is_done(&pool->group);
}

void wring_pool_destroy(wring_pool *pool, uint32_t drain_ms) {
    if (pool == NULL) {
        return;
    }
    wring__group_refuse_inside(&pool->group, "wring_pool_destroy",
                               "tell another thread to destroy the pool");
    if (!pool->group.backend.is_driven) {
        wring__pool_drain(pool, drain_ms);
    }
    wring__group_join(&pool->group);
    wring__log_close(&pool->log);
    wring__group_deinit(&pool->group);
    free(pool->workers);
    free(pool);
}
