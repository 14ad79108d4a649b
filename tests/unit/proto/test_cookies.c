/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stddef.h>

#include "wring/http.h"

/* ---- reading --------------------------------------------------------------------------------- */

static const struct {
    const char *cookies;
    const char *value; /* of the cookie "sid"; NULL: none */
} reads[] = {
    {"sid=1", "1"},
    {"a=0; sid=1; b=2", "1"},
    {"a=0;sid=1;b=2", "1"},
    {"a=0 \t; \t sid=1 \t ;b=2", "1"},
    {";;; sid=1;", "1"},
    {"sid=1; sid=2", "1"}, /* the first one */
    {"sid=", ""},
    {"sid=\"\"", ""},
    {"sid=\"abc\"", "abc"},
    {"sid=\"a c\"", "a c"},
    {"sid=\"abc", "\"abc"}, /* quotes in pairs only */
    {"sid=\"", "\""},
    {"sid=a\"b\"", "a\"b\""},
    {"sid=\"\"a\"\"", "\"a\""}, /* one pair */
    {"sid=\"a;b\"", "\"a"},     /* ';' separates within quotes too */
    {"a=\"b; sid=evil; c\"; sid=1", "evil"},
    {"sid=a=b==", "a=b=="},
    {"sid=%20+", "%20+"}, /* nothing is decoded */
    {"sid=a,b", "a,b"},   /* ',' separates nothing */
    {"SID=1", NULL},
    {"Sid=1; sid=2", "2"},
    {"sid", NULL},
    {"sid; sid=1", "1"},
    {"xsid=1", NULL},
    {"sidx=1", NULL},
    {"si=1", NULL},
    {"=sid=1", NULL},
    {"x=sid=1", NULL},
    {"sid =1", NULL}, /* the space is part of another name */
    {"sid= 1", " 1"},
    {"$Version=1; sid=1; $Path=/", "1"},
    {"\xc2\xa0sid=1", NULL}, /* only ASCII spaces are left out */
    {"\vsid=1", NULL},
    {"", NULL},
    {" ", NULL},
    {";", NULL},
};

Test(cookies, are_read) {
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        const wring_header list[] = {{wring_str("x"), wring_str("sid=no")},
                                     {wring_str("COOKIE"), wring_str(reads[i].cookies)}};
        wring_bytes value = wring_str("before");
        const char *want = reads[i].value == NULL ? "before" : reads[i].value;
        cr_assert_eq(wring_cookie_get((wring_headers){list, 2}, "sid", &value),
                     reads[i].value != NULL, "%s", reads[i].cookies);
        cr_assert(wring_bytes_equal(value, wring_str(want)), "%s", reads[i].cookies);
    }
}

/* RFC 9113 8.2.3: HTTP/2 may split them; RFC 6265 5.4 asks HTTP/1.1 not to. */
Test(cookies, are_read_over_all_headers) {
    const wring_header list[] = {{wring_str("cookie"), wring_str("a=1")},
                                 {wring_str("cookie"), wring_bytes_of(NULL, 0)},
                                 {wring_str("Cookie"), wring_str("b=2; a=3")},
                                 {wring_str("set-cookie"), wring_str("c=4")}};
    const wring_headers headers = {list, 4};
    wring_bytes value;
    cr_assert(wring_cookie_get(headers, "a", &value) && value.data[0] == '1');
    cr_assert(wring_cookie_get(headers, "b", &value) && value.data[0] == '2');
    cr_assert_not(wring_cookie_get(headers, "c", &value));
    cr_assert_not(wring_cookie_get((wring_headers){NULL, 0}, "a", &value));
}

Test(cookies, a_name_that_is_no_token_finds_nothing) {
    const wring_header list[] = {{wring_str("cookie"), wring_str("a=b=c; =d; e f=1")}};
    const wring_headers headers = {list, 1};
    wring_bytes value;
    cr_assert(wring_cookie_get(headers, "a", &value));
    cr_assert_not(wring_cookie_get(headers, "a=b", &value));
    cr_assert_not(wring_cookie_get(headers, "", &value));
    cr_assert_not(wring_cookie_get(headers, "e f", &value));
}

/* ---- writing --------------------------------------------------------------------------------- */

#define SIZED    .struct_size = sizeof(wring_cookie)
#define VALUE(s) .value = {(const uint8_t *)(s), sizeof(s) - 1}
#define SID      SIZED, .name = "sid", VALUE("1")

