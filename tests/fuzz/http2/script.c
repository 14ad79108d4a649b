/* SPDX-License-Identifier: Apache-2.0
 *
 * What the input's peer says: frames by the grammar, legal and not, and such with a byte changed.
 * See scene.h.
 */
#include <stdio.h>

#include "tests/fuzz/http2/scene.h"

enum say {
    SAY_ASK = 0x80, /* a request */
    SAY_CONNECT,    /* an extended CONNECT */
    SAY_DATA,
    SAY_MESSAGE, /* a frame of a WebSocket, in DATA */
    SAY_CLOSE,   /* ... a close frame */
    SAY_RESET,
    SAY_WINDOW,
    SAY_SETTING,
    SAY_SETTINGS_ACK,
    SAY_PING,
    SAY_PONG,
    SAY_PRIORITY,
    SAY_GOAWAY,
    SAY_FRAME, /* of any type, with bytes of the input */
    SAY_TRAILERS,
    SAY_MUTATE, /* the next frame has a byte changed */
    SAY_MANY,   /* one frame of a kind that has a budget, many times */
    SAY_TABLE,  /* SETTINGS with two table sizes */
    SAYS_END
};

static void say(struct scene *scene, h2_buffer *frames) {
    if (scene->mutate_mask != 0 && frames->len > 0) {
        frames->data[scene->mutate_at % frames->len] ^= scene->mutate_mask;
        scene->mutate_mask = 0;
    }
    h2_buffer_add(&scene->peer.unsent, frames->data, frames->len);
    h2_buffer_free(frames);
}

/* A stream that was opened; now and then one that was not. */
static uint32_t stream_take(const struct scene *scene, wring_bytes *in) {
    const uint8_t which = fuzz_u8(in);
    if (which >= 0xF0 || scene->stream_count == 0) {
        return (uint32_t)which - 0xF0 + (which == 0xFF ? scene->stream_next : 0);
    }
    return scene->streams[scene->stream_count - 1 - which % scene->stream_count];
}

static uint32_t stream_open(struct scene *scene) {
    const uint32_t id = scene->stream_next;
    scene->stream_next += 2;
    if (scene->stream_count < STREAMS_MAX) {
        scene->streams[scene->stream_count++] = id;
    }
    return id;
}

static size_t length_take(wring_bytes *in) {
    const size_t len = fuzz_u8(in);
    return len < 200 ? len : (len - 199) * 100;
}

static wring_bytes filler(struct scene *scene, size_t len) {
    static uint8_t bytes[8192];
    for (size_t i = 0; i < len; i++, scene->filled++) {
        bytes[i] = (uint8_t)(scene->filled * 13 + (scene->filled >> 8));
    }
    return wring_bytes_of(bytes, len);
}

/* ---- requests -------------------------------------------------------------------------------- */

static const char *const asked_paths[] = {"/c",   "/s", "/r",    "/t",  "/p/a%20b", "/u",
                                          "/w",   "/",  "/c",    "/s",  "/n",       "/c?a=b&c",
                                          "/s%2", "*",  "/none", "/s?x"};
static const char *const methods[] = {"GET",     "POST",   "HEAD", "PUT",
                                      "OPTIONS", "DELETE", "BREW", "POST"};

/* Fields that are unusual, or not legal. */
static void odd_field(h2_buffer *block, wring_bytes *in, unsigned which) {
    static const struct {
        const char *name;
        const char *value;
    } odd[] = {{"x-field", "some value"},
               {"content-length", "10"},
               {"content-length", "x"},
               {"connection", "close"},
               {"X-Upper", "1"},
               {"expect", "100-continue"},
               {"te", "trailers"},
               {"cookie", "a=b"},
               {"origin", "http://evil"},
               {":path", "/c"},
               {":protocol", "websocket"},
               {"host", "other"},
               {"transfer-encoding", "chunked"},
               {"priority", "u=1, i"},
               {"expect", "200-maybe"},
               {"sec-websocket-protocol", "chat"}};
    if (which < WRING_ARRAY_LEN(odd)) {
        h2_write_field(block, odd[which].name, wring_str(odd[which].value));
    } else if (which == 16) {
        uint8_t big[400];
        memset(big, 'b', sizeof big);
        h2_write_field(block, "x-big", wring_bytes_of(big, sizeof big));
    } else {
        const wring_bytes raw = fuzz_take(in, which & 15); /* of HPACK */
        h2_buffer_add(block, raw.data, raw.len);
    }
}

