/* SPDX-License-Identifier: Apache-2.0
 *
 * Lanes for long frames: who has one, who waits, and that none is kept by who does not need it. On
 * the simulated backend in fair weather; the owners' frames are endless, their rooms small.
 */
#include <criterion/criterion.h>

#include "tests/sim/backend/sim.h"
#include "io/worker.h"

#define TALKERS 5
#define LANES   2 /* io/conn_long.c */
#define SHARE   4
#define ROOM    1000
#define READ    64 /* receive buffers: the first reads, which tell that a frame is long */
#define READS   4

static struct talker {
    wring__conn conn;
    wring__block *block;
    wring__socket peer;
    uint64_t received;
    uint64_t before; /* received when last looked at */
    bool is_over;    /* its frame is: nothing is missing */
    bool holds;      /* its owner takes no more after the next bytes */
    bool closed;
} talkers[TALKERS];

static wring__sim *world;
static wring__worker worker;
static unsigned accepted;
static uint8_t zeros[100 * ROOM];

/* ---- the owner ------------------------------------------------------------------------------- */

static void on_rx(wring__endpoint *end, wring_mut_bytes bytes, wring__block *block) {
    (void)block;
    wring__conn *conn = wring__end_conn(end);
    struct talker *talker = (struct talker *)conn;
    talker->received += bytes.len;
    if (talker->holds) {
        wring__end_rx_stop(end, WRING__RX_STOP_PAUSED);
    }
}

static uint64_t on_missing(wring__endpoint *end) {
    wring__conn *conn = wring__end_conn(end);
    const struct talker *talker = (const struct talker *)conn;
    return talker->is_over || talker->received == 0 ? 0 : UINT32_MAX;
}

static wring__block *on_room(wring__endpoint *end) {
    wring__conn *conn = wring__end_conn(end);
    struct talker *talker = (struct talker *)conn;
    talker->block->at = 0;
    talker->block->len = ROOM;
    return talker->block;
}

static void on_nothing(wring__endpoint *end) {
    (void)end; /* after the end of its peer's stream it may go on sending */
}

static void on_failed(wring__endpoint *end, wring_result reason) {
    (void)end;
    (void)reason;
}

static void on_mail(wring__endpoint *end, const wring__mail *mail) {
    (void)end;
    (void)mail;
}

static void on_closed(wring__endpoint *end) {
    wring__conn *conn = wring__end_conn(end);
    struct talker *talker = (struct talker *)conn;
    wring__block_unref(talker->block);
    talker->closed = true;
}

static const wring__end_ops conn_ops = {.name = "long",
                                        .rx = on_rx,
                                        .missing = on_missing,
                                        .room = on_room,
                                        .eof = on_nothing,
                                        .failed = on_failed,
                                        .timer = on_nothing,
                                        .mail = on_mail,
                                        .closed = on_closed};

static wring_result on_accepted(wring__worker *io, wring__socket socket) {
    struct talker *talker = &talkers[accepted++];
    talker->block = wring__block_make(NULL, ROOM);
    return wring__conn_open(&talker->conn, io, &conn_ops, socket);
}

static void on_worker_mail(wring__worker *io, const wring__mail *mail) {
    (void)io;
    (void)mail;
}

static void on_worker_timer(wring__worker *io) {
    (void)io;
}

static const wring__worker_ops worker_ops = {
    .name = "long", .accepted = on_accepted, .mail = on_worker_mail, .timer = on_worker_timer};

/* ---- the world ------------------------------------------------------------------------------- */

static void turn(void) {
    cr_assert_eq(wring__worker_turn(&worker, WRING_TIME_NEVER), WRING_OK);
    uint32_t taken = 0;
    for (unsigned i = 0; i < TALKERS; i++) {
        taken += !talkers[i].closed && talkers[i].conn.has_lane;
    }
    cr_assert_eq(taken, worker.lanes.taken);
    cr_assert_leq(taken, LANES);
}

/* Turns, and time when nothing is due now, until nothing happens any more. */
static void settle(void) {
    uint64_t before;
    do {
        before = wring__sim_activity(world);
        turn();
    } while (before != wring__sim_activity(world) || wring__sim_advance(world));
}

static void say(unsigned i, size_t len) {
    cr_assert_eq(wring__sim_peer_send(world, talkers[i].peer, wring_bytes_of(zeros, len)), len);
}

