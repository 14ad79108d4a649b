/* SPDX-License-Identifier: Apache-2.0
 *
 * What the threads measured, put together: the intervals while they run, the result at the end.
 */
#include <stdlib.h>

#include "bench/load/engine.h"

wring_result load_result_init(load_result *result) {
    memset(result, 0, sizeof *result);
    result->latency = load_histogram_create();
    result->connect = load_histogram_create();
    result->lag = load_histogram_create();
    return result->latency != NULL && result->connect != NULL && result->lag != NULL
               ? WRING_OK
               : WRING_ERR_NO_MEMORY;
}

void load_result_deinit(load_result *result) {
    free(result->latency);
    free(result->connect);
    free(result->lag);
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
                                .max_ns = pending->latency->max,
                                .lag_p99_ns = load_histogram_percentile(pending->lag, 99)};
    if (sample.seconds > 0 || sample.messages > 0) { /* else -n has ended the run before it */
        (void)series_push(run, &sample);
    }
    load_histogram_merge(run->result->latency, pending->latency);
    load_histogram_reset(pending->latency);
    load_histogram_merge(run->result->lag, pending->lag);
    load_histogram_reset(pending->lag);
    pending->messages = 0;
    pending->given = 0;
    run->pending_from++;
}

void load_run_give(load_run *run, uint64_t index, const load_thread *thread) {
    pthread_mutex_lock(&run->lock);
    while (index >= run->pending_from + LOAD_PENDING) {
        pending_close(run); /* a thread that slept that long gives its part to a later one */
    }
    const uint64_t to = index < run->pending_from ? run->pending_from : index;
    load_pending *pending = &run->pending[to % LOAD_PENDING];
    load_histogram_merge(pending->latency, thread->interval);
    load_histogram_merge(pending->lag, thread->lag);
    pending->messages += thread->interval_messages;
    pending->given++;
    while (run->pending[run->pending_from % LOAD_PENDING].given >= run->thread_count) {
        pending_close(run);
    }
    pthread_mutex_unlock(&run->lock);
}

void load_run_count_connections(load_run *run) {
    uint64_t opened = 0;
    uint64_t failed = 0;
    uint64_t lost = 0;
    uint64_t carriers = 0;
    for (uint32_t i = 0; i < run->thread_count && run->threads != NULL; i++) {
        opened += atomic_load(&run->threads[i]->opened);
        failed += atomic_load(&run->threads[i]->failed);
        lost += atomic_load(&run->threads[i]->dropped);
        carriers += atomic_load(&run->threads[i]->carriers);
    }
    run->result->carriers = carriers;
    run->result->connections.opened = opened;
    run->result->connections.failed = failed;
    run->result->connections.lost = lost;
}

/* ---- results --------------------------------------------------------------------------------- */

static void counts_add(load_counts *to, const load_counts *more) {
    to->sent += more->sent;
    to->received += more->received;
    to->wrong += more->wrong;
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
    result->held += thread->held;
    result->backoffs += thread->backoffs;
    const wring_time_ns end = atomic_load(&thread->run->measure_to);
    const wring_duration_ns cut = thread->backoff_until > end ? thread->backoff_until - end : 0;
    result->backoff_s += (double)(thread->backoff_sum - cut) / 1e9;
    load_histogram_merge(result->connect, thread->connects);
    load_histogram_merge(result->latency, thread->interval); /* what came while draining */
}

/* When nothing opened until the end, there is no success that the dials under way were cut off
 * from: they have failed. Whoever ended the run early may have been too quick. */
static void unanswered_collect(load_run *run) {
    load_result *result = run->result;
    uint64_t pending = 0;
    for (uint32_t i = 0; i < run->thread_count && run->threads[i] != NULL; i++) {
        pending += run->threads[i]->pending;
        result->connections.unanswered += run->threads[i]->unanswered;
        result->connections.unclosed += run->threads[i]->unclosed;
    }
    if (result->connections.opened > 0 || pending == 0) {
        return;
    }
    result->connections.unanswered = pending;
    if (!result->interrupted) {
        result->connections.failed += pending;
        load_errors_add(&result->errors, pending, "handshake: still unanswered at the end");
    }
}

/* Of the schedule, what was due in the whole run and did not go out; what -n had no need of is not
 * missing. */
static uint64_t unsent_count(const load_run *run) {
    const load_config *config = run->config;
    if (config->mode == LOAD_CONNECT) {
        uint64_t missed = 0;
        for (uint32_t i = 0; i < run->thread_count && run->threads[i] != NULL; i++) {
            missed += load_limit_is_reached(run) ? 0 : load_pace_dials_missed(run->threads[i]);
        }
        return missed;
    }
    if (config->rate <= 0 || atomic_load(&run->start) == 0) {
        return 0;
    }
    uint64_t due = 0;
    for (uint32_t i = 0; i < run->thread_count && run->threads[i] != NULL; i++) {
        due += load_pace_scheduled(run->threads[i]);
    }
    due *= config->mode == LOAD_FANOUT ? config->burst : 1;
    const load_result *result = run->result;
    const uint64_t missing = due > result->totals.sent ? due - result->totals.sent : 0;
    const uint64_t wanted = config->messages == 0 ? UINT64_MAX : config->messages;
    return wring__min_u64(missing, wanted - wring__min_u64(wanted, result->measured.sent));
}

void load_run_collect(load_run *run) {
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
    load_run_count_connections(run);
    unanswered_collect(run);
}
