/* SPDX-License-Identifier: Apache-2.0
 *
 * The turn: its deadline, its limit of completions, and wakes.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "tests/seam/seam.h"

#define NO_WAITING "a turn never waits there, and it has one thread"

#if defined(__SANITIZE_THREAD__)
#define WAKES 10000
#else
#define WAKES 50000
#endif
#define WAKERS        2
#define ROUNDS        (WAKES / 5)
#define LOST_AFTER_NS (20 * WRING_NS_PER_SEC)

/* ---- the deadline and the limit -------------------------------------------------------------- */

static void turn_deadline(seam *world) {
    static const wring_duration_ns waits[] = {1, 100000, 1500000, 3000000, 20000000};
    for (size_t i = 0; i < WRING_ARRAY_LEN(waits); i++) {
        const wring_time_ns deadline = world->ops->now(world->backend) + waits[i];
        CHECK(seam_turn(world, deadline) == 0);
        CHECK(world->ops->now(world->backend) >= deadline);
    }
    const wring_time_ns began = world->ops->now(world->backend);
    for (int i = 0; i < 100; i++) {
        CHECK(seam_turn(world, 0) == 0);
        CHECK(seam_turn(world, began) == 0); /* it has passed */
    }
    CHECK(world->ops->now(world->backend) - began < WRING_NS_PER_SEC);
}

/* Something is bound to complete: over the kernel the turn must not sleep until it gives up. */
static void turn_at_once(seam *world) {
    const wring_time_ns until = world->ops->now(world->backend) + LOST_AFTER_NS;
    const size_t count = seam_turn(world, until);
    CHECK(world->sim != NULL || world->ops->now(world->backend) < until);
    if (count == 0) {
        world->far->step(world);
        CHECK(++world->steps < 100000);
    }
}

static void cancel_nothing(seam *world, seam_near *near, seam_op *op) {
    static const uint64_t nothing = UINT64_C(200) << 56;
    world->ops->cancel(world->backend, near == NULL ? WRING__SOCKET_NONE : near->socket, nothing,
                       seam_op_begin(world, op, SEAM_CANCEL));
}

/* What needs no event from outside ends in the next turn, and keeps it from sleeping. */
static void turn_own_work(seam *world) {
    for (int round = 0; round < 5; round++) {
        seam_near *near = seam_pair(world);
        cancel_nothing(world, near, &near->cancel);
        while (near->cancel.is_armed) {
            turn_at_once(world);
        }
        cancel_nothing(world, NULL, &near->cancel);
        while (near->cancel.is_armed) {
            turn_at_once(world);
        }
        seam_shutdown(world, near, SHUT_RDWR);
        while (near->shutdown.is_armed) {
            turn_at_once(world);
        }
        seam_tx_set(world, near, 10);
        seam_send_pump(world, near, 10, 1); /* fails */
        while (near->send.is_armed) {
            turn_at_once(world);
        }
        CHECK(near->tx_error < 0);
        const uint64_t token = seam_op_begin(world, &near->close, SEAM_CLOSE);
        world->ops->close_socket(world->backend, near->socket, token);
        near->socket = WRING__SOCKET_NONE;
        while (near->close.is_armed) {
            turn_at_once(world);
        }
        seam_peer_close(world, &near->peer);
    }
}

#define MANY           40
#define MANY_SIMULATED 12

static size_t many_done(seam *world, seam_near **nears, size_t count) {
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        seam_recv_pump(world, nears[i]);
        done += nears[i]->rx_pos == nears[i]->peer.tx_pos && !nears[i]->cancel.is_armed;
    }
    return done;
}

static void limit_one(seam *world, size_t limit) {
    seam_near *nears[MANY];
    const size_t count = seam_size(world, MANY, MANY_SIMULATED);
    for (size_t i = 0; i < count; i++) {
        nears[i] = seam_pair(world);
        seam_recv_pump(world, nears[i]);
    }
    seam_expect_quiet(world);
    for (size_t i = 0; i < count; i++) {
        CHECK(seam_peer_push(world, &nears[i]->peer, 200) > 0);
        cancel_nothing(world, nears[i], &nears[i]->cancel);
    }
    world->turn_max = limit;
    while (many_done(world, nears, count) < count) {
        turn_at_once(world);
    }
    for (size_t i = 0; i < count; i++) {
        CHECK(nears[i]->cancel.result == -ENOENT);
        seam_pair_close(world, nears[i]);
    }
    world->turn_max = SEAM_TURN_MAX;
}

/* More is ready than a turn may hand out: the next one goes on with the rest and does not sleep. */
static void turn_limit(seam *world) {
    for (size_t limit = 1; limit <= 3; limit++) {
        limit_one(world, limit);
    }
}

/* ---- wakes ----------------------------------------------------------------------------------- */

struct waker {
    wring__backend *backend;
    _Atomic uint32_t given;
    _Atomic uint32_t *seen; /* by the worker: wakes of all */
    _Atomic uint32_t *all;
    uint32_t seed;
};

/* The worker has had a turn since wake `number`; with none it would sleep for ever. */
static void seen_wait(const struct waker *waker, uint32_t number) {
    const wring_time_ns until = wring__backend_epoll.now(NULL) + LOST_AFTER_NS;
    while ((int32_t)(atomic_load(waker->seen) - number) < 0) {
        CHECK(wring__backend_epoll.now(NULL) < until); /* the wake is lost */
        sched_yield();
    }
}

