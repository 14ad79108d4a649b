/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam between a worker and whatever moves its bytes. A backend queues operations, waits once a
 * turn, and hands back completions; it knows nothing of connections. Nothing here calls back, and
 * nothing costs an indirect call per message: operations are per stream and turn, completions come
 * as one array.
 *
 * Rules every backend keeps:
 *   - each operation ends with exactly one completion without WRING__COMPLETION_MORE, except a
 *     send that returned true and a send_at_once that took everything: they have none;
 *   - `token` comes back as it was given; its bits are the worker's business (core/ref.h), but
 *     that none has an operation of 0: those are the backend's own;
 *   - the iovecs of send are read before the next turn returns, the bytes until the completion;
 *   - a send may complete with fewer bytes than it was given, or with 0 when there is room again;
 *   - completions that name a receive buffer come in the order in which their bytes lie in it;
 *   - where `rewinds` is set they come in the turn that received them;
 *   - a buffer belongs to the worker from the completion without WRING__COMPLETION_BUFFER_MORE
 *     until buffers_return, and the bytes before that from theirs.
 *
 * Thread: all calls on the worker's thread, except wake.
 */
#ifndef WRING_IO_BACKEND_H
#define WRING_IO_BACKEND_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "core/base.h"
#include "wring/backend.h"

/** A socket as the backend names it: a descriptor, or an index into the backend's own table. */
typedef int wring__socket;
#define WRING__SOCKET_NONE (-1)

typedef struct wring__completion {
    uint64_t token;
    int32_t result;  /* bytes, a socket, or a negative errno */
    uint16_t buffer; /* with WRING__COMPLETION_BUFFER: which receive buffer holds the bytes */
    uint16_t flags;
} wring__completion;

#define WRING__COMPLETION_MORE   1u /* the operation stays armed: more completions follow */
#define WRING__COMPLETION_BUFFER 2u
/** The buffer is not full: the next bytes of whichever stream come behind these, in it. */
#define WRING__COMPLETION_BUFFER_MORE 4u

typedef struct wring__backend_config {
    uint32_t entries;        /* submission queue entries; 0: 1,024 */
    uint32_t buffer_count;   /* receive buffers, a power of two up to 32,768; 0: 1,024 */
    uint32_t buffer_size;    /* bytes of each; 0: WRING__BUFFER_SIZE_DEFAULT. A backend may make
                                fewer and longer ones of the same memory */
    uint32_t busy_poll_us;   /* looks for completions so long before it sleeps; 0: sleeps at once */
    uint32_t direct_sockets; /* sockets of a table of the backend's own; 0: picked */
    void *context;           /* of the wring__backend_choice */
} wring__backend_config;

/** A message of 16 KiB with its header lies in one buffer. */
#define WRING__BUFFER_SIZE_DEFAULT (16 * 1024 + 64)

/** For direct_sockets: plain descriptors only. */
#define WRING__DIRECT_NONE UINT32_MAX

typedef struct wring__listen_config {
    const char *host; /* numeric address */
    uint16_t port;    /* 0: picked */
    int backlog;
    bool reuse_port; /* others of ours listen there too */
    bool exclusive;  /* with reuse_port: the first of ours, and nobody else may listen there yet */
    void *context;   /* of the wring__backend_choice */
} wring__listen_config;

/** Where to connect to. */
typedef struct wring__dial_config {
    const struct sockaddr *address;
    const struct sockaddr *source; /* bind to it first; NULL: the system picks. Same family */
    socklen_t address_len;
    socklen_t source_len;
} wring__dial_config;

typedef struct wring__backend wring__backend;

/** Of `shutdown`: both directions at once, and the peer gets a reset instead of an end in order.
 *  What the kernel still has of the stream is dropped. */
#define WRING__SHUT_RESET 3

