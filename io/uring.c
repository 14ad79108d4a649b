/* SPDX-License-Identifier: Apache-2.0
 *
 * The io_uring backend: the only file that knows liburing.
 *
 * Only the well-trodden part of the interface (Linux 6.1): one private ring per thread with
 * deferred task work, multishot accept and receive, a classic ring of provided buffers, plain
 * sends. One io_uring_enter a turn.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "io/backend.h"
#include "io/uring_compat.h"

#define ENTRIES_DEFAULT      1024
#define CQ_ENTRIES_PER_ENTRY 8
#define BUFFER_COUNT_DEFAULT 1024
#define BUFFER_SIZE_DEFAULT  (16 * 1024)
#define BUFFER_GROUP         0
/* The backend's own token: the read of the wake-up eventfd. Connection tokens have an operation. */
#define TOKEN_WAKE 0

struct uring_backend {
    struct wring__backend super;
    struct io_uring ring;
    struct io_uring_buf_ring *buffer_ring;
    size_t buffer_ring_bytes;
    size_t buffers_bytes;
    struct msghdr *messages; /* of the gathered sends queued since the last submit */
    uint32_t message_count;
    uint32_t message_max;
    uint64_t wake_value;
    int wake_fd;
    bool wake_armed;
    bool ring_open;
};

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

