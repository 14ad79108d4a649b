/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers. See answer.h, and wring/exchange.h for the functions of the API.
 */
#include "server/answer.h"

#include <stdio.h>

#include "core/sized.h"
#include "proto/http1.h"
#include "proto/upgrade.h"
#include "server/carried.h"
#include "server/http.h"
#include "server/memory.h"
#include "server/server.h"
#include "server/tell.h"

/* A body up to this length is written behind its head in one piece. */
#define TOGETHER_MAX (16 * 1024)
/* What a head has besides the application's headers: status line, Date, Content-Type's name, the
 * length, Connection. */
#define HEAD_OWN_MAX 256
#define TYPE_DEFAULT "text/plain; charset=utf-8"

/* ---- what the application gave --------------------------------------------------------------- */

static bool is_view(wring_bytes bytes) {
    return bytes.data != NULL || bytes.len == 0;
}

/* Those that frame an answer: two of a kind would be two answers to somebody (RFC 9112 11.2). */
static bool is_ours(wring_bytes name) {
    static const char *const names[] = {
        "content-length",  "transfer-encoding", "connection", "keep-alive",
        "upgrade",         "trailer",           "te",         "date",
        "proxy-connection"};
    for (size_t i = 0; i < WRING_ARRAY_LEN(names); i++) {
        if (wring__text_is(name, names[i])) {
            return true;
        }
    }
    return false;
}

wring_result wring__answer_headers_check(wring_headers headers) {
    if (headers.list == NULL && headers.count > 0) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    for (size_t i = 0; i < headers.count; i++) {
        const wring_header *header = &headers.list[i];
        if (!is_view(header->name) || !is_view(header->value)) {
            return WRING_ERR_INVALID_ARGUMENT;
        }
        if (!wring__http1_is_token(header->name) || is_ours(header->name) ||
            !wring__header_text_is_safe(header->value)) {
            return WRING_ERR_INVALID_HEADER;
        }
    }
    return WRING_OK;
}

wring_result wring__answer_adopt(const wring_answer *in, wring_answer *out) {
    static const wring_answer empty = {.struct_size = sizeof empty};
    if (wring__sized_adopt(out, sizeof *out, in == NULL ? &empty : in,
                           offsetof(wring_answer, headers), "wring_answer", NULL) != WRING_OK) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    out->status = out->status == 0 ? 200 : out->status;
    if (out->status < 200 || out->status > 599 || !is_view(out->body)) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    if (out->content_type != NULL && out->content_type[0] == '\0') {
        out->content_type = NULL;
    }
    if (out->status == 205) { /* RFC 9110 15.3.6: no content, and a length that says so */
        out->body = wring_bytes_of(NULL, 0);
        out->body_bytes = 0;
    }
    if (!wring__header_text_is_safe(wring_str(out->content_type))) {
        return WRING_ERR_INVALID_HEADER;
    }
    return wring__answer_headers_check(out->headers);
}

/* ---- writing HTTP/1.x ------------------------------------------------------------------------ */

static char *put(char *at, wring_bytes text) {
    if (text.len > 0) {
        memcpy(at, text.data, text.len);
    }
    return at + text.len;
}

#define PUT(at, literal) put(at, wring_bytes_of(literal, sizeof(literal) - 1))

static char *put_reversed(char *at, const char *digits, size_t count) {
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

/* Not one function for both bases: to divide by a constant is to multiply. */
static char *put_decimal(char *at, uint64_t value) {
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return put_reversed(at, digits, count);
}

static char *put_hex(char *at, uint64_t value) {
    char digits[16];
    size_t count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value > 0);
    return put_reversed(at, digits, count);
}

/* RFC 9110 15.3.5, 15.4.5: these end with their head, and have no length. */
static bool has_no_body(int status) {
    return status == 204 || status == 304;
}

static const char *type_of(const wring_answer *answer, bool has_body) {
    wring_bytes unused;
    if (!has_body || wring__headers_find(answer->headers, "content-type", &unused) > 0) {
        return NULL;
    }
    return answer->content_type == NULL ? TYPE_DEFAULT : answer->content_type;
}

static char *put_framing(char *at, const wring_exchange *exchange, const wring_answer *answer,
                         bool keeps) {
    if (exchange->is_chunked) {
        at = PUT(at, "Transfer-Encoding: chunked\r\n");
    } else if (exchange->has_length) {
        at = PUT(at, "Content-Length: ");
        at = put_decimal(at, answer->body_bytes);
        at = PUT(at, "\r\n");
    }
    if (!keeps) {
        at = PUT(at, "Connection: close\r\n");
    } else if (exchange->is_http10) {
        at = PUT(at, "Connection: keep-alive\r\n");
    }
    return at;
}

