/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiving half of the pump. See conn_rx.h.
 */
#include "io/conn_rx.h"
#include "core/trace.h"

#include <errno.h>
#include <stdlib.h>

#include "io/conn_long.h"
#include "io/conn_tls.h"

/* Bytes of one connection handed to its owner in one turn: no peer starves the rest. */
#define DISPATCH_BYTES_MAX (128u << 10)

/* Bytes received after reading was paused: moved out of the shared receive buffers, so that a
 * connection that does not drain pins none of them. */
struct wring__stash {
    size_t at; /* given so far */
    size_t len;
    size_t cap;
    bool is_lent; /* the owner is being given some of it: who drops it leaves the memory */
    uint8_t data[];
};

void wring__conn_recv_arm(wring__conn *conn) {
    WRING_ASSERT(!conn->recv_armed);
    wring__backend *backend = conn->super.worker->backend;
    const enum wring__long how = conn->one_shot > 0 ? wring__conn_long_arm(conn) : WRING__LONG_NO;
    if (how == WRING__LONG_WAITS) {
        return;
    }
    if (conn->one_shot == 0) {
        backend->ops->recv(backend, conn->socket, wring__conn_token(conn, WRING__OP_RECV));
    } else if (how == WRING__LONG_NO) {
        backend->ops->recv_once(backend, conn->socket, wring__conn_token(conn, WRING__OP_RECV));
    }
    conn->recv_armed = true;
    conn->pending++;
}

/* Not inlined: nearly always a receive is armed. */
__attribute__((noinline)) static void arm_again(wring__conn *conn) {
    /* What is here comes first, and does not grow meanwhile. */
    const bool has_some = conn->stash != NULL || !wring__recv_is_empty(&conn->received);
    if (conn->super.state == WRING__END_OPEN && !wring__end_is_stopped(&conn->super) &&
        !conn->eof && !conn->broken && !has_some) {
        wring__conn_recv_arm(conn);
    }
}

void wring__conn_recv_on(wring__conn *conn) {
    if (!conn->recv_armed) {
        arm_again(conn);
    }
}

void wring__conn_recv_cancel(wring__conn *conn) {
    if (conn->recv_armed && !conn->recv_cancelled) {
        wring__backend *backend = conn->super.worker->backend;
        conn->recv_cancelled = true;
        backend->ops->cancel(backend, conn->socket, wring__conn_token(conn, WRING__OP_RECV),
                             wring__conn_token(conn, WRING__OP_CANCEL));
        conn->pending++;
    }
}

static void stash_free(wring__conn *conn, struct wring__stash *stash) {
    conn->super.worker->chunks.held -= stash->cap;
    free(stash);
}

void wring__conn_rx_drop(wring__conn *conn) {
    wring__recv_drop(&conn->super.worker->recv, &conn->received);
    wring__conn_long_leave(conn);
    wring__conn_long_drop(conn);
    if (!conn->is_direct && conn->stash != NULL) {
        if (!conn->stash->is_lent) {
            stash_free(conn, conn->stash);
        }
        conn->stash = NULL;
    }
}

uint64_t wring__conn_held(const wring__conn *conn) {
    const struct wring__stash *stash = conn->is_direct ? NULL : conn->stash;
    return wring__end_unsent(&conn->super) + (stash == NULL ? 0 : stash->cap) +
           (conn->super.tls == NULL ? 0 : wring__tls_kept(conn->super.tls->tls));
}

/* ---- what came while nothing was read -------------------------------------------------------- */

static bool stash_append(wring__conn *conn, const uint8_t *data, size_t len) {
    WRING_ASSERT(!conn->is_direct);
    WRING_ASSERT(conn->stash == NULL || !conn->stash->is_lent);
    if (conn->stash != NULL && conn->stash->at > 0) { /* what was given makes room */
        conn->stash->len -= conn->stash->at;
        memmove(conn->stash->data, conn->stash->data + conn->stash->at, conn->stash->len);
        conn->stash->at = 0;
    }
    size_t have = conn->stash == NULL ? 0 : conn->stash->len;
    size_t cap = conn->stash == NULL ? 0 : conn->stash->cap;
    if (cap - have < len) {
        const size_t old_cap = cap;
        cap = have + wring__recv_bytes(&conn->super.worker->recv, &conn->received) + len;
        struct wring__stash *grown = realloc(conn->stash, sizeof *grown + cap);
        if (grown == NULL) {
            return false;
        }
        conn->super.worker->chunks.held += cap - old_cap;
        grown->at = 0;
        grown->is_lent = false;
        conn->stash = grown;
        conn->stash->cap = cap;
    }
    memcpy(conn->stash->data + have, data, len);
    conn->stash->len = have + len;
    return true;
}

