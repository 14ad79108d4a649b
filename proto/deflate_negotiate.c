/* SPDX-License-Identifier: Apache-2.0
 *
 * The negotiation of permessage-deflate (RFC 7692 5, 7.1), both roles, and the checks of its
 * configuration. Pure functions; what was agreed on is carried out by deflate_pool.c.
 */
#include <stddef.h>
#include <stdio.h>

#include "core/base.h"
#include "core/sized.h"
#include "proto/deflate.h"
#include "proto/upgrade.h"

#define EXTENSION "permessage-deflate"
#define BITS_MIN  8
#define BITS_MAX  15

/* ---- configuration --------------------------------------------------------------------------- */

static wring_result bad(wring_error *error, const char *field, const char *why) {
    return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0, "deflate config: %s %s", field, why);
}

static void default_u8(uint8_t *field, uint8_t value) {
    *field = *field == 0 ? value : *field;
}

static bool bits_are_legal(uint8_t bits) {
    return bits >= BITS_MIN && bits <= BITS_MAX;
}

wring_result wring__deflate_config_adopt(const wring_deflate_config *in, wring_deflate_config *out,
                                         wring_error *error) {
    const wring_deflate_config none = {.struct_size = sizeof none};
    wring_deflate_config c;
    const wring_result sized =
        wring__sized_adopt(&c, sizeof c, in == NULL ? &none : in,
                           offsetof(wring_deflate_config, level), "wring_deflate_config", error);
    if (sized != WRING_OK) {
        return sized;
    }
    default_u8(&c.server_max_window_bits, c.server_context_takeover ? 12 : 15);
    default_u8(&c.client_max_window_bits, c.client_context_takeover ? 12 : 15);
    default_u8(&c.level, 5);
    default_u8(&c.mem_level, 5);
    c.message_bytes_min = c.message_bytes_min == 0 ? 256 : c.message_bytes_min;
    c.takeover_idle_ms = c.takeover_idle_ms == 0 ? 30000 : c.takeover_idle_ms;
    c.inflated_bytes_max = c.inflated_bytes_max == 0 ? UINT64_C(64) << 20 : c.inflated_bytes_max;
    c.takeover_budget_bytes =
        c.takeover_budget_bytes == 0 ? UINT64_C(256) << 20 : c.takeover_budget_bytes;
    c.compress_turn_bytes = c.compress_turn_bytes == 0 ? UINT64_C(64) << 10 : c.compress_turn_bytes;
    c.inflate_turn_bytes = c.inflate_turn_bytes == 0 ? UINT64_C(128) << 10 : c.inflate_turn_bytes;
    *out = c;
    if (!bits_are_legal(c.server_max_window_bits)) {
        return bad(error, "server_max_window_bits", "is not 8 to 15");
    }
    if (!bits_are_legal(c.client_max_window_bits)) {
        return bad(error, "client_max_window_bits", "is not 8 to 15");
    }
    if (c.level > 9 || c.mem_level > 9) {
        return bad(error, "level or mem_level", "is not 1 to 9");
    }
    if ((unsigned)c.strategy > WRING_DEFLATE_FIXED) {
        return bad(error, "strategy", "is none of the five");
    }
    return WRING_OK;
}

wring_result wring_deflate_config_adopt(const wring_deflate_config *in, wring_deflate_config *out,
                                        wring_error *error) {
    wring_deflate_config adopted;
    wring_result result = wring__deflate_config_adopt(in, &adopted, error);
    if (result == WRING_OK) {
        result =
            wring__sized_give_told(out, &adopted, sizeof adopted, "wring_deflate_config", error);
    }
    return result;
}

/* ---- one element of Sec-WebSocket-Extensions --------------------------------------------------
 */

