/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 head parser. See http1.h. Each state eats bytes and names its successor.
 */
#include "proto/http1.h"

#include "core/sized.h"

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

enum state {
    METHOD,         /* request: tchars up to a space */
    REQUEST_TARGET, /* visible bytes up to a space */
    VERSION,        /* "HTTP/1.1", then CR (request) or space (response) */
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
    parser->target = 0;
    parser->target_len = 0;
    parser->method_len = 0;
    parser->status = 0;
    parser->field_count = 0;
    parser->kind = (uint8_t)kind;
    parser->state = kind == WRING__HTTP1_REQUEST ? METHOD : VERSION;
}

static void go(wring__http1 *parser, enum state next) {
    parser->state = (uint8_t)next;
    parser->mark = parser->position;
}

/* Skips bytes of a class; true when one of another class is at hand. */
static bool skip_class(wring__http1 *parser, wring_bytes in, uint8_t class_) {
    while (parser->position < in.len && (classes[in.data[parser->position]] & class_) != 0) {
        parser->position++;
    }
    return parser->position < in.len;
}

static wring_result step_method(wring__http1 *parser, wring_bytes in) {
    if (!skip_class(parser, in, TOKEN)) {
        return WRING_MORE;
    }
    if (in.data[parser->position] != ' ' || parser->position == 0 || parser->position > 32) {
        return WRING_ERR_BAD_HTTP;
    }
    parser->method_len = (uint16_t)parser->position++;
    go(parser, REQUEST_TARGET);
    return WRING_OK;
}

static wring_result step_target(wring__http1 *parser, wring_bytes in) {
    bool ended = skip_class(parser, in, TARGET);
    uint32_t len = parser->position - parser->mark;
    if (len > parser->target_max) {
        return WRING_ERR_HANDSHAKE_TOO_BIG;
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

static wring_result step_version(wring__http1 *parser, wring_bytes in) {
    static const char want[] = "HTTP/1.1";
    while (parser->position < in.len) {
        uint32_t at = parser->position - parser->mark;
        uint8_t byte = in.data[parser->position];
        if (at == sizeof want - 1) {
            bool request = parser->kind == WRING__HTTP1_REQUEST;
            if (byte != (request ? '\r' : ' ')) {
                return WRING_ERR_BAD_HTTP;
            }
            parser->position++;
            go(parser, request ? LINE_LF : STATUS);
            return WRING_OK;
        }
        if (byte != (uint8_t)want[at]) {
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

static wring_result step_field_start(wring__http1 *parser, wring_bytes in) {
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

static bool is_space(uint8_t byte) {
    return byte == ' ' || byte == '\t';
}

static wring_result step_field_space(wring__http1 *parser, wring_bytes in) {
    while (parser->position < in.len && is_space(in.data[parser->position])) {
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
        if (!is_space(in.data[i - 1])) {
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

void wring__http1_request(const wring__http1 *parser, const uint8_t *buffer, wring_header *list,
                          wring_request *out) {
    *out = (wring_request){.struct_size = sizeof *out};
    out->method = wring_bytes_of(buffer, parser->method_len);
    out->target = wring_bytes_of(buffer + parser->target, parser->target_len);
    out->path = out->target;
    const uint8_t *mark = memchr(out->target.data, '?', out->target.len);
    if (mark != NULL) {
        out->path.len = (size_t)(mark - out->target.data);
        out->query = wring_bytes_of(mark + 1, out->target.len - out->path.len - 1);
    }
    out->headers = wring__http1_headers(parser, buffer, list);
    wring_headers_get(out->headers, "host", &out->host);
    wring_headers_get(out->headers, "origin", &out->origin);
}

/* Without a state kept between calls; the bounds are the library's defaults. */
#define HEAD_MAX   (64u * 1024)
#define TARGET_MAX (8u * 1024)

wring_result wring_h1_request_parse(wring_bytes bytes, wring_header *list, wring_request *out,
                                    size_t *head_len) {
    wring__http1 parser;
    wring__http1_init(&parser, WRING__HTTP1_REQUEST, HEAD_MAX, TARGET_MAX);
    wring_result result = wring__http1_parse(&parser, bytes);
    if (result == WRING_OK) {
        wring_request request;
        wring__http1_request(&parser, bytes.data, list, &request);
        *head_len = parser.position;
        result = wring__sized_give(out, &request, sizeof request);
    }
    return result;
}

wring_result wring_h1_response_parse(wring_bytes bytes, wring_header *list, int *status,
                                     wring_headers *headers, size_t *head_len) {
    wring__http1 parser;
    wring__http1_init(&parser, WRING__HTTP1_RESPONSE, HEAD_MAX, TARGET_MAX);
    wring_result result = wring__http1_parse(&parser, bytes);
    result = result == WRING_ERR_HANDSHAKE_TOO_BIG ? WRING_ERR_HANDSHAKE_RESPONSE_TOO_BIG : result;
    if (result == WRING_OK) {
        *headers = wring__http1_headers(&parser, bytes.data, list);
        *status = parser.status;
        *head_len = parser.position;
    }
    return result;
}
