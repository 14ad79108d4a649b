/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the epoll backend:
 *
 *   epoll.c         opening and closing, the turn, wakes
 *   epoll_socket.c  the table of sockets: registering, sending, connecting, cancelling, closing
 *   epoll_accept.c  accepting
 *   epoll_recv.c    receiving, and the buffers for it
 *   epoll_poll.c    descriptors of a library's
 *
 * Completion-shaped over readiness: an operation is tried at once where that may succeed (sends) or
 * in the turn (receives), and else waits for an edge of its socket. A socket is registered once,
 * edge-triggered; nothing is changed at the steady path. What an event names is an index and a
 * generation, so an event that comes after its socket was closed is recognised and dropped.
 */
#ifndef WRING_IO_EPOLL_INTERNAL_H
#define WRING_IO_EPOLL_INTERNAL_H

#include <sys/epoll.h>

#include "io/backend.h"

#define EPOLL_NONE UINT32_MAX

/** What is asked of every socket: the edges of input. EPOLLOUT once a send found no room. */
#define EPOLL_INPUT (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET)

/** What an event is about: kind 4 | generation 28 | index 32. */
enum epoll_kind { EPOLL_KIND_SOCKET, EPOLL_KIND_LISTENER, EPOLL_KIND_POLL, EPOLL_KIND_WAKE };
#define EPOLL_GENERATION_MAX ((1u << 28) - 1)

static inline uint64_t epoll_event_data(enum epoll_kind kind, uint32_t generation, uint32_t index) {
    return (uint64_t)kind << 60 | (uint64_t)generation << 32 | index;
}

/** A connection has one: it is kept small. */
struct epoll_socket {
    int fd;
    uint32_t generation;
    uint64_t recv_token; /* 0: nothing receives */
    uint64_t send_token; /* of the send or connect that waits; 0: none does */
    uint8_t *into;       /* with recv_how INTO */
    uint32_t into_len;
    uint32_t sent;      /* of the send that waits */
    uint32_t next;      /* in the ready list, or of the free ones */
    uint16_t broken_by; /* errno that a connect met and receives have yet to tell; 0: none */
    uint8_t recv_how;
    bool is_readable : 1;   /* there may be something to receive, as far as we know */
    bool is_exact : 1;      /* its end, an error or urgent data came: a short read tells nothing */
    bool is_full : 1;       /* a send found no room, and no EPOLLOUT came since */
    bool asks_out : 1;      /* EPOLLOUT is registered */
    bool is_connecting : 1; /* send_token is the connect's */
    bool is_shut : 1;       /* by us, at least one way */
    bool is_ready : 1;      /* in the ready list */
};

enum epoll_recv_how {
    EPOLL_RECV_ON,   /* goes on */
    EPOLL_RECV_ONCE, /* into a receive buffer */
    EPOLL_RECV_INTO, /* into memory of the caller's */
    EPOLL_RECV_INTO_NOWAIT
};

/** Sockets lie in chunks that never move; a socket's name is its index. */
#define EPOLL_CHUNK      1024u
#define EPOLL_CHUNKS_MAX (1u << 14)

struct epoll_sockets {
    struct epoll_socket **chunks;
    uint32_t count; /* places that were ever used */
    uint32_t free;  /* the first of those given back */
};

/** Completions that came to be outside of a turn, or did not fit into one. A ring. */
struct epoll_posted {
    wring__completion *items;
    size_t cap; /* a power of two */
    size_t head;
    size_t count;
};

#define EPOLL_LISTENERS_MAX 4
struct epoll_listener {
    uint64_t token;
    int fd;
    bool is_armed;
    bool is_ready;
};

/** A descriptor that is waited for: registered as a duplicate, so that each wait has its own. */
struct epoll_poll {
    uint64_t token; /* 0: free */
    int fd;
    uint32_t generation;
};

struct epoll_buffers {
    size_t bytes;
    uint16_t *home; /* a stack */
    uint32_t home_count;
    uint32_t used;     /* of super.filling */
    uint32_t room_min; /* with less room, a buffer counts as full */
};

struct epoll_backend {
    struct wring__backend super;
    int fd;
    int wake_fd;
    bool has_pwait2;
    wring_duration_ns busy_poll_ns;
    struct epoll_sockets sockets;
    struct epoll_posted posted;
    uint32_t ready_head; /* sockets to receive from */
    uint32_t ready_tail;
    struct epoll_listener listeners[EPOLL_LISTENERS_MAX];
    uint32_t listener_count;
    struct epoll_poll *polls;
    uint32_t poll_count;
    struct epoll_buffers buffers;
    struct epoll_event *events;
};

