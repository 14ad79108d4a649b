/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a server: frozen configuration, workers, and what a worker keeps as a server.
 *
 * server.c   create, start, stop: the threads
 * member.c   one worker: its mail, its turns, its drain
 * peer.c     one accepted connection and its session
 * http.c     what comes before the session: heads and bodies, exchanges in order
 * request.c  from a request to who answers it
 * exchange.c an exchange: its request, its handler's calls, its end
 * exchange_ref.c  exchanges by ref, from any thread
 * answer.c   answers: checked, and written
 * upgrade.c  from a request to its session
 * origin.c   which Origins may upgrade
 * proxies.c  whose X-Forwarded-Host counts
 * carried.c  peers that are streams of one connection
 * routes.c   what a path leads to
 * route_match.c  and which one a request's does
 * path.c     patterns of paths
 * methods.c  methods of routes
 * policy.c   what the sessions of a route may do
 * settings.c what may change while it runs
 * visit.c    walks over a worker's sessions
 * topics.c   a worker's slice of every topic: who is subscribed
 * presence.c which workers have subscribers of a topic
 * publish.c  publishing, from any thread
 * deliver.c  a published message to a worker's subscribers
 * batch.c    what is published within a coalescing window
 * tell.c     what is refused or ends: counted, and told to the log
 * limits.c   how many connections, how fast, how old
 * sources.c  connections by source address
 * memory.c   the memory budget
 * cgroup.c   how much memory there is for the process
 * slow.c     marks and policies for peers that do not keep up
 * backlog.c  what such a peer may yet lose
 */
#ifndef WRING_SERVER_SERVER_H
#define WRING_SERVER_SERVER_H

#include <stdatomic.h>

#include "io/log.h"
#include "core/refusals.h"
#include "io/group.h"
#include "proto/session.h"
#include "proto/http1.h"
#include "server/deflate.h"
#include "server/limits.h"
#include "server/memory.h"
#include "server/proxies.h"
#include "server/routes.h"
#include "server/settings.h"
#include "server/topics.h"
#include "stream/h2.h"
#include "wring/server.h"

/** Mail kinds of a server's workers. */
enum {
    WRING__MAIL_PUBLISH = WRING__MAIL_GROUP_OWNER, /* data: the message (publication.h) */
    WRING__MAIL_RELOAD_TLS,                        /* data: the new context, one reference */
    WRING__MAIL_SETTINGS,                          /* there are new ones */
    WRING__MAIL_TOPIC                              /* data: see wring__topic_mail */
};

/** Written by the worker only, with wring__count. */
typedef struct wring__server_counters {
    uint64_t upgraded;
    uint64_t exchanges;
    uint64_t sessions_ended;
    uint64_t congested;
    uint64_t dropped_newest;
    uint64_t dropped_oldest;
    uint64_t dropped_replaced;
    uint64_t slow_ended;
    uint64_t rate_ended;
    uint64_t too_old;
    uint64_t refused_total;
    uint64_t refused_source;
    uint64_t handshakes_evicted;
    uint64_t refused_tls_rate;
    uint64_t memory_stops;
    uint64_t memory_evicted;
    uint64_t refused_memory;
} wring__server_counters;

/** What the sessions of one route have in common on one worker. */
typedef struct wring__route_sessions {
    wring__machine_common common; /* first: each session keeps a pointer to it */
    wring_policy policy;          /* adopted */
} wring__route_sessions;

typedef struct wring__server_worker {
    wring__worker io; /* first: the io layer's owner pointer and this are the same thing */
    wring__member member;
    wring_server *server;
    wring__topics topics;
    wring__topic_counts topic_counts;
    wring__route_sessions *sessions; /* one a route */
    wring__settings *settings;       /* a reference */
    uint32_t settings_version;
    struct wring__visit *visits; /* that go on */
    wring_deflate_stats deflate_stats;
    wring__server_counters counters;
    wring__h2_counters http2;
    wring__refusals refusals;
    wring__handshakes handshakes;
    wring__meter tls_handshakes;
    wring__memory memory;
    _Atomic uint64_t held;         /* bytes, as of its last turn */
    struct wring__peer *current;   /* whose callbacks run or ran last; NULL: nobody's */
    struct wring__peer *http_runs; /* whose requests are looked at (http.c) */
    uint64_t random;               /* of wring__server_random */
    wring__tls_context *tls;       /* its own reference; NULL: plain */
    wring__socket listener;
    _Atomic uint8_t address; /* its number in the registry, 0 while it is not up: for publishers */
    uint64_t drain_ns;
    bool drain_over;      /* who comes now is closed unheard */
    wring__task unlisten; /* draining: the end of listening, a while after its beginning */
    wring__http1 parser;  /* scratch: for heads that come in one piece */
    uint8_t *decoded;     /* scratch: a percent-decoded path, twice target_bytes_max */
    int64_t date_at;      /* seconds since 1970 */
    char date[30];        /* as HTTP writes them */
    wring_header headers[WRING__HTTP1_FIELDS_MAX];
} wring__server_worker;

