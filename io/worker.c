/* SPDX-License-Identifier: Apache-2.0
 *
 * The turn of a worker. See worker.h.
 */
#include "io/worker.h"

#include <sched.h>
#include <stdlib.h>

#include "core/mail.h"
#include "core/trace.h"

#define MAILBOX_ITEMS_DEFAULT 65536
#define MAIL_PER_TURN_MAX     4096
#define TIMERS_PER_TURN_MAX   4096 /* of each wheel */
#define PAUSE_BYTES_DEFAULT   (UINT64_C(1) << 20)
/* Queue entries made by the mail of one turn, after which the rest waits: a publish to 10,000
 * subscribers is more work than 4,096 messages to one. */
#define MAIL_WORK_MAX ((uint64_t)64 * 1024)
/* The worker does not sleep while sends at once hold more queued bytes than this. */
#define AT_ONCE_ASLEEP_BYTES ((uint64_t)64 * 1024)

/* ---- lists ----------------------------------------------------------------------------------- */

void wring__worker_make_ready(wring__worker *worker, wring__conn *conn) {
    if (conn->is_ready) {
        return;
    }
    conn->is_ready = true;
    conn->ready_next = NULL;
    if (worker->ready.tail == NULL) {
        worker->ready.head = conn;
    } else {
        worker->ready.tail->ready_next = conn;
    }
    worker->ready.tail = conn;
}

static wring__conn *ready_pop(wring__worker *worker) {
    wring__conn *conn = worker->ready.head;
    worker->ready.head = conn->ready_next;
    if (worker->ready.head == NULL) {
        worker->ready.tail = NULL;
    }
    conn->is_ready = false;
    return conn;
}

void wring__worker_make_dirty(wring__worker *worker, wring__conn *conn) {
    if (conn->is_dirty) {
        return;
    }
    conn->is_dirty = true;
    conn->dirty_next = NULL;
    if (worker->dirty.tail == NULL) {
        worker->dirty.head = conn;
    } else {
        worker->dirty.tail->dirty_next = conn;
    }
    worker->dirty.tail = conn;
}

static wring__conn *dirty_pop(wring__worker *worker) {
    wring__conn *conn = worker->dirty.head;
    worker->dirty.head = conn->dirty_next;
    if (worker->dirty.head == NULL) {
        worker->dirty.tail = NULL;
    }
    conn->is_dirty = false;
    return conn;
}

void wring__worker_make_dead(wring__worker *worker, wring__conn *conn) {
    WRING_ASSERT(!conn->is_dead);
    conn->is_dead = true;
    wring__slots_release(&worker->slots, conn->super.slot, conn->super.generation);
    worker->conn_count--;
    wring__count(&worker->counters.closed, !conn->dialled);
    /* A dead connection can still stand in the ready or dirty list of this turn: freed after. */
    wring__worker_make_ready(worker, conn);
}

/* ---- setting up ------------------------------------------------------------------------------ */

