/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams of one connection, without the protocol: see mux.h.
 */
#include "tests/h2/mux.h"

#include <errno.h>
#include <stdlib.h>

#define DRAIN_TIMEOUT_NS (10 * WRING_NS_PER_SEC)

struct wring__mux_stash {
    size_t len;
    size_t cap;
    uint8_t data[];
};

static h2_mux *mux_of(const wring__mux_stream *s) {
    return h2_mux_of(s);
}

static wring__mux_stream *stream_of(const wring__endpoint *end) {
    return WRING_CONTAINER_OF(end, wring__mux_stream, super);
}

static wring__endpoint *below_of(const h2_mux *mux) {
    return &mux->super.conn->super;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* A connection that is ending has no lists any more: its `closed` ends what is left. */
static bool is_live(const h2_mux *mux) {
    return below_of(mux)->state == WRING__END_OPEN;
}

void h2_mux_flush(h2_mux *mux) {
    if (is_live(mux)) {
        wring__end_flush(below_of(mux));
    }
}

void h2_stream_ready(wring__mux_stream *s) {
    h2_mux *mux = mux_of(s);
    if ((s->bits & H2_READY) == 0 && is_live(mux)) {
        h2_stream_set(s, H2_READY);
        s->ready_next = NULL;
        if (mux->ready.tail == NULL) {
            mux->ready.head = s;
        } else {
            mux->ready.tail->ready_next = s;
        }
        mux->ready.tail = s;
        wring__end_ask(below_of(mux));
    }
}

void h2_stream_dirty(wring__mux_stream *s) {
    h2_mux *mux = mux_of(s);
    if ((s->bits & H2_DIRTY) == 0 && is_live(mux)) {
        h2_stream_set(s, H2_DIRTY);
        s->dirty_next = NULL;
        if (mux->dirty.tail == NULL) {
            mux->dirty.head = s;
        } else {
            mux->dirty.tail->dirty_next = s;
        }
        mux->dirty.tail = s;
        h2_mux_flush(mux);
    }
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
    if ((s->bits & H2_GONE) == 0) {
        h2_stream_set(s, H2_RESET);
        h2_stream_dirty(s);
    } else {
        h2_stream_ready(s);
    }
}

static void on_abort(wring__endpoint *end) {
    teardown(stream_of(end));
}

static void on_shut(wring__endpoint *end) {
    wring__mux_stream *s = stream_of(end);
    if ((s->bits & (H2_GONE | H2_BROKEN)) != 0) {
        teardown(s);
        return;
    }
    end->state = WRING__END_DRAINING;
    h2_stream_set(s, H2_SHUT);
    if (s->stash != NULL) { /* it is not read: what it has of the window is the peer's again */
        s->credit += (uint32_t)s->stash->len;
        stash_drop(s);
    }
    wring__wheel_set(&end->worker->wheel, &end->timer,
                     end->worker->clock.peer_now + DRAIN_TIMEOUT_NS);
    h2_stream_dirty(s);
}

static void on_fail(wring__endpoint *end, int system_errno) {
    (void)system_errno; /* has no place of its own in a stream */
    h2_stream_set(stream_of(end), H2_BROKEN);
    h2_stream_ready(stream_of(end));
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
    h2_stream_dirty(s);
}

static void bytes_give(wring__mux_stream *s, wring_mut_bytes bytes) {
    s->super.ops->rx(&s->super, bytes, NULL);
    credit_give(s, bytes.len);
    if (s->super.state == WRING__END_OPEN) {
        (void)wring__end_rx_look(&s->super);
    }
}

void h2_stream_rx(wring__mux_stream *s, wring_mut_bytes bytes) {
    if (s->super.state != WRING__END_OPEN) {
        credit_give(s, bytes.len); /* dropped: the peer may come to its end */
    } else if (!wring__end_is_stopped(&s->super) && s->stash == NULL) {
        bytes_give(s, bytes);
    } else if (stash_append(s, bytes.data, bytes.len)) {
        h2_carrier_counters.stashed++;
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
        if ((s->bits & H2_BROKEN) != 0) {
            s->super.rx_stop = 0; /* what came before is given now or never */
        }
        (void)wring__end_rx_look(&s->super); /* it may have queued much */
    }
}

static void failure_tell(wring__mux_stream *s, wring_result reason) {
    s->super.ops->failed(&s->super, reason);
    if (s->super.state != WRING__END_TEARDOWN) {
        teardown(s);
    }
}

/* As wring__conn_dispatch does for a connection. */
void h2_stream_look(wring__mux_stream *s) {
    wring__endpoint *end = &s->super;
    if ((s->bits & H2_FRESH) != 0) {
        h2_stream_clear(s, H2_FRESH);
        h2_stream_ready(s);
        return;
    }
    if (end->state == WRING__END_OPEN && (s->super.rx_stop & WRING__RX_STOP_YIELDED) != 0) {
        yield_end(s);
    } else if ((s->bits & H2_BROKEN) != 0) {
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
    if ((s->bits & H2_BROKEN) != 0) {
        failure_tell(s, WRING_ERR_TRANSPORT);
    } else if ((s->bits & (H2_END | H2_END_TOLD)) == H2_END && !wring__end_is_stopped(&s->super)) {
        h2_stream_set(s, H2_END_TOLD);
        end->ops->eof(end);
    }
}

bool h2_stream_is_to_be_freed(const wring__mux_stream *s) {
    return (s->bits & (H2_GONE | H2_READY | H2_DIRTY)) == H2_GONE &&
           s->super.state != WRING__END_OPEN;
}

void h2_stream_free(wring__mux_stream *s) {
    h2_mux *mux = mux_of(s);
    mux->streams[s->index] = mux->streams[--mux->count];
    mux->streams[s->index]->index = s->index;
    stash_drop(s);
    wring__end_close(&s->super);
}

/* The connection ends: so does each stream. WRING_OK: it ended in order. */
void h2_mux_end(h2_mux *mux, wring_result reason) {
    for (uint32_t i = 0; i < mux->count; i++) {
        wring__mux_stream *s = mux->streams[i];
        h2_stream_set(s, H2_BROKEN);
        if ((s->super.rx_stop & WRING__RX_STOP_YIELDED) ==
            0) { /* else what its session has kept is lost */
            s->super.rx_stop = 0;
            stash_give(s);
        }
        if (s->super.state == WRING__END_OPEN && reason == WRING_OK) {
            s->super.ops->eof(&s->super);
        } else if (s->super.state == WRING__END_OPEN) {
            s->super.ops->failed(&s->super, reason);
        }
        if (s->super.state <= WRING__END_DRAINING) {
            teardown(s);
        }
    }
}

/* ---- what endpoints ask ---------------------------------------------------------------------- */

static void on_flush(wring__endpoint *end) {
    h2_stream_dirty(stream_of(end));
}

static void on_look(wring__endpoint *end) {
    wring__mux_stream *s = stream_of(end);
    const bool yielded = (end->rx_stop & WRING__RX_STOP_YIELDED) != 0;
    h2_stream_set(s, yielded && mux_of(s)->is_feeding ? H2_FRESH : 0);
    h2_stream_ready(s);
}

static bool is_broken(const wring__endpoint *end) {
    return (stream_of(end)->bits & H2_BROKEN) != 0;
}

static uint64_t kept(const wring__endpoint *end) {
    const struct wring__mux_stash *stash = stream_of(end)->stash;
    return stash == NULL ? 0 : stash->cap;
}

const wring__mux_ops h2_mux_ops = {.name = "HTTP/2",
                                   .flush = on_flush,
                                   .shut = on_shut,
                                   .abort = on_abort,
                                   .fail = on_fail,
                                   .look = on_look,
                                   .is_broken = is_broken,
                                   .kept = kept};
