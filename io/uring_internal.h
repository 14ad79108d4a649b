/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the io_uring backend, the only ones that know liburing:
 *
 *   uring.c          opening and closing, the operations of a stream, the turn
 *   uring_accept.c   accepting
 *   uring_files.c    the ring's own file table, the peers' addresses, dialling
 *   uring_buffers.c  the ring of receive buffers
 */
#ifndef WRING_IO_URING_INTERNAL_H
#define WRING_IO_URING_INTERNAL_H

#include <netinet/in.h>

#include "io/backend.h"
#include "io/uring_compat.h"

/* A connection's socket is an index into the ring's file table with this bit, or a descriptor. */
#define URING_DIRECT    (1 << 30)
#define URING_SLOT_NONE UINT32_MAX

#define URING_BUFFER_GROUP 0

/* Tokens of the backend's own have no operation in their top byte: a kind, and what it is about. */
#define URING_TOKEN_OP_SHIFT   56
#define URING_TOKEN_KIND_SHIFT 52

enum uring_token_kind {
    URING_TOKEN_WAKE,   /* the read of the wake-up eventfd */
    URING_TOKEN_ACCEPT, /* listener << 16 | operation */
    URING_TOKEN_RING,   /* a message to another ring that failed: the address of its backend */
    URING_TOKEN_IGNORED
};

/* What was asked of the kernel and is used only where it can. */
enum uring_capability {
    URING_CAN_DIRECT = 1,  /* a file table of the ring's own (Linux 5.19) */
    URING_CAN_MSG_RING = 2 /* a completion put into another ring (Linux 5.18) */
};

/* One-shot accepts under way for a listener: each has an address of its own to be written to. */
#define URING_ACCEPTS_MAX   64
#define URING_LISTENERS_MAX 4

struct uring_accept_op {
    struct sockaddr_in6 address; /* or a sockaddr_in */
    socklen_t address_len;
    uint32_t slot; /* in the file table; URING_SLOT_NONE: a plain descriptor */
    bool in_flight;
};

struct uring_listener {
    uint64_t token;
    wring__socket socket;
    uint32_t in_flight;
    int32_t ended_by; /* with `ending`: the result the worker is told last */
    bool is_armed;
    bool ending;
    struct uring_accept_op ops[URING_ACCEPTS_MAX];
};

/* Who is at the other end of a direct descriptor: the kernel has no call to ask with. */
struct uring_peer {
    uint8_t address[16];
    uint32_t scope;
    uint16_t port; /* network order */
    uint16_t family;
};

/* Which receive buffers the kernel has. Its ring is first in, first out: with all of them in it
 * each receive would write to memory that no cache holds. It gets what a turn uses and a little
 * more, the ones used last first. */
struct uring_buffers {
    uint16_t *home; /* a stack of those the kernel has not */
    uint32_t home_count;
    uint32_t lent;     /* the kernel has */
    uint32_t least;    /* it should always have */
    uint32_t want;     /* the kernel should have */
    uint32_t used_max; /* in one turn, of this window of turns */
    uint32_t turns;    /* of this window */
};

struct uring_files {
    struct uring_peer *peers; /* by slot */
    uint32_t *free_slots;     /* a stack of those given back */
    uint32_t free_count;
    uint32_t unused; /* from here on no slot was ever taken: its memory is not touched */
    uint32_t count;
    bool close_queued; /* and not yet submitted */
};

/* Dials that may end at themselves, while they are under way. Beyond these they are not checked. */
#define URING_DIALS_MAX 64
struct uring_dial {
    wring__socket socket;
    int fd;
};
struct uring_dials {
    struct uring_dial list[URING_DIALS_MAX];
    uint32_t count;
    uint16_t port_first; /* the kernel's ephemeral ports; 0: not read yet */
    uint16_t port_last;
    int fd_bound; /* this descriptor and higher ones are not kept: they have become few */
};

