/* SPDX-License-Identifier: Apache-2.0
 *
 * The byte pump of one stream: received bytes go up to whoever owns the connection, queued bytes
 * go down, one send in flight at a time. It knows no protocol.
 *
 *     connecting -> open -> draining -> lingering -> teardown -> closing -> closed
 *
 *   connecting we dialled; no answer yet
 *   open       bytes flow
 *   draining   the owner is done: what is queued still goes out, what comes in is dropped
 *   lingering  our side is shut; waits briefly for the peer's end, so that a close frame is not
 *              overtaken by a reset (RFC 6455 7.1.1)
 *   teardown   shut both ways, receive cancelled; waits for every completion
 *   closing    the socket is being closed
 *   closed     the slot is free; the owner frees the memory
 *
 * With TLS (wring__conn_secure) the owner still sees and queues plaintext; io/conn_tls.c stands
 * between the two queues.
 *
 * Embedded first in the owner's struct. Thread: the owning worker.
 */
#ifndef WRING_IO_CONN_H
#define WRING_IO_CONN_H

#include "io/backend.h"
#include "io/endpoint.h"
#include "io/recv.h"
#include "io/tls.h"

struct wring__conn {
    wring__endpoint super;
    wring__conn *ready_next; /* has received bytes, an end or an error to tell */
    wring__conn *dirty_next; /* has bytes to send */
    union {
        struct wring__stash *stash; /* bytes received while paused */
        wring__block *direct;       /* with is_direct: where a receive writes to, or wrote to */
    };
    wring__socket socket;
    int32_t error;              /* errno that broke the stream */
    wring__recv_chain received; /* received bytes that wait for their dispatch */
    uint8_t pending;            /* operations the kernel still owes a last completion for */
    bool recv_armed : 1;
    bool recv_cancelled : 1; /* its cancel is under way */
    bool send_in_flight : 1;
    bool is_ready : 1;
    bool is_dirty : 1;
    bool is_dead : 1;
    bool resets : 1; /* when it is aborted, the peer is to see that it broke */
    bool eof : 1;
    bool eof_told : 1;
    bool broken : 1;
    bool connected_told : 1;
    uint8_t one_shot : 2; /* receives one by one: its frames are long (io/conn_long.h) */
    bool is_direct : 1;
    bool long_more : 1; /* the last receive filled the owner's room: the socket has more */
    bool has_lane : 1;  /* it receives a long run */
    uint8_t long_receives : 3;
    bool dialled : 1;        /* by us */
    bool sent_at_once : 1;   /* the send in flight does not wait: the worker's list has it */
    bool send_waits : 1;     /* the socket was full: sends wait for room until the queue is empty */
    bool lingers_longer : 1; /* the peer is still sending, and has to see what was sent to it */
    bool carries : 1; /* streams: what goes out is asked for when it is about to (ops->fill) */
};

/** Takes a connected socket over: a slot, a generation, and receiving is armed.
 *  Errors: WRING_ERR_TOO_MANY_CONNECTIONS, WRING_ERR_NO_MEMORY; the socket stays the caller's. */
WRING_MUST_CHECK wring_result wring__conn_open(wring__conn *conn, wring__worker *worker,
                                               const wring__end_ops *ops, wring__socket socket);

/** Dials: a slot, a generation, a socket that is connecting. `config`'s addresses must stay until
 *  the next turn.
 *  Errors: WRING_ERR_SYSTEM (errno), WRING_ERR_TOO_MANY_CONNECTIONS, WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__conn_connect(wring__conn *conn, wring__worker *worker,
                                                  const wring__end_ops *ops,
                                                  const wring__dial_config *config);

/** From here on the stream is TLS, in the role of the context.  @param server_name, session, alpn
 *  as in wring__tls_options.  Errors: those of wring__tls_create. */
WRING_MUST_CHECK wring_result wring__conn_secure(wring__conn *conn, wring__tls_context *context,
                                                 const char *server_name,
                                                 const wring__tls_session *session,
                                                 wring_bytes alpn);

/** The TLS stream; NULL for a plain one. */
wring__tls *wring__conn_tls_of(const wring__conn *conn);

/** The owner is done: sends what is queued, then ends the stream in order. */
void wring__conn_shut(wring__conn *conn);

/** Ends the stream at once; what is queued is lost. */
void wring__conn_abort(wring__conn *conn);

/** Marks the stream as broken: the owner's `failed` is called in the dispatch phase. */
void wring__conn_break(wring__conn *conn, int system_errno);

/** Bytes it holds: queued, and received while paused. */
uint64_t wring__conn_held(const wring__conn *conn);

/** For the worker: a completion of this connection, the phases of its turn. */
void wring__conn_complete(wring__conn *conn, unsigned op, const wring__completion *completion);
void wring__conn_dispatch(wring__conn *conn);
void wring__conn_send(wring__conn *conn);
void wring__conn_timer(wring__conn *conn);
/** The send at once under way took everything. */
void wring__conn_took_all(wring__conn *conn, size_t bytes);

#endif
