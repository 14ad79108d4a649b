/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated world: sockets as pairs of byte pipes, a clock, and faults. The backend that
 * workers see is sim_backend.c.
 */
#include "tests/sim/backend/sim_world.h"

#include <stdlib.h>

/* ---- seed and clock -------------------------------------------------------------------------- */

uint64_t wring__sim_random(wring__sim *sim, uint64_t bound) {
    /* splitmix64: short, well spread, and the whole state is one word */
    sim->random += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = sim->random;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return bound == 0 ? 0 : z % bound;
}

bool wring__sim_strikes(wring__sim *sim, enum wring__sim_fault fault) {
    return sim->fault_on[fault] && wring__sim_random(sim, sim->fault_one_in[fault]) == 0;
}

wring_duration_ns wring__sim_delay(wring__sim *sim) {
    if (!sim->fault_on[WRING__SIM_DELAY] || wring__sim_random(sim, 2) == 0) {
        return 0;
    }
    return wring__sim_random(sim, 2 * WRING_NS_PER_MS);
}

wring_time_ns wring__sim_now(const wring__sim *sim) {
    return sim->now;
}

uint64_t wring__sim_activity(const wring__sim *sim) {
    return sim->activity;
}

wring__sim *wring__sim_create(const wring__sim_config *config) {
    wring__sim *sim = wring__sim_memory(NULL, sizeof *sim);
    WRING_ASSERT(sim != NULL);
    memset(sim, 0, sizeof *sim);
    sim->random = config->seed;
    sim->now = WRING_NS_PER_SEC;
    sim->alarm = WRING_TIME_NEVER;
    for (int fault = 0; fault < WRING__SIM_FAULTS; fault++) {
        sim->fault_on[fault] = config->faults && wring__sim_random(sim, 2) == 0;
        sim->fault_one_in[fault] = 2 + (uint32_t)wring__sim_random(sim, 30);
    }
    static const uint32_t pipe_sizes[] = {1, 7, 125, 1000, 4096, 65536};
    sim->pipe_bytes = config->pipe_bytes;
    if (sim->pipe_bytes == 0) {
        sim->pipe_bytes = config->faults
                              ? pipe_sizes[wring__sim_random(sim, WRING_ARRAY_LEN(pipe_sizes))]
                              : 65536;
    }
    return sim;
}

void wring__sim_destroy(wring__sim *sim) {
    for (uint32_t i = 0; i < sim->socket_count; i++) {
        wring__sim_memory(sim->sockets[i].rx.data, 0);
    }
    wring__sim_memory(sim->sockets, 0);
    wring__sim_memory(sim, 0);
}

/* ---- sockets --------------------------------------------------------------------------------- */

wring__socket wring__sim_socket_new(wring__sim *sim) {
    uint32_t id = 0;
    while (id < sim->socket_count && sim->sockets[id].in_use) {
        id++; /* the lowest number first, as descriptors are: reuse comes early */
    }
    if (id == sim->socket_count) {
        sim->socket_count++;
        sim->sockets = wring__sim_memory(sim->sockets, sim->socket_count * sizeof *sim->sockets);
        WRING_ASSERT(sim->sockets != NULL);
        memset(&sim->sockets[id], 0, sizeof sim->sockets[id]);
    }
    struct sim_socket *s = &sim->sockets[id];
    wring__sim_memory(s->rx.data, 0);
    memset(s, 0, sizeof *s);
    s->in_use = true;
    s->peer = WRING__SOCKET_NONE;
    s->rx.data = wring__sim_memory(NULL, sim->pipe_bytes);
    s->rx.visible_at = WRING_TIME_NEVER;
    WRING_ASSERT(s->rx.data != NULL);
    return (wring__socket)id;
}

struct sim_socket *wring__sim_socket(wring__sim *sim, wring__socket socket) {
    WRING_ASSERT(socket >= 0 && (uint32_t)socket < sim->socket_count &&
                 sim->sockets[socket].in_use);
    return &sim->sockets[socket];
}

static struct sim_socket *socket_peer(wring__sim *sim, const struct sim_socket *s) {
    return s->peer == WRING__SOCKET_NONE ? NULL : wring__sim_socket(sim, s->peer);
}

static void pipe_touch(wring__sim *sim, struct sim_pipe *pipe) {
    if (pipe->visible_at == WRING_TIME_NEVER) {
        pipe->visible_at = sim->now + wring__sim_delay(sim);
    }
    sim->activity++;
}

static void pipe_settle(wring__sim *sim, struct sim_pipe *pipe) {
    if (pipe->visible_at <= sim->now) {
        pipe->visible = pipe->len;
        pipe->end_visible = pipe->end;
        pipe->visible_at = WRING_TIME_NEVER;
    }
}

