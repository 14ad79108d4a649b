/* SPDX-License-Identifier: Apache-2.0
 *
 * What an application reads from a request: percent-encoding, queries, cookies, bearer tokens. All
 * agree with readers written differently here; nothing is read behind the end of a text (each has
 * memory of its exact size), nothing written is longer than its text, and a walk always goes on.
 *
 *     'h', then lines: a byte that picks a header's name, then its value
 *     'w', then a byte of flags, then lines: name, value, path and domain of a cookie to be written
 *     anything else: a query
 */
#include <stdlib.h>
#include <strings.h>

#include "tests/fuzz/fuzz.h"
#include "wring/http.h"

#define LINES_MAX 8
#define PAIRS_MAX 8 /* of each, its name is looked up */

/* ---- percent-encoding ------------------------------------------------------------------------ */

/* Appends `text`, decoded; false when it is malformed. */
static bool decode(wring_bytes text, bool plus_is_space, fuzz_log *out) {
    while (text.len > 0) {
        char c = (char)fuzz_u8(&text);
        if (c == '%') {
            char digits[3] = {0};
            char *end;
            const wring_bytes two = fuzz_take(&text, 2);
            memcpy(digits, two.data, two.len);
            if (strspn(digits, "0123456789ABCDEFabcdef") != 2) {
                return false;
            }
            c = (char)strtoul(digits, &end, 16);
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        fuzz_log_bytes(out, wring_bytes_of(&c, 1));
    }
    return true;
}

static void decode_check(wring_bytes text, bool plus_is_space) {
    fuzz_log want = {0};
    const bool is_legal = decode(text, plus_is_space, &want);
    const wring_bytes expected =
        is_legal ? wring_bytes_of(want.data, want.len) : wring_bytes_of(NULL, 0);
    uint8_t *in = fuzz_copy(text);
    uint8_t *out = malloc(text.len + 1);
    FUZZ_CHECK(out != NULL);
    for (int in_place = 0; in_place < 2; in_place++) {
        size_t len = SIZE_MAX;
        uint8_t *to = in_place ? in : out;
        const wring_bytes view = wring_bytes_of(in, text.len);
        const wring_result result = plus_is_space ? wring_query_decode(view, to, &len)
                                                  : wring_percent_decode(view, to, &len);
        FUZZ_CHECK(result == (is_legal ? WRING_OK : WRING_ERR_INVALID_ARGUMENT));
        FUZZ_CHECK(len <= text.len && wring_bytes_equal(wring_bytes_of(to, len), expected));
    }
    FUZZ_CHECK(is_legal || wring_bytes_equal(wring_bytes_of(in, text.len), text));
    free(in);
    free(out);
    fuzz_log_free(&want);
}

/* ---- queries --------------------------------------------------------------------------------- */

/* The next piece up to `separator`, and behind it. */
static wring_bytes piece_take(wring_bytes *text, uint8_t separator) {
    size_t len = 0;
    while (len < text->len && text->data[len] != separator) {
        len++;
    }
    const wring_bytes piece = fuzz_take(text, len);
    (void)fuzz_take(text, 1);
    return piece;
}

static bool is_same(wring_bytes a, wring_bytes b) {
    return a.len == b.len && (a.len == 0 || a.data == b.data);
}

static void walk_check(wring_bytes query) {
    wring_bytes rest = query;
    wring_query_cursor cursor = {0};
    wring_bytes name;
    wring_bytes value;
    while (rest.len > 0) {
        const wring_bytes pair = piece_take(&rest, '&');
        const size_t before = cursor.offset;
        if (pair.len == 0) {
            continue;
        }
        wring_bytes its_value = pair;
        const wring_bytes its_name = piece_take(&its_value, '=');
        FUZZ_CHECK(wring_query_next(query, &cursor, &name, &value));
        FUZZ_CHECK(is_same(name, its_name) && is_same(value, its_value));
        FUZZ_CHECK(cursor.offset > before && cursor.offset <= query.len);
    }
    FUZZ_CHECK(!wring_query_next(query, &cursor, &name, &value));
    cursor.offset = query.len + query.len % 7; /* nor is there anything behind the end */
    FUZZ_CHECK(!wring_query_next(query, &cursor, &name, &value));
}

/* The value that wring_query_get owes for `name`. */
static wring_result value_find(wring_bytes query, wring_bytes name, fuzz_log *value) {
    while (query.len > 0) {
        wring_bytes pair = piece_take(&query, '&');
        if (pair.len == 0) {
            continue;
        }
        fuzz_log its_name = {0};
        const bool is_it = decode(piece_take(&pair, '='), true, &its_name) &&
                           wring_bytes_equal(wring_bytes_of(its_name.data, its_name.len), name);
        fuzz_log_free(&its_name);
        if (is_it) {
            return decode(pair, true, value) ? WRING_OK : WRING_ERR_INVALID_ARGUMENT;
        }
    }
    return WRING_ERR_NOT_FOUND;
}

static void get_check(wring_bytes query, const char *name) {
    fuzz_log want = {0};
    size_t len = SIZE_MAX;
    const wring_result owed = value_find(query, wring_str(name), &want);
    const size_t need = owed == WRING_OK ? want.len : query.len;
    uint8_t *out = malloc(need == 0 ? 1 : need);
    FUZZ_CHECK(out != NULL);
    FUZZ_CHECK(wring_query_get(query, name, out, need, &len) == owed);
    FUZZ_CHECK(len == (owed == WRING_OK ? need : 0));
    FUZZ_CHECK(len == 0 || memcmp(out, want.data, len) == 0);
    if (owed == WRING_OK && need > 0) {
        FUZZ_CHECK(wring_query_get(query, name, out, need - 1, &len) == WRING_ERR_INVALID_ARGUMENT);
        FUZZ_CHECK(len == 0);
    }
    free(out);
    fuzz_log_free(&want);
}

static void query_check(wring_bytes text) {
    decode_check(text, false);
    decode_check(text, true);
    uint8_t *copy = fuzz_copy(text);
    const wring_bytes query = wring_bytes_of(copy, text.len);
    wring_query_cursor cursor = {0};
    wring_bytes name;
    wring_bytes value;
    walk_check(query);
    get_check(query, "");
    get_check(query, "a");
    for (int i = 0; i < PAIRS_MAX && wring_query_next(query, &cursor, &name, &value); i++) {
        fuzz_log decoded = {0};
        if (decode(name, true, &decoded)) {
            fuzz_log_bytes(&decoded, wring_bytes_of("", 1));
            get_check(query, (const char *)decoded.data); /* up to its NUL, if it has one */
        }
        fuzz_log_free(&decoded);
    }
    free(copy);
}

/* ---- headers --------------------------------------------------------------------------------- */

static wring_bytes trimmed(wring_bytes text, const char *spaces) {
    while (text.len > 0 && text.data[0] != 0 && strchr(spaces, text.data[0]) != NULL) {
        (void)fuzz_take(&text, 1);
    }
    while (text.len > 0 && text.data[text.len - 1] != 0 &&
           strchr(spaces, text.data[text.len - 1]) != NULL) {
        text.len--;
    }
    return text;
}

static bool cookie_find(wring_bytes text, const char *name, wring_bytes *value) {
    while (text.len > 0) {
        wring_bytes part = trimmed(piece_take(&text, ';'), " \t");
        const size_t whole = part.len;
        const wring_bytes its_name = piece_take(&part, '=');
        if (whole > its_name.len && wring_bytes_equal(its_name, wring_str(name))) {
            const bool is_quoted =
                part.len > 1 && part.data[0] == '"' && part.data[part.len - 1] == '"';
            *value = is_quoted ? wring_bytes_of(part.data + 1, part.len - 2) : part;
            return true;
        }
    }
    return false;
}

static void cookies_check(wring_headers headers, const char *name) {
    wring_bytes want = {NULL, 0};
    wring_bytes value = {NULL, 0};
    bool is_there = false;
    for (size_t i = 0; i < headers.count && !is_there; i++) {
        const wring_header *header = &headers.list[i];
        is_there = header->name.len == 6 &&
                   strncasecmp((const char *)header->name.data, "cookie", 6) == 0 &&
                   cookie_find(header->value, name, &want);
    }
    FUZZ_CHECK(wring_cookie_get(headers, name, &value) == is_there);
    FUZZ_CHECK(is_same(value, want));
}

static void bearer_check(wring_headers headers) {
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._~+/";
    wring_bytes token = {NULL, 0};
    wring_bytes given = {NULL, 0};
    if (!wring_bearer_get(headers, &token)) {
        return;
    }
    FUZZ_CHECK(wring_headers_count(headers, "authorization") == 1);
    FUZZ_CHECK(wring_headers_get(headers, "Authorization", &given));
    FUZZ_CHECK(given.len > 7 && strncasecmp((const char *)given.data, "bearer ", 7) == 0);
    FUZZ_CHECK(token.len > 0 && token.data + token.len == given.data + given.len);
    for (const uint8_t *c = given.data + 6; c < token.data; c++) {
        FUZZ_CHECK(*c == ' ');
    }
    const wring_bytes text = trimmed(token, "=");
    FUZZ_CHECK(text.len > 0 && text.data == token.data);
    for (size_t i = 0; i < text.len; i++) {
        FUZZ_CHECK(text.data[i] != 0 && strchr(legal, text.data[i]) != NULL);
    }
}

static void headers_check(wring_bytes in) {
    static const char *const names[] = {"Cookie", "cookie", "Authorization", "X-Cookie"};
    wring_header list[LINES_MAX];
    uint8_t *values[LINES_MAX];
    size_t count = 0;
    for (; in.len > 0 && count < LINES_MAX; count++) {
        list[count].name = wring_str(names[fuzz_u8(&in) % WRING_ARRAY_LEN(names)]);
        const wring_bytes value = piece_take(&in, '\n');
        values[count] = fuzz_copy(value);
        list[count].value = wring_bytes_of(values[count], value.len);
    }
    const wring_headers headers = {list, count};
    cookies_check(headers, "sid");
    cookies_check(headers, "a");
    bearer_check(headers);
    while (count > 0) {
        free(values[--count]);
    }
}

/* ---- cookies written ------------------------------------------------------------------------- */

/* `text` begins with this; moves behind it. */
static void expect(const char **text, const char *what) {
    const size_t len = strlen(what);
    FUZZ_CHECK(strncmp(*text, what, len) == 0);
    *text += len;
}

/* What was written is the cookie, and no byte of the input became an attribute of its own. */
static void written_check(const wring_cookie *cookie, const char *out, size_t len) {
    const char *at = out;
    FUZZ_CHECK(strlen(out) == len);
    expect(&at, cookie->name);
    expect(&at, "=");
    FUZZ_CHECK(strcspn(out, " \",\\;") == strlen(cookie->name) + 1 + cookie->value.len);
    FUZZ_CHECK(strncmp(at, (const char *)cookie->value.data, cookie->value.len) == 0);
    at += cookie->value.len;
    expect(&at, "; Path=");
    expect(&at, cookie->path == NULL ? "/" : cookie->path);
    expect(&at, cookie->domain == NULL ? "" : "; Domain=");
    expect(&at, cookie->domain == NULL ? "" : cookie->domain);
    expect(&at, cookie->age_max_seconds < 0 ? "; Max-Age=0" : "");
    expect(&at, cookie->age_max_seconds > 0 ? "; Max-Age=60" : "");
    expect(&at, cookie->same_site == NULL ? "; SameSite=Lax" : "; SameSite=None");
    expect(&at, cookie->is_insecure ? "" : "; Secure");
    expect(&at, cookie->is_for_scripts ? "" : "; HttpOnly");
    FUZZ_CHECK(*at == 0);
    size_t separators = 0;
    for (const char *c = out; *c != 0; c++) {
        FUZZ_CHECK(*c >= ' ' && *c < 0x7F);
        FUZZ_CHECK((*c == ';') == (c[1] == ' '));
        separators += *c == ';';
    }
    FUZZ_CHECK(separators == 2u + (cookie->domain != NULL) + (cookie->age_max_seconds != 0) +
                                 !cookie->is_insecure + !cookie->is_for_scripts);
}

/* A browser sends it again, and it is found. */
static void sent_again_check(const wring_cookie *cookie, const char *out) {
    wring_bytes value;
    const wring_header sent = {wring_str("cookie"), wring_bytes_of(out, strcspn(out, ";"))};
    FUZZ_CHECK(wring_cookie_get((wring_headers){&sent, 1}, cookie->name, &value));
    FUZZ_CHECK(wring_bytes_equal(value, cookie->value));
}

static char *line_take(wring_bytes *in) {
    fuzz_log line = {0};
    fuzz_log_bytes(&line, piece_take(in, '\n'));
    fuzz_log_bytes(&line, wring_bytes_of("", 1));
    return (char *)line.data;
}

static void write_check(wring_bytes in) {
    const uint8_t flags = fuzz_u8(&in);
    char *name = line_take(&in);
    const wring_bytes value = piece_take(&in, '\n');
    char *path = line_take(&in);
    char *domain = line_take(&in);
    const wring_cookie cookie = {.struct_size = sizeof cookie,
                                 .is_insecure = (flags & 1) != 0,
                                 .is_for_scripts = (flags & 2) != 0,
                                 .same_site = (flags & 4) != 0 ? "None" : NULL,
                                 .age_max_seconds = (flags & 8) == 0 ? 0
                                                    : (flags & 16)   ? -1
                                                                     : 60,
                                 .name = name,
                                 .value = value,
                                 .path = path[0] == 0 ? NULL : path,
                                 .domain = domain[0] == 0 ? NULL : domain};
    const size_t cap = in.len + strlen(name) + value.len + strlen(path) + strlen(domain) + 100;
    size_t len = SIZE_MAX;
    char *out = malloc(cap);
    FUZZ_CHECK(out != NULL);
    const wring_result result = wring_cookie_write(&cookie, out, cap, &len);
    FUZZ_CHECK(result == WRING_OK || result == WRING_ERR_INVALID_ARGUMENT);
    if (result == WRING_OK) {
        size_t again;
        written_check(&cookie, out, len);
        sent_again_check(&cookie, out);
        char *exact = malloc(len + 1);
        FUZZ_CHECK(exact != NULL);
        FUZZ_CHECK(wring_cookie_write(&cookie, exact, len, &again) == WRING_ERR_INVALID_ARGUMENT);
        FUZZ_CHECK(again == 0 && exact[0] == 0);
        FUZZ_CHECK(wring_cookie_write(&cookie, exact, len + 1, &again) == WRING_OK);
        FUZZ_CHECK(again == len && strcmp(exact, out) == 0);
        free(exact);
    } else {
        FUZZ_CHECK(len == 0 && out[0] == 0);
    }
    free(out);
    free(name);
    free(path);
    free(domain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    wring_bytes in = {data, len};
    if (len > 0 && data[0] == 'h') {
        (void)fuzz_u8(&in);
        headers_check(in);
    } else if (len > 0 && data[0] == 'w') {
        (void)fuzz_u8(&in);
        write_check(in);
    } else {
        query_check(in);
    }
    return 0;
}
