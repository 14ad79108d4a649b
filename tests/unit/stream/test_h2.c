/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "stream/h2_mux.h"

/* ---- settings -------------------------------------------------------------------------------- */

Test(h2_config, defaults_are_filled_in) {
    wring_http2_config out = {.struct_size = sizeof out};
    cr_assert_eq(wring_http2_config_adopt(NULL, &out, NULL), WRING_OK);
    cr_expect(out.requests_max == 100 && out.sessions_max == 1000);
    cr_expect(out.window_bytes == 256u << 10 && out.connection_window_bytes == 1u << 20);
    cr_expect(out.resets_per_second == 33 && out.controls_burst == 1000);
    cr_expect(!out.cleartext && !out.no_websockets && !out.required);
}

static void refused(wring_http2_config config, const char *field) {
    wring_http2_config out = {.struct_size = sizeof out};
    wring_error error;
    config.struct_size = sizeof config;
    cr_assert_eq(wring_http2_config_adopt(&config, &out, &error), WRING_ERR_INVALID_CONFIG);
    cr_assert(strstr(error.text, field) != NULL, "'%s' does not name %s", error.text, field);
}

Test(h2_config, what_is_out_of_range_is_named) {
    wring_error error;
    const wring_http2_config unsized = {.cleartext = true};
    wring_http2_config out = {.struct_size = sizeof out};
    refused((wring_http2_config){.window_bytes = 63}, "window_bytes");
    refused((wring_http2_config){.window_bytes = UINT32_MAX}, "window_bytes");
    refused((wring_http2_config){.connection_window_bytes = 65534}, "connection_window_bytes");
    refused((wring_http2_config){.sessions_max = UINT32_MAX}, "sessions_max");
    refused((wring_http2_config){.resets_per_second = 1000000001}, "resets_per_second");
    refused((wring_http2_config){.controls_per_second = 1000000001}, "controls_per_second");
    cr_assert_eq(wring_http2_config_adopt(&unsized, &out, &error), WRING_ERR_INVALID_CONFIG);
}

/* ---- the first bytes ------------------------------------------------------------------------- */

Test(h2_claim, is_clear_as_soon_as_no_head_of_http1_can_go_on_so) {
    static const char preface[] = "PRI * HTTP/2";
    for (size_t len = 0; len <= sizeof preface - 1; len++) {
        const enum wring__h2_claim want =
            len < sizeof preface - 1 ? WRING__H2_CLAIM_MORE : WRING__H2_CLAIM_YES;
        cr_expect_eq(wring__h2_claim(wring_bytes_of(preface, len)), want, "%zu bytes", len);
    }
    cr_expect_eq(wring__h2_claim(wring_str("GET / HTTP/1")), WRING__H2_CLAIM_NO);
    cr_expect_eq(wring__h2_claim(wring_str("PRI * HTTP/1")), WRING__H2_CLAIM_NO);
    cr_expect_eq(wring__h2_claim(wring_str("PRJ")), WRING__H2_CLAIM_NO);
}

/* ---- heads ----------------------------------------------------------------------------------- */

static void expect(wring_header field, const char *name, const char *value) {
    cr_assert(wring_bytes_equal(field.name, wring_str(name)), "the name %.*s", (int)field.name.len,
              (const char *)field.name.data);
    cr_assert(wring_bytes_equal(field.value, wring_str(value)), "the value %.*s",
              (int)field.value.len, (const char *)field.value.data);
}

/* RFC 9113 8.2.3 */
Test(h2_head, the_parts_of_a_cookie_are_one_field_wherever_they_stand) {
    static const char *const fields[][2] = {
        {"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"z", ""}, {"cookie", ""}};
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring__h2_head *head = wring__h2_head_make(1000);
    for (size_t i = 0; i < WRING_ARRAY_LEN(fields); i++) {
        cr_assert(wring__h2_head_add(head, wring_str(fields[i][0]), wring_str(fields[i][1])));
    }
    cr_assert_eq(wring__h2_head_result(head), WRING_OK);
    cr_assert_eq(wring__h2_head_fields(head, list).count, 3);
    expect(list[0], "cookie", "a=1; b=2; ");
    expect(list[1], "x", "y");
    expect(list[2], "z", "");
    wring__h2_head_free(head);
}

Test(h2_head, limits_count_names_and_values) {
    wring__h2_head *head = wring__h2_head_make(20);
    cr_assert(wring__h2_head_add(head, wring_str("12345"), wring_str("12345")));
    cr_assert(wring__h2_head_add(head, wring_str("12345"), wring_str("12345")));
    cr_assert_eq(wring__h2_head_result(head), WRING_OK);
    cr_assert(wring__h2_head_add(head, wring_str("1"), wring_str("")));
    cr_assert_eq(wring__h2_head_result(head), WRING_ERR_HANDSHAKE_TOO_BIG);
    wring__h2_head_free(head);
}

Test(h2_head, one_field_more_than_there_may_be) {
    wring__h2_head *head = wring__h2_head_make(1000);
    for (size_t i = 0; i < WRING_HTTP_FIELDS_MAX; i++) {
        cr_assert(wring__h2_head_add(head, wring_str("a"), wring_str("b")));
    }
    cr_assert_eq(wring__h2_head_result(head), WRING_OK);
    cr_assert(wring__h2_head_add(head, wring_str("a"), wring_str("b")));
    cr_assert_eq(wring__h2_head_result(head), WRING_ERR_TOO_MANY_HEADERS);
    wring__h2_head_free(head);
}

/* An HPACK bomb: the limit is answered, four times as much is not looked at. */
Test(h2_head, what_is_far_beyond_the_limit_is_not_worth_looking_at) {
    wring__h2_head *head = wring__h2_head_make(100);
    unsigned taken = 0;
    while (wring__h2_head_add(head, wring_str("12345"), wring_str("12345")) && taken < 1000) {
        taken++;
    }
    cr_assert_eq(taken, 40, "%u", taken);
    wring__h2_head_free(head);
}
