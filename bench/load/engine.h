/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the load generator: what the files of load.h's list share.
 *
 * Threads: the main thread and one worker thread for each share of the connections. A load_thread
 * and its links belong to that thread; what others read is atomic or below run->lock.
 */
#ifndef WRING_LOAD_ENGINE_H
#define WRING_LOAD_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "bench/load/link.h"
#include "bench/load/load.h"
#include "bench/load/payload.h"
#include "bench/load/target.h"
#include "bench/load/trunk.h"
#include "io/worker.h"

typedef struct load_run load_run;

/* ---- echo.c ---------------------------------------------------------------------------------- */

/** Closed loop: fills the pipeline. */
void load_echo_start(load_link *link);
void load_echo_start_all(load_thread *thread);
void load_echo_message(load_link *link, const load_message *message);
/** A piece of the answer at hand, from `offset` of its payload. */
void load_echo_verify(load_link *link, uint64_t offset, const uint8_t *data, size_t len);
/** Sends what is due by now at a constant rate. */
void load_echo_pace(load_thread *thread, wring_time_ns now);
void load_echo_ended(load_link *link);

/* ---- fanout.c -------------------------------------------------------------------------------- */

/** One publisher. Its number of messages is read by all threads, the rest is its thread's. */
typedef struct load_publisher {
    _Atomic uint64_t published;
    _Atomic uint64_t *done; /* by window place: number << 16 | threads it is delivered in */
    uint64_t settled;       /* numbers below it are delivered to all */
    wring_time_ns sent;     /* the last */
    load_link *link;        /* NULL: not open */
    uint32_t topic;
    uint32_t owner; /* thread */
} load_publisher;

typedef struct load_fanout {
    load_publisher *publishers;
    uint32_t count;
    uint32_t topics;
    uint32_t window;              /* places, a power of two */
    _Atomic uint32_t *threads_of; /* by topic: threads that have subscribers of it */
} load_fanout;

/** Of one thread: deliveries by publisher and window place. */
typedef struct load_delivery {
    uint64_t number;
    uint32_t count;
} load_delivery;

WRING_MUST_CHECK wring_result load_fanout_open(load_run *run);
void load_fanout_close(load_run *run);
WRING_MUST_CHECK wring_result load_fanout_thread_open(load_thread *thread);
void load_fanout_thread_close(load_thread *thread);
WRING_MUST_CHECK wring_result load_fanout_link_open(load_link *link);
void load_fanout_link_ended(load_link *link);
/** All are open: tells the others how many subscribers this thread has. */
void load_fanout_ready(load_thread *thread);
void load_fanout_message(load_link *link, const load_message *message);
void load_fanout_pace(load_thread *thread, wring_time_ns now);
/** How many deliveries this thread still expects, when all have stopped publishing. */
uint64_t load_fanout_expected(const load_thread *thread);
void load_fanout_count_lost(load_thread *thread);

/* ---- thread.c -------------------------------------------------------------------------------- */

struct load_thread {
    load_run *run;
    wring__worker worker;
    pthread_t id;
    bool running; /* main thread's: to be joined */
    uint32_t index;
    uint32_t share; /* sessions it opens: connections, or streams of HTTP/2 */

    load_link **links; /* by number / threads; NULL: gone */
    load_link **open;
    uint32_t open_count;
    uint32_t link_count; /* that are not gone */
    uint32_t next_open;
    uint32_t next_source;
    uint32_t dialling;
    load_link *oldest; /* those that dial or close */
    load_link *newest;
    wring_time_ns dial_from; /* the next dial is due, with a rate */
    wring_time_ns dial_due;  /* ... and this one was; 0: there is no rate */
    load_trunk *trunks;      /* HTTP/2: all connections */
    load_trunk *trunk;       /* ... and the one that takes the next session; NULL: none does */
    wring__h2_counters http2;
    bool ready_told;
    bool wants_pace; /* something to send may have become possible */

