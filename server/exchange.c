/* SPDX-License-Identifier: Apache-2.0
 *
 * An exchange from its request to its end. See exchange.h. Answers are in answer.c, names and mail
 * in exchange_ref.c.
 */
#include "server/exchange.h"

#include <stdlib.h>

#include "server/http.h"
#include "server/server.h"
#include "server/upgrade.h"

static wring__server_worker *worker_of(const wring_exchange *exchange) {
    return wring__peer_worker(exchange->peer);
}

/* ---- what belongs to it ---------------------------------------------------------------------- */

void *wring_exchange_user(const wring_exchange *exchange) {
    return exchange->handler->state_size == 0 ? NULL : exchange->peer->state;
}

void *wring_exchange_opts(const wring_exchange *exchange) {
    return exchange->route->config.opts;
}

const wring_request *wring_exchange_request(const wring_exchange *exchange) {
    return &exchange->request;
}

wring_server *wring_exchange_server(const wring_exchange *exchange) {
    return worker_of(exchange)->server;
}

wring_loop wring_exchange_loop(const wring_exchange *exchange) {
    return worker_of(exchange)->io.index;
}

uint32_t wring_exchange_worker(const wring_exchange *exchange) {
    return worker_of(exchange)->io.number;
}

uint64_t wring_exchange_queued_bytes(const wring_exchange *exchange) {
    return wring__end_unsent(&exchange->peer->stream.end);
}

const wring_policy *wring__exchange_policy(const wring_exchange *exchange) {
    const wring__server_worker *worker = worker_of(exchange);
    return &worker->settings->policies[exchange->route - worker->server->routes.list].config;
}

void wring_exchange_pause(wring_exchange *exchange) {
    wring__endpoint *end = &exchange->peer->stream.end;
    if (exchange->is_live && exchange->use == WRING__BODY_STREAM && !exchange->body_ended &&
        end->state == WRING__END_OPEN && (end->rx_stop & WRING__RX_STOP_PAUSED) == 0) {
        wring__end_rx_stop(end, WRING__RX_STOP_PAUSED);
        wring__http_paused(exchange->peer);
    }
}

