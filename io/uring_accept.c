/* SPDX-License-Identifier: Apache-2.0
 *
 * Accepting. The worker sees one accept that goes on (backend.h); here it is a set of
 * one-shot accepts. A multishot accept has one place for the peer's address, which the next
 * connection of the same burst overwrites; a direct descriptor cannot be asked for it later. So
 * each operation has its own, and the address is never another peer's.
 */
#include <errno.h>

#include "io/socket.h"
#include "io/uring_internal.h"

static int32_t accept_plain(wring__backend *super, int listener) {
    (void)super;
    const int fd = wring__socket_accept(listener, 0);
    return fd < 0 ? -errno : fd;
}

/* Leaves the listener without waiting: no accept of the ring's is armed on it any more. */
wring__socket wring__uring_accept_now(wring__backend *super, wring__socket listener) {
    return wring__socket_accept_past_errors(super, listener, accept_plain);
}

/* ---- accepting ------------------------------------------------------------------------------- */

/* Stands in for the operation when none is under way whose end could end the accept. */
#define OP_END_MARKER 0xFFFFu

static uint64_t op_token(const struct uring_backend *backend, const struct uring_listener *listener,
                         uint32_t op) {
    return uring_token(URING_TOKEN_ACCEPT, (uint64_t)(listener - backend->listeners) << 16 | op);
}

static void op_arm(struct uring_backend *backend, struct uring_listener *listener, uint32_t index,
                   uint32_t slot) {
    struct uring_accept_op *op = &listener->ops[index];
    struct sockaddr *address = (struct sockaddr *)&op->address;
    struct io_uring_sqe *sqe = wring__uring_sqe(backend);
    op->slot = slot;
    op->address_len = sizeof op->address;
    op->in_flight = true;
    listener->in_flight++;
    if (slot == URING_SLOT_NONE) {
        io_uring_prep_accept(sqe, listener->socket, address, &op->address_len, SOCK_CLOEXEC);
    } else {
        io_uring_prep_accept_direct(sqe, listener->socket, address, &op->address_len, 0, slot);
    }
    io_uring_sqe_set_data64(sqe, op_token(backend, listener, index));
}

/* Plain descriptors only when the table is full and no operation has a place in it left: they may
 * be out as well, and that ends the accept until the worker tries again. */
static void listener_arm(struct uring_backend *backend, struct uring_listener *listener) {
    const bool plain = listener->in_flight == 0;
    for (uint32_t i = 0; i < URING_ACCEPTS_MAX; i++) {
        if (listener->ops[i].in_flight) {
            continue;
        }
        const uint32_t slot = wring__uring_slot_acquire(backend);
        if (slot == URING_SLOT_NONE && !plain) {
            return;
        }
        op_arm(backend, listener, i, slot);
    }
}

void wring__uring_accepts_arm(struct uring_backend *backend) {
    for (uint32_t i = 0; i < backend->listener_count; i++) {
        struct uring_listener *listener = &backend->listeners[i];
        if (listener->is_armed && !listener->ending && listener->in_flight < URING_ACCEPTS_MAX) {
            listener_arm(backend, listener);
        }
    }
}

static struct uring_listener *listener_find(struct uring_backend *backend, uint64_t token) {
    for (uint32_t i = 0; i < backend->listener_count; i++) {
        if (backend->listeners[i].token == token) {
            return &backend->listeners[i];
        }
    }
    return NULL;
}

void wring__uring_accept(wring__backend *super, wring__socket socket, uint64_t token) {
    struct uring_backend *backend = uring_of(super);
    struct uring_listener *listener = listener_find(backend, token);
    if (listener == NULL) {
        WRING_ASSERT(backend->listener_count < URING_LISTENERS_MAX);
        listener = &backend->listeners[backend->listener_count++];
        listener->token = token;
    }
    WRING_ASSERT(!listener->is_armed);
    listener->socket = socket;
    listener->is_armed = true;
    listener->ending = false;
}

static void listener_end(struct uring_backend *backend, struct uring_listener *listener,
                         int32_t result, uint64_t token) {
    listener->ending = true;
    listener->ended_by = result;
    struct io_uring_sqe *sqe = wring__uring_sqe(backend);
    io_uring_prep_cancel_fd(sqe, listener->socket, IORING_ASYNC_CANCEL_ALL);
    io_uring_sqe_set_data64(sqe, token);
}

bool wring__uring_accept_cancel(struct uring_backend *backend, uint64_t target, uint64_t token) {
    struct uring_listener *listener = listener_find(backend, target);
    if (listener == NULL || !listener->is_armed) {
        return false;
    }
    listener_end(backend, listener, -ECANCELED, token);
    if (listener->in_flight == 0) {
        struct io_uring_sqe *sqe = wring__uring_sqe(backend);
        io_uring_prep_nop(sqe);
        io_uring_sqe_set_data64(sqe, op_token(backend, listener, OP_END_MARKER));
    }
    return true;
}

static wring__socket op_take(struct uring_backend *backend, struct uring_accept_op *op,
                             int32_t result) {
    op->in_flight = false;
    if (op->slot == URING_SLOT_NONE) {
        return result;
    }
    if (result < 0) {
        wring__uring_slot_release(backend, op->slot);
        return result;
    }
    wring__uring_peer_set(backend, op->slot, (struct sockaddr *)&op->address);
    return (wring__socket)op->slot | URING_DIRECT;
}

bool wring__uring_accept_complete(struct uring_backend *backend, const struct io_uring_cqe *cqe,
                                  wring__completion *out) {
    struct uring_listener *listener = &backend->listeners[(cqe->user_data >> 16) & 0xFFFF];
    const uint32_t index = cqe->user_data & 0xFFFF;
    int32_t result = -ECANCELED;
    if (index != OP_END_MARKER) {
        result = op_take(backend, &listener->ops[index], cqe->res);
        listener->in_flight--;
    }
    if (result < 0 && !listener->ending && !wring__socket_is_accept_error_of_one(result)) {
        listener_end(backend, listener, result, uring_token(URING_TOKEN_IGNORED, 0));
    }
    const bool last = listener->ending && listener->in_flight == 0;
    if (result < 0 && listener->ending && !last) {
        return false;
    }
    listener->is_armed = !last;
    out->token = listener->token;
    out->result = result >= 0 || !last ? result : listener->ended_by;
    out->flags = (uint16_t)(last ? 0 : WRING__COMPLETION_MORE);
    return true;
}