static void head_say(struct scene *scene, uint32_t stream, unsigned shape, const h2_buffer *block) {
    static const size_t pieces[] = {0, 0, 0, 0, 1, 5, 30, 200};
    h2_buffer out = {0};
    h2_buffer whole = {0};
    unsigned flags = (shape & 1) != 0 ? H2_END_STREAM : 0;
    if ((shape & 2) != 0) {
        const uint8_t padding = 3;
        h2_buffer_add(&whole, &padding, 1);
        flags |= H2_PADDED;
    }
    if ((shape & 4) != 0) {
        h2_buffer_add(&whole, "\0\0\0\0\20", 5);
        flags |= H2_HAS_PRIORITY;
    }
    h2_buffer_add(&whole, block->data, block->len);
    if ((shape & 2) != 0) {
        h2_buffer_add(&whole, "\0\0\0", 3);
    }
    const size_t piece = (shape & 2) != 0 ? 0 : pieces[shape >> 3 & 7];
    h2_write_headers(&out, stream, flags, h2_buffer_view(&whole), piece);
    h2_buffer_free(&whole);
    say(scene, &out);
}

static void ask_say(struct scene *scene, wring_bytes *in) {
    const uint8_t what = fuzz_u8(in);
    const uint8_t shape = fuzz_u8(in);
    const uint8_t odd = fuzz_u8(in);
    h2_buffer block = {0};
    if ((odd & 0xE0) == 0xE0) { /* no pseudo-header fields but by chance */
        odd_field(&block, in, odd & 31);
    } else {
        h2_write_request(&block, methods[what >> 4 & 7], asked_paths[what & 15], NULL);
    }
    for (unsigned i = 0; i < (odd >> 5 & 3); i++) {
        odd_field(&block, in, (odd + i) & 31);
    }
    head_say(scene, stream_open(scene), shape, &block);
    h2_buffer_free(&block);
}

static void connect_say(struct scene *scene, wring_bytes *in) {
    static const char *const paths[] = {"/w/x", "/u", "/v", "/e", "/w", "/w", "/c", "/none"};
    const uint8_t what = fuzz_u8(in);
    h2_buffer block = {0};
    h2_write_request(&block, "CONNECT", paths[what & 7], (what & 8) != 0 ? "other" : "websocket");
    h2_write_field(&block, "sec-websocket-version", wring_str((what & 16) != 0 ? "12" : "13"));
    if ((what & 32) != 0) {
        odd_field(&block, in, fuzz_u8(in) & 31);
    }
    head_say(scene, stream_open(scene), what >> 6 == 3, &block);
    h2_buffer_free(&block);
}

/* ---- bodies and sessions --------------------------------------------------------------------- */

static void data_say(struct scene *scene, uint32_t stream, unsigned shape, wring_bytes data) {
    h2_buffer out = {0};
    h2_buffer padded = {0};
    if ((shape & 2) != 0) {
        const uint8_t padding = (uint8_t)(shape >> 2);
        h2_buffer_add(&padded, &padding, 1);
        h2_buffer_add(&padded, data.data, data.len);
        h2_buffer_add(&padded, (uint8_t[64]){0}, padding);
        h2_write_frame(&out, H2_DATA, H2_PADDED | (shape & 1), stream, h2_buffer_view(&padded));
        h2_buffer_free(&padded);
    } else {
        h2_write_data(&out, stream, (shape & 1) != 0, data);
    }
    say(scene, &out);
}

static void message_say(struct scene *scene, wring_bytes *in, bool closes) {
    const uint32_t stream = stream_take(scene, in);
    const uint8_t first = closes ? 0x88 : fuzz_u8(in);
    const wring_bytes payload =
        closes ? wring_bytes_of("\x03\xE8", 2) : fuzz_take(in, fuzz_u8(in) & 0x7F);
    fuzz_log frame = {0};
    fuzz_frame_write(&frame, WRING_ROLE_SERVER, first, payload, 0x3D21FA37);
    data_say(scene, stream, closes ? fuzz_u8(in) & 1 : 0, wring_bytes_of(frame.data, frame.len));
    fuzz_log_free(&frame);
}

static void trailers_say(struct scene *scene, wring_bytes *in) {
    h2_buffer block = {0};
    const uint32_t stream = stream_take(scene, in);
    h2_write_field(&block, "x-trailer", wring_str("1"));
    head_say(scene, stream, fuzz_u8(in) | 1, &block);
    h2_buffer_free(&block);
}

/* ---- the connection -------------------------------------------------------------------------- */

static uint32_t number_take(wring_bytes *in) {
    static const uint32_t edges[] = {0, 1, 100, 16384, 65535, 65536, INT32_MAX, UINT32_MAX};
    const uint8_t what = fuzz_u8(in);
    return what < 0xF8 ? what * 7u : edges[what & 7];
}

static void setting_say(struct scene *scene, wring_bytes *in) {
    h2_buffer out = {0};
    const unsigned id = fuzz_u8(in) & 15;
    h2_write_setting(&out, id, number_take(in));
    say(scene, &out);
}

static void table_say(struct scene *scene, wring_bytes *in) {
    h2_buffer out = {0};
    uint8_t payload[12] = {0, H2_HEADER_TABLE_SIZE, 0, 0, 0,           fuzz_u8(in),
                           0, H2_HEADER_TABLE_SIZE, 0, 0, fuzz_u8(in), 0};
    h2_write_frame(&out, H2_SETTINGS, 0, 0, wring_bytes_of(payload, sizeof payload));
    say(scene, &out);
}

