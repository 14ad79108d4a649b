/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads for clients: create, drain, join. See pool.h.
 */
#include "client/pool.h"

#include <sched.h>
#include <stdlib.h>

#include "core/ref.h"
#include "io/registry.h"

enum { MAIL_DRAIN = WRING__MAIL_WORKER /* value: ns it may take */ };

static wring__pool_worker *worker_of(wring__worker *io) {
    return WRING_CONTAINER_OF(io, wring__pool_worker, io);
}

static void worker_mail(wring__worker *io, const wring__mail *mail) {
    wring__pool_worker *worker = worker_of(io);
    WRING_ASSERT(mail->kind == MAIL_DRAIN);
    if (!worker->draining) {
        worker->draining = true;
        wring__worker_set_owner_timer(io, io->now + mail->value);
        wring__worker_drain_guests(io);
    }
}

static void worker_timer(wring__worker *io) {
    wring__worker_abort_guests(io);
}

static const wring__worker_ops worker_ops = {
    .name = "pool",
    .mail = worker_mail,
    .timer = worker_timer,
};

static wring_result worker_open(wring__pool_worker *worker) {
    const wring_pool *pool = worker->pool;
    wring__worker_config config = {
        .backend = pool->backend,
        .backend_config = {.entries = pool->config.ring_entries,
                           .buffer_count = pool->config.receive_buffers,
                           .buffer_size = pool->config.receive_buffer_size,
                           .world = pool->world},
        .ops = &worker_ops,
        .group = pool,
        .mailbox_items = pool->config.mailbox_items,
        .dialled_pause_bytes = pool->config.pause_bytes,
    };
    wring_result result = wring__worker_init(&worker->io, &config, &worker->error);
    if (result != WRING_OK) {
        return result;
    }
    result = wring__registry_add(&worker->io, &worker->io.index);
    if (result != WRING_OK) {
        wring__worker_deinit(&worker->io);
        return wring_error_set(&worker->error, result, 0, "the process has 255 workers already");
    }
    worker->initialised = true;
    return WRING_OK;
}

static void worker_close(wring__pool_worker *worker) {
    if (worker->initialised) {
        worker->initialised = false;
        wring__registry_remove(worker->io.index);
        wring__worker_empty_mailbox(&worker->io);
        wring__worker_deinit(&worker->io);
    }
}

static bool worker_is_done(const wring__pool_worker *worker) {
    return worker->draining && wring__worker_is_quiet(&worker->io);
}

static void *worker_run(void *arg) {
    wring__pool_worker *worker = arg;
    wring_pool *pool = worker->pool;
    if (pool->config.pinned) {
        wring__worker_pin(worker->number);
    }
    worker->result = worker_open(worker);
    pthread_mutex_lock(&pool->lock);
    pool->ready_count++;
    pthread_cond_signal(&pool->ready);
    pthread_mutex_unlock(&pool->lock);
    while (worker->result == WRING_OK && !worker_is_done(worker)) {
        if (wring__worker_turn(&worker->io, WRING_TIME_NEVER) != WRING_OK) {
            wring__panic("the ring broke", __FILE__, __LINE__, __func__);
        }
    }
    if (worker->result == WRING_OK) {
        wring__worker_leave(&worker->io);
    }
    return NULL;
}

/* ---- create ---------------------------------------------------------------------------------- */

static wring_result config_adopt(const wring_pool_config *in, wring_pool_config *out,
                                 wring_error *error) {
    memset(out, 0, sizeof *out);
    if (in != NULL) {
        if (in->struct_size < offsetof(wring_pool_config, receive_buffers)) {
            return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                                   "struct_size is not set: use sizeof(wring_pool_config)");
        }
        memcpy(out, in, wring__min_size(in->struct_size, sizeof *out));
    }
    out->struct_size = sizeof *out;
    out->threads = out->threads == 0 ? 1 : out->threads;
    out->receive_buffers = out->receive_buffers == 0 ? 1024 : out->receive_buffers;
    out->receive_buffer_size =
        out->receive_buffer_size == 0 ? WRING__BUFFER_SIZE_DEFAULT : out->receive_buffer_size;
    const bool power_of_two = (out->receive_buffers & (out->receive_buffers - 1)) == 0;
    if (out->threads > WRING__WORKERS_MAX || !power_of_two || out->receive_buffers > 32768 ||
        out->receive_buffer_size < 64 || out->receive_buffer_size > (1u << 24)) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "threads is above 255, receive_buffers is no power of two up to "
                               "32,768, or receive_buffer_size is not from 64 bytes to 16 MiB");
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
    if (result != WRING_OK) {
        free(pool);
        return result;
    }
    const size_t size = pool->config.threads * sizeof *pool->workers;
    pool->workers = aligned_alloc(WRING_CACHE_LINE, size);
    if (pool->workers == NULL) {
        free(pool);
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for a pool");
    }
    memset(pool->workers, 0, size);
    for (uint32_t i = 0; i < pool->config.threads; i++) {
        pool->workers[i].pool = pool;
        pool->workers[i].number = i;
    }
    pool->backend = &wring__backend_uring;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->ready, NULL);
    *out = pool;
    return WRING_OK;
}