/* Five whose frames are known to be long, with nothing in their sockets. */
static void begin(void) {
    const wring__sim_config world_config = {.pipe_bytes = sizeof zeros};
    world = wring__sim_create(&world_config);
    accepted = 0;
    const wring__listen_config listen = {.context = world};
    uint16_t port;
    wring__socket listener;
    cr_assert_eq(wring__backend_sim.listen(&listen, &listener, &port, NULL), WRING_OK);
    const wring__worker_config config = {
        .backend = &wring__backend_sim,
        .backend_config = {.buffer_count = 64, .buffer_size = READ, .context = world},
        .ops = &worker_ops};
    cr_assert_eq(wring__worker_init(&worker, &config, NULL), WRING_OK);
    wring__worker_listen(&worker, listener);
    for (unsigned i = 0; i < TALKERS; i++) {
        talkers[i] = (struct talker){.peer = wring__sim_dial(world, port)};
        settle();
        say(i, (size_t)READ * READS);
        settle();
        cr_assert(talkers[i].conn.is_direct && talkers[i].conn.recv_armed);
    }
    cr_assert_eq(worker.lanes.taken, 0); /* who waits for its peer has none */
}

static void end(void) {
    for (unsigned i = 0; i < TALKERS; i++) {
        if (talkers[i].peer != WRING__SOCKET_NONE) {
            wring__sim_peer_close(world, talkers[i].peer, false);
        }
        if (!talkers[i].closed) {
            wring__conn_abort(&talkers[i].conn);
        }
    }
    wring__worker_stop_listening(&worker);
    settle();
    cr_assert(wring__worker_is_quiet(&worker));
    cr_assert_eq(worker.lanes.taken, 0);
    wring__worker_deinit(&worker);
    wring__sim_destroy(world);
}

/* Which receive in a turn of the worker's, as bits; those that stand by get nothing. */
static unsigned receivers(void) {
    unsigned bits = 0;
    for (unsigned i = 0; i < TALKERS; i++) {
        talkers[i].before = talkers[i].received;
    }
    turn();
    for (unsigned i = 0; i < TALKERS; i++) {
        bits |= talkers[i].received > talkers[i].before ? 1u << i : 0;
    }
    return bits;
}

/* All have much to say, and it is there. The first receive of each fills its room. */
static void all_say(size_t len) {
    for (unsigned i = 0; i < TALKERS; i++) {
        say(i, len);
    }
    while (wring__sim_advance(world)) {
    }
    cr_assert_eq(receivers(), 0x1Fu);
    cr_assert_eq(worker.lanes.taken, LANES);
    cr_assert_eq(worker.lanes.count, TALKERS - LANES);
}

static uint64_t said(size_t len) {
    return (uint64_t)READ * READS + len;
}

static void all_have(size_t len) {
    for (unsigned i = 0; i < TALKERS; i++) {
        cr_assert_eq(talkers[i].received, said(len), "talker %u", i);
    }
}