    uint8_t phase;         /* enum load_phase, as this thread sees it */
    uint64_t awaited;      /* answers */
    uint64_t unique;       /* fan-out: deliveries that were no repetition */
    wring_time_ns arrived; /* the last answer */
    wring_time_ns closing_from;
    wring_time_ns limit_from; /* -n: when the number was first seen to be reached */
    bool limit_is_done;       /* and all that this thread sent of it is answered */
    wring_time_ns now;        /* of this turn, read when all that came was dispatched */
    uint64_t paced;           /* messages of the schedule sent so far */
    bool is_full;             /* at the last look no connection had room for what is due */
    wring_time_ns room_from;  /* ... and when there was room again */
    uint64_t held;            /* messages that waited for that */
    uint32_t failed_in_a_row; /* dials */
    uint32_t backoffs;
    wring_duration_ns backoff; /* the last pause of dialling; 0: none since a dial succeeded */
    wring_duration_ns backoff_sum;
    wring_time_ns backoff_until;
    uint32_t deck_at;
    uint32_t turn_at; /* whose turn it is to send */
    uint64_t interval_index;
    uint64_t interval_messages;
    load_inflater *inflater;
    load_inflated *inflated; /* the last one: it comes to many */
    load_histogram *interval;
    load_histogram *lag;    /* of the interval: what the generator itself was late by */
    wring_duration_ns same; /* a latency that came `same_count` times in a row, not yet recorded */
    uint64_t same_count;
    load_histogram *connects;
    load_counts measured;
    load_counts totals;
    uint64_t lost, duplicated, reordered, foreign, to_publishers, unsent;
    uint64_t pending;    /* dials that were under way at the end */
    uint64_t unanswered; /* ... and had been for long */
    uint64_t unclosed;   /* our closes that the server never answered */
    uint64_t wire_sent, wire_received;
    wring_duration_ns behind_max;
    load_cpu cpu_from;
    load_cpu cpu;

    load_delivery *deliveries; /* fan-out: publisher * window + place */
    uint32_t *subscribers;     /* by topic */
    size_t tag_at;             /* where the last tag was found */
    uint8_t tag_text[LOAD_FANOUT_TAG];
    load_fanout_tag tag;

    _Atomic uint32_t opened, failed, dropped; /* of sessions; dropped: lost */
    _Atomic uint32_t carriers;                /* connections of HTTP/2 that carried one */
    atomic_bool started;                      /* its ring is open: it can be woken */
    atomic_bool ready;                        /* all dials have ended */
    _Atomic uint64_t ready_at;
    _Atomic uint64_t opened_at; /* the latest connection */
    _Atomic uint32_t left;      /* closing: sessions that are not gone yet */
    atomic_bool stopped;        /* sends no more */
    atomic_bool quiet;          /* and awaits no more */
    atomic_bool finished;
    wring_result result;
    wring_error error;
};

/** A thread's life: load_thread_open, then load_thread_turn until it says false. */
void *load_thread_main(void *thread);
WRING_MUST_CHECK wring_result load_thread_open(load_thread *thread);
/** False when it is over: all is closed, or the ring failed (thread->result). */
bool load_thread_turn(load_thread *thread);
/** Wakes a thread that may sleep; one without a ring needs none.   Thread: any. */
void load_thread_wake(load_thread *thread);
/** A link opened, failed before that, was lost after. */
void load_thread_opened(load_thread *thread, load_link *link);
void load_thread_list(load_thread *thread, load_link *link);
void load_thread_unlist(load_thread *thread, load_link *link);
void load_thread_unopen(load_thread *thread, load_link *link);
void load_thread_error(load_thread *thread, uint64_t count, const char *text);
/** One error of that kind was none. */
void load_thread_error_undo(load_thread *thread, const char *text);
/** Dials for place `place` of its share. */
void load_thread_dial(load_thread *thread, uint32_t place);
void load_thread_dial_failed(load_thread *thread, const char *text);
uint32_t load_thread_dialling_max(const load_thread *thread);
/** When a connection that dials or closes has taken too long. */
wring_time_ns load_thread_expiry(const load_link *link);
wring_time_ns load_thread_interval_end(const load_thread *thread);
static inline bool load_thread_may_send(const load_thread *thread) {
    return thread->phase == LOAD_WARMUP || thread->phase == LOAD_MEASURING;
}

static inline void load_thread_latency_flush(load_thread *thread) {
    if (thread->same_count > 0) {
        load_histogram_record_many(thread->interval, thread->same, thread->same_count);
        thread->same_count = 0;
    }
}
/** Notes a latency of the interval. What was sent in one turn and answered in one has the same. */
static inline void load_thread_latency(load_thread *thread, wring_duration_ns latency) {
    if (latency != thread->same) {
        load_thread_latency_flush(thread);
        thread->same = latency;
    }
    thread->same_count++;
}
/** Is it one that messages are sent on? */
static inline bool load_link_sends(const load_link *link) {
    return link->role == LOAD_ROLE_ECHO || link->role == LOAD_ROLE_PUBLISHER;
}
/** Does what was sent (or was to be sent) at `at` belong to the measured time. */
bool load_thread_is_measured(const load_thread *thread, wring_time_ns at);

