/* SPDX-License-Identifier: Apache-2.0
 *
 * Cleartext HTTP/2. See carrier.h.
 *
 * nghttp2 is entered in two places: feed, in the dispatch phase, and fill, in the flush phase.
 * What happens to a stream at any other time links it into one of two lists of its multiplexer:
 * ready (its owner is to be told something, or it is to be freed) makes the connection ready,
 * dirty (bytes, credit or a reset are to go out) makes it dirty. A stream is freed at the end of
 * the connection's dispatch, never inside a callback of nghttp2.
 *
 * Credit: of the connection when bytes are received, of a stream when its owner has taken them. So
 * a stream that is not read holds at most its window, and holds up no other.
 */
#include "tests/h2/carrier.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/h2/mux.h"

#define PREFACE        "PRI * HTTP/2" /* no method of that name exists: RFC 9113 11 */
#define FILL_MAX       (32u << 10)
#define LINGER_NS      (200 * WRING_NS_PER_MS)
#define HEAD_BYTES_MAX (64u << 10)
#define FIELDS_MAX     WRING_HTTP_FIELDS_MAX

h2_limits h2_carrier_limits = {.window = 64 << 10, .streams_max = 100};
h2_counters h2_carrier_counters;

/* The fields of the request that is coming in: one at a time a connection. */
struct h2_head {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t count;
    wring_result result;
    struct {
        uint32_t at;
        uint32_t name_len;
        uint32_t value_len;
    } fields[FIELDS_MAX];
};

static h2_mux *mux_of_below(const wring__endpoint *below) {
    return WRING_CONTAINER_OF(wring__stream_of_end((wring__endpoint *)(uintptr_t)below)->carried,
                              h2_mux, super);
}

static h2_mux *mux_of(const wring__mux_stream *s) {
    return WRING_CONTAINER_OF(s->super.mux, h2_mux, super);
}

static wring__mux_stream *stream_of(const wring__endpoint *end) {
    return WRING_CONTAINER_OF(end, wring__mux_stream, super);
}

static wring__endpoint *below_of(const h2_mux *mux) {
    return &mux->super.conn->super;
}

/* ---- nghttp2 calls: feed --------------------------------------------------------------------- */

static wring__mux_stream *stream_named(nghttp2_session *session, int32_t id) {
    return nghttp2_session_get_stream_user_data(session, id);
}

