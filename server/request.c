/* SPDX-License-Identifier: Apache-2.0
 *
 * The request of a peer: collects its head, finds the route, answers plain HTTP or begins a
 * session. See request.h.
 */
#include "server/request.h"

#include <stdio.h>

#include "proto/upgrade.h"
#include "server/carried.h"
#include "server/server.h"
#include "server/tell.h"
#include "wring/upgrade.h"

#define RESPONSE_MAX 1024
/* A certificate with more names is shown cut: the first ones say who it is. */
#define PEER_NAMES_MAX 2048

static wring__server_worker *worker_of(const wring__peer *peer) {
    return wring__peer_worker(peer);
}

static const wring_server_config *config_of(const wring__peer *peer) {
    return &worker_of(peer)->server->config;
}

/* ---- plain HTTP ------------------------------------------------------------------------------ */

static wring_result head_write(wring__peer *peer, const wring_http_response *response,
                               const char *extra) {
    char head[RESPONSE_MAX];
    int status = response->status;
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                       "Connection: close\r\n%s\r\n",
                       status, wring_http_reason(status),
                       response->content_type == NULL ? "text/plain; charset=utf-8"
                                                      : response->content_type,
                       response->body.len, extra);
    if (len <= 0 || (size_t)len >= sizeof head) {
        return WRING_ERR_INVALID_HEADER;
    }
    return wring__outq_append(&peer->stream.end.out, &peer->stream.end.worker->chunks,
                              wring_bytes_of(head, (size_t)len));
}

/* Every answer but a 101 ends the connection: nothing behind a refused upgrade is ever read as a
 * request. */
static void respond(wring__peer *peer, const wring_http_response *asked, const char *extra) {
    WRING_ASSERT(!wring__stream_is_started(&peer->stream)); /* a session is not answered over */
    wring_http_response response = *asked;
    response.status = asked->status == 0 ? 200 : asked->status;
    wring_result result = wring__peer_is_carried(peer) ? wring__carried_respond(peer, &response)
                                                       : head_write(peer, &response, extra);
    if (result == WRING_OK) {
        result = wring__outq_append(&peer->stream.end.out, &peer->stream.end.worker->chunks,
                                    response.body);
    }
    if (result == WRING_OK) {
        wring__end_shut(&peer->stream.end);
    } else {
        wring__end_abort(&peer->stream.end);
    }
}

