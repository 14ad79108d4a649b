/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "wring/connect.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define METHOD    ":method", "CONNECT"
#define PROTOCOL  ":protocol", "websocket"
#define SCHEME    ":scheme", "https"
#define AUTHORITY ":authority", "h"
#define PATH      ":path", "/chat"

static wring_headers headers_of(wring_header *list, const char *const *pairs) {
    size_t n = 0;
    for (; pairs[n * 2] != NULL; n++) {
        list[n].name = wring_str(pairs[n * 2]);
        list[n].value = wring_str(pairs[n * 2 + 1]);
    }
    return (wring_headers){list, n};
}

static const struct {
    const char *const *pairs;
    wring_result want;
} rows[] = {
    {LIST(METHOD, PROTOCOL, SCHEME, AUTHORITY, PATH), WRING_OK},
    {LIST(METHOD, PROTOCOL, SCHEME, AUTHORITY, PATH, "sec-websocket-version", "13"), WRING_OK},
    {LIST(PROTOCOL, SCHEME, AUTHORITY, PATH), WRING_ERR_WRONG_METHOD},
    {LIST(":method", "GET", PROTOCOL, SCHEME, AUTHORITY, PATH), WRING_ERR_WRONG_METHOD},
    {LIST(METHOD, SCHEME, AUTHORITY, PATH), WRING_ERR_WRONG_PROTOCOL},
    {LIST(METHOD, ":protocol", "connect-udp", SCHEME, AUTHORITY, PATH), WRING_ERR_WRONG_PROTOCOL},
    {LIST(METHOD, PROTOCOL, AUTHORITY, PATH), WRING_ERR_MISSING_SCHEME},
    {LIST(METHOD, PROTOCOL, SCHEME, PATH), WRING_ERR_MISSING_AUTHORITY},
    {LIST(METHOD, PROTOCOL, SCHEME, AUTHORITY), WRING_ERR_MISSING_PATH},
    {LIST(METHOD, PROTOCOL, SCHEME, AUTHORITY, ":path", ""), WRING_ERR_MISSING_PATH},
    {LIST(METHOD, PROTOCOL, PROTOCOL, SCHEME, AUTHORITY, PATH), WRING_ERR_BAD_HTTP},
    {LIST(METHOD, PROTOCOL, SCHEME, AUTHORITY, PATH, "sec-websocket-version", "8"),
     WRING_ERR_UNSUPPORTED_VERSION},
};

Test(h2_upgrade, each_rule_of_an_extended_connect_has_its_error) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wring_header list[16];
        wring_connect_info info;
        wring_headers headers = headers_of(list, rows[i].pairs);
        cr_assert_eq(wring_h2_validate_request(headers, NULL, &info), rows[i].want, "row %zu", i);
        cr_assert_eq(wring_h3_validate_request(headers, NULL, &info), rows[i].want, "row %zu", i);
    }
}

Test(h2_upgrade, what_a_client_builds_a_server_accepts_and_the_answer_fits) {
    static const char *const offered[] = {"a", "b"};
    static const char *const required[] = {"b"};
    wring_h1_client_options options = {
        .subprotocols = offered, .subprotocol_count = 2, .origin = "https://o"};
    wring_upgrade_options wanted = {required, 1};
    wring_header list[WRING_CONNECT_HEADERS_MAX];
    wring_header answer[2];
    wring_connect_info info;
    wring_bytes chosen;
    char storage[64];
    size_t count;
    cr_assert_eq(wring_h2_client_request("https", "h", "/p", true, &options, storage,
                                         sizeof storage, list, &count),
                 WRING_OK);
    cr_assert_eq(wring_h2_validate_request((wring_headers){list, count}, &wanted, &info), WRING_OK);
    cr_assert(wring_bytes_equal(info.subprotocol, wring_str("b")));
    cr_assert(wring_bytes_equal(info.origin, wring_str("https://o")));
    wring_headers response = {answer, wring_h2_response_headers(&info, answer)};
    cr_assert_eq(response.count, 2);
    cr_assert_eq(wring_h2_validate_response(200, response, &options, &chosen), WRING_OK);
    cr_assert(wring_bytes_equal(chosen, wring_str("b")));
    cr_assert_eq(wring_h2_validate_response(200, response, NULL, &chosen),
                 WRING_ERR_UNEXPECTED_SUBPROTOCOL);
    cr_assert_eq(wring_h3_validate_response(404, response, &options, &chosen),
                 WRING_ERR_UNEXPECTED_STATUS);
}

Test(h2_upgrade, a_client_checks_the_peers_setting_and_its_own_values) {
    wring_header list[WRING_CONNECT_HEADERS_MAX];
    size_t count;
    cr_assert_eq(wring_h2_client_request("https", "h", "/", false, NULL, NULL, 0, list, &count),
                 WRING_ERR_PEER_NO_CONNECT_PROTOCOL);
    cr_assert_eq(wring_h3_client_request("https", "h\r\nx", "/", true, NULL, NULL, 0, list, &count),
                 WRING_ERR_INVALID_HEADER);
    static const char *const offered[] = {"long enough"};
    wring_h1_client_options options = {.subprotocols = offered, .subprotocol_count = 1};
    char storage[4];
    cr_assert_eq(wring_h2_client_request("https", "h", "/", true, &options, storage, sizeof storage,
                                         list, &count),
                 WRING_ERR_INVALID_ARGUMENT);
}
