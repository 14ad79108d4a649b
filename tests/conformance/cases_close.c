/* SPDX-License-Identifier: Apache-2.0
 *
 * Family 7: the close handshake, its payload and its codes.
 */
#include <stdio.h>
#include <string.h>

#include "tests/conformance/script.h"

static void message_then_close(struct script *s, const struct test_case *c) {
    (void)c;
    put_echo(s, TEXT, T("Hello World!"));
    put_close(s, 1000, T(""));
    want_close_answer(s, 1000);
}

static void close_twice(struct script *s, const struct test_case *c) {
    (void)c;
    put_close(s, 1000, T(""));
    put_close(s, 1001, T(""));
    want_close_answer(s, 1000);
}

/* a: the first byte of what comes behind the close frame */
static void something_after_close(struct script *s, const struct test_case *c) {
    put_close(s, 1000, T(""));
    put_frame(s, (unsigned)c->a, c->data);
    want_close_answer(s, 1000);
}

static void close_between_fragments(struct script *s, const struct test_case *c) {
    (void)c;
    put_frame(s, TEXT, T("fragment1"));
    put_close(s, 1000, T(""));
    put_frame(s, FIN | CONT, T("fragment2"));
    want_close_answer(s, 1000);
}

static void large_message_then_close(struct script *s, const struct test_case *c) {
    (void)c;
    put_echo(s, TEXT, text_fill(256 * 1024, "BAsd7&jh23"));
    put_close(s, 1000, T(""));
    put_frame(s, FIN | PING, T("too late"));
    want_close_answer(s, 1000);
}

static void family_7_1(struct suite *suite) {
    suite_add(suite, "7.1.1", "a message, then a close", message_then_close);
    suite_add(suite, "7.1.2", "two close frames", close_twice);
    struct test_case *c = suite_add(suite, "7.1.3", "a ping behind a close", something_after_close);
    c->a = FIN | PING;
    c = suite_add(suite, "7.1.4", "a text behind a close", something_after_close);
    c->a = FIN | TEXT;
    c->data = T("Hello World!");
    suite_add(suite, "7.1.5", "a close between two fragments", close_between_fragments);
    suite_add(suite, "7.1.6", "256 KiB, a close, a ping", large_message_then_close);
}

/* ---- payloads ---- */

/* a: the code of the answer */
static void close_payload(struct script *s, const struct test_case *c) {
    put_frame(s, FIN | CLOSE, c->data);
    want_close_answer(s, (unsigned)c->a);
}

static void close_payload_bad(struct script *s, const struct test_case *c) {
    put_frame(s, FIN | CLOSE, c->data);
    want_failed(s, (unsigned)c->a);
}

/* a: length of the reason */
static void close_reason(struct script *s, const struct test_case *c) {
    char payload[130] = "\x03\xe8";
    memset(payload + 2, '*', c->a);
    put_frame(s, FIN | CLOSE, (text){payload, c->a + 2});
    if (c->a <= 123) {
        want_close_answer(s, 1000);
    } else {
        want_failed(s, 1002);
    }
}

static void family_7_3(struct suite *suite) {
    suite_add(suite, "7.3.1", "a close without payload", close_payload)->data = T("");
    struct test_case *c =
        suite_add(suite, "7.3.2", "a close payload of one byte", close_payload_bad);
    c->data = T("a");
    c->a = 1002;
    c = suite_add(suite, "7.3.3", "a code and no reason", close_payload);
    c->data = T("\x03\xe8");
    c->a = 1000;
    c = suite_add(suite, "7.3.4", "a code and a reason", close_payload);
    c->data = T("\x03\xe8Hello World!");
    c->a = 1000;
    suite_add(suite, "7.3.5", "a reason of 123 bytes", close_reason)->a = 123;
    suite_add(suite, "7.3.6", "a reason of 124 bytes", close_reason)->a = 124;
    c = suite_add(suite, "7.5.1", "a reason that is no UTF-8", close_payload_bad);
    c->data = T("\x03\xe8\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64");
    c->a = 1007;
}

/* ---- codes ---- */

static void close_code(struct script *s, const struct test_case *c) {
    put_close(s, (unsigned)c->a, T(""));
    want_close_answer(s, (unsigned)c->a);
}

static void close_code_bad(struct script *s, const struct test_case *c) {
    put_close(s, (unsigned)c->a, T(""));
    want_failed(s, 1002);
}

static void close_code_bad_with_reason(struct script *s, const struct test_case *c) {
    put_close(s, (unsigned)c->a, T("reason"));
    want_failed(s, 1002);
}

static void add_codes(struct suite *suite, const char *family, const char *what,
                      void (*build)(struct script *, const struct test_case *),
                      const uint16_t *codes, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        char id[24];
        snprintf(id, sizeof id, "%s.%u", family, i + 1);
        suite_add(suite, id, what, build)->a = codes[i];
    }
}

void suite_add_close(struct suite *suite) {
    static const uint16_t good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009,
                                    1010, 1011, 3000, 3999, 4000, 4999};
    static const uint16_t bad[] = {0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999};
    static const uint16_t beyond[] = {5000, 65535};
    family_7_1(suite);
    family_7_3(suite);
    add_codes(suite, "7.7", "a code that may be sent", close_code, good, 13);
    add_codes(suite, "7.9", "a code that may not be sent", close_code_bad, bad, 9);
    add_codes(suite, "7.13", "a code above 4999", close_code_bad_with_reason, beyond, 2);
}
