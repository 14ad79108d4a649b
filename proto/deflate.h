/* SPDX-License-Identifier: Apache-2.0
 *
 * permessage-deflate of a machine, in two layers. What was negotiated is in wring/deflate.h.
 *
 *   deflate.c       contexts: one compressor, one inflater. The only file that knows zlib.
 *   deflate_pool.c  a thread's contexts, who uses which, what is worth compressing, the budget
 *   deflate_rx.c    a thread's inflaters: messages received, in shares
 *   deflate_tx.c    long messages sent: compressed in shares
 *
 * Without takeover a machine has a pointer to a wring__deflate that all sessions with equal
 * parameters share; with takeover it has one of its own. One thread, where nothing else is said.
 */
#ifndef WRING_PROTO_DEFLATE_H
#define WRING_PROTO_DEFLATE_H

#include "core/base.h"
#include "wring/deflate.h"
#include "wring/frame.h"

/* ---- contexts (deflate.c) -------------------------------------------------------------------- */

typedef struct wring__compressor wring__compressor;
typedef struct wring__inflater wring__inflater;

/** Fills in the defaults and checks: wring_deflate_config_adopt into one of ours. */
WRING_MUST_CHECK wring_result wring__deflate_config_adopt(const wring_deflate_config *in,
                                                          wring_deflate_config *out,
                                                          wring_error *error);

/** What a compressor is made with. */
typedef struct wring__deflate_tuning {
    uint8_t window_bits; /* 9 to 15: zlib has no raw window of 8 */
    uint8_t level;
    uint8_t mem_level;
    uint8_t strategy;
} wring__deflate_tuning;

/** What it was made with. */
wring__deflate_tuning wring__compressor_tuning(const wring__compressor *compressor);

/** NULL when memory is out. */
wring__compressor *wring__compressor_create(wring__deflate_tuning tuning);
void wring__compressor_destroy(wring__compressor *compressor); /* NULL is legal */

/** Room wring__compressor_run needs for a message of `len` bytes. */
size_t wring__deflate_bound(size_t len);

/** Compresses one message, as it goes on the wire: without the 00 00 FF FF at its end.
 *  @param out  room for wring__deflate_bound(payload.len).  RFC: 7692 7.2.1 */
size_t wring__compressor_run(wring__compressor *compressor, wring_bytes payload, uint8_t *out);

/** Compresses a part of a message; all its parts in turn make what wring__compressor_run makes of
 * it whole. What is made may come with a later part, the last one has all.
 *  @param part  at least one byte
 *  @param out   room for wring__deflate_part_bound(part.len) */
size_t wring__compressor_part(wring__compressor *compressor, wring_bytes part, bool last,
                              uint8_t *out);
/** Instead of further parts: what was taken so far, complete, and at the end of a byte; stored
 *  blocks may follow (RFC 1951 3.2.4). The compressor must then be reset.
 *  @param out  room for wring__deflate_part_bound(0) */
size_t wring__compressor_flush(wring__compressor *compressor, uint8_t *out);
size_t wring__deflate_part_bound(size_t len);

/** Forgets what was compressed, and leaves none of it in memory: for the next connection. */
void wring__compressor_reset(wring__compressor *compressor);

/** What one with this tuning takes, in bytes. */
size_t wring__compressor_memory(wring__deflate_tuning tuning);

/** @param window  what an earlier inflater of the connection kept; empty for a new one
 *  NULL when memory is out. */
wring__inflater *wring__inflater_create(uint8_t window_bits, wring_bytes window);
void wring__inflater_destroy(wring__inflater *inflater); /* NULL is legal */

/** Memory that grows with what is inflated into it: malloc's. */
typedef struct wring__inflated {
    uint8_t *data;
    size_t len;
    size_t cap;
} wring__inflated;

/** What a compressed byte is charged, in bytes inflated. Empty blocks are work without output: 16
 * MiB of them take a second. */
#define WRING__INFLATE_INPUT 4

