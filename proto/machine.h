/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a machine, for the session and for tests. The public contract is wring/machine.h.
 *
 * Two machines share the struct: receiving (header -> payload -> header ...) and the life of the
 * connection (ready -> open -> closing -> closed). An idle machine holds no buffer.
 */
#ifndef WRING_PROTO_MACHINE_H
#define WRING_PROTO_MACHINE_H

#include "core/count.h"
#include "core/outq.h"
#include "proto/deflate.h"
#include "proto/frame.h"
#include "wring/machine.h"

/** Where the receiving machine stands. */
enum wring__rx_phase {
    WRING__RX_HEADER,  /* collecting the header of the next frame */
    WRING__RX_PAYLOAD, /* taking the payload of the frame whose header is known */
    WRING__RX_INFLATE  /* the whole compressed message is here, and some of it is inflated */
};

/** What the peer let pass that ended the machine. */
enum wring__silence {
    WRING__SILENCE_NONE, /* nothing: the owner's own timeout, or another end */
    WRING__SILENCE_CLOSE,
    WRING__SILENCE_IDLE,
    WRING__SILENCE_PING
};

/** A frame or message that is not over yet. Exists only between its first byte and its last: what
 *  is whole in the bytes at hand needs none, and an idle machine has none. */
typedef struct wring__rx {
    struct wring__rx *next; /* in the list of kept ones */

    /* the message under assembly: only when a frame straddles feeds or a message is fragmented */
    wring__block *block; /* what it lies in */
    uint8_t *assembly;   /* its bytes */
    size_t assembly_len;
    size_t assembly_cap;
    uint64_t fragment_bytes; /* what the open message's fragments are charged for */
    uint8_t *control;        /* payload of a control frame that straddles feeds */
    uint8_t *inflated;       /* the compressed message shown last; machine->deflate's */
    size_t inflated_cap;

    /* with WRING__RX_INFLATE */
    wring_bytes compressed; /* the message: in the assembly, in the bytes fed, or in `kept` */
    wring__inflation inflation;
    wring__block *kept; /* the message and what was fed behind it: what was lent had to go back */
    size_t charged;     /* of the output so far, to the worker's memory */

    uint64_t message_bytes_max; /* as it was when the open message began: a limit that is changed
                                   counts from the next message on */

    /* the frame being received */
    uint64_t payload_left;
    uint32_t key;
    uint32_t utf8; /* validator state of the text message, across frames and feeds */
    uint8_t header[WRING__FRAME_HEADER_MAX];
    uint8_t header_len; /* bytes of it collected over feeds */
    uint8_t key_phase;  /* index into the masking key of the next payload byte */
    uint8_t frame_opcode;
    uint8_t message_opcode; /* TEXT or BINARY while a fragmented message is open, else 0 */
    uint8_t control_len;
    uint8_t phase;
    bool frame_fin : 1;
    bool frame_masked : 1;
    bool assembly_lent : 1;      /* the last event showed it: free to reuse with the next call */
    bool message_compressed : 1; /* the first frame of the open message had RSV1 */
    bool pong_owed : 1;          /* the answer to the latest ping: too many wait before it */
    uint8_t pong_len;
    uint8_t pong[WRING_CONTROL_PAYLOAD_MAX];
} wring__rx;

/** An answer shorter than this is copied even if it is the message shown: that costs less than the
 *  count of references. */
#define WRING__REFERENCE_MIN 512

/** The bytes at hand, what they lie in, and the large message of them that was shown last. The
 *  sessions of a worker are fed one after the other, so they share one. */
typedef struct wring__feed {
    wring__block *block; /* what the bytes lie in, if they may be kept by a reference; or NULL */
    const uint8_t *from; /* where they begin */
    /* While the callback of a large message runs: a reply with the very same bytes is queued as a
     * reference to them. */
    const uint8_t *shown;
    size_t shown_len; /* 0: none */
    wring__block *shown_block;
    /* The message before was answered so, and the next one follows it: where that answer ends. The
     * next payload is unmasked to just where its own answer would have it, so that the answers to
     * a burst of messages are one run of bytes. */
    const uint8_t *burst_in; /* the frame this is about begins here; NULL: none */
    uint8_t *burst_end;
} wring__feed;

