/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting for a library's descriptors (c-ares) on epoll. A descriptor can stand in an epoll set
 * only once, but may be waited for twice: each wait registers a duplicate of its own. They are few.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/epoll_internal.h"

static struct epoll_poll *poll_take(struct epoll_backend *backend) {
    for (uint32_t i = 0; i < backend->poll_count; i++) {
        if (backend->polls[i].token == 0) {
            return &backend->polls[i];
        }
    }
    const uint32_t count = backend->poll_count == 0 ? 4 : backend->poll_count * 2;
    struct epoll_poll *grown = realloc(backend->polls, count * sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    memset(grown + backend->poll_count, 0, (count - backend->poll_count) * sizeof *grown);
    struct epoll_poll *poll = &grown[backend->poll_count];
    backend->polls = grown;
    backend->poll_count = count;
    return poll;
}

/* The registration goes first: closing one of two descriptors of a file leaves it. */
static void poll_end(struct epoll_backend *backend, struct epoll_poll *poll) {
    (void)epoll_ctl(backend->fd, EPOLL_CTL_DEL, poll->fd, NULL);
    close(poll->fd);
    poll->token = 0;
    poll->generation = poll->generation == EPOLL_GENERATION_MAX ? 0 : poll->generation + 1;
}

static int poll_begin(struct epoll_backend *backend, struct epoll_poll *poll, int descriptor,
                      uint32_t events) {
    const uint32_t index = (uint32_t)(poll - backend->polls);
    struct epoll_event event = {.events = events | EPOLLONESHOT,
                                .data.u64 =
                                    epoll_event_data(EPOLL_KIND_POLL, poll->generation, index)};
    poll->fd = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (poll->fd < 0) {
        return -errno;
    }
    if (epoll_ctl(backend->fd, EPOLL_CTL_ADD, poll->fd, &event) != 0) {
        const int saved = errno;
        close(poll->fd);
        return -saved;
    }
    return 0;
}

void wring__epoll_poll(wring__backend *super, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_backend *backend = epoll_of(super);
    struct epoll_poll *poll = poll_take(backend);
    const int result = poll == NULL ? -ENOMEM : poll_begin(backend, poll, descriptor, events);
    if (result == 0) {
        poll->token = token;
    } else if (result == -EPERM) { /* a file: it is always ready, poll(2) */
        wring__epoll_post(backend, token, (int32_t)(events & (EPOLLIN | EPOLLOUT)));
    } else {
        wring__epoll_post(backend, token, result);
    }
}

bool wring__epoll_poll_cancel(struct epoll_backend *backend, uint64_t target) {
    for (uint32_t i = 0; i < backend->poll_count; i++) {
        if (backend->polls[i].token == target) {
            poll_end(backend, &backend->polls[i]);
            return true;
        }
    }
    return false;
}

void wring__epoll_poll_event(struct epoll_backend *backend, const struct epoll_event *event) {
    struct epoll_poll *poll = &backend->polls[(uint32_t)event->data.u64];
    const uint32_t generation = (uint32_t)(event->data.u64 >> 32) & EPOLL_GENERATION_MAX;
    if (poll->token != 0 && poll->generation == generation) {
        wring__epoll_post(backend, poll->token, (int32_t)event->events);
        poll_end(backend, poll);
    }
}

void wring__epoll_polls_close(struct epoll_backend *backend) {
    for (uint32_t i = 0; i < backend->poll_count; i++) {
        if (backend->polls[i].token != 0) {
            poll_end(backend, &backend->polls[i]);
        }
    }
    free(backend->polls);
}
