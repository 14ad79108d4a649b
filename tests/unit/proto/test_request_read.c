/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stddef.h>

#include "wring/http.h"

static const struct {
    const char *value;
    const char *token; /* NULL: none */
} bearers[] = {
    {"Bearer abc", "abc"},
    {"bearer abc", "abc"},
    {"BEARER abc", "abc"},
    {"Bearer    abc", "abc"},
    {"Bearer aZ09-._~+/", "aZ09-._~+/"},
    {"Bearer abc=", "abc="},
    {"Bearer abc===", "abc==="},
    {"Bearer ", NULL},
    {"Bearer", NULL},
    {"Beare", NULL},
    {"", NULL},
    {"Bearerabc", NULL},
    {"Bearer\tabc", NULL},
    {"Bearer \tabc", NULL},
    {" Bearer abc", NULL},
    {"Bearer abc ", NULL},
    {"Bearer a b", NULL},
    {"Bearer =", NULL},
    {"Bearer a=b", NULL},
    {"Bearer =a", NULL},
    {"Bearer a,b", NULL},
    {"Bearer \"a\"", NULL},
    {"Bearer token=\"a\"", NULL},
    {"Bearer a\xc3\xa9", NULL},
    {"Bearer a@", NULL},
    {"Bearer a[", NULL},
    {"Bearer a`", NULL},
    {"Bearer a{", NULL},
    {"Basic dXNlcjpwYXNz", NULL},
    {"Bearers abc", NULL},
};

Test(bearer, table) {
    for (size_t i = 0; i < sizeof bearers / sizeof bearers[0]; i++) {
        const wring_header list[] = {{wring_str("host"), wring_str("Bearer no")},
                                     {wring_str("AUTHORIZATION"), wring_str(bearers[i].value)}};
        wring_bytes token = wring_str("before");
        const bool found = wring_bearer_get((wring_headers){list, 2}, &token);
        const char *want = bearers[i].token == NULL ? "before" : bearers[i].token;
        cr_assert_eq(found, bearers[i].token != NULL, "%s", bearers[i].value);
        cr_assert(wring_bytes_equal(token, wring_str(want)), "%s", bearers[i].value);
    }
}

Test(bearer, a_nul_is_no_byte_of_a_token) {
    const wring_header list[] = {{wring_str("authorization"), wring_bytes_of("Bearer a\0", 9)}};
    wring_bytes token;
    cr_assert_not(wring_bearer_get((wring_headers){list, 1}, &token));
}

Test(bearer, two_headers_are_none) {
    const wring_header list[] = {{wring_str("Authorization"), wring_str("Bearer a")},
                                 {wring_str("authorization"), wring_str("Bearer a")}};
    wring_bytes token;
    cr_assert_not(wring_bearer_get((wring_headers){list, 2}, &token));
    cr_assert(wring_bearer_get((wring_headers){list, 1}, &token));
    cr_assert_not(wring_bearer_get((wring_headers){NULL, 0}, &token));
}

Test(params, are_found_by_name) {
    const wring_header list[] = {{wring_str("id"), wring_str("7")},
                                 {wring_str("Id"), wring_str("8")},
                                 {wring_str("rest"), wring_str("")}};
    const wring_request request = {.struct_size = sizeof request, .params = {list, 3}};
    wring_bytes value = wring_str("before");
    cr_assert(wring_request_param(&request, "id", &value));
    cr_assert(wring_bytes_equal(value, wring_str("7")));
    cr_assert(wring_request_param(&request, "Id", &value));
    cr_assert(wring_bytes_equal(value, wring_str("8")));
    cr_assert(wring_request_param(&request, "rest", &value) && value.len == 0);
    cr_assert_not(wring_request_param(&request, "i", &value));
    cr_assert_not(wring_request_param(&request, "idx", &value));
    cr_assert_not(wring_request_param(&request, "", &value));
}

Test(params, a_request_from_before_them_has_none) {
    const wring_header list[] = {{wring_str("id"), wring_str("7")}};
    const wring_request request = {.struct_size = offsetof(wring_request, params),
                                   .params = {list, 1}};
    wring_bytes value;
    cr_assert_not(wring_request_param(&request, "id", &value));
}
