/* SPDX-License-Identifier: Apache-2.0
 *
 * Endpoints of every kind. See endpoint.h.
 */
#include "io/endpoint.h"

#include <stdio.h>

#include "core/trace.h"
#include "io/conn_rx.h"
#include "io/conn_tls.h"
#include "io/worker.h"

static wring__conn *conn_of(const wring__endpoint *end) {
    return WRING_CONTAINER_OF(end, wring__conn, super);
}

static bool is_conn(const wring__endpoint *end) {
    return WRING_LIKELY(end->kind == WRING__END_CONN);
}

wring_result wring__end_init(wring__endpoint *end, wring__worker *worker,
                             const wring__end_ops *ops) {
    WRING_ASSERT(ops != NULL && ops->closed != NULL && end->ops == NULL);
    end->ops = ops;
    end->worker = worker;
    return wring__slots_acquire(&worker->slots, end, &end->slot, &end->generation);
}

void wring__end_close(wring__endpoint *end) {
    WRING_ASSERT(end->kind != WRING__END_CONN && end->state != WRING__END_CLOSED);
    wring__worker *worker = end->worker;
    end->state = WRING__END_CLOSED;
    wring__wheel_cancel(&worker->wheel, &end->timer);
    wring__slots_release(&worker->slots, end->slot, end->generation);
    wring__outq_deinit(&end->out, &worker->chunks);
    end->ops->closed(end);
}

wring__conn *wring__end_conn(const wring__endpoint *end) {
    return is_conn(end) ? conn_of(end) : end->mux->conn;
}

wring__tls *wring__end_tls(const wring__endpoint *end) {
    return wring__conn_tls_of(wring__end_conn(end));
}

uint64_t wring__end_unsent_below(const wring__endpoint *end) {
    return end->out.bytes + (is_conn(end) && end->tls != NULL ? end->tls->out.bytes : 0);
}

void wring__end_flush_below(wring__endpoint *end) {
    WRING_ASSERT(end->kind == WRING__END_MUX && end->mux != NULL);
    end->mux->ops->flush(end);
}

void wring__end_shut(wring__endpoint *end) {
    if (is_conn(end)) {
        wring__conn_shut(conn_of(end));
    } else if (end->state == WRING__END_OPEN) {
        end->mux->ops->shut(end);
    }
}

void wring__end_linger_longer(wring__endpoint *end) {
    if (is_conn(end)) {
        conn_of(end)->lingers_longer = true;
    }
}

void wring__end_reset_at_abort(wring__endpoint *end) {
    if (is_conn(end)) {
        conn_of(end)->resets = true;
    }
}

void wring__end_abort(wring__endpoint *end) {
    if (is_conn(end)) {
        wring__conn_abort(conn_of(end));
    } else if (end->state <= WRING__END_DRAINING) {
        end->mux->ops->abort(end);
    }
}

void wring__end_break(wring__endpoint *end, int system_errno) {
    if (is_conn(end)) {
        wring__conn_break(conn_of(end), system_errno);
    } else if (end->state == WRING__END_OPEN) {
        end->mux->ops->fail(end, system_errno);
    }
}

bool wring__end_is_broken(const wring__endpoint *end) {
    return is_conn(end) ? conn_of(end)->broken : end->mux->ops->is_broken(end);
}

int32_t wring__end_errno(const wring__endpoint *end) {
    return wring__end_conn(end)->error;
}

