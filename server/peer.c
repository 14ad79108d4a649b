/* SPDX-License-Identifier: Apache-2.0
 *
 * One accepted connection, or one stream of it, from its first byte to its last. Before the session
 * its bytes go to request.c; afterwards they are the stream's. All on its worker.
 */
#include "server/peer.h"

#include <stdlib.h>

#include "core/mail.h"
#include "core/ref.h"
#include "server/carried.h"
#include "server/http.h"
#include "server/server.h"
#include "server/slow.h"
#include "server/tell.h"

static wring__server_worker *worker_of(const wring__peer *peer) {
    return WRING_CONTAINER_OF(peer->stream.end.worker, wring__server_worker, io);
}

static wring__peer *peer_of_end(wring__endpoint *end) {
    return WRING_CONTAINER_OF(end, wring__peer, stream.end);
}

static wring__peer *peer_of_stream(wring__stream *stream) {
    return WRING_CONTAINER_OF(stream, wring__peer, stream);
}

wring__peer_extra *wring__peer_extra_make(wring__peer *peer) {
    if (peer->extra == NULL) {
        peer->extra = calloc(1, sizeof *peer->extra);
        if (peer->extra != NULL) {
            peer->extra->congested_at = WRING_TIME_NEVER;
            peer->extra->age_deadline = WRING_TIME_NEVER;
        }
    }
    return peer->extra;
}

/* ---- the endpoint's callbacks
 * -------------------------------------------------------------------- */

void wring__peer_go_away(wring__peer *peer) {
    wring__stream_close(&peer->stream, WRING_CLOSE_GOING_AWAY,
                        wring_str("server is shutting down"));
}

/* Before anything that may call the peer's handler or queue bytes to it: what was published to it
 * goes first, if its window is no longer than that (0: the turn's). */
static void callbacks_begin(wring__peer *peer, wring_duration_ns window_max) {
    wring__server_worker *worker = worker_of(peer);
    if (!wring__stream_is_started(&peer->stream)) {
        worker->current = NULL; /* it has no subscriptions yet */
        return;
    }
    worker->current = peer;
    if (worker->topics.gathered != NULL || window_max > 0) {
        wring__deliver_batches_of(worker, peer, window_max);
    }
}

/* Not inlined: what it needs on the stack would be paid for by each message of a session. */
__attribute__((noinline)) static void rx_without_session(wring__peer *peer, wring_mut_bytes bytes,
                                                         wring__block *block) {
    if (!wring__carried_take(peer, bytes, block)) {
        wring__http_rx(peer, bytes);
    }
}

static void peer_rx(wring__endpoint *end, wring_mut_bytes bytes, wring__block *block) {
    wring__peer *peer = peer_of_end(end);
    callbacks_begin(peer, 0);
    if (wring__stream_is_started(&peer->stream)) {
        wring__stream_rx(&peer->stream, bytes, block);
    } else {
        rx_without_session(peer, bytes, block);
    }
}

static void peer_resume(wring__endpoint *end) {
    wring__peer *peer = peer_of_end(end);
    callbacks_begin(peer, 0);
    if (!wring__stream_is_started(&peer->stream)) {
        wring__http_rx(peer, (wring_mut_bytes){NULL, 0});
        return;
    }
    wring__stream_resume(&peer->stream);
}

static void peer_end(wring__peer *peer, wring_result reason) {
    callbacks_begin(peer, 0);
    if (!wring__stream_is_started(&peer->stream)) {
        if (wring__peer_has(peer, WRING__PEER_IN_HANDSHAKE)) {
            wring__tell_handshake_failed(peer, reason);
        }
        wring__http_fail(peer, reason);
    }
    wring__stream_fail(&peer->stream, reason);
}

static void peer_eof(wring__endpoint *end) {
    wring__peer *peer = peer_of_end(end);
    if (!wring__stream_is_started(&peer->stream)) {
        callbacks_begin(peer, 0);
        wring__http_eof(peer);
        return;
    }
    peer_end(peer, WRING_ERR_TRUNCATED);
    wring__end_shut(end);
}

static void peer_failed(wring__endpoint *end, wring_result reason) {
    peer_end(peer_of_end(end), reason);
}

