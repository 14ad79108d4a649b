/* SPDX-License-Identifier: Apache-2.0
 *
 * WebSockets as streams: their opening handshake, their bytes, their end. See h2.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/h2_inside.h"
#include "tests/conformance/script.h"

#define WINDOW_SMALL_FAIR 4000

bool link_is_proxied;

/* ---- the opening handshake ------------------------------------------------------------------- */

static bool is_answered(const struct h2 *h, const struct h2_stream *s) {
    (void)h;
    return s->is_headed || s->is_over;
}

static bool is_asked(const struct h2 *h, const struct h2_stream *s) {
    (void)s;
    return h->asked != NULL && h->asked->is_headed;
}

static nghttp2_nv field(const char *name, const char *value) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void weather_set(struct h2_stream *s, bool fair) {
    s->fair_weather = fair;
    if (fair && s->h->setup.is_small) {
        h2_check(nghttp2_session_set_local_window_size(s->h->session, NGHTTP2_FLAG_NONE, s->id,
                                                       WINDOW_SMALL_FAIR) == 0,
                 "a window");
    }
}

struct h2_stream *h2_ask(struct h2 *h, const char *offer, bool fair_weather) {
    const nghttp2_nv fields[] = {field(":method", "CONNECT"),
                                 field(":protocol", "websocket"),
                                 field(":scheme", h->setup.ssl == NULL ? "http" : "https"),
                                 field(":path", "/echo"),
                                 field(":authority", "localhost"),
                                 field("sec-websocket-version", "13"),
                                 field("sec-websocket-extensions", offer)};
    const nghttp2_data_provider body = {.read_callback = h2_data_wanted};
    struct h2_stream *s = h2_stream_make(h);
    s->id = nghttp2_submit_request(h->session, NULL, fields, offer[0] == 0 ? 6 : 7, &body, s);
    h2_check(s->id > 0, "nghttp2_submit_request");
    if (!h2_wait_for(h, is_answered, s) || s->is_over ||
        strncmp(s->head, ":status: 200\r\n", 14) != 0) {
        h2_stream_free(s);
        return NULL;
    }
    weather_set(s, fair_weather);
    return s;
}

static bool has_line(const struct h2_stream *s, const char *line) {
    return strstr(s->head, line) != NULL;
}

/* RFC 8441 4, 5: a key has no place in it. */
static bool request_is_right(const struct h2_stream *s) {
    return has_line(s, ":method: CONNECT\r\n") && has_line(s, ":protocol: websocket\r\n") &&
           has_line(s, s->h->setup.ssl == NULL ? ":scheme: http\r\n" : ":scheme: https\r\n") &&
           has_line(s, ":path: /\r\n") && has_line(s, ":authority: localhost:") &&
           has_line(s, "sec-websocket-version: 13\r\n") && !has_line(s, "sec-websocket-key") &&
           !has_line(s, "\r\nhost: ") && !has_line(s, "\r\nupgrade: ") && !s->end;
}

struct h2_stream *h2_grant(struct h2 *h, const char *answer, bool fair_weather) {
    const nghttp2_nv fields[] = {field(":status", "200"),
                                 field("sec-websocket-extensions", answer)};
    const nghttp2_data_provider body = {.read_callback = h2_data_wanted};
    if (!h2_wait_for(h, is_asked, NULL)) {
        return NULL;
    }
    struct h2_stream *s = h->asked;
    h->asked = NULL;
    if (!request_is_right(s)) {
        fprintf(stderr, "conformance: this is no request for a WebSocket:\n%s", s->head);
        h2_stream_free(s);
        return NULL;
    }
    h2_check(nghttp2_submit_response(h->session, s->id, fields, answer[0] == 0 ? 1 : 2, &body) == 0,
             "nghttp2_submit_response");
    weather_set(s, fair_weather);
    h2_wire_write(h);
    return s;
}

/* ---- streams --------------------------------------------------------------------------------- */

const char *h2_stream_head(const struct h2_stream *s) {
    return s->head;
}

static void resume(struct h2_stream *s) {
    if (s->is_deferred && !s->is_over && (s->is_ending || s->sent < s->tx_len)) {
        s->is_deferred = false;
        h2_check(nghttp2_session_resume_data(s->h->session, s->id) == 0, "resuming a stream");
    }
}

/* The connection's window at once; the stream's as is_small says. */
static void windows_give(struct h2_stream *s, size_t len) {
    nghttp2_session *session = s->h->session;
    h2_check(nghttp2_session_consume_connection(session, len) == 0, "consuming");
    s->taken += len;
    if (s->h->setup.is_small || s->taken == H2_WINDOW_USUAL) {
        h2_check(nghttp2_session_consume_stream(session, s->id, s->taken) == 0, "consuming");
        s->taken = 0;
    }
    h2_wire_write(s->h);
}

