/* SPDX-License-Identifier: Apache-2.0
 *
 * See reader.h.
 */
#include "tests/fuzz/http_server/reader.h"

#include <stdlib.h>
#include <strings.h>

#include "proto/http1.h"
#include "proto/http1_body.h"

/* ---- requests -------------------------------------------------------------------------------- */

/* RFC 9112 6.1 to 6.3, unlike the library's. */
static bool framing_is_legal(fuzz_ask *ask) {
    const wring_headers headers = ask->request.headers;
    wring_bytes coding;
    wring_bytes length;
    const size_t codings = wring_headers_count(headers, "transfer-encoding");
    const size_t lengths = wring_headers_count(headers, "content-length");
    ask->chunked = codings > 0;
    ask->length = 0;
    if (codings > 0) {
        (void)wring_headers_get(headers, "transfer-encoding", &coding);
        return codings == 1 && lengths == 0 && !ask->is_10 && coding.len == 7 &&
               strncasecmp((const char *)coding.data, "chunked", 7) == 0;
    }
    if (lengths == 0) {
        return true;
    }
    (void)wring_headers_get(headers, "content-length", &length);
    for (size_t i = 0; i < length.len; i++) {
        const uint8_t digit = (uint8_t)(length.data[i] - '0');
        if (digit > 9 || ask->length > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        ask->length = ask->length * 10 + digit;
    }
    return lengths == 1 && length.len > 0;
}

static void head_read(fuzz_ask *ask) {
    const wring_request *request = &ask->request;
    wring_bytes expect;
    ask->is_10 = request->http_version == 10;
    ask->is_head = wring_bytes_equal(request->method, wring_str("HEAD"));
    ask->asks_upgrade = !ask->is_10 && wring_bytes_equal(request->method, wring_str("GET")) &&
                        wring_headers_has_token(request->headers, "upgrade", "websocket");
    ask->asks_close = ask->is_10
                          ? !wring_headers_has_token(request->headers, "connection", "keep-alive")
                          : wring_headers_has_token(request->headers, "connection", "close");
    ask->expects = !ask->is_10 && wring_headers_get(request->headers, "expect", &expect);
}

static wring_result body_read(fuzz_ask *ask, wring_bytes *text) {
    wring__http1_body body;
    wring_result result;
    wring_bytes piece;
    wring__http1_body_begin(&body, ask->chunked, ask->length);
    ask->has_body = ask->chunked || ask->length > 0;
    do {
        size_t used = 0;
        result = wring__http1_body_next(&body, *text, &used, &piece);
        fuzz_log_bytes(&ask->body, piece);
        (void)fuzz_take(text, used);
    } while (result == WRING_OK && piece.len > 0);
    return result;
}

void ask_take(fuzz_ask *out, wring_bytes *text, uint32_t head_max, uint16_t target_max) {
    wring__http1 parser;
    out->state = ASK_NONE;
    out->is_head = out->is_10 = out->asks_upgrade = out->asks_close = out->expects = false;
    out->has_body = out->chunked = false;
    out->body = (fuzz_log){0};
    if (text->len == 0) {
        return;
    }
    wring__http1_init(&parser, WRING__HTTP1_REQUEST, head_max, target_max);
    wring_result result = wring__http1_parse(&parser, *text);
    if (result == WRING_OK) {
        result = wring__http1_request(&parser, text->data, out->list, &out->request);
    }
    if (result == WRING_OK) {
        result = wring__http1_host_check(&out->request);
    }
    if (result != WRING_OK) {
        out->state = result == WRING_MORE ? ASK_HEAD_PART : ASK_HEAD_BAD;
        return;
    }
    head_read(out);
    if (!framing_is_legal(out)) {
        out->state = ASK_HEAD_BAD;
        return;
    }
    (void)fuzz_take(text, parser.position);
    result = body_read(out, text);
    out->state = result == WRING_OK     ? ASK_WHOLE
                 : result == WRING_MORE ? ASK_BODY_PART
                                        : ASK_BODY_BAD;
}

void ask_free(fuzz_ask *ask) {
    fuzz_log_free(&ask->body);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* The line at the front, without its CRLF; false when it has no end. */
static bool line_take(wring_bytes *bytes, wring_bytes *line) {
    for (size_t i = 0; i + 1 < bytes->len; i++) {
        FUZZ_CHECK(bytes->data[i] != '\n');
        if (bytes->data[i] == '\r') {
            FUZZ_CHECK(bytes->data[i + 1] == '\n');
            *line = fuzz_take(bytes, i);
            (void)fuzz_take(bytes, 2);
            return true;
        }
    }
    return false;
}

static size_t number_read(wring_bytes digits, unsigned base) {
    static const char all[] = "0123456789abcdef";
    size_t number = 0;
    FUZZ_CHECK(digits.len > 0 && digits.len < 10);
    for (size_t i = 0; i < digits.len; i++) {
        const char *found = memchr(all, digits.data[i], base);
        FUZZ_CHECK(found != NULL);
        number = number * base + (size_t)(found - all);
    }
    return number;
}

static bool is_name(wring_bytes name, const char *want) {
    return name.len == strlen(want) && strncasecmp((const char *)name.data, want, name.len) == 0;
}

static void field_read(fuzz_reply *out, wring_bytes line) {
    const uint8_t *colon = line.len == 0 ? NULL : memchr(line.data, ':', line.len);
    FUZZ_CHECK(colon != NULL && colon > line.data);
    const wring_bytes name = fuzz_take(&line, (size_t)(colon - line.data));
    FUZZ_CHECK(wring_bytes_equal(fuzz_take(&line, 2), wring_str(": ")));
    if (is_name(name, "Content-Length")) {
        FUZZ_CHECK(!out->has_length);
        out->has_length = true;
        out->length = number_read(line, 10);
    } else if (is_name(name, "Transfer-Encoding")) {
        FUZZ_CHECK(!out->is_chunked && wring_bytes_equal(line, wring_str("chunked")));
        out->is_chunked = true;
    } else if (is_name(name, "Connection")) {
        out->is_close = out->is_close || is_name(line, "close");
        out->is_keep_alive = out->is_keep_alive || is_name(line, "keep-alive");
    } else if (is_name(name, "X-Record")) {
        FUZZ_CHECK(!out->has_record);
        out->has_record = true;
        out->record = number_read(line, 10);
    } else if (is_name(name, "X-Answer")) {
        out->answer = number_read(line, 10);
    }
}

/* False when the head is not complete. */
static bool head_take(fuzz_reply *out, wring_bytes *bytes) {
    wring_bytes line;
    if (!line_take(bytes, &line)) {
        return false;
    }
    FUZZ_CHECK(wring_bytes_equal(fuzz_take(&line, 9), wring_str("HTTP/1.1 ")));
    out->status = (unsigned)number_read(fuzz_take(&line, 3), 10);
    FUZZ_CHECK(line.len > 0 && line.data[0] == ' ');
    while (line_take(bytes, &line)) {
        if (line.len == 0) {
            return true;
        }
        field_read(out, line);
    }
    return false;
}

static void body_until(fuzz_reply *out, wring_bytes *bytes, size_t len) {
    const wring_bytes body = fuzz_take(bytes, len);
    fuzz_log_bytes(&out->body, body);
    out->is_whole = body.len == len;
}

static void chunks_take(fuzz_reply *out, wring_bytes *bytes) {
    wring_bytes line;
    while (line_take(bytes, &line)) {
        const size_t len = number_read(line, 16);
        fuzz_log_bytes(&out->body, fuzz_take(bytes, len));
        if (bytes->len < 2) {
            break;
        }
        FUZZ_CHECK(wring_bytes_equal(fuzz_take(bytes, 2), wring_str("\r\n")));
        if (len == 0) {
            out->is_whole = true;
            return;
        }
    }
    bytes->len = 0; /* part of a line */
}

void reply_take(fuzz_reply *out, wring_bytes *bytes, const fuzz_ask *ask) {
    *out = (fuzz_reply){0};
    if (!head_take(out, bytes)) {
        out->is_head_only = true;
        bytes->len = 0;
        return;
    }
    FUZZ_CHECK(!(out->is_chunked && out->has_length) && !(out->is_close && out->is_keep_alive));
    FUZZ_CHECK(!(out->is_chunked && ask->is_10));
    if (out->status < 200 || out->status == 204) { /* RFC 9110 8.6 */
        FUZZ_CHECK(!out->has_length && !out->is_chunked);
    }
    const bool is_early = !out->has_record && out->is_close && out->has_length && ask->is_head &&
                          bytes->len == out->length;
    if (out->status < 200 || out->status == 204 || out->status == 304 ||
        (ask->is_head && !is_early)) {
        out->is_whole = true;
    } else if (out->is_chunked) {
        chunks_take(out, bytes);
    } else if (out->has_length) {
        body_until(out, bytes, out->length);
    } else {
        FUZZ_CHECK(ask->is_10);
        out->is_unframed = true;
        body_until(out, bytes, bytes->len);
    }
}

void reply_free(fuzz_reply *reply) {
    fuzz_log_free(&reply->body);
}
