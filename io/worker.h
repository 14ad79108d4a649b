/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker: one thread's backend, connections, timers and mailbox, and the turn that drives them.
 * Everything in it belongs to its thread but the mailbox and wring__worker_post.
 *
 * A turn, with bounded work in each phase:
 *   1. submit what is queued and wait: one system call (epoll: and one for each receive)
 *   2. move all completions into connection state; no user code
 *   3. drain the mailbox
 *   4. dispatch received bytes to the owners; receive buffers go back in one batch
 *   5. fire due timers; after a gap in which the worker did not run, those of connections wait
 *      until what came meanwhile has been taken (io/clock.h)
 *   6. deliver what the owner has gathered this turn
 *   7. flush: one send per connection that has something queued
 */
#ifndef WRING_IO_WORKER_H
#define WRING_IO_WORKER_H

#include "core/count.h"
#include "core/mailbox.h"
#include "core/outq.h"
#include "core/ref.h"
#include "core/slots.h"
#include "core/wheel.h"
#include "io/backend.h"
#include "io/clock.h"
#include "io/conn.h"
#include "io/conn_long.h"

/** The operations a token names (core/ref.h). */
enum wring__op {
    WRING__OP_NONE,
    WRING__OP_ACCEPT,
    WRING__OP_RECV,
    WRING__OP_SEND,
    WRING__OP_SHUTDOWN,
    WRING__OP_CANCEL,
    WRING__OP_CLOSE,
    WRING__OP_CLOSE_UNOWNED, /* a socket no connection was made for */
    WRING__OP_CONNECT,
    WRING__OP_POLL /* slot and generation are of worker->watches */
};

typedef struct wring__worker_ops {
    const char *name;
    /** A connection came in; makes a wring__conn of it or returns an error, then it is closed. */
    wring_result (*accepted)(wring__worker *worker, wring__socket socket);
    void (*mail)(wring__worker *worker, const wring__mail *mail);
    /** Optional: after wring__worker_stop_listening. All that the kernel had accepted was told by
     *  `accepted`; the owner closes the listener now. */
    void (*unlistened)(wring__worker *worker);
    /** The owner's deadline (worker->owner_timer) passed. */
    void (*timer)(wring__worker *worker);
    void (*deliver)(wring__worker *worker); /* optional: what was gathered this turn is queued */
    void (*turned)(wring__worker *worker);  /* optional: before what is queued goes out */
} wring__worker_ops;

/** Something that runs on the worker at a time: embedded in the owner's struct. */
typedef struct wring__task {
    wring_timer timer;
    void (*run)(struct wring__task *task);
} wring__task;

/** Waits for a descriptor of a library's: embedded, told once for each wring__worker_watch. */
typedef struct wring__watch {
    void (*ready)(struct wring__watch *watch, int32_t events); /* POLLIN ..., or a negative errno */
    uint32_t slot;
    uint32_t generation; /* 0: not waiting */
} wring__watch;

/** Who lives on a worker beside its owner's connections: told when the worker drains. Embedded. */
typedef struct wring__guest {
    struct wring__guest *next;
    struct wring__guest **link;                /* NULL: of no worker */
    void (*drain)(struct wring__guest *guest); /* end in order */
    void (*abort)(struct wring__guest *guest); /* end at once */
} wring__guest;

typedef struct wring__worker_config {
    const wring__backend_ops *backend;
    wring__backend_config backend_config;
    const wring__worker_ops *ops;
    void *owner;
    struct wring__log *log;
    const void *group; /* workers of one are closed when all of them have ended; NULL: alone */
    uint32_t connections_max; /* 0: 2^24 */
    uint32_t mailbox_items;   /* 0: 65,536 */
    uint64_t pause_bytes;     /* queued on a connection before it is read no further; 0: 1 MiB */
    uint64_t dialled_pause_bytes; /* the same of connections that we dialled; 0: no limit */
    uint8_t index;
    uint32_t number; /* within its group */
} wring__worker_config;

/** For the last bytes of an endpoint, as long as none of them moves. */
#define WRING__DRAIN_TIMEOUT_NS (10 * WRING_NS_PER_SEC)

/** The same of this endpoint. */
#define WRING__DRAIN_NS_OF(end)                                                                    \
    ((end)->is_patient ? (end)->worker->patience_ns : WRING__DRAIN_TIMEOUT_NS)

/** Events a person asks about. Written by the worker only, with wring__count; any thread may read
 *  them with relaxed atomic loads. */
