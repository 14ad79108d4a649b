/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker's accepting: its beginning, its errors, its end. See worker.h.
 */
#include <errno.h>

#include "io/log.h"
#include "io/worker.h"

#define ACCEPT_RETRY_NS        (100 * WRING_NS_PER_MS)
#define ACCEPT_FAILURES_MAX    16 /* in a row */
#define LISTENING_END_RETRY_NS (5 * WRING_NS_PER_MS)

void wring__worker_accept_arm(wring__worker *worker) {
    if (!worker->accepting || worker->accept_armed || wring__wheel_is_set(&worker->accept_retry)) {
        return;
    }
    worker->accept_armed = true;
    worker->backend->ops->accept(worker->backend, worker->listener,
                                 wring__token_pack(WRING__OP_ACCEPT, 0, 0));
}

void wring__worker_listen(wring__worker *worker, wring__socket listener) {
    WRING_ASSERT(worker->listener == WRING__SOCKET_NONE && listener != WRING__SOCKET_NONE);
    worker->listener = listener;
    worker->accepting = true;
    wring__worker_accept_arm(worker);
}

static void accept_cancel(wring__worker *worker) {
    if (worker->accept_armed && !worker->accept_cancelled) {
        worker->accept_cancelled = true;
        worker->pending++;
        worker->backend->ops->cancel(worker->backend, WRING__SOCKET_NONE,
                                     wring__token_pack(WRING__OP_ACCEPT, 0, 0),
                                     wring__token_pack(WRING__OP_CANCEL, 0, 0));
    }
}

static void socket_drop(wring__worker *worker, wring__socket socket) {
    wring__count(&worker->counters.closed, 1);
    worker->pending++;
    worker->backend->ops->close_socket(worker->backend, socket,
                                       wring__token_pack(WRING__OP_CLOSE_UNOWNED, 0, 0));
}

static void socket_take(wring__worker *worker, wring__socket socket) {
    wring__count(&worker->counters.accepted, 1);
    worker->accept_failures = 0;
    if (worker->ops->accepted(worker, socket) != WRING_OK) {
        socket_drop(worker, socket);
    }
}

/* Out of descriptors or memory: the connection waits on. */
static bool is_lacking(int32_t result) {
    return result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM;
}

/* Closing a listener resets what waits in its queue: so that is taken first. Where there are no
 * descriptors for it, the sessions that end now make room. */
static void listening_end(wring__worker *worker) {
    const wring__backend_ops *ops = worker->backend->ops;
    wring__socket socket = -EAGAIN;
    while (ops->accept_now != NULL &&
           (socket = ops->accept_now(worker->backend, worker->listener)) >= 0) {
        socket_take(worker, socket);
    }
    if (is_lacking(socket) && worker->conn_count > 0) {
        wring__wheel_set(&worker->task_wheel, &worker->accept_retry,
                         worker->now + LISTENING_END_RETRY_NS);
        return;
    }
    worker->listener = WRING__SOCKET_NONE;
    if (worker->ops->unlistened != NULL) {
        worker->ops->unlistened(worker);
    }
}

void wring__worker_accept_again(wring__worker *worker) {
    if (worker->accepting) {
        wring__worker_accept_arm(worker);
    } else {
        listening_end(worker);
    }
}

void wring__worker_stop_listening(wring__worker *worker) {
    if (!worker->accepting) {
        return;
    }
    worker->accepting = false;
    wring__wheel_cancel(&worker->task_wheel, &worker->accept_retry);
    accept_cancel(worker);
    if (!worker->accept_armed) {
        listening_end(worker);
    }
}

/* Lacking something, or one error after another, whatever it means: accepting on at once would
 * spin. Others are served meanwhile. */
static bool accept_must_rest(const wring__worker *worker, int32_t result) {
    return worker->accept_failures >= ACCEPT_FAILURES_MAX || is_lacking(result) ||
           result == -ENOSPC; /* epoll's watches: this one is lost */
}

static void accept_failed_tell(const wring__worker *worker, int number) {
    wring__log_entry entry;
    if (wring__log_begin(&entry, worker->log, WRING__LOG_ACCEPT_FAILED)) {
        wring__log_number(&entry, "errno", (uint64_t)number);
        wring__log_write(&entry, "a connection could not be accepted: %s%s", strerror(number),
                         is_lacking(-number) ? "; connections wait until there is room" : "");
    }
}

static void accept_failed(wring__worker *worker, int32_t result) {
    wring__count(&worker->counters.accept_errors, 1);
    __atomic_store_n(&worker->accept_errno, (uint32_t)-result, __ATOMIC_RELAXED);
    worker->accept_failures++;
    accept_failed_tell(worker, -result);
    if (worker->accepting && accept_must_rest(worker, result)) {
        wring__wheel_set(&worker->task_wheel, &worker->accept_retry, worker->now + ACCEPT_RETRY_NS);
        accept_cancel(worker); /* an error of one connection does not end it */
    }
}

void wring__worker_accept_complete(wring__worker *worker, const wring__completion *completion) {
    const bool ended = (completion->flags & WRING__COMPLETION_MORE) == 0;
    if (ended) {
        worker->accept_armed = false;
        worker->accept_cancelled = false;
    }
    if (completion->result >= 0) {
        socket_take(worker, completion->result);
    } else if (completion->result != -ECANCELED) {
        accept_failed(worker, completion->result);
    }
    if (ended && !worker->accepting) {
        listening_end(worker);
    } else {
        wring__worker_accept_arm(worker);
    }
}
