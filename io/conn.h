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

#include "core/mailbox.h"
#include "core/outq.h"
#include "core/wheel.h"
#include "io/backend.h"
#include "io/recv.h"
#include "io/tls.h"

typedef struct wring__worker wring__worker;
typedef struct wring__conn wring__conn;

enum wring__conn_state {
    WRING__CONN_CONNECTING,
    WRING__CONN_OPEN,
    WRING__CONN_DRAINING,
    WRING__CONN_LINGERING,
    WRING__CONN_TEARDOWN,
    WRING__CONN_CLOSING,
    WRING__CONN_CLOSED
};

/** The owner's side. Called in the dispatch, mail and timer phases of a turn, only in state OPEN,
 *  except `closed`, and `failed` for one that could not connect. */
typedef struct wring__conn_ops {
    const char *name;
    void (*connected)(wring__conn *conn);                 /* dialled ones only: now OPEN */
    void (*rx)(wring__conn *conn, wring_mut_bytes bytes); /* borrowed and writable for the call */
    void (*eof)(wring__conn *conn);                       /* the peer sends no more */
    /** The stream broke: WRING_ERR_TRANSPORT or _CONNECT (errno in conn->error), or an error of TLS
     *  (wring__tls_reason says why). It is ended when this returns. */
    void (*failed)(wring__conn *conn, wring_result reason);
    void (*timer)(wring__conn *conn); /* the deadline passed */
    void (*mail)(wring__conn *conn, const wring__mail *mail);
    void (*asked)(wring__conn *conn);  /* after wring__conn_ask or conn->tell_drained */
    void (*resume)(wring__conn *conn); /* a turn after wring__conn_yield, which needs it */
    void (*closed)(wring__conn *conn); /* last call: frees the memory */
    /** Optional, both: how many bytes the frame in progress lacks; a block with room for some of
     *  them (`at`, `len`), which then come by rx from there, or NULL. */
    uint64_t (*missing)(wring__conn *conn);
    wring__block *(*room)(wring__conn *conn);
} wring__conn_ops;

struct wring__conn {
    const wring__conn_ops *ops;
    wring__worker *worker;
    wring__outq out;
    wring_timer timer;
    wring__conn *ready_next; /* has received bytes, an end or an error to tell */
    wring__conn *dirty_next; /* has bytes to send */
    union {
        struct wring__stash *stash; /* bytes received while paused */
        wring__block *direct;       /* with is_direct: where a receive writes to, or wrote to */
    };
    struct wring__conn_tls *tls; /* NULL: plain */
    wring__socket socket;
    uint32_t slot;
    uint32_t generation;
    int32_t error;              /* errno that broke the stream */
    wring__recv_chain received; /* received bytes that wait for their dispatch */
    uint8_t state;
    uint8_t pending; /* operations the kernel still owes a last completion for */
    bool recv_armed : 1;
    bool send_in_flight : 1;
    bool is_ready : 1;
    bool is_dirty : 1;
    bool is_dead : 1;
    bool eof : 1;
    bool eof_told : 1;
    bool broken : 1;
    bool connected_told : 1;
    bool paused : 1; /* nothing is read: too much is queued, or for one of the next two */
    bool held : 1;
    bool yielded : 1;     /* the owner is not done with what it was given */
    uint8_t one_shot : 2; /* receives one by one: its frames are long (io/conn_long.h) */
    bool is_direct : 1;
    bool long_more : 1;  /* the last receive filled the owner's room: the socket has more */
    bool has_lane : 1;   /* it receives a long run */
    bool long_waits : 1; /* for a lane: no receive is armed */
    uint8_t long_receives : 3;
    bool dialled : 1;      /* by us */
    bool asked : 1;        /* the owner wants a call in the dispatch phase */
    bool tell_drained : 1; /* ... once the queue is at worker->drained_bytes */
    bool tx_moved : 1;     /* the kernel took bytes; cleared by wring__conn_take_tx_moved */
    bool starved : 1;      /* a receive found no buffer, and nothing was received since */
    bool sent_at_once : 1; /* the send in flight does not wait: the worker's list has it */
    bool send_waits : 1;   /* the socket was full: sends wait for room until the queue is empty */
};

