/* SPDX-License-Identifier: Apache-2.0
 *
 * Offers and responses of permessage-deflate. What a server answers can be accepted by a client
 * that allows everything, says nothing the offer forbids, and is a fixed point: the answer,
 * offered, gets an answer no wider. What a client accepts as a response lies within what it
 * offered.
 *
 *     takeovers and windows (2) | lines: values of Sec-WebSocket-Extensions
 */
#include <stdlib.h>

#include "proto/deflate.h"
#include "tests/fuzz/fuzz.h"

#define LINES_MAX 8

static wring_deflate_config config_take(wring_bytes *in) {
    const uint8_t takeovers = fuzz_u8(in);
    const uint8_t bits = fuzz_u8(in);
    const wring_deflate_config config = {
        .struct_size = sizeof config,
        .server_context_takeover = (takeovers & 1) != 0,
        .client_context_takeover = (takeovers & 2) != 0,
        .server_max_window_bits = (uint8_t)(8 + (bits & 7)),
        .client_max_window_bits = (uint8_t)(8 + (bits >> 4 & 7)),
    };
    wring_deflate_config adopted = {.struct_size = sizeof adopted};
    FUZZ_CHECK(wring_deflate_config_adopt(&config, &adopted, NULL) == WRING_OK);
    return adopted;
}

static bool has(wring_bytes text, const char *what) {
    for (size_t i = 0; i + strlen(what) <= text.len; i++) {
        size_t same = 0;
        while (same < strlen(what) && (text.data[i + same] | 0x20) == (what[same] | 0x20)) {
            same++;
        }
        if (same == strlen(what)) {
            return true;
        }
    }
    return false;
}

static bool bits_are_legal(uint8_t bits) {
    return bits >= 8 && bits <= 15;
}

static void params_check(const wring_deflate_params *p, const wring_deflate_config *config) {
    FUZZ_CHECK(bits_are_legal(p->server_max_window_bits));
    FUZZ_CHECK(bits_are_legal(p->client_max_window_bits));
    FUZZ_CHECK(p->server_no_context_takeover || config->server_context_takeover);
    FUZZ_CHECK(p->client_no_context_takeover || config->client_context_takeover);
}

static wring_headers one_header(wring_header *header, const char *text) {
    *header = (wring_header){wring_str("sec-websocket-extensions"), wring_str(text)};
    return (wring_headers){header, 1};
}

/* A client that allows everything takes the answer, and understands it as it was meant. */
static void answer_check(const wring_deflate_params *said) {
    static const wring_deflate_config all = {.struct_size = sizeof all,
                                             .server_context_takeover = true,
                                             .client_context_takeover = true,
                                             .server_max_window_bits = 15,
                                             .client_max_window_bits = 15};
    char text[WRING_DEFLATE_TEXT_MAX];
    wring_header header;
    wring_deflate_params heard;
    bool accepted = false;
    const wring_bytes view = wring_deflate_response(said, text);
    FUZZ_CHECK(wring_bytes_equal(view, wring_str(text)));
    FUZZ_CHECK(wring_deflate_response_parse(one_header(&header, text), &all, false, &heard,
                                            &accepted, NULL) == WRING_OK);
    FUZZ_CHECK(accepted);
    FUZZ_CHECK(heard.server_no_context_takeover == said->server_no_context_takeover);
    FUZZ_CHECK(heard.client_max_window_bits == said->client_max_window_bits);
    FUZZ_CHECK(heard.server_max_window_bits >= said->server_max_window_bits);
    wring_deflate_params again;
    FUZZ_CHECK(wring_deflate_negotiate(one_header(&header, text), &all, &again));
    FUZZ_CHECK(again.server_max_window_bits <= 15 && again.client_max_window_bits <= 15);
    FUZZ_CHECK(again.server_no_context_takeover >= heard.server_no_context_takeover);
}

static void server_run(wring_headers headers, wring_bytes all, const wring_deflate_config *config) {
    wring_deflate_params params;
    if (!wring_deflate_negotiate(headers, config, &params)) {
        return;
    }
    FUZZ_CHECK(has(all, "permessage-deflate"));
    params_check(&params, config);
    FUZZ_CHECK(params.server_max_window_bits <= config->server_max_window_bits);
    /* RFC 7692 7.1.2.2: only who said it can limit its window is asked to */
    FUZZ_CHECK(params.client_max_window_bits == 15 || has(all, "client_max_window_bits"));
    FUZZ_CHECK(!params.server_window_asked || has(all, "server_max_window_bits"));
    answer_check(&params);
}

static void client_run(wring_headers headers, wring_bytes all, const wring_deflate_config *config) {
    wring_deflate_params params;
    wring_error error = {0};
    bool accepted = true;
    wring_result result =
        wring_deflate_response_parse(headers, config, false, &params, &accepted, &error);
    switch (result) {
    case WRING_OK:
        break;
    case WRING_ERR_UNEXPECTED_EXTENSION:
    case WRING_ERR_BAD_EXTENSION:
    case WRING_ERR_EXTENSION_MISMATCH:
        FUZZ_CHECK(error.code == result && error.text[0] != 0);
        return;
    default:
        FUZZ_CHECK(result == WRING_OK);
    }
    if (accepted) {
        FUZZ_CHECK(has(all, "permessage-deflate"));
        params_check(&params, config);
        FUZZ_CHECK(params.server_max_window_bits <= config->server_max_window_bits);
        FUZZ_CHECK(params.client_max_window_bits <= config->client_max_window_bits);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    wring_bytes in = {data, len};
    const wring_deflate_config config = config_take(&in);
    uint8_t *copy = fuzz_copy(in);
    wring_bytes rest = {copy, in.len};
    wring_header list[LINES_MAX];
    wring_headers headers = {list, 0};
    while (rest.len > 0 && headers.count < LINES_MAX) {
        const uint8_t *end = memchr(rest.data, '\n', rest.len);
        const size_t line = end == NULL ? rest.len : (size_t)(end - rest.data);
        list[headers.count++] =
            (wring_header){wring_str("Sec-WebSocket-Extensions"), fuzz_take(&rest, line)};
        (void)fuzz_take(&rest, 1);
    }
    const wring_bytes all = {copy, in.len};
    server_run(headers, all, &config);
    client_run(headers, all, &config);
    char offer[WRING_DEFLATE_TEXT_MAX];
    wring_header header;
    const wring_bytes view = wring_deflate_offer(&config, offer);
    FUZZ_CHECK(wring_bytes_equal(view, wring_str(offer)));
    server_run(one_header(&header, offer), wring_str(offer), &config);
    free(copy);
    return 0;
}