typedef struct wring__backend_ops {
    const char *name;
    /** Opens a listening socket, before any worker runs; `port` returns the port it got.
     *  Errors: WRING_ERR_ADDRESS with the address in the sentence. */
    wring_result (*listen)(const wring__listen_config *config, wring__socket *out, uint16_t *port,
                           wring_error *error);
    void (*unlisten)(const wring__listen_config *config, wring__socket listener);
    /** Optional. From here on no connection begins at this listener; who is turned away tries again
     *  by TCP's own means, and gets whoever listens then. Connections that have begun still come.
     */
    void (*turn_away)(wring__socket listener);
    /** Optional. With no accept under way, and none to come: a connection that waits to be
     * accepted, without waiting for one, or a negative errno: -EAGAIN when none does. */
    wring__socket (*accept_now)(wring__backend *backend, wring__socket listener);

    /** Errors: WRING_ERR_BACKEND with a sentence: what failed, why it usually does, what to do. */
    wring_result (*open)(const wring__backend_config *config, wring__backend **out,
                         wring_error *error);
    void (*close)(wring__backend *backend);

    void (*accept)(wring__backend *backend, wring__socket listener, uint64_t token); /* multishot */
    void (*recv)(wring__backend *backend, wring__socket socket, uint64_t token);     /* multishot */
    /** One receive: of read_size into a receive buffer, or into memory of the caller's.
     *  @param at_once  it does not wait: -EAGAIN when the socket has nothing */
    void (*recv_once)(wring__backend *backend, wring__socket socket, uint64_t token);
    void (*recv_into)(wring__backend *backend, wring__socket socket, uint64_t token, uint8_t *data,
                      size_t len, bool at_once);
    /** Makes a socket and begins to connect it; the address is read before the next turn returns.
     *  Errors: WRING_ERR_SYSTEM with errno set, and then no operation was queued. */
    wring_result (*connect)(wring__backend *backend, const wring__dial_config *config,
                            uint64_t token, wring__socket *out);
    /** Once a connect has completed, whatever its result, and before the socket is closed. True: it
     *  is connected to itself. NULL: there is nothing to do, and no socket ever is. */
    bool (*dialled)(wring__backend *backend, wring__socket socket);
    /** Waits once for a descriptor of a library's (c-ares): POLLIN, POLLOUT. */
    void (*poll)(wring__backend *backend, int descriptor, uint32_t events, uint64_t token);
    /** True: the socket has taken all of the bytes already, and no completion comes. */
    bool (*send)(wring__backend *backend, wring__socket socket, uint64_t token,
                 const struct iovec *iov, size_t count);
    /** A send that does not wait for room in the socket, and has no completion when it took all of
     *  its bytes. Otherwise it completes, with the bytes that it took or a negative errno (-EAGAIN:
     *  there was no room). Only where `sends_at_once` is set; see `sends_known`. */
    void (*send_at_once)(wring__backend *backend, wring__socket socket, uint64_t token,
                         const struct iovec *iov, size_t count);
    /** @param how  as shutdown(2), or WRING__SHUT_RESET */
    void (*shutdown)(wring__backend *backend, wring__socket socket, uint64_t token, int how);
    /** Asks for the early end of operation `target`; both complete, in any order.
     *  @param socket  whose operation it is; WRING__SOCKET_NONE: an accept or a poll */
    void (*cancel)(wring__backend *backend, wring__socket socket, uint64_t target, uint64_t token);
    void (*close_socket)(wring__backend *backend, wring__socket socket, uint64_t token);

    /** Submits what is queued and waits until something completes, wake is called, or `deadline`
     *  passes (0: does not wait). One system call. */
    wring_result (*turn)(wring__backend *backend, wring_time_ns deadline, wring__completion *out,
                         size_t max, size_t *count);
    void (*buffers_return)(wring__backend *backend, const uint16_t *buffers, size_t count);
    /** Only where `rewinds` is set. Nothing that was received into this buffer, which is not full,
     * is needed any more: the next bytes begin it anew, in memory that the cache holds. */
    void (*buffer_rewind)(wring__backend *backend, uint16_t buffer);
    /** Ends a wait, from any thread.
     *  @param from  the calling worker's own backend, when `backend` stays open at least until
     *               from's next turn has begun: the wake goes with that one's submit. NULL: at
     *               once, by a system call */
    void (*wake)(wring__backend *backend, wring__backend *from);
    wring_time_ns (*now)(wring__backend *backend);
    /** The peer's address; false where it is not known any more. */
    bool (*peer)(wring__backend *backend, wring__socket socket, struct sockaddr_storage *out);
} wring__backend_ops;

/** What every backend begins with. */
struct wring__backend {
    const wring__backend_ops *ops;
    uint8_t *buffers; /* buffer_count x buffer_size, back to back */
    uint32_t buffer_count;
    uint32_t buffer_size;
    uint32_t read_size; /* a receive of so much tells of a long message */
    bool waits_outside; /* a turn never waits: the clock moves between turns */
    bool sends_at_once; /* it has send_at_once */
    bool rewinds;       /* it has buffer_rewind, and keeps `filling` */
    uint16_t filling;   /* the buffer that the next bytes go to; UINT16_MAX: one that is empty */
    /* Set by turn: every send_at_once queued before it has ended, and the completions of those that
     * did not take everything have been handed out. */
    bool sends_known;
    /* Set by turn: something had come and was not looked at yet, whether or not anything completes.
     */
    bool has_more;
};

extern const wring__backend_ops wring__backend_uring;
extern const wring__backend_ops wring__backend_epoll;

/** @param backend  not AUTO: wring_backend_pick comes first */
const wring__backend_ops *wring__backend_ops_of(wring_backend backend);

/** Which backend the workers of a server or pool run on. */
typedef struct wring__backend_choice {
    const wring__backend_ops *ops;
    void *context;  /* handed to open and listen: what the backend stands on, if not the kernel */
    bool is_driven; /* no thread is started: whoever started the server or pool drives the turns */
} wring__backend_choice;

static inline uint8_t *wring__backend_buffer(const wring__backend *backend, uint16_t buffer) {
    return backend->buffers + (size_t)buffer * backend->buffer_size;
}

#endif
