/* SPDX-License-Identifier: Apache-2.0
 *
 * See fuzz.h.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/frame.h"

const char *fuzz_running = "the input";

void fuzz_fail(const char *what, const char *file, int line) {
    fprintf(stderr, "FAILED with %s: %s:%d: %s\n", fuzz_running, file, line, what);
    abort();
}

/* OpenSSL's name: the program's own comes before the library's. Four bytes repeated, so that every
 * masking key is the same, however many were drawn before. */
int RAND_bytes(unsigned char *out, int count);
int RAND_bytes(unsigned char *out, int count) {
    static const uint8_t pattern[] = {0x37, 0xFA, 0x21, 0x3D}; /* RFC 6455 5.7 */
    for (int i = 0; i < count; i++) {
        out[i] = pattern[i % 4];
    }
    return 1;
}

/* ---- the input ------------------------------------------------------------------------------- */

wring_bytes fuzz_take(wring_bytes *in, size_t count) {
    wring_bytes taken = {in->data, wring__min_size(in->len, count)};
    if (taken.len > 0) { /* an empty view may have no address */
        in->data += taken.len;
        in->len -= taken.len;
    }
    return taken;
}

uint8_t fuzz_u8(wring_bytes *in) {
    wring_bytes byte = fuzz_take(in, 1);
    return byte.len == 0 ? 0 : byte.data[0];
}

uint16_t fuzz_u16(wring_bytes *in) {
    uint8_t high = fuzz_u8(in);
    return (uint16_t)(high << 8 | fuzz_u8(in));
}

uint8_t *fuzz_copy(wring_bytes bytes) {
    uint8_t *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
    FUZZ_CHECK(copy != NULL);
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return copy;
}

fuzz_cuts fuzz_cuts_take(wring_bytes *in) {
    size_t count = fuzz_u8(in) & 7;
    fuzz_cuts cuts = {fuzz_take(in, count), 0};
    return cuts;
}

size_t fuzz_cuts_next(fuzz_cuts *cuts, size_t left) {
    if (cuts->lengths.len == 0) {
        return 1;
    }
    size_t length = (size_t)cuts->lengths.data[cuts->next++ % cuts->lengths.len] + 1;
    return wring__min_size(length, left);
}

/* ---- a log ----------------------------------------------------------------------------------- */

void fuzz_log_bytes(fuzz_log *log, wring_bytes bytes) {
    if (log->cap - log->len < bytes.len) {
        log->cap = (log->cap + bytes.len) * 2;
        log->data = realloc(log->data, log->cap);
        FUZZ_CHECK(log->data != NULL);
    }
    if (bytes.len > 0) {
        memcpy(log->data + log->len, bytes.data, bytes.len);
        log->len += bytes.len;
    }
}

void fuzz_log_u64(fuzz_log *log, uint64_t value) {
    fuzz_log_bytes(log, wring_bytes_of(&value, sizeof value));
}

void fuzz_log_message(fuzz_log *log, const wring_message *message) {
    fuzz_log_u64(log, (uint64_t)message->opcode << 32 | message->close_code);
    fuzz_log_u64(log, message->payload.len);
    fuzz_log_bytes(log, message->payload);
}

void fuzz_log_end(fuzz_log *log, const wring_end *end) {
    fuzz_log_u64(log, UINT64_MAX);
    fuzz_log_u64(log, (uint64_t)end->close_code << 1 | end->by_peer);
    fuzz_log_u64(log, (uint64_t)end->result);
}

bool fuzz_log_equal(const fuzz_log *a, const fuzz_log *b) {
    return wring_bytes_equal(wring_bytes_of(a->data, a->len), wring_bytes_of(b->data, b->len));
}

void fuzz_log_free(fuzz_log *log) {
    free(log->data);
    memset(log, 0, sizeof *log);
}

/* ---- a machine ------------------------------------------------------------------------------- */

wring_machine *fuzz_machine_open(wring_role role, const wring_session_config *session) {
    const wring_machine_config config = {
        .struct_size = sizeof config, .role = role, .session = session};
    wring_machine *machine;
    FUZZ_CHECK(wring_machine_create(&config, &machine, NULL) == WRING_OK);
    FUZZ_CHECK(wring_machine_open(machine, 1) == WRING_OK);
    return machine;
}

wring_end fuzz_machine_end(const wring_machine *machine) {
    wring_end end = {.struct_size = sizeof end};
    FUZZ_CHECK(wring_machine_get_end(machine, &end) == WRING_OK);
    return end;
}

/* ---- what a machine wrote -------------------------------------------------------------------- */

