/* SPDX-License-Identifier: Apache-2.0
 *
 * Sending. The near end resends what a send did not take, as a connection does.
 */
#include <errno.h>

#include "tests/seam/seam.h"

#define HUGE           (16u << 20)
#define HUGE_SIMULATED 6000

static void far_read(seam *world, seam_near *near, size_t len) {
    size_t got = 1;
    while (len > 0 && got > 0) {
        got = seam_peer_pull(world, &near->peer, wring__min_size(len, 5000));
        len -= got;
    }
}

/* Until the far end has everything; it reads odd pieces, and not at every step. */
static void send_all(seam *world, seam_near *near, size_t piece, size_t parts, size_t reads) {
    while (near->peer.rx_pos < near->tx_len || near->send.is_armed) {
        seam_send_pump(world, near, piece, parts);
        seam_step(world);
        CHECK(near->tx_error == 0);
        if (seam_random(world, 4) != 0) {
            far_read(world, near, 1 + (size_t)seam_random(world, reads));
        }
    }
    CHECK(near->tx_pos == near->tx_len);
}

static void send_small(seam *world) {
    seam_near *near = seam_pair(world);
    for (size_t i = 0; i < seam_size(world, 200, 20); i++) {
        seam_tx_set(world, near, 1 + (size_t)seam_random(world, 100));
        send_all(world, near, SIZE_MAX, 1, 1000);
    }
    seam_pair_close(world, near);
}

static void send_gathered(seam *world) {
    seam_near *near = seam_pair(world);
    seam_tx_set(world, near, seam_size(world, 4 << 20, HUGE_SIMULATED));
    send_all(world, near, seam_size(world, 300000, 1500), SEAM_PARTS_MAX, 65536);
    seam_pair_close(world, near);
}

static void send_huge(seam *world) {
    seam_near *near = seam_pair(world);
    seam_tx_set(world, near, seam_size(world, HUGE, HUGE_SIMULATED));
    send_all(world, near, SIZE_MAX, 1, 300000);
    seam_pair_close(world, near);
}

/* Nobody reads for long; then room comes a little at a time. */
static void send_waits_for_room(seam *world) {
    seam_near *near = seam_pair(world);
    for (int round = 0; round < 3; round++) {
        if (world->sim == NULL || round > 0) {
            seam_tx_set(world, near, seam_size(world, HUGE, 200));
        }
        if (world->sim == NULL) {
            seam_send_until_full(world, near);
        }
        send_all(world, near, SIZE_MAX, 2, 400000);
    }
    seam_pair_close(world, near);
}

static void send_both_ways(seam *world) {
    seam_near *near = seam_pair(world);
    const size_t len = seam_size(world, 4 << 20, HUGE_SIMULATED);
    seam_tx_set(world, near, len);
    while (near->rx_pos < len || near->peer.rx_pos < len || near->send.is_armed) {
        const size_t left = len - near->peer.tx_pos;
        (void)seam_peer_push(world, &near->peer,
                             wring__min_size(left, seam_size(world, 50000, 500)));
        seam_recv_pump(world, near);
        seam_send_pump(world, near, 100000, 3);
        seam_step(world);
        CHECK(near->tx_error == 0 && near->rx_error == 0);
        (void)seam_peer_pull(world, &near->peer, 1 + (size_t)seam_random(world, 65536));
    }
    seam_pair_close(world, near);
}

/* Many send in one turn, more than the submission queue of a ring holds. */
static void send_many_in_a_turn(seam *world) {
    enum { MANY = 60 };
    seam_near *nears[MANY];
    const size_t count = seam_size(world, MANY, 8);
    for (size_t i = 0; i < count; i++) {
        nears[i] = seam_pair(world);
        seam_tx_set(world, nears[i], 500);
    }
    for (size_t done = 0; done < count;) {
        done = 0;
        for (size_t i = 0; i < count; i++) {
            seam_recv_pump(world, nears[i]);
            seam_send_pump(world, nears[i], 400, 1 + i % 8);
        }
        seam_step(world);
        for (size_t i = 0; i < count; i++) {
            (void)seam_peer_pull(world, &nears[i]->peer, 65536);
            done += nears[i]->peer.rx_pos == 500 && !nears[i]->send.is_armed;
        }
    }
    for (size_t i = 0; i < count; i++) {
        seam_pair_close(world, nears[i]);
    }
}

static void send_after_half_close(seam *world) {
    seam_near *near = seam_pair(world);
    const size_t len = seam_size(world, 4 << 20, HUGE_SIMULATED);
    seam_peer_push_all(world, near, 10);
    seam_peer_shut(world, &near->peer);
    while (!near->is_ended) {
        seam_recv_pump(world, near);
        seam_step(world);
    }
    seam_tx_set(world, near, len);
    send_all(world, near, SIZE_MAX, 3, 65536);
    seam_shutdown(world, near, SHUT_WR);
    while (near->shutdown.is_armed || !near->peer.is_ended) {
        seam_step(world);
        (void)seam_peer_pull(world, &near->peer, 100);
    }
    CHECK(near->shutdown.result == 0 && !near->peer.is_reset && near->peer.rx_pos == len);
    seam_pair_close(world, near);
}

