/* SPDX-License-Identifier: Apache-2.0
 *
 * The io_uring backend: opening and closing it, the operations of a stream, the turn.
 *
 * Only the well-trodden part of the interface (Linux 6.1): one private ring per thread with
 * deferred task work, multishot receive into a classic ring of provided buffers, plain sends,
 * direct descriptors. One io_uring_enter a turn.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/trace.h"
#include "io/socket.h"
#include "core/outq.h"
#include "io/uring_internal.h"

/* What a connection is given in a turn (io/conn_rx.c): more would only wait for the next. */
#define RECV_TOTAL           (128u << 10)
#define ENTRIES_DEFAULT      1024
#define CQ_ENTRIES_PER_ENTRY 8
#define BUFFER_COUNT_DEFAULT 1024

/* ---- opening and closing --------------------------------------------------------------------- */

/* Why a ring is refused, by errno, and what to do about it. */
static const char *setup_advice(int system_errno) {
    switch (system_errno) {
    case EPERM:
    case EACCES:
        return "it is usually forbidden by the container's seccomp profile or by "
               "/proc/sys/kernel/io_uring_disabled; allow the io_uring system calls, or set that "
               "file to 0";
    case ENOSYS:
        return "the kernel is older than 5.1, was built without io_uring, or a container profile "
               "hides it; run Linux 6.1 or newer and allow the io_uring system calls";
    case EINVAL:
    case EOPNOTSUPP:
        return "the kernel is too old: io_uring needs Linux 6.1 or newer here";
    case ENOMEM:
        return "the locked-memory limit is too low; raise it (ulimit -l, LimitMEMLOCK=) or lower "
               "the number of workers";
    case EMFILE:
    case ENFILE:
        return "raise the limit (ulimit -n, LimitNOFILE=)";
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
    /* SUBMIT_ALL: an operation the kernel cannot take fails by itself. Else what is queued behind
     * it would wait for the next submit, and the iovecs of a turn do not last so long. */
    params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                   IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL;
    if (backend->busy_poll_ns > 0) {
        params.flags |= IORING_SETUP_TASKRUN_FLAG; /* says in user space that there is work */
    }
    params.cq_entries = entries * CQ_ENTRIES_PER_ENTRY;
    int result = io_uring_queue_init_params(entries, &backend->ring, &params);
    backend->ring_open = result == 0;
    return result;
}

static void uring_close(wring__backend *super) {
    struct uring_backend *backend = uring_of(super);
    if (backend->ring_open) {
        io_uring_queue_exit(&backend->ring);
    }
    if (backend->wake_fd >= 0) {
        close(backend->wake_fd);
    }
    wring__uring_buffers_close(backend);
    wring__uring_dials_close(backend);
    wring__uring_files_close(backend);
    free(backend->messages);
    free(backend);
}

/* Else all that a socket holds, megabytes, comes within one turn, and would have to be held for a
 * peer that does not read. Asked with a descriptor that is none: the field is looked at first. */
static int probe_recv_total(struct uring_backend *backend) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&backend->ring);
    struct io_uring_cqe *cqe = NULL;
    io_uring_prep_recv_multishot(sqe, -1, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = URING_BUFFER_GROUP;
    wring__sqe_set_recv_total(sqe, RECV_TOTAL);
    const int submitted = io_uring_submit_and_wait(&backend->ring, 1);
    if (submitted == 1 && io_uring_peek_cqe(&backend->ring, &cqe) == 0) {
        backend->recv_total = cqe->res == -EBADF ? RECV_TOTAL : 0;
        io_uring_cqe_seen(&backend->ring, cqe);
    }
    return submitted < 0 ? submitted : 0; /* the first operation: it may be forbidden as well */
}

static bool has_operations(const struct io_uring_probe *probe) {
    static const uint8_t needed[] = {IORING_OP_ACCEPT,       IORING_OP_CLOSE, IORING_OP_CONNECT,
                                     IORING_OP_ASYNC_CANCEL, IORING_OP_RECV,  IORING_OP_SEND,
                                     IORING_OP_SENDMSG,      IORING_OP_READ,  IORING_OP_POLL_ADD,
                                     IORING_OP_SHUTDOWN};
    for (size_t i = 0; i < WRING_ARRAY_LEN(needed); i++) {
        if (!io_uring_opcode_supported(probe, needed[i])) {
            return false;
        }
    }
    return true;
}

