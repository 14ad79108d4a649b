/* SPDX-License-Identifier: Apache-2.0
 *
 * See null_backend.h.
 */
#include "bench/budget/null_backend.h"

#include <errno.h>
#include <stdlib.h>

#define SOCKETS_MAX  8192
#define QUEUE_MAX    65536
#define BUFFER_COUNT 16384
#define BUFFER_SIZE  2048
#define TURN_NS      1000

struct null_backend {
    struct wring__backend super;
    uint64_t accept_token; /* 0: not armed */
    uint64_t recv_token[SOCKETS_MAX];
    wring__socket next_socket;
    wring__completion queue[QUEUE_MAX];
    size_t queue_head;
    size_t queue_len;
    uint16_t *home;
    uint32_t home_count;
    uint64_t sent;
    uint64_t sends;
    wring_time_ns now;
};

static struct null_backend *null_of(wring__backend *super) {
    return (struct null_backend *)super;
}

static void post(struct null_backend *backend, uint64_t token, int32_t result, uint16_t flags,
                 uint16_t buffer) {
    WRING_ASSERT(backend->queue_len < QUEUE_MAX);
    backend->queue[(backend->queue_head + backend->queue_len++) % QUEUE_MAX] =
        (wring__completion){token, result, buffer, flags};
}

void null_backend_accept(wring__backend *super) {
    struct null_backend *backend = null_of(super);
    WRING_ASSERT(backend->accept_token != 0 && backend->next_socket < SOCKETS_MAX);
    post(backend, backend->accept_token, backend->next_socket++, WRING__COMPLETION_MORE, 0);
}

void null_backend_receive(wring__backend *super, wring__socket socket, wring_bytes bytes) {
    struct null_backend *backend = null_of(super);
    WRING_ASSERT(backend->recv_token[socket] != 0 && backend->home_count > 0);
    WRING_ASSERT(bytes.len <= super->buffer_size);
    const uint16_t buffer = backend->home[--backend->home_count];
    memcpy(wring__backend_buffer(super, buffer), bytes.data, bytes.len);
    post(backend, backend->recv_token[socket], (int32_t)bytes.len,
         WRING__COMPLETION_MORE | WRING__COMPLETION_BUFFER, buffer);
}

uint64_t null_backend_sent(const wring__backend *super) {
    return ((const struct null_backend *)super)->sent;
}

uint64_t null_backend_sends(const wring__backend *super) {
    return ((const struct null_backend *)super)->sends;
}

/* ---- the seam -------------------------------------------------------------------------------- */

static wring_result null_listen(const wring__listen_config *config, wring__socket *out,
                                uint16_t *port, wring_error *error) {
    (void)config;
    (void)error;
    *out = SOCKETS_MAX;
    *port = 1;
    return WRING_OK;
}

static void null_unlisten(const wring__listen_config *config, wring__socket listener) {
    (void)config;
    (void)listener;
}

static wring_result null_open(const wring__backend_config *config, wring__backend **out,
                              wring_error *error) {
    (void)config;
    (void)error;
    struct null_backend *backend = calloc(1, sizeof *backend);
    WRING_ASSERT(backend != NULL);
    backend->super.ops = &null_backend_ops;
    backend->super.buffer_count = BUFFER_COUNT;
    backend->super.buffer_size = BUFFER_SIZE;
    backend->super.read_size = BUFFER_SIZE;
    backend->super.sends_at_once = true;
    backend->super.sends_known = true; /* each takes everything */
    backend->super.buffers = malloc((size_t)BUFFER_COUNT * BUFFER_SIZE);
    backend->home = malloc(BUFFER_COUNT * sizeof *backend->home);
    WRING_ASSERT(backend->super.buffers != NULL && backend->home != NULL);
    for (uint32_t i = 0; i < BUFFER_COUNT; i++) {
        backend->home[backend->home_count++] = (uint16_t)i;
    }
    backend->now = WRING_NS_PER_SEC;
    *out = &backend->super;
    return WRING_OK;
}

static void null_close(wring__backend *super) {
    struct null_backend *backend = null_of(super);
    free(super->buffers);
    free(backend->home);
    free(backend);
}

static void null_accept(wring__backend *super, wring__socket listener, uint64_t token) {
    (void)listener;
    null_of(super)->accept_token = token;
}

