/* SPDX-License-Identifier: Apache-2.0
 *
 * The main thread's side of a run: starts the threads, tells them when to begin and when to close,
 * gathers intervals and results.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench/load/engine.h"
#include "bench/load/procfs.h"

#define POLL_NS      (50 * WRING_NS_PER_MS)
#define OBSERVE_NS   (250 * WRING_NS_PER_MS)
#define DRAIN_MAX_NS (10 * WRING_NS_PER_SEC)

static wring_time_ns clock_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (wring_time_ns)ts.tv_sec * WRING_NS_PER_SEC + (wring_time_ns)ts.tv_nsec;
}

void load_config_init(load_config *config) {
    memset(config, 0, sizeof *config);
    config->connections = 64;
    config->duration = 10 * WRING_NS_PER_SEC;
    config->warmup = WRING_NS_PER_SEC;
    config->pipeline = 1;
    config->burst = 1;
    config->publishers = 1;
    config->topics = 1;
    config->connect_timeout = 15 * WRING_NS_PER_SEC;
    config->interval = WRING_NS_PER_SEC;
    load_sizes_fixed(&config->sizes, 64);
}

void load_result_deinit(load_result *result) {
    free(result->latency);
    free(result->connect);
    free(result->series);
    free(result->refusal);
    memset(result, 0, sizeof *result);
}

/* ---- intervals ------------------------------------------------------------------------------- */

static bool series_push(load_run *run, const load_sample *sample) {
    load_result *result = run->result;
    if (result->series_count == run->series_cap) {
        const size_t cap = run->series_cap * 2 + 64;
        load_sample *grown = realloc(result->series, cap * sizeof *grown);
        if (grown == NULL) {
            return false; /* the picture loses a point */
        }
        result->series = grown;
        run->series_cap = cap;
    }
    result->series[result->series_count++] = *sample;
    return true;
}

/* Closes the oldest interval. Under the lock. */
static void pending_close(load_run *run) {
    load_pending *pending = &run->pending[run->pending_from % LOAD_PENDING];
    const double length = (double)run->config->interval / 1e9;
    const double t = (double)run->pending_from * length;
    const wring_time_ns from = atomic_load(&run->measure_from);
    const wring_time_ns to = atomic_load(&run->measure_to);
    const double end = to > from ? (double)(to - from) / 1e9 : 0;
    const load_sample sample = {.t = t,
                                .seconds = t + length < end ? length
                                           : t < end        ? end - t
                                                            : 0,
                                .messages = pending->messages,
                                .p50_ns = load_histogram_percentile(pending->latency, 50),
                                .p99_ns = load_histogram_percentile(pending->latency, 99),
                                .max_ns = pending->latency->max};
    if (sample.seconds > 0 || sample.messages > 0) { /* else -n has ended the run before it */
        (void)series_push(run, &sample);
    }
    load_histogram_merge(run->result->latency, pending->latency);
    load_histogram_reset(pending->latency);
    pending->messages = 0;
    pending->given = 0;
    run->pending_from++;
}

void load_run_give(load_run *run, uint64_t index, const load_histogram *latency,
                   uint64_t messages) {
    pthread_mutex_lock(&run->lock);
    while (index >= run->pending_from + LOAD_PENDING) {
        pending_close(run); /* a thread that slept that long gives its part to a later one */
    }
    const uint64_t to = index < run->pending_from ? run->pending_from : index;
    load_pending *pending = &run->pending[to % LOAD_PENDING];
    load_histogram_merge(pending->latency, latency);
    pending->messages += messages;
    pending->given++;
    while (run->pending[run->pending_from % LOAD_PENDING].given >= run->thread_count) {
        pending_close(run);
    }
    pthread_mutex_unlock(&run->lock);
}

/* ---- threads --------------------------------------------------------------------------------- */

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
    thread->deck_at = index * (LOAD_DECK / 8);
    thread->next_source = index;
    if (thread->links == NULL || thread->open == NULL || thread->interval == NULL ||
        thread->connects == NULL ||
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
    free(thread);
}

static wring_result threads_start(load_run *run, wring_error *error) {
    for (uint32_t i = 0; i < run->thread_count; i++) {
        load_thread *thread = run->threads[i];
        const int code = pthread_create(&thread->id, NULL, load_thread_main, thread);
        if (code != 0) {
            return wring_error_set(error, WRING_ERR_SYSTEM, code, "cannot start thread %u: %s", i,
                                   strerror(code));
        }
        thread->running = true;
    }
    return WRING_OK;
}

