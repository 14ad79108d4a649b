/* SPDX-License-Identifier: Apache-2.0
 *
 * From a connection's bytes to exchanges, in order. See http.h. How a request finds its handler is
 * in request.c; the other files of this room are named in http_internal.h.
 */
#include "server/http_internal.h"

#include <stdlib.h>

#include "server/request.h"
#include "server/server.h"

/* ---- what a connection has ------------------------------------------------------------------- */

wring__http *wring__http_make(wring__peer *peer) {
    if (peer->http != NULL) {
        return peer->http;
    }
    wring__http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        wring__end_abort(&peer->stream.end);
        return NULL;
    }
    http->address_len = (uint8_t)wring__peer_address(peer, http->address).len;
    http->deadline = peer->stream.end.timer.deadline;
    http->deadline = http->deadline == 0 ? WRING_TIME_NEVER : http->deadline;
    wring__exchange_init(&http->exchange, peer);
    peer->http = http;
    return http;
}

void wring__http_destroy(wring__peer *peer, wring__http *http) {
    wring__head_free(&http->head);
    wring__peer_worker(peer)->io.chunks.held -= http->head_bytes;
    wring__exchange_free(&http->exchange);
    wring__http_held_free(peer, http);
    free(http->peer_names);
    free(http);
}

void wring__http_free(wring__peer *peer) {
    if (peer->http != NULL) {
        wring__http *http = peer->http;
        wring__exchange_end(&http->exchange, WRING_ERR_CLOSED); /* whoever cut it did not say why */
        peer->http = NULL;
        wring__http_destroy(peer, http);
    }
}

uint64_t wring__http_held(const wring__peer *peer) {
    const wring__http *http = peer->http;
    return http == NULL ? 0
                        : http->head_bytes + http->held_cap + http->exchange.kept.bytes +
                              http->exchange.body_cap;
}

/* ---- heads ----------------------------------------------------------------------------------- */

/* What a head in pieces has of the memory budget. */
static void head_count(wring__peer *peer, size_t bytes) {
    wring__peer_worker(peer)->io.chunks.held += bytes - peer->http->head_bytes;
    peer->http->head_bytes = bytes;
}

static void head_in_pieces(wring__peer *peer, wring__head *collected) {
    const bool is_first = peer->http == NULL || peer->http->head == NULL;
    wring__http *http = wring__http_make(peer);
    if (http == NULL) {
        wring__head_free(&collected);
        return;
    }
    http->head = collected;
    head_count(peer, collected->cap);
    if (is_first && http->count > 0) {
        wring__http_set_deadline(
            peer, wring__http_after(peer, wring__http_config(peer)->handshake_timeout_ms));
    }
}

