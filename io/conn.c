/* SPDX-License-Identifier: Apache-2.0
 *
 * The byte pump of one stream. See conn.h for its states.
 */
#include "io/conn.h"

#include <errno.h>

#include "core/trace.h"
#include "io/conn_rx.h"
#include "io/conn_tls.h"

#define GATHER_MAX 64
/* Longer sends rather wait for room by themselves: a second attempt costs a turn. */
#define AT_ONCE_BYTES_MAX ((uint64_t)32 * 1024)
/* The close handshake is over: nothing more is to come but the peer's end of stream. */
#define LINGER_NS        (200 * WRING_NS_PER_MS)
#define LINGER_LONGER_NS (2 * WRING_NS_PER_SEC)

static void set_state(wring__conn *conn, enum wring__end_state state) {
    WRING_ASSERT((int)state > (int)conn->super.state);
    WRING_TRACE(CONN_STATE, conn->super.slot, (uint64_t)state);
    conn->super.state = (uint8_t)state;
}

static void stream_shutdown(wring__conn *conn, int how) {
    wring__backend *backend = conn->super.worker->backend;
    backend->ops->shutdown(backend, conn->socket, wring__conn_token(conn, WRING__OP_SHUTDOWN), how);
    conn->pending++;
}

static wring_result conn_init(wring__conn *conn, wring__worker *worker, const wring__end_ops *ops) {
    memset(conn, 0, sizeof *conn);
    conn->socket = WRING__SOCKET_NONE;
    conn->received = (wring__recv_chain){WRING__RECV_NONE, WRING__RECV_NONE};
    return wring__end_init(&conn->super, worker, ops);
}

wring_result wring__conn_open(wring__conn *conn, wring__worker *worker, const wring__end_ops *ops,
                              wring__socket socket) {
    wring_result result = conn_init(conn, worker, ops);
    if (result != WRING_OK) {
        return result;
    }
    conn->socket = socket;
    conn->super.state = WRING__END_OPEN;
    conn->connected_told = true;
    worker->conn_count++;
    wring__conn_recv_arm(conn);
    return WRING_OK;
}