/* Walks the frames; returns the length of those that are whole. */
static size_t frames_walk(wring_role reader, wring_bytes bytes) {
    wring__frame_rules rules = {
        .role = reader, .frame_bytes_max = UINT64_MAX, .message_left = UINT64_MAX};
    size_t at = 0;
    while (at < bytes.len) {
        wring__frame_header header;
        wring_result result =
            wring__frame_header_decode(bytes.data + at, bytes.len - at, &rules, &header);
        if (result == WRING_MORE ||
            (result == WRING_OK && header.payload_len > bytes.len - at - header.header_len)) {
            break;
        }
        FUZZ_CHECK(result == WRING_OK); /* the library never fragments: each frame stands alone */
        FUZZ_CHECK(header.header_len == wring__frame_header_len(header.payload_len, header.masked));
        at += header.header_len + (size_t)header.payload_len;
        FUZZ_CHECK(header.opcode != WRING_CLOSE || at == bytes.len);
    }
    return at;
}

static void wire_message(fuzz_wire *wire, const wring_message *message) {
    switch (message->opcode) {
    case WRING_TEXT:
    case WRING_BINARY:
        fuzz_log_message(&wire->messages, message);
        break;
    case WRING_PING:
        wire->pings++;
        break;
    case WRING_PONG:
        fuzz_log_message(&wire->pongs, message);
        break;
    case WRING_CLOSE:
        wire->closed = true;
        wire->close_code = message->close_code;
        break;
    case WRING_CONTINUATION:
        FUZZ_CHECK(message->opcode != WRING_CONTINUATION);
    }
}

fuzz_wire fuzz_wire_read(wring_role writer, wring_bytes bytes, bool cut) {
    fuzz_wire wire = {0};
    wring_role reader = writer == WRING_ROLE_SERVER ? WRING_ROLE_CLIENT : WRING_ROLE_SERVER;
    size_t whole = frames_walk(reader, bytes);
    FUZZ_CHECK(cut || whole == bytes.len);
    const wring_session_config config = {.struct_size = sizeof config,
                                         .frame_bytes_max = WRING_UNLIMITED,
                                         .message_bytes_max = WRING_UNLIMITED,
                                         .allow_iana_close_codes = true};
    wring_machine *machine = fuzz_machine_open(reader, &config);
    uint8_t *copy = fuzz_copy(bytes);
    wring_mut_bytes fed = {copy, bytes.len};
    FUZZ_CHECK(wring_machine_feed(machine, fed, 2) == WRING_OK);
    wring_event event;
    while (wring_machine_next(machine, &event) == WRING_OK) {
        if (event.kind == WRING_EVENT_MESSAGE) {
            wire_message(&wire, &event.message);
        } else {
            FUZZ_CHECK(wire.closed && fuzz_machine_end(machine).result == WRING_OK);
        }
    }
    free(copy);
    wring_machine_destroy(machine);
    return wire;
}

void fuzz_wire_free(fuzz_wire *wire) {
    fuzz_log_free(&wire->pongs);
    fuzz_log_free(&wire->messages);
}

/* ---- independent of the library -------------------------------------------------------------- */

bool fuzz_is_utf8(wring_bytes text) {
    for (size_t i = 0; i < text.len;) {
        uint8_t lead = text.data[i];
        size_t more = lead < 0x80 ? 0 : lead < 0xC0 ? 9 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
        if (more == 9 || lead > 0xF7 || text.len - i <= more) {
            return false;
        }
        uint32_t point = more == 0 ? lead : lead & (0x3Fu >> more);
        for (size_t k = 1; k <= more; k++) {
            if ((text.data[i + k] & 0xC0) != 0x80) {
                return false;
            }
            point = point << 6 | (text.data[i + k] & 0x3F);
        }
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        bool surrogate = point >= 0xD800 && point <= 0xDFFF;
        if (point < least[more] || point > 0x10FFFF || surrogate) {
            return false;
        }
        i += more + 1;
    }
    return true;
}

void fuzz_frame_write(fuzz_log *out, wring_role reader, uint8_t first, wring_bytes payload,
                      uint32_t key) {
    bool masked = reader == WRING_ROLE_SERVER;
    uint8_t head[10] = {first};
    size_t len = 2;
    if (payload.len < 126) {
        head[1] = (uint8_t)payload.len;
    } else if (payload.len < 65536) {
        head[1] = 126;
        wring__store_be16(head + 2, (uint16_t)payload.len);
        len = 4;
    } else {
        head[1] = 127;
        wring__store_be64(head + 2, payload.len);
        len = 10;
    }
    head[1] |= masked ? 0x80 : 0;
    fuzz_log_bytes(out, wring_bytes_of(head, len));
    if (!masked) {
        fuzz_log_bytes(out, payload);
        return;
    }
    uint8_t key_bytes[4];
    memcpy(key_bytes, &key, sizeof key_bytes);
    fuzz_log_bytes(out, wring_bytes_of(key_bytes, 4));
    size_t start = out->len;
    fuzz_log_bytes(out, payload);
    for (size_t i = 0; i < payload.len; i++) {
        out->data[start + i] ^= key_bytes[i & 3];
    }
}
