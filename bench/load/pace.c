/* SPDX-License-Identifier: Apache-2.0
 *
 * The schedule of one thread: which message is due when, what is sent in a turn, and how long the
 * next turn may sleep. All of it goes by one time, thread->now, which each turn reads once: what is
 * due by then is sent in that turn, and the thread sleeps until what is due after it.
 */
#include "bench/load/engine.h"

/* A thread looks around at least so often: a closed fan-out loop for messages that never arrive,
 * draining for its end. */
#define PATROL_NS (100 * WRING_NS_PER_MS)
/* Connect mode: the first pause after as many failed dials in a row as there are places, and the
 * longest. */
#define BACKOFF_MIN_NS (10 * WRING_NS_PER_MS)
#define BACKOFF_MAX_NS WRING_NS_PER_SEC

/* ---- messages -------------------------------------------------------------------------------- */

/* From the begin of the run to the time of place `place` in the schedule of all. */
static wring_duration_ns due_after(const load_config *config, double place) {
    const double burst = config->mode == LOAD_FANOUT ? config->burst : 1;
    if (config->ramp.count > 0) {
        return load_ramp_due(&config->ramp, place * burst);
    }
    const double gap = 1e9 * burst / config->rate;
    const double after = place * gap;
    return after > 1e18 ? WRING_TIME_NEVER : (wring_duration_ns)after;
}

/* The schedule of the run goes round the connections (fan-out: the publishers), and a thread has
 * every thread_count-th of them: the place of its message `k` in the schedule of all. */
static double place_of(const load_thread *thread, uint64_t k, uint32_t own) {
    const load_run *run = thread->run;
    if (run->thread_count == 1) {
        return (double)k;
    }
    return (double)(k / own) * load_pace_lanes(run->config) +
           (double)(thread->index + k % own * run->thread_count);
}

uint32_t load_pace_lanes(const load_config *config) {
    return config->mode == LOAD_FANOUT ? config->publishers : config->connections;
}

static wring_time_ns due_at(const load_thread *thread, uint64_t k) {
    const load_run *run = thread->run;
    const uint32_t lanes = load_pace_lanes(run->config);
    if (run->config->rate <= 0 || lanes <= thread->index) {
        return WRING_TIME_NEVER;
    }
    const uint32_t own = (lanes - thread->index + run->thread_count - 1) / run->thread_count;
    const wring_duration_ns after = due_after(run->config, place_of(thread, k, own));
    if (after == WRING_TIME_NEVER) {
        return WRING_TIME_NEVER;
    }
    const wring_time_ns due = atomic_load(&run->start) + after;
    return due >= atomic_load(&run->measure_to) ? WRING_TIME_NEVER : due;
}

wring_time_ns load_pace_due(const load_thread *thread) {
    const bool goes_on = load_thread_may_send(thread) && !load_limit_is_reached(thread->run);
    return goes_on ? due_at(thread, thread->paced) : WRING_TIME_NEVER;
}