/** Where a turn writes its completions. */
struct epoll_out {
    wring__completion *items;
    size_t max;
    size_t count;
};

static inline struct epoll_backend *epoll_of(wring__backend *super) {
    return (struct epoll_backend *)super;
}

static inline struct epoll_socket *epoll_socket_at(struct epoll_backend *backend, uint32_t index) {
    return &backend->sockets.chunks[index / EPOLL_CHUNK][index % EPOLL_CHUNK];
}

static inline void epoll_put(struct epoll_out *out, uint64_t token, int32_t result, uint16_t flags,
                             uint16_t buffer) {
    WRING_DEBUG_ASSERT(out->count < out->max);
    out->items[out->count++] = (wring__completion){token, result, buffer, flags};
}

/* ---- epoll.c ---- */

/** The last completion of an operation: the next turn hands it out. */
void wring__epoll_post(struct epoll_backend *backend, uint64_t token, int32_t result);

/* ---- epoll_socket.c ---- */

/** Takes the descriptor over and registers it for `events`.
 *  Returns its name, or a negative errno: the descriptor stays the caller's. */
wring__socket wring__epoll_add(struct epoll_backend *backend, int fd, uint32_t events);
/** Its place may be taken again. */
void wring__epoll_socket_forget(struct epoll_backend *backend, uint32_t index);
void wring__epoll_sockets_close(struct epoll_backend *backend);
void wring__epoll_socket_event(struct epoll_backend *backend, const struct epoll_event *event);
wring_result wring__epoll_connect(wring__backend *super, const wring__dial_config *config,
                                  uint64_t token, wring__socket *out);
bool wring__epoll_dialled(wring__backend *super, wring__socket socket);
bool wring__epoll_send(wring__backend *super, wring__socket socket, uint64_t token,
                       const struct iovec *iov, size_t count);
void wring__epoll_shutdown(wring__backend *super, wring__socket socket, uint64_t token, int how);
void wring__epoll_cancel(wring__backend *super, wring__socket socket, uint64_t target,
                         uint64_t token);
void wring__epoll_close_socket(wring__backend *super, wring__socket socket, uint64_t token);
bool wring__epoll_peer(wring__backend *super, wring__socket socket, struct sockaddr_storage *out);

/* ---- epoll_accept.c ---- */
void wring__epoll_accept(wring__backend *super, wring__socket listener, uint64_t token);
wring__socket wring__epoll_accept_now(wring__backend *super, wring__socket listener);
bool wring__epoll_accept_cancel(struct epoll_backend *backend, uint64_t target);
/** In a turn: a bounded burst from each listener that has some. */
void wring__epoll_accepts_take(struct epoll_backend *backend, struct epoll_out *out);

/* ---- epoll_recv.c ---- */
int wring__epoll_buffers_open(struct epoll_backend *backend, const wring__backend_config *config);
void wring__epoll_buffers_close(struct epoll_backend *backend);
void wring__epoll_buffers_return(wring__backend *super, const uint16_t *buffers, size_t count);
void wring__epoll_buffer_rewind(wring__backend *super, uint16_t buffer);
void wring__epoll_recv(wring__backend *super, wring__socket socket, uint64_t token);
void wring__epoll_recv_once(wring__backend *super, wring__socket socket, uint64_t token);
void wring__epoll_recv_into(wring__backend *super, wring__socket socket, uint64_t token,
                            uint8_t *data, size_t len, bool at_once);
/** Something may be received, if anything receives. */
void wring__epoll_make_ready(struct epoll_backend *backend, uint32_t index);
/** In a turn: receives from those that are ready, within the turn's share. */
void wring__epoll_receive(struct epoll_backend *backend, struct epoll_out *out);

/* ---- epoll_poll.c ---- */
void wring__epoll_poll(wring__backend *super, int descriptor, uint32_t events, uint64_t token);
bool wring__epoll_poll_cancel(struct epoll_backend *backend, uint64_t target);
void wring__epoll_poll_event(struct epoll_backend *backend, const struct epoll_event *event);
void wring__epoll_polls_close(struct epoll_backend *backend);

#endif
