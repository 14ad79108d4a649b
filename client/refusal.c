/* SPDX-License-Identifier: Apache-2.0
 *
 * See refusal.h.
 */
#include "client/refusal.h"

#include <stdio.h>
#include <stdlib.h>

wring__refusal *wring__refusal_create(const wring__http1 *parser, const uint8_t *data,
                                      bool by_proxy) {
    wring__refusal *refusal = calloc(1, sizeof *refusal + parser->position);
    if (refusal == NULL) {
        return NULL;
    }
    memcpy(refusal->head, data, parser->position);
    refusal->answer = (wring_http_answer){
        .struct_size = sizeof refusal->answer,
        .status = parser->status,
        .by_proxy = by_proxy,
        .reason = wring__http1_reason(parser, refusal->head),
        .headers = wring__http1_headers(parser, refusal->head, refusal->list),
        .body = wring_bytes_of(refusal->body_bytes, 0),
    };
    wring__http1_body_begin_response(&refusal->body, parser->status, refusal->answer.headers);
    wring__refusal_explain(refusal);
    return refusal;
}

static wring_bytes copy_put(uint8_t **at, wring_bytes text) {
    const wring_bytes copy = wring_bytes_of(*at, text.len);
    if (text.len > 0) {
        memcpy(*at, text.data, text.len);
    }
    *at += text.len;
    return copy;
}

wring__refusal *wring__refusal_create_carried(int status, wring_headers fields) {
    size_t size = 0;
    for (size_t i = 0; i < fields.count; i++) {
        size += fields.list[i].name.len + fields.list[i].value.len;
    }
    wring__refusal *refusal = calloc(1, sizeof *refusal + size);
    if (refusal == NULL) {
        return NULL;
    }
    WRING_ASSERT(fields.count <= WRING_ARRAY_LEN(refusal->list));
    uint8_t *at = refusal->head;
    for (size_t i = 0; i < fields.count; i++) {
        refusal->list[i].name = copy_put(&at, fields.list[i].name);
        refusal->list[i].value = copy_put(&at, fields.list[i].value);
    }
    refusal->answer = (wring_http_answer){
        .struct_size = sizeof refusal->answer,
        .status = status,
        .headers = {refusal->list, fields.count},
        .body = wring_bytes_of(refusal->body_bytes, 0),
    };
    wring__http1_body_begin_response(&refusal->body, status, (wring_headers){NULL, 0});
    wring__refusal_explain(refusal);
    return refusal;
}

void wring__refusal_ended(wring__refusal *refusal) {
    refusal->answer.body_is_whole |= !refusal->was_cut;
}

/* Keeps what fits of a piece; false when there was more. */
static bool keep(wring__refusal *refusal, wring_bytes piece) {
    wring_bytes *body = &refusal->answer.body;
    const size_t len = wring__min_size(piece.len, sizeof refusal->body_bytes - body->len);
    if (len > 0) {
        memcpy(refusal->body_bytes + body->len, piece.data, len);
        body->len += len;
    }
    refusal->was_cut |= len < piece.len;
    return len == piece.len;
}

bool wring__refusal_feed(wring__refusal *refusal, wring_bytes bytes) {
    wring_http_answer *answer = &refusal->answer;
    wring_result result = WRING_OK;
    wring_bytes piece = {NULL, 1};
    while (result == WRING_OK && piece.len > 0) {
        if (answer->body.len == sizeof refusal->body_bytes) {
            return true; /* nothing more is kept, and whether the body was whole is known */
        }
        size_t used;
        result = wring__http1_body_next(&refusal->body, bytes, &used, &piece);
        bytes = used == 0 ? bytes : wring_bytes_of(bytes.data + used, bytes.len - used);
        answer->body_is_whole = keep(refusal, piece) && wring__http1_body_has_ended(&refusal->body);
    }
    return result != WRING_MORE;
}

void wring__refusal_explain(wring__refusal *refusal) {
    const wring_http_answer *answer = &refusal->answer;
    char reason[128];
    char target[160];
    wring_bytes location = {NULL, 0};
    const bool redirects = answer->status >= 300 && answer->status < 400 &&
                           wring_headers_get(answer->headers, "location", &location);
    /* where none came, as always over HTTP/2, what the status means */
    (void)wring_text_printable(
        answer->reason.len > 0 ? answer->reason : wring_str(wring_http_reason(answer->status)),
        reason, sizeof reason);
    (void)wring_text_printable(location, target, sizeof target);
    (void)wring_error_set(
        &refusal->error, answer->by_proxy ? WRING_ERR_PROXY : WRING_ERR_UNEXPECTED_STATUS, 0,
        "the %s with %d%s%s%s%s",
        answer->by_proxy ? "proxy answered CONNECT" : "server answered the upgrade", answer->status,
        reason[0] == 0 ? "" : " ", reason,
        redirects ? "; redirects are not followed, it points to " : "", target);
}
