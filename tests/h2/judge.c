/* SPDX-License-Identifier: Apache-2.0
 *
 * See judge.h.
 */
#include "tests/h2/judge.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#define JUDGE(x) ((x) ? (void)0 : h2_judge_fail(#x, __FILE__, __LINE__))

#define FRAME_MAX  16384u /* RFC 9113 4.2, where nobody says otherwise */
#define WINDOW_ALL 65535  /* RFC 9113 6.9.2 */

/* ---- streams --------------------------------------------------------------------------------- */

h2_judged_stream *h2_judge_stream(const h2_judge *judge, uint32_t id) {
    const size_t guess = id / 2; /* where a client opens one behind the other */
    if (guess < judge->count && judge->streams[guess].id == id) {
        return &judge->streams[guess];
    }
    for (size_t i = judge->count; i > 0; i--) {
        if (judge->streams[i - 1].id == id) {
            return &judge->streams[i - 1];
        }
    }
    return NULL;
}

static h2_judged_stream *stream_make(h2_judge *judge, uint32_t id) {
    h2_judged_stream *stream = h2_judge_stream(judge, id);
    if (stream != NULL) {
        return stream;
    }
    if (judge->count == judge->cap) {
        judge->cap = judge->cap == 0 ? 16 : judge->cap * 2;
        judge->streams = realloc(judge->streams, judge->cap * sizeof *judge->streams);
        JUDGE(judge->streams != NULL);
    }
    stream = &judge->streams[judge->count++];
    *stream = (h2_judged_stream){.id = id};
    return stream;
}

/* A stream that the peer names. One of a client may be open although what opened it was not seen
 * yet. */
static h2_judged_stream *stream_named(h2_judge *judge, uint32_t id) {
    return judge->is_client && id % 2 == 1 ? stream_make(judge, id) : h2_judge_stream(judge, id);
}

bool h2_judged_field(const h2_judged_stream *stream, const char *name, wring_bytes *value) {
    const char *at = stream->heads.len == 0 ? "" : (const char *)stream->heads.data;
    const char *end = at + stream->heads.len;
    while (at < end) {
        const char *text = at + strlen(at) + 1;
        if (strcmp(at, name) == 0) {
            *value = wring_str(text);
            return true;
        }
        at = text + strlen(text) + 1;
    }
    return false;
}

/* ---- what the peer says ---------------------------------------------------------------------- */

static void peer_settings(h2_judge *judge, const h2_frame *frame) {
    if (frame->stream != 0 || (frame->flags & H2_ACK) != 0 || frame->len % 6 != 0) {
        return;
    }
    h2_judged_settings next = judge->agreed;
    if (judge->pending.len > 0) {
        memcpy(&next, judge->pending.data + judge->pending.len - sizeof next, sizeof next);
    }
    next.table_least = next.table;
    for (size_t at = 0; at < frame->len; at += 6) {
        const uint16_t id = h2_u16(frame->payload + at);
        const uint32_t value = h2_u32(frame->payload + at + 2);
        if (id == H2_INITIAL_WINDOW_SIZE) {
            next.initial_window = value;
        } else if (id == H2_HEADER_TABLE_SIZE) {
            next.table = value;
            next.table_least = value < next.table_least ? value : next.table_least;
        }
    }
    h2_buffer_add(&judge->pending, &next, sizeof next);
    judge->settings++;
}

static void peer_window(h2_judge *judge, const h2_frame *frame) {
    h2_judged_stream *stream = stream_named(judge, frame->stream);
    const uint32_t more = frame->len == 4 ? h2_u32(frame->payload) & INT32_MAX : 0;
    if (frame->stream == 0) {
        judge->given += more;
    } else if (stream != NULL) {
        stream->given += more;
    }
}

