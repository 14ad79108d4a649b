/* SPDX-License-Identifier: Apache-2.0
 *
 * Topics of one worker. See topics.h.
 */
#include "server/topics.h"

#include <stdlib.h>

#include "core/count.h"
#include "core/hash.h"
#include "server/peer.h"
#include "server/publication.h"
#include "server/server.h"
#include "wring/server.h"

#define BUCKETS_FIRST 64

wring_result wring__topics_init(wring__topics *topics, wring__presence *presence, uint32_t worker,
                                const wring__topic_rules *rules, wring__topic_counts *counts) {
    memset(topics, 0, sizeof *topics);
    topics->bucket_count = BUCKETS_FIRST;
    topics->buckets = calloc(topics->bucket_count, sizeof(struct wring__topic *));
    if (topics->buckets == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    topics->presence = presence;
    topics->worker = worker;
    topics->rules = rules;
    topics->counts = counts;
    topics->slot_counts = calloc(WRING__PRESENCE_SLOTS, sizeof(uint32_t));
    return topics->slot_counts == NULL ? WRING_ERR_NO_MEMORY : WRING_OK;
}

void wring__topics_deinit(wring__topics *topics) {
    WRING_ASSERT(topics->topic_count == 0); /* topics end with their last subscriber */
    free(topics->buckets);
    free(topics->slot_counts);
    memset(topics, 0, sizeof *topics);
}

/* ---- presence: told to publishers when the first topic of a slot comes and the last goes -------
 */

static void presence_add(wring__topics *topics, uint64_t hash) {
    const uint32_t slot = wring__presence_slot(hash);
    if (topics->slot_counts[slot]++ == 0) {
        wring__presence_set(topics->presence, slot, topics->worker);
    }
}

static void presence_remove(wring__topics *topics, uint64_t hash) {
    const uint32_t slot = wring__presence_slot(hash);
    if (--topics->slot_counts[slot] == 0) {
        wring__presence_clear(topics->presence, slot, topics->worker);
    }
}

/* ---- the table ------------------------------------------------------------------------------- */

static struct wring__topic **bucket_of(const wring__topics *topics, uint64_t hash) {
    return &topics->buckets[hash & (topics->bucket_count - 1)];
}

struct wring__topic *wring__topics_find(const wring__topics *topics, wring_bytes name,
                                        uint64_t hash) {
    for (struct wring__topic *t = *bucket_of(topics, hash); t != NULL; t = t->next) {
        if (t->hash == hash && wring_bytes_equal(name, wring_bytes_of(t->name, t->name_len))) {
            return t;
        }
    }
    return NULL;
}

void wring__topics_each(wring__topics *topics, void (*visit)(struct wring__topic *topic, void *arg),
                        void *arg) {
    for (uint32_t i = 0; i < topics->bucket_count; i++) {
        for (struct wring__topic *t = topics->buckets[i]; t != NULL; t = t->next) {
            visit(t, arg);
        }
    }
}

/* Twice the buckets; when memory is out the old ones do, only slower. */
static void buckets_grow(wring__topics *topics) {
    struct wring__topic **old = topics->buckets;
    uint32_t old_count = topics->bucket_count;
    struct wring__topic **grown = calloc((size_t)old_count * 2, sizeof(struct wring__topic *));
    if (grown == NULL) {
        return;
    }
    topics->buckets = grown;
    topics->bucket_count = old_count * 2;
    for (uint32_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct wring__topic *t = old[i];
            old[i] = t->next;
            t->next = *bucket_of(topics, t->hash);
            *bucket_of(topics, t->hash) = t;
        }
    }
    free(old);
}

static void rule_take(struct wring__topic *topic, void *of) {
    const wring__topics *topics = of;
    const wring_topic_rule rule =
        wring__topic_rules_find(topics->rules, wring_bytes_of(topic->name, topic->name_len));
    topic->coalesce_ns = rule.coalesce_us == WRING_OFF ? 0 : rule.coalesce_us * UINT64_C(1000);
    topic->policy = rule.slow_policy;
}

void wring__topics_set_rules(wring__topics *topics, const wring__topic_rules *rules) {
    topics->rules = rules;
    wring__topics_each(topics, rule_take, topics);
}

