/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests. See request.h.
 */
#include "server/request.h"

#include <stdio.h>
#include <string.h>

#include "proto/http2.h"
#include "proto/upgrade.h"
#include "server/answer.h"
#include "server/carried.h"
#include "server/http.h"
#include "server/server.h"
#include "server/upgrade.h"

static wring__server_worker *worker_of(const wring__peer *peer) {
    return wring__peer_worker(peer);
}

/* A request on its way to its handler. Large, and not zeroed: request_take and request_carried fill
 * in what stands before `match`, incoming_go the rest. */
struct incoming {
    wring_request request;
    wring_headers fields; /* what tells whether it asks for a WebSocket */
    wring_mut_bytes rest; /* received behind it */
    uint64_t length;      /* of its body, where that is announced */
    bool chunked;
    bool has_body;
    bool wants_upgrade;
    wring__match match;
    wring_tls_info tls;
    char address[WRING__ADDRESS_TEXT]; /* of upgrade_now */
    char names[WRING__PEER_NAMES_MAX]; /* with TLS */
};

/* ---- refusing -------------------------------------------------------------------------------- */

#define OWED_MAX 3

/* What the status owes: RFC 9110 15.5.6 and 15.5.22, RFC 6455 4.4. */
static wring_headers owed(const wring__peer *peer, int status, const char *allow,
                          wring_header list[OWED_MAX]) {
    size_t count = 0;
    if (status == 426) {
        list[count++] = (wring_header){wring_str("Sec-WebSocket-Version"), wring_str("13")};
        if (!wring__peer_is_carried(peer)) {
            list[count++] = (wring_header){wring_str("Upgrade"), wring_str("websocket")};
            list[count++] = (wring_header){wring_str("Connection"), wring_str("Upgrade")};
        }
    } else if (status == 405 && (allow[0] != 0 || wring__peer_is_carried(peer))) {
        /* of a route with WebSockets only: RFC 8441 4 */
        list[count++] =
            (wring_header){wring_str("Allow"), wring_str(allow[0] != 0 ? allow : "CONNECT")};
    }
    return (wring_headers){list, count};
}

static void refuse(wring__peer *peer, wring_result result, const char *text, const char *allow) {
    const int status = wring_http_status(result);
    wring_header list[OWED_MAX];
    wring__tell_request_refused(peer, status, result, text);
    wring__answer_refusal(&peer->http->exchange, status, text, owed(peer, status, allow, list));
}

void wring__request_answer_refusal(wring__peer *peer, wring_result result, const char *text) {
    refuse(peer, result, text, "");
}

/* There is no exchange, or none that could be answered: the connection ends with this. */
static void refuse_connection(wring__peer *peer, wring_result result, const char *text,
                              bool is_head) {
    wring__http *http = wring__http_make(peer);
    if (http == NULL) {
        return;
    }
    WRING_ASSERT(!http->exchange.is_live); /* a client is not answered twice */
    wring__exchange_init(&http->exchange, peer);
    http->exchange.asks_close = true;
    http->exchange.is_head = is_head;
    wring__request_answer_refusal(peer, result, text);
    if (http->exchange.is_aborted) {
        wring__end_abort(&peer->stream.end);
    } else {
        wring__http_last(peer);
    }
}

void wring__request_refuse(wring__peer *peer, wring_result result) {
    refuse_connection(peer, result, wring_result_text(result), false);
}

void wring__request_refuse_draining(wring__peer *peer) {
    refuse_connection(peer, WRING_ERR_CLOSED, "the server is shutting down", false);
}

/* ---- its exchange ---------------------------------------------------------------------------- */

/* Of literals. */
static inline bool has_token(wring_headers headers, const char *name, const char *token) {
    return wring__headers_has_token(headers, wring_str(name), wring_str(token));
}

static bool asks_close(const wring_request *request, const wring_server_config *config) {
    if (config->keep_alive_timeout_ms == WRING_OFF) {
        return true;
    }
    /* RFC 9112 9.3: close comes first, in both versions. What follows a CONNECT may be the bytes of
     * a tunnel that its client believes in. */
    const wring_headers headers = request->headers;
    return wring_bytes_equal(request->method, wring_str("CONNECT")) ||
           has_token(headers, "connection", "close") ||
           (request->http_version == 10 && !has_token(headers, "connection", "keep-alive"));
}

/* Whether the client may wait with its body until it is told to go on. When the answer comes first,
 * nobody knows whether the body comes at all: then the connection ends (RFC 9110 10.1.1). */
