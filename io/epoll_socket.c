/* SPDX-License-Identifier: Apache-2.0
 *
 * The sockets of an epoll backend: their table, and what is done to one besides receiving.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/outq.h"
#include "io/epoll_internal.h"
#include "io/socket.h"

/* ---- the table ------------------------------------------------------------------------------- */

/* The index of a free place; EPOLL_NONE: no memory. */
static uint32_t place_take(struct epoll_backend *backend) {
    struct epoll_sockets *sockets = &backend->sockets;
    if (sockets->free != EPOLL_NONE) {
        const uint32_t index = sockets->free;
        sockets->free = epoll_socket_at(backend, index)->next;
        return index;
    }
    const uint32_t chunk = sockets->count / EPOLL_CHUNK;
    if (chunk == EPOLL_CHUNKS_MAX) {
        return EPOLL_NONE;
    }
    if (sockets->chunks[chunk] == NULL) {
        sockets->chunks[chunk] = calloc(EPOLL_CHUNK, sizeof(struct epoll_socket));
        if (sockets->chunks[chunk] == NULL) {
            return EPOLL_NONE;
        }
    }
    return sockets->count++;
}

void wring__epoll_socket_forget(struct epoll_backend *backend, uint32_t index) {
    struct epoll_socket *socket = epoll_socket_at(backend, index);
    const uint32_t generation = socket->generation;
    memset(socket, 0, sizeof *socket);
    socket->fd = -1;
    socket->generation = generation == EPOLL_GENERATION_MAX ? 1 : generation + 1;
    socket->next = backend->sockets.free;
    backend->sockets.free = index;
}

wring__socket wring__epoll_add(struct epoll_backend *backend, int fd, uint32_t events) {
    const uint32_t index = place_take(backend);
    if (index == EPOLL_NONE) {
        return -ENOMEM;
    }
    struct epoll_socket *socket = epoll_socket_at(backend, index);
    struct epoll_event event = {.events = events,
                                .data.u64 =
                                    epoll_event_data(EPOLL_KIND_SOCKET, socket->generation, index)};
    if (epoll_ctl(backend->fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        const int saved = errno;
        wring__epoll_socket_forget(backend, index);
        return -saved;
    }
    socket->fd = fd;
    socket->next = EPOLL_NONE;
    socket->asks_out = (events & EPOLLOUT) != 0;
    return (wring__socket)index;
}

void wring__epoll_sockets_close(struct epoll_backend *backend) {
    struct epoll_sockets *sockets = &backend->sockets;
    for (uint32_t i = 0; sockets->chunks != NULL && i < EPOLL_CHUNKS_MAX; i++) {
        free(sockets->chunks[i]);
    }
    free(sockets->chunks);
    sockets->chunks = NULL;
}

static struct epoll_socket *socket_of(wring__backend *super, wring__socket socket) {
    struct epoll_backend *backend = epoll_of(super);
    WRING_ASSERT(socket >= 0 && (uint32_t)socket < backend->sockets.count);
    struct epoll_socket *found = epoll_socket_at(backend, (uint32_t)socket);
    WRING_ASSERT(found->fd >= 0); /* not closed */
    return found;
}

/* ---- events ---------------------------------------------------------------------------------- */

/* Refused is not reset: that is a connection which was made and is over before we look. Asking
 * takes the error from the socket, so it is kept for the next receive. */
static int32_t connect_result(struct epoll_socket *socket) {
    int system_errno = 0;
    socklen_t len = sizeof system_errno;
    if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &system_errno, &len) != 0) {
        system_errno = errno;
    }
    if (!socket->is_shut && (system_errno == ECONNRESET || system_errno == EPIPE)) {
        socket->broken_by = (uint16_t)system_errno;
        return 0;
    }
    return -system_errno;
}

/* There is room, or there never will be: whatever waited for it goes on. A send is tried again by
 * its owner, who may have more by now. */
static void room_take(struct epoll_backend *backend, struct epoll_socket *socket) {
    const uint64_t token = socket->send_token;
    socket->is_full = false;
    if (token == 0) {
        return;
    }
    socket->send_token = 0;
    if (socket->is_connecting) {
        socket->is_connecting = false;
        wring__epoll_post(backend, token, connect_result(socket));
    } else {
        wring__epoll_post(backend, token, (int32_t)socket->sent);
    }
}

void wring__epoll_socket_event(struct epoll_backend *backend, const struct epoll_event *event) {
    const uint32_t index = (uint32_t)event->data.u64;
    const uint32_t generation = (uint32_t)(event->data.u64 >> 32) & EPOLL_GENERATION_MAX;
    struct epoll_socket *socket = epoll_socket_at(backend, index);
    if (socket->generation != generation) {
        return; /* of one that was closed */
    }
    const uint32_t events = event->events;
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
        room_take(backend, socket);
    }
    if ((events & ~(uint32_t)EPOLLOUT) != 0) {
        socket->is_readable = true;
        socket->is_exact =
            socket->is_exact || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0;
        wring__epoll_make_ready(backend, index);
    }
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Once for a socket: it keeps EPOLLOUT, whose edges come only after a send that found no room. */
static int out_ask(struct epoll_backend *backend, wring__socket socket) {
    struct epoll_socket *s = socket_of(&backend->super, socket);
    struct epoll_event event = {
        .events = EPOLL_INPUT | EPOLLOUT,
        .data.u64 = epoll_event_data(EPOLL_KIND_SOCKET, s->generation, (uint32_t)socket)};
    if (s->asks_out) {
        return 0;
    }
    if (epoll_ctl(backend->fd, EPOLL_CTL_MOD, s->fd, &event) != 0) {
        return -errno;
    }
    s->asks_out = true;
    return 0;
}

