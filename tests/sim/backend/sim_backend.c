/* SPDX-License-Identifier: Apache-2.0
 *
 * The backend a worker sees in the simulated world: a queue of operations, the completions they
 * come to, and a set of receive buffers, with the kernel's freedom in everything it does not
 * promise. See sim.h.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "tests/sim/backend/sim_world.h"

#define BUFFER_COUNT_DEFAULT 64
#define BUFFER_SIZE_DEFAULT  2048
#define SEND_IOV_MAX         64

enum sim_op_kind {
    OP_ACCEPT,
    OP_RECV,
    OP_CONNECT,
    OP_POLL,
    OP_SEND,
    OP_SHUTDOWN,
    OP_CANCEL,
    OP_CLOSE
};

struct sim_op {
    enum sim_op_kind kind;
    wring__socket socket;
    uint64_t token;
    uint64_t target; /* cancel */
    int how;         /* shutdown */
    uint16_t port;   /* connect */
    bool once;       /* recv: into a buffer, or */
    uint8_t *into;   /* into these bytes */
    size_t into_len;
    bool at_once; /* recv, send: does not wait; a send that took all is not told of */
    wring_time_ns connect_at;
    struct iovec iov[SEND_IOV_MAX];
    size_t iov_count;
    size_t sent;
    bool done;
};

struct sim_posted {
    wring__completion completion;
    wring_time_ns at;
    bool of_send_at_once; /* the sends at once are not known before this is handed out */
};

struct sim_backend {
    struct wring__backend super;
    wring__sim *sim;
    struct sim_op *ops;
    size_t op_count;
    size_t op_cap;
    struct sim_posted *posted;
    size_t posted_count;
    size_t posted_cap;
    uint16_t *home; /* receive buffers not in use */
    uint32_t home_count;
    bool is_incremental;
    bool is_readiness; /* as on epoll: sends are tried at once, and wait for room without bytes */
    bool has_begun;    /* a buffer that is not full: the next bytes go there */
    uint16_t begun;
    size_t begun_used;
    wring_time_ns deadline;
    bool woken;
    bool ran; /* had a turn since the clock moved */
};

static struct sim_backend *sim_of(wring__backend *super) {
    return (struct sim_backend *)super;
}

/* ---- opening --------------------------------------------------------------------------------- */

static wring_result sim_listen(const wring__listen_config *config, wring__socket *out,
                               uint16_t *port, wring_error *error) {
    (void)error;
    wring__sim *sim = config->context;
    wring__socket listener = wring__sim_socket_new(sim);
    struct sim_socket *s = wring__sim_socket(sim, listener);
    s->listening = true;
    s->port = config->port != 0 ? config->port : ++sim->last_port;
    *port = s->port;
    *out = listener;
    return WRING_OK;
}

static void sim_unlisten(const wring__listen_config *config, wring__socket listener) {
    wring__sim *sim = config->context;
    wring__socket waiting;
    while ((waiting = wring__sim_backlog_pop(sim, listener)) != WRING__SOCKET_NONE) {
        wring__sim_close(sim, waiting, true);
    }
    wring__sim_close(sim, listener, false);
}

static wring__socket sim_accept_now(wring__backend *super, wring__socket listener) {
    const wring__socket socket = wring__sim_backlog_pop(sim_of(super)->sim, listener);
    return socket == WRING__SOCKET_NONE ? -EAGAIN : socket;
}

static wring_result sim_open(const wring__backend_config *config, wring__backend **out,
                             wring_error *error) {
    (void)error;
    wring__sim *sim = config->context;
    WRING_ASSERT(sim->host_count < WRING__SIM_HOSTS_MAX);
    struct sim_backend *backend = wring__sim_memory(NULL, sizeof *backend);
    WRING_ASSERT(backend != NULL);
    memset(backend, 0, sizeof *backend);
    uint32_t count = config->buffer_count == 0 ? BUFFER_COUNT_DEFAULT : config->buffer_count;
    uint32_t size = config->buffer_size == 0 ? BUFFER_SIZE_DEFAULT : config->buffer_size;
    backend->super.ops = &wring__backend_sim;
    backend->super.buffer_count = count;
    backend->super.buffer_size = size;
    backend->super.read_size = size;
    backend->super.waits_outside = true;
    backend->is_incremental = wring__sim_random(sim, 2) == 0;
    backend->is_readiness = wring__sim_random(sim, 2) == 0;
    backend->super.sends_at_once = !backend->is_readiness;
    backend->super.rewinds = backend->is_readiness;
    backend->super.filling = UINT16_MAX;
    backend->super.buffers = wring__sim_memory(NULL, (size_t)count * size);
    backend->home = wring__sim_memory(NULL, count * sizeof *backend->home);
    WRING_ASSERT(backend->super.buffers != NULL && backend->home != NULL);
    WRING_POISON(backend->super.buffers, (size_t)count * size);
    for (uint32_t i = 0; i < count; i++) {
        backend->home[backend->home_count++] = (uint16_t)i;
    }
    backend->sim = sim;
    backend->deadline = WRING_TIME_NEVER;
    sim->hosts[sim->host_count++] = &backend->super;
    *out = &backend->super;
    return WRING_OK;
}