static bool expects(const wring_exchange *exchange) {
    wring_bytes expect = {NULL, 0};
    return !exchange->body_ended && !exchange->is_http10 &&
           wring__headers_find(exchange->request.headers, "expect", &expect) > 0;
}

/* To read the names of a certificate is dearer than the rest of a request: they are kept for the
 * next ones. Without memory for that they are read again. */
static void tls_take(wring_exchange *exchange, const wring_tls_info *tls) {
    wring__http *http = exchange->peer->http;
    exchange->tls = *tls;
    if (WRING_UNLIKELY(tls->peer_verified) && http->peer_names == NULL) {
        http->peer_names = strdup(tls->peer_name);
    }
}

/* Everything an exchange begins with. */
static wring_exchange *exchange_make(wring__peer *peer, const struct incoming *in) {
    wring__http *http = wring__http_make(peer);
    if (http == NULL) {
        return NULL;
    }
    wring_exchange *exchange = &http->exchange;
    wring__exchange_init(exchange, peer);
    http->count++;
    wring__count(&worker_of(peer)->counters.exchanges, 1);
    exchange->route = in->match.route;
    exchange->request = in->request;
    tls_take(exchange, &in->tls);
    exchange->request.peer = wring_bytes_of(http->address, http->address_len);
    exchange->request.tls = in->request.tls == NULL ? NULL : &exchange->tls;
    exchange->request.path = in->match.path;
    exchange->request.params = (wring_headers){in->match.params, in->match.param_count};
    exchange->is_head = wring_bytes_equal(in->request.method, wring_str("HEAD"));
    exchange->is_http10 = in->request.http_version == 10;
    exchange->asks_close = asks_close(&in->request, &worker_of(peer)->server->config);
    exchange->asks_upgrade = in->wants_upgrade;
    exchange->body_ended = !in->has_body;
    exchange->owes_continue = expects(exchange);
    if (wring__peer_is_carried(peer)) {
        wring__http1_body_begin_response(&http->body, 200, (wring_headers){NULL, 0});
    } else {
        wring__http1_body_begin(&http->body, in->chunked, in->length);
    }
    return exchange;
}

/* RFC 9110 10.1.1: what else is expected cannot be met. */
static wring_result expectation_check(const wring_exchange *exchange) {
    wring_bytes expect = {NULL, 0};
    if (exchange->is_http10 ||
        wring__headers_find(exchange->request.headers, "expect", &expect) == 0) {
        return WRING_OK;
    }
    return wring__text_is(expect, "100-continue") ? WRING_OK : WRING_ERR_EXPECTATION;
}

/* A refusal of the library's: no handler is asked. Its body, if it has one, is not wanted. */
static void exchange_refuse(wring__peer *peer, const struct incoming *in, wring_result result,
                            const char *text) {
    wring__http *http = peer->http;
    const bool fresh = http == NULL || !http->exchange.is_live;
    if (fresh && exchange_make(peer, in) == NULL) {
        return;
    }
    refuse(peer, result, text, in->match.allow);
    wring__http_refused(peer);
}

static wring_result body_check(wring_exchange *exchange, const struct incoming *in) {
    exchange->body_max = exchange->route->config.body_bytes_max;
    const wring_result result = expectation_check(exchange);
    if (result != WRING_OK) {
        return result;
    }
    return in->length > exchange->body_max ? WRING_ERR_MESSAGE_TOO_BIG : WRING_OK;
}

/* The body lies there whole: the handler gets it where it is. Returns its length. */
static size_t whole_body(wring_exchange *exchange, const struct incoming *in) {
    if (exchange->use != WRING__BODY_COLLECT || in->chunked || in->rest.len < in->length ||
        wring__peer_is_carried(exchange->peer)) {
        return 0;
    }
    exchange->request.body = wring_bytes_of(in->rest.data, (size_t)in->length);
    exchange->rx_bytes = in->length;
    exchange->body_ended = true;
    exchange->owes_continue = false;
    wring__http_used(exchange->peer, in->rest.data + in->length);
    return (size_t)in->length;
}

/* A body that is streamed and empty has a last piece, too. */
static void empty_body(wring_exchange *exchange, bool had_body) {
    if (exchange->use == WRING__BODY_STREAM && !had_body && exchange->is_live &&
        exchange->answer != WRING__ANSWER_WHOLE && !exchange->is_aborted) {
        wring__exchange_body(exchange, wring_bytes_of(NULL, 0), true);
    }
}