static void *waker_run(void *argument) {
    struct waker *waker = argument;
    uint32_t random = waker->seed;
    for (uint32_t i = 0; i < WAKES; i++) {
        const uint32_t number = atomic_fetch_add(waker->all, 1) + 1;
        waker->backend->ops->wake(waker->backend, NULL);
        random = random * 1664525 + 1013904223;
        if (random >> 30 == 0) { /* the worker sleeps behind this one */
            seen_wait(waker, number);
        }
    }
    return NULL;
}

/* A wake that comes while the worker works ends its next wait at the latest. */
static void wake_storm(seam *world) {
    static struct waker wakers[WAKERS];
    static seam_op cancel;
    static _Atomic uint32_t seen;
    static _Atomic uint32_t all;
    pthread_t threads[WAKERS];
    cancel = (seam_op){0};
    atomic_store(&seen, 0);
    atomic_store(&all, 0);
    for (uint32_t i = 0; i < WAKERS; i++) {
        wakers[i] =
            (struct waker){.backend = world->backend, .seen = &seen, .all = &all, .seed = i + 1};
        CHECK(pthread_create(&threads[i], NULL, waker_run, &wakers[i]) == 0);
    }
    while (atomic_load(&seen) < WAKERS * WAKES) {
        if (!cancel.is_armed && seam_random(world, 4) == 0) { /* work: a turn that does not sleep */
            cancel_nothing(world, NULL, &cancel);
        }
        (void)seam_turn(world, WRING_TIME_NEVER);
        atomic_store(&seen, atomic_load(&all));
    }
    for (uint32_t i = 0; i < WAKERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    while (cancel.is_armed) {
        seam_step(world);
    }
    while (seam_turn(world, 0) > 0) { /* wakes that came last */
    }
}

static void wake_before_turn(seam *world) {
    for (int i = 0; i < 100; i++) {
        world->ops->wake(world->backend, NULL);
        CHECK(seam_turn(world, world->ops->now(world->backend) + LOST_AFTER_NS) == 0);
    }
    CHECK(world->ops->now(world->backend) - world->began < LOST_AFTER_NS);
}

/* ---- from one backend to another ------------------------------------------------------------- */

struct player {
    wring__backend *own;
    _Atomic(wring__backend *) other;
    _Atomic uint32_t *ball;
    uint32_t parity;
};

static void own_turn(wring__backend *backend, wring_time_ns deadline) {
    wring__completion got[8];
    size_t count = 0;
    CHECK(backend->ops->turn(backend, deadline, got, 8, &count) == WRING_OK && count == 0);
}

/* Whose turn it is wakes the other, and sleeps: the wake goes with the submit of that very turn. */
static void play(struct player *player) {
    wring__backend *other = atomic_load(&player->other);
    while (atomic_load(player->ball) < ROUNDS) {
        if (atomic_load(player->ball) % 2 == player->parity) {
            atomic_fetch_add(player->ball, 1);
            other->ops->wake(other, player->own);
        }
        if (atomic_load(player->ball) < ROUNDS) {
            const wring_time_ns now = player->own->ops->now(player->own);
            own_turn(player->own, now + LOST_AFTER_NS);
            CHECK(player->own->ops->now(player->own) - now < LOST_AFTER_NS); /* else it is lost */
        }
    }
    own_turn(player->own, 0); /* the last wake goes; only then is the other closed */
}

static void *player_run(void *argument) {
    struct player *player = argument;
    const wring__backend_config config = {.entries = 8, .buffer_count = 16};
    wring_error error;
    const wring__backend_ops *ops = atomic_load(&player->other)->ops;
    CHECK(ops->open(&config, &player->own, &error) == WRING_OK);
    struct player *opponent = (struct player *)(player - 1);
    atomic_store(&opponent->other, player->own);
    play(player);
    return NULL;
}

static void wake_from(seam *world) {
    static struct player players[2];
    static _Atomic uint32_t ball;
    pthread_t thread;
    atomic_store(&ball, 0);
    players[0] = (struct player){.own = world->backend, .ball = &ball, .parity = 0};
    players[1] = (struct player){.ball = &ball, .parity = 1};
    atomic_store(&players[1].other, world->backend);
    CHECK(pthread_create(&thread, NULL, player_run, &players[1]) == 0);
    while (atomic_load(&players[0].other) == NULL) {
        sched_yield();
    }
    play(&players[0]);
    CHECK(pthread_join(thread, NULL) == 0);
    players[1].own->ops->close(players[1].own);
}

static const seam_case cases[] = {
    {.name = "turn_deadline", .run = turn_deadline, .not_simulated = NO_WAITING},
    {.name = "turn_own_work", .run = turn_own_work},
    {.name = "turn_limit", .run = turn_limit},
    {.name = "wake_before_turn", .run = wake_before_turn, .not_simulated = NO_WAITING},
    {.name = "wake_storm", .run = wake_storm, .not_simulated = NO_WAITING},
    {.name = "wake_from", .run = wake_from, .not_simulated = NO_WAITING},
};

seam_cases seam_cases_turn(void) {
    return (seam_cases){cases, WRING_ARRAY_LEN(cases)};
}