static void peer_data(h2_judge *judge, const h2_frame *frame) {
    h2_judged_stream *stream = stream_named(judge, frame->stream);
    const bool is_padded = (frame->flags & H2_PADDED) != 0;
    const size_t padding = is_padded && frame->len > 0 ? 1u + frame->payload[0] : 0;
    judge->peer_sent += (int64_t)frame->len;
    if (stream == NULL || stream->peer_ended || stream->peer_reset) {
        return;
    }
    stream->peer_sent += (int64_t)frame->len;
    if (padding <= frame->len) {
        h2_buffer_add(&stream->peer_data, frame->payload + is_padded, frame->len - padding);
        stream->peer_ended = (frame->flags & H2_END_STREAM) != 0;
    }
}

static void peer_head(h2_judge *judge, const h2_frame *frame) {
    if (frame->stream == 0 || (judge->is_client && frame->stream % 2 == 0)) {
        return;
    }
    h2_judged_stream *stream = stream_make(judge, frame->stream);
    stream->heads_by_peer++;
    stream->peer_ended |= (frame->flags & H2_END_STREAM) != 0;
}

static void peer_frame(h2_judge *judge, const h2_frame *frame) {
    h2_judged_stream *stream;
    switch (frame->type) {
    case H2_DATA:
        peer_data(judge, frame);
        break;
    case H2_HEADERS:
        peer_head(judge, frame);
        break;
    case H2_RST_STREAM:
        stream = stream_named(judge, frame->stream);
        if (stream != NULL) {
            stream->peer_reset = true;
        }
        break;
    case H2_SETTINGS:
        peer_settings(judge, frame);
        break;
    case H2_PUSH_PROMISE: /* which is refused */
        if (judge->is_client && frame->len >= 4) {
            (void)stream_make(judge, h2_u32(frame->payload) & INT32_MAX);
        }
        break;
    case H2_PING:
        judge->pings += (frame->flags & H2_ACK) == 0;
        break;
    case H2_WINDOW_UPDATE:
        peer_window(judge, frame);
        break;
    default:
        break;
    }
}

/* The frame that is not whole yet. The judged end may act on what is there of it. */
static bool peer_part(const h2_judge *judge, h2_frame *part) {
    const h2_buffer *said = &judge->peer_said;
    if (said->len < H2_FRAME_HEAD || (!judge->is_client && !judge->had_preface)) {
        return false;
    }
    (void)h2_frame_read(h2_buffer_view(said), part);
    part->len = wring__min_size(part->len, said->len - H2_FRAME_HEAD);
    return true;
}

/* Bytes of a stream (0: of all) that are part of one. */
static int64_t part_sent(const h2_judge *judge, uint32_t stream) {
    h2_frame part;
    return peer_part(judge, &part) && part.type == H2_DATA && (stream == 0 || stream == part.stream)
               ? (int64_t)part.len
               : 0;
}

void h2_judge_peer_ends(h2_judge *judge) {
    h2_frame part, whole;
    const bool is_data = peer_part(judge, &part) && part.type == H2_DATA;
    h2_judged_stream *stream = is_data ? h2_judge_stream(judge, part.stream) : NULL;
    if (stream != NULL && !stream->peer_ended && !stream->peer_reset) {
        (void)h2_frame_read(h2_buffer_view(&judge->peer_said), &whole);
        const bool is_padded = (part.flags & H2_PADDED) != 0 && part.len > 0;
        const size_t padding = is_padded ? 1u + part.payload[0] : 0;
        const size_t data = padding > whole.len ? 0 : whole.len - padding;
        h2_buffer_add(&stream->peer_data, part.payload + is_padded,
                      wring__min_size(part.len - is_padded, data));
    }
}

/* False: not enough is there, or what is there is no preface. */
static bool preface_take(h2_judge *judge, h2_buffer *said, bool *is_bad) {
    const size_t len = sizeof H2_PREFACE - 1;
    *is_bad = said->len > 0 && memcmp(said->data, H2_PREFACE, wring__min_size(len, said->len)) != 0;
    if (*is_bad || said->len < len) {
        return false;
    }
    h2_buffer_drop(said, len);
    judge->had_preface = true;
    return true;
}