/* Ends the session of a peer that went too far. */
static void peer_refuse(wring__peer *peer, wring_result reason) {
    if (reason == WRING_ERR_SLOW_CONSUMER) {
        wring__count(&worker_of(peer)->counters.slow_ended, 1);
    }
    wring__stream_refuse(&peer->stream, reason);
}

static void session_timer(wring__peer *peer) {
    WRING_ASSERT(wring__stream_is_started(&peer->stream));
    const wring_time_ns now = peer->stream.end.worker->clock.peer_now;
    if (worker_of(peer)->member.is_draining &&
        peer->stream.session.machine.state == WRING_MACHINE_OPEN) {
        wring__peer_go_away(peer);
    } else if (peer->extra != NULL && wring__slow_deadline(peer) <= now) {
        peer_refuse(peer, WRING_ERR_SLOW_CONSUMER);
    } else if (peer->extra != NULL && peer->extra->age_deadline <= now) {
        peer->extra->age_deadline = WRING_TIME_NEVER;
        wring__count(&worker_of(peer)->counters.too_old, 1);
        wring__stream_close(&peer->stream, WRING_CLOSE_GOING_AWAY, wring_str("maximum age"));
    } else {
        wring__stream_expire(&peer->stream);
    }
}

static void peer_timer(wring__endpoint *end) {
    wring__peer *peer = peer_of_end(end);
    callbacks_begin(peer, worker_of(peer)->member.is_draining ? WRING_TIME_NEVER : 0);
    if (!wring__stream_is_started(&peer->stream)) {
        wring__http_timer(peer);
        return;
    }
    session_timer(peer);
    if (peer->extra != NULL) { /* the stream set its own deadline only */
        wring__end_bring_deadline(
            end, wring__min_u64(wring__slow_deadline(peer), peer->extra->age_deadline));
    }
}

static void peer_asked(wring__endpoint *end) {
    wring__peer *peer = peer_of_end(end);
    callbacks_begin(peer, 0);
    if (peer->extra != NULL && peer->extra->evict != WRING_OK) {
        peer_refuse(peer, peer->extra->evict);
        return;
    }
    bool tell = false;
    if (!wring__stream_is_started(&peer->stream)) {
        wring__http_asked(peer);
    } else if (wring__slow_drained(peer, &tell)) {
        wring__stream_drained(&peer->stream, tell);
    }
}

static void topics_mail(wring__peer *peer, const wring__mail *mail) {
    if (!wring__topics_mail(peer, mail)) {
        wring__count(&worker_of(peer)->io.counters.lost_mail, wring__mail_count(mail));
    }
    wring__shared_unref(mail->data);
    wring__stream_settle(&peer->stream);
}

static void peer_mail(wring__endpoint *end, const wring__mail *mail) {
    wring__peer *peer = peer_of_end(end);
    const bool ends = mail->kind == WRING__MAIL_CLOSE || mail->kind == WRING__MAIL_STOP;
    callbacks_begin(peer, ends ? WRING_TIME_NEVER : 0); /* nothing follows a close frame */
    if (mail->kind == WRING__MAIL_SEND && wring__stream_is_started(&peer->stream) &&
        !wring__slow_takes(peer, mail)) {
        wring__mail_lost(mail);
        wring__stream_settle(&peer->stream);
        return;
    }
    const bool topics =
        mail->kind == WRING__MAIL_SUBSCRIBE || mail->kind == WRING__MAIL_UNSUBSCRIBE;
    if (topics && wring__stream_is_started(&peer->stream)) {
        topics_mail(peer, mail);
        return;
    }
    wring__stream_mail(&peer->stream, mail);
}

void wring__peer_free(wring__peer *peer) {
    if (peer != NULL && peer->extra != NULL) {
        wring__backlog_deinit(&peer->extra->backlog);
        free(peer->extra);
    }
    free(peer);
}

static void peer_closed(wring__endpoint *end) {
    wring__peer *peer = peer_of_end(end);
    if (worker_of(peer)->current == peer) {
        worker_of(peer)->current = NULL;
    }
    if (!wring__stream_is_started(&peer->stream)) {
        wring__http_free(peer);
    }
    wring__server_deflate_leave(peer);
    if (wring__peer_is_carried(peer)) {
        wring__limits_stream_leave(peer);
    } else {
        wring__limits_closed(peer);
    }
    wring__session_deinit(&peer->stream.session);
    wring__peer_free(peer);
}

