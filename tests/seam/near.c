/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections: the backend's end, driven as a connection of the worker drives it, and the far end.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "tests/seam/seam.h"

#define PUSH_MAX 65536

/* ---- making and closing ---------------------------------------------------------------------- */

seam_near *seam_near_new(seam *world, wring__socket socket) {
    static uint32_t ids;
    seam_near *near = calloc(1, sizeof *near);
    CHECK(near != NULL);
    near->socket = socket;
    near->chain = (wring__recv_chain){WRING__RECV_NONE, WRING__RECV_NONE};
    near->rx_id = ++ids;
    near->peer = (seam_peer){.name = -1, .rx_id = ids + 50, .tx_id = ids};
    near->recv.near = near;
    near->send.near = near;
    near->next = world->nears;
    world->nears = near;
    return near;
}

seam_near *seam_pair(seam *world) {
    const int far = world->far->dial(world, world->port);
    CHECK(far >= 0);
    seam_near *near = seam_near_new(world, seam_accepted(world));
    near->peer.name = far;
    return near;
}

void seam_near_close(seam *world, seam_near *near) {
    const uint64_t token = seam_op_begin(world, &near->close, SEAM_CLOSE);
    world->ops->close_socket(world->backend, near->socket, token);
    near->socket = WRING__SOCKET_NONE;
    while (near->close.is_armed) {
        seam_step(world);
    }
    CHECK(near->close.result == 0);
}

void seam_pair_close(seam *world, seam_near *near) {
    seam_bytes_take(world, near);
    while (near->cancel.is_armed) { /* one of the case's own */
        seam_step(world);
    }
    if (near->recv.is_armed) {
        seam_cancel(world, near->socket, &near->recv, &near->cancel);
    }
    while (near->recv.is_armed || near->cancel.is_armed) {
        seam_step(world);
    }
    seam_bytes_take(world, near);
    CHECK(!near->send.is_armed);
    seam_near_close(world, near);
    if (near->peer.name >= 0) {
        seam_peer_close(world, &near->peer);
    }
}

seam_near *seam_connect(seam *world, uint16_t port) {
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    static struct sockaddr_in kept[8]; /* read before the next turn returns */
    static size_t next;
    struct sockaddr_in *address = &kept[next++ % WRING_ARRAY_LEN(kept)];
    *address = at;
    const wring__dial_config config = {.address = (struct sockaddr *)address,
                                       .address_len = sizeof *address};
    seam_near *near = seam_near_new(world, WRING__SOCKET_NONE);
    const uint64_t token = seam_op_begin(world, &near->connect, SEAM_CONNECT);
    CHECK(world->ops->connect(world->backend, &config, token, &near->socket) == WRING_OK);
    return near;
}

seam_near *seam_connected(seam *world, int listener, uint16_t port) {
    for (;;) {
        seam_near *near = seam_connect(world, port);
        while (near->connect.is_armed) {
            seam_step(world);
        }
        CHECK(world->ops->dialled == NULL || !world->ops->dialled(world->backend, near->socket));
        if (near->connect.result == 0) {
            while (near->peer.name < 0) {
                near->peer.name = world->far->accept(world, listener);
            }
            return near;
        }
        CHECK(world->sim != NULL);
        seam_near_close(world, near);
    }
}

/* ---- receiving ------------------------------------------------------------------------------- */

void seam_recv(seam *world, seam_near *near, enum seam_recv_how how) {
    const uint64_t token = seam_op_begin(world, &near->recv, SEAM_RECV);
    near->recv_how = how;
    if (how == SEAM_RECV_ON) {
        world->ops->recv(world->backend, near->socket, token);
    } else {
        world->ops->recv_once(world->backend, near->socket, token);
    }
}

void seam_recv_into(seam *world, seam_near *near, uint8_t *data, size_t len, bool at_once) {
    const uint64_t token = seam_op_begin(world, &near->recv, SEAM_RECV);
    near->recv_how = SEAM_RECV_INTO;
    near->into = data;
    near->into_len = len;
    world->ops->recv_into(world->backend, near->socket, token, data, len, at_once);
}

void seam_recv_pump(seam *world, seam_near *near) {
    if (!near->recv.is_armed && !near->is_ended && near->rx_error == 0) {
        seam_recv(world, near, SEAM_RECV_ON);
    }
}

static void bytes_check(seam_near *near, const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++, near->rx_pos++) {
        if (near->rx_pos < sizeof near->first) {
            near->first[near->rx_pos] = data[i];
        }
        CHECK(near->rx_id == SEAM_ID_UNKNOWN || data[i] == seam_byte(near->rx_id, near->rx_pos));
    }
}

void seam_bytes_take(seam *world, seam_near *near) {
    while (!wring__recv_is_empty(&near->chain)) {
        const wring__recv_lease lease = wring__recv_take(&world->pool, &near->chain, false);
        bytes_check(near, lease.bytes.data, lease.bytes.len);
        wring__recv_done(&world->pool, &lease);
    }
}

static void receive_ended(seam *world, seam_near *near, const wring__completion *completion) {
    const int32_t result = completion->result;
    CHECK((completion->flags & WRING__COMPLETION_MORE) == 0);
    if ((completion->flags & WRING__COMPLETION_BUFFER) != 0) {
        wring__recv_discard(&world->pool, completion);
    }
    near->is_ended = near->is_ended || result == 0;
    near->starved += result == -ENOBUFS;
    if (result < 0 && result != -ENOBUFS && result != -ECANCELED && result != -EAGAIN) {
        near->rx_error = result;
    }
}

