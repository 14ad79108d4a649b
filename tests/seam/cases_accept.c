/* SPDX-License-Identifier: Apache-2.0
 *
 * Accepting.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/ref.h"
#include "tests/seam/seam.h"

#define BURST           300
#define BURST_SIMULATED 30
#define TABLE_SMALL     4

/* ---- bursts ---------------------------------------------------------------------------------- */

static uint16_t address_port(const struct sockaddr_storage *address) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    CHECK(v4->sin_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    return ntohs(v4->sin_port);
}

struct burst {
    int fars[BURST];
    size_t sent[BURST]; /* of the dial's number, which it sends first */
    bool seen[BURST];
    uint32_t count;
};

/* The window may be shorter than the number: the rest goes when it is accepted. */
static void numbers_send(seam *world, struct burst *burst) {
    for (uint32_t i = 0; i < burst->count; i++) {
        const uint8_t *bytes = (const uint8_t *)&i;
        const size_t left = sizeof i - burst->sent[i];
        if (left > 0 && !burst->seen[i]) {
            burst->sent[i] += world->far->send(world, burst->fars[i], bytes + burst->sent[i], left);
        }
    }
}

/* The number says which of the dials this is: its address has to be that one's. */
static void burst_one(seam *world, seam_near *near, struct burst *burst) {
    uint32_t number;
    struct sockaddr_storage address;
    near->rx_id = SEAM_ID_UNKNOWN;
    while (near->rx_pos < sizeof number) {
        numbers_send(world, burst);
        seam_recv_pump(world, near);
        seam_step(world);
    }
    memcpy(&number, near->first, sizeof number);
    CHECK(number < burst->count && !burst->seen[number]);
    burst->seen[number] = true;
    CHECK(world->ops->peer(world->backend, near->socket, &address));
    const uint16_t port = address_port(&address);
    CHECK(world->sim != NULL || port == world->far->port(world, burst->fars[number]));
    near->peer.name = burst->fars[number];
    seam_pair_close(world, near);
}

static void burst_run(seam *world, uint32_t count) {
    static struct burst burst;
    burst = (struct burst){.count = count};
    for (uint32_t i = 0; i < count; i++) {
        burst.fars[i] = world->far->dial(world, world->port);
        CHECK(burst.fars[i] >= 0);
    }
    numbers_send(world, &burst);
    for (uint32_t i = 0; i < count; i++) {
        burst_one(world, seam_near_new(world, seam_accepted(world)), &burst);
    }
}

static void accept_burst(seam *world) {
    burst_run(world, (uint32_t)seam_size(world, BURST, BURST_SIMULATED));
}

static void accept_burst_one_a_turn(seam *world) {
    world->turn_max = 1;
    burst_run(world, (uint32_t)seam_size(world, BURST / 3, BURST_SIMULATED / 3));
}

/* ---- cancelling ------------------------------------------------------------------------------ */

static void accepted_close_all(seam *world) {
    while (world->accepted_taken < world->accepted_count) {
        seam_near_close(world, seam_near_new(world, seam_accepted(world)));
    }
}

/* `idle`: it waits when it is cancelled; else it is armed in the same turn. */
static void cancel_one(seam *world, bool idle) {
    const uint32_t completions = world->accept.completions;
    seam_accept_arm(world);
    if (idle) {
        seam_expect_quiet(world);
    }
    seam_accept_cancel(world);
    CHECK(world->accept.completions == completions + 1);
    CHECK(world->accept.result == -ECANCELED);
    const int far = world->far->dial(world, world->port);
    seam_expect_quiet(world); /* nobody accepts it */
    const wring__socket socket = seam_accepted(world);
    seam_near *near = seam_near_new(world, socket);
    near->peer.name = far;
    seam_accept_cancel(world);
    seam_pair_close(world, near);
}

static void accept_cancel(seam *world) {
    for (int round = 0; round < 5; round++) {
        cancel_one(world, true);
    }
}

static void accept_cancel_at_once(seam *world) {
    for (int round = 0; round < 5; round++) {
        cancel_one(world, false);
    }
}

/* Dials come while it is cancelled: each is accepted before the end, or waits for the next. */
static void accept_cancel_in_burst(seam *world) {
    const size_t rounds = seam_size(world, 50, 10);
    for (size_t round = 0; round < rounds; round++) {
        int fars[8];
        const size_t before = world->accepted_count;
        seam_accept_arm(world);
        for (size_t i = 0; i < WRING_ARRAY_LEN(fars); i++) {
            fars[i] = world->far->dial(world, world->port);
            if (seam_random(world, 3) == 0) {
                (void)seam_turn(world, world->ops->now(world->backend));
            }
        }
        seam_accept_cancel(world);
        while (world->accepted_count < before + WRING_ARRAY_LEN(fars)) {
            if (!world->accept.is_armed) {
                seam_accept_arm(world);
            }
            seam_step(world);
        }
        seam_accept_cancel(world);
        CHECK(world->accepted_count == before + WRING_ARRAY_LEN(fars));
        accepted_close_all(world);
        for (size_t i = 0; i < WRING_ARRAY_LEN(fars); i++) {
            world->far->close(world, fars[i]);
        }
    }
}

