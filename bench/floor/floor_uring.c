/* SPDX-License-Identifier: Apache-2.0
 *
 * The floor on io_uring: direct descriptors, multishot accept and receive into provided buffers,
 * one send in flight for a connection, and one system call a turn, which submits everything the
 * turn asked for and waits.
 */
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "bench/floor/floor.h"

/* A larger submission queue walks through more memory than it saves system calls. */
#define SQ_ENTRIES 1024
#define CQ_ENTRIES 16384 /* a completion each of 10,000 sends */
#define GROUP      0

/* Incremental buffers (Linux 6.12), which liburing 2.3 does not name: the kernel goes on in a
 * buffer where the last receive ended. Short messages of many sockets lie close together and long
 * ones in long runs, and all of them stay in the cache. */
#define PBUF_RING_INC  2
#define CQE_F_BUF_MORE (1U << 4)
#define INC_BYTES      ((size_t)256 << 10)
#define INC_COUNT      8U
/* Where there are none: long messages want long runs from the kernel, many connections many
 * buffers. */
#define SHORT_BYTES ((size_t)16 << 10)
#define SHORT_COUNT 256U
#define LONG_COUNT  16U
#define BUFFERS_MAX SHORT_COUNT

enum op { OP_ACCEPT, OP_RECV, OP_SEND, OP_REPLY, OP_SHUTDOWN, OP_CLOSE };

struct uring {
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    uint8_t *buffer_data;
    size_t buffer_bytes;
    unsigned buffer_count;
    size_t buffer_used[BUFFERS_MAX]; /* incremental: how far the kernel has got in each */
    bool is_incremental;
    struct floor *floor;
    uint32_t *dirty; /* connections that may have something to send: flushed once a turn */
    size_t dirty_count;
};

static uint64_t token(enum op op, size_t index) {
    return (uint64_t)op << 32 | index;
}

static struct io_uring_sqe *sqe_take(struct uring *u) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    while (sqe == NULL) { /* more subscribers than entries: one more system call */
        io_uring_submit(&u->ring);
        sqe = io_uring_get_sqe(&u->ring);
    }
    return sqe;
}

static void arm_accept(struct uring *u) {
    struct io_uring_sqe *sqe = sqe_take(u);
    io_uring_prep_multishot_accept_direct(sqe, u->floor->listener, NULL, NULL, 0);
    io_uring_sqe_set_data64(sqe, token(OP_ACCEPT, 0));
}

static void arm_recv(struct uring *u, size_t index) {
    struct io_uring_sqe *sqe = sqe_take(u);
    io_uring_prep_recv_multishot(sqe, (int)index, NULL, 0, 0);
    io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT);
    sqe->buf_group = GROUP;
    io_uring_sqe_set_data64(sqe, token(OP_RECV, index));
}

static void send_start(struct uring *u, enum op op, size_t index, struct floor_run run) {
    struct io_uring_sqe *sqe = sqe_take(u);
    io_uring_prep_send(sqe, (int)index, run.data, run.len, MSG_WAITALL | MSG_NOSIGNAL);
    io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
    io_uring_sqe_set_data64(sqe, token(op, index));
    u->floor->conns[index].sending = true;
}

static void conn_flush(struct uring *u, size_t index) {
    struct floor_conn *conn = &u->floor->conns[index];
    struct floor_run run = floor_pending(u->floor, conn);
    if (run.len > 0 && !conn->sending && conn->state == FLOOR_RAW) {
        send_start(u, OP_SEND, index, run);
    }
}

static void mark_dirty(struct uring *u, size_t index) {
    struct floor_conn *conn = &u->floor->conns[index];
    if (!conn->dirty) {
        conn->dirty = true;
        u->dirty[u->dirty_count++] = (uint32_t)index;
    }
}

static void flush_dirty(struct uring *u) {
    for (size_t i = 0; i < u->dirty_count; i++) {
        u->floor->conns[u->dirty[i]].dirty = false;
        conn_flush(u, u->dirty[i]);
    }
    u->dirty_count = 0;
}

