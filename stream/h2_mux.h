/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a connection of HTTP/2, shared by its files:
 *
 *   h2_mux.c      its streams: lists, pauses, ends, memory (wring__mux_ops). Knows no protocol.
 *   h2_conn.c     its connection: what the worker calls (wring__end_ops), budgets, drain
 *   h2_head.c     the fields of a head, collected
 *   h2_memory.c   what nghttp2 allocates
 *   h2_session.c  nghttp2: bytes in, bytes out, submissions
 *
 * nghttp2 is entered to feed it (dispatch phase), to fill the connection's queue (flush phase), and
 * to submit heads. What happens to a stream at any other time links it into one of two lists:
 * ready (its owner is to be told something, or it is to be freed) makes the connection ready,
 * dirty (bytes, credit or a reset are to go out) makes it dirty. A stream is freed at the end of
 * the connection's dispatch, never inside a callback of nghttp2.
 *
 * Credit goes back for the connection when bytes are received, for a stream when its owner has
 * taken them. So a stream that is not read holds at most its window, and holds up no other.
 */
#ifndef WRING_STREAM_H2_MUX_H
#define WRING_STREAM_H2_MUX_H

#include "core/meter.h"
#include "io/conn.h"
#include "io/worker.h"
#include "stream/h2.h"

/* wring__mux_stream.bits */
enum {
    WRING__H2_READY = 1,    /* stands in the ready list */
    WRING__H2_DIRTY = 2,    /* stands in the dirty list */
    WRING__H2_DEFERRED = 4, /* nghttp2 asks for no more of its bytes until it is told */
    WRING__H2_SHUT = 8,     /* our END_STREAM follows what is queued */
    WRING__H2_ENDED = 16,   /* ... and has been sent */
    WRING__H2_RESET = 32,   /* RST_STREAM is to be sent */
    WRING__H2_GONE = 64,    /* nghttp2 knows it no more */
    WRING__H2_BROKEN = 128,
    WRING__H2_END = 256, /* the peer's END_STREAM came */
    WRING__H2_END_TOLD = 512,
    WRING__H2_FRESH = 1024,    /* it yielded in the feed of this turn: its next share is the next
                                  turn's */
    WRING__H2_SESSION = 2048,  /* an extended CONNECT: counts for sessions_max */
    WRING__H2_ANSWERED = 4096, /* a client's: the final answer came */
    WRING__H2_HEADED = 8192,   /* our head was submitted */
    WRING__H2_FAULTY = 16384   /* the peer broke a rule, and we reset it */
};

/* Credit goes back when this part of a window is to be given: nghttp2 tells the peer at a half. */
#define WRING__H2_CREDIT_PARTS 4

struct wring__h2_list {
    wring__mux_stream *head;
    wring__mux_stream *tail;
};

typedef struct wring__h2_head wring__h2_head;

typedef struct wring__h2 {
    wring__mux super;
    wring__h2_options options;
    wring__stream *below;
    struct nghttp2_session *session;
    struct wring__h2_block *blocks; /* that nghttp2 has allocated */
    wring__h2_head *head;           /* that is coming in; NULL: none is */
    wring__mux_stream **streams;
    uint32_t count;
    uint32_t cap;
    uint32_t sessions; /* of `count` */
    uint64_t opened;   /* so far */
    uint32_t gone[2];  /* of those that are no session, and of sessions: nghttp2 knows them no more,
                        * so that the peer may have others already */
    int32_t last_stream; /* that a GOAWAY of ours named */
    struct wring__h2_list ready;
    struct wring__h2_list dirty;
    size_t received; /* bytes of DATA whose credit of the connection is still to be given back */
    wring__meter resets;
    wring__meter controls;
    uint64_t data_since_tiny; /* bytes of DATA since the peer's window last cut one to a few */
    uint32_t continuations;   /* CONTINUATION frames of the head at hand */
    uint32_t goaway_code;     /* a client's: of the GOAWAY that came */
    wring_time_ns drain_at;   /* the last GOAWAY is sent then; 0: it does not drain */
    bool is_feeding : 1;
    bool is_over : 1;   /* nghttp2 wants neither to read nor to write */
    bool is_calmed : 1; /* it is told to go: what comes is not looked at */
    bool is_dead : 1;   /* nghttp2 ran out of memory: it is not entered again */
    bool is_faulty : 1; /* the peer broke a rule, and we end it */
    bool is_ready : 1;  /* a client's: the server's settings came */
    bool has_last_stream : 1;
    bool is_going : 1; /* no new streams: GOAWAY was received, or sent for good */
} wring__h2;

static inline wring__h2 *wring__h2_of(const wring__mux_stream *s) {
    return WRING_CONTAINER_OF(s->super.mux, wring__h2, super);
}

static inline wring__h2 *wring__h2_of_below(const wring__stream *below) {
    return WRING_CONTAINER_OF(below->carried, wring__h2, super);
}

static inline wring__endpoint *wring__h2_below(const wring__h2 *mux) {
    return &mux->super.conn->super;
}

/** Now, in tenths of a second. */
static inline uint16_t wring__h2_stamp(const wring__h2 *mux) {
    return (uint16_t)(wring__h2_below(mux)->worker->now / (100 * WRING_NS_PER_MS));
}