wring_result wring__worker_init(wring__worker *worker, const wring__worker_config *config,
                                wring_error *error) {
    memset(worker, 0, offsetof(wring__worker, counters));
    worker->ops = config->ops;
    worker->owner = config->owner;
    worker->group = config->group;
    worker->index = config->index;
    worker->listener = WRING__SOCKET_NONE;
    worker->pause_bytes[false] =
        config->pause_bytes == 0 ? PAUSE_BYTES_DEFAULT : config->pause_bytes;
    worker->pause_bytes[true] =
        config->dialled_pause_bytes == 0 ? UINT64_MAX : config->dialled_pause_bytes;
    worker->soft_bytes = UINT64_MAX;
    worker->drained_bytes = 0;
    worker->patience_ns = WRING__DRAIN_TIMEOUT_NS;
    worker->log = config->log;
    worker->number = config->number;
    worker->full_words =
        (config->connections_max == 0 ? WRING__SLOT_MAX : config->connections_max) / 64 + 1;
    wring__backend_config backend_config = config->backend_config;
    if (backend_config.direct_sockets == 0) {
        backend_config.direct_sockets = config->connections_max;
    }
    wring_result result = config->backend->open(&backend_config, &worker->backend, error);
    if (result != WRING_OK) {
        return result;
    }
    worker->full = calloc(worker->full_words, sizeof *worker->full);
    uint32_t items = config->mailbox_items == 0 ? MAILBOX_ITEMS_DEFAULT : config->mailbox_items;
    result = wring__recv_init(&worker->recv, worker->backend);
    if (worker->full == NULL) {
        result = WRING_ERR_NO_MEMORY;
    }
    if (result == WRING_OK) {
        result = wring__mailbox_init(&worker->mailbox, items);
    }
    if (result == WRING_OK) {
        result = wring__slots_init(&worker->slots, config->connections_max);
    }
    if (result == WRING_OK) {
        result = wring__slots_init(&worker->watches, 0);
    }
    if (result != WRING_OK) {
        wring__worker_deinit(worker);
        return wring_error_set(error, result, 0, "worker %u: %s", config->index,
                               wring_result_text(result));
    }
    worker->now = worker->backend->ops->now(worker->backend);
    wring__clock_init(&worker->clock, worker->now);
    worker->asked = WRING_TIME_NEVER;
    wring__wheel_init(&worker->wheel, worker->now);
    wring__wheel_init(&worker->task_wheel, worker->now);
    wring__chunk_cache_init(&worker->chunks);
    return WRING_OK;
}

void wring__worker_deinit(wring__worker *worker) {
    WRING_ASSERT(worker->conn_count == 0 && worker->guests == NULL);
    wring__recv_deinit(&worker->recv);
    wring__long_lanes_deinit(&worker->lanes);
    if (worker->backend != NULL) {
        worker->backend->ops->close(worker->backend);
    }
    wring__chunk_cache_deinit(&worker->chunks);
    wring__slots_deinit(&worker->slots);
    wring__slots_deinit(&worker->watches);
    wring__mailbox_deinit(&worker->mailbox);
    free(worker->plain);
    if (worker->attachment.destroy != NULL) {
        worker->attachment.destroy(worker->attachment.data);
    }
    if (worker->trunks.destroy != NULL) {
        worker->trunks.destroy(worker->trunks.data);
    }
    free(worker->full);
    memset(worker, 0, offsetof(wring__worker, counters));
}

/* ---- the phases of a turn -------------------------------------------------------------------- */

static void watch_complete(wring__worker *worker, uint32_t slot, uint32_t generation,
                           int32_t result) {
    wring__watch *watch = wring__slots_get(&worker->watches, slot, generation);
    worker->pending--;
    if (watch != NULL) {
        wring__slots_release(&worker->watches, slot, generation);
        watch->generation = 0;
        watch->ready(watch, result);
    }
}

static void complete(wring__worker *worker, const wring__completion *completion) {
    uint8_t op = wring__token_op(completion->token);
    if (op == WRING__OP_ACCEPT) {
        wring__worker_accept_complete(worker, completion);
        return;
    }
    uint32_t slot = wring__token_slot(completion->token);
    uint32_t generation = wring__token_generation(completion->token);
    if (generation == 0) { /* no connection has it: a cancel or close of the worker's own */
        worker->pending--;
        return;
    }
    if (op == WRING__OP_POLL) {
        watch_complete(worker, slot, generation, completion->result);
        return;
    }
    wring__conn *conn = wring__worker_conn(worker, slot, generation);
    if (conn == NULL) {
        wring__count(&worker->counters.stale_completions, 1);
        if ((completion->flags & WRING__COMPLETION_BUFFER) != 0) {
            wring__recv_discard(&worker->recv, completion);
        }
        return;
    }
    wring__conn_complete(conn, op, completion);
}

