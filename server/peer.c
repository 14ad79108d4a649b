/* SPDX-License-Identifier: Apache-2.0
 *
 * One accepted connection, from its first byte to its last: collects the request head, finds the
 * route, answers plain HTTP or upgrades, then stands between the byte pump and the session's host.
 * All on the connection's worker.
 */
#include "server/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/packed.h"
#include "core/ref.h"
#include "server/server.h"
#include "server/slow.h"

#define RESPONSE_MAX 1024
/* Draining: how long a connection without a whole request may yet send it. */
#define UNHEARD_NS (500 * WRING_NS_PER_MS)
/* A certificate with more names is shown cut: the first ones say who it is. */
#define PEER_NAMES_MAX 2048
#define PEER_TEXT_MAX  (INET6_ADDRSTRLEN + 9)

static wring__server_worker *worker_of(const wring__peer *peer) {
    return WRING_CONTAINER_OF(peer->conn.worker, wring__server_worker, io);
}

static const wring_server_config *config_of(const wring__peer *peer) {
    return &worker_of(peer)->server->config;
}

static wring__peer *peer_of_conn(wring__conn *conn) {
    return WRING_CONTAINER_OF(conn, wring__peer, conn);
}

/* ---- after each call into the session -------------------------------------------------------- */

void wring__peer_settle(wring__peer *peer) {
    if (peer->conn.out.bytes > 0) {
        wring__conn_flush(&peer->conn);
        wring__slow_look(peer);
    }
    if (peer->conn.held && peer->host.session.state == WRING_SESSION_CLOSING) {
        wring__conn_unhold(&peer->conn); /* the peer's close frame has to be read */
    }
    if (wring__host_is_closed(&peer->host)) {
        wring__slow_end(peer);
        wring__topics_unsubscribe_all(&worker_of(peer)->topics, peer);
        wring__conn_shut(&peer->conn);
    } else {
        wring__conn_bring_deadline(
            &peer->conn, wring__host_deadline(&peer->host, peer->conn.worker->clock.peer_now));
        if (peer->extra != NULL) {
            wring__conn_bring_deadline(
                &peer->conn, wring__min_u64(peer->extra->slow_deadline, peer->extra->age_deadline));
        }
        peer->conn.tell_drained |= wring__session_owes_pong(&peer->host.session);
        if (WRING_UNLIKELY(wring__session_has_more(&peer->host.session))) {
            wring__conn_yield(&peer->conn);
        }
    }
}

wring__peer_extra *wring__peer_extra_make(wring__peer *peer) {
    if (peer->extra == NULL) {
        peer->extra = calloc(1, sizeof *peer->extra);
        if (peer->extra != NULL) {
            peer->extra->slow_deadline = WRING_TIME_NEVER;
            peer->extra->age_deadline = WRING_TIME_NEVER;
        }
    }
    return peer->extra;
}

/* ---- plain HTTP ------------------------------------------------------------------------------ */

/* Every answer but a 101 ends the connection: nothing behind a refused upgrade is ever read as a
 * request. */
static void respond(wring__peer *peer, const wring_http_response *response, const char *extra) {
    char head[RESPONSE_MAX];
    int status = response->status == 0 ? 200 : response->status;
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                       "Connection: close\r\n%s\r\n",
                       status, wring_http_reason(status),
                       response->content_type == NULL ? "text/plain; charset=utf-8"
                                                      : response->content_type,
                       response->body.len, extra);
    wring__chunk_cache *chunks = &peer->conn.worker->chunks;
    bool ok = len > 0 && (size_t)len < sizeof head &&
              wring__outq_append(&peer->conn.out, chunks, wring_bytes_of(head, (size_t)len)) ==
                  WRING_OK &&
              wring__outq_append(&peer->conn.out, chunks, response->body) == WRING_OK;
    if (ok) {
        wring__conn_shut(&peer->conn);
    } else {
        wring__conn_abort(&peer->conn);
    }
}