static void peer_congested(wring__stream *stream) {
    wring__slow_look(peer_of_stream(stream));
}

static void peer_session_ended(wring__stream *stream) {
    wring__peer *peer = peer_of_stream(stream);
    wring__tell_session_ended(peer);
    wring__slow_end(peer);
    wring__topics_unsubscribe_all(&worker_of(peer)->topics, peer);
}

const wring__stream_ops wring__peer_ops = {
    .super = {.name = "server peer",
              .rx = peer_rx,
              .eof = peer_eof,
              .failed = peer_failed,
              .timer = peer_timer,
              .mail = peer_mail,
              .asked = peer_asked,
              .resume = peer_resume,
              .closed = peer_closed,
              .missing = wring__stream_on_missing,
              .room = wring__stream_on_room},
    .congested = peer_congested,
    .ended = peer_session_ended,
};

static bool is_peer(const wring__endpoint *end) {
    return end->ops == &wring__peer_ops.super; /* else: a client's, a guest */
}

/* A size class of the allocator: what is added here is paid by each idle connection. With a slot it
 * stays within 256 bytes (docs/bench/idle.md). */
_Static_assert(sizeof(wring__peer) <= 224, "an idle connection has become larger");

/* ---- for the worker -------------------------------------------------------------------------- */

wring__machine_common *wring__peer_default_sessions(const wring__server_worker *worker) {
    return &worker->sessions[worker->server->routes.count - 1].common;
}

static wring_result accept_try(wring__worker *io, wring__socket socket) {
    wring__server_worker *worker = WRING_CONTAINER_OF(io, wring__server_worker, io);
    const wring_server *server = worker->server;
    wring__source *source;
    if (worker->drain_over) {
        return WRING_ERR_CLOSED;
    }
    if (worker->memory.refuses) {
        wring__count(&worker->counters.refused_memory, 1);
        return WRING_ERR_MEMORY_BUDGET;
    }
    wring_result result = wring__limits_enter(worker, socket, &source);
    if (result != WRING_OK) {
        return result;
    }
    wring__peer *peer = calloc(1, sizeof *peer + server->routes.state_size_max);
    const bool made = peer != NULL && (source == NULL || wring__peer_extra_make(peer) != NULL);
    result = made ? wring__conn_open(&peer->stream.conn, io, &wring__peer_ops.super, socket)
                  : WRING_ERR_NO_MEMORY;
    if (result != WRING_OK) {
        wring__limits_undo(worker, source);
        wring__peer_free(peer);
        return result;
    }
    if (worker->tls != NULL) {
        result = wring__conn_secure(&peer->stream.conn, worker->tls, NULL, NULL,
                                    wring_bytes_of(NULL, 0));
        if (result != WRING_OK) {
            wring__end_abort(&peer->stream.end);
        }
    }
    wring__session_init(&peer->stream.session, wring__peer_default_sessions(worker),
                        &peer->stream.end.out);
    wring__limits_opened(peer, source);
    if (server->config.handshake_timeout_ms != WRING_OFF) {
        wring__end_set_deadline(&peer->stream.end,
                                io->clock.peer_now +
                                    server->config.handshake_timeout_ms * WRING_NS_PER_MS);
    }
    if (worker->member.is_draining) {
        wring__http_drain(peer);
    }
    return WRING_OK;
}

wring_result wring__peer_accept(wring__worker *io, wring__socket socket) {
    const wring_result result = accept_try(io, socket);
    if (result != WRING_OK) {
        wring__tell_connection_refused(WRING_CONTAINER_OF(io, wring__server_worker, io), socket,
                                       result);
    }
    return result;
}

static bool is_drainable(const wring__endpoint *end) {
    return is_peer(end) && end->state == WRING__END_OPEN;
}

void wring__peer_drain_count(wring__endpoint *end, void *arg) {
    wring__drain *drain = arg;
    if (is_drainable(end) && wring__stream_is_started(&peer_of_end(end)->stream)) {
        drain->count++;
    }
}

