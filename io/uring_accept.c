/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening and accepting. The worker sees one accept that goes on (backend.h); here it is a set of
 * one-shot accepts. A multishot accept has one place for the peer's address, which the next
 * connection of the same burst overwrites; a direct descriptor cannot be asked for it later. So
 * each operation has its own, and the address is never another peer's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/uring_internal.h"

/* ---- listening ------------------------------------------------------------------------------- */

static bool address_parse(const char *host, uint16_t port, struct sockaddr_storage *out,
                          socklen_t *len) {
    memset(out, 0, sizeof *out);
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *len = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *len = sizeof *v6;
        return true;
    }
    return false;
}

static uint16_t socket_port(int fd) {
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    return address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                                         : ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static wring_result listen_error(const wring__listen_config *config, const char *step,
                                 int system_errno, wring_error *error) {
    const char *advice = "";
    if (system_errno == EADDRINUSE) {
        advice = config->exclusive || !config->reuse_port
                     ? "; another program listens there: end it, take another port, or share the "
                       "port (share_port, --share-port)"
                     : "; a program without share_port (--share-port) listens there: end it or "
                       "take another port";
    } else if (system_errno == EACCES) {
        advice = "; ports below 1024 need CAP_NET_BIND_SERVICE";
    }
    return wring_error_set(error, WRING_ERR_ADDRESS, system_errno,
                           "cannot listen on %s port %u: %s: %s%s", config->host, config->port,
                           step, strerror(system_errno), advice);
}

wring_result wring__uring_listen(const wring__listen_config *config, wring__socket *out,
                                 uint16_t *port, wring_error *error) {
    struct sockaddr_storage address;
    socklen_t len;
    if (!address_parse(config->host, config->port, &address, &len)) {
        return wring_error_set(error, WRING_ERR_ADDRESS, 0,
                               "'%s' is not a numeric IPv4 or IPv6 address", config->host);
    }
    const int on = 1;
    const bool share_first = config->reuse_port && !config->exclusive;
    const char *step = "socket";
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0;
    if (ok) {
        step = "setsockopt";
        /* TCP_NODELAY is inherited by accepted sockets: no system call per connection */
        ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
             (!share_first || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
             setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
    }
    if (ok) {
        step = "bind";
        ok = bind(fd, (struct sockaddr *)&address, len) == 0;
    }
    if (ok) {
        step = "listen";
        ok = listen(fd, config->backlog) == 0;
    }
    if (ok && config->reuse_port && config->exclusive) {
        step = "SO_REUSEPORT"; /* set now, it shares with those that come after, not before */
        ok = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
    }
    if (!ok) {
        const int saved = errno;
        if (fd >= 0) {
            close(fd);
        }
        return listen_error(config, step, saved, error);
    }
    *out = fd;
    *port = socket_port(fd);
    return WRING_OK;
}

void wring__uring_unlisten(const wring__listen_config *config, wring__socket listener) {
    (void)config;
    close(listener);
}

/* Errors of the one connection, not of accepting: accept(2). */
static bool is_of_the_connection(int32_t result) {
    switch (-result) {
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

/* A filter of the listener that drops each SYN. Its sender repeats it after a second, and the
 * kernel then picks among the listeners that are left. The last ACK of a handshake has no SYN. */
void wring__uring_turn_away(wring__socket listener) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* the flags of the TCP header */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {sizeof code / sizeof code[0], code};
    /* Forbidden, new connections come until the listener is closed; a few may be reset then. */
    (void)setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

wring__socket wring__uring_accept_now(wring__backend *super, wring__socket listener) {
    (void)super;
    const int flags = fcntl(listener, F_GETFL);
    int fd;
    if (flags < 0 || fcntl(listener, F_SETFL, flags | O_NONBLOCK) != 0) {
        return WRING__SOCKET_NONE;
    }
    do {
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || is_of_the_connection(-errno)));
    return fd < 0 ? WRING__SOCKET_NONE : fd;
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
    if (result < 0 && !listener->ending && !is_of_the_connection(result)) {
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
