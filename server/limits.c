/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits. See limits.h.
 */
#include "server/limits.h"

#include <stdlib.h>

#include "server/carried.h"
#include "server/http.h"
#include "server/peer.h"
#include "server/server.h"
#include "server/tell.h"

/* ---- unfinished handshakes ------------------------------------------------------------------- */

wring_result wring__limits_init(wring__server_worker *worker) {
    const uint64_t max = worker->server->config.handshakes_max;
    wring__handshakes *h = &worker->handshakes;
    if (max == WRING_UNLIMITED) {
        return WRING_OK;
    }
    h->cap = (uint32_t)max + 1;
    h->refs = calloc(h->cap, sizeof *h->refs);
    return h->refs == NULL ? WRING_ERR_NO_MEMORY : WRING_OK;
}

void wring__limits_deinit(wring__server_worker *worker) {
    free(worker->handshakes.refs);
    memset(&worker->handshakes, 0, sizeof worker->handshakes);
}

/* The oldest that is unfinished; NULL when none is tracked. */
static wring__peer *oldest_take(wring__server_worker *worker) {
    wring__handshakes *h = &worker->handshakes;
    while (h->tracked > 0) {
        wring__peer *peer = wring__peer_named(worker, h->refs[h->head]);
        h->head = (h->head + 1) % h->cap;
        h->tracked--;
        if (peer != NULL && wring__peer_has(peer, WRING__PEER_IN_HANDSHAKE)) {
            return peer;
        }
    }
    return NULL;
}

static void track(wring__server_worker *worker, wring__peer *peer) {
    wring__handshakes *h = &worker->handshakes;
    if (h->tracked == h->cap) { /* not to be evicted any more: its own deadline has it */
        h->head = (h->head + 1) % h->cap;
        h->tracked--;
    }
    const wring__endpoint *end = &peer->stream.end;
    h->refs[(h->head + h->tracked++) % h->cap] =
        wring__ref_pack(end->worker->index, end->slot, end->generation);
}

static void handshake_begin(wring__peer *peer) {
    WRING_ASSERT(!wring__peer_has(peer, WRING__PEER_IN_HANDSHAKE));
    wring__server_worker *worker = wring__peer_worker(peer);
    wring__handshakes *h = &worker->handshakes;
    wring__peer_flag(peer, WRING__PEER_IN_HANDSHAKE, true);
    h->count++;
    if (h->cap == 0) {
        return;
    }
    track(worker, peer);
    wring__peer *oldest = h->count < h->cap ? NULL : oldest_take(worker);
    if (oldest != NULL) {
        wring__count(&worker->counters.handshakes_evicted, 1);
        wring__tell_handshake_evicted(oldest);
        wring__limits_handshake_over(oldest);
        wring__http_fail(oldest, WRING_ERR_TOO_MANY_CONNECTIONS);
        wring__end_abort(&oldest->stream.end);
    }
}

void wring__limits_handshake_over(wring__peer *peer) {
    if (!wring__peer_has(peer, WRING__PEER_IN_HANDSHAKE)) {
        return;
    }
    wring__server_worker *worker = wring__peer_worker(peer);
    WRING_ASSERT(worker->handshakes.count > 0);
    wring__peer_flag(peer, WRING__PEER_IN_HANDSHAKE, false);
    worker->handshakes.count--;
    if (peer->extra != NULL && peer->extra->source != NULL) {
        wring__sources_upgraded(&worker->server->sources, peer->extra->source);
    }
}

/* ---- coming and going ------------------------------------------------------------------------ */

static bool total_enter(wring_server *server) {
    const uint64_t max = server->config.connections_total_max;
    if (max == WRING_UNLIMITED || atomic_fetch_add(&server->connections, 1) < max) {
        return true;
    }
    atomic_fetch_sub(&server->connections, 1);
    return false;
}

static void total_leave(wring_server *server) {
    if (server->config.connections_total_max != WRING_UNLIMITED) {
        atomic_fetch_sub(&server->connections, 1);
    }
}

/* Before a byte of it is read: a ClientHello costs its sender next to nothing and us a signature.
 */
static bool tls_is_admitted(wring__server_worker *worker) {
    const uint64_t rate = worker->server->config.tls_handshakes_per_second;
    if (worker->tls == NULL ||
        wring__meter_take_rate(&worker->tls_handshakes, worker->io.now, rate, rate)) {
        return true;
    }
    wring__count(&worker->counters.refused_tls_rate, 1);
    return false;
}

wring_result wring__limits_enter(wring__server_worker *worker, int socket, wring__source **source) {
    wring_server *server = worker->server;
    struct sockaddr_storage address;
    wring__backend *backend = worker->io.backend;
    *source = NULL;
    if (!tls_is_admitted(worker)) {
        return WRING_ERR_RATE_LIMIT;
    }
    if (!total_enter(server)) {
        wring__count(&worker->counters.refused_total, 1);
        return WRING_ERR_TOO_MANY_CONNECTIONS;
    }
    if (!wring__sources_are_limited(&server->sources) ||
        !backend->ops->peer(backend, socket, &address)) {
        return WRING_OK;
    }
    wring_result result = wring__sources_enter(&server->sources, &address, source);
    if (result != WRING_OK) {
        wring__count(&worker->counters.refused_source, 1);
        total_leave(server);
    }
    return result;
}

