/* SPDX-License-Identifier: Apache-2.0
 *
 * Slow peers. See slow.h.
 */
#include "server/slow.h"

#include <errno.h>

#include "core/packed.h"
#include "server/server.h"

static wring__server_counters *counters_of(const wring__peer *peer) {
    return &wring__peer_worker(peer)->counters;
}

static wring__backlog *backlog_of(const wring__peer *peer) {
    return peer->extra == NULL || peer->extra->backlog.count == 0 ? NULL : &peer->extra->backlog;
}

/* ---- marks ----------------------------------------------------------------------------------- */

wring_time_ns wring__slow_deadline(const wring__peer *peer) {
    const uint32_t timeout_ms = wring__peer_policy(peer)->slow_timeout_ms;
    const wring_time_ns since = peer->extra == NULL ? WRING_TIME_NEVER : peer->extra->congested_at;
    return since == WRING_TIME_NEVER || timeout_ms == WRING_OFF
               ? WRING_TIME_NEVER
               : since + timeout_ms * WRING_NS_PER_MS;
}

static void congestion_begin(wring__peer *peer) {
    wring__count(&counters_of(peer)->congested, 1);
    peer->stream.end.tell_drained = true;
    wring__peer_flag(peer, WRING__PEER_IS_CONGESTED, true);
    wring__peer_extra *extra = wring__peer_extra_make(peer);
    if (extra != NULL) { /* without memory for it: not timed */
        extra->congested_at = peer->stream.end.worker->clock.peer_now;
        wring__end_bring_deadline(&peer->stream.end, wring__slow_deadline(peer));
    }
}

/* A message that is still being compressed is not what the peer is slow for; those behind it are as
 * if they were queued. */
static uint64_t unsent_of(const wring__peer *peer) {
    return wring__end_unsent(&peer->stream.end) +
           wring__machine_pending_behind(&peer->stream.session.machine);
}

/* Of what waits behind an open message the handler is not told: it is asked to go on with that. */
static uint64_t owed_of(const wring__peer *peer) {
    const wring_machine *machine = &peer->stream.session.machine;
    return machine->message_open ? 0 : wring__machine_pending_bytes(machine);
}

/* Not inlined: what it needs would be saved for those that are not slow as well. */
__attribute__((noinline)) static void look_closer(wring__peer *peer) {
    const wring_policy *policy = wring__peer_policy(peer);
    if (wring__end_unsent(&peer->stream.end) + owed_of(peer) <= policy->send_soft_bytes) {
        return;
    }
    if (!wring__peer_has(peer, WRING__PEER_IS_CONGESTED)) {
        congestion_begin(peer);
    }
    if (unsent_of(peer) >= policy->send_hard_bytes) {
        wring__worker_set_full(peer->stream.end.worker, peer->stream.end.slot, true);
    }
}

void wring__slow_look(wring__peer *peer) {
    if (WRING_UNLIKELY(wring__end_unsent(&peer->stream.end) >
                           wring__peer_policy(peer)->send_soft_bytes ||
                       peer->stream.session.machine.pending_at != 0)) {
        look_closer(peer);
    }
}

/* ---- policies -------------------------------------------------------------------------------- */

static void evict(wring__peer *peer) {
    wring__peer_extra *extra = wring__peer_extra_make(peer);
    if (extra == NULL) {
        wring__end_break(&peer->stream.end, ENOMEM);
    } else if (extra->evict == WRING_OK) {
        extra->evict = WRING_ERR_SLOW_CONSUMER;
        wring__end_ask(&peer->stream.end); /* the session is told in the dispatch phase */
    }
}

static void send_now(wring__peer *peer, wring__shared *message) {
    wring_result result = wring__machine_send_shared(&peer->stream.session.machine, message);
    if (result == WRING_OK) {
        wring__end_flush(&peer->stream.end);
        wring__slow_look(peer);
    } else if (result == WRING_ERR_NO_MEMORY) {
        wring__end_break(&peer->stream.end, ENOMEM);
    }
}

static bool is_over(const wring__peer *peer) {
    return unsent_of(peer) >= wring__peer_policy(peer)->send_hard_bytes;
}

static void drop_oldest(wring__peer *peer, wring__backlog *backlog) {
    wring__shared *oldest = wring__backlog_pop(backlog);
    if (oldest != NULL) {
        wring__shared_unref(oldest);
        wring__count(&counters_of(peer)->dropped_oldest, 1);
    }
}

/* The backlog has what the hard mark leaves above the soft one. */
static void backlog_add(wring__peer *peer, wring__shared *message, uint64_t id) {
    wring__peer_extra *extra = wring__peer_extra_make(peer);
    if (extra == NULL) {
        wring__end_break(&peer->stream.end, ENOMEM);
        return;
    }
    const wring_policy *policy = wring__peer_policy(peer);
    const uint64_t room = policy->send_hard_bytes - policy->send_soft_bytes;
    const uint64_t len = wring__shared_wire(message).len;
    while (extra->backlog.alive > 0 && extra->backlog.bytes + len > room) {
        drop_oldest(peer, &extra->backlog);
    }
    wring_result result = wring__backlog_push(&extra->backlog, message, id);
    if (result == WRING_ERR_QUEUE_FULL) {
        drop_oldest(peer, &extra->backlog);
        result = wring__backlog_push(&extra->backlog, message, id);
    }
    if (result != WRING_OK) {
        wring__end_break(&peer->stream.end, ENOMEM);
    }
}

