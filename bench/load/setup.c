/* SPDX-License-Identifier: Apache-2.0
 *
 * A run's memory: what is made before its threads start, and freed when they have ended.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/load/engine.h"

void load_config_init(load_config *config) {
    memset(config, 0, sizeof *config);
    config->connections = 64;
    config->streams = 1;
    config->duration = 10 * WRING_NS_PER_SEC;
    config->warmup = WRING_NS_PER_SEC;
    config->pipeline = 1;
    config->burst = 1;
    config->publishers = 1;
    config->topics = 1;
    config->connect_timeout = 15 * WRING_NS_PER_SEC;
    config->interval = WRING_NS_PER_SEC;
    config->upgrade.struct_size = sizeof config->upgrade;
    load_sizes_fixed(&config->sizes, 64);
}

static wring_result thread_make(load_run *run, uint32_t index) {
    load_thread *thread = aligned_alloc(WRING_CACHE_LINE, (sizeof *thread + WRING_CACHE_LINE - 1) &
                                                              ~(size_t)(WRING_CACHE_LINE - 1));
    if (thread == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    memset(thread, 0, sizeof *thread);
    run->threads[index] = thread;
    thread->run = run;
    thread->index = index;
    thread->share = (run->connections + run->thread_count - 1 - index) / run->thread_count;
    thread->links = calloc(thread->share + 1, sizeof *thread->links);
    thread->open = calloc(thread->share + 1, sizeof *thread->open);
    thread->inflater = run->config->deflate ? load_inflater_create() : NULL;
    thread->inflated = run->config->deflate ? calloc(1, sizeof *thread->inflated) : NULL;
    thread->interval = load_histogram_create();
    thread->connects = load_histogram_create();
    thread->lag = load_histogram_create();
    thread->deck_at = index * (LOAD_DECK / 8);
    thread->next_source = index;
    if (thread->links == NULL || thread->open == NULL || thread->interval == NULL ||
        thread->connects == NULL || thread->lag == NULL ||
        (run->config->deflate && (thread->inflater == NULL || thread->inflated == NULL))) {
        return WRING_ERR_NO_MEMORY;
    }
    return run->config->mode == LOAD_FANOUT ? load_fanout_thread_open(thread) : WRING_OK;
}

static void thread_free(load_thread *thread) {
    if (thread == NULL) {
        return;
    }
    load_fanout_thread_close(thread);
    free(thread->links);
    free(thread->open);
    load_inflater_destroy(thread->inflater);
    free(thread->inflated);
    free(thread->interval);
    free(thread->connects);
    free(thread->lag);
    free(thread);
}

/* Windows that no server has to wait for, and no budgets: what it sends is what is measured. */
static wring_result http2_adopt(load_run *run, wring_error *error) {
    const wring_http2_config http2 = {.struct_size = sizeof http2,
                                      .cleartext = true,
                                      .sessions_max = run->config->streams,
                                      .window_bytes = 4u << 20,
                                      .connection_window_bytes = 64u << 20,
                                      .resets_per_second = WRING_UNLIMITED,
                                      .controls_per_second = WRING_UNLIMITED};
    run->http2.struct_size = sizeof run->http2;
    return wring_http2_config_adopt(&http2, &run->http2, error);
}

wring_result load_run_open(load_run *run, wring_error *error) {
    const load_config *config = run->config;
    run->connections = load_config_connections(config);
    if (config->http2 && http2_adopt(run, error) != WRING_OK) {
        return WRING_ERR_INVALID_CONFIG;
    }
    run->result->connections.wanted = run->connections;
    run->threads = calloc(run->thread_count, sizeof *run->threads);
    bool ok = run->threads != NULL;
    for (uint32_t i = 0; i < LOAD_PENDING && ok; i++) {
        run->pending[i].latency = load_histogram_create();
        run->pending[i].lag = load_histogram_create();
        ok = run->pending[i].latency != NULL && run->pending[i].lag != NULL;
    }
    if (ok && config->mode == LOAD_FANOUT) {
        ok = load_fanout_open(run) == WRING_OK;
    }
    ok = ok && load_payload_make(&run->payload, config) == WRING_OK;
    for (uint32_t i = 0; i < run->thread_count && ok; i++) {
        ok = thread_make(run, i) == WRING_OK;
    }
    return ok ? WRING_OK : wring_error_set(error, WRING_ERR_NO_MEMORY, ENOMEM, "out of memory");
}

void load_run_close(load_run *run) {
    for (uint32_t i = 0; i < run->thread_count && run->threads != NULL; i++) {
        thread_free(run->threads[i]);
    }
    free(run->threads);
    load_fanout_close(run);
    load_payload_free(&run->payload);
    for (uint32_t i = 0; i < LOAD_PENDING; i++) {
        free(run->pending[i].latency);
        free(run->pending[i].lag);
    }
    load_target_close(&run->target);
    wring__tls_context_unref(run->tls);
    pthread_mutex_destroy(&run->lock);
}