static wring_result threads_start(wring_pool *pool, wring_error *error) {
    uint32_t created = 0;
    while (created < pool->config.threads) {
        wring__pool_worker *worker = &pool->workers[created];
        const int failed = pthread_create(&worker->thread, NULL, worker_run, worker);
        if (failed != 0) {
            (void)wring_error_set(error, WRING_ERR_SYSTEM, failed, "cannot start a thread: %s",
                                  strerror(failed));
            break;
        }
        worker->running = true;
        created++;
    }
    pthread_mutex_lock(&pool->lock);
    while (pool->ready_count < created) {
        pthread_cond_wait(&pool->ready, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < created; i++) {
        if (pool->workers[i].result != WRING_OK) {
            if (error != NULL) {
                *error = pool->workers[i].error;
            }
            return pool->workers[i].result;
        }
    }
    return created == pool->config.threads ? WRING_OK : WRING_ERR_SYSTEM;
}

wring_result wring_pool_create(const wring_pool_config *config, wring_pool **out,
                               wring_error *error) {
    wring_pool *pool = NULL;
    wring_result result = pool_alloc(config, &pool, error);
    if (result != WRING_OK) {
        return result;
    }
    result = threads_start(pool, error);
    if (result != WRING_OK) {
        wring_pool_destroy(pool, 0);
        return result;
    }
    *out = pool;
    return WRING_OK;
}

wring_result wring__pool_create_sim(const wring_pool_config *config,
                                    const wring__backend_ops *backend, void *world,
                                    wring_pool **out, wring_error *error) {
    wring_pool *pool = NULL;
    wring_result result = pool_alloc(config, &pool, error);
    if (result != WRING_OK) {
        return result;
    }
    pool->backend = backend;
    pool->world = world;
    result = worker_open(&pool->workers[0]);
    if (result != WRING_OK) {
        wring_pool_destroy(pool, 0);
        return result;
    }
    *out = pool;
    return WRING_OK;
}

wring_loop wring_pool_loop(wring_pool *pool) {
    const uint32_t next = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
    return pool->workers[next % pool->config.threads].io.index;
}

void wring_pool_get_stats(const wring_pool *pool, wring_pool_stats *out) {
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < pool->config.threads; i++) {
        const wring__worker *worker = &pool->workers[i].io;
        out->rx_bytes += wring__count_read(&worker->counters.rx_bytes);
        out->tx_bytes += wring__count_read(&worker->counters.tx_bytes);
        out->turns += wring__count_read(&worker->counters.turns);
        out->mail_stale += wring__count_read(&worker->counters.stale_mail);
        out->mail_lost += wring__count_read(&worker->counters.lost_mail);
        out->mail_refused += atomic_load_explicit(&worker->mailbox.full, memory_order_relaxed);
    }
}

/* ---- ending ---------------------------------------------------------------------------------- */

void wring__pool_drain(wring_pool *pool, uint32_t drain_ms) {
    const wring__mail mail = {.kind = MAIL_DRAIN, .value = drain_ms * WRING_NS_PER_MS};
    for (uint32_t i = 0; i < pool->config.threads; i++) {
        if (pool->workers[i].initialised) {
            while (wring__worker_post(&pool->workers[i].io, &mail) != WRING_OK) {
                sched_yield();
            }
        }
    }
}

bool wring__pool_is_done(const wring_pool *pool) {
    for (uint32_t i = 0; i < pool->config.threads; i++) {
        if (pool->workers[i].initialised && !worker_is_done(&pool->workers[i])) {
            return false;
        }
    }
    return true;
}

void wring_pool_destroy(wring_pool *pool, uint32_t drain_ms) {
    if (pool == NULL) {
        return;
    }
    if (pool->world == NULL) {
        wring__pool_drain(pool, drain_ms);
    }
    for (uint32_t i = 0; i < pool->config.threads; i++) {
        if (pool->workers[i].running) {
            pthread_join(pool->workers[i].thread, NULL);
        }
    }
    for (uint32_t i = 0; i < pool->config.threads;
         i++) { /* one group: none before all have ended */
        worker_close(&pool->workers[i]);
    }
    pthread_cond_destroy(&pool->ready);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}
