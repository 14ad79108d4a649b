/* SPDX-License-Identifier: Apache-2.0
 *
 * What the application did with an exchange is acted on, and the next one begins. See http.h.
 */
#include "server/carried.h"
#include "server/http_internal.h"

#include "server/answer.h"
#include "server/server.h"
#include "server/upgrade.h"

/* ---- whether the connection goes on ---------------------------------------------------------- */

static bool is_body_left_small(const wring__http *http) {
    return wring__http1_body_known_left(&http->body) <= WRING__HTTP_DISCARD_MAX;
}

/* Whether the next request can be reached: the body was received, will be taken by its handler
 * while the answer goes out in pieces, or is short enough to be dropped. */
static bool body_goes_on(const wring__http *http) {
    const wring_exchange *exchange = &http->exchange;
    const bool is_taken = exchange->use == WRING__BODY_STREAM && exchange->answer_begins;
    return exchange->body_ended ||
           (!exchange->owes_continue && (is_taken || is_body_left_small(http)));
}

bool wring__http_keeps_alive(wring__peer *peer) {
    wring__http *http = peer->http;
    const wring_exchange *exchange = &http->exchange;
    const wring_server_config *config = wring__http_config(peer);
    const bool keeps = !exchange->asks_close && !exchange->asks_upgrade && !http->is_last &&
                       body_goes_on(http) && !(http->has_eof && !wring__http_has_held(http)) &&
                       http->count < config->exchanges_max &&
                       !wring__peer_worker(peer)->member.is_draining;
    http->is_last = !keeps;
    return keeps;
}

/* The exchange was aborted. Earlier answers that are queued still leave, unless part of its own is
 * queued behind them. */
static void cut(wring__peer *peer) {
    wring__endpoint *end = &peer->stream.end;
    if (peer->http->exchange.answer == WRING__ANSWER_NONE && wring__end_unsent(end) > 0 &&
        !wring__peer_is_carried(peer)) {
        wring__http_last(peer);
    } else {
        wring__end_abort(end);
    }
}

/* ---- the end of an exchange ------------------------------------------------------------------ */

static void exchange_over(wring__peer *peer) {
    wring__http *http = peer->http;
    wring_exchange *exchange = &http->exchange;
    wring__exchange_end(exchange, WRING_OK);
    const bool body_ended = exchange->body_ended;
    wring__exchange_free(exchange);
    wring__end_rx_go(&peer->stream.end, WRING__RX_STOP_PAUSED);
    /* an answer in pieces may have ended before the body, behind a head that promised to go on */
    const bool is_too_long = !body_ended && !is_body_left_small(http);
    if (http->is_last || is_too_long || wring__peer_is_carried(peer)) {
        wring__http_end(peer, !body_ended || wring__http_has_held(http));
    } else if (!body_ended) {
        http->phase = WRING__HTTP_DISCARD;
        http->discarded = 0;
        wring__http_set_deadline(peer, wring__http_body_deadline(peer));
    } else {
        wring__http_head_next(peer);
    }
}

void wring__http_refused(wring__peer *peer) {
    if (peer->http->exchange.is_aborted) {
        wring__end_abort(&peer->stream.end);
    } else {
        exchange_over(peer);
    }
}

/* ---- upgrades -------------------------------------------------------------------------------- */

/* Frames that came with the head. In one place: peer_rx then has wring__stream_rx inlined. */
__attribute__((noinline)) void wring__http_first_frames(wring__peer *peer, wring_mut_bytes bytes) {
    if (wring__stream_is_started(&peer->stream) && peer->stream.end.state == WRING__END_OPEN) {
        wring__stream_rx(&peer->stream, bytes, NULL);
    }
}

void wring__http_upgrade(wring__peer *peer, const wring__route *route,
                         const wring_request *request) {
    wring__http *http = peer->http; /* the request may lie in it */
    if (http == NULL) {
        wring__upgrade_begin(peer, route, request);
        return;
    }
    peer->http = NULL; /* its place is that of the session's subscriptions */
    wring__end_rx_go(&peer->stream.end, WRING__RX_STOP_ANSWER);
    if (route->handler.state_size > 0) { /* exchanges of this connection may have used it */
        memset(peer->state, 0, route->handler.state_size);
    }
    wring__upgrade_begin(peer, route, request);
    if (wring__http_has_held(http)) {
        wring__http_first_frames(peer, wring__http_held_view(http));
    }
    if (http->has_eof && peer->stream.end.state == WRING__END_OPEN) {
        wring__stream_fail(&peer->stream, WRING_ERR_TRUNCATED);
        wring__end_shut(&peer->stream.end);
    }
    wring__http_destroy(peer, http);
}