static char *put_head(char *at, wring_exchange *exchange, const wring_answer *answer, bool keeps) {
    const char *type = type_of(answer, answer->body.len > 0 || exchange->answer_begins);
    at = PUT(at, "HTTP/1.1 ");
    at = put_decimal(at, answer->status);
    *at++ = ' ';
    at = put(at, wring_str(wring_http_reason(answer->status)));
    at = PUT(at, "\r\nDate: ");
    at = put(at, wring__server_date(wring__peer_worker(exchange->peer)));
    at = PUT(at, "\r\n");
    if (type != NULL) {
        at = PUT(at, "Content-Type: ");
        at = put(at, wring_str(type));
        at = PUT(at, "\r\n");
    }
    at = put_framing(at, exchange, answer, keeps);
    for (size_t i = 0; i < answer->headers.count; i++) {
        at = put(at, answer->headers.list[i].name);
        at = PUT(at, ": ");
        at = put(at, answer->headers.list[i].value);
        at = PUT(at, "\r\n");
    }
    return PUT(at, "\r\n");
}

static size_t head_max(const wring_answer *answer) {
    size_t len = HEAD_OWN_MAX;
    len += answer->content_type == NULL ? 0 : strlen(answer->content_type);
    for (size_t i = 0; i < answer->headers.count; i++) {
        len += answer->headers.list[i].name.len + answer->headers.list[i].value.len + 4;
    }
    return len;
}

wring_result wring__answer_bytes(wring__peer *peer, wring_bytes bytes) {
    return wring__outq_append(&peer->stream.end.out, &peer->stream.end.worker->chunks, bytes);
}

void wring__answer_cut(wring_exchange *exchange, wring_result reason) {
    exchange->is_aborted = true;
    exchange->reason = reason;
}

/* Its head is queued, and the client must not take that for an answer. */
static void cut_when_failed(wring_exchange *exchange, wring_result result) {
    if (result != WRING_OK) {
        wring__answer_cut(exchange, result);
    }
}