/* Takes the whole frames off what was said. */
static void frames_take(h2_judge *judge, h2_buffer *said,
                        void (*take)(h2_judge *judge, const h2_frame *frame)) {
    size_t at = 0;
    h2_frame frame;
    while (said->len > 0 &&
           h2_frame_read(wring_bytes_of(said->data + at, said->len - at), &frame)) {
        if (take == peer_frame && frame.len > FRAME_MAX) {
            judge->is_lost = true;
            break;
        }
        take(judge, &frame);
        at += H2_FRAME_HEAD + frame.len;
    }
    h2_buffer_drop(said, at);
}

void h2_judge_peer_says(h2_judge *judge, wring_bytes bytes) {
    bool is_bad = false;
    if (judge->is_lost) {
        return;
    }
    h2_buffer_add(&judge->peer_said, bytes.data, bytes.len);
    if (!judge->is_client && !judge->had_preface &&
        !preface_take(judge, &judge->peer_said, &is_bad)) {
        judge->is_lost = is_bad;
        return;
    }
    frames_take(judge, &judge->peer_said, peer_frame);
    h2_frame part;
    if (peer_part(judge, &part) && part.type == H2_HEADERS && part.stream != 0 &&
        !judge->is_client) {
        (void)stream_make(judge, part.stream);
    }
}

/* ---- heads of the judged end ----------------------------------------------------------------- */

static bool name_is(const nghttp2_nv *field, const char *name) {
    return field->namelen == strlen(name) && memcmp(field->name, name, field->namelen) == 0;
}

/* RFC 9113 8.2, 8.2.2 */
static void field_check(const nghttp2_nv *field) {
    static const char *const banned[] = {"connection", "keep-alive", "proxy-connection",
                                         "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < WRING_ARRAY_LEN(banned); i++) {
        JUDGE(!name_is(field, banned[i]));
    }
    for (size_t i = 0; i < field->namelen; i++) {
        const uint8_t byte = field->name[i];
        JUDGE(byte > ' ' && byte < 0x7f && !(byte >= 'A' && byte <= 'Z'));
    }
    for (size_t i = 0; i < field->valuelen; i++) {
        JUDGE(field->value[i] != 0 && field->value[i] != '\r' && field->value[i] != '\n');
    }
}

static unsigned status_of(const nghttp2_nv *field) {
    JUDGE(name_is(field, ":status") && field->valuelen == 3);
    unsigned status = 0;
    for (size_t i = 0; i < 3; i++) {
        JUDGE(field->value[i] >= '0' && field->value[i] <= '9');
        status = status * 10 + (unsigned)(field->value[i] - '0');
    }
    return status;
}

/* Returns the status; 1 for a request. */
static unsigned block_read(h2_judge *judge, h2_buffer *heads) {
    const uint8_t *at = judge->block.data;
    size_t left = judge->block.len;
    unsigned status = 0;
    bool had_field = false;
    JUDGE(left > 0);
    for (;;) {
        nghttp2_nv field;
        int flags = 0;
        const ssize_t used = nghttp2_hd_inflate_hd2(judge->inflater, &field, &flags, at, left, 1);
        JUDGE(used >= 0);
        at += used;
        left -= (size_t)used;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            const bool is_pseudo = field.namelen > 0 && field.name[0] == ':';
            field_check(&field);
            JUDGE(!is_pseudo || !had_field);
            JUDGE(judge->is_client || is_pseudo == (status == 0));
            status = status != 0 ? status : judge->is_client ? 1 : status_of(&field);
            had_field |= !is_pseudo;
            h2_buffer_add(heads, field.name, field.namelen + 1); /* nghttp2 puts a 0 behind */
            h2_buffer_add(heads, field.value, field.valuelen + 1);
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
            break;
        }
    }
    JUDGE(left == 0 && nghttp2_hd_inflate_end_headers(judge->inflater) == 0);
    return status;
}

static void block_end(h2_judge *judge) {
    h2_buffer heads = {0};
    h2_judged_stream *stream = h2_judge_stream(judge, judge->block_of);
    const unsigned status = block_read(judge, &heads);
    if (status >= 100 && status < 200) {
        JUDGE(status != 101 && !judge->block_ends && stream->status == 0);
        stream->interim++;
        h2_buffer_free(&heads);
    } else {
        JUDGE(stream->status == 0 && status != 0); /* we have no trailers */
        stream->status = status;
        stream->heads = heads;
        stream->ended = judge->block_ends;
    }
    judge->block_of = 0;
    h2_buffer_free(&judge->block);
}