void wring__end_ask(wring__endpoint *end) {
    if (end->state != WRING__END_OPEN) {
        return;
    }
    end->asked = true;
    if (is_conn(end)) {
        wring__worker_make_ready(end->worker, conn_of(end));
    } else {
        end->mux->ops->look(end);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Two ends that both stop reading until they have sent never would: so the end that dialled reads
 * on, unless it is told otherwise. A connection that carries streams reads on, too: each of them
 * has the mark, and what one of them sends all the time must not keep the others from being heard.
 */
static uint64_t pause_bytes(const wring__endpoint *end) {
    const wring__conn *conn = wring__end_conn(end);
    return is_conn(end) && conn->carries ? UINT64_MAX : end->worker->pause_bytes[conn->dialled];
}

const char *wring__rx_stop_names(uint8_t reasons, char out[64]) {
    static const char *const names[] = {"FULL",    "PAUSED", "INBOX",   "MEMORY",
                                        "YIELDED", "LANE",   "BUFFERS", "ANSWER"};
    size_t len = 0;
    memcpy(out, "-", 2);
    for (size_t i = 0; i < WRING_ARRAY_LEN(names); i++) {
        if ((reasons >> i & 1) != 0) {
            len += (size_t)snprintf(out + len, 64 - len, "%s%s", len == 0 ? "" : " ", names[i]);
        }
    }
    return out;
}

static void reasons_set(wring__endpoint *end, unsigned reasons) {
    if (end->rx_stop != reasons) {
        WRING_TRACE(RX_STOP, end->slot, reasons);
        end->rx_stop = (uint8_t)reasons;
    }
}

void wring__end_rx_stop(wring__endpoint *end, enum wring__rx_stop reason) {
    WRING_ASSERT(reason != 0 && end->worker != NULL);
    const bool was_stopped = wring__end_is_stopped(end);
    reasons_set(end, end->rx_stop | (unsigned)reason);
    if (was_stopped || !wring__end_is_stopped(end)) {
        return;
    }
    if (reason != WRING__RX_STOP_YIELDED) {
        wring__count(&end->worker->counters.paused, 1);
    }
    if (is_conn(end)) {
        wring__conn_rx_stopped(conn_of(end));
    }
}

void wring__end_rx_go(wring__endpoint *end, enum wring__rx_stop reason) {
    WRING_ASSERT(reason != 0 && end->worker != NULL);
    const bool was_stopped = wring__end_is_stopped(end);
    reasons_set(end, end->rx_stop & ~(unsigned)reason);
    if (!was_stopped || wring__end_is_stopped(end) || end->state != WRING__END_OPEN) {
        return;
    }
    if (is_conn(end)) {
        wring__worker_make_ready(end->worker, conn_of(end));
    } else {
        end->mux->ops->look(end);
    }
}

bool wring__end_rx_look(wring__endpoint *end) {
    if (WRING_UNLIKELY(wring__end_unsent(end) > pause_bytes(end) || end->worker->rx_stopped) &&
        !wring__end_is_broken(end)) {
        if (wring__end_unsent(end) > pause_bytes(end)) {
            wring__end_rx_stop(end, WRING__RX_STOP_FULL);
        }
        if (end->worker->rx_stopped) {
            wring__end_rx_stop(end, WRING__RX_STOP_MEMORY);
        }
    }
    return wring__end_is_stopped(end);
}

void wring__end_rx_drained(wring__endpoint *end) {
    if ((end->rx_stop & WRING__RX_STOP_FULL) != 0 &&
        wring__end_unsent(end) <= pause_bytes(end) / 2) {
        wring__end_rx_go(end, WRING__RX_STOP_FULL);
    }
}

bool wring__end_is_deaf(const wring__endpoint *end) {
    const unsigned ours = WRING__RX_STOP_PAUSED | WRING__RX_STOP_INBOX | WRING__RX_STOP_YIELDED |
                          WRING__RX_STOP_LANE | WRING__RX_STOP_BUFFERS;
    if ((end->rx_stop & ours) != 0) {
        return true;
    }
    const bool full = wring__end_unsent(end) > pause_bytes(end) / 2;
    return wring__end_is_stopped(end) && (!full || end->tx_moved);
}

__attribute__((cold)) void wring__end_yield(wring__endpoint *end) {
    WRING_ASSERT(end->ops->resume != NULL && end->state == WRING__END_OPEN);
    wring__end_rx_stop(end, WRING__RX_STOP_YIELDED);
    if (is_conn(end)) {
        wring__worker_make_ready(end->worker, conn_of(end));
    } else {
        end->mux->ops->look(end);
    }
}

uint64_t wring__end_held_bytes(const wring__endpoint *end) {
    return is_conn(end) ? wring__conn_held(conn_of(end))
                        : end->out.bytes + end->mux->ops->kept(end);
}

/* ---- time ------------------------------------------------------------------------------------ */

void wring__end_set_deadline(wring__endpoint *end, wring_time_ns deadline) {
    WRING_DEBUG_ASSERT(deadline != 0);
    if (end->state != WRING__END_OPEN) {
        return;
    }
    if (deadline == WRING_TIME_NEVER) {
        wring__wheel_cancel(&end->worker->wheel, &end->timer);
    } else {
        wring__wheel_set(&end->worker->wheel, &end->timer, deadline);
    }
}
