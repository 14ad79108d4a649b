/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a body: collected, handed on, or dropped. See http.h.
 */
#include "server/http_internal.h"

#include <stdlib.h>
#include <string.h>

#include "server/request.h"
#include "server/server.h"

static bool body_collect(wring_exchange *exchange, wring_bytes piece) {
    const size_t want = exchange->body_len + piece.len;
    if (want > exchange->body_cap) {
        size_t cap = exchange->body_cap < 1024 ? 1024 : exchange->body_cap * 2;
        cap = cap < want ? want : cap;
        uint8_t *grown = realloc(exchange->body, cap);
        if (grown == NULL) {
            return false;
        }
        wring__exchange_count(exchange, cap, exchange->body_cap);
        exchange->body = grown;
        exchange->body_cap = cap;
    }
    memcpy(exchange->body + exchange->body_len, piece.data, piece.len);
    exchange->body_len = want;
    return true;
}

/* The request cannot go on: answered if that is still possible, and the connection's last. */
void wring__http_body_fail(wring__peer *peer, wring_result result, const char *text) {
    wring_exchange *exchange = &peer->http->exchange;
    exchange->asks_close = true;
    if (exchange->answer != WRING__ANSWER_NONE) { /* begun: what is missing tells the client */
        wring__exchange_end(exchange, result);
        wring__end_abort(&peer->stream.end);
        return;
    }
    wring__request_answer_refusal(peer, result, text);
    wring__exchange_end(exchange, result);
    wring__http_last(peer);
}

static void body_piece(wring__peer *peer, wring_bytes piece) {
    wring_exchange *exchange = &peer->http->exchange;
    exchange->rx_bytes += piece.len;
    exchange->owes_continue = false;
    if (exchange->rx_bytes > exchange->body_max) {
        wring__http_body_fail(peer, WRING_ERR_MESSAGE_TOO_BIG, WRING__BODY_TOO_BIG);
        return;
    }
    if (peer->http->deadline != WRING_TIME_NEVER) {
        peer->http->deadline += piece.len * (WRING_NS_PER_SEC / 1024);
    }
    if (exchange->use == WRING__BODY_STREAM) {
        wring__exchange_body(exchange, piece, false);
        wring__http_settle(peer);
    } else if (!body_collect(exchange, piece)) {
        wring__http_memory_out(peer);
    }
}

void wring__http_body_end(wring__peer *peer) {
    wring_exchange *exchange = &peer->http->exchange;
    exchange->body_ended = true;
    /* Nothing is left to pause; what else the client does, such as going away, has to be seen. */
    wring__end_rx_go(&peer->stream.end, WRING__RX_STOP_PAUSED);
    if (exchange->use == WRING__BODY_STREAM) {
        wring__exchange_body(exchange, wring_bytes_of(NULL, 0), true);
    } else {
        exchange->request.body = wring_bytes_of(exchange->body, exchange->body_len);
        wring__exchange_request(exchange);
    }
    wring__http_settle(peer);
}

static void discard(wring__peer *peer, wring_bytes piece, bool ended) {
    wring__http *http = peer->http;
    http->discarded += piece.len;
    if (http->discarded > WRING__HTTP_DISCARD_MAX) {
        wring__http_last(peer);
    } else if (ended) {
        wring__http_head_next(peer);
    }
}

/* Bytes of a body. Returns how many were taken: the phase may change at any of them. */
size_t wring__http_step_body(wring__peer *peer, wring_mut_bytes in) {
    wring__http *http = peer->http;
    const bool is_wanted = http->phase == WRING__HTTP_BODY;
    wring_bytes piece;
    size_t used = 0;
    const wring_result result =
        wring__http1_body_next(&http->body, wring_bytes_of(in.data, in.len), &used, &piece);
    if (result == WRING_MORE) {
        return in.len;
    }
    if (result != WRING_OK) {
        is_wanted ? wring__http_body_fail(peer, result, wring_result_text(result))
                  : wring__http_last(peer);
        return in.len;
    }
    const bool ended = wring__http1_body_has_ended(&http->body);
    if (!is_wanted) {
        discard(peer, piece, ended);
        return used;
    }
    if (piece.len > 0) {
        body_piece(peer, piece);
    }
    if (!ended || !wring__http_is_open(peer) || peer->http == NULL) {
        return used;
    }
    if (peer->http->phase == WRING__HTTP_BODY) {
        wring__http_body_end(peer);
    } else if (peer->http->phase == WRING__HTTP_DISCARD) {
        wring__http_head_next(peer);
    }
    return used;
}