/* The first ones send as much as takes a lane and then are silent; nobody waits for them. */
static void silent_in_their_lanes(size_t len) {
    for (unsigned i = 0; i < TALKERS; i++) {
        say(i, i < LANES ? len : 10 * ROOM);
    }
    settle();
    for (unsigned i = 0; i < TALKERS; i++) {
        cr_assert_eq(talkers[i].received, said(i < LANES ? len : 10 * ROOM), "talker %u", i);
    }
    cr_assert_eq(worker.lanes.taken, 0);
    cr_assert_eq(worker.lanes.count, 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

Test(conn_long, two_receive_at_a_time_and_each_gets_its_share) {
    begin();
    all_say(sizeof zeros);
    unsigned shares[TALKERS] = {0};
    for (unsigned i = 0; i < 20 * SHARE; i++) {
        const unsigned bits = receivers();
        cr_assert_leq(__builtin_popcount(bits), LANES);
        for (unsigned k = 0; k < TALKERS; k++) {
            shares[k] += bits >> k & 1;
        }
    }
    for (unsigned k = 0; k < TALKERS; k++) { /* of 160 a fifth each, give or take a share */
        cr_assert_geq(shares[k], 32 - SHARE);
        cr_assert_leq(shares[k], 32 + SHARE);
    }
    settle();
    all_have(sizeof zeros);
    cr_assert_eq(worker.lanes.taken, 0);
    end();
}

Test(conn_long, who_has_nothing_more_leaves_its_lane_to_the_next) {
    begin();
    silent_in_their_lanes(ROOM);
    say(0, 10); /* and they are heard again */
    wring__sim_peer_shutdown(world, talkers[1].peer);
    settle();
    cr_assert_eq(talkers[0].received, said(ROOM + 10));
    end();
}

Test(conn_long, who_does_not_fill_its_room_leaves_its_lane_to_the_next) {
    begin();
    silent_in_their_lanes(ROOM + 10);
    end();
}

Test(conn_long, who_has_ended_leaves_its_lane_to_the_next) {
    begin();
    all_say(10 * ROOM);
    for (unsigned i = 0; i < TALKERS; i++) {
        wring__sim_peer_shutdown(world, talkers[i].peer);
    }
    settle();
    for (unsigned i = 0; i < TALKERS; i++) {
        cr_assert_eq(talkers[i].received, said(10 * ROOM));
        cr_assert(talkers[i].conn.eof_told && talkers[i].conn.super.state == WRING__END_OPEN);
    }
    cr_assert_eq(worker.lanes.taken, 0);
    end();
}

Test(conn_long, who_is_held_leaves_its_lane_to_the_next) {
    begin();
    all_say(10 * ROOM);
    for (unsigned i = 0; i < TALKERS; i++) {
        talkers[i].holds = talkers[i].conn.has_lane;
    }
    settle();
    for (unsigned i = 0; i < TALKERS; i++) {
        cr_assert_eq(talkers[i].received, said(talkers[i].holds ? 2 * ROOM : 10 * ROOM));
    }
    for (unsigned i = 0; i < TALKERS; i++) {
        talkers[i].holds = false;
        wring__end_rx_go(&talkers[i].conn.super, WRING__RX_STOP_PAUSED);
    }
    settle();
    all_have(10 * ROOM);
    end();
}

Test(conn_long, who_is_held_while_it_waits_is_passed_over) {
    begin();
    all_say(10 * ROOM);
    unsigned held = 0;
    for (unsigned i = 0; i < TALKERS; i++) {
        if (talkers[i].conn.super.rx_stop & WRING__RX_STOP_LANE) {
            held = i;
        }
    }
    talkers[held].holds = true;
    wring__end_rx_stop(&talkers[held].conn.super, WRING__RX_STOP_PAUSED);
    settle();
    for (unsigned i = 0; i < TALKERS; i++) {
        cr_assert_eq(talkers[i].received, said(i == held ? ROOM : 10 * ROOM));
    }
    talkers[held].holds = false;
    wring__end_rx_go(&talkers[held].conn.super, WRING__RX_STOP_PAUSED);
    settle();
    cr_assert_eq(talkers[held].received, said(10 * ROOM));
    end();
}

Test(conn_long, who_is_gone_has_no_lane_and_waits_for_none) {
    for (unsigned how = 0; how < 4; how++) {
        begin();
        all_say(10 * ROOM);
        for (unsigned i = 0; i < TALKERS - 1; i++) {
            if (talkers[i].conn.has_lane != (how % 2 == 0)) {
                continue;
            }
            if (how < 2) {
                wring__conn_abort(&talkers[i].conn);
            } else {
                wring__sim_peer_close(world, talkers[i].peer, true);
                talkers[i].peer = WRING__SOCKET_NONE;
            }
        }
        settle();
        for (unsigned i = 0; i < TALKERS; i++) {
            cr_assert(talkers[i].closed || talkers[i].received == said(10 * ROOM));
        }
        cr_assert(!talkers[TALKERS - 1].closed);
        cr_assert_eq(worker.lanes.taken, 0);
        end();
    }
}

Test(conn_long, whose_frame_is_over_receives_as_ever) {
    begin();
    all_say(10 * ROOM);
    for (unsigned i = 0; i < TALKERS; i++) {
        talkers[i].is_over = true;
    }
    settle();
    for (unsigned i = 0; i < TALKERS; i++) {
        cr_assert_eq(talkers[i].received, said(10 * ROOM));
        cr_assert(!talkers[i].conn.is_direct && talkers[i].conn.one_shot == 0);
    }
    cr_assert_eq(worker.lanes.taken, 0);
    end();
}
