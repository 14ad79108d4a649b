/* SPDX-License-Identifier: Apache-2.0
 *
 * The walk that gives a published message to a worker's subscribers. It calls no user code, so
 * nothing changes under it. One thread.
 */
#include <errno.h>

#include "core/trace.h"
#include "server/peer.h"
#include "server/publication.h"
#include "server/server.h"

static void deliver_to(wring__peer *peer, wring__shared *message) {
    wring_result result = wring__session_send_shared(&peer->host.session, message);
    if (result == WRING_OK) {
        wring__conn_flush(&peer->conn);
    } else if (result == WRING_ERR_NO_MEMORY) {
        wring__conn_break(&peer->conn, ENOMEM); /* told in the dispatch phase */
    }
}

void wring__deliver(wring__server_worker *worker, wring__shared *message) {
    wring_bytes name;
    const wring__publication about = wring__publication_of(message, &name);
    const struct wring__topic *topic = wring__topics_find(&worker->topics, name, about.hash);
    if (topic == NULL) {
        return;
    }
    WRING_TRACE(PUBLISH, topic->count, message->payload_len);
    const wring__peer *except = wring__peer_named(worker, about.except);
    for (uint32_t i = 0; i < topic->count; i++) {
        wring__peer *peer = topic->subscriptions[i]->peer;
        if (peer != except) {
            deliver_to(peer, message);
        }
    }
}