static wring_time_ns turn_deadline(wring__worker *worker, wring_time_ns deadline) {
    if (worker->ready.head != NULL || worker->dirty.head != NULL || worker->at_once.must_look ||
        worker->at_once.bytes > AT_ONCE_ASLEEP_BYTES ||
        !wring__mailbox_prepare_sleep(&worker->mailbox)) {
        return 0;
    }
    const wring__clock *clock = &worker->clock;
    const wring_time_ns next = wring__wheel_next(&worker->wheel);
    wring_time_ns peers = WRING_TIME_NEVER;
    if (clock->catching_up) {
        peers = clock->resumed + WRING__CLOCK_QUIET;
    } else if (next != WRING_TIME_NEVER) {
        peers =
            wring__min_u64(wring__clock_machine(clock, next), worker->now + WRING__CLOCK_WAIT_MAX);
    }
    return wring__min_u64(deadline, wring__min_u64(peers, wring__wheel_next(&worker->task_wheel)));
}

void wring__worker_add_at_once(wring__worker *worker, wring__conn *conn, uint32_t bytes) {
    WRING_ASSERT(!conn->sent_at_once && bytes > 0);
    struct wring__at_once *at_once = &worker->at_once;
    conn->sent_at_once = true;
    at_once->sent[at_once->count++] = (struct wring__sent){conn, bytes};
    at_once->bytes += bytes;
}

/* After all completions of a turn: those that had one failed or were short, and are dropped from
 * the list; no connection has been freed since. The others took everything, once that is known. */
static void at_once_end(wring__worker *worker) {
    struct wring__at_once *at_once = &worker->at_once;
    const bool known = worker->backend->sends_known;
    size_t kept = 0;
    uint64_t took = 0;
    for (size_t i = 0; i < at_once->count; i++) {
        const struct wring__sent sent = at_once->sent[i];
        if (!sent.conn->sent_at_once) {
            continue;
        }
        if (known) {
            took += sent.bytes;
            wring__conn_took_all(sent.conn, sent.bytes);
        } else {
            at_once->sent[kept++] = sent;
        }
    }
    wring__count(&worker->counters.tx_bytes, took);
    at_once->count = kept;
    if (kept == 0) {
        at_once->bytes = 0;
        at_once->must_look = false;
    }
}

/* Sends and the wait for what comes next are one system call. So the worker sleeps before it takes
 * note of the sends at once: what they hold meanwhile has a bound. */
static wring_result phase_wait(wring__worker *worker, wring_time_ns deadline) {
    WRING_TRACE_STOP();
    size_t count = 0;
    wring__backend *backend = worker->backend;
    const wring_time_ns last = worker->now;
    if (backend->rewinds) {
        wring__recv_rewind(&worker->recv);
    }
    const wring_time_ns asked = turn_deadline(worker, deadline);
    wring_result result =
        backend->ops->turn(backend, asked, worker->completions, WRING__COMPLETIONS_MAX, &count);
    wring__mailbox_awake(&worker->mailbox);
    worker->now = backend->ops->now(backend);
    wring__clock_turn(&worker->clock, last, backend->waits_outside ? worker->asked : asked,
                      worker->now, count + backend->has_more);
    worker->asked = asked;
    worker->iovec_count = 0;
    wring__count(&worker->counters.turns, 1);
    for (size_t i = 0; i < count; i++) {
        complete(worker, &worker->completions[i]);
    }
    at_once_end(worker);
    return result;
}

static void mail_lost(wring__worker *worker, const wring__mail *mail) {
    wring__count(&worker->counters.lost_mail, wring__mail_count(mail));
    wring__mail_lost(mail);
}

static void phase_mail(wring__worker *worker) {
    wring__mail mail;
    worker->mail_work = 0;
    for (int i = 0; i < MAIL_PER_TURN_MAX && worker->mail_work < MAIL_WORK_MAX &&
                    wring__mailbox_pop(&worker->mailbox, &mail);
         i++) {
        if (mail.kind == WRING__MAIL_CALL) {
            wring__call *call = mail.data;
            call->run(call, worker);
            continue;
        }
        if (mail.kind >= WRING__MAIL_WORKER) {
            worker->ops->mail(worker, &mail);
            continue;
        }
        wring__endpoint *end =
            wring__worker_end(worker, wring__ref_slot(mail.ref), wring__ref_generation(mail.ref));
        if (end == NULL || end->state != WRING__END_OPEN) {
            wring__count(&worker->counters.stale_mail, 1);
            mail_lost(worker, &mail);
            continue;
        }
        end->ops->mail(end, &mail);
    }
}