void wring__limits_undo(wring__server_worker *worker, wring__source *source) {
    total_leave(worker->server);
    if (source != NULL) {
        wring__sources_leave(&worker->server->sources, source, true);
    }
}

void wring__limits_opened(wring__peer *peer, wring__source *source) {
    if (source != NULL) {
        peer->extra->source = source;
    }
    handshake_begin(peer);
}

void wring__limits_closed(wring__peer *peer) {
    wring_server *server = wring__peer_worker(peer)->server;
    wring__limits_handshake_over(peer);
    total_leave(server);
    if (peer->extra != NULL && peer->extra->source != NULL) {
        wring__sources_leave(&server->sources, peer->extra->source, false);
    }
}

wring_result wring__limits_stream_enter(wring__peer *peer) {
    wring__server_worker *worker = wring__peer_worker(peer);
    const wring__peer *below = wring__carried_below(peer);
    if (below->extra == NULL || below->extra->source == NULL) {
        return WRING_OK;
    }
    wring__peer_extra *extra = wring__peer_extra_make(peer);
    if (extra == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    WRING_ASSERT(extra->source == NULL);
    const wring_result result = wring__sources_join(&worker->server->sources, below->extra->source);
    if (result == WRING_OK) {
        extra->source = below->extra->source;
    } else {
        wring__count(&worker->counters.refused_source, 1);
    }
    return result;
}

void wring__limits_stream_leave(wring__peer *peer) {
    if (peer->extra != NULL && peer->extra->source != NULL) {
        wring__sources_leave(&wring__peer_worker(peer)->server->sources, peer->extra->source,
                             false);
    }
}

/* ---- rates and age --------------------------------------------------------------------------- */

/* A tenth is taken off at random, so that what came together does not come back together. */
static wring_time_ns age_deadline(const wring__peer *peer, uint32_t age_max_ms) {
    const wring__server_worker *worker = wring__peer_worker(peer);
    const wring_duration_ns age = age_max_ms * WRING_NS_PER_MS;
    return worker->io.clock.peer_now + age -
           wring__server_random(wring__peer_worker(peer)) % (age / 10 + 1);
}

void wring__limits_upgraded(wring__peer *peer) {
    const wring_policy *policy = wring__peer_policy(peer);
    wring__limits_handshake_over(peer);
    if (policy->age_max_ms == WRING_OFF) {
        return;
    }
    wring__peer_extra *extra = wring__peer_extra_make(peer);
    if (extra != NULL) {
        extra->age_deadline = age_deadline(peer, policy->age_max_ms);
        wring__end_bring_deadline(&peer->stream.end, extra->age_deadline);
    }
}

wring_result wring__limits_admit(wring_session *session, const wring_message *message) {
    wring__peer *peer = wring__peer_of(session);
    const wring_policy *policy = wring__peer_policy(peer);
    const bool data = message->opcode == WRING_TEXT || message->opcode == WRING_BINARY;
    const uint64_t rate = data ? policy->messages_per_second : policy->controls_per_second;
    if (rate == WRING_UNLIMITED || message->opcode == WRING_CLOSE) {
        return WRING_OK;
    }
    wring__peer_extra *extra = wring__peer_extra_make(peer);
    if (extra == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    const bool ok = wring__meter_take_rate(data ? &extra->messages : &extra->controls,
                                           peer->stream.end.worker->now, rate,
                                           data ? policy->messages_burst : policy->controls_burst);
    wring__count(&wring__peer_worker(peer)->counters.rate_ended, !ok);
    return ok ? WRING_OK : WRING_ERR_RATE_LIMIT;
}

/* Those of all streams of a connection are the connection's. */
static wring__meter *requests_meter(wring__peer *peer) {
    if (!wring__peer_is_carried(peer)) {
        return &peer->http->requests;
    }
    wring__peer_extra *extra = wring__peer_extra_make(wring__carried_below(peer));
    return extra == NULL ? NULL : &extra->messages;
}

wring_result wring__limits_admit_request(wring__peer *peer, const wring_policy *policy) {
    if (policy->messages_per_second == WRING_UNLIMITED) {
        return WRING_OK;
    }
    wring__meter *meter = requests_meter(peer);
    if (meter == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    const bool ok = wring__meter_take_rate(meter, peer->stream.end.worker->now,
                                           policy->messages_per_second, policy->messages_burst);
    wring__count(&wring__peer_worker(peer)->counters.rate_ended, !ok);
    return ok ? WRING_OK : WRING_ERR_RATE_LIMIT;
}
