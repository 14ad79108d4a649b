/* SPDX-License-Identifier: Apache-2.0
 *
 * One thread of the load generator: a worker of io/ with a schedule beside its turn.
 *
 *     opening -> warm-up -> measuring -> draining -> closing
 *
 * It goes from one to the next by itself, by the times in load_run; only `start` and `closing` are
 * told by the main thread, because all threads have to be ready for them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "bench/load/engine.h"

/* Handshakes under way at a time, of all threads: a listener's backlog is of about that size, and
 * a SYN that it drops comes again after a second only. */
#define DIALLING_MAX 256
#define CLOSING_MAX  1024
#define CLOSE_NS     (3 * WRING_NS_PER_SEC)
/* ... and all of them together: then what is left is ended without the server's answer. */
#define CLOSE_ALL_NS (15 * WRING_NS_PER_SEC)
/* A dial that waits for longer is told of when the run ends. A shorter wait is the end's own doing.
 */
#define UNANSWERED_NS WRING_NS_PER_SEC
/* Draining ends when no answer came for so long. */
#define SILENCE_NS (2 * WRING_NS_PER_SEC)

/* ---- lists ----------------------------------------------------------------------------------- */

void load_thread_list(load_thread *thread, load_link *link) {
    load_thread_unlist(thread, link);
    link->older = thread->newest;
    link->newer = NULL;
    if (thread->newest != NULL) {
        thread->newest->newer = link;
    } else {
        thread->oldest = link;
    }
    thread->newest = link;
    link->listed = true;
}

void load_thread_unlist(load_thread *thread, load_link *link) {
    if (!link->listed) {
        return;
    }
    *(link->older == NULL ? &thread->oldest : &link->older->newer) = link->newer;
    *(link->newer == NULL ? &thread->newest : &link->newer->older) = link->older;
    link->listed = false;
}

void load_thread_unopen(load_thread *thread, load_link *link) {
    if (!link->is_open) {
        return;
    }
    load_link *last = thread->open[--thread->open_count];
    thread->open[link->open_at] = last;
    last->open_at = link->open_at;
    link->is_open = false;
    if (load_link_sends(link)) {
        atomic_fetch_sub(&thread->run->senders, 1);
    }
    if (link->role == LOAD_ROLE_ECHO) {
        load_echo_ended(link);
    } else if (thread->run->config->mode == LOAD_FANOUT) {
        load_fanout_link_ended(link);
    }
}

void load_thread_error(load_thread *thread, uint64_t count, const char *text) {
    pthread_mutex_lock(&thread->run->lock);
    load_errors_add(&thread->run->result->errors, count, text);
    pthread_mutex_unlock(&thread->run->lock);
}

void load_thread_error_undo(load_thread *thread, const char *text) {
    load_errors *errors = &thread->run->result->errors;
    pthread_mutex_lock(&thread->run->lock);
    uint32_t at = 0;
    while (at < errors->count && strcmp(errors->kinds[at].text, text) != 0) {
        at++;
    }
    if (at == errors->count && at == LOAD_ERROR_KINDS) {
        at--; /* it found no room, and is among the others */
    }
    if (at < errors->count && --errors->kinds[at].count == 0) {
        errors->count--;
        memmove(&errors->kinds[at], &errors->kinds[at + 1],
                (errors->count - at) * sizeof errors->kinds[0]);
    }
    pthread_mutex_unlock(&thread->run->lock);
}

void load_thread_wake(load_thread *thread) {
    const wring__mail mail = {.kind = WRING__MAIL_WORKER};
    if (atomic_load(&thread->started)) {
        (void)!wring__worker_post(&thread->worker, &mail); /* full: it is awake */
    }
}