void wring_exchange_resume(wring_exchange *exchange) {
    wring__endpoint *end = &exchange->peer->stream.end;
    if (exchange->is_live && (end->rx_stop & WRING__RX_STOP_PAUSED) != 0) {
        wring__end_rx_go(end, WRING__RX_STOP_PAUSED);
        wring__http_resumed(exchange->peer);
        wring__end_ask(end); /* what was received before waits */
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

void wring__exchange_count(wring_exchange *exchange, size_t more, size_t less) {
    worker_of(exchange)->io.chunks.held += more - less;
}

void wring__exchange_init(wring_exchange *exchange, wring__peer *peer) {
    memset(exchange, 0, sizeof *exchange);
    exchange->peer = peer;
}

void wring__exchange_free(wring_exchange *exchange) {
    WRING_ASSERT(!exchange->is_live && exchange->name.worker == NULL);
    wring__exchange_count(exchange, 0, exchange->kept.bytes + exchange->body_cap);
    free(exchange->kept.data);
    free(exchange->body);
    exchange->kept = (wring__kept){0};
    exchange->body = NULL;
    exchange->body_len = exchange->body_cap = 0;
}

/* ---- a request that is kept ------------------------------------------------------------------ */

/* Of everything that a request borrows. */
struct keeper {
    uint8_t *at; /* NULL: only counted */
    size_t bytes;
};

static void view_keep(struct keeper *keeper, wring_bytes *view) {
    keeper->bytes += view->len;
    if (keeper->at == NULL || view->len == 0) {
        return;
    }
    view->data = memcpy(keeper->at, view->data, view->len);
    keeper->at += view->len;
}

static void list_keep(struct keeper *keeper, wring_headers *headers, wring_header *to) {
    for (size_t i = 0; i < headers->count; i++) {
        wring_header header = headers->list[i];
        view_keep(keeper, &header.name);
        view_keep(keeper, &header.value);
        if (to != NULL) {
            to[i] = header;
        }
    }
    headers->list = to == NULL ? headers->list : to;
}

static void request_keep(struct keeper *keeper, wring_request *request, wring_header *lists) {
    wring_bytes *views[] = {&request->method, &request->target,     &request->path,
                            &request->query,  &request->host,       &request->origin,
                            &request->body,   &request->subprotocol};
    const size_t count = request->headers.count;
    for (size_t i = 0; i < WRING_ARRAY_LEN(views); i++) {
        view_keep(keeper, views[i]);
    }
    list_keep(keeper, &request->headers, lists);
    list_keep(keeper, &request->params, lists == NULL ? NULL : lists + count);
}

wring_result wring__exchange_keep(wring_exchange *exchange) {
    wring_request *request = &exchange->request;
    struct keeper keeper = {NULL, 0};
    if (exchange->kept.data != NULL) {
        return WRING_OK;
    }
    const size_t lists = (request->headers.count + request->params.count) * sizeof(wring_header);
    const size_t names = exchange->tls.peer_name == NULL ? 0 : strlen(exchange->tls.peer_name) + 1;
    request_keep(&keeper, request, NULL);
    const size_t bytes = lists + keeper.bytes + names;
    uint8_t *data = malloc(bytes + 1);
    if (data == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    keeper.at = data + lists;
    request_keep(&keeper, request, (wring_header *)(void *)data);
    if (names > 0) {
        exchange->tls.peer_name = memcpy(keeper.at, exchange->tls.peer_name, names);
    }
    exchange->kept = (wring__kept){data, bytes};
    wring__exchange_count(exchange, bytes, 0);
    return WRING_OK;
}

/* ---- its callbacks --------------------------------------------------------------------------- */

/* Around each callback: what is answered within it is acted on when it has returned. */
static void call_begin(wring_exchange *exchange) {
    WRING_ASSERT(exchange->is_live && exchange->depth < UINT8_MAX);
    worker_of(exchange)->current = NULL; /* no session's callback runs */
    exchange->depth++;
}

static void call_end(wring_exchange *exchange) {
    WRING_ASSERT(exchange->depth > 0);
    exchange->depth--;
}

void wring__exchange_request(wring_exchange *exchange) {
    exchange->is_live = true;
    if (exchange->handler->state_size > 0) {
        memset(exchange->peer->state, 0, exchange->handler->state_size);
    }
    if (exchange->handler->request != NULL) {
        call_begin(exchange);
        exchange->handler->request(exchange, &exchange->request, exchange->route->config.opts);
        call_end(exchange);
    }
}

void wring__exchange_body(wring_exchange *exchange, wring_bytes piece, bool is_last) {
    call_begin(exchange);
    exchange->handler->body(exchange, piece, is_last);
    call_end(exchange);
}

void wring__exchange_info(wring_exchange *exchange, const wring_info *info) {
    call_begin(exchange);
    exchange->handler->info(exchange, info);
    call_end(exchange);
}

void wring__exchange_drained(wring_exchange *exchange) {
    exchange->wants_room = false;
    if (exchange->handler->drained != NULL) {
        call_begin(exchange);
        exchange->handler->drained(exchange);
        call_end(exchange);
    }
}

static void name_end(wring_exchange *exchange) {
    if (exchange->name.worker != NULL) {
        wring__end_close(&exchange->name);
        exchange->name = (wring__endpoint){0};
    }
}

/* A body without a length and without chunks, whose end is that of its connection: to a client an
 * end in order is the end of the body (RFC 9112 6.3). */
static bool ends_with_its_connection(const wring_exchange *exchange) {
    return exchange->answer == WRING__ANSWER_BEGUN && !exchange->has_length &&
           !exchange->is_chunked && !exchange->is_head;
}

void wring__exchange_end(wring_exchange *exchange, wring_result result) {
    name_end(exchange);
    if (!exchange->is_live) {
        return;
    }
    exchange->is_live = false;
    if (result != WRING_OK && ends_with_its_connection(exchange)) {
        wring__end_reset_at_abort(&exchange->peer->stream.end);
    }
    const wring_exchange_end end = {
        .struct_size = sizeof end,
        .result = result,
        .status = exchange->status,
        .rx_bytes = exchange->rx_bytes,
        .tx_bytes = exchange->tx_bytes,
    };
    if (result != WRING_OK && exchange->accept_lost != NULL) {
        exchange->accept_lost(exchange->accept_data);
    }
    if (exchange->handler->done != NULL) {
        worker_of(exchange)->current = NULL;
        exchange->handler->done(exchange, &end);
    }
}
