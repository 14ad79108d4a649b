/* SPDX-License-Identifier: Apache-2.0
 *
 * -n: so many messages (or handshakes) are measured, then the run ends: when they are answered,
 * when no answer came for a while, or when nobody is left to send them. All threads share the
 * number; the last one that is done sets the end of the measured time to its last answer.
 */
#include "bench/load/engine.h"

#define SILENCE_NS (2 * WRING_NS_PER_SEC)
/* A closed loop in which no answer makes room for the next message. */
#define STALLED_NS (10 * WRING_NS_PER_SEC)

bool load_limit_allows(const load_thread *thread) {
    const load_run *run = thread->run;
    if (run->config->messages == 0) {
        return true;
    }
    if (thread->phase != LOAD_MEASURING) { /* without a warm-up nothing goes out before */
        return run->config->warmup > 0;
    }
    return !load_limit_is_reached(run);
}

bool load_limit_take(load_thread *thread) {
    load_run *run = thread->run;
    if (!load_limit_allows(thread)) {
        return false;
    }
    return run->config->messages == 0 || thread->phase != LOAD_MEASURING ||
           atomic_fetch_add(&run->limit_taken, 1) < run->config->messages;
}

/* Every connection that could send is gone: what is left of the number never will be. */
static bool nobody_sends(const load_run *run) {
    return run->config->mode != LOAD_CONNECT && run->config->connect_ramp.count == 0 &&
           atomic_load(&run->senders) == 0;
}

static bool is_stalled(const load_thread *thread, wring_time_ns now) {
    const load_run *run = thread->run;
    const wring_time_ns from = atomic_load(&run->measure_from);
    return run->config->rate <= 0 && run->config->mode != LOAD_CONNECT &&
           now > (thread->arrived > from ? thread->arrived : from) + STALLED_NS;
}

static bool is_answered(const load_thread *thread) {
    const load_run *run = thread->run;
    switch (run->config->mode) {
    case LOAD_ECHO:
        return thread->awaited == 0;
    case LOAD_FANOUT:
        return (atomic_load(&run->limit_published) >= run->config->messages || nobody_sends(run)) &&
               thread->unique >= load_fanout_expected(thread);
    case LOAD_CONNECT:
    case LOAD_IDLE:
        return thread->dialling == 0;
    }
    WRING_UNREACHABLE();
}

/* All is answered: since when? A thread may wake for that a while later. */
static wring_time_ns ended_at(const load_thread *thread, wring_time_ns now) {
    const load_run *run = thread->run;
    const wring_time_ns from = atomic_load(&run->measure_from);
    if (run->config->mode == LOAD_CONNECT || !load_limit_is_reached(run)) {
        return now;
    }
    return thread->arrived > from ? thread->arrived : from;
}

/* The run's measured time ends with the last answer that any thread got. */
static void thread_done(load_run *run, wring_time_ns at) {
    uint64_t last = atomic_load(&run->limit_end);
    while (last < at && !atomic_compare_exchange_weak(&run->limit_end, &last, at)) {
    }
    if (atomic_fetch_add(&run->limit_done, 1) + 1 < run->thread_count) {
        return;
    }
    const wring_time_ns end = atomic_load(&run->limit_end) + 1; /* what came then is measured */
    uint64_t to = atomic_load(&run->measure_to);
    while (end < to && !atomic_compare_exchange_weak(&run->measure_to, &to, end)) {
    }
    for (uint32_t i = 0; i < run->thread_count; i++) {
        load_thread_wake(run->threads[i]);
    }
}

void load_limit_step(load_thread *thread, wring_time_ns now) {
    load_run *run = thread->run;
    if (run->config->messages == 0 || thread->phase != LOAD_MEASURING || thread->limit_is_done ||
        !(load_limit_is_reached(run) || nobody_sends(run) || is_stalled(thread, now))) {
        return;
    }
    if (thread->limit_from == 0) {
        thread->limit_from = now;
    }
    const wring_time_ns last =
        thread->arrived > thread->limit_from ? thread->arrived : thread->limit_from;
    const bool silent = run->config->mode != LOAD_CONNECT && now > last + SILENCE_NS;
    if (is_answered(thread) || silent) {
        thread->limit_is_done = true;
        thread_done(run, silent ? last : ended_at(thread, now));
    }
}