/* Our end of the stream comes behind what was sent before it. */
static void shutdown_behind_sends(seam *world) {
    seam_near *near = seam_pair(world);
    const size_t len = seam_size(world, 10000, 1);
    seam_tx_set(world, near, len);
    seam_send_pump(world, near, SIZE_MAX, 1);
    while (near->send.is_armed) {
        seam_step(world);
        seam_send_pump(world, near, SIZE_MAX, 1);
    }
    seam_shutdown(world, near, SHUT_WR);
    while (near->shutdown.is_armed || !near->peer.is_ended) {
        seam_step(world);
        (void)seam_peer_pull(world, &near->peer, 65536);
    }
    CHECK(near->peer.rx_pos == len && !near->peer.is_reset);
    seam_peer_push_all(world, near, 100); /* the other direction goes on */
    while (near->rx_pos < 100) {
        seam_recv_pump(world, near);
        seam_step(world);
    }
    seam_pair_close(world, near);
}

/* ---- at once --------------------------------------------------------------------------------- */

/* Only where the backend has it. What it does not take, a send that waits takes. */
static void send_at_once(seam *world) {
    if (!world->backend->sends_at_once) {
        return;
    }
    seam_near *near = seam_pair(world);
    seam_tx_set(world, near, seam_size(world, HUGE, HUGE_SIMULATED));
    while (near->peer.rx_pos < near->tx_len || near->send.is_armed) {
        const bool waits = seam_random(world, 8) == 0;
        if (!near->send.is_armed && near->tx_pos < near->tx_len) {
            if (waits) {
                seam_send_pump(world, near, 200000, 2);
            } else {
                seam_send_at_once(world, near, 1 + (size_t)seam_random(world, 100000),
                                  1 + (size_t)seam_random(world, 3));
            }
        }
        seam_step(world);
        CHECK(near->tx_error == 0);
        if (seam_random(world, 2) != 0) {
            (void)seam_peer_pull(world, &near->peer, 1 + (size_t)seam_random(world, 65536));
        }
    }
    seam_pair_close(world, near);
}

/* Nobody reads, and yet each ends. */
static void fill_at_once(seam *world, seam_near *near) {
    seam_tx_set(world, near, seam_size(world, HUGE, 100000));
    while (near->send.result != -EAGAIN) {
        seam_send_at_once(world, near, 30000, 1);
        for (int turns = 0; near->send.is_armed; turns++) {
            CHECK(turns < 100);
            seam_step(world);
        }
        CHECK(near->tx_pos < near->tx_len);
    }
}

static void send_at_once_does_not_wait(seam *world) {
    if (!world->backend->sends_at_once) {
        return;
    }
    seam_near *near = seam_pair(world);
    fill_at_once(world, near);
    seam_pair_close(world, near);
}

/* More fail than a turn hands out: they are known when the last was told, not before. */
static void send_at_once_is_known_late(seam *world) {
    enum { FULL = 4 };
    seam_near *nears[FULL];
    if (!world->backend->sends_at_once) {
        return;
    }
    for (size_t i = 0; i < FULL; i++) {
        nears[i] = seam_pair(world);
        fill_at_once(world, nears[i]);
    }
    world->turn_max = 1;
    for (size_t i = 0; i < FULL; i++) {
        nears[i]->send.completions = 0;
        seam_send_at_once(world, nears[i], seam_size(world, 1 << 20, 1000), 1 + i % 2);
    }
    for (size_t i = 0; i < FULL; i++) {
        while (nears[i]->send.is_armed) {
            seam_step(world);
        }
        CHECK(nears[i]->send.completions == 1); /* none counts as taken without having been */
    }
    world->turn_max = SEAM_TURN_MAX;
    for (size_t i = 0; i < FULL; i++) {
        seam_pair_close(world, nears[i]);
    }
}

static const seam_case cases[] = {
    {.name = "send_small", .run = send_small},
    {.name = "send_gathered", .run = send_gathered},
    {.name = "send_huge", .run = send_huge},
    {.name = "send_waits_for_room", .run = send_waits_for_room},
    {.name = "send_both_ways", .run = send_both_ways},
    {.name = "send_many_in_a_turn", .run = send_many_in_a_turn},
    {.name = "send_after_half_close", .run = send_after_half_close},
    {.name = "shutdown_behind_sends", .run = shutdown_behind_sends},
    {.name = "send_at_once", .run = send_at_once},
    {.name = "send_at_once_is_known_late", .run = send_at_once_is_known_late},
    {.name = "send_at_once_does_not_wait", .run = send_at_once_does_not_wait},
};

seam_cases seam_cases_send(void) {
    return (seam_cases){cases, WRING_ARRAY_LEN(cases)};
}
