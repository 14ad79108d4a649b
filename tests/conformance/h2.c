/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/h2_inside.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/conformance/link_loopback.h"

#define WINDOW_SMALL     97
#define PIECE_SMALL      40
#define PIECE_SMALL_FAIR 4000

void h2_check(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "conformance: %s failed\n", what);
        abort();
    }
}

double h2_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- nghttp2's calls ------------------------------------------------------------------------- */

static struct h2_stream *named(nghttp2_session *session, int32_t id) {
    return nghttp2_session_get_stream_user_data(session, id);
}

struct h2_stream *h2_stream_make(struct h2 *h) {
    struct h2_stream *s = calloc(1, sizeof *s);
    h2_check(s != NULL, "memory");
    s->h = h;
    return s;
}

/* A second request while one waits is refused. */
static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct h2 *h = user;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    if (h->asked != NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    h->asked = h2_stream_make(h);
    h->asked->id = frame->hd.stream_id;
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, h->asked);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user) {
    struct h2_stream *s = named(session, frame->hd.stream_id);
    (void)flags;
    (void)user;
    if (s != NULL) {
        h2_check(name_len + value_len + 5 < H2_HEAD_MAX - s->head_len, "room for a head");
        s->head_len += (size_t)snprintf(s->head + s->head_len, H2_HEAD_MAX - s->head_len,
                                        "%.*s: %.*s\r\n", (int)name_len, (const char *)name,
                                        (int)value_len, (const char *)value);
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct h2 *h = user;
    struct h2_stream *s = named(session, frame->hd.stream_id);
    h->has_settings |= frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK);
    h->went_away |= frame->hd.type == NGHTTP2_GOAWAY;
    if (s != NULL && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)) {
        s->is_headed = true;
        s->end |= (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    }
    return 0;
}

/* Whatever nghttp2 finds wrong with a frame. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *user) {
    struct h2 *h = user;
    (void)session;
    fprintf(stderr, "conformance: a frame of type %u is invalid: %s\n", frame->hd.type,
            nghttp2_strerror(error));
    h->went_away = true;
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user) {
    struct h2_stream *s = named(session, id);
    (void)flags;
    (void)user;
    if (s == NULL) {
        return nghttp2_session_consume(session, id, len);
    }
    if (s->rx_cap - s->rx_len < len) {
        s->rx_cap = (s->rx_len + len) * 2;
        s->rx = realloc(s->rx, s->rx_cap);
        h2_check(s->rx != NULL, "memory");
    }
    memcpy(s->rx + s->rx_len, data, len);
    s->rx_len += len;
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    struct h2_stream *s = named(session, id);
    (void)user;
    if (s != NULL) {
        s->is_over = true;
        s->code = code;
    }
    return 0;
}

ssize_t h2_data_wanted(nghttp2_session *session, int32_t id, uint8_t *out, size_t room,
                       uint32_t *flags, nghttp2_data_source *source, void *user) {
    struct h2_stream *s = named(session, id);
    (void)source;
    (void)user;
    if (s == NULL) {
        return NGHTTP2_ERR_DEFERRED;
    }
    const size_t left = s->tx_len - s->sent, len = left < room ? left : room;
    if (len > 0) {
        memcpy(out, s->tx + s->sent, len);
        s->sent += len;
        *flags |= s->is_last && s->sent == s->tx_len ? NGHTTP2_DATA_FLAG_EOF : 0;
    } else if (s->is_ending) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else {
        s->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)len;
}

/* nghttp2 cuts further, as the windows say. */
static ssize_t on_data_length(nghttp2_session *session, uint8_t type, int32_t id, int32_t window,
                              int32_t stream_window, uint32_t frame_max, void *user) {
    struct h2 *h = user;
    const struct h2_stream *s = named(session, id);
    (void)type;
    (void)window;
    (void)stream_window;
    if (!h->setup.is_small) {
        return frame_max;
    }
    h->random = h->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (ssize_t)(1 + (h->random >> 33) %
                             (s != NULL && s->fair_weather ? PIECE_SMALL_FAIR : PIECE_SMALL));
}

static nghttp2_session *session_make(struct h2 *h) {
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    nghttp2_session *session;
    const uint32_t window = h->setup.is_small ? WINDOW_SMALL : H2_WINDOW_USUAL;
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
                                               {h->setup.is_client
                                                    ? NGHTTP2_SETTINGS_ENABLE_PUSH
                                                    : NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL,
                                                h->setup.is_client ? 0 : 1}};
    h2_check(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0,
             "nghttp2");
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_data_length);
    nghttp2_option_set_no_auto_window_update(option, 1);
    h2_check(
        (h->setup.is_client ? nghttp2_session_client_new2(&session, callbacks, h, option)
                            : nghttp2_session_server_new2(&session, callbacks, h, option)) == 0 &&
            nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, 2) == 0 &&
            (h->setup.is_small || nghttp2_session_set_local_window_size(
                                      session, NGHTTP2_FLAG_NONE, 0, H2_WINDOW_CONNECTION) == 0),
        "an nghttp2 session");
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