static void phase_dispatch(wring__worker *worker) {
    wring__conn *last = worker->ready.tail; /* what is made ready meanwhile waits for next turn */
    wring__conn *dead = NULL;
    while (worker->ready.head != NULL) {
        wring__conn *conn = ready_pop(worker);
        if (conn->is_dead) {
            conn->ready_next = dead;
            dead = conn;
        } else {
            wring__conn_dispatch(conn);
        }
        if (conn == last) {
            break;
        }
    }
    while (dead != NULL) {
        wring__conn *conn = dead;
        dead = conn->ready_next;
        if (conn->is_dirty) {
            wring__worker_make_ready(worker, conn);
        } else {
            conn->super.ops->closed(&conn->super);
        }
    }
    wring__recv_return(&worker->recv);
}

static void end_timer(wring__endpoint *end) {
    if (WRING_LIKELY(end->kind == WRING__END_CONN)) {
        wring__conn_timer(WRING_CONTAINER_OF(end, wring__conn, super));
    } else if (end->state == WRING__END_OPEN) {
        end->ops->timer(end);
    } else {
        end->mux->ops->late(end);
    }
}

/* Whoever is left when its deadline is over did not only find us absent. */
static void owner_timer_fire(wring__worker *worker) {
    if (worker->clock.catching_up) {
        wring__worker_set_owner_timer(worker, worker->now + WRING__CLOCK_QUIET);
    } else {
        worker->ops->timer(worker);
    }
}

static void task_timer_fire(wring__worker *worker, wring_timer *timer) {
    if (timer == &worker->accept_retry) {
        wring__worker_accept_again(worker);
    } else if (timer == &worker->owner_timer) {
        owner_timer_fire(worker);
    } else {
        wring__task *task = WRING_CONTAINER_OF(timer, wring__task, timer);
        task->run(task);
    }
}

/* What is left of a crowd of timers is due in the next turn, which takes what came first. */
static void phase_timers(wring__worker *worker) {
    wring_timer *timer;
    for (int i = 0; i < TIMERS_PER_TURN_MAX && !worker->clock.catching_up &&
                    (timer = wring__wheel_expire(&worker->wheel, worker->clock.peer_now)) != NULL;
         i++) {
        end_timer(WRING_CONTAINER_OF(timer, wring__endpoint, timer));
    }
    for (int i = 0; i < TIMERS_PER_TURN_MAX &&
                    (timer = wring__wheel_expire(&worker->task_wheel, worker->now)) != NULL;
         i++) {
        task_timer_fire(worker, timer);
    }
}

/* After the timers, because they publish too. Nothing gathered is left for a later turn, so that a
 * wait may sleep. */
static void phase_deliver(wring__worker *worker) {
    WRING_TRACE_STOP();
    if (worker->ops->deliver != NULL) {
        worker->ops->deliver(worker);
    }
}

void wring__worker_flush(wring__worker *worker) {
    const wring__conn *last = worker->dirty.tail; /* who has more waits for the next turn */
    wring__conn *conn = NULL;
    while (conn != last && worker->iovec_count < WRING__IOVECS_MAX) {
        conn = dirty_pop(worker);
        wring__conn_send(conn);
    }
}

_Thread_local wring__worker *wring__worker_current;

wring_result wring__worker_turn(wring__worker *worker, wring_time_ns deadline) {
    WRING_ASSERT(wring__worker_current == NULL); /* a turn is not begun from within one */
    wring__worker_current = worker;
    const wring_result result = phase_wait(worker, deadline);
    if (WRING_UNLIKELY(result != WRING_OK)) { /* with the errno of it */
        wring__worker_current = NULL;
        return result;
    }
    phase_mail(worker);
    phase_dispatch(worker);
    phase_timers(worker);
    phase_deliver(worker);
    if (worker->ops->turned != NULL) {
        worker->ops->turned(worker);
    }
    wring__worker_flush(worker);
    wring__worker_current = NULL;
    return WRING_OK;
}

