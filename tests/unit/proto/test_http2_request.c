/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "proto/http2.h"

#define TARGET_MAX 40

static wring_result take(const wring_header *list, size_t count, wring_request *out) {
    return wring__http2_request((wring_headers){list, count}, TARGET_MAX, out);
}

/* With a Host of its own where one is given. */
static wring_result request(const char *method, const char *path, const char *authority,
                            const char *host, wring_request *out) {
    wring_header list[6];
    size_t count = 0;
    list[count++] = (wring_header){wring_str(":method"), wring_str(method)};
    list[count++] = (wring_header){wring_str(":scheme"), wring_str("https")};
    if (authority != NULL) {
        list[count++] = (wring_header){wring_str(":authority"), wring_str(authority)};
    }
    if (path != NULL) {
        list[count++] = (wring_header){wring_str(":path"), wring_str(path)};
    }
    list[count++] = (wring_header){wring_str("origin"), wring_str("https://example.com")};
    if (host != NULL) {
        list[count++] = (wring_header){wring_str("host"), wring_str(host)};
    }
    return take(list, count, out);
}

static void expect(wring_bytes got, const char *want) {
    cr_assert(wring_bytes_equal(got, wring_str(want)), "'%.*s' is not '%s'", (int)got.len,
              (const char *)got.data, want);
}

Test(http2_request, its_parts_are_where_they_are) {
    wring_request got;
    cr_assert_eq(request("GET", "/a/b?c=d?e", "example.com:8443", NULL, &got), WRING_OK);
    cr_assert_eq(got.http_version, 20);
    expect(got.method, "GET");
    expect(got.target, "/a/b?c=d?e");
    expect(got.path, "/a/b");
    expect(got.query, "c=d?e");
    expect(got.host, "example.com:8443");
    expect(got.origin, "https://example.com");
    cr_assert_eq(got.headers.count, 1); /* no pseudo-header field is among them */
}

Test(http2_request, host_stands_in_for_authority_and_must_not_contradict_it) {
    wring_request got;
    cr_assert_eq(request("GET", "/", NULL, "a.example", &got), WRING_OK);
    expect(got.host, "a.example");
    cr_assert_eq(request("GET", "/", "a.example", "A.Example", &got), WRING_OK);
    expect(got.host, "a.example");
    cr_assert_eq(request("GET", "/", "a.example", "b.example", &got), WRING_ERR_BAD_HOST);
    cr_assert_eq(request("GET", "/", "a.example", "a.example.", &got), WRING_ERR_BAD_HOST);
    cr_assert_eq(request("GET", "/", NULL, NULL, &got), WRING_ERR_BAD_HOST);
    cr_assert_eq(request("GET", "/", "", NULL, &got), WRING_ERR_BAD_HOST);
    cr_assert_eq(request("GET", "/", "user@a.example", NULL, &got), WRING_ERR_BAD_HOST);
    expect(got.method, "GET"); /* known all the same: what is owed to HEAD depends on it */
}

Test(http2_request, a_second_host_is_refused) {
    wring_request got;
    const wring_header list[] = {{wring_str(":method"), wring_str("GET")},
                                 {wring_str(":path"), wring_str("/")},
                                 {wring_str("host"), wring_str("a.example")},
                                 {wring_str("host"), wring_str("a.example")}};
    cr_assert_eq(take(list, 4, &got), WRING_ERR_BAD_HOST);
}

Test(http2_request, targets) {
    static const struct {
        const char *method;
        const char *path;
        wring_result result;
    } rows[] = {
        {"GET", "/", WRING_OK},
        {"OPTIONS", "*", WRING_OK},
        {"GET", "*", WRING_ERR_BAD_HTTP},
        {"GET", "", WRING_ERR_BAD_HTTP},
        {"GET", NULL, WRING_ERR_BAD_HTTP},
        {"CONNECT", NULL, WRING_OK}, /* RFC 9113 8.5 */
        {"CONNECT", "/chat", WRING_OK},
        {"GET", "a", WRING_ERR_BAD_HTTP},
        {"GET", "http://example.com/", WRING_ERR_BAD_HTTP},
        {"GET", "/a#b", WRING_ERR_BAD_HTTP},
        {"GET", "/a b", WRING_ERR_BAD_HTTP},
        {"GET", "/a\tb", WRING_ERR_BAD_HTTP},
        {"GET", "/a\x7f", WRING_ERR_BAD_HTTP},
        {"GET", "/\xc3\xa4", WRING_ERR_BAD_HTTP},
        {"GET", "/%c3%a4", WRING_OK},
        {"GET", "/3456789012345678901234567890123456789012", WRING_ERR_TARGET_TOO_BIG},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(rows); i++) {
        wring_request got;
        cr_expect_eq(request(rows[i].method, rows[i].path, "a.example", NULL, &got), rows[i].result,
                     "row %zu", i);
    }
}
