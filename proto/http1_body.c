/* SPDX-License-Identifier: Apache-2.0
 *
 * See http1_body.h.
 */
#include "proto/http1_body.h"

enum state {
    LENGTH,     /* `left` bytes, then the end */
    UNTIL_EOF,  /* whatever comes */
    CHUNK_SIZE, /* hexadecimal digits */
    CHUNK_EXT,  /* extensions, up to the line feed */
    CHUNK_DATA, /* `left` bytes */
    CHUNK_CRLF, /* the line end behind them */
    ENDED,      /* trailers are not read: nothing follows that matters */
    MALFORMED
};

static bool length_parse(wring_bytes text, uint64_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i == 18) {
            return false;
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *out = value;
    return text.len > 0;
}

void wring__http1_body_init(wring__http1_body *body, int status, wring_headers headers) {
    wring_bytes length;
    *body = (wring__http1_body){.state = UNTIL_EOF};
    if (status < 200 || status == 204 || status == 304) {
        body->state = ENDED;
    } else if (wring_headers_has_token(headers, "transfer-encoding", "chunked")) {
        body->state = CHUNK_SIZE; /* RFC 9112 6.3: it overrides Content-Length */
    } else if (wring_headers_get(headers, "content-length", &length) &&
               length_parse(length, &body->left)) {
        body->state = body->left == 0 ? ENDED : LENGTH;
    }
}

static int hex_of(uint8_t c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A byte of the size: a digit, or what ends the digits. */
static enum state size_step(wring__http1_body *body, uint8_t c) {
    const int digit = hex_of(c);
    if (digit >= 0) {
        body->left = body->left << 4 | (uint64_t)digit;
        return ++body->digits > 15 ? MALFORMED : CHUNK_SIZE;
    }
    const bool ends = c == '\r' || c == ';' || c == ' ' || c == '\t';
    return ends && body->digits > 0 ? CHUNK_EXT : MALFORMED;
}

/* One byte that is not of the body itself. */
static enum state framing_step(wring__http1_body *body, uint8_t c) {
    switch ((enum state)body->state) {
    case CHUNK_SIZE:
        return size_step(body, c);
    case CHUNK_EXT:
        if (c != '\n') {
            return CHUNK_EXT;
        }
        return body->left == 0 ? ENDED : CHUNK_DATA;
    case CHUNK_CRLF:
        if (c == '\r') {
            return CHUNK_CRLF;
        }
        body->digits = 0;
        body->left = 0;
        return c == '\n' ? CHUNK_SIZE : MALFORMED;
    case LENGTH:
    case UNTIL_EOF:
    case CHUNK_DATA:
    case ENDED:
    case MALFORMED:
        break;
    }
    WRING_UNREACHABLE();
}

/* Copies as much as is there, announced, and fits. Returns how much. */
static size_t data_take(wring__http1_body *body, wring_bytes bytes, uint8_t *out, size_t room) {
    size_t take = wring__min_size(bytes.len, room);
    if (body->state != UNTIL_EOF) {
        take = (size_t)wring__min_u64(take, body->left);
        body->left -= take;
    }
    if (take > 0) {
        memcpy(out, bytes.data, take);
    }
    if (body->left == 0 && body->state != UNTIL_EOF) {
        body->state = body->state == LENGTH ? ENDED : CHUNK_CRLF;
    }
    return take;
}

static bool is_data(const wring__http1_body *body) {
    return body->state == LENGTH || body->state == UNTIL_EOF || body->state == CHUNK_DATA;
}

wring_result wring__http1_body_feed(wring__http1_body *body, wring_bytes bytes, uint8_t *out,
                                    size_t cap, size_t *len) {
    size_t at = 0;
    while (at < bytes.len && *len < cap && body->state < ENDED) {
        if (is_data(body)) {
            const wring_bytes rest = wring_bytes_of(bytes.data + at, bytes.len - at);
            const size_t taken = data_take(body, rest, out + *len, cap - *len);
            *len += taken;
            at += taken;
        } else {
            body->state = (uint8_t)framing_step(body, bytes.data[at++]);
        }
    }
    if (body->state == MALFORMED) {
        return WRING_ERR_BAD_HTTP;
    }
    return body->state == ENDED || *len == cap ? WRING_OK : WRING_MORE;
}

bool wring__http1_body_has_ended(const wring__http1_body *body) {
    return body->state == ENDED;
}