/* Bytes of a head, and perhaps of the body behind it. Returns how many were taken. */
static size_t step_head(wring__peer *peer, wring_mut_bytes in) {
    const wring_server_config *config = wring__http_config(peer);
    wring__http1 *parser = &wring__peer_worker(peer)->parser;
    wring__head *head = peer->http == NULL ? NULL : peer->http->head;
    wring_mut_bytes data;
    if (head == NULL) {
        wring__http1_init(parser, WRING__HTTP1_REQUEST, config->handshake_bytes_max,
                          (uint16_t)config->target_bytes_max);
    }
    const wring_result result = wring__head_feed(&head, parser, in, &parser, &data);
    if (result == WRING_MORE) {
        head_in_pieces(peer, head);
        return in.len;
    }
    if (head == NULL) {
        return wring__request_take(peer, parser, result, data);
    }
    if (peer->http == NULL || result == WRING_ERR_NO_MEMORY) {
        WRING_ASSERT(result == WRING_ERR_NO_MEMORY);
        wring__end_abort(&peer->stream.end);
        if (peer->http == NULL) {
            wring__head_free(&head);
        }
        return in.len;
    }
    peer->http->head = NULL;
    head_count(peer, 0);
    wring__http_held_adopt(peer, head);
    (void)wring__request_take(peer, parser, result, data);
    wring__head_free(&head);
    return in.len;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool may_go_on(wring__peer *peer) {
    wring__endpoint *end = &peer->stream.end;
    const enum wring__http_phase phase =
        peer->http == NULL ? WRING__HTTP_HEAD : (enum wring__http_phase)peer->http->phase;
    if (phase == WRING__HTTP_ANSWER || phase == WRING__HTTP_LAST || wring__http_is_paused(peer)) {
        return false;
    }
    if (WRING_UNLIKELY(wring__end_unsent(end) > end->worker->pause_bytes[0])) {
        end->tell_drained = true; /* its answers are not taken: it is asked again when they are */
        return false;
    }
    return true;
}

static size_t step(wring__peer *peer, wring_mut_bytes in) {
    return peer->http == NULL || peer->http->phase == WRING__HTTP_HEAD
               ? step_head(peer, in)
               : wring__http_step_body(peer, in);
}

/* What a connection may do in a turn: so many requests, or pieces of bodies. */
#define TURN_WORK    512
#define WORK_OF_HEAD 8

/* A client that sends many requests at once does not keep the others of its worker waiting. */
static bool has_done_enough(wring__peer *peer, unsigned *work) {
    const bool is_head = peer->http == NULL || peer->http->phase == WRING__HTTP_HEAD;
    *work += is_head ? WORK_OF_HEAD : 1;
    return *work > TURN_WORK && !wring__peer_is_carried(peer);
}

/* Goes on with the bytes, or with what is held when there are none. Returns what is left of them.
 */
static wring_mut_bytes run(wring__peer *peer, wring_mut_bytes bytes) {
    unsigned work = 0;
    while (wring__http_is_open(peer) && may_go_on(peer)) {
        const bool is_held = bytes.len == 0;
        wring__http *http = peer->http;
        if (is_held && (http == NULL || !wring__http_has_held(http))) {
            break;
        }
        if (WRING_UNLIKELY(has_done_enough(peer, &work))) {
            wring__end_yield(&peer->stream.end);
            break;
        }
        const wring_mut_bytes in = is_held ? wring__http_held_view(http) : bytes;
        const size_t used = step(peer, in);
        if (!is_held) {
            bytes.data += used;
            bytes.len -= used;
        } else if (wring__http_is_open(peer)) {
            wring__http_used(peer, in.data + used);
        }
    }
    return bytes;
}

static void run_end(wring__peer *peer) {
    wring__http *http = peer->http;
    if (!wring__http_is_open(peer) || http == NULL) {
        return;
    }
    if (!wring__http_has_held(http)) {
        wring__http_held_free(peer, http);
        if (http->has_eof && http->phase != WRING__HTTP_ANSWER &&
            http->phase != WRING__HTTP_LAST) { /* it came while this waited */
            wring__http_eof(peer);
            return;
        }
    }
    if (http->held_len - http->held_at < WRING__HTTP_BEHIND_MAX &&
        http->phase != WRING__HTTP_LAST) {
        wring__end_rx_go(&peer->stream.end, WRING__RX_STOP_ANSWER);
    }
}

void wring__http_rx(wring__peer *peer, wring_mut_bytes bytes) {
    wring__server_worker *worker = wring__peer_worker(peer);
    WRING_ASSERT(worker->http_runs == NULL);
    if (peer->http != NULL && bytes.len > 0 && wring__http_has_held(peer->http)) {
        wring__http_hold(peer, bytes);
        bytes.len = 0;
    }
    worker->http_runs = peer;
    bytes = run(peer, bytes);
    worker->http_runs = NULL;
    if (bytes.len > 0 && wring__http_is_open(peer)) {
        wring__http_hold(peer, bytes);
    } else if (bytes.len > 0) {
        wring__http_first_frames(peer, bytes);
    }
    run_end(peer);
}
