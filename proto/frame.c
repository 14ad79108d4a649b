/* SPDX-License-Identifier: Apache-2.0
 *
 * Frame headers (RFC 6455 5.2). See frame.h.
 */
#include "proto/frame.h"

#include "proto/kernels.h"

/* RFC 6455 5.2 and 5.4 on one screen: which opcodes exist and when they may come. */
enum place {
    RESERVED = 0, /* 3-7, 0xB-0xF */
    BEGINS,       /* text, binary: only when no message is open */
    CONTINUES,    /* continuation: only when one is */
    CONTROLS      /* close, ping, pong: any time, never fragmented, at most 125 bytes */
};

static const uint8_t opcode_place[16] = {
    [WRING_CONTINUATION] = CONTINUES, [WRING_TEXT] = BEGINS,   [WRING_BINARY] = BEGINS,
    [WRING_CLOSE] = CONTROLS,         [WRING_PING] = CONTROLS, [WRING_PONG] = CONTROLS,
};

static bool first_byte_is_legal(uint8_t first, const wring__frame_rules *rules) {
    bool fin = (first & WRING__FIN) != 0;
    uint8_t rsv = first & 0x70;
    switch ((enum place)opcode_place[first & 0x0F]) {
    case RESERVED:
        return false;
    case BEGINS:
        /* RFC 7692 6: RSV1 belongs to the first frame of a message */
        return !rules->message_is_open && (rsv == 0 || (rsv == WRING__RSV1 && rules->compression));
    case CONTINUES:
        return rules->message_is_open && rsv == 0;
    case CONTROLS:
        return fin && rsv == 0; /* RFC 6455 5.5 */
    }
    return false;
}

static bool second_byte_is_legal(uint8_t first, uint8_t second, const wring__frame_rules *rules) {
    bool masked = (second & 0x80) != 0;
    uint8_t len = second & 0x7F;
    if (masked != (rules->role == WRING_ROLE_SERVER)) {
        return false; /* RFC 6455 5.1 */
    }
    if (wring__opcode_is_control(first & 0x0F) && len > WRING_CONTROL_PAYLOAD_MAX) {
        return false; /* RFC 6455 5.5 */
    }
    return (first & 0x0F) != WRING_CLOSE || len != 1; /* RFC 6455 5.5.1: no half code */
}

static wring_result length_check(uint64_t length, uint8_t opcode, const wring__frame_rules *rules) {
    if (wring__opcode_is_control(opcode)) {
        return WRING_OK;
    }
    if (length > rules->frame_bytes_max || length > rules->message_left) {
        return WRING_ERR_MESSAGE_TOO_BIG;
    }
    return WRING_OK;
}

/* The extended length from the `have` of its `want` bytes that are here. With some missing the
 * length lies between `low` and `high`: enough to refuse it early. */
static wring_result extended_length(const uint8_t *bytes, size_t have, size_t want, uint8_t opcode,
                                    const wring__frame_rules *rules, uint64_t *length) {
    uint64_t low = 0;
    for (size_t i = 0; i < have; i++) {
        low = low << 8 | bytes[i];
    }
    unsigned missing_bits = (unsigned)(want - have) * 8;
    uint64_t high =
        missing_bits == 64 ? UINT64_MAX : low << missing_bits | ((UINT64_C(1) << missing_bits) - 1);
    low = missing_bits == 64 ? 0 : low << missing_bits;
    if (low >> 63 != 0) {
        return WRING_ERR_PROTOCOL; /* RFC 6455 5.2: the most significant bit must be 0 */
    }
    if (high < (want == 2 ? 126u : 65536u)) {
        return WRING_ERR_PROTOCOL; /* RFC 6455 5.2: the minimal number of bytes */
    }
    *length = low;
    return length_check(low, opcode, rules);
}

wring_result wring__frame_header_decode(const uint8_t *bytes, size_t len,
                                        const wring__frame_rules *rules, wring__frame_header *out) {
    if (len < 1) {
        return WRING_MORE;
    }
    if (!first_byte_is_legal(bytes[0], rules)) {
        return WRING_ERR_PROTOCOL;
    }
    if (len < 2) {
        return WRING_MORE;
    }
    if (!second_byte_is_legal(bytes[0], bytes[1], rules)) {
        return WRING_ERR_PROTOCOL;
    }
    out->opcode = bytes[0] & 0x0F;
    out->fin = (bytes[0] & WRING__FIN) != 0;
    out->rsv1 = (bytes[0] & WRING__RSV1) != 0;
    out->masked = (bytes[1] & 0x80) != 0;
    out->payload_len = bytes[1] & 0x7F;
    size_t extended = out->payload_len < 126 ? 0 : out->payload_len == 126 ? 2 : 8;
    wring_result result;
    if (extended == 0) {
        result = length_check(out->payload_len, out->opcode, rules);
    } else {
        size_t have = wring__min_size(len - 2, extended);
        result = extended_length(bytes + 2, have, extended, out->opcode, rules, &out->payload_len);
    }
    if (result != WRING_OK) {
        return result;
    }
    out->header_len = (uint8_t)(2 + extended + (out->masked ? 4 : 0));
    if (len < out->header_len) {
        return WRING_MORE;
    }
    if (out->masked) {
        memcpy(&out->key, bytes + 2 + extended, sizeof out->key);
    }
    return WRING_OK;
}

size_t wring__frame_header_write(uint8_t *out, uint8_t first, uint64_t payload_len,
                                 const uint32_t *key) {
    uint8_t mask_bit = key == NULL ? 0 : 0x80;
    size_t n = 2;
    out[0] = first;
    if (payload_len < 126) {
        out[1] = (uint8_t)(mask_bit | payload_len);
    } else if (payload_len <= UINT16_MAX) {
        out[1] = mask_bit | 126;
        wring__store_be16(out + 2, (uint16_t)payload_len);
        n = 4;
    } else {
        out[1] = mask_bit | 127;
        wring__store_be64(out + 2, payload_len);
        n = 10;
    }
    if (key != NULL) {
        memcpy(out + n, key, sizeof *key);
        n += sizeof *key;
    }
    return n;
}

bool wring_text_is_valid(wring_bytes text) {
    size_t bad_at;
    return wring__utf8_feed(WRING__UTF8_COMPLETE, text.data, text.len, &bad_at) ==
           WRING__UTF8_COMPLETE;
}
