/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.x head parser. See http1.h. Each state eats bytes and names its successor.
 */
#include "proto/http1.h"

#include "proto/ows.h"

#define LEADING_MAX 8 /* empty lines before a request */

/* RFC 9110 5.6.2 tchar, 5.5 field-vchar, RFC 3986 for the target: one table of classes. */
enum {
    TOKEN = 1,  /* tchar */
    TARGET = 2, /* visible ASCII */
    VALUE = 4   /* visible, space, tab and obs-text */
};

/* A row for each sixteen bytes: N may stand in names and everywhere, T in targets and values, V in
 * values only. */
#define N (TOKEN | TARGET | VALUE)
#define T (TARGET | VALUE)
#define V VALUE
/* clang-format off */
static const uint8_t classes[256] = {
    /* 00 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, V, 0, 0, 0, 0, 0, 0,
    /* 10 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* 20 */ V, N, T, N, N, N, N, N, T, T, N, N, T, N, N, T,
    /* 30 */ N, N, N, N, N, N, N, N, N, N, T, T, T, T, T, T,
    /* 40 */ T, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
    /* 50 */ N, N, N, N, N, N, N, N, N, N, N, T, T, T, N, N,
    /* 60 */ N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
    /* 70 */ N, N, N, N, N, N, N, N, N, N, N, T, N, T, N, 0,
    /* 80 */ V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    /* 90 */ V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    /* A0 */ V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    /* B0 */ V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    /* C0 */ V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    /* D0 */ V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    /* E0 */ V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    /* F0 */ V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
};
/* clang-format on */
#undef N
#undef T
#undef V

bool wring__http1_is_token(wring_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if ((classes[text.data[i]] & TOKEN) == 0) {
            return false;
        }
    }
    return text.len > 0;
}

bool wring__http1_is_value_byte(uint8_t byte) {
    return (classes[byte] & VALUE) != 0;
}

enum state {
    LEADING,        /* request: an empty line before it, or its first byte */
    LEADING_LF,     /* the LF of such an empty line */
    METHOD,         /* request: tchars up to a space */
    REQUEST_TARGET, /* visible bytes up to a space */
    VERSION,        /* "HTTP/1.x", then CR (request) or space (response) */
    STATUS,         /* three digits, then a space */
    REASON,         /* up to CR */
    LINE_LF,        /* the LF that ends a line */
    FIELD_START,    /* a field name, or the CR of the empty line */
    FIELD_NAME,     /* up to a colon */
    FIELD_SPACE,    /* optional white space before the value */
    FIELD_VALUE,    /* up to CR */
    END_LF,         /* the last LF */
    DONE
};

void wring__http1_init(wring__http1 *parser, enum wring__http1_kind kind, uint32_t head_max,
                       uint16_t target_max) {
    parser->position = 0;
    parser->mark = 0;
    parser->value_end = 0;
    parser->head_max = head_max;
    parser->target_max = target_max;
    parser->method = 0;
    parser->target = 0;
    parser->target_len = 0;
    parser->method_len = 0;
    parser->status = 0;
    parser->field_count = 0;
    parser->kind = (uint8_t)kind;
    parser->minor = 1;
    parser->leading = 0;
    parser->state = kind == WRING__HTTP1_REQUEST ? LEADING : VERSION;
}

static void go(wring__http1 *parser, enum state next) {
    parser->state = (uint8_t)next;
    parser->mark = parser->position;
}

/* In each byte. */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t word_at(const uint8_t *data) {
    uint64_t word;
    memcpy(&word, data, sizeof word);
    return word;
}

static inline bool has_less(uint64_t word, uint8_t than) { /* up to 128 */
    return ((word - EACH(than)) & ~word & EACH(0x80)) != 0;
}

/* Eight bytes that all may stand in a value. A tab is legal too, and is left to the table. */
static inline bool is_value_word(uint64_t word) {
    return !has_less(word, 0x20) && !has_less(word ^ EACH(0x7F), 1);
}

static inline bool is_target_word(uint64_t word) {
    return !has_less(word, 0x21) && ((word | (word + EACH(1))) & EACH(0x80)) == 0;
}

