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

#include "bench/load/deflate.h"
#include "bench/load/load.h"
#include "bench/load/sequence.h"
#include "io/worker.h"
#include "proto/head.h"
#include "wring/url.h"

typedef struct load_run load_run;
typedef struct load_thread load_thread;
typedef struct load_link load_link;
typedef struct load_refused load_refused;

/* ---- target.c -------------------------------------------------------------------------------- */

/** Where to connect to, and what to say there. */
typedef struct load_target {
    const wring__backend_ops
        *backend; /* names are looked up on it: set before the target is opened */
    wring_url url;
    char *url_text;
    char *host;
    char *authorization; /* of the URL's user and password; NULL: none */
    load_address address;
    load_address *sources;
    size_t source_count;
    char **requests; /* by topic: whole upgrade requests, the key to be filled in */
    size_t *request_lens;
    size_t *key_at;
    uint32_t topics;
} load_target;

/** How long one who waits for others does so. */
typedef struct load_patience {
    bool (*go_on)(void *arg); /* asked several times a second; false ends it */
    void *arg;
    wring_time_ns until;
} load_patience;

WRING_MUST_CHECK wring_result load_target_open(load_target *target, const load_config *config,
                                               const load_patience *patience, wring_error *error);
void load_target_close(load_target *target);

/** Are there ports, descriptors and memory enough? Raises the soft limit of descriptors. */
WRING_MUST_CHECK wring_result load_preflight(const load_config *config, const load_target *target,
                                             uint32_t threads, wring_error *error);

/** How many connections a run has. */
uint32_t load_config_connections(const load_config *config);
/** ... and threads: what was asked for, or half of the CPUs, or more for that many connections. */
uint32_t load_config_threads(const load_config *config);

/** address.c: sets `address` by `host` and the URL's port.
 *  Errors: WRING_ERR_ADDRESS when there is none, or patience ended. */
WRING_MUST_CHECK wring_result load_address_find(load_target *target, const load_patience *patience,
                                                wring_error *error);

/* ---- tx.c ------------------------------------------------------------------------------------ */

/* In front of a generated payload stands its tag, as far as there is room: letters of a 64-letter
 * alphabet that no JSON string escapes, low bits first. Echo: the message's number on its
 * connection. Fan-out: a magic, then publisher, number and time. */
#define LOAD_ECHO_TAG     8
#define LOAD_FANOUT_MAGIC 4
#define LOAD_FANOUT_TAG   26
/* A server may wrap what it fans out: the magic is looked for in so many bytes. */
#define LOAD_HEAD_MAX 256

typedef struct load_payload {
    uint8_t *plain;      /* the longest payload; all others are its prefixes, but for the tag */
    uint8_t *masked;     /* the same as on the wire, under `key` */
    wring__shared *tail; /* what follows the tag in a long message of fixed size */
    size_t len;          /* of `plain` */
    size_t wire_len;     /* of `masked`: another one only when it is compressed */
    size_t tag_at;       /* in `masked` */
    uint32_t key;
    uint64_t tag_key; /* `key` twice, turned to where the tag stands */
    uint8_t first;    /* FIN, RSV1 and opcode */
    bool tagged;
    bool deflated;
} load_payload;

WRING_MUST_CHECK wring_result load_payload_make(load_payload *payload, const load_config *config);
void load_payload_free(load_payload *payload);

/** Queues one message of `len` bytes that begins with `tag`.  Errors: WRING_ERR_NO_MEMORY */
WRING_MUST_CHECK wring_result load_tx_message(load_link *link, const uint8_t *tag, size_t tag_len,
                                              size_t len);
WRING_MUST_CHECK wring_result load_tx_control(load_link *link, uint8_t opcode, const uint8_t *data,
                                              size_t len);

typedef struct load_fanout_tag {
    uint32_t publisher;
    uint64_t number;
    wring_time_ns sent;
} load_fanout_tag;

/** Before any tag is written, and before threads start. */
void load_tags_init(void);
void load_echo_tag_write(uint8_t out[LOAD_ECHO_TAG], uint64_t number);
/** Of a payload shorter than the tag, its `len` letters: the lowest digits of the number. */
bool load_echo_tag_read(const uint8_t *tag, size_t len, uint64_t *number);
void load_fanout_tag_write(uint8_t out[LOAD_FANOUT_TAG], const load_fanout_tag *tag);
/** `bytes` are at least LOAD_FANOUT_TAG long and begin with the magic. */
bool load_fanout_tag_read(const uint8_t *bytes, load_fanout_tag *tag);
/** Where the magic stands, `len` if nowhere with room for the tag. */
size_t load_fanout_tag_find(const uint8_t *bytes, size_t len);

/* ---- link.c, rx.c ---------------------------------------------------------------------------- */

enum load_stage {
    LOAD_STAGE_DIAL,
    LOAD_STAGE_UPGRADE, /* TLS included */
    LOAD_STAGE_OPEN,
    LOAD_STAGE_CLOSE, /* our close frame went out */
    LOAD_STAGE_OVER   /* counted; waits for its end */
};

enum load_role { LOAD_ROLE_ECHO, LOAD_ROLE_PUBLISHER, LOAD_ROLE_SUBSCRIBER, LOAD_ROLE_IDLE };

/** Frames received: where we are in the stream. */
typedef struct load_rx {
    uint64_t left;        /* payload bytes of the frame that are still to come */
    uint64_t message_len; /* of the message, as far as announced */
    uint8_t *head;        /* its first bytes, or a control frame's payload; when first needed */
    uint16_t head_len;
    uint8_t control_len;
    uint8_t header[10];
    uint8_t header_len;
    uint8_t message_opcode; /* 0: no message is open */
    uint8_t frame_opcode;
    bool fin;
    bool in_frame;
    bool compressed;         /* the message */
    const char *fault;       /* of the message, with --verify */
    load_inflater *inflater; /* of a compressed message in pieces, with --verify */
    uint64_t inflated;       /* bytes of the message so far, with --verify */
} load_rx;