uint64_t load_pace_scheduled(const load_thread *thread) {
    uint64_t from = 0;
    uint64_t to = UINT64_C(1) << 60;
    while (from < to) { /* the first that is not due before the end */
        const uint64_t middle = from + (to - from) / 2;
        if (due_at(thread, middle) == WRING_TIME_NEVER) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    return from;
}

void load_pace_note(load_thread *thread, wring_time_ns due) {
    const wring_time_ns now = thread->now;
    thread->paced++;
    if (!load_thread_is_measured(thread, due)) {
        return;
    }
    if (now - due > thread->behind_max) {
        thread->behind_max = now - due;
    }
    const bool was_held = due < thread->room_from;
    thread->held += was_held;
    load_histogram_record(thread->lag, now - (was_held ? thread->room_from : due));
}

/* ---- dials ----------------------------------------------------------------------------------- */

/* With a ramp of connections: when the next dial is due. Connections have their numbers by turns
 * of the threads, and are dialled in their order. */
static wring_time_ns ramp_dial_at(const load_thread *thread) {
    const load_run *run = thread->run;
    const double number = (double)thread->next_open * run->thread_count + thread->index + 1;
    const wring_duration_ns at = load_ramp_reach(&run->config->connect_ramp, number);
    return at == WRING_TIME_NEVER ? at : atomic_load(&run->start) + at;
}

bool load_pace_opens_now(const load_thread *thread) {
    const load_config *config = thread->run->config;
    if (config->connect_ramp.count > 0) {
        return load_thread_may_send(thread);
    }
    return thread->phase == LOAD_OPENING && config->mode != LOAD_CONNECT;
}

bool load_pace_dial_is_due(load_thread *thread, wring_time_ns now) {
    const double rate = thread->run->config->connect_rate;
    if (thread->run->config->connect_ramp.count > 0) {
        return now >= ramp_dial_at(thread);
    }
    if (now < thread->dial_from || now < thread->backoff_until) {
        return false;
    }
    if (rate > 0) {
        const double gap = 1e9 * thread->run->thread_count / rate;
        const wring_time_ns base = thread->dial_from == 0 ? now : thread->dial_from;
        thread->dial_from = base + (wring_duration_ns)gap;
        thread->dial_due = base;
    }
    return true;
}

uint64_t load_pace_dials_missed(const load_thread *thread) {
    const load_run *run = thread->run;
    const wring_time_ns end = atomic_load(&run->measure_to);
    if (run->config->mode != LOAD_CONNECT || run->config->connect_rate <= 0 ||
        thread->dial_from == 0 || thread->dial_from >= end) {
        return 0;
    }
    const double gap = 1e9 * run->thread_count / run->config->connect_rate;
    return 1 + (uint64_t)((double)(end - 1 - thread->dial_from) / gap);
}

void load_pace_dial_succeeded(load_thread *thread) {
    thread->failed_in_a_row = 0;
    thread->backoff = 0;
}

/* Only connect mode dials again. One failure among successes is no reason to measure fewer. */
void load_pace_dial_failed(load_thread *thread) {
    const wring_time_ns now = thread->worker.now;
    if (thread->run->config->mode != LOAD_CONNECT || !load_thread_may_send(thread) ||
        ++thread->failed_in_a_row < thread->share || now < thread->backoff_until) {
        return;
    }
    thread->failed_in_a_row = 0;
    thread->backoff =
        thread->backoff == 0 ? BACKOFF_MIN_NS : wring__min_u64(2 * thread->backoff, BACKOFF_MAX_NS);
    thread->backoff_until = now + thread->backoff;
    thread->backoff_sum += thread->backoff;
    thread->backoffs++;
    if (thread->dial_from != 0 && thread->dial_from < thread->backoff_until) {
        thread->dial_from = thread->backoff_until; /* a rate is not made up for in one burst */
    }
}

/* Connect mode: every place dials anew when its connection is gone. */
static void reopen(load_thread *thread, wring_time_ns now) {
    for (uint32_t i = 0; i < thread->share; i++) {
        const uint32_t place = thread->next_open % thread->share;
        if (thread->links[place] == NULL) {
            if (!load_limit_allows(thread) || !load_pace_dial_is_due(thread, now) ||
                !load_limit_take(thread)) {
                return;
            }
            load_thread_dial(thread, place);
        }
        thread->next_open++;
    }
}

static wring_time_ns dial_next(const load_thread *thread) {
    const load_run *run = thread->run;
    const wring_time_ns due =
        thread->dial_from > thread->backoff_until ? thread->dial_from : thread->backoff_until;
    if (run->config->mode != LOAD_CONNECT) {
        const bool has_room = thread->next_open < thread->share &&
                              thread->dialling < load_thread_dialling_max(thread);
        return !has_room || !load_pace_opens_now(thread) ? WRING_TIME_NEVER
               : run->config->connect_ramp.count > 0     ? ramp_dial_at(thread)
                                                         : due;
    }
    const bool has_room = load_thread_may_send(thread) && !load_limit_is_reached(run) &&
                          thread->link_count < thread->share;
    /* not later than now: dials that failed at once, before anything was waited for */
    return !has_room ? WRING_TIME_NEVER : due > thread->now ? due : thread->now + BACKOFF_MIN_NS;
}

/* ---- turns ----------------------------------------------------------------------------------- */

void load_pace(load_thread *thread, wring_time_ns now) {
    if (!load_thread_may_send(thread)) {
        return;
    }
    if (thread->is_full) { /* answers and sends that ended were told of at the turn's begin */
        thread->room_from = thread->worker.now;
        thread->is_full = false;
    }
    switch (thread->run->config->mode) {
    case LOAD_ECHO:
        load_echo_pace(thread, now);
        break;
    case LOAD_FANOUT:
        load_fanout_pace(thread, now);
        break;
    case LOAD_CONNECT:
        reopen(thread, now);
        break;
    case LOAD_IDLE:
        break;
    }
    wring__worker_flush(&thread->worker);
}

wring_time_ns load_pace_next(const load_thread *thread) {
    const load_run *run = thread->run;
    wring_time_ns next = wring__min_u64(thread->now + PATROL_NS, dial_next(thread));
    if (thread->oldest != NULL) {
        next = wring__min_u64(next, load_thread_expiry(thread->oldest));
    }
    if (thread->phase == LOAD_WARMUP) {
        next = wring__min_u64(next, atomic_load(&run->measure_from));
    }
    if (thread->phase == LOAD_MEASURING) {
        next = wring__min_u64(next, load_thread_interval_end(thread));
    }
    /* all connections are full: an answer wakes us */
    return thread->is_full ? next : wring__min_u64(next, load_pace_due(thread));
}