/* ---- pace.c ---------------------------------------------------------------------------------- */

/** Who takes turns in the schedule: connections, or publishers. */
uint32_t load_pace_lanes(const load_config *config);
/** When the thread's next message is due; WRING_TIME_NEVER after the end. */
wring_time_ns load_pace_due(const load_thread *thread);
/** How many messages (fan-out: bursts) the thread had to send from start to end. */
uint64_t load_pace_scheduled(const load_thread *thread);
/** The next message goes out: counts it, and how late it is. */
void load_pace_note(load_thread *thread, wring_time_ns due);
/** Sends and dials what is due by `now`. */
void load_pace(load_thread *thread, wring_time_ns now);
/** How long the next turn may sleep. */
wring_time_ns load_pace_next(const load_thread *thread);
/** With a rate, or after failures: may a connection be dialled? */
bool load_pace_dial_is_due(load_thread *thread, wring_time_ns now);
/** Are its connections being opened: before the run, with a ramp of connections in its course. */
bool load_pace_opens_now(const load_thread *thread);
/** Connect mode with a rate: dials that were due in the run and never begun. */
uint64_t load_pace_dials_missed(const load_thread *thread);
void load_pace_dial_succeeded(load_thread *thread);
void load_pace_dial_failed(load_thread *thread);

/* ---- run.c ----------------------------------------------------------------------------------- */

/** Of the machine, for threads that have no worker. */
wring_time_ns load_clock_now(void);

#define LOAD_PENDING 4

/** An interval to which not all threads have given their part. */
typedef struct load_pending {
    load_histogram *latency;
    load_histogram *lag;
    uint64_t messages;
    uint32_t given;
} load_pending;

struct load_run {
    const load_config *config;
    const wring__backend_ops *backend;
    load_target target;
    load_payload payload;
    load_fanout fanout;
    wring__tls_context *tls;
    wring_http2_config http2; /* of a client; what the server does is not limited by us */
    load_thread **threads;
    uint32_t thread_count;
    uint32_t connections;
    load_result *result;

    _Atomic uint64_t start;        /* 0: connections are being opened */
    _Atomic uint64_t measure_from; /* set before `start` */
    _Atomic uint64_t measure_to;   /* brought forward to end early */
    atomic_bool closing;
    atomic_bool refusal_kept; /* a connection has it */

    _Atomic uint32_t senders;         /* open connections that send */
    _Atomic uint64_t limit_taken;     /* -n: messages sent or about to be */
    _Atomic uint64_t limit_published; /* ... fan-out: and counted as published */
    _Atomic uint64_t limit_end;       /* ... the last answer, of threads that are done */
    _Atomic uint32_t limit_done;      /* ... threads that are */

    pthread_mutex_t lock;
    load_pending pending[LOAD_PENDING];
    uint64_t pending_from; /* index of the oldest */
    size_t series_cap;
};

/* ---- limit.c --------------------------------------------------------------------------------- */

static inline bool load_limit_is_reached(const load_run *run) {
    return run->config->messages != 0 &&
           atomic_load_explicit(&run->limit_taken, memory_order_relaxed) >= run->config->messages;
}
/** May one more message (or handshake) go out? */
bool load_limit_allows(const load_thread *thread);
/** The same, and in the measured time it counts from here on. */
bool load_limit_take(load_thread *thread);
/** Ends the measured time when all of them are answered. */
void load_limit_step(load_thread *thread, wring_time_ns now);

/* ---- setup.c --------------------------------------------------------------------------------- */

/** Makes payload and threads; `config`, `result` and `thread_count` are set.
 *  Errors: WRING_ERR_NO_MEMORY.   Own: load_run_close frees, also after an error. */
WRING_MUST_CHECK wring_result load_run_open(load_run *run, wring_error *error);
void load_run_close(load_run *run);

/* ---- collect.c ------------------------------------------------------------------------------- */

/** Makes the histograms of an empty result.  Errors: WRING_ERR_NO_MEMORY */
WRING_MUST_CHECK wring_result load_result_init(load_result *result);
/** When all threads have ended: fills in the result. */
void load_run_collect(load_run *run);
/** How many connections opened, failed and were lost so far. */
void load_run_count_connections(load_run *run);

/** The thread's part of interval `index`.   Thread: its own. */
void load_run_give(load_run *run, uint64_t index, const load_thread *thread);

#endif
