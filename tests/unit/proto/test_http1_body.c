/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "proto/http1_body.h"

static wring_result feed_in(size_t step, int status, const char *name, const char *value,
                            const char *data, size_t cap, char *out, bool *ended) {
    const wring_header header = {wring_str(name), wring_str(value)};
    wring__http1_body body;
    size_t len = 0;
    wring_result result = WRING_MORE;
    wring__http1_body_init(&body, status, (wring_headers){&header, name[0] == 0 ? 0 : 1});
    result = wring__http1_body_feed(&body, wring_bytes_of(NULL, 0), (uint8_t *)out, cap, &len);
    for (size_t at = 0; result == WRING_MORE && at < strlen(data); at += step) {
        const size_t piece = wring__min_size(step, strlen(data) - at);
        result = wring__http1_body_feed(&body, wring_bytes_of(data + at, piece), (uint8_t *)out,
                                        cap, &len);
    }
    out[len] = 0;
    *ended = wring__http1_body_has_ended(&body);
    return result;
}

Test(http1_body, each_framing_at_each_split) {
    static const struct {
        int status;
        const char *name, *value, *data, *want;
        wring_result result;
        bool ended;
    } rows[] = {
        {403, "content-length", "3", "abcdef", "abc", WRING_OK, true},
        {403, "Content-Length", "5", "abc", "abc", WRING_MORE, false},
        {403, "content-length", "0", "", "", WRING_OK, true},
        {403, "content-length", "x", "abc", "abc", WRING_MORE, false},
        {403, "content-length", "99999999999999999999", "abc", "abc", WRING_MORE, false},
        {403, "", "", "abc", "abc", WRING_MORE, false},
        {204, "content-length", "3", "abc", "", WRING_OK, true},
        {304, "", "", "abc", "", WRING_OK, true},
        {500, "transfer-encoding", "chunked", "3\r\nabc\r\n0\r\n\r\n", "abc", WRING_OK, true},
        {500, "transfer-encoding", "chunked", "1\r\na\r\n02;x=y\r\nbc\r\n0\r\n", "abc", WRING_OK,
         true},
        {500, "transfer-encoding", "Chunked", "3\r\nab", "ab", WRING_MORE, false},
        {500, "transfer-encoding", "chunked", "3\r\nabcx", "abc", WRING_ERR_BAD_HTTP, false},
        {500, "transfer-encoding", "chunked", "\r\nabc", "", WRING_ERR_BAD_HTTP, false},
        {500, "transfer-encoding", "chunked", "g\r\n", "", WRING_ERR_BAD_HTTP, false},
        {500, "transfer-encoding", "chunked", "11111111111111111", "", WRING_ERR_BAD_HTTP, false},
        {500, "content-length", "20", "0123456789abcdef", "0123456789", WRING_OK, false},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step <= 20; step++) {
            char out[32];
            bool ended = false;
            const wring_result result = feed_in(step, rows[i].status, rows[i].name, rows[i].value,
                                                rows[i].data, 10, out, &ended);
            cr_assert_eq(result, rows[i].result, "row %zu step %zu: %d", i, step, result);
            cr_assert_str_eq(out, rows[i].want, "row %zu step %zu", i, step);
            cr_assert_eq(ended, rows[i].ended, "row %zu step %zu", i, step);
        }
    }
}