/* The 101 is queued. The request is the exchange's until `init` has returned. */
static void accepted(wring__peer *peer) {
    wring__http *http = peer->http;
    wring_exchange *exchange = &http->exchange;
    wring_request request = exchange->request;
    request.accept_data = exchange->accept_data;
    exchange->accept_lost = NULL; /* init gets it */
    wring__exchange_end(exchange, WRING_OK);
    wring__http_upgrade(peer, exchange->route, &request);
}

/* ---- an exchange that goes on ---------------------------------------------------------------- */

static void wait_for_more(wring__peer *peer) {
    wring__http *http = peer->http;
    wring_exchange *exchange = &http->exchange;
    if (wring__exchange_keep(exchange) != WRING_OK) {
        wring__http_memory_out(peer);
        return;
    }
    if (!exchange->body_ended) {
        wring__http_wants_body(peer);
    } else if (http->phase != WRING__HTTP_ANSWER) {
        http->phase = WRING__HTTP_ANSWER;
        wring__http_set_deadline(
            peer, wring__http_after(peer, exchange->is_upgrade
                                              ? wring__http_config(peer)->handshake_timeout_ms
                                              : wring__http_config(peer)->answer_timeout_ms));
    }
}

void wring__http_continue(wring__peer *peer) {
    wring_exchange *exchange = &peer->http->exchange;
    if (exchange->owes_continue) {
        exchange->owes_continue = false;
        if (wring__peer_is_carried(peer)) {
            wring__carried_continue(peer);
        } else if (wring__answer_bytes(peer, wring_str("HTTP/1.1 100 Continue\r\n\r\n")) ==
                   WRING_OK) {
            wring__end_flush(&peer->stream.end);
        }
    }
}

/* Told once for each phase: a body is awaited, and the client may wait to be asked for it. */
void wring__http_wants_body(wring__peer *peer) {
    wring__http *http = peer->http;
    wring_exchange *exchange = &http->exchange;
    if (exchange->answer == WRING__ANSWER_NONE) {
        wring__http_continue(peer);
    }
    if (http->phase != WRING__HTTP_BODY) {
        http->phase = WRING__HTTP_BODY;
        wring__http_set_deadline(peer, wring__http_body_deadline(peer));
        if (wring__http_is_paused(peer)) {
            wring__http_paused(peer);
        }
    }
}

static bool awaits_something(const wring_exchange *exchange) {
    const bool awaits_body = exchange->use == WRING__BODY_STREAM && !exchange->body_ended;
    return awaits_body || wring__exchange_waits(exchange);
}

/* There is no answer. Perhaps none can be given any more, or none is to come. */
static void look_unanswered(wring__peer *peer) {
    wring_exchange *exchange = &peer->http->exchange;
    const bool is_broken = wring__end_is_broken(&peer->stream.end);
    if (is_broken && wring__peer_is_carried(peer)) {
        return; /* its carrier tells why: perhaps its client has reset it */
    }
    if (is_broken) {
        wring__answer_cut(exchange, WRING_ERR_TRANSPORT);
    } else if (awaits_something(exchange)) {
        return;
    } else if (exchange->refused == WRING_OK) {
        wring__answer_missing(exchange, WRING_ERR_INVALID_STATE,
                              "its handler neither answered nor took a ref");
    } else {
        wring__answer_missing(exchange, exchange->refused,
                              "the answer of its handler was refused by the library");
    }
}

void wring__http_settle(wring__peer *peer) {
    wring__http *http = wring__stream_is_started(&peer->stream) ? NULL : peer->http;
    if (http == NULL || !http->exchange.is_live || http->exchange.depth > 0) {
        return;
    }
    wring_exchange *exchange = &http->exchange;
    if (exchange->answer == WRING__ANSWER_NONE && !exchange->is_aborted) {
        look_unanswered(peer);
    }
    if (exchange->is_aborted) {
        wring__exchange_end(exchange, exchange->reason);
        cut(peer);
    } else if (exchange->answer == WRING__ANSWER_ACCEPTED) {
        accepted(peer);
        return;
    } else if (exchange->answer == WRING__ANSWER_WHOLE) {
        exchange_over(peer);
    } else {
        wait_for_more(peer);
    }
    if (wring__peer_worker(peer)->http_runs != peer) {
        wring__http_rx(peer, (wring_mut_bytes){NULL, 0});
    }
}