/* A ring is closed here and not by its thread, because others may still wake it. */
static void threads_join(load_run *run) {
    for (uint32_t i = 0; i < run->thread_count; i++) {
        if (run->threads[i] != NULL && run->threads[i]->running) {
            pthread_join(run->threads[i]->id, NULL);
        }
    }
    for (uint32_t i = 0; i < run->thread_count; i++) {
        load_thread *thread = run->threads[i];
        if (thread != NULL && thread->running && thread->worker.backend != NULL &&
            wring__worker_is_quiet(&thread->worker)) {
            wring__worker_deinit(&thread->worker);
        }
    }
}

static void threads_wake(load_run *run) {
    for (uint32_t i = 0; i < run->thread_count; i++) {
        load_thread_wake(run->threads[i]);
    }
}

static bool all(const load_run *run, bool (*is)(const load_thread *thread)) {
    for (uint32_t i = 0; i < run->thread_count; i++) {
        if (!is(run->threads[i]) && !atomic_load(&run->threads[i]->finished)) {
            return false;
        }
    }
    return true;
}

static bool is_ready(const load_thread *thread) {
    return atomic_load(&thread->ready);
}
static bool is_quiet(const load_thread *thread) {
    return atomic_load(&thread->quiet);
}
static bool is_finished(const load_thread *thread) {
    return atomic_load(&thread->finished);
}