void wring__worker_leave(wring__worker *worker) {
    WRING_ASSERT(wring__worker_is_quiet(worker));
    size_t none = 0; /* no operation is under way but the backend's own */
    (void)worker->backend->ops->turn(worker->backend, 0, worker->completions,
                                     WRING__COMPLETIONS_MAX, &none);
}

/* ---- for the owner and other threads --------------------------------------------------------- */

uint32_t wring__worker_slots(const wring__worker *worker) {
    return worker->slots.count;
}

wring__endpoint *wring__worker_end_at(const wring__worker *worker, uint32_t slot) {
    return wring__slots_at(&worker->slots, slot);
}

wring__endpoint *wring__worker_end(wring__worker *worker, uint32_t slot, uint32_t generation) {
    return wring__slots_get(&worker->slots, slot, generation);
}

wring__conn *wring__worker_conn(wring__worker *worker, uint32_t slot, uint32_t generation) {
    wring__endpoint *end = wring__worker_end(worker, slot, generation);
    WRING_ASSERT(end == NULL || end->kind == WRING__END_CONN);
    return end == NULL ? NULL : WRING_CONTAINER_OF(end, wring__conn, super);
}

struct each {
    void (*visit)(wring__endpoint *end, void *arg);
    void *arg;
};

static void each_slot(void *object, void *arg) {
    const struct each *each = arg;
    each->visit(object, each->arg);
}

void wring__worker_each(wring__worker *worker, void (*visit)(wring__endpoint *end, void *arg),
                        void *arg) {
    struct each each = {visit, arg};
    wring__slots_each(&worker->slots, each_slot, &each);
}

wring_result wring__worker_post(wring__worker *worker, const wring__mail *mail) {
    bool must_wake = false;
    wring_result result = wring__mailbox_push(&worker->mailbox, mail, &must_wake);
    const wring__worker *here = wring__worker_current;
    if (result == WRING_ERR_QUEUE_FULL) {
        atomic_fetch_add_explicit(&worker->mail_refused, 1, memory_order_relaxed);
        if (here !=
            NULL) { /* its wake may stand in our own queue: a callback that tries again until
                               there is room must not wait for itself */
            worker->backend->ops->wake(worker->backend, NULL);
        }
    }
    if (must_wake) {
        const bool together = here != NULL && here->group != NULL && here->group == worker->group;
        worker->backend->ops->wake(worker->backend, together ? here->backend : NULL);
    }
    return result;
}

void wring__worker_set_full(wring__worker *worker, uint32_t slot, bool full) {
    const uint64_t bit = UINT64_C(1) << slot % 64;
    _Atomic uint64_t *word = &worker->full[slot / 64];
    const uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    if (((old & bit) != 0) != full) { /* one writer */
        atomic_store_explicit(word, old ^ bit, memory_order_relaxed);
    }
}

bool wring__worker_is_full(const wring__worker *worker, uint32_t slot) {
    return slot / 64 < worker->full_words &&
           (atomic_load_explicit(&worker->full[slot / 64], memory_order_relaxed) >> slot % 64 & 1);
}

void wring__worker_empty_mailbox(wring__worker *worker) {
    WRING_ASSERT(wring__worker_is_quiet(worker)); /* its mail has no endpoint any more */
    wring__mail mail;
    while (wring__mailbox_pop(&worker->mailbox, &mail)) {
        if (mail.kind >= WRING__MAIL_WORKER) {
            worker->ops->mail(worker, &mail);
        } else {
            mail_lost(worker, &mail);
        }
    }
}

bool wring__worker_is_quiet(const wring__worker *worker) {
    return worker->conn_count == 0 && worker->guests == NULL && worker->ready.head == NULL &&
           worker->listener == WRING__SOCKET_NONE && !worker->accept_armed && worker->pending == 0;
}
