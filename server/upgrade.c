/* SPDX-License-Identifier: Apache-2.0
 *
 * Upgrades. See upgrade.h.
 */
#include "server/upgrade.h"

#include <stdio.h>

#include "core/sized.h"
#include "proto/http1.h"
#include "proto/upgrade.h"
#include "server/answer.h"
#include "server/carried.h"
#include "server/http.h"
#include "server/origin.h"
#include "server/server.h"

/* What the 101 has besides the subprotocol and further headers. */
#define ACCEPT_OWN_MAX 256

static wring__server_worker *worker_of(const wring__peer *peer) {
    return wring__peer_worker(peer);
}

/* ---- checking -------------------------------------------------------------------------------- */

static const struct sockaddr_storage *address_of(wring__peer *peer, struct sockaddr_storage *out) {
    wring__endpoint *end = &peer->stream.end;
    wring__backend *backend = end->worker->backend;
    return backend->ops->peer(backend, wring__end_conn(end)->socket, out) ? out : NULL;
}

/* Asking for the address is a system call: only where it decides, or is told. */
static wring_result origin_check(wring__peer *peer, const wring__route *route,
                                 const wring_request *request, char *text) {
    const wring__proxies *proxies = worker_of(peer)->server->proxies;
    struct sockaddr_storage address;
    const bool is_asked = proxies != NULL && request->origin.len > 0;
    const struct sockaddr_storage *from = is_asked ? address_of(peer, &address) : NULL;
    if (wring__origin_is_allowed(request, &route->config, proxies, from)) {
        return WRING_OK;
    }
    from = from == NULL ? address_of(peer, &address) : from;
    (void)wring__origin_refusal(request, proxies, from, text, 512);
    return WRING_ERR_FOREIGN_ORIGIN;
}

wring_result wring__upgrade_check(wring__peer *peer, const wring__route *route,
                                  wring_request *request, wring_headers fields, char *text) {
    const wring_upgrade_options options = {.struct_size = sizeof options,
                                           .required_subprotocols = route->config.subprotocols,
                                           .required_subprotocol_count =
                                               route->config.subprotocol_count};
    wring_h1_upgrade_info info = {.struct_size = sizeof info};
    const wring_result result =
        wring__peer_is_carried(peer)
            ? wring__carried_validate(fields, &options, &info)
            : wring__h1_request_check(request->method, fields, &options, &info);
    if (result != WRING_OK) {
        (void)snprintf(text, 512, "%s", wring_result_text(result));
        return result;
    }
    request->subprotocol = info.subprotocol;
    return origin_check(peer, route, request, text);
}

wring_result wring__accept_adopt(const wring_accept *in, wring_accept *out) {
    static const wring_accept empty = {.struct_size = sizeof empty};
    if (wring__sized_adopt(out, sizeof *out, in == NULL ? &empty : in,
                           offsetof(wring_accept, headers), "wring_accept", NULL) != WRING_OK ||
        out->headers.count > WRING_HTTP_FIELDS_MAX) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    for (size_t i = 0; i < out->headers.count && out->headers.list != NULL; i++) {
        const wring_bytes name = out->headers.list[i].name;
        if (name.len >= 14 &&
            wring__text_is(wring_bytes_of(name.data, 14), "sec-websocket-")) { /* the library's */
            return WRING_ERR_INVALID_HEADER;
        }
    }
    return wring__answer_headers_check(out->headers);
}

/* ---- accepting ------------------------------------------------------------------------------- */

/* The 101 of HTTP/1.1. */
static wring_result accept_write(wring__peer *peer, const wring_request *request,
                                 wring_headers extra) {
    wring__endpoint *end = &peer->stream.end;
    wring_h1_upgrade_info info = {.struct_size = sizeof info, .subprotocol = request->subprotocol};
    wring_bytes key = {NULL, 0};
    size_t len = ACCEPT_OWN_MAX + info.subprotocol.len;
    (void)wring_headers_get(request->headers, "sec-websocket-key", &key);
    wring_result result = wring_h1_accept_key(key, info.accept);
    for (size_t i = 0; i < extra.count; i++) {
        len += extra.list[i].name.len + extra.list[i].value.len + 4;
    }
    char *room = (char *)wring__outq_reserve(&end->out, &end->worker->chunks, len);
    if (result == WRING_OK && room == NULL) {
        result = WRING_ERR_NO_MEMORY;
    }
    if (result == WRING_OK) {
        result = wring_h1_response_write(&info, extra, room, len, &len);
    }
    if (result == WRING_OK) {
        wring__outq_commit(&end->out, len);
        wring__end_flush(end);
    }
    return result;
}