/* 0 or a negative errno. */
static int probe(struct uring_backend *backend) {
    struct io_uring_probe *probe = io_uring_get_probe_ring(&backend->ring);
    if (probe == NULL) {
        return -EOPNOTSUPP;
    }
    const bool suffices = has_operations(probe);
    if (io_uring_opcode_supported(probe, IORING_OP_MSG_RING)) {
        backend->can |= URING_CAN_MSG_RING;
    }
    io_uring_free_probe(probe);
    return suffices ? probe_recv_total(backend) : -EOPNOTSUPP;
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
        config->buffer_size == 0 ? WRING__BUFFER_SIZE_DEFAULT : config->buffer_size;
    backend->super.sends_at_once = true;
    backend->busy_poll_ns = config->busy_poll_us * UINT64_C(1000);
    backend->wake_fd = -1;
    const char *what = "io_uring_setup";
    int result = ring_open(backend, entries);
    if (result == 0) {
        what = "registering the receive buffers";
        result = wring__uring_buffers_open(backend);
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
    if (result == 0) {
        what = "trying its operations";
        result = probe(backend);
    }
    if (result == 0) {
        wring__uring_files_open(backend, config->direct_sockets);
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

void wring__uring_submit(struct uring_backend *backend) {
    io_uring_submit(&backend->ring);
    backend->message_count = 0; /* the kernel has read what was submitted */
    backend->files.close_queued = false;
}

struct io_uring_sqe *wring__uring_sqe(struct uring_backend *backend) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&backend->ring);
    while (sqe == NULL) { /* full: hand over what is there, nothing is ever dropped */
        wring__uring_submit(backend);
        sqe = io_uring_get_sqe(&backend->ring);
    }
    return sqe;
}

static void uring_recv(wring__backend *super, wring__socket socket, uint64_t token) {
    struct io_uring_sqe *sqe = wring__uring_sqe(uring_of(super));
    io_uring_prep_recv_multishot(sqe, socket, NULL, 0, 0);
    wring__sqe_set_recv_total(sqe, uring_of(super)->recv_total);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = URING_BUFFER_GROUP;
    uring_sqe_address(sqe, socket, token);
}

static void uring_recv_once(wring__backend *super, wring__socket socket, uint64_t token) {
    struct io_uring_sqe *sqe = wring__uring_sqe(uring_of(super));
    io_uring_prep_recv(sqe, socket, NULL, super->read_size, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = URING_BUFFER_GROUP;
    uring_sqe_address(sqe, socket, token);
}

static void uring_recv_into(wring__backend *super, wring__socket socket, uint64_t token,
                            uint8_t *data, size_t len, bool at_once) {
    struct io_uring_sqe *sqe = wring__uring_sqe(uring_of(super));
    io_uring_prep_recv(sqe, socket, data, len, at_once ? MSG_DONTWAIT : 0);
    uring_sqe_address(sqe, socket, token);
}

static void uring_poll(wring__backend *super, int descriptor, uint32_t events, uint64_t token) {
    struct io_uring_sqe *sqe = wring__uring_sqe(uring_of(super));
    io_uring_prep_poll_add(sqe, descriptor, events);
    io_uring_sqe_set_data64(sqe, token);
}

/* MSG_WAITALL: the kernel goes on after a short send by itself; one that is short all the same
 * (it may be) is resumed by the connection. Long ones go without: a slow reader would not be seen
 * to take anything before it has taken all of it. */
#define SEND_FLAGS     (MSG_NOSIGNAL | MSG_WAITALL)
#define WAIT_BYTES_MAX ((size_t)256 * 1024)

static struct io_uring_sqe *send_prepare(struct uring_backend *backend, wring__socket socket,
                                         const struct iovec *iov, size_t count, int flags) {
    struct io_uring_sqe *sqe = wring__uring_sqe(backend);
    if (count == 1) {
        io_uring_prep_send(sqe, socket, iov->iov_base, iov->iov_len, flags);
    } else {
        if (backend->message_count == backend->message_max) {
            /* cannot be: there are as many as entries, and a full queue starts them anew */
            WRING_UNREACHABLE();
        }
        struct msghdr *message = &backend->messages[backend->message_count++];
        memset(message, 0, sizeof *message);
        message->msg_iov = (struct iovec *)(uintptr_t)iov;
        message->msg_iovlen = count;
        io_uring_prep_sendmsg(sqe, socket, message, (unsigned)flags);
    }
    return sqe;
}

static bool uring_send(wring__backend *super, wring__socket socket, uint64_t token,
                       const struct iovec *iov, size_t count) {
    const int flags = wring__iov_bytes(iov, count) > WAIT_BYTES_MAX ? MSG_NOSIGNAL : SEND_FLAGS;
    struct io_uring_sqe *sqe = send_prepare(uring_of(super), socket, iov, count, flags);
    uring_sqe_address(sqe, socket, token);
    return false;
}

/* With MSG_DONTWAIT the kernel neither arms a poll nor hands the operation to a thread: it has
 * ended when the submit returns. With MSG_WAITALL a short send counts as a failure, so
 * IOSQE_CQE_SKIP_SUCCESS leaves out the completion only where every byte was taken. */
static void uring_send_at_once(wring__backend *super, wring__socket socket, uint64_t token,
                               const struct iovec *iov, size_t count) {
    struct io_uring_sqe *sqe =
        send_prepare(uring_of(super), socket, iov, count, SEND_FLAGS | MSG_DONTWAIT);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    uring_sqe_address(sqe, socket, token);
}

static void uring_shutdown(wring__backend *super, wring__socket socket, uint64_t token, int how) {
    struct io_uring_sqe *sqe = wring__uring_sqe(uring_of(super));
    if (how == WRING__SHUT_RESET) {
        io_uring_prep_connect(sqe, socket, &wring__socket_nowhere, sizeof wring__socket_nowhere);
    } else {
        io_uring_prep_shutdown(sqe, socket, how);
    }
    uring_sqe_address(sqe, socket, token);
}

static void uring_cancel(wring__backend *super, wring__socket socket, uint64_t target,
                         uint64_t token) {
    (void)socket;
    if (wring__uring_accept_cancel(uring_of(super), target, token)) {
        return;
    }
    struct io_uring_sqe *sqe = wring__uring_sqe(uring_of(super));
    io_uring_prep_cancel64(sqe, target, 0);
    io_uring_sqe_set_data64(sqe, token);
}

/* ---- the turn -------------------------------------------------------------------------------- */

static void wake_arm(struct uring_backend *backend) {
    if (backend->wake_armed) {
        return;
    }
    struct io_uring_sqe *sqe = wring__uring_sqe(backend);
    io_uring_prep_read(sqe, backend->wake_fd, &backend->wake_value, sizeof backend->wake_value, 0);
    io_uring_sqe_set_data64(sqe, uring_token(URING_TOKEN_WAKE, 0));
    backend->wake_armed = true;
}

static uint64_t wake_token(const struct uring_backend *target) {
    const uint64_t address = (uint64_t)(uintptr_t)target;
    WRING_ASSERT(address >> URING_TOKEN_KIND_SHIFT == 0);
    return uring_token(URING_TOKEN_RING, address);
}

static wring__backend *wake_target(uint64_t token) {
    const uint64_t address = token & ((UINT64_C(1) << URING_TOKEN_KIND_SHIFT) - 1);
    return (wring__backend *)(uintptr_t)address;
}

static void uring_wake(wring__backend *super, wring__backend *from) {
    struct uring_backend *backend = uring_of(super);
    const uint64_t one = 1;
    if (from != NULL && (uring_of(from)->can & URING_CAN_MSG_RING) != 0) {
        struct io_uring_sqe *sqe = wring__uring_sqe(uring_of(from));
        io_uring_prep_msg_ring(sqe, backend->ring.ring_fd, 0, uring_token(URING_TOKEN_IGNORED, 0),
                               0);
        io_uring_sqe_set_data64(sqe, wake_token(backend));
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
        return;
    }
    /* Fails only when the counter is full, and then the worker is awake already. */
    ssize_t ignored = write(backend->wake_fd, &one, sizeof one);
    (void)ignored;
}

/* True: there is something to be had, and no need to sleep for it. */
static bool busy_poll(struct uring_backend *backend, wring_time_ns deadline) {
    wring__uring_submit(backend);
    const wring_time_ns until =
        wring__min_u64(deadline, wring__machine_now(&backend->super) + backend->busy_poll_ns);
    do {
        if (io_uring_cq_ready(&backend->ring) > 0 ||
            (IO_URING_READ_ONCE(*backend->ring.sq.kflags) & IORING_SQ_TASKRUN) != 0) {
            return true;
        }
        wring__cpu_relax();
    } while (wring__machine_now(&backend->super) < until);
    return false;
}

static int submit_and_wait(struct uring_backend *backend, wring_time_ns deadline) {
    if (deadline == 0 || (backend->busy_poll_ns > 0 && busy_poll(backend, deadline))) {
        return io_uring_submit_and_get_events(&backend->ring);
    }
    struct io_uring_cqe *cqe;
    if (deadline == WRING_TIME_NEVER) {
        return io_uring_submit_and_wait_timeout(&backend->ring, &cqe, 1, NULL, NULL);
    }
    wring_time_ns now = wring__machine_now(&backend->super);
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

static void cqe_take(const struct io_uring_cqe *cqe, wring__completion *out) {
    bool more = (cqe->flags & IORING_CQE_F_MORE) != 0;
    bool buffer = (cqe->flags & IORING_CQE_F_BUFFER) != 0;
    bool goes_on = (cqe->flags & WRING__CQE_F_BUF_MORE) != 0;
    out->token = cqe->user_data;
    out->result = cqe->res;
    out->flags =
        (uint16_t)((more ? WRING__COMPLETION_MORE : 0) | (buffer ? WRING__COMPLETION_BUFFER : 0) |
                   (goes_on ? WRING__COMPLETION_BUFFER_MORE : 0));
    out->buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
}

/* A completion of the backend's own; true when the worker gets one for it. */
static bool own_cqe_take(struct uring_backend *backend, const struct io_uring_cqe *cqe,
                         wring__completion *out) {
    switch ((enum uring_token_kind)(cqe->user_data >> URING_TOKEN_KIND_SHIFT)) {
    case URING_TOKEN_WAKE:
        backend->wake_armed = false;
        return false;
    case URING_TOKEN_ACCEPT:
        return wring__uring_accept_complete(backend, cqe, out);
    case URING_TOKEN_RING:
        backend->can &= ~(uint32_t)URING_CAN_MSG_RING;
        uring_wake(wake_target(cqe->user_data), NULL);
        return false;
    case URING_TOKEN_IGNORED:
        return false;
    }
    WRING_UNREACHABLE();
}

static size_t completions_take(struct uring_backend *backend, wring__completion *out, size_t max) {
    struct io_uring_cqe *cqe;
    unsigned head;
    unsigned seen = 0;
    size_t count = 0;
    uint32_t buffers = 0;
    bool exhausted = false;
    io_uring_for_each_cqe(&backend->ring, head, cqe) {
        if (count == max) {
            break;
        }
        seen++;
        if (cqe->user_data >> URING_TOKEN_OP_SHIFT == 0) {
            count += own_cqe_take(backend, cqe, &out[count]);
        } else {
            buffers +=
                (cqe->flags & (IORING_CQE_F_BUFFER | WRING__CQE_F_BUF_MORE)) == IORING_CQE_F_BUFFER;
            exhausted |= cqe->res == -ENOBUFS;
            cqe_take(cqe, &out[count++]);
        }
    }
    io_uring_cq_advance(&backend->ring, seen);
    wring__uring_buffers_used(backend, buffers, exhausted);
    return count;
}

/* The kernel has taken every operation, and every completion that it had for them was handed out.
 */
static bool all_is_taken(struct uring_backend *backend) {
    return io_uring_sq_ready(&backend->ring) == 0 && io_uring_cq_ready(&backend->ring) == 0 &&
           !io_uring_cq_has_overflow(&backend->ring);
}

static wring_result uring_turn(wring__backend *super, wring_time_ns deadline,
                               wring__completion *out, size_t max, size_t *count) {
    WRING_TRACE_STOP();
    struct uring_backend *backend = uring_of(super);
    wake_arm(backend);
    wring__uring_accepts_arm(backend);
    wring__uring_buffers_fill(backend);
    bool waiting = io_uring_cq_ready(&backend->ring) > 0;
    int result = submit_and_wait(backend, waiting ? 0 : deadline);
    backend->message_count = 0;
    backend->files.close_queued = false;
    *count = completions_take(backend, out, max);
    super->sends_known = all_is_taken(backend);
    return submit_is_transient(result) ? WRING_OK : WRING_ERR_SYSTEM;
}

const wring__backend_ops wring__backend_uring = {
    .name = "uring",
    .listen = wring__socket_listen,
    .unlisten = wring__socket_unlisten,
    .turn_away = wring__socket_turn_away,
    .accept_now = wring__uring_accept_now,
    .open = uring_open,
    .close = uring_close,
    .accept = wring__uring_accept,
    .recv = uring_recv,
    .recv_once = uring_recv_once,
    .recv_into = uring_recv_into,
    .connect = wring__uring_connect,
    .dialled = wring__uring_dialled,
    .poll = uring_poll,
    .send = uring_send,
    .send_at_once = uring_send_at_once,
    .shutdown = uring_shutdown,
    .cancel = uring_cancel,
    .close_socket = wring__uring_close_socket,
    .turn = uring_turn,
    .buffers_return = wring__uring_buffers_return,
    .wake = uring_wake,
    .now = wring__machine_now,
    .peer = wring__uring_peer,
};
