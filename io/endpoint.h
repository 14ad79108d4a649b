/* SPDX-License-Identifier: Apache-2.0
 *
 * An endpoint: what a slot of a worker's slot table names. It is a connection (io/conn.h), a stream
 * that is multiplexed with others on one, or a mere name, which only gets mail (an exchange). Its
 * owner, above io/, appends bytes to `out`, sets
 * a deadline, gets mail, and is called by its ops; which kind it is makes no difference to it.
 *
 * The functions here do their work for a connection directly, and ask the multiplexer
 * (wring__mux_ops) for any other kind. Thread: the owning worker.
 */
#ifndef WRING_IO_ENDPOINT_H
#define WRING_IO_ENDPOINT_H

#include "core/mail.h"
#include "core/outq.h"
#include "core/wheel.h"

typedef struct wring__worker wring__worker;
typedef struct wring__conn wring__conn;
typedef struct wring__endpoint wring__endpoint;
struct wring__tls;

enum wring__end_kind { WRING__END_CONN, WRING__END_MUX, WRING__END_NAME };

/** A multiplexed stream is OPEN, DRAINING, TEARDOWN (aborted; its memory is freed soon) or CLOSED
 *  only; see io/conn.h for the rest. In DRAINING its multiplexer sets the timer, after which the
 *  stream is aborted: nobody waits without end for the end of the other side. */
enum wring__end_state {
    WRING__END_CONNECTING,
    WRING__END_OPEN,
    WRING__END_DRAINING,
    WRING__END_LINGERING,
    WRING__END_TEARDOWN,
    WRING__END_CLOSING,
    WRING__END_CLOSED
};

/** Why an endpoint is not read. Whoever sets a reason clears it. */
enum wring__rx_stop {
    WRING__RX_STOP_FULL = 1,     /* more than pause_bytes are queued; until half of that is left */
    WRING__RX_STOP_PAUSED = 2,   /* the application wants no more: wring_session_pause */
    WRING__RX_STOP_INBOX = 4,    /* nobody takes what came: a client's full inbox */
    WRING__RX_STOP_MEMORY = 8,   /* worker->rx_stopped: the memory budget */
    WRING__RX_STOP_YIELDED = 16, /* the owner goes on with what it has in another turn */
    WRING__RX_STOP_LANE = 32,    /* a connection whose next long run waits for a lane */
    WRING__RX_STOP_BUFFERS = 64, /* a receive found no buffer, and nothing was received since */
    WRING__RX_STOP_ANSWER = 128  /* enough was received behind a request that has no answer yet */
};

/** With one of these the owner is given nothing more, also of what was received already. */
#define WRING__RX_STOP_GIVING                                                                      \
    (WRING__RX_STOP_FULL | WRING__RX_STOP_PAUSED | WRING__RX_STOP_INBOX | WRING__RX_STOP_MEMORY |  \
     WRING__RX_STOP_YIELDED | WRING__RX_STOP_ANSWER)

/** The reasons by name, for traces and tests: "FULL PAUSED", or "-". */
const char *wring__rx_stop_names(uint8_t reasons, char out[64]);

/** The owner's side. Called in the dispatch, mail and timer phases of a turn, only in state OPEN,
 *  except `closed`, and `failed` for a connection that could not be made. */