static void sim_backend_close(wring__backend *super) {
    struct sim_backend *backend = sim_of(super);
    wring__sim *sim = backend->sim;
    wring__sim_host_leftover(super, &sim->closed_hosts);
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (sim->hosts[i] == super) {
            sim->hosts[i] = sim->hosts[--sim->host_count];
            break;
        }
    }
    WRING_UNPOISON(super->buffers, (size_t)super->buffer_count * super->buffer_size);
    wring__sim_memory(super->buffers, 0);
    wring__sim_memory(backend->home, 0);
    wring__sim_memory(backend->ops, 0);
    wring__sim_memory(backend->posted, 0);
    wring__sim_memory(backend, 0);
}

/* ---- queueing -------------------------------------------------------------------------------- */

static struct sim_op *op_new(wring__backend *super, enum sim_op_kind kind, wring__socket socket,
                             uint64_t token) {
    struct sim_backend *backend = sim_of(super);
    if (backend->op_count == backend->op_cap) {
        backend->op_cap = backend->op_cap == 0 ? 16 : backend->op_cap * 2;
        backend->ops = wring__sim_memory(backend->ops, backend->op_cap * sizeof *backend->ops);
        WRING_ASSERT(backend->ops != NULL);
    }
    struct sim_op *op = &backend->ops[backend->op_count++];
    memset(op, 0, sizeof *op);
    op->kind = kind;
    op->socket = socket;
    op->token = token;
    backend->sim->activity++;
    return op;
}

static void sim_accept(wring__backend *super, wring__socket listener, uint64_t token) {
    op_new(super, OP_ACCEPT, listener, token);
}

/* One operation of a kind in flight per stream: the promise the kernel needs and we keep. */
static void assert_only_one(wring__backend *super, enum sim_op_kind kind, wring__socket socket) {
    const struct sim_backend *backend = sim_of(super);
    for (size_t i = 0; i < backend->op_count; i++) {
        const struct sim_op *op = &backend->ops[i];
        WRING_ASSERT(op->done || op->kind != kind || op->socket != socket);
    }
}

static void sim_recv(wring__backend *super, wring__socket socket, uint64_t token) {
    assert_only_one(super, OP_RECV, socket);
    op_new(super, OP_RECV, socket, token);
}

static void sim_recv_once(wring__backend *super, wring__socket socket, uint64_t token) {
    assert_only_one(super, OP_RECV, socket);
    op_new(super, OP_RECV, socket, token)->once = true;
}

static void sim_recv_into(wring__backend *super, wring__socket socket, uint64_t token,
                          uint8_t *data, size_t len, bool at_once) {
    assert_only_one(super, OP_RECV, socket);
    struct sim_op *op = op_new(super, OP_RECV, socket, token);
    op->into = data;
    op->into_len = len;
    op->at_once = at_once;
}

static uint16_t address_port(const struct sockaddr *address) {
    return ntohs(address->sa_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
                     : ((const struct sockaddr_in *)(const void *)address)->sin_port);
}

static wring_result sim_connect(wring__backend *super, const wring__dial_config *config,
                                uint64_t token, wring__socket *out) {
    wring__sim *sim = sim_of(super)->sim;
    *out = wring__sim_socket_new(sim);
    struct sim_op *op = op_new(super, OP_CONNECT, *out, token);
    op->port = address_port(config->address);
    op->connect_at = sim->now + wring__sim_delay(sim);
    return WRING_OK;
}

/* No library's descriptors exist in this world: it waits for its cancel. */
static void sim_poll(wring__backend *super, int descriptor, uint32_t events, uint64_t token) {
    (void)descriptor;
    (void)events;
    op_new(super, OP_POLL, WRING__SOCKET_NONE, token);
}