static const struct {
    wring_cookie cookie;
    const char *want; /* NULL: refused */
} writes[] = {
    {{SID}, "sid=1; Path=/; SameSite=Lax; Secure; HttpOnly"},
    {{SID, .path = "/a b"}, NULL},
    {{SID, .path = "/app", .domain = "example.com", .age_max_seconds = 3600, .same_site = "Strict",
      .is_insecure = true, .is_for_scripts = true},
     "sid=1; Path=/app; Domain=example.com; Max-Age=3600; SameSite=Strict"},
    {{SID, .same_site = "None"}, "sid=1; Path=/; SameSite=None; Secure; HttpOnly"},
    {{SID, .same_site = "none"}, "sid=1; Path=/; SameSite=None; Secure; HttpOnly"},
    {{SID, .same_site = "None", .is_insecure = true}, NULL},
    {{SID, .same_site = "none", .is_insecure = true}, NULL},
    {{SID, .same_site = "Off"}, NULL},
    {{SID, .same_site = ""}, NULL},
    {{SID, .age_max_seconds = -1}, "sid=1; Path=/; Max-Age=0; SameSite=Lax; Secure; HttpOnly"},
    {{SID, .age_max_seconds = INT64_MIN},
     "sid=1; Path=/; Max-Age=0; SameSite=Lax; Secure; HttpOnly"},
    {{SID, .age_max_seconds = INT64_MAX},
     "sid=1; Path=/; Max-Age=9223372036854775807; SameSite=Lax; Secure; HttpOnly"},
    {{SIZED, .name = "sid"}, "sid=; Path=/; SameSite=Lax; Secure; HttpOnly"},
    {{SIZED, .name = "a!#$%&'*+-.^_`|~9Z"},
     "a!#$%&'*+-.^_`|~9Z=; Path=/; SameSite=Lax; Secure; HttpOnly"},
    {{SIZED, .name = ""}, NULL},
    {{SIZED}, NULL},
    {{SIZED, .name = "a b"}, NULL},
    {{SIZED, .name = "a=b"}, NULL},
    {{SIZED, .name = "a;b"}, NULL},
    {{SIZED, .name = "a\r\nX: y"}, NULL},
    {{SIZED, .name = "\xc3\xa9"}, NULL},
    {{SIZED, .name = "n", VALUE("!#$%&'()*+-./:<=>?@[]^_`{|}~")},
     "n=!#$%&'()*+-./:<=>?@[]^_`{|}~; Path=/; SameSite=Lax; Secure; HttpOnly"},
    {{SIZED, .name = "n", VALUE("a b")}, NULL},
    {{SIZED, .name = "n", VALUE("a\tb")}, NULL},
    {{SIZED, .name = "n", VALUE("\"a\"")}, NULL},
    {{SIZED, .name = "n", VALUE("a,b")}, NULL},
    {{SIZED, .name = "n", VALUE("a; Domain=evil")}, NULL},
    {{SIZED, .name = "n", VALUE("a\\b")}, NULL},
    {{SIZED, .name = "n", VALUE("a\r\nb")}, NULL},
    {{SIZED, .name = "n", VALUE("a\0b")}, NULL},
    {{SIZED, .name = "n", VALUE("a\x7f")}, NULL},
    {{SIZED, .name = "n", VALUE("\xc3\xa9")}, NULL},
    {{SID, .path = ""}, NULL},
    {{SID, .path = "app"}, NULL},
    {{SID, .path = "/a;b"}, NULL},
    {{SID, .path = "/a\n"}, NULL},
    {{SID, .path = "/a,b%20"}, "sid=1; Path=/a,b%20; SameSite=Lax; Secure; HttpOnly"},
    {{SID, .domain = "a-1.Example"},
     "sid=1; Path=/; Domain=a-1.Example; SameSite=Lax; Secure; HttpOnly"},
    {{SID, .domain = ""}, NULL},
    {{SID, .domain = ".example.com"}, NULL},
    {{SID, .domain = "example.com."}, NULL},
    {{SID, .domain = "a..b"}, NULL},
    {{SID, .domain = "a b"}, NULL},
    {{SID, .domain = "a;b"}, NULL},
    {{SID, .domain = "a:80"}, NULL},
    {{SID, .domain = "[::1]"}, NULL},
    {{SID, .domain = "a\r\nb"}, NULL},
    /* RFC 6265bis 4.1.3 */
    {{SIZED, .name = "__Host-a"}, "__Host-a=; Path=/; SameSite=Lax; Secure; HttpOnly"},
    {{SIZED, .name = "__Host-a", .path = "/"}, "__Host-a=; Path=/; SameSite=Lax; Secure; HttpOnly"},
    {{SIZED, .name = "__Host-a", .path = "/a"}, NULL},
    {{SIZED, .name = "__Host-a", .domain = "example.com"}, NULL},
    {{SIZED, .name = "__Host-a", .is_insecure = true}, NULL},
    {{SIZED, .name = "__host-a", .is_insecure = true}, NULL},
    {{SIZED, .name = "__HOST-a", .path = "/a"}, NULL},
    {{SIZED, .name = "__Host", .path = "/a"},
     "__Host=; Path=/a; SameSite=Lax; Secure; HttpOnly"}, /* not the prefix */
    {{SIZED, .name = "__Secure-a", .path = "/a", .domain = "b.c"},
     "__Secure-a=; Path=/a; Domain=b.c; SameSite=Lax; Secure; HttpOnly"},
    {{SIZED, .name = "__Secure-a", .is_insecure = true}, NULL},
    {{SIZED, .name = "__SECURE-a", .is_insecure = true}, NULL},
    {{SIZED, .name = "a__Secure-a", .is_insecure = true},
     "a__Secure-a=; Path=/; SameSite=Lax; HttpOnly"},
};