static void request_free(h2_mux *mux) {
    if (mux->request != NULL) {
        free(mux->request->data);
        free(mux->request);
        mux->request = NULL;
    }
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    h2_mux *mux = user;
    (void)session;
    request_free(mux);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    mux->request = calloc(1, sizeof *mux->request);
    return mux->request == NULL ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static wring_result head_add(struct h2_head *head, wring_bytes name, wring_bytes value) {
    const size_t len = name.len + value.len;
    if (head->count == FIELDS_MAX) {
        return WRING_ERR_TOO_MANY_HEADERS;
    }
    if (head->len + len > HEAD_BYTES_MAX) {
        return WRING_ERR_HANDSHAKE_TOO_BIG;
    }
    if (head->cap - head->len < len) {
        const size_t cap = (head->len + len) * 2;
        uint8_t *grown = realloc(head->data, cap);
        if (grown == NULL) {
            return WRING_ERR_NO_MEMORY;
        }
        head->data = grown;
        head->cap = cap;
    }
    head->fields[head->count].at = (uint32_t)head->len;
    head->fields[head->count].name_len = (uint32_t)name.len;
    head->fields[head->count++].value_len = (uint32_t)value.len;
    memcpy(head->data + head->len, name.data, name.len);
    if (value.len > 0) {
        memcpy(head->data + head->len + name.len, value.data, value.len);
    }
    head->len += len;
    return WRING_OK;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user) {
    struct h2_head *head = ((h2_mux *)user)->request;
    (void)session;
    (void)frame;
    (void)flags;
    if (head != NULL && head->result == WRING_OK) {
        head->result =
            head_add(head, wring_bytes_of(name, name_len), wring_bytes_of(value, value_len));
    }
    return 0;
}

static wring_headers head_fields(const struct h2_head *head, wring_header list[FIELDS_MAX]) {
    for (size_t i = 0; i < head->count; i++) {
        const uint8_t *at = head->data + head->fields[i].at;
        list[i].name = wring_bytes_of(at, head->fields[i].name_len);
        list[i].value = wring_bytes_of(at + head->fields[i].name_len, head->fields[i].value_len);
    }
    return (wring_headers){list, head->count};
}

static wring__mux_stream *stream_open(h2_mux *mux, int32_t id) {
    if (mux->count == mux->cap) {
        const uint32_t cap = mux->cap == 0 ? 4 : mux->cap * 2;
        wring__mux_stream **grown = realloc(mux->streams, cap * sizeof(wring__mux_stream *));
        if (grown == NULL) {
            return NULL;
        }
        mux->streams = grown;
        mux->cap = cap;
    }
    wring__stream *stream = mux->role->open(&mux->super);
    if (stream == NULL) {
        return NULL;
    }
    wring__mux_stream *s = &stream->mux;
    s->id = id;
    s->index = mux->count;
    mux->streams[mux->count++] = s;
    (void)nghttp2_session_set_stream_user_data(mux->session, id, s);
    h2_carrier_counters.streams++;
    return s;
}

static int request_refuse(h2_mux *mux, int32_t id, uint32_t code) {
    h2_carrier_counters.refused++;
    return nghttp2_submit_rst_stream(mux->session, NGHTTP2_FLAG_NONE, id, code);
}

/* 431, and no stream is made for it. */
static int request_is_too_big(h2_mux *mux, int32_t id) {
    uint8_t name[] = ":status";
    uint8_t value[] = "431";
    const nghttp2_nv status = {name, value, 7, 3, NGHTTP2_NV_FLAG_NONE};
    h2_carrier_counters.refused++;
    return nghttp2_submit_response(mux->session, id, &status, 1, NULL);
}

static int request_take(h2_mux *mux, int32_t id, bool ends) {
    wring_header list[FIELDS_MAX];
    struct h2_head *head = mux->request;
    if (head->result != WRING_OK) {
        return head->result == WRING_ERR_NO_MEMORY ? request_refuse(mux, id, NGHTTP2_INTERNAL_ERROR)
                                                   : request_is_too_big(mux, id);
    }
    wring__mux_stream *s = stream_open(mux, id);
    if (s == NULL) {
        return request_refuse(mux, id, NGHTTP2_REFUSED_STREAM);
    }
    mux->role->request(wring__stream_of_end(&s->super), head_fields(head, list));
    if (ends) {
        h2_stream_set(s, H2_END);
        h2_stream_ready(s);
    }
    return 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    h2_mux *mux = user;
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        const int result = request_take(mux, frame->hd.stream_id, ends);
        request_free(mux);
        return result == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) && ends) {
        wring__mux_stream *s = stream_named(session, frame->hd.stream_id);
        if (s != NULL) {
            h2_stream_set(s, H2_END);
            h2_stream_ready(s);
        }
    }
    return 0;
}

