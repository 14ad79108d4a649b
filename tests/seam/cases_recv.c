/* SPDX-License-Identifier: Apache-2.0
 *
 * Receiving.
 */
#include <errno.h>

#include "tests/seam/seam.h"

#define STREAMS 6

/* ---- into receive buffers -------------------------------------------------------------------- */

/* Several streams in turn, in odd pieces, through buffers that all of them share. */
static void streams_run(seam *world, seam_near **nears, size_t len) {
    size_t done = 0;
    while (done < STREAMS) {
        done = 0;
        for (size_t i = 0; i < STREAMS; i++) {
            seam_near *near = nears[i];
            const size_t piece = 1 + seam_random(world, 20000);
            const size_t left = near->peer.tx_pos < len ? len - near->peer.tx_pos : 0;
            (void)seam_peer_push(world, &near->peer, wring__min_size(piece, left));
            seam_recv_pump(world, near);
            done += near->rx_pos >= len;
        }
        seam_step(world);
    }
}

static void recv_in_order(seam *world) {
    seam_near *nears[STREAMS];
    for (size_t i = 0; i < STREAMS; i++) {
        nears[i] = seam_pair(world);
    }
    streams_run(world, nears, seam_size(world, 1 << 20, 800));
    for (size_t i = 0; i < STREAMS; i++) {
        seam_pair_close(world, nears[i]);
    }
}

static void recv_few_a_turn(seam *world) {
    world->turn_max = 1 + (size_t)seam_random(world, 2);
    recv_in_order(world);
}

/* In a few buffers, of one byte each where the world's windows are as short. */
static void hold_some(seam *world, seam_near *held) {
    const size_t receives = seam_size(world, 3, 1);
    held->holds = true;
    for (size_t done = 0; done<receives; done += held->recv.result> 0) {
        const uint64_t end = held->peer.tx_pos + 40;
        seam_recv(world, held, SEAM_RECV_ONCE);
        while (held->recv.is_armed) {
            (void)seam_peer_push(world, &held->peer, end - held->peer.tx_pos);
            seam_step(world);
        }
    }
}

/* Bytes that are held are not written over by those that come later. */
static void recv_held(seam *world) {
    seam_near *nears[STREAMS];
    const size_t len = seam_size(world, 100000, 800);
    for (size_t i = 0; i < STREAMS; i++) {
        nears[i] = seam_pair(world);
    }
    seam_near *held = nears[0];
    for (size_t round = 0; round < 8; round++) {
        hold_some(world, held);
        seam_peer_push_all(world, nears[1 + round % (STREAMS - 1)], len / 8);
        held->holds = false;
        seam_bytes_take(world, held);
    }
    streams_run(world, nears, len);
    for (size_t i = 0; i < STREAMS; i++) {
        seam_pair_close(world, nears[i]);
    }
}

/* A backend may give out its buffers a few at a time: none is left after this many failures. */
#define STARVED_ROUNDS 20

static void starve(seam *world, seam_near *near) {
    uint32_t failures = 0;
    while (failures < STARVED_ROUNDS) {
        const uint32_t starved = near->starved;
        const uint32_t completions = near->recv.completions;
        (void)seam_peer_push(world, &near->peer, seam_size(world, 65536, 500));
        seam_recv_pump(world, near);
        seam_step(world);
        failures += near->starved - starved;
        failures = near->recv.completions - completions > near->starved - starved ? 0 : failures;
    }
    CHECK(wring__recv_lent(&world->pool) <= 1);
}

/* All buffers are held: the receive ends, and goes on once they are back. */
static void recv_no_buffers(seam *world) {
    seam_near *near = seam_pair(world);
    for (int round = 0; round < 3; round++) {
        near->holds = true;
        starve(world, near);
        if (!near->recv.is_armed) {
            seam_expect_quiet(world); /* it is told once, not in each turn */
        }
        near->holds = false;
        seam_bytes_take(world, near);
        while (near->rx_pos < near->peer.tx_pos) {
            seam_recv_pump(world, near);
            seam_step(world);
        }
    }
    seam_pair_close(world, near);
}

/* ---- once ------------------------------------------------------------------------------------ */

static void recv_once(seam *world) {
    seam_near *near = seam_pair(world);
    const size_t len = seam_size(world, 200000, 1000);
    while (near->rx_pos < len) {
        const uint32_t before = near->recv.completions;
        seam_recv(world, near, SEAM_RECV_ONCE);
        while (near->recv.is_armed) {
            const size_t left = len - near->peer.tx_pos;
            (void)seam_peer_push(world, &near->peer, wring__min_size(left, 30000));
            seam_step(world);
        }
        CHECK(near->recv.completions == before + 1 && near->recv.result != 0);
        CHECK(near->recv.result <= (int32_t)world->backend->read_size);
        (void)seam_turn(world, world->ops->now(world->backend)); /* no more comes by itself */
    }
    seam_pair_close(world, near);
}

static uint8_t into[5000];

static void into_wait(seam *world, seam_near *near, size_t len, bool at_once) {
    seam_recv_into(world, near, into, len, at_once);
    while (near->recv.is_armed) {
        seam_step(world);
    }
}

