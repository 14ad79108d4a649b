/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of connections: resets, shutting down, closing.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/seam/seam.h"

/* ---- resets ---------------------------------------------------------------------------------- */

static bool recv_is_over(const seam_near *near) {
    return !near->recv.is_armed && (near->is_ended || near->rx_error != 0);
}

/* Each send is taken or fails; sooner or later one fails, and none stays under way. */
static void sends_fail(seam *world, seam_near *near) {
    while (near->tx_error == 0) {
        CHECK(near->tx_pos < near->tx_len);
        seam_send_pump(world, near, 1000, 2);
        seam_step(world);
    }
    CHECK(!near->send.is_armed);
}

static void reset_receiving(seam *world) {
    for (int round = 0; round < 3; round++) {
        seam_near *near = seam_pair(world);
        seam_recv(world, near, round == 1 ? SEAM_RECV_ONCE : SEAM_RECV_ON);
        seam_expect_quiet(world);
        seam_peer_reset(world, &near->peer);
        while (near->recv.is_armed) {
            seam_step(world);
        }
        CHECK(near->recv.result < 0);
        seam_tx_set(world, near, 100000);
        sends_fail(world, near);
        seam_pair_close(world, near);
    }
}

/* The bytes before it may be lost by it, but none is made up. */
static void reset_behind_bytes(seam *world) {
    seam_near *near = seam_pair(world);
    const size_t sent = seam_peer_push(world, &near->peer, 60000);
    seam_peer_reset(world, &near->peer);
    while (!recv_is_over(near)) {
        seam_recv_pump(world, near);
        seam_step(world);
    }
    CHECK(near->rx_pos <= sent);
    seam_pair_close(world, near);
}

static void reset_sending(seam *world) {
    seam_near *near = seam_pair(world);
    seam_tx_set(world, near, seam_size(world, 16 << 20, 100000));
    seam_recv(world, near, SEAM_RECV_ON);
    seam_send_until_full(world, near);
    seam_peer_reset(world, &near->peer);
    while (near->send.is_armed || near->recv.is_armed) {
        seam_step(world);
    }
    sends_fail(world, near);
    seam_pair_close(world, near);
}

/* ---- shutting down --------------------------------------------------------------------------- */

static void shutdown_idle(seam *world) {
    seam_near *near = seam_pair(world);
    seam_recv(world, near, SEAM_RECV_ON);
    seam_expect_quiet(world);
    seam_shutdown(world, near, SHUT_RDWR);
    while (near->recv.is_armed || near->shutdown.is_armed) {
        seam_step(world);
    }
    CHECK(near->shutdown.result == 0);
    while (!near->peer.is_ended) {
        seam_step(world);
        (void)seam_peer_pull(world, &near->peer, 10);
    }
    seam_tx_set(world, near, 10000);
    sends_fail(world, near);
    seam_pair_close(world, near);
}

/* A send that waits for room ends by this, and so does a receive. `how` is SHUT_WR or SHUT_RDWR. */
static void shutdown_full(seam *world, int how) {
    seam_near *near = seam_pair(world);
    seam_tx_set(world, near, seam_size(world, 16 << 20, 100000));
    seam_recv(world, near, SEAM_RECV_ON);
    seam_send_until_full(world, near);
    seam_shutdown(world, near, how);
    while (near->shutdown.is_armed || near->send.is_armed ||
           (how == SHUT_RDWR && near->recv.is_armed)) {
        seam_step(world);
    }
    sends_fail(world, near);
    while (!near->peer.is_ended) { /* what was taken comes, and then the end */
        seam_step(world);
        (void)seam_peer_pull(world, &near->peer, 65536);
    }
    CHECK(near->peer.is_reset || near->peer.rx_pos == near->tx_pos);
    seam_pair_close(world, near);
}

static void shutdown_full_both(seam *world) {
    shutdown_full(world, SHUT_RDWR);
}

static void shutdown_full_sending(seam *world) {
    shutdown_full(world, SHUT_WR);
}

/* ---- closing --------------------------------------------------------------------------------- */

/* Bytes that nobody has received, and a receive that has just been cancelled. */
static void leave_unread(seam *world, seam_near *near) {
    seam_recv(world, near, SEAM_RECV_ON);
    (void)seam_peer_push(world, &near->peer, 30000);
    seam_cancel(world, near->socket, &near->recv, &near->cancel);
    while (near->recv.is_armed || near->cancel.is_armed) {
        seam_step(world);
    }
    (void)seam_peer_push(world, &near->peer, 3000);
}

