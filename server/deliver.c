/* SPDX-License-Identifier: Apache-2.0
 *
 * The walk that gives a published message, or a window's worth of them, to a worker's subscribers.
 * It calls no user code, so nothing changes under it. One thread.
 *
 * What one turn publishes to a topic goes out as one run of bytes that all subscribers share.
 * Nobody can tell by the order of what arrives: at most one topic is gathered at a time, and before
 * anything else is queued to one of its subscribers what was gathered is delivered.
 */
#include <errno.h>

#include "core/trace.h"
#include "server/peer.h"
#include "server/publication.h"
#include "server/server.h"
#include "server/slow.h"

/* Nothing waits and the queue is short: nearly always.
 * @param soft_bytes  the smallest soft mark of any route: above it slow.c looks at the route's */
static bool is_quick(const wring__peer *peer, uint64_t soft_bytes) {
    return wring__end_unsent(&peer->stream.end) <= soft_bytes &&
           peer->stream.session.machine.pending_at == 0 &&
           (peer->extra == NULL || peer->extra->backlog.count == 0);
}

static void send_quick(wring__peer *peer, wring__shared *message, uint64_t soft_bytes) {
    wring_result result = wring__machine_send_shared(&peer->stream.session.machine, message);
    if (result == WRING_OK) {
        wring__end_flush(&peer->stream.end);
        if (WRING_UNLIKELY(wring__end_unsent(&peer->stream.end) > soft_bytes)) {
            wring__slow_look(peer);
        }
    } else if (result == WRING_ERR_NO_MEMORY) {
        wring__end_break(&peer->stream.end, ENOMEM); /* told in the dispatch phase */
    }
}

/* What a newer message replaces: one of the same topic and key. */
static uint64_t id_of(const wring__publication *about) {
    uint64_t mixed = (about->hash ^ about->key) * UINT64_C(0x9E3779B97F4A7C15);
    return about->hash + (mixed ^ mixed >> 32);
}

static void deliver_to(wring__peer *peer, const struct wring__topic *topic, wring__shared *message,
                       const wring__publication *about, uint64_t soft_bytes) {
    if (is_quick(peer, soft_bytes)) {
        send_quick(peer, message, soft_bytes);
    } else {
        wring__slow_publish(peer, topic->policy, message, id_of(about));
    }
}

static void deliver_one(wring__server_worker *worker, const struct wring__topic *topic,
                        wring__shared *message, const wring__publication *about) {
    const uint64_t soft_bytes = worker->io.soft_bytes;
    const wring__peer *except = wring__peer_named(worker, about->except);
    WRING_TRACE(PUBLISH, topic->count, message->payload_len);
    worker->io.mail_work += topic->count;
    wring__count(&worker->io.messages.tx, topic->count);
    for (uint32_t i = 0; i < topic->count; i++) {
        wring__peer *peer = topic->subscriptions[i]->peer;
        if (peer != except) {
            deliver_to(peer, topic, message, about, soft_bytes);
        }
    }
}

/* ---- a window's worth ------------------------------------------------------------------------ */

/* Below so many subscribers a copy of it all costs more than an entry each in their queues. */
#define JOIN_SUBSCRIBERS_MIN 4

/* For who published some of it, or is slow: one by one. */
static void deliver_each(wring__server_worker *worker, wring__peer *peer,
                         const struct wring__topic *topic) {
    const uint64_t soft_bytes = worker->io.soft_bytes;
    const wring__batch *batch = topic->batch;
    for (uint32_t i = 0; i < batch->count; i++) {
        wring_bytes name;
        const wring__publication about = wring__publication_of(batch->messages[i], &name);
        if (wring__peer_named(worker, about.except) != peer) {
            deliver_to(peer, topic, batch->messages[i], &about, soft_bytes);
        }
    }
}

/* Marks or unmarks those who published some of it and must not get that back. */
static void authors_mark(wring__server_worker *worker, const wring__batch *batch, bool mark) {
    for (uint32_t i = 0; i < batch->count; i++) {
        wring_bytes name;
        const wring__publication about = wring__publication_of(batch->messages[i], &name);
        wring__peer *author = wring__peer_named(worker, about.except);
        if (author != NULL) {
            wring__peer_flag(author, WRING__PEER_IS_AUTHOR, mark);
        }
    }
}

static void deliver_joined(wring__server_worker *worker, const struct wring__topic *topic,
                           wring__shared *joined) {
    const uint64_t soft_bytes = worker->io.soft_bytes;
    WRING_TRACE(PUBLISH, topic->count, joined->payload_len);
    authors_mark(worker, topic->batch, true);
    for (uint32_t i = 0; i < topic->count; i++) {
        wring__peer *peer = topic->subscriptions[i]->peer;
        /* a joined run is not compressed: who has a context gets each message's form */
        const bool compressed = peer->stream.session.machine.deflate != NULL;
        if (wring__peer_has(peer, WRING__PEER_IS_AUTHOR) || compressed ||
            !is_quick(peer, soft_bytes)) {
            deliver_each(worker, peer, topic);
        } else {
            send_quick(peer, joined, soft_bytes);
        }
    }
    authors_mark(worker, topic->batch, false);
}

