/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens to a connection between its bytes: deadlines, ends, the server's drain. See http.h.
 */
#include "server/http_internal.h"

#include "server/answer.h"
#include "server/request.h"
#include "server/server.h"

/* Draining: how long a connection without a whole request may yet send it. */
#define UNHEARD_NS (500 * WRING_NS_PER_MS)

/* ---- deadlines ------------------------------------------------------------------------------- */

/* The timer is set to an earlier time only: nearly every deadline is taken back before it passes.
 */
void wring__http_set_deadline(wring__peer *peer, wring_time_ns at) {
    peer->http->deadline = at;
    wring__end_bring_deadline(&peer->stream.end, at);
}

wring_time_ns wring__http_after(const wring__peer *peer, uint32_t timeout_ms) {
    return timeout_ms == WRING_OFF
               ? WRING_TIME_NEVER
               : peer->stream.end.worker->clock.peer_now + timeout_ms * WRING_NS_PER_MS;
}

/* A body has this time, and more with what came of it: so a slow network is waited for, and one
 * byte at a time is not. */
wring_time_ns wring__http_body_deadline(const wring__peer *peer) {
    return wring__http_after(peer, wring__http_config(peer)->body_timeout_ms);
}

/* The time for an answer, or for some of its bytes to move. */
static wring_time_ns answer_deadline(const wring__peer *peer) {
    return wring__http_after(peer, wring__http_config(peer)->answer_timeout_ms);
}

/* Draining: what a client asks for may be on its way or wait in the socket: it has a moment. */
static wring_time_ns unheard_deadline(const wring__peer *peer) {
    const uint64_t moment = wring__min_u64(UNHEARD_NS, wring__peer_worker(peer)->drain_ns / 2);
    return peer->stream.end.worker->clock.peer_now + moment;
}

void wring__http_paused(wring__peer *peer) {
    wring__http *http = peer->http;
    const wring_time_ns now = peer->stream.end.worker->clock.peer_now;
    if (http->phase == WRING__HTTP_BODY) {
        http->body_left = http->deadline > now ? http->deadline - now : 0;
        wring__http_set_deadline(peer, answer_deadline(peer));
    }
}

void wring__http_resumed(wring__peer *peer) {
    wring__http *http = peer->http;
    const wring_time_ns now = peer->stream.end.worker->clock.peer_now;
    if (http->phase == WRING__HTTP_BODY) {
        const bool is_endless = http->body_left > WRING_TIME_NEVER - now;
        wring__http_set_deadline(peer, is_endless ? WRING_TIME_NEVER : now + http->body_left);
    }
}

/* ---- ends ------------------------------------------------------------------------------------ */

/* Nothing more is read as a request. What the client is still sending is dropped for a while, so
 * that a reset does not overtake the answer (RFC 9112 9.6). */
void wring__http_end(wring__peer *peer, bool is_sending) {
    if (peer->http != NULL) {
        peer->http->phase = WRING__HTTP_LAST;
    }
    if (is_sending) {
        wring__end_linger_longer(&peer->stream.end);
    }
    wring__end_be_patient(&peer->stream.end);
    wring__end_shut(&peer->stream.end);
}

void wring__http_last(wring__peer *peer) {
    wring__http_end(peer, true);
}

/* Between two requests. */
static void idle_wait(wring__peer *peer, wring_time_ns at) {
    const bool is_draining = wring__peer_worker(peer)->member.is_draining;
    wring__http_set_deadline(peer, is_draining ? wring__min_u64(at, unheard_deadline(peer)) : at);
}

void wring__http_head_next(wring__peer *peer) {
    const wring_server_config *config = wring__http_config(peer);
    peer->http->phase = WRING__HTTP_HEAD;
    peer->http->leaves = false;
    idle_wait(peer, wring__http_after(peer, wring__http_has_held(peer->http)
                                                ? config->handshake_timeout_ms
                                                : config->keep_alive_timeout_ms));
}

void wring__http_eof(wring__peer *peer) {
    wring__http *http = peer->http;
    const enum wring__http_phase phase =
        http == NULL ? WRING__HTTP_HEAD : (enum wring__http_phase)http->phase;
    if (http != NULL && (phase == WRING__HTTP_ANSWER ||
                         wring__http_has_held(http))) { /* what is held comes first */
        http->has_eof = true; /* a client that said all it had to still gets its answers */
        return;
    }
    if (phase == WRING__HTTP_BODY && wring__peer_is_carried(peer)) {
        wring__http_body_end(peer); /* a carrier's stream ends so */
        return;
    }
    if (phase == WRING__HTTP_BODY) {
        wring__http_body_fail(peer, WRING_ERR_TRUNCATED, "the body ended early");
        return;
    }
    if (http == NULL || http->count == 0) {
        wring__tell_handshake_failed(peer, WRING_ERR_TRUNCATED);
    }
    wring__end_shut(&peer->stream.end);
}

void wring__http_fail(wring__peer *peer, wring_result reason) {
    if (!wring__stream_is_started(&peer->stream) && peer->http != NULL) {
        wring__exchange_end(&peer->http->exchange, reason);
    }
}

void wring__http_drain(wring__peer *peer) {
    wring__http *http = peer->http;
    if (http != NULL && http->phase == WRING__HTTP_ANSWER && http->exchange.is_upgrade &&
        http->exchange.answer == WRING__ANSWER_NONE) {
        http->exchange.asks_close = true;
        wring__request_answer_refusal(peer, WRING_ERR_CLOSED, "the server is shutting down");
        wring__exchange_end(&http->exchange, WRING_ERR_CLOSED);
        wring__http_last(peer);
    } else if (http == NULL) {
        wring__end_bring_deadline(&peer->stream.end, unheard_deadline(peer));
    } else if (http->phase == WRING__HTTP_HEAD) {
        idle_wait(peer, http->deadline);
    } /* else its answer says that the connection ends */
}