static wring_result uring_listen(const wring__listen_config *config, wring__socket *out,
                                 uint16_t *port, wring_error *error) {
    struct sockaddr_storage address;
    socklen_t len;
    if (!address_parse(config->host, config->port, &address, &len)) {
        return wring_error_set(error, WRING_ERR_ADDRESS, 0,
                               "'%s' is not a numeric IPv4 or IPv6 address", config->host);
    }
    const int on = 1;
    const char *step = "socket";
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0;
    if (ok) {
        step = "setsockopt";
        /* TCP_NODELAY is inherited by accepted sockets: no system call per connection */
        ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
             (!config->reuse_port ||
              setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
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
    if (!ok) {
        int saved = errno;
        if (fd >= 0) {
            close(fd);
        }
        return wring_error_set(error, WRING_ERR_ADDRESS, saved,
                               "cannot listen on %s port %u: %s: %s", config->host, config->port,
                               step, strerror(saved));
    }
    *out = fd;
    *port = socket_port(fd);
    return WRING_OK;
}

static void uring_unlisten(const wring__listen_config *config, wring__socket listener) {
    (void)config;
    close(listener);
}

/* ---- opening and closing --------------------------------------------------------------------- */

/* Why a ring is refused, by errno, and what to do about it. */
static const char *setup_advice(int system_errno) {
    switch (system_errno) {
    case EPERM:
        return "it is usually forbidden by the container's seccomp profile or by "
               "/proc/sys/kernel/io_uring_disabled; allow the io_uring system calls, or set that "
               "file to 0";
    case ENOSYS:
        return "the kernel is older than 5.1, was built without io_uring, or a container profile "
               "hides it; run Linux 6.1 or newer and allow the io_uring system calls";
    case EINVAL:
        return "the kernel is too old: wring needs Linux 6.1 or newer";
    case ENOMEM:
        return "the locked-memory limit is too low; raise it (ulimit -l, LimitMEMLOCK=) or lower "
               "the number of workers";
    case EMFILE:
    case ENFILE:
        return "too many open files; raise the limit (ulimit -n, LimitNOFILE=)";
    default:
        return "see the kernel's log";
    }
}

static wring_result setup_error(wring_error *error, const char *what, int system_errno) {
    struct utsname name;
    const char *release = uname(&name) == 0 ? name.release : "?";
    return wring_error_set(error, WRING_ERR_BACKEND, system_errno,
                           "io_uring: %s failed on Linux %s: %s: %s", what, release,
                           strerror(system_errno), setup_advice(system_errno));
}

static int ring_open(struct uring_backend *backend, uint32_t entries) {
    struct io_uring_params params;
    memset(&params, 0, sizeof params);
    params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                   IORING_SETUP_CLAMP;
    params.cq_entries = entries * CQ_ENTRIES_PER_ENTRY;
    int result = io_uring_queue_init_params(entries, &backend->ring, &params);
    backend->ring_open = result == 0;
    return result;
}

static void *pages_alloc(size_t bytes) {
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

static void buffer_add(struct uring_backend *backend, uint16_t buffer, int offset) {
    uint8_t *data = wring__backend_buffer(&backend->super, buffer);
    WRING_POISON(data, backend->super.buffer_size);
    io_uring_buf_ring_add(backend->buffer_ring, data, backend->super.buffer_size, buffer,
                          io_uring_buf_ring_mask(backend->super.buffer_count), offset);
}

static int buffers_open(struct uring_backend *backend) {
    uint32_t count = backend->super.buffer_count;
    backend->buffer_ring_bytes = count * sizeof(struct io_uring_buf);
    backend->buffers_bytes = (size_t)count * backend->super.buffer_size;
    backend->buffer_ring = pages_alloc(backend->buffer_ring_bytes);
    backend->super.buffers = pages_alloc(backend->buffers_bytes);
    if (backend->buffer_ring == NULL || backend->super.buffers == NULL) {
        return -ENOMEM;
    }
    struct io_uring_buf_reg registration;
    memset(&registration, 0, sizeof registration);
    registration.ring_addr = (uint64_t)(uintptr_t)backend->buffer_ring;
    registration.ring_entries = count;
    registration.bgid = BUFFER_GROUP;
    int result = io_uring_register_buf_ring(&backend->ring, &registration, 0);
    if (result != 0) {
        return result;
    }
    io_uring_buf_ring_init(backend->buffer_ring);
    for (uint32_t i = 0; i < count; i++) {
        buffer_add(backend, (uint16_t)i, (int)i);
    }
    io_uring_buf_ring_advance(backend->buffer_ring, (int)count);
    return 0;
}

static void uring_close(wring__backend *super) {
    struct uring_backend *backend = (struct uring_backend *)super;
    if (backend->ring_open) {
        io_uring_queue_exit(&backend->ring);
    }
    if (backend->wake_fd >= 0) {
        close(backend->wake_fd);
    }
    if (backend->buffer_ring != NULL) {
        munmap(backend->buffer_ring, backend->buffer_ring_bytes);
    }
    if (backend->super.buffers != NULL) {
        WRING_UNPOISON(backend->super.buffers, backend->buffers_bytes);
        munmap(backend->super.buffers, backend->buffers_bytes);
    }
    free(backend->messages);
    free(backend);
}

static wring_result uring_open(const wring__backend_config *config, wring__backend **out,
                               wring_error *error) {
    struct uring_backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, ENOMEM, "no memory for a ring");
    }
    uint32_t entries = config->entries == 0 ? ENTRIES_DEFAULT : config->entries;
    backend->super.ops = &wring__backend_uring;
    backend->super.buffer_count =
        config->buffer_count == 0 ? BUFFER_COUNT_DEFAULT : config->buffer_count;
    backend->super.buffer_size =
        config->buffer_size == 0 ? BUFFER_SIZE_DEFAULT : config->buffer_size;
    backend->wake_fd = -1;
    const char *what = "io_uring_setup";
    int result = ring_open(backend, entries);
    if (result == 0) {
        what = "registering the receive buffers";
        result = buffers_open(backend);
    }
    if (result == 0) {
        what = "eventfd";
        backend->wake_fd = eventfd(0, EFD_CLOEXEC);
        result = backend->wake_fd < 0 ? -errno : 0;
    }
    if (result == 0) {
        what = "allocating";
        backend->message_max = backend->ring.sq.ring_entries;
        backend->messages = calloc(backend->message_max, sizeof *backend->messages);
        result = backend->messages == NULL ? -ENOMEM : 0;
    }
    if (result != 0) {
        wring_result mapped = setup_error(error, what, -result);
        uring_close(&backend->super);
        return mapped;
    }
    *out = &backend->super;
    return WRING_OK;
}

/* ---- queueing operations --------------------------------------------------------------------- */

static struct io_uring_sqe *sqe_take(struct uring_backend *backend) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&backend->ring);
    while (sqe == NULL) { /* full: hand over what is there, nothing is ever dropped */
        io_uring_submit(&backend->ring);
        backend->message_count = 0; /* the kernel has read what was submitted */
        sqe = io_uring_get_sqe(&backend->ring);
    }
    return sqe;
}

static void uring_accept(wring__backend *super, wring__socket listener, uint64_t token) {
    struct io_uring_sqe *sqe = sqe_take((struct uring_backend *)super);
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data64(sqe, token);
}