/** What the sessions of one worker and configuration have in common: each keeps one pointer. */
typedef struct wring__machine_common {
    wring_session_config config; /* adopted */
    wring_role role;
    wring__chunk_cache *cache;                /* NULL: malloc */
    const struct wring__session_owner *owner; /* of sessions; NULL: an embedder (session.h) */
    wring__feed feed;
    /** Asked for each message and control frame before the handler is; NULL: all are let in. What
     * it returns instead of WRING_OK ends the session. */
    wring_result (*admit)(struct wring_session *session, const wring_message *message);
    bool admit_controls_only;         /* text and binary messages are let in without asking */
    uint64_t queue_max;               /* bytes queued to a peer, above which no message is taken */
    struct wring__pending **pendings; /* of the sessions with messages that wait */
    uint32_t pending_count;
    uint32_t pending_cap;
    wring__message_counts *counts;
    wring__message_counts own_counts; /* where nobody else keeps them */
    uint64_t *lost; /* counts messages that waited when their machine ended; or NULL */
    wring__rx *rx_kept;
    uint32_t rx_kept_count;
    uint32_t rx_kept_max;
    size_t rx_kept_bytes; /* of their assemblies */
} wring__machine_common;

/** One per connection, most of them idle: it is kept small. The out queue and the
 *  handler's state lie in the block of memory the machine lies in, so their place is a distance. */
struct wring_machine {
    wring__machine_common *common;
    wring__rx *rx;           /* NULL: between messages */
    wring__deflate *deflate; /* NULL: not negotiated */

    /* bytes lent by feed and not yet used */
    uint8_t *in;
    size_t in_len;

    uint64_t activity_ns; /* when the last bytes came; CLOSING: when the close began, 0 not known */
    uint64_t ping_ns;     /* with ping_sent: when the ping was sent, or withheld */
    int16_t out_distance;
    int16_t user_distance; /* 0: no state */
    uint16_t end_code;
    int16_t end_result;
    uint32_t pending_at; /* 1 + place in common->pendings; 0: no message waits */
    uint8_t state;
    uint8_t pongs; /* queued since the queue was last drained */
    bool close_sent : 1;
    bool close_received : 1;
    bool end_pending : 1; /* WRING_EVENT_END is owed */
    bool end_by_peer : 1;
    bool ping_sent : 1;     /* since the last byte received: a sign of life is awaited */
    bool ping_withheld : 1; /* with ping_sent: what was queued before has to be taken first */
    bool tx_waits : 1;      /* as told: bytes are queued that the kernel has not taken */
    bool tx_moved : 1;      /* as told: the kernel took some since the ping */
    bool owned : 1;         /* made by wring_machine_create: out belongs to the machine */
    bool pong_seen : 1;     /* an empty pong came: the answer to a keepalive ping */
    bool message_open : 1;  /* one was begun in fragments and is not ended */
    bool send_gated : 1;    /* not every frame may be sent: not OPEN, closing, or message_open */
    uint8_t silence : 2;    /* wring__silence: with end_result WRING_ERR_TIMEOUT */
};

static inline void *wring__machine_user(const wring_machine *machine) {
    return machine->user_distance == 0 ? NULL
                                       : (uint8_t *)(uintptr_t)machine + machine->user_distance;
}

static inline wring__outq *wring__machine_out(const wring_machine *machine) {
    return (wring__outq *)(void *)((uint8_t *)(uintptr_t)machine + machine->out_distance);
}

/** Fills in the defaults and checks.
 *  Errors: WRING_ERR_INVALID_CONFIG; `error` names the first bad field. */
WRING_MUST_CHECK wring_result wring__session_config_adopt(const wring_session_config *in,
                                                          wring_session_config *out,
                                                          wring_error *error);

/** @param config  adopted; copied.   Own: cache is borrowed for the life of `common`. */
void wring__machine_common_init(wring__machine_common *common, wring_role role,
                                const wring_session_config *config, wring__chunk_cache *cache);
/** Gives back what is kept of `cache`, and keeps no more: deinit then touches no cache, and may be
 *  called on any thread.   Thread: the cache's. */
void wring__machine_common_rest(wring__machine_common *common);
/** Its sessions are over. Legal on a zeroed one.   Thread: the cache's, unless it rests. */
void wring__machine_common_deinit(wring__machine_common *common);

/** Initialises a machine in the caller's storage.
 *  Own: common and out are borrowed for the machine's life; out lies within 32 KiB of it. */
void wring__machine_init(wring_machine *machine, wring__machine_common *common, wring__outq *out);

/** Where the handler's state is: within 32 KiB of the machine, or NULL. */
void wring__machine_set_user(wring_machine *machine, void *user);

/** Frees what the machine holds; the out queue is its owner's. Legal on a zeroed machine. */
void wring__machine_deinit(wring_machine *machine);

/** Compression was negotiated: in state READY.  Own: takes. */
void wring__machine_use_deflate(wring_machine *machine, wring__deflate *deflate);

/** Compresses with `contexts`, as `params` says. NULL contexts: does nothing.
 *  Errors: WRING_ERR_INVALID_CONFIG (no params), WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__machine_deflate_with(wring_machine *machine,
                                                          wring_deflate *contexts,
                                                          const wring_deflate_params *params,
                                                          wring_error *error);

/** Errors: WRING_ERR_INVALID_CONFIG. */
WRING_MUST_CHECK wring_result wring__role_check(wring_role role, wring_error *error);

