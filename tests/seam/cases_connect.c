/* SPDX-License-Identifier: Apache-2.0
 *
 * Connecting.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "tests/seam/seam.h"

static bool is_itself(seam *world, const seam_near *near) {
    return world->ops->dialled != NULL && world->ops->dialled(world->backend, near->socket);
}

static void connect_wait(seam *world, seam_near *near) {
    while (near->connect.is_armed || near->cancel.is_armed) {
        seam_step(world);
    }
}

static void connect_succeeds(seam *world) {
    uint16_t port;
    const int listener = world->far->listen(world, &port);
    for (size_t i = 0; i < seam_size(world, 100, 5); i++) {
        seam_near *near = seam_connected(world, listener, port);
        seam_tx_set(world, near, 100);
        seam_peer_push_all(world, near, 100);
        while (near->peer.rx_pos < 100 || near->rx_pos < 100 || near->send.is_armed) {
            seam_recv_pump(world, near);
            seam_send_pump(world, near, 60, 2);
            seam_step(world);
            (void)seam_peer_pull(world, &near->peer, 100);
        }
        seam_pair_close(world, near);
    }
    world->far->unlisten(world, listener);
}

static void connect_refused(seam *world) {
    for (int round = 0; round < 20; round++) {
        seam_near *near = seam_connect(world, world->far->refusing_port(world));
        connect_wait(world, near);
        CHECK(near->connect.result == -ECONNREFUSED ||
              (world->sim != NULL && near->connect.result == -ETIMEDOUT));
        CHECK(!is_itself(world, near));
        seam_near_close(world, near);
    }
}

/* The answer comes a second later, to the repeated SYN. */
static void connect_refused_late(seam *world) {
    seam_near *near = seam_connect(world, world->far->silent_port(world));
    seam_expect_quiet(world);
    CHECK(near->connect.is_armed);
    seam_silent_close(world);
    connect_wait(world, near);
    CHECK(near->connect.result == -ECONNREFUSED && !is_itself(world, near));
    seam_near_close(world, near);
}

/* `idle`: it waits when it is cancelled; else in the same turn. */
static void cancel_one(seam *world, uint16_t port, bool idle) {
    seam_near *near = seam_connect(world, port);
    if (idle) {
        seam_expect_quiet(world);
    }
    CHECK(near->connect.is_armed);
    seam_cancel(world, near->socket, &near->connect, &near->cancel);
    connect_wait(world, near);
    CHECK(near->connect.ended == 1 && near->connect.result == -ECANCELED);
    CHECK(near->cancel.result == 0 || near->cancel.result == -EALREADY);
    CHECK(!is_itself(world, near));
    seam_near_close(world, near);
}

static void connect_cancelled(seam *world) {
    const uint16_t port = world->far->silent_port(world);
    for (int round = 0; round < 10; round++) {
        cancel_one(world, port, round % 2 == 0);
    }
}

/* Shutting it down ends it as well. */
static void connect_shut_down(seam *world) {
    seam_near *near = seam_connect(world, world->far->silent_port(world));
    seam_expect_quiet(world);
    seam_shutdown(world, near, SHUT_RDWR);
    while (near->connect.is_armed || near->shutdown.is_armed) {
        seam_step(world);
    }
    CHECK(near->connect.result < 0 && !is_itself(world, near));
    seam_near_close(world, near);
}

/* The listener goes away while somebody connects, and resets who is not accepted yet. */
static void connect_reset(seam *world) {
    for (int round = 0; round < 10; round++) {
        uint16_t port;
        const int listener = world->far->listen(world, &port);
        seam_near *near = seam_connect(world, port);
        if (round % 2 == 0) {
            (void)seam_turn(world, world->ops->now(world->backend));
        }
        world->far->unlisten(world, listener);
        connect_wait(world, near);
        (void)is_itself(world, near);
        while (near->connect.result == 0 && !near->is_ended && near->rx_error == 0) {
            seam_recv_pump(world, near);
            seam_step(world);
        }
        CHECK(near->rx_pos == 0);
        seam_near_close(world, near);
    }
}

/* Who answers and resets at once, before the connect was seen to succeed: the answer comes first.
 */
static void connect_reset_behind_bytes(seam *world) {
    uint16_t port;
    const int listener = world->far->listen(world, &port);
    for (int round = 0; round < 20; round++) {
        seam_near *near = seam_connect(world, port);
        while ((near->peer.name = world->far->accept(world, listener)) < 0) {
            (void)seam_turn(world, world->ops->now(world->backend));
        }
        CHECK(seam_peer_push(world, &near->peer, 5) == 5);
        seam_peer_reset(world, &near->peer);
        connect_wait(world, near);
        CHECK(near->connect.result == 0 && !is_itself(world, near));
        while (!near->is_ended && near->rx_error == 0) {
            seam_recv_pump(world, near);
            seam_step(world);
        }
        CHECK(near->rx_pos == 5);
        seam_near_close(world, near);
    }
    world->far->unlisten(world, listener);
}

/* From the very port that is dialled, where nobody listens: TCP connects it to itself. */
static void connect_to_itself(seam *world) {
    const uint16_t port = world->far->refusing_port(world);
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    const wring__dial_config config = {.address = (const struct sockaddr *)&at,
                                       .address_len = sizeof at,
                                       .source = (const struct sockaddr *)&at,
                                       .source_len = sizeof at};
    seam_near *near = seam_near_new(world, WRING__SOCKET_NONE);
    const uint64_t token = seam_op_begin(world, &near->connect, SEAM_CONNECT);
    CHECK(world->ops->connect(world->backend, &config, token, &near->socket) == WRING_OK);
    connect_wait(world, near);
    CHECK(near->connect.result == 0 && is_itself(world, near));
    seam_near_close(world, near);
}

static const seam_case cases[] = {
    {.name = "connect_succeeds", .run = connect_succeeds},
    {.name = "connect_refused", .run = connect_refused},
    {.name = "connect_refused_late",
     .run = connect_refused_late,
     .not_simulated = "its silent port stays silent; a refusal comes late there by the seed"},
    {.name = "connect_cancelled", .run = connect_cancelled},
    {.name = "connect_shut_down", .run = connect_shut_down},
    {.name = "connect_reset", .run = connect_reset},
    {.name = "connect_reset_behind_bytes",
     .run = connect_reset_behind_bytes,
     .not_simulated = "a reset there is at once for both ends"},
    {.name = "connect_to_itself",
     .run = connect_to_itself,
     .not_simulated = "it has no simultaneous open, and no `dialled`"},
};

seam_cases seam_cases_connect(void) {
    return (seam_cases){cases, WRING_ARRAY_LEN(cases)};
}
