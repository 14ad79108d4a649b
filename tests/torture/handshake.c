/* SPDX-License-Identifier: Apache-2.0
 *
 * Heads that come in pieces.
 */
#include <string.h>

#include "proto/head.h"
#include "tests/torture/torture.h"

static const char request[] = "GET /chat?x=y HTTP/1.1\r\n"
                              "Host: example.com\r\n"
                              "Upgrade: websocket\r\n"
                              "Connection: keep-alive, Upgrade\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Sec-WebSocket-Protocol: chat, superchat\r\n"
                              "Sec-WebSocket-Version: 13\r\n\r\n";
static const char response[] = "HTTP/1.1 101 Switching Protocols\r\n"
                               "Upgrade: websocket\r\n"
                               "Connection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static wring_result head_feed(const char *text, size_t len, bool is_request, size_t piece) {
    wring__http1 scratch;
    wring__http1 *parser = &scratch;
    wring__head *head = NULL;
    wring_mut_bytes data = {NULL, 0};
    wring_result result = WRING_MORE;
    wring__http1_init(&scratch, is_request ? WRING__HTTP1_REQUEST : WRING__HTTP1_RESPONSE, 8192,
                      100);
    for (size_t at = 0; at < len && result == WRING_MORE; at += piece) {
        char copy[512];
        const size_t part = len - at < piece ? len - at : piece;
        memcpy(copy, text + at, part);
        result = wring__head_feed(&head, &scratch, (wring_mut_bytes){(uint8_t *)copy, part},
                                  &parser, &data);
    }
    CHECK(result != WRING_OK || (parser->position == len && data.len == len));
    CHECK(result == WRING_OK || result == WRING_ERR_NO_MEMORY);
    wring__head_free(&head);
    return result;
}

static wring_result request_in_pieces(void) {
    return head_feed(request, sizeof request - 1, true, 3);
}

static wring_result response_in_pieces(void) {
    return head_feed(response, sizeof response - 1, false, 7);
}

const torture_case torture_handshake[] = {
    {"request head in pieces", request_in_pieces, false},
    {"response head in pieces", response_in_pieces, false},
    {0},
};
