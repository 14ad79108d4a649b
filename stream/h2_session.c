/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/2 by nghttp2, in both roles: the only file that knows it. See h2_mux.h.
 */
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#include "stream/h2_mux.h"

/* The queue of a connection is filled up to this, and again when it has left: what is not in it can
 * still be put in order. */
#define FILL_MAX (32u << 10)
/* DATA of one of several streams: so long does the next one wait at most. */
#define DATA_SHARED_MAX (8u << 10)
#define DATA_ALONE_MAX  (16u << 10)
/* DATA that the peer's window cuts below this may cost it: wring__h2_charge_data. */
#define DATA_TINY 64
/* What waits to be acknowledged, and CONTINUATION frames of a head: more is a flood. */
#define ACKS_MAX          1000
#define CONTINUATIONS_MAX 8
/* A session that is reset after so long costs nothing of the budget of resets. */
#define RESET_FREE 10 /* tenths of a second */
/* Of a head that is sent. */
#define HEAD_SENT_MAX (1u << 20)

static wring__mux_stream *stream_named(nghttp2_session *session, int32_t id) {
    return nghttp2_session_get_stream_user_data(session, id);
}

static wring__mux_stream *stream_of(wring__endpoint *end) {
    return WRING_CONTAINER_OF(end, wring__mux_stream, super);
}

static int result_of(bool goes_on) {
    (void)goes_on; /* a connection that is told to go is fed no more: wring__h2.is_calmed */
    return 0;
}

/* ---- heads of frames ------------------------------------------------------------------------- */

/* CONTINUATION is counted here, since nghttp2's own limit counts each piece of one that is
 * received: a head of 9 bytes that comes byte by byte was above it. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *user) {
    wring__h2 *mux = user;
    (void)session;
    mux->continuations = head->type == NGHTTP2_CONTINUATION ? mux->continuations + 1 : 0;
    if (mux->continuations > CONTINUATIONS_MAX) {
        wring__h2_calm(mux, "CONTINUATION");
    }
    /* RFC 9113 6.3; nghttp2 looks at no PRIORITY, since NO_RFC7540_PRIORITIES is set */
    if (head->type != NGHTTP2_PRIORITY || mux->is_calmed) {
        return 0;
    }
    if (head->stream_id == 0) {
        mux->is_calmed = true;
        wring__h2_session_terminate(mux, WRING__H2_ENDING_PROTOCOL);
    }
    return result_of(mux->is_calmed || wring__h2_charge_control(mux, "PRIORITY"));
}

/* ---- heads that come in ---------------------------------------------------------------------- */

static void head_drop(wring__h2 *mux) {
    wring__h2_head_free(mux->head);
    mux->head = NULL;
}