/** Inflates one message behind what `out` holds, or some of it.
 *  @param taken  bytes of the payload that are done: 0 at first, kept for the next call
 *  @param max    `out` never gets longer
 *  @param step   bytes to be made by this call, at least 1, and WRING__INFLATE_INPUT times as few
 *                are taken of the payload; UINT64_MAX: all
 *  Errors: WRING_MORE (the step is made; go on with the same payload); WRING_ERR_BAD_DEFLATE,
 *  WRING_ERR_INFLATE_TOO_BIG, WRING_ERR_NO_MEMORY: the inflater must then be reset or destroyed.
 *  RFC: 7692 7.2.2 */
WRING_MUST_CHECK wring_result wring__inflater_run(wring__inflater *inflater, wring_bytes payload,
                                                  size_t *taken, uint64_t max, uint64_t step,
                                                  wring__inflated *out);

/** As wring__compressor_reset. */
void wring__inflater_reset(wring__inflater *inflater);

/** What it needs to go on, for wring__inflater_create: at most 32 KiB. Returns the length. */
size_t wring__inflater_window(wring__inflater *inflater, uint8_t out[32768]);

size_t wring__inflater_memory(uint8_t window_bits);

/* ---- a machine's share (deflate_pool.c) ------------------------------------------------------ */

typedef struct wring__deflate {
    wring_deflate *pool;
    struct wring__deflate *next; /* shared ones: in the pool */
    uint32_t refs;
    wring__deflate_tuning tx;
    uint8_t rx_window_bits;
    bool tx_takeover;
    bool rx_takeover;
    bool tx_short_only; /* the peer's window is 256 bytes: nothing longer is compressed */
    bool used;          /* contexts were, since wring__deflate_expire */
    bool rx_busy;       /* with takeover: in the middle of a message */
    bool tx_busy;       /* the same of one that is sent */
    uint32_t message_bytes_min;
    uint32_t idle_ms; /* WRING_OFF: contexts are kept */
    uint64_t max_inflated;
    uint64_t turn_bytes;    /* inflated for one machine in one turn, if turns are told of */
    uint64_t tx_turn_bytes; /* ... compressed of one message */

    /* with takeover only */
    wring__compressor *compressor; /* NULL: nothing sent is remembered */
    wring__inflater *inflater;
    uint8_t *window; /* of an inflater that was released */
    size_t window_len;
    uint64_t budget;
    uint64_t tx_reserved; /* of the budget */
    uint64_t rx_reserved;
    wring_time_ns looked_ns; /* wring__deflate_expire did */
} wring__deflate;

/** A pool for whoever lives on a thread.
 *  @param stats  where it counts, if that has to outlive it; else NULL
 *  NULL when memory is out. */
wring_deflate *wring__deflate_pool_create(wring_deflate_stats *stats);

/** One pool's figures added to `sum`, context_bytes aside.   Thread: any. */
void wring__deflate_stats_add(const wring_deflate_stats *stats, wring_deflate_stats *sum);

/** What wring_deflate_create was given. */
const wring_deflate_config *wring__deflate_pool_config(const wring_deflate *pool);

/** The state for a machine.  @param config  adopted  @param role  our own
 *  @param may_refuse  the parameters can still be changed: takeover is turned off in them, and
 *                     counted, when the budget has no room for it
 *  NULL when memory is out.  Own: give; wring__deflate_release. */
wring__deflate *wring__deflate_acquire(wring_deflate *pool, const wring_deflate_config *config,
                                       wring_deflate_params *params, wring_role role,
                                       bool may_refuse);
void wring__deflate_release(wring__deflate *deflate); /* NULL is legal */

/** A configuration for an offer: without takeover when the budget has no room for it; counts. */
wring_deflate_config wring__deflate_offer_config(wring_deflate *pool,
                                                 const wring_deflate_config *config);

/** Is it worth compressing? Says so before any byte is fed, so that the windows of both ends never
 *  drift.  @param compression  the frame's wish */
bool wring__deflate_is_worth(wring_bytes payload, uint32_t message_bytes_min, uint16_t compression);