static void block_take(h2_judge *judge, const h2_frame *frame) {
    h2_buffer_add(&judge->block, frame->payload, frame->len);
    if ((frame->flags & H2_END_HEADERS) != 0) {
        block_end(judge);
    }
}

static void head_take(h2_judge *judge, const h2_frame *frame) {
    if (judge->is_client && frame->stream > judge->last_stream) {
        JUDGE(frame->stream % 2 == 1);
        (void)stream_make(judge, frame->stream);
        judge->last_stream = frame->stream;
    }
    const h2_judged_stream *stream = h2_judge_stream(judge, frame->stream);
    JUDGE(stream != NULL && !stream->ended && !stream->reset);
    JUDGE((frame->flags & ~(unsigned)(H2_END_STREAM | H2_END_HEADERS)) == 0);
    judge->block_of = frame->stream;
    judge->block_ends = (frame->flags & H2_END_STREAM) != 0;
    block_take(judge, frame);
}

/* ---- other frames of the judged end ---------------------------------------------------------- */

/* Which of the peer's windows the judged end knows by now is open until it acknowledges them. */
static int64_t initial_max(const h2_judge *judge) {
    uint32_t max = judge->agreed.initial_window;
    for (size_t at = 0; at < judge->pending.len; at += sizeof judge->agreed) {
        h2_judged_settings settings;
        memcpy(&settings, judge->pending.data + at, sizeof settings);
        max = settings.initial_window > max ? settings.initial_window : max;
    }
    return max;
}

static void data_take(h2_judge *judge, const h2_frame *frame) {
    h2_judged_stream *stream = h2_judge_stream(judge, frame->stream);
    JUDGE(stream != NULL && stream->status != 0 && !stream->ended && !stream->reset);
    JUDGE((frame->flags & ~(unsigned)H2_END_STREAM) == 0);
    stream->sent += (int64_t)frame->len;
    judge->sent += (int64_t)frame->len;
    if (frame->len > 0) {
        JUDGE(stream->sent <= initial_max(judge) + stream->given);
        JUDGE(judge->sent <= WINDOW_ALL + judge->given);
    }
    h2_buffer_add(&stream->data, frame->payload, frame->len);
    stream->ended = (frame->flags & H2_END_STREAM) != 0;
}

static void reset_take(h2_judge *judge, const h2_frame *frame) {
    h2_judged_stream *stream = h2_judge_stream(judge, frame->stream);
    JUDGE(stream != NULL && !stream->reset && frame->len == 4);
    stream->reset = true;
    stream->code = h2_u32(frame->payload);
}

static void settings_agree(h2_judge *judge) {
    JUDGE(judge->pending.len > 0 && ++judge->acks <= judge->settings);
    memcpy(&judge->agreed, judge->pending.data, sizeof judge->agreed);
    h2_buffer_drop(&judge->pending, sizeof judge->agreed);
    JUDGE(nghttp2_hd_inflate_change_table_size(judge->inflater, judge->agreed.table_least) == 0);
    JUDGE(nghttp2_hd_inflate_change_table_size(judge->inflater, judge->agreed.table) == 0);
}

static void settings_take(h2_judge *judge, const h2_frame *frame) {
    JUDGE(frame->stream == 0 && frame->len % 6 == 0);
    if ((frame->flags & H2_ACK) != 0) {
        JUDGE(frame->len == 0);
        settings_agree(judge);
        return;
    }
    JUDGE(!judge->had_settings);
    judge->had_settings = true;
    for (size_t at = 0; at < frame->len; at += 6) {
        const uint32_t value = h2_u32(frame->payload + at + 2);
        JUDGE(h2_u16(frame->payload + at) != H2_INITIAL_WINDOW_SIZE || value == judge->window);
    }
}

