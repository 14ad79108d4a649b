/* SPDX-License-Identifier: Apache-2.0
 *
 * The request head: parsed whole and in pieces, judged by whole lines (head.c); then the server's
 * upgrade check of it, and the answer to a request that passed has to satisfy the client's check.
 *
 *     limits | flags | cuts | head
 */
#include <stdlib.h>

#include "tests/fuzz/head.h"
#include "wring/upgrade.h"

enum { FLAG_SUBPROTOCOL = 1 };

static const char *const subprotocols[] = {"chat", "superchat"};

/* The stateless variant has the library's limits. */
static void stateless_check(wring_bytes bytes) {
    wring__http1 parser;
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_request request = {.struct_size = sizeof request};
    size_t head_len = 0;
    wring__http1_init(&parser, WRING__HTTP1_REQUEST, 65536, 8192);
    wring_result result = wring_h1_request_parse(bytes, list, &request, &head_len);
    FUZZ_CHECK(result == wring__http1_parse(&parser, bytes));
    FUZZ_CHECK(result != WRING_OK || head_len == parser.position);
}

static void required_check(const fuzz_head *head, wring_bytes method,
                           const wring_h1_upgrade_info *info) {
    wring_bytes value = {NULL, 0};
    FUZZ_CHECK(wring_bytes_equal(method, wring_str("GET"))); /* RFC 6455 4.2.1 */
    FUZZ_CHECK(fuzz_head_count(head, "host", NULL) == 1);
    FUZZ_CHECK(fuzz_head_count(head, "content-length", NULL) == 0);
    FUZZ_CHECK(fuzz_head_count(head, "transfer-encoding", NULL) == 0);
    FUZZ_CHECK(fuzz_head_count(head, "upgrade", NULL) > 0);
    FUZZ_CHECK(fuzz_head_count(head, "connection", NULL) > 0);
    FUZZ_CHECK(fuzz_head_count(head, "sec-websocket-version", &value) == 1);
    FUZZ_CHECK(wring_bytes_equal(value, wring_str("13")));
    FUZZ_CHECK(fuzz_head_count(head, "sec-websocket-key", &value) == 1);
    FUZZ_CHECK(wring_bytes_equal(value, info->key) && value.len == 24);
}

/* What a server answers is what a client that asked for it takes. */
static void answer_check(const wring_h1_upgrade_info *info) {
    static const char *const reversed[] = {"superchat", "chat"};
    char head[512];
    char key[25];
    size_t len = 0;
    wring_headers none = {NULL, 0};
    FUZZ_CHECK(wring_h1_response_write(info, none, head, sizeof head, &len) == WRING_OK);
    for (size_t cap = 0; cap < len; cap += 7) { /* too small is told, not overrun */
        size_t ignored;
        uint8_t *small = fuzz_copy(wring_bytes_of(head, cap));
        FUZZ_CHECK(wring_h1_response_write(info, none, (char *)small, cap, &ignored) ==
                   WRING_ERR_INVALID_ARGUMENT);
        free(small);
    }
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_headers headers;
    int status;
    size_t head_len;
    FUZZ_CHECK(wring_h1_response_parse(wring_bytes_of(head, len), list, &status, &headers,
                                       &head_len) == WRING_OK);
    FUZZ_CHECK(head_len == len && status == 101);
    memcpy(key, info->key.data, 24);
    key[24] = 0;
    wring_bytes chosen;
    const wring_upgrade_offer offer = {
        .struct_size = sizeof offer, .subprotocols = reversed, .subprotocol_count = 2};
    FUZZ_CHECK(wring_h1_response_validate(&offer, key, status, headers, &chosen) == WRING_OK);
    FUZZ_CHECK(wring_bytes_equal(chosen, info->subprotocol));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    wring_bytes in = {data, len};
    fuzz_head head = fuzz_head_take(WRING__HTTP1_REQUEST, &in);
    uint8_t flags = fuzz_u8(&in);
    fuzz_cuts cuts = fuzz_cuts_take(&in);
    wring__http1 parser;
    stateless_check(in);
    if (fuzz_head_parse(&head, &parser, in, &cuts) != WRING_OK) {
        return 0;
    }
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_request request = {.struct_size = sizeof request};
    wring__http1_request(&parser, in.data, list, &request);
    const wring_upgrade_options options = {.struct_size = sizeof options,
                                           .required_subprotocols = subprotocols,
                                           .required_subprotocol_count = 2};
    bool choose = (flags & FLAG_SUBPROTOCOL) != 0;
    wring_h1_upgrade_info info = {.struct_size = sizeof info};
    wring_result result =
        wring_h1_request_validate(request.method, request.headers, choose ? &options : NULL, &info);
    if (result == WRING_OK) {
        required_check(&head, request.method, &info);
        FUZZ_CHECK(choose == (info.subprotocol.len > 0));
        answer_check(&info);
    } else {
        int status = wring_http_status(result);
        FUZZ_CHECK(status >= 400 && status < 500 && wring_http_reason(status)[0] != 0);
    }
    return 0;
}
