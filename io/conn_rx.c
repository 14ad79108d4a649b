/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiving half of the pump. See conn_rx.h.
 */
#include "io/conn_rx.h"

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
    wring__backend *backend = conn->worker->backend;
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
    if (conn->state == WRING__CONN_OPEN && !conn->paused && !conn->eof && !conn->broken &&
        !has_some) {
        wring__conn_recv_arm(conn);
    }
}

void wring__conn_recv_on(wring__conn *conn) {
    if (!conn->recv_armed) {
        arm_again(conn);
    }
}

void wring__conn_recv_cancel(wring__conn *conn) {
    if (conn->recv_armed) {
        wring__backend *backend = conn->worker->backend;
        backend->ops->cancel(backend, wring__conn_token(conn, WRING__OP_RECV),
                             wring__conn_token(conn, WRING__OP_CANCEL));
        conn->pending++;
    }
}

static void stash_free(wring__conn *conn, struct wring__stash *stash) {
    conn->worker->chunks.held -= stash->cap;
    free(stash);
}

void wring__conn_rx_drop(wring__conn *conn) {
    wring__recv_drop(&conn->worker->recv, &conn->received);
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
    return wring__conn_unsent(conn) + (stash == NULL ? 0 : stash->cap) +
           (conn->tls == NULL ? 0 : wring__tls_kept(conn->tls->tls));
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
        cap = have + wring__recv_bytes(&conn->worker->recv, &conn->received) + len;
        struct wring__stash *grown = realloc(conn->stash, sizeof *grown + cap);
        if (grown == NULL) {
            return false;
        }
        conn->worker->chunks.held += cap - old_cap;
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
    wring__recv_pool *pool = &conn->worker->recv;
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

bool wring__conn_is_deaf(const wring__conn *conn) {
    if (conn->held || conn->yielded || conn->long_waits || conn->starved) {
        return true;
    }
    const bool full = wring__conn_unsent(conn) > pause_bytes(conn) / 2;
    return conn->paused && (!full || conn->tx_moved);
}

void wring__conn_resume_when_drained(wring__conn *conn) {
    if (conn->paused && !conn->held && !conn->yielded && !conn->worker->rx_stopped &&
        wring__conn_unsent(conn) <= pause_bytes(conn) / 2) {
        conn->paused = false;
        wring__worker_make_ready(conn->worker, conn);
    }
}

void wring__conn_read_on(wring__conn *conn) {
    if (conn->state == WRING__CONN_OPEN) {
        wring__conn_resume_when_drained(conn);
    }
}

/* In a callback of rx the pause takes hold when that returns. */
void wring__conn_hold(wring__conn *conn) {
    conn->held = true;
}

void wring__conn_unhold(wring__conn *conn) {
    conn->held = false;
    wring__conn_resume_when_drained(conn);
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

/* ---- completions ----------------------------------------------------------------------------- */

static void rx_take(wring__conn *conn, const wring__completion *completion) {
    wring__worker *worker = conn->worker;
    if (conn->state != WRING__CONN_OPEN || completion->result <= 0) {
        wring__recv_discard(&worker->recv, completion);
        return;
    }
    conn->starved = false;
    wring__count(&worker->counters.rx_bytes, (uint64_t)completion->result);
    if (wring__recv_push(&worker->recv, &conn->received, completion) != WRING_OK) {
        wring__conn_broken_by(conn, -ENOMEM);
    }
}

void wring__conn_recv_complete(wring__conn *conn, const wring__completion *completion) {
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
        conn->starved = true;
        wring__count(&conn->worker->counters.buffers_exhausted,
                     1); /* normal: armed again when some are back */
    } else if (completion->result < 0 && completion->result != -ECANCELED &&
               completion->result != -EAGAIN) { /* of a receive that does not wait */
        wring__conn_broken_by(conn, completion->result);
    }
    switch ((enum wring__conn_state)conn->state) {
    case WRING__CONN_OPEN:
        wring__worker_make_ready(conn->worker, conn);
        break;
    case WRING__CONN_DRAINING:
        if (conn->broken) {
            wring__conn_abort(conn);
        } else if (!conn->recv_armed && !conn->eof) {
            wring__conn_recv_arm(conn);
        }
        break;
    case WRING__CONN_LINGERING:
        if (conn->broken || conn->eof) {
            wring__conn_abort(conn);
        } else if (!conn->recv_armed) {
            wring__conn_recv_arm(conn);
        }
        break;
    case WRING__CONN_CONNECTING:
    case WRING__CONN_TEARDOWN:
    case WRING__CONN_CLOSING:
    case WRING__CONN_CLOSED:
        break;
    }
}

/* ---- giving ---------------------------------------------------------------------------------- */

bool wring__conn_give(wring__conn *conn, wring_mut_bytes plain) {
    if (plain.len > 0) {
        conn->ops->rx(conn, plain);
    }
    return conn->state == WRING__CONN_OPEN && !wring__conn_pause_when_full(conn);
}

static void bytes_give(wring__conn *conn, wring_mut_bytes bytes) {
    if (conn->tls != NULL) {
        wring__conn_tls_rx(conn, bytes);
    } else {
        (void)wring__conn_give(conn, bytes);
    }
}

/* May be given more in this turn. */
static bool takes_more(const wring__conn *conn, size_t given) {
    return given < DISPATCH_BYTES_MAX && conn->state == WRING__CONN_OPEN && !conn->paused;
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
        bytes_give(conn, bytes);
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
    wring__worker *worker = conn->worker;
    wring__recv_pool *pool = &worker->recv;
    size_t longest = 0;
    while (!wring__recv_is_empty(&conn->received) && takes_more(conn, given)) {
        const wring__recv_lease lease = wring__recv_take(pool, &conn->received, conn->tls == NULL);
        bytes_give(conn, lease.bytes);
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
        bytes_give(conn, bytes);
        wring__block_unref(block);
    }
}

void wring__conn_rx_give(wring__conn *conn) {
    size_t given = 0;
    if (conn->tls != NULL && conn->state == WRING__CONN_OPEN && !conn->paused) {
        wring__conn_tls_resume(conn);
    }
    if (conn->state == WRING__CONN_OPEN && conn->stash != NULL && !conn->paused) {
        if (conn->is_direct) {
            direct_give(conn);
        } else {
            given = stash_give(conn);
        }
    }
    if (conn->state == WRING__CONN_OPEN && conn->stash == NULL) {
        chain_give(conn, given);
    }
    if (conn->state != WRING__CONN_OPEN) {
        wring__conn_rx_drop(conn);
        return;
    }
    if (conn->paused) {
        stash_chain(conn);
        if (conn->yielded) {
            yield_end(conn);
        }
    }
}

bool wring__conn_rx_is_given(const wring__conn *conn) {
    const bool in_flight = conn->is_direct && conn->recv_armed;
    return wring__recv_is_empty(&conn->received) && (conn->stash == NULL || in_flight);
}