/** The compressed form of a message; empty: it goes plain. Borrowed until the next call with this
 *  pool.  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__deflate_message(wring__deflate *deflate,
                                                     const wring_frame *frame, wring_bytes *out);

/** A message being compressed over several turns. Zeroed: not begun. */
typedef struct wring__deflation {
    wring__compressor *compressor;
    size_t taken;   /* of the message */
    uint64_t made;  /* compressed bytes so far */
    bool is_lent;   /* the compressor is the pool's */
    bool has_place; /* is one of the few under way */
} wring__deflation;

/** Is it worth compressing, and too much for one turn? Only where turns are told of. */
bool wring__deflate_is_long(const wring__deflate *deflate, const wring_frame *frame);

/** The next share of a long message.  @param whose  as of wring__deflate_turn
 *  @param out  compressed bytes, borrowed until the next call with this pool; WRING_OK and none: it
 *              goes plain, as with wring__deflate_message
 *  Errors: WRING_MORE (go on in another turn), WRING_ERR_NO_MEMORY. After anything but WRING_MORE
 * it has ended. */
WRING_MUST_CHECK wring_result wring__deflate_share(wring__deflate *deflate, const void *whose,
                                                   const wring_frame *frame,
                                                   wring__deflation *deflation, wring_bytes *out);

/** Ends one under way: what was taken of it so far, complete. The rest can be sent in stored
 * blocks. Errors: WRING_ERR_NO_MEMORY; it has ended all the same. */
WRING_MUST_CHECK wring_result wring__deflate_cut(wring__deflate *deflate,
                                                 wring__deflation *deflation, wring_bytes *out);

/** Gives it up. Legal on a zeroed one. */
void wring__deflate_drop(wring__deflate *deflate, wring__deflation *deflation);

/** The machine has had its share of compressing in this turn, or it is not its turn. */
bool wring__deflate_is_spent(const wring__deflate *deflate, const void *whose);

/** Bytes compressed elsewhere go out on this connection: our compressor may no longer refer to what
 *  it has seen, since the peer's window has moved on. */
void wring__deflate_bypassed(wring__deflate *deflate);

/** The largest window a message compressed elsewhere may have been made with; 0: it goes plain. */
uint8_t wring__deflate_window_max(const wring__deflate *deflate, size_t payload_len);

/** A message being inflated, over several turns if it is large. Zeroed: not begun. */
typedef struct wring__inflation {
    wring__inflated out;       /* so far; a whole message is the caller's: wring__deflate_recycle */
    wring__inflater *inflater; /* without takeover: the pool's, lent until the end */
    size_t taken;              /* of the compressed bytes */
    bool has_place;            /* is one of the few that are inflated over several turns */
    bool waits;                /* has to be one of them before it goes on */
} wring__inflation;

/** From here on it is the machine `whose` that inflates, in turn number `turn` of its thread. In
 * one turn it gets turn_bytes of output, or a quarter of that of input, and nobody else does; where
 * this is never said there is no limit. */
void wring__deflate_turn(wring__deflate *deflate, const void *whose, uint64_t turn);

/** Inflates one message.  @param whose  as above  @param max  besides max_inflated
 *  Errors: WRING_MORE (the turn's share is used up: go on in another turn with the same payload);
 *  those of wring__inflater_run: nothing is held then. */
WRING_MUST_CHECK wring_result wring__deflate_inflate(wring__deflate *deflate, const void *whose,
                                                     wring_bytes payload, uint64_t max,
                                                     wring__inflation *inflation);

/** Gives up a message that is not whole yet. Legal on a zeroed one. */
void wring__deflate_abandon(wring__deflate *deflate, wring__inflation *inflation);

void wring__deflate_recycle(wring__deflate *deflate, uint8_t *data, size_t cap);

/** When wring__deflate_expire is due; WRING_TIME_NEVER: no contexts are held.
 *  @param activity_ns  when the machine last received something */
wring_time_ns wring__deflate_deadline(const wring__deflate *deflate, wring_time_ns activity_ns);

/** Releases contexts that were not used for the idle time. What is to be inflated later needs the
 *  window, which is kept; what is to be compressed begins anew, which is always legal. */
void wring__deflate_expire(wring__deflate *deflate, wring_time_ns activity_ns, wring_time_ns now);

/** Bytes of contexts in the whole process.   Thread: any. */
uint64_t wring__deflate_budget_used(void);

#endif
