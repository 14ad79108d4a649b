/* SPDX-License-Identifier: Apache-2.0
 *
 * See head.h.
 */
#include "tests/fuzz/head.h"

#include <stdlib.h>
#include <strings.h>

fuzz_head fuzz_head_take(enum wring__http1_kind kind, wring_bytes *in) {
    static const struct {
        uint32_t head;
        uint16_t target;
    } limits[] = {{65535, 8192}, {200, 20}, {64, 16}, {300, 3}};
    size_t limit = fuzz_u8(in) & 3;
    fuzz_head head = {
        .kind = kind, .head_max = limits[limit].head, .target_max = limits[limit].target};
    return head;
}

/* ---- the judge ------------------------------------------------------------------------------- */

static bool is_space(uint8_t c) {
    return c == ' ' || c == '\t';
}

static bool is_token(wring_bytes text) {
    static const char others[] = "!#$%&'*+-.^_`|~"; /* RFC 9110 5.6.2 */
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == 0 || strchr(others, c) == NULL)) {
            return false;
        }
    }
    return text.len > 0;
}

static bool is_text(wring_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7F) {
            return false;
        }
    }
    return true;
}

/* Cuts `text` at the first `byte`, which is dropped; false when there is none. */
static bool split(wring_bytes *text, uint8_t byte, wring_bytes *before) {
    const uint8_t *at = text->len == 0 ? NULL : memchr(text->data, byte, text->len);
    if (at == NULL) {
        return false;
    }
    *before = fuzz_take(text, (size_t)(at - text->data));
    (void)fuzz_take(text, 1);
    return true;
}

static bool request_line(fuzz_head *head, wring_bytes line) {
    if (!split(&line, ' ', &head->method) || !split(&line, ' ', &head->target)) {
        return false;
    }
    for (size_t i = 0; i < head->target.len; i++) {
        if (head->target.data[i] <= ' ' || head->target.data[i] >= 0x7F) {
            return false;
        }
    }
    return is_token(head->method) && head->method.len <= 32 && head->target.len > 0 &&
           head->target.len <= head->target_max && wring_bytes_equal(line, wring_str("HTTP/1.1"));
}

static bool status_line(fuzz_head *head, wring_bytes line) {
    if (!wring_bytes_equal(fuzz_take(&line, 9), wring_str("HTTP/1.1 "))) {
        return false;
    }
    wring_bytes digits = fuzz_take(&line, 3);
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
        head->status = head->status * 10 + (digits.data[i] - '0');
    }
    return digits.len == 3 && (line.len == 0 || line.data[0] == ' ') && is_text(line);
}

static bool field_line(fuzz_head *head, wring_bytes line) {
    wring_header field;
    if (head->field_count == WRING__HTTP1_FIELDS_MAX || !split(&line, ':', &field.name)) {
        return false;
    }
    while (line.len > 0 && is_space(line.data[0])) {
        (void)fuzz_take(&line, 1);
    }
    while (line.len > 0 && is_space(line.data[line.len - 1])) {
        line.len--;
    }
    field.value = line;
    head->fields[head->field_count++] = field;
    return is_token(field.name) && is_text(line);
}

/* Length up to and with the first empty line; 0 when there is none. */
static size_t head_end(wring_bytes bytes) {
    for (size_t i = 0; i + 4 <= bytes.len; i++) {
        if (memcmp(bytes.data + i, "\r\n\r\n", 4) == 0) {
            return i + 4;
        }
    }
    return 0;
}

/* Is there a legal head within the limits at the start of `bytes`? */
static bool judge(fuzz_head *head, wring_bytes bytes) {
    head->status = 0;
    head->field_count = 0;
    head->len = head_end(bytes);
    if (head->len == 0 || head->len > head->head_max) {
        return false;
    }
    wring_bytes text = {bytes.data, head->len - 2};
    bool first = true;
    while (text.len > 0) {
        size_t len = 0;
        while (text.data[len] != '\r' || text.data[len + 1] != '\n') {
            len++;
        }
        wring_bytes line = fuzz_take(&text, len);
        (void)fuzz_take(&text, 2);
        bool legal = !first                               ? field_line(head, line)
                     : head->kind == WRING__HTTP1_REQUEST ? request_line(head, line)
                                                          : status_line(head, line);
        if (!legal) {
            return false;
        }
        first = false;
    }
    return true;
}

/* ---- the parser ------------------------------------------------------------------------------ */

