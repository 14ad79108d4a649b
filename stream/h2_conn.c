/* SPDX-License-Identifier: Apache-2.0
 *
 * The connection of a multiplexer of HTTP/2: what its worker calls, what its peer may do, its
 * drain. See h2_mux.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "stream/h2_mux.h"

/* Between the notice that streams are no longer welcome and the last GOAWAY: streams that the peer
 * opened meanwhile are served (RFC 9113 6.8). */
#define NOTICE_NS (500 * WRING_NS_PER_MS)
/* A small piece of DATA behind so many bytes is the rest of a larger window, as HAProxy leaves it
 * in each 64 KiB. It costs nothing. */
#define DATA_BETWEEN_TINY 1024

static wring__h2 *mux_of(const wring__endpoint *below) {
    return wring__h2_of_below(wring__stream_of_end((wring__endpoint *)(uintptr_t)below));
}

/* ---- budgets --------------------------------------------------------------------------------- */

void wring__h2_calm(wring__h2 *mux, const char *what) {
    if (!mux->is_calmed) {
        mux->is_calmed = true;
        wring__count(&mux->options.counters->calmed, 1);
        wring__h2_session_terminate(mux, WRING__H2_ENDING_CALM);
        if (mux->options.role->calmed != NULL) {
            mux->options.role->calmed(mux->below, what);
        }
    }
}

static bool charge(wring__h2 *mux, wring__meter *meter, uint64_t rate, uint64_t burst,
                   const char *what) {
    if (wring__meter_take_rate(meter, wring__h2_below(mux)->worker->now, rate, burst)) {
        return true;
    }
    wring__h2_calm(mux, what);
    return false;
}

bool wring__h2_charge_reset(wring__h2 *mux, const char *what) {
    const wring_http2_config *config = mux->options.config;
    return charge(mux, &mux->resets, config->resets_per_second, config->resets_burst, what);
}

bool wring__h2_charge_control(wring__h2 *mux, const char *what) {
    const wring_http2_config *config = mux->options.config;
    return charge(mux, &mux->controls, config->controls_per_second, config->controls_burst, what);
}

void wring__h2_charge_data(wring__h2 *mux, size_t len, bool is_tiny) {
    if (is_tiny && mux->data_since_tiny < DATA_BETWEEN_TINY && !mux->is_calmed) {
        (void)wring__h2_charge_control(mux, "windows of a few bytes");
    }
    mux->data_since_tiny = is_tiny ? 0 : mux->data_since_tiny + len;
}

/* ---- what the worker calls ------------------------------------------------------------------- */

static void over_look(wring__h2 *mux) {
    if (!mux->is_over && wring__h2_session_is_over(mux)) {
        mux->is_over = true;
        wring__end_ask(wring__h2_below(mux));
    }
}

static void die(wring__h2 *mux) {
    mux->is_dead = true;
    wring__end_break(wring__h2_below(mux), ENOMEM);
}

static void below_rx(wring__endpoint *below, wring_mut_bytes bytes, wring__block *block) {
    (void)block; /* DATA goes to its stream or its stash */
    wring__h2 *mux = mux_of(below);
    if (mux->is_calmed || mux->is_dead) {
        return;
    }
    const wring_result result = wring__h2_session_feed(mux, bytes);
    if (result == WRING_ERR_NO_MEMORY) {
        die(mux);
    } else if (result != WRING_OK) {
        mux->is_calmed = true;
        wring__h2_session_terminate(mux, WRING__H2_ENDING_PROTOCOL);
    }
    wring__h2_flush(mux);
}

static void below_fill(wring__endpoint *below) {
    wring__h2 *mux = mux_of(below);
    if (mux->is_dead) {
        return;
    }
    if (wring__h2_session_fill(mux) != WRING_OK) {
        die(mux);
        return;
    }
    over_look(mux);
}

static void below_end(wring__endpoint *below, wring_result reason) {
    wring__h2 *mux = mux_of(below);
    wring__h2_end(mux, reason);
    mux->is_going = true;
    if (mux->options.role->failed != NULL) {
        mux->options.role->failed(mux->below, reason);
    }
}

static void below_eof(wring__endpoint *below) {
    below_end(below, WRING_OK);
    wring__end_shut(below);
}

static void below_failed(wring__endpoint *below, wring_result reason) {
    below_end(below, reason);
}

/* It is put in order now: until nghttp2 has done so, it takes streams behind the last one named.
 * Without a stream nghttp2 ends the connection, unless a head is coming in: it has as long. */
static void goaway_send(wring__h2 *mux) {
    if (!mux->is_going) {
        mux->is_going = true;
        wring__h2_session_goaway(mux);
        below_fill(wring__h2_below(mux));
        wring__h2_flush(mux);
    }
    if (mux->count == 0) {
        wring__endpoint *below = wring__h2_below(mux);
        wring__end_set_deadline(below, below->worker->clock.peer_now + NOTICE_NS);
    }
}