static size_t rx_take(struct h2_stream *s, uint8_t *out, size_t cap) {
    const size_t len = s->rx_len < cap ? s->rx_len : cap;
    if (len > 0) {
        memcpy(out, s->rx, len);
        memmove(s->rx, s->rx + len, s->rx_len - len);
        s->rx_len -= len;
        windows_give(s, len);
    }
    return len;
}

struct moved h2_stream_move(struct h2_stream *s, const uint8_t *bytes, size_t len, uint8_t *out,
                            size_t cap) {
    struct moved moved = {0};
    const double until = h2_now() + H2_WAIT_S;
    s->tx = bytes;
    s->tx_len = len;
    s->sent = 0;
    for (;;) {
        h2_wire_read(s->h);
        resume(s);
        h2_wire_write(s->h);
        moved.sent = s->sent;
        moved.received = rx_take(s, out, cap);
        moved.end = s->end && s->rx_len == 0;
        moved.reset = !s->end && (s->is_over || s->h->is_over) && s->rx_len == 0;
        if (moved.sent > 0 || moved.received > 0 || moved.end || moved.reset) {
            break;
        }
        if (!h2_wire_wait(s->h, until)) {
            moved.timeout = true;
            break;
        }
    }
    s->tx = NULL;
    s->tx_len = s->sent = 0;
    s->is_last = false;
    return moved;
}

void h2_stream_shut(struct h2_stream *s, bool at_once) {
    s->is_ending |= at_once;
    s->is_last |= !at_once;
    resume(s);
    h2_wire_write(s->h);
}

void h2_stream_reset(struct h2_stream *s, uint32_t code) {
    h2_check(nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id, code) == 0,
             "nghttp2_submit_rst_stream");
    h2_wire_write(s->h);
}

static bool stream_is_over(const struct h2 *h, const struct h2_stream *s) {
    (void)h;
    return s->is_over;
}

const char *h2_stream_end(struct h2_stream *s) {
    s->is_ending = true;
    resume(s);
    if (!h2_wait_for(s->h, stream_is_over, s)) {
        return s->h->is_over ? "the connection ended with the stream" : "the stream is not over";
    }
    if (s->code != NGHTTP2_NO_ERROR && !link_is_proxied) {
        snprintf(s->wrong, sizeof s->wrong, "RST_STREAM with %s behind the end",
                 nghttp2_http2_strerror(s->code));
        return s->wrong;
    }
    return h2_is_over(s->h) ? "GOAWAY behind the end of the stream" : NULL;
}

void h2_stream_free(struct h2_stream *s) {
    if (s == NULL) {
        return;
    }
    if (!s->is_over && s->id > 0) {
        (void)nghttp2_session_set_stream_user_data(s->h->session, s->id, NULL);
        (void)nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
        h2_wire_write(s->h);
    }
    free(s->rx);
    free(s);
}

/* ---- neighbours ------------------------------------------------------------------------------ */

static void unmask(uint8_t *frame, bool masked) {
    const uint8_t *key = frame + 2;
    for (size_t i = 0; masked && i < (frame[1] & 127u); i++) {
        frame[6 + i] ^= key[i & 3];
    }
}

/* One frame there and one of the same length back: it is put into `back`. */
static bool exchange(struct h2_stream *s, const struct script *script, uint8_t *back) {
    const size_t want = script->len + (script->masks ? 0 : 4) - (script->masks ? 4 : 0);
    size_t sent = 0, received = 0;
    while (received < want) {
        const struct moved moved = h2_stream_move(s, script->wire + sent, script->len - sent,
                                                  back + received, want - received);
        sent += moved.sent;
        received += moved.received;
        if (moved.timeout || moved.reset || (moved.end && received < want)) {
            return false;
        }
    }
    unmask(back, !script->masks);
    return sent == script->len;
}

static bool comes_back(struct h2_stream *s, bool masks, unsigned first, text payload) {
    struct script script;
    uint8_t back[256] = {0};
    const size_t header_len = masks ? 2 : 6;
    script_init(&script, masks, 1);
    put_frame(&script, first, payload);
    const bool good = exchange(s, &script, back) && back[0] == first &&
                      back[1] == (payload.len | (masks ? 0u : 0x80u)) &&
                      memcmp(back + header_len, payload.data, payload.len) == 0;
    script_deinit(&script);
    return good;
}

bool h2_neighbour_echo(struct h2_stream *s, bool tester_is_client) {
    static unsigned count;
    char words[64];
    snprintf(words, sizeof words, "neighbour %u", ++count);
    return comes_back(s, tester_is_client, FIN | TEXT, text_str(words));
}

const char *h2_neighbour_close(struct h2_stream *s, bool tester_is_client) {
    uint8_t byte;
    if (!comes_back(s, tester_is_client, FIN | CLOSE, T("\x03\xe8"))) {
        return "the neighbour is not closed";
    }
    const struct moved moved = h2_stream_move(s, NULL, 0, &byte, 1);
    return !moved.end || moved.received > 0 ? "the neighbour does not end" : h2_stream_end(s);
}