/** Takes a connected socket over: a slot, a generation, and receiving is armed.
 *  Errors: WRING_ERR_TOO_MANY_CONNECTIONS, WRING_ERR_NO_MEMORY; the socket stays the caller's. */
WRING_MUST_CHECK wring_result wring__conn_open(wring__conn *conn, wring__worker *worker,
                                               const wring__conn_ops *ops, wring__socket socket);

/** Dials: a slot, a generation, a socket that is connecting. `config`'s addresses must stay until
 *  the next turn.
 *  Errors: WRING_ERR_SYSTEM (errno), WRING_ERR_TOO_MANY_CONNECTIONS, WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__conn_connect(wring__conn *conn, wring__worker *worker,
                                                  const wring__conn_ops *ops,
                                                  const wring__dial_config *config);

/** From here on the stream is TLS, in the role of the context.  @param server_name, session
 *  as in wring__tls_options.  Errors: those of wring__tls_create. */
WRING_MUST_CHECK wring_result wring__conn_secure(wring__conn *conn, wring__tls_context *context,
                                                 const char *server_name,
                                                 const wring__tls_session *session);

/** The TLS stream; NULL for a plain one. */
wring__tls *wring__conn_tls_of(const wring__conn *conn);

/** Whether the peer's silence is ours: we do not read what it may have sent, or it takes what we
 *  send as fast as it can and is not read meanwhile. Ask before its silence is held against it. */
bool wring__conn_is_deaf(const wring__conn *conn);

/** Whether the kernel took bytes since this was last asked. */
bool wring__conn_take_tx_moved(wring__conn *conn);

/** Bytes queued and not yet taken by the kernel. */
uint64_t wring__conn_unsent(const wring__conn *conn);

/** Something was appended to conn->out: it is sent in this turn's flush. */
void wring__conn_flush(wring__conn *conn);

/** The owner is done: sends what is queued, then ends the stream in order. */
void wring__conn_shut(wring__conn *conn);

/** Ends the stream at once; what is queued is lost. */
void wring__conn_abort(wring__conn *conn);

/** Marks the stream as broken: the owner's `failed` is called in the dispatch phase. */
void wring__conn_break(wring__conn *conn, int system_errno);

/** Has the owner's `asked` called in the dispatch phase. */
void wring__conn_ask(wring__conn *conn);

/** Reads no further when too much is queued; true when it is so now. */
bool wring__conn_pause_when_full(wring__conn *conn);

/** Sets the owner's deadline; WRING_TIME_NEVER for none. Ignored unless OPEN. */
void wring__conn_set_deadline(wring__conn *conn, wring_time_ns deadline);

/** As wring__conn_set_deadline, but never later than the one set: an owner whose deadline moves
 * with every byte looks again when it is called, and sets no timer for each message. */
void wring__conn_bring_deadline(wring__conn *conn, wring_time_ns deadline);

/** Bytes it holds: queued, and received while paused. */
uint64_t wring__conn_held(const wring__conn *conn);

/** worker->rx_stopped is over: reads on, unless something else holds it. */
void wring__conn_read_on(wring__conn *conn);

/** Reads no further until wring__conn_unhold; the owner has no room. */
void wring__conn_hold(wring__conn *conn);
void wring__conn_unhold(wring__conn *conn);

/** The owner has done enough for this turn, and kept what is left, also of bytes it was given.
 *  Nothing more is read; `resume` is called in the dispatch phase, once or twice until the end of
 * the next turn. */
void wring__conn_yield(wring__conn *conn);

/** For the worker: a completion of this connection, the phases of its turn. */
void wring__conn_complete(wring__conn *conn, unsigned op, const wring__completion *completion);
void wring__conn_dispatch(wring__conn *conn);
void wring__conn_send(wring__conn *conn);
void wring__conn_timer(wring__conn *conn);
/** The send at once under way took everything. */
void wring__conn_took_all(wring__conn *conn, size_t bytes);

#endif
