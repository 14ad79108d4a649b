/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame header decoder: against a decoder that waits for the whole header and then applies the
 * rules of RFC 6455 5.2 one by one, at every length of the input, and through encode and decode.
 *
 *     flags | frame_bytes_max | message_left | bytes
 */
#include <stdlib.h>

#include "proto/frame.h"
#include "tests/fuzz/fuzz.h"

enum { FLAG_CLIENT = 1, FLAG_OPEN = 2, FLAG_COMPRESSION = 4 };

static uint64_t limit_take(wring_bytes *in) {
    unsigned shift = fuzz_u8(in) & 63;
    uint64_t low = fuzz_u16(in);
    return shift == 63 ? UINT64_MAX : low << shift >> 16;
}

/* What the whole header has to come to; WRING_MORE when `bytes` has not all of it. */
static wring_result expect(wring_bytes bytes, const wring__frame_rules *rules) {
    const uint8_t *b = bytes.data;
    if (bytes.len < 2) {
        return WRING_MORE;
    }
    unsigned short_len = b[1] & 127;
    size_t extended = short_len == 126 ? 2 : short_len == 127 ? 8 : 0;
    bool masked = b[1] >= 128;
    if (bytes.len < 2 + extended + (masked ? 4u : 0u)) {
        return WRING_MORE;
    }
    uint64_t length = short_len;
    if (extended > 0) {
        length = 0;
        for (size_t i = 0; i < extended; i++) {
            length = length * 256 + b[2 + i];
        }
    }
    unsigned opcode = b[0] & 15;
    bool fin = b[0] >= 128;
    bool control = opcode >= 8;
    bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
    bool rsv1 = (b[0] & 0x40) != 0;
    bool rsv_bad =
        (b[0] & 0x30) != 0 || (rsv1 && (!rules->compression || (opcode != 1 && opcode != 2)));
    bool order_bad = !control && (opcode == 0) != rules->message_is_open;
    bool control_bad = control && (!fin || length > 125 || (opcode == 8 && length == 1));
    bool length_bad =
        (extended == 2 && length < 126) || (extended == 8 && length < 65536) || length > INT64_MAX;
    if (!known || rsv_bad || order_bad || control_bad || length_bad ||
        masked != (rules->role == WRING_ROLE_SERVER)) {
        return WRING_ERR_PROTOCOL;
    }
    bool too_big = length > rules->frame_bytes_max || length > rules->message_left;
    return !control && too_big ? WRING_ERR_MESSAGE_TOO_BIG : WRING_OK;
}

static wring_result decode(wring_bytes bytes, const wring__frame_rules *rules,
                           wring__frame_header *out) {
    uint8_t *copy = fuzz_copy(bytes);
    wring_result result = wring__frame_header_decode(copy, bytes.len, rules, out);
    free(copy);
    return result;
}

/* Decoded and written again it is the same bytes: there is one form of each header. */
static void rewrite_check(wring_bytes bytes, const wring__frame_header *header) {
    uint8_t again[WRING__FRAME_HEADER_MAX];
    FUZZ_CHECK(header->header_len == wring__frame_header_len(header->payload_len, header->masked));
    uint8_t first = (uint8_t)((header->fin ? WRING__FIN : 0) | (header->rsv1 ? WRING__RSV1 : 0) |
                              header->opcode);
    size_t len = wring__frame_header_write(again, first, header->payload_len,
                                           header->masked ? &header->key : NULL);
    FUZZ_CHECK(len == header->header_len && len <= bytes.len);
    FUZZ_CHECK(memcmp(again, bytes.data, len) == 0);
}

/* Any legal header survives being written and decoded. */
static void write_check(wring_bytes in, wring_role role) {
    uint8_t opcode = fuzz_u8(&in) & 15;
    uint64_t length = 0;
    uint32_t key = 0;
    wring_bytes key_bytes = fuzz_take(&in, 4);
    wring_bytes length_bytes = fuzz_take(&in, 8);
    if (key_bytes.len > 0) {
        memcpy(&key, key_bytes.data, key_bytes.len);
    }
    for (size_t i = 0; i < length_bytes.len; i++) {
        length = length << 8 | length_bytes.data[i];
    }
    length &= INT64_MAX;
    wring__frame_rules rules = {.role = role,
                                .message_is_open = opcode == WRING_CONTINUATION,
                                .frame_bytes_max = UINT64_MAX,
                                .message_left = UINT64_MAX};
    bool masked = role == WRING_ROLE_SERVER;
    uint8_t out[WRING__FRAME_HEADER_MAX];
    wring__frame_header header;
    size_t len = wring__frame_header_write(out, WRING__FIN | opcode, length, masked ? &key : NULL);
    wring_result result = decode(wring_bytes_of(out, len), &rules, &header);
    FUZZ_CHECK(result == expect(wring_bytes_of(out, len), &rules));
    if (result == WRING_OK) {
        FUZZ_CHECK(header.opcode == opcode && header.fin && !header.rsv1);
        FUZZ_CHECK(header.masked == masked && (!masked || header.key == key));
        FUZZ_CHECK(header.payload_len == length && header.header_len == len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    wring_bytes in = {data, len};
    uint8_t flags = fuzz_u8(&in);
    wring__frame_rules rules = {
        .role = (flags & FLAG_CLIENT) != 0 ? WRING_ROLE_CLIENT : WRING_ROLE_SERVER,
        .message_is_open = (flags & FLAG_OPEN) != 0,
        .compression = (flags & FLAG_COMPRESSION) != 0,
    };
    rules.frame_bytes_max = limit_take(&in);
    rules.message_left = limit_take(&in);
    wring__frame_header whole;
    wring_result verdict = decode(in, &rules, &whole);
    wring_result expected = expect(in, &rules);
    /* a rule broken for certain is told before the header is whole */
    FUZZ_CHECK(verdict == expected || (expected == WRING_MORE && verdict != WRING_OK));
    if (verdict == WRING_OK) {
        rewrite_check(in, &whole);
    }
    wring_result last = WRING_MORE;
    for (size_t cut = 0; cut <= in.len && cut <= WRING__FRAME_HEADER_MAX + 1; cut++) {
        wring__frame_header header;
        wring_result result = decode(wring_bytes_of(in.data, cut), &rules, &header);
        FUZZ_CHECK(last == WRING_MORE || result == last); /* a verdict does not change */
        FUZZ_CHECK(result == WRING_MORE || result == verdict);
        if (result == WRING_OK) {
            FUZZ_CHECK(cut >= header.header_len && header.header_len == whole.header_len);
            FUZZ_CHECK(header.payload_len == whole.payload_len);
        }
        last = result;
    }
    FUZZ_CHECK(in.len > WRING__FRAME_HEADER_MAX ? verdict != WRING_MORE : last == verdict);
    write_check(in, rules.role);
    return 0;
}
