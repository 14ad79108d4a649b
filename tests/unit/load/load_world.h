/* SPDX-License-Identifier: Apache-2.0
 *
 * The load generator's threads over the simulated backend: virtual time, and peers that the test
 * scripts. Each look at the clock takes `tick`, so that time passes within a turn as it does on a
 * real machine.
 */
#ifndef WRING_TESTS_LOAD_WORLD_H
#define WRING_TESTS_LOAD_WORLD_H

#include "bench/load/engine.h"
#include "tests/sim/backend/sim.h"

#define WORLD_PEERS_MAX    64
#define WORLD_ARRIVALS_MAX 65536
#define WORLD_UPGRADES_MAX 64

typedef struct load_world load_world;

/** The server's end of one connection. */
typedef struct load_peer {
    load_world *world;
    wring__socket socket; /* WRING__SOCKET_NONE: gone */
    bool upgraded;
    bool closes;    /* when its answer is out */
    unsigned asked; /* messages received */
    uint8_t in[65536];
    size_t in_len;
    uint8_t out[65536];
    size_t out_len;
    wring_time_ns out_at; /* when the bytes queued may leave */
} load_peer;

struct load_world {
    wring__sim *sim;
    wring__socket listener;
    load_config config;
    load_run run;
    load_result result;
    load_peer peers[WORLD_PEERS_MAX];
    size_t peer_count;
    bool is_mute;                     /* it accepts, and answers nothing */
    wring_duration_ns upgrades_after; /* from the run's begin on; no request is answered before */
    wring_duration_ns tick;
    wring_duration_ns delay_max; /* of the answers; each takes its own by chance */
    uint64_t random;
    wring_time_ns start;
    wring_time_ns arrivals[WORLD_ARRIVALS_MAX]; /* of messages, at the peers */
    size_t arrival_count;
    wring_time_ns upgrades[WORLD_UPGRADES_MAX]; /* the same of the first requests */
    size_t upgrade_count;
    uint64_t turns;
    bool woken;
    wring_time_ns next; /* several threads: the earliest deadline of a round */
    /** What a peer does with a message; NULL: gives it back. */
    void (*answer)(load_peer *peer, wring_bytes payload);
};

/** Defaults in `config`, a listener, and no faults but those of the peers. */
load_world *load_world_create(void);
/** Opens the connections, runs from `phase` after now to the end, closes; then fills in result. */
void load_world_run(load_world *world, wring_duration_ns phase);
void load_world_destroy(load_world *world);

/** Queues a text message to the client. */
void load_peer_say(load_peer *peer, wring_bytes payload);
void load_peer_echo(load_peer *peer, wring_bytes payload);
/** For fan-out: gives it to all other peers. */
void load_peer_spread(load_peer *peer, wring_bytes payload);

#endif