/* Trailers are not looked at. */
static bool is_wanted(wring__h2 *mux, const nghttp2_frame *frame) {
    if (mux->is_calmed) {
        return false;
    }
    if (!mux->options.role->is_client) {
        return frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    }
    const wring__mux_stream *s = stream_named(mux->session, frame->hd.stream_id);
    return s != NULL && !wring__h2_has(s, WRING__H2_ANSWERED);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    wring__h2 *mux = user;
    (void)session;
    head_drop(mux);
    if (!is_wanted(mux, frame)) {
        return 0;
    }
    mux->head = wring__h2_head_make(mux->options.head_bytes_max);
    return mux->head == NULL ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user) {
    wring__h2 *mux = user;
    (void)session;
    (void)frame;
    (void)flags;
    if (mux->head == NULL) {
        return 0;
    }
    if (wring__h2_head_add(mux->head, wring_bytes_of(name, name_len),
                           wring_bytes_of(value, value_len))) {
        return 0;
    }
    /* A bomb: a few bytes that mean a lot. nghttp2 looks at every byte of what is left of it,
     * unless it is told that this connection is over. */
    head_drop(mux);
    wring__h2_calm(mux, "heads that are far too big");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* As it is announced. */
static uint32_t streams_max(const wring_http2_config *config) {
    return config->requests_max + (config->no_websockets ? 0 : config->sessions_max);
}

/* ---- requests -------------------------------------------------------------------------------- */

static int request_refuse(wring__h2 *mux, int32_t id, uint32_t code) {
    wring__count(&mux->options.counters->refused, 1);
    (void)wring__h2_charge_control(mux, "streams that had to be refused");
    return nghttp2_submit_rst_stream(mux->session, NGHTTP2_FLAG_NONE, id, code);
}

/* Sessions have a limit of their own: what lives long must not keep out what is short. */
static bool has_room(const wring__h2 *mux, bool is_session) {
    const wring_http2_config *config = mux->options.config;
    const uint32_t live = mux->count - mux->gone[0] - mux->gone[1];
    return live < streams_max(config) &&
           (!is_session || mux->sessions - mux->gone[1] < config->sessions_max);
}

static int request_take(wring__h2 *mux, int32_t id, bool ends) {
    WRING_UNINITIALIZED wring_header list[WRING_HTTP_FIELDS_MAX];
    const wring_result result = wring__h2_head_result(mux->head);
    if (result == WRING_ERR_NO_MEMORY) {
        return request_refuse(mux, id, NGHTTP2_INTERNAL_ERROR);
    }
    if (mux->is_going) { /* behind what our GOAWAY names, which is still on its way */
        return nghttp2_submit_rst_stream(mux->session, NGHTTP2_FLAG_NONE, id,
                                         NGHTTP2_REFUSED_STREAM);
    }
    const wring_headers fields = wring__h2_head_fields(mux->head, list);
    wring_bytes protocol;
    const bool is_session = result == WRING_OK && wring_headers_get(fields, ":protocol", &protocol);
    wring__endpoint *end = has_room(mux, is_session) ? mux->options.role->open(&mux->super) : NULL;
    if (end == NULL) {
        return request_refuse(mux, id, NGHTTP2_REFUSED_STREAM);
    }
    wring__mux_stream *s = stream_of(end);
    if (wring__h2_add(mux, s, id, is_session) != WRING_OK) {
        wring__end_close(end);
        return request_refuse(mux, id, NGHTTP2_REFUSED_STREAM);
    }
    (void)nghttp2_session_set_stream_user_data(mux->session, id, s);
    if (result == WRING_OK) {
        mux->options.role->request(end, fields, ends);
    } else {
        mux->options.role->refused(end, fields, result);
        (void)wring__h2_charge_reset(mux, "heads that are too big");
    }
    if (ends) {
        wring__h2_set(s, WRING__H2_END);
        wring__h2_make_ready(s);
    }
    return 0;
}

/* ---- answers --------------------------------------------------------------------------------- */

static int status_of(wring_headers *fields) {
    wring_bytes text = {NULL, 0};
    int status = 0;
    if (wring_headers_get(*fields, ":status", &text)) {
        for (size_t i = 0; i < text.len; i++) {
            status = status * 10 + (text.data[i] - '0'); /* nghttp2 has seen to it: three digits */
        }
        fields->list++; /* it comes first: RFC 9113 8.3 */
        fields->count--;
    }
    return status;
}

static int answer_take(wring__h2 *mux, int32_t id) {
    WRING_UNINITIALIZED wring_header list[WRING_HTTP_FIELDS_MAX];
    wring__mux_stream *s = stream_named(mux->session, id);
    const wring_result result = wring__h2_head_result(mux->head);
    if (s == NULL || s->super.state != WRING__END_OPEN) {
        return 0;
    }
    if (result != WRING_OK) {
        s->super.ops->failed(&s->super, result == WRING_ERR_HANDSHAKE_TOO_BIG
                                            ? WRING_ERR_HANDSHAKE_RESPONSE_TOO_BIG
                                            : result);
        wring__end_abort(&s->super);
        return 0;
    }
    wring_headers fields = wring__h2_head_fields(mux->head, list);
    const int status = status_of(&fields);
    if (status < 200) { /* RFC 9110 15.2: one that comes before the answer */
        return result_of(wring__h2_charge_control(mux, "interim answers"));
    }
    wring__h2_set(s, WRING__H2_ANSWERED);
    mux->options.role->answered(&s->super, status, fields);
    return 0;
}

/* ---- frames that come in --------------------------------------------------------------------- */

static void stream_ends(wring__h2 *mux, int32_t id) {
    wring__mux_stream *s = stream_named(mux->session, id);
    if (s != NULL) {
        wring__h2_set(s, WRING__H2_END);
        wring__h2_make_ready(s);
    }
}

/* RFC 9113 8.5: a connected stream has DATA and nothing else. */
static bool is_of_session(const wring__h2 *mux, int32_t id) {
    const wring__mux_stream *s = stream_named(mux->session, id);
    return s != NULL && wring__h2_has(s, WRING__H2_SESSION);
}

static int on_headers(wring__h2 *mux, const nghttp2_frame *frame) {
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    const bool is_request = frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    int result = 0;
    if (mux->head != NULL && is_request) {
        result = request_take(mux, frame->hd.stream_id, ends);
    } else if (mux->head != NULL) {
        result = answer_take(mux, frame->hd.stream_id);
    } else if (is_of_session(mux, frame->hd.stream_id)) {
        ends = false;
        result = nghttp2_submit_rst_stream(mux->session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                           NGHTTP2_PROTOCOL_ERROR);
    }
    if (ends && !is_request) {
        stream_ends(mux, frame->hd.stream_id);
    }
    head_drop(mux);
    return result == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_settings(wring__h2 *mux, const nghttp2_frame *frame) {
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
        return 0;
    }
    const bool goes_on = wring__h2_charge_control(mux, "SETTINGS");
    if (goes_on && mux->options.role->is_client) {
        mux->is_ready = true;
        mux->options.role->ready(mux->below);
    }
    return 0;
}

static int on_goaway(wring__h2 *mux, const nghttp2_frame *frame) {
    const bool was_going = mux->is_going;
    mux->goaway_code = frame->goaway.error_code;
    if (mux->options.role->is_client && !was_going) {
        mux->is_going = true;
        mux->options.role->going(mux->below);
    }
    return 0;
}

/* Padding is no data. */
static int on_data(wring__h2 *mux, const nghttp2_frame *frame) {
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (ends) {
        stream_ends(mux, frame->hd.stream_id);
    } else if (frame->hd.length <= frame->data.padlen) {
        (void)wring__h2_charge_control(mux, "DATA without data");
    }
    return 0;
}

/* A session that was there for a while has cost its peer as much as us: a proxy resets those whose
 * clients are lost. */
static int on_reset(wring__h2 *mux, const wring__mux_stream *s) {
    const bool has_lived = s != NULL && wring__h2_has(s, WRING__H2_SESSION) &&
                           (uint16_t)(wring__h2_stamp(mux) - s->opened) >= RESET_FREE;
    return result_of(has_lived || wring__h2_charge_reset(mux, "streams that were reset"));
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    wring__h2 *mux = user;
    (void)session;
    if (mux->is_calmed) {
        return 0;
    }
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        return on_headers(mux, frame);
    case NGHTTP2_DATA:
        return on_data(mux, frame);
    case NGHTTP2_SETTINGS:
        return on_settings(mux, frame);
    case NGHTTP2_GOAWAY:
        return on_goaway(mux, frame);
    case NGHTTP2_PING:
        return result_of((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 ||
                         wring__h2_charge_control(mux, "PING"));
    case NGHTTP2_RST_STREAM:
        return on_reset(mux, stream_named(session, frame->hd.stream_id));
    default:
        return 0;
    }
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *user) {
    (void)session;
    (void)error;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        head_drop(user);
    }
    return 0;
}

