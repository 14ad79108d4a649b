/* SPDX-License-Identifier: Apache-2.0
 *
 * The request of a peer: collects its head, finds the route, answers plain HTTP or begins a
 * session. See request.h.
 */
#include "server/request.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "server/carried.h"
#include "server/server.h"

#define RESPONSE_MAX 1024
/* A certificate with more names is shown cut: the first ones say who it is. */
#define PEER_NAMES_MAX 2048
#define PEER_TEXT_MAX  (INET6_ADDRSTRLEN + 9)

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

void wring__request_refuse_with(wring__peer *peer, int status, const char *text) {
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
    wring__request_refuse_with(peer, wring_http_status(result), wring_result_text(result));
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
    wring__backend *backend = peer->stream.end.worker->backend;
    char host[INET6_ADDRSTRLEN];
    if (!backend->ops->peer(backend, wring__end_conn(&peer->stream.end)->socket, &address)) {
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

/* The 101 of HTTP/1.1. */
static wring_result accept_write(wring__peer *peer, const wring_upgrade_info *info,
                                 wring_headers extra) {
    char head[RESPONSE_MAX];
    size_t len = 0;
    const wring_result result = wring_h1_response_write(info, extra, head, sizeof head, &len);
    return result != WRING_OK
               ? result
               : wring__outq_append(&peer->stream.end.out, &peer->stream.end.worker->chunks,
                                    wring_bytes_of(head, len));
}

/* `fields`: what tells whether it is an upgrade. Of HTTP/1.1 the headers of the request. */
static void upgrade(wring__peer *peer, const wring_route *route, wring_request *request,
                    wring_headers fields) {
    WRING_ASSERT(route->handler != NULL && !wring__stream_is_started(&peer->stream));
    wring_upgrade_options options = {route->subprotocols, route->subprotocol_count};
    wring_upgrade_info info;
    wring_result result = wring__peer_is_carried(peer)
                              ? wring__carried_validate(fields, &options, &info)
                              : wring_h1_validate_request(request->method, fields, &options, &info);
    if (result != WRING_OK) {
        wring__request_refuse(peer, result);
        return;
    }
    char deflate[WRING_DEFLATE_TEXT_MAX];
    const size_t deflate_len = wring__server_deflate_agree(peer, request->headers, deflate);
    const wring_header extension = {wring_str("Sec-WebSocket-Extensions"),
                                    wring_bytes_of(deflate, deflate_len)};
    const wring_headers extra = {&extension, deflate_len > 0 ? 1 : 0};
    result = wring__peer_is_carried(peer) ? wring__carried_accept(peer, &info, extra)
                                          : accept_write(peer, &info, extra);
    if (result != WRING_OK) {
        wring__end_abort(&peer->stream.end);
        return;
    }
    char text[PEER_TEXT_MAX];
    request->subprotocol = info.subprotocol;
    request->peer = peer_text(peer, text);
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
    wring__stream_start(&peer->stream, binding_of(worker_of(peer)->server, route), peer->state,
                        request);
    if (worker_of(peer)->member.is_draining &&
        peer->stream.host.session.state == WRING_SESSION_OPEN) {
        wring__peer_go_away(peer); /* it had come before the drain began */
    }
}

void wring__request_take(wring__peer *peer, wring_request *request, wring_headers fields) {
    const wring_route *route = route_find(worker_of(peer)->server, request->path);
    if (route == NULL) {
        wring__request_refuse_with(peer, 404, "nothing is served at this path");
        return;
    }
    if (route->respond == NULL) {
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
    wring_http_response response = {0};
    route->respond(request, &response, route->opts);
    respond(peer, &response, "");
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
    wring_request request;
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
        wring__end_abort(&peer->stream.end);
    } else {
        head_done(peer, parser, result, data);
    }
    wring__head_free(&head);
}
