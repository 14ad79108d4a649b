/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated backend: a world of hosts, sockets and virtual time, driven by one seed. The same
 * worker and connection code runs over it as over the kernel; everything the kernel may do and
 * rarely does happens all the time: short reads and writes, completions late and out of order,
 * multishot operations that end for no reason, buffers that run out, resets, refused accepts.
 *
 * One thread. A backend's turn never blocks: the driver calls turns in any order and moves the
 * clock with wring__sim_advance when nothing happens at the present moment.
 */
#ifndef WRING_TESTS_SIM_H
#define WRING_TESTS_SIM_H

#include "io/backend.h"

typedef struct wring__sim wring__sim;

typedef struct wring__sim_config {
    uint64_t seed;
    bool faults;         /* swarm: each class of fault is switched on or off by the seed */
    uint32_t pipe_bytes; /* socket buffer of each direction; 0: by the seed, 1 B to 64 KiB */
} wring__sim_config;

extern const wring__backend_ops wring__backend_sim;

/** For servers and pools that live in the world; the test drives their turns. */
static inline wring__backend_choice wring__sim_backend(wring__sim *sim) {
    return (wring__backend_choice){.ops = &wring__backend_sim, .context = sim, .is_driven = true};
}

wring__sim *wring__sim_create(const wring__sim_config *config);
void wring__sim_destroy(wring__sim *sim);

/** A number from the world's seed, below `bound`. */
uint64_t wring__sim_random(wring__sim *sim, uint64_t bound);
wring_time_ns wring__sim_now(const wring__sim *sim);

/** Moves the clock to the next thing that is due. False when nothing is. */
bool wring__sim_advance(wring__sim *sim);

/** The clock stops at `at` too: the test has something to do then. The earliest one holds. */
void wring__sim_alarm(wring__sim *sim, wring_time_ns at);

/** Counts everything that happened: unchanged over a round of turns means idle at this moment. */
uint64_t wring__sim_activity(const wring__sim *sim);

/** What must be zero at the end: sockets open, operations owed, receive buffers not at home. */
typedef struct wring__sim_leftovers {
    size_t sockets;
    size_t operations;
    size_t buffers;
} wring__sim_leftovers;
wring__sim_leftovers wring__sim_leftover(const wring__sim *sim);

/** A port where connecting is never answered: neither refused nor accepted. */
#define WRING__SIM_SILENT_PORT 9

/** Breaks one connection, which the seed picks, at both ends. False when there is none. */
bool wring__sim_cut(wring__sim *sim);

/* Peers: the other ends, held by the test. */

/** A port of the test's own for workers to connect to. */
wring__socket wring__sim_peer_listen(wring__sim *sim, uint16_t port);

/** Nobody listens there any more; what was not accepted yet is reset. */
void wring__sim_peer_unlisten(wring__sim *sim, wring__socket listener);

/** The next connection that came to it; WRING__SOCKET_NONE when there is none. */
wring__socket wring__sim_peer_accept(wring__sim *sim, wring__socket listener);

/** Connects to a listening port; WRING__SOCKET_NONE when nobody listens. */
wring__socket wring__sim_dial(wring__sim *sim, uint16_t port);

/** Bytes taken; 0 when the window is full or the other end is gone. */
size_t wring__sim_peer_send(wring__sim *sim, wring__socket socket, wring_bytes bytes);

/** Bytes read. `*end` tells that no more will come; `*reset` that the stream broke. */
size_t wring__sim_peer_recv(wring__sim *sim, wring__socket socket, uint8_t *out, size_t cap,
                            bool *end, bool *reset);

/** Ends the peer's sending half. */
void wring__sim_peer_shutdown(wring__sim *sim, wring__socket socket);

/** Closes the peer's socket, in order or with a reset. */
void wring__sim_peer_close(wring__sim *sim, wring__socket socket, bool reset);

#endif