static void shutdown_start(struct uring *u, size_t index) {
    struct io_uring_sqe *sqe = sqe_take(u);
    io_uring_prep_shutdown(sqe, (int)index, SHUT_RDWR);
    io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
    io_uring_sqe_set_data64(sqe, token(OP_SHUTDOWN, index));
}

/* The receive has ended: the slot goes back when no send is in flight either. */
static void conn_ended(struct uring *u, size_t index) {
    struct floor_conn *conn = &u->floor->conns[index];
    conn->state = FLOOR_CLOSING;
    if (!conn->sending) {
        struct io_uring_sqe *sqe = sqe_take(u);
        io_uring_prep_close_direct(sqe, (unsigned)index);
        io_uring_sqe_set_data64(sqe, token(OP_CLOSE, index));
        floor_freed(u->floor, index);
    }
}

static void accepted(struct uring *u, const struct io_uring_cqe *cqe) {
    if (cqe->res >= 0 && (size_t)cqe->res < u->floor->conns_max) {
        floor_opened(u->floor, (size_t)cqe->res);
        arm_recv(u, (size_t)cqe->res);
    }
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) {
        arm_accept(u);
    }
}

static uint8_t *buffer_at(const struct uring *u, unsigned id) {
    return u->buffer_data + id * u->buffer_bytes;
}

static void buffer_return(struct uring *u, unsigned id, int offset) {
    io_uring_buf_ring_add(u->buffers, buffer_at(u, id), (unsigned)u->buffer_bytes,
                          (unsigned short)id, io_uring_buf_ring_mask(u->buffer_count), offset);
}

static void received_bytes(struct uring *u, size_t index, const uint8_t *data, size_t len) {
    struct floor_conn *conn = &u->floor->conns[index];
    char reply[FLOOR_REPLY_MAX];
    size_t reply_len;
    bool ok = floor_received(u->floor, conn, data, len, reply, &reply_len);
    if (ok && reply_len > 0) {
        conn->reply = malloc(reply_len);
        ok = conn->reply != NULL;
        if (ok) {
            memcpy(conn->reply, reply, reply_len);
            send_start(u, OP_REPLY, index, (struct floor_run){(uint8_t *)conn->reply, reply_len});
        }
    }
    if (!ok) {
        conn->state = FLOOR_CLOSING;
        shutdown_start(u, index);
    } else if (u->floor->mode == FLOOR_ECHO && conn->state != FLOOR_BYE) {
        mark_dirty(u, index);
    }
}

/* Where the bytes of this completion are; then the buffer goes on or back to the kernel. */
static const uint8_t *buffer_take(struct uring *u, const struct io_uring_cqe *cqe, bool *is_over) {
    unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    const uint8_t *data = buffer_at(u, id) + u->buffer_used[id];
    *is_over = !u->is_incremental || (cqe->flags & CQE_F_BUF_MORE) == 0;
    u->buffer_used[id] = *is_over ? 0 : u->buffer_used[id] + (size_t)cqe->res;
    return data;
}

static void received(struct uring *u, size_t index, const struct io_uring_cqe *cqe,
                     unsigned *returned) {
    bool more = (cqe->flags & IORING_CQE_F_MORE) != 0;
    if (cqe->res > 0) {
        bool is_over;
        received_bytes(u, index, buffer_take(u, cqe, &is_over), (size_t)cqe->res);
        if (is_over) {
            buffer_return(u, cqe->flags >> IORING_CQE_BUFFER_SHIFT, (int)(*returned)++);
        }
    }
    if (!more && (cqe->res > 0 || cqe->res == -ENOBUFS)) {
        arm_recv(u, index);
    } else if (!more) {
        conn_ended(u, index);
    }
}

static void sent(struct uring *u, enum op op, size_t index, int result) {
    struct floor_conn *conn = &u->floor->conns[index];
    conn->sending = false;
    if (op == OP_REPLY) {
        free(conn->reply);
        conn->reply = NULL;
    } else if (result > 0) {
        conn->tx_done += (uint64_t)result;
    }
    if (conn->state == FLOOR_CLOSING) {
        conn_ended(u, index);
    } else if (conn->state == FLOOR_BYE) {
        conn->state = FLOOR_CLOSING;
        shutdown_start(u, index);
    } else if (result > 0) { /* else the receive ends too and tells */
        mark_dirty(u, index);
    }
}