typedef struct wring__worker_counters {
    uint64_t turns;
    uint64_t accepted;
    uint64_t accept_errors;
    uint64_t closed;
    uint64_t stale_completions;
    uint64_t stale_mail;
    uint64_t lost_mail; /* what it carried, and what came too late: see wring__mail_count */
    uint64_t buffers_exhausted;
    uint64_t paused;
    uint64_t rx_direct; /* receives that wrote where the owner assembles */
    uint64_t rx_waited; /* ... that waited for a lane */
    uint64_t rx_bytes;
    uint64_t tx_bytes;
} wring__worker_counters;

typedef struct wring__conn_list {
    wring__conn *head;
    wring__conn *tail;
} wring__conn_list;

#define WRING__COMPLETIONS_MAX 1024
#define WRING__IOVECS_MAX      4096
#define WRING__PLAIN_MAX       (64 * 1024)

struct wring__worker {
    wring__backend *backend;
    const wring__worker_ops *ops;
    void *owner;
    const void *group;
    wring__mailbox mailbox;
    wring__wheel wheel;      /* of connections, in peers' time (io/clock.h) */
    wring__wheel task_wheel; /* wring__task and the worker's own, in the machine's time */
    wring__slots slots;
    wring__slots watches;
    wring__guest *guests;
    struct wring__attachment { /* of the layers above: one of each for all who live here */
        void *data;
        void (*destroy)(void *data); /* with the worker */
    } attachment, trunks;            /* compression; a client's connections of HTTP/2 */
    uint8_t *plain; /* scratch for decrypted bytes, when first needed: WRING__PLAIN_MAX */
    wring__chunk_cache chunks;
    struct wring__log *log; /* the owner's; NULL: none */
    wring_time_ns now;   /* the machine's, read once a turn: for rates, delays and measurements */
    wring__clock clock;  /* peers' time: for every deadline of a connection */
    wring_time_ns asked; /* the deadline of the last wait */
    uint8_t index;
    uint32_t number; /* within its group */

    wring__socket listener;
    bool accepting; /* the accept operation is armed or wants to be */
    bool accept_armed;
    bool accept_cancelled;    /* armed, and asked to end */
    uint32_t accept_failures; /* in a row */
    wring_timer accept_retry; /* after EMFILE and its like */
    wring_timer owner_timer;  /* see wring__worker_set_owner_timer */

    wring__conn_list ready;
    wring__conn_list dirty;
    wring__conn *dead; /* closed, freed at the end of a turn */
    uint32_t conn_count;
    uint32_t pending;        /* operations of the worker's own under way, but accept */
    uint64_t pause_bytes[2]; /* of accepted connections, of dialled ones */
    uint64_t soft_bytes;     /* queue above which the owner is told of a stream */
    uint64_t drained_bytes;
    wring_duration_ns patience_ns; /* for patient endpoints' last bytes: see endpoint.h */
    bool rx_stopped;               /* whoever receives something is paused */
    uint64_t mail_work;            /* by the owner's mail this turn: ends the mail phase early */
    _Atomic uint64_t *full; /* a bit a slot: its queue takes nothing more from other threads */
    uint32_t full_words;

    wring__recv_pool recv;
    wring__long_lanes lanes;

    wring__completion completions[WRING__COMPLETIONS_MAX];
    struct iovec iovecs[WRING__IOVECS_MAX]; /* of the sends queued since the last turn */
    size_t iovec_count;

    /* Sends that complete only when they did not take everything: see phase_wait. */
    struct wring__at_once {
        struct wring__sent {
            wring__conn *conn;
            uint32_t bytes;
        } sent[WRING__IOVECS_MAX];
        size_t count;
        uint64_t bytes; /* of all of them */
        bool must_look; /* at their ends, before sleeping */
    } at_once;

    /* Kept from one wring__worker_init to the next, and read by any thread at any time: last. */
    wring__worker_counters counters;
    wring__message_counts messages; /* of all sessions that live here */
    uint32_t accept_errno;          /* of the last error */
    _Atomic uint64_t mail_refused;  /* posts that found the mailbox full: counted by the posters */
};

/** The worker whose turn the calling thread is in; NULL outside of one. */
extern _Thread_local wring__worker *wring__worker_current;