Test(cookies, are_written) {
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        char out[256];
        size_t len = 99;
        const char *want = writes[i].want;
        memset(out, 'x', sizeof out);
        cr_assert_eq(wring_cookie_write(&writes[i].cookie, out, sizeof out, &len),
                     want == NULL ? WRING_ERR_INVALID_ARGUMENT : WRING_OK, "row %zu", i);
        cr_assert_str_eq(out, want == NULL ? "" : want, "row %zu", i);
        cr_assert_eq(len, strlen(out), "row %zu", i);
    }
}

Test(cookies, need_room_for_the_nul) {
    const wring_cookie cookie = {SID};
    const char *want = writes[0].want;
    for (size_t cap = 0; cap <= strlen(want) + 1; cap++) {
        char out[64];
        size_t len = 99;
        const bool fits = cap == strlen(want) + 1;
        memset(out, 'x', sizeof out);
        cr_assert_eq(wring_cookie_write(&cookie, out, cap, &len),
                     fits ? WRING_OK : WRING_ERR_INVALID_ARGUMENT, "%zu", cap);
        cr_assert_eq(len, fits ? strlen(want) : 0, "%zu", cap);
        cr_assert(cap == 0 || strcmp(out, fits ? want : "") == 0, "%zu", cap);
        cr_assert_eq(out[cap], 'x', "%zu: written behind the end", cap);
    }
}

/* RFC 6265bis 5.6 */
Test(cookies, that_browsers_would_drop_for_their_length_are_refused) {
    static char text[4200];
    static char out[4400];
    size_t len;
    memset(text, 'a', sizeof text - 1);
    wring_cookie cookie = {SIZED, .name = "n", .value = {(const uint8_t *)text, 4095}};
    cr_assert_eq(wring_cookie_write(&cookie, out, sizeof out, &len), WRING_OK);
    cookie.value.len++;
    cr_assert_eq(wring_cookie_write(&cookie, out, sizeof out, &len), WRING_ERR_INVALID_ARGUMENT);
    cookie.value.len = SIZE_MAX; /* the sum does not wrap; nothing is read */
    cr_assert_eq(wring_cookie_write(&cookie, out, sizeof out, &len), WRING_ERR_INVALID_ARGUMENT);
    text[0] = '/';
    text[1024] = 0;
    cookie = (wring_cookie){SID, .path = text};
    cr_assert_eq(wring_cookie_write(&cookie, out, sizeof out, &len), WRING_OK);
    text[1024] = 'a';
    text[1025] = 0;
    cr_assert_eq(wring_cookie_write(&cookie, out, sizeof out, &len), WRING_ERR_INVALID_ARGUMENT);
    text[0] = 'a';
    text[254] = 0;
    cookie = (wring_cookie){SID, .domain = text};
    cr_assert_eq(wring_cookie_write(&cookie, out, sizeof out, &len), WRING_ERR_INVALID_ARGUMENT);
    text[253] = 0;
    cr_assert_eq(wring_cookie_write(&cookie, out, sizeof out, &len), WRING_OK);
}

Test(cookies, know_programs_of_other_ages) {
    struct {
        wring_cookie cookie;
        uint64_t newer;
    } later = {.cookie = {SID, .path = "/a"}, .newer = 0};
    char out[64];
    size_t len;
    later.cookie.struct_size = 0;
    cr_assert_eq(wring_cookie_write(&later.cookie, out, 64, &len), WRING_ERR_INVALID_ARGUMENT);
    cr_assert_eq(wring_cookie_write(NULL, out, 64, &len), WRING_ERR_INVALID_ARGUMENT);
    later.cookie.struct_size = sizeof later;
    cr_assert_eq(wring_cookie_write(&later.cookie, out, 64, &len), WRING_OK);
    later.newer = 1;
    cr_assert_eq(wring_cookie_write(&later.cookie, out, 64, &len), WRING_ERR_INVALID_ARGUMENT);
    later.cookie.struct_size = offsetof(wring_cookie, path);
    cr_assert_eq(wring_cookie_write(&later.cookie, out, 64, &len), WRING_OK);
    cr_assert_str_eq(out, "sid=1; Path=/; SameSite=Lax; Secure; HttpOnly");
}