static void completed(struct uring *u, const struct io_uring_cqe *cqe, unsigned *returned) {
    enum op op = (enum op)(cqe->user_data >> 32);
    size_t index = (uint32_t)cqe->user_data;
    switch (op) {
    case OP_ACCEPT:
        accepted(u, cqe);
        break;
    case OP_RECV:
        received(u, index, cqe, returned);
        break;
    case OP_SEND:
    case OP_REPLY:
        sent(u, op, index, cqe->res);
        break;
    case OP_SHUTDOWN:
    case OP_CLOSE:
        break;
    }
}

static void fanout_flush(struct uring *u) {
    struct floor *floor = u->floor;
    for (size_t i = 0; i < floor->conns_top; i++) {
        struct floor_conn *conn = &floor->conns[i];
        if (conn->state != FLOOR_RAW || conn->tx_done == floor->tape.end) {
            continue;
        }
        if (floor_is_overrun(floor, conn)) {
            conn->state = FLOOR_CLOSING;
            shutdown_start(u, i);
        } else {
            conn_flush(u, i);
        }
    }
}

static bool buffers_register(struct uring *u, bool is_incremental) {
    bool is_long = u->floor->rx_frame > 2 * SHORT_BYTES;
    u->is_incremental = is_incremental;
    u->buffer_bytes = is_incremental ? INC_BYTES : is_long ? FLOOR_RUN_MAX : SHORT_BYTES;
    u->buffer_count = is_incremental ? INC_COUNT : is_long ? LONG_COUNT : SHORT_COUNT;
    struct io_uring_buf_reg reg = {.ring_addr = (uintptr_t)u->buffers,
                                   .ring_entries = u->buffer_count,
                                   .bgid = GROUP,
                                   .pad = is_incremental ? PBUF_RING_INC : 0};
    return io_uring_register_buf_ring(&u->ring, &reg, 0) == 0;
}

static bool buffers_create(struct uring *u) {
    size_t ring_bytes = BUFFERS_MAX * sizeof(struct io_uring_buf);
    size_t bytes = BUFFERS_MAX * SHORT_BYTES; /* no form needs more */
    const int protection = PROT_READ | PROT_WRITE;
    u->buffers = mmap(NULL, ring_bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    u->buffer_data = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (u->buffers == MAP_FAILED || u->buffer_data == MAP_FAILED ||
        (!buffers_register(u, true) && !buffers_register(u, false))) {
        return false;
    }
    io_uring_buf_ring_init(u->buffers);
    for (unsigned i = 0; i < u->buffer_count; i++) {
        buffer_return(u, i, (int)i);
    }
    io_uring_buf_ring_advance(u->buffers, (int)u->buffer_count);
    return true;
}

static bool uring_create(struct uring *u, struct floor *floor) {
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                     .cq_entries = CQ_ENTRIES};
    u->floor = floor;
    int result = io_uring_queue_init_params(SQ_ENTRIES, &u->ring, &params);
    if (result == 0) {
        result = io_uring_register_files_sparse(&u->ring, (unsigned)floor->conns_max);
    }
    if (result < 0) {
        errno = -result;
        return false;
    }
    io_uring_register_ring_fd(&u->ring);
    u->dirty = calloc(floor->conns_max, sizeof *u->dirty);
    return u->dirty != NULL && buffers_create(u);
}

int floor_run_uring(struct floor *floor) {
    static struct uring u;
    if (!uring_create(&u, floor)) {
        perror("floor: io_uring");
        return 1;
    }
    arm_accept(&u);
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head;
        unsigned taken = 0;
        unsigned returned = 0;
        uint64_t end = floor->tape.end;
        io_uring_submit_and_wait(&u.ring, 1);
        io_uring_for_each_cqe(&u.ring, head, cqe) {
            completed(&u, cqe, &returned);
            taken++;
        }
        io_uring_buf_ring_cq_advance(&u.ring, u.buffers, (int)returned);
        io_uring_cq_advance(&u.ring, taken - returned);
        flush_dirty(&u);
        if (floor->tape.end != end) {
            fanout_flush(&u);
        }
    }
}