static void wait_or_send(wring__peer *peer, wring__shared *message, uint64_t id) {
    const bool congested = unsent_of(peer) > wring__peer_policy(peer)->send_soft_bytes;
    if (congested || backlog_of(peer) != NULL) {
        backlog_add(peer, message, id);
    } else {
        send_now(peer, message);
    }
}

void wring__slow_publish(wring__peer *peer, wring_slow_policy policy, wring__shared *message,
                         uint64_t id) {
    WRING_DEBUG_ASSERT(wring__stream_is_started(&peer->stream));
    if (peer->stream.session.machine.state != WRING_MACHINE_OPEN ||
        peer->stream.session.machine.close_sent) {
        return; /* nothing follows a close frame */
    }
    policy = policy == WRING_SLOW_DEFAULT ? wring__peer_policy(peer)->slow_policy : policy;
    if (backlog_of(peer) != NULL && policy != WRING_SLOW_KEEP_LATEST) {
        backlog_add(peer, message, id); /* behind what waits, which another policy had wait */
        return;
    }
    switch (policy) {
    case WRING_SLOW_DEFAULT: /* resolved */
    case WRING_SLOW_DISCONNECT:
        if (is_over(peer)) {
            evict(peer);
        } else {
            send_now(peer, message);
        }
        break;
    case WRING_SLOW_DROP_NEWEST:
        if (is_over(peer)) {
            wring__count(&counters_of(peer)->dropped_newest, 1);
        } else {
            send_now(peer, message);
        }
        break;
    case WRING_SLOW_KEEP_LATEST:
        if (backlog_of(peer) != NULL && wring__backlog_remove(backlog_of(peer), id)) {
            wring__count(&counters_of(peer)->dropped_replaced, 1);
        }
        wait_or_send(peer, message, id);
        break;
    case WRING_SLOW_DROP_OLDEST:
        wait_or_send(peer, message, id);
        break;
    }
}

static bool is_evicted(const wring__peer *peer) {
    return peer->extra != NULL && peer->extra->evict != WRING_OK;
}

bool wring__slow_takes(wring__peer *peer, const wring__mail *mail) {
    const bool ends = is_evicted(peer);
    if (!ends && (peer->stream.session.machine.close_sent || !is_over(peer))) {
        return true; /* a session that is closing takes nothing more, and says so itself */
    }
    if (ends || wring__peer_policy(peer)->slow_policy == WRING_SLOW_DISCONNECT) {
        wring__count(&peer->stream.end.worker->counters.lost_mail, wring__mail_count(mail));
        evict(peer);
        return false;
    }
    wring_frame close;
    wring__count(&counters_of(peer)->dropped_newest, wring__mail_count(mail));
    if (wring__packed_close(mail->data,
                            &close)) { /* the messages are dropped, the end they came with is not */
        wring__session_close(&peer->stream.session, close.close_code, close.payload);
    }
    return false;
}

/* ---- draining -------------------------------------------------------------------------------- */

bool wring__slow_drained(wring__peer *peer, bool *tell) {
    WRING_ASSERT(wring__stream_is_started(&peer->stream));
    wring__peer_extra *extra = peer->extra;
    const uint64_t soft = wring__peer_policy(peer)->send_soft_bytes;
    if (wring__end_unsent(&peer->stream.end) > soft / 2 &&
        peer->stream.end.worker->drained_bytes > soft / 2) {
        peer->stream.end.tell_drained = true; /* another route's sessions would have drained */
        return false;
    }
    wring__worker_set_full(peer->stream.end.worker, peer->stream.end.slot, false);
    if (owed_of(peer) > soft) {
        peer->stream.end.tell_drained = true; /* it is asked again when more of that has gone */
        return false;
    }
    while (extra != NULL && unsent_of(peer) <= soft) {
        wring__shared *message = wring__backlog_pop(&extra->backlog);
        if (message == NULL) {
            break;
        }
        if (peer->stream.session.machine
                .close_sent) { /* nothing follows a close frame: it waited too long */
            wring__count(&counters_of(peer)->dropped_oldest, 1);
        }
        send_now(peer, message);
        wring__shared_unref(message);
    }
    *tell = wring__peer_has(peer, WRING__PEER_IS_CONGESTED);
    if (backlog_of(peer) != NULL) {
        peer->stream.end.tell_drained = true;
        return peer->stream.session.machine.message_open &&
               wring__end_unsent(&peer->stream.end) <= soft;
    }
    if (extra != NULL) {
        extra->congested_at = WRING_TIME_NEVER;
        wring__backlog_deinit(&extra->backlog);
    }
    wring__peer_flag(peer, WRING__PEER_IS_CONGESTED, false);
    wring__slow_look(peer);
    return !peer->stream.end.tell_drained;
}

void wring__slow_end(wring__peer *peer) {
    wring__worker_set_full(peer->stream.end.worker, peer->stream.end.slot, false);
    if (peer->extra != NULL) {
        wring__count(&counters_of(peer)->dropped_oldest, peer->extra->backlog.alive);
        wring__backlog_deinit(&peer->extra->backlog);
    }
}

void wring__slow_review(wring__peer *peer) {
    wring__endpoint *end = &peer->stream.end;
    if (!wring__peer_has(peer, WRING__PEER_IS_CONGESTED)) {
        wring__slow_look(peer);
        return;
    }
    wring__worker_set_full(end->worker, end->slot, is_over(peer));
    wring__end_bring_deadline(end, wring__slow_deadline(peer));
    if (wring__end_unsent(end) <= wring__peer_policy(peer)->send_soft_bytes / 2) {
        end->tell_drained = false;
        wring__end_ask(end); /* it has drained, by the new marks */
    }
}