/** On the worker's own thread: opens the backend. The worker's memory was zeroed before the first
 *  time.
 *  Errors: WRING_ERR_BACKEND, WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__worker_init(wring__worker *worker,
                                                 const wring__worker_config *config,
                                                 wring_error *error);

/** Every connection must be closed. */
void wring__worker_deinit(wring__worker *worker);

/** Takes a listener over and begins to accept. */
void wring__worker_listen(wring__worker *worker, wring__socket listener);

/** Stops accepting; what the kernel has accepted is still taken. Then `unlistened` is called, at
 *  once or in a later turn, and the listener is the owner's again. Legal when not listening. */
void wring__worker_stop_listening(wring__worker *worker);

/** One turn.  @param deadline  do not wait beyond it; WRING_TIME_NEVER
 *  Errors: WRING_ERR_SYSTEM when the backend is broken: nothing can be saved. */
WRING_MUST_CHECK wring_result wring__worker_turn(wring__worker *worker, wring_time_ns deadline);

/** After the last turn: what that one queued, such as the wake of another worker, reaches the
 *  kernel. */
void wring__worker_leave(wring__worker *worker);

/** Queues the sends of all that became dirty since the last turn: the last phase of one, and for an
 *  owner that appends between turns. Who becomes dirty by it waits for the next. */
void wring__worker_flush(wring__worker *worker);

/** The endpoint that a ref's slot and generation name, or NULL. */
wring__endpoint *wring__worker_end(wring__worker *worker, uint32_t slot, uint32_t generation);
/** The connection that a token's slot and generation name, or NULL. */
wring__conn *wring__worker_conn(wring__worker *worker, uint32_t slot, uint32_t generation);

/** For who walks over the endpoints in parts: how many slots there are, and what is in one; NULL:
 *  nothing. */
uint32_t wring__worker_slots(const wring__worker *worker);
wring__endpoint *wring__worker_end_at(const wring__worker *worker, uint32_t slot);

/** Calls `visit` for every endpoint. */
void wring__worker_each(wring__worker *worker, void (*visit)(wring__endpoint *end, void *arg),
                        void *arg);

/** Hands mail to a worker.  Errors: WRING_ERR_QUEUE_FULL.  Thread: any. Cost: O(1); a system call
 *  only when the worker sleeps, and on io_uring none from a worker of its group. */
WRING_MUST_CHECK wring_result wring__worker_post(wring__worker *worker, const wring__mail *mail);

/** Whether wring_ref_send to the slot is refused. Setting: the worker only; asking: any thread. */
void wring__worker_set_full(wring__worker *worker, uint32_t slot, bool full);
bool wring__worker_is_full(const wring__worker *worker, uint32_t slot);

/** Before deinit: the owner gets its mail, all else is lost and its senders are told. No one may
 *  post any more. */
void wring__worker_empty_mailbox(wring__worker *worker);

/** Runs the task at `at`; moves one that is set. */
void wring__worker_schedule(wring__worker *worker, wring__task *task, wring_time_ns at);
void wring__worker_unschedule(wring__worker *worker, wring__task *task); /* not set is legal */

/** Has the owner's `timer` called at `at`, or after a gap (io/clock.h) when what came meanwhile has
 *  been taken. */
void wring__worker_set_owner_timer(wring__worker *worker, wring_time_ns at);

/** Waits once for `events` of `descriptor`.  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__worker_watch(wring__worker *worker, wring__watch *watch,
                                                  int descriptor, uint32_t events);
void wring__worker_unwatch(wring__worker *worker, wring__watch *watch); /* not set is legal */

void wring__worker_add_guest(wring__worker *worker, wring__guest *guest);
void wring__worker_remove_guest(wring__guest *guest);
/** Tells every guest. */
void wring__worker_drain_guests(wring__worker *worker);
void wring__worker_abort_guests(wring__worker *worker);

/** No connection, listener, guest or operation is left. */
bool wring__worker_is_quiet(const wring__worker *worker);

/** For worker.c (worker_accept.c). */
void wring__worker_accept_arm(wring__worker *worker);
void wring__worker_accept_again(wring__worker *worker); /* accept_retry is due */
void wring__worker_accept_complete(wring__worker *worker, const wring__completion *completion);

/** For conn.c; wring__worker_make_dirty is in endpoint.h. */
void wring__worker_make_ready(wring__worker *worker, wring__conn *conn);
void wring__worker_make_dead(wring__worker *worker, wring__conn *conn);
void wring__worker_add_at_once(wring__worker *worker, wring__conn *conn, uint32_t bytes);

#endif
