/* SPDX-License-Identifier: Apache-2.0
 *
 * Endpoints of every kind. See endpoint.h.
 */
#include "io/endpoint.h"

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
    end->ops = ops;
    end->worker = worker;
    return wring__slots_acquire(&worker->slots, end, &end->slot, &end->generation);
}

void wring__end_close(wring__endpoint *end) {
    WRING_ASSERT(end->kind == WRING__END_MUX && end->state != WRING__END_CLOSED);
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
    end->mux->ops->flush(end);
}

void wring__end_shut(wring__endpoint *end) {
    if (is_conn(end)) {
        wring__conn_shut(conn_of(end));
    } else if (end->state == WRING__END_OPEN) {
        end->mux->ops->shut(end);
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

bool wring__end_pause_when_full(wring__endpoint *end) {
    return is_conn(end) ? wring__conn_pause_when_full(conn_of(end))
                        : end->mux->ops->pause_when_full(end);
}

void wring__end_hold(wring__endpoint *end) {
    if (is_conn(end)) {
        wring__conn_hold(conn_of(end));
    } else {
        end->mux->ops->hold(end, true);
    }
}

void wring__end_unhold(wring__endpoint *end) {
    if (is_conn(end)) {
        wring__conn_unhold(conn_of(end));
    } else {
        end->mux->ops->hold(end, false);
    }
}

bool wring__end_is_held(const wring__endpoint *end) {
    return is_conn(end) ? conn_of(end)->held : end->mux->ops->is_held(end);
}

bool wring__end_is_deaf(const wring__endpoint *end) {
    return is_conn(end) ? wring__conn_is_deaf(conn_of(end)) : end->mux->ops->is_deaf(end);
}

void wring__end_yield(wring__endpoint *end) {
    if (is_conn(end)) {
        wring__conn_yield(conn_of(end));
    } else {
        end->mux->ops->yield(end);
    }
}

void wring__end_read_on(wring__endpoint *end) {
    if (is_conn(end)) {
        wring__conn_read_on(conn_of(end));
    } else {
        end->mux->ops->read_on(end);
    }
}

uint64_t wring__end_held_bytes(const wring__endpoint *end) {
    return is_conn(end) ? wring__conn_held(conn_of(end))
                        : end->out.bytes + end->mux->ops->kept(end);
}

/* ---- time ------------------------------------------------------------------------------------ */

void wring__end_set_deadline(wring__endpoint *end, wring_time_ns deadline) {
    if (end->state != WRING__END_OPEN) {
        return;
    }
    if (deadline == WRING_TIME_NEVER) {
        wring__wheel_cancel(&end->worker->wheel, &end->timer);
    } else {
        wring__wheel_set(&end->worker->wheel, &end->timer, deadline);
    }
}