/** An echo that is awaited. */
typedef struct load_awaited {
    wring_time_ns sent;
    uint8_t tag[LOAD_ECHO_TAG];
    uint32_t len;
} load_awaited;

/** A message whose place a wrong answer took: if its own comes after all, the other was none. */
typedef struct load_doubt {
    uint64_t number;
    wring_time_ns sent;
    const char *fault; /* counted as that so far */
    bool is_measured;  /* ... in the measured time */
} load_doubt;

#define LOAD_DOUBTS_MAX 32

/** The latest first to be forgotten last. */
typedef struct load_doubts {
    load_doubt list[LOAD_DOUBTS_MAX];
    uint32_t count;
} load_doubts;

typedef struct load_echo {
    load_awaited *ring;
    uint32_t head;
    uint32_t count;
    uint32_t cap;        /* a power of two */
    uint64_t next;       /* number; the oldest in the ring has next - count */
    uint64_t jumped;     /* numbers that later ones came before, and that did not come yet */
    load_doubts *doubts; /* when first needed */
} load_echo;

struct load_link {
    wring__conn conn; /* first: the pump's callbacks get this address */
    load_thread *thread;
    load_link *older; /* in the list of those that dial or close, by time */
    load_link *newer;
    wring_time_ns began; /* the dial, or the close */
    wring_time_ns due; /* connect mode: the dial, by the rate of connections; else when it began */
    uint32_t number;
    uint32_t open_at; /* place in thread->open */
    uint8_t stage;
    uint8_t role;
    bool listed;
    bool is_open;          /* stands in thread->open */
    bool deflate;          /* was negotiated */
    uint8_t interim_count; /* answers with 1xx before the one that counts */
    load_rx rx;
    wring__head *head;
    char *key;             /* until the 101 */
    load_refused *refused; /* an answer that is kept, while its body comes */
    load_echo echo;
    load_sequence *tracks; /* subscriber: by publisher of its topic */
    uint32_t publisher;    /* publisher: which */
    uint32_t topic;
};

/** Errors: those of wring__conn_connect. */
WRING_MUST_CHECK wring_result load_link_dial(load_thread *thread, uint32_t number);
/** Begins the close handshake. */
void load_link_close(load_link *link);
/** Something is wrong with it: counted as `text`, and ended. */
void load_link_fail(load_link *link, const char *text);
void load_link_failf(load_link *link, const char *format, ...) WRING_PRINTF(2, 3);
/** Is a close frame with that code the server's answer to ours, and not a close that it began? */
bool load_link_awaits_close(const load_link *link, unsigned code);
/** For those that took too long. */
void load_link_expire(load_link *link);
/** Ends one that is not open yet, uncounted. */
void load_link_abandon(load_link *link);

void load_rx_bytes(load_link *link, const uint8_t *data, size_t len);
void load_rx_free(load_rx *rx);

/** refusal.c: keeps the answer at the start of `data`, if it is the run's first and is wanted. The
 *  link fails when the body has come. False: it is not kept. */
bool load_refusal_begin(load_link *link, const wring__http1 *parser, wring_headers headers,
                        wring_mut_bytes data);
/** More of the body. */
void load_refusal_more(load_link *link, const uint8_t *data, size_t len);
/** The stream ended, broke or took too long: what came is kept.  Returns `text`: why it failed. */
#define LOAD_REFUSAL_TEXT 64
const char *load_refusal_end(load_link *link, char text[LOAD_REFUSAL_TEXT]);

/** verify.c: a compressed answer begins, goes on, and is whole. False: the link has failed. */
bool load_verify_begin(load_link *link, bool in_pieces);
bool load_verify_inflated(load_link *link, const uint8_t *data, size_t len);
bool load_verify_end(load_link *link);

/** A whole message: `head` are its first `head_len` bytes. */
typedef struct load_message {
    const uint8_t *head;
    size_t head_len;
    uint64_t len; /* LOAD_LEN_UNKNOWN: it was compressed, and only its beginning is known */
    uint8_t opcode;
    bool compressed;
    const char *fault; /* --verify: what is wrong beyond its head; NULL */
} load_message;

#define LOAD_LEN_UNKNOWN UINT64_MAX

/** A compressed message and the beginning of what it inflates to. */
typedef struct load_inflated {
    uint8_t wire[4096];
    uint8_t head[LOAD_HEAD_MAX];
    size_t wire_len; /* 0: none yet, or too long to keep */
    size_t head_len;
} load_inflated;

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
    uint32_t share; /* connections it opens */

    load_link **links; /* by number / threads; NULL: gone */
    load_link **open;
    uint32_t open_count;
    uint32_t next_open;
    uint32_t next_source;
    uint32_t dialling;
    load_link *oldest; /* those that dial or close */
    load_link *newest;
    wring_time_ns dial_from; /* the next dial is due, with a rate */
    wring_time_ns dial_due;  /* ... and this one was; 0: there is no rate */
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

    _Atomic uint32_t opened, failed, dropped; /* of connections; dropped: lost */
    atomic_bool started;                      /* its ring is open: it can be woken */
    atomic_bool ready;                        /* all dials have ended */
    _Atomic uint64_t ready_at;
    _Atomic uint64_t opened_at; /* the latest connection */
    _Atomic uint32_t left;      /* closing: connections that are not gone yet */
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
