/* SPDX-License-Identifier: Apache-2.0
 *
 * The request head: parsed whole and in pieces, judged by whole lines (head.c); then the server's
 * upgrade check of it, and the answer to a request that passed has to satisfy the client's check.
 *
 *     limits | flags | cuts | head
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

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
    wring_result want = wring__http1_parse(&parser, bytes);
    if (want == WRING_OK && parser.minor == 0) {
        want = WRING_ERR_BAD_HTTP_VERSION;
    }
    FUZZ_CHECK(result == want || (want == WRING_OK && result == WRING_ERR_BAD_HTTP)); /* target */
    FUZZ_CHECK(result != WRING_OK || head_len == parser.position);
}

static wring_bytes info_host(const fuzz_head *head) {
    wring_bytes value = {NULL, 0};
    (void)fuzz_head_count(head, "host", &value);
    return value;
}

/* RFC 9112 3.2 */
static void host_check(const fuzz_head *head, const wring_request *request) {
    const wring_bytes value = info_host(head);
    const size_t count = fuzz_head_count(head, "host", NULL);
    const bool empty = value.len == 0 && head->minor == 0; /* none, or of no length */
    const bool legal = count <= 1 && (empty || (count == 1 && fuzz_is_authority(value)));
    const wring_result result = wring__http1_host_check(request);
    FUZZ_CHECK(result == (legal ? WRING_OK : WRING_ERR_BAD_HOST));
}

/* RFC 9112 6: whatever is taken is unambiguous. */
static void framing_check(const fuzz_head *head, const wring_request *request) {
    wring_bytes value = {NULL, 0};
    bool chunked = false;
    uint64_t length = 0;
    const wring_result result =
        wring__http1_framing(request->headers, head->minor, &chunked, &length);
    const size_t codings = fuzz_head_count(head, "transfer-encoding", &value);
    const size_t lengths = fuzz_head_count(head, "content-length", codings == 0 ? &value : NULL);
    FUZZ_CHECK(result == WRING_OK || result == WRING_ERR_BAD_HTTP ||
               result == WRING_ERR_UNSUPPORTED_ENCODING);
    FUZZ_CHECK(result == WRING_OK || (!chunked && length == 0));
    FUZZ_CHECK(codings + lengths > 0 || (result == WRING_OK && !chunked && length == 0));
    if (result == WRING_OK && codings + lengths > 0) {
        char text[32] = {0};
        FUZZ_CHECK(codings + lengths == 1 && chunked == (codings == 1));
        FUZZ_CHECK(!chunked || (head->minor == 1 && value.len == 7 &&
                                strncasecmp((const char *)value.data, "chunked", 7) == 0));
        while (value.len > 1 && value.data[0] == '0') {
            (void)fuzz_take(&value, 1);
        }
        (void)snprintf(text, sizeof text, "%" PRIu64, length); /* no sign, space or overflow */
        FUZZ_CHECK(chunked || wring_bytes_equal(value, wring_str(text)));
        FUZZ_CHECK(length <= INT64_MAX);
    }
}

static void required_check(const fuzz_head *head, wring_bytes method,
                           const wring_h1_upgrade_info *info) {
    wring_bytes value = {NULL, 0};
    FUZZ_CHECK(wring_bytes_equal(method, wring_str("GET"))); /* RFC 6455 4.2.1 */
    FUZZ_CHECK(fuzz_head_count(head, "host", NULL) == 1);
    FUZZ_CHECK(fuzz_is_authority(info_host(head)));
    FUZZ_CHECK(fuzz_head_count(head, "content-length", &value) <= 1);
    for (size_t i = 0; i < value.len; i++) {
        FUZZ_CHECK(value.data[i] == '0');
    }
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
    const bool has_target = wring__http1_request(&parser, in.data, list, &request) == WRING_OK;
    host_check(&head, &request);
    framing_check(&head, &request);
    if (!has_target) {
        return 0;
    }
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
