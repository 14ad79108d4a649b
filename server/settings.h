/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a server may change while it runs: the policies of its routes, and the rules of topics.
 * A version of them is never changed, only replaced; each worker goes over to the newest one before
 * it does anything else of a turn.
 */
#ifndef WRING_SERVER_SETTINGS_H
#define WRING_SERVER_SETTINGS_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/policy.h"
#include "server/topic_rules.h"

struct wring__server_worker;

/** One version. Counted. */
typedef struct wring__settings {
    _Atomic uint32_t refs;
    wring__topic_rules *rules; /* a reference: versions that differ in policies share it */
    size_t policy_count;
    wring__policy policies[]; /* one a route; the last one is the server's */
} wring__settings;

/** The server's. */
typedef struct wring__settings_of {
    wring__settings *newest;
    pthread_rwlock_t lock;   /* of `newest` */
    pthread_mutex_t changes; /* one change at a time */
    _Atomic uint32_t version;
    _Atomic bool judge_publishers;       /* a publisher has to look */
    _Atomic uint64_t taken_bytes_always; /* of the rules: see topic_rules.h */
} wring__settings_of;

static inline const wring__policy *wring__settings_policy(const wring__settings *settings) {
    return &settings->policies[settings->policy_count - 1];
}

/** The first version, of the configuration and the routes.
 *  Errors: WRING_ERR_INVALID_CONFIG, WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__settings_init(wring_server *server, wring_error *error);
void wring__settings_deinit(wring_server *server);

/** The newest version, with a reference.   Thread: any. */
wring__settings *wring__settings_hold(wring_server *server);
void wring__settings_release(wring__settings *settings);

/** Goes over to the newest version: when wring__settings_look (server.h) found one. */
void wring__settings_take(struct wring__server_worker *worker);

/** What a publisher has to know. */
typedef struct wring__publish_rule {
    uint64_t message_bytes_max;
    uint16_t compress;
    wring_deflate_config deflate;
} wring__publish_rule;

/** Of a topic, by the newest version.   Thread: any. */
void wring__settings_judge(wring_server *server, wring_bytes topic, wring__publish_rule *out);
/** Only whether its rule takes a publication of that length. Cheap where no rule can refuse it.
 *  Thread: any. */
bool wring__settings_take_publication(wring_server *server, wring_bytes topic, size_t len);

#endif
