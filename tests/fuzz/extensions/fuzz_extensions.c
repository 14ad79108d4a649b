/* SPDX-License-Identifier: Apache-2.0
 *
 * Comma-separated list headers, as Sec-WebSocket-Extensions and Sec-WebSocket-Protocol are read:
 * the elements are those of a splitter that cuts first and trims after; several headers are one
 * list; and the choice and the check of subprotocols agree with that list.
 *
 *     lines: a byte that picks the header's name, then its value
 */
#include <stdlib.h>
#include <strings.h>

#include "proto/upgrade.h"
#include "tests/fuzz/fuzz.h"
#include "wring/http.h"

#define LINES_MAX    16
#define ELEMENTS_MAX 5000

static const char *const names[] = {"Sec-WebSocket-Extensions", "sec-websocket-PROTOCOL",
                                    "Sec-WebSocket-Protoco"};
static const char *const protocols[] = {"chat", "v2.chat"};

struct list {
    wring_bytes elements[ELEMENTS_MAX];
    size_t count;
};

static wring_bytes trimmed(wring_bytes text) {
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        (void)fuzz_take(&text, 1);
    }
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

/* Marks which bytes stand inside quotes, then cuts at the commas that do not. True when every quote
 * is closed. */
static bool value_split(wring_bytes value, struct list *out) {
    bool *quoted = calloc(value.len + 1, sizeof *quoted);
    FUZZ_CHECK(quoted != NULL);
    bool inside = false;
    bool escaped = false;
    for (size_t i = 0; i < value.len; i++) {
        quoted[i] = inside;
        if (escaped) {
            escaped = false;
        } else if (inside && value.data[i] == '\\') {
            escaped = true;
        } else if (value.data[i] == '"') {
            inside = !inside;
        }
    }
    size_t start = 0;
    for (size_t i = 0; i <= value.len; i++) {
        if (i == value.len || (value.data[i] == ',' && !quoted[i])) {
            wring_bytes element = trimmed(wring_bytes_of(value.data + start, i - start));
            if (element.len > 0) {
                FUZZ_CHECK(out->count < ELEMENTS_MAX);
                out->elements[out->count++] = element;
            }
            start = i + 1;
        }
    }
    free(quoted);
    return !inside;
}

static bool name_is(const wring_header *header, const char *name) {
    return header->name.len == strlen(name) &&
           strncasecmp((const char *)header->name.data, name, header->name.len) == 0;
}

static void cursor_check(wring_headers headers, const char *name, const struct list *want) {
    wring_list_cursor cursor = {0, 0};
    wring_bytes element;
    size_t count = 0;
    while (wring_headers_next(headers, name, &cursor, &element)) {
        FUZZ_CHECK(count < want->count);
        FUZZ_CHECK(element.data == want->elements[count].data);
        FUZZ_CHECK(element.len == want->elements[count].len);
        count++;
    }
    FUZZ_CHECK(count == want->count);
    FUZZ_CHECK(!wring_headers_next(headers, name, &cursor, &element)); /* the end stays the end */
}

/* RFC 9110 5.3: headers of one name are one header with their values joined by commas. */
static void joined_check(wring_headers headers, const char *name, const struct list *want) {
    fuzz_log joined = {0};
    for (size_t i = 0; i < headers.count; i++) {
        if (name_is(&headers.list[i], name)) {
            fuzz_log_bytes(&joined, wring_str(joined.len == 0 ? "" : ", "));
            fuzz_log_bytes(&joined, headers.list[i].value);
        }
    }
    wring_header one = {wring_str(name), wring_bytes_of(joined.data, joined.len)};
    wring_headers single = {&one, 1};
    wring_list_cursor cursor = {0, 0};
    wring_bytes element;
    size_t count = 0;
    while (wring_headers_next(single, name, &cursor, &element)) {
        FUZZ_CHECK(count < want->count);
        FUZZ_CHECK(wring_bytes_equal(element, want->elements[count++]));
    }
    FUZZ_CHECK(count == want->count);
    fuzz_log_free(&joined);
}