static void null_recv(wring__backend *super, wring__socket socket, uint64_t token) {
    null_of(super)->recv_token[socket] = token;
}

static wring_result null_connect(wring__backend *super, const wring__dial_config *config,
                                 uint64_t token, wring__socket *out) {
    (void)super;
    (void)config;
    (void)token;
    (void)out;
    errno = ENOSYS;
    return WRING_ERR_SYSTEM;
}

static void null_poll(wring__backend *super, int descriptor, uint32_t events, uint64_t token) {
    (void)descriptor;
    (void)events;
    post(null_of(super), token, -ENOSYS, 0, 0);
}

static size_t bytes_take(struct null_backend *backend, const struct iovec *iov, size_t count) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += iov[i].iov_len;
    }
    backend->sent += total;
    backend->sends++;
    return total;
}

static bool null_send(wring__backend *super, wring__socket socket, uint64_t token,
                      const struct iovec *iov, size_t count) {
    (void)socket;
    post(null_of(super), token, (int32_t)bytes_take(null_of(super), iov, count), 0, 0);
    return false;
}

static void null_send_at_once(wring__backend *super, wring__socket socket, uint64_t token,
                              const struct iovec *iov, size_t count) {
    (void)socket;
    (void)token;
    (void)bytes_take(null_of(super), iov, count);
}

/* The peer answers by ending its half. */
static void null_shutdown(wring__backend *super, wring__socket socket, uint64_t token, int how) {
    struct null_backend *backend = null_of(super);
    (void)how;
    post(backend, token, 0, 0, 0);
    if (backend->recv_token[socket] != 0) {
        post(backend, backend->recv_token[socket], 0, 0, 0);
        backend->recv_token[socket] = 0;
    }
}

static void null_cancel(wring__backend *super, wring__socket socket, uint64_t target,
                        uint64_t token) {
    struct null_backend *backend = null_of(super);
    uint64_t *armed =
        backend->accept_token == target ? &backend->accept_token : &backend->recv_token[socket];
    const bool found = *armed == target;
    if (found) {
        *armed = 0;
        post(backend, target, -ECANCELED, 0, 0);
    }
    post(backend, token, found ? 0 : -ENOENT, 0, 0);
}

static void null_close_socket(wring__backend *super, wring__socket socket, uint64_t token) {
    (void)socket;
    post(null_of(super), token, 0, 0, 0);
}

static wring_result null_turn(wring__backend *super, wring_time_ns deadline, wring__completion *out,
                              size_t max, size_t *count) {
    struct null_backend *backend = null_of(super);
    const size_t taken = wring__min_size(max, backend->queue_len);
    for (size_t i = 0; i < taken; i++) {
        out[i] = backend->queue[(backend->queue_head + i) % QUEUE_MAX];
    }
    backend->queue_head = (backend->queue_head + taken) % QUEUE_MAX;
    backend->queue_len -= taken;
    /* with nothing to do it would sleep until its deadline */
    backend->now = taken == 0 && deadline != 0 && deadline != WRING_TIME_NEVER
                       ? deadline
                       : backend->now + TURN_NS;
    *count = taken;
    return WRING_OK;
}

static void null_buffers_return(wring__backend *super, const uint16_t *buffers, size_t count) {
    struct null_backend *backend = null_of(super);
    for (size_t i = 0; i < count; i++) {
        backend->home[backend->home_count++] = buffers[i];
    }
}

static void null_wake(wring__backend *super, wring__backend *from) {
    (void)super;
    (void)from;
}

static wring_time_ns null_now(wring__backend *super) {
    return null_of(super)->now;
}

static bool null_peer(wring__backend *super, wring__socket socket, struct sockaddr_storage *out) {
    (void)super;
    (void)socket;
    (void)out;
    return false;
}

const wring__backend_ops null_backend_ops = {
    .name = "null",
    .listen = null_listen,
    .unlisten = null_unlisten,
    .open = null_open,
    .close = null_close,
    .accept = null_accept,
    .recv = null_recv,
    .connect = null_connect,
    .poll = null_poll,
    .send = null_send,
    .send_at_once = null_send_at_once,
    .shutdown = null_shutdown,
    .cancel = null_cancel,
    .close_socket = null_close_socket,
    .turn = null_turn,
    .buffers_return = null_buffers_return,
    .wake = null_wake,
    .now = null_now,
    .peer = null_peer,
};
