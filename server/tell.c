/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting and logging of refusals and ends. See tell.h.
 */
#include "server/tell.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>

#include "server/server.h"

/* ---- addresses ------------------------------------------------------------------------------- */

wring_bytes wring__address_text(const struct sockaddr_storage *address,
                                char out[WRING__ADDRESS_TEXT]) {
    char host[INET6_ADDRSTRLEN];
    int len;
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        len = snprintf(out, WRING__ADDRESS_TEXT, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        len = snprintf(out, WRING__ADDRESS_TEXT, "%s:%u", host, ntohs(v4->sin_port));
    }
    return wring_bytes_of(out, len < 0 ? 0 : (size_t)len);
}

static wring_bytes socket_address(wring__worker *io, wring__socket socket,
                                  char out[WRING__ADDRESS_TEXT]) {
    struct sockaddr_storage address;
    return io->backend->ops->peer(io->backend, socket, &address)
               ? wring__address_text(&address, out)
               : wring_bytes_of(NULL, 0);
}

wring_bytes wring__peer_address(const wring__peer *peer, char out[WRING__ADDRESS_TEXT]) {
    const wring__endpoint *end = &peer->stream.end;
    const wring__conn *conn = wring__end_conn((wring__endpoint *)(uintptr_t)end);
    return socket_address(end->worker, conn->socket, out);
}

/* ---- entries --------------------------------------------------------------------------------- */

static bool peer_entry(wring__log_entry *entry, const wring__peer *peer,
                       enum wring__log_event event) {
    char text[WRING__ADDRESS_TEXT];
    const wring__server_worker *worker = wring__peer_worker(peer);
    if (!wring__log_begin(entry, &worker->server->log, event)) {
        return false;
    }
    wring__log_bytes(entry, "peer", wring__peer_address(peer, text));
    wring__log_number(entry, "worker", worker->member.number);
    return true;
}

static void count(const wring__peer *peer, wring_result reason) {
    wring__refusals_count(&wring__peer_worker(peer)->refusals, reason);
}

void wring__tell_connection_refused(wring__server_worker *worker, wring__socket socket,
                                    wring_result reason) {
    wring__log_entry entry;
    char text[WRING__ADDRESS_TEXT];
    wring__refusals_count(&worker->refusals, reason);
    if (wring__log_begin(&entry, &worker->server->log, WRING__LOG_CONNECTION_REFUSED)) {
        wring__log_bytes(&entry, "peer", socket_address(&worker->io, socket, text));
        wring__log_number(&entry, "worker", worker->member.number);
        wring__log_text(&entry, "reason", wring_result_name(reason));
        wring__log_write(&entry, "connection refused: %s", wring_result_text(reason));
    }
}

void wring__tell_handshake_evicted(const wring__peer *peer) {
    wring__log_entry entry;
    count(peer, WRING_ERR_TOO_MANY_CONNECTIONS);
    if (peer_entry(&entry, peer, WRING__LOG_HANDSHAKE_EVICTED)) {
        wring__log_write(&entry, "the oldest unfinished handshake was ended, because there were "
                                 "more than handshakes_max");
    }
}

static bool is_of_tls(wring_result reason) {
    return reason <= WRING_ERR_TLS_CERTIFICATE_EXPIRED && reason >= WRING_ERR_TLS_TRUNCATED;
}

void wring__tell_handshake_failed(const wring__peer *peer, wring_result reason) {
    wring__log_entry entry;
    count(peer, reason);
    const bool tls = is_of_tls(reason) || reason == WRING_ERR_TLS_EMPTY_RECORDS;
    if (tls && peer_entry(&entry, peer, WRING__LOG_TLS_FAILED)) {
        wring__log_text(&entry, "reason", wring_result_name(reason));
        wring__log_write(&entry, "TLS handshake failed: %s", wring_result_text(reason));
    }
}

void wring__tell_http2_broken(const wring__peer *peer, wring_bytes text) {
    wring__log_entry entry;
    count(peer, WRING_ERR_BAD_HTTP2);
    if (peer_entry(&entry, peer, WRING__LOG_HTTP2_BROKEN)) {
        wring__log_text(&entry, "reason", wring_result_name(WRING_ERR_BAD_HTTP2));
        wring__log_bytes(&entry, "error", text);
        wring__log_write(&entry, "the peer broke a rule of HTTP/2");
    }
}