void wring__peer_drain(wring__endpoint *end, void *arg) {
    wring__drain *drain = arg;
    if (wring__carried_is_below(end)) {
        wring__carried_drain(end);
        return;
    }
    if (!is_drainable(end)) {
        return;
    }
    wring__peer *peer = peer_of_end(end);
    if (!wring__stream_is_started(&peer->stream)) {
        wring__http_drain(peer);
    } else if (drain->spread_ns == 0) {
        wring__peer_go_away(peer);
    } else {
        const uint64_t part = drain->spread_ns / drain->count;
        const uint64_t at = part * drain->next++ + wring__server_random(drain->worker) % (part + 1);
        wring__end_bring_deadline(end, end->worker->clock.peer_now + at); /* peer_timer closes it */
    }
}

wring__peer *wring__peer_of_end(wring__endpoint *end) {
    return is_peer(end) ? peer_of_end(end) : NULL;
}

void wring__peer_evict(wring__peer *peer, wring_result reason) {
    /* With nothing queued the close frame leaves at once; behind a queue it would wait for a peer
     * that may not read, and what the kernel has of that may end within a frame. */
    bool is_told = false;
    if (peer->stream.end.state == WRING__END_OPEN && wring__stream_is_started(&peer->stream)) {
        is_told = wring__end_unsent(&peer->stream.end) == 0;
        wring__stream_refuse(&peer->stream, reason);
    }
    if (!is_told) {
        wring__http_fail(peer, reason);
        wring__end_abort(&peer->stream.end);
    }
}

void wring__peer_abort(wring__endpoint *end, void *unused) {
    (void)unused;
    if (!is_peer(end)) {
        if (wring__carried_is_below(end)) {
            wring__end_abort(end);
        }
        return;
    }
    if (end->state == WRING__END_OPEN) {
        wring__http_fail(peer_of_end(end), WRING_ERR_CLOSED); /* the server stops */
        peer_end(peer_of_end(end), WRING_ERR_TIMEOUT);
    }
    wring__end_abort(end);
}

wring__peer *wring__peer_of(const wring_session *session) {
    wring__stream *stream = wring__stream_of(session);
    return stream == NULL ? NULL : wring__peer_of_end(&stream->end);
}

wring__peer *wring__peer_named(wring__server_worker *worker, wring_ref ref) {
    if (wring__ref_worker(ref) != worker->io.index) {
        return NULL;
    }
    wring__endpoint *end =
        wring__worker_end(&worker->io, wring__ref_slot(ref), wring__ref_generation(ref));
    return end == NULL || !is_peer(end) ? NULL : peer_of_end(end);
}

void wring__peer_close(wring__peer *peer, uint16_t code, wring_bytes reason) {
    callbacks_begin(peer, WRING_TIME_NEVER);
    wring__stream_close(&peer->stream, code, reason);
}

void wring__peer_visit(wring__peer *peer, wring_verdict (*visit)(wring_session *, void *),
                       void *opts) {
    callbacks_begin(peer, 0);
    wring__stream_visit(&peer->stream, visit, opts);
}

const wring_policy *wring__peer_policy(const wring__peer *peer) {
    return &WRING_CONTAINER_OF(peer->stream.session.machine.common, wring__route_sessions, common)
                ->policy;
}

/* ---- what a session asks its owner ----------------------------------------------------------- */

static wring_server *session_server(const wring_session *session) {
    return worker_of(wring__peer_of(session))->server;
}

static wring_client *session_client(const wring_session *session) {
    (void)session;
    return NULL;
}

static uint64_t session_queued_bytes(const wring_session *session) {
    const wring__peer *peer = wring__peer_of(session);
    const uint64_t waiting = peer->extra == NULL ? 0 : peer->extra->backlog.bytes;
    return wring__stream_queued_bytes(session) + waiting;
}

static void session_log(const wring_session *session, wring_log_level level, const char *event,
                        const char *text) {
    wring__stream_log(session, &session_server(session)->log, level, event, text);
}

const wring__session_owner wring__peer_session_owner = {
    .ref = wring__stream_ref,
    .loop = wring__stream_loop,
    .worker = wring__stream_worker,
    .server = session_server,
    .client = session_client,
    .log = session_log,
    .queued_bytes = session_queued_bytes,
    .pause = wring__stream_pause,
    .resume = wring__stream_unpause,
};