/** wring_machine_feed of bytes that lie in `block`: what is answered by reference keeps it. The
 * next feed, of whichever machine, may come when this one's events have been taken.
 *  @param block  NULL: nothing may be kept */
WRING_MUST_CHECK wring_result wring__machine_feed(wring_machine *machine, wring_mut_bytes bytes,
                                                  wring__block *block, uint64_t now_ns);

/** Where the next bytes of the frame in progress may be written (`at` and `len` of the block): they
 *  are then fed from there, and nothing is copied. The room grows with what was received, and stays
 *  until they are fed.  NULL: no frame is under way, or there is no memory for it. */
wring__block *wring__machine_rx_room(wring_machine *machine);

/** Payload bytes that the frame in progress still lacks. */
uint64_t wring__machine_rx_missing(const wring_machine *machine);

/** The same as wring_machine_send, however much is queued already: for what was admitted as a
 *  whole.  Errors: those of wring_machine_send but WRING_ERR_QUEUE_FULL. */
WRING_MUST_CHECK wring_result wring__machine_send_admitted(wring_machine *machine,
                                                           const wring_frame *frame);

/** Queues a shared message: one framing for all server sessions. The caller has written its header
 *  with wring__machine_frame_shared. Errors as wring_machine_send. */
WRING_MUST_CHECK wring_result wring__machine_send_shared(wring_machine *machine,
                                                         wring__shared *shared);

/** Ends the machine on the application's wish: a close frame (1000, if none was queued yet) goes
 *  out, then the stream is shut without waiting for the peer's. */
void wring__machine_stop(wring_machine *machine);

/** The stream took what was queued, or most of it: a pong that is owed goes out. */
void wring__machine_drained(wring_machine *machine);

/** A pong waits for wring__machine_drained. */
static inline bool wring__machine_owes_pong(const wring_machine *machine) {
    return machine->rx != NULL && machine->rx->pong_owed;
}

/** What a message that waits counts for besides its payload: else empty ones could wait without
 *  end. */
#define WRING__WAITING_OVERHEAD 64

/** Messages taken that are not queued yet, in bytes: all of them, and those behind the first. That
 *  one is being compressed, over several turns, and no peer is slow for it. (machine_pending.c) */
uint64_t wring__machine_pending_bytes(const wring_machine *machine);
uint64_t wring__machine_pending_behind(const wring_machine *machine);

/** Bytes it holds of a message under assembly, being inflated or being compressed. */
static inline uint64_t wring__machine_held(const wring_machine *machine) {
    const wring__rx *rx = machine->rx;
    const uint64_t of_rx =
        rx == NULL ? 0 : rx->assembly_cap + rx->charged + (rx->kept == NULL ? 0 : rx->kept->cap);
    return of_rx + wring__machine_pending_bytes(machine);
}

static inline bool wring__machine_is_inflating(const wring_machine *machine) {
    return machine->rx != NULL && machine->rx->phase == WRING__RX_INFLATE;
}

/** It has had its share of this turn, and goes on with bytes it has kept: to be called in another
 *  turn, wring__machine_pending_go_on and for events, and fed nothing before. Only for who calls
 *  wring__machine_turn. */
static inline bool wring__machine_has_more(const wring_machine *machine) {
    return (machine->pending_at != 0 && !machine->message_open) ||
           wring__machine_is_inflating(machine);
}
void wring__machine_pending_go_on(wring_machine *machine);
/** Gives them up: nothing can be sent any more. */
void wring__machine_pending_drop(wring_machine *machine);

/** Before it is fed or asked, by who has several sessions on a thread: how many turns there were.
 *  Its messages are inflated by so much in one of them, so that others have their turn. */
static inline void wring__machine_turn(wring_machine *machine, uint64_t turn) {
    if (machine->deflate != NULL) {
        wring__deflate_turn(machine->deflate, machine, turn);
    }
}

/** Before wring_machine_expire, by an owner that sends as the peer takes it: a ping behind a queue
 *  would reach the kernel late, and its answer would be awaited too early.
 *  @param waits  bytes are queued that the kernel has not taken
 *  @param moved  it took some since this was last told */
static inline void wring__machine_tx_tell(wring_machine *machine, bool waits, bool moved) {
    machine->tx_waits = waits;
    machine->tx_moved |= moved;
}

/** Its clocks begin anew, as if bytes had come. */
void wring__machine_touch(wring_machine *machine, wring_time_ns now);

/** How a CLOSED one ended. */
wring_end wring__machine_end_of(const wring_machine *machine);

/** Ends the machine for `reason`: its close code goes out, then the stream is shut. */
void wring__machine_refuse(wring_machine *machine, wring_result reason);

/** Writes the unmasked header of a shared message. Only its creator or only holder may. */
void wring__machine_frame_shared(wring__shared *shared);

#endif
