/* SPDX-License-Identifier: Apache-2.0
 *
 * The byte pump of one stream. See conn.h for its states.
 */
#include "io/conn.h"

#include <errno.h>
#include <stdlib.h>

#include "core/trace.h"
#include "io/conn_long.h"
#include "io/conn_tls.h"
#include "io/worker.h"

/* Bytes of one connection handed to its owner in one turn: no peer starves the rest. */
#define DISPATCH_BYTES_MAX (128u << 10)
#define GATHER_MAX         64
#define DRAIN_TIMEOUT_NS   (10 * WRING_NS_PER_SEC)
/* The close handshake is over: nothing more is to come but the peer's end of stream. */
#define LINGER_NS (200 * WRING_NS_PER_MS)

/* Bytes received after reading was paused: moved out of the shared receive buffers, so that a
 * connection that does not drain pins none of them. */
struct wring__stash {
    size_t len;
    size_t cap;
    uint8_t data[];
};

static void set_state(wring__conn *conn, enum wring__conn_state state) {
    WRING_ASSERT((int)state > (int)conn->state);
    WRING_TRACE(CONN_STATE, conn->slot, (uint64_t)state);
    conn->state = (uint8_t)state;
}

static uint64_t token(const wring__conn *conn, enum wring__op op) {
    return wring__token_pack((uint8_t)op, conn->slot, conn->generation);
}

static void recv_arm(wring__conn *conn) {
    WRING_ASSERT(!conn->recv_armed);
    wring__backend *backend = conn->worker->backend;
    const enum wring__long how = conn->one_shot > 0 ? wring__conn_long_arm(conn) : WRING__LONG_NO;
    if (how == WRING__LONG_WAITS) {
        return;
    }
    if (conn->one_shot == 0) {
        backend->ops->recv(backend, conn->socket, token(conn, WRING__OP_RECV));
    } else if (how == WRING__LONG_NO) {
        backend->ops->recv_once(backend, conn->socket, token(conn, WRING__OP_RECV));
    }
    conn->recv_armed = true;
    conn->pending++;
}

void wring__conn_recv_on(wring__conn *conn) {
    if (conn->state == WRING__CONN_OPEN && !conn->paused && !conn->recv_armed && !conn->eof &&
        !conn->broken) {
        recv_arm(conn);
    }
}

void wring__conn_recv_cancel(wring__conn *conn) {
    if (conn->recv_armed) {
        wring__backend *backend = conn->worker->backend;
        backend->ops->cancel(backend, token(conn, WRING__OP_RECV), token(conn, WRING__OP_CANCEL));
        conn->pending++;
    }
}

static void stream_shutdown(wring__conn *conn, int how) {
    wring__backend *backend = conn->worker->backend;
    backend->ops->shutdown(backend, conn->socket, token(conn, WRING__OP_SHUTDOWN), how);
    conn->pending++;
}

static wring_result conn_init(wring__conn *conn, wring__worker *worker,
                              const wring__conn_ops *ops) {
    memset(conn, 0, sizeof *conn);
    conn->ops = ops;
    conn->worker = worker;
    conn->socket = WRING__SOCKET_NONE;
    conn->received = (wring__recv_chain){WRING__RECV_NONE, WRING__RECV_NONE};
    return wring__slots_acquire(&worker->slots, conn, &conn->slot, &conn->generation);
}

wring_result wring__conn_open(wring__conn *conn, wring__worker *worker, const wring__conn_ops *ops,
                              wring__socket socket) {
    wring_result result = conn_init(conn, worker, ops);
    if (result != WRING_OK) {
        return result;
    }
    conn->socket = socket;
    conn->state = WRING__CONN_OPEN;
    conn->connected_told = true;
    worker->conn_count++;
    recv_arm(conn);
    return WRING_OK;
}