/* Returns how many bytes of the body were used. */
static size_t exchange_go(wring__peer *peer, const struct incoming *in) {
    wring_exchange *exchange = exchange_make(peer, in);
    if (exchange == NULL) {
        return 0;
    }
    wring__limits_handshake_over(peer);
    exchange->handler = &in->match.route->http;
    exchange->use = exchange->handler->body != NULL ? WRING__BODY_STREAM : WRING__BODY_COLLECT;
    wring_result result = body_check(exchange, in);
    if (result == WRING_OK) {
        result = wring__limits_admit_request(peer, wring__exchange_policy(exchange));
    }
    if (result != WRING_OK) {
        exchange->asks_close = true;
        refuse(peer, result,
               result == WRING_ERR_MESSAGE_TOO_BIG ? WRING__BODY_TOO_BIG
                                                   : wring_result_text(result),
               "");
        wring__http_refused(peer);
        return 0;
    }
    const size_t used = in->has_body ? whole_body(exchange, in) : 0;
    if (exchange->use == WRING__BODY_COLLECT && !exchange->body_ended) {
        if (wring__exchange_keep(exchange) != WRING_OK) {
            wring__end_abort(&peer->stream.end);
        } else {
            wring__http_wants_body(peer);
        }
        return 0;
    }
    wring__exchange_request(exchange);
    empty_body(exchange, in->has_body);
    wring__http_settle(peer);
    return used;
}

/* ---- upgrades -------------------------------------------------------------------------------- */

/* Nobody is asked: the usual case, which allocates nothing. */
static void upgrade_now(wring__peer *peer, struct incoming *in) {
    const wring__route *route = in->match.route;
    const wring_headers none = {NULL, 0};
    in->request.peer = wring__peer_address(peer, in->address);
    in->request.path = in->match.path;
    in->request.params = (wring_headers){in->match.params, in->match.param_count};
    if (wring__upgrade_accept(peer, route, &in->request, none) != WRING_OK) {
        wring__end_abort(&peer->stream.end);
        return;
    }
    wring__http_upgrade(peer, route, &in->request);
}

#define NO_UPGRADE "WebSockets are served here: they begin with a GET of HTTP/1.1 that upgrades"

/* For a route that has WebSockets only. HTTP/1.0 has no Upgrade, whatever its fields say (RFC 9110
 * 7.8), and HEAD is owed what GET without an Upgrade is (RFC 9110 9.3.2). */
static bool can_upgrade(const struct incoming *in) {
    return in->wants_upgrade || (in->request.http_version != 10 &&
                                 !wring_bytes_equal(in->request.method, wring_str("HEAD")));
}

static void upgrade(wring__peer *peer, struct incoming *in) {
    WRING_UNINITIALIZED char text[512]; /* of the refusal */
    const wring__route *route = in->match.route;
    if (!can_upgrade(in)) {
        exchange_refuse(peer, in, WRING_ERR_MISSING_UPGRADE, NO_UPGRADE);
        return;
    }
    wring_result result = wring__upgrade_check(peer, route, &in->request, in->fields, text);
    if (result == WRING_OK && wring__peer_is_carried(peer)) {
        result = wring__limits_stream_enter(peer);
        (void)snprintf(text, sizeof text, "%s", wring_result_text(result));
    }
    if (result != WRING_OK) {
        exchange_refuse(peer, in, result, text);
        return;
    }
    if (route->config.upgrade == NULL) {
        upgrade_now(peer, in);
        return;
    }
    wring_exchange *exchange = exchange_make(peer, in);
    if (exchange == NULL) {
        return;
    }
    exchange->handler = &route->upgrade;
    exchange->is_upgrade = true;
    exchange->body_ended = true;
    wring__exchange_request(exchange);
    wring__http_settle(peer);
}

/* ---- routing --------------------------------------------------------------------------------- */

/* An OPTIONS that no handler asked for (RFC 9110 9.3.7). */
static void options_answer(wring__peer *peer, const struct incoming *in) {
    wring_exchange *exchange = exchange_make(peer, in);
    if (exchange == NULL) {
        return;
    }
    const wring_header allow = {wring_str("Allow"), wring_str(in->match.allow)};
    const wring_answer answer = {
        .struct_size = sizeof answer, .status = 204, .headers = {&allow, 1}};
    if (wring__answer_whole(exchange, &answer) != WRING_OK) {
        wring__end_abort(&peer->stream.end);
        return;
    }
    wring__http_refused(peer);
}