/* Moves what waits in receive buffers to the stash and gives the buffers back. */
static void stash_chain(wring__conn *conn) {
    wring__recv_pool *pool = &conn->super.worker->recv;
    while (!wring__recv_is_empty(&conn->received)) {
        const wring__recv_lease lease = wring__recv_take(pool, &conn->received, false);
        const bool kept = stash_append(conn, lease.bytes.data, lease.bytes.len);
        wring__recv_done(pool, &lease);
        if (!kept) {
            wring__conn_broken_by(conn, -ENOMEM);
            wring__recv_drop(pool, &conn->received);
        }
    }
}

/* ---- pausing --------------------------------------------------------------------------------- */

void wring__conn_rx_stopped(wring__conn *conn) {
    wring__conn_long_leave(conn);
    wring__conn_recv_cancel(conn);
}

/* Before anything else is read: whatever else it was paused for, what the owner has was received.
 */
static void yield_end(wring__conn *conn) {
    WRING_ASSERT((conn->super.rx_stop & WRING__RX_STOP_YIELDED) != 0);
    wring__end_rx_go(&conn->super, WRING__RX_STOP_YIELDED);
    conn->super.ops->resume(&conn->super);
    (void)wring__end_rx_look(&conn->super); /* it may have queued much */
    if (conn->broken) {
        wring__worker_make_ready(conn->super.worker, conn);
    }
}

/* ---- completions ----------------------------------------------------------------------------- */

static void rx_take(wring__conn *conn, const wring__completion *completion) {
    wring__worker *worker = conn->super.worker;
    if (conn->super.state != WRING__END_OPEN || completion->result <= 0) {
        wring__recv_discard(&worker->recv, completion);
        return;
    }
    if (WRING_UNLIKELY((conn->super.rx_stop & WRING__RX_STOP_BUFFERS) != 0)) {
        wring__end_rx_go(&conn->super, WRING__RX_STOP_BUFFERS);
    }
    wring__count(&worker->counters.rx_bytes, (uint64_t)completion->result);
    if (wring__recv_push(&worker->recv, &conn->received, completion) != WRING_OK) {
        wring__conn_broken_by(conn, -ENOMEM);
    }
}

void wring__conn_recv_complete(wring__conn *conn, const wring__completion *completion) {
    WRING_ASSERT(conn->recv_armed && conn->pending > 0);
    if ((completion->flags & WRING__COMPLETION_MORE) == 0) {
        conn->recv_armed = false;
        conn->recv_cancelled = false;
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
        wring__end_rx_stop(&conn->super, WRING__RX_STOP_BUFFERS);
        wring__count(&conn->super.worker->counters.buffers_exhausted,
                     1); /* normal: armed again when some are back */
    } else if (completion->result < 0 && completion->result != -ECANCELED &&
               completion->result != -EAGAIN) { /* of a receive that does not wait */
        wring__conn_broken_by(conn, completion->result);
    }
    switch ((enum wring__end_state)conn->super.state) {
    case WRING__END_OPEN:
        wring__worker_make_ready(conn->super.worker, conn);
        break;
    case WRING__END_DRAINING:
        if (conn->broken) {
            wring__conn_abort(conn);
        } else if (!conn->recv_armed && !conn->eof) {
            wring__conn_recv_arm(conn);
        }
        break;
    case WRING__END_LINGERING:
        if (conn->broken || conn->eof) {
            wring__conn_abort(conn);
        } else if (!conn->recv_armed) {
            wring__conn_recv_arm(conn);
        }
        break;
    case WRING__END_CONNECTING:
    case WRING__END_TEARDOWN:
    case WRING__END_CLOSING:
    case WRING__END_CLOSED:
        break;
    }
}

