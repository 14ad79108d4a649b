/* SPDX-License-Identifier: Apache-2.0
 *
 * See head.h.
 */
#include "tests/fuzz/head.h"

#include <arpa/inet.h>
#include <regex.h>
#include <stdio.h>
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

static bool version(fuzz_head *head, wring_bytes text) {
    head->minor = text.len > 0 && text.data[text.len - 1] == '1';
    return wring_bytes_equal(text, wring_str("HTTP/1.0")) ||
           wring_bytes_equal(text, wring_str("HTTP/1.1"));
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
           head->target.len <= head->target_max && version(head, line);
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

/* Empty lines before a request; more than eight are illegal. */
static size_t leading_len(const fuzz_head *head, wring_bytes bytes) {
    size_t len = 0;
    while (head->kind == WRING__HTTP1_REQUEST && bytes.len - len >= 2 &&
           memcmp(bytes.data + len, "\r\n", 2) == 0) {
        len += 2;
    }
    return len;
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
    const size_t leading = leading_len(head, bytes);
    wring_bytes text = bytes;
    (void)fuzz_take(&text, leading);
    const size_t end = head_end(text);
    head->len = end == 0 ? 0 : leading + end;
    if (end == 0 || head->len > head->head_max || leading > 16) {
        return false;
    }
    text.len = end - 2;
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

static bool matches(const char *text, const char *pattern, regex_t *compiled) {
    if (compiled->re_nsub == 0) { /* each has groups: not compiled yet */
        FUZZ_CHECK(regcomp(compiled, pattern, REG_EXTENDED) == 0);
    }
    return regexec(compiled, text, 0, NULL, 0) == 0;
}

bool fuzz_is_authority(wring_bytes text) {
    static regex_t named, bracketed;
    static char copy[65536];
    char address[64];
    unsigned char parsed[16];
    FUZZ_CHECK(text.len < sizeof copy);
    if (text.len > 0) {
        memcpy(copy, text.data, text.len);
    }
    copy[text.len] = 0;
    const char *bracket = strchr(copy, ']');
    if (bracket == NULL) {
        if (!matches(copy, "^([A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+(:[0-9]*)?$", &named)) {
            return false;
        }
    } else {
        (void)snprintf(address, sizeof address, "%.*s", (int)(bracket - copy - 1), copy + 1);
        if (!matches(copy, "^\\[[0-9A-Fa-f:.]{2,45}\\](:[0-9]*)?$", &bracketed) ||
            inet_pton(AF_INET6, address, parsed) != 1) {
            return false;
        }
    }
    const char *port = strrchr(bracket == NULL ? copy : bracket, ':');
    return port == NULL || strtoull(port + 1, NULL, 10) <= 65535;
}

bool fuzz_head_target_is_legal(const fuzz_head *head) {
    wring_bytes rest = head->target;
    const char *text = (const char *)rest.data;
    if (memchr(text, '#', rest.len) != NULL) {
        return false;
    }
    if (text[0] == '/' || wring_bytes_equal(head->method, wring_str("CONNECT"))) {
        return true;
    }
    if (rest.len == 1 && text[0] == '*') {
        return wring_bytes_equal(head->method, wring_str("OPTIONS"));
    }
    const bool plain = rest.len > 7 && strncasecmp(text, "http://", 7) == 0;
    if (!plain && (rest.len <= 8 || strncasecmp(text, "https://", 8) != 0)) {
        return false;
    }
    (void)fuzz_take(&rest, plain ? 7 : 8);
    for (size_t i = 0; i < rest.len; i++) {
        rest.len = rest.data[i] == '/' || rest.data[i] == '?' ? i : rest.len;
    }
    return fuzz_is_authority(rest);
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
    FUZZ_CHECK(a->method == b->method && a->minor == b->minor);
    FUZZ_CHECK(a->target == b->target && a->target_len == b->target_len);
    FUZZ_CHECK(memcmp(a->fields, b->fields, a->field_count * sizeof a->fields[0]) == 0);
}

/* Path and query lie at the end of the target, and the host before them or in a header. */
static void target_views_check(const wring_request *request, wring_result result) {
    const uint8_t *end = request->target.data + request->target.len;
    if (result != WRING_OK) {
        FUZZ_CHECK(result == WRING_ERR_BAD_HTTP && request->path.len == 0);
        return;
    }
    FUZZ_CHECK(request->path.len > 0 && request->path.data >= request->target.data);
    const uint8_t *path_end = request->path.data + request->path.len;
    if (request->query.len > 0) {
        FUZZ_CHECK(request->query.data[-1] == '?' &&
                   request->query.data + request->query.len == end);
    }
    FUZZ_CHECK(path_end <= end);
    const bool is_connect = wring_bytes_equal(request->method, wring_str("CONNECT"));
    if (request->target.data[0] != '/' && request->path.data[0] == '/' && !is_connect) {
        FUZZ_CHECK(request->host.data > request->target.data && request->host.data < end);
        FUZZ_CHECK(fuzz_is_authority(request->host));
    }
}

static void views_check(const fuzz_head *head, const wring__http1 *parser, wring_bytes bytes) {
    wring_header list[WRING__HTTP1_FIELDS_MAX];
    wring_request request = {.struct_size = sizeof request};
    FUZZ_CHECK(parser->position == head->len);
    if (head->kind == WRING__HTTP1_REQUEST) {
        const wring_result result = wring__http1_request(parser, bytes.data, list, &request);
        FUZZ_CHECK(wring_bytes_equal(request.method, head->method));
        FUZZ_CHECK(wring_bytes_equal(request.target, head->target));
        FUZZ_CHECK(request.http_version == 10 + head->minor);
        FUZZ_CHECK((result == WRING_OK) == fuzz_head_target_is_legal(head));
        target_views_check(&request, result);
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
    case WRING_ERR_TARGET_TOO_BIG:
        FUZZ_CHECK(bytes.len > head->target_max);
        break;
    case WRING_ERR_HANDSHAKE_TOO_BIG:
        FUZZ_CHECK(bytes.len >= head->head_max);
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