/* ---- what is late ---------------------------------------------------------------------------- */

/* That of a stream is the end of its request, as each has one. */
static bool has_left(const wring__peer *peer) {
    return peer->http->has_eof && !wring__peer_is_carried(peer);
}

/* Of one that sends nothing more only bytes that it takes tell, and of one that is not read. The
 * connection of a stream is read, whatever the stream does. */
static bool may_be_gone(const wring__peer *peer) {
    const unsigned unseen = WRING__RX_STOP_ANSWER | WRING__RX_STOP_PAUSED;
    return has_left(peer) ||
           ((peer->stream.end.rx_stop & unseen) != 0 && !wring__peer_is_carried(peer));
}

/* Whether the client took bytes since the last look; also with nothing to take, unless it may be
 * gone. */
static bool takes_bytes(wring__peer *peer) {
    wring__endpoint *end = &peer->stream.end;
    return wring__end_take_tx_moved(end) || (wring__end_unsent(end) == 0 && !may_be_gone(peer));
}

static void answer_is_late(wring__peer *peer) {
    wring_exchange *exchange = &peer->http->exchange;
    if (exchange->answer == WRING__ANSWER_NONE) {
        wring__tell_request_unanswered(
            peer, 503, exchange->refused == WRING_OK ? WRING_ERR_TIMEOUT : exchange->refused,
            "it was not answered in time");
        exchange->asks_close = true;
        wring__answer_refusal(exchange, 503, "no answer in time", (wring_headers){NULL, 0});
        wring__exchange_end(exchange, WRING_ERR_TIMEOUT);
        wring__http_last(peer);
    } else if (takes_bytes(peer)) {
        wring__http_set_deadline(peer, answer_deadline(peer));
    } else {
        wring__exchange_end(exchange,
                            has_left(peer) ? WRING_ERR_TRUNCATED : WRING_ERR_SLOW_CONSUMER);
        wring__end_abort(&peer->stream.end);
    }
}

/* Idle, but for an answer that is queued: it has the time of answers, each time that some of it
 * moved. */
static void answer_leaves(wring__peer *peer) {
    peer->http->leaves = true;
    if (wring__peer_worker(peer)->member.is_draining) {
        peer->stream.end.tell_drained = true; /* then the connection is not waited for any longer */
    }
    wring__http_set_deadline(peer, answer_deadline(peer));
}

static void head_is_late(wring__peer *peer) {
    wring__http *http = peer->http;
    if (http == NULL || http->count == 0 || http->head != NULL) {
        wring__peer_worker(peer)->member.is_draining
            ? wring__request_refuse_draining(peer)
            : wring__request_refuse(peer, WRING_ERR_TIMEOUT);
    } else if (wring__end_unsent(&peer->stream.end) == 0) {
        wring__http_end(peer, false); /* nothing was asked for: nothing is said */
    } else if (takes_bytes(peer) || !http->leaves) {
        answer_leaves(peer);
    } else {
        wring__end_abort(&peer->stream.end);
    }
}

static bool is_decided(const wring_exchange *exchange) {
    return exchange->is_live && (exchange->is_aborted || exchange->answer >= WRING__ANSWER_WHOLE);
}

void wring__http_timer(wring__peer *peer) {
    wring__http *http = peer->http;
    if (http != NULL && http->deadline > peer->stream.end.worker->clock.peer_now) {
        wring__end_set_deadline(&peer->stream.end, http->deadline);
        return;
    }
    if (http != NULL && is_decided(&http->exchange)) {
        wring__http_settle(peer); /* since the last look, from a callback of another exchange */
        return;
    }
    switch (http == NULL ? WRING__HTTP_HEAD : (enum wring__http_phase)http->phase) {
    case WRING__HTTP_HEAD:
        head_is_late(peer);
        break;
    case WRING__HTTP_BODY:
        if (!wring__http_is_paused(peer)) {
            wring__http_body_fail(peer, WRING_ERR_TIMEOUT, "the body came too slowly");
            break;
        }
        answer_is_late(peer);
        break;
    case WRING__HTTP_ANSWER:
        answer_is_late(peer);
        break;
    case WRING__HTTP_DISCARD:
    case WRING__HTTP_LAST:
        wring__end_abort(&peer->stream.end);
        break;
    }
}

void wring__http_asked(wring__peer *peer) {
    wring__http *http = peer->http;
    if (http == NULL) {
        return;
    }
    wring__http_settle(peer);
    if (!wring__http_is_open(peer) || peer->http == NULL) {
        return;
    }
    wring_exchange *exchange = &peer->http->exchange;
    if (exchange->is_live && exchange->wants_room) {
        if (wring__end_unsent(&peer->stream.end) >
            wring__exchange_policy(exchange)->send_soft_bytes / 2) {
            peer->stream.end.tell_drained = true;
            return;
        }
        wring__exchange_drained(exchange);
        wring__http_settle(peer);
    }
    if (wring__http_is_open(peer)) {
        wring__http_rx(peer, (wring_mut_bytes){NULL, 0});
    }
    if (wring__http_is_open(peer) && peer->http != NULL && peer->http->phase == WRING__HTTP_HEAD &&
        wring__peer_worker(peer)->member.is_draining) {
        idle_wait(peer, peer->http->deadline); /* what was queued has left */
    }
}