struct uring_backend {
    struct wring__backend super;
    struct io_uring ring;
    struct io_uring_buf_ring *buffer_ring;
    size_t buffer_ring_bytes;
    size_t buffers_bytes;
    struct uring_buffers buffers;
    struct msghdr *messages; /* of the gathered sends queued since the last submit */
    uint32_t message_count;
    uint32_t message_max;
    struct uring_files files;
    struct uring_dials dials;
    struct uring_listener listeners[URING_LISTENERS_MAX];
    uint32_t listener_count;
    uint32_t can;        /* enum uring_capability */
    uint32_t recv_total; /* bytes after which a multishot receive ends; 0: the kernel has no such */
    wring_duration_ns busy_poll_ns;
    uint64_t wake_value;
    int wake_fd;
    bool wake_armed;
    bool ring_open;
};

static inline struct uring_backend *uring_of(wring__backend *super) {
    return (struct uring_backend *)super;
}

static inline uint64_t uring_token(enum uring_token_kind kind, uint64_t value) {
    return (uint64_t)kind << URING_TOKEN_KIND_SHIFT | value;
}

/* An entry of the submission queue, cleared; what is full is handed over first. */
struct io_uring_sqe *wring__uring_sqe(struct uring_backend *backend);
void wring__uring_submit(struct uring_backend *backend);

/* The token and, for a direct descriptor, the flag and the bare index. After io_uring_prep_*. */
static inline void uring_sqe_address(struct io_uring_sqe *sqe, wring__socket socket,
                                     uint64_t token) {
    if ((socket & URING_DIRECT) != 0) {
        sqe->fd = socket & ~URING_DIRECT;
        sqe->flags |= IOSQE_FIXED_FILE;
    }
    io_uring_sqe_set_data64(sqe, token);
}

/* ---- uring_buffers.c ---- */
int wring__uring_buffers_open(struct uring_backend *backend);
void wring__uring_buffers_close(struct uring_backend *backend);
void wring__uring_buffers_return(wring__backend *super, const uint16_t *buffers, size_t count);
/* Before a turn: the kernel gets as many as it should have. After: what it used, and whether that
 * was all it had. */
void wring__uring_buffers_fill(struct uring_backend *backend);
void wring__uring_buffers_used(struct uring_backend *backend, uint32_t count, bool exhausted);

/* ---- uring_files.c ---- */

/* @param count  0: picked.  A kernel that gives no table leaves the backend with descriptors. */
void wring__uring_files_open(struct uring_backend *backend, uint32_t count);
void wring__uring_files_close(struct uring_backend *backend);

/* ---- uring_self.c ---------------------------------------------------------------------------- */

/* Takes the descriptor beside a table's entry: kept until the dial is over, or closed at once. */
void wring__uring_dial_keep(struct uring_backend *backend, wring__socket socket, int fd,
                            const struct sockaddr *address);
bool wring__uring_dialled(wring__backend *super, wring__socket socket);
void wring__uring_dials_close(struct uring_backend *backend);
uint32_t wring__uring_slot_acquire(struct uring_backend *backend); /* or URING_SLOT_NONE */
void wring__uring_slot_release(struct uring_backend *backend, uint32_t slot);
void wring__uring_peer_set(struct uring_backend *backend, uint32_t slot,
                           const struct sockaddr *address);
bool wring__uring_peer(wring__backend *super, wring__socket socket, struct sockaddr_storage *out);
wring_result wring__uring_connect(wring__backend *super, const wring__dial_config *config,
                                  uint64_t token, wring__socket *out);
void wring__uring_close_socket(wring__backend *super, wring__socket socket, uint64_t token);

/* ---- uring_accept.c ---- */
wring__socket wring__uring_accept_now(wring__backend *super, wring__socket listener);
void wring__uring_accept(wring__backend *super, wring__socket listener, uint64_t token);
/* Asks for the end of the accept of `target`; false when it is no accept. */
bool wring__uring_accept_cancel(struct uring_backend *backend, uint64_t target, uint64_t token);
/* What became of one accept operation; false when the worker need not know. */
bool wring__uring_accept_complete(struct uring_backend *backend, const struct io_uring_cqe *cqe,
                                  wring__completion *out);
/* Before a turn: as many accepts as there should be. */
void wring__uring_accepts_arm(struct uring_backend *backend);

#endif
