/* SPDX-License-Identifier: Apache-2.0
 *
 * One end of a connection: what it sends and what it gets, in front of a judge. See scene.h.
 */
#include "tests/fuzz/http2/scene.h"

void h2_judge_fail(const char *what, const char *file, int line) {
    fuzz_fail(what, file, line);
}

void peer_init(struct scene *scene, fuzz_peer *peer) {
    peer->socket = wring__sim_dial(scene->world, wring_server_port(scene->server));
    FUZZ_CHECK(peer->socket != WRING__SOCKET_NONE);
    peer->reads = true;
    peer->judge.window = scene->http2.window_bytes;
    peer->judge.window_all = scene->http2.connection_window_bytes;
    h2_judge_init(&peer->judge);
}

void peer_free(fuzz_peer *peer) {
    h2_buffer_free(&peer->unsent);
    h2_buffer_free(&peer->first);
    h2_judge_free(&peer->judge);
}

/* The first bytes decide what is spoken. */
static void said(fuzz_peer *peer, wring_bytes bytes) {
    const size_t claim = WRING__H2_CLAIM_BYTES;
    if (peer->is_judged) {
        h2_judge_peer_says(&peer->judge, bytes);
    } else if (!peer->is_http1) {
        h2_buffer_add(&peer->first, bytes.data, bytes.len);
        peer->is_http1 =
            memcmp(peer->first.data, H2_PREFACE, wring__min_size(claim, peer->first.len)) != 0;
        peer->is_judged = !peer->is_http1 && peer->first.len >= claim;
        if (peer->is_judged) {
            h2_judge_peer_says(&peer->judge, h2_buffer_view(&peer->first));
        }
    }
}

void peer_send(const struct scene *scene, fuzz_peer *peer) {
    static const size_t pieces[] = {1, 7, 40, 300};
    size_t len = peer->unsent.len;
    if (peer->gone || peer->shut || len == 0) {
        return;
    }
    if ((scene->flags & FLAG_TRICKLE) != 0) {
        len = wring__min_size(len, pieces[scene->seed >> 2 & 3]);
    }
    const wring_bytes bytes = wring_bytes_of(peer->unsent.data, len);
    const size_t taken = wring__sim_peer_send(scene->world, peer->socket, bytes);
    if (taken > 0) {
        said(peer, wring_bytes_of(bytes.data, taken));
        h2_buffer_drop(&peer->unsent, taken);
    }
}

void peer_receive(const struct scene *scene, fuzz_peer *peer) {
    uint8_t buffer[4096];
    bool reset = false;
    if (peer->gone || !peer->reads || peer->end) {
        return;
    }
    const size_t len =
        wring__sim_peer_recv(scene->world, peer->socket, buffer, sizeof buffer, &peer->end, &reset);
    peer->cut |= reset;
    if (len > 0 && peer->is_judged) {
        h2_judge_says(&peer->judge, wring_bytes_of(buffer, len));
    } else if (len > 0) {
        peer->is_http1 = true; /* such as a 408 */
    }
}

void peer_shutdown(const struct scene *scene, fuzz_peer *peer) {
    if (!peer->gone && !peer->shut) {
        peer->shut = true;
        wring__sim_peer_shutdown(scene->world, peer->socket);
    }
}

void peer_close(const struct scene *scene, fuzz_peer *peer, bool reset) {
    if (!peer->gone) {
        peer->gone = true;
        peer->cut |= !peer->end;
        wring__sim_peer_close(scene->world, peer->socket, reset);
    }
}
