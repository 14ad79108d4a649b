/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker's slice of every topic: who of its connections is subscribed, and the walk that gives
 * them a message. Delivery calls no user code, so nothing changes under the walk. One thread.
 */
#ifndef WRING_SERVER_TOPICS_H
#define WRING_SERVER_TOPICS_H

#include "core/shared.h"
#include "wring/bytes.h"

struct wring__peer;
struct wring__topic;

/** One connection's membership in one topic: linked from the connection, indexed by the topic. */
typedef struct wring__subscription {
    struct wring__subscription *next; /* of the same connection */
    struct wring__topic *topic;
    struct wring__peer *peer;
    uint32_t index; /* in topic->subscriptions */
} wring__subscription;

typedef struct wring__topics {
    struct wring__topic **buckets;
    uint32_t bucket_count; /* a power of two */
    uint32_t topic_count;
    uint64_t seed; /* names are chosen by peers: the hash is keyed */
} wring__topics;

WRING_MUST_CHECK wring_result wring__topics_init(wring__topics *topics);
void wring__topics_deinit(wring__topics *topics);

/** Adds to the connection's list. A second time does nothing.
 *  Errors: WRING_ERR_NO_MEMORY, WRING_ERR_TOO_MANY_TOPICS. */
WRING_MUST_CHECK wring_result wring__topics_subscribe(wring__topics *topics,
                                                      struct wring__peer *peer, wring_bytes name,
                                                      uint32_t max);
void wring__topics_unsubscribe(wring__topics *topics, struct wring__peer *peer, wring_bytes name);
void wring__topics_unsubscribe_all(wring__topics *topics, struct wring__peer *peer);

/** Queues the message to every subscriber of this worker but `except`, which may be NULL.
 *  Cost: one queue entry each. */
void wring__topics_deliver(wring__topics *topics, wring_bytes name, wring__shared *message,
                           const struct wring__peer *except);

#endif
