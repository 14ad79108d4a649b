/* SPDX-License-Identifier: Apache-2.0
 *
 * Family 14, of our own: how a WebSocket on a stream of HTTP/2 ends (RFC 8441 5). END_STREAM is to
 * it what a FIN is to a connection, RST_STREAM what a RST is. Other streams go on.
 */
#include <stdio.h>

#include "tests/conformance/script.h"

/* RFC 9113 7 */
enum { NO_ERROR = 0x0, INTERNAL_ERROR = 0x2, STREAM_CLOSED = 0x5, CANCEL = 0x8 };

#define KIB ((size_t)1024)

/* What the tester has sent when its side ends. */

static void nothing(struct script *s) {
    (void)s;
}

static void an_echo(struct script *s) {
    put_echo(s, TEXT, T("Hello World!"));
    put_sync(s);
}

static void half_a_header(struct script *s) {
    an_echo(s);
    put_raw(s, "\x82", 1);
}

static void half_a_frame(struct script *s) {
    an_echo(s);
    put_frame_part(s, FIN | BINARY, text_fill(4 * KIB, "0123"), 1 * KIB);
}

static void half_a_message(struct script *s) {
    an_echo(s);
    put_frame(s, TEXT, T("fragment1"));
    put_frame(s, FIN | PING, T("between"));
    want(s, PONG, T("between"));
    put_sync(s);
    put_frame(s, CONT, T("fragment2"));
}

static void a_close(struct script *s) {
    an_echo(s);
    put_close(s, 1000, T(""));
}

static void (*const starts[])(struct script *) = {nothing, an_echo, half_a_header, half_a_frame,
                                                  half_a_message};

#define STARTS (sizeof starts / sizeof *starts)

/* a: the start */
static void end_without_close(struct script *s, const struct test_case *c) {
    starts[c->a](s);
    put_end(s);
    want_ended(s);
}

static void end_with_close(struct script *s, const struct test_case *c) {
    (void)c;
    a_close(s);
    put_end(s);
    want_close_answer(s, 1000);
}

/* The answers are on their way while the tester's side has ended. */
static void end_with_close_behind_much(struct script *s, const struct test_case *c) {
    (void)c;
    put_echo(s, BINARY, text_fill(256 * KIB, "\x01\xfe"));
    put_close(s, 3000, T("enough"));
    put_end(s);
    want_close_answer(s, 3000);
}

static void end_with_failure(struct script *s, const struct test_case *c) {
    (void)c;
    an_echo(s);
    put_frame(s, FIN | RSV3 | TEXT, T("no"));
    put_end(s);
    want_failed(s, 1002);
}

/* a: the start, b: the code */
static void reset(struct script *s, const struct test_case *c) {
    starts[c->a](s);
    put_reset(s, (uint32_t)c->b);
}

static void reset_behind_close(struct script *s, const struct test_case *c) {
    a_close(s);
    put_reset(s, (uint32_t)c->b);
}

/* Nobody reads what comes back. */
static void reset_of_much(struct script *s, const struct test_case *c) {
    put_frame(s, FIN | BINARY, text_fill(256 * KIB, "\x01\xfe"));
    put_reset(s, (uint32_t)c->b);
}

static struct test_case *add(struct suite *suite, const char *id, const char *what,
                             void (*build)(struct script *, const struct test_case *)) {
    struct test_case *c = suite_add(suite, id, what, build);
    c->is_of_streams = true;
    return c;
}

static void add_starts(struct suite *suite, unsigned family, const char *const what[STARTS],
                       void (*build)(struct script *, const struct test_case *), uint32_t code) {
    for (unsigned i = 0; i < STARTS; i++) {
        char id[24];
        snprintf(id, sizeof id, "14.%u.%u", family, i + 1);
        struct test_case *c = add(suite, id, what[i], build);
        c->a = i;
        c->b = code;
    }
}

void suite_add_streams(struct suite *suite) {
    static const char *const ends[STARTS] = {
        "END_STREAM at once", "an echo, END_STREAM", "half a header, END_STREAM",
        "half a frame, END_STREAM", "half a message, END_STREAM"};
    static const char *const resets[STARTS] = {"CANCEL at once", "an echo, CANCEL",
                                               "half a header, CANCEL", "half a frame, CANCEL",
                                               "half a message, CANCEL"};
    static const uint32_t codes[] = {NO_ERROR, INTERNAL_ERROR, STREAM_CLOSED, 0xffffffff};
    add_starts(suite, 1, ends, end_without_close, 0);
    add(suite, "14.2.1", "a close and END_STREAM", end_with_close);
    add(suite, "14.2.2", "256 KiB, a close and END_STREAM", end_with_close_behind_much);
    add(suite, "14.2.3", "a wrong frame and END_STREAM", end_with_failure);
    add_starts(suite, 3, resets, reset, CANCEL);
    for (unsigned i = 0; i < sizeof codes / sizeof *codes; i++) {
        char id[24];
        snprintf(id, sizeof id, "14.4.%u", i + 1);
        struct test_case *c = add(suite, id, "an echo, RST_STREAM with another code", reset);
        c->a = 1;
        c->b = codes[i];
    }
    add(suite, "14.5.1", "a close, CANCEL", reset_behind_close)->b = CANCEL;
    add(suite, "14.5.2", "256 KiB, CANCEL", reset_of_much)->b = CANCEL;
}