/* A stream that nghttp2 resets has cost its peer nothing. Not every one is told by
 * on_invalid_frame: a body that is not as long as its content-length is not. */
static void reset_sent(wring__h2 *mux, wring__mux_stream *s, uint32_t code) {
    if (code == NGHTTP2_PROTOCOL_ERROR || code == NGHTTP2_FLOW_CONTROL_ERROR ||
        code == NGHTTP2_STREAM_CLOSED || code == NGHTTP2_FRAME_SIZE_ERROR) { /* else it is ours */
        (void)wring__h2_charge_reset(mux, "streams that had to be reset");
        if (s != NULL) {
            wring__h2_set(s, WRING__H2_FAULTY);
        }
    }
}

/* What was wrong with a stream, or with a head. */
static int on_error(nghttp2_session *session, int code, const char *text, size_t len, void *user) {
    const wring__h2 *mux = user;
    (void)session;
    (void)code;
    if (mux->options.role->broken != NULL && !mux->is_calmed) {
        mux->options.role->broken(mux->below, wring_bytes_of(text, len));
    }
    return 0;
}

/* What was wrong with the connection. */
static void goaway_sent(wring__h2 *mux, const nghttp2_goaway *goaway) {
    mux->is_faulty = mux->is_faulty || goaway->error_code != NGHTTP2_NO_ERROR;
    if (goaway->error_code != NGHTTP2_NO_ERROR && goaway->error_code != NGHTTP2_ENHANCE_YOUR_CALM &&
        mux->options.role->broken != NULL) {
        const wring_bytes said = {goaway->opaque_data, goaway->opaque_data_len};
        mux->options.role->broken(mux->below, said.len > 0 ? said : wring_str("GOAWAY"));
    }
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        reset_sent(user, stream_named(session, frame->hd.stream_id), frame->rst_stream.error_code);
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        goaway_sent(user, &frame->goaway);
    } else if (frame->hd.type == NGHTTP2_HEADERS &&
               (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) { /* an answer without a body */
        wring__mux_stream *s = stream_named(session, frame->hd.stream_id);
        if (s != NULL && !wring__h2_has(s, WRING__H2_RESET)) {
            wring__h2_stream_ended(s);
        }
    }
    return 0;
}

