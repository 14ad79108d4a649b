/* SPDX-License-Identifier: Apache-2.0
 *
 * Receiving on epoll: in turns only, from the sockets whose edge came, into the buffer that is
 * being filled. A receive that brings less than was asked for has emptied the socket, so that the
 * next one waits for an edge and costs no call of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "io/epoll_internal.h"
#include "io/socket.h"

/* Bytes of one receive: what a connection is given in a turn (io/conn_rx.c). */
#define RECV_BYTES_MAX (128u << 10)
/* Bytes of all of them in a turn: what is received is dealt with while the cache holds it. */
#define TURN_BYTES_MAX ((size_t)512 << 10)
/* A buffer with less room counts as full: a burst should come with one receive. */
#define ROOM_MIN ((uint32_t)64 << 10)

#define BUFFER_COUNT_DEFAULT 1024

/* ---- buffers --------------------------------------------------------------------------------- */

int wring__epoll_buffers_open(struct epoll_backend *backend, const wring__backend_config *config) {
    struct wring__backend *super = &backend->super;
    struct epoll_buffers *buffers = &backend->buffers;
    uint32_t count = config->buffer_count == 0 ? BUFFER_COUNT_DEFAULT : config->buffer_count;
    uint32_t size = config->buffer_size == 0 ? WRING__BUFFER_SIZE_DEFAULT : config->buffer_size;
    super->read_size = size;
    super->buffer_count = count;
    super->buffer_size = size;
    buffers->bytes = (size_t)count * size;
    if (wring__buffer_runs(buffers->bytes, super->buffer_count, &count, &size)) {
        super->buffer_count = count;
        super->buffer_size = size;
    }
    buffers->room_min = (uint32_t)wring__min_size(ROOM_MIN, super->buffer_size / 4);
    super->buffers = wring__pages(buffers->bytes);
    buffers->home = calloc(super->buffer_count, sizeof *buffers->home);
    if (super->buffers == NULL || buffers->home == NULL) {
        return -ENOMEM;
    }
    WRING_POISON(super->buffers, buffers->bytes);
    for (uint32_t i = super->buffer_count; i > 0; i--) {
        buffers->home[buffers->home_count++] = (uint16_t)(i - 1);
    }
    return 0;
}

void wring__epoll_buffers_close(struct epoll_backend *backend) {
    free(backend->buffers.home);
    if (backend->super.buffers != NULL) {
        WRING_UNPOISON(backend->super.buffers, backend->buffers.bytes);
        munmap(backend->super.buffers, backend->buffers.bytes);
    }
}

void wring__epoll_buffers_return(wring__backend *super, const uint16_t *buffers, size_t count) {
    struct epoll_backend *backend = epoll_of(super);
    for (size_t i = 0; i < count; i++) {
        WRING_POISON(wring__backend_buffer(super, buffers[i]), super->buffer_size);
        WRING_ASSERT(backend->buffers.home_count < super->buffer_count);
        backend->buffers.home[backend->buffers.home_count++] = buffers[i];
    }
}

void wring__epoll_buffer_rewind(wring__backend *super, uint16_t buffer) {
    struct epoll_buffers *buffers = &epoll_of(super)->buffers;
    WRING_ASSERT(super->filling == buffer);
    buffers->used = 0;
}

/* Room to receive into; an empty one: every buffer is in use. */
static wring_mut_bytes buffer_room(struct epoll_backend *backend) {
    struct epoll_buffers *buffers = &backend->buffers;
    if (backend->super.filling == UINT16_MAX) {
        if (buffers->home_count == 0) {
            return (wring_mut_bytes){NULL, 0};
        }
        backend->super.filling = buffers->home[--buffers->home_count];
        buffers->used = 0;
    }
    return (wring_mut_bytes){wring__backend_buffer(&backend->super, backend->super.filling) +
                                 buffers->used,
                             backend->super.buffer_size - buffers->used};
}

/* The flags of a completion that tells of so many more bytes in it. */
static uint16_t buffer_fill(struct epoll_backend *backend, uint32_t len) {
    struct epoll_buffers *buffers = &backend->buffers;
    buffers->used += len;
    if (backend->super.buffer_size - buffers->used >= buffers->room_min) {
        return WRING__COMPLETION_BUFFER | WRING__COMPLETION_BUFFER_MORE;
    }
    backend->super.filling = UINT16_MAX;
    return WRING__COMPLETION_BUFFER;
}

/* ---- arming ---------------------------------------------------------------------------------- */

void wring__epoll_make_ready(struct epoll_backend *backend, uint32_t index) {
    struct epoll_socket *socket = epoll_socket_at(backend, index);
    if (socket->is_ready || socket->recv_token == 0) {
        return;
    }
    socket->is_ready = true;
    socket->next = EPOLL_NONE;
    if (backend->ready_tail == EPOLL_NONE) {
        backend->ready_head = index;
    } else {
        epoll_socket_at(backend, backend->ready_tail)->next = index;
    }
    backend->ready_tail = index;
}