static struct wring__topic *topic_make(wring__topics *topics, wring_bytes name, uint64_t hash) {
    struct wring__topic *topic = calloc(1, sizeof *topic + name.len);
    if (topic == NULL) {
        return NULL;
    }
    if (topics->topic_count >= topics->bucket_count) {
        buckets_grow(topics);
    }
    topic->hash = hash;
    topic->name_len = (uint8_t)name.len;
    memcpy(topic->name, name.data, name.len);
    rule_take(topic, topics);
    topic->next = *bucket_of(topics, hash);
    *bucket_of(topics, hash) = topic;
    topics->topic_count++;
    wring__count(&topics->counts->topics, 1);
    presence_add(topics, hash);
    return topic;
}

static void topic_drop_when_empty(wring__topics *topics, struct wring__topic *topic) {
    if (topic->count > 0) {
        return;
    }
    struct wring__topic **link = bucket_of(topics, topic->hash);
    while (*link != topic) {
        link = &(*link)->next;
    }
    *link = topic->next;
    topics->topic_count--;
    wring__count(&topics->counts->topics, (uint64_t)-1);
    presence_remove(topics, topic->hash);
    topics->gathered = topics->gathered == topic ? NULL : topics->gathered;
    wring__batch_destroy(topic->batch);
    free(topic->subscriptions);
    free(topic);
}

/* ---- membership ------------------------------------------------------------------------------ */

static wring__subscription **subscription_link(wring__peer *peer,
                                               const struct wring__topic *topic) {
    wring__subscription **link = &peer->subscriptions;
    while (*link != NULL && (*link)->topic != topic) {
        link = &(*link)->next;
    }
    return link;
}

/* Not kept: it is asked for after a walk of the same list. */
static uint32_t subscription_count(const wring__peer *peer) {
    uint32_t count = 0;
    for (const wring__subscription *s = peer->subscriptions; s != NULL; s = s->next) {
        count++;
    }
    return count;
}