/* A backend may make the listener one that does not wait: no accept is armed after this. */
static void accept_now_after_cancel(seam *world) {
    seam_near *nears[3];
    seam_accept_arm(world);
    seam_accept_cancel(world);
    CHECK(world->ops->accept_now(world->backend, world->listener) == -EAGAIN);
    for (size_t i = 0; i < WRING_ARRAY_LEN(nears); i++) {
        const int far = world->far->dial(world, world->port);
        const wring__socket socket = world->ops->accept_now(world->backend, world->listener);
        CHECK(socket != WRING__SOCKET_NONE);
        nears[i] = seam_near_new(world, socket);
        nears[i]->peer.name = far;
    }
    CHECK(world->ops->accept_now(world->backend, world->listener) == -EAGAIN);
    for (size_t i = 0; i < WRING_ARRAY_LEN(nears); i++) {
        seam_tx_set(world, nears[i], 10);
        seam_peer_push_all(world, nears[i], 10);
        while (nears[i]->peer.rx_pos < 10 || nears[i]->rx_pos < 10) {
            seam_recv_pump(world, nears[i]);
            seam_send_pump(world, nears[i], 10, 1);
            seam_step(world);
            (void)seam_peer_pull(world, &nears[i]->peer, 10);
        }
        while (nears[i]->send.is_armed) {
            seam_step(world);
        }
        seam_pair_close(world, nears[i]);
    }
}

/* ---- trouble --------------------------------------------------------------------------------- */

/* The connection is reset before it is accepted; the one behind it is none the worse. */
static void accept_of_reset(seam *world) {
    seam_peer dead = {.name = world->far->dial(world, world->port)};
    seam_peer_reset(world, &dead);
    seam_near *first = seam_near_new(world, seam_accepted(world));
    seam_tx_set(world, first, 100);
    while (first->tx_error == 0 || (!first->is_ended && first->rx_error == 0)) {
        seam_recv_pump(world, first);
        seam_send_pump(world, first, 10, 2);
        seam_step(world);
        CHECK(first->tx_pos < first->tx_len); /* the second send at the latest fails */
    }
    while (first->send.is_armed) {
        seam_step(world);
    }
    seam_near_close(world, first);
    seam_near *second = seam_pair(world);
    seam_peer_push_all(world, second, 10);
    seam_pair_close(world, second);
}

static void descriptors_limit(rlim_t limit) {
    struct rlimit now;
    CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0);
    now.rlim_cur = limit;
    CHECK(setrlimit(RLIMIT_NOFILE, &now) == 0);
}

/* An accept that fails may be armed again; what it must not do is to find the same failure in each
 * turn, for ever. */
static void accept_without_descriptors(seam *world) {
    int fars[20];
    struct rlimit before;
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    for (size_t i = 0; i < WRING_ARRAY_LEN(fars); i++) {
        fars[i] = world->far->dial(world, world->port);
    }
    const int free_now = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(free_now);
    descriptors_limit((rlim_t)free_now + 3);
    seam_accept_arm(world);
    while (world->accept.is_armed) {
        seam_step(world);
        CHECK(world->turns < 500);
    }
    CHECK(world->accept.result == -EMFILE);
    CHECK(world->accepted_count >= 3 && world->accepted_count < WRING_ARRAY_LEN(fars));
    const wring_time_ns until = world->ops->now(world->backend) + 20 * WRING_NS_PER_MS;
    const uint64_t turns = world->turns;
    while (world->ops->now(world->backend) < until) {
        CHECK(seam_turn(world, until) == 0); /* it waits, after a few at most */
    }
    CHECK(world->turns - turns < 5);
    descriptors_limit(before.rlim_cur);
    for (size_t i = 0; i < WRING_ARRAY_LEN(fars); i++) {
        seam_near_close(world, seam_near_new(world, seam_accepted(world)));
        world->far->close(world, fars[i]);
    }
}

static const seam_case cases[] = {
    {.name = "accept_burst", .run = accept_burst},
    {.name = "accept_burst_one_a_turn", .run = accept_burst_one_a_turn},
    {.name = "accept_burst_small_table", .run = accept_burst, .direct_sockets = TABLE_SMALL},
    {.name = "accept_cancel", .run = accept_cancel},
    {.name = "accept_cancel_at_once", .run = accept_cancel_at_once},
    {.name = "accept_cancel_in_burst", .run = accept_cancel_in_burst},
    {.name = "accept_now_after_cancel", .run = accept_now_after_cancel},
    {.name = "accept_of_reset", .run = accept_of_reset},
    {.name = "accept_without_descriptors",
     .run = accept_without_descriptors,
     .direct_sockets = TABLE_SMALL,
     .in_child = true,
     .not_simulated = "its sockets are no descriptors: its accept fails by the seed in every case"},
};

seam_cases seam_cases_accept(void) {
    return (seam_cases){cases, WRING_ARRAY_LEN(cases)};
}