static void uring_recv(wring__backend *super, wring__socket socket, uint64_t token) {
    struct io_uring_sqe *sqe = sqe_take((struct uring_backend *)super);
    io_uring_prep_recv_multishot(sqe, socket, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
    io_uring_sqe_set_data64(sqe, token);
}

static int socket_make(const wring__dial_config *config) {
    const int on = 1;
    int fd = socket(config->address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
    if (ok && config->source != NULL) {
        /* the port is picked by connect, so that a source address serves each target with all */
        ok = setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) == 0 &&
             bind(fd, config->source, config->source_len) == 0;
    }
    if (!ok && fd >= 0) {
        const int saved = errno;
        close(fd);
        errno = saved;
    }
    return ok ? fd : -1;
}

static wring_result uring_connect(wring__backend *super, const wring__dial_config *config,
                                  uint64_t token, wring__socket *out) {
    int fd = socket_make(config);
    if (fd < 0) {
        return WRING_ERR_SYSTEM;
    }
    struct io_uring_sqe *sqe = sqe_take((struct uring_backend *)super);
    io_uring_prep_connect(sqe, fd, config->address, config->address_len);
    io_uring_sqe_set_data64(sqe, token);
    *out = fd;
    return WRING_OK;
}

static void uring_poll(wring__backend *super, int descriptor, uint32_t events, uint64_t token) {
    struct io_uring_sqe *sqe = sqe_take((struct uring_backend *)super);
    io_uring_prep_poll_add(sqe, descriptor, events);
    io_uring_sqe_set_data64(sqe, token);
}

/* MSG_WAITALL: the kernel goes on after a short send by itself; one that is short all the same
 * (it may be) is resumed by the connection. */
#define SEND_FLAGS (MSG_NOSIGNAL | MSG_WAITALL)

static void uring_send(wring__backend *super, wring__socket socket, uint64_t token,
                       const struct iovec *iov, size_t count) {
    struct uring_backend *backend = (struct uring_backend *)super;
    struct io_uring_sqe *sqe = sqe_take(backend);
    if (count == 1) {
        io_uring_prep_send(sqe, socket, iov->iov_base, iov->iov_len, SEND_FLAGS);
    } else {
        if (backend->message_count == backend->message_max) {
            /* cannot be: there are as many as entries, and a full queue starts them anew */
            WRING_UNREACHABLE();
        }
        struct msghdr *message = &backend->messages[backend->message_count++];
        memset(message, 0, sizeof *message);
        message->msg_iov = (struct iovec *)(uintptr_t)iov;
        message->msg_iovlen = count;
        io_uring_prep_sendmsg(sqe, socket, message, SEND_FLAGS);
    }
    io_uring_sqe_set_data64(sqe, token);
}

static void uring_shutdown(wring__backend *super, wring__socket socket, uint64_t token, int how) {
    struct io_uring_sqe *sqe = sqe_take((struct uring_backend *)super);
    io_uring_prep_shutdown(sqe, socket, how);
    io_uring_sqe_set_data64(sqe, token);
}

static void uring_cancel(wring__backend *super, uint64_t target, uint64_t token) {
    struct io_uring_sqe *sqe = sqe_take((struct uring_backend *)super);
    io_uring_prep_cancel64(sqe, target, 0);
    io_uring_sqe_set_data64(sqe, token);
}

static void uring_close_socket(wring__backend *super, wring__socket socket, uint64_t token) {
    struct io_uring_sqe *sqe = sqe_take((struct uring_backend *)super);
    io_uring_prep_close(sqe, socket);
    io_uring_sqe_set_data64(sqe, token);
}

/* ---- the turn -------------------------------------------------------------------------------- */

static wring_time_ns uring_now(wring__backend *super) {
    (void)super;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (wring_time_ns)ts.tv_sec * WRING_NS_PER_SEC + (wring_time_ns)ts.tv_nsec;
}

static void wake_arm(struct uring_backend *backend) {
    if (backend->wake_armed) {
        return;
    }
    struct io_uring_sqe *sqe = sqe_take(backend);
    io_uring_prep_read(sqe, backend->wake_fd, &backend->wake_value, sizeof backend->wake_value, 0);
    io_uring_sqe_set_data64(sqe, TOKEN_WAKE);
    backend->wake_armed = true;
}

static int submit_and_wait(struct uring_backend *backend, wring_time_ns deadline) {
    if (deadline == 0) {
        return io_uring_submit_and_get_events(&backend->ring);
    }
    struct io_uring_cqe *cqe;
    if (deadline == WRING_TIME_NEVER) {
        return io_uring_submit_and_wait_timeout(&backend->ring, &cqe, 1, NULL, NULL);
    }
    wring_time_ns now = uring_now(&backend->super);
    wring_duration_ns wait = deadline > now ? deadline - now : 0;
    struct __kernel_timespec ts = {.tv_sec = (int64_t)(wait / WRING_NS_PER_SEC),
                                   .tv_nsec = (int64_t)(wait % WRING_NS_PER_SEC)};
    return io_uring_submit_and_wait_timeout(&backend->ring, &cqe, 1, &ts, NULL);
}

/* Errors that only mean "come back": a signal, a full completion queue, no time left. */
static bool submit_is_transient(int result) {
    return result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
           result == -EBUSY;
}

static size_t completions_take(struct uring_backend *backend, wring__completion *out, size_t max) {
    struct io_uring_cqe *cqe;
    unsigned head;
    unsigned seen = 0;
    size_t count = 0;
    io_uring_for_each_cqe(&backend->ring, head, cqe) {
        if (count == max) {
            break;
        }
        seen++;
        if (cqe->user_data == TOKEN_WAKE) {
            backend->wake_armed = false;
            continue;
        }
        bool more = (cqe->flags & IORING_CQE_F_MORE) != 0;
        bool buffer = (cqe->flags & IORING_CQE_F_BUFFER) != 0;
        out[count].token = cqe->user_data;
        out[count].result = cqe->res;
        out[count].flags = (uint16_t)((more ? WRING__COMPLETION_MORE : 0) |
                                      (buffer ? WRING__COMPLETION_BUFFER : 0));
        out[count].buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        if (buffer) {
            WRING_UNPOISON(wring__backend_buffer(&backend->super, out[count].buffer),
                           cqe->res > 0 ? (size_t)cqe->res : 0);
        }
        count++;
    }
    io_uring_cq_advance(&backend->ring, seen);
    return count;
}

static wring_result uring_turn(wring__backend *super, wring_time_ns deadline,
                               wring__completion *out, size_t max, size_t *count) {
    struct uring_backend *backend = (struct uring_backend *)super;
    wake_arm(backend);
    bool waiting = io_uring_cq_ready(&backend->ring) > 0;
    int result = submit_and_wait(backend, waiting ? 0 : deadline);
    backend->message_count = 0;
    *count = completions_take(backend, out, max);
    return submit_is_transient(result) ? WRING_OK : WRING_ERR_SYSTEM;
}

static void uring_buffers_return(wring__backend *super, const uint16_t *buffers, size_t count) {
    struct uring_backend *backend = (struct uring_backend *)super;
    for (size_t i = 0; i < count; i++) {
        buffer_add(backend, buffers[i], (int)i);
    }
    io_uring_buf_ring_advance(backend->buffer_ring, (int)count);
}

static void uring_wake(wring__backend *super) {
    struct uring_backend *backend = (struct uring_backend *)super;
    const uint64_t one = 1;
    /* Fails only when the counter is full, and then the worker is awake already. */
    ssize_t ignored = write(backend->wake_fd, &one, sizeof one);
    (void)ignored;
}

static bool uring_peer(wring__backend *super, wring__socket socket, struct sockaddr_storage *out) {
    (void)super;
    socklen_t len = sizeof *out;
    return getpeername(socket, (struct sockaddr *)out, &len) == 0;
}

const wring__backend_ops wring__backend_uring = {
    .name = "uring",
    .listen = uring_listen,
    .unlisten = uring_unlisten,
    .open = uring_open,
    .close = uring_close,
    .accept = uring_accept,
    .recv = uring_recv,
    .connect = uring_connect,
    .poll = uring_poll,
    .send = uring_send,
    .shutdown = uring_shutdown,
    .cancel = uring_cancel,
    .close_socket = uring_close_socket,
    .turn = uring_turn,
    .buffers_return = uring_buffers_return,
    .wake = uring_wake,
    .now = uring_now,
    .peer = uring_peer,
};
