/* SPDX-License-Identifier: Apache-2.0
 *
 * The glue between a carrier's bytes and a session. See stream.h.
 */
#include "stream/stream.h"
#include "core/trace.h"

#include "core/ref.h"
#include "io/log.h"
#include "io/worker.h"

static const wring__stream_ops *ops_of(const wring__stream *stream) {
    return WRING_CONTAINER_OF(stream->end.ops, const wring__stream_ops, super);
}

/* Sessions are judged by their peers' time (io/clock.h). */
static wring_time_ns now_of(const wring__stream *stream) {
    return stream->end.worker->clock.peer_now;
}

/* Compressed messages have a share of each turn: tells the session which turn this is. */
static void turn_tell(wring__stream *stream) {
    wring__machine_turn(&stream->session.machine, stream->end.worker->counters.turns);
}

wring_ref wring__stream_ref(const wring_session *session) {
    const wring__endpoint *end = &wring__stream_of(session)->end;
    return wring__ref_pack(end->worker->index, end->slot, end->generation);
}

/* ---- after each call into the session -------------------------------------------------------- */

static void hand_down(wring__stream *stream) {
    wring__endpoint *end = &stream->end;
    if (end->out.bytes == 0) {
        return;
    }
    wring__end_flush(end);
    if (WRING_UNLIKELY(wring__end_unsent(end) > end->worker->soft_bytes ||
                       stream->session.machine.pending_at != 0)) {
        const wring__stream_ops *ops = ops_of(stream);
        if (ops->congested != NULL) {
            ops->congested(stream);
        }
    }
}

void wring__stream_settle(wring__stream *stream) {
    WRING_DEBUG_ASSERT(wring__stream_is_started(stream));
    wring__endpoint *end = &stream->end;
    hand_down(stream);
    if (WRING_UNLIKELY(stream->session.machine.state == WRING_MACHINE_CLOSING)) {
        wring__end_rx_go(end, WRING__RX_STOP_PAUSED); /* the peer's close frame has to be read */
    }
    const wring__settled settled = wring__session_settle(&stream->session, now_of(stream));
    if (WRING_UNLIKELY(settled.is_over)) {
        ops_of(stream)->ended(stream);
        wring__end_shut(end);
        return;
    }
    wring__end_bring_deadline(end, settled.deadline);
    if (WRING_UNLIKELY(settled.owes_pong)) {
        end->tell_drained = true;
    }
    if (WRING_UNLIKELY(settled.has_more)) {
        wring__end_yield(end);
    }
}

/* ---- what happens to it ---------------------------------------------------------------------- */

void wring__stream_start(wring__stream *stream, const wring__binding *binding, void *state,
                         const wring_request *request) {
    WRING_ASSERT(!wring__stream_is_started(stream) && stream->end.state == WRING__END_OPEN);
    wring__session_start(&stream->session, binding,
                         binding->handler->state_size == 0 ? NULL : state, request, now_of(stream));
    wring__stream_settle(stream);
}

void wring__stream_rx(wring__stream *stream, wring_mut_bytes bytes, wring__block *block) {
    WRING_DEBUG_ASSERT(wring__stream_is_started(stream) && bytes.len > 0);
    WRING_TRACE_STOP();
    turn_tell(stream);
    wring__session_rx(&stream->session, bytes, block, now_of(stream));
    wring__stream_settle(stream);
}

void wring__stream_resume(wring__stream *stream) {
    WRING_ASSERT(wring__stream_is_started(stream));
    turn_tell(stream);
    if (wring__end_is_broken(&stream->end)) {
        wring__machine_pending_drop(&stream->session.machine);
    }
    wring__session_resume(&stream->session, now_of(stream));
    wring__stream_settle(stream);
}

void wring__stream_fail(wring__stream *stream, wring_result reason) {
    WRING_ASSERT(reason != WRING_OK);
    if (wring__stream_is_started(stream)) {
        wring__session_fail(&stream->session, reason);
        wring__stream_settle(stream);
    }
}