static void connections_count(load_run *run) {
    uint64_t opened = 0;
    uint64_t failed = 0;
    uint64_t lost = 0;
    for (uint32_t i = 0; i < run->thread_count; i++) {
        opened += atomic_load(&run->threads[i]->opened);
        failed += atomic_load(&run->threads[i]->failed);
        lost += atomic_load(&run->threads[i]->dropped);
    }
    run->result->connections.opened = opened;
    run->result->connections.failed = failed;
    run->result->connections.lost = lost;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* What the main thread does while it waits for `is`. */
typedef struct waiting {
    load_run *run;
    const load_observer *observer;
    wring_time_ns phase_from;
    wring_time_ns observed;
    size_t samples_seen;
    bool stopped; /* the observer wants an end */
} waiting;

static enum load_phase phase_now(const load_run *run, wring_time_ns now) {
    if (atomic_load(&run->closing)) {
        return LOAD_CLOSING;
    }
    if (atomic_load(&run->start) == 0) {
        return LOAD_OPENING;
    }
    return now < atomic_load(&run->measure_from) ? LOAD_WARMUP
           : now < atomic_load(&run->measure_to) ? LOAD_MEASURING
                                                 : LOAD_DRAINING;
}

static void observe(waiting *w, wring_time_ns now) {
    load_run *run = w->run;
    load_result *result = run->result;
    connections_count(run);
    pthread_mutex_lock(&run->lock);
    load_progress progress = {.phase = phase_now(run, now),
                              .opened = result->connections.opened,
                              .failed = result->connections.failed,
                              .lost = result->connections.lost,
                              .wanted = result->connections.wanted,
                              .series = result->series,
                              .series_count = result->series_count,
                              .latency = result->latency,
                              .errors = &result->errors};
    for (uint32_t i = 0; i < run->thread_count; i++) {
        progress.left += atomic_load_explicit(&run->threads[i]->left, memory_order_relaxed);
    }
    for (size_t i = 0; i < result->series_count; i++) {
        progress.messages += result->series[i].messages;
    }
    if (result->series_count > w->samples_seen) {
        w->samples_seen = result->series_count;
        progress.sample = &result->series[result->series_count - 1];
    }
    const wring_time_ns from = atomic_load(&run->measure_from);
    const wring_time_ns to = atomic_load(&run->measure_to);
    wring_time_ns since = w->phase_from;
    if (progress.phase == LOAD_MEASURING) {
        since = from;
        progress.left_s = (double)(to - now) / 1e9;
    } else if (progress.phase == LOAD_WARMUP) {
        progress.left_s = (double)(from - now) / 1e9;
    }
    progress.elapsed_s = (double)(now - since) / 1e9;
    const bool go_on = w->observer->progress(w->observer->arg, &progress);
    pthread_mutex_unlock(&run->lock);
    w->stopped = w->stopped || !go_on;
}

static void wait_step(waiting *w) {
    const struct timespec pause = {0, POLL_NS};
    nanosleep(&pause, NULL);
    const wring_time_ns now = clock_now();
    if (w->observer != NULL && now >= w->observed + OBSERVE_NS) {
        w->observed = now;
        observe(w, now);
    }
}

/* False when the observer wanted an end, or `limit` passed. */
static bool wait_until(waiting *w, bool (*is)(const load_thread *thread), wring_time_ns limit,
                       bool stoppable) {
    w->phase_from = clock_now();
    while (!all(w->run, is)) {
        wait_step(w);
        if ((stoppable && w->stopped) || clock_now() > limit) {
            return false;
        }
    }
    return true;
}

static bool has_stopped(const load_thread *thread) {
    return atomic_load(&thread->stopped);
}

/* ---- the run --------------------------------------------------------------------------------- */

static wring_result first_failure(const load_run *run, wring_error *error) {
    for (uint32_t i = 0; i < run->thread_count; i++) {
        if (atomic_load(&run->threads[i]->finished) && run->threads[i]->result != WRING_OK) {
            if (error != NULL) {
                *error = run->threads[i]->error;
            }
            return run->threads[i]->result;
        }
    }
    return WRING_OK;
}

static wring_result nothing_opened(const load_run *run, wring_error *error) {
    const load_errors *errors = &run->result->errors;
    return wring_error_set(
        error, WRING_ERR_CONNECT, 0, "%s (none of %u connections to %s could be opened)",
        errors->count == 0 ? "ended early" : errors->kinds[0].text, run->connections,
        run->config->url_shown == NULL ? run->config->url : run->config->url_shown);
}

static void usage_before(load_run *run) {
    load_result *result = run->result;
    result->own_rss_before = load_proc_rss(0);
    result->slab_before = load_proc_slab();
    if (run->config->server_pid != 0) {
        result->server_rss_before = load_proc_rss((int)run->config->server_pid);
    }
}

static void usage_open(load_run *run) {
    load_result *result = run->result;
    result->own_rss_after = load_proc_rss(0);
    result->slab_after = load_proc_slab();
    if (run->config->server_pid != 0) {
        result->server_rss_after = load_proc_rss((int)run->config->server_pid);
    }
}

static void begin(load_run *run, wring_time_ns now) {
    const wring_time_ns start = now + 2 * WRING_NS_PER_MS;
    atomic_store(&run->measure_from, start + run->config->warmup);
    atomic_store(&run->measure_to, start + run->config->warmup + run->config->duration);
    atomic_store(&run->start, start);
    threads_wake(run);
}

static load_cpu cpu_since(load_cpu before, int pid) {
    const load_cpu now = load_proc_cpu(pid);
    return (load_cpu){now.user_s - before.user_s, now.system_s - before.system_s};
}

/* Warm-up and measured time. The server's CPU time is taken at their borders. */
static void measure(load_run *run, waiting *w) {
    load_result *result = run->result;
    const int pid = (int)run->config->server_pid;
    w->phase_from = clock_now();
    while (clock_now() < atomic_load(&run->measure_from) && !w->stopped) {
        wait_step(w);
    }
    const load_cpu before = load_proc_cpu(pid);
    if (!w->stopped) {
        (void)wait_until(w, has_stopped, WRING_TIME_NEVER, true);
    }
    result->server_cpu = cpu_since(before, pid);
    result->interrupted = w->stopped;
    if (w->stopped) { /* all threads stop at a time that has not yet come */
        const wring_time_ns end = clock_now() + WRING_NS_PER_MS;
        if (end < atomic_load(&run->measure_from)) {
            atomic_store(&run->measure_from, end);
        }
        if (end < atomic_load(&run->measure_to)) {
            atomic_store(&run->measure_to, end);
        }
        threads_wake(run);
        (void)wait_until(w, has_stopped, clock_now() + WRING_NS_PER_SEC, false);
    }
    (void)wait_until(w, is_quiet, clock_now() + DRAIN_MAX_NS, false);
}

static double opening_seconds(const load_run *run, wring_time_ns from) {
    wring_time_ns ready = from;
    for (uint32_t i = 0; i < run->thread_count; i++) {
        const wring_time_ns at = atomic_load(&run->threads[i]->ready_at);
        ready = at > ready ? at : ready;
    }
    return (double)(ready - from) / 1e9;
}

static wring_result drive(load_run *run, const load_observer *observer, wring_error *error) {
    waiting w = {.run = run, .observer = observer};
    const wring_time_ns from = clock_now();
    const load_cpu cpu = load_proc_cpu((int)run->config->server_pid);
    usage_before(run);
    wring_result result = threads_start(run, error);
    if (result == WRING_OK) {
        run->result->interrupted = !wait_until(&w, is_ready, WRING_TIME_NEVER, true);
        result = first_failure(run, error);
    }
    connections_count(run);
    run->result->opening_s = opening_seconds(run, from);
    run->result->server_opening = cpu_since(cpu, (int)run->config->server_pid);
    const bool opened = run->result->connections.opened > 0 || run->config->mode == LOAD_CONNECT ||
                        run->config->connect_ramp.count > 0;
    if (result == WRING_OK && !opened) {
        result = nothing_opened(run, error);
    } else if (result == WRING_OK && !run->result->interrupted) {
        usage_open(run);
        begin(run, clock_now());
        measure(run, &w);
    }
    atomic_store(&run->closing, true);
    threads_wake(run);
    (void)wait_until(&w, is_finished, WRING_TIME_NEVER, false);
    threads_join(run);
    connections_count(run);
    return result == WRING_OK ? first_failure(run, error) : result;
}

/* ---- results --------------------------------------------------------------------------------- */

static void counts_add(load_counts *to, const load_counts *more) {
    to->sent += more->sent;
    to->received += more->received;
    to->sent_bytes += more->sent_bytes;
    to->received_bytes += more->received_bytes;
}

static void thread_collect(load_result *result, const load_thread *thread) {
    counts_add(&result->measured, &thread->measured);
    counts_add(&result->totals, &thread->totals);
    result->lost += thread->lost;
    result->duplicated += thread->duplicated;
    result->reordered += thread->reordered;
    result->foreign += thread->foreign;
    result->to_publishers += thread->to_publishers;
    result->wire_sent += thread->wire_sent;
    result->wire_received += thread->wire_received;
    result->cpu.user_s += thread->cpu.user_s;
    result->cpu.system_s += thread->cpu.system_s;
    if (thread->behind_max > result->behind_max) {
        result->behind_max = thread->behind_max;
    }
    load_histogram_merge(result->connect, thread->connects);
    load_histogram_merge(result->latency, thread->interval); /* what came while draining */
}

/* Of the schedule, what was due in the whole run and did not go out. */
static uint64_t unsent_count(const load_run *run) {
    const wring_time_ns start = atomic_load(&run->start);
    const wring_time_ns to = atomic_load(&run->measure_to);
    if (run->config->rate <= 0 || start == 0 || to <= start) {
        return 0;
    }
    if (load_limit_is_reached(run)) {
        return 0;
    }
    const uint64_t due = run->config->ramp.count > 0
                             ? (uint64_t)load_ramp_count(&run->config->ramp, to - start)
                             : (uint64_t)((double)(to - start) / 1e9 * run->config->rate);
    return due > run->result->totals.sent ? due - run->result->totals.sent : 0;
}

static void collect(load_run *run) {
    load_result *result = run->result;
    for (uint32_t i = 0; i < run->thread_count; i++) {
        if (run->threads[i] != NULL) {
            thread_collect(result, run->threads[i]);
        }
    }
    const wring_time_ns from = atomic_load(&run->measure_from);
    const wring_time_ns to = atomic_load(&run->measure_to);
    result->duration_s = to > from ? (double)(to - from) / 1e9 : 0;
    const wring_time_ns start = atomic_load(&run->start);
    result->warmup_s = from > start ? (double)(from - start) / 1e9 : 0;
    result->unsent = unsent_count(run);
}

static wring_result run_open(load_run *run, wring_error *error) {
    const load_config *config = run->config;
    load_result *result = run->result;
    run->connections = load_config_connections(config);
    result->connections.wanted = run->connections;
    result->latency = load_histogram_create();
    result->connect = load_histogram_create();
    run->threads = calloc(run->thread_count, sizeof *run->threads);
    bool ok = result->latency != NULL && result->connect != NULL && run->threads != NULL;
    for (uint32_t i = 0; i < LOAD_PENDING && ok; i++) {
        run->pending[i].latency = load_histogram_create();
        ok = run->pending[i].latency != NULL;
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

static void run_close(load_run *run) {
    for (uint32_t i = 0; i < run->thread_count && run->threads != NULL; i++) {
        thread_free(run->threads[i]);
    }
    free(run->threads);
    load_fanout_close(run);
    load_payload_free(&run->payload);
    for (uint32_t i = 0; i < LOAD_PENDING; i++) {
        free(run->pending[i].latency);
    }
    load_target_close(&run->target);
    wring__tls_context_unref(run->tls);
    pthread_mutex_destroy(&run->lock);
}

wring_result load_execute(const load_config *config, const load_observer *observer,
                          load_result *out, wring_error *error) {
    load_run run = {.config = config, .result = out, .lock = PTHREAD_MUTEX_INITIALIZER};
    memset(out, 0, sizeof *out);
    run.thread_count = load_config_threads(config);
    out->threads = run.thread_count;
    wring_result result = load_target_open(&run.target, config, error);
    if (result == WRING_OK && run.target.url.secure) {
        result = wring__tls_context_client(config->tls, &run.tls, error);
    }
    if (result == WRING_OK) {
        result = load_preflight(config, &run.target, run.thread_count, error);
    }
    if (result == WRING_OK) {
        result = run_open(&run, error);
    }
    if (result == WRING_OK) {
        result = drive(&run, observer, error);
        collect(&run);
    }
    run_close(&run);
    return result;
}
