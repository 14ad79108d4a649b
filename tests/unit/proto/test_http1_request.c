/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/http1.h"

/* ---- targets --------------------------------------------------------------------------------- */

static wring_result request_of(const char *head, wring_header *list, wring_request *out) {
    static wring__http1 parser;
    wring__http1_init(&parser, WRING__HTTP1_REQUEST, 8192, 1024);
    cr_assert_eq(wring__http1_parse(&parser, wring_str(head)), WRING_OK, "%s", head);
    return wring__http1_request(&parser, (const uint8_t *)head, list, out);
}

static void same(wring_bytes is, const char *want, const char *of) {
    cr_assert(wring_bytes_equal(is, wring_str(want)), "%s: %.*s, not %s", of, (int)is.len,
              (const char *)is.data, want);
}

/* RFC 9112 3.2 */
Test(http1_request, each_form_of_a_target) {
    static const struct {
        const char *method, *target, *path, *query, *host;
    } rows[] = {
        {"GET", "/", "/", "", "field"},
        {"GET", "/a?b?c", "/a", "b?c", "field"},
        {"GET", "/a?", "/a", "", "field"},
        {"GET", "//h/a", "//h/a", "", "field"},
        {"GET", "/http://h/", "/http://h/", "", "field"},
        {"GET", "http://h", "/", "", "h"},
        {"GET", "http://h/", "/", "", "h"},
        {"GET", "http://h:80/p/q?x=1", "/p/q", "x=1", "h:80"},
        {"GET", "HTTPS://H.example:8443?x", "/", "x", "H.example:8443"},
        {"GET", "http://[::1]:80/a", "/a", "", "[::1]:80"},
        {"GET", "http://1.2.3.4:/a", "/a", "", "1.2.3.4:"},
        {"POST", "http://h/@/?@", "/@/", "@", "h"},
        {"OPTIONS", "*", "*", "", "field"},
        {"CONNECT", "h:443", "h:443", "", "field"},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        char head[256];
        wring_header list[WRING__HTTP1_FIELDS_MAX];
        wring_request request;
        (void)snprintf(head, sizeof head, "\r\n%s %s HTTP/1.%zu\r\nHost: field\r\n\r\n",
                       rows[i].method, rows[i].target, i % 2);
        cr_assert_eq(request_of(head, list, &request), WRING_OK, "%s", head);
        same(request.method, rows[i].method, head);
        same(request.target, rows[i].target, head);
        same(request.path, rows[i].path, head);
        same(request.query, rows[i].query, head);
        same(request.host, rows[i].host, head);
        cr_assert_eq(request.http_version, 10 + i % 2);
        /* it may be decoded in place */
        cr_assert(request.path.data >= (uint8_t *)head &&
                  request.path.data < (uint8_t *)head + strlen(head));
    }
}

Test(http1_request, other_targets_are_refused) {
    static const char *const rows[] = {
        "GET *",
        "POST *",
        "OPTIONS **",
        "GET a",
        "GET a/b",
        "GET h:80",
        "GET ?x",
        "GET http:",
        "GET http:/a",
        "GET http://",
        "GET http:///a",
        "GET http://?x",
        "GET http://:80",
        "GET ftp://h/",
        "GET ws://h/",
        "GET http://u@h/",
        "GET http://u:p@h/",
        "GET http://h:x/",
        "GET http://h:65536/",
        "GET http://h:80:80/",
        "GET http://[::1/",
        "GET http://[x]/",
        "GET http://[]/",
        "GET http://[::1]a/",
        "GET http://h%2/",
        "GET http://h\\/",
        "GET http://h/#f",
        "GET /#",
        "GET /a?b#c",
        "CONNECT h:1#",
        "OPTIONS *#",
        "GET httpss://h/",
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        char head[256];
        wring_header list[WRING__HTTP1_FIELDS_MAX];
        wring_request request;
        (void)snprintf(head, sizeof head, "%s HTTP/1.1\r\nHost: field\r\n\r\n", rows[i]);
        cr_assert_eq(request_of(head, list, &request), WRING_ERR_BAD_HTTP, "%s", head);
        cr_assert(request.target.len > 0 && request.headers.count == 1);
        cr_assert(request.path.len == 0 && request.host.len == 0);
    }
}