/* The chunk lies in the bytes that feed was given, which may be written to. */
static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user) {
    wring__h2 *mux = user;
    (void)flags;
    mux->received += len;
    wring__mux_stream *s = stream_named(session, id);
    if (s != NULL && !mux->is_calmed) {
        wring__h2_stream_rx(s, (wring_mut_bytes){(uint8_t *)(uintptr_t)data, len});
    } else {
        (void)nghttp2_session_consume_stream(session, id, len);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    wring__mux_stream *s = stream_named(session, id);
    (void)user;
    if (s != NULL) {
        wring__h2_stream_gone(s, code);
    }
    return 0;
}

/* It was received: whether its stream takes it is no matter of the others. */
static int received_give(wring__h2 *mux) {
    const size_t received = mux->received;
    if (received < mux->options.config->connection_window_bytes / WRING__H2_CREDIT_PARTS) {
        return 0;
    }
    mux->received = 0;
    return nghttp2_session_consume_connection(mux->session, received);
}

wring_result wring__h2_session_feed(wring__h2 *mux, wring_mut_bytes bytes) {
    mux->is_feeding = true;
    ssize_t taken = nghttp2_session_mem_recv(mux->session, bytes.data, bytes.len);
    mux->is_feeding = false;
    if (taken >= 0) {
        taken = received_give(mux);
    }
    if (taken == NGHTTP2_ERR_FLOODED) { /* ACKS_MAX, before any budget */
        wring__h2_calm(mux, "PING and SETTINGS whose answers wait");
        return WRING_OK;
    }
    return taken >= 0                   ? WRING_OK
           : taken == NGHTTP2_ERR_NOMEM ? WRING_ERR_NO_MEMORY
                                        : WRING_ERR_BAD_HTTP2;
}

/* A head that is too large: nobody waits for it. */
static int on_frame_unsent(nghttp2_session *session, const nghttp2_frame *frame, int error,
                           void *user) {
    wring__mux_stream *s = stream_named(session, frame->hd.stream_id);
    (void)error;
    (void)user;
    if (frame->hd.type != NGHTTP2_HEADERS || s == NULL) {
        return 0;
    }
    if (s->super.state == WRING__END_OPEN) {
        wring__end_break(&s->super, EMSGSIZE);
    } else {
        wring__end_abort(&s->super);
    }
    return 0;
}

/* ---- bytes that go out ----------------------------------------------------------------------- */

static void was_sent(wring__mux_stream *s) {
    wring__endpoint *end = &s->super;
    if (end->tell_drained && end->out.bytes <= end->worker->drained_bytes) {
        end->tell_drained = false;
        wring__end_ask(end);
    }
    end->tx_moved = true;
    wring__end_rx_drained(end);
}

static ssize_t on_data_length(nghttp2_session *session, uint8_t type, int32_t id, int32_t window,
                              int32_t stream_window, uint32_t frame_max, void *user) {
    const wring__h2 *mux = user;
    (void)session;
    (void)type;
    (void)id;
    (void)window; /* nghttp2 takes the least of it all */
    (void)stream_window;
    (void)frame_max;
    return mux->count > 1 ? DATA_SHARED_MAX : DATA_ALONE_MAX;
}

/* How much of its queue may go now; on_data_sent moves it. */
static ssize_t on_data_wanted(nghttp2_session *session, int32_t id, uint8_t *out, size_t room,
                              uint32_t *flags, nghttp2_data_source *source, void *user) {
    wring__h2 *mux = user;
    wring__mux_stream *s = stream_named(session, id);
    (void)out;
    (void)source;
    if (s == NULL || wring__h2_has(s, WRING__H2_RESET)) {
        return NGHTTP2_ERR_DEFERRED;
    }
    const uint64_t queued = s->super.out.bytes;
    const size_t len = (size_t)wring__min_u64(queued, room);
    wring__h2_charge_data(mux, len, len < queued && room < DATA_TINY);
    *flags |= len > 0 ? NGHTTP2_DATA_FLAG_NO_COPY : 0;
    if (wring__h2_has(s, WRING__H2_SHUT) && len == queued) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        wring__h2_stream_ended(s);
    } else if (len == 0) {
        wring__count(&mux->options.counters->deferred, 1);
        wring__h2_set(s, WRING__H2_DEFERRED);
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)len;
}

