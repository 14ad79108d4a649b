/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames of HTTP/2, written by hand: for peers that say what nghttp2 would not (RFC 9113 4, 6), and
 * that have to be told exactly. Header blocks are literals without an index and without Huffman
 * codes (RFC 7541 6.2.3), so that each is legal wherever it stands.
 */
#ifndef WRING_TESTS_H2_WIRE_H
#define WRING_TESTS_H2_WIRE_H

#include "core/base.h"

enum h2_type {
    H2_DATA,
    H2_HEADERS,
    H2_PRIORITY,
    H2_RST_STREAM,
    H2_SETTINGS,
    H2_PUSH_PROMISE,
    H2_PING,
    H2_GOAWAY,
    H2_WINDOW_UPDATE,
    H2_CONTINUATION
};

enum h2_flag {
    H2_END_STREAM = 1,
    H2_ACK = 1,
    H2_END_HEADERS = 4,
    H2_PADDED = 8,
    H2_HAS_PRIORITY = 32
};

enum h2_setting {
    H2_HEADER_TABLE_SIZE = 1,
    H2_ENABLE_PUSH,
    H2_MAX_CONCURRENT_STREAMS,
    H2_INITIAL_WINDOW_SIZE,
    H2_MAX_FRAME_SIZE,
    H2_MAX_HEADER_LIST_SIZE,
    H2_ENABLE_CONNECT_PROTOCOL = 8
};

enum h2_code {
    H2_NO_ERROR,
    H2_PROTOCOL_ERROR,
    H2_INTERNAL_ERROR,
    H2_FLOW_CONTROL_ERROR,
    H2_REFUSED_STREAM = 7,
    H2_CANCEL = 8,
    H2_ENHANCE_YOUR_CALM = 11
};

#define H2_PREFACE    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define H2_FRAME_HEAD 9

/* Bytes that grow. */
typedef struct h2_buffer {
    uint8_t *data;
    size_t len;
    size_t cap;
} h2_buffer;

void h2_buffer_add(h2_buffer *buffer, const void *data, size_t len);
void h2_buffer_drop(h2_buffer *buffer, size_t len); /* off the front */
void h2_buffer_free(h2_buffer *buffer);
static inline wring_bytes h2_buffer_view(const h2_buffer *buffer) {
    return wring_bytes_of(buffer->data, buffer->len);
}

typedef struct h2_frame {
    size_t len; /* of the payload */
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    const uint8_t *payload;
} h2_frame;

/* The first frame of `bytes`. False: it is not there whole. */
bool h2_frame_read(wring_bytes bytes, h2_frame *out);
uint32_t h2_u32(const uint8_t *at);
uint16_t h2_u16(const uint8_t *at);

void h2_write_frame(h2_buffer *out, unsigned type, unsigned flags, uint32_t stream,
                    wring_bytes payload);
void h2_write_field(h2_buffer *block, const char *name, wring_bytes value);
/* HEADERS, and CONTINUATION where `piece` (0: none) cuts the block. */
void h2_write_headers(h2_buffer *out, uint32_t stream, unsigned flags, wring_bytes block,
                      size_t piece);
void h2_write_data(h2_buffer *out, uint32_t stream, bool ends, wring_bytes data);
void h2_write_reset(h2_buffer *out, uint32_t stream, uint32_t code);
void h2_write_window(h2_buffer *out, uint32_t stream, uint32_t more);
void h2_write_setting(h2_buffer *out, unsigned id, uint32_t value);
void h2_write_settings_ack(h2_buffer *out);
void h2_write_ping(h2_buffer *out, bool is_ack);

/* The block of a request: its four pseudo-header fields, `protocol` where it is not NULL. */
void h2_write_request(h2_buffer *block, const char *method, const char *path, const char *protocol);
/* A frame of a WebSocket, masked with zeros; `payload` is below 64 KiB. */
void h2_write_message(h2_buffer *out, uint8_t first, wring_bytes payload);

#endif