static void respond_error(wring__peer *peer, int status, const char *text) {
    char body[256];
    int len = snprintf(body, sizeof body, "%d %s: %s\n", status, wring_http_reason(status), text);
    wring_http_response response = {.status = status, .body = wring_bytes_of(body, (size_t)len)};
    const char *extra = "";
    if (status == 426) { /* RFC 9110 15.5.22, RFC 6455 4.4 */
        extra = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    } else if (status == 405) {
        extra = "Allow: GET\r\n";
    }
    respond(peer, &response, extra);
}

static void refuse(wring__peer *peer, wring_result result) {
    respond_error(peer, wring_http_status(result), wring_result_text(result));
}

/* ---- routing and upgrading ------------------------------------------------------------------- */

static bool route_matches(const wring_route *route, wring_bytes path) {
    size_t len = strlen(route->path);
    if (len > 0 && route->path[len - 1] == '*') {
        return path.len >= len - 1 && memcmp(path.data, route->path, len - 1) == 0;
    }
    return wring_bytes_equal(path, wring_bytes_of(route->path, len));
}

static const wring_route *route_find(const wring_server *server, wring_bytes path) {
    for (size_t i = 0; i < server->config.route_count; i++) {
        if (route_matches(&server->config.routes[i], path)) {
            return &server->config.routes[i];
        }
    }
    return server->catch_all.handler == NULL ? NULL : &server->catch_all;
}

static const wring__binding *binding_of(const wring_server *server, const wring_route *route) {
    const size_t last = server->config.route_count;
    return &server->bindings[route == &server->catch_all ? last
                                                         : (size_t)(route - server->config.routes)];
}

static wring_bytes peer_text(wring__peer *peer, char out[PEER_TEXT_MAX]) {
    struct sockaddr_storage address;
    wring__backend *backend = peer->conn.worker->backend;
    char host[INET6_ADDRSTRLEN];
    if (!backend->ops->peer(backend, peer->conn.socket, &address)) {
        return wring_bytes_of(NULL, 0);
    }
    int len;
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        len = snprintf(out, PEER_TEXT_MAX, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        len = snprintf(out, PEER_TEXT_MAX, "%s:%u", host, ntohs(v4->sin_port));
    }
    return wring_bytes_of(out, len < 0 ? 0 : (size_t)len);
}

static void peer_go_away(wring__peer *peer) {
    wring__host_close(&peer->host, WRING_CLOSE_GOING_AWAY, wring_str("server is shutting down"));
    wring__peer_settle(peer);
}

static void upgrade(wring__peer *peer, const wring_route *route, wring_request *request) {
    wring_upgrade_options options = {route->subprotocols, route->subprotocol_count};
    wring_upgrade_info info;
    wring_result result =
        wring_h1_validate_request(request->method, request->headers, &options, &info);
    if (result != WRING_OK) {
        refuse(peer, result);
        return;
    }
    char head[RESPONSE_MAX];
    size_t len = 0;
    char deflate[WRING_DEFLATE_TEXT_MAX];
    const size_t deflate_len = wring__server_deflate_agree(peer, request->headers, deflate);
    const wring_header extension = {wring_str("Sec-WebSocket-Extensions"),
                                    wring_bytes_of(deflate, deflate_len)};
    const wring_headers extra = {&extension, deflate_len > 0 ? 1 : 0};
    result = wring_h1_response_write(&info, extra, head, sizeof head, &len);
    if (result == WRING_OK) {
        result = wring__outq_append(&peer->conn.out, &peer->conn.worker->chunks,
                                    wring_bytes_of(head, len));
    }
    if (result != WRING_OK) {
        wring__conn_abort(&peer->conn);
        return;
    }
    char text[PEER_TEXT_MAX];
    request->subprotocol = info.subprotocol;
    request->peer = peer_text(peer, text);
    wring_tls_info tls;
    char names[PEER_NAMES_MAX];
    wring__tls *stream = wring__conn_tls_of(&peer->conn);
    if (stream != NULL) {
        tls = wring__tls_info_of(stream);
        (void)wring__tls_peer_name(stream, names, sizeof names);
        tls.peer_name = names;
        request->tls = &tls;
    }
    wring__conn_set_deadline(&peer->conn, WRING_TIME_NEVER); /* the handshake's is over */
    wring__limits_upgraded(peer);
    worker_of(peer)->current = peer; /* `init` may subscribe, publish and reply */
    wring__host_start(&peer->host, binding_of(worker_of(peer)->server, route),
                      route->handler->state_size == 0 ? NULL : peer->state, request,
                      peer->conn.worker->clock.peer_now);
    wring__peer_settle(peer);
    if (worker_of(peer)->draining && peer->host.session.state == WRING_SESSION_OPEN) {
        peer_go_away(peer); /* it had come before the drain began */
    }
}