Test(http1_request, the_stateless_parser_takes_1_1_only) {
    static const char *const heads[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
                                        "GET a HTTP/1.1\r\nHost: a\r\n\r\n"};
    static const wring_result want[] = {WRING_OK, WRING_ERR_BAD_HTTP_VERSION, WRING_ERR_BAD_HTTP};
    for (size_t i = 0; i < 3; i++) {
        wring_header list[WRING__HTTP1_FIELDS_MAX];
        wring_request request = {.struct_size = sizeof request};
        size_t len = 0;
        cr_assert_eq(wring_h1_request_parse(wring_str(heads[i]), list, &request, &len), want[i]);
        cr_assert_eq(len, i == 0 ? strlen(heads[0]) : 0);
        cr_assert_eq(request.http_version, i == 0 ? 11 : 0);
    }
}

/* ---- hosts ----------------------------------------------------------------------------------- */

static wring_result host(uint32_t version, const char *const *values, size_t count) {
    wring_header list[4];
    for (size_t i = 0; i < count; i++) {
        list[i] = (wring_header){wring_str(i == 0 ? "hOST" : "Host"), wring_str(values[i])};
    }
    const wring_request request = {
        .struct_size = sizeof request, .http_version = version, .headers = {list, count}};
    return wring__http1_host_check(&request);
}

/* RFC 9112 3.2 */
Test(http1_request, how_many_hosts) {
    static const char *const values[] = {"a", "a"};
    for (size_t count = 0; count <= 2; count++) {
        cr_assert_eq(host(11, values, count), count == 1 ? WRING_OK : WRING_ERR_BAD_HOST);
        cr_assert_eq(host(10, values, count), count <= 1 ? WRING_OK : WRING_ERR_BAD_HOST);
    }
    static const char *const empty[] = {""};
    cr_assert_eq(host(10, empty, 1), WRING_OK);
    cr_assert_eq(host(11, empty, 1), WRING_ERR_BAD_HOST);
}

Test(http1_request, what_a_host_may_be) {
    static const struct {
        const char *value;
        bool good;
    } rows[] = {
        {"a", true},
        {"server.example.com:80", true},
        {"a:", true}, /* RFC 3986 3.2.3 */
        {"a:0", true},
        {"a:65535", true},
        {"a:000080", true},
        {"a_b-c~!$&'()*+,;=", true},
        {"%41b", true},
        {"127.0.0.1:8080", true},
        {"[::]", true},
        {"[2001:db8::1]:443", true},
        {"[::ffff:1.2.3.4]", true},
        {":80", false},
        {"a:65536", false},
        {"a:99999999999999999999", false},
        {"a:+1", false},
        {"a:8 0", false},
        {"a:80:80", false},
        {"a b", false},
        {"a, b", false},
        {"a/b", false},
        {"a?b", false},
        {"a#b", false},
        {"a\\b", false},
        {"u@a", false},
        {"http://a", false},
        {"a%4", false},
        {"a%4g", false},
        {"a\x80", false},
        {"a\tb", false},
        {"\"a\"", false},
        {"::1", false},
        {"[::1", false},
        {"[::1]80", false},
        {"[a]", false},
        {"[]", false},
        {"[v1.a]", false},
        {"[fe80::1%25eth0]", false},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        for (uint32_t version = 10; version <= 11; version++) {
            cr_assert_eq(host(version, &rows[i].value, 1),
                         rows[i].good ? WRING_OK : WRING_ERR_BAD_HOST, "%s", rows[i].value);
        }
    }
    cr_assert_eq(wring_http_status(WRING_ERR_BAD_HOST), 400);
}

/* ---- framing --------------------------------------------------------------------------------- */

#define LENGTH "Content-Length"
#define CODING "Transfer-Encoding"
#define BAD    WRING_ERR_BAD_HTTP
#define OTHER  WRING_ERR_UNSUPPORTED_ENCODING

