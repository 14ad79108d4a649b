/* SPDX-License-Identifier: Apache-2.0
 *
 * The glue between a carrier's bytes and a session. See stream.h.
 */
#include "stream/stream.h"

#include "core/ref.h"
#include "io/worker.h"

static const wring__stream_ops *ops_of(const wring__stream *stream) {
    return WRING_CONTAINER_OF(stream->conn.super.ops, const wring__stream_ops, super);
}

static wring_time_ns now_of(const wring__stream *stream) {
    return stream->conn.super.worker->now;
}

/* Compressed messages have a share of each turn: tells the session which turn this is. */
static void turn_tell(wring__stream *stream) {
    wring__session_turn(&stream->host.session, stream->conn.super.worker->counters.turns);
}

wring_ref wring__stream_ref(const wring_session *session) {
    const wring__conn *conn = &wring__stream_of_session(session)->conn;
    return wring__ref_pack(conn->super.worker->index, conn->super.slot, conn->super.generation);
}

/* ---- after each call into the session -------------------------------------------------------- */

static void hand_down(wring__stream *stream) {
    wring__conn *conn = &stream->conn;
    if (conn->super.out.bytes == 0) {
        return;
    }
    wring__conn_flush(conn);
    if (WRING_UNLIKELY(wring__conn_unsent(conn) > conn->super.worker->soft_bytes ||
                       stream->host.session.tx_at != 0)) {
        const wring__stream_ops *ops = ops_of(stream);
        if (ops->congested != NULL) {
            ops->congested(stream);
        }
    }
}

void wring__stream_settle(wring__stream *stream) {
    wring__conn *conn = &stream->conn;
    hand_down(stream);
    if (WRING_UNLIKELY(conn->held && stream->host.session.state == WRING_SESSION_CLOSING &&
                       ops_of(stream)->close_ends_pause)) {
        wring__conn_unhold(conn);
    }
    const wring__settled settled = wring__host_settle(&stream->host, now_of(stream));
    if (WRING_UNLIKELY(settled.is_over)) {
        ops_of(stream)->ended(stream);
        wring__conn_shut(conn);
        return;
    }
    wring__conn_bring_deadline(conn, settled.deadline);
    conn->tell_drained |= settled.owes_pong;
    if (WRING_UNLIKELY(settled.has_more)) {
        wring__conn_yield(conn);
    }
}

/* ---- what happens to it ---------------------------------------------------------------------- */

void wring__stream_start(wring__stream *stream, const wring__binding *binding, void *state,
                         const wring_request *request) {
    wring__host_start(&stream->host, binding, binding->handler->state_size == 0 ? NULL : state,
                      request, now_of(stream));
    wring__stream_settle(stream);
}

void wring__stream_rx(wring__stream *stream, wring_mut_bytes bytes) {
    wring__session_common *common = stream->host.session.common;
    common->fed = stream->conn.super.worker->recv.fed;
    turn_tell(stream);
    wring__host_rx(&stream->host, bytes, now_of(stream));
    common->fed = NULL;
    wring__stream_settle(stream);
}

void wring__stream_resume(wring__stream *stream) {
    turn_tell(stream);
    if (stream->conn.broken) {
        wring__session_tx_drop(&stream->host.session);
    }
    wring__host_resume(&stream->host, now_of(stream));
    wring__stream_settle(stream);
}

void wring__stream_fail(wring__stream *stream, wring_result reason) {
    if (wring__stream_is_started(stream)) {
        wring__host_fail(&stream->host, reason);
        wring__stream_settle(stream);
    }
}

void wring__stream_expire(wring__stream *stream) {
    if (stream->conn.held) { /* it is we who do not listen */
        wring__session_touch(&stream->host.session, now_of(stream));
    }
    wring__host_expire(&stream->host, now_of(stream));
    wring__stream_settle(stream);
}

void wring__stream_drained(wring__stream *stream) {
    wring__host_drained(&stream->host);
    wring__stream_settle(stream);
}

void wring__stream_close(wring__stream *stream, uint16_t code, wring_bytes reason) {
    wring__host_close(&stream->host, code, reason);
    wring__stream_settle(stream);
}

void wring__stream_refuse(wring__stream *stream, wring_result reason) {
    wring__host_refuse(&stream->host, reason);
    wring__stream_settle(stream);
}

/* ---- slots of wring__end_ops ---------------------------------------------------------------- */

uint64_t wring__stream_on_missing(wring__conn *conn) {
    const wring__stream *stream = wring__stream_of_conn(conn);
    return wring__stream_is_started(stream) ? wring__session_rx_missing(&stream->host.session) : 0;
}

wring__block *wring__stream_on_room(wring__conn *conn) {
    wring__stream *stream = wring__stream_of_conn(conn);
    return wring__stream_is_started(stream) ? wring__session_rx_room(&stream->host.session) : NULL;
}
