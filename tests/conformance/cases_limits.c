/* SPDX-License-Identifier: Apache-2.0
 *
 * Families 9 and 10: large messages, many messages, and a text in many odd fragments.
 */
#include <stdio.h>

#include "tests/conformance/script.h"

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

static const char *filling(unsigned opcode) {
    return opcode == TEXT ? "BAsd7&jh23\xc3\xbc\xe2\x82\xac" : "\x01\xfe\xff\x80";
}

/* a: length, b: opcode */
static void large_message(struct script *s, const struct test_case *c) {
    put_echo(s, (unsigned)c->b, text_fill(c->a, filling((unsigned)c->b)));
    want_closed(s);
}

/* 4 MiB in fragments of a bytes */
static void large_in_fragments(struct script *s, const struct test_case *c) {
    const text payload = text_fill(4 * MIB, filling((unsigned)c->b));
    put_fragments(s, (unsigned)c->b, payload, c->a);
    want(s, (unsigned)c->b, payload);
    want_closed(s);
}

/* 1 MiB in writes of a bytes */
static void large_chopped(struct script *s, const struct test_case *c) {
    s->chop = c->a;
    put_echo(s, (unsigned)c->b, text_fill(1 * MIB, filling((unsigned)c->b)));
    want_closed(s);
}

/* A thousand messages of a bytes, each when the one before has come back. */
static void thousand_messages(struct script *s, const struct test_case *c) {
    const text payload = text_fill(c->a, filling((unsigned)c->b));
    for (int i = 0; i < 1000; i++) {
        put_echo(s, (unsigned)c->b, payload);
        put_sync(s);
    }
    want_closed(s);
}

static void add_sizes(struct suite *suite, unsigned family, unsigned opcode, const char *what,
                      void (*build)(struct script *, const struct test_case *), const size_t *sizes,
                      unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        char id[24];
        snprintf(id, sizeof id, "9.%u.%u", family, i + 1);
        struct test_case *c = suite_add(suite, id, what, build);
        c->a = sizes[i];
        c->b = opcode;
    }
}

static void fragments_of_1300(struct script *s, const struct test_case *c) {
    (void)c;
    const text payload = text_fill(64 * KIB, "*");
    put_fragments(s, TEXT, payload, 1300);
    want(s, TEXT, payload);
    want_closed(s);
}

void suite_add_limits(struct suite *suite) {
    static const size_t large[] = {64 * KIB, 256 * KIB, 1 * MIB, 4 * MIB, 8 * MIB, 16 * MIB};
    static const size_t fragments[] = {64,       256,       1 * KIB, 4 * KIB, 16 * KIB,
                                       64 * KIB, 256 * KIB, 1 * MIB, 4 * MIB};
    static const size_t writes[] = {64, 128, 256, 512, 1 * KIB, 2 * KIB};
    static const size_t many[] = {0, 16, 64, 256, 1 * KIB, 4 * KIB};
    add_sizes(suite, 1, TEXT, "a text of 64 KiB to 16 MiB", large_message, large, 6);
    add_sizes(suite, 2, BINARY, "a binary message of 64 KiB to 16 MiB", large_message, large, 6);
    add_sizes(suite, 3, TEXT, "a text of 4 MiB in fragments of 64 B to 4 MiB", large_in_fragments,
              fragments, 9);
    add_sizes(suite, 4, BINARY, "a binary message of 4 MiB in fragments of 64 B to 4 MiB",
              large_in_fragments, fragments, 9);
    add_sizes(suite, 5, TEXT, "a text of 1 MiB in writes of 64 B to 2 KiB", large_chopped, writes,
              6);
    add_sizes(suite, 6, BINARY, "a binary message of 1 MiB in writes of 64 B to 2 KiB",
              large_chopped, writes, 6);
    add_sizes(suite, 7, TEXT, "1,000 texts of 0 B to 4 KiB, one at a time", thousand_messages, many,
              6);
    add_sizes(suite, 8, BINARY, "1,000 binary messages of 0 B to 4 KiB, one at a time",
              thousand_messages, many, 6);
    suite_add(suite, "10.1.1", "64 KiB in fragments of 1,300 bytes", fragments_of_1300);
}