/* RFC 9110 5.6.2 */
static bool is_token_char(uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void skip_space(wring_bytes *text) {
    while (text->len > 0 && (text->data[0] == ' ' || text->data[0] == '\t')) {
        text->data++;
        text->len--;
    }
}

static bool token_take(wring_bytes *text, wring_bytes *token) {
    size_t len = 0;
    while (len < text->len && is_token_char(text->data[len])) {
        len++;
    }
    *token = wring_bytes_of(text->data, len);
    text->data += len;
    text->len -= len;
    return len > 0;
}

static bool char_take(wring_bytes *text, uint8_t c) {
    skip_space(text);
    if (text->len == 0 || text->data[0] != c) {
        return false;
    }
    text->data++;
    text->len--;
    return true;
}

/* RFC 6455 9.1: a quoted value is a token once it is unquoted. Our values are digits, so that one
 * with an escape in it is out of range whatever it means. */
static bool value_take(wring_bytes *text, wring_bytes *value) {
    skip_space(text);
    if (!char_take(text, '"')) {
        return token_take(text, value);
    }
    return token_take(text, value) && text->len > 0 && text->data[0] == '"' && char_take(text, '"');
}

/* RFC 7692 7.1.2: decimal, 8 to 15, without leading zeros. 0: it is not. */
static uint8_t bits_of(wring_bytes value) {
    uint8_t bits = 0;
    if (value.len == 1) {
        bits = (uint8_t)(value.data[0] - '0');
    } else if (value.len == 2 && value.data[0] == '1') {
        bits = (uint8_t)(10 + value.data[1] - '0');
    }
    return bits_are_legal(bits) ? bits : 0;
}

/* What one offer, or one response, says. */
struct said {
    bool server_no_takeover;
    bool client_no_takeover;
    bool has_server_bits;
    bool has_client_bits;
    uint8_t server_bits; /* 0: without a value */
    uint8_t client_bits;
};

static bool flag_set(bool *flag, bool has_value) {
    bool fresh = !*flag;
    *flag = true;
    return fresh && !has_value;
}

static bool bits_set(bool *has, uint8_t *bits, const wring_bytes *value) {
    bool fresh = !*has;
    *has = true;
    *bits = value == NULL ? 0 : bits_of(*value);
    return fresh && (value == NULL || *bits != 0);
}

/* False: unknown, given twice, or with a value it must not have. */
static bool parameter_apply(struct said *said, wring_bytes name, const wring_bytes *value) {
    if (wring__text_is(name, "server_no_context_takeover")) {
        return flag_set(&said->server_no_takeover, value != NULL);
    }
    if (wring__text_is(name, "client_no_context_takeover")) {
        return flag_set(&said->client_no_takeover, value != NULL);
    }
    if (wring__text_is(name, "server_max_window_bits")) {
        return value != NULL && bits_set(&said->has_server_bits, &said->server_bits, value);
    }
    if (wring__text_is(name, "client_max_window_bits")) {
        return bits_set(&said->has_client_bits, &said->client_bits, value);
    }
    return false;
}

/* Reads the parameters behind the extension's name.
 *  @param at  the parameter that is wrong, when it returns false */
static bool parameters_parse(wring_bytes rest, struct said *said, wring_bytes *at) {
    memset(said, 0, sizeof *said);
    skip_space(&rest);
    while (rest.len > 0) {
        wring_bytes name, value;
        *at = rest;
        if (!char_take(&rest, ';')) {
            return false;
        }
        skip_space(&rest);
        *at = rest;
        if (!token_take(&rest, &name)) {
            return false;
        }
        *at = name;
        bool has_value = char_take(&rest, '=');
        if ((has_value && !value_take(&rest, &value)) ||
            !parameter_apply(said, name, has_value ? &value : NULL)) {
            return false;
        }
        skip_space(&rest);
    }
    return true;
}

static bool is_deflate(wring_bytes *element) {
    wring_bytes name;
    return token_take(element, &name) && wring__text_is(name, EXTENSION);
}

/* ---- server ---------------------------------------------------------------------------------- */

static uint8_t least(uint8_t a, uint8_t b) {
    return a < b ? a : b;
}

static wring_deflate_params offer_answer(const struct said *offer,
                                         const wring_deflate_config *config) {
    wring_deflate_params params = {
        .server_max_window_bits = least(config->server_max_window_bits,
                                        offer->has_server_bits ? offer->server_bits : BITS_MAX),
        /* without the parameter the client was not asked to be able to use less: 7.1.2.2 */
        .client_max_window_bits = BITS_MAX,
        .server_no_context_takeover = offer->server_no_takeover || !config->server_context_takeover,
        .client_no_context_takeover = offer->client_no_takeover || !config->client_context_takeover,
        .server_window_asked = offer->has_server_bits,
    };
    if (offer->has_client_bits) {
        params.client_max_window_bits =
            least(config->client_max_window_bits,
                  offer->client_bits == 0 ? BITS_MAX : offer->client_bits);
    }
    /* zlib has no raw window of 256 bytes; what needs none are messages that fit into it */
    params.server_no_context_takeover |= params.server_max_window_bits == BITS_MIN;
    return params;
}

bool wring_deflate_negotiate(wring_headers headers, const wring_deflate_config *config,
                             wring_deflate_params *out) {
    wring_deflate_config adopted;
    if (wring__deflate_config_adopt(config, &adopted, NULL) != WRING_OK) {
        return false;
    }
    config = &adopted;
    wring_list_cursor cursor = {0, 0};
    wring_bytes element, at;
    struct said offer;
    while (wring_headers_next(headers, "sec-websocket-extensions", &cursor, &element)) {
        if (is_deflate(&element) && parameters_parse(element, &offer, &at)) {
            *out = offer_answer(&offer, config);
            return true;
        }
    }
    return false;
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* The longest text is all four parameters: 134 bytes. */
static size_t text_put(char *out, size_t len, const char *text) {
    size_t more = strlen(text);
    WRING_ASSERT(len + more < WRING_DEFLATE_TEXT_MAX);
    memcpy(out + len, text, more + 1);
    return len + more;
}

static size_t bits_put(char *out, size_t len, const char *name, uint8_t bits) {
    char text[64];
    (void)snprintf(text, sizeof text, "; %s=%u", name, bits);
    return text_put(out, len, text);
}

wring_bytes wring_deflate_response(const wring_deflate_params *params,
                                   char out[WRING_DEFLATE_TEXT_MAX]) {
    size_t len = text_put(out, 0, EXTENSION);
    if (params->server_no_context_takeover) {
        len = text_put(out, len, "; server_no_context_takeover");
    }
    if (params->client_no_context_takeover) {
        len = text_put(out, len, "; client_no_context_takeover");
    }
    if (params->server_window_asked) {
        len = bits_put(out, len, "server_max_window_bits", params->server_max_window_bits);
    }
    if (params->client_max_window_bits < BITS_MAX) { /* then it was offered */
        len = bits_put(out, len, "client_max_window_bits", params->client_max_window_bits);
    }
    return wring_bytes_of(out, len);
}

wring_bytes wring_deflate_offer(const wring_deflate_config *config,
                                char out[WRING_DEFLATE_TEXT_MAX]) {
    wring_deflate_config adopted;
    if (wring__deflate_config_adopt(config, &adopted, NULL) != WRING_OK) {
        out[0] = 0;
        return wring_bytes_of(out, 0);
    }
    config = &adopted;
    size_t len = text_put(out, 0, EXTENSION);
    if (!config->server_context_takeover) {
        len = text_put(out, len, "; server_no_context_takeover");
    }
    if (!config->client_context_takeover) {
        len = text_put(out, len, "; client_no_context_takeover");
    }
    if (config->server_max_window_bits < BITS_MAX) {
        len = bits_put(out, len, "server_max_window_bits", config->server_max_window_bits);
    }
    len = config->client_max_window_bits < BITS_MAX
              ? bits_put(out, len, "client_max_window_bits", config->client_max_window_bits)
              : text_put(out, len, "; client_max_window_bits"); /* the server may choose */
    return wring_bytes_of(out, len);
}

/* ---- client ---------------------------------------------------------------------------------- */

static wring_result mismatch(wring_error *error, const char *parameter) {
    return wring_error_set(error, WRING_ERR_EXTENSION_MISMATCH, 0,
                           "the server's permessage-deflate contradicts what was offered: %s",
                           parameter);
}

/* RFC 7692 7.1: each rule about what a response may say to an offer. */
static wring_result answer_check(const struct said *answer, const wring_deflate_config *config,
                                 wring_error *error) {
    if (!config->server_context_takeover && !answer->server_no_takeover) {
        return mismatch(error, "server_no_context_takeover is missing");
    }
    if (config->server_max_window_bits < BITS_MAX &&
        (!answer->has_server_bits || answer->server_bits > config->server_max_window_bits)) {
        return mismatch(error, "server_max_window_bits is missing or larger");
    }
    if (answer->has_client_bits && answer->client_bits == 0) {
        return wring_error_set(error, WRING_ERR_BAD_EXTENSION, 0,
                               "the server's permessage-deflate has client_max_window_bits without "
                               "a value");
    }
    if (answer->has_client_bits && answer->client_bits > config->client_max_window_bits) {
        return mismatch(error, "client_max_window_bits is larger");
    }
    return WRING_OK;
}

static wring_result answer_parse(wring_bytes element, const wring_deflate_config *config,
                                 wring_deflate_params *out, wring_error *error) {
    struct said answer;
    wring_bytes at = {NULL, 0};
    if (!parameters_parse(element, &answer, &at)) {
        char shown[100];
        (void)wring_text_printable(at, shown, sizeof shown);
        return wring_error_set(error, WRING_ERR_BAD_EXTENSION, 0,
                               "the server's permessage-deflate has a parameter that is malformed, "
                               "unknown, repeated or out of range: %s",
                               shown);
    }
    wring_result result = answer_check(&answer, config, error);
    *out = (wring_deflate_params){
        .server_max_window_bits = answer.has_server_bits ? answer.server_bits : BITS_MAX,
        .client_max_window_bits =
            answer.has_client_bits ? answer.client_bits : config->client_max_window_bits,
        .server_no_context_takeover = answer.server_no_takeover,
        .client_no_context_takeover = answer.client_no_takeover || !config->client_context_takeover,
        .server_window_asked = answer.has_server_bits,
    };
    out->client_no_context_takeover |= out->client_max_window_bits == BITS_MIN;
    return result;
}

wring_result wring_deflate_response_parse(wring_headers headers, const wring_deflate_config *config,
                                          bool others, wring_deflate_params *out, bool *accepted,
                                          wring_error *error) {
    wring_deflate_config adopted;
    wring_list_cursor cursor = {0, 0};
    wring_bytes element;
    *accepted = false;
    const wring_result known = wring__deflate_config_adopt(config, &adopted, error);
    if (known != WRING_OK) {
        return known;
    }
    while (wring_headers_next(headers, "sec-websocket-extensions", &cursor, &element)) {
        const wring_bytes whole = element;
        if (!is_deflate(&element)) {
            if (others) {
                continue;
            }
            char shown[100];
            (void)wring_text_printable(whole, shown, sizeof shown);
            return wring_error_set(error, WRING_ERR_UNEXPECTED_EXTENSION, 0,
                                   "the server chose an extension nobody offered: %s", shown);
        }
        if (*accepted) {
            return wring_error_set(error, WRING_ERR_BAD_EXTENSION, 0,
                                   "the server chose permessage-deflate twice");
        }
        wring_result result = answer_parse(element, &adopted, out, error);
        if (result != WRING_OK) {
            return result;
        }
        *accepted = true;
    }
    return WRING_OK;
}