/* RFC 9112 6 */
Test(http1_request, framing) {
    static const struct {
        const char *pairs[5];
        wring_result want;
        bool chunked;
        uint64_t length;
    } rows[] = {
        {{"A", "b"}, WRING_OK, false, 0},
        {{LENGTH, "0"}, WRING_OK, false, 0},
        {{"content-LENGTH", "17"}, WRING_OK, false, 17},
        {{LENGTH, "007"}, WRING_OK, false, 7},
        {{LENGTH, "9223372036854775807"}, WRING_OK, false, INT64_MAX},
        {{LENGTH, "9223372036854775808"}, BAD, false, 0},
        {{LENGTH, "18446744073709551616"}, BAD, false, 0},
        {{LENGTH, "99999999999999999999999999"}, BAD, false, 0},
        {{LENGTH, ""}, BAD, false, 0},
        {{LENGTH, "+1"}, BAD, false, 0},
        {{LENGTH, "-1"}, BAD, false, 0},
        {{LENGTH, "1 2"}, BAD, false, 0},
        {{LENGTH, "1,1"}, BAD, false, 0},
        {{LENGTH, "1, 1"}, BAD, false, 0},
        {{LENGTH, "0x1"}, BAD, false, 0},
        {{LENGTH, "1.0"}, BAD, false, 0},
        {{LENGTH, "1;a"}, BAD, false, 0},
        {{LENGTH, "1", LENGTH, "1"}, BAD, false, 0},
        {{LENGTH, "1", "content-length", "2"}, BAD, false, 0},
        {{LENGTH, "3", CODING, "chunked"}, BAD, false, 0},
        {{CODING, "chunked", LENGTH, "0"}, BAD, false, 0},
        {{CODING, "chunked"}, WRING_OK, true, 0},
        {{CODING, "CHUNKED"}, WRING_OK, true, 0},
        {{CODING, "chunked", CODING, "chunked"}, BAD, false, 0},
        {{CODING, "gzip", CODING, "chunked"}, BAD, false, 0},
        {{CODING, "chunked, chunked"}, BAD, false, 0},
        {{CODING, "chunked, gzip"}, BAD, false, 0},
        {{CODING, "gzip, chunked"}, OTHER, false, 0},
        {{CODING, "gzip,chunked, chunked"}, BAD, false, 0},
        {{CODING, "x y, chunked"}, BAD, false, 0},
        {{CODING, ",chunked"}, BAD, false, 0},
        {{CODING, "chunked,"}, BAD, false, 0},
        {{CODING, "chunked;a=b"}, BAD, false, 0},
        {{CODING, "\"chunked\""}, BAD, false, 0},
        {{CODING, "xchunked"}, BAD, false, 0},
        {{CODING, "chunke"}, BAD, false, 0},
        {{CODING, "chunked\v"}, BAD, false, 0},
        {{CODING, "identity"}, BAD, false, 0},
        {{CODING, "gzip"}, BAD, false, 0},
        {{CODING, ""}, BAD, false, 0},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        wring_header list[2];
        size_t count = 0;
        bool coded = false;
        for (; rows[i].pairs[count * 2] != NULL; count++) {
            list[count] = (wring_header){wring_str(rows[i].pairs[count * 2]),
                                         wring_str(rows[i].pairs[count * 2 + 1])};
            coded = coded || strcmp(rows[i].pairs[count * 2], CODING) == 0;
        }
        for (unsigned minor = 0; minor <= 1; minor++) {
            const wring_result want = minor == 0 && coded ? BAD : rows[i].want;
            bool chunked = true;
            uint64_t length = 1;
            cr_assert_eq(
                wring__http1_framing((wring_headers){list, count}, minor, &chunked, &length), want,
                "row %zu minor %u", i, minor);
            cr_assert_eq(chunked, want == WRING_OK && rows[i].chunked, "row %zu", i);
            cr_assert_eq(length, want == WRING_OK ? rows[i].length : 0, "row %zu", i);
        }
    }
}