static wring_result parse_piece(wring__http1 *parser, wring_bytes bytes) {
    uint8_t *copy = fuzz_copy(bytes); /* elsewhere each time: the buffer may move */
    wring_result result = wring__http1_parse(parser, wring_bytes_of(copy, bytes.len));
    free(copy);
    FUZZ_CHECK(parser->position <= bytes.len && parser->position <= parser->head_max);
    FUZZ_CHECK(parser->field_count <= WRING__HTTP1_FIELDS_MAX);
    return result;
}

static wring_result parse_cut(const fuzz_head *head, wring__http1 *parser, wring_bytes bytes,
                              fuzz_cuts cuts) {
    wring__http1_init(parser, head->kind, head->head_max, head->target_max);
    size_t have = 0;
    wring_result result = WRING_MORE;
    while (result == WRING_MORE && have < bytes.len) {
        have += fuzz_cuts_next(&cuts, bytes.len - have);
        result = parse_piece(parser, wring_bytes_of(bytes.data, have));
    }
    return result;
}

static void same_check(const wring__http1 *a, const wring__http1 *b) {
    FUZZ_CHECK(a->position == b->position && a->field_count == b->field_count);
    FUZZ_CHECK(a->method_len == b->method_len && a->status == b->status);
    FUZZ_CHECK(a->target == b->target && a->target_len == b->target_len);
    FUZZ_CHECK(memcmp(a->fields, b->fields, a->field_count * sizeof a->fields[0]) == 0);
}

static void views_check(const fuzz_head *head, const wring__http1 *parser, wring_bytes bytes) {
    wring_header list[WRING__HTTP1_FIELDS_MAX];
    wring_request request = {.struct_size = sizeof request};
    FUZZ_CHECK(parser->position == head->len);
    if (head->kind == WRING__HTTP1_REQUEST) {
        wring__http1_request(parser, bytes.data, list, &request);
        FUZZ_CHECK(wring_bytes_equal(request.method, head->method));
        FUZZ_CHECK(wring_bytes_equal(request.target, head->target));
        FUZZ_CHECK(request.path.data == request.target.data);
        size_t behind = request.target.len - request.path.len;
        FUZZ_CHECK(request.query.len == (behind == 0 ? 0 : behind - 1));
    } else {
        request.headers = wring__http1_headers(parser, bytes.data, list);
        FUZZ_CHECK(parser->status == head->status);
    }
    FUZZ_CHECK(request.headers.count == head->field_count);
    for (size_t i = 0; i < head->field_count; i++) {
        FUZZ_CHECK(wring_bytes_equal(list[i].name, head->fields[i].name));
        FUZZ_CHECK(wring_bytes_equal(list[i].value, head->fields[i].value));
    }
}

wring_result fuzz_head_parse(fuzz_head *head, wring__http1 *parser, wring_bytes bytes,
                             const fuzz_cuts *cuts) {
    wring__http1_init(parser, head->kind, head->head_max, head->target_max);
    wring_result result = parse_piece(parser, bytes);
    wring__http1 cut;
    bool few = cuts->lengths.len > 0 || bytes.len < 600; /* each piece copies all before it */
    if (few && bytes.len > 0) {
        FUZZ_CHECK(parse_cut(head, &cut, bytes, *cuts) == result);
        if (result == WRING_OK) {
            same_check(parser, &cut);
        }
    }
    FUZZ_CHECK(judge(head, bytes) == (result == WRING_OK));
    switch (result) {
    case WRING_OK:
        views_check(head, parser, bytes);
        break;
    case WRING_MORE:
        FUZZ_CHECK(head->len == 0 && bytes.len < head->head_max);
        break;
    case WRING_ERR_HANDSHAKE_TOO_BIG:
        FUZZ_CHECK(bytes.len > head->target_max || bytes.len >= head->head_max);
        break;
    default:
        FUZZ_CHECK(result == WRING_ERR_BAD_HTTP || result == WRING_ERR_BAD_HTTP_VERSION ||
                   result == WRING_ERR_TOO_MANY_HEADERS);
    }
    return result;
}

size_t fuzz_head_count(const fuzz_head *head, const char *name, wring_bytes *value) {
    size_t count = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        wring_bytes has = head->fields[i].name;
        if (has.len == strlen(name) && strncasecmp((const char *)has.data, name, has.len) == 0) {
            if (count++ == 0 && value != NULL) {
                *value = head->fields[i].value;
            }
        }
    }
    return count;
}