void wring__stream_expire(wring__stream *stream) {
    WRING_ASSERT(wring__stream_is_started(stream));
    wring__endpoint *end = &stream->end;
    if (wring__end_is_deaf(end)) {
        wring__end_rx_go(end, WRING__RX_STOP_BUFFERS); /* one is armed again, and tells anew */
        wring__machine_touch(&stream->session.machine, now_of(stream)); /* we do not listen */
    }
    wring__machine_tx_tell(&stream->session.machine, wring__end_unsent(end) > 0,
                           wring__end_take_tx_moved(end));
    wring__session_expire(&stream->session, now_of(stream));
    wring__stream_settle(stream);
}

void wring__stream_drained(wring__stream *stream, bool tell) {
    WRING_ASSERT(wring__stream_is_started(stream));
    wring__session_drained(&stream->session, tell);
    wring__stream_settle(stream);
}

void wring__stream_visit(wring__stream *stream, wring_verdict (*visit)(wring_session *, void *),
                         void *opts) {
    WRING_ASSERT(wring__stream_is_started(stream));
    wring__session_visit(&stream->session, visit, opts);
    wring__stream_settle(stream);
}

void wring__stream_close(wring__stream *stream, uint16_t code, wring_bytes reason) {
    WRING_ASSERT(wring__stream_is_started(stream));
    wring__session_close(&stream->session, code, reason);
    wring__stream_settle(stream);
}

void wring__stream_refuse(wring__stream *stream, wring_result reason) {
    WRING_ASSERT(wring__stream_is_started(stream) && reason != WRING_OK);
    wring__session_refuse(&stream->session, reason);
    wring__stream_settle(stream);
}

/* ---- for those who own sessions -------------------------------------------------------------- */

wring_loop wring__stream_loop(const wring_session *session) {
    return wring__stream_of(session)->end.worker->index;
}

uint32_t wring__stream_worker(const wring_session *session) {
    return wring__stream_of(session)->end.worker->number;
}

void wring__stream_log(const wring_session *session, wring__log *log, wring_log_level level,
                       const char *event, const char *text) {
    wring__log_entry entry;
    if (!wring__log_begin_as(&entry, log, level, event)) {
        return;
    }
    if (session->binding != NULL) {
        wring__log_text(&entry, "handler", session->binding->handler->name);
    }
    wring__log_number(&entry, "session", wring__stream_ref(session));
    wring__log_write_text(&entry, text);
}

uint64_t wring__stream_queued_bytes(const wring_session *session) {
    return wring__end_unsent(&wring__stream_of(session)->end) +
           wring__machine_pending_bytes(&session->machine);
}

void wring__stream_pause(wring_session *session) {
    wring__stream *stream = wring__stream_of(session);
    if (stream->end.state == WRING__END_OPEN) {
        wring__end_rx_stop(&stream->end, WRING__RX_STOP_PAUSED);
    }
}

void wring__stream_unpause(wring_session *session) {
    wring__stream *stream = wring__stream_of(session);
    if (stream->end.state == WRING__END_OPEN &&
        (stream->end.rx_stop & WRING__RX_STOP_PAUSED) != 0) {
        wring__machine_touch(&session->machine, now_of(stream));
        wring__end_rx_go(&stream->end, WRING__RX_STOP_PAUSED);
    }
}

/* ---- slots of wring__end_ops ---------------------------------------------------------------- */

uint64_t wring__stream_on_missing(wring__endpoint *end) {
    const wring__stream *stream = wring__stream_of_end(end);
    return wring__stream_is_started(stream) ? wring__machine_rx_missing(&stream->session.machine)
                                            : 0;
}

wring__block *wring__stream_on_room(wring__endpoint *end) {
    wring__stream *stream = wring__stream_of_end(end);
    return wring__stream_is_started(stream) ? wring__machine_rx_room(&stream->session.machine)
                                            : NULL;
}