static void tokens_check(wring_headers headers, const char *name, const struct list *want) {
    for (size_t i = 0; i < want->count && i < 8; i++) {
        char token[64];
        wring_bytes element = want->elements[i];
        if (element.len < sizeof token && memchr(element.data, 0, element.len) == NULL) {
            memcpy(token, element.data, element.len);
            token[element.len] = 0;
            FUZZ_CHECK(wring_headers_has_token(headers, name, token));
        }
    }
    FUZZ_CHECK(!wring_headers_has_token(headers, name, ""));
    FUZZ_CHECK(!wring_headers_has_token(headers, name, " chat"));
}

static void subprotocols_check(wring_headers headers, const struct list *offered) {
    const wring_upgrade_options options = {.struct_size = sizeof options,
                                           .required_subprotocols = protocols,
                                           .required_subprotocol_count = 2};
    wring_bytes chosen;
    wring_bytes want = {NULL, 0};
    for (size_t i = 0; i < offered->count && want.len == 0; i++) {
        for (size_t k = 0; k < 2; k++) {
            if (wring_bytes_equal(offered->elements[i], wring_str(protocols[k]))) {
                want = offered->elements[i];
            }
        }
    }
    wring_result result = wring__subprotocol_choose(headers, &options, &chosen);
    FUZZ_CHECK(result == (want.len > 0 ? WRING_OK : WRING_ERR_NO_ACCEPTABLE_SUBPROTOCOL));
    FUZZ_CHECK(chosen.len == want.len && (want.len == 0 || chosen.data == want.data));
    FUZZ_CHECK(wring__subprotocol_choose(headers, NULL, &chosen) == WRING_OK && chosen.len == 0);

    wring_upgrade_offer asked = {
        .struct_size = sizeof asked, .subprotocols = protocols, .subprotocol_count = 2};
    result = wring__answer_check(headers, &asked, &chosen);
    if (wring_headers_count(headers, "sec-websocket-extensions") > 0) {
        FUZZ_CHECK(result == WRING_ERR_UNEXPECTED_EXTENSION);
    } else if (result == WRING_OK && chosen.len > 0) {
        FUZZ_CHECK(want.len > 0 && wring_bytes_equal(chosen, want) && offered->count == 1);
    } else if (result == WRING_OK) {
        FUZZ_CHECK(wring_headers_count(headers, "sec-websocket-protocol") == 0);
    }
}

static size_t lines_take(wring_bytes in, wring_header list[LINES_MAX]) {
    size_t count = 0;
    while (in.len > 0 && count < LINES_MAX) {
        list[count].name = wring_str(names[fuzz_u8(&in) % WRING_ARRAY_LEN(names)]);
        const uint8_t *end = in.len == 0 ? NULL : memchr(in.data, '\n', in.len);
        size_t len = end == NULL ? in.len : (size_t)(end - in.data);
        list[count++].value = fuzz_take(&in, len);
        (void)fuzz_take(&in, 1);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static struct list want;
    wring_header list[LINES_MAX];
    wring_bytes in = {data, len < ELEMENTS_MAX ? len : ELEMENTS_MAX};
    wring_headers headers = {list, lines_take(in, list)};
    for (size_t n = 0; n < WRING_ARRAY_LEN(names); n++) {
        bool closed = true;
        size_t count = 0;
        want.count = 0;
        for (size_t i = 0; i < headers.count; i++) {
            if (name_is(&list[i], names[n])) {
                closed = value_split(list[i].value, &want) && closed;
                count++;
            }
        }
        FUZZ_CHECK(wring_headers_count(headers, names[n]) == count);
        cursor_check(headers, names[n], &want);
        tokens_check(headers, names[n], &want);
        if (closed) {
            joined_check(headers, names[n], &want);
        }
        if (n == 1) {
            subprotocols_check(headers, &want);
        }
    }
    return 0;
}
