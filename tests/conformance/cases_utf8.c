/* SPDX-License-Identifier: Apache-2.0
 *
 * Family 6: UTF-8. What is valid is decided here by the grammar of RFC 3629 4. A text that is not
 * is sent up to the byte that makes it certain and no further: the other side has to fail then.
 */
#include <stdio.h>
#include <string.h>

#include "tests/conformance/script.h"

/* UTF8-octets of RFC 3629: lead byte, second byte, and how many UTF8-tail follow. */
static const struct {
    uint8_t lead_from, lead_to, second_from, second_to, tails;
} grammar[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 0}, {0xE0, 0xE0, 0xA0, 0xBF, 1}, {0xE1, 0xEC, 0x80, 0xBF, 1},
    {0xED, 0xED, 0x80, 0x9F, 1}, {0xEE, 0xEF, 0x80, 0xBF, 1}, {0xF0, 0xF0, 0x90, 0xBF, 2},
    {0xF1, 0xF3, 0x80, 0xBF, 2}, {0xF4, 0xF4, 0x80, 0x8F, 2},
};

enum utf8_verdict { VALID, IMPOSSIBLE, CUT };

/* IMPOSSIBLE: *at is the first byte that cannot stand there. */
static enum utf8_verdict judge(text data, size_t *at) {
    const uint8_t *bytes = (const uint8_t *)data.data;
    for (size_t i = 0; i < data.len;) {
        *at = i;
        if (bytes[i] < 0x80) {
            i++;
            continue;
        }
        size_t row = 0;
        const size_t rows = sizeof grammar / sizeof *grammar;
        for (; row < rows; row++) {
            if (bytes[i] >= grammar[row].lead_from && bytes[i] <= grammar[row].lead_to) {
                break;
            }
        }
        if (row == rows) {
            return IMPOSSIBLE;
        }
        for (size_t k = 1; k <= grammar[row].tails + 1u; k++) {
            *at = i + k;
            if (i + k == data.len) {
                return CUT;
            }
            const uint8_t from = k == 1 ? grammar[row].second_from : 0x80;
            const uint8_t to = k == 1 ? grammar[row].second_to : 0xBF;
            if (bytes[i + k] < from || bytes[i + k] > to) {
                return IMPOSSIBLE;
            }
        }
        i += grammar[row].tails + 2u;
    }
    return VALID;
}

/* b: fragments of so many bytes, 0 for one frame */
static void text_message(struct script *s, const struct test_case *c) {
    size_t bad_at = 0;
    const enum utf8_verdict verdict = judge(c->data, &bad_at);
    const size_t size = c->b == 0 ? c->data.len : c->b;
    s->chop = c->a;
    if (verdict == VALID) {
        put_fragments(s, TEXT, c->data, size == 0 ? 1 : size);
        want(s, TEXT, c->data);
        want_closed(s);
        return;
    }
    const size_t sent = verdict == IMPOSSIBLE ? bad_at + 1 : c->data.len;
    for (size_t at = 0; at < sent; at += size) {
        const size_t n = c->data.len - at < size ? c->data.len - at : size;
        const unsigned first = (at == 0 ? TEXT : CONT) | (at + n == c->data.len ? FIN : 0);
        put_frame_part(s, first, (text){c->data.data + at, n}, sent - at < n ? sent - at : n);
    }
    want_failed(s, 1007);
}

static struct test_case *add(struct suite *suite, const char *id, const char *what, text data) {
    struct test_case *c = suite_add(suite, id, what, text_message);
    c->data = data;
    return c;
}

static void empty_fragments(struct script *s, const struct test_case *c) {
    put_frame(s, TEXT, T(""));
    put_frame(s, CONT, c->data);
    put_frame(s, FIN | CONT, T(""));
    want(s, TEXT, c->data);
    want_closed(s);
}

#define KOSME     "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
#define HELLO     "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!"
#define SURROGATE KOSME "\xed\xa0\x80\x65\x64\x69\x74\x65\x64"
#define TOO_LARGE KOSME "\xf4\x90\x80\x80\x65\x64\x69\x74\x65\x64"

static void family_6_1_to_6_4(struct suite *suite) {
    add(suite, "6.1.1", "an empty text", T(""));
    suite_add(suite, "6.1.2", "three empty fragments", empty_fragments)->data = T("");
    suite_add(suite, "6.1.3", "an empty, a full and an empty fragment", empty_fragments)->data =
        T("middle frame payload");
    add(suite, "6.2.1", "a valid text in one frame", T(HELLO));
    add(suite, "6.2.2", "in two fragments, cut between characters", T(HELLO))->b = 12;
    add(suite, "6.2.3", "in fragments of one byte", T(HELLO))->b = 1;
    add(suite, "6.2.4", "in fragments of one byte, all multi-byte", T(KOSME))->b = 1;
    add(suite, "6.3.1", "a surrogate inside a text", T(SURROGATE));
    add(suite, "6.3.2", "the same in fragments of one byte", T(SURROGATE))->b = 1;
    add(suite, "6.4.1", "beyond U+10FFFF in the second of three fragments", T(TOO_LARGE))->b = 12;
    add(suite, "6.4.2", "the same, cut before the byte that decides", T(TOO_LARGE))->b = 13;
    add(suite, "6.4.3", "the same in one frame, in writes of 12", T(TOO_LARGE))->a = 12;
    add(suite, "6.4.4", "the same, cut before the byte that decides", T(TOO_LARGE))->a = 13;
}