void load_thread_dial_failed(load_thread *thread, const char *text) {
    atomic_fetch_add(&thread->failed, 1);
    load_thread_error(thread, 1, text);
    load_pace_dial_failed(thread);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Connect mode: a handshake counts from when its dial was due. At a constant rate that may be long
 * before it began, because a server that stands still keeps all places. */
static void handshake_note(load_thread *thread, const load_link *link, wring_time_ns now) {
    if (thread->phase == LOAD_MEASURING) {
        thread->interval_messages++;
        thread->measured.received++;
    }
    if (load_thread_is_measured(thread, link->due)) {
        load_thread_latency(thread, now > link->due ? now - link->due : 0);
        const wring_duration_ns behind = link->began - link->due;
        thread->behind_max = behind > thread->behind_max ? behind : thread->behind_max;
    }
}

void load_thread_opened(load_thread *thread, load_link *link) {
    const wring_time_ns now = link->end.worker->now;
    const wring_duration_ns took = now > link->began ? now - link->began : 0;
    atomic_fetch_add(&thread->opened, 1);
    atomic_store_explicit(&thread->opened_at, now, memory_order_relaxed);
    load_histogram_record(thread->connects, took);
    load_pace_dial_succeeded(thread);
    if (thread->run->config->mode == LOAD_CONNECT) {
        handshake_note(thread, link, now);
        load_link_close(link);
        return;
    }
    link->open_at = thread->open_count;
    link->is_open = true;
    thread->open[thread->open_count++] = link;
    if (load_link_sends(link)) {
        atomic_fetch_add(&thread->run->senders, 1);
    }
    if (thread->run->config->mode == LOAD_FANOUT && load_fanout_link_open(link) != WRING_OK) {
        load_link_fail(link, "out of memory");
    } else if (link->role == LOAD_ROLE_ECHO && load_thread_may_send(thread)) {
        load_echo_start(link); /* it was opened by a ramp, in the midst of the run */
    }
}

void load_thread_dial(load_thread *thread, uint32_t place) {
    const uint32_t number = place * thread->run->thread_count + thread->index;
    errno = 0;
    const wring_result result = load_link_dial(thread, number);
    if (result == WRING_OK) {
        return;
    }
    char text[128];
    (void)snprintf(text, sizeof text, "connect: %s",
                   result == WRING_ERR_SYSTEM ? strerror(errno) : wring_result_text(result));
    load_thread_dial_failed(thread, text);
}

uint32_t load_thread_dialling_max(const load_thread *thread) {
    const uint32_t share = DIALLING_MAX / thread->run->thread_count;
    return share == 0 ? 1 : share;
}

static void open_some(load_thread *thread, wring_time_ns now) {
    while (thread->next_open < thread->share &&
           thread->dialling < load_thread_dialling_max(thread) &&
           load_pace_dial_is_due(thread, now)) {
        load_thread_dial(thread, thread->next_open++);
    }
    if (thread->next_open == thread->share && thread->dialling == 0 && !thread->ready_told) {
        thread->ready_told = true;
        if (thread->run->config->mode == LOAD_FANOUT) {
            load_fanout_ready(thread);
        }
        atomic_store(&thread->ready_at, now);
        atomic_store(&thread->ready, true);
    }
}

wring_time_ns load_thread_expiry(const load_link *link) {
    return link->began +
           (link->stage < LOAD_STAGE_OPEN ? link->thread->run->config->connect_timeout : CLOSE_NS);
}

static void expire_some(load_thread *thread, wring_time_ns now) {
    while (thread->oldest != NULL) {
        load_link *link = thread->oldest;
        if (now < load_thread_expiry(link)) {
            return;
        }
        load_link_expire(link);
    }
}

/* ---- phases ---------------------------------------------------------------------------------- */

wring_time_ns load_thread_interval_end(const load_thread *thread) {
    const load_run *run = thread->run;
    const wring_time_ns end =
        atomic_load(&run->measure_from) + (thread->interval_index + 1) * run->config->interval;
    return wring__min_u64(end, atomic_load(&run->measure_to));
}

static void interval_give(load_thread *thread) {
    load_thread_latency_flush(thread);
    load_run_give(thread->run, thread->interval_index++, thread);
    load_histogram_reset(thread->interval);
    load_histogram_reset(thread->lag);
    thread->interval_messages = 0;
}

static load_cpu cpu_now(void) {
    struct rusage usage;
    load_cpu cpu = {0, 0};
    if (getrusage(RUSAGE_THREAD, &usage) == 0) {
        cpu.user_s = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
        cpu.system_s = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    }
    return cpu;
}

static void enter(load_thread *thread, enum load_phase phase) {
    thread->phase = (uint8_t)phase;
    if (phase == LOAD_WARMUP) {
        load_echo_start_all(thread);
    } else if (phase == LOAD_MEASURING) {
        thread->cpu_from = cpu_now();
        load_echo_start_all(thread); /* those that -n held back */
    } else if (phase == LOAD_DRAINING) {
        const load_cpu cpu = cpu_now();
        thread->cpu.user_s = cpu.user_s - thread->cpu_from.user_s;
        thread->cpu.system_s = cpu.system_s - thread->cpu_from.system_s;
        thread->arrived = thread->worker.now;
        atomic_store(&thread->stopped, true);
    }
}

static bool all_stopped(const load_run *run) {
    for (uint32_t i = 0; i < run->thread_count; i++) {
        if (!atomic_load(&run->threads[i]->stopped)) {
            return false;
        }
    }
    return true;
}

static bool is_drained(const load_thread *thread, wring_time_ns now) {
    const load_run *run = thread->run;
    if (now > thread->arrived + SILENCE_NS) {
        return true;
    }
    switch (run->config->mode) {
    case LOAD_ECHO:
        return thread->awaited == 0;
    case LOAD_FANOUT:
        return all_stopped(run) && thread->unique >= load_fanout_expected(thread);
    case LOAD_CONNECT:
    case LOAD_IDLE:
        return true;
    }
    WRING_UNREACHABLE();
}

static void measuring(load_thread *thread, wring_time_ns now) {
    while (thread->phase == LOAD_MEASURING && now >= load_thread_interval_end(thread)) {
        const bool last = load_thread_interval_end(thread) >= atomic_load(&thread->run->measure_to);
        if (last) {
            load_pace(thread, now); /* what was due before the end is sent, however late it is */
        }
        interval_give(thread);
        if (last) {
            enter(thread, LOAD_DRAINING);
        }
    }
}

/* Those that are not open yet never will be. That is nobody's failure as long as others opened: see
 * load_run_collect. */
static void abandon_dials(load_thread *thread, wring_time_ns now) {
    load_link *next;
    for (load_link *link = thread->oldest; link != NULL; link = next) {
        next = link->newer;
        if (link->stage < LOAD_STAGE_OPEN) {
            thread->pending++;
            thread->unanswered += now > link->began + UNANSWERED_NS;
            load_link_abandon(link);
        }
    }
}

static void closing(load_thread *thread, wring_time_ns now) {
    thread->phase = LOAD_CLOSING;
    thread->closing_from = now;
    thread->lost += thread->awaited;
    load_thread_latency_flush(thread); /* what came while draining */
    if (thread->run->config->mode == LOAD_FANOUT) {
        load_fanout_count_lost(thread);
    }
    abandon_dials(thread, now);
}

static void phase_step(load_thread *thread, wring_time_ns now) {
    load_run *run = thread->run;
    if (thread->phase == LOAD_OPENING && atomic_load(&run->start) != 0) {
        enter(thread, LOAD_WARMUP);
    }
    if (thread->phase == LOAD_WARMUP && now >= atomic_load(&run->measure_from)) {
        enter(thread, LOAD_MEASURING);
    }
    measuring(thread, now);
    if (thread->phase == LOAD_DRAINING && !atomic_load(&thread->quiet) && is_drained(thread, now)) {
        atomic_store(&thread->quiet, true);
    }
    if (thread->phase <= LOAD_DRAINING && atomic_load(&run->closing)) {
        closing(thread, now);
    }
}

static void abort_one(wring__endpoint *end, void *arg) {
    (void)arg;
    wring__end_abort(end);
}

static void close_some(load_thread *thread, wring_time_ns now) {
    uint32_t room = CLOSING_MAX;
    if (now > thread->closing_from + CLOSE_ALL_NS) {
        wring__worker_each(&thread->worker, abort_one, NULL);
        return;
    }
    for (load_link *link = thread->oldest; link != NULL && room > 0; link = link->newer) {
        room--;
    }
    for (; room > 0 && thread->open_count > 0; room--) {
        load_link_close(thread->open[thread->open_count - 1]);
    }
    load_trunk_close_idle(thread);
}

bool load_thread_is_measured(const load_thread *thread, wring_time_ns at) {
    return at >= atomic_load_explicit(&thread->run->measure_from, memory_order_relaxed) &&
           at < atomic_load_explicit(&thread->run->measure_to, memory_order_relaxed);
}

/* ---- the loop -------------------------------------------------------------------------------- */

bool load_thread_turn(load_thread *thread) {
    wring__worker *worker = &thread->worker;
    if (wring__worker_turn(worker, load_pace_next(thread)) != WRING_OK) {
        thread->result =
            wring_error_set(&thread->error, WRING_ERR_SYSTEM, errno, "%s failed in mid-run: %s",
                            worker->backend->ops->name, strerror(errno));
        return false;
    }
    /* The clock once more, because dispatching takes time: all that is due by now is done in this
     * turn, and the next one sleeps until what is due after it. */
    const wring_time_ns now = worker->backend->ops->now(worker->backend);
    thread->now = now;
    phase_step(thread, now);
    expire_some(thread, now);
    if (load_pace_opens_now(thread)) {
        open_some(thread, now);
    } else if (thread->phase == LOAD_OPENING) {
        atomic_store(&thread->ready, true);
    }
    if (thread->phase == LOAD_CLOSING) {
        close_some(thread, now);
        atomic_store_explicit(&thread->left, thread->link_count, memory_order_relaxed);
        return !wring__worker_is_quiet(worker);
    }
    load_pace(thread, now);
    load_limit_step(thread, now);
    return true;
}

static void worker_mail(wring__worker *worker, const wring__mail *mail) {
    (void)worker; /* it only wakes */
    (void)mail;
}

static const wring__worker_ops worker_ops = {.name = "load", .mail = worker_mail};

wring_result load_thread_open(load_thread *thread) {
    load_run *run = thread->run;
    const bool large = run->payload.len > 32 * 1024;
    const wring__worker_config config = {
        .backend = run->backend,
        .backend_config = {.buffer_count = large ? 128 : 1024,
                           .buffer_size = large ? 256 * 1024 : 16 * 1024},
        .ops = &worker_ops,
        .owner = thread,
        .group = run,
        /* A client that reads no further because it has much to send can wait for a server that
         * does the same. */
        .pause_bytes = UINT64_MAX / 2,
        .index = (uint8_t)thread->index,
    };
    return wring__worker_init(&thread->worker, &config, &thread->error);
}

void *load_thread_main(void *arg) {
    load_thread *thread = arg;
    /* the schedule's wake-ups are not to be rounded by the usual 50 us */
    (void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    thread->result = load_thread_open(thread);
    if (thread->result == WRING_OK) {
        atomic_store(&thread->started, true);
        while (load_thread_turn(thread)) {
        }
        thread->wire_sent = thread->worker.counters.tx_bytes;
        thread->wire_received = thread->worker.counters.rx_bytes;
    }
    atomic_store(&thread->finished, true);
    return NULL;
}