/* Bytes taken, or a negative errno. */
static ssize_t send_now(const struct epoll_socket *socket, const struct iovec *iov, size_t count) {
    ssize_t taken;
    do {
        if (count == 1) {
            taken = send(socket->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
        } else {
            const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                                           .msg_iovlen = count};
            taken = sendmsg(socket->fd, &message, MSG_NOSIGNAL);
        }
    } while (taken < 0 && errno == EINTR);
    return taken < 0 ? -errno : taken;
}

bool wring__epoll_send(wring__backend *super, wring__socket socket, uint64_t token,
                       const struct iovec *iov, size_t count) {
    struct epoll_backend *backend = epoll_of(super);
    struct epoll_socket *s = socket_of(super, socket);
    WRING_ASSERT(s->send_token == 0);
    const ssize_t taken = s->is_full ? -EAGAIN : send_now(s, iov, count);
    if (taken == (ssize_t)wring__iov_bytes(iov, count)) {
        return true;
    }
    const ssize_t failed = taken < 0 && taken != -EAGAIN ? taken : out_ask(backend, socket);
    if (failed != 0) {
        wring__epoll_post(backend, token, (int32_t)failed);
        return false;
    }
    s->is_full = true;
    s->send_token = token;
    s->sent = taken > 0 ? (uint32_t)taken : 0;
    return false;
}

/* ---- connecting ------------------------------------------------------------------------------ */

wring_result wring__epoll_connect(wring__backend *super, const wring__dial_config *config,
                                  uint64_t token, wring__socket *out) {
    struct epoll_backend *backend = epoll_of(super);
    const int fd = wring__socket_make(config, SOCK_NONBLOCK);
    if (fd < 0) {
        return WRING_ERR_SYSTEM;
    }
    int result;
    do {
        result = connect(fd, config->address, config->address_len) == 0 ? 0 : -errno;
    } while (result == -EINTR);
    const wring__socket socket = wring__epoll_add(backend, fd, EPOLL_INPUT | EPOLLOUT);
    if (socket < 0) {
        close(fd);
        errno = -socket;
        return WRING_ERR_SYSTEM;
    }
    *out = socket;
    if (result == -EINPROGRESS) {
        struct epoll_socket *s = socket_of(super, socket);
        s->is_connecting = true;
        s->send_token = token;
    } else {
        wring__epoll_post(backend, token, result);
    }
    return WRING_OK;
}

bool wring__epoll_dialled(wring__backend *super, wring__socket socket) {
    return wring__socket_is_itself(socket_of(super, socket)->fd);
}

/* ---- ending ---------------------------------------------------------------------------------- */

void wring__epoll_shutdown(wring__backend *super, wring__socket socket, uint64_t token, int how) {
    struct epoll_socket *s = socket_of(super, socket);
    const bool resets = how == WRING__SHUT_RESET;
    const int failed = resets ? connect(s->fd, &wring__socket_nowhere, sizeof wring__socket_nowhere)
                              : shutdown(s->fd, how);
    const int result = failed == 0 ? 0 : -errno;
    s->is_shut = true;
    wring__epoll_post(epoll_of(super), token, result);
}

/* A send is not cancelled: it ends when the socket is shut. */
static bool socket_cancel(struct epoll_backend *backend, wring__socket socket, uint64_t target) {
    struct epoll_socket *s = socket_of(&backend->super, socket);
    if (s->recv_token == target) {
        s->recv_token = 0;
        return true;
    }
    if (s->is_connecting && s->send_token == target) {
        s->is_connecting = false;
        s->send_token = 0;
        return true;
    }
    return false;
}

void wring__epoll_cancel(wring__backend *super, wring__socket socket, uint64_t target,
                         uint64_t token) {
    struct epoll_backend *backend = epoll_of(super);
    const bool was_there = socket == WRING__SOCKET_NONE
                               ? wring__epoll_accept_cancel(backend, target) ||
                                     wring__epoll_poll_cancel(backend, target)
                               : socket_cancel(backend, socket, target);
    if (was_there) {
        wring__epoll_post(backend, target, -ECANCELED);
    }
    wring__epoll_post(backend, token, was_there ? 0 : -ENOENT);
}

void wring__epoll_close_socket(wring__backend *super, wring__socket socket, uint64_t token) {
    struct epoll_backend *backend = epoll_of(super);
    struct epoll_socket *s = socket_of(super, socket);
    WRING_ASSERT(s->recv_token == 0 && s->send_token == 0); /* nothing is under way on it */
    const int result = close(s->fd) == 0 ? 0 : -errno;
    if (s->is_ready) { /* the ready list drops it: until then it cannot be another's place */
        s->fd = -1;
    } else {
        wring__epoll_socket_forget(backend, (uint32_t)socket);
    }
    wring__epoll_post(backend, token, result);
}

bool wring__epoll_peer(wring__backend *super, wring__socket socket, struct sockaddr_storage *out) {
    return wring__socket_peer(socket_of(super, socket)->fd, out);
}