/* The chunk lies in the bytes that feed was given, which may be written to. */
static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user) {
    h2_mux *mux = user;
    (void)flags;
    mux->received += len;
    wring__mux_stream *s = stream_named(session, id);
    if (s != NULL) {
        h2_stream_rx(s, (wring_mut_bytes){(uint8_t *)(uintptr_t)data, len});
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    wring__mux_stream *s = stream_named(session, id);
    (void)user;
    if (s != NULL) {
        h2_carrier_counters.reset_by_peer += code != NGHTTP2_NO_ERROR;
        h2_stream_set(s, s->super.state == WRING__END_OPEN ? H2_GONE | H2_BROKEN : H2_GONE);
        h2_stream_ready(s);
    }
    return 0;
}

static void feed(wring__endpoint *below, wring_mut_bytes bytes, wring__block *block) {
    (void)block; /* DATA goes to its stream or its stash */
    h2_mux *mux = mux_of_below(below);
    mux->received = 0;
    mux->is_feeding = true;
    ssize_t taken = nghttp2_session_mem_recv(mux->session, bytes.data, bytes.len);
    mux->is_feeding = false;
    if (taken >= 0 && mux->received > 0) {
        taken = nghttp2_session_consume_connection(mux->session, mux->received);
    }
    if (taken < 0) {
        wring__end_break(below, taken == NGHTTP2_ERR_NOMEM ? ENOMEM : EPROTO);
    }
    h2_mux_flush(mux);
}

/* ---- nghttp2 calls: fill --------------------------------------------------------------------- */

static void was_sent(wring__mux_stream *s) {
    wring__endpoint *end = &s->super;
    if (end->tell_drained && end->out.bytes <= end->worker->drained_bytes) {
        end->tell_drained = false;
        wring__end_ask(end);
    }
    wring__end_rx_drained(&s->super);
}

static ssize_t on_data_wanted(nghttp2_session *session, int32_t id, uint8_t *out, size_t cap,
                              uint32_t *flags, nghttp2_data_source *source, void *user) {
    wring__mux_stream *s = stream_named(session, id);
    (void)source;
    (void)user;
    if (s == NULL || (s->bits & H2_RESET) != 0) {
        return NGHTTP2_ERR_DEFERRED;
    }
    wring__outq *q = &s->super.out;
    size_t len = 0;
    struct iovec run;
    while (len < cap && wring__outq_gather(q, &run, 1) > 0) {
        const size_t part = wring__min_size(run.iov_len, cap - len);
        memcpy(out + len, run.iov_base, part);
        wring__outq_consume(q, &s->super.worker->chunks, part);
        len += part;
    }
    if ((s->bits & H2_SHUT) != 0 && q->bytes == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        h2_stream_set(s, H2_ENDED);
        wring__wheel_set(&s->super.worker->wheel, &s->super.timer,
                         s->super.worker->clock.peer_now + LINGER_NS);
    } else if (len == 0) {
        h2_carrier_counters.deferred++;
        h2_stream_set(s, H2_DEFERRED);
        return NGHTTP2_ERR_DEFERRED;
    }
    was_sent(s);
    return (ssize_t)len;
}

/* nghttp2 forgets it now, whenever the frame goes out. */
static int reset_submit(h2_mux *mux, wring__mux_stream *s) {
    const uint32_t code = (s->bits & H2_ENDED) != 0    ? NGHTTP2_NO_ERROR
                          : (s->bits & H2_BROKEN) != 0 ? NGHTTP2_INTERNAL_ERROR
                                                       : NGHTTP2_CANCEL;
    h2_carrier_counters.resets++;
    (void)nghttp2_session_set_stream_user_data(mux->session, s->id, NULL);
    h2_stream_clear(s, H2_RESET);
    h2_stream_set(s, H2_GONE);
    return nghttp2_submit_rst_stream(mux->session, NGHTTP2_FLAG_NONE, s->id, code);
}

/* Less than 0: memory is out. */
static int dirty_take(h2_mux *mux) {
    int result = 0;
    while (mux->dirty.head != NULL && result != NGHTTP2_ERR_NOMEM) {
        wring__mux_stream *s = mux->dirty.head;
        mux->dirty.head = s->dirty_next;
        mux->dirty.tail = mux->dirty.head == NULL ? NULL : mux->dirty.tail;
        h2_stream_clear(s, H2_DIRTY);
        if ((s->bits & (H2_GONE | H2_RESET)) == H2_RESET) {
            result = reset_submit(mux, s);
        }
        if ((s->bits & H2_GONE) != 0) {
            h2_stream_ready(s);
            continue;
        }
        if (s->credit > 0) {
            result = nghttp2_session_consume_stream(mux->session, s->id, s->credit);
            s->credit = 0;
        }
        if ((s->bits & H2_DEFERRED) != 0 && (s->super.out.bytes > 0 || (s->bits & H2_SHUT) != 0)) {
            h2_stream_clear(s, H2_DEFERRED);
            result = nghttp2_session_resume_data(mux->session, s->id);
        }
    }
    return result == NGHTTP2_ERR_NOMEM ? result : 0;
}

static ssize_t wire_fill(h2_mux *mux) {
    wring__endpoint *below = below_of(mux);
    const uint8_t *data = NULL;
    ssize_t len = 1;
    while (len > 0) {
        if (wring__end_unsent(below) >= FILL_MAX) {
            h2_carrier_counters.full++;
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

static void fill(wring__endpoint *below) {
    h2_mux *mux = mux_of_below(below);
    if (dirty_take(mux) < 0 || wire_fill(mux) < 0) {
        wring__end_break(below, ENOMEM);
        return;
    }
    if (!mux->is_over && nghttp2_session_want_read(mux->session) == 0 &&
        nghttp2_session_want_write(mux->session) == 0) {
        mux->is_over = true;
        wring__end_ask(below);
    }
}

/* ---- the connection -------------------------------------------------------------------------- */

static void below_eof(wring__endpoint *below) {
    h2_mux_end(mux_of_below(below), WRING_OK);
    wring__end_shut(below);
}

static void below_failed(wring__endpoint *below, wring_result reason) {
    h2_mux_end(mux_of_below(below), reason);
}

/* Set only while there is no stream. */
static void below_timer(wring__endpoint *below) {
    h2_mux *mux = mux_of_below(below);
    if (mux->count == 0) {
        (void)nghttp2_session_terminate_session(mux->session, NGHTTP2_NO_ERROR);
        fill(below);
        wring__end_shut(below);
    }
}

/* No ref names it. */
static void below_mail(wring__endpoint *below, const wring__mail *mail) {
    wring__count(&below->worker->counters.lost_mail, wring__mail_count(mail));
    wring__mail_lost(mail);
}

static void below_asked(wring__endpoint *below) {
    h2_mux *mux = mux_of_below(below);
    wring__mux_stream *s = mux->ready.head;
    mux->ready =
        (struct h2_list){NULL, NULL}; /* who comes meanwhile has to wait for the next turn */
    bool freed = false;
    while (s != NULL) {
        wring__mux_stream *next = s->ready_next;
        h2_stream_clear(s, H2_READY);
        h2_stream_look(s);
        if (h2_stream_is_to_be_freed(s)) {
            h2_stream_free(s);
            freed = true;
        }
        s = next;
    }
    if (freed) {
        h2_mux_flush(mux); /* it may have been the last one of a connection that drains */
    }
    if (freed && mux->count == 0) {
        mux->role->idle(mux->below);
    }
    if (mux->is_over) {
        h2_mux_end(mux, WRING_ERR_TRANSPORT);
        wring__end_shut(below);
    }
}

static void below_closed(wring__endpoint *below) {
    h2_mux *mux = mux_of_below(below);
    wring__stream *stream = mux->below;
    h2_mux_end(mux, WRING_ERR_TRANSPORT);
    nghttp2_session_del(mux->session);
    while (mux->count > 0) {
        h2_stream_free(mux->streams[mux->count - 1]);
    }
    request_free(mux);
    const wring__carrier_role *role = mux->role;
    free(mux->streams);
    free(mux);
    role->closed(stream);
}

static void below_never(wring__endpoint *below) {
    (void)below;
    WRING_UNREACHABLE();
}

static const wring__end_ops below_ops = {.name = "HTTP/2",
                                         .connected = below_never,
                                         .rx = feed,
                                         .eof = below_eof,
                                         .failed = below_failed,
                                         .timer = below_timer,
                                         .mail = below_mail,
                                         .asked = below_asked,
                                         .resume = below_never,
                                         .closed = below_closed,
                                         .fill = fill};

/* ---- what the server asks -------------------------------------------------------------------- */

static enum wring__claim claim(wring_bytes first) {
    const size_t len = sizeof PREFACE - 1;
    if (memcmp(first.data, PREFACE, wring__min_size(first.len, len)) != 0) {
        return WRING__CLAIM_NO;
    }
    return first.len < len ? WRING__CLAIM_MORE : WRING__CLAIM_MINE;
}

static nghttp2_nv nv_of(wring_bytes name, wring_bytes value) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.data, (uint8_t *)(uintptr_t)value.data, name.len,
                        value.len, NGHTTP2_NV_FLAG_NONE}; /* copied, names in lower case */
}

static wring_result answer(wring__endpoint *end, int status, wring_headers headers) {
    nghttp2_nv list[FIELDS_MAX];
    char text[16];
    const int len = snprintf(text, sizeof text, "%d", status);
    const nghttp2_data_provider body = {.read_callback = on_data_wanted};
    WRING_ASSERT(headers.count < FIELDS_MAX);
    list[0] = nv_of(wring_str(":status"), wring_bytes_of(text, (size_t)len));
    for (size_t i = 0; i < headers.count; i++) {
        list[i + 1] = nv_of(headers.list[i].name, headers.list[i].value);
    }
    const int result = nghttp2_submit_response(mux_of(stream_of(end))->session, stream_of(end)->id,
                                               list, headers.count + 1, &body);
    h2_mux_flush(mux_of(stream_of(end)));
    return result == 0 ? WRING_OK : WRING_ERR_NO_MEMORY;
}

static void drain(wring__stream *below) {
    h2_mux *mux = WRING_CONTAINER_OF(below->carried, h2_mux, super);
    (void)nghttp2_submit_goaway(mux->session, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(mux->session),
                                NGHTTP2_NO_ERROR, NULL, 0);
    h2_mux_flush(mux);
}

/* ---- taking a connection --------------------------------------------------------------------- */

/* What nghttp2 holds counts as what the worker's connections hold. The size stands in front. */
#define COUNT_BYTES 16

static void *memory_resize(void *block, size_t size, void *worker) {
    size_t *old = block == NULL ? NULL : (size_t *)(void *)((uint8_t *)block - COUNT_BYTES);
    const size_t before = old == NULL ? 0 : *old;
    size_t *grown = size > SIZE_MAX - COUNT_BYTES ? NULL : realloc(old, size + COUNT_BYTES);
    if (grown == NULL) {
        return NULL;
    }
    *grown = size;
    ((wring__worker *)worker)->chunks.held += size - before;
    return (uint8_t *)grown + COUNT_BYTES;
}

static void *memory_get(size_t size, void *worker) {
    return memory_resize(NULL, size, worker);
}

static void *memory_get_zeroed(size_t count, size_t size, void *worker) {
    void *block = size > 0 && count > SIZE_MAX / size ? NULL : memory_get(count * size, worker);
    return block == NULL ? NULL : memset(block, 0, count * size);
}

static void memory_free(void *block, void *worker) {
    if (block != NULL) {
        size_t *size = (size_t *)(void *)((uint8_t *)block - COUNT_BYTES);
        ((wring__worker *)worker)->chunks.held -= *size;
        free(size);
    }
}

static int session_make(h2_mux *mux, wring__worker *worker) {
    nghttp2_mem memory = {worker, memory_get, memory_free, memory_get_zeroed, memory_resize};
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int result = nghttp2_session_callbacks_new(&callbacks);
    if (result == 0) {
        result = nghttp2_option_new(&option);
    }
    if (result == 0) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1);
        result = nghttp2_session_server_new3(&mux->session, callbacks, mux, option, &memory);
    }
    if (option != NULL) {
        nghttp2_option_del(option);
    }
    nghttp2_session_callbacks_del(callbacks);
    return result;
}

static wring_result take(wring__stream *below, const wring__carrier_role *role) {
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h2_carrier_limits.streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, h2_carrier_limits.window},
    };
    h2_mux *mux = calloc(1, sizeof *mux);
    if (mux == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    mux->super = (wring__mux){&h2_mux_ops, &below->conn};
    mux->role = role;
    mux->below = below;
    int result = session_make(mux, below->end.worker);
    if (result == 0) {
        result = nghttp2_submit_settings(mux->session, NGHTTP2_FLAG_NONE, settings,
                                         sizeof settings / sizeof settings[0]);
    }
    if (result != 0) {
        nghttp2_session_del(mux->session);
        free(mux);
        return WRING_ERR_NO_MEMORY;
    }
    h2_carrier_counters.connections++;
    below->carried = &mux->super;
    below->conn.carries = true;
    below->end.ops = &below_ops;
    h2_mux_flush(mux);
    return WRING_OK;
}

const wring__carrier h2_carrier = {.name = "HTTP/2",
                                   .ops = &below_ops,
                                   .claim = claim,
                                   .take = take,
                                   .answer = answer,
                                   .drain = drain};
