/* SPDX-License-Identifier: Apache-2.0
 *
 * Accepting on epoll. A listener is registered while its accept is armed, level-triggered: what a
 * bounded burst leaves in the backlog is told again by the next wait.
 */
#include <errno.h>
#include <unistd.h>

#include "io/epoll_internal.h"
#include "io/socket.h"

#define BURST_MAX 64

static struct epoll_listener *listener_find(struct epoll_backend *backend, uint64_t token) {
    for (uint32_t i = 0; i < backend->listener_count; i++) {
        if (backend->listeners[i].token == token) {
            return &backend->listeners[i];
        }
    }
    return NULL;
}

static void listener_disarm(struct epoll_backend *backend, struct epoll_listener *listener) {
    (void)epoll_ctl(backend->fd, EPOLL_CTL_DEL, listener->fd, NULL);
    listener->is_armed = false;
    listener->is_ready = false;
}

void wring__epoll_accept(wring__backend *super, wring__socket socket, uint64_t token) {
    struct epoll_backend *backend = epoll_of(super);
    struct epoll_listener *listener = listener_find(backend, token);
    if (listener == NULL) {
        WRING_ASSERT(backend->listener_count < EPOLL_LISTENERS_MAX);
        listener = &backend->listeners[backend->listener_count++];
        listener->token = token;
    }
    WRING_ASSERT(!listener->is_armed);
    listener->fd = socket;
    const uint32_t index = (uint32_t)(listener - backend->listeners);
    struct epoll_event event = {.events = EPOLLIN,
                                .data.u64 = epoll_event_data(EPOLL_KIND_LISTENER, 0, index)};
    if (!wring__socket_set_nonblocking(socket) ||
        epoll_ctl(backend->fd, EPOLL_CTL_ADD, socket, &event) != 0) {
        wring__epoll_post(backend, token, -errno);
        return;
    }
    listener->is_armed = true;
    listener->is_ready = false;
}

bool wring__epoll_accept_cancel(struct epoll_backend *backend, uint64_t target) {
    struct epoll_listener *listener = listener_find(backend, target);
    if (listener == NULL || !listener->is_armed) {
        return false;
    }
    listener_disarm(backend, listener);
    return true;
}

/* A socket's name, or a negative errno. */
static int32_t accept_one(wring__backend *super, int listener) {
    struct epoll_backend *backend = epoll_of(super);
    const int fd = wring__socket_accept(listener, SOCK_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    const wring__socket socket = wring__epoll_add(backend, fd, EPOLL_INPUT);
    if (socket < 0) {
        close(fd);
    }
    return socket;
}

wring__socket wring__epoll_accept_now(wring__backend *super, wring__socket listener) {
    return wring__socket_accept_past_errors(super, listener, accept_one);
}

static void burst_take(struct epoll_backend *backend, struct epoll_listener *listener,
                       struct epoll_out *out) {
    for (int i = 0; i < BURST_MAX && out->count < out->max; i++) {
        const int32_t result = accept_one(&backend->super, listener->fd);
        if (result == -EAGAIN) {
            break;
        }
        if (result < 0 && !wring__socket_is_accept_error_of_one(result)) {
            listener_disarm(backend, listener); /* else the next wait would find it at once */
            epoll_put(out, listener->token, result, 0, 0);
            return;
        }
        epoll_put(out, listener->token, result, WRING__COMPLETION_MORE, 0);
    }
    listener->is_ready = false;
}

void wring__epoll_accepts_take(struct epoll_backend *backend, struct epoll_out *out) {
    for (uint32_t i = 0; i < backend->listener_count; i++) {
        if (backend->listeners[i].is_armed && backend->listeners[i].is_ready) {
            burst_take(backend, &backend->listeners[i], out);
        }
    }
}