size_t wring__sim_write(wring__sim *sim, wring__socket socket, const uint8_t *data, size_t len) {
    struct sim_socket *peer = socket_peer(sim, wring__sim_socket(sim, socket));
    if (peer == NULL) {
        return 0;
    }
    struct sim_pipe *pipe = &peer->rx;
    size_t taken = wring__min_size(len, sim->pipe_bytes - pipe->len);
    for (size_t i = 0; i < taken; i++) {
        pipe->data[(pipe->head + pipe->len + i) % sim->pipe_bytes] = data[i];
    }
    pipe->len += taken;
    if (taken > 0) {
        pipe_touch(sim, pipe);
    }
    return taken;
}

size_t wring__sim_room(wring__sim *sim, wring__socket socket) {
    const struct sim_socket *peer = socket_peer(sim, wring__sim_socket(sim, socket));
    return peer == NULL ? 0 : sim->pipe_bytes - peer->rx.len;
}

size_t wring__sim_read(wring__sim *sim, wring__socket socket, uint8_t *out, size_t cap) {
    struct sim_pipe *pipe = &wring__sim_socket(sim, socket)->rx;
    pipe_settle(sim, pipe);
    size_t taken = wring__min_size(cap, pipe->visible);
    for (size_t i = 0; i < taken; i++) {
        out[i] = pipe->data[(pipe->head + i) % sim->pipe_bytes];
    }
    pipe->head = (pipe->head + taken) % sim->pipe_bytes;
    pipe->len -= taken;
    pipe->visible -= taken;
    sim->activity += taken > 0;
    return taken;
}

size_t wring__sim_readable(wring__sim *sim, wring__socket socket) {
    struct sim_pipe *pipe = &wring__sim_socket(sim, socket)->rx;
    pipe_settle(sim, pipe);
    return pipe->visible;
}

bool wring__sim_at_end(wring__sim *sim, wring__socket socket) {
    struct sim_socket *s = wring__sim_socket(sim, socket);
    pipe_settle(sim, &s->rx);
    return s->rx.end_visible && s->rx.len == 0;
}

void wring__sim_end(wring__sim *sim, wring__socket socket) {
    struct sim_socket *s = wring__sim_socket(sim, socket);
    struct sim_socket *peer = socket_peer(sim, s);
    s->tx_shut = true;
    if (peer != NULL && !peer->rx.end) {
        peer->rx.end = true;
        pipe_touch(sim, &peer->rx);
    }
}

void wring__sim_close(wring__sim *sim, wring__socket socket, bool reset) {
    struct sim_socket *s = wring__sim_socket(sim, socket);
    struct sim_socket *peer = socket_peer(sim, s);
    /* as TCP does: closing with unread bytes resets */
    if (peer != NULL && (reset || s->rx.len > 0)) {
        peer->reset = true;
    } else if (peer != NULL) {
        wring__sim_end(sim, socket);
    }
    if (peer != NULL) {
        peer->peer = WRING__SOCKET_NONE;
    }
    s->in_use = false;
    sim->activity++;
}

/* ---- listening and dialling ------------------------------------------------------------------ */

bool wring__sim_connect(wring__sim *sim, wring__socket socket, uint16_t port) {
    wring__socket candidates[WRING__SIM_HOSTS_MAX * 2];
    size_t count = 0;
    for (uint32_t i = 0; i < sim->socket_count && count < WRING_ARRAY_LEN(candidates); i++) {
        if (sim->sockets[i].in_use && sim->sockets[i].listening && sim->sockets[i].port == port) {
            candidates[count++] = (wring__socket)i;
        }
    }
    if (count == 0) {
        return false;
    }
    wring__socket listener = candidates[wring__sim_random(sim, count)];
    wring__socket theirs = wring__sim_socket_new(sim);
    sim->sockets[socket].peer = theirs;
    sim->sockets[theirs].peer = socket;
    sim->sockets[theirs].backlog_of = listener;
    sim->sockets[theirs].in_backlog = true;
    sim->activity++;
    return true;
}

wring__socket wring__sim_dial(wring__sim *sim, uint16_t port) {
    wring__socket ours = wring__sim_socket_new(sim);
    if (!wring__sim_connect(sim, ours, port)) {
        wring__sim_close(sim, ours, false);
        return WRING__SOCKET_NONE;
    }
    return ours;
}

wring__socket wring__sim_peer_listen(wring__sim *sim, uint16_t port) {
    wring__socket listener = wring__sim_socket_new(sim);
    sim->sockets[listener].listening = true;
    sim->sockets[listener].port = port;
    return listener;
}

