/* SPDX-License-Identifier: Apache-2.0
 *
 * One accepted connection: the byte pump, the session and its handler's state in one block, kept
 * small: a push server has very many of them, and nearly all are idle (ARCHITECTURE, decision 16).
 */
#ifndef WRING_SERVER_PEER_H
#define WRING_SERVER_PEER_H

#include "server/backlog.h"
#include "server/limits.h"
#include "server/topics.h"
#include "stream/stream.h"

/** What few connections need: allocated when the first of it is. */
typedef struct wring__peer_extra {
    wring__backlog backlog;
    wring__source *source; /* its address, where that is limited */
    wring__meter messages;
    wring__meter controls;
    wring_time_ns age_deadline; /* too old then: closed; WRING_TIME_NEVER */
    wring_time_ns congested_at; /* since then; WRING_TIME_NEVER: not */
    wring_result evict;         /* the session is to be ended for this; WRING_OK: not */
} wring__peer_extra;

typedef struct wring__peer {
    wring__stream stream; /* first: the connection's callbacks get this address */
    union {
        struct wring__http *http;           /* before the upgrade: NULL until it needs some */
        wring__subscription *subscriptions; /* after it */
    };
    wring__peer_extra *extra;     /* NULL: nothing unusual */
    _Alignas(16) uint8_t state[]; /* the handler's */
} wring__peer;

/** wring__endpoint.owner_flags of a peer. */
enum wring__peer_flags {
    WRING__PEER_IN_HANDSHAKE = 1, /* counted as unfinished (limits.c) */
    WRING__PEER_IS_CONGESTED = 4, /* above its soft mark, until it has drained (slow.c) */
    WRING__PEER_IS_AUTHOR = 2     /* during a delivery: has published some of it (deliver.c) */
};

static inline bool wring__peer_has(const wring__peer *peer, enum wring__peer_flags flag) {
    return (peer->stream.end.owner_flags & flag) != 0;
}

static inline void wring__peer_flag(wring__peer *peer, enum wring__peer_flags flag, bool on) {
    const unsigned others = peer->stream.end.owner_flags & ~(unsigned)flag;
    peer->stream.end.owner_flags = (uint8_t)(others | (on ? flag : 0u));
}

/** It is one of several streams of its connection. */
static inline bool wring__peer_is_carried(const wring__peer *peer) {
    return peer->stream.end.kind == WRING__END_MUX;
}

/** The peer a session belongs to; NULL for a session no server owns. */
wring__peer *wring__peer_of(const wring_session *session);

static inline struct wring__server_worker *wring__peer_worker(const wring__peer *peer) {
    return (struct wring__server_worker *)(void *)peer->stream.end.worker; /* it begins with it */
}

/** A callback of somebody else's for its session, which is open. */
void wring__peer_visit(wring__peer *peer, wring_verdict (*visit)(wring_session *, void *),
                       void *opts);

/** What its route allows its session. */
const wring_policy *wring__peer_policy(const wring__peer *peer);

/** NULL when memory is out. */
wring__peer_extra *wring__peer_extra_make(wring__peer *peer);

/** What the endpoint of a peer calls. */
extern const wring__stream_ops wring__peer_ops;

/** Closes its session, behind all that was published to it before. */
void wring__peer_close(wring__peer *peer, uint16_t code, wring_bytes reason);

/** Closes its session with 1001: the server stops. */
void wring__peer_go_away(wring__peer *peer);

/** NULL is legal. */
void wring__peer_free(wring__peer *peer);

#endif