static void request_handle(wring__peer *peer, wring_request *request) {
    const wring_route *route = route_find(worker_of(peer)->server, request->path);
    if (route == NULL) {
        respond_error(peer, 404, "nothing is served at this path");
        return;
    }
    if (route->respond == NULL) {
        upgrade(peer, route, request);
        return;
    }
    if (!wring_bytes_equal(request->method, wring_str("GET"))) {
        refuse(peer, WRING_ERR_WRONG_METHOD);
        return;
    }
    if (wring_headers_count(request->headers, "host") != 1) {
        refuse(peer, WRING_ERR_BAD_HOST);
        return;
    }
    wring_http_response response = {0};
    route->respond(request, &response, route->opts);
    respond(peer, &response, "");
}

/* ---- the request head ------------------------------------------------------------------------ */

static inline void session_rx(wring__peer *peer, wring_mut_bytes bytes) {
    wring__session_common *common = peer->host.session.common;
    common->fed = peer->conn.worker->recv.fed;
    wring__session_turn(&peer->host.session, peer->conn.worker->counters.turns);
    wring__host_rx(&peer->host, bytes, peer->conn.worker->clock.peer_now);
    common->fed = NULL;
    wring__peer_settle(peer);
}

/* Acts on what the parser came to; `data` holds the head and whatever came behind it. */
static void head_done(wring__peer *peer, wring__http1 *parser, wring_result result,
                      wring_mut_bytes data) {
    if (result != WRING_OK) {
        refuse(peer, result);
        return;
    }
    wring__server_worker *worker = worker_of(peer);
    wring_request request;
    wring__http1_request(parser, data.data, worker->headers, &request);
    size_t head_len = parser->position;
    request_handle(peer, &request);
    /* bytes behind the head are the first frames */
    if (wring__host_is_started(&peer->host) && peer->conn.state == WRING__CONN_OPEN &&
        data.len > head_len) {
        wring_mut_bytes rest = {data.data + head_len, data.len - head_len};
        session_rx(peer, rest);
    }
}

static void head_rx(wring__peer *peer, wring_mut_bytes bytes) {
    const wring_server_config *config = config_of(peer);
    wring__http1 *parser = &worker_of(peer)->parser;
    wring_mut_bytes data;
    if (peer->head == NULL) {
        wring__http1_init(parser, WRING__HTTP1_REQUEST, config->max_handshake_size,
                          (uint16_t)config->max_target_size);
    }
    wring_result result = wring__head_feed(&peer->head, parser, bytes, &parser, &data);
    if (result == WRING_MORE) {
        return;
    }
    wring__head *head = peer->head; /* `data` may lie in it */
    peer->head = NULL;
    if (result == WRING_ERR_NO_MEMORY) {
        wring__conn_abort(&peer->conn);
    } else {
        head_done(peer, parser, result, data);
    }
    wring__head_free(&head);
}

/* ---- the pump's callbacks -------------------------------------------------------------------- */

/* Before anything that may call the peer's handler or queue bytes to it: what was published to it
 * goes first, if its window is no longer than that (0: the turn's). */
static void callbacks_begin(wring__peer *peer, wring_duration_ns window_max) {
    wring__server_worker *worker = worker_of(peer);
    if (!wring__host_is_started(&peer->host)) {
        worker->current = NULL; /* it has no subscriptions yet */
        return;
    }
    worker->current = peer;
    if (worker->topics.gathered != NULL || window_max > 0) {
        wring__deliver_batches_of(worker, peer, window_max);
    }
}

static void peer_rx(wring__conn *conn, wring_mut_bytes bytes) {
    wring__peer *peer = peer_of_conn(conn);
    callbacks_begin(peer, 0);
    if (wring__host_is_started(&peer->host)) {
        session_rx(peer, bytes);
    } else {
        head_rx(peer, bytes);
    }
}

