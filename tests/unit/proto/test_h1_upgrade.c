/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/crypto.h"
#include "wring/upgrade.h"

#define KEY    "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 1.3 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* A header list from pairs of strings, ended by NULL. */
static wring_headers headers_of(wring_header *list, const char *const *pairs) {
    size_t n = 0;
    for (; pairs[n * 2] != NULL; n++) {
        list[n].name = wring_str(pairs[n * 2]);
        list[n].value = wring_str(pairs[n * 2 + 1]);
    }
    return (wring_headers){list, n};
}

static wring_result request(const char *method, const char *const *pairs) {
    wring_header list[16];
    wring_h1_upgrade_info info = {.struct_size = sizeof info};
    return wring_h1_request_validate(wring_str(method), headers_of(list, pairs), NULL, &info);
}

#define LIST(...)  ((const char *const[]){__VA_ARGS__, NULL})
#define HOST       "Host", "x"
#define UPGRADE    "Upgrade", "websocket"
#define CONNECTION "Connection", "Upgrade"
#define VERSION    "Sec-WebSocket-Version", "13"
#define KEYED      "Sec-WebSocket-Key", KEY

Test(h1_upgrade, each_rule_of_a_request_has_its_error) {
    const struct {
        const char *method;
        const char *const *pairs;
        wring_result want;
    } rows[] = {
        {"GET", LIST(HOST, UPGRADE, CONNECTION, VERSION, KEYED), WRING_OK},
        {"GET",
         LIST(HOST, "uPGRADE", "h2c, WebSocket", "connection", "keep-alive, UPGRADE", VERSION,
              KEYED),
         WRING_OK},
        {"POST", LIST(HOST, UPGRADE, CONNECTION, VERSION, KEYED), WRING_ERR_WRONG_METHOD},
        {"get", LIST(HOST, UPGRADE, CONNECTION, VERSION, KEYED), WRING_ERR_WRONG_METHOD},
        {"GET", LIST(UPGRADE, CONNECTION, VERSION, KEYED), WRING_ERR_BAD_HOST},
        {"GET", LIST(HOST, HOST, UPGRADE, CONNECTION, VERSION, KEYED), WRING_ERR_BAD_HOST},
        {"GET", LIST("Host", "", UPGRADE, CONNECTION, VERSION, KEYED), WRING_ERR_BAD_HOST},
        {"GET", LIST("Host", "a/b", UPGRADE, CONNECTION, VERSION, KEYED), WRING_ERR_BAD_HOST},
        {"GET", LIST(HOST, UPGRADE, CONNECTION, VERSION, KEYED, "Content-Length", "0"), WRING_OK},
        {"GET", LIST(HOST, UPGRADE, CONNECTION, VERSION, KEYED, "Content-Length", "1"),
         WRING_ERR_UNEXPECTED_BODY},
        {"GET", LIST(HOST, UPGRADE, CONNECTION, VERSION, KEYED, "Content-Length", "+0"),
         WRING_ERR_UNEXPECTED_BODY},
        {"GET",
         LIST(HOST, UPGRADE, CONNECTION, VERSION, KEYED, "Content-Length", "0", "Content-Length",
              "0"),
         WRING_ERR_UNEXPECTED_BODY},
        {"GET",
         LIST(HOST, UPGRADE, CONNECTION, VERSION, KEYED, "Content-Length", "0", "Transfer-Encoding",
              "chunked"),
         WRING_ERR_UNEXPECTED_BODY},
        {"GET", LIST(HOST, UPGRADE, CONNECTION, VERSION, KEYED, "Transfer-Encoding", "chunked"),
         WRING_ERR_UNEXPECTED_BODY},
        {"GET", LIST(HOST, CONNECTION, VERSION, KEYED), WRING_ERR_MISSING_UPGRADE},
        {"GET", LIST(HOST, "Upgrade", "h2c", CONNECTION, VERSION, KEYED),
         WRING_ERR_INVALID_UPGRADE},
        {"GET", LIST(HOST, "Upgrade", "websockets", CONNECTION, VERSION, KEYED),
         WRING_ERR_INVALID_UPGRADE},
        {"GET", LIST(HOST, UPGRADE, VERSION, KEYED), WRING_ERR_MISSING_CONNECTION},
        {"GET", LIST(HOST, UPGRADE, "Connection", "close", VERSION, KEYED),
         WRING_ERR_INVALID_CONNECTION},
        {"GET", LIST(HOST, UPGRADE, CONNECTION, KEYED), WRING_ERR_UNSUPPORTED_VERSION},
        {"GET", LIST(HOST, UPGRADE, CONNECTION, "Sec-WebSocket-Version", "8", KEYED),
         WRING_ERR_UNSUPPORTED_VERSION},
        {"GET", LIST(HOST, UPGRADE, CONNECTION, VERSION, VERSION, KEYED),
         WRING_ERR_UNSUPPORTED_VERSION},
        {"GET", LIST(HOST, UPGRADE, CONNECTION, VERSION), WRING_ERR_MISSING_KEY},
        {"GET", LIST(HOST, UPGRADE, CONNECTION, VERSION, KEYED, KEYED), WRING_ERR_BAD_KEY},
        {"GET", LIST(HOST, UPGRADE, CONNECTION, VERSION, "Sec-WebSocket-Key", "!!!!"),
         WRING_ERR_BAD_KEY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_assert_eq(request(rows[i].method, rows[i].pairs), rows[i].want, "row %zu: %s", i,
                     wring_result_name(request(rows[i].method, rows[i].pairs)));
    }
}

Test(h1_upgrade, a_key_is_base64_of_16_bytes) {
    static const struct {
        const char *key;
        bool good;
    } rows[] = {
        {KEY, true},
        {"AAAAAAAAAAAAAAAAAAAAAA==", true},
        {"AQIDBAUGBwgJCgsMDQ4PEC==", true}, /* spare bits, as in RFC 6455 4.1 */
        {"AAAAAAAAAAAAAAAAAAAAA/==", true},
        {"AAAAAAAAAAAAAAAAAAAAA===", false},
        {"AAAAAAAAAAAAAAAAAAAAAAA=", false},
        {"AAAAAAAAAAAAAAAAAAAAAAAA", false}, /* 18 bytes */
        {"AAAAAAAAAAAAAAAAAAAAAA=", false},
        {"AAAAAAAAAAAAAAAAAAAAAAA=", false}, /* 17 bytes */
        {"AAAAAAAAAAAAAAAAAAAA====", false},
        {"AAAAAAAAAAA AAAAAAAAAA==", false},
        {"AAAAAAAAAA-_AAAAAAAAAA==", false}, /* the URL alphabet */
        {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_assert_eq(wring__client_key_is_valid(wring_str(rows[i].key)), rows[i].good, "%s",
                     rows[i].key);
    }
    for (int i = 0; i < 100; i++) {
        char key[WRING__KEY_TEXT];
        cr_assert_eq(wring__client_key(key), WRING_OK);
        cr_assert(wring__client_key_is_valid(wring_str(key)));
    }
}

Test(h1_upgrade, the_accept_value_of_the_rfc) {
    char accept[29];
    cr_assert_eq(wring_h1_accept_key(wring_str(KEY), accept), WRING_OK);
    cr_assert_str_eq(accept, ACCEPT);
}

Test(h1_upgrade, the_first_offered_subprotocol_that_is_required_wins) {
    static const char *const required[] = {"chat", "chat.v2"};
    const wring_upgrade_options options = {.struct_size = sizeof options,
                                           .required_subprotocols = required,
                                           .required_subprotocol_count = 2};
    wring_header list[16];
    wring_h1_upgrade_info info = {.struct_size = sizeof info};
    wring_headers headers =
        headers_of(list, LIST(HOST, UPGRADE, CONNECTION, VERSION, KEYED, "Sec-WebSocket-Protocol",
                              "x, chat.v2", "Sec-WebSocket-Protocol", "chat"));
    cr_assert_eq(wring_h1_request_validate(wring_str("GET"), headers, &options, &info), WRING_OK);
    cr_assert(wring_bytes_equal(info.subprotocol, wring_str("chat.v2")));
    char head[512];
    size_t len;
    wring_headers none = {NULL, 0};
    cr_assert_eq(wring_h1_response_write(&info, none, head, sizeof head, &len), WRING_OK);
    head[len] = 0;
    cr_assert_str_eq(head, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT
                           "\r\nSec-WebSocket-Protocol: chat.v2\r\n\r\n");
    headers = headers_of(
        list, LIST(HOST, UPGRADE, CONNECTION, VERSION, KEYED, "Sec-WebSocket-Protocol", "Chat"));
    cr_assert_eq(wring_h1_request_validate(wring_str("GET"), headers, &options, &info),
                 WRING_ERR_NO_ACCEPTABLE_SUBPROTOCOL);
}

static wring_result response(int status, const char *const *pairs,
                             const wring_upgrade_offer *offer) {
    wring_header list[16];
    wring_bytes subprotocol;
    return wring_h1_response_validate(offer, KEY, status, headers_of(list, pairs), &subprotocol);
}

Test(h1_upgrade, each_rule_of_a_response_has_its_error) {
    static const char *const offered[] = {"chat"};
    wring_upgrade_offer chat = {
        .struct_size = sizeof chat, .subprotocols = offered, .subprotocol_count = 1};
#define ACCEPTED "Sec-WebSocket-Accept", ACCEPT
    cr_assert_eq(response(101, LIST(UPGRADE, CONNECTION, ACCEPTED), NULL), WRING_OK);
    cr_assert_eq(response(200, LIST(UPGRADE, CONNECTION, ACCEPTED), NULL),
                 WRING_ERR_UNEXPECTED_STATUS);
    cr_assert_eq(response(101, LIST(CONNECTION, ACCEPTED), NULL), WRING_ERR_MISSING_UPGRADE);
    cr_assert_eq(response(101, LIST(UPGRADE, ACCEPTED), NULL), WRING_ERR_MISSING_CONNECTION);
    cr_assert_eq(response(101, LIST(UPGRADE, CONNECTION), NULL), WRING_ERR_MISSING_ACCEPT);
    cr_assert_eq(response(101, LIST(UPGRADE, CONNECTION, "Sec-WebSocket-Accept", "x"), NULL),
                 WRING_ERR_ACCEPT_MISMATCH);
    const char *const *chosen =
        LIST(UPGRADE, CONNECTION, ACCEPTED, "Sec-WebSocket-Protocol", "chat");
    cr_assert_eq(response(101, chosen, &chat), WRING_OK);
    cr_assert_eq(response(101, chosen, NULL), WRING_ERR_UNEXPECTED_SUBPROTOCOL);
    const char *const *extended =
        LIST(UPGRADE, CONNECTION, ACCEPTED, "Sec-WebSocket-Extensions", "permessage-deflate");
    cr_assert_eq(response(101, extended, NULL), WRING_ERR_UNEXPECTED_EXTENSION);
}

Test(h1_upgrade, what_a_client_writes_a_server_accepts_and_control_bytes_are_refused) {
    static const char *const offered[] = {"a", "b"};
    wring_header extra = {wring_str("X-Token"), wring_str("t")};
    wring_upgrade_offer offer = {.struct_size = sizeof offer,
                                 .host = "h:1",
                                 .target = "/p",
                                 .subprotocols = offered,
                                 .subprotocol_count = 2,
                                 .extensions = "permessage-deflate",
                                 .origin = "http://o",
                                 .extra = {&extra, 1}};
    char head[1024];
    size_t len;
    cr_assert_eq(wring_h1_request_write(&offer, KEY, head, sizeof head, &len), WRING_OK);
    head[len] = 0;
    cr_assert_str_eq(head, "GET /p HTTP/1.1\r\nHost: h:1\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY
                           "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, b\r\n"
                           "Sec-WebSocket-Extensions: permessage-deflate\r\nOrigin: http://o\r\n"
                           "X-Token: t\r\n\r\n");
    extra.value = wring_bytes_of("a\r\nEvil: b", 10);
    cr_assert_eq(wring_h1_request_write(&offer, KEY, head, sizeof head, &len),
                 WRING_ERR_INVALID_HEADER);
    extra.value = wring_bytes_of("a\0b", 3);
    cr_assert_eq(wring_h1_request_write(&offer, KEY, head, sizeof head, &len),
                 WRING_ERR_INVALID_HEADER);
    extra.value = wring_str("good");
    static const char *const names[] = {"", "A b", "Host: evil", "A(b)", "A\r\nB", "\xc3\xa9"};
    for (size_t i = 0; i < 6; i++) {
        extra.name = wring_str(names[i]);
        cr_assert_eq(wring_h1_request_write(&offer, KEY, head, sizeof head, &len),
                     WRING_ERR_INVALID_HEADER, "%s", names[i]);
        const wring_upgrade_offer bad = {.struct_size = sizeof bad,
                                         .host = "h",
                                         .target = "/",
                                         .subprotocols = &names[i],
                                         .subprotocol_count = 1};
        cr_assert_eq(wring_h1_request_write(&bad, KEY, head, sizeof head, &len),
                     WRING_ERR_INVALID_HEADER, "%s", names[i]);
    }
    wring_upgrade_offer plain = {.struct_size = sizeof plain, .host = "h\r\nA: b", .target = "/"};
    cr_assert_eq(wring_h1_request_write(&plain, KEY, head, sizeof head, &len),
                 WRING_ERR_INVALID_HEADER);
    plain.host = "h";
    plain.target = "/ HTTP/1.1";
    cr_assert_eq(wring_h1_request_write(&plain, KEY, head, sizeof head, &len),
                 WRING_ERR_INVALID_HEADER);
    plain.target = NULL;
    cr_assert_eq(wring_h1_request_write(&plain, KEY, head, sizeof head, &len),
                 WRING_ERR_INVALID_ARGUMENT);
    plain.target = "/";
    plain.host = NULL;
    cr_assert_eq(wring_h1_request_write(&plain, KEY, head, sizeof head, &len),
                 WRING_ERR_INVALID_ARGUMENT);
    plain.host = "h";
    plain.target = "/";
    cr_assert_eq(wring_h1_request_write(&plain, KEY, head, 20, &len), WRING_ERR_INVALID_ARGUMENT);
    plain.struct_size = 0;
    cr_assert_eq(wring_h1_request_write(&plain, KEY, head, sizeof head, &len),
                 WRING_ERR_INVALID_ARGUMENT);
}

/* The request with these headers given, or NULL when they are refused. */
static const char *written(const wring_upgrade_offer *offer) {
    static char out[2048];
    size_t len = 0;
    const wring_result result = wring_h1_request_write(offer, KEY, out, sizeof out - 1, &len);
    cr_assert(result == WRING_OK || result == WRING_ERR_INVALID_HEADER);
    out[len] = 0;
    return result == WRING_OK ? out : NULL;
}

static size_t lines_with(const char *text, const char *begin) {
    size_t found = 0;
    for (const char *at = text; (at = strcasestr(at, begin)) != NULL; at++) {
        found += at[-1] == '\n';
    }
    return found;
}

Test(h1_upgrade, given_headers_replace_those_of_the_client) {
    static const char *const offered[] = {"a", "b"};
    static const char *const rows[][2] = {{"hOST", "other:1"},
                                          {"Origin", "https://o"},
                                          {"Sec-WebSocket-Protocol", "x, y"},
                                          {"sec-websocket-extensions", "foo"},
                                          {"User-Agent", "me"},
                                          {"Authorization", "Bearer t"},
                                          {"X-Mine", "1"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const wring_header header = {wring_str(rows[i][0]), wring_str(rows[i][1])};
        const wring_upgrade_offer offer = {.struct_size = sizeof offer,
                                           .host = "host.example",
                                           .target = "/",
                                           .subprotocols = offered,
                                           .subprotocol_count = 2,
                                           .extensions = "bar",
                                           .origin = "null",
                                           .extra = {&header, 1}};
        char line[100];
        const char *text = written(&offer);
        (void)snprintf(line, sizeof line, "%s:", rows[i][0]);
        cr_assert_eq(lines_with(text, line), 1, "%s", text);
        (void)snprintf(line, sizeof line, "%s: %s\r\n", rows[i][0], rows[i][1]);
        cr_assert_eq(lines_with(text, line), 1, "%s", text);
        cr_assert_eq(lines_with(text, "host:"), 1, "%s", text);
        cr_assert_eq(lines_with(text, "origin:"), 1, "%s", text);
    }
}

Test(h1_upgrade, headers_of_the_handshake_are_refused_by_name) {
    static const char *const refused[] = {"Upgrade",
                                          "CONNECTION",
                                          "Sec-WebSocket-Key",
                                          "Sec-WebSocket-Version",
                                          "Content-Length",
                                          "Transfer-Encoding",
                                          "TE",
                                          "Expect",
                                          "Trailer",
                                          "Keep-Alive",
                                          "Proxy-Connection",
                                          "a b",
                                          "",
                                          "x:"};
    wring_error error;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const wring_header header = {wring_str(refused[i]), wring_str("1")};
        const wring_upgrade_offer offer = {.struct_size = sizeof offer,
                                           .host = "host.example",
                                           .target = "/",
                                           .extra = {&header, 1}};
        cr_assert_null(written(&offer), "%s", refused[i]);
        cr_assert_eq(wring_h1_request_headers_check(offer.extra, &error), WRING_ERR_INVALID_HEADER);
        cr_assert_not_null(strstr(error.text, refused[i]), "%s", error.text);
    }
    static const char *const once[] = {"Host", "Origin", "Authorization", "User-Agent"};
    for (size_t i = 0; i < sizeof once / sizeof once[0]; i++) {
        const wring_header two[] = {{wring_str(once[i]), wring_str("1")},
                                    {wring_str(once[i]), wring_str("2")}};
        cr_assert_eq(wring_h1_request_headers_check((wring_headers){two, 2}, &error),
                     WRING_ERR_INVALID_HEADER);
        cr_assert_not_null(strstr(error.text, "twice"), "%s", error.text);
    }
    const wring_header lists[] = {{wring_str("Sec-WebSocket-Protocol"), wring_str("a")},
                                  {wring_str("Sec-WebSocket-Protocol"), wring_str("b")},
                                  {wring_str("X-Any"), wring_str("1")},
                                  {wring_str("X-Any"), wring_str("2")}};
    cr_assert_eq(wring_h1_request_headers_check((wring_headers){lists, 4}, &error), WRING_OK);
}

Test(h1_upgrade, a_given_offer_is_what_the_answer_is_judged_by) {
    static const char *const configured[] = {"a"};
    const wring_header given[] = {{wring_str("Sec-WebSocket-Protocol"), wring_str("x, y")},
                                  {wring_str("Sec-WebSocket-Protocol"), wring_str("z")}};
    const wring_header extension = {wring_str("Sec-WebSocket-Extensions"), wring_str("foo")};
    const wring_upgrade_offer by_header = {.struct_size = sizeof by_header,
                                           .subprotocols = configured,
                                           .subprotocol_count = 1,
                                           .extra = {given, 2}};
    const wring_upgrade_offer by_extension = {.struct_size = sizeof by_extension,
                                              .extra = {&extension, 1}};
    const wring_upgrade_offer nothing = {.struct_size = sizeof nothing};
    const struct {
        const wring_upgrade_offer *offer;
        const char *name, *value;
        wring_result want;
    } rows[] = {
        {&by_header, "Sec-WebSocket-Protocol", "y", WRING_OK},
        {&by_header, "Sec-WebSocket-Protocol", "z", WRING_OK},
        {&by_header, "Sec-WebSocket-Protocol", "a", WRING_ERR_UNEXPECTED_SUBPROTOCOL},
        {&by_header, "Sec-WebSocket-Protocol", "x, y", WRING_ERR_UNEXPECTED_SUBPROTOCOL},
        {&nothing, "Sec-WebSocket-Protocol", "y", WRING_ERR_UNEXPECTED_SUBPROTOCOL},
        {&by_extension, "Sec-WebSocket-Extensions", "foo", WRING_OK},
        {&nothing, "Sec-WebSocket-Extensions", "foo", WRING_ERR_UNEXPECTED_EXTENSION},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wring_header list[4];
        const char *const pairs[] = {
            UPGRADE, CONNECTION, "Sec-WebSocket-Accept", ACCEPT, rows[i].name, rows[i].value, NULL};
        wring_bytes subprotocol;
        const wring_result result = wring_h1_response_validate(
            rows[i].offer, KEY, 101, headers_of(list, pairs), &subprotocol);
        cr_assert_eq(result, rows[i].want, "row %zu: %s", i, wring_result_name(result));
    }
}

Test(headers, list_elements_over_several_headers_with_quotes) {
    wring_header list[4];
    wring_headers headers =
        headers_of(list, LIST("L", " a , ,b", "M", "no", "l", "c=\"x, \\\"y\", d"));
    static const char *const want[] = {"a", "b", "c=\"x, \\\"y\"", "d"};
    wring_list_cursor cursor = {0, 0};
    wring_bytes element;
    for (size_t i = 0; i < 4; i++) {
        cr_assert(wring_headers_next(headers, "L", &cursor, &element));
        cr_assert(wring_bytes_equal(element, wring_str(want[i])), "%s", want[i]);
    }
    cr_assert(!wring_headers_next(headers, "L", &cursor, &element));
}
