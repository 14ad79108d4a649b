/* SPDX-License-Identifier: Apache-2.0
 *
 * Family 5: fragmentation. Each case is a short program: a letter a frame.
 *
 *   t T  text, not final / final        b B  binary, not final / final
 *   c C  continuation, not / final      p P  ping, not final / final      o O  pong
 *   .    wait for all that was asked for
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tests/conformance/script.h"

static void program(struct script *s, const struct test_case *c) {
    unsigned frames = 0;
    s->chop = c->a;
    for (const char *at = c->data.data; *at != 0; at++) {
        char payload[24];
        snprintf(payload, sizeof payload, "fragment%u", ++frames);
        const unsigned fin = isupper((unsigned char)*at) ? FIN : 0;
        switch (tolower((unsigned char)*at)) {
        case 't':
            put_frame(s, fin | TEXT, text_str(payload));
            break;
        case 'b':
            put_frame(s, fin | BINARY, text_str(payload));
            break;
        case 'c':
            put_frame(s, fin | CONT, text_str(payload));
            break;
        case 'p':
            put_frame(s, fin | PING, text_str(payload));
            break;
        case 'o':
            put_frame(s, fin | PONG, text_str(payload));
            break;
        case '.':
            frames--;
            put_sync(s);
            break;
        }
    }
}

static void program_fails(struct script *s, const struct test_case *c) {
    program(s, c);
    want_failed(s, 1002);
}

static void program_echoes(struct script *s, const struct test_case *c) {
    program(s, c);
    want(s, TEXT, T("fragment1fragment2"));
    want_closed(s);
}

/* A text in two fragments with a ping between them. */
static void ping_between(struct script *s, const struct test_case *c) {
    program(s, c);
    want(s, PONG, T("fragment2"));
    want(s, TEXT, T("fragment1fragment3"));
    want_closed(s);
}

static void echo_then_fails(struct script *s, const struct test_case *c) {
    program(s, c);
    want(s, TEXT, T("fragment1fragment2"));
    want_failed(s, 1002);
}

static void pings_between(struct script *s, const struct test_case *c) {
    s->chop = c->a;
    put_frame(s, TEXT, T("fragment1"));
    put_frame(s, CONT, T("fragment2"));
    put_frame(s, FIN | PING, T("pongme 1!"));
    want(s, PONG, T("pongme 1!"));
    put_sync(s);
    put_frame(s, CONT, T("fragment3"));
    put_frame(s, CONT, T("fragment4"));
    put_frame(s, FIN | PING, T("pongme 2!"));
    want(s, PONG, T("pongme 2!"));
    put_sync(s);
    put_frame(s, FIN | CONT, T("fragment5"));
    want(s, TEXT, T("fragment1fragment2fragment3fragment4fragment5"));
    want_closed(s);
}

void suite_add_fragments(struct suite *suite) {
    static const struct {
        const char *id, *what;
        void (*build)(struct script *, const struct test_case *);
        const char *frames;
        size_t chop;
    } rows[] = {
        {"5.1", "a ping in two fragments", program_fails, "pC", 0},
        {"5.2", "a pong in two fragments", program_fails, "oC", 0},
        {"5.3", "a text in two fragments", program_echoes, "tC", 0},
        {"5.4", "a text in two fragments, in writes of 7", program_echoes, "tC", 7},
        {"5.5", "a text in two fragments, in single bytes", program_echoes, "tC", 1},
        {"5.6", "a ping between two fragments", ping_between, "tPC", 0},
        {"5.7", "a ping between two fragments, in writes of 7", ping_between, "tPC", 7},
        {"5.8", "a ping between two fragments, in single bytes", ping_between, "tPC", 1},
        {"5.9", "a final continuation of nothing, then a text", program_fails, "CT", 0},
        {"5.10", "the same in writes of 7", program_fails, "CT", 7},
        {"5.11", "the same in single bytes", program_fails, "CT", 1},
        {"5.12", "a continuation of nothing, then a text", program_fails, "cT", 0},
        {"5.13", "the same in writes of 7", program_fails, "cT", 7},
        {"5.14", "the same in single bytes", program_fails, "cT", 1},
        {"5.15", "a good message, then a continuation of nothing", echo_then_fails, "tCcT", 0},
        {"5.16", "a continuation of nothing before each text", program_fails, "ctCctC", 0},
        {"5.17", "a final continuation of nothing before each text", program_fails, "CtCCtC", 0},
        {"5.18", "a text begun within a text", program_fails, "tT", 0},
        {"5.19", "five fragments, two pings between them", pings_between, "", 0},
        {"5.20", "the same in single bytes", pings_between, "", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_case *c = suite_add(suite, rows[i].id, rows[i].what, rows[i].build);
        c->data = text_str(rows[i].frames);
        c->a = rows[i].chop;
    }
}