/* Writes from where the last step stopped; returns how many bytes are left. */
static size_t send_step(struct sim_backend *backend, struct sim_op *op) {
    size_t skip = op->sent;
    size_t left = 0;
    bool full = false;
    for (size_t i = 0; i < op->iov_count; i++) {
        size_t done = wring__min_size(skip, op->iov[i].iov_len);
        skip -= done;
        size_t len = op->iov[i].iov_len - done;
        size_t taken = 0;
        if (!full && len > 0) {
            const uint8_t *data = (const uint8_t *)op->iov[i].iov_base + done;
            taken = wring__sim_write(backend->sim, op->socket, data, len);
        }
        op->sent += taken;
        full = full || taken < len;
        left += len - taken;
    }
    return left;
}

static bool send_is_broken(struct sim_backend *backend, const struct sim_op *op) {
    const struct sim_socket *s = wring__sim_socket(backend->sim, op->socket);
    return s->reset || s->tx_shut || s->peer == WRING__SOCKET_NONE;
}

static struct sim_op *send_new(wring__backend *super, wring__socket socket, uint64_t token,
                               const struct iovec *iov, size_t count) {
    assert_only_one(super, OP_SEND, socket);
    WRING_ASSERT(count > 0 && count <= SEND_IOV_MAX);
    struct sim_op *op = op_new(super, OP_SEND, socket, token);
    memcpy(op->iov, iov, count * sizeof *iov);
    op->iov_count = count;
    return op;
}

/* By readiness it is tried now, and what finds no room waits until there is some. */
static bool sim_send(wring__backend *super, wring__socket socket, uint64_t token,
                     const struct iovec *iov, size_t count) {
    struct sim_backend *backend = sim_of(super);
    struct sim_op *op = send_new(super, socket, token, iov, count);
    if (!backend->is_readiness || send_is_broken(backend, op)) {
        return false;
    }
    const bool took_all = send_step(backend, op) == 0;
    if (took_all) {
        backend->op_count--;
    }
    return took_all;
}

static void sim_send_at_once(wring__backend *super, wring__socket socket, uint64_t token,
                             const struct iovec *iov, size_t count) {
    send_new(super, socket, token, iov, count)->at_once = true;
}

static void sim_shutdown(wring__backend *super, wring__socket socket, uint64_t token, int how) {
    op_new(super, OP_SHUTDOWN, socket, token)->how = how;
}

static void sim_cancel(wring__backend *super, wring__socket socket, uint64_t target,
                       uint64_t token) {
    (void)socket;
    op_new(super, OP_CANCEL, WRING__SOCKET_NONE, token)->target = target;
}

static void sim_close_socket(wring__backend *super, wring__socket socket, uint64_t token) {
    op_new(super, OP_CLOSE, socket, token);
}

/* ---- doing ----------------------------------------------------------------------------------- */

/* Completions of one operation do, and those that tell of one receive buffer; others need not. */
static bool keep_their_order(const wring__completion *a, const wring__completion *b) {
    return a->token == b->token ||
           ((a->flags & b->flags & WRING__COMPLETION_BUFFER) != 0 && a->buffer == b->buffer);
}

static void post(struct sim_backend *backend, uint64_t token, int32_t result, uint16_t flags,
                 uint16_t buffer) {
    if (backend->posted_count == backend->posted_cap) {
        backend->posted_cap = backend->posted_cap == 0 ? 16 : backend->posted_cap * 2;
        backend->posted =
            wring__sim_memory(backend->posted, backend->posted_cap * sizeof *backend->posted);
        WRING_ASSERT(backend->posted != NULL);
    }
    wring_time_ns at = backend->sim->now + wring__sim_delay(backend->sim);
    const wring__completion completion = {token, result, buffer, flags};
    for (size_t i = 0; i < backend->posted_count; i++) {
        if (keep_their_order(&backend->posted[i].completion, &completion)) {
            at = backend->posted[i].at > at ? backend->posted[i].at : at;
        }
    }
    backend->posted[backend->posted_count++] = (struct sim_posted){completion, at, false};
    backend->sim->activity++;
}

static void op_end(struct sim_backend *backend, struct sim_op *op, int32_t result) {
    post(backend, op->token, result, 0, 0);
    if (op->kind == OP_SEND && op->at_once) { /* it has ended in this turn; rarely more had */
        struct sim_posted *posted = &backend->posted[backend->posted_count - 1];
        posted->of_send_at_once = true;
        posted->at = backend->sim->now + (wring__sim_random(backend->sim, 4) == 0);
    }
    op->done = true;
}

