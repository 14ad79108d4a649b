/* SPDX-License-Identifier: Apache-2.0
 *
 * Peers that are streams of one connection. See carried.h.
 */
#include "server/carried.h"

#include <stdlib.h>

#include "server/http.h"
#include "server/request.h"
#include "server/server.h"
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

static wring__stream *carried_open(struct wring__mux *mux) {
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
    wring__end_set_deadline(below, WRING_TIME_NEVER);
    return &peer->stream;
}

static wring_bytes field(wring_headers fields, const char *name) {
    wring_bytes value = wring_bytes_of(NULL, 0);
    (void)wring_headers_get(fields, name, &value);
    return value;
}

static size_t pseudo_count(wring_headers fields) {
    size_t count = 0;
    while (count < fields.count && fields.list[count].name.len > 0 &&
           fields.list[count].name.data[0] == ':') {
        count++;
    }
    return count;
}

static void carried_request(wring__stream *stream, wring_headers fields) {
    const size_t pseudos = pseudo_count(fields);
    const wring_bytes target = field(fields, ":path");
    const uint8_t *mark = target.len == 0 ? NULL : memchr(target.data, '?', target.len);
    const size_t path_len = mark == NULL ? target.len : (size_t)(mark - target.data);
    wring_request request = {
        .struct_size = sizeof request,
        .method = field(fields, ":method"),
        .target = target,
        .path = wring_bytes_of(target.data, path_len),
        .host = field(fields, ":authority"),
        .headers = {fields.list + pseudos, fields.count - pseudos},
        .origin = field(fields, "origin"),
    };
    if (mark != NULL) {
        request.query = wring_bytes_of(mark + 1, target.len - path_len - 1);
    }
    if (request.host.len == 0) { /* RFC 9113 8.3.1 */
        request.host = field(fields, "host");
    }
    wring__request_carried(peer_of(stream), &request, fields);
}

static void carried_idle(wring__stream *below) {
    wring__worker *io = below->end.worker;
    const uint32_t idle_ms = worker_of(peer_of(below))->server->config.handshake_timeout_ms;
    if (idle_ms != WRING_OFF) { /* as long as for a first request */
        wring__end_set_deadline(&below->end, io->clock.peer_now + idle_ms * WRING_NS_PER_MS);
    }
}

static void carried_closed(wring__stream *below) {
    wring__limits_closed(peer_of(below));
    wring__peer_free(peer_of(below));
}

static const wring__carrier_role carried_role = {
    .open = carried_open,
    .request = carried_request,
    .idle = carried_idle,
    .closed = carried_closed,
};

/* ---- taking ---------------------------------------------------------------------------------- */

static enum wring__claim claim_ask(const wring__peer *peer, wring_mut_bytes bytes) {
    uint8_t first[WRING__CLAIM_BYTES_MAX];
    const wring__head *head = peer->http == NULL ? NULL : peer->http->head;
    const size_t have = head == NULL ? 0 : head->len;
    if (have >= sizeof first) {
        return WRING__CLAIM_NO; /* as was said before */
    }
    const size_t more = wring__min_size(bytes.len, sizeof first - have);
    if (have > 0) {
        memcpy(first, head->data, have);
    }
    memcpy(first + have, bytes.data, more);
    return worker_of(peer)->server->carrier->claim(wring_bytes_of(first, have + more));
}

static void below_rx(wring__endpoint *below, wring_mut_bytes bytes, wring__block *block) {
    if (bytes.len > 0 && below->state == WRING__END_OPEN) {
        below->ops->rx(below, bytes, block);
    }
}

/* A beginning of what the carrier claims is also one of a head: until it is clear, it is collected
 * as one. */
bool wring__carried_take(wring__peer *peer, wring_mut_bytes bytes, wring__block *block) {
    if (WRING_LIKELY(worker_of(peer)->server->carrier == NULL) || wring__peer_is_carried(peer) ||
        (peer->http != NULL && peer->http->count > 0) ||
        claim_ask(peer, bytes) != WRING__CLAIM_MINE) {
        return false;
    }
    wring__endpoint *below = &peer->stream.end;
    wring__head *head = peer->http == NULL ? NULL : peer->http->head;
    if (head != NULL) {
        peer->http->head = NULL;
    }
    wring__http_free(peer);
    wring__limits_handshake_over(peer);
    if (worker_of(peer)->server->carrier->take(&peer->stream, &carried_role) != WRING_OK) {
        wring__end_abort(below);
    } else {
        wring_mut_bytes before = {head == NULL ? NULL : head->data, head == NULL ? 0 : head->len};
        below_rx(below, before, NULL);
        below_rx(below, bytes, block);
    }
    wring__head_free(&head);
    return true;
}

bool wring__carried_is_below(const wring__server_worker *worker, const wring__endpoint *end) {
    const wring__carrier *carrier = worker->server->carrier;
    return carrier != NULL && end->ops == carrier->ops;
}

void wring__carried_drain(const wring__server_worker *worker, wring__endpoint *end) {
    if (end->state == WRING__END_OPEN) {
        worker->server->carrier->drain(wring__stream_of_end(end));
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

wring_result wring__carried_answer(wring__peer *peer, int status, wring_headers headers) {
    return worker_of(peer)->server->carrier->answer(&peer->stream.end, status, headers);
}

wring_result wring__carried_accept(wring__peer *peer, wring_bytes subprotocol,
                                   wring_headers extra) {
    const wring_h2_upgrade_info accepted = {.struct_size = sizeof accepted,
                                            .subprotocol = subprotocol};
    wring_header list[WRING_HTTP_FIELDS_MAX + 3]; /* a status, a subprotocol, the rest */
    size_t count = wring_h2_response_headers(&accepted, list).count;
    WRING_ASSERT(extra.count <= WRING_HTTP_FIELDS_MAX + 1);
    for (size_t i = 0; i < extra.count; i++) {
        list[count++] = extra.list[i];
    }
    return wring__carried_answer(peer, 200, (wring_headers){list + 1, count - 1});
}
