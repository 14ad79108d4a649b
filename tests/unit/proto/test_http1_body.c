/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http1_body.h"

/* What came of a body: its bytes, and how much of the input was its own. */
struct taken {
    char text[64];
    size_t len;
    size_t used;
    wring_result result; /* WRING_OK: it has ended */
};

/* Feeds one piece of input, from a copy of its own size that ASan watches. */
static void feed(wring__http1_body *body, const char *data, size_t len, struct taken *taken) {
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    memcpy(copy, data, len);
    wring_bytes in = {copy, len};
    do {
        wring_bytes piece;
        size_t used = SIZE_MAX;
        taken->result = wring__http1_body_next(body, in, &used, &piece);
        cr_assert(used <= in.len);
        if (piece.len > 0) { /* a view into what this call consumed, without a copy */
            cr_assert_eq(taken->result, WRING_OK);
            cr_assert_eq(piece.data + piece.len, in.data + used);
            const size_t keep = wring__min_size(piece.len, sizeof taken->text - 1 - taken->len);
            memcpy(taken->text + taken->len, piece.data, keep);
            taken->len += keep;
        }
        taken->used += used;
        in = wring_bytes_of(in.data + used, in.len - used);
        if (piece.len == 0) {
            break;
        }
    } while (true);
    cr_assert(taken->result != WRING_MORE || in.len == 0);
    cr_assert_eq(taken->result == WRING_OK, wring__http1_body_has_ended(body));
    free(copy);
}

struct row {
    const char *data, *want;
    wring_result result;
    size_t used; /* of a body that ended */
};

static void check(const struct row *row, const struct taken *taken, size_t at) {
    cr_assert_eq(taken->result, row->result, "%s at %zu: %d", row->data, at, taken->result);
    cr_assert_str_eq(taken->text, row->want, "%s at %zu", row->data, at);
    if (row->result == WRING_OK) {
        cr_assert_eq(taken->used, row->used, "%s at %zu: %zu", row->data, at, taken->used);
    }
}

/* Whole, in pieces of each length (of one byte first), and cut in two at each point. */
static void check_all_ways(const struct row *row, const wring__http1_body *begun) {
    const size_t len = strlen(row->data);
    for (size_t step = 1; step <= len + 1; step++) {
        wring__http1_body body = *begun;
        struct taken taken = {.result = WRING_MORE};
        for (size_t at = 0; taken.result == WRING_MORE && at <= len; at += step) {
            feed(&body, row->data + at, wring__min_size(step, len - at), &taken);
        }
        check(row, &taken, step);
    }
    for (size_t cut = 0; cut <= len; cut++) {
        wring__http1_body body = *begun;
        struct taken taken = {.result = WRING_MORE};
        feed(&body, row->data, cut, &taken);
        if (taken.result == WRING_MORE) {
            feed(&body, row->data + cut, len - cut, &taken);
        }
        check(row, &taken, cut);
    }
}

#define BAD WRING_ERR_BAD_HTTP

/* RFC 9112 7.1 */
Test(http1_body, chunks) {
    static const struct row rows[] = {
        {"3\r\nabc\r\n0\r\n\r\n", "abc", WRING_OK, 13},
        {"3\r\nabc\r\n0\r\n\r\nGET /", "abc", WRING_OK, 13},
        {"0\r\n\r\n0\r\n\r\n", "", WRING_OK, 5},
        {"000\r\n\r\n", "", WRING_OK, 7},
        {"0000000000000003\r\nabc\r\n0\r\n\r\n", "abc", WRING_OK, 28},
        {"1\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n", "a0123456789", WRING_OK, 26},
        {"a\r\n0123456789\r\n0\r\n\r\n", "0123456789", WRING_OK, 20},
        {"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", WRING_OK, 14},
        {"3;x\r\nabc\r\n0;y=\"z;\"\r\n\r\n", "abc", WRING_OK, 22},
        {"3 \t; x = y\r\nabc\r\n0;\r\n\r\n", "abc", WRING_OK, 23},
        {"3\r\nab", "ab", WRING_MORE, 0},
        {"3\r\nabc\r\n0\r\n", "abc", WRING_MORE, 0},
        {"3\r\nabc\r\n0\r\n\r", "abc", WRING_MORE, 0},
        {"7fffffffffffffff\r\nabc", "abc", WRING_MORE, 0},
        {"8000000000000000\r\n", "", BAD, 0},
        {"ffffffffffffffff\r\n", "", BAD, 0},
        {"10000000000000000\r\n", "", BAD, 0},
        {"00000000000000003\r\nabc", "", BAD, 0},
        {"\r\nabc", "", BAD, 0},
        {";x\r\nabc", "", BAD, 0},
        {" 3\r\nabc", "", BAD, 0},
        {"3 \r\nabc", "", BAD, 0},
        {"3 3\r\nabc", "", BAD, 0},
        {"+3\r\nabc", "", BAD, 0},
        {"-1\r\nabc", "", BAD, 0},
        {"0x3\r\nabc", "", BAD, 0},
        {"3,\r\nabc", "", BAD, 0},
        {"g\r\n", "", BAD, 0},
        {"3\nabc\r\n", "", BAD, 0},
        {"3\rabc\r\n", "", BAD, 0},
        {"3\r\r\nabc", "", BAD, 0},
        {"3;x\nabc\r\n", "", BAD, 0},
        {"3;x\ry\r\nabc", "", BAD, 0},
        {"3;x=\"\n\"\r\nabc", "", BAD, 0},
        {"3;\x01\r\nabc", "", BAD, 0},
        {"3;\x7f\r\nabc", "", BAD, 0},
        {"3\r\nabcx", "abc", BAD, 0},
        {"3\r\nabcd\r\n0\r\n\r\n", "abc", BAD, 0},
        {"3\r\nabc\n0\r\n\r\n", "abc", BAD, 0},
        {"3\r\nabc\r0\r\n\r\n", "abc", BAD, 0},
        {"3\r\nabc\r\n\r\n", "abc", BAD, 0},
        {"0\r\n\n", "", BAD, 0},
        {"0\r\n\rx", "", BAD, 0},
    };
    wring__http1_body begun;
    wring__http1_body_begin(&begun, true, 7);
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        check_all_ways(&rows[i], &begun);
    }
}

