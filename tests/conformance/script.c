/* SPDX-License-Identifier: Apache-2.0
 *
 * Building a script: the tester's own framing.
 */
#include "tests/conformance/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *grow(void *p, size_t count, size_t size) {
    if ((count & (count - 1)) != 0) {
        return p; /* grown when the count is a power of two */
    }
    p = realloc(p, (count == 0 ? 1 : count * 2) * size);
    if (p == NULL) {
        abort();
    }
    return p;
}

text text_str(const char *s) {
    return (text){s, strlen(s)};
}

static uint8_t *wire_room(struct script *s, size_t len) {
    if (s->len + len > s->cap) {
        s->cap = (s->len + len) * 2;
        s->wire = realloc(s->wire, s->cap);
        if (s->wire == NULL) {
            abort();
        }
    }
    s->len += len;
    return s->wire + s->len - len;
}

void script_init(struct script *s, bool masks, uint64_t seed) {
    *s = (struct script){.masks = masks, .random = seed * 2 + 1};
}

void script_deinit(struct script *s) {
    for (size_t i = 0; i < s->want_count; i++) {
        free(s->wants[i].payload);
    }
    free(s->wants);
    free(s->syncs);
    free(s->sync_wants);
    free(s->wire);
}

uint64_t script_random(struct script *s) {
    s->random = s->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return s->random >> 33;
}

text text_fill(size_t len, const char *with) {
    static char *last; /* one at a time is enough: scripts copy */
    const size_t n = strlen(with);
    free(last);
    last = malloc(len + n);
    if (last == NULL) {
        abort();
    }
    size_t at = 0;
    for (; at + n <= len; at += n) {
        memcpy(last + at, with, n);
    }
    memset(last + at, '*', len - at);
    return (text){last, len};
}

void put_raw(struct script *s, const void *bytes, size_t len) {
    if (len > 0) {
        memcpy(wire_room(s, len), bytes, len);
    }
}

static void put(struct script *s, unsigned first, text payload, size_t sent, bool masked) {
    uint8_t header[14] = {(uint8_t)first};
    size_t n = 2;
    if (payload.len < 126) {
        header[1] = (uint8_t)payload.len;
    } else if (payload.len < 65536) {
        header[1] = 126;
        header[2] = (uint8_t)(payload.len >> 8);
        header[3] = (uint8_t)payload.len;
        n = 4;
    } else {
        header[1] = 127;
        for (unsigned i = 0; i < 8; i++) {
            header[2 + i] = (uint8_t)((uint64_t)payload.len >> (56 - 8 * i));
        }
        n = 10;
    }
    uint8_t key[4] = {0};
    if (masked) {
        const uint64_t random = script_random(s);
        memcpy(key, &random, sizeof key);
        header[1] |= 0x80;
        memcpy(header + n, key, sizeof key);
        n += sizeof key;
    }
    put_raw(s, header, n);
    uint8_t *out = wire_room(s, sent);
    for (size_t i = 0; i < sent; i++) {
        out[i] = (uint8_t)payload.data[i] ^ key[i & 3];
    }
}

void put_frame(struct script *s, unsigned first, text payload) {
    put(s, first, payload, payload.len, s->masks);
}

void put_frame_part(struct script *s, unsigned first, text payload, size_t len) {
    put(s, first, payload, len, s->masks);
}

void put_frame_wrong_mask(struct script *s, unsigned first, text payload) {
    put(s, first, payload, payload.len, !s->masks);
}

void put_header_long(struct script *s, unsigned first, unsigned form, uint64_t len) {
    uint8_t header[14] = {(uint8_t)first};
    header[1] = (uint8_t)((form == 2 ? 126 : 127) | (s->masks ? 0x80 : 0));
    for (unsigned i = 0; i < form; i++) {
        header[2 + i] = (uint8_t)(len >> (8 * (form - 1 - i)));
    }
    put_raw(s, header, 2 + form + (s->masks ? 4 : 0));
}

void put_close(struct script *s, unsigned code, text reason) {
    char payload[128] = {(char)(code >> 8), (char)code};
    memcpy(payload + 2, reason.data, reason.len);
    put_frame(s, FIN | CLOSE, (text){payload, reason.len + 2});
}

void put_fragments(struct script *s, unsigned opcode, text payload, size_t size) {
    size_t at = 0;
    do {
        const size_t n = payload.len - at < size ? payload.len - at : size;
        const unsigned first = (at == 0 ? opcode : CONT) | (at + n == payload.len ? FIN : 0);
        put_frame(s, first, (text){payload.data + at, n});
        at += n;
    } while (at < payload.len);
}

void put_echo(struct script *s, unsigned opcode, text payload) {
    put_frame(s, FIN | opcode, payload);
    want(s, opcode, payload);
}

void put_sync(struct script *s) {
    s->syncs = grow(s->syncs, s->sync_count, sizeof *s->syncs);
    s->sync_wants = grow(s->sync_wants, s->sync_count, sizeof *s->sync_wants);
    s->syncs[s->sync_count] = s->len;
    s->sync_wants[s->sync_count++] = s->want_count;
}

void want(struct script *s, unsigned opcode, text payload) {
    s->wants = grow(s->wants, s->want_count, sizeof *s->wants);
    struct want *w = &s->wants[s->want_count++];
    *w = (struct want){(uint8_t)opcode, malloc(payload.len + 1), payload.len};
    if (w->payload == NULL) {
        abort();
    }
    if (payload.len > 0) {
        memcpy(w->payload, payload.data, payload.len);
    }
}

void want_close_answer(struct script *s, unsigned code) {
    s->end = END_CLOSED;
    s->code = (uint16_t)code;
}

void want_closed(struct script *s) {
    put_sync(s);
    put_close(s, 1000, T(""));
    want_close_answer(s, 1000);
}

void want_failed(struct script *s, unsigned code) {
    s->end = END_FAILED;
    s->code = (uint16_t)code;
}

void put_end(struct script *s) {
    s->ends_stream = true;
}

void want_ended(struct script *s) {
    s->end = END_ENDED;
}

void put_reset(struct script *s, uint32_t code) {
    s->end = END_RESET;
    s->reset_code = code;
}

struct test_case *suite_add(struct suite *suite, const char *id, const char *what,
                            void (*build)(struct script *, const struct test_case *)) {
    suite->cases = grow(suite->cases, suite->count, sizeof *suite->cases);
    struct test_case *c = &suite->cases[suite->count++];
    *c = (struct test_case){.what = what, .build = build};
    snprintf(c->id, sizeof c->id, "%s", id);
    return c;
}