wring_result wring__conn_connect(wring__conn *conn, wring__worker *worker,
                                 const wring__conn_ops *ops, const wring__dial_config *config) {
    wring_result result = conn_init(conn, worker, ops);
    if (result != WRING_OK) {
        return result;
    }
    conn->dialled = true;
    wring__backend *backend = worker->backend;
    result = backend->ops->connect(backend, config, token(conn, WRING__OP_CONNECT), &conn->socket);
    if (result != WRING_OK) {
        wring__slots_release(&worker->slots, conn->slot, conn->generation);
        return result;
    }
    worker->conn_count++;
    conn->pending++;
    return WRING_OK;
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void rx_drop(wring__conn *conn) {
    wring__recv_drop(&conn->worker->recv, &conn->received);
    wring__conn_long_leave(conn);
    wring__conn_long_drop(conn);
    if (!conn->is_direct && conn->stash != NULL) {
        conn->worker->chunks.held -= conn->stash->cap;
        free(conn->stash);
        conn->stash = NULL;
    }
}

static void close_when_quiet(wring__conn *conn) {
    if (conn->state != WRING__CONN_TEARDOWN || conn->pending > 0) {
        return;
    }
    set_state(conn, WRING__CONN_CLOSING);
    wring__backend *backend = conn->worker->backend;
    conn->pending++;
    backend->ops->close_socket(backend, conn->socket, token(conn, WRING__OP_CLOSE));
}

static void teardown(wring__conn *conn) {
    if (conn->state >= WRING__CONN_TEARDOWN) {
        return;
    }
    const bool connecting = conn->state == WRING__CONN_CONNECTING && conn->pending > 0;
    set_state(conn, WRING__CONN_TEARDOWN);
    wring__wheel_cancel(&conn->worker->wheel, &conn->timer);
    rx_drop(conn);
    if (connecting) {
        wring__backend *backend = conn->worker->backend;
        backend->ops->cancel(backend, token(conn, WRING__OP_CONNECT),
                             token(conn, WRING__OP_CANCEL));
        conn->pending++;
    } else if (conn->pending > 0) {
        if (conn->pending > conn->recv_armed) { /* a receive alone ends by its cancel */
            stream_shutdown(conn, SHUT_RDWR);
        }
        wring__conn_recv_cancel(conn);
    }
    close_when_quiet(conn);
}

static void linger(wring__conn *conn) {
    if (conn->eof || conn->broken) {
        teardown(conn);
        return;
    }
    set_state(conn, WRING__CONN_LINGERING);
    stream_shutdown(conn, SHUT_WR);
    if (!conn->recv_armed) {
        recv_arm(conn); /* to see the peer's end */
    }
    wring__wheel_set(&conn->worker->wheel, &conn->timer, conn->worker->now + LINGER_NS);
}

static void linger_when_drained(wring__conn *conn) {
    if (conn->state == WRING__CONN_DRAINING && !conn->send_in_flight &&
        wring__conn_unsent(conn) == 0) {
        linger(conn);
    }
}

/* What TLS cannot seal will never go out. */
static void seal_last(wring__conn *conn) {
    if (!wring__conn_tls_is_writable(conn)) {
        wring__outq_deinit(&conn->out, &conn->worker->chunks);
    }
    wring__conn_tls_seal(conn);
}

void wring__conn_shut(wring__conn *conn) {
    if (conn->state != WRING__CONN_OPEN) {
        return;
    }
    set_state(conn, WRING__CONN_DRAINING);
    rx_drop(conn);
    if (conn->tls != NULL && !conn->broken) {
        seal_last(conn);
    }
    if (conn->broken) {
        teardown(conn);
        return;
    }
    if (conn->is_direct) {
        wring__conn_recv_cancel(conn); /* the block it was to fill may be large */
    }
    wring__wheel_set(&conn->worker->wheel, &conn->timer, conn->worker->now + DRAIN_TIMEOUT_NS);
    wring__conn_flush(conn);
    linger_when_drained(conn);
}

void wring__conn_abort(wring__conn *conn) {
    teardown(conn);
}

void wring__conn_break(wring__conn *conn, int system_errno) {
    if (conn->state == WRING__CONN_OPEN && !conn->broken) {
        conn->broken = true;
        conn->error = system_errno;
        wring__worker_make_ready(conn->worker, conn);
    }
}

void wring__conn_ask(wring__conn *conn) {
    if (conn->state == WRING__CONN_OPEN) {
        conn->asked = true;
        wring__worker_make_ready(conn->worker, conn);
    }
}

void wring__conn_fail(wring__conn *conn, wring_result reason) {
    conn->ops->failed(conn, reason);
    if (conn->broken || conn->state == WRING__CONN_CONNECTING) {
        teardown(conn);
    } else {
        wring__conn_shut(conn); /* what is queued may say why: an alert */
    }
}

/* The first error says why; those that follow only say that it is over. */
static void broken_by(wring__conn *conn, int32_t result) {
    if (!conn->broken) {
        conn->broken = true;
        conn->error = -result;
    }
}

uint64_t wring__conn_held(const wring__conn *conn) {
    const struct wring__stash *stash = conn->is_direct ? NULL : conn->stash;
    return wring__conn_unsent(conn) + (stash == NULL ? 0 : stash->cap);
}

uint64_t wring__conn_unsent(const wring__conn *conn) {
    return conn->out.bytes + (conn->tls == NULL ? 0 : conn->tls->out.bytes);
}

void wring__conn_set_deadline(wring__conn *conn, wring_time_ns deadline) {
    if (conn->state != WRING__CONN_OPEN) {
        return;
    }
    if (deadline == WRING_TIME_NEVER) {
        wring__wheel_cancel(&conn->worker->wheel, &conn->timer);
    } else {
        wring__wheel_set(&conn->worker->wheel, &conn->timer, deadline);
    }
}

void wring__conn_bring_deadline(wring__conn *conn, wring_time_ns deadline) {
    const bool set = wring__wheel_is_set(&conn->timer);
    if (deadline != WRING_TIME_NEVER && (!set || conn->timer.deadline > deadline)) {
        wring__conn_set_deadline(conn, deadline);
    }
}

void wring__conn_timer(wring__conn *conn) {
    if (conn->state == WRING__CONN_OPEN) {
        conn->ops->timer(conn);
    } else {
        teardown(conn);
    }
}

/* ---- receiving ------------------------------------------------------------------------------- */

static bool stash_append(wring__conn *conn, const uint8_t *data, size_t len) {
    WRING_ASSERT(!conn->is_direct);
    size_t have = conn->stash == NULL ? 0 : conn->stash->len;
    size_t cap = conn->stash == NULL ? 0 : conn->stash->cap;
    if (cap - have < len) {
        const size_t old_cap = cap;
        cap = cap * 2 > have + len ? cap * 2 : have + len;
        struct wring__stash *grown = realloc(conn->stash, sizeof *grown + cap);
        if (grown == NULL) {
            return false;
        }
        conn->worker->chunks.held += cap - old_cap;
        conn->stash = grown;
        conn->stash->cap = cap;
    }
    memcpy(conn->stash->data + have, data, len);
    conn->stash->len = have + len;
    return true;
}

/* Moves what waits in receive buffers to the stash and gives the buffers back. */
static void stash_chain(wring__conn *conn) {
    wring__recv_pool *pool = &conn->worker->recv;
    while (!wring__recv_is_empty(&conn->received)) {
        const wring__recv_lease lease = wring__recv_take(pool, &conn->received, false);
        const bool kept = stash_append(conn, lease.bytes.data, lease.bytes.len);
        wring__recv_done(pool, &lease);
        if (!kept) {
            broken_by(conn, -ENOMEM);
            wring__recv_drop(pool, &conn->received);
        }
    }
}

/* Two ends that both stop reading until they have sent never would: so the end that dialled reads
 * on, unless it is told otherwise. */
static uint64_t pause_bytes(const wring__conn *conn) {
    return conn->worker->pause_bytes[conn->dialled];
}

static void pause_reading(wring__conn *conn) {
    conn->paused = true;
    wring__conn_long_leave(conn);
    wring__conn_recv_cancel(conn);
}

bool wring__conn_pause_when_full(wring__conn *conn) {
    const bool full = wring__conn_unsent(conn) > pause_bytes(conn);
    const bool stopped = full || conn->held || conn->worker->rx_stopped;
    if (stopped && !conn->paused && !conn->broken) {
        wring__count(&conn->worker->counters.paused, 1);
        pause_reading(conn);
    }
    return conn->paused;
}

static void resume_when_drained(wring__conn *conn) {
    if (conn->paused && !conn->held && !conn->yielded && !conn->worker->rx_stopped &&
        wring__conn_unsent(conn) <= pause_bytes(conn) / 2) {
        conn->paused = false;
        wring__worker_make_ready(conn->worker, conn);
    }
}

void wring__conn_read_on(wring__conn *conn) {
    if (conn->state == WRING__CONN_OPEN) {
        resume_when_drained(conn);
    }
}

/* In a callback of rx the pause takes hold when that returns. */
void wring__conn_hold(wring__conn *conn) {
    conn->held = true;
}

void wring__conn_unhold(wring__conn *conn) {
    conn->held = false;
    resume_when_drained(conn);
}

__attribute__((cold)) void wring__conn_yield(wring__conn *conn) {
    conn->yielded = true;
    wring__worker_make_ready(conn->worker, conn);
    if (!conn->paused) {
        pause_reading(conn);
    }
}

/* Before anything else is read: whatever else it was paused for, what the owner has was received.
 */
static void yield_end(wring__conn *conn) {
    conn->yielded = false;
    conn->ops->resume(conn);
    if (conn->yielded || conn->broken) {
        wring__worker_make_ready(conn->worker, conn);
    } else {
        wring__conn_read_on(conn);
    }
}

static void rx_give(wring__conn *conn, wring_mut_bytes bytes) {
    if (conn->tls != NULL) {
        wring__conn_tls_rx(conn, bytes);
    } else {
        conn->ops->rx(conn, bytes);
        (void)wring__conn_pause_when_full(conn);
    }
}

static void rx_take(wring__conn *conn, const wring__completion *completion) {
    wring__worker *worker = conn->worker;
    if (conn->state != WRING__CONN_OPEN || completion->result <= 0) {
        wring__recv_discard(&worker->recv, completion);
        return;
    }
    wring__count(&worker->counters.rx_bytes, (uint64_t)completion->result);
    if (wring__recv_push(&worker->recv, &conn->received, completion) != WRING_OK) {
        broken_by(conn, -ENOMEM);
    }
}

static void recv_complete(wring__conn *conn, const wring__completion *completion) {
    if ((completion->flags & WRING__COMPLETION_MORE) == 0) {
        conn->recv_armed = false;
        conn->pending--;
    }
    if ((completion->flags & WRING__COMPLETION_BUFFER) != 0) {
        rx_take(conn, completion);
    } else {
        wring__conn_long_complete(conn, completion->result);
    }
    if (completion->result == 0) {
        conn->eof = true;
    } else if (completion->result == -ENOBUFS) {
        wring__count(&conn->worker->counters.buffers_exhausted,
                     1); /* normal: armed again when some are back */
    } else if (completion->result < 0 && completion->result != -ECANCELED &&
               completion->result != -EAGAIN) { /* of a receive that does not wait */
        broken_by(conn, completion->result);
    }
    switch ((enum wring__conn_state)conn->state) {
    case WRING__CONN_OPEN:
        wring__worker_make_ready(conn->worker, conn);
        break;
    case WRING__CONN_DRAINING:
        if (conn->broken) {
            teardown(conn);
        } else if (!conn->recv_armed && !conn->eof) {
            recv_arm(conn);
        }
        break;
    case WRING__CONN_LINGERING:
        if (conn->broken || conn->eof) {
            teardown(conn);
        } else if (!conn->recv_armed) {
            recv_arm(conn);
        }
        break;
    case WRING__CONN_CONNECTING:
    case WRING__CONN_TEARDOWN:
    case WRING__CONN_CLOSING:
    case WRING__CONN_CLOSED:
        break;
    }
}

static void stash_give(wring__conn *conn) {
    struct wring__stash *stash = conn->stash;
    conn->stash = NULL;
    wring_mut_bytes bytes = {stash->data, stash->len};
    rx_give(conn, bytes);
    conn->worker->chunks.held -= stash->cap;
    free(stash);
}

/* The owner may keep what lies in the buffers until it is sent. */
static void chain_give(wring__conn *conn) {
    wring__worker *worker = conn->worker;
    wring__recv_pool *pool = &worker->recv;
    size_t given = 0;
    size_t longest = 0;
    while (!wring__recv_is_empty(&conn->received) && given < DISPATCH_BYTES_MAX &&
           conn->state == WRING__CONN_OPEN && !conn->paused) {
        const wring__recv_lease lease = wring__recv_take(pool, &conn->received, conn->tls == NULL);
        rx_give(conn, lease.bytes);
        wring__recv_done(pool, &lease);
        given += lease.bytes.len;
        longest = lease.bytes.len > longest ? lease.bytes.len : longest;
    }
    if (given > 0) {
        wring__conn_long_choose(conn, longest);
    }
}

static void direct_give(wring__conn *conn) {
    wring_mut_bytes bytes;
    wring__block *block = wring__conn_long_take(conn, &bytes);
    if (block != NULL) {
        rx_give(conn, bytes);
        wring__block_unref(block);
    }
}

/* The end of the stream: of TLS it is a truncation unless close_notify came first. */
static void end_tell(wring__conn *conn) {
    conn->eof_told = true;
    wring_result result = conn->tls == NULL ? WRING_OK : wring__tls_eof(conn->tls->tls);
    if (result == WRING_OK) {
        conn->ops->eof(conn);
    } else {
        wring__conn_fail(conn, result);
    }
}

static void connect_tell(wring__conn *conn) {
    if (conn->broken) {
        wring__conn_fail(conn, WRING_ERR_CONNECT);
        return;
    }
    set_state(conn, WRING__CONN_OPEN);
    conn->connected_told = true;
    recv_arm(conn);
    conn->ops->connected(conn);
}

void wring__conn_dispatch(wring__conn *conn) {
    if (!conn->connected_told && conn->state == WRING__CONN_CONNECTING) {
        connect_tell(conn);
        return;
    }
    if (conn->broken && !conn->yielded) {
        conn->paused = false; /* no queue drains any more: what came before is given now or never */
    }
    if (conn->tls != NULL && conn->state == WRING__CONN_OPEN && !conn->paused) {
        wring__conn_tls_resume(conn);
    }
    if (conn->state == WRING__CONN_OPEN && conn->stash != NULL && !conn->paused) {
        if (conn->is_direct) {
            direct_give(conn);
        } else {
            stash_give(conn);
        }
    }
    if (conn->state == WRING__CONN_OPEN && conn->stash == NULL) {
        chain_give(conn);
    }
    if (conn->state != WRING__CONN_OPEN) {
        rx_drop(conn);
        return;
    }
    if (conn->paused) {
        stash_chain(conn);
        if (conn->yielded) {
            yield_end(conn);
        }
        if (conn->state != WRING__CONN_OPEN) {
            return;
        }
    }
    if (conn->asked) {
        conn->asked = false;
        conn->ops->asked(conn);
        if (conn->state != WRING__CONN_OPEN) {
            return;
        }
    }
    const bool in_flight = conn->is_direct && conn->recv_armed;
    bool all_given = wring__recv_is_empty(&conn->received) && (conn->stash == NULL || in_flight);
    if (conn->broken && all_given && !conn->yielded) {
        wring__conn_fail(conn, WRING_ERR_TRANSPORT);
    } else if (conn->eof && all_given && !conn->eof_told && !conn->paused) {
        end_tell(conn);
    }
    if (conn->state != WRING__CONN_OPEN || (conn->paused && !conn->broken)) {
        return;
    }
    if (!all_given || conn->broken) {
        wring__worker_make_ready(conn->worker, conn);
    }
    wring__conn_recv_on(conn);
}

/* ---- sending --------------------------------------------------------------------------------- */

void wring__conn_flush(wring__conn *conn) {
    wring__worker_make_dirty(conn->worker, conn);
}

void wring__conn_send(wring__conn *conn) {
    wring__worker *worker = conn->worker;
    if (conn->send_in_flight || conn->broken || conn->state > WRING__CONN_DRAINING) {
        return;
    }
    if (conn->tls != NULL) {
        wring__conn_tls_seal(conn);
    }
    const wring__outq *wire = conn->tls == NULL ? &conn->out : &conn->tls->out;
    if (wire->bytes == 0) {
        return;
    }
    size_t room = wring__min_size(WRING__IOVECS_MAX - worker->iovec_count, GATHER_MAX);
    struct iovec *iov = &worker->iovecs[worker->iovec_count];
    size_t count = wring__outq_gather(wire, iov, room);
    worker->iovec_count += count;
    worker->backend->ops->send(worker->backend, conn->socket, token(conn, WRING__OP_SEND), iov,
                               count);
    conn->send_in_flight = true;
    conn->pending++;
}

static void send_complete(wring__conn *conn, const wring__completion *completion) {
    conn->send_in_flight = false;
    conn->pending--;
    if (completion->result < 0) {
        broken_by(conn, completion->result);
        if (conn->state == WRING__CONN_OPEN) {
            wring__worker_make_ready(conn->worker, conn);
        } else {
            teardown(conn);
        }
        return;
    }
    wring__count(&conn->worker->counters.tx_bytes, (uint64_t)completion->result);
    wring__outq_consume(conn->tls == NULL ? &conn->out : &conn->tls->out, &conn->worker->chunks,
                        (size_t)completion->result);
    const uint64_t unsent = wring__conn_unsent(conn);
    if (unsent > 0) {
        wring__conn_flush(conn);
    }
    if (conn->tell_drained && unsent <= conn->worker->drained_bytes) {
        conn->tell_drained = false;
        wring__conn_ask(conn);
    }
    resume_when_drained(conn);
    linger_when_drained(conn);
}

static void connect_complete(wring__conn *conn, const wring__completion *completion) {
    conn->pending--;
    if (conn->state != WRING__CONN_CONNECTING) {
        return; /* ended meanwhile */
    }
    if (completion->result < 0) {
        broken_by(conn, completion->result);
    }
    wring__worker_make_ready(conn->worker, conn);
}

/* ---- completions ----------------------------------------------------------------------------- */

void wring__conn_complete(wring__conn *conn, unsigned op, const wring__completion *completion) {
    WRING_TRACE(CONN_COMPLETE, (uint64_t)conn->slot << 8 | op, (uint64_t)completion->result);
    switch ((enum wring__op)op) {
    case WRING__OP_CONNECT:
        connect_complete(conn, completion);
        break;
    case WRING__OP_RECV:
        recv_complete(conn, completion);
        break;
    case WRING__OP_SEND:
        send_complete(conn, completion);
        break;
    case WRING__OP_SHUTDOWN: /* its result says nothing that the receive does not */
    case WRING__OP_CANCEL:
        conn->pending--;
        break;
    case WRING__OP_CLOSE:
        conn->pending--;
        set_state(conn, WRING__CONN_CLOSED);
        wring__outq_deinit(&conn->out, &conn->worker->chunks);
        wring__conn_tls_free(conn);
        wring__worker_make_dead(conn->worker, conn);
        return;
    case WRING__OP_NONE:
    case WRING__OP_ACCEPT:
    case WRING__OP_CLOSE_UNOWNED:
    case WRING__OP_POLL:
        WRING_UNREACHABLE();
    }
    close_when_quiet(conn);
}
