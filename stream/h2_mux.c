/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams of one connection, without the protocol. See wring__h2.h.
 */
#include "stream/h2_mux.h"

#include <errno.h>
#include <stdlib.h>

#define LINGER_NS           (200 * WRING_NS_PER_MS)
#define CODE_REFUSED_STREAM 7 /* RFC 9113 7 */

struct wring__mux_stash {
    size_t len;
    size_t cap;
    uint8_t data[];
};

static wring__mux_stream *stream_of(const wring__endpoint *end) {
    return WRING_CONTAINER_OF(end, wring__mux_stream, super);
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* A connection that is ending has no lists any more: its `closed` ends what is left. */
static bool is_live(const wring__h2 *mux) {
    return wring__h2_below(mux)->state == WRING__END_OPEN;
}

void wring__h2_flush(wring__h2 *mux) {
    if (is_live(mux)) {
        wring__end_flush(wring__h2_below(mux));
    }
}

void wring__h2_make_ready(wring__mux_stream *s) {
    wring__h2 *mux = wring__h2_of(s);
    if (!wring__h2_has(s, WRING__H2_READY) && is_live(mux)) {
        wring__h2_set(s, WRING__H2_READY);
        s->ready_next = NULL;
        if (mux->ready.tail == NULL) {
            mux->ready.head = s;
        } else {
            mux->ready.tail->ready_next = s;
        }
        mux->ready.tail = s;
        wring__end_ask(wring__h2_below(mux));
    }
}

void wring__h2_make_dirty(wring__mux_stream *s) {
    wring__h2 *mux = wring__h2_of(s);
    if (!wring__h2_has(s, WRING__H2_DIRTY) && is_live(mux)) {
        wring__h2_set(s, WRING__H2_DIRTY);
        s->dirty_next = NULL;
        if (mux->dirty.tail == NULL) {
            mux->dirty.head = s;
        } else {
            mux->dirty.tail->dirty_next = s;
        }
        mux->dirty.tail = s;
        wring__h2_flush(mux);
    }
}

wring__mux_stream *wring__h2_dirty_take(wring__h2 *mux) {
    wring__mux_stream *s = mux->dirty.head;
    if (s != NULL) {
        mux->dirty.head = s->dirty_next;
        mux->dirty.tail = mux->dirty.head == NULL ? NULL : mux->dirty.tail;
        wring__h2_clear(s, WRING__H2_DIRTY);
    }
    return s;
}

wring_result wring__h2_add(wring__h2 *mux, wring__mux_stream *s, int32_t id, bool is_session) {
    if (mux->count == mux->cap) {
        const uint32_t cap = mux->cap == 0 ? 4 : mux->cap * 2;
        wring__mux_stream **grown = realloc(mux->streams, cap * sizeof(wring__mux_stream *));
        if (grown == NULL) {
            return WRING_ERR_NO_MEMORY;
        }
        mux->streams = grown;
        mux->cap = cap;
    }
    WRING_ASSERT(s->super.kind == WRING__END_MUX && s->super.state == WRING__END_OPEN);
    s->id = id;
    s->index = mux->count;
    s->opened = wring__h2_stamp(mux);
    wring__h2_set(s, is_session ? WRING__H2_SESSION : 0);
    mux->streams[mux->count++] = s;
    mux->sessions += is_session;
    mux->opened++;
    if (mux->count == 1) { /* its own deadline was for having no stream */
        wring__end_set_deadline(wring__h2_below(mux),
                                mux->drain_at == 0 ? WRING_TIME_NEVER : mux->drain_at);
    }
    wring__count(&mux->options.counters->streams, 1);
    return WRING_OK;
}

/* ---- the end of a stream --------------------------------------------------------------------- */

static void stash_drop(wring__mux_stream *s) {
    if (s->stash != NULL) {
        s->super.worker->chunks.held -= s->stash->cap;
        free(s->stash);
        s->stash = NULL;
    }
}

/* Nothing more of it is sent or given to its owner. */
static void teardown(wring__mux_stream *s) {
    wring__worker *worker = s->super.worker;
    s->super.state = WRING__END_TEARDOWN;
    wring__wheel_cancel(&worker->wheel, &s->super.timer);
    wring__outq_deinit(&s->super.out, &worker->chunks);
    stash_drop(s);
    if (!wring__h2_has(s, WRING__H2_GONE)) {
        wring__h2_set(s, WRING__H2_RESET);
        wring__h2_make_dirty(s);
    } else {
        wring__h2_make_ready(s);
    }
}

static void on_abort(wring__endpoint *end) {
    teardown(stream_of(end));
}

static void drain_wait(wring__endpoint *end) {
    end->tx_moved = false;
    wring__wheel_set(&end->worker->wheel, &end->timer,
                     end->worker->clock.peer_now + WRING__DRAIN_NS_OF(end));
}

/* As of a connection: what is queued has that time again when some of it moved. */
static void on_late(wring__endpoint *end) {
    if (end->tx_moved && end->out.bytes > 0) {
        drain_wait(end);
    } else {
        wring__end_abort(end); /* its end was not answered */
    }
}

static void on_shut(wring__endpoint *end) {
    wring__mux_stream *s = stream_of(end);
    if (wring__h2_has(s, WRING__H2_GONE | WRING__H2_BROKEN)) {
        teardown(s);
        return;
    }
    end->state = WRING__END_DRAINING;
    wring__h2_set(s, WRING__H2_SHUT);
    if (s->stash != NULL) { /* it is not read: what it has of the window is the peer's again */
        s->credit += (uint32_t)s->stash->len;
        stash_drop(s);
    }
    drain_wait(end);
    wring__h2_make_dirty(s);
}

static void on_fail(wring__endpoint *end, int system_errno) {
    (void)system_errno; /* has no place of its own in a stream */
    wring__h2_set(stream_of(end), WRING__H2_BROKEN);
    wring__h2_make_ready(stream_of(end));
}

bool wring__h2_was_ended(const wring__endpoint *end) {
    return wring__h2_has(stream_of(end), WRING__H2_END);
}

void wring__h2_stream_ended(wring__mux_stream *s) {
    wring__worker *worker = s->super.worker;
    wring__h2_set(s, WRING__H2_ENDED);
    wring__wheel_set(&worker->wheel, &s->super.timer, worker->clock.peer_now + LINGER_NS);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool stash_append(wring__mux_stream *s, const uint8_t *data, size_t len) {
    const size_t have = s->stash == NULL ? 0 : s->stash->len;
    const size_t old_cap = s->stash == NULL ? 0 : s->stash->cap;
    size_t cap = old_cap;
    if (cap - have < len) {
        cap = cap * 2 > have + len ? cap * 2 : have + len;
        struct wring__mux_stash *grown = realloc(s->stash, sizeof *grown + cap);
        if (grown == NULL) {
            return false;
        }
        s->super.worker->chunks.held += cap - old_cap;
        s->stash = grown;
        s->stash->cap = cap;
    }
    memcpy(s->stash->data + have, data, len);
    s->stash->len = have + len;
    return true;
}

static void credit_give(wring__mux_stream *s, size_t len) {
    s->credit += (uint32_t)len;
    if (s->credit >= wring__h2_of(s)->options.config->window_bytes / WRING__H2_CREDIT_PARTS) {
        wring__h2_make_dirty(s);
    }
}

static void bytes_give(wring__mux_stream *s, wring_mut_bytes bytes) {
    s->super.ops->rx(&s->super, bytes, NULL);
    credit_give(s, bytes.len);
    if (s->super.state == WRING__END_OPEN) {
        (void)wring__end_rx_look(&s->super);
    }
}

void wring__h2_stream_rx(wring__mux_stream *s, wring_mut_bytes bytes) {
    if (s->super.state != WRING__END_OPEN) {
        credit_give(s, bytes.len); /* dropped: the peer may come to its end */
    } else if (!wring__end_is_stopped(&s->super) && s->stash == NULL) {
        bytes_give(s, bytes);
    } else if (stash_append(s, bytes.data, bytes.len)) {
        wring__count(&wring__h2_of(s)->options.counters->stashed, 1);
    } else {
        on_fail(&s->super, ENOMEM);
    }
}

static void stash_give(wring__mux_stream *s) {
    struct wring__mux_stash *stash = s->stash;
    if (stash == NULL || s->super.state != WRING__END_OPEN || wring__end_is_stopped(&s->super)) {
        return;
    }
    s->stash = NULL;
    bytes_give(s, (wring_mut_bytes){stash->data, stash->len});
    s->super.worker->chunks.held -= stash->cap;
    free(stash);
}

/* ---- what is told in the dispatch phase ------------------------------------------------------ */

static void yield_end(wring__mux_stream *s) {
    wring__end_rx_go(&s->super, WRING__RX_STOP_YIELDED);
    s->super.ops->resume(&s->super);
    if ((s->super.rx_stop & WRING__RX_STOP_YIELDED) == 0) {
        if (wring__h2_has(s, WRING__H2_BROKEN)) {
            s->super.rx_stop = 0; /* what came before is given now or never */
        }
        (void)wring__end_rx_look(&s->super); /* it may have queued much */
    }
}

/* RFC 9113 7, 8.7: what was refused was not looked at, and may be asked again elsewhere. */
static wring_result failure_of(const wring__mux_stream *s) {
    return !wring__h2_has(s, WRING__H2_GONE)    ? WRING_ERR_TRANSPORT
           : wring__h2_has(s, WRING__H2_FAULTY) ? WRING_ERR_BAD_HTTP2
           : s->code == CODE_REFUSED_STREAM     ? WRING_ERR_STREAM_REFUSED
                                                : WRING_ERR_STREAM_RESET;
}

static void failure_tell(wring__mux_stream *s, wring_result reason) {
    s->super.ops->failed(&s->super, reason);
    if (s->super.state != WRING__END_TEARDOWN) {
        teardown(s);
    }
}

/* The peer's end came, and nothing in front of it is kept. When the stream broke as well, only one
 * that ended in order before has an end to tell. */
static bool owes_end(const wring__mux_stream *s) {
    const bool in_order =
        !wring__h2_has(s, WRING__H2_BROKEN) || (wring__h2_has(s, WRING__H2_GONE) && s->code == 0);
    return (s->bits & (WRING__H2_END | WRING__H2_END_TOLD)) == WRING__H2_END && in_order &&
           !wring__end_is_stopped(&s->super);
}

/* As wring__conn_dispatch does for a connection. */
static void stream_look(wring__mux_stream *s) {
    wring__endpoint *end = &s->super;
    if (wring__h2_has(s, WRING__H2_FRESH)) {
        wring__h2_clear(s, WRING__H2_FRESH);
        wring__h2_make_ready(s);
        return;
    }
    if (end->state == WRING__END_OPEN && (s->super.rx_stop & WRING__RX_STOP_YIELDED) != 0) {
        yield_end(s);
    } else if (wring__h2_has(s, WRING__H2_BROKEN)) {
        s->super.rx_stop = 0;
    }
    stash_give(s);
    if (end->state == WRING__END_OPEN && end->asked) {
        end->asked = false;
        end->ops->asked(end);
    }
    if (end->state != WRING__END_OPEN || s->stash != NULL ||
        (s->super.rx_stop & WRING__RX_STOP_YIELDED) != 0) {
        return;
    }
    if (owes_end(s)) {
        wring__h2_set(s, WRING__H2_END_TOLD);
        end->ops->eof(end);
    }
    if (wring__h2_has(s, WRING__H2_BROKEN) && end->state == WRING__END_OPEN) {
        failure_tell(s, failure_of(s));
    }
}

static bool is_to_be_freed(const wring__mux_stream *s) {
    return (s->bits & (WRING__H2_GONE | WRING__H2_READY | WRING__H2_DIRTY)) == WRING__H2_GONE &&
           s->super.state != WRING__END_OPEN;
}

void wring__h2_remove(wring__mux_stream *s) {
    wring__h2 *mux = wring__h2_of(s);
    mux->gone[wring__h2_has(s, WRING__H2_SESSION)] -= wring__h2_has(s, WRING__H2_GONE);
    mux->streams[s->index] = mux->streams[--mux->count];
    mux->streams[s->index]->index = s->index;
    mux->sessions -= wring__h2_has(s, WRING__H2_SESSION);
}

void wring__h2_stream_free(wring__mux_stream *s) {
    wring__h2_remove(s);
    stash_drop(s);
    wring__end_close(&s->super);
}

void wring__h2_set_gone(wring__mux_stream *s) {
    if (!wring__h2_has(s, WRING__H2_GONE)) {
        wring__h2_set(s, WRING__H2_GONE);
        wring__h2_of(s)->gone[wring__h2_has(s, WRING__H2_SESSION)]++;
    }
}

void wring__h2_stream_gone(wring__mux_stream *s, uint32_t code) {
    wring__count(&wring__h2_of(s)->options.counters->reset_by_peer, code != 0);
    s->code = (uint16_t)wring__min_u64(code, UINT16_MAX);
    wring__h2_set_gone(s);
    wring__h2_set(s, s->super.state == WRING__END_OPEN ? WRING__H2_BROKEN : 0);
    wring__h2_make_ready(s);
}

bool wring__h2_look(wring__h2 *mux) {
    wring__mux_stream *s = mux->ready.head;
    bool freed = false;
    mux->ready =
        (struct wring__h2_list){NULL, NULL}; /* who comes meanwhile waits for the next turn */
    while (s != NULL) {
        wring__mux_stream *next = s->ready_next;
        wring__h2_clear(s, WRING__H2_READY);
        stream_look(s);
        if (is_to_be_freed(s)) {
            wring__h2_stream_free(s);
            freed = true;
        }
        s = next;
    }
    return freed;
}

/* The end of a connection is not that of a stream whose END_STREAM did not come: the body of a
 * request is truncated then. */
static void end_with_connection(wring__mux_stream *s, wring_result reason) {
    wring__endpoint *end = &s->super;
    const unsigned ends = s->bits & (WRING__H2_END | WRING__H2_END_TOLD);
    wring__h2_set(s, WRING__H2_BROKEN);
    if ((end->rx_stop & WRING__RX_STOP_YIELDED) == 0) { /* else what its session has kept is lost */
        end->rx_stop = 0;
        stash_give(s);
        if (end->state == WRING__END_OPEN && reason == WRING_OK && ends == WRING__H2_END) {
            wring__h2_set(s, WRING__H2_END_TOLD);
            end->ops->eof(end);
        }
    }
    if (end->state == WRING__END_OPEN) {
        end->ops->failed(end, reason == WRING_OK ? WRING_ERR_TRUNCATED : reason);
    }
    if (end->state <= WRING__END_DRAINING) {
        teardown(s);
    }
}

void wring__h2_end(wring__h2 *mux, wring_result reason) {
    for (uint32_t i = 0; i < mux->count; i++) {
        end_with_connection(mux->streams[i], reason);
    }
}

/* ---- what endpoints ask ---------------------------------------------------------------------- */

static void on_flush(wring__endpoint *end) {
    wring__h2_make_dirty(stream_of(end));
}

static void on_look(wring__endpoint *end) {
    wring__mux_stream *s = stream_of(end);
    const bool yielded = (end->rx_stop & WRING__RX_STOP_YIELDED) != 0;
    wring__h2_set(s, yielded && wring__h2_of(s)->is_feeding ? WRING__H2_FRESH : 0);
    wring__h2_make_ready(s);
}

static bool is_broken(const wring__endpoint *end) {
    return (stream_of(end)->bits & WRING__H2_BROKEN) != 0;
}

static uint64_t kept(const wring__endpoint *end) {
    const struct wring__mux_stash *stash = stream_of(end)->stash;
    return stash == NULL ? 0 : stash->cap;
}

const wring__mux_ops wring__h2_mux_ops = {.name = "HTTP/2",
                                          .flush = on_flush,
                                          .shut = on_shut,
                                          .abort = on_abort,
                                          .late = on_late,
                                          .fail = on_fail,
                                          .look = on_look,
                                          .is_broken = is_broken,
                                          .kept = kept};
