/* SPDX-License-Identifier: Apache-2.0
 *
 * Families 1 to 4: framing, pings and pongs, reserved bits, opcodes.
 */
#include <stdio.h>
#include <string.h>

#include "tests/conformance/script.h"

/* a: opcode, b: length */
static void echo_of_length(struct script *s, const struct test_case *c) {
    put_echo(s, (unsigned)c->a, text_fill(c->b, c->a == TEXT ? "*" : "\xFE"));
    want_closed(s);
}

static void echo_of_length_chopped(struct script *s, const struct test_case *c) {
    s->chop = 997;
    echo_of_length(s, c);
}

static void family_1(struct suite *suite) {
    static const size_t lengths[] = {0, 125, 126, 127, 128, 65535, 65536, 65536};
    for (unsigned opcode = TEXT; opcode <= BINARY; opcode++) {
        for (unsigned i = 0; i < 8; i++) {
            char id[24];
            snprintf(id, sizeof id, "1.%u.%u", opcode, i + 1);
            struct test_case *c =
                suite_add(suite, id,
                          i == 7           ? "a message of 65,536 bytes in writes of 997"
                          : opcode == TEXT ? "a text message at a limit of the length forms"
                                           : "a binary message at a limit of the length forms",
                          i == 7 ? echo_of_length_chopped : echo_of_length);
            c->a = opcode;
            c->b = lengths[i];
        }
    }
}

/* ---- 2: pings and pongs ---- */

static void ping_of(struct script *s, const struct test_case *c) {
    s->chop = c->a;
    put_frame(s, FIN | PING, c->data);
    want(s, PONG, c->data);
    want_closed(s);
}

static void ping_of_125(struct script *s, const struct test_case *c) {
    text payload = text_fill(125, "\xFE");
    s->chop = c->a;
    put_frame(s, FIN | PING, payload);
    want(s, PONG, payload);
    want_closed(s);
}

static void ping_of_126(struct script *s, const struct test_case *c) {
    (void)c;
    put_frame(s, FIN | PING, text_fill(126, "\xFE"));
    want_failed(s, 1002);
}

static void pong_unasked(struct script *s, const struct test_case *c) {
    put_frame(s, FIN | PONG, c->data);
    if (c->a == 1) {
        put_frame(s, FIN | PING, T("ping payload"));
        want(s, PONG, T("ping payload"));
    }
    want_closed(s);
}

static void pings_ten(struct script *s, const struct test_case *c) {
    s->chop = c->a;
    for (int i = 0; i < 10; i++) {
        char payload[20];
        snprintf(payload, sizeof payload, "payload-%d", i);
        put_frame(s, FIN | PING, text_str(payload));
        want(s, PONG, text_str(payload));
    }
    want_closed(s);
}

static void family_2(struct suite *suite) {
    suite_add(suite, "2.1", "a ping without payload", ping_of)->data = T("");
    suite_add(suite, "2.2", "a ping with a small text payload", ping_of)->data = T("Hello, world!");
    suite_add(suite, "2.3", "a ping with a binary payload", ping_of)->data =
        T("\x00\xff\xfe\xfd\xfc\xfb\x00\xff");
    suite_add(suite, "2.4", "a ping of 125 bytes", ping_of_125);
    suite_add(suite, "2.5", "a ping of 126 bytes", ping_of_126);
    suite_add(suite, "2.6", "a ping of 125 bytes in single bytes", ping_of_125)->a = 1;
    suite_add(suite, "2.7", "a pong nobody asked for, without payload", pong_unasked)->data = T("");
    suite_add(suite, "2.8", "a pong nobody asked for", pong_unasked)->data =
        T("unsolicited pong payload");
    struct test_case *c =
        suite_add(suite, "2.9", "a pong nobody asked for, then a ping", pong_unasked);
    c->data = T("unsolicited pong payload");
    c->a = 1;
    suite_add(suite, "2.10", "ten pings", pings_ten);
    suite_add(suite, "2.11", "ten pings in single bytes", pings_ten)->a = 1;
}

/* ---- 3: reserved bits; 4: reserved opcodes ---- */

/* a: the offending first byte; b: bit 0 a message comes before, bit 1 single bytes */
static void offending_frame(struct script *s, const struct test_case *c) {
    s->chop = c->b & 2 ? 1 : 0;
    if (c->b & 1) {
        put_echo(s, TEXT, T("Hello, world!"));
    }
    put_frame(s, (unsigned)c->a, c->data);
    if (c->b & 1) {
        put_frame(s, FIN | PING, T("")); /* comes too late to be answered */
    }
    want_failed(s, 1002);
}

static void add_offending(struct suite *suite, const char *id, const char *what, size_t first,
                          size_t how, text data) {
    struct test_case *c = suite_add(suite, id, what, offending_frame);
    c->a = first;
    c->b = how;
    c->data = data;
}

static void family_3(struct suite *suite) {
    const text hello = T("Hello, world!");
    add_offending(suite, "3.1", "a text with RSV 1", FIN | 0x10 | TEXT, 0, hello);
    add_offending(suite, "3.2", "a text, a text with RSV 2, a ping", FIN | 0x20 | TEXT, 1, hello);
    add_offending(suite, "3.3", "a text, a text with RSV 3, a ping", FIN | 0x30 | TEXT, 1, hello);
    add_offending(suite, "3.4", "a text, a text with RSV 4, a ping, in single bytes",
                  FIN | 0x40 | TEXT, 3, hello);
    add_offending(suite, "3.5", "a binary message with RSV 5", FIN | 0x50 | BINARY, 0,
                  T("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"));
    add_offending(suite, "3.6", "a ping with RSV 6", FIN | 0x60 | PING, 0, hello);
    add_offending(suite, "3.7", "a close with RSV 7", FIN | 0x70 | CLOSE, 0, T("\x03\xe8"));
}

static void family_4(struct suite *suite) {
    static const char *const what[] = {"a reserved opcode, empty", "a reserved opcode with payload",
                                       "a text, a reserved opcode, a ping",
                                       "a text, a reserved opcode with payload, a ping",
                                       "the same in single bytes"};
    for (unsigned kind = 1; kind <= 2; kind++) {
        for (unsigned i = 0; i < 5; i++) {
            char id[24];
            snprintf(id, sizeof id, "4.%u.%u", kind, i + 1);
            add_offending(suite, id, what[i], FIN | ((kind == 1 ? 3 : 11) + i),
                          i < 2 ? 0 : (i == 4 ? 3 : 1),
                          i == 0 || i == 2 ? T("") : T("reserved opcode payload"));
        }
    }
}

void suite_add_framing(struct suite *suite) {
    family_1(suite);
    family_2(suite);
    family_3(suite);
    family_4(suite);
}
