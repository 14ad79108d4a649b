/* SPDX-License-Identifier: Apache-2.0
 *
 * The epoll backend: opening and closing it, the turn, wakes. For where io_uring is not to be had.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/trace.h"
#include "io/epoll_internal.h"
#include "io/socket.h"

/* Fewer than there may be: what a turn receives, deals with and answers stays in the cache. 64 was
 * as good as 32 and 5 % better than 512, with 1,000 busy connections. */
#define EVENTS_MAX     64
#define POSTED_CAP_MIN 1024
#define TIMEOUT_MS_MAX (24 * 3600 * 1000)

/* ---- opening and closing --------------------------------------------------------------------- */

/* Sockets are descriptors of the process here: it takes all that it may have. */
static void descriptors_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static wring_result open_error(wring_error *error, const char *what, int system_errno) {
    const char *advice = "";
    if (system_errno == EMFILE || system_errno == ENFILE) {
        advice = "; raise the limit of open files (ulimit -n, LimitNOFILE=)";
    } else if (system_errno == EPERM || system_errno == EACCES || system_errno == ENOSYS) {
        advice = "; a seccomp profile forbids it: allow epoll_create1, epoll_ctl, epoll_wait, "
                 "epoll_pwait2 and eventfd2";
    }
    return wring_error_set(error, WRING_ERR_BACKEND, system_errno, "epoll: %s failed: %s%s", what,
                           strerror(system_errno), advice);
}

static void epoll_backend_close(wring__backend *super) {
    struct epoll_backend *backend = epoll_of(super);
    wring__epoll_polls_close(backend);
    wring__epoll_sockets_close(backend);
    wring__epoll_buffers_close(backend);
    if (backend->fd >= 0) {
        close(backend->fd);
    }
    if (backend->wake_fd >= 0) {
        close(backend->wake_fd);
    }
    free(backend->posted.items);
    free(backend->events);
    free(backend);
}

/* 0 or a negative errno; `what` says which step it was. */
static int backend_open(struct epoll_backend *backend, const wring__backend_config *config,
                        const char **what) {
    *what = "epoll_create";
    backend->fd = epoll_create1(EPOLL_CLOEXEC);
    if (backend->fd < 0) {
        return -errno;
    }
    *what = "eventfd";
    backend->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (backend->wake_fd < 0) {
        return -errno;
    }
    /* Edge-triggered and never read: each write is an edge. */
    struct epoll_event wake = {.events = EPOLLIN | EPOLLET,
                               .data.u64 = epoll_event_data(EPOLL_KIND_WAKE, 0, 0)};
    *what = "epoll_ctl";
    if (epoll_ctl(backend->fd, EPOLL_CTL_ADD, backend->wake_fd, &wake) != 0) {
        return -errno;
    }
    *what = "allocating";
    backend->sockets.chunks = calloc(EPOLL_CHUNKS_MAX, sizeof *backend->sockets.chunks);
    backend->posted.cap = POSTED_CAP_MIN;
    backend->posted.items = calloc(backend->posted.cap, sizeof *backend->posted.items);
    backend->events = calloc(EVENTS_MAX, sizeof *backend->events);
    if (backend->sockets.chunks == NULL || backend->posted.items == NULL ||
        backend->events == NULL) {
        return -ENOMEM;
    }
    /* What every turn needs: forbidden, it is an error of opening and not of running. */
    *what = "epoll_wait";
    if (epoll_wait(backend->fd, backend->events, EVENTS_MAX, 0) < 0 && errno != EINTR) {
        return -errno;
    }
    *what = "allocating";
    return wring__epoll_buffers_open(backend, config);
}

static wring_result epoll_backend_open(const wring__backend_config *config, wring__backend **out,
                                       wring_error *error) {
    struct epoll_backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, ENOMEM, "no memory for a backend");
    }
    descriptors_raise();
    backend->super.ops = &wring__backend_epoll;
    backend->super.sends_known = true;
    backend->super.rewinds = true;
    backend->super.filling = UINT16_MAX;
    backend->fd = -1;
    backend->wake_fd = -1;
    backend->has_pwait2 = true;
    backend->busy_poll_ns = config->busy_poll_us * UINT64_C(1000);
    backend->ready_head = EPOLL_NONE;
    backend->ready_tail = EPOLL_NONE;
    backend->sockets.free = EPOLL_NONE;
    const char *what = NULL;
    const int result = backend_open(backend, config, &what);
    if (result != 0) {
        const wring_result mapped = open_error(error, what, -result);
        epoll_backend_close(&backend->super);
        return mapped;
    }
    *out = &backend->super;
    return WRING_OK;
}

/* ---- completions between turns --------------------------------------------------------------- */

static void posted_grow(struct epoll_posted *posted) {
    const size_t cap = posted->cap * 2;
    wring__completion *grown = malloc(cap * sizeof *grown);
    if (grown == NULL) { /* an operation without its completion would never end */
        wring__panic("no memory for completions", __FILE__, __LINE__, __func__);
    }
    for (size_t i = 0; i < posted->count; i++) {
        grown[i] = posted->items[(posted->head + i) & (posted->cap - 1)];
    }
    free(posted->items);
    posted->items = grown;
    posted->cap = cap;
    posted->head = 0;
}

void wring__epoll_post(struct epoll_backend *backend, uint64_t token, int32_t result) {
    struct epoll_posted *posted = &backend->posted;
    WRING_ASSERT(token != 0);
    if (posted->count == posted->cap) {
        posted_grow(posted);
    }
    posted->items[(posted->head + posted->count) & (posted->cap - 1)] =
        (wring__completion){token, result, 0, 0};
    posted->count++;
}