static void recv_into_at_once(seam *world) {
    seam_near *near = seam_pair(world);
    for (int round = 0; round < 3; round++) {
        into_wait(world, near, sizeof into, true);
        CHECK(near->recv.result == -EAGAIN);
        const size_t sent = seam_peer_push(world, &near->peer, 3000);
        CHECK(sent > 0);
        while (near->rx_pos < near->peer.tx_pos) {
            into_wait(world, near, 1 + (size_t)seam_random(world, 999), true);
            CHECK(near->recv.result > 0 || near->recv.result == -EAGAIN);
        }
    }
    seam_pair_close(world, near);
}

static void recv_into_waits(seam *world) {
    seam_near *near = seam_pair(world);
    for (int round = 0; round < 3; round++) {
        seam_recv_into(world, near, into, sizeof into, false);
        seam_expect_quiet(world);
        CHECK(near->recv.is_armed);
        CHECK(seam_peer_push(world, &near->peer, 3000) > 0);
        while (near->recv.is_armed) {
            seam_step(world);
        }
        CHECK(near->recv.result > 0);
        while (near->rx_pos < near->peer.tx_pos) { /* in small pieces: no edge comes between */
            into_wait(world, near, 1 + (size_t)seam_random(world, 99), false);
        }
    }
    seam_pair_close(world, near);
}

/* Kinds of receive in any order on one stream. */
static void recv_mixed(seam *world) {
    seam_near *near = seam_pair(world);
    const size_t len = seam_size(world, 1 << 20, 800);
    while (near->rx_pos < len) {
        const size_t piece = wring__min_size(len - near->peer.tx_pos, 7000);
        (void)seam_peer_push(world, &near->peer, piece);
        switch (near->recv.is_armed ? 4 : seam_random(world, 4)) {
        case 0:
            seam_recv(world, near, SEAM_RECV_ON);
            break;
        case 1:
            seam_recv(world, near, SEAM_RECV_ONCE);
            break;
        case 2:
            seam_recv_into(world, near, into, 1 + (size_t)seam_random(world, sizeof into), true);
            break;
        case 3:
            seam_recv_into(world, near, into, 1 + (size_t)seam_random(world, sizeof into), false);
            break;
        default:
            if (!near->cancel.is_armed && seam_random(world, 4) == 0) {
                seam_cancel(world, near->socket, &near->recv, &near->cancel);
            }
        }
        seam_step(world);
    }
    seam_pair_close(world, near);
}

/* ---- the end of the stream ------------------------------------------------------------------- */

static void end_again(seam *world, seam_near *near, int how) {
    near->is_ended = false;
    while (!near->is_ended) { /* the simulated world may tell of no buffers first */
        if (how == 0) {
            seam_recv(world, near, SEAM_RECV_ON);
        } else if (how == 1) {
            seam_recv(world, near, SEAM_RECV_ONCE);
        } else {
            seam_recv_into(world, near, into, sizeof into, how == 2);
        }
        while (near->recv.is_armed) {
            seam_step(world);
        }
        CHECK(near->recv.result == 0 || world->sim != NULL);
    }
}

static void recv_end(seam *world) {
    seam_near *near = seam_pair(world);
    seam_peer_push_all(world, near, 1000);
    seam_peer_shut(world, &near->peer);
    while (!near->is_ended) {
        seam_recv_pump(world, near);
        seam_step(world);
    }
    CHECK(near->rx_pos == 1000);
    for (int how = 0; how < 4; how++) {
        end_again(world, near, how);
    }
    seam_pair_close(world, near);
}

/* Bytes and the end are there before anything receives: first the bytes, then the end. */
static void recv_end_behind_bytes(seam *world) {
    seam_near *near = seam_pair(world);
    const size_t sent = seam_peer_push(world, &near->peer, 60000);
    seam_peer_shut(world, &near->peer);
    seam_expect_quiet(world);
    while (!near->is_ended) {
        seam_recv_pump(world, near);
        seam_step(world);
    }
    CHECK(near->rx_pos == sent);
    seam_pair_close(world, near);
}

/* Urgent data ends a receive early (tcp(7)): what comes behind it is not forgotten, though no
 * further bytes come to wake anybody. */
static void recv_urgent(seam *world) {
    seam_near *near = seam_pair(world);
    for (int round = 0; round < 100; round++) {
        (void)seam_peer_push(world, &near->peer, 1 + seam_random(world, 300));
        CHECK(send(near->peer.name, "!", 1, MSG_OOB) == 1);
        (void)seam_peer_push(world, &near->peer, 1 + seam_random(world, 300));
        while (near->rx_pos < near->peer.tx_pos) {
            seam_recv_pump(world, near);
            seam_step(world);
        }
    }
    seam_pair_close(world, near);
}

static const seam_case cases[] = {
    {.name = "recv_in_order", .run = recv_in_order},
    {.name = "recv_few_a_turn", .run = recv_few_a_turn},
    {.name = "recv_held", .run = recv_held},
    {.name = "recv_no_buffers", .run = recv_no_buffers},
    {.name = "recv_once", .run = recv_once},
    {.name = "recv_into_at_once", .run = recv_into_at_once},
    {.name = "recv_into_waits", .run = recv_into_waits},
    {.name = "recv_mixed", .run = recv_mixed},
    {.name = "recv_urgent", .run = recv_urgent, .not_simulated = "its streams have no urgent data"},
    {.name = "recv_end", .run = recv_end},
    {.name = "recv_end_behind_bytes", .run = recv_end_behind_bytes},
};

seam_cases seam_cases_recv(void) {
    return (seam_cases){cases, WRING_ARRAY_LEN(cases)};
}
