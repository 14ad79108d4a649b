/* SPDX-License-Identifier: Apache-2.0
 *
 * See client.h.   RFC: 9113 4.1, 6
 */
#include "bench/budget/h2_client.h"
#include "bench/idle/client.h"

#define FRAME_MAX   16384
#define HEAD_LEN    9
#define STREAMS_MAX 1000

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, GOAWAY = 7 };

struct frame {
    uint8_t type;
    size_t len;
    uint8_t bytes[FRAME_MAX];
};

static bool frame_read(const struct client *client, struct frame *frame) {
    uint8_t head[HEAD_LEN];
    if (!client_read(client, head, sizeof head)) {
        return false;
    }
    frame->type = head[3];
    frame->len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    return frame->len <= sizeof frame->bytes && frame->type != RST_STREAM &&
           frame->type != GOAWAY && client_read(client, frame->bytes, frame->len);
}

bool client_h2_open(const struct client *client) {
    static uint8_t out[H2_CLIENT_BEGIN_MAX + STREAMS_MAX * H2_CLIENT_OPEN_MAX];
    static struct frame frame;
    size_t len = h2_client_begin(out);
    for (unsigned i = 0; i < client->streams; i++) {
        len += h2_client_open(out + len, i);
    }
    if (client->streams > STREAMS_MAX || !client_write(client, out, len)) {
        return false;
    }
    for (uint32_t answered = 0; answered < client->streams;) {
        if (!frame_read(client, &frame)) {
            return false;
        }
        if (frame.type == HEADERS && frame.bytes[0] != 0x88) { /* ":status: 200", RFC 7541 A */
            return false;
        }
        answered += frame.type == HEADERS;
    }
    return true;
}

/* The whole of a message: as many bytes as were sent, without the masking key. */
static bool answer_read(const struct client *client, size_t len) {
    static struct frame frame;
    for (size_t have = 0; have < len;) {
        if (!frame_read(client, &frame)) {
            return false;
        }
        have += frame.type == DATA ? frame.len : 0;
    }
    return true;
}

bool client_h2_talk(const struct client *client, const uint8_t *frame, size_t len) {
    static uint8_t out[H2_CLIENT_DATA_HEAD + MESSAGE_MAX];
    for (unsigned i = 0; i < client->streams; i++) {
        const size_t whole = h2_client_data(out, i, wring_bytes_of(frame, len));
        if (!client_write(client, out, whole) || !answer_read(client, len - 4)) {
            return false;
        }
    }
    return true;
}