wring_result wring__conn_connect(wring__conn *conn, wring__worker *worker,
                                 const wring__end_ops *ops, const wring__dial_config *config) {
    wring_result result = conn_init(conn, worker, ops);
    if (result != WRING_OK) {
        return result;
    }
    conn->dialled = true;
    wring__backend *backend = worker->backend;
    result = backend->ops->connect(backend, config, wring__conn_token(conn, WRING__OP_CONNECT),
                                   &conn->socket);
    if (result != WRING_OK) {
        wring__slots_release(&worker->slots, conn->super.slot, conn->super.generation);
        return result;
    }
    worker->conn_count++;
    conn->pending++;
    return WRING_OK;
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void close_when_quiet(wring__conn *conn) {
    if (conn->super.state != WRING__END_TEARDOWN || conn->pending > 0) {
        return;
    }
    set_state(conn, WRING__END_CLOSING);
    wring__backend *backend = conn->super.worker->backend;
    conn->pending++;
    backend->ops->close_socket(backend, conn->socket, wring__conn_token(conn, WRING__OP_CLOSE));
}

void wring__conn_abort(wring__conn *conn) {
    if (conn->super.state >= WRING__END_TEARDOWN) {
        return;
    }
    const bool connecting = conn->super.state == WRING__END_CONNECTING && conn->pending > 0;
    set_state(conn, WRING__END_TEARDOWN);
    wring__wheel_cancel(&conn->super.worker->wheel, &conn->super.timer);
    wring__conn_rx_drop(conn);
    if (conn->resets && !conn->broken) {
        stream_shutdown(conn, WRING__SHUT_RESET);
        wring__conn_recv_cancel(conn);
    } else if (connecting) {
        wring__backend *backend = conn->super.worker->backend;
        backend->ops->cancel(backend, conn->socket, wring__conn_token(conn, WRING__OP_CONNECT),
                             wring__conn_token(conn, WRING__OP_CANCEL));
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
    WRING_ASSERT(conn->super.state == WRING__END_DRAINING && !conn->send_in_flight);
    if (conn->eof || conn->broken) {
        wring__conn_abort(conn);
        return;
    }
    set_state(conn, WRING__END_LINGERING);
    stream_shutdown(conn, SHUT_WR);
    if (!conn->recv_armed) {
        wring__conn_recv_arm(conn); /* to see the peer's end */
    }
    wring__wheel_set(&conn->super.worker->wheel, &conn->super.timer,
                     conn->super.worker->clock.peer_now +
                         (conn->lingers_longer ? LINGER_LONGER_NS : LINGER_NS));
}

static void linger_when_drained(wring__conn *conn) {
    if (conn->super.state == WRING__END_DRAINING && !conn->send_in_flight &&
        wring__end_unsent(&conn->super) == 0) {
        linger(conn);
    }
}

/* What TLS cannot seal will never go out. */
static void seal_last(wring__conn *conn) {
    if (!wring__conn_tls_is_writable(conn)) {
        wring__outq_deinit(&conn->super.out, &conn->super.worker->chunks);
    }
    wring__conn_tls_seal(conn);
}

/* Not inlined: with it wring__conn_timer no longer fitted into the turn, whose other parts then
 * cost more. */
__attribute__((noinline)) static void drain_wait(wring__conn *conn) {
    conn->super.tx_moved = false;
    wring__wheel_set(&conn->super.worker->wheel, &conn->super.timer,
                     conn->super.worker->clock.peer_now + WRING__DRAIN_NS_OF(&conn->super));
}

void wring__conn_shut(wring__conn *conn) {
    if (conn->super.state != WRING__END_OPEN) {
        return;
    }
    set_state(conn, WRING__END_DRAINING);
    wring__conn_rx_drop(conn);
    if (conn->super.tls != NULL && !conn->broken) {
        seal_last(conn);
    }
    if (conn->broken) {
        wring__conn_abort(conn);
        return;
    }
    if (conn->is_direct) {
        wring__conn_recv_cancel(conn); /* the block it was to fill may be large */
    }
    drain_wait(conn);
    if (conn->sent_at_once) {
        conn->super.worker->at_once.must_look = true; /* its end is waited for now */
    }
    wring__end_flush(&conn->super);
    linger_when_drained(conn);
}

void wring__conn_break(wring__conn *conn, int system_errno) {
    if (conn->super.state == WRING__END_OPEN && !conn->broken) {
        conn->broken = true;
        conn->error = system_errno;
        wring__worker_make_ready(conn->super.worker, conn);
    }
}

void wring__conn_fail(wring__conn *conn, wring_result reason) {
    conn->super.ops->failed(&conn->super, reason);
    if (conn->broken || conn->super.state == WRING__END_CONNECTING) {
        wring__conn_abort(conn);
    } else {
        wring__conn_shut(conn); /* what is queued may say why: an alert */
    }
}

void wring__conn_broken_by(wring__conn *conn, int32_t result) {
    if (!conn->broken) {
        conn->broken = true;
        conn->error = -result;
    }
}

void wring__conn_timer(wring__conn *conn) {
    if (conn->super.state == WRING__END_OPEN) {
        conn->super.ops->timer(&conn->super);
    } else if (conn->super.state == WRING__END_DRAINING && conn->super.tx_moved) {
        drain_wait(conn);
    } else {
        wring__conn_abort(conn);
    }
}

/* ---- dispatch -------------------------------------------------------------------------------- */

/* The end of the stream: of TLS it is a truncation unless close_notify came first. */
static void end_tell(wring__conn *conn) {
    conn->eof_told = true;
    wring_result result = conn->super.tls == NULL ? WRING_OK : wring__tls_eof(conn->super.tls->tls);
    if (result == WRING_OK) {
        conn->super.ops->eof(&conn->super);
    } else {
        wring__conn_fail(conn, result);
    }
}

static void connect_tell(wring__conn *conn) {
    if (conn->broken) {
        wring__conn_fail(conn, WRING_ERR_CONNECT);
        return;
    }
    set_state(conn, WRING__END_OPEN);
    conn->connected_told = true;
    wring__conn_recv_arm(conn);
    conn->super.ops->connected(&conn->super);
}

static bool has_yielded(const wring__conn *conn) {
    return (conn->super.rx_stop & WRING__RX_STOP_YIELDED) != 0;
}

void wring__conn_dispatch(wring__conn *conn) {
    if (!conn->connected_told && conn->super.state == WRING__END_CONNECTING) {
        connect_tell(conn);
        return;
    }
    if (conn->broken && !has_yielded(conn)) {
        conn->super.rx_stop = 0; /* no queue drains any more: what came is given now or never */
    }
    wring__conn_rx_give(conn);
    if (conn->super.state != WRING__END_OPEN) {
        return;
    }
    if (conn->super.asked) {
        conn->super.asked = false;
        conn->super.ops->asked(&conn->super);
        if (conn->super.state != WRING__END_OPEN) {
            return;
        }
    }
    const bool all_given = wring__conn_rx_is_given(conn);
    if (conn->broken && all_given && !has_yielded(conn)) {
        wring__conn_fail(conn, WRING_ERR_TRANSPORT);
    } else if (conn->eof && all_given && !conn->eof_told && !wring__end_is_stopped(&conn->super)) {
        end_tell(conn);
    }
    if (conn->super.state != WRING__END_OPEN ||
        (wring__end_is_stopped(&conn->super) && !conn->broken)) {
        return;
    }
    if (!all_given || conn->broken) {
        wring__worker_make_ready(conn->super.worker, conn);
    }
    wring__conn_recv_on(conn);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Whether nothing waits for the end of this send, so that the worker may sleep before it looks, and
 * whether there is likely to be room for it. */
static bool may_send_at_once(const wring__conn *conn, const wring__outq *wire) {
    const wring__worker *worker = conn->super.worker;
    return wire->bytes <= AT_ONCE_BYTES_MAX &&
           (conn->super.tls == NULL || conn->super.out.bytes == 0) &&
           conn->super.state == WRING__END_OPEN && !conn->send_waits && !conn->super.tell_drained &&
           !wring__end_is_stopped(&conn->super) && worker->backend->sends_at_once &&
           worker->at_once.count < WRING__IOVECS_MAX;
}

/* Apart: else every connection pays for the call. */
__attribute__((cold, noinline)) static void fill(wring__conn *conn) {
    if (conn->super.state == WRING__END_OPEN && !conn->broken) {
        conn->super.ops->fill(&conn->super);
    }
}

/* What follows when bytes have gone out. */
static void sent(wring__conn *conn) {
    const uint64_t unsent = wring__end_unsent(&conn->super);
    if (unsent > 0 || conn->carries) { /* a multiplexer stops at a mark: it goes on below that */
        wring__end_flush(&conn->super);
    } else {
        conn->send_waits = false;
    }
    if (conn->super.tell_drained && unsent <= conn->super.worker->drained_bytes) {
        conn->super.tell_drained = false;
        wring__end_ask(&conn->super);
    }
    wring__end_rx_drained(&conn->super);
    linger_when_drained(conn);
}

/* A send has ended and took all of its bytes. Within both of its callers: each message comes here.
 */
__attribute__((always_inline)) static inline void took(wring__conn *conn, size_t bytes) {
    conn->super.tx_moved = true;
    wring__outq_consume(conn->super.tls == NULL ? &conn->super.out : &conn->super.tls->out,
                        &conn->super.worker->chunks, bytes);
    /* Mostly nothing does: see may_send_at_once. But the owner may have come between. */
    if (WRING_UNLIKELY(wring__end_unsent(&conn->super) > 0 ||
                       conn->super.state != WRING__END_OPEN || conn->super.tell_drained ||
                       wring__end_is_stopped(&conn->super))) {
        sent(conn);
        close_when_quiet(conn);
    }
}

void wring__conn_took_all(wring__conn *conn, size_t bytes) {
    WRING_ASSERT(conn->sent_at_once && conn->send_in_flight);
    conn->sent_at_once = false;
    conn->send_in_flight = false;
    conn->pending--;
    took(conn, bytes);
}

/* The backend is done with a send already. */
__attribute__((noinline)) static void took_now(wring__conn *conn, const struct iovec *iov,
                                               size_t count) {
    const size_t bytes = wring__iov_bytes(iov, count);
    wring__count(&conn->super.worker->counters.tx_bytes, bytes);
    took(conn, bytes);
    if (conn->carries) { /* a multiplexer stops at a mark: it goes on below that */
        wring__end_flush(&conn->super);
    }
}

void wring__conn_send(wring__conn *conn) {
    WRING_TRACE_STOP();
    wring__worker *worker = conn->super.worker;
    if (WRING_UNLIKELY(conn->carries)) {
        fill(conn);
    }
    if (conn->send_in_flight || conn->broken || conn->super.state > WRING__END_DRAINING) {
        return;
    }
    if (conn->super.tls != NULL) {
        wring__conn_tls_seal(conn);
    }
    const wring__outq *wire = conn->super.tls == NULL ? &conn->super.out : &conn->super.tls->out;
    if (wire->bytes == 0) {
        return;
    }
    size_t room = wring__min_size(WRING__IOVECS_MAX - worker->iovec_count, GATHER_MAX);
    struct iovec *iov = &worker->iovecs[worker->iovec_count];
    size_t count = wring__outq_gather(wire, iov, room);
    worker->iovec_count += count;
    const uint64_t token = wring__conn_token(conn, WRING__OP_SEND);
    if (count < room && may_send_at_once(conn, wire)) {
        worker->backend->ops->send_at_once(worker->backend, conn->socket, token, iov, count);
        wring__worker_add_at_once(worker, conn, (uint32_t)wire->bytes);
    } else if (worker->backend->ops->send(worker->backend, conn->socket, token, iov, count)) {
        took_now(conn, iov, count);
        return;
    }
    conn->send_in_flight = true;
    conn->pending++;
}

/* Bytes that a send took, or the error that broke the stream. */
static int32_t send_result(wring__conn *conn, const wring__completion *completion) {
    if (!conn->sent_at_once) {
        return completion->result;
    }
    conn->sent_at_once = false; /* one that completes did not take everything */
    conn->send_waits = true;
    return completion->result == -EAGAIN ? 0 : completion->result;
}

static void send_complete(wring__conn *conn, const wring__completion *completion) {
    WRING_ASSERT(conn->send_in_flight && conn->pending > 0);
    const int32_t result = send_result(conn, completion);
    conn->send_in_flight = false;
    conn->pending--;
    if (result < 0) {
        wring__conn_broken_by(conn, result);
        if (conn->super.state == WRING__END_OPEN) {
            wring__worker_make_ready(conn->super.worker, conn);
        } else {
            wring__conn_abort(conn);
        }
        return;
    }
    conn->super.tx_moved = true;
    wring__count(&conn->super.worker->counters.tx_bytes, (uint64_t)result);
    wring__outq_consume(conn->super.tls == NULL ? &conn->super.out : &conn->super.tls->out,
                        &conn->super.worker->chunks, (size_t)result);
    sent(conn);
}

static void connect_complete(wring__conn *conn, const wring__completion *completion) {
    WRING_ASSERT(conn->dialled && conn->pending > 0);
    wring__backend *backend = conn->super.worker->backend;
    const bool itself =
        backend->ops->dialled != NULL && backend->ops->dialled(backend, conn->socket);
    conn->pending--;
    if (conn->super.state != WRING__END_CONNECTING) {
        return; /* ended meanwhile */
    }
    if (completion->result < 0) {
        wring__conn_broken_by(conn, completion->result);
    } else if (itself) { /* nobody listens there */
        wring__conn_broken_by(conn, -ECONNREFUSED);
    }
    wring__worker_make_ready(conn->super.worker, conn);
}

/* ---- completions ----------------------------------------------------------------------------- */

void wring__conn_complete(wring__conn *conn, unsigned op, const wring__completion *completion) {
    WRING_TRACE(CONN_COMPLETE, (uint64_t)conn->super.slot << 8 | op, (uint64_t)completion->result);
    switch ((enum wring__op)op) {
    case WRING__OP_CONNECT:
        connect_complete(conn, completion);
        break;
    case WRING__OP_RECV:
        wring__conn_recv_complete(conn, completion);
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
        set_state(conn, WRING__END_CLOSED);
        wring__outq_deinit(&conn->super.out, &conn->super.worker->chunks);
        wring__conn_tls_free(conn);
        wring__worker_make_dead(conn->super.worker, conn);
        return;
    case WRING__OP_NONE:
    case WRING__OP_ACCEPT:
    case WRING__OP_CLOSE_UNOWNED:
    case WRING__OP_POLL:
        WRING_UNREACHABLE();
    }
    close_when_quiet(conn);
}