/* In the same turn: names of sockets come again at once, what was told of the old does not. */
static void close_and_connect(seam *world) {
    uint16_t port;
    const int listener = world->far->listen(world, &port);
    const size_t rounds = seam_size(world, 300, 15);
    seam_near *old = seam_connected(world, listener, port);
    for (size_t round = 0; round < rounds; round++) {
        leave_unread(world, old);
        const uint64_t token = seam_op_begin(world, &old->close, SEAM_CLOSE);
        world->ops->close_socket(world->backend, old->socket, token);
        old->socket = WRING__SOCKET_NONE;
        seam_near *near = seam_connect(world, port);
        while (near->connect.is_armed || old->close.is_armed) {
            seam_step(world);
        }
        CHECK(old->close.result == 0);
        seam_peer_close(world, &old->peer);
        CHECK(world->ops->dialled == NULL || !world->ops->dialled(world->backend, near->socket));
        if (near->connect.result != 0) {
            CHECK(world->sim != NULL);
            seam_near_close(world, near);
            near = seam_connected(world, listener, port);
        }
        while (near->peer.name < 0) {
            near->peer.name = world->far->accept(world, listener);
        }
        seam_peer_push_all(world, near, 100);
        while (near->rx_pos < 100) {
            seam_recv_pump(world, near);
            seam_step(world);
        }
        seam_cancel(world, near->socket, &near->recv, &near->cancel);
        while (near->recv.is_armed || near->cancel.is_armed) {
            seam_step(world);
        }
        old = near;
    }
    seam_pair_close(world, old);
    world->far->unlisten(world, listener);
}

/* Closed while another stands behind it to be received from: that one is not forgotten. */
static void close_of_ready(seam *world) {
    for (size_t round = 0; round < seam_size(world, 50, 5); round++) {
        seam_near *old = seam_pair(world);
        seam_near *other = seam_pair(world);
        (void)seam_peer_push(world, &old->peer, 100);
        (void)seam_peer_push(world, &other->peer, 100);
        for (int turn = 0; turn < 3; turn++) {
            (void)seam_turn(world, world->ops->now(world->backend));
        }
        world->turn_max = 2; /* no more than the cancel and its target */
        seam_recv(world, old, SEAM_RECV_ON);
        seam_cancel(world, old->socket, &old->recv, &old->cancel);
        seam_recv(world, other, SEAM_RECV_ON);
        while (old->recv.is_armed || old->cancel.is_armed) {
            seam_step(world);
        }
        world->turn_max = SEAM_TURN_MAX;
        seam_pair_close(world, old);
        seam_near *near = seam_pair(world); /* its name may be the old one's */
        seam_peer_push_all(world, near, 100);
        seam_peer_push_all(world, other, 100);
        while (other->rx_pos < other->peer.tx_pos || near->rx_pos < 100) {
            seam_recv_pump(world, other);
            seam_recv_pump(world, near);
            seam_step(world);
        }
        seam_pair_close(world, other);
        seam_pair_close(world, near);
    }
}

/* A child that holds what is open now, except for the far end. */
static pid_t child_begin(int far) {
    int told[2];
    char byte = 0;
    CHECK(pipe(told) == 0);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* not longer than the case */
        close(far);
        CHECK(write(told[1], &byte, 1) == 1);
        for (;;) {
            (void)pause();
        }
    }
    CHECK(read(told[0], &byte, 1) == 1);
    close(told[0]);
    close(told[1]);
    return child;
}

/* A process forked off holds the old socket open: it is closed here, and yet has events. */
static void closed_and_held_by_a_child(seam *world) {
    const uint16_t silent = world->far->silent_port(world);
    seam_near *old = seam_pair(world);
    seam_accept_cancel(world);
    const pid_t child = child_begin(old->peer.name);
    seam_near_close(world, old);
    seam_near *near = seam_connect(world, silent); /* its name may be the old one's */
    seam_expect_quiet(world);
    (void)seam_peer_push(world, &old->peer, 100);
    seam_peer_reset(world, &old->peer);
    seam_expect_quiet(world);
    CHECK(near->connect.is_armed);
    seam_cancel(world, near->socket, &near->connect, &near->cancel);
    while (near->connect.is_armed || near->cancel.is_armed) {
        seam_step(world);
    }
    CHECK(!world->ops->dialled(world->backend, near->socket));
    seam_near_close(world, near);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
}

static const seam_case cases[] = {
    {.name = "reset_receiving", .run = reset_receiving},
    {.name = "reset_behind_bytes", .run = reset_behind_bytes},
    {.name = "reset_sending", .run = reset_sending},
    {.name = "shutdown_idle", .run = shutdown_idle},
    {.name = "shutdown_full_both", .run = shutdown_full_both},
    {.name = "shutdown_full_sending", .run = shutdown_full_sending},
    {.name = "close_and_connect", .run = close_and_connect},
    {.name = "close_of_ready", .run = close_of_ready},
    {.name = "closed_and_held_by_a_child",
     .run = closed_and_held_by_a_child,
     .not_simulated = "its sockets are no descriptors: no other process holds them"},
};

seam_cases seam_cases_end(void) {
    return (seam_cases){cases, WRING_ARRAY_LEN(cases)};
}