/* RFC 9112 7.1.2 */
Test(http1_body, trailers_are_read_by_their_grammar_and_dropped) {
    static const struct row rows[] = {
        {"0\r\nA: b\r\n\r\nx", "", WRING_OK, 11},
        {"1\r\na\r\n0\r\nA:\r\nB: c d\t \r\n\r\n", "a", WRING_OK, 25},
        {"0\r\nContent-Length: 5\r\n\r\nabcde", "", WRING_OK, 24},
        {"0\r\nA: \xc3\xa9\r\n\r\n", "", WRING_OK, 12},
        {"0\r\nA: b\r\n", "", WRING_MORE, 0},
        {"0\r\nA\r\n\r\n", "", BAD, 0},
        {"0\r\nA b: c\r\n\r\n", "", BAD, 0},
        {"0\r\nA : c\r\n\r\n", "", BAD, 0},
        {"0\r\n: c\r\n\r\n", "", BAD, 0},
        {"0\r\n A: c\r\n\r\n", "", BAD, 0},
        {"0\r\nA: b\r\n c\r\n\r\n", "", BAD, 0}, /* obs-fold */
        {"0\r\nA: b\n\r\n", "", BAD, 0},
        {"0\r\nA: b\rC: d\r\n\r\n", "", BAD, 0},
        {"0\r\nA: \x01\r\n\r\n", "", BAD, 0},
        {"0\r\nGET / HTTP/1.1\r\n\r\n", "", BAD, 0},
    };
    wring__http1_body begun;
    wring__http1_body_begin(&begun, true, 0);
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        check_all_ways(&rows[i], &begun);
    }
}

Test(http1_body, lengths) {
    static const struct {
        struct row row;
        uint64_t length;
    } rows[] = {
        {{"", "", WRING_OK, 0}, 0},
        {{"GET /", "", WRING_OK, 0}, 0},
        {{"abcGET /", "abc", WRING_OK, 3}, 3},
        {{"abc", "abc", WRING_OK, 3}, 3},
        {{"abc", "abc", WRING_MORE, 0}, 4},
        {{"abc", "abc", WRING_MORE, 0}, INT64_MAX},
        {{"", "", WRING_MORE, 0}, 1},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        wring__http1_body begun;
        wring__http1_body_begin(&begun, false, rows[i].length);
        check_all_ways(&rows[i].row, &begun);
    }
}

/* What comes in one read is one piece: a body is not cut up further. */
Test(http1_body, a_piece_is_as_long_as_the_input_allows) {
    static char data[100000];
    wring__http1_body body;
    wring_bytes piece;
    size_t used;
    wring__http1_body_begin(&body, false, sizeof data - 10);
    cr_assert_eq(wring__http1_body_next(&body, wring_bytes_of(data, 60000), &used, &piece),
                 WRING_OK);
    cr_assert(piece.len == 60000 && piece.data == (uint8_t *)data && used == 60000);
    cr_assert_eq(wring__http1_body_next(&body, wring_bytes_of(data + 60000, 40000), &used, &piece),
                 WRING_OK);
    cr_assert(piece.len == 39990 && used == 39990 && wring__http1_body_has_ended(&body));
}

