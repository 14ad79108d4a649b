/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "proto/http1.h"

#define HEAD_MAX 8192

static wring_result parse(enum wring__http1_kind kind, const char *text, size_t len) {
    static wring__http1 parser;
    wring__http1_init(&parser, kind, HEAD_MAX, 1024);
    return wring__http1_parse(&parser, wring_bytes_of(text, len));
}

static wring_result parse_bytewise(enum wring__http1_kind kind, const char *text, size_t len) {
    static wring__http1 parser;
    wring_result result = WRING_MORE;
    wring__http1_init(&parser, kind, HEAD_MAX, 1024);
    for (size_t n = 1; n <= len && result == WRING_MORE; n++) {
        /* a copy of its own size, so that ASan sees a read past it; it moves each time */
        char *copy = malloc(n);
        memcpy(copy, text, n);
        uint32_t before = parser.position;
        result = wring__http1_parse(&parser, wring_bytes_of(copy, n));
        cr_assert(parser.position >= before && parser.position <= n); /* never examined again */
        free(copy);
    }
    return result;
}

static void expect(enum wring__http1_kind kind, const char *text, size_t len, wring_result want) {
    cr_assert_eq(parse(kind, text, len), want, "%s: %s", text,
                 wring_result_name(parse(kind, text, len)));
    cr_assert_eq(parse_bytewise(kind, text, len), want, "bytewise %s", text);
}

#define REQUEST(text, want)  expect(WRING__HTTP1_REQUEST, text, sizeof text - 1, want)
#define RESPONSE(text, want) expect(WRING__HTTP1_RESPONSE, text, sizeof text - 1, want)

Test(http1, well_formed_requests) {
    REQUEST("GET / HTTP/1.1\r\n\r\n", WRING_OK);
    REQUEST("GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n", WRING_OK);
    REQUEST("GET / HTTP/1.1\r\nA:\r\nB:  \t \r\nC: a b\t\r\n\r\n", WRING_OK);
    REQUEST("GET / HTTP/1.1\r\nA: \xc3\xa9\r\n\r\nsurplus", WRING_OK);
    REQUEST("OPTIONS * HTTP/1.1\r\n\r\n", WRING_OK);
    REQUEST("GET / HTTP/1.0\r\n\r\n", WRING_OK);
}