static void peer_resume(wring__conn *conn) {
    wring__peer *peer = peer_of_conn(conn);
    callbacks_begin(peer, 0);
    wring__session_turn(&peer->host.session, conn->worker->counters.turns);
    if (conn->broken) {
        wring__session_tx_drop(&peer->host.session);
    }
    wring__host_resume(&peer->host, conn->worker->clock.peer_now);
    wring__peer_settle(peer);
}

static void peer_end(wring__peer *peer, wring_result reason) {
    callbacks_begin(peer, 0);
    if (wring__host_is_started(&peer->host)) {
        wring__host_fail(&peer->host, reason);
        wring__peer_settle(peer);
    }
}

static void peer_eof(wring__conn *conn) {
    wring__peer *peer = peer_of_conn(conn);
    peer_end(peer, WRING_ERR_TRUNCATED);
    wring__conn_shut(conn);
}

static void peer_failed(wring__conn *conn, wring_result reason) {
    peer_end(peer_of_conn(conn), reason);
}

/* Ends the session of a peer that went too far. */
static void peer_refuse(wring__peer *peer, wring_result reason) {
    if (reason == WRING_ERR_SLOW_CONSUMER) {
        wring__count(&worker_of(peer)->counters.slow_ended, 1);
    }
    wring__host_refuse(&peer->host, reason);
    wring__peer_settle(peer);
}

static void peer_timer(wring__conn *conn) {
    wring__peer *peer = peer_of_conn(conn);
    callbacks_begin(peer, worker_of(peer)->draining ? WRING_TIME_NEVER : 0);
    if (!wring__host_is_started(&peer->host)) {
        if (worker_of(peer)->draining) {
            respond_error(peer, 503, "the server is shutting down");
        } else {
            refuse(peer, WRING_ERR_TIMEOUT); /* accept to upgrade took too long */
        }
        return;
    }
    const wring_time_ns now = conn->worker->clock.peer_now;
    if (worker_of(peer)->draining && peer->host.session.state == WRING_SESSION_OPEN) {
        peer_go_away(peer);
        return;
    }
    if (peer->extra != NULL && peer->extra->slow_deadline <= now) {
        peer_refuse(peer, WRING_ERR_SLOW_CONSUMER);
        return;
    }
    if (peer->extra != NULL && peer->extra->age_deadline <= now) {
        peer->extra->age_deadline = WRING_TIME_NEVER;
        wring__count(&worker_of(peer)->counters.too_old, 1);
        wring__host_close(&peer->host, WRING_CLOSE_GOING_AWAY, wring_str("maximum age"));
        wring__peer_settle(peer);
        return;
    }
    if (wring__conn_is_deaf(conn)) {
        conn->starved = false;                          /* it is armed again, and tells anew */
        wring__session_touch(&peer->host.session, now); /* it is we who do not listen */
    }
    wring__session_tx_tell(&peer->host.session, wring__conn_unsent(conn) > 0,
                           wring__conn_take_tx_moved(conn));
    wring__host_expire(&peer->host, now);
    wring__peer_settle(peer);
}

static void peer_asked(wring__conn *conn) {
    wring__peer *peer = peer_of_conn(conn);
    callbacks_begin(peer, 0);
    if (peer->extra != NULL && peer->extra->evict != WRING_OK) {
        peer_refuse(peer, peer->extra->evict);
    } else if (wring__host_is_started(&peer->host) && wring__slow_drained(peer)) {
        wring__host_drained(&peer->host);
        wring__peer_settle(peer);
    }
}

static void peer_mail(wring__conn *conn, const wring__mail *mail) {
    wring__peer *peer = peer_of_conn(conn);
    const bool ends = mail->kind == WRING__MAIL_CLOSE || mail->kind == WRING__MAIL_STOP;
    callbacks_begin(peer, ends ? WRING_TIME_NEVER : 0); /* nothing follows a close frame */
    if (mail->kind == WRING__MAIL_SEND && wring__host_is_started(&peer->host) &&
        !wring__slow_takes(peer, mail)) {
        wring__mail_lost(mail);
        wring__peer_settle(peer);
        return;
    }
    wring__count(&conn->worker->counters.lost_mail, wring__host_mail(&peer->host, mail));
    if (wring__host_is_started(&peer->host)) {
        wring__peer_settle(peer);
    }
}