static void deliver_gathered(wring__server_worker *worker, struct wring__topic *topic) {
    wring__shared *joined =
        topic->count < JOIN_SUBSCRIBERS_MIN ? NULL : wring__batch_join(topic->batch);
    if (joined != NULL) {
        deliver_joined(worker, topic, joined);
        wring__shared_unref(joined);
    } else {
        for (uint32_t i = 0; i < topic->count; i++) {
            deliver_each(worker, topic->subscriptions[i]->peer, topic);
        }
    }
    worker->io.mail_work += topic->count;
    wring__count(&worker->io.messages.tx, (uint64_t)topic->count * topic->batch->count);
}

void wring__deliver_batch(wring__server_worker *worker, struct wring__topic *topic) {
    wring__batch *batch = topic->batch;
    struct wring__topic **gathered = &worker->topics.gathered;
    *gathered = *gathered == topic ? NULL : *gathered;
    if (batch == NULL || batch->count == 0) {
        return;
    }
    if (batch->count == 1) {
        wring_bytes name;
        const wring__publication about = wring__publication_of(batch->messages[0], &name);
        deliver_one(worker, topic, batch->messages[0], &about);
    } else {
        deliver_gathered(worker, topic);
    }
    wring__batch_clear(batch);
}

void wring__deliver_batches_of(wring__server_worker *worker, const wring__peer *peer,
                               wring_duration_ns window_max) {
    for (const wring__subscription *s = peer->subscriptions; s != NULL; s = s->next) {
        if (s->topic->coalesce_ns <= window_max) {
            wring__deliver_batch(worker, s->topic);
        }
    }
}

static void topic_deliver(struct wring__topic *topic, void *worker) {
    wring__deliver_batch(worker, topic);
}

void wring__deliver_all_batches(wring__server_worker *worker) {
    wring__topics_each(&worker->topics, topic_deliver, worker);
}

static void window_over(wring__task *task) {
    const wring__batch *batch = WRING_CONTAINER_OF(task, wring__batch, task);
    wring__deliver_batch(WRING_CONTAINER_OF(batch->worker, wring__server_worker, io), batch->topic);
}

/* False: it has to go now. */
static bool gather(wring__server_worker *worker, struct wring__topic *topic,
                   wring__shared *message) {
    if (topic->batch == NULL) {
        topic->batch = wring__batch_create(&worker->io, topic, window_over);
    }
    if (topic->batch == NULL) {
        return false;
    }
    wring_result result = wring__batch_add(topic->batch, message, topic->coalesce_ns);
    if (result != WRING_OK) { /* full: the window ends early, this one begins the next */
        wring__deliver_batch(worker, topic);
        result = wring__batch_add(topic->batch, message, topic->coalesce_ns);
    }
    return result == WRING_OK;
}

/* It may go on to reply in the same callback: then this must be queued by then. */
static bool reaches_current(const wring__server_worker *worker, const struct wring__topic *topic,
                            const wring__publication *about) {
    const wring__peer *peer = worker->current;
    if (peer == NULL || (about->except != WRING_REF_NONE &&
                         about->except == wring__stream_ref(&peer->stream.session))) {
        return false;
    }
    const wring__subscription *s = peer->subscriptions;
    while (s != NULL && s->topic != topic) {
        s = s->next;
    }
    return s != NULL;
}

/* For the end of the turn, after whatever another topic has gathered. */
static bool gather_for_turn(wring__server_worker *worker, struct wring__topic *topic,
                            wring__shared *message, const wring__publication *about) {
    struct wring__topic **gathered = &worker->topics.gathered;
    const bool at_once = reaches_current(worker, topic, about);
    if (*gathered != NULL && (*gathered != topic || at_once)) {
        wring__deliver_batch(worker, *gathered);
    }
    if (at_once) {
        wring__deliver_batch(worker, topic); /* a window that the rules have since taken away */
        return false;
    }
    if (!gather(worker, topic, message)) {
        return false;
    }
    *gathered = topic;
    return true;
}

void wring__deliver(wring__server_worker *worker, wring__shared *message) {
    WRING_TRACE_STOP();
    wring_bytes name;
    const wring__publication about = wring__publication_of(message, &name);
    struct wring__topic *topic = wring__topics_find(&worker->topics, name, about.hash);
    if (topic == NULL) {
        return;
    }
    const bool waits = topic->coalesce_ns == 0 ? gather_for_turn(worker, topic, message, &about)
                                               : gather(worker, topic, message);
    if (!waits) {
        deliver_one(worker, topic, message, &about);
    }
}