static struct epoll_socket *recv_arm(wring__backend *super, wring__socket socket, uint64_t token,
                                     enum epoll_recv_how how) {
    struct epoll_backend *backend = epoll_of(super);
    struct epoll_socket *s = epoll_socket_at(backend, (uint32_t)socket);
    WRING_ASSERT(s->fd >= 0 && s->recv_token == 0 && token != 0); /* one at a time */
    s->recv_token = token;
    s->recv_how = (uint8_t)how;
    if (s->is_readable || how == EPOLL_RECV_INTO_NOWAIT) {
        wring__epoll_make_ready(backend, (uint32_t)socket);
    }
    return s;
}

void wring__epoll_recv(wring__backend *super, wring__socket socket, uint64_t token) {
    recv_arm(super, socket, token, EPOLL_RECV_ON);
}

void wring__epoll_recv_once(wring__backend *super, wring__socket socket, uint64_t token) {
    recv_arm(super, socket, token, EPOLL_RECV_ONCE);
}

void wring__epoll_recv_into(wring__backend *super, wring__socket socket, uint64_t token,
                            uint8_t *data, size_t len, bool at_once) {
    struct epoll_socket *s =
        recv_arm(super, socket, token, at_once ? EPOLL_RECV_INTO_NOWAIT : EPOLL_RECV_INTO);
    s->into = data;
    s->into_len = (uint32_t)wring__min_size(len, INT32_MAX);
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* Bytes, 0 at the end of the stream, or a negative errno. */
static int32_t recv_now(struct epoll_socket *socket, uint8_t *data, size_t len) {
    ssize_t got;
    WRING_UNPOISON(data, len);
    do {
        got = recv(socket->fd, data, len, 0);
    } while (got < 0 && errno == EINTR);
    int32_t result = got < 0 ? -errno : (int32_t)got;
    WRING_POISON(data, len);
    if (socket->broken_by != 0 && (result == 0 || result == -EAGAIN)) { /* what came goes first */
        result = -(int32_t)socket->broken_by;
    }
    const bool is_empty =
        result == -EAGAIN || (result > 0 && (size_t)result < len && !socket->is_exact);
    socket->is_readable = !is_empty;
    return result;
}

static void into_receive(struct epoll_socket *socket, struct epoll_out *out) {
    const int32_t result = recv_now(socket, socket->into, socket->into_len);
    if (result == -EAGAIN && socket->recv_how == EPOLL_RECV_INTO) {
        return; /* waits on */
    }
    epoll_put(out, socket->recv_token, result, 0, 0);
    socket->recv_token = 0;
}

static void buffer_receive(struct epoll_backend *backend, struct epoll_socket *socket,
                           struct epoll_out *out) {
    const wring_mut_bytes room = buffer_room(backend);
    const bool once = socket->recv_how == EPOLL_RECV_ONCE;
    const size_t len = wring__min_size(room.len, once ? backend->super.read_size : RECV_BYTES_MAX);
    const int32_t result = len == 0 ? -ENOBUFS : recv_now(socket, room.data, len);
    if (result == -EAGAIN) {
        return;
    }
    const uint64_t token = socket->recv_token;
    if (result <= 0) {
        socket->recv_token = 0;
        epoll_put(out, token, result, 0, 0);
        return;
    }
    const uint16_t buffer = backend->super.filling;
    uint16_t flags = buffer_fill(backend, (uint32_t)result);
    if (once) {
        socket->recv_token = 0;
    } else {
        flags |= WRING__COMPLETION_MORE;
    }
    epoll_put(out, token, result, flags, buffer);
}

/* Each at most once: who has more comes again in the next turn, behind the others. */
void wring__epoll_receive(struct epoll_backend *backend, struct epoll_out *out) {
    size_t bytes = 0;
    const uint32_t last = backend->ready_tail;
    bool is_last = backend->ready_head == EPOLL_NONE;
    while (!is_last && bytes < TURN_BYTES_MAX && out->count < out->max) {
        const uint32_t index = backend->ready_head;
        struct epoll_socket *socket = epoll_socket_at(backend, index);
        is_last = index == last;
        backend->ready_head = socket->next;
        if (backend->ready_head == EPOLL_NONE) {
            backend->ready_tail = EPOLL_NONE;
        }
        socket->is_ready = false;
        if (socket->fd < 0) {
            wring__epoll_socket_forget(backend, index);
            continue;
        }
        if (socket->recv_token == 0) {
            continue; /* it was cancelled */
        }
        const size_t before = out->count;
        if (socket->recv_how >= EPOLL_RECV_INTO) {
            into_receive(socket, out);
        } else {
            buffer_receive(backend, socket, out);
        }
        bytes += out->count > before && out->items[before].result > 0
                     ? (size_t)out->items[before].result
                     : 0;
        if (socket->is_readable) {
            wring__epoll_make_ready(backend, index);
        }
    }
}