static inline void wring__h2_set(wring__mux_stream *s, unsigned bits) {
    s->bits = (uint16_t)(s->bits | bits);
}

static inline void wring__h2_clear(wring__mux_stream *s, unsigned bits) {
    s->bits = (uint16_t)(s->bits & ~bits);
}

static inline bool wring__h2_has(const wring__mux_stream *s, unsigned bits) {
    return (s->bits & bits) != 0;
}

/* ---- h2_mux.c -------------------------------------------------------------------------------- */

extern const wring__mux_ops wring__h2_mux_ops;

/** The connection is asked for what it has to send. Not once it is ending: its `closed` ends what
 *  is left, and it has no lists any more. */
void wring__h2_flush(wring__h2 *mux);
void wring__h2_make_ready(wring__mux_stream *s);
void wring__h2_make_dirty(wring__mux_stream *s);

/** The next one that has something for the wire; NULL: none is left. */
wring__mux_stream *wring__h2_dirty_take(wring__h2 *mux);

/** Puts a stream into the connection's list.  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__h2_add(wring__h2 *mux, wring__mux_stream *s, int32_t id,
                                            bool is_session);

/** Takes it out again, before anything of it was sent. */
void wring__h2_remove(wring__mux_stream *s);

/** Our END_STREAM goes out: the peer's is waited for, but not for long. */
void wring__h2_stream_ended(wring__mux_stream *s);

/** Bytes of the stream came in. */
void wring__h2_stream_rx(wring__mux_stream *s, wring_mut_bytes bytes);

/** nghttp2 knows the stream no more: sets WRING__H2_GONE. */
void wring__h2_set_gone(wring__mux_stream *s);
/** The same, and its owner is told.  @param code  of RST_STREAM; 0: it ended in order */
void wring__h2_stream_gone(wring__mux_stream *s, uint32_t code);

/** Tells the owners of the streams in the ready list what there is to tell, and frees those that
 *  are over. Returns whether one was. */
bool wring__h2_look(wring__h2 *mux);
void wring__h2_stream_free(wring__mux_stream *s);

/** The connection ends: so does each stream. WRING_OK: it ended in order. */
void wring__h2_end(wring__h2 *mux, wring_result reason);

/* ---- h2_conn.c ------------------------------------------------------------------------------- */

/** What an event of the peer's costs of its budget. When that is used up, the connection is told
 *  to calm down and ends; then this returns false. */
bool wring__h2_charge_reset(wring__h2 *mux, const char *what);
bool wring__h2_charge_control(wring__h2 *mux, const char *what);
/** DATA goes out.  @param is_tiny  the peer's window cuts it to a few bytes */
void wring__h2_charge_data(wring__h2 *mux, size_t len, bool is_tiny);
/** The connection is told so, and ends. */
void wring__h2_calm(wring__h2 *mux, const char *what);

/* ---- h2_head.c ------------------------------------------------------------------------------- */

WRING_MUST_CHECK wring__h2_head *wring__h2_head_make(uint32_t bytes_max); /* NULL: no memory */
void wring__h2_head_free(wring__h2_head *head);                           /* NULL is legal */
/** False: it is far beyond the limit, and not worth looking at the rest. */
bool wring__h2_head_add(wring__h2_head *head, wring_bytes name, wring_bytes value);
/** What became of it: WRING_ERR_TOO_MANY_HEADERS, _HANDSHAKE_TOO_BIG, _NO_MEMORY. */
wring_result wring__h2_head_result(const wring__h2_head *head);
wring_headers wring__h2_head_fields(const wring__h2_head *head,
                                    wring_header list[WRING_HTTP_FIELDS_MAX]);

/* ---- h2_memory.c: for nghttp2, with a wring__h2 as `user` ---------------------------- */

void *wring__h2_memory_get(size_t size, void *user);
void *wring__h2_memory_get_zeroed(size_t count, size_t size, void *user);
void *wring__h2_memory_resize(void *bytes, size_t size, void *user);
void wring__h2_memory_free(void *bytes, void *user);
void wring__h2_memory_free_all(wring__h2 *mux);

/* ---- h2_session.c ---------------------------------------------------------------------------- */

/** Makes mux->session.  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__h2_session_make(wring__h2 *mux);
void wring__h2_session_free(wring__h2 *mux);

/** Gives it bytes, which may be written to.  Errors: WRING_ERR_NO_MEMORY, WRING_ERR_BAD_HTTP2. */
WRING_MUST_CHECK wring_result wring__h2_session_feed(wring__h2 *mux, wring_mut_bytes bytes);

/** Sends what the streams in the dirty list have, and what else there is, as far as the
 *  connection's queue has room.  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__h2_session_fill(wring__h2 *mux);

/** Neither side has anything to say any more. */
bool wring__h2_session_is_over(const wring__h2 *mux);

/** GOAWAY: "soon" (a notice; streams are still taken), for good, or at once with an error. */
void wring__h2_session_notice(wring__h2 *mux);
void wring__h2_session_goaway(wring__h2 *mux);
enum wring__h2_ending { WRING__H2_ENDING_OK, WRING__H2_ENDING_CALM, WRING__H2_ENDING_PROTOCOL };
void wring__h2_session_terminate(wring__h2 *mux, enum wring__h2_ending how);

#endif
