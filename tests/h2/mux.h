/* SPDX-License-Identifier: Apache-2.0
 *
 * The half of a multiplexer that knows no protocol: the lists of its streams, how they are paused,
 * end and are freed, and what their owners ask of them (wring__mux_ops). The other half, carrier.c,
 * moves their bytes.
 *
 * What happens to a stream links it into one of two lists: ready (its owner is to be told
 * something, or it is to be freed) makes the connection ready, dirty (bytes, credit or a reset are
 * to go out) makes it dirty.
 */
#ifndef WRING_TESTS_H2_MUX_H
#define WRING_TESTS_H2_MUX_H

#include "io/conn.h"
#include "io/worker.h"
#include "tests/h2/carrier.h"

/* wring__mux_stream.bits */
enum {
    H2_READY = 1,    /* stands in the ready list */
    H2_DIRTY = 2,    /* stands in the dirty list */
    H2_DEFERRED = 4, /* nghttp2 asks for no more of its bytes until it is told */
    H2_SHUT = 8,     /* our END_STREAM follows what is queued */
    H2_ENDED = 16,   /* ... and has been sent */
    H2_RESET = 32,   /* RST_STREAM is to be sent */
    H2_GONE = 64,    /* nghttp2 knows it no more */
    H2_BROKEN = 128,
    H2_END = 256, /* the peer's END_STREAM came */
    H2_END_TOLD = 512,
    H2_FRESH = 1024 /* it yielded in the feed of this turn: its next share is the next turn's */
};

struct h2_list {
    wring__mux_stream *head;
    wring__mux_stream *tail;
};

typedef struct h2_mux {
    wring__mux super;
    const wring__carrier_role *role;
    wring__stream *below;
    struct nghttp2_session *session;
    struct h2_head *request; /* NULL: none is coming in */
    wring__mux_stream **streams;
    uint32_t count;
    uint32_t cap;
    struct h2_list ready;
    struct h2_list dirty;
    size_t received; /* bytes of DATA in the feed at hand */
    bool is_feeding;
    bool is_over; /* nghttp2 wants neither to read nor to write */
} h2_mux;

extern const wring__mux_ops h2_mux_ops;

static inline h2_mux *h2_mux_of(const wring__mux_stream *s) {
    return WRING_CONTAINER_OF(s->super.mux, h2_mux, super);
}

static inline void h2_stream_set(wring__mux_stream *s, unsigned bits) {
    s->bits = (uint16_t)(s->bits | bits);
}

static inline void h2_stream_clear(wring__mux_stream *s, unsigned bits) {
    s->bits = (uint16_t)(s->bits & ~bits);
}

/** The connection is asked for what it has to send. Not once it is ending: its `closed` ends what
 *  is left, and it has no lists any more. */
void h2_mux_flush(h2_mux *mux);
void h2_stream_ready(wring__mux_stream *s);
void h2_stream_dirty(wring__mux_stream *s);

/** Bytes of the stream came in. */
void h2_stream_rx(wring__mux_stream *s, wring_mut_bytes bytes);

/** Tells its owner what there is to tell. */
void h2_stream_look(wring__mux_stream *s);

bool h2_stream_is_to_be_freed(const wring__mux_stream *s);
void h2_stream_free(wring__mux_stream *s);

/** The connection ends: so does each stream. WRING_OK: it ended in order. */
void h2_mux_end(h2_mux *mux, wring_result reason);

#endif