/* Returns how many bytes of its body were used. */
static size_t incoming_go(wring__peer *peer, struct incoming *in) {
    wring__server_worker *worker = worker_of(peer);
    wring_server *server = worker->server;
    wring__settings_look(worker);
    in->request.server = server;
    in->tls = (wring_tls_info){.struct_size = sizeof in->tls};
    if (wring__upgrade_tls(peer, &in->tls, in->names)) {
        in->request.tls = &in->tls;
    }
    const wring_result result =
        wring__routes_match(&server->routes, in->request.path, in->request.method,
                            in->wants_upgrade, worker->decoded, &in->match);
    if (result != WRING_OK) {
        exchange_refuse(peer, in, result, wring_result_text(result));
    } else if (in->match.is_options) {
        options_answer(peer, in);
    } else if (in->match.is_upgrade) {
        upgrade(peer, in);
    } else {
        return exchange_go(peer, in);
    }
    return 0;
}

/* RFC 9110 7.8: HTTP/1.0 has no Upgrade. */
static bool asks_for_websocket(const wring_request *request) {
    return request->http_version == 11 && wring_bytes_equal(request->method, wring_str("GET")) &&
           has_token(request->headers, "upgrade", "websocket");
}

static wring_result head_check(const wring__http1 *parser, const uint8_t *data,
                               wring_header *headers, struct incoming *in) {
    wring_result result = wring__http1_request(parser, data, headers, &in->request);
    if (result == WRING_OK) {
        result = wring__http1_host_check(&in->request);
    }
    if (result == WRING_OK) {
        result =
            wring__http1_framing(in->request.headers, parser->minor, &in->chunked, &in->length);
    }
    return result;
}

/* What is malformed may be a HEAD all the same, and its answer has no body (RFC 9110 9.3.2). */
static bool is_head_method(wring_mut_bytes data) {
    while (data.len > 0 && (data.data[0] == '\r' || data.data[0] == '\n')) {
        data.data++;
        data.len--;
    }
    return data.len >= 5 && memcmp(data.data, "HEAD ", 5) == 0;
}

size_t wring__request_take(wring__peer *peer, const wring__http1 *parser, wring_result result,
                           wring_mut_bytes data) {
    WRING_UNINITIALIZED struct incoming in;
    if (result == WRING_OK) {
        result = head_check(parser, data.data, worker_of(peer)->headers, &in);
    }
    if (result != WRING_OK) {
        refuse_connection(peer, result, wring_result_text(result), is_head_method(data));
        return data.len;
    }
    const size_t head_len = parser->position;
    wring__http_used(peer, data.data + head_len);
    in.rest = (wring_mut_bytes){data.data + head_len, data.len - head_len};
    in.has_body = in.chunked || in.length > 0;
    in.fields = in.request.headers;
    in.wants_upgrade = asks_for_websocket(&in.request);
    return head_len + incoming_go(peer, &in);
}

/* Whether its host is served here at all is the routes' business. */
static wring_result authority_check(const wring__peer *peer, wring_bytes authority) {
    char host[256];
    const wring__tls *tls = wring__end_tls(&peer->stream.end);
    const uint8_t *colon = authority.len == 0 ? NULL : memrchr(authority.data, ':', authority.len);
    const size_t len =
        colon == NULL ||
                memchr(colon, ']', (size_t)(authority.data + authority.len - colon)) != NULL
            ? authority.len
            : (size_t)(colon - authority.data);
    if (tls == NULL || len >= sizeof host) {
        return WRING_OK;
    }
    memcpy(host, authority.data, len);
    host[len] = 0;
    return wring__tls_is_for(tls, host) ? WRING_OK : WRING_ERR_MISDIRECTED;
}

void wring__request_carried(wring__peer *peer, wring_headers fields, bool ends) {
    WRING_UNINITIALIZED struct incoming in;
    wring_bytes protocol;
    wring_result result =
        wring__http2_request(fields, worker_of(peer)->server->config.target_bytes_max, &in.request);
    if (result == WRING_OK) {
        result = authority_check(peer, in.request.host);
    }
    if (result == WRING_OK) {
        result = wring__http1_framing(in.request.headers, 1, &in.chunked, &in.length);
    }
    if (result != WRING_OK) {
        refuse_connection(peer, result, wring_result_text(result),
                          wring_bytes_equal(in.request.method, wring_str("HEAD")));
        return;
    }
    in.fields = fields;
    in.rest = (wring_mut_bytes){NULL, 0};
    in.wants_upgrade = wring_headers_get(fields, ":protocol", &protocol);
    in.has_body = !in.wants_upgrade && !ends;
    (void)incoming_go(peer, &in);
}

void wring__request_carried_refuse(wring__peer *peer, wring_headers fields, wring_result result) {
    wring_bytes method = {NULL, 0};
    (void)wring_headers_get(fields, ":method", &method);
    refuse_connection(peer, result, wring_result_text(result),
                      wring_bytes_equal(method, wring_str("HEAD")));
}
