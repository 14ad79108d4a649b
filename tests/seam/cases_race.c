/* SPDX-License-Identifier: Apache-2.0
 *
 * The far end is a thread: what it does falls between any two steps of the backend. Here a turn may
 * sleep for long, so that an edge that is lost shows as a sleep to its end.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "tests/seam/seam.h"

#define ONE_THREAD "it has one thread; the other cases have the orders of events there"
#define BYTES      (4u << 20)
#define SLEEP_NS   (20 * WRING_NS_PER_SEC)

struct far_thread {
    pthread_t thread;
    seam_peer *peer;
    uint32_t seed;
};

static void far_wait(const seam_peer *peer, short events) {
    struct pollfd wait = {.fd = peer->name, .events = events};
    CHECK(poll(&wait, 1, 10000) == 1);
}

static size_t piece_len(uint32_t *seed, size_t left) {
    *seed = *seed * 1664525 + 1013904223;
    return wring__min_size(1 + (*seed >> 16) % 3000, left);
}

static void *far_sends(void *argument) {
    struct far_thread *far = argument;
    uint8_t bytes[3000];
    for (size_t sent = 0; sent < BYTES;) {
        const size_t len = piece_len(&far->seed, BYTES - sent);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = seam_byte(far->peer->tx_id, sent + i);
        }
        const ssize_t taken = send(far->peer->name, bytes, len, MSG_NOSIGNAL);
        CHECK(taken > 0 || errno == EAGAIN);
        sent += taken > 0 ? (size_t)taken : 0;
        if (taken < 0) {
            far_wait(far->peer, POLLOUT);
        }
    }
    return NULL;
}

static void *far_reads(void *argument) {
    struct far_thread *far = argument;
    uint8_t bytes[3000];
    for (size_t got = 0; got < BYTES;) {
        const size_t len = piece_len(&far->seed, BYTES - got);
        const ssize_t taken = recv(far->peer->name, bytes, len, 0);
        CHECK(taken > 0 || (taken < 0 && errno == EAGAIN));
        for (ssize_t i = 0; i < taken; i++, got++) {
            CHECK(bytes[i] == seam_byte(far->peer->rx_id, got));
        }
        if (taken < 0) {
            far_wait(far->peer, POLLIN);
        }
    }
    return NULL;
}

static void far_begin(struct far_thread *far, seam_near *near, void *(*run)(void *)) {
    *far = (struct far_thread){.peer = &near->peer, .seed = 1};
    CHECK(pthread_create(&far->thread, NULL, run, far) == 0);
}

/* Something is bound to complete. */
static void turn_sleeping(seam *world) {
    const wring_time_ns until = world->ops->now(world->backend) + SLEEP_NS;
    (void)seam_turn(world, until);
    CHECK(world->ops->now(world->backend) < until);
}

/* ---- the cases ------------------------------------------------------------------------------- */

static void race_receive(seam *world) {
    struct far_thread far;
    seam_near *near = seam_pair(world);
    far_begin(&far, near, far_sends);
    while (near->rx_pos < BYTES) {
        seam_recv_pump(world, near);
        turn_sleeping(world);
    }
    CHECK(pthread_join(far.thread, NULL) == 0);
    seam_pair_close(world, near);
}

static void race_recv_into(seam *world) {
    static uint8_t into[2000];
    struct far_thread far;
    seam_near *near = seam_pair(world);
    far_begin(&far, near, far_sends);
    while (near->rx_pos < BYTES) {
        if (!near->recv.is_armed) {
            const size_t len = 1 + (size_t)seam_random(world, sizeof into);
            seam_recv_into(world, near, into, len, seam_random(world, 4) == 0);
        }
        turn_sleeping(world);
    }
    CHECK(pthread_join(far.thread, NULL) == 0);
    seam_pair_close(world, near);
}

static void race_send(seam *world) {
    struct far_thread far;
    seam_near *near = seam_pair(world);
    seam_tx_set(world, near, BYTES);
    far_begin(&far, near, far_reads);
    while (near->tx_pos < BYTES || near->send.is_armed) {
        seam_send_pump(world, near, 1 + (size_t)seam_random(world, 1 << 20), 3);
        CHECK(near->tx_error == 0);
        if (near->send.is_armed) {
            turn_sleeping(world);
        }
    }
    CHECK(pthread_join(far.thread, NULL) == 0);
    seam_pair_close(world, near);
}

static uint8_t cancelled_into[3000];

static void receive_somehow(seam *world, seam_near *near) {
    switch (seam_random(world, 3)) {
    case 0:
        seam_recv(world, near, SEAM_RECV_ON);
        break;
    case 1:
        seam_recv(world, near, SEAM_RECV_ONCE);
        break;
    default:
        seam_recv_into(world, near, cancelled_into, sizeof cancelled_into, false);
    }
}

static void race_cancel(seam *world) {
    struct far_thread far;
    seam_near *near = seam_pair(world);
    far_begin(&far, near, far_sends);
    while (near->rx_pos < BYTES) {
        if (!near->recv.is_armed) {
            receive_somehow(world, near);
        }
        if (seam_random(world, 3) != 0) {
            turn_sleeping(world);
        }
        if (near->recv.is_armed && !near->cancel.is_armed) {
            seam_cancel(world, near->socket, &near->recv, &near->cancel);
        }
        if (near->recv.is_armed) {
            turn_sleeping(world);
        }
    }
    CHECK(pthread_join(far.thread, NULL) == 0);
    seam_pair_close(world, near);
}

static const seam_case cases[] = {
    {.name = "race_receive", .run = race_receive, .not_simulated = ONE_THREAD},
    {.name = "race_recv_into", .run = race_recv_into, .not_simulated = ONE_THREAD},
    {.name = "race_send", .run = race_send, .not_simulated = ONE_THREAD},
    {.name = "race_cancel", .run = race_cancel, .not_simulated = ONE_THREAD},
};

seam_cases seam_cases_race(void) {
    return (seam_cases){cases, WRING_ARRAY_LEN(cases)};
}