static void do_accept(struct sim_backend *backend, struct sim_op *op) {
    wring__sim *sim = backend->sim;
    wring__socket accepted = wring__sim_backlog_pop(sim, op->socket);
    if (accepted == WRING__SOCKET_NONE) {
        return;
    }
    if (wring__sim_strikes(sim, WRING__SIM_ACCEPT_FAIL)) {
        sim->sockets[accepted].in_backlog = true; /* it stays in the backlog */
        op_end(backend, op, wring__sim_random(sim, 2) == 0 ? -EMFILE : -ECONNABORTED);
        return;
    }
    bool more = !wring__sim_strikes(sim, WRING__SIM_LOST_MORE);
    post(backend, op->token, accepted, more ? WRING__COMPLETION_MORE : 0, 0);
    op->done = !more;
}

static void do_connect(struct sim_backend *backend, struct sim_op *op) {
    wring__sim *sim = backend->sim;
    if (sim->sockets[op->socket].rx_shut) { /* shut while connecting */
        op_end(backend, op, -ECONNABORTED);
    } else if (op->port == WRING__SIM_SILENT_PORT || op->connect_at > sim->now) {
        return;
    } else if (wring__sim_strikes(sim, WRING__SIM_CONNECT_FAIL)) {
        op_end(backend, op, wring__sim_random(sim, 2) == 0 ? -ECONNREFUSED : -ETIMEDOUT);
    } else {
        op_end(backend, op, wring__sim_connect(sim, op->socket, op->port) ? 0 : -ECONNREFUSED);
    }
}

static void do_recv(struct sim_backend *backend, struct sim_op *op) {
    wring__sim *sim = backend->sim;
    struct sim_socket *s = wring__sim_socket(sim, op->socket);
    if (s->reset) {
        op_end(backend, op, -ECONNRESET);
        return;
    }
    size_t ready = wring__sim_readable(sim, op->socket);
    if (ready == 0) {
        if (s->rx_shut || wring__sim_at_end(sim, op->socket)) {
            op_end(backend, op, 0);
        } else if (op->at_once) {
            op_end(backend, op, -EAGAIN);
        }
        return;
    }
    if (op->into != NULL) {
        size_t want = wring__min_size(ready, op->into_len);
        if (wring__sim_strikes(sim, WRING__SIM_SHORT_RECV)) {
            want = 1 + (size_t)wring__sim_random(sim, want);
        }
        WRING_UNPOISON(op->into, want);
        wring__sim_read(sim, op->socket, op->into, want);
        WRING_POISON(op->into, want);
        op_end(backend, op, (int32_t)want);
        return;
    }
    const bool none = backend->home_count == 0 && !backend->has_begun;
    if (none || wring__sim_strikes(sim, WRING__SIM_NO_BUFFERS)) {
        op_end(backend, op, -ENOBUFS);
        return;
    }
    uint16_t buffer = backend->has_begun ? backend->begun : backend->home[--backend->home_count];
    const size_t begun = backend->has_begun ? backend->begun_used : 0;
    size_t want = wring__min_size(ready, backend->super.buffer_size - begun);
    if (wring__sim_strikes(sim, WRING__SIM_SHORT_RECV)) {
        want = 1 + (size_t)wring__sim_random(sim, want);
    }
    uint8_t *data = wring__backend_buffer(&backend->super, buffer) + begun;
    WRING_UNPOISON(data, want);
    wring__sim_read(sim, op->socket, data, want);
    bool more = !op->once && !wring__sim_strikes(sim, WRING__SIM_LOST_MORE);
    backend->begun_used = begun + want;
    backend->has_begun =
        backend->is_incremental && backend->begun_used < backend->super.buffer_size;
    backend->begun = buffer;
    backend->super.filling = backend->has_begun ? buffer : UINT16_MAX;
    post(backend, op->token, (int32_t)want,
         (uint16_t)(WRING__COMPLETION_BUFFER | (more ? WRING__COMPLETION_MORE : 0) |
                    (backend->has_begun ? WRING__COMPLETION_BUFFER_MORE : 0)),
         buffer);
    if (backend->is_readiness) { /* it rewinds: what is in a buffer is told in the same turn */
        backend->posted[backend->posted_count - 1].at = backend->sim->now;
    }
    op->done = !more;
}

