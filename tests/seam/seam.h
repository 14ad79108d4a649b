/* SPDX-License-Identifier: Apache-2.0
 *
 * A suite of tests of the seam (io/backend.h) that runs alike over every backend. A case sees a
 * world: one open backend with a listener, and far ends that the case moves itself, over sockets of
 * the kernel or in the simulated world.
 *
 * The world checks in every case what holds for every operation: each completion carries the token
 * of an operation that is under way, each operation ends once, received bytes come in the order in
 * which they were sent, and nothing is left at the end.
 */
#ifndef WRING_TESTS_SEAM_H
#define WRING_TESTS_SEAM_H

#include <stdio.h>
#include <stdlib.h>

#include "io/recv.h"
#include "tests/sim/backend/sim.h"

extern char seam_where[128]; /* backend, case, variant and seed that run */

#define CHECK(x)                                                                                   \
    ((x) ? (void)0                                                                                 \
         : (fprintf(stderr, "FAILED %s:%d %s (%s)\n", __FILE__, __LINE__, #x, seam_where),         \
            abort()))

#define SEAM_OPS_MAX    4096
#define SEAM_TURN_MAX   64
#define SEAM_PARTS_MAX  64
#define SEAM_ID_UNKNOWN UINT32_MAX
/* Steps in which nothing may happen any more, where a case expects that nothing does. */
#define SEAM_QUIET_STEPS 5

typedef struct seam seam;
typedef struct seam_near seam_near;

enum seam_kind {
    SEAM_ACCEPT = 1,
    SEAM_RECV,
    SEAM_SEND,
    SEAM_CONNECT,
    SEAM_POLL,
    SEAM_SHUTDOWN,
    SEAM_CANCEL,
    SEAM_CLOSE
};

/** An operation, begun again and again. All zero: not begun yet. */
typedef struct seam_op {
    seam_near *near;
    uint32_t place; /* in the world's table, plus 1; 0: none yet */
    uint32_t generation;
    int32_t result; /* of the last completion */
    uint32_t completions;
    uint32_t ended; /* final completions */
    uint8_t kind;
    bool is_armed;
    bool is_silent; /* a send_at_once: without a completion when all bytes were taken */
} seam_op;

/** What the far end of a connection has sent and received. */
typedef struct seam_peer {
    int name; /* -1: closed */
    uint32_t rx_id;
    uint32_t tx_id;
    uint64_t rx_pos;
    uint64_t tx_pos;
    bool is_ended; /* the near end sends no more */
    bool is_reset;
} seam_peer;

enum seam_recv_how { SEAM_RECV_ON, SEAM_RECV_ONCE, SEAM_RECV_INTO };

/** The backend's end of a connection, and the far end it belongs to. */
struct seam_near {
    wring__socket socket;
    seam_peer peer;
    seam_op connect;
    seam_op recv;
    seam_op send;
    seam_op shutdown;
    seam_op cancel;
    seam_op close;
    /* receiving */
    wring__recv_chain chain;
    enum seam_recv_how recv_how;
    uint8_t *into;
    size_t into_len;
    uint32_t rx_id;
    uint64_t rx_pos;
    uint8_t first[4]; /* the first bytes */
    bool holds;       /* received bytes stay in their buffers until seam_bytes_take */
    bool is_ended;
    int32_t rx_error; /* the last one */
    uint32_t starved; /* receives that ended with -ENOBUFS */
    /* sending */
    uint8_t *tx_data;
    size_t tx_len;
    size_t tx_pos;
    size_t tx_piece; /* bytes of the send under way */
    int32_t tx_error;
    seam_near *next; /* of all the world's */
};

/** The far ends. Names are small numbers, -1 is none. */
typedef struct seam_far {
    /** A port of the case's own to connect to. */
    int (*listen)(seam *world, uint16_t *port);
    void (*unlisten)(seam *world, int listener);
    int (*accept)(seam *world, int listener);
    int (*dial)(seam *world, uint16_t port);
    /** Without waiting: bytes taken. */
    size_t (*send)(seam *world, int far, const uint8_t *data, size_t len);
    size_t (*receive)(seam *world, seam_peer *peer, uint8_t *out, size_t cap);
    void (*shut)(seam *world, int far);
    void (*close)(seam *world, int far);
    void (*reset)(seam *world, int far);
    /** The port that the backend's end sees; 0: this world has none. */
    uint16_t (*port)(seam *world, int far);
    /** A port where nobody listens, and one where connecting is never answered. */
    uint16_t (*refusing_port)(seam *world);
    uint16_t (*silent_port)(seam *world);
    /** After a turn in which nothing was completed. */
    void (*step)(seam *world);
} seam_far;

extern const seam_far seam_far_kernel;
extern const seam_far seam_far_sim;

struct seam {
    const wring__backend_ops *ops;
    const seam_far *far;
    wring__backend *backend;
    wring__sim *sim; /* NULL: over the kernel */
    wring__recv_pool pool;
    wring__listen_config listening;
    wring__socket listener;
    uint16_t port;
    seam_op accept;
    seam_op accept_cancel;
    wring__socket accepted[SEAM_OPS_MAX];
    size_t accepted_count;
    size_t accepted_taken;
    seam_op *table[SEAM_OPS_MAX];
    uint32_t op_count;
    seam_near *nears;
    struct iovec iov[SEAM_OPS_MAX]; /* of this turn's sends */
    size_t iov_count;
    size_t turn_max;
    uint64_t random;
    uint64_t turns;
    uint64_t steps;
    wring_time_ns began;
    int fillers[4]; /* what fills the silent port */
    int silent_listener;
    size_t descriptors;
};

typedef struct seam_config {
    const wring__backend_ops *ops;
    uint64_t seed;
    uint32_t buffer_count;
    uint32_t buffer_size;
    uint32_t direct_sockets;
    uint32_t busy_poll_us;
} seam_config;

/* ---- world.c --------------------------------------------------------------------------------- */

/** False: the backend is not to be had on this machine. */
bool seam_open(seam *world, const seam_config *config);
/** Everything that the case began must have ended, and its connections must be closed. */
void seam_close(seam *world);

/** Nobody listens any more at the port that was silent. */
void seam_silent_close(seam *world);

uint64_t seam_random(seam *world, uint64_t bound);
/** The first over the kernel, the second in the simulated world. */
size_t seam_size(const seam *world, size_t kernel, size_t simulated);

/** One turn; every completion is dealt with. Returns how many there were. */
size_t seam_turn(seam *world, wring_time_ns deadline);
/** A turn that waits for a moment; virtual time goes on. Fails when a case has lost patience. */
void seam_step(seam *world);
/** Nothing completes any more. */
void seam_expect_quiet(seam *world);

uint64_t seam_op_begin(seam *world, seam_op *op, enum seam_kind kind);
uint64_t seam_op_token(const seam_op *op);
void seam_cancel(seam *world, wring__socket socket, const seam_op *target, seam_op *op);

void seam_accept_arm(seam *world);
/** The accept ends; what it accepts until then is kept for seam_accepted. */
void seam_accept_cancel(seam *world);
/** The next accepted socket; waits for it, and arms the accept where it is not armed. */
wring__socket seam_accepted(seam *world);

/* ---- near.c ---------------------------------------------------------------------------------- */

static inline uint8_t seam_byte(uint32_t id, uint64_t pos) {
    return (uint8_t)(pos * 167 + (pos >> 8) * 59 + (pos >> 16) * 13 + id * 101);
}

seam_near *seam_near_new(seam *world, wring__socket socket);
/** A connection that was accepted, with streams of its own. */
seam_near *seam_pair(seam *world);
/** Closes the near end and then the far one. Nothing may be under way. */
void seam_pair_close(seam *world, seam_near *near);
void seam_near_close(seam *world, seam_near *near);
/** Begins to connect to a port; false: the system gave no socket. */
seam_near *seam_connect(seam *world, uint16_t port);
/** Connects until it succeeds, and accepts it: the simulated world refuses at times. */
seam_near *seam_connected(seam *world, int listener, uint16_t port);

void seam_recv(seam *world, seam_near *near, enum seam_recv_how how);
void seam_recv_into(seam *world, seam_near *near, uint8_t *data, size_t len, bool at_once);
/** Receives on where the receive has ended, except at the end of the stream or by an error. */
void seam_recv_pump(seam *world, seam_near *near);
void seam_received(seam *world, seam_near *near, const wring__completion *completion);
/** The bytes that are held: are they right? Their buffers go back. */
void seam_bytes_take(seam *world, seam_near *near);

/** Gives the near end this many bytes to send. */
void seam_tx_set(seam *world, seam_near *near, size_t len);
/** Sends what is left, at most `piece` bytes in `parts`, where no send is under way. */
void seam_send_pump(seam *world, seam_near *near, size_t piece, size_t parts);
void seam_send_at_once(seam *world, seam_near *near, size_t piece, size_t parts);
void seam_sent(seam_near *near, int32_t result);
/** Sends without anybody reading until a send waits for room. */
void seam_send_until_full(seam *world, seam_near *near);
void seam_shutdown(seam *world, seam_near *near, int how);

/** The far end sends; returns how much was taken. */
size_t seam_peer_push(seam *world, seam_peer *peer, size_t len);
/** Sends all of it, while the near end receives. */
void seam_peer_push_all(seam *world, seam_near *near, size_t len);
/** The far end receives, and looks whether the bytes are right. */
size_t seam_peer_pull(seam *world, seam_peer *peer, size_t cap);
void seam_peer_shut(seam *world, seam_peer *peer);
void seam_peer_close(seam *world, seam_peer *peer);
void seam_peer_reset(seam *world, seam_peer *peer);

/* ---- the cases ------------------------------------------------------------------------------- */

typedef struct seam_case {
    const char *name;
    void (*run)(seam *world);
    const char *not_simulated; /* why the case cannot be in the simulated world; NULL: it is */
    uint32_t direct_sockets;   /* of a backend with a table; 0: picked */
    bool in_child;             /* it changes the process's limits */
} seam_case;

typedef struct seam_cases {
    const seam_case *list;
    size_t count;
} seam_cases;

seam_cases seam_cases_accept(void);
seam_cases seam_cases_recv(void);
seam_cases seam_cases_send(void);
seam_cases seam_cases_cancel(void);
seam_cases seam_cases_end(void);
seam_cases seam_cases_connect(void);
seam_cases seam_cases_turn(void);
seam_cases seam_cases_poll(void);
seam_cases seam_cases_race(void);

#endif