static void refuse(wring__peer *peer, int status, wring_result result, const char *text) {
    wring__tell_request_refused(peer, status, result, text);
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

void wring__request_refuse(wring__peer *peer, wring_result result) {
    refuse(peer, wring_http_status(result), result, wring_result_text(result));
}

void wring__request_refuse_draining(wring__peer *peer) {
    refuse(peer, 503, WRING_ERR_CLOSED, "the server is shutting down");
}

/* ---- routing and upgrading ------------------------------------------------------------------- */

/* The 101 of HTTP/1.1. */
static wring_result accept_write(wring__peer *peer, const wring_h1_upgrade_info *info,
                                 wring_headers extra) {
    char head[RESPONSE_MAX];
    size_t len = 0;
    const wring_result result = wring_h1_response_write(info, extra, head, sizeof head, &len);
    return result != WRING_OK
               ? result
               : wring__outq_append(&peer->stream.end.out, &peer->stream.end.worker->chunks,
                                    wring_bytes_of(head, len));
}

static wring__route_sessions *sessions_of(wring__server_worker *worker, const wring__route *route) {
    return &worker->sessions[route - worker->server->routes.list];
}

static const wring__policy *policy_of(const wring__server_worker *worker,
                                      const wring__route *route) {
    return &worker->settings->policies[route - worker->server->routes.list];
}

/* `fields`: what tells whether it is an upgrade. Of HTTP/1.1 the headers of the request. */
static void upgrade(wring__peer *peer, const wring__route *route, wring_request *request,
                    wring_headers fields) {
    WRING_ASSERT(route->config.handler != NULL && !wring__stream_is_started(&peer->stream));
    const wring_upgrade_options options = {.struct_size = sizeof options,
                                           .required_subprotocols = route->config.subprotocols,
                                           .required_subprotocol_count =
                                               route->config.subprotocol_count};
    wring_h1_upgrade_info info = {.struct_size = sizeof info};
    wring_result result = wring__peer_is_carried(peer)
                              ? wring__carried_validate(fields, &options, &info)
                              : wring_h1_request_validate(request->method, fields, &options, &info);
    if (result != WRING_OK) {
        wring__request_refuse(peer, result);
        return;
    }
    peer->stream.session.machine.common = &sessions_of(worker_of(peer), route)->common;
    char deflate[WRING_DEFLATE_TEXT_MAX];
    const wring_header extension = {wring_str("Sec-WebSocket-Extensions"),
                                    wring__server_deflate_agree(peer,
                                                                policy_of(worker_of(peer), route),
                                                                request->headers, deflate)};
    const wring_headers extra = {&extension, extension.value.len > 0 ? 1 : 0};
    result = wring__peer_is_carried(peer) ? wring__carried_accept(peer, &info, extra)
                                          : accept_write(peer, &info, extra);
    if (result != WRING_OK) {
        wring__end_abort(&peer->stream.end);
        return;
    }
    char text[WRING__ADDRESS_TEXT];
    request->subprotocol = info.subprotocol;
    request->peer = wring__peer_address(peer, text);
    wring_tls_info tls;
    char names[PEER_NAMES_MAX];
    wring__tls *stream = wring__end_tls(&peer->stream.end);
    if (stream != NULL) {
        tls = wring__tls_info_of(stream);
        (void)wring__tls_peer_name(stream, names, sizeof names);
        tls.peer_name = names;
        request->tls = &tls;
    }
    wring__end_set_deadline(&peer->stream.end, WRING_TIME_NEVER); /* the handshake's is over */
    wring__limits_upgraded(peer);
    worker_of(peer)->current = peer; /* `init` may subscribe, publish and reply */
    wring__tell_session_opened(peer, &route->handler);
    wring__stream_start(&peer->stream, &route->binding, peer->state, request);
    if (worker_of(peer)->member.is_draining &&
        peer->stream.session.machine.state == WRING_MACHINE_OPEN) {
        wring__peer_go_away(peer); /* it had come before the drain began */
    }
}

/* What an application filled in could otherwise end the head, and begin another answer. */
static bool response_is_legal(const wring_http_response *response) {
    const bool status =
        response->status == 0 || (response->status >= 200 && response->status < 600);
    return status && wring__header_text_is_safe(wring_str(response->content_type)) &&
           (response->body.data != NULL || response->body.len == 0);
}

void wring__request_take(wring__peer *peer, wring_request *request, wring_headers fields) {
    wring__settings_look(worker_of(peer));
    request->server = worker_of(peer)->server;
    const wring__route *route = wring__routes_find(&request->server->routes, request->path);
    if (route == NULL) {
        wring__request_refuse(peer, WRING_ERR_NOT_FOUND);
        return;
    }
    if (route->config.respond == NULL) {
        upgrade(peer, route, request, fields);
        return;
    }
    if (!wring_bytes_equal(request->method, wring_str("GET"))) {
        wring__request_refuse(peer, WRING_ERR_WRONG_METHOD);
        return;
    }
    if (!wring__peer_is_carried(peer) && wring_headers_count(request->headers, "host") != 1) {
        wring__request_refuse(peer, WRING_ERR_BAD_HOST);
        return;
    }
    wring_http_response response = {.struct_size = sizeof response};
    route->config.respond(request, &response, route->config.opts);
    if (response_is_legal(&response)) {
        respond(peer, &response, "");
    } else {
        wring__request_refuse(peer, WRING_ERR_INVALID_HEADER);
    }
}

/* ---- the request head ------------------------------------------------------------------------ */

/* Acts on what the parser came to; `data` holds the head and whatever came behind it. */
static void head_done(wring__peer *peer, wring__http1 *parser, wring_result result,
                      wring_mut_bytes data) {
    if (result != WRING_OK) {
        wring__request_refuse(peer, result);
        return;
    }
    wring__server_worker *worker = worker_of(peer);
    wring_request request = {.struct_size = sizeof request};
    wring__http1_request(parser, data.data, worker->headers, &request);
    size_t head_len = parser->position;
    wring__request_take(peer, &request, request.headers);
    /* bytes behind the head are the first frames */
    if (wring__stream_is_started(&peer->stream) && peer->stream.end.state == WRING__END_OPEN &&
        data.len > head_len) {
        wring_mut_bytes rest = {data.data + head_len, data.len - head_len};
        wring__stream_rx(&peer->stream, rest, NULL);
    }
}

/* Not inlined: what it needs would be saved for each message as well. */
__attribute__((noinline)) void wring__request_rx(wring__peer *peer, wring_mut_bytes bytes,
                                                 wring__block *block) {
    const wring_server_config *config = config_of(peer);
    wring__http1 *parser = &worker_of(peer)->parser;
    wring_mut_bytes data;
    if (WRING_UNLIKELY(worker_of(peer)->server->carrier != NULL) &&
        wring__carried_take(peer, bytes, block)) {
        return;
    }
    if (peer->head == NULL) {
        wring__http1_init(parser, WRING__HTTP1_REQUEST, config->handshake_bytes_max,
                          (uint16_t)config->target_bytes_max);
    }
    wring_result result = wring__head_feed(&peer->head, parser, bytes, &parser, &data);
    if (result == WRING_MORE) {
        return;
    }
    wring__head *head = peer->head; /* `data` may lie in it */
    peer->head = NULL;
    if (result == WRING_ERR_NO_MEMORY) {
        wring__end_abort(&peer->stream.end);
    } else {
        head_done(peer, parser, result, data);
    }
    wring__head_free(&head);
}
