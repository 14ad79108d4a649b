/* SPDX-License-Identifier: Apache-2.0
 *
 * The main thread's side of a run: starts the threads, tells them when to begin and when to close,
 * and shows the observer how far they are.
 */
#include <errno.h>
#include <time.h>

#include "bench/load/engine.h"
#include "bench/load/procfs.h"

#define POLL_NS      (50 * WRING_NS_PER_MS)
#define OBSERVE_NS   (250 * WRING_NS_PER_MS)
#define DRAIN_MAX_NS (10 * WRING_NS_PER_SEC)

wring_time_ns load_clock_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (wring_time_ns)ts.tv_sec * WRING_NS_PER_SEC + (wring_time_ns)ts.tv_nsec;
}

/* ---- threads --------------------------------------------------------------------------------- */

static wring_result threads_start(load_run *run, wring_error *error) {
    for (uint32_t i = 0; i < run->thread_count; i++) {
        load_thread *thread = run->threads[i];
        const int code = pthread_create(&thread->id, NULL, load_thread_main, thread);
        if (code != 0) {
            return wring_error_set(error, WRING_ERR_SYSTEM, code,
                                   "cannot start thread %u of %u: %s. Is the limit of processes "
                                   "(ulimit -u) or the cgroup's pids.max reached?",
                                   i + 1, run->thread_count, strerror(code));
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
        const load_thread *thread = run->threads[i]; /* one that could not be started is done */
        if (thread->running && !is(thread) && !atomic_load(&thread->finished)) {
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
    load_run_count_connections(run);
    pthread_mutex_lock(&run->lock);
    load_progress progress = {.phase = phase_now(run, now),
                              .opened = result->connections.opened,
                              .failed = result->connections.failed,
                              .lost = result->connections.lost,
                              .carriers = result->carriers,
                              .wanted = result->connections.wanted,
                              .series = result->series,
                              .series_count = result->series_count,
                              .latency = result->latency,
                              .errors = &result->errors};
    for (uint32_t i = 0; i < run->thread_count && run->threads != NULL; i++) {
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

static void observe_when_due(waiting *w) {
    const wring_time_ns now = load_clock_now();
    if (w->observer != NULL && now >= w->observed + OBSERVE_NS) {
        w->observed = now;
        observe(w, now);
    }
}

static void wait_step(waiting *w) {
    const struct timespec pause = {0, POLL_NS};
    nanosleep(&pause, NULL);
    observe_when_due(w);
}

/* Before there are threads: what waits by itself asks whether it may. */
static bool waits_on(void *arg) {
    waiting *w = arg;
    observe_when_due(w);
    return !w->stopped;
}

/* False when the observer wanted an end, or `limit` passed. */
static bool wait_until(waiting *w, bool (*is)(const load_thread *thread), wring_time_ns limit,
                       bool stoppable) {
    w->phase_from = load_clock_now();
    while (!all(w->run, is)) {
        wait_step(w);
        if ((stoppable && w->stopped) || load_clock_now() > limit) {
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
        errors->count == 0 ? "ended before the first opened" : errors->kinds[0].text,
        run->connections,
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
    w->phase_from = load_clock_now();
    while (load_clock_now() < atomic_load(&run->measure_from) && !w->stopped) {
        wait_step(w);
    }
    const load_cpu before = load_proc_cpu(pid);
    if (!w->stopped) {
        (void)wait_until(w, has_stopped, WRING_TIME_NEVER, true);
    }
    result->server_cpu = cpu_since(before, pid);
    result->interrupted = w->stopped;
    if (w->stopped) { /* all threads stop at a time that has not yet come */
        const wring_time_ns end = load_clock_now() + WRING_NS_PER_MS;
        if (end < atomic_load(&run->measure_from)) {
            atomic_store(&run->measure_from, end);
        }
        if (end < atomic_load(&run->measure_to)) {
            atomic_store(&run->measure_to, end);
        }
        threads_wake(run);
        (void)wait_until(w, has_stopped, load_clock_now() + WRING_NS_PER_SEC, false);
    }
    (void)wait_until(w, is_quiet, load_clock_now() + DRAIN_MAX_NS, false);
}

/* A thread whose dials have not all ended, because the run was ended before or opens its
 * connections in stages, has opened until its latest one. */
static double opening_seconds(const load_run *run, wring_time_ns from) {
    wring_time_ns ready = from;
    for (uint32_t i = 0; i < run->thread_count; i++) {
        const load_thread *thread = run->threads[i];
        const wring_time_ns all_at = atomic_load(&thread->ready_at);
        const bool in_stages = run->config->connect_ramp.count > 0;
        const wring_time_ns at =
            all_at == 0 || in_stages ? atomic_load(&thread->opened_at) : all_at;
        ready = at > ready ? at : ready;
    }
    return (double)(ready - from) / 1e9;
}

/* All that were asked for are open; or the run was ended early, and there is nothing more to do
 * than to see what those cost that did open. */
static void measure_all(load_run *run, waiting *w, wring_time_ns from) {
    usage_open(run);
    if (run->result->interrupted) {
        return;
    }
    begin(run, load_clock_now());
    measure(run, w);
    if (run->config->connect_ramp.count > 0) { /* they were opened only now */
        run->result->opening_s = opening_seconds(run, from);
        usage_open(run);
    }
}

static wring_result drive(load_run *run, const load_observer *observer, wring_error *error) {
    waiting w = {.run = run, .observer = observer};
    const wring_time_ns from = load_clock_now();
    const load_cpu cpu = load_proc_cpu((int)run->config->server_pid);
    usage_before(run);
    wring_result result = threads_start(run, error);
    if (result == WRING_OK) {
        run->result->interrupted = !wait_until(&w, is_ready, WRING_TIME_NEVER, true);
        result = first_failure(run, error);
    }
    load_run_count_connections(run);
    run->result->opening_s = opening_seconds(run, from);
    run->result->server_opening = cpu_since(cpu, (int)run->config->server_pid);
    const bool opened = run->result->connections.opened > 0 || run->config->mode == LOAD_CONNECT ||
                        run->config->connect_ramp.count > 0;
    if (result == WRING_OK && !opened) {
        result = nothing_opened(run, error);
    } else if (result == WRING_OK) {
        measure_all(run, &w, from);
    }
    atomic_store(&run->closing, true);
    threads_wake(run);
    (void)wait_until(&w, is_finished, WRING_TIME_NEVER, false);
    threads_join(run);
    load_run_count_connections(run);
    return result == WRING_OK ? first_failure(run, error) : result;
}

/* The only wait before the threads start: a person can end it, and it ends by itself. */
static wring_result target_open(load_run *run, const load_observer *observer, wring_error *error) {
    waiting w = {.run = run, .observer = observer, .phase_from = load_clock_now()};
    const load_patience patience = {waits_on, &w, w.phase_from + run->config->connect_timeout};
    const wring_result result = load_target_open(&run->target, run->config, &patience, error);
    run->result->interrupted = w.stopped;
    return result;
}

static wring_result tls_open(load_run *run, wring_error *error) {
    static const char *const http2[] = {"h2"}; /* and nothing else: RFC 9113 3.2 */
    wring_tls_client_config tls = *run->config->tls;
    if (run->config->http2) {
        tls.alpn = http2;
        tls.alpn_count = WRING_ARRAY_LEN(http2);
    }
    return wring__tls_context_client(&tls, &run->tls, error);
}

wring_result load_execute(const load_config *config, const load_observer *observer,
                          load_result *out, wring_error *error) {
    load_run run = {.config = config, .result = out, .lock = PTHREAD_MUTEX_INITIALIZER};
    run.thread_count = load_config_threads(config);
    wring_result result = load_result_init(out);
    wring_error reason;
    out->threads = run.thread_count;
    out->connections.wanted = load_config_connections(config);
    if (result == WRING_OK) {
        result = wring_backend_pick(config->backend, &out->backend, &reason);
        if (result != WRING_OK && error != NULL) {
            *error = reason;
        }
    } else {
        (void)wring_error_set(error, result, ENOMEM, "out of memory");
    }
    if (result == WRING_OK) {
        run.backend = wring__backend_ops_of(out->backend);
        run.target.backend = run.backend;
        result = target_open(&run, observer, error);
    }
    if (result == WRING_OK && run.target.url.secure) {
        result = tls_open(&run, error);
    }
    if (result == WRING_OK) {
        result = load_preflight(config, &run.target, run.thread_count, error);
    }
    if (result == WRING_OK) {
        result = load_run_open(&run, error);
    }
    if (result == WRING_OK) {
        result = drive(&run, observer, error);
        load_run_collect(&run);
    }
    load_run_close(&run);
    return result;
}