/* Where the bytes of a class end. Values and targets are long: eight bytes are taken at once. */
static inline size_t class_end(wring_bytes in, size_t at, uint8_t class_) {
    while (class_ == VALUE && in.len - at >= 8 && is_value_word(word_at(in.data + at))) {
        at += 8;
    }
    while (class_ == TARGET && in.len - at >= 8 && is_target_word(word_at(in.data + at))) {
        at += 8;
    }
    while (at < in.len && (classes[in.data[at]] & class_) != 0) {
        at++;
    }
    return at;
}

/* Skips bytes of a class; true when one of another class is at hand. */
static inline bool skip_class(wring__http1 *parser, wring_bytes in, uint8_t class_) {
    const size_t end = class_end(in, parser->position, class_);
    parser->position = (uint32_t)end;
    return end < in.len;
}

/* Some clients send a CRLF behind a body, which belongs to nothing. RFC 9112 2.2 */
static wring_result step_leading(wring__http1 *parser, wring_bytes in) {
    if (in.data[parser->position] != '\r') {
        go(parser, METHOD);
        return WRING_OK;
    }
    if (parser->leading == LEADING_MAX) {
        return WRING_ERR_BAD_HTTP;
    }
    parser->leading++;
    parser->position++;
    go(parser, LEADING_LF);
    return WRING_OK;
}

static wring_result step_method(wring__http1 *parser, wring_bytes in) {
    if (!skip_class(parser, in, TOKEN)) {
        return WRING_MORE;
    }
    uint32_t len = parser->position - parser->mark;
    if (in.data[parser->position] != ' ' || len == 0 || len > WRING__HTTP1_METHOD_MAX) {
        return WRING_ERR_BAD_HTTP;
    }
    parser->method = parser->mark;
    parser->method_len = (uint16_t)len;
    parser->position++;
    go(parser, REQUEST_TARGET);
    return WRING_OK;
}

static wring_result step_target(wring__http1 *parser, wring_bytes in) {
    bool ended = skip_class(parser, in, TARGET);
    uint32_t len = parser->position - parser->mark;
    if (len > parser->target_max) {
        return WRING_ERR_TARGET_TOO_BIG;
    }
    if (!ended) {
        return WRING_MORE;
    }
    if (in.data[parser->position] != ' ' || len == 0) {
        return WRING_ERR_BAD_HTTP;
    }
    parser->target = parser->mark;
    parser->target_len = (uint16_t)len;
    parser->position++;
    go(parser, VERSION);
    return WRING_OK;
}

#define USUAL     "HTTP/1.1\r" /* as in nearly all requests: compared at once */
#define USUAL_LEN (sizeof USUAL - 1)

static bool version_is_usual(wring_bytes in, size_t at) {
    return in.len - at >= USUAL_LEN && memcmp(in.data + at, USUAL, USUAL_LEN) == 0;
}

/* RFC 9112 2.3. Requests of HTTP/1.0 are answered; its responses are of no use to a client that
 * asks for an upgrade. */
static wring_result step_version(wring__http1 *parser, wring_bytes in) {
    static const char want[] = "HTTP/1.1";
    const bool request = parser->kind == WRING__HTTP1_REQUEST;
    if (request && parser->position == parser->mark && version_is_usual(in, parser->position)) {
        parser->position += USUAL_LEN;
        go(parser, LINE_LF);
        return WRING_OK;
    }
    while (parser->position < in.len) {
        uint32_t at = parser->position - parser->mark;
        uint8_t byte = in.data[parser->position];
        if (at == sizeof want - 1) {
            if (byte != (request ? '\r' : ' ')) {
                return WRING_ERR_BAD_HTTP;
            }
            parser->position++;
            go(parser, request ? LINE_LF : STATUS);
            return WRING_OK;
        }
        if (request && at == 7 && byte == '0') {
            parser->minor = 0;
        } else if (byte != (uint8_t)want[at]) {
            bool digit = byte >= '0' && byte <= '9';
            return digit && (at == 5 || at == 7) ? WRING_ERR_BAD_HTTP_VERSION : WRING_ERR_BAD_HTTP;
        }
        parser->position++;
    }
    return WRING_MORE;
}