wring__socket wring__sim_peer_accept(wring__sim *sim, wring__socket listener) {
    return wring__sim_backlog_pop(sim, listener);
}

void wring__sim_peer_unlisten(wring__sim *sim, wring__socket listener) {
    wring__socket waiting;
    while ((waiting = wring__sim_backlog_pop(sim, listener)) != WRING__SOCKET_NONE) {
        wring__sim_close(sim, waiting, true);
    }
    wring__sim_close(sim, listener, false);
}

void wring__sim_reset(wring__sim *sim, wring__socket socket) {
    struct sim_socket *s = wring__sim_socket(sim, socket);
    s->reset = true;
    if (s->peer != WRING__SOCKET_NONE) {
        sim->sockets[s->peer].reset = true;
    }
    sim->activity++;
}

bool wring__sim_cut(wring__sim *sim) {
    const uint32_t start = (uint32_t)wring__sim_random(sim, sim->socket_count);
    for (uint32_t i = 0; i < sim->socket_count; i++) {
        struct sim_socket *s = &sim->sockets[(start + i) % sim->socket_count];
        if (s->in_use && s->peer != WRING__SOCKET_NONE && !s->reset) {
            wring__sim_reset(sim, (wring__socket)(s - sim->sockets));
            return true;
        }
    }
    return false;
}

wring__socket wring__sim_backlog_pop(wring__sim *sim, wring__socket listener) {
    for (uint32_t i = 0; i < sim->socket_count; i++) {
        struct sim_socket *s = &sim->sockets[i];
        if (s->in_use && s->in_backlog && s->backlog_of == listener) {
            s->in_backlog = false;
            return (wring__socket)i;
        }
    }
    return WRING__SOCKET_NONE;
}

/* ---- the test's ends ------------------------------------------------------------------------- */

size_t wring__sim_peer_send(wring__sim *sim, wring__socket socket, wring_bytes bytes) {
    struct sim_socket *s = wring__sim_socket(sim, socket);
    return s->reset || s->tx_shut ? 0 : wring__sim_write(sim, socket, bytes.data, bytes.len);
}

size_t wring__sim_peer_recv(wring__sim *sim, wring__socket socket, uint8_t *out, size_t cap,
                            bool *end, bool *reset) {
    struct sim_socket *s = wring__sim_socket(sim, socket);
    *reset = s->reset;
    size_t taken = s->reset ? 0 : wring__sim_read(sim, socket, out, cap);
    *end = s->reset || wring__sim_at_end(sim, socket);
    return taken;
}

void wring__sim_peer_shutdown(wring__sim *sim, wring__socket socket) {
    wring__sim_end(sim, socket);
}

void wring__sim_peer_close(wring__sim *sim, wring__socket socket, bool reset) {
    wring__sim_close(sim, socket, reset);
}

/* ---- time ------------------------------------------------------------------------------------ */

void wring__sim_alarm(wring__sim *sim, wring_time_ns at) {
    sim->alarm = wring__min_u64(sim->alarm, at);
}

bool wring__sim_advance(wring__sim *sim) {
    if (sim->alarm <= sim->now) {
        sim->alarm = WRING_TIME_NEVER;
    }
    wring_time_ns next = sim->alarm;
    bool busy = false;
    for (uint32_t i = 0; i < sim->socket_count; i++) {
        if (sim->sockets[i].in_use) {
            pipe_settle(sim, &sim->sockets[i].rx);
            next = wring__min_u64(next, sim->sockets[i].rx.visible_at);
        }
    }
    for (uint32_t i = 0; i < sim->host_count; i++) {
        wring_time_ns due = wring__sim_host_next(sim->hosts[i]);
        busy = busy || (due <= sim->now && wring__sim_host_ran(sim->hosts[i]));
        next = due <= sim->now ? next : wring__min_u64(next, due);
    }
    if (next == WRING_TIME_NEVER && !busy) {
        return false;
    }
    sim->now = busy ? sim->now + 1 : next; /* a host at work has not told its next timer yet */
    sim->activity++;
    return true;
}

wring__sim_leftovers wring__sim_leftover(const wring__sim *sim) {
    wring__sim_leftovers left = sim->closed_hosts; /* what closed backends had left */
    for (uint32_t i = 0; i < sim->socket_count; i++) {
        left.sockets += sim->sockets[i].in_use;
    }
    for (uint32_t i = 0; i < sim->host_count; i++) {
        wring__sim_host_leftover(sim->hosts[i], &left);
    }
    return left;
}
