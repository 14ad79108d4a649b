/* SPDX-License-Identifier: Apache-2.0
 *
 * Families 12 and 13: permessage-deflate. 12 is kinds of payload by sizes, 13 is sets of parameters
 * by sizes; each in one frame and in fragments.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/deflate.h"
#include "tests/conformance/script.h"

/* Bytes of payload a case is about, in two messages at least: a window that is kept needs that. */
#define CASE_BYTES 8000

static const struct {
    size_t len, fragment; /* 0: one frame */
} sizes[] = {{16, 0},        {64, 0},        {256, 0},       {1024, 0},    {4096, 0},
             {8192, 0},      {16384, 0},     {32768, 0},     {65536, 0},   {131072, 0},
             {8192, 256},    {16384, 256},   {32768, 256},   {65536, 256}, {131072, 256},
             {131072, 1024}, {131072, 4096}, {131072, 32768}};
#define SIZES (sizeof sizes / sizeof *sizes)

/* ---- kinds of payload ---- */

enum kind { JSON, PHOTO, PROSE, HTML, SCRIPTS, KINDS };

static const char *const kind_texts[KINDS] = {
    [JSON] = "JSON", [PHOTO] = "bytes that do not shrink",  [PROSE] = "prose",
    [HTML] = "HTML", [SCRIPTS] = "text of several scripts",
};

/* Written by a template whose %u is a random number. */
static const char *const templates[KINDS][4] = {
    [JSON] = {"{\"id\":%u,\"bid\":%u,\"ask\":null},", "{\"id\":%u,\"name\":\"venue %u\"},",
              "[%u,%u,true],", "\"note\":\"none\","},
    [PROSE] = {"There was a house by the sea, and in it lived %u cats. ",
               "Nobody counted them but %u gulls. ", "It rained. ",
               "In the year %u the harbour froze; "},
    [HTML] = {"<tr><td class=\"num\">%u</td><td>%u</td></tr>\n", "<p id=\"p%u\">text</p>\n",
              "<a href=\"/item/%u\">more</a>\n", "<br>\n"},
    [SCRIPTS] = {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5 %u ", "\xd0\xbc\xd0\xb8\xd1\x80 %u ",
                 "\xe6\xb5\xb7\xe8\xbe\xba ", "\xf0\x9f\x8c\x8a\xf0\x9f\x90\x88 %u "},
};

/* `len` bytes of a kind; the end is filled up so that a text stays UTF-8. */
static void payload_fill(struct script *s, enum kind kind, char *out, size_t len) {
    size_t at = 0;
    while (kind == PHOTO && at < len) {
        out[at++] = (char)script_random(s);
    }
    while (at < len) {
        char piece[160];
        const char *template = templates[kind][script_random(s) % 4];
        const unsigned a = (unsigned)(script_random(s) % 1000);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        const size_t n = (size_t)snprintf(piece, sizeof piece, template, a, a * 7 % 1000);
#pragma GCC diagnostic pop
        if (at + n > len) {
            memset(out + at, '.', len - at);
            return;
        }
        memcpy(out + at, piece, n);
        at += n;
    }
}

/* ---- building ---- */

static void put_compressed(struct script *s, struct squeezer *squeezer, unsigned opcode,
                           text payload, size_t fragment) {
    size_t len;
    const uint8_t *data = squeeze(squeezer, payload.data, payload.len, &len);
    const text compressed = {(const char *)data, len};
    put_fragments(s, RSV1 | opcode, compressed, fragment == 0 ? len : fragment);
    want(s, opcode, payload);
}

static void messages(struct script *s, const struct test_case *c, enum kind kind) {
    const size_t len = sizes[c->b].len;
    size_t count = CASE_BYTES / len;
    count = count < 2 ? 2 : count > 16 ? 16 : count;
    struct squeezer *squeezer = squeezer_create(c->deflate);
    char *payload = malloc(len);
    if (payload == NULL) {
        abort();
    }
    const unsigned opcode = kind == PHOTO ? BINARY : TEXT;
    for (size_t i = 0; i < count; i++) {
        payload_fill(s, kind, payload, len);
        put_compressed(s, squeezer, opcode, (text){payload, len}, sizes[c->b].fragment);
    }
    /* What does not shrink, or hardly, the other side may send plain: RFC 7692 6 */
    s->want_compressed = kind != PHOTO && len >= 256 ? count : 0;
    free(payload);
    squeezer_destroy(squeezer);
    want_closed(s);
}

/* a: kind, b: size */
static void kind_case(struct script *s, const struct test_case *c) {
    messages(s, c, (enum kind)c->a);
}

/* a: number of the set, b: size. The kinds in turn, but the one that says nothing of windows. */
static void set_case(struct script *s, const struct test_case *c) {
    static const enum kind kinds[] = {JSON, PROSE, HTML, SCRIPTS};
    messages(s, c, kinds[(c->a + c->b) % 4]);
}

static void add(struct suite *suite, unsigned family, unsigned group, unsigned size,
                const char *what, const struct deflate_set *set,
                void (*build)(struct script *, const struct test_case *)) {
    char id[24];
    snprintf(id, sizeof id, "%u.%u.%u", family, group + 1, size + 1);
    struct test_case *c = suite_add(suite, id, what, build);
    c->a = group;
    c->b = size;
    c->deflate = set;
}

void suite_add_deflate(struct suite *suite) {
    static const struct deflate_set usual = {.own_takeover = true, .peer_takeover = true};
    static const struct {
        struct deflate_set set;
        const char *what;
    } sets[] = {
        {{true, true, 0, 0, false}, "takeover both ways, windows not said"},
        {{false, false, 0, 0, false}, "no takeover, windows not said"},
        {{true, true, 9, 9, false}, "takeover both ways, windows of 9 bits"},
        {{true, true, 15, 15, false}, "takeover both ways, windows of 15 bits"},
        {{false, false, 9, 9, false}, "no takeover, windows of 9 bits"},
        {{false, false, 15, 15, false}, "no takeover, windows of 15 bits"},
        {{true, false, 11, 9, true}, "takeover one way, the last of several offers"},
    };
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (unsigned size = 0; size < SIZES; size++) {
            add(suite, 12, kind, size, kind_texts[kind], &usual, kind_case);
        }
    }
    for (unsigned set = 0; set < sizeof sets / sizeof *sets; set++) {
        for (unsigned size = 0; size < SIZES; size++) {
            add(suite, 13, set, size, sets[set].what, &sets[set].set, set_case);
        }
    }
}