static void any_say(struct scene *scene, wring_bytes *in) {
    h2_buffer out = {0};
    const uint8_t type = fuzz_u8(in);
    const uint8_t flags = fuzz_u8(in);
    const uint32_t stream = stream_take(scene, in);
    h2_write_frame(&out, type & 31, flags, stream, fuzz_take(in, fuzz_u8(in)));
    say(scene, &out);
}

static void many_say(struct scene *scene, wring_bytes *in) {
    h2_buffer out = {0};
    const uint8_t what = fuzz_u8(in);
    const uint32_t stream = stream_take(scene, in);
    for (unsigned i = 0; i < 4u << (what & 3); i++) {
        switch (what >> 2 & 7) {
        case 0:
            h2_write_ping(&out, false);
            break;
        case 1:
            h2_write_setting(&out, H2_MAX_FRAME_SIZE, 16384);
            break;
        case 2:
            h2_write_data(&out, stream, false, wring_bytes_of(NULL, 0));
            break;
        case 3:
            h2_write_window(&out, stream, 1);
            break;
        case 4:
            h2_write_frame(&out, H2_PRIORITY, 0, stream, wring_bytes_of("\0\0\0\0\1", 5));
            break;
        case 5:
            h2_write_reset(&out, stream_open(scene), H2_CANCEL);
            break;
        default:
            h2_write_frame(&out, H2_CONTINUATION, 0, stream, wring_bytes_of(NULL, 0));
        }
    }
    say(scene, &out);
}

static void frame_say(struct scene *scene, wring_bytes *in, enum say what) {
    h2_buffer out = {0};
    const bool has_stream = what == SAY_RESET || what == SAY_WINDOW || what == SAY_PRIORITY;
    const uint32_t stream = has_stream ? stream_take(scene, in) : 0;
    switch (what) {
    case SAY_RESET:
        h2_write_reset(&out, stream, fuzz_u8(in));
        break;
    case SAY_WINDOW:
        h2_write_window(&out, stream, number_take(in));
        break;
    case SAY_SETTINGS_ACK:
        h2_write_settings_ack(&out);
        break;
    case SAY_PING:
    case SAY_PONG:
        h2_write_ping(&out, what == SAY_PONG);
        break;
    case SAY_PRIORITY:
        h2_write_frame(&out, H2_PRIORITY, 0, stream,
                       wring_bytes_of((uint8_t[]){0, 0, 0, fuzz_u8(in), 9}, 5));
        break;
    default:
        h2_write_frame(&out, H2_GOAWAY, 0, 0,
                       wring_bytes_of((uint8_t[]){0, 0, 0, fuzz_u8(in), 0, 0, 0, fuzz_u8(in)}, 8));
    }
    say(scene, &out);
}

bool script_says(struct scene *scene, wring_bytes *in, uint8_t op) {
    switch ((enum say)op) {
    case SAY_ASK:
        ask_say(scene, in);
        return true;
    case SAY_CONNECT:
        connect_say(scene, in);
        return true;
    case SAY_DATA: {
        const uint32_t stream = stream_take(scene, in);
        const uint8_t shape = fuzz_u8(in);
        data_say(scene, stream, shape, filler(scene, length_take(in)));
        return true;
    }
    case SAY_MESSAGE:
    case SAY_CLOSE:
        message_say(scene, in, op == SAY_CLOSE);
        return true;
    case SAY_SETTING:
        setting_say(scene, in);
        return true;
    case SAY_FRAME:
        any_say(scene, in);
        return true;
    case SAY_TRAILERS:
        trailers_say(scene, in);
        return true;
    case SAY_MUTATE:
        scene->mutate_at = fuzz_u8(in);
        scene->mutate_mask = fuzz_u8(in);
        return true;
    case SAY_MANY:
        many_say(scene, in);
        return true;
    case SAY_TABLE:
        table_say(scene, in);
        return true;
    case SAYS_END:
        return false;
    default:
        if (op < SAY_ASK || op > SAYS_END) {
            return false;
        }
        frame_say(scene, in, (enum say)op);
        return true;
    }
}

void script_begins(struct scene *scene) {
    static const uint32_t windows[] = {65535, 0, 1, 100};
    scene->stream_next = 1;
    if ((scene->flags & FLAG_RAW) == 0) {
        h2_buffer_add(&scene->peer.unsent, H2_PREFACE, sizeof H2_PREFACE - 1);
        h2_write_setting(&scene->peer.unsent, H2_INITIAL_WINDOW_SIZE,
                         windows[scene->seed >> 4 & 3]);
    }
}

void script_gives(struct scene *scene) {
    h2_buffer *out = &scene->peer.unsent;
    h2_write_window(out, 0, 1 << 24);
    for (size_t i = 0; i < scene->peer.judge.count; i++) {
        const h2_judged_stream *stream = &scene->peer.judge.streams[i];
        if (!stream->reset && !stream->ended && !stream->peer_reset && stream->id % 2 == 1) {
            h2_write_window(out, stream->id, 1 << 20);
        }
    }
}