static wring_result members_reserve(struct wring__topic *topic) {
    if (topic->count < topic->cap) {
        return WRING_OK;
    }
    uint32_t cap = topic->cap == 0 ? 4 : topic->cap * 2;
    wring__subscription **grown =
        realloc(topic->subscriptions, cap * sizeof(wring__subscription *));
    if (grown == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    topic->subscriptions = grown;
    topic->cap = cap;
    return WRING_OK;
}

static wring_result member_add(struct wring__topic *topic, wring__peer *peer) {
    wring__subscription *subscription = calloc(1, sizeof *subscription);
    if (subscription == NULL || members_reserve(topic) != WRING_OK) {
        free(subscription);
        return WRING_ERR_NO_MEMORY;
    }
    subscription->topic = topic;
    subscription->peer = peer;
    subscription->index = topic->count;
    topic->subscriptions[topic->count++] = subscription;
    subscription->next = peer->subscriptions;
    peer->subscriptions = subscription;
    return WRING_OK;
}

wring_result wring__topics_subscribe(wring__topics *topics, wring__peer *peer, wring_bytes name,
                                     uint64_t max) {
    uint64_t hash = wring__hash(topics->presence->seed, name);
    struct wring__topic *topic = wring__topics_find(topics, name, hash);
    if (topic != NULL && *subscription_link(peer, topic) != NULL) {
        return WRING_OK;
    }
    if (subscription_count(peer) >= max) {
        return WRING_ERR_TOO_MANY_TOPICS;
    }
    if (topic == NULL) {
        topic = topic_make(topics, name, hash);
    }
    if (topic == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    wring_result result = member_add(topic, peer);
    wring__count(&topics->counts->subscriptions, result == WRING_OK);
    topic_drop_when_empty(topics, topic);
    return result;
}

static void member_remove(wring__topics *topics, wring__subscription **link) {
    wring__subscription *subscription = *link;
    struct wring__topic *topic = subscription->topic;
    wring__subscription *moved = topic->subscriptions[--topic->count];
    topic->subscriptions[subscription->index] = moved;
    moved->index = subscription->index;
    wring__count(&topics->counts->subscriptions, (uint64_t)-1);
    *link = subscription->next;
    free(subscription);
    topic_drop_when_empty(topics, topic);
}

void wring__topics_unsubscribe(wring__topics *topics, wring__peer *peer, wring_bytes name) {
    struct wring__topic *topic =
        wring__topics_find(topics, name, wring__hash(topics->presence->seed, name));
    if (topic != NULL) {
        wring__subscription **link = subscription_link(peer, topic);
        if (*link != NULL) {
            member_remove(topics, link);
        }
    }
}

void wring__topics_unsubscribe_all(wring__topics *topics, wring__peer *peer) {
    while (peer->subscriptions != NULL) {
        member_remove(topics, &peer->subscriptions);
    }
}

/* ---- public ---------------------------------------------------------------------------------- */

/* Who comes or goes gets what was published while it was there, and no more. */
static void window_end(wring__server_worker *worker, wring_bytes name) {
    struct wring__topic *topic =
        wring__topics_find(&worker->topics, name, wring__hash(worker->topics.presence->seed, name));
    if (topic != NULL) {
        wring__deliver_batch(worker, topic);
    }
}

static wring_result subscribe(wring__peer *peer, wring_bytes topic) {
    wring__server_worker *worker = wring__peer_worker(peer);
    window_end(worker, topic);
    return wring__topics_subscribe(&worker->topics, peer, topic,
                                   wring__peer_policy(peer)->subscriptions_max);
}

static void unsubscribe(wring__peer *peer, wring_bytes topic) {
    window_end(wring__peer_worker(peer), topic);
    wring__topics_unsubscribe(&wring__peer_worker(peer)->topics, peer, topic);
}

wring_result wring_session_subscribe(wring_session *session, wring_bytes topic) {
    wring__peer *peer = wring__peer_of(session);
    if (peer == NULL || peer->stream.session.machine.state == WRING_MACHINE_CLOSED) {
        return WRING_ERR_INVALID_STATE;
    }
    if (!wring__topic_is_legal(topic)) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    return subscribe(peer, topic);
}

void wring_session_unsubscribe(wring_session *session, wring_bytes topic) {
    wring__peer *peer = wring__peer_of(session);
    if (peer != NULL) {
        unsubscribe(peer, topic);
    }
}

/* ---- from other threads ---------------------------------------------------------------------- */

bool wring__topics_mail(wring__peer *peer, const wring__mail *mail) {
    const wring__shared *shared = mail->data;
    const wring_bytes topic = wring_bytes_of(shared->payload, shared->payload_len);
    if (mail->kind == WRING__MAIL_UNSUBSCRIBE) {
        unsubscribe(peer, topic);
        return true;
    }
    return peer->stream.session.machine.state == WRING_MACHINE_OPEN &&
           subscribe(peer, topic) == WRING_OK;
}

/* The subscribers, by refs: they and the topic may go meanwhile. NULL: no memory. */
static wring_ref *subscribers_list(const struct wring__topic *topic) {
    wring_ref *refs = malloc(topic->count * sizeof *refs);
    for (uint32_t i = 0; refs != NULL && i < topic->count; i++) {
        refs[i] = wring__stream_ref(&topic->subscriptions[i]->peer->stream.session);
    }
    return refs;
}

static void subscribers_tell(wring__server_worker *worker, struct wring__topic *topic,
                             const wring__shared *message) {
    const uint32_t count = topic->count;
    const bool closes = message->opcode == WRING_CLOSE;
    const wring_bytes reason = wring_bytes_of(message->payload, message->payload_len);
    wring_ref *refs = subscribers_list(topic);
    if (refs == NULL) {
        wring__count(&worker->io.counters.lost_mail, 1);
    }
    wring_bytes name;
    (void)wring__publication_of(message, &name); /* the topic may be freed */
    for (uint32_t i = 0; refs != NULL && i < count; i++) {
        wring__peer *peer = wring__peer_named(worker, refs[i]);
        if (peer != NULL && closes) {
            wring__peer_close(peer, message->close_code, reason);
        } else if (peer != NULL) {
            wring__topics_unsubscribe(&worker->topics, peer, name);
        }
    }
    worker->io.mail_work += count;
    free(refs);
}

void wring__topic_mail(wring__server_worker *worker, wring__shared *message) {
    wring_bytes name;
    const wring__publication about = wring__publication_of(message, &name);
    window_end(worker, name);
    struct wring__topic *topic = wring__topics_find(&worker->topics, name, about.hash);
    if (topic != NULL) {
        subscribers_tell(worker, topic, message);
    }
}
