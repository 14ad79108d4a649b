/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker's slice of every topic: who of its connections is subscribed. One thread.
 */
#ifndef WRING_SERVER_TOPICS_H
#define WRING_SERVER_TOPICS_H

#include "core/mail.h"
#include "server/batch.h"
#include "server/presence.h"
#include "server/topic_rules.h"
#include "wring/server.h"

struct wring__peer;
struct wring__topic;

/** One connection's membership in one topic: linked from the connection, indexed by the topic. */
typedef struct wring__subscription {
    struct wring__subscription *next; /* of the same connection */
    struct wring__topic *topic;
    struct wring__peer *peer;
    uint32_t index; /* in topic->subscriptions */
} wring__subscription;

/** A topic of one worker. */
struct wring__topic {
    struct wring__topic *next; /* in the bucket */
    uint64_t hash;
    wring__subscription **subscriptions; /* dense: the walk touches nothing else */
    uint32_t count;
    uint32_t cap;
    wring__batch *batch; /* NULL: nothing was ever gathered */
    wring_duration_ns coalesce_ns;
    wring_slow_policy policy; /* WRING_SLOW_DEFAULT: each session's own */
    uint8_t name_len;
    uint8_t name[];
};

/** What there is now; read by any thread. */
typedef struct wring__topic_counts {
    uint64_t topics;
    uint64_t subscriptions;
} wring__topic_counts;

typedef struct wring__topics {
    struct wring__topic **buckets;
    uint32_t bucket_count; /* a power of two */
    uint32_t topic_count;
    wring__topic_counts *counts;
    wring__presence *presence; /* the server's; names are chosen by peers: its hash is keyed */
    uint32_t worker;           /* whose bit there is ours */
    uint32_t *slot_counts;     /* topics in each of its slots */
    const wring__topic_rules *rules;
    struct wring__topic *gathered; /* the one that has messages to deliver at the end of this turn;
                                      NULL: none */
} wring__topics;

WRING_MUST_CHECK wring_result wring__topics_init(wring__topics *topics, wring__presence *presence,
                                                 uint32_t worker, const wring__topic_rules *rules,
                                                 wring__topic_counts *counts);
void wring__topics_deinit(wring__topics *topics);

/** Adds to the connection's list. A second time does nothing.
 *  Errors: WRING_ERR_NO_MEMORY, WRING_ERR_TOO_MANY_TOPICS. */
WRING_MUST_CHECK wring_result wring__topics_subscribe(wring__topics *topics,
                                                      struct wring__peer *peer, wring_bytes name,
                                                      uint64_t max);
void wring__topics_unsubscribe(wring__topics *topics, struct wring__peer *peer, wring_bytes name);
void wring__topics_unsubscribe_all(wring__topics *topics, struct wring__peer *peer);

/** Subscribes or unsubscribes the peer, as the mail of another thread asks. False: it could not. */
WRING_MUST_CHECK bool wring__topics_mail(struct wring__peer *peer, const wring__mail *mail);

static inline bool wring__topic_is_legal(wring_bytes name) {
    return name.len > 0 && name.len <= WRING_TOPIC_MAX && name.data != NULL;
}

/** NULL when nobody here is subscribed.  @param hash  by the seed of the presence */
struct wring__topic *wring__topics_find(const wring__topics *topics, wring_bytes name,
                                        uint64_t hash);

/** Topics behave by these from now on.  Own: borrowed. */
void wring__topics_set_rules(wring__topics *topics, const wring__topic_rules *rules);

/** Visits every topic; the visitor changes no membership. */
void wring__topics_each(wring__topics *topics, void (*visit)(struct wring__topic *topic, void *arg),
                        void *arg);

#endif