static bool is_full(const wring__h2 *mux) {
    return wring__end_unsent(wring__h2_below(mux)) >= FILL_MAX;
}

#define FRAME_HEAD 9

/* The head of a DATA frame, and its bytes behind it: from the stream's queue to the connection's,
 * without a copy where they are many. */
static int on_data_sent(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                        size_t len, nghttp2_data_source *source, void *user) {
    wring__h2 *mux = user;
    wring__mux_stream *s = stream_named(session, frame->hd.stream_id);
    wring__endpoint *below = wring__h2_below(mux);
    wring__chunk_cache *chunks = &below->worker->chunks;
    (void)source;
    WRING_ASSERT(s != NULL && s->super.out.bytes >= len && frame->data.padlen == 0);
    if (wring__outq_append(&below->out, chunks, wring_bytes_of(head, FRAME_HEAD)) != WRING_OK ||
        wring__outq_move(&s->super.out, &below->out, chunks, len) != WRING_OK) {
        return NGHTTP2_ERR_CALLBACK_FAILURE; /* the connection ends */
    }
    wring__count(&mux->options.counters->spliced, len > WRING__SHARED_COPY_MAX);
    was_sent(s);
    return is_full(mux) ? NGHTTP2_ERR_PAUSE : 0;
}

/* nghttp2 forgets it now, whenever the frame goes out. */
static int reset_submit(wring__h2 *mux, wring__mux_stream *s) {
    /* RFC 8441 5 for sessions. An answer that is cut must not look like one that nobody wants any
     * more: Node takes a CANCEL for the end of the body. */
    const bool is_cancel =
        wring__h2_has(s, WRING__H2_SESSION) && !wring__h2_has(s, WRING__H2_BROKEN);
    const uint32_t code = wring__h2_has(s, WRING__H2_ENDED) ? NGHTTP2_NO_ERROR
                          : is_cancel                       ? NGHTTP2_CANCEL
                                                            : NGHTTP2_INTERNAL_ERROR;
    wring__count(&mux->options.counters->resets, 1);
    (void)nghttp2_session_set_stream_user_data(mux->session, s->id, NULL);
    wring__h2_clear(s, WRING__H2_RESET);
    wring__h2_set_gone(s);
    return nghttp2_submit_rst_stream(mux->session, NGHTTP2_FLAG_NONE, s->id, code);
}

