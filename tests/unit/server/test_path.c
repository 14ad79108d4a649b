/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths: how they are decoded, which are refused; patterns: what they match, which are refused.
 */
#include <criterion/criterion.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/path.h"

/* Storage of exactly the promised size, so that ASan sees what goes beyond. */
static uint8_t *storage_for(const char *raw) {
    return malloc(2 * strlen(raw) + (*raw == 0));
}

Test(path, is_decoded_and_an_encoded_slash_is_another_byte_in_the_key) {
    static const struct {
        const char *raw, *text, *key;
    } rows[] = {
        {"/", "/", "/"},
        {"/a/b", "/a/b", "/a/b"},
        {"/a%2Fb", "/a/b",
         "/a\x01"
         "b"},
        {"/a%2fb/c", "/a/b/c",
         "/a\x01"
         "b/c"},
        {"/%61%62", "/ab", "/ab"},
        {"/%25", "/%", "/%"},
        {"/%2541", "/%41", "/%41"},
        {"/caf%C3%A9", "/caf\xC3\xA9", "/caf\xC3\xA9"},
        {"/%FF", "/\xFF", "/\xFF"},
        {"/a+b", "/a+b", "/a+b"},
        {"/...", "/...", "/..."},
        {"/.a/..b/c./d..", "/.a/..b/c./d..", "/.a/..b/c./d.."},
        {"//", "//", "//"},
        {"/%3F%23", "/?#", "/?#"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t *storage = storage_for(rows[i].raw);
        wring__path path;
        cr_assert_eq(wring__path_decode(wring_str(rows[i].raw), storage, &path), WRING_OK, "%s",
                     rows[i].raw);
        cr_expect(wring_bytes_equal(path.text, wring_str(rows[i].text)), "%s", rows[i].raw);
        cr_expect(wring_bytes_equal(path.key, wring_str(rows[i].key)), "%s", rows[i].raw);
        free(storage);
    }
}

Test(path, without_escapes_nothing_is_copied) {
    uint8_t storage[16] = {0};
    wring__path path;
    const wring_bytes raw = wring_str("/a.b/c");
    cr_assert_eq(wring__path_decode(raw, storage, &path), WRING_OK);
    cr_expect_eq(path.text.data, raw.data);
    cr_expect_eq(path.key.data, raw.data);
    cr_expect_eq(storage[0], 0);
}

Test(path, bad_escapes_control_bytes_and_dot_segments_are_refused) {
    static const char *const rows[] = {
        "/%",     "/%4",      "/%4g",      "/%g4",    "/a%",     "/%%41",     "/%00",
        "/%01",   "/%0A",     "/%1f",      "/%7F",    "/\x01",   "/\x7F",     "/.",
        "/..",    "/./a",     "/../a",     "/a/.",    "/a/..",   "/a/./b",    "/a/../b",
        "/%2e",   "/%2E%2e",  "/.%2e/a",   "/a/%2e.", "/..%2F",  "/a%2F..",   "/a%2f..%2fb",
        "/%2F..", "/a/..%2F", "/..%2fetc", "/a%2F.",  "/%2e%2F", "/%2F%2e%2e"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t *storage = storage_for(rows[i]);
        wring__path path;
        cr_expect_eq(wring__path_decode(wring_str(rows[i]), storage, &path), WRING_ERR_BAD_HTTP,
                     "%s", rows[i]);
        free(storage);
    }
}

/* Each text of four bytes of a small alphabet behind a slash, against a plain reading of it. */
Test(path, short_texts_are_read_as_rfc_3986_has_it) {
    static const char alphabet[] = "%2eEfF/.0a";
    for (size_t n = 0; n < 10 * 10 * 10 * 10; n++) {
        const char raw[] = {'/',
                            alphabet[n % 10],
                            alphabet[n / 10 % 10],
                            alphabet[n / 100 % 10],
                            alphabet[n / 1000],
                            0};
        char text[8] = "";
        char framed[12];
        size_t len = 0;
        bool good = true;
        for (const char *c = raw; *c != 0 && good; c++) {
            unsigned value = (unsigned char)*c;
            if (*c == '%') {
                good = isxdigit((unsigned char)c[1]) && isxdigit((unsigned char)c[2]) &&
                       sscanf(c + 1, "%2x", &value) == 1 && value >= 0x20 && value != 0x7F;
                c += good ? 2 : 0;
            }
            text[len++] = (char)value;
        }
        (void)snprintf(framed, sizeof framed, "%s/", text);
        good = good && strstr(framed, "/./") == NULL && strstr(framed, "/../") == NULL;
        uint8_t *storage = storage_for(raw);
        wring__path path;
        const wring_result result = wring__path_decode(wring_str(raw), storage, &path);
        cr_assert_eq(result, good ? WRING_OK : WRING_ERR_BAD_HTTP, "%s", raw);
        if (good) {
            cr_assert(wring_bytes_equal(path.text, wring_str(text)), "%s", raw);
        }
        free(storage);
    }
}

/* ---- patterns -------------------------------------------------------------------------------- */

static bool matches(const char *pattern, const char *raw, char *params, size_t cap) {
    wring__path_pattern made;
    const char *why = wring__path_pattern_init(&made, pattern);
    cr_assert_null(why, "%s: %s", pattern, why);
    uint8_t *storage = storage_for(raw);
    wring__path path;
    cr_assert_eq(wring__path_decode(wring_str(raw), storage, &path), WRING_OK);
    const bool result = wring__path_pattern_matches(&made, path.key);
    params[0] = 0;
    if (result) {
        wring_header list[WRING__PARAMS_MAX];
        const size_t count = wring__path_pattern_params(&made, &path, list);
        for (size_t i = 0, len = 0; i < count; i++) {
            len += (size_t)snprintf(params + len, cap - len, "%.*s=%.*s;", (int)list[i].name.len,
                                    list[i].name.data, (int)list[i].value.len, list[i].value.data);
        }
    }
    free(storage);
    return result;
}

Test(path_pattern, matches_exactly_by_prefix_and_by_segments) {
    static const struct {
        const char *pattern, *raw, *params; /* NULL: does not match */
    } rows[] = {
        {"/a", "/a", ""},
        {"/a", "/%61", ""},
        {"/a", "/A", NULL},
        {"/a", "/a/", NULL},
        {"/a", "/ab", NULL},
        {"/a/b", "/a%2Fb", NULL},
        {"/caf\xC3\xA9", "/caf%c3%a9", ""},
        {"/100%", "/100%25", ""},
        {"/*", "/", ""},
        {"/files*", "/files", ""},
        {"/files*", "/files/a/b", ""},
        {"/files*", "/filesystem", ""},
        {"/files/*", "/files", NULL},
        {"/files/*", "/files/", ""},
        {"/files/*", "/files%2Fa", NULL},
        {"/{x}", "/a", "x=a;"},
        {"/{x}", "/", NULL},
        {"/{x}", "/a/", NULL},
        {"/{x}", "/a/b", NULL},
        {"/{x}", "/a%2Fb", "x=a/b;"},
        {"/{x}", "/%7Bx%7D", "x={x};"},
        {"/{x}/", "/a/", "x=a;"},
        {"/{x}/", "/a", NULL},
        {"/u/{id}/p/{post}", "/u/7/p/abc", "id=7;post=abc;"},
        {"/u/{id}/p/{post}", "/u/7/q/abc", NULL},
        {"/u/{id}/p/{post}", "/u//p/abc", NULL},
        {"/u/{id}/p/{post}", "/u/a%20b/p/%41", "id=a b;post=A;"},
        {"/{a}/{b}", "/1/2", "a=1;b=2;"},
        {"/{a}/{b}", "/1/", NULL},
        {"/{a}/x*", "/1/xyz/2", "a=1;"},
        {"/{a}/x*", "/1/x", "a=1;"},
        {"/{a}/x*", "/1/y", NULL},
        {"/{a}/*", "/1/", "a=1;"},
        {"/{a}/*", "/1", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char params[128];
        const bool result = matches(rows[i].pattern, rows[i].raw, params, sizeof params);
        cr_expect_eq(result, rows[i].params != NULL, "%s at %s", rows[i].pattern, rows[i].raw);
        if (rows[i].params != NULL) {
            cr_expect_str_eq(params, rows[i].params, "%s at %s", rows[i].pattern, rows[i].raw);
        }
    }
}

Test(path_pattern, sixteen_parameters_are_possible) {
    char pattern[128] = "";
    char raw[64] = "";
    char params[256];
    for (int i = 0; i < 16; i++) {
        (void)snprintf(pattern + strlen(pattern), sizeof pattern - strlen(pattern), "/{p%d}", i);
        (void)snprintf(raw + strlen(raw), sizeof raw - strlen(raw), "/%d", i);
    }
    cr_expect(matches(pattern, raw, params, sizeof params));
    cr_expect_str_eq(params + strlen(params) - 7, "p15=15;");
    wring__path_pattern made;
    (void)snprintf(pattern + strlen(pattern), sizeof pattern - strlen(pattern), "/{more}");
    const char *why = wring__path_pattern_init(&made, pattern);
    cr_assert_not_null(why);
    cr_expect_not_null(strstr(why, "16"), "%s", why);
}

Test(path_pattern, a_bad_one_is_told) {
    static const char *const rows[][2] = {
        {NULL, "begin with '/'"},
        {"", "begin with '/'"},
        {"a", "begin with '/'"},
        {"*", "begin with '/'"},
        {"/{x", "without a '}'"},
        {"/a/{", "without a '}'"},
        {"/x}", "without a '{'"},
        {"/}", "without a '{'"},
        {"/{}", "without a name"},
        {"/a/{}/b", "without a name"},
        {"/{x}y", "only a parameter"},
        {"/y{x}", "only a parameter"},
        {"/{x}{y}", "only a parameter"},
        {"/{{x}}", "only a parameter"},
        {"/}x{", "only a parameter"},
        {"/{x}*", "only a parameter"},
        {"/{x/y}", "without a '}'"},
        {"/{x}/{x}", "same name"},
        {"/{x}/a/{y}/{x}", "same name"},
        {"/a*b", "not at its end"},
        {"/**", "not at its end"},
        {"/*/a", "not at its end"},
        {"/{*}", "not at its end"},
        {"/./a", "refused"},
        {"/a/..", "refused"},
        {"/a%20b", "percent-encoding"},
        {"/a\nb", "control byte"},
        {"/a?b", "without the query"},
        {"/a#b", "fragment"},
        {"/:id", "write {name}"},
        {"/a/:long_name/b", "write {name}"},
        {"/a/:/b", "write {name}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wring__path_pattern made;
        const char *why = wring__path_pattern_init(&made, rows[i][0]);
        cr_assert_not_null(why, "%s", rows[i][0]);
        cr_expect_not_null(strstr(why, rows[i][1]), "%s: %s", rows[i][0], why);
    }
}

/* Names of which one begins with the other are two names. */
Test(path_pattern, similar_names_are_different) {
    wring__path_pattern made;
    cr_expect_null(wring__path_pattern_init(&made, "/{a}/{ab}/{A}"));
}