static void do_send(struct sim_backend *backend, struct sim_op *op) {
    struct sim_socket *s = wring__sim_socket(backend->sim, op->socket);
    if (send_is_broken(backend, op)) {
        op_end(backend, op, op->sent > 0 ? (int32_t)op->sent : s->reset ? -ECONNRESET : -EPIPE);
        return;
    }
    if (backend->is_readiness) {
        if (wring__sim_room(backend->sim, op->socket) > 0) {
            op_end(backend, op, (int32_t)op->sent);
            backend->posted[backend->posted_count - 1].at = backend->sim->now; /* of this turn */
        }
        return;
    }
    size_t left = send_step(backend, op);
    bool cut = op->sent > 0 && wring__sim_strikes(backend->sim, WRING__SIM_SHORT_SEND);
    if (op->at_once && left == 0 && !cut) {
        op->done = true;
    } else if (op->at_once && op->sent == 0) {
        op_end(backend, op, -EAGAIN);
    } else if (left == 0 || cut || op->at_once) {
        op_end(backend, op, (int32_t)op->sent);
    }
}

static void do_shutdown(struct sim_backend *backend, struct sim_op *op) {
    struct sim_socket *s = wring__sim_socket(backend->sim, op->socket);
    if (op->how == WRING__SHUT_RESET) {
        wring__sim_reset(backend->sim, op->socket);
        op_end(backend, op, 0);
        return;
    }
    if (op->how != SHUT_RD) {
        wring__sim_end(backend->sim, op->socket);
    }
    s->rx_shut = s->rx_shut || op->how != SHUT_WR;
    op_end(backend, op, 0);
}

static void do_cancel(struct sim_backend *backend, struct sim_op *op) {
    for (size_t i = 0; i < backend->op_count; i++) {
        struct sim_op *target = &backend->ops[i];
        if (!target->done && target->token == op->target && target->kind != OP_CANCEL) {
            op_end(backend, target, -ECANCELED);
            op_end(backend, op, 0);
            return;
        }
    }
    op_end(backend, op, -ENOENT);
}

static void do_close(struct sim_backend *backend, struct sim_op *op) {
    for (size_t i = 0; i < backend->op_count; i++) { /* closed is not done: nothing in flight */
        const struct sim_op *other = &backend->ops[i];
        WRING_ASSERT(other == op || other->done || other->socket != op->socket);
    }
    wring__sim_close(backend->sim, op->socket, false);
    op_end(backend, op, 0);
}

static void op_do(struct sim_backend *backend, struct sim_op *op) {
    switch (op->kind) {
    case OP_ACCEPT:
        do_accept(backend, op);
        break;
    case OP_RECV:
        do_recv(backend, op);
        break;
    case OP_CONNECT:
        do_connect(backend, op);
        break;
    case OP_POLL:
        break;
    case OP_SEND:
        do_send(backend, op);
        break;
    case OP_SHUTDOWN:
        do_shutdown(backend, op);
        break;
    case OP_CANCEL:
        do_cancel(backend, op);
        break;
    case OP_CLOSE:
        do_close(backend, op);
        break;
    }
}

/* ---- the turn -------------------------------------------------------------------------------- */

/* A backend that rewinds receives last, and no more than this turn hands out. */
static bool recv_is_last(const struct sim_backend *backend, const struct sim_op *op) {
    return op->kind == OP_RECV && backend->super.rewinds;
}