static int stream_fill(wring__h2 *mux, wring__mux_stream *s) {
    int result = 0;
    if ((s->bits & (WRING__H2_GONE | WRING__H2_RESET)) == WRING__H2_RESET) {
        result = reset_submit(mux, s);
    }
    if (wring__h2_has(s, WRING__H2_GONE)) {
        wring__h2_make_ready(s);
        return result;
    }
    if (s->credit > 0) {
        result = nghttp2_session_consume_stream(mux->session, s->id, s->credit);
        s->credit = 0;
    }
    if (result != NGHTTP2_ERR_NOMEM && wring__h2_has(s, WRING__H2_DEFERRED) &&
        (s->super.out.bytes > 0 || wring__h2_has(s, WRING__H2_SHUT))) {
        wring__h2_clear(s, WRING__H2_DEFERRED);
        result = nghttp2_session_resume_data(mux->session, s->id);
    }
    return result;
}

static ssize_t wire_fill(wring__h2 *mux) {
    wring__endpoint *below = wring__h2_below(mux);
    const uint8_t *data = NULL;
    ssize_t len = 1;
    while (len > 0) {
        if (is_full(mux)) {
            wring__count(&mux->options.counters->full, 1);
            return 0;
        }
        len = nghttp2_session_mem_send(mux->session, &data);
        if (len > 0 && wring__outq_append(&below->out, &below->worker->chunks,
                                          wring_bytes_of(data, (size_t)len)) != WRING_OK) {
            return NGHTTP2_ERR_NOMEM;
        }
    }
    return len;
}

wring_result wring__h2_session_fill(wring__h2 *mux) {
    wring__mux_stream *s;
    while ((s = wring__h2_dirty_take(mux)) != NULL) {
        if (stream_fill(mux, s) == NGHTTP2_ERR_NOMEM) {
            return WRING_ERR_NO_MEMORY;
        }
    }
    return wire_fill(mux) < 0 ? WRING_ERR_NO_MEMORY : WRING_OK;
}

bool wring__h2_session_is_over(const wring__h2 *mux) {
    return nghttp2_session_want_read(mux->session) == 0 &&
           nghttp2_session_want_write(mux->session) == 0;
}

/* ---- submissions ----------------------------------------------------------------------------- */

static nghttp2_nv nv_of(wring_bytes name, wring_bytes value) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.data, (uint8_t *)(uintptr_t)value.data, name.len,
                        value.len, NGHTTP2_NV_FLAG_NONE}; /* copied, names in lower case */
}

static size_t nvs_of(wring_headers headers, nghttp2_nv *list) {
    for (size_t i = 0; i < headers.count; i++) {
        list[i] = nv_of(headers.list[i].name, headers.list[i].value);
    }
    return headers.count;
}

static nghttp2_nv status_nv(char text[16], int status) {
    const int len = snprintf(text, 16, "%d", status);
    return nv_of(wring_str(":status"), wring_bytes_of(text, (size_t)len));
}

/* A session's few bytes go before the body of an answer; those of a kind take turns. Whatever the
 * client says: it cannot know.   RFC: 9218 4 */