typedef struct wring__end_ops {
    const char *name;
    void (*connected)(wring__endpoint *end); /* dialled connections: now OPEN */
    /** Bytes came: borrowed and writable for the call. `block`: what they lie in, if the owner may
     *  keep them longer by a reference to it; or NULL. */
    void (*rx)(wring__endpoint *end, wring_mut_bytes bytes, wring__block *block);
    void (*eof)(wring__endpoint *end); /* the peer sends no more */
    /** The stream broke: WRING_ERR_TRANSPORT or _CONNECT (with errno: wring__end_errno), or an
     * error of TLS (wring__tls_reason says why). It is ended when this returns. */
    void (*failed)(wring__endpoint *end, wring_result reason);
    void (*timer)(wring__endpoint *end); /* the deadline passed */
    void (*mail)(wring__endpoint *end, const wring__mail *mail);
    void (*asked)(wring__endpoint *end);  /* after wring__end_ask, or because of tell_drained */
    void (*resume)(wring__endpoint *end); /* a turn after wring__end_yield, which needs it */
    void (*closed)(wring__endpoint *end); /* last call: frees the memory */
    /** Optional, both: how many bytes the frame in progress lacks; a block with room for some of
     *  them (`at`, `len`), which then come by rx from there, or NULL. */
    uint64_t (*missing)(wring__endpoint *end);
    wring__block *(*room)(wring__endpoint *end);
    /** Of a connection that carries streams (conn->carries): called in the flush phase, also while
     * a send is under way, since streams that are over must not wait for a peer that takes no
     * bytes. Appends what is to go out next, and no more than that. */
    void (*fill)(wring__endpoint *end);
    /** Optional: the TLS handshake of a connection is over. For who speaks first, and in another
     *  way by what ALPN agreed on. */
    void (*secured)(wring__endpoint *end);
} wring__end_ops;

struct wring__endpoint {
    const wring__end_ops *ops;
    wring__worker *worker;
    wring__outq out;
    wring_timer timer;
    union {                          /* what stands between `out` and the wire; NULL: nothing */
        struct wring__conn_tls *tls; /* of a connection */
        struct wring__mux *mux;      /* of a multiplexed stream; never NULL */
        void *below;
    };
    uint32_t slot;
    uint32_t generation;
    uint8_t state;
    uint8_t kind;
    uint8_t rx_stop;       /* why nothing is read: a set of wring__rx_stop */
    uint8_t owner_flags;   /* the owner's own */
    bool asked : 1;        /* the owner wants a call in the dispatch phase */
    bool tell_drained : 1; /* ... once the queue is at worker->drained_bytes */
    bool tx_moved : 1;     /* the kernel took bytes; cleared by wring__end_take_tx_moved */
    bool is_patient : 1;   /* its last bytes have worker->patience_ns, as long as none moves */
};

/** What a multiplexer does for its endpoints. It links those that need something into its own lists
 *  and makes its connection dirty or ready. */
typedef struct wring__mux_ops {
    const char *name;
    void (*flush)(wring__endpoint *end); /* something was appended to end->out */
    void (*shut)(wring__endpoint *end);  /* end in order, after what is queued */
    void (*abort)(wring__endpoint *end); /* end at once */
    void (*late)(wring__endpoint *end);  /* a deadline passed while its end is waited for */
    void (*fail)(wring__endpoint *end, int system_errno); /* as wring__conn_break */
    void (*look)(wring__endpoint *end); /* it was asked for something, or may be given more */
    bool (*is_broken)(const wring__endpoint *end);
    uint64_t (*kept)(const wring__endpoint *end); /* bytes received and not given yet */
} wring__mux_ops;

/** What every multiplexer begins with. */
typedef struct wring__mux {
    const wring__mux_ops *ops;
    wring__conn *conn;
} wring__mux;

/** The connection it is, or is carried by. */
wring__conn *wring__end_conn(const wring__endpoint *end);

/** The TLS stream of that connection; NULL for a plain one. */
struct wring__tls *wring__end_tls(const wring__endpoint *end);

uint64_t wring__end_unsent_below(const wring__endpoint *end);

/** Bytes queued and not yet taken by the kernel or the multiplexer. */
static inline uint64_t wring__end_unsent(const wring__endpoint *end) {
    return end->below == NULL ? end->out.bytes : wring__end_unsent_below(end);
}

void wring__end_flush_below(wring__endpoint *end);
void wring__worker_make_dirty(wring__worker *worker, wring__conn *conn);

/** Something was appended to end->out: it is sent in this turn's flush. */
static inline void wring__end_flush(wring__endpoint *end) {
    if (WRING_LIKELY(end->kind == WRING__END_CONN)) { /* a connection begins with its endpoint */
        wring__worker_make_dirty(end->worker, (wring__conn *)(void *)end);
    } else {
        wring__end_flush_below(end);
    }
}

/** The owner is done: sends what is queued, then ends the stream in order. */
void wring__end_shut(wring__endpoint *end);

