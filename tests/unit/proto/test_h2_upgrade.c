/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "wring/upgrade.h"

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
        wring_h2_upgrade_info info = {.struct_size = sizeof info};
        wring_headers headers = headers_of(list, rows[i].pairs);
        cr_assert_eq(wring_h2_request_validate(headers, NULL, &info), rows[i].want, "row %zu", i);
        cr_assert_eq(wring_h3_request_validate(headers, NULL, &info), rows[i].want, "row %zu", i);
    }
}

Test(h2_upgrade, what_a_client_builds_a_server_accepts_and_the_answer_fits) {
    static const char *const offered[] = {"a", "b"};
    static const char *const required[] = {"b"};
    const wring_upgrade_offer offer = {.struct_size = sizeof offer,
                                       .peer_allows_connect = true,
                                       .scheme = "https",
                                       .host = "h",
                                       .target = "/p",
                                       .subprotocols = offered,
                                       .subprotocol_count = 2,
                                       .origin = "https://o"};
    const wring_upgrade_options wanted = {.struct_size = sizeof wanted,
                                          .required_subprotocols = required,
                                          .required_subprotocol_count = 1};
    wring_header list[WRING_H2_REQUEST_HEADERS_MAX];
    wring_header answer[2];
    wring_h2_upgrade_info info = {.struct_size = sizeof info};
    wring_bytes chosen;
    uint8_t storage[64];
    wring_headers request;
    cr_assert_eq(wring_h2_request_headers(&offer, (wring_mut_bytes){storage, sizeof storage}, list,
                                          &request),
                 WRING_OK);
    cr_assert_eq(wring_h2_request_validate(request, &wanted, &info), WRING_OK);
    cr_assert(wring_bytes_equal(info.subprotocol, wring_str("b")));
    cr_assert(wring_bytes_equal(info.origin, wring_str("https://o")));
    const wring_headers response = wring_h2_response_headers(&info, answer);
    cr_assert_eq(response.count, 2);
    cr_assert_eq(wring_h2_response_validate(&offer, 200, response, &chosen), WRING_OK);
    cr_assert(wring_bytes_equal(chosen, wring_str("b")));
    cr_assert_eq(wring_h2_response_validate(NULL, 200, response, &chosen),
                 WRING_ERR_UNEXPECTED_SUBPROTOCOL);
    cr_assert_eq(wring_h3_response_validate(&offer, 404, response, &chosen),
                 WRING_ERR_UNEXPECTED_STATUS);
}

Test(h2_upgrade, a_client_checks_the_peers_setting_and_its_own_values) {
    wring_header list[WRING_H2_REQUEST_HEADERS_MAX];
    wring_headers out;
    uint8_t room[4];
    const wring_mut_bytes storage = {room, sizeof room};
    wring_upgrade_offer offer = {
        .struct_size = sizeof offer, .scheme = "https", .host = "h", .target = "/"};
    cr_assert_eq(wring_h2_request_headers(&offer, storage, list, &out),
                 WRING_ERR_PEER_NO_CONNECT_PROTOCOL);
    offer.peer_allows_connect = true;
    cr_assert_eq(wring_h2_request_headers(&offer, storage, list, &out), WRING_OK);
    offer.host = "h\r\nx";
    cr_assert_eq(wring_h3_request_headers(&offer, storage, list, &out), WRING_ERR_INVALID_HEADER);
    offer.host = NULL;
    cr_assert_eq(wring_h2_request_headers(&offer, storage, list, &out), WRING_ERR_INVALID_ARGUMENT);
    static const char *const offered[] = {"long enough"};
    offer.host = "h";
    offer.subprotocols = offered;
    offer.subprotocol_count = 1;
    cr_assert_eq(wring_h2_request_headers(&offer, storage, list, &out), WRING_ERR_INVALID_ARGUMENT);
}

/* Records of the caller without a size: nothing is read from them, nothing is written. */
Test(h2_upgrade, records_without_struct_size_are_refused) {
    wring_header list[16];
    const wring_headers headers = headers_of(list, rows[0].pairs);
    const wring_upgrade_options options = {.struct_size = 0};
    const wring_upgrade_offer offer = {.struct_size = 0, .scheme = "https"};
    wring_h2_upgrade_info info = {.struct_size = 0};
    wring_bytes chosen;
    wring_headers out;
    cr_expect_eq(wring_h2_request_validate(headers, NULL, &info), WRING_ERR_INVALID_ARGUMENT);
    info.struct_size = sizeof info;
    cr_expect_eq(wring_h2_request_validate(headers, &options, &info), WRING_ERR_INVALID_ARGUMENT);
    cr_expect_eq(wring_h2_request_headers(&offer, (wring_mut_bytes){NULL, 0}, list, &out),
                 WRING_ERR_INVALID_ARGUMENT);
    cr_expect_eq(wring_h2_response_validate(&offer, 200, headers, &chosen),
                 WRING_ERR_INVALID_ARGUMENT);
}
