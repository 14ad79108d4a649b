/* SPDX-License-Identifier: Apache-2.0
 *
 * Cancelling a receive. Both operations complete, and no byte is lost by it.
 */
#include <errno.h>

#include "tests/seam/seam.h"

static uint8_t into[3000];

static void receive_somehow(seam *world, seam_near *near) {
    switch (seam_random(world, 3)) {
    case 0:
        seam_recv(world, near, SEAM_RECV_ON);
        break;
    case 1:
        seam_recv(world, near, SEAM_RECV_ONCE);
        break;
    default:
        seam_recv_into(world, near, into, sizeof into, false);
    }
}

static void cancel_wait(seam *world, seam_near *near) {
    const uint32_t ended = near->recv.ended;
    seam_cancel(world, near->socket, &near->recv, &near->cancel);
    while (near->recv.is_armed || near->cancel.is_armed) {
        seam_step(world);
    }
    CHECK(near->recv.ended == ended + 1);
}

static void cancel_idle(seam *world) {
    seam_near *near = seam_pair(world);
    for (int round = 0; round < 10; round++) {
        receive_somehow(world, near);
        if (round % 2 == 0) {
            seam_expect_quiet(world);
        }
        cancel_wait(world, near);
        CHECK(near->recv.result == -ECANCELED || near->recv.result == -ENOBUFS);
    }
    seam_peer_push_all(world, near, 100);
    seam_pair_close(world, near);
}

/* Bytes come before the cancel, between it and the turn, or behind it. */
static void cancel_among_bytes(seam *world) {
    seam_near *near = seam_pair(world);
    const size_t rounds = seam_size(world, 2000, 40);
    for (size_t round = 0; round < rounds; round++) {
        receive_somehow(world, near);
        (void)seam_peer_push(world, &near->peer, (size_t)seam_random(world, 3) * 5000);
        if (seam_random(world, 2) == 0) {
            (void)seam_turn(world, world->ops->now(world->backend));
        }
        if (near->recv.is_armed) {
            seam_cancel(world, near->socket, &near->recv, &near->cancel);
            (void)seam_peer_push(world, &near->peer, (size_t)seam_random(world, 3) * 100);
        }
        while (near->recv.is_armed || near->cancel.is_armed) {
            seam_step(world);
        }
        CHECK(near->rx_error == 0);
    }
    while (near->rx_pos < near->peer.tx_pos) {
        seam_recv_pump(world, near);
        seam_step(world);
    }
    seam_pair_close(world, near);
}

/* ---- too late -------------------------------------------------------------------------------- */

/* What has ended is found no more, and the next operation of the same kind is not meant. */
static void cancel_of_ended(seam *world) {
    seam_near *near = seam_pair(world);
    for (int round = 0; round < 10; round++) {
        const seam_op before = near->recv;
        const bool was_begun = before.generation > 0;
        seam_recv(world, near, SEAM_RECV_ONCE);
        if (was_begun) {
            seam_cancel(world, near->socket, &before, &near->cancel);
            while (near->cancel.is_armed) {
                seam_step(world);
            }
            CHECK(near->cancel.result == -ENOENT);
            CHECK(near->recv.is_armed || near->recv.result == -ENOBUFS);
        }
        while (near->recv.is_armed) {
            (void)seam_peer_push(world, &near->peer, 10);
            seam_step(world);
        }
        CHECK(near->recv.result > 0 || near->recv.result == -ENOBUFS);
        while (near->rx_pos < near->peer.tx_pos) { /* all of it */
            if (!near->recv.is_armed) {
                seam_recv(world, near, SEAM_RECV_ONCE);
            }
            seam_step(world);
        }
        CHECK(!near->recv.is_armed);
    }
    seam_pair_close(world, near);
}

static const seam_case cases[] = {
    {.name = "cancel_idle", .run = cancel_idle},
    {.name = "cancel_among_bytes", .run = cancel_among_bytes},
    {.name = "cancel_of_ended", .run = cancel_of_ended},
};

seam_cases seam_cases_cancel(void) {
    return (seam_cases){cases, WRING_ARRAY_LEN(cases)};
}
