/* SPDX-License-Identifier: Apache-2.0
 *
 * Peers that are streams of one connection. See carried.h.
 */
#include "server/carried.h"

#include <stdlib.h>

#include "server/http.h"
#include "server/request.h"
#include "server/server.h"
#include "server/tell.h"
#include "wring/upgrade.h"

static wring__server_worker *worker_of(const wring__peer *peer) {
    return wring__peer_worker(peer);
}

static wring__peer *peer_of(wring__stream *stream) {
    return WRING_CONTAINER_OF(stream, wring__peer, stream);
}

/* ---- the carrier's calls --------------------------------------------------------------------- */

static wring_result peer_init(wring__peer *peer, struct wring__mux *mux) {
    wring__endpoint *end = &peer->stream.end;
    wring__worker *io = mux->conn->super.worker;
    wring_result result = wring__end_init(end, io, &wring__peer_ops.super);
    if (result == WRING_OK) {
        end->kind = WRING__END_MUX;
        end->state = WRING__END_OPEN;
        end->mux = mux;
        wring__session_init(&peer->stream.session, wring__peer_default_sessions(worker_of(peer)),
                            &end->out);
    }
    return result;
}

static wring__endpoint *carried_open(struct wring__mux *mux) {
    wring__endpoint *below = &mux->conn->super;
    wring__server_worker *worker = WRING_CONTAINER_OF(below->worker, wring__server_worker, io);
    if (worker->memory.refuses) {
        wring__count(&worker->counters.refused_memory, 1);
        return NULL;
    }
    wring__peer *peer = calloc(1, sizeof *peer + worker->server->routes.state_size_max);
    if (peer == NULL || peer_init(peer, mux) != WRING_OK) {
        wring__peer_free(peer);
        return NULL;
    }
    return &peer->stream.end;
}

/* One that had its share of requests and sessions takes no more soon after. */
static void count_look(wring__endpoint *end) {
    wring__stream *below = wring__stream_of_end(&end->mux->conn->super);
    if (wring__h2_opened(below) >= worker_of(peer_of(below))->server->config.exchanges_max) {
        wring__h2_drain(below);
    }
}

static void carried_request(wring__endpoint *end, wring_headers fields, bool ends) {
    count_look(end);
    wring__request_carried(peer_of(wring__stream_of_end(end)), fields, ends);
}

static void carried_refused(wring__endpoint *end, wring_headers fields, wring_result result) {
    wring__request_carried_refuse(peer_of(wring__stream_of_end(end)), fields, result);
}

static void carried_broken(wring__stream *below, wring_bytes text) {
    wring__tell_http2_broken(peer_of(below), text);
}

static void carried_calmed(wring__stream *below, const char *what) {
    wring__tell_connection_calmed(peer_of(below), what);
}

/* As long as a connection of HTTP/1.1 between two requests. */
static void carried_idle(wring__stream *below) {
    const wring_server_config *config = &worker_of(peer_of(below))->server->config;
    const uint32_t idle_ms = config->keep_alive_timeout_ms == WRING_OFF
                                 ? config->handshake_timeout_ms
                                 : config->keep_alive_timeout_ms;
    if (idle_ms != WRING_OFF) {
        wring__end_set_deadline(&below->end,
                                below->end.worker->clock.peer_now + idle_ms * WRING_NS_PER_MS);
    }
}

static void carried_closed(wring__stream *below) {
    wring__limits_closed(peer_of(below));
    wring__peer_free(peer_of(below));
}

static const wring__h2_role carried_role = {
    .open = carried_open,
    .request = carried_request,
    .refused = carried_refused,
    .broken = carried_broken,
    .calmed = carried_calmed,
    .idle = carried_idle,
    .closed = carried_closed,
};

/* ---- taking ---------------------------------------------------------------------------------- */

/* ALPN decides where there is TLS (RFC 9113 3.2), the first bytes where there is none. */
static bool may_claim(const wring__peer *peer) {
    const wring_http2_config *config = worker_of(peer)->server->config.http2;
    const wring__tls *tls = wring__end_tls(&peer->stream.end);
    return tls == NULL ? config->cleartext
                       : wring_bytes_equal(wring__tls_alpn(tls), wring_str("h2"));
}