/* The stress test's sections, by Markus Kuhn, whose numbers the Autobahn families kept. */
static const struct {
    unsigned section;
    const char *what;
    const char *rows[12];
} sections[] = {
    {5,
     "a valid text",
     {KOSME, "Hello-\xc2\xb5@\xc3\x9f", "\xd0\x9f\xd1\x80\xd0\xb8", "\xe4\xb8\xad",
      "\xf0\x9f\x91\x8b"}},
    {6,
     "a valid text, cut behind each byte",
     {"\xce", "\xce\xba", "\xce\xba\xe1", "\xce\xba\xe1\xbd", "\xce\xba\xe1\xbd\xb9",
      "\xce\xba\xe1\xbd\xb9\xcf", "\xce\xba\xe1\xbd\xb9\xcf\x83",
      "\xce\xba\xe1\xbd\xb9\xcf\x83\xce", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc",
      "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce", KOSME}},
    {7, "the first sequence of a length", {"\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"}},
    {8,
     "the first sequence of five and six bytes",
     {"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"}},
    {9, "the last sequence of a length", {"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}},
    {10,
     "the last sequence of four, five and six bytes",
     {"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"}},
    {11,
     "other limits",
     {"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80"}},
    {12,
     "tail bytes without a lead byte",
     {"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf", "\x80\xbf\x80\xbf\x80",
      "\x80\xbf\x80\xbf\x80\xbf", "\x80\x81\x82\x83\x9d\x9e\x9f\xa0\xbe\xbf"}},
    {13,
     "lead bytes without a tail byte",
     {"\xc2 \xc3 \xde \xdf ", "\xe0 \xe1 \xee \xef ", "\xf0 \xf3 \xf6 \xf7 ",
      "\xf8 \xf9 \xfa \xfb ", "\xfc \xfd "}},
    {14,
     "the last tail byte missing",
     {"\xc2", "\xe0\xa0", "\xf0\x90\x80", "\xf8\x88\x80\x80", "\xfc\x84\x80\x80\x80", "\xdf",
      "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf"}},
    {15,
     "all of those together",
     {"\xc2\xe0\xa0\xf0\x90\x80\xf8\x88\x80\x80\xfc\x84\x80\x80\x80\xdf\xef\xbf\xf7\xbf\xbf"}},
    {16, "bytes that are never legal", {"\xfe", "\xff", "\xfe\xfe\xff\xff"}},
    {17,
     "an overlong slash",
     {"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf",
      "\xfc\x80\x80\x80\x80\xaf"}},
    {18,
     "the last overlong sequence of a length",
     {"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf",
      "\xfc\x83\xbf\xbf\xbf\xbf"}},
    {19,
     "an overlong NUL",
     {"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80",
      "\xfc\x80\x80\x80\x80\x80"}},
    {20,
     "a lone surrogate",
     {"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80",
      "\xed\xbe\x80", "\xed\xbf\xbf"}},
    {21,
     "a pair of surrogates",
     {"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80",
      "\xed\xad\xbf\xed\xbf\xbf", "\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf",
      "\xed\xaf\xbf\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf"}},
};

static void family_6_5_to_6_21(struct suite *suite) {
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        for (unsigned row = 0; row < 12 && sections[i].rows[row] != NULL; row++) {
            char id[24];
            const char *bytes = sections[i].rows[row];
            snprintf(id, sizeof id, "6.%u.%u", sections[i].section, row + 1);
            add(suite, id, sections[i].what, (text){bytes, bytes[0] == 0 ? 1 : strlen(bytes)});
        }
    }
}

/* Noncharacters are valid: the last two code points of each plane, then U+FFF9 to U+FFFF. */
static void family_6_22_and_6_23(struct suite *suite) {
    static char planes[34][4], specials[7][3];
    for (unsigned i = 0; i < 34; i++) {
        const uint32_t point = (i / 2) << 16 | 0xFFFE | (i & 1);
        const size_t len = point < 0x10000 ? 3 : 4;
        char *out = planes[i];
        if (len == 4) {
            *out++ = (char)(0xF0 | point >> 18);
        }
        *out++ = (char)(len == 4 ? 0x80 | (point >> 12 & 0x3F) : 0xE0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
        *out = (char)(0x80 | (point & 0x3F));
        char id[24];
        snprintf(id, sizeof id, "6.22.%u", i + 1);
        add(suite, id, "a noncharacter", (text){planes[i], len});
    }
    for (unsigned i = 0; i < 7; i++) {
        memcpy(specials[i], "\xef\xbf", 2);
        specials[i][2] = (char)(0xB9 + i);
        char id[24];
        snprintf(id, sizeof id, "6.23.%u", i + 1);
        add(suite, id, "a code point between U+FFF9 and U+FFFF", (text){specials[i], 3});
    }
}

void suite_add_utf8(struct suite *suite) {
    family_6_1_to_6_4(suite);
    family_6_5_to_6_21(suite);
    family_6_22_and_6_23(suite);
}
