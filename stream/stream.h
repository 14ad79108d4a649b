/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream: what carries at most one WebSocket session. It is a whole connection (carrier h1: one
 * block of memory, one slot, no indirect call between the two), or an endpoint that is multiplexed
 * with others on a connection.
 *
 * The glue between bytes and sessions is here, once, for servers and clients: bytes to the session,
 * what the session queued to the carrier, its deadline to the timer, mail to the session, the end
 * of either to the other. What differs between an accepted and a dialled stream is the role's: a
 * few calls on rare paths (wring__stream_ops).
 *
 * It knows no routes, topics, limits, proxies. Thread: the owning worker.
 */
#ifndef WRING_STREAM_STREAM_H
#define WRING_STREAM_STREAM_H

#include "io/conn.h"
#include "io/endpoint.h"
#include "io/log.h"
#include "proto/session.h"

/** A multiplexed endpoint, with what its multiplexer keeps for it: as large as a connection, so
 * that what lies behind it is at the same place. */
typedef struct wring__mux_stream {
    wring__endpoint super;
    struct wring__mux_stream *ready_next;
    struct wring__mux_stream *dirty_next;
    struct wring__mux_stash *stash; /* bytes received while it is not read */
    uint32_t index;                 /* in the multiplexer's list of its streams */
    int32_t id;
    uint32_t credit; /* bytes consumed that the peer may send again */
    union {
        uint16_t opened; /* when, on the worker's clock: in its multiplexer's units, wraps */
        uint16_t code;   /* once it is gone: of the RST_STREAM; 0: it ended in order */
    };
    uint16_t bits; /* the multiplexer's own */
} wring__mux_stream;

_Static_assert(sizeof(wring__mux_stream) <= sizeof(wring__conn), "a stream would become larger");

/** Embedded first in the struct of its role, whose handler state lies behind it in the block. */
typedef struct wring__stream {
    union { /* first: the endpoint's callbacks get this address */
        wring__endpoint end;
        wring__conn conn;      /* kind WRING__END_CONN */
        wring__mux_stream mux; /* kind WRING__END_MUX */
    };
    union {
        wring_session session;      /* at the same place on every carrier */
        struct wring__mux *carried; /* of a connection that carries streams: has no session */
    };
} wring__stream;

/** The role of a stream. `super` is what its endpoint calls. */
typedef struct wring__stream_ops {
    wring__end_ops super;
    /** Optional. Something was queued, and the queue is above its soft_bytes or messages of the
     *  session wait. */
    void (*congested)(wring__stream *stream);
    /** The session is over, once; the stream is shut when this returns. */
    void (*ended)(wring__stream *stream);
} wring__stream_ops;

static inline wring__stream *wring__stream_of_end(wring__endpoint *end) {
    return WRING_CONTAINER_OF(end, wring__stream, end);
}

/** The stream that carries a session; NULL for one of no worker, such as an embedder's. */
static inline wring__stream *wring__stream_of(const wring_session *session) {
    if (session->machine.common->owner == NULL) {
        return NULL;
    }
    return WRING_CONTAINER_OF(session, wring__stream, session);
}

static inline bool wring__stream_is_started(const wring__stream *stream) {
    return wring__session_is_started(&stream->session);
}

/* ---- what happens to it ---------------------------------------------------------------------- */

/** The upgrade is done. @param state  the handler's, in the stream's block, or NULL */
void wring__stream_start(wring__stream *stream, const wring__binding *binding, void *state,
                         const wring_request *request);

/** Bytes of the session came, as wring__end_ops.rx has them. */
void wring__stream_rx(wring__stream *stream, wring_mut_bytes bytes, wring__block *block);

/** Goes on with what the session kept back in an earlier turn. */
void wring__stream_resume(wring__stream *stream);

/** The carrier ended (WRING_ERR_TRUNCATED) or broke. Not started: nothing happens. */
void wring__stream_fail(wring__stream *stream, wring_result reason);

/** The deadline passed. */
void wring__stream_expire(wring__stream *stream);

/** The queue is short again: answers that waited for that go out.
 *  @param tell  the handler is told */
void wring__stream_drained(wring__stream *stream, bool tell);

/** Does what the mail asks for, and frees what it carried; what is lost of it is counted. */
void wring__stream_mail(wring__stream *stream, const wring__mail *mail);

/** A callback of somebody else's for the session. */
void wring__stream_visit(wring__stream *stream, wring_verdict (*visit)(wring_session *, void *),
                         void *opts);

/** Begins the close handshake, or ends the session at once for `reason`. */
void wring__stream_close(wring__stream *stream, uint16_t code, wring_bytes reason);
void wring__stream_refuse(wring__stream *stream, wring_result reason);

/** After anything else that may have queued bytes, ended the session or moved its deadline. */
void wring__stream_settle(wring__stream *stream);

/* ---- slots of wring__session_owner: sessions that a stream carries ----------------------------
 */

wring_ref wring__stream_ref(const wring_session *session);
wring_loop wring__stream_loop(const wring_session *session);
uint32_t wring__stream_worker(const wring_session *session);
/** For the slot `log`: writes it to `log`, which may be NULL. */
void wring__stream_log(const wring_session *session, wring__log *log, wring_log_level level,
                       const char *event, const char *text);
/** On the wire's side, and in the machine. */
uint64_t wring__stream_queued_bytes(const wring_session *session);
void wring__stream_pause(wring_session *session);
void wring__stream_unpause(wring_session *session);

/* ---- slots of wring__end_ops ---------------------------------------------------------------- */

uint64_t wring__stream_on_missing(wring__endpoint *end);
wring__block *wring__stream_on_room(wring__endpoint *end);

#endif
