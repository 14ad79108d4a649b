/* SPDX-License-Identifier: Apache-2.0
 *
 * Feeding a machine in tests: whole, byte by byte, or cut at one point; the events are kept as one
 * readable line, so that a test compares strings.
 */
#ifndef WRING_TESTS_MACHINE_FEED_H
#define WRING_TESTS_MACHINE_FEED_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/machine.h"

/** What a machine is made from, by value; sizes are filled in. */
typedef struct feed_config {
    wring_role role;
    wring_session_config session;
    wring_deflate *deflate;
    const wring_deflate_params *deflate_params;
} feed_config;

typedef struct feed {
    wring_machine *machine;
    char log[4096];
    size_t log_len;
} feed;

static inline void feed_log(feed *f, const char *text) {
    size_t n = strlen(text);
    cr_assert(f->log_len + n + 1 < sizeof f->log);
    memcpy(f->log + f->log_len, text, n + 1);
    f->log_len += n;
}

static inline feed feed_begin(feed_config from) {
    feed f = {0};
    wring_error error;
    from.session.struct_size = sizeof from.session;
    const wring_machine_config config = {.struct_size = sizeof config,
                                         .role = from.role,
                                         .session = &from.session,
                                         .deflate = from.deflate,
                                         .deflate_params = from.deflate_params};
    cr_assert_eq(wring_machine_create(&config, &f.machine, &error), WRING_OK);
    cr_assert_eq(wring_machine_open(f.machine, 1), WRING_OK);
    return f;
}

static inline wring_end feed_end(const wring_machine *machine) {
    wring_end end = {.struct_size = sizeof end};
    cr_assert_eq(wring_machine_get_end(machine, &end), WRING_OK);
    return end;
}

static inline void feed_events(feed *f) {
    wring_event event;
    char text[600];
    while (wring_machine_next(f->machine, &event) == WRING_OK) {
        if (event.kind == WRING_EVENT_END) {
            const wring_end end = feed_end(f->machine);
            snprintf(text, sizeof text, "END(%s,%u)", wring_result_name(end.result),
                     end.close_code);
        } else {
            static const char *const names[16] = {[WRING_TEXT] = "TEXT",
                                                  [WRING_BINARY] = "BINARY",
                                                  [WRING_CLOSE] = "CLOSE",
                                                  [WRING_PING] = "PING",
                                                  [WRING_PONG] = "PONG"};
            int shown = event.message.payload.len > 40 ? 40 : (int)event.message.payload.len;
            snprintf(text, sizeof text, "%s(%u,%zu,%.*s)", names[event.message.opcode],
                     event.message.close_code, event.message.payload.len, shown,
                     (const char *)event.message.payload.data);
        }
        feed_log(f, text);
    }
}

/* Copies first: a machine unmasks in place, and ASan then sees each read past the piece. */
static inline void feed_piece(feed *f, const uint8_t *data, size_t len) {
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    memcpy(copy, data, len);
    wring_mut_bytes bytes = {copy, len};
    cr_assert_eq(wring_machine_feed(f->machine, bytes, 2), WRING_OK);
    feed_events(f);
    free(copy);
}

/* What a fresh machine makes of `data`, in pieces of `step` bytes (0: whole), first cut at `cut`.
 */
static inline void feed_run(feed_config config, const uint8_t *data, size_t len, size_t step,
                            size_t cut, char out[4096]) {
    feed f = feed_begin(config);
    size_t at = 0;
    if (cut > 0) {
        feed_piece(&f, data, cut);
        at = cut;
    }
    while (at < len) {
        size_t n = step == 0 || len - at < step ? len - at : step;
        feed_piece(&f, data + at, n);
        at += n;
    }
    feed_log(&f, " OUT:");
    for (wring_bytes o; (o = wring_machine_output(f.machine)).len > 0;) {
        for (size_t i = 0; i < o.len && i < 64; i++) {
            char hex[4];
            snprintf(hex, sizeof hex, "%02x", o.data[i]);
            feed_log(&f, hex);
        }
        wring_machine_sent(f.machine, o.len);
    }
    memcpy(out, f.log, f.log_len + 1);
    wring_machine_destroy(f.machine);
}

/* The same verdict whole, byte by byte, and cut at every point. */
static inline void feed_expect(feed_config config, const void *bytes, size_t len,
                               const char *want) {
    char got[4096];
    const uint8_t *data = bytes;
    feed_run(config, data, len, 0, 0, got);
    cr_assert_str_eq(got, want);
    feed_run(config, data, len, 1, 0, got);
    cr_assert_str_eq(got, want, "byte by byte: %s", got);
    for (size_t cut = 1; cut < len && len < 2000; cut++) {
        feed_run(config, data, len, 0, cut, got);
        cr_assert_str_eq(got, want, "cut at %zu: %s", cut, got);
    }
}

#define CLIENT ((feed_config){.role = WRING_ROLE_CLIENT})
#define SERVER ((feed_config){.role = WRING_ROLE_SERVER})
/* A string literal with NULs inside. */
#define LIT(s) s, sizeof s - 1

#endif