/** Before wring__end_shut: the peer is still sending what nobody wants. It is dropped for up to 2 s
 *  rather than 200 ms, since a reset would make the peer lose what was sent to it. */
void wring__end_linger_longer(wring__endpoint *end);

/** Before wring__end_shut: its last bytes may wait as long as the owner lets answers wait
 *  (worker->patience_ns), and not for 10 s. */
static inline void wring__end_be_patient(wring__endpoint *end) {
    end->is_patient = true;
}

/** When it is aborted from now on, a connection is reset: the peer must not take its end for one in
 *  order. */
void wring__end_reset_at_abort(wring__endpoint *end);

/** Ends the stream at once; what is queued is lost. */
void wring__end_abort(wring__endpoint *end);

/** Marks the stream as broken: the owner's `failed` is called in the dispatch phase. */
void wring__end_break(wring__endpoint *end, int system_errno);
bool wring__end_is_broken(const wring__endpoint *end);
/** The errno that broke it, or its connection; 0. */
int32_t wring__end_errno(const wring__endpoint *end);

/** Has the owner's `asked` called in the dispatch phase. */
void wring__end_ask(wring__endpoint *end);

/** Reads no further for that reason, as well; in a callback of rx, when that returns. */
void wring__end_rx_stop(wring__endpoint *end, enum wring__rx_stop reason);

/** The reason is over: reads on unless there are others. */
void wring__end_rx_go(wring__endpoint *end, enum wring__rx_stop reason);

/** After the owner was given something: sets FULL and MEMORY where they apply.
 *  Returns whether it may be given no more. */
bool wring__end_rx_look(wring__endpoint *end);

/** After bytes were sent: clears FULL when half of the queue is gone. */
void wring__end_rx_drained(wring__endpoint *end);

static inline bool wring__end_is_stopped(const wring__endpoint *end) {
    return (end->rx_stop & WRING__RX_STOP_GIVING) != 0;
}

/** The owner has done enough for this turn, and kept what is left, also of bytes it was given.
 *  Nothing more is read; `resume` is called in the dispatch phase, once or twice until the end of
 *  the next turn. A multiplexer does not call it in this turn once it has given another stream
 *  bytes: what a session may have of a turn is counted for one after the other. */
void wring__end_yield(wring__endpoint *end);

/** Whether the peer's silence is ours: we do not read what it may have sent, or it takes what we
 *  send as fast as it can and is not read meanwhile. Ask before its silence is held against it. */
bool wring__end_is_deaf(const wring__endpoint *end);

/** Whether the kernel took bytes since this was last asked. */
static inline bool wring__end_take_tx_moved(wring__endpoint *end) {
    const bool moved = end->tx_moved;
    end->tx_moved = false;
    return moved;
}

/** Bytes it holds: queued, and received while paused. */
uint64_t wring__end_held_bytes(const wring__endpoint *end);

/** Sets the owner's deadline; WRING_TIME_NEVER for none. Ignored unless OPEN. */
void wring__end_set_deadline(wring__endpoint *end, wring_time_ns deadline);

/** As wring__end_set_deadline, but never later than the one set: an owner whose deadline moves with
 *  every byte looks again when it is called, and sets no timer for each message. */
static inline void wring__end_bring_deadline(wring__endpoint *end, wring_time_ns deadline) {
    const bool set = wring__wheel_is_set(&end->timer);
    if (deadline != WRING_TIME_NEVER && (!set || end->timer.deadline > deadline)) {
        wring__end_set_deadline(end, deadline);
    }
}

/** For whoever carries endpoints: a slot and a generation for a zeroed one, in `state`. The number
 *  of endpoints of a worker is bounded by its slots.
 *  Errors: WRING_ERR_TOO_MANY_CONNECTIONS, WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__end_init(wring__endpoint *end, wring__worker *worker,
                                              const wring__end_ops *ops);

/** For the multiplexer, or who has a name: it is over. Its slot is free, its queue empty, and
 *  `closed` is called: the memory is gone. Not from within a callback of the endpoint. */
void wring__end_close(wring__endpoint *end);

#endif