static void priority_set(const wring__h2 *mux, const wring__mux_stream *s) {
    const bool is_session = wring__h2_has(s, WRING__H2_SESSION);
    const nghttp2_extpri priority = {is_session ? 1 : NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
    (void)nghttp2_session_change_extpri_stream_priority(mux->session, s->id, &priority, 1);
}

wring_result wring__h2_answer(wring__endpoint *end, int status, wring_headers headers, bool ends) {
    WRING_UNINITIALIZED nghttp2_nv list[WRING_HTTP_FIELDS_MAX + 5];
    char text[16];
    wring__mux_stream *s = stream_of(end);
    wring__h2 *mux = wring__h2_of(s);
    const nghttp2_data_provider body = {.read_callback = on_data_wanted};
    WRING_ASSERT(headers.count + 1 < WRING_ARRAY_LEN(list) && !wring__h2_has(s, WRING__H2_HEADED));
    list[0] = status_nv(text, status);
    const size_t count = 1 + nvs_of(headers, list + 1);
    priority_set(mux, s);
    const int result =
        nghttp2_submit_response(mux->session, s->id, list, count, ends ? NULL : &body);
    wring__h2_set(s, result == 0 ? WRING__H2_HEADED : 0);
    wring__h2_flush(mux);
    return result == 0 ? WRING_OK : WRING_ERR_NO_MEMORY;
}

wring_result wring__h2_interim(wring__endpoint *end, int status) {
    char text[16];
    wring__mux_stream *s = stream_of(end);
    wring__h2 *mux = wring__h2_of(s);
    const nghttp2_nv nv = status_nv(text, status);
    const int result =
        nghttp2_submit_headers(mux->session, NGHTTP2_FLAG_NONE, s->id, NULL, &nv, 1, NULL);
    wring__h2_flush(mux);
    return result == 0 ? WRING_OK : WRING_ERR_NO_MEMORY;
}

wring_result wring__h2_connect(wring__stream *below, wring__endpoint *end, wring_headers fields) {
    WRING_UNINITIALIZED nghttp2_nv list[WRING_HTTP_FIELDS_MAX + 8];
    wring__h2 *mux = wring__h2_of_below(below);
    wring__mux_stream *s = stream_of(end);
    const nghttp2_data_provider body = {.read_callback = on_data_wanted};
    WRING_ASSERT(fields.count <= WRING_ARRAY_LEN(list));
    if (wring__h2_room(below) == 0) {
        return WRING_ERR_CLOSED;
    }
    const size_t count = nvs_of(fields, list);
    if (wring__h2_add(mux, s, 0, true) != WRING_OK) {
        return WRING_ERR_NO_MEMORY;
    }
    s->id = nghttp2_submit_request(mux->session, NULL, list, count, &body, s);
    if (s->id < 0) {
        const int32_t error = s->id;
        wring__h2_remove(s);
        mux->is_going = mux->is_going || error == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE;
        return error == NGHTTP2_ERR_NOMEM ? WRING_ERR_NO_MEMORY : WRING_ERR_CLOSED;
    }
    wring__h2_set(s, WRING__H2_HEADED);
    wring__h2_flush(mux);
    return WRING_OK;
}

bool wring__h2_has_websockets(const wring__stream *below) {
    const wring__h2 *mux = wring__h2_of_below(below);
    return nghttp2_session_get_remote_settings(mux->session,
                                               NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

uint32_t wring__h2_room(const wring__stream *below) {
    const wring__h2 *mux = wring__h2_of_below(below);
    const uint32_t theirs =
        nghttp2_session_get_remote_settings(mux->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    const uint32_t ours = mux->options.config->sessions_max;
    const uint32_t max = theirs < ours ? theirs : ours;
    const bool is_open =
        mux->is_ready && !mux->is_going && !mux->is_calmed && below->end.state == WRING__END_OPEN;
    return is_open && mux->count < max ? max - mux->count : 0;
}

/* ---- the end of a connection ----------------------------------------------------------------- */

void wring__h2_session_notice(wring__h2 *mux) {
    (void)nghttp2_submit_shutdown_notice(mux->session);
}

/* RFC 9113 6.8: no GOAWAY names more than one before. nghttp2 sees to that once that is sent. */
static int32_t last_stream(wring__h2 *mux) {
    const int32_t last = nghttp2_session_get_last_proc_stream_id(mux->session);
    if (!mux->has_last_stream || last < mux->last_stream) {
        mux->has_last_stream = true;
        mux->last_stream = last;
    }
    return mux->last_stream;
}

void wring__h2_session_goaway(wring__h2 *mux) {
    (void)nghttp2_submit_goaway(mux->session, NGHTTP2_FLAG_NONE, last_stream(mux), NGHTTP2_NO_ERROR,
                                NULL, 0);
}

void wring__h2_session_terminate(wring__h2 *mux, enum wring__h2_ending how) {
    static const uint32_t codes[] = {[WRING__H2_ENDING_OK] = NGHTTP2_NO_ERROR,
                                     [WRING__H2_ENDING_CALM] = NGHTTP2_ENHANCE_YOUR_CALM,
                                     [WRING__H2_ENDING_PROTOCOL] = NGHTTP2_PROTOCOL_ERROR};
    if (nghttp2_session_terminate_session2(mux->session, last_stream(mux), codes[how]) != 0) {
        wring__end_break(wring__h2_below(mux), ENOMEM); /* then it just ends */
    }
}

/* ---- making one ------------------------------------------------------------------------------ */

static void callbacks_set(nghttp2_session_callbacks *callbacks) {
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_error_callback2(callbacks, on_error);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_unsent);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_data_sent);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_data_length);
}

static void options_set(nghttp2_option *option) {
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
    nghttp2_option_set_max_continuations(option, SIZE_MAX); /* on_begin_frame's */
    nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX); /* h2_conn.c's */
    nghttp2_option_set_max_send_header_block_length(option, HEAD_SENT_MAX);
}