struct wring_server {
    wring_server_config config;
    wring__routes routes;
    wring__settings_of settings;
    wring__group group;
    wring__server_worker *workers;
    wring__presence presence;
    wring__sources sources;
    _Atomic uint32_t connections; /* of all workers, where connections_total_max is set */
    wring__log log;
    wring_tls_server_config tls_config; /* config.tls points to it; its sni to tls_sni */
    wring_tls_sni *tls_sni;
    _Atomic uint16_t port;
    bool started;
    bool announced;              /* its start was told to the log */
    pthread_mutex_t reload_lock; /* one reload at a time: guards tls */
    wring__tls_context *tls;     /* the one new workers begin with; NULL: plain */
    wring__server_deflate deflate;
    wring_http2_config http2; /* config.http2 points to it */
    wring__proxies *proxies;  /* NULL: none are trusted */
};

/** config.c: fills in every default and checks.  Errors: WRING_ERR_INVALID_CONFIG. */
WRING_MUST_CHECK wring_result wring__server_config_adopt(const wring_server_config *in,
                                                         wring_server_config *out,
                                                         wring_error *error);

/** member.c: the workers of a server. */
extern const wring__group_ops wring__server_group_ops;
wring__listen_config wring__server_listen_config(const wring_server *server, uint16_t port);

/** Before the start: the server runs on this backend. */
void wring__server_set_backend(wring_server *server, wring__backend_choice backend);

/** For whoever drives the turns of a driven backend. */
static inline bool wring__server_worker_is_done(const wring__server_worker *worker) {
    return wring__member_is_done(&worker->member);
}
void wring__server_drain(wring_server *server, uint32_t drain_ms);

/** Before anything that settings decide: goes over to the newest ones, if there are any. */
static inline void wring__settings_look(wring__server_worker *worker) {
    if (WRING_UNLIKELY(
            worker->settings_version !=
            atomic_load_explicit(&worker->server->settings.version, memory_order_acquire))) {
        wring__settings_take(worker);
    }
}

/** Has the sessions of each route follow the worker's settings. */
void wring__server_sessions_set(wring__server_worker *worker);

/** topics.c: what is asked of all subscribers of a topic: a message with the opcode CLOSE closes
 *  them, another one ends their subscriptions. Both come after what was gathered. */
void wring__topic_mail(wring__server_worker *worker, wring__shared *message);

/** deliver.c: queues a published message to every subscriber of the worker.
 *  Cost: one queue entry each. */
void wring__deliver(wring__server_worker *worker, wring__shared *message);
/** Delivers what was gathered for the topic; nothing is legal. */
void wring__deliver_batch(wring__server_worker *worker, struct wring__topic *topic);
/** The same for every topic the peer is subscribed to whose window is no longer than that; 0: the
 *  turn's. */
void wring__deliver_batches_of(wring__server_worker *worker, const struct wring__peer *peer,
                               wring_duration_ns window_max);
/** The same for every topic. */
void wring__deliver_all_batches(wring__server_worker *worker);

/** Now, as HTTP's Date has it: good until the next call.   RFC: 9110 6.6.1 */
wring_bytes wring__server_date(wring__server_worker *worker);

/** A number for jitter: no secret may come of it. */
uint64_t wring__server_random(wring__server_worker *worker);

/** peer.c: the connections of a worker. */
extern const wring__session_owner wring__peer_session_owner;
/** Of peers that have no route yet. */
wring__machine_common *wring__peer_default_sessions(const wring__server_worker *worker);
struct wring__peer *wring__peer_of_end(wring__endpoint *end); /* NULL: not a server's */
/** Ends the session at once, and what it holds is freed. With nothing queued to it the peer gets a
 *  close frame; else the connection is cut, and what is queued is lost. */
void wring__peer_evict(struct wring__peer *peer, wring_result reason);
/** The one a ref names; NULL when it is gone or lives elsewhere. */
struct wring__peer *wring__peer_named(wring__server_worker *worker, wring_ref ref);
wring_result wring__peer_accept(wring__worker *worker, wring__socket socket);
/** Connections are closed evenly over `spread_ns`, each at a random moment of its part. */
typedef struct wring__drain {
    wring__server_worker *worker;
    uint64_t spread_ns; /* 0: now */
    uint32_t count;
    uint32_t next;
} wring__drain;
void wring__peer_drain_count(wring__endpoint *end, void *drain);
void wring__peer_drain(wring__endpoint *end, void *drain);
void wring__peer_abort(wring__endpoint *end, void *unused);

#endif