static void ops_run(struct sim_backend *backend, size_t max) {
    size_t count = backend->op_count;
    size_t start = count == 0 ? 0 : (size_t)wring__sim_random(backend->sim, count);
    for (size_t i = 0; i < count; i++) {
        struct sim_op *op = &backend->ops[(start + i) % count];
        if (!op->done && !recv_is_last(backend, op)) {
            op_do(backend, op);
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct sim_op *op = &backend->ops[(start + i) % count];
        if (!op->done && recv_is_last(backend, op) && backend->posted_count < max) {
            op_do(backend, op);
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < backend->op_count; i++) {
        if (!backend->ops[i].done) {
            backend->ops[kept++] = backend->ops[i];
        }
    }
    backend->op_count = kept;
}

static bool posted_may_come(const struct sim_backend *backend, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (keep_their_order(&backend->posted[i].completion, &backend->posted[index].completion)) {
            return false;
        }
    }
    return true;
}

static bool sends_are_known(const struct sim_backend *backend) {
    for (size_t i = 0; i < backend->posted_count; i++) {
        if (backend->posted[i].of_send_at_once) {
            return false;
        }
    }
    return true;
}

static bool posted_take(struct sim_backend *backend, wring__completion *out) {
    size_t count = backend->posted_count;
    bool reorder = count > 0 && wring__sim_strikes(backend->sim, WRING__SIM_REORDER);
    size_t start = reorder ? (size_t)wring__sim_random(backend->sim, count) : 0;
    for (size_t i = 0; i < count; i++) {
        size_t index = (start + i) % count;
        if (backend->posted[index].at <= backend->sim->now && posted_may_come(backend, index)) {
            *out = backend->posted[index].completion;
            memmove(&backend->posted[index], &backend->posted[index + 1],
                    (count - index - 1) * sizeof backend->posted[0]);
            backend->posted_count--;
            return true;
        }
    }
    return false;
}

static wring_result sim_turn(wring__backend *super, wring_time_ns deadline, wring__completion *out,
                             size_t max, size_t *count) {
    struct sim_backend *backend = sim_of(super);
    backend->deadline = deadline;
    backend->woken = false;
    backend->ran = true;
    ops_run(backend, max);
    size_t taken = 0;
    while (taken < max && posted_take(backend, &out[taken])) {
        taken++;
    }
    backend->sim->activity += taken;
    *count = taken;
    super->sends_known = sends_are_known(backend);
    return WRING_OK;
}

static void sim_buffers_return(wring__backend *super, const uint16_t *buffers, size_t count) {
    struct sim_backend *backend = sim_of(super);
    for (size_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < backend->home_count; j++) {
            WRING_ASSERT(backend->home[j] != buffers[i]); /* returned twice */
        }
        backend->home[backend->home_count++] = buffers[i];
        WRING_POISON(wring__backend_buffer(super, buffers[i]), super->buffer_size);
    }
    backend->sim->activity += count > 0;
}

static void sim_buffer_rewind(wring__backend *super, uint16_t buffer) {
    struct sim_backend *backend = sim_of(super);
    WRING_ASSERT(backend->has_begun && backend->begun == buffer);
    backend->begun_used = 0;
    backend->sim->activity++;
}

static void sim_wake(wring__backend *super, wring__backend *from) {
    (void)from;
    struct sim_backend *backend = sim_of(super);
    backend->woken = true;
    backend->sim->activity++;
}

static wring_time_ns sim_backend_now(wring__backend *super) {
    return sim_of(super)->sim->now;
}

static bool sim_peer(wring__backend *super, wring__socket socket, struct sockaddr_storage *out) {
    (void)super;
    struct sockaddr_in *address = (struct sockaddr_in *)out;
    memset(out, 0, sizeof *out);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address->sin_port = htons((uint16_t)(10000 + socket));
    return true;
}

wring_time_ns wring__sim_host_next(const wring__backend *super) {
    const struct sim_backend *backend = (const struct sim_backend *)super;
    wring_time_ns next = backend->woken ? backend->sim->now : backend->deadline;
    for (size_t i = 0; i < backend->op_count; i++) {
        if (backend->ops[i].kind == OP_CONNECT && backend->ops[i].connect_at > backend->sim->now) {
            next = wring__min_u64(next, backend->ops[i].connect_at);
        }
    }
    for (size_t i = 0; i < backend->posted_count; i++) {
        next = wring__min_u64(next, backend->posted[i].at);
    }
    return next;
}

bool wring__sim_host_ran(wring__backend *super) {
    struct sim_backend *backend = sim_of(super);
    const bool ran = backend->ran;
    backend->ran = false;
    return ran;
}

void wring__sim_host_leftover(const wring__backend *super, wring__sim_leftovers *left) {
    const struct sim_backend *backend = (const struct sim_backend *)super;
    left->operations += backend->op_count + backend->posted_count;
    left->buffers += super->buffer_count - backend->home_count - backend->has_begun;
}

const wring__backend_ops wring__backend_sim = {
    .name = "sim",
    .listen = sim_listen,
    .unlisten = sim_unlisten,
    .accept_now = sim_accept_now,
    .open = sim_open,
    .close = sim_backend_close,
    .accept = sim_accept,
    .recv = sim_recv,
    .recv_once = sim_recv_once,
    .recv_into = sim_recv_into,
    .connect = sim_connect,
    .poll = sim_poll,
    .send = sim_send,
    .send_at_once = sim_send_at_once,
    .shutdown = sim_shutdown,
    .cancel = sim_cancel,
    .close_socket = sim_close_socket,
    .turn = sim_turn,
    .buffers_return = sim_buffers_return,
    .buffer_rewind = sim_buffer_rewind,
    .wake = sim_wake,
    .now = sim_backend_now,
    .peer = sim_peer,
};