static enum wring__h2_claim claim_ask(const wring__peer *peer, wring_mut_bytes bytes) {
    uint8_t first[WRING__H2_CLAIM_BYTES];
    const wring__head *head = peer->http == NULL ? NULL : peer->http->head;
    const size_t have = head == NULL ? 0 : head->len;
    if (have >= sizeof first || !may_claim(peer)) {
        return WRING__H2_CLAIM_NO; /* as was said before */
    }
    if (wring__end_tls(&peer->stream.end) != NULL) {
        return WRING__H2_CLAIM_YES;
    }
    const size_t more = wring__min_size(bytes.len, sizeof first - have);
    if (have > 0) {
        memcpy(first, head->data, have);
    }
    memcpy(first + have, bytes.data, more);
    return wring__h2_claim(wring_bytes_of(first, have + more));
}

static void below_rx(wring__endpoint *below, wring_mut_bytes bytes, wring__block *block) {
    if (bytes.len > 0 && below->state == WRING__END_OPEN) {
        below->ops->rx(below, bytes, block);
    }
}

static wring_result below_take(wring__peer *peer) {
    wring__server_worker *worker = worker_of(peer);
    const wring_server_config *config = &worker->server->config;
    const wring__h2_options options = {.role = &carried_role,
                                       .config = config->http2,
                                       .counters = &worker->http2,
                                       .head_bytes_max = config->handshake_bytes_max};
    return wring__h2_take(&peer->stream, &options);
}

/* A beginning of the preface is also one of a head: until it is clear, it is collected as one. */
bool wring__carried_take(wring__peer *peer, wring_mut_bytes bytes, wring__block *block) {
    if (WRING_LIKELY(worker_of(peer)->server->config.http2 == NULL) ||
        wring__peer_is_carried(peer) || (peer->http != NULL && peer->http->count > 0) ||
        claim_ask(peer, bytes) != WRING__H2_CLAIM_YES) {
        return false;
    }
    wring__endpoint *below = &peer->stream.end;
    wring__head *head = peer->http == NULL ? NULL : peer->http->head;
    if (head != NULL) {
        peer->http->head = NULL;
    }
    wring__http_free(peer);
    wring__limits_handshake_over(peer);
    if (below_take(peer) != WRING_OK) {
        wring__end_abort(below);
    } else {
        wring_mut_bytes before = {head == NULL ? NULL : head->data, head == NULL ? 0 : head->len};
        if (worker_of(peer)->member.is_draining) {
            wring__h2_drain(&peer->stream);
        }
        below_rx(below, before, NULL);
        below_rx(below, bytes, block);
    }
    wring__head_free(&head);
    return true;
}

bool wring__carried_is_below(const wring__endpoint *end) {
    return wring__h2_is_below(end, &carried_role);
}

wring__peer *wring__carried_below(const wring__peer *peer) {
    wring__conn *conn = peer->stream.end.mux->conn;
    return peer_of(wring__stream_of_end(&conn->super));
}

void wring__carried_drain(wring__endpoint *end) {
    if (end->state == WRING__END_OPEN) {
        wring__h2_drain(wring__stream_of_end(end));
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

wring_result wring__carried_validate(wring_headers fields, const wring_upgrade_options *options,
                                     wring_h1_upgrade_info *out) {
    wring_h2_upgrade_info info = {.struct_size = sizeof info};
    const wring_result result = wring_h2_request_validate(fields, options, &info);
    *out = (wring_h1_upgrade_info){
        .struct_size = sizeof *out, .origin = info.origin, .subprotocol = info.subprotocol};
    return result;
}

wring_result wring__carried_answer(wring__peer *peer, int status, wring_headers headers,
                                   bool ends) {
    return wring__h2_answer(&peer->stream.end, status, headers, ends);
}

void wring__carried_continue(wring__peer *peer) {
    if (wring__h2_interim(&peer->stream.end, 100) != WRING_OK) {
        wring__end_abort(&peer->stream.end);
    }
}

wring_result wring__carried_accept(wring__peer *peer, wring_bytes subprotocol,
                                   wring_headers extra) {
    const wring_h2_upgrade_info accepted = {.struct_size = sizeof accepted,
                                            .subprotocol = subprotocol};
    wring_header list[WRING_HTTP_FIELDS_MAX + 4]; /* a status, a subprotocol, a date, the rest */
    size_t count = wring_h2_response_headers(&accepted, list).count;
    /* RFC 9110 6.6.1: unlike the 101 of HTTP/1.1, this is an answer that has one */
    list[count++] = (wring_header){wring_str("date"), wring__server_date(worker_of(peer))};
    WRING_ASSERT(extra.count <= WRING_HTTP_FIELDS_MAX + 1);
    for (size_t i = 0; i < extra.count; i++) {
        list[count++] = extra.list[i];
    }
    return wring__carried_answer(peer, 200, (wring_headers){list + 1, count - 1}, false);
}