Test(http1_body, an_error_stays) {
    wring__http1_body body;
    wring_bytes piece;
    size_t used;
    wring__http1_body_begin(&body, true, 0);
    cr_assert_eq(wring__http1_body_next(&body, wring_str("x"), &used, &piece), BAD);
    cr_assert_eq(used, 1);
    cr_assert_eq(wring__http1_body_next(&body, wring_str("0\r\n\r\n"), &used, &piece), BAD);
    cr_assert(used == 0 && piece.len == 0 && !wring__http1_body_has_ended(&body));
    cr_assert_eq(wring__http1_body_next(&body, (wring_bytes){NULL, 0}, &used, &piece), BAD);
}

static wring_result result_of(const char *data, size_t len) {
    wring__http1_body body;
    wring__http1_body_begin(&body, true, 0);
    wring_bytes in = {(const uint8_t *)data, len};
    wring_bytes piece = {NULL, 1};
    wring_result result = WRING_OK;
    while (result == WRING_OK && piece.len > 0) {
        size_t used;
        result = wring__http1_body_next(&body, in, &used, &piece);
        in = wring_bytes_of(in.data + used, in.len - used);
    }
    return result;
}

/* Appends `count` bytes of `c`. */
static void fill(char *text, size_t *len, char c, size_t count) {
    memset(text + *len, c, count);
    *len += count;
}

static void append(char *text, size_t *len, const char *more) {
    memcpy(text + *len, more, strlen(more));
    *len += strlen(more);
}

Test(http1_body, limits_of_extensions_hold_over_the_whole_body) {
    static char text[16384];
    for (size_t over = 0; over <= 1; over++) {
        size_t len = 0;
        for (size_t i = 0; i < 4; i++) { /* the byte behind ';' and on count */
            append(text, &len, "1;");
            fill(text, &len, 'x', 1024 + (i == 3 ? over : 0));
            append(text, &len, "\r\na\r\n");
        }
        append(text, &len, "0\r\n\r\n");
        cr_assert_eq(result_of(text, len), over == 0 ? WRING_OK : BAD);
        len = 0;
        append(text, &len, "1");
        fill(text, &len, ' ', 4097);
        append(text, &len, ";\r\na\r\n0\r\n\r\n");
        cr_assert_eq(result_of(text, len), BAD); /* white space too */
    }
}

Test(http1_body, limits_of_trailers) {
    static char text[16384];
    for (size_t over = 0; over <= 1; over++) {
        size_t len = 0;
        append(text, &len, "0\r\n");
        for (size_t i = 0; i < WRING__HTTP1_TRAILER_FIELDS_MAX + over; i++) {
            append(text, &len, "A: b\r\n");
        }
        append(text, &len, "\r\n");
        cr_assert_eq(result_of(text, len), over == 0 ? WRING_OK : BAD);
        len = 0;
        append(text, &len, "0\r\nA:"); /* with the CR, without the LF */
        fill(text, &len, 'x', WRING__HTTP1_TRAILER_BYTES_MAX - 3 + over);
        append(text, &len, "\r\n\r\n");
        cr_assert_eq(result_of(text, len), over == 0 ? WRING_OK : BAD);
    }
}

/* RFC 9112 6.3 */
Test(http1_body, how_a_response_is_framed) {
    static const struct {
        int status;
        const char *name, *value;
        struct row row;
    } rows[] = {
        {403, "content-length", "3", {"abcdef", "abc", WRING_OK, 3}},
        {403, "Content-Length", "5", {"abc", "abc", WRING_MORE, 0}},
        {403, "content-length", "0", {"", "", WRING_OK, 0}},
        {403, "content-length", "x", {"abc", "abc", WRING_MORE, 0}},
        {403, "content-length", "99999999999999999999", {"abc", "abc", WRING_MORE, 0}},
        {403, "A", "", {"abc", "abc", WRING_MORE, 0}},
        {204, "content-length", "3", {"abc", "", WRING_OK, 0}},
        {304, "A", "", {"abc", "", WRING_OK, 0}},
        {500, "transfer-encoding", "Chunked", {"3\r\nab", "ab", WRING_MORE, 0}},
        {500, "transfer-encoding", "chunked", {"1\r\na\r\n0\r\n\r\n", "a", WRING_OK, 11}},
        {500, "transfer-encoding", "gzip", {"abc", "abc", WRING_MORE, 0}},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        const wring_header header = {wring_str(rows[i].name), wring_str(rows[i].value)};
        wring__http1_body begun;
        wring__http1_body_begin_response(&begun, rows[i].status, (wring_headers){&header, 1});
        check_all_ways(&rows[i].row, &begun);
    }
    const wring_header both[] = {{wring_str("Content-Length"), wring_str("1")},
                                 {wring_str("Transfer-Encoding"), wring_str("chunked")}};
    const struct row row = {"3\r\nabc\r\n0\r\n\r\n", "abc", WRING_OK, 13};
    wring__http1_body begun;
    wring__http1_body_begin_response(&begun, 500, (wring_headers){both, 2});
    check_all_ways(&row, &begun);
}