static void peer_free(wring__peer *peer) {
    if (peer != NULL && peer->extra != NULL) {
        wring__backlog_deinit(&peer->extra->backlog);
        free(peer->extra);
    }
    free(peer);
}

static void peer_closed(wring__conn *conn) {
    wring__peer *peer = peer_of_conn(conn);
    if (worker_of(peer)->current == peer) {
        worker_of(peer)->current = NULL;
    }
    if (!wring__host_is_started(&peer->host)) {
        wring__head_free(&peer->head);
    }
    wring__server_deflate_leave(peer);
    wring__limits_closed(peer);
    wring__host_deinit(&peer->host);
    peer_free(peer);
}

static uint64_t peer_missing(wring__conn *conn) {
    wring__peer *peer = peer_of_conn(conn);
    return wring__host_is_started(&peer->host) ? wring__session_rx_missing(&peer->host.session) : 0;
}

static wring__block *peer_room(wring__conn *conn) {
    wring__peer *peer = peer_of_conn(conn);
    return wring__host_is_started(&peer->host) ? wring__session_rx_room(&peer->host.session) : NULL;
}

static const wring__conn_ops peer_ops = {
    .name = "server peer",
    .rx = peer_rx,
    .eof = peer_eof,
    .failed = peer_failed,
    .timer = peer_timer,
    .mail = peer_mail,
    .asked = peer_asked,
    .resume = peer_resume,
    .closed = peer_closed,
    .missing = peer_missing,
    .room = peer_room,
};

/* A size class of the allocator: what is added here is paid by each idle connection. With a slot it
 * stays within 256 bytes (docs/bench/idle.md). */
_Static_assert(sizeof(wring__peer) <= 224, "an idle connection has become larger");

/* ---- for the worker -------------------------------------------------------------------------- */

/* What it asked for may be on its way or wait in the socket: it has a moment, and then a 503. */
static void drain_unheard(wring__peer *peer) {
    const uint64_t moment = wring__min_u64(UNHEARD_NS, worker_of(peer)->drain_ns / 2);
    wring__conn_bring_deadline(&peer->conn, peer->conn.worker->clock.peer_now + moment);
}

wring_result wring__peer_accept(wring__worker *io, wring__socket socket) {
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
    wring__peer *peer = calloc(1, sizeof *peer + server->state_size_max);
    const bool made = peer != NULL && (source == NULL || wring__peer_extra_make(peer) != NULL);
    result = made ? wring__conn_open(&peer->conn, io, &peer_ops, socket) : WRING_ERR_NO_MEMORY;
    if (result != WRING_OK) {
        wring__limits_undo(worker, source);
        peer_free(peer);
        return result;
    }
    if (worker->tls != NULL) {
        result = wring__conn_secure(&peer->conn, worker->tls, NULL, NULL);
        if (result != WRING_OK) {
            wring__conn_abort(&peer->conn);
        }
    }
    wring__host_init(&peer->host, &worker->sessions, &peer->conn.out);
    wring__limits_opened(peer, source);
    if (server->config.handshake_timeout_ms != WRING_OFF) {
        wring__conn_set_deadline(&peer->conn,
                                 io->clock.peer_now +
                                     server->config.handshake_timeout_ms * WRING_NS_PER_MS);
    }
    if (worker->draining) {
        drain_unheard(peer);
    }
    return WRING_OK;
}

static bool is_drainable(const wring__conn *conn) {
    return conn->ops == &peer_ops &&
           conn->state == WRING__CONN_OPEN; /* else: a client's, a guest */
}

void wring__peer_drain_count(wring__conn *conn, void *arg) {
    wring__drain *drain = arg;
    if (is_drainable(conn) && wring__host_is_started(&peer_of_conn(conn)->host)) {
        drain->count++;
    }
}

