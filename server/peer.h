/* SPDX-License-Identifier: Apache-2.0
 *
 * One accepted connection: the byte pump, the session and its handler's state in one block, kept
 * small: a push server has very many of them, and nearly all are idle (ARCHITECTURE, decision 16).
 */
#ifndef WRING_SERVER_PEER_H
#define WRING_SERVER_PEER_H

#include "io/conn.h"
#include "proto/head.h"
#include "proto/host.h"
#include "server/backlog.h"
#include "server/limits.h"
#include "server/topics.h"

/** What few connections need: allocated when the first of it is. */
typedef struct wring__peer_extra {
    wring__backlog backlog;
    wring__source *source; /* its address, where that is limited */
    wring__meter messages;
    wring__meter controls;
    wring_time_ns age_deadline;  /* too old then: closed; WRING_TIME_NEVER */
    wring_time_ns slow_deadline; /* congested until then: ended; WRING_TIME_NEVER */
    wring_result evict;          /* the session is to be ended for this; WRING_OK: not */
} wring__peer_extra;

typedef struct wring__peer {
    wring__conn conn; /* first: the pump's callbacks get this address */
    wring__host host;
    union {
        wring__head *head;                  /* before the upgrade: a head that came in pieces */
        wring__subscription *subscriptions; /* after it */
    };
    wring__peer_extra *extra;     /* NULL: nothing unusual */
    _Alignas(16) uint8_t state[]; /* the handler's */
} wring__peer;

/** The peer a session belongs to; NULL for a session no server owns. */
wring__peer *wring__peer_of(const wring_session *session);

static inline struct wring__server_worker *wring__peer_worker(const wring__peer *peer) {
    return (struct wring__server_worker *)(void *)peer->conn.super.worker; /* it begins with it */
}

/** NULL when memory is out. */
wring__peer_extra *wring__peer_extra_make(wring__peer *peer);

/** After anything that may have queued bytes or ended the session. */
void wring__peer_settle(wring__peer *peer);

#endif