static wring_result step_status(wring__http1 *parser, wring_bytes in) {
    while (parser->position < in.len) {
        uint32_t at = parser->position - parser->mark;
        uint8_t byte = in.data[parser->position];
        if (at == 3) {
            if (byte != ' ' && byte != '\r') { /* a missing reason phrase is common */
                return WRING_ERR_BAD_HTTP;
            }
            go(parser, REASON);
            return WRING_OK;
        }
        if (byte < '0' || byte > '9') {
            return WRING_ERR_BAD_HTTP;
        }
        parser->status = (uint16_t)(parser->status * 10 + (byte - '0'));
        parser->position++;
    }
    return WRING_MORE;
}

static wring_result step_reason(wring__http1 *parser, wring_bytes in) {
    if (!skip_class(parser, in, VALUE)) {
        return WRING_MORE;
    }
    if (in.data[parser->position] != '\r') {
        return WRING_ERR_BAD_HTTP;
    }
    parser->position++;
    go(parser, LINE_LF);
    return WRING_OK;
}

static wring_result step_lf(wring__http1 *parser, wring_bytes in, enum state next) {
    if (in.data[parser->position] != '\n') {
        return WRING_ERR_BAD_HTTP;
    }
    parser->position++;
    go(parser, next);
    return WRING_OK;
}

/* A field that is all there, in one go. False: it is not, or it is the last line, or something is
 * wrong with it; the states below find out which. */
static bool take_field(wring__http1 *parser, wring_bytes in) {
    const size_t begin = parser->position;
    const size_t colon = class_end(in, begin, TOKEN);
    if (colon == begin || colon == in.len || in.data[colon] != ':') {
        return false;
    }
    size_t value = colon + 1;
    while (value < in.len && wring__is_ows(in.data[value])) {
        value++;
    }
    size_t end = class_end(in, value, VALUE);
    const size_t next = end + 2;
    if (next > in.len || in.data[end] != '\r' || in.data[end + 1] != '\n') {
        return false;
    }
    while (end > value && wring__is_ows(in.data[end - 1])) {
        end--;
    }
    if (next - begin > UINT16_MAX || parser->field_count == WRING__HTTP1_FIELDS_MAX) {
        return false;
    }
    parser->fields[parser->field_count++] =
        (wring__http1_field){.name = (uint32_t)begin,
                             .value = (uint32_t)value,
                             .name_len = (uint16_t)(colon - begin),
                             .value_len = (uint16_t)(end - value)};
    parser->position = (uint32_t)next;
    return true;
}

static wring_result step_field_start(wring__http1 *parser, wring_bytes in) {
    while (take_field(parser, in)) {
    }
    if (parser->position == in.len) {
        return WRING_MORE;
    }
    if (in.data[parser->position] == '\r') {
        parser->position++;
        go(parser, END_LF);
        return WRING_OK;
    }
    if (parser->field_count == WRING__HTTP1_FIELDS_MAX) {
        return WRING_ERR_TOO_MANY_HEADERS;
    }
    go(parser, FIELD_NAME); /* a space here, which is obs-fold, is no name */
    return WRING_OK;
}

static wring_result step_field_name(wring__http1 *parser, wring_bytes in) {
    if (!skip_class(parser, in, TOKEN)) {
        return WRING_MORE;
    }
    uint32_t len = parser->position - parser->mark;
    if (in.data[parser->position] != ':' || len == 0 || len > UINT16_MAX) {
        return WRING_ERR_BAD_HTTP;
    }
    wring__http1_field *field = &parser->fields[parser->field_count];
    field->name = parser->mark;
    field->name_len = (uint16_t)len;
    parser->position++;
    go(parser, FIELD_SPACE);
    return WRING_OK;
}

static wring_result step_field_space(wring__http1 *parser, wring_bytes in) {
    while (parser->position < in.len && wring__is_ows(in.data[parser->position])) {
        parser->position++;
    }
    if (parser->position == in.len) {
        return WRING_MORE;
    }
    go(parser, FIELD_VALUE);
    parser->value_end = parser->position;
    return WRING_OK;
}

