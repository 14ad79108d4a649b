/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/refusal.h"

static wring__refusal *refusal_of(const char *header) {
    static wring__http1 parser;
    char head[256];
    (void)snprintf(head, sizeof head, "HTTP/1.1 403 No\r\n%s\r\n\r\n", header);
    wring__http1_init(&parser, WRING__HTTP1_RESPONSE, 8192, UINT16_MAX);
    cr_assert_eq(wring__http1_parse(&parser, wring_str(head)), WRING_OK);
    return wring__refusal_create(&parser, (const uint8_t *)head, false);
}

/* The first bytes of a body are kept; it is whole only when all of it was. */
Test(refusal, bodies_in_pieces_of_each_length) {
    static const struct {
        const char *header, *data, *want;
        bool done, whole;
    } rows[] = {
        {"Content-Length: 5", "hello", "hello", true, true},
        {"Content-Length: 5", "hello, more", "hello", true, true},
        {"Content-Length: 0", "", "", true, true},
        {"Content-Length: 50", "hello", "hello", false, false},
        {"A: b", "until the end", "until the end", false, false},
        {"Transfer-Encoding: chunked", "3\r\none\r\n4;x\r\n two\r\n0\r\nA: b\r\n\r\n", "one two",
         true, true},
        {"Transfer-Encoding: chunked", "3\r\none\r\n0\r\n", "one", false, false},
        {"Transfer-Encoding: chunked", "3\r\none\r\nx", "one", true, false},
        {"Transfer-Encoding: chunked", "3\r\nonex", "one", true, false},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        const size_t len = strlen(rows[i].data);
        for (size_t step = 1; step <= len + 1; step++) {
            wring__refusal *refusal = refusal_of(rows[i].header);
            bool done = false;
            for (size_t at = 0; !done && at <= len; at += step) {
                const size_t piece = wring__min_size(step, len - at);
                done = wring__refusal_feed(refusal, wring_bytes_of(rows[i].data + at, piece));
            }
            cr_assert_eq(done, rows[i].done, "row %zu step %zu", i, step);
            cr_assert_eq(refusal->answer.body_is_whole, rows[i].whole, "row %zu step %zu", i, step);
            cr_assert(wring_bytes_equal(refusal->answer.body, wring_str(rows[i].want)),
                      "row %zu step %zu", i, step);
            free(refusal);
        }
    }
}

/* Over HTTP/2 the stream's end says that the body is whole, whatever the headers say. */
Test(refusal, of_a_stream) {
    static char data[WRING__REFUSAL_BODY_MAX + 1];
    const wring_header list[] = {{wring_str("x-test"), wring_str("a peer")},
                                 {wring_str("content-length"), wring_str("5")},
                                 {wring_str("empty"), {NULL, 0}}};
    static const size_t lengths[] = {0, 1, WRING__REFUSAL_BODY_MAX, sizeof data};
    for (size_t i = 0; i < WRING_ARRAY_LEN(lengths); i++) {
        const size_t len = lengths[i];
        wring__refusal *refusal = wring__refusal_create_carried(404, (wring_headers){list, 3});
        wring_bytes value;
        cr_assert_eq(refusal->answer.status, 404);
        cr_assert(wring_headers_get(refusal->answer.headers, "x-test", &value));
        cr_assert(wring_bytes_equal(value, wring_str("a peer")) &&
                  value.data != list[0].value.data);
        cr_assert(strstr(refusal->error.text, "404") != NULL);
        (void)wring__refusal_feed(refusal, wring_bytes_of(data, len));
        cr_assert_not(refusal->answer.body_is_whole);
        wring__refusal_ended(refusal);
        cr_assert_eq(refusal->answer.body_is_whole, len <= WRING__REFUSAL_BODY_MAX);
        cr_assert_eq(refusal->answer.body.len, wring__min_size(len, WRING__REFUSAL_BODY_MAX));
        free(refusal);
    }
}

Test(refusal, what_does_not_fit_is_left_out) {
    static char data[WRING__REFUSAL_BODY_MAX + 1];
    for (size_t len = WRING__REFUSAL_BODY_MAX - 1; len <= sizeof data; len++) {
        for (size_t step = 1000; step <= 5000; step += 500) {
            char header[64];
            (void)snprintf(header, sizeof header, "Content-Length: %zu", len);
            wring__refusal *refusal = refusal_of(header);
            bool done = false;
            for (size_t at = 0; !done && at < len; at += step) {
                const size_t piece = wring__min_size(step, len - at);
                done = wring__refusal_feed(refusal, wring_bytes_of(data + at, piece));
            }
            cr_assert(done, "%zu by %zu", len, step);
            /* once more, as a link does that waits for the rest: nothing changes */
            cr_assert(wring__refusal_feed(refusal, (wring_bytes){NULL, 0}));
            cr_assert_eq(refusal->answer.body.len, wring__min_size(len, WRING__REFUSAL_BODY_MAX));
            cr_assert_eq(refusal->answer.body_is_whole, len <= WRING__REFUSAL_BODY_MAX,
                         "%zu by %zu", len, step);
            free(refusal);
        }
    }
}