/* RFC 9112 2.2 */
Test(http1, empty_lines_before_a_request_are_skipped) {
#define LINES_8 "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
    REQUEST("\r\n", WRING_MORE);
    REQUEST("\r\nGET / HTTP/1.1\r\n\r\n", WRING_OK);
    REQUEST(LINES_8, WRING_MORE);
    REQUEST(LINES_8 "GET / HTTP/1.1\r\n\r\n", WRING_OK);
    REQUEST(LINES_8 "\r\nGET / HTTP/1.1\r\n\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("\nGET / HTTP/1.1\r\n\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("\rGET / HTTP/1.1\r\n\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("\r\rGET / HTTP/1.1\r\n\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("\r\n GET / HTTP/1.1\r\n\r\n", WRING_ERR_BAD_HTTP);
    RESPONSE("\r\nHTTP/1.1 200\r\n\r\n", WRING_ERR_BAD_HTTP);
    static const char head[] = "\r\n\r\nPOST /x HTTP/1.0\r\nA: b\r\n\r\n";
    const size_t len = sizeof head - 1;
    static wring__http1 parser;
    for (size_t cut = 0; cut <= len; cut++) { /* also between CR and LF */
        wring__http1_init(&parser, WRING__HTTP1_REQUEST, HEAD_MAX, 1024);
        cr_assert_eq(wring__http1_parse(&parser, wring_bytes_of(head, cut)),
                     cut < len ? WRING_MORE : WRING_OK);
        cr_assert_eq(wring__http1_parse(&parser, wring_bytes_of(head, len)), WRING_OK);
        cr_assert_eq(memcmp(head + parser.method, "POST /x", 7), 0, "cut %zu", cut);
        cr_assert_eq(parser.method_len, 4);
        cr_assert_eq(parser.target, 9);
        cr_assert_eq(parser.minor, 0);
        cr_assert_eq(parser.position, len);
    }
    wring__http1_init(&parser, WRING__HTTP1_REQUEST, (uint32_t)len - 1, 1024);
    cr_assert_eq(wring__http1_parse(&parser, wring_bytes_of(head, len)),
                 WRING_ERR_HANDSHAKE_TOO_BIG); /* they count */
}

Test(http1, malformed_requests) {
    REQUEST(" GET / HTTP/1.1\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("G(T / HTTP/1.1\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET  / HTTP/1.1\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET / HTTP/1.1\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET / HTTP/1.1 \r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET / http/1.1\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET /\x7f HTTP/1.1\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET /\xc3\xa9 HTTP/1.1\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET / HTTP/1.1\r\nA b: c\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET / HTTP/1.1\r\nA : c\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET / HTTP/1.1\r\n: c\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET / HTTP/1.1\r\nA: b\r\n c\r\n", WRING_ERR_BAD_HTTP); /* obs-fold */
    REQUEST("GET / HTTP/1.1\r\nA: b\nC: d\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET / HTTP/1.1\r\nA: b\rC: d\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET / HTTP/1.1\r\nA: \0\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET / HTTP/1.1\r\n\rx", WRING_ERR_BAD_HTTP);
    REQUEST("GET / HTTP/1.10\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET / HTTP/1\r\n", WRING_ERR_BAD_HTTP);
    REQUEST("GET /\r\n", WRING_ERR_BAD_HTTP); /* HTTP/0.9 */
    REQUEST("GET / HTTP/1.2\r\n", WRING_ERR_BAD_HTTP_VERSION);
    REQUEST("GET / HTTP/0.9\r\n", WRING_ERR_BAD_HTTP_VERSION);
    REQUEST("GET / HTTP/2.0\r\n", WRING_ERR_BAD_HTTP_VERSION);
    REQUEST("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", WRING_ERR_BAD_HTTP_VERSION);
}

Test(http1, responses) {
    RESPONSE("HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n", WRING_OK);
    RESPONSE("HTTP/1.1 200 \r\n\r\n", WRING_OK);
    RESPONSE("HTTP/1.1 200\r\n\r\n", WRING_OK);
    RESPONSE("HTTP/1.1 20 OK\r\n\r\n", WRING_ERR_BAD_HTTP);
    RESPONSE("HTTP/1.1 2000 OK\r\n\r\n", WRING_ERR_BAD_HTTP);
    RESPONSE("HTTP/1.0 200 OK\r\n\r\n", WRING_ERR_BAD_HTTP_VERSION);
    RESPONSE("ICY 200 OK\r\n\r\n", WRING_ERR_BAD_HTTP);
}

Test(http1, every_prefix_of_a_good_head_wants_more) {
    static const char head[] = "GET /x HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n";
    for (size_t len = 0; len < sizeof head - 1; len++) {
        cr_assert_eq(parse(WRING__HTTP1_REQUEST, head, len), WRING_MORE, "prefix of %zu", len);
    }
    static wring__http1 parser;
    for (size_t cut = 0; cut < sizeof head - 1; cut++) { /* cut at every point */
        wring__http1_init(&parser, WRING__HTTP1_REQUEST, HEAD_MAX, 1024);
        cr_assert_eq(wring__http1_parse(&parser, wring_bytes_of(head, cut)), WRING_MORE);
        cr_assert_eq(wring__http1_parse(&parser, wring_bytes_of(head, sizeof head - 1)), WRING_OK);
        cr_assert_eq(parser.position, sizeof head - 1);
        cr_assert_eq(parser.field_count, 2);
    }
}

Test(http1, views_of_a_request) {
    static const char head[] = "GET /p/q?r=1 HTTP/1.1\r\nHost:  h \r\norigin: o\r\nX:\r\n\r\nrest";
    static wring__http1 parser;
    wring_header list[WRING__HTTP1_FIELDS_MAX];
    wring_request request;
    wring_bytes value;
    wring__http1_init(&parser, WRING__HTTP1_REQUEST, HEAD_MAX, 1024);
    cr_assert_eq(wring__http1_parse(&parser, wring_bytes_of(head, sizeof head - 1)), WRING_OK);
    cr_assert_str_eq(head + parser.position, "rest");
    cr_assert_eq(wring__http1_request(&parser, (const uint8_t *)head, list, &request), WRING_OK);
    cr_assert(wring_bytes_equal(request.method, wring_str("GET")));
    cr_assert(wring_bytes_equal(request.target, wring_str("/p/q?r=1")));
    cr_assert(wring_bytes_equal(request.path, wring_str("/p/q")));
    cr_assert(wring_bytes_equal(request.query, wring_str("r=1")));
    cr_assert(wring_bytes_equal(request.host, wring_str("h")));
    cr_assert(wring_bytes_equal(request.origin, wring_str("o")));
    cr_assert(wring_headers_get(request.headers, "x", &value) && value.len == 0);
}

Test(http1, size_limits_hold_exactly) {
    static wring__http1 parser;
    static const char head[] = "GET /12345 HTTP/1.1\r\nA: b\r\n\r\n";
    const uint32_t len = sizeof head - 1;
    for (uint32_t limit = len - 1; limit <= len + 1; limit++) {
        wring__http1_init(&parser, WRING__HTTP1_REQUEST, limit, 1024);
        cr_assert_eq(wring__http1_parse(&parser, wring_bytes_of(head, len)),
                     limit < len ? WRING_ERR_HANDSHAKE_TOO_BIG : WRING_OK);
    }
    for (uint16_t target = 5; target <= 7; target++) {
        wring__http1_init(&parser, WRING__HTTP1_REQUEST, 1000, target);
        cr_assert_eq(wring__http1_parse(&parser, wring_bytes_of(head, len)),
                     target < 6 ? WRING_ERR_TARGET_TOO_BIG : WRING_OK);
    }
}

/* CVE-2024-37890: a header that matters behind the field limit was lost */
Test(http1, the_field_limit_is_an_error_not_a_silent_cut) {
    for (int count = WRING__HTTP1_FIELDS_MAX - 1; count <= WRING__HTTP1_FIELDS_MAX + 1; count++) {
        char head[4096] = "GET / HTTP/1.1\r\n";
        for (int i = 1; i < count; i++) {
            memcpy(head + strlen(head), "A: b\r\n", 7);
        }
        memcpy(head + strlen(head), "Upgrade: websocket\r\n\r\n", 23);
        cr_assert_eq(parse(WRING__HTTP1_REQUEST, head, strlen(head)),
                     count > WRING__HTTP1_FIELDS_MAX ? WRING_ERR_TOO_MANY_HEADERS : WRING_OK);
    }
}

Test(http1, every_byte_in_every_place) {
    for (int c = 0; c < 256; c++) {
        bool digit = c >= '0' && c <= '9';
        bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool token = digit || alpha || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
        bool visible = c > 0x20 && c < 0x7F;
        char name[] = "GET / HTTP/1.1\r\nA?: b\r\n\r\n";
        name[17] = (char)c;
        wring_result want = token || c == ':' ? WRING_OK : WRING_ERR_BAD_HTTP;
        cr_assert_eq(parse(WRING__HTTP1_REQUEST, name, sizeof name - 1), want, "name %02x", c);
        char value[] = "GET / HTTP/1.1\r\nA: ?b\r\n\r\n";
        value[19] = (char)c;
        want = visible || c >= 0x80 || c == ' ' || c == '\t' ? WRING_OK : WRING_ERR_BAD_HTTP;
        cr_assert_eq(parse(WRING__HTTP1_REQUEST, value, sizeof value - 1), want, "value %02x", c);
        char target[] = "GET /?x HTTP/1.1\r\n\r\n";
        target[5] = (char)c;
        want = visible ? WRING_OK : WRING_ERR_BAD_HTTP;
        cr_assert_eq(parse(WRING__HTTP1_REQUEST, target, sizeof target - 1), want, "target %02x",
                     c);
    }
}

/* Long targets and values are looked at eight bytes at a time, and whole fields in one go. */
Test(http1, in_one_piece_as_byte_by_byte) {
    static const char good[] =
        "GET /abcdefghijkl HTTP/1.1\r\nNa:  0123456789abcdefgh \t\r\nB:\r\n\r\n";
    const size_t len = sizeof good - 1;
    static wring__http1 whole;
    static wring__http1 bytewise;
    for (size_t at = 0; at < len; at++) {
        for (int c = 0; c < 256; c++) {
            char head[sizeof good];
            memcpy(head, good, sizeof good);
            head[at] = (char)c;
            wring_result want = WRING_MORE;
            wring__http1_init(&whole, WRING__HTTP1_REQUEST, HEAD_MAX, 1024);
            wring__http1_init(&bytewise, WRING__HTTP1_REQUEST, HEAD_MAX, 1024);
            for (size_t n = 1; n <= len && want == WRING_MORE; n++) {
                want = wring__http1_parse(&bytewise, wring_bytes_of(head, n));
            }
            cr_assert_eq(wring__http1_parse(&whole, wring_bytes_of(head, len)), want,
                         "byte %02x at %zu", c, at);
            cr_assert_eq(whole.position, bytewise.position, "byte %02x at %zu", c, at);
            cr_assert_eq(whole.field_count, bytewise.field_count, "byte %02x at %zu", c, at);
            cr_assert_arr_eq(whole.fields, bytewise.fields,
                             whole.field_count * sizeof whole.fields[0], "byte %02x at %zu", c, at);
        }
    }
}