/* ---- giving ---------------------------------------------------------------------------------- */

bool wring__conn_give(wring__conn *conn, wring_mut_bytes plain, wring__block *block) {
    if (plain.len > 0) {
        conn->super.ops->rx(&conn->super, plain, block);
    }
    return conn->super.state == WRING__END_OPEN && !wring__end_rx_look(&conn->super);
}

static void bytes_give(wring__conn *conn, wring_mut_bytes bytes, wring__block *block) {
    if (conn->super.tls != NULL) {
        wring__conn_tls_rx(conn, bytes);
    } else {
        (void)wring__conn_give(conn, bytes, block);
    }
}

/* May be given more in this turn. */
static bool takes_more(const wring__conn *conn, size_t given) {
    return given < DISPATCH_BYTES_MAX && conn->super.state == WRING__END_OPEN &&
           !wring__end_is_stopped(&conn->super);
}

/* In pieces, as from the receive buffers: after each the owner's queue may be full.
 * Returns how many bytes it was. */
static size_t stash_give(wring__conn *conn) {
    struct wring__stash *stash = conn->stash;
    size_t given = 0;
    while (stash->at < stash->len && takes_more(conn, given)) {
        wring_mut_bytes bytes = {stash->data + stash->at,
                                 wring__min_size(stash->len - stash->at, WRING__RECV_SPAN_MAX)};
        stash->at += bytes.len;
        given += bytes.len;
        stash->is_lent = true;
        bytes_give(conn, bytes, NULL);
        stash->is_lent = false;
    }
    const bool dropped = conn->stash != stash;
    if (dropped || stash->at == stash->len) {
        conn->stash = dropped ? conn->stash : NULL;
        stash_free(conn, stash);
    }
    return given;
}

/* The owner may keep what lies in the buffers until it is sent. */
static void chain_give(wring__conn *conn, size_t given) {
    WRING_TRACE_STOP();
    wring__worker *worker = conn->super.worker;
    wring__recv_pool *pool = &worker->recv;
    size_t longest = 0;
    while (!wring__recv_is_empty(&conn->received) && takes_more(conn, given)) {
        const wring__recv_lease lease =
            wring__recv_take(pool, &conn->received, conn->super.tls == NULL);
        bytes_give(conn, lease.bytes, lease.block);
        wring__recv_done(pool, &lease);
        given += lease.bytes.len;
        longest = lease.bytes.len > longest ? lease.bytes.len : longest;
    }
    if (longest > 0) {
        wring__conn_long_choose(conn, longest);
    }
}

static void direct_give(wring__conn *conn) {
    wring_mut_bytes bytes;
    wring__block *block = wring__conn_long_take(conn, &bytes);
    if (block != NULL) {
        bytes_give(conn, bytes, NULL);
        wring__block_unref(block);
    }
}

void wring__conn_rx_give(wring__conn *conn) {
    size_t given = 0;
    if (conn->super.tls != NULL && conn->super.state == WRING__END_OPEN &&
        !wring__end_is_stopped(&conn->super)) {
        wring__conn_tls_resume(conn);
    }
    if (conn->super.state == WRING__END_OPEN && conn->stash != NULL &&
        !wring__end_is_stopped(&conn->super)) {
        if (conn->is_direct) {
            direct_give(conn);
        } else {
            given = stash_give(conn);
        }
    }
    if (conn->super.state == WRING__END_OPEN && conn->stash == NULL) {
        chain_give(conn, given);
    }
    if (conn->super.state != WRING__END_OPEN) {
        wring__conn_rx_drop(conn);
        return;
    }
    if (wring__end_is_stopped(&conn->super)) {
        stash_chain(conn);
        if ((conn->super.rx_stop & WRING__RX_STOP_YIELDED) != 0) {
            yield_end(conn);
        }
    }
}

bool wring__conn_rx_is_given(const wring__conn *conn) {
    const bool in_flight = conn->is_direct && conn->recv_armed;
    return wring__recv_is_empty(&conn->received) && (conn->stash == NULL || in_flight);
}