static int session_new(wring__h2 *mux, nghttp2_session_callbacks *callbacks,
                       nghttp2_option *option) {
    nghttp2_mem memory = {mux, wring__h2_memory_get, wring__h2_memory_free,
                          wring__h2_memory_get_zeroed, wring__h2_memory_resize};
    callbacks_set(callbacks);
    options_set(option);
    return mux->options.role->is_client
               ? nghttp2_session_client_new3(&mux->session, callbacks, mux, option, &memory)
               : nghttp2_session_server_new3(&mux->session, callbacks, mux, option, &memory);
}

static int settings_submit(wring__h2 *mux) {
    const wring_http2_config *config = mux->options.config;
    nghttp2_settings_entry list[8];
    size_t count = 0;
    list[count++] =
        (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, config->window_bytes};
    list[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
                                             mux->options.head_bytes_max};
    if (mux->options.role->is_client) {
        list[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    } else {
        list[count++] =
            (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams_max(config)};
        list[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1};
        list[count] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
        count += !config->no_websockets;
    }
    int result = nghttp2_submit_settings(mux->session, NGHTTP2_FLAG_NONE, list, count);
    if (result == 0) {
        result = nghttp2_session_set_local_window_size(mux->session, NGHTTP2_FLAG_NONE, 0,
                                                       (int32_t)config->connection_window_bytes);
    }
    return result;
}

wring_result wring__h2_session_make(wring__h2 *mux) {
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int result = nghttp2_session_callbacks_new(&callbacks);
    if (result == 0) {
        result = nghttp2_option_new(&option);
    }
    if (result == 0) {
        result = session_new(mux, callbacks, option);
    }
    if (result == 0) {
        result = settings_submit(mux);
        mux->is_dead = result != 0;
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    if (result != 0) {
        wring__h2_session_free(mux);
        return WRING_ERR_NO_MEMORY;
    }
    return WRING_OK;
}

void wring__h2_session_free(wring__h2 *mux) {
    if (!mux->is_dead) {
        nghttp2_session_del(mux->session); /* NULL is legal */
    }
    WRING_ASSERT(mux->blocks == NULL || mux->is_dead);
    wring__h2_memory_free_all(mux);
    mux->session = NULL;
}