void wring__peer_drain(wring__conn *conn, void *arg) {
    wring__drain *drain = arg;
    if (!is_drainable(conn)) {
        return;
    }
    wring__peer *peer = peer_of_conn(conn);
    if (!wring__host_is_started(&peer->host)) {
        drain_unheard(peer);
    } else if (drain->spread_ns == 0) {
        peer_go_away(peer);
    } else {
        const uint64_t part = drain->spread_ns / drain->count;
        const uint64_t at = part * drain->next++ + wring__server_random(drain->worker) % (part + 1);
        wring__conn_bring_deadline(conn,
                                   conn->worker->clock.peer_now + at); /* peer_timer closes it */
    }
}

wring__peer *wring__peer_of_conn(wring__conn *conn) {
    return conn->ops == &peer_ops ? peer_of_conn(conn) : NULL;
}

void wring__peer_evict(wring__peer *peer, wring_result reason) {
    /* With nothing queued the close frame leaves at once; behind a queue it would wait for a peer
     * that may not read, and what the kernel has of that may end within a frame. */
    bool is_told = false;
    if (peer->conn.state == WRING__CONN_OPEN && wring__host_is_started(&peer->host)) {
        is_told = wring__conn_unsent(&peer->conn) == 0;
        wring__host_refuse(&peer->host, reason);
        wring__peer_settle(peer);
    }
    if (!is_told) {
        wring__conn_abort(&peer->conn);
    }
}

void wring__peer_abort(wring__conn *conn, void *unused) {
    (void)unused;
    if (conn->ops != &peer_ops) {
        return;
    }
    if (conn->state == WRING__CONN_OPEN) {
        peer_end(peer_of_conn(conn), WRING_ERR_TIMEOUT);
    }
    wring__conn_abort(conn);
}

wring_ref wring__peer_ref(const wring_session *session) {
    const wring__host *host = WRING_CONTAINER_OF(session, wring__host, session);
    const wring__conn *conn = &WRING_CONTAINER_OF(host, wring__peer, host)->conn;
    return wring__ref_pack(conn->worker->index, conn->slot, conn->generation);
}

wring__peer *wring__peer_of(const wring_session *session) {
    if (session->common->ref_of != wring__peer_ref) {
        return NULL;
    }
    wring__host *host = WRING_CONTAINER_OF(session, wring__host, session);
    return WRING_CONTAINER_OF(host, wring__peer, host);
}

wring__peer *wring__peer_named(wring__server_worker *worker, wring_ref ref) {
    if (wring__ref_worker(ref) != worker->io.index) {
        return NULL;
    }
    wring__conn *conn =
        wring__worker_conn(&worker->io, wring__ref_slot(ref), wring__ref_generation(ref));
    return conn == NULL || conn->ops != &peer_ops ? NULL : peer_of_conn(conn);
}

int wring_session_worker(const wring_session *session) {
    const wring__peer *peer = wring__peer_of(session);
    return peer == NULL ? -1 : (int)worker_of(peer)->number;
}

uint64_t wring_session_queued(const wring_session *session) {
    const wring__peer *peer = wring__peer_of(session);
    if (peer == NULL) {
        return 0;
    }
    const uint64_t waiting = peer->extra == NULL ? 0 : peer->extra->backlog.bytes;
    return wring__conn_unsent(&peer->conn) + wring__session_tx_owed(session) + waiting;
}

void wring__peer_hold(wring_session *session, bool on) {
    wring__peer *peer = wring__peer_of(session);
    if (peer->conn.state != WRING__CONN_OPEN) {
        return;
    }
    if (on) {
        wring__conn_hold(&peer->conn);
        (void)wring__conn_pause_when_full(&peer->conn);
    } else if (peer->conn.held) {
        wring__session_touch(session, peer->conn.worker->clock.peer_now);
        wring__conn_unhold(&peer->conn);
    }
}

/* A client's session registers a `hold` of its own: the server does not know clients. */
void wring_session_pause(wring_session *session) {
    if (session->common->hold != NULL) {
        session->common->hold(session, true);
    }
}

void wring_session_resume(wring_session *session) {
    if (session->common->hold != NULL) {
        session->common->hold(session, false);
    }
}