void seam_received(seam *world, seam_near *near, const wring__completion *completion) {
    const bool in_buffer = (completion->flags & WRING__COMPLETION_BUFFER) != 0;
    if (near->recv_how == SEAM_RECV_INTO) {
        WRING_UNPOISON(near->into, near->into_len);
        CHECK(!in_buffer && completion->result <= (int32_t)near->into_len);
    }
    if (completion->result <= 0) {
        receive_ended(world, near, completion);
    } else if (near->recv_how == SEAM_RECV_INTO) {
        bytes_check(near, near->into, (size_t)completion->result);
    } else {
        CHECK(in_buffer);
        CHECK(wring__recv_push(&world->pool, &near->chain, completion) == WRING_OK);
        if (!near->holds) {
            seam_bytes_take(world, near);
        }
    }
}

/* ---- sending --------------------------------------------------------------------------------- */

void seam_tx_set(seam *world, seam_near *near, size_t len) {
    (void)world;
    uint8_t *grown = realloc(near->tx_data, near->tx_len + len);
    CHECK(grown != NULL);
    near->tx_data = grown;
    for (size_t i = near->tx_len; i < near->tx_len + len; i++) {
        grown[i] = seam_byte(near->peer.rx_id, i);
    }
    near->tx_len += len;
}

/* What the backend has taken is its own no more: whoever reads it again sends nonsense. */
void seam_sent(seam_near *near, int32_t result) {
    if (result < 0) {
        near->tx_error = result == -EAGAIN ? 0 : result;
        return;
    }
    CHECK((size_t)result <= near->tx_piece);
    memset(near->tx_data + near->tx_pos, 0xEE, (size_t)result);
    near->tx_pos += (size_t)result;
}

/* Parts of odd lengths; they last until the turn has returned. */
static struct iovec *parts_cut(seam *world, seam_near *near, size_t piece, size_t *parts) {
    const size_t count = wring__min_size(*parts, piece);
    CHECK(world->iov_count + count <= SEAM_OPS_MAX);
    struct iovec *iov = &world->iov[world->iov_count];
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t spare = piece - at - (count - i - 1);
        const size_t most = wring__min_size(spare, 2 * piece / count);
        const size_t len = i + 1 == count ? spare : 1 + seam_random(world, most);
        iov[i] = (struct iovec){near->tx_data + near->tx_pos + at, len};
        at += len;
    }
    CHECK(at == piece);
    world->iov_count += count;
    *parts = count;
    return iov;
}

void seam_send_pump(seam *world, seam_near *near, size_t piece, size_t parts) {
    const size_t left = near->tx_len - near->tx_pos;
    if (near->send.is_armed || left == 0 || near->tx_error != 0) {
        return;
    }
    near->tx_piece = wring__min_size(piece, left);
    const struct iovec *iov = parts_cut(world, near, near->tx_piece, &parts);
    const uint64_t token = seam_op_begin(world, &near->send, SEAM_SEND);
    if (world->ops->send(world->backend, near->socket, token, iov, parts)) {
        near->send.is_armed = false; /* no completion comes */
        seam_sent(near, (int32_t)near->tx_piece);
    }
}

void seam_send_at_once(seam *world, seam_near *near, size_t piece, size_t parts) {
    near->tx_piece = wring__min_size(piece, near->tx_len - near->tx_pos);
    const struct iovec *iov = parts_cut(world, near, near->tx_piece, &parts);
    const uint64_t token = seam_op_begin(world, &near->send, SEAM_SEND);
    near->send.is_silent = true;
    world->ops->send_at_once(world->backend, near->socket, token, iov, parts);
}

/* A send may complete without bytes: only one that stays under way waits for room. */
void seam_send_until_full(seam *world, seam_near *near) {
    for (size_t quiet = 0; quiet < 20; quiet++) {
        const size_t before = near->tx_pos;
        seam_send_pump(world, near, SIZE_MAX, 1);
        seam_step(world);
        quiet = near->tx_pos != before || !near->send.is_armed ? 0 : quiet;
    }
    CHECK(near->tx_pos < near->tx_len && near->send.is_armed);
}

void seam_shutdown(seam *world, seam_near *near, int how) {
    const uint64_t token = seam_op_begin(world, &near->shutdown, SEAM_SHUTDOWN);
    world->ops->shutdown(world->backend, near->socket, token, how);
}

/* ---- the far end ----------------------------------------------------------------------------- */

size_t seam_peer_push(seam *world, seam_peer *peer, size_t len) {
    static uint8_t bytes[PUSH_MAX];
    len = wring__min_size(len, sizeof bytes);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = seam_byte(peer->tx_id, peer->tx_pos + i);
    }
    const size_t taken = world->far->send(world, peer->name, bytes, len);
    peer->tx_pos += taken;
    return taken;
}

void seam_peer_push_all(seam *world, seam_near *near, size_t len) {
    const uint64_t end = near->peer.tx_pos + len;
    while (near->peer.tx_pos < end) {
        (void)seam_peer_push(world, &near->peer, end - near->peer.tx_pos);
        seam_recv_pump(world, near);
        seam_step(world);
    }
}

size_t seam_peer_pull(seam *world, seam_peer *peer, size_t cap) {
    static uint8_t bytes[PUSH_MAX];
    const size_t got = world->far->receive(world, peer, bytes, wring__min_size(cap, sizeof bytes));
    for (size_t i = 0; i < got; i++, peer->rx_pos++) {
        CHECK(bytes[i] == seam_byte(peer->rx_id, peer->rx_pos));
    }
    return got;
}

void seam_peer_shut(seam *world, seam_peer *peer) {
    world->far->shut(world, peer->name);
}

void seam_peer_close(seam *world, seam_peer *peer) {
    world->far->close(world, peer->name);
    peer->name = -1;
}

void seam_peer_reset(seam *world, seam_peer *peer) {
    world->far->reset(world, peer->name);
    peer->name = -1;
}
