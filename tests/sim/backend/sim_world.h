/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the simulated world (sim.c) and the backend that workers see (sim_backend.c).
 */
#ifndef WRING_TESTS_SIM_WORLD_H
#define WRING_TESTS_SIM_WORLD_H

#include "tests/sim/backend/sim.h"

#define WRING__SIM_HOSTS_MAX 16

/* Each is on or off for a whole run, by the seed, and then strikes one time in `fault_one_in`. */
enum wring__sim_fault {
    WRING__SIM_DELAY,        /* bytes and completions arrive late */
    WRING__SIM_SHORT_RECV,   /* a receive brings fewer bytes than there are */
    WRING__SIM_SHORT_SEND,   /* a send ends early */
    WRING__SIM_LOST_MORE,    /* a multishot operation ends for no reason */
    WRING__SIM_NO_BUFFERS,   /* a receive ends for want of buffers although there are some */
    WRING__SIM_ACCEPT_FAIL,  /* EMFILE and ECONNABORTED */
    WRING__SIM_CONNECT_FAIL, /* ECONNREFUSED and ETIMEDOUT */
    WRING__SIM_REORDER,      /* completions of different operations change places */
    WRING__SIM_FAULTS
};

struct sim_pipe {
    uint8_t *data; /* a ring of the world's pipe_bytes */
    size_t head;
    size_t len;
    size_t visible;           /* of len: what has arrived */
    wring_time_ns visible_at; /* when the rest arrives */
    bool end;                 /* no more will be written */
    bool end_visible;
};

struct sim_socket {
    struct sim_pipe rx;
    wring__socket peer;
    wring__socket backlog_of;
    uint16_t port;
    bool in_use;
    bool listening;
    bool in_backlog;
    bool tx_shut;
    bool rx_shut;
    bool reset;
};

struct wring__sim {
    uint64_t random;
    wring_time_ns now;
    wring_time_ns alarm; /* the test's: the clock stops there as well */
    uint64_t activity;
    struct sim_socket *sockets;
    uint32_t socket_count;
    uint32_t pipe_bytes;
    uint16_t last_port;
    wring__backend *hosts[WRING__SIM_HOSTS_MAX];
    uint32_t host_count;
    wring__sim_leftovers closed_hosts;
    bool fault_on[WRING__SIM_FAULTS];
    uint32_t fault_one_in[WRING__SIM_FAULTS];
};

/** realloc, and free for size 0. A test that fails the product's allocations leaves these alone. */
void *wring__sim_memory(void *block, size_t size);

/** Joins an unconnected socket to a listening port; false when nobody listens. */
bool wring__sim_connect(wring__sim *sim, wring__socket socket, uint16_t port);
bool wring__sim_strikes(wring__sim *sim, enum wring__sim_fault fault);
wring_duration_ns wring__sim_delay(wring__sim *sim);
wring__socket wring__sim_socket_new(wring__sim *sim);
struct sim_socket *wring__sim_socket(wring__sim *sim, wring__socket socket);
wring__socket wring__sim_backlog_pop(wring__sim *sim, wring__socket listener);
size_t wring__sim_write(wring__sim *sim, wring__socket socket, const uint8_t *data, size_t len);
size_t wring__sim_read(wring__sim *sim, wring__socket socket, uint8_t *out, size_t cap);
/** Bytes that a write would take. */
size_t wring__sim_room(wring__sim *sim, wring__socket socket);
size_t wring__sim_readable(wring__sim *sim, wring__socket socket);
bool wring__sim_at_end(wring__sim *sim, wring__socket socket);
void wring__sim_end(wring__sim *sim, wring__socket socket);
/** The stream breaks, for both of its ends. */
void wring__sim_reset(wring__sim *sim, wring__socket socket);
void wring__sim_close(wring__sim *sim, wring__socket socket, bool reset);

/** When a backend has something due; WRING_TIME_NEVER when it has not. */
wring_time_ns wring__sim_host_next(const wring__backend *backend);
/** Whether it had a turn since this was last asked: one that is over has none. */
bool wring__sim_host_ran(wring__backend *backend);
void wring__sim_host_leftover(const wring__backend *backend, wring__sim_leftovers *left);

#endif