/* ---- the wire -------------------------------------------------------------------------------- */

/* Bytes; 0: it has ended or broken; -1: none for now. */
static ssize_t wire_recv(struct h2 *h, uint8_t *out, size_t cap) {
    if (h->setup.ssl == NULL) {
        const ssize_t n = recv(h->setup.fd, out, cap, 0);
        return n >= 0 ? n : errno == EAGAIN ? -1 : 0;
    }
    const int n = SSL_read(h->setup.ssl, out, (int)cap);
    return n > 0 ? n : SSL_get_error(h->setup.ssl, n) == SSL_ERROR_WANT_READ ? -1 : 0;
}

/* A write that fails because the other side has gone: what it said is still to be read. */
static size_t wire_send(struct h2 *h, const uint8_t *bytes, size_t len) {
    const ssize_t n = h->setup.ssl == NULL ? send(h->setup.fd, bytes, len, MSG_NOSIGNAL)
                                           : SSL_write(h->setup.ssl, bytes, (int)len);
    return n > 0 ? (size_t)n : 0;
}

void h2_wire_read(struct h2 *h) {
    static uint8_t buffer[65536];
    while (!h->is_over) {
        const ssize_t n = wire_recv(h, buffer, sizeof buffer);
        if (n < 0) {
            return;
        }
        h->is_over = n == 0 || nghttp2_session_mem_recv(h->session, buffer, (size_t)n) != n;
    }
}

void h2_wire_write(struct h2 *h) {
    while (!h->is_over) {
        if (h->out_len == 0) {
            const ssize_t len = nghttp2_session_mem_send(h->session, &h->out);
            h2_check(len >= 0, "nghttp2_session_mem_send");
            h->out_len = (size_t)len;
        }
        const size_t n = h->out_len == 0 ? 0 : wire_send(h, h->out, h->out_len);
        if (n == 0) {
            return;
        }
        h->out += n;
        h->out_len -= n;
    }
}

/* False: the time is over. */
bool h2_wire_wait(struct h2 *h, double until) {
    struct pollfd p = {.fd = h->setup.fd, .events = POLLIN};
    p.events |= h->out_len > 0 ? POLLOUT : 0;
    const double left = until - h2_now();
    return left > 0 && poll(&p, 1, (int)(left * 1000) + 1) > 0;
}

/* Moves the connection until `is_done`, or it is over. */
bool h2_wait_for(struct h2 *h, bool (*is_done)(const struct h2 *h, const struct h2_stream *s),
                 const struct h2_stream *s) {
    const double until = h2_now() + H2_WAIT_S;
    for (;;) {
        h2_wire_write(h);
        if (is_done(h, s)) {
            return true;
        }
        if (h->is_over || !h2_wire_wait(h, until)) {
            return false;
        }
        h2_wire_read(h);
    }
}

/* ---- connections ----------------------------------------------------------------------------- */

static bool is_ready(const struct h2 *h, const struct h2_stream *s) {
    (void)s;
    return h->has_settings;
}

static bool is_over(const struct h2 *h, const struct h2_stream *s) {
    (void)s;
    return h->is_over;
}

void h2_destroy(struct h2 *h) {
    if (h == NULL) {
        return;
    }
    if (!h->is_over) {
        (void)nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
        h2_wire_write(h);
    }
    h2_stream_free(h->asked);
    nghttp2_session_del(h->session);
    SSL_free(h->setup.ssl);
    close(h->setup.fd);
    free(h);
}

struct h2 *h2_create(const struct h2_setup *setup) {
    struct h2 *h = calloc(1, sizeof *h);
    h2_check(h != NULL, "memory");
    h->setup = *setup;
    h->session = session_make(h);
    loopback_prepare(setup->fd);
    const bool ready = h2_wait_for(h, is_ready, NULL);
    if (!ready ||
        (setup->is_client && nghttp2_session_get_remote_settings(
                                 h->session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) != 1)) {
        h2_destroy(h);
        return NULL;
    }
    return h;
}

bool h2_is_over(const struct h2 *h) {
    return h->is_over || h->went_away;
}

bool h2_wait_over(struct h2 *h) {
    return h2_wait_for(h, is_over, NULL);
}
