/* SPDX-License-Identifier: Apache-2.0
 *
 * See http1_body.h. The bytes between the pieces are few: they are taken one at a time, so that
 * each state can be left and entered at each byte.
 */
#include "proto/http1_body.h"

#include "proto/hex.h"
#include "proto/http1.h"
#include "proto/ows.h"

enum state {
    LENGTH,          /* `left` bytes, then the end */
    UNTIL_EOF,       /* whatever comes */
    CHUNK_SIZE,      /* hexadecimal digits */
    EXTENSION_SPACE, /* white space before a ';' */
    EXTENSION,       /* behind a ';', up to CR */
    SIZE_LF,         /* the LF that ends the line of the size */
    CHUNK_DATA,      /* `left` bytes */
    DATA_CR,         /* the CR behind them */
    DATA_LF,         /* ... and its LF */
    TRAILER_START,   /* a trailer's name, or the CR of the empty line */
    TRAILER_NAME,    /* up to a colon */
    TRAILER_VALUE,   /* up to CR */
    TRAILER_LF,      /* the LF that ends a trailer */
    END_LF,          /* the last LF */
    ENDED,
    MALFORMED
};

void wring__http1_body_begin(wring__http1_body *body, bool chunked, uint64_t length) {
    const enum state framing = length == 0 ? ENDED : LENGTH;
    *body = (wring__http1_body){.left = chunked ? 0 : length,
                                .state = (uint8_t)(chunked ? CHUNK_SIZE : framing)};
}

void wring__http1_body_begin_response(wring__http1_body *body, int status, wring_headers headers) {
    const bool has_none = status < 200 || status == 204 || status == 304;
    const bool by_coding = wring_headers_count(headers, "transfer-encoding") > 0;
    const bool by_length = wring_headers_count(headers, "content-length") > 0;
    bool chunked = false;
    uint64_t length = 0;
    if (has_none) {
        wring__http1_body_begin(body, false, 0);
    } else if (by_coding && wring_headers_has_token(headers, "transfer-encoding", "chunked")) {
        wring__http1_body_begin(body, true, 0); /* it overrides Content-Length */
    } else if (!by_coding && by_length &&
               wring__http1_framing(headers, 1, &chunked, &length) == WRING_OK) {
        wring__http1_body_begin(body, false, length);
    } else { /* nothing of use: whatever comes */
        *body = (wring__http1_body){.state = UNTIL_EOF};
    }
}

/* A byte of the size: a digit, or what ends the digits. */
static enum state size_step(wring__http1_body *body, uint8_t c) {
    const int digit = wring__hex_of(c);
    if (digit >= 0) {
        body->left = body->left << 4 | (uint64_t)digit;
        return ++body->digits > 16 || body->left > INT64_MAX ? MALFORMED : CHUNK_SIZE;
    }
    if (body->digits == 0) {
        return MALFORMED;
    }
    return c == '\r'          ? SIZE_LF
           : wring__is_ows(c) ? EXTENSION_SPACE
           : c == ';'         ? EXTENSION
                              : MALFORMED;
}

/* Extensions mean nothing to us. That they hold no line end is what matters: a quoted string cannot
 * hide one. RFC 9112 7.1.1 */
static enum state extension_step(wring__http1_body *body, uint8_t c) {
    if (c == '\r') {
        return body->state == EXTENSION ? SIZE_LF : MALFORMED;
    }
    if (++body->extension_bytes > WRING__HTTP1_EXTENSION_BYTES_MAX) {
        return MALFORMED;
    }
    if (body->state == EXTENSION_SPACE) {
        return wring__is_ows(c) ? EXTENSION_SPACE : c == ';' ? EXTENSION : MALFORMED;
    }
    return wring__http1_is_value_byte(c) ? EXTENSION : MALFORMED;
}

/* The line of the size has ended. */
static enum state chunk_begin(wring__http1_body *body) {
    body->digits = 0;
    return body->left == 0 ? TRAILER_START : CHUNK_DATA;
}

/* Trailers are checked and dropped. RFC 9112 7.1.2 */
static enum state trailer_step(wring__http1_body *body, uint8_t c) {
    if (body->state == TRAILER_START && c == '\r') {
        return END_LF;
    }
    if (++body->trailer_bytes > WRING__HTTP1_TRAILER_BYTES_MAX) {
        return MALFORMED;
    }
    if (body->state == TRAILER_VALUE) {
        return c == '\r' ? TRAILER_LF : wring__http1_is_value_byte(c) ? TRAILER_VALUE : MALFORMED;
    }
    if (body->state == TRAILER_NAME && c == ':') {
        return TRAILER_VALUE;
    }
    if (body->state == TRAILER_START && ++body->trailer_fields > WRING__HTTP1_TRAILER_FIELDS_MAX) {
        return MALFORMED;
    }
    return wring__http1_is_token(wring_bytes_of(&c, 1)) ? TRAILER_NAME : MALFORMED;
}

static enum state expect(uint8_t c, char want, enum state next) {
    return c == (uint8_t)want ? next : MALFORMED;
}

/* One byte that is not of the body itself. */
static enum state framing_step(wring__http1_body *body, uint8_t c) {
    switch ((enum state)body->state) {
    case CHUNK_SIZE:
        return size_step(body, c);
    case EXTENSION_SPACE:
    case EXTENSION:
        return extension_step(body, c);
    case SIZE_LF:
        return c == '\n' ? chunk_begin(body) : MALFORMED;
    case DATA_CR:
        return expect(c, '\r', DATA_LF);
    case DATA_LF:
        return expect(c, '\n', CHUNK_SIZE);
    case TRAILER_START:
    case TRAILER_NAME:
    case TRAILER_VALUE:
        return trailer_step(body, c);
    case TRAILER_LF:
        return expect(c, '\n', TRAILER_START);
    case END_LF:
        return expect(c, '\n', ENDED);
    case LENGTH:
    case UNTIL_EOF:
    case CHUNK_DATA:
    case ENDED:
    case MALFORMED:
        break;
    }
    WRING_UNREACHABLE();
}

/* As much as is there and announced; `in` is not empty. */
static wring_bytes data_take(wring__http1_body *body, wring_bytes in) {
    if (body->state == UNTIL_EOF) {
        return in;
    }
    WRING_ASSERT(body->left > 0);
    in.len = (size_t)wring__min_u64(in.len, body->left);
    body->left -= in.len;
    if (body->left == 0) {
        body->state = body->state == LENGTH ? ENDED : DATA_CR;
    }
    return in;
}

static bool is_data(const wring__http1_body *body) {
    return body->state == LENGTH || body->state == UNTIL_EOF || body->state == CHUNK_DATA;
}

wring_result wring__http1_body_next(wring__http1_body *body, wring_bytes in, size_t *used,
                                    wring_bytes *piece) {
    size_t at = 0;
    *piece = wring_bytes_of(NULL, 0);
    while (at < in.len && body->state < ENDED && !is_data(body)) {
        body->state = (uint8_t)framing_step(body, in.data[at++]);
    }
    if (at < in.len && is_data(body)) {
        *piece = data_take(body, wring_bytes_of(in.data + at, in.len - at));
        at += piece->len;
    }
    *used = at;
    if (piece->len > 0 || body->state == ENDED) {
        return WRING_OK;
    }
    return body->state == MALFORMED ? WRING_ERR_BAD_HTTP : WRING_MORE;
}

bool wring__http1_body_has_ended(const wring__http1_body *body) {
    return body->state == ENDED;
}

uint64_t wring__http1_body_known_left(const wring__http1_body *body) {
    return body->state == LENGTH ? body->left : 0;
}
