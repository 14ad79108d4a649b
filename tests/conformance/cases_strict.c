/* SPDX-License-Identifier: Apache-2.0
 *
 * Family 11, our own: what RFC 6455 demands and the other families leave out. Masks, length forms,
 * limits, and failing at the first byte that makes failure certain.
 */
#include "tests/conformance/script.h"

static void wrong_mask(struct script *s, const struct test_case *c) {
    put_frame_wrong_mask(s, (unsigned)c->a, T("Hello"));
    want_failed(s, 1002);
}

/* Two bytes decide: nothing else is sent. a, b: the two. */
static void two_bytes(struct script *s, const struct test_case *c) {
    const uint8_t bytes[2] = {(uint8_t)c->a, (uint8_t)(c->b | (s->masks ? 0x80 : 0))};
    put_raw(s, bytes, 2);
    want_failed(s, 1002);
}

/* One byte decides. */
static void one_byte(struct script *s, const struct test_case *c) {
    const uint8_t byte = (uint8_t)c->a;
    put_raw(s, &byte, 1);
    want_failed(s, 1002);
}

/* a: the length, b: its form; only the header is sent */
static void long_header(struct script *s, const struct test_case *c) {
    put_header_long(s, FIN | BINARY, (unsigned)c->b, c->a);
    want_failed(s, 1002);
}

static void too_big(struct script *s, const struct test_case *c) {
    put_header_long(s, FIN | BINARY, 8, c->a);
    want_failed(s, 1009);
}

/* Four frames within frame_bytes_max bring a message to message_bytes_max; the fifth is one byte
 * too much. */
static void message_too_big(struct script *s, const struct test_case *c) {
    (void)c;
    const text part = text_fill(16 << 20, "0123456789abcdef");
    put_frame(s, BINARY, part);
    put_frame(s, CONT, part);
    put_frame(s, CONT, part);
    put_frame(s, CONT, part);
    put_frame_part(s, CONT, T("x"), 0);
    want_failed(s, 1009);
}

/* A message of 16 MiB in fragments of 256 bytes, an empty one at the end. */
static void many_small_fragments(struct script *s, const struct test_case *c) {
    (void)c;
    const text payload = text_fill(16 << 20, "0123456789abcdef");
    for (size_t at = 0; at < payload.len; at += 256) {
        put_frame(s, at == 0 ? BINARY : CONT, (text){payload.data + at, 256});
    }
    put_frame(s, FIN | CONT, T(""));
    want(s, BINARY, payload);
    want_closed(s);
}

static void code_refused(struct script *s, const struct test_case *c) {
    put_close(s, (unsigned)c->a, T(""));
    want_failed(s, 1002);
}

/* Only the first impossible byte of a close reason is sent, not the rest. */
static void reason_cut(struct script *s, const struct test_case *c) {
    (void)c;
    put_frame_part(s, FIN | CLOSE,
                   T("\x03\xe8"
                     "ab\xff"
                     "never sent"),
                   5);
    want_failed(s, 1007);
}

static void pipelined(struct script *s, const struct test_case *c) {
    for (size_t i = 0; i < c->a; i++) {
        put_frame(s, FIN | TEXT, T("one of many"));
        want(s, TEXT, T("one of many"));
    }
    want_closed(s);
}

static struct test_case *add(struct suite *suite, const char *id, const char *what,
                             void (*build)(struct script *, const struct test_case *), size_t a,
                             size_t b) {
    struct test_case *c = suite_add(suite, id, what, build);
    c->a = a;
    c->b = b;
    return c;
}

void suite_add_strict(struct suite *suite) {
    add(suite, "11.1.1", "a text with the wrong mask bit", wrong_mask, FIN | TEXT, 0);
    add(suite, "11.1.2", "a ping with the wrong mask bit", wrong_mask, FIN | PING, 0);
    add(suite, "11.1.3", "a close with the wrong mask bit", wrong_mask, FIN | CLOSE, 0);
    add(suite, "11.2.1", "the first byte of a frame with RSV 4", one_byte, FIN | 0x40 | TEXT, 0);
    add(suite, "11.2.2", "the first byte of a reserved opcode", one_byte, FIN | 3, 0);
    add(suite, "11.2.3", "the first byte of a fragmented ping", one_byte, PING, 0);
    add(suite, "11.2.4", "the first byte of a continuation of nothing", one_byte, FIN | CONT, 0);
    add(suite, "11.2.5", "two bytes of a ping of 126 or more", two_bytes, FIN | PING, 126);
    add(suite, "11.2.6", "two bytes of a close of 126 or more", two_bytes, FIN | CLOSE, 127);
    add(suite, "11.2.7", "two bytes of a close of one byte", two_bytes, FIN | CLOSE, 1);
    add(suite, "11.3.1", "a length of 5 in the 16-bit form", long_header, 5, 2);
    add(suite, "11.3.2", "a length of 125 in the 16-bit form", long_header, 125, 2);
    add(suite, "11.3.3", "a length of 5 in the 64-bit form", long_header, 5, 8);
    add(suite, "11.3.4", "a length of 65,535 in the 64-bit form", long_header, 65535, 8);
    add(suite, "11.3.5", "a length with the highest bit", long_header, (size_t)1 << 63, 8);
    add(suite, "11.4.1", "a frame of 16 MiB + 1: the header alone", too_big, (16 << 20) + 1, 0);
    add(suite, "11.4.2", "a frame of 2^62 bytes: the header alone", too_big, (size_t)1 << 62, 0);
    add(suite, "11.4.3", "a message of 64 MiB + 1", message_too_big, 0, 0);
    add(suite, "11.4.4", "16 MiB in fragments of 256 bytes, an empty one at the end",
        many_small_fragments, 0, 0);
    add(suite, "11.5.1", "close code 1012", code_refused, 1012, 0);
    add(suite, "11.5.2", "close code 1013", code_refused, 1013, 0);
    add(suite, "11.5.3", "close code 1014", code_refused, 1014, 0);
    add(suite, "11.5.4", "close code 1015", code_refused, 1015, 0);
    add(suite, "11.5.5", "the first bad byte of a reason", reason_cut, 0, 0);
    add(suite, "11.6.1", "10,000 messages at once", pipelined, 10000, 0);
}