wring_result wring__upgrade_accept(wring__peer *peer, const wring__route *route,
                                   const wring_request *request, wring_headers extra) {
    wring__server_worker *worker = worker_of(peer);
    const size_t at = (size_t)(route - worker->server->routes.list);
    WRING_UNINITIALIZED wring_header list[WRING_HTTP_FIELDS_MAX + 1];
    char deflate[WRING_DEFLATE_TEXT_MAX];
    WRING_ASSERT(extra.count <= WRING_HTTP_FIELDS_MAX);
    peer->stream.session.machine.common = &worker->sessions[at].common;
    const wring_bytes extension = wring__server_deflate_agree(peer, &worker->settings->policies[at],
                                                              request->headers, deflate);
    size_t count = 0;
    for (; count < extra.count; count++) {
        list[count] = extra.list[count];
    }
    if (extension.len > 0) {
        list[count++] = (wring_header){wring_str("Sec-WebSocket-Extensions"), extension};
    }
    const wring_headers all = {list, count};
    return wring__peer_is_carried(peer) ? wring__carried_accept(peer, request->subprotocol, all)
                                        : accept_write(peer, request, all);
}

/* The client's own view of the subprotocol that the application chose; empty: it is not offered. */
static wring_bytes offered_as(const wring_request *request, wring_bytes subprotocol) {
    wring_list_cursor cursor = {0, 0};
    wring_bytes offered;
    while (wring_headers_next(request->headers, "sec-websocket-protocol", &cursor, &offered)) {
        if (wring_bytes_equal(offered, subprotocol)) {
            return offered;
        }
    }
    return wring_bytes_of(NULL, 0);
}

static wring_result accept_now(wring_exchange *exchange, const wring_accept *accept) {
    wring_accept adopted;
    wring_result result = wring__answer_may_begin(exchange);
    if (result == WRING_OK && !exchange->is_upgrade) {
        result = WRING_ERR_INVALID_STATE;
    }
    if (result == WRING_OK) {
        result = wring__accept_adopt(accept, &adopted);
    }
    if (result != WRING_OK) {
        return result;
    }
    wring_request answered = exchange->request;
    if (adopted.subprotocol.len > 0) {
        answered.subprotocol = offered_as(&exchange->request, adopted.subprotocol);
        if (answered.subprotocol.len == 0) {
            return WRING_ERR_UNEXPECTED_SUBPROTOCOL;
        }
    }
    result = wring__upgrade_accept(exchange->peer, exchange->route, &answered, adopted.headers);
    if (result != WRING_OK) {
        return result;
    }
    exchange->request.subprotocol = answered.subprotocol;
    exchange->answer = WRING__ANSWER_ACCEPTED;
    exchange->status = 101;
    exchange->accept_data = adopted.data;
    exchange->accept_lost = adopted.lost;
    wring__answer_look_later(exchange);
    return WRING_OK;
}

wring_result wring_exchange_accept(wring_exchange *exchange, const wring_accept *accept) {
    const wring_result result = accept_now(exchange, accept);
    exchange->refused = result;
    return result;
}

/* ---- the session ----------------------------------------------------------------------------- */

bool wring__upgrade_tls(const wring__peer *peer, wring_tls_info *info, char *names) {
    wring__tls *stream = wring__end_tls(&peer->stream.end);
    if (stream == NULL) {
        return false;
    }
    *info = wring__tls_info_of(stream);
    if (!info->peer_verified) {
        return true;
    }
    if (peer->http != NULL && peer->http->peer_names != NULL) {
        info->peer_name = peer->http->peer_names;
        return true;
    }
    (void)wring__tls_peer_name(stream, names, WRING__PEER_NAMES_MAX);
    info->peer_name = names;
    return true;
}

void wring__upgrade_begin(wring__peer *peer, const wring__route *route,
                          const wring_request *request) {
    wring__server_worker *worker = worker_of(peer);
    wring__endpoint *end = &peer->stream.end;
    WRING_ASSERT(!wring__stream_is_started(&peer->stream) && peer->subscriptions == NULL);
    wring__end_set_deadline(end, WRING_TIME_NEVER); /* the handshake's is over */
    wring__limits_upgraded(peer);
    worker->current = peer; /* `init` may subscribe, publish and reply */
    wring__tell_session_opened(peer, &route->handler);
    wring__stream_start(&peer->stream, &route->binding, peer->state, request);
    if (worker->member.is_draining && peer->stream.session.machine.state == WRING_MACHINE_OPEN) {
        wring__peer_go_away(peer); /* it had come before the drain began */
    }
}