static bool drain_is_due(const wring__h2 *mux) {
    return mux->drain_at != 0 && wring__h2_below(mux)->worker->clock.peer_now >= mux->drain_at;
}

static void below_timer(wring__endpoint *below) {
    wring__h2 *mux = mux_of(below);
    if (drain_is_due(mux)) {
        goaway_send(mux);
    } else if (mux->count == 0 && mux->options.role->timer != NULL) {
        mux->options.role->timer(mux->below);
    } else if (mux->count == 0) {
        wring__h2_session_terminate(mux, WRING__H2_ENDING_OK);
        below_fill(below);
        wring__end_shut(below);
    }
}

/* No ref names it. */
static void below_mail(wring__endpoint *below, const wring__mail *mail) {
    wring__count(&below->worker->counters.lost_mail, wring__mail_count(mail));
    wring__mail_lost(mail);
}

static void below_asked(wring__endpoint *below) {
    wring__h2 *mux = mux_of(below);
    if (wring__h2_look(mux)) {
        wring__h2_flush(mux); /* it may have been the last one of a connection that drains */
        if (mux->count == 0 && mux->drain_at != 0) {
            goaway_send(mux);
        } else if (mux->count == 0) {
            mux->options.role->idle(mux->below);
        }
    }
    if (mux->is_over) {
        below_end(below, mux->is_faulty ? WRING_ERR_BAD_HTTP2 : WRING_ERR_TRANSPORT);
        wring__end_shut(below);
    }
}

static void below_closed(wring__endpoint *below) {
    wring__h2 *mux = mux_of(below);
    wring__stream *stream = mux->below;
    const wring__h2_role *role = mux->options.role;
    wring__h2_end(mux, WRING_ERR_TRANSPORT);
    wring__h2_session_free(mux);
    while (mux->count > 0) {
        wring__h2_stream_free(mux->streams[mux->count - 1]);
    }
    wring__count(&mux->options.counters->closed, 1);
    wring__h2_head_free(mux->head);
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
                                         .rx = below_rx,
                                         .eof = below_eof,
                                         .failed = below_failed,
                                         .timer = below_timer,
                                         .mail = below_mail,
                                         .asked = below_asked,
                                         .resume = below_never,
                                         .closed = below_closed,
                                         .fill = below_fill};

/* ---- what owners ask ------------------------------------------------------------------------- */

/* The preface of RFC 9113 3.4, as far as a head of HTTP/1.x could not go on: no method has that
 * name (RFC 9113 11), and no version. nghttp2 looks at the rest. */
#define PREFACE "PRI * HTTP/2"
_Static_assert(sizeof PREFACE - 1 == WRING__H2_CLAIM_BYTES, "it is compared whole");

enum wring__h2_claim wring__h2_claim(wring_bytes first) {
    const size_t len = sizeof PREFACE - 1;
    if (memcmp(first.data, PREFACE, wring__min_size(first.len, len)) != 0) {
        return WRING__H2_CLAIM_NO;
    }
    return first.len < len ? WRING__H2_CLAIM_MORE : WRING__H2_CLAIM_YES;
}

wring_result wring__h2_take(wring__stream *below, const wring__h2_options *options) {
    wring__h2 *mux = calloc(1, sizeof *mux);
    if (mux == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    mux->super = (wring__mux){&wring__h2_mux_ops, &below->conn};
    mux->options = *options;
    mux->below = below;
    const wring_result result = wring__h2_session_make(mux);
    if (result != WRING_OK) {
        free(mux);
        return result;
    }
    wring__count(&options->counters->connections, 1);
    below->carried = &mux->super;
    below->conn.carries = true;
    below->end.ops = &below_ops;
    wring__h2_flush(mux);
    return WRING_OK;
}

bool wring__h2_is_below(const wring__endpoint *end, const wring__h2_role *role) {
    return end->ops == &below_ops && mux_of(end)->options.role == role;
}

uint64_t wring__h2_opened(const wring__stream *below) {
    return wring__h2_of_below(below)->opened;
}

uint32_t wring__h2_stream_count(const wring__stream *below) {
    return wring__h2_of_below(below)->count;
}

void wring__h2_drain(wring__stream *below) {
    wring__h2 *mux = wring__h2_of_below(below);
    if (mux->drain_at != 0 || mux->is_going) {
        return;
    }
    mux->drain_at = below->end.worker->clock.peer_now + NOTICE_NS;
    if (mux->count == 0) {
        goaway_send(mux);
        return;
    }
    wring__h2_session_notice(mux);
    wring__end_set_deadline(&below->end, mux->drain_at);
    wring__h2_flush(mux);
}

bool wring__h2_is_ready(const wring__stream *below) {
    return wring__h2_of_below(below)->is_ready;
}

uint32_t wring__h2_goaway_code(const wring__stream *below) {
    return wring__h2_of_below(below)->goaway_code;
}
