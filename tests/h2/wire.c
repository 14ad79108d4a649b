/* SPDX-License-Identifier: Apache-2.0
 *
 * See wire.h.
 */
#include "tests/h2/wire.h"

#include <stdlib.h>

void h2_buffer_add(h2_buffer *buffer, const void *data, size_t len) {
    if (buffer->cap - buffer->len < len) {
        buffer->cap = (buffer->len + len) * 2;
        buffer->data = realloc(buffer->data, buffer->cap);
        if (buffer->data == NULL) {
            abort();
        }
    }
    if (len > 0) {
        memcpy(buffer->data + buffer->len, data, len);
        buffer->len += len;
    }
}

void h2_buffer_drop(h2_buffer *buffer, size_t len) {
    if (len > 0) {
        buffer->len -= len;
        memmove(buffer->data, buffer->data + len, buffer->len);
    }
}

void h2_buffer_free(h2_buffer *buffer) {
    free(buffer->data);
    *buffer = (h2_buffer){0};
}

/* ---- reading --------------------------------------------------------------------------------- */

uint16_t h2_u16(const uint8_t *at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t h2_u32(const uint8_t *at) {
    return (uint32_t)h2_u16(at) << 16 | h2_u16(at + 2);
}

bool h2_frame_read(wring_bytes bytes, h2_frame *out) {
    if (bytes.len < H2_FRAME_HEAD) {
        return false;
    }
    const uint8_t *head = bytes.data;
    *out = (h2_frame){.len = (size_t)head[0] << 16 | h2_u16(head + 1),
                      .type = head[3],
                      .flags = head[4],
                      .stream = h2_u32(head + 5) & INT32_MAX,
                      .payload = head + H2_FRAME_HEAD};
    return bytes.len - H2_FRAME_HEAD >= out->len;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void u32_put(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

void h2_write_frame(h2_buffer *out, unsigned type, unsigned flags, uint32_t stream,
                    wring_bytes payload) {
    uint8_t head[H2_FRAME_HEAD];
    u32_put(head, (uint32_t)payload.len << 8);
    head[3] = (uint8_t)type;
    head[4] = (uint8_t)flags;
    u32_put(head + 5, stream);
    h2_buffer_add(out, head, sizeof head);
    h2_buffer_add(out, payload.data, payload.len);
}

/* RFC 7541 5.1, 5.2: seven bits, then seven at a time; no Huffman code. */
static void string_put(h2_buffer *block, wring_bytes text) {
    uint8_t length[8];
    size_t n = 0;
    size_t left = text.len;
    if (left < 127) {
        length[n++] = (uint8_t)left;
    } else {
        length[n++] = 127;
        for (left -= 127; left >= 128; left >>= 7) {
            length[n++] = (uint8_t)(left & 127) | 128;
        }
        length[n++] = (uint8_t)left;
    }
    h2_buffer_add(block, length, n);
    h2_buffer_add(block, text.data, text.len);
}

void h2_write_field(h2_buffer *block, const char *name, wring_bytes value) {
    const uint8_t never_indexed = 0x10;
    h2_buffer_add(block, &never_indexed, 1);
    string_put(block, wring_str(name));
    string_put(block, value);
}

void h2_write_headers(h2_buffer *out, uint32_t stream, unsigned flags, wring_bytes block,
                      size_t piece) {
    unsigned type = H2_HEADERS;
    do {
        const size_t len = piece == 0 ? block.len : wring__min_size(piece, block.len);
        const bool ends = len == block.len;
        h2_write_frame(out, type, flags | (ends ? H2_END_HEADERS : 0u), stream,
                       wring_bytes_of(block.data, len));
        block = len == block.len ? wring_bytes_of(NULL, 0)
                                 : wring_bytes_of(block.data + len, block.len - len);
        type = H2_CONTINUATION;
        flags = 0;
    } while (block.len > 0);
}

void h2_write_data(h2_buffer *out, uint32_t stream, bool ends, wring_bytes data) {
    h2_write_frame(out, H2_DATA, ends ? H2_END_STREAM : 0, stream, data);
}

static void number_write(h2_buffer *out, unsigned type, uint32_t stream, uint32_t value) {
    uint8_t payload[4];
    u32_put(payload, value);
    h2_write_frame(out, type, 0, stream, wring_bytes_of(payload, sizeof payload));
}

void h2_write_reset(h2_buffer *out, uint32_t stream, uint32_t code) {
    number_write(out, H2_RST_STREAM, stream, code);
}

void h2_write_window(h2_buffer *out, uint32_t stream, uint32_t more) {
    number_write(out, H2_WINDOW_UPDATE, stream, more);
}

void h2_write_setting(h2_buffer *out, unsigned id, uint32_t value) {
    uint8_t payload[6] = {(uint8_t)(id >> 8), (uint8_t)id};
    u32_put(payload + 2, value);
    h2_write_frame(out, H2_SETTINGS, 0, 0, wring_bytes_of(payload, sizeof payload));
}

void h2_write_settings_ack(h2_buffer *out) {
    h2_write_frame(out, H2_SETTINGS, H2_ACK, 0, wring_bytes_of(NULL, 0));
}

void h2_write_ping(h2_buffer *out, bool is_ack) {
    h2_write_frame(out, H2_PING, is_ack ? H2_ACK : 0, 0, wring_str("12345678"));
}

void h2_write_request(h2_buffer *block, const char *method, const char *path,
                      const char *protocol) {
    h2_write_field(block, ":method", wring_str(method));
    h2_write_field(block, ":scheme", wring_str("http"));
    h2_write_field(block, ":authority", wring_str("sim"));
    h2_write_field(block, ":path", wring_str(path));
    if (protocol != NULL) {
        h2_write_field(block, ":protocol", wring_str(protocol));
    }
}

void h2_write_message(h2_buffer *out, uint8_t first, wring_bytes payload) {
    uint8_t head[8] = {first, (uint8_t)(payload.len < 126 ? payload.len | 128 : 254)};
    size_t len = 6;
    if (payload.len >= 126) {
        head[2] = (uint8_t)(payload.len >> 8);
        head[3] = (uint8_t)payload.len;
        len = 8;
    }
    h2_buffer_add(out, head, len);
    h2_buffer_add(out, payload.data, payload.len);
}