static void posted_take(struct epoll_backend *backend, struct epoll_out *out) {
    struct epoll_posted *posted = &backend->posted;
    while (posted->count > 0 && out->count < out->max) {
        out->items[out->count++] = posted->items[posted->head];
        posted->head = (posted->head + 1) & (posted->cap - 1);
        posted->count--;
    }
}

/* ---- the turn -------------------------------------------------------------------------------- */

static void epoll_wake(wring__backend *super, wring__backend *from) {
    (void)from;
    const uint64_t one = 1;
    /* Fails only when the counter is full, after 2^64 wakes. */
    const ssize_t ignored = write(epoll_of(super)->wake_fd, &one, sizeof one);
    (void)ignored;
}

/* Whole milliseconds, never too early. */
static int wait_ms(struct epoll_backend *backend, wring_time_ns deadline) {
    int timeout = -1;
    if (deadline == 0) {
        timeout = 0;
    } else if (deadline != WRING_TIME_NEVER) {
        const wring_time_ns now = wring__machine_now(&backend->super);
        const wring_duration_ns wait = deadline > now ? deadline - now : 0;
        const uint64_t ms = (wait + WRING_NS_PER_MS - 1) / WRING_NS_PER_MS;
        timeout = (int)wring__min_u64(ms, TIMEOUT_MS_MAX);
    }
    return epoll_wait(backend->fd, backend->events, EVENTS_MAX, timeout);
}

/* epoll_pwait2 (Linux 5.11) has nanoseconds; old kernels lack it, and filters that do not know it
 * answer with whatever they answer to what they do not know. If the set itself is broken, the older
 * call fails too. */
static int wait_until(struct epoll_backend *backend, wring_time_ns deadline) {
    if (deadline == 0 || deadline == WRING_TIME_NEVER || !backend->has_pwait2) {
        return wait_ms(backend, deadline);
    }
    const wring_time_ns now = wring__machine_now(&backend->super);
    const wring_duration_ns wait = deadline > now ? deadline - now : 0;
    const struct timespec ts = {.tv_sec = (time_t)(wait / WRING_NS_PER_SEC),
                                .tv_nsec = (long)(wait % WRING_NS_PER_SEC)};
    const int count = epoll_pwait2(backend->fd, backend->events, EVENTS_MAX, &ts, NULL);
    if (count < 0 && errno != EINTR) {
        backend->has_pwait2 = false;
        return wait_ms(backend, deadline);
    }
    return count;
}

static int busy_poll(struct epoll_backend *backend, wring_time_ns deadline) {
    const wring_time_ns until =
        wring__min_u64(deadline, wring__machine_now(&backend->super) + backend->busy_poll_ns);
    int count;
    do {
        count = wait_ms(backend, 0);
        if (count == 0) {
            wring__cpu_relax();
        }
    } while (count == 0 && wring__machine_now(&backend->super) < until);
    return count;
}

static void event_take(struct epoll_backend *backend, const struct epoll_event *event) {
    const uint32_t index = (uint32_t)event->data.u64;
    switch ((enum epoll_kind)(event->data.u64 >> 60)) {
    case EPOLL_KIND_SOCKET:
        wring__epoll_socket_event(backend, event);
        break;
    case EPOLL_KIND_LISTENER:
        backend->listeners[index].is_ready = true;
        break;
    case EPOLL_KIND_POLL:
        wring__epoll_poll_event(backend, event);
        break;
    case EPOLL_KIND_WAKE:
        break;
    }
}

static wring_result epoll_turn(wring__backend *super, wring_time_ns deadline,
                               wring__completion *out, size_t max, size_t *count) {
    WRING_TRACE_STOP();
    struct epoll_backend *backend = epoll_of(super);
    struct epoll_out taken = {out, max, 0};
    int found = 0;
    if (backend->posted.count > 0 || backend->ready_head != EPOLL_NONE) {
        deadline = 0;
    }
    if (deadline > 0 && backend->busy_poll_ns > 0) {
        found = busy_poll(backend, deadline);
    }
    if (found == 0) {
        found = wait_until(backend, deadline);
    }
    if (found < 0 && errno != EINTR) {
        *count = 0;
        return WRING_ERR_SYSTEM;
    }
    for (int i = 0; i < found; i++) {
        event_take(backend, &backend->events[i]);
    }
    posted_take(backend, &taken);
    wring__epoll_accepts_take(backend, &taken);
    wring__epoll_receive(backend, &taken);
    *count = taken.count;
    super->has_more = found == EVENTS_MAX || backend->ready_head != EPOLL_NONE;
    return WRING_OK;
}

const wring__backend_ops wring__backend_epoll = {
    .name = "epoll",
    .listen = wring__socket_listen,
    .unlisten = wring__socket_unlisten,
    .turn_away = wring__socket_turn_away,
    .accept_now = wring__epoll_accept_now,
    .open = epoll_backend_open,
    .close = epoll_backend_close,
    .accept = wring__epoll_accept,
    .recv = wring__epoll_recv,
    .recv_once = wring__epoll_recv_once,
    .recv_into = wring__epoll_recv_into,
    .connect = wring__epoll_connect,
    .dialled = wring__epoll_dialled,
    .poll = wring__epoll_poll,
    .send = wring__epoll_send,
    .shutdown = wring__epoll_shutdown,
    .cancel = wring__epoll_cancel,
    .close_socket = wring__epoll_close_socket,
    .turn = epoll_turn,
    .buffers_return = wring__epoll_buffers_return,
    .buffer_rewind = wring__epoll_buffer_rewind,
    .wake = epoll_wake,
    .now = wring__machine_now,
    .peer = wring__epoll_peer,
};
