/* SPDX-License-Identifier: Apache-2.0
 *
 * The response head: parsed whole and in pieces, judged by whole lines (head.c); then the client's
 * check of it, which may pass only what RFC 6455 4.1 asks for.
 *
 *     limits | flags | cuts | head
 */
#include "tests/fuzz/head.h"
#include "wring/upgrade.h"

enum { FLAG_SUBPROTOCOLS = 1, FLAG_EXTENSIONS = 2 };

static const char *const subprotocols[] = {"chat", "superchat"};

/* RFC 6455 1.3 */
#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void stateless_check(wring_bytes bytes) {
    wring__http1 parser;
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_headers headers = {NULL, 0};
    int status = 0;
    size_t head_len = 0;
    wring__http1_init(&parser, WRING__HTTP1_RESPONSE, 65536, 8192);
    wring_result result = wring_h1_response_parse(bytes, list, &status, &headers, &head_len);
    FUZZ_CHECK(result == wring__http1_parse(&parser, bytes));
    if (result == WRING_OK) {
        FUZZ_CHECK(head_len == parser.position && status == parser.status);
        FUZZ_CHECK(headers.count == parser.field_count);
    }
}

/* All that has to be there for WRING_OK, and nothing else than that is asked. */
static bool is_acceptable(const fuzz_head *head, wring_headers headers, uint8_t flags) {
    wring_bytes accept = {NULL, 0};
    wring_bytes subprotocol = {NULL, 0};
    size_t chosen = fuzz_head_count(head, "sec-websocket-protocol", &subprotocol);
    bool offered = false;
    for (size_t i = 0; i < 2 && (flags & FLAG_SUBPROTOCOLS) != 0; i++) {
        offered = offered || wring_bytes_equal(subprotocol, wring_str(subprotocols[i]));
    }
    bool extended = fuzz_head_count(head, "sec-websocket-extensions", NULL) > 0;
    return head->status == 101 && fuzz_head_count(head, "sec-websocket-accept", &accept) == 1 &&
           wring_bytes_equal(accept, wring_str(ACCEPT)) &&
           wring_headers_has_token(headers, "upgrade", "websocket") &&
           wring_headers_has_token(headers, "connection", "upgrade") &&
           (chosen == 0 || (chosen == 1 && offered)) &&
           (!extended || (flags & FLAG_EXTENSIONS) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    wring_bytes in = {data, len};
    fuzz_head head = fuzz_head_take(WRING__HTTP1_RESPONSE, &in);
    uint8_t flags = fuzz_u8(&in);
    fuzz_cuts cuts = fuzz_cuts_take(&in);
    wring__http1 parser;
    stateless_check(in);
    if (fuzz_head_parse(&head, &parser, in, &cuts) != WRING_OK) {
        return 0;
    }
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_headers headers = wring__http1_headers(&parser, in.data, list);
    const wring_upgrade_offer offer = {
        .struct_size = sizeof offer,
        .subprotocols = subprotocols,
        .subprotocol_count = (flags & FLAG_SUBPROTOCOLS) != 0 ? 2 : 0,
        .extensions = (flags & FLAG_EXTENSIONS) != 0 ? "permessage-deflate" : NULL,
    };
    wring_bytes subprotocol = {NULL, 1};
    wring_result result =
        wring_h1_response_validate(&offer, KEY, parser.status, headers, &subprotocol);
    FUZZ_CHECK((result == WRING_OK) == is_acceptable(&head, headers, flags));
    if (result == WRING_OK) {
        size_t chosen = fuzz_head_count(&head, "sec-websocket-protocol", NULL);
        FUZZ_CHECK((subprotocol.len > 0) == (chosen == 1));
    } else {
        FUZZ_CHECK(wring_result_class(result) == WRING_CLASS_PEER);
    }
    return 0;
}