static void goaway_take(h2_judge *judge, const h2_frame *frame) {
    JUDGE(frame->stream == 0 && frame->len >= 8);
    const uint32_t last = h2_u32(frame->payload) & INT32_MAX;
    JUDGE(last <= judge->goaway_last);
    judge->goaway_last = last;
    judge->goaway_code = h2_u32(frame->payload + 4);
    judge->goaways++;
}

/* Credit is for what was received, and the connection's larger window. */
static void window_take(h2_judge *judge, const h2_frame *frame) {
    JUDGE(frame->len == 4);
    const uint32_t more = h2_u32(frame->payload);
    JUDGE(more > 0 && more <= INT32_MAX);
    if (frame->stream == 0) {
        const int64_t extra =
            judge->window_all > WINDOW_ALL ? (int64_t)judge->window_all - WINDOW_ALL : 0;
        judge->peer_given += more;
        JUDGE(judge->peer_given <= judge->peer_sent + part_sent(judge, 0) + extra);
        return;
    }
    h2_judged_stream *stream = h2_judge_stream(judge, frame->stream);
    JUDGE(stream != NULL && !stream->reset);
    stream->peer_given += more;
    JUDGE(stream->peer_given <= stream->peer_sent + part_sent(judge, stream->id));
}

static void ping_take(h2_judge *judge, const h2_frame *frame) {
    JUDGE(frame->stream == 0 && frame->len == 8 && (frame->flags & H2_ACK) != 0);
    JUDGE(++judge->pongs <= judge->pings);
}

static void frame_take(h2_judge *judge, const h2_frame *frame) {
    JUDGE(frame->len <= FRAME_MAX);
    JUDGE(judge->had_settings || (frame->type == H2_SETTINGS && (frame->flags & H2_ACK) == 0));
    JUDGE((frame->type == H2_CONTINUATION) == (judge->block_of != 0));
    switch (frame->type) {
    case H2_DATA:
        data_take(judge, frame);
        break;
    case H2_HEADERS:
        head_take(judge, frame);
        break;
    case H2_RST_STREAM:
        reset_take(judge, frame);
        break;
    case H2_SETTINGS:
        settings_take(judge, frame);
        break;
    case H2_PING:
        ping_take(judge, frame);
        break;
    case H2_GOAWAY:
        goaway_take(judge, frame);
        break;
    case H2_WINDOW_UPDATE:
        window_take(judge, frame);
        break;
    case H2_CONTINUATION:
        JUDGE(frame->stream == judge->block_of);
        block_take(judge, frame);
        break;
    default:
        JUDGE(false); /* we have no others */
    }
    if (judge->on_frame != NULL) {
        judge->on_frame(judge, frame);
    }
}

void h2_judge_says(h2_judge *judge, wring_bytes bytes) {
    bool is_bad = false;
    h2_buffer_add(&judge->said, bytes.data, bytes.len);
    if (judge->is_client && !judge->had_preface && !preface_take(judge, &judge->said, &is_bad)) {
        JUDGE(!is_bad);
        return;
    }
    frames_take(judge, &judge->said, frame_take);
}

/* ---- the judge ------------------------------------------------------------------------------- */

void h2_judge_init(h2_judge *judge) {
    judge->goaway_last = INT32_MAX;
    judge->agreed = (h2_judged_settings){WINDOW_ALL, 4096, 4096};
    JUDGE(nghttp2_hd_inflate_new(&judge->inflater) == 0);
}

void h2_judge_free(h2_judge *judge) {
    for (size_t i = 0; i < judge->count; i++) {
        h2_buffer_free(&judge->streams[i].heads);
        h2_buffer_free(&judge->streams[i].data);
        h2_buffer_free(&judge->streams[i].peer_data);
    }
    free(judge->streams);
    h2_buffer_free(&judge->said);
    h2_buffer_free(&judge->peer_said);
    h2_buffer_free(&judge->pending);
    h2_buffer_free(&judge->block);
    nghttp2_hd_inflate_del(judge->inflater);
    *judge = (h2_judge){0};
}
