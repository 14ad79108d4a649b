/* SPDX-License-Identifier: Apache-2.0
 *
 * The floor: servers that move the bytes of a WebSocket benchmark and do nothing else, the limit
 * the contenders of the comparison are measured against. See bench/floor/README.md.
 *
 * One thread. What the backends (floor_epoll.c, floor_uring.c) share: connections, the upgrade that
 * makes a WebSocket client talk to them, and the tape, which holds what is sent.
 */
#ifndef WRING_BENCH_FLOOR_H
#define WRING_BENCH_FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLOOR_HEAD_MAX  4096 /* bytes of a request head */
#define FLOOR_REPLY_MAX 256  /* bytes of the 101 */

/* Received runs are as long as the message up to this: beyond it nothing is gained. */
#define FLOOR_RUN_MAX ((size_t)256 << 10)

enum floor_mode { FLOOR_ECHO, FLOOR_FANOUT };

enum floor_state {
    FLOOR_FREE,    /* no connection */
    FLOOR_HEAD,    /* the request head is not complete */
    FLOOR_RAW,     /* upgraded: bytes are counted or copied */
    FLOOR_BYE,     /* answers the peer's close frame, then ends */
    FLOOR_CLOSING, /* the peer ended or is ended; sends in flight are waited for */
};

struct floor_conn {
    enum floor_state state;
    bool dirty;       /* uring: stands in the list of those to be flushed */
    bool sending;     /* uring: a send is in flight; epoll: waits for EPOLLOUT */
    uint32_t part;    /* bytes there of a frame that is not complete */
    uint64_t tx_done; /* positions on the tape: sent up to here */
    uint64_t tx_goal; /* ... to be sent up to here; fan-out has one goal, the tape's end */
    uint8_t *rx;      /* request head, then (fan-out) a publisher's incomplete frame */
    char *reply;      /* uring: the 101 while it is being sent */
};

/* What is sent stands on one tape with absolute positions. Echo: the same reply frame again and
 * again, so any position has valid bytes. Fan-out: what publishers sent, in memory mapped twice in
 * a row, so that a run never wraps. */
struct floor_tape {
    uint8_t *data;
    size_t size;  /* positions are taken modulo this */
    size_t run;   /* longest run from any position */
    uint64_t end; /* fan-out: positions written */
};

struct floor {
    enum floor_mode mode;
    int listener;
    size_t rx_frame; /* bytes of one message from a client, header and mask included */
    size_t tx_frame; /* bytes of one message to a client */
    size_t conns_max;
    size_t conns_top; /* no connection at this index or above */
    struct floor_conn *conns;
    struct floor_tape tape;
};

struct floor_run {
    const uint8_t *data;
    size_t len;
};

/* floor.c */
bool floor_create(struct floor *floor, enum floor_mode mode, size_t message, int port);
void floor_opened(struct floor *floor, size_t index);
void floor_freed(struct floor *floor, size_t index);
/* Takes received bytes. While the head is incomplete `reply` gets the 101 once it is whole (its
 * length is returned, else 0); to a close frame, with state BYE, the one that answers it. False:
 * the connection is to be ended. */
bool floor_received(struct floor *floor, struct floor_conn *conn, const uint8_t *data, size_t len,
                    char reply[FLOOR_REPLY_MAX], size_t *reply_len);
struct floor_run floor_pending(const struct floor *floor, const struct floor_conn *conn);
/* So far behind that what it is to be sent may be overwritten soon: a subscriber to be ended. */
bool floor_is_overrun(const struct floor *floor, const struct floor_conn *conn);

/* floor_tape.c */
bool floor_tape_echo(struct floor_tape *tape, size_t message, size_t frame);
bool floor_tape_fanout(struct floor_tape *tape);
/* Puts one masked client frame on the tape as a server's frame. */
void floor_tape_publish(struct floor_tape *tape, const uint8_t *frame, size_t len);

int floor_run_epoll(struct floor *floor);
int floor_run_uring(struct floor *floor);

#endif
