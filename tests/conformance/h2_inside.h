/* SPDX-License-Identifier: Apache-2.0
 *
 * h2.c and h2_stream.c among themselves.
 */
#ifndef WRING_TESTS_CONFORMANCE_H2_INSIDE_H
#define WRING_TESTS_CONFORMANCE_H2_INSIDE_H

#include <nghttp2/nghttp2.h>

#include "tests/conformance/h2.h"

#define H2_HEAD_MAX 2048
#define H2_WAIT_S   5.0
/* Windows of the connection, and of streams. The latter are given back once they are used up, and
 * end with a few bytes more than whole pieces of DATA, as those of some proxies do. */
#define H2_WINDOW_CONNECTION (1u << 20)
#define H2_WINDOW_USUAL      ((64u << 10) + 56)

struct h2 {
    struct h2_setup setup;
    nghttp2_session *session;
    const uint8_t *out; /* of nghttp2's: not taken by the socket yet */
    size_t out_len;
    struct h2_stream *asked; /* a request that came in and is not granted yet */
    uint64_t random;
    bool has_settings;
    bool is_over;
    bool went_away;
};

struct h2_stream {
    struct h2 *h;
    int32_t id;
    bool fair_weather;
    const uint8_t *tx; /* of the move at hand */
    size_t tx_len, sent;
    uint8_t *rx; /* received, not moved on */
    size_t rx_len, rx_cap;
    size_t taken; /* moved on, and not given back to the window */
    char head[H2_HEAD_MAX];
    size_t head_len;
    bool is_headed;   /* the head is whole */
    bool is_deferred; /* nghttp2 asks no more until it is told */
    bool is_ending;   /* END_STREAM goes out behind what is sent */
    bool is_last;     /* ... with the last byte of the move at hand */
    bool end;         /* END_STREAM came */
    bool is_over;
    uint32_t code; /* is_over: of its end */
    char wrong[64];
};

void h2_check(bool ok, const char *what);
double h2_now(void);
struct h2_stream *h2_stream_make(struct h2 *h);
/* nghttp2 asks for the bytes of a stream. */
ssize_t h2_data_wanted(nghttp2_session *session, int32_t id, uint8_t *out, size_t room,
                       uint32_t *flags, nghttp2_data_source *source, void *user);

void h2_wire_read(struct h2 *h);
void h2_wire_write(struct h2 *h);
/* False: the time is over. */
bool h2_wire_wait(struct h2 *h, double until);
/* Moves the connection until `is_done`. False: it is over before, or the time is. */
bool h2_wait_for(struct h2 *h, bool (*is_done)(const struct h2 *h, const struct h2_stream *s),
                 const struct h2_stream *s);

#endif
