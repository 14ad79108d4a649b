/* SPDX-License-Identifier: Apache-2.0
 *
 * What was received, and has to wait. See http.h.
 */
#include "server/http_internal.h"

#include <stdlib.h>
#include <string.h>

void wring__http_held_free(wring__peer *peer, wring__http *http) {
    wring__peer_worker(peer)->io.chunks.held -= http->held_cap;
    free(http->held);
    http->held = NULL;
    http->held_at = http->held_len = http->held_cap = 0;
}

void wring__http_used(wring__peer *peer, const uint8_t *end) {
    wring__http *http = peer->http;
    if (http == NULL || http->held == NULL) {
        return;
    }
    const uintptr_t at = (uintptr_t)end - (uintptr_t)http->held;
    if (at > http->held_at && at <= http->held_len) {
        http->held_at = (size_t)at;
    }
}

void wring__http_memory_out(wring__peer *peer) {
    wring__http_fail(peer, WRING_ERR_NO_MEMORY);
    wring__end_abort(&peer->stream.end);
}

/* Keeps bytes that it is not their turn for. */
void wring__http_hold(wring__peer *peer, wring_mut_bytes bytes) {
    wring__http *http = wring__http_make(peer);
    if (http == NULL) {
        return;
    }
    const size_t have = http->held_len - http->held_at;
    if (http->held_at > 0) {
        memmove(http->held, http->held + http->held_at, have);
        http->held_at = 0;
        http->held_len = have;
    }
    if (http->held_cap - have < bytes.len) {
        const size_t cap = have + bytes.len < 1024 ? 1024 : have + bytes.len;
        uint8_t *grown = realloc(http->held, cap);
        if (grown == NULL) {
            wring__http_memory_out(peer);
            return;
        }
        wring__peer_worker(peer)->io.chunks.held += cap - http->held_cap;
        http->held = grown;
        http->held_cap = cap;
    }
    memcpy(http->held + have, bytes.data, bytes.len);
    http->held_len = have + bytes.len;
    if (http->held_len >= WRING__HTTP_BEHIND_MAX) {
        wring__end_rx_stop(&peer->stream.end, WRING__RX_STOP_ANSWER);
    }
}

/* A head that came in pieces: its memory becomes what is held, of which the head is used up. */
void wring__http_held_adopt(wring__peer *peer, wring__head *head) {
    wring__http *http = peer->http;
    wring__http_held_free(peer, http); /* if its last piece was held, that is in the head now */
    http->held = head->data;
    http->held_cap = head->cap;
    http->held_len = head->len;
    head->data = NULL;
    wring__peer_worker(peer)->io.chunks.held += http->held_cap;
}