/* Head, and the body behind it. Nothing is queued when memory is out. */
static wring_result http1_write(wring_exchange *exchange, const wring_answer *answer,
                                wring_bytes body) {
    wring__endpoint *end = &exchange->peer->stream.end;
    wring__chunk_cache *chunks = &end->worker->chunks;
    const bool keeps = wring__http_keeps_alive(exchange->peer);
    const size_t together = body.len <= TOGETHER_MAX ? body.len : 0;
    char *room = (char *)wring__outq_reserve(&end->out, chunks, head_max(answer) + together);
    if (room == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    char *at = put_head(room, exchange, answer, keeps);
    at = put(at, wring_bytes_of(body.data, together));
    wring__outq_commit(&end->out, (size_t)(at - room));
    if (body.len == together) {
        return WRING_OK;
    }
    const wring_result result = wring__outq_append(&end->out, chunks, body);
    cut_when_failed(exchange, result);
    return result;
}

/* ---- writing for a carrier ------------------------------------------------------------------- */

static wring_result carried_write(wring_exchange *exchange, const wring_answer *answer,
                                  wring_bytes body) {
    wring_header list[WRING_HTTP_FIELDS_MAX + 3];
    char length[24];
    size_t count = 0;
    const char *type = type_of(answer, answer->body.len > 0 || exchange->answer_begins);
    if (answer->headers.count > WRING_HTTP_FIELDS_MAX) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    list[count++] =
        (wring_header){wring_str("date"), wring__server_date(wring__peer_worker(exchange->peer))};
    if (type != NULL) {
        list[count++] = (wring_header){wring_str("content-type"), wring_str(type)};
    }
    if (exchange->has_length) {
        const size_t len = (size_t)(put_decimal(length, answer->body_bytes) - length);
        list[count++] = (wring_header){wring_str("content-length"), wring_bytes_of(length, len)};
    }
    for (size_t i = 0; i < answer->headers.count; i++) {
        list[count++] = answer->headers.list[i];
    }
    const bool ends = body.len == 0 && !exchange->answer_begins;
    wring_result result =
        wring__carried_answer(exchange->peer, answer->status, (wring_headers){list, count}, ends);
    if (result == WRING_OK) {
        result = wring__answer_bytes(exchange->peer, body);
        cut_when_failed(exchange, result);
    }
    return result;
}

static wring_result head_write(wring_exchange *exchange, const wring_answer *answer,
                               wring_bytes body) {
    const wring_result result = wring__peer_is_carried(exchange->peer)
                                    ? carried_write(exchange, answer, body)
                                    : http1_write(exchange, answer, body);
    if (result == WRING_OK) {
        exchange->status = answer->status;
        exchange->tx_bytes += body.len;
        wring__end_flush(&exchange->peer->stream.end);
    }
    return result;
}

wring_result wring__answer_whole(wring_exchange *exchange, const wring_answer *answer) {
    wring_answer framed = *answer;
    const bool bodiless = has_no_body(answer->status);
    framed.body_bytes = answer->body.len;
    exchange->has_length =
        answer->status != 204 && !(answer->status == 304 && framed.body_bytes == 0);
    exchange->is_chunked = false;
    exchange->answer_begins = false;
    exchange->asks_close |= answer->ends_connection;
    const wring_bytes body = bodiless || exchange->is_head ? wring_bytes_of(NULL, 0) : answer->body;
    const wring_result result = head_write(exchange, &framed, body);
    if (result == WRING_OK) {
        exchange->answer = WRING__ANSWER_WHOLE;
    }
    return result;
}

void wring__answer_refusal(wring_exchange *exchange, int status, const char *text,
                           wring_headers headers) {
    char body[768];
    const int len =
        snprintf(body, sizeof body, "%d %s: %s\n", status, wring_http_reason(status), text);
    const wring_answer answer = {
        .struct_size = sizeof answer,
        .status = (uint16_t)status,
        .headers = headers,
        .body = wring_bytes_of(body, wring__min_size((size_t)len, sizeof body - 1)),
    };
    if (wring__answer_whole(exchange, &answer) != WRING_OK) {
        wring__answer_cut(exchange, WRING_ERR_NO_MEMORY);
    }
}

void wring__answer_missing(wring_exchange *exchange, wring_result reason, const char *told) {
    wring__tell_request_unanswered(exchange->peer, 500, reason, told);
    wring__answer_refusal(exchange, 500, "the server has no answer", (wring_headers){NULL, 0});
}

/* ---- the functions of the API ---------------------------------------------------------------- */

static bool is_gone(const wring_exchange *exchange) {
    const wring__endpoint *end = &exchange->peer->stream.end;
    return !exchange->is_live || exchange->is_aborted || end->state != WRING__END_OPEN ||
           wring__end_is_broken(end);
}

wring_result wring__answer_may_begin(const wring_exchange *exchange) {
    if (is_gone(exchange)) {
        return WRING_ERR_CLOSED;
    }
    return exchange->answer == WRING__ANSWER_NONE ? WRING_OK : WRING_ERR_INVALID_STATE;
}

void wring__answer_look_later(wring_exchange *exchange) {
    if (exchange->depth == 0) {
        wring__end_ask(&exchange->peer->stream.end);
    }
}

wring_result wring_exchange_answer(wring_exchange *exchange, const wring_answer *answer) {
    wring_answer adopted;
    wring_result result = wring__answer_may_begin(exchange);
    if (result == WRING_OK) {
        result = wring__answer_adopt(answer, &adopted);
    }
    if (result == WRING_OK) {
        result = wring__answer_whole(exchange, &adopted);
    }
    exchange->refused = result;
    if (result == WRING_OK || exchange->is_aborted) {
        wring__answer_look_later(exchange);
    }
    return result;
}

/* RFC 9112 7.1. */
static wring_result chunk_write(wring__peer *peer, wring_bytes piece) {
    wring__endpoint *end = &peer->stream.end;
    char *room = (char *)wring__outq_reserve(&end->out, &end->worker->chunks, piece.len + 24);
    if (room == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    char *at = put_hex(room, piece.len);
    at = PUT(at, "\r\n");
    at = put(at, piece);
    at = PUT(at, "\r\n");
    wring__outq_commit(&end->out, (size_t)(at - room));
    return WRING_OK;
}

/* Its answer has ended with the head: nothing that streams without end goes on for nobody. */
static bool takes_no_body(const wring_exchange *exchange) {
    return exchange->is_head || has_no_body(exchange->status) || exchange->status == 205;
}

/* Of a begun answer, however much is queued. After an error nothing of it was taken. */
static wring_result piece_write(wring_exchange *exchange, wring_bytes piece) {
    wring__endpoint *end = &exchange->peer->stream.end;
    const wring_policy *policy = wring__exchange_policy(exchange);
    if (piece.len > 0) {
        const wring_result result = exchange->is_chunked
                                        ? chunk_write(exchange->peer, piece)
                                        : wring__answer_bytes(exchange->peer, piece);
        if (result != WRING_OK) {
            return result;
        }
        exchange->tx_bytes += piece.len;
        wring__end_flush(end);
        if (wring__end_unsent(end) > policy->send_soft_bytes) {
            exchange->wants_room = true;
            end->tell_drained = true;
        }
    }
    exchange->tx_left -= exchange->has_length ? piece.len : 0;
    return WRING_OK;
}

wring_result wring_exchange_answer_begin(wring_exchange *exchange, const wring_answer *answer) {
    wring_answer adopted;
    wring_result result = wring__answer_may_begin(exchange);
    if (result == WRING_OK) {
        result = wring__answer_adopt(answer, &adopted);
    }
    if (result == WRING_OK && adopted.body_bytes > 0 && adopted.body.len > adopted.body_bytes) {
        result = WRING_ERR_INVALID_ARGUMENT;
    }
    if (result != WRING_OK) {
        exchange->refused = result;
        return result;
    }
    const bool bodiless = has_no_body(adopted.status);
    const wring_bytes first = adopted.body;
    exchange->has_length = (adopted.body_bytes > 0 && !bodiless) || adopted.status == 205;
    exchange->is_chunked = !exchange->has_length && !bodiless && !exchange->is_http10 &&
                           !wring__peer_is_carried(exchange->peer);
    exchange->answer_begins = !bodiless;
    exchange->asks_close |= adopted.ends_connection ||
                            (exchange->is_http10 && !exchange->has_length && !exchange->is_head);
    adopted.body = wring_bytes_of(NULL, 0);
    if (exchange->use == WRING__BODY_STREAM && adopted.status < 300) {
        wring__http_continue(exchange->peer); /* the answer is about the body, which it awaits */
    }
    result = head_write(exchange, &adopted, adopted.body);
    wring__answer_look_later(exchange);
    if (result != WRING_OK) {
        return result;
    }
    if (takes_no_body(exchange)) {
        exchange->answer = WRING__ANSWER_WHOLE;
        exchange->owes_end = true;
        return WRING_OK;
    }
    exchange->answer = WRING__ANSWER_BEGUN;
    exchange->tx_left = exchange->has_length ? adopted.body_bytes : UINT64_MAX;
    result = piece_write(exchange, first);
    cut_when_failed(exchange, result);
    return result;
}

static wring_result may_write(const wring_exchange *exchange) {
    if (is_gone(exchange) || exchange->owes_end) { /* first: then it may not have begun */
        return WRING_ERR_CLOSED;
    }
    return exchange->answer == WRING__ANSWER_BEGUN ? WRING_OK : WRING_ERR_INVALID_STATE;
}

/* Some of it has to leave first. Not with an empty queue: then nothing would tell to go on. */
static bool is_full(const wring_exchange *exchange) {
    const wring__peer *peer = exchange->peer;
    const uint64_t unsent = wring__end_unsent(&peer->stream.end);
    return unsent >= wring__exchange_policy(exchange)->send_hard_bytes ||
           (unsent > 0 && wring__memory_is_short(wring__peer_worker(peer)));
}

wring_result wring_exchange_answer_write(wring_exchange *exchange, wring_bytes piece) {
    wring__endpoint *end = &exchange->peer->stream.end;
    const wring_result result = may_write(exchange);
    if (result != WRING_OK) {
        return result;
    }
    if (!is_view(piece) || piece.len > exchange->tx_left) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    if (piece.len > 0 && is_full(exchange)) {
        exchange->wants_room = true;
        end->tell_drained = true;
        return WRING_ERR_QUEUE_FULL;
    }
    return piece_write(exchange, piece);
}

wring_result wring_exchange_answer_end(wring_exchange *exchange) {
    wring_result result = may_write(exchange);
    if (result != WRING_OK) {
        const bool has_ended = exchange->owes_end && !is_gone(exchange);
        exchange->owes_end = false;
        return has_ended ? WRING_OK : result;
    }
    const bool is_short = exchange->has_length && exchange->tx_left > 0;
    if (!is_short && exchange->is_chunked) {
        result = wring__answer_bytes(exchange->peer, wring_str("0\r\n\r\n"));
        wring__end_flush(&exchange->peer->stream.end);
    }
    if (is_short || result != WRING_OK) {
        wring__answer_cut(exchange, is_short ? WRING_ERR_CLOSED : result);
        result = is_short ? WRING_ERR_INVALID_STATE : result;
    } else {
        exchange->answer = WRING__ANSWER_WHOLE;
    }
    wring__answer_look_later(exchange);
    return result;
}

void wring_exchange_abort(wring_exchange *exchange) {
    if (exchange->is_live && !exchange->is_aborted) {
        wring__answer_cut(exchange, WRING_ERR_CLOSED);
        wring__answer_look_later(exchange);
    }
}