void wring__tell_connection_calmed(const wring__peer *peer, const char *what) {
    wring__log_entry entry;
    count(peer, WRING_ERR_RATE_LIMIT);
    if (peer_entry(&entry, peer, WRING__LOG_CONNECTION_CALMED)) {
        wring__log_text(&entry, "reason", wring_result_name(WRING_ERR_RATE_LIMIT));
        wring__log_write(
            &entry, "a connection of HTTP/2 was ended with ENHANCE_YOUR_CALM: too many %s", what);
    }
}

static void request_entry(const wring__peer *peer, enum wring__log_event event, int status,
                          wring_result reason, const char *text) {
    wring__log_entry entry;
    count(peer, reason);
    if (peer_entry(&entry, peer, event)) {
        wring__log_number(&entry, "status", (uint64_t)status);
        wring__log_text(&entry, "reason", wring_result_name(reason));
        wring__log_write(&entry, "request refused with %d: %s", status, text);
    }
}

void wring__tell_request_refused(const wring__peer *peer, int status, wring_result reason,
                                 const char *text) {
    request_entry(peer, WRING__LOG_REQUEST_REFUSED, status, reason, text);
}

void wring__tell_request_unanswered(const wring__peer *peer, int status, wring_result reason,
                                    const char *text) {
    request_entry(peer, WRING__LOG_REQUEST_UNANSWERED, status, reason, text);
}

/* ---- sessions -------------------------------------------------------------------------------- */

void wring__tell_session_opened(const wring__peer *peer, const wring_handler *handler) {
    wring__log_entry entry;
    wring__count(&wring__peer_worker(peer)->counters.upgraded, 1);
    if (peer_entry(&entry, peer, WRING__LOG_SESSION_OPENED)) {
        wring__log_text(&entry, "handler", handler->name);
        wring__log_write(&entry, "session opened");
    }
}

static enum wring__log_event event_of(wring_result result) {
    switch (result) {
    case WRING_OK:
        return WRING__LOG_SESSION_CLOSED;
    case WRING_ERR_SLOW_CONSUMER:
    case WRING_ERR_RATE_LIMIT:
    case WRING_ERR_MEMORY_BUDGET:
    case WRING_ERR_NO_MEMORY:
    case WRING_ERR_NO_RANDOM:
    case WRING_ERR_INTERNAL:
        return WRING__LOG_SESSION_ENDED_BY_US;
    default:
        return WRING__LOG_SESSION_FAILED;
    }
}

void wring__tell_session_ended(const wring__peer *peer) {
    const wring_machine *machine = &peer->stream.session.machine;
    const wring_result result = (wring_result)machine->end_result;
    const enum wring__log_event event = event_of(result);
    wring__log_entry entry;
    count(peer, result);
    wring__count(&wring__peer_worker(peer)->counters.sessions_ended, 1);
    if (wring__log_wants(&wring__peer_worker(peer)->server->log, event) &&
        peer_entry(&entry, peer, event)) {
        const wring_end end = wring__machine_end_of(machine);
        wring__log_text(&entry, "handler", peer->stream.session.binding->handler->name);
        wring__log_number(&entry, "close_code", end.close_code);
        wring__log_text(&entry, "reason", wring_result_name(result));
        wring__log_write(&entry, "session ended: %s", end.text);
    }
}

void wring__tell_memory(wring__server_worker *worker, bool over, uint64_t held) {
    wring__log_entry entry;
    const uint64_t budget = worker->server->config.memory_budget_bytes;
    const enum wring__log_event event =
        over ? WRING__LOG_MEMORY_OVER_BUDGET : WRING__LOG_MEMORY_UNDER_BUDGET;
    if (wring__log_begin(&entry, &worker->server->log, event)) {
        wring__log_number(&entry, "worker", worker->member.number);
        wring__log_number(&entry, "held_bytes", held);
        wring__log_number(&entry, "budget_bytes", budget);
        wring__log_write(&entry,
                         "%s, since queues and messages hold %" PRIu64 " of %" PRIu64
                         " bytes (memory_budget_bytes)",
                         over ? "a worker stopped reading" : "a worker reads again", held, budget);
    }
}