static wring_result step_field_value(wring__http1 *parser, wring_bytes in) {
    uint32_t from = parser->position;
    bool ended = skip_class(parser, in, VALUE);
    for (uint32_t i = parser->position; i > from; i--) {
        if (!wring__is_ows(in.data[i - 1])) {
            parser->value_end = i;
            break;
        }
    }
    if (!ended) {
        return WRING_MORE;
    }
    uint32_t len = parser->value_end - parser->mark;
    if (in.data[parser->position] != '\r' || len > UINT16_MAX) {
        return WRING_ERR_BAD_HTTP;
    }
    wring__http1_field *field = &parser->fields[parser->field_count++];
    field->value = parser->mark;
    field->value_len = (uint16_t)len;
    parser->position++;
    go(parser, LINE_LF);
    return WRING_OK;
}

static wring_result step(wring__http1 *parser, wring_bytes in) {
    switch ((enum state)parser->state) {
    case LEADING:
        return step_leading(parser, in);
    case LEADING_LF:
        return step_lf(parser, in, LEADING);
    case METHOD:
        return step_method(parser, in);
    case REQUEST_TARGET:
        return step_target(parser, in);
    case VERSION:
        return step_version(parser, in);
    case STATUS:
        return step_status(parser, in);
    case REASON:
        return step_reason(parser, in);
    case LINE_LF:
        return step_lf(parser, in, FIELD_START);
    case FIELD_START:
        return step_field_start(parser, in);
    case FIELD_NAME:
        return step_field_name(parser, in);
    case FIELD_SPACE:
        return step_field_space(parser, in);
    case FIELD_VALUE:
        return step_field_value(parser, in);
    case END_LF:
        return step_lf(parser, in, DONE);
    case DONE:
        break;
    }
    WRING_UNREACHABLE();
}

wring_result wring__http1_parse(wring__http1 *parser, wring_bytes buffer) {
    bool too_long = buffer.len > parser->head_max;
    wring_bytes in = {buffer.data, too_long ? parser->head_max : buffer.len};
    wring_result result = WRING_OK;
    while (result == WRING_OK && parser->state != DONE) {
        result = parser->position < in.len ? step(parser, in) : WRING_MORE;
    }
    return result == WRING_MORE && in.len == parser->head_max ? WRING_ERR_HANDSHAKE_TOO_BIG
                                                              : result;
}

wring_headers wring__http1_headers(const wring__http1 *parser, const uint8_t *buffer,
                                   wring_header *list) {
    for (size_t i = 0; i < parser->field_count; i++) {
        const wring__http1_field *field = &parser->fields[i];
        list[i].name = wring_bytes_of(buffer + field->name, field->name_len);
        list[i].value = wring_bytes_of(buffer + field->value, field->value_len);
    }
    wring_headers headers = {list, parser->field_count};
    return headers;
}

wring_bytes wring__http1_reason(const wring__http1 *parser, const uint8_t *buffer) {
    const size_t at = strlen("HTTP/1.1 404");
    const uint8_t *end = memchr(buffer + at, '\r', parser->position - at);
    WRING_ASSERT(end != NULL); /* the parser saw it */
    const size_t len = (size_t)(end - buffer) - at;
    return len == 0 ? wring_bytes_of(NULL, 0) : wring_bytes_of(buffer + at + 1, len - 1);
}

/* Without a state kept between calls. */
#define HEAD_MAX (64u * 1024)

wring_result wring_h1_response_parse(wring_bytes bytes, wring_header *list, int *status,
                                     wring_headers *headers, size_t *head_len) {
    wring__http1 parser;
    wring__http1_init(&parser, WRING__HTTP1_RESPONSE, HEAD_MAX, UINT16_MAX);
    wring_result result = wring__http1_parse(&parser, bytes);
    result = result == WRING_ERR_HANDSHAKE_TOO_BIG ? WRING_ERR_HANDSHAKE_RESPONSE_TOO_BIG : result;
    if (result == WRING_OK) {
        *headers = wring__http1_headers(&parser, bytes.data, list);
        *status = parser.status;
        *head_len = parser.position;
    }
    return result;
}
