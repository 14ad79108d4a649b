/* SPDX-License-Identifier: Apache-2.0
 *
 * A host drives one session for a handler: the only place where the application's callbacks run.
 * Above it stands the handler, below it whoever owns the stream (a worker's stream, or an
 * embedder's transport), which tells it of bytes and time and then asks what to do
 * (wring__host_settle).
 *
 * Reference rule: a callback may close, reply or stop at any point; the session stays valid until
 * the stream's owner deinits the host, so nothing is freed under a running callback.
 */
#ifndef WRING_PROTO_HOST_H
#define WRING_PROTO_HOST_H

#include "proto/session.h"
#include "wring/handler.h"

/** A handler and what it is given: one for all sessions of a route. */
typedef struct wring__binding {
    const wring_handler *handler;
    void *opts;
} wring__binding;

typedef struct wring__host {
    wring_session session;
    const wring__binding *binding; /* NULL before the start */
} wring__host;

/** Prepares a host in the caller's storage.  Own: as wring__session_init. */
void wring__host_init(wring__host *host, wring__session_common *common, wring__outq *out);
void wring__host_deinit(wring__host *host);

/** The upgrade is done: opens the session and calls init.
 *  @param binding  borrowed for the session's life
 *  @param state    handler->state_size zeroed bytes near the host, or NULL */
void wring__host_start(wring__host *host, const wring__binding *binding, void *state,
                       const wring_request *request, wring_time_ns now);

/** Bytes came; they are unmasked in place. Every message in them is dispatched.
 *  @param block  what they lie in, if an answer may keep it by a reference; or NULL */
void wring__host_rx(wring__host *host, wring_mut_bytes bytes, wring__block *block,
                    wring_time_ns now);

/** Another turn: goes on with what wring__session_has_more tells of. */
void wring__host_resume(wring__host *host, wring_time_ns now);

/** The stream ended (WRING_ERR_TRUNCATED) or broke. */
void wring__host_fail(wring__host *host, wring_result reason);

/** A due deadline. */
void wring__host_expire(wring__host *host, wring_time_ns now);

/** Gives an info to the handler. False: the session is over or its handler takes none. */
bool wring__host_info(wring__host *host, const wring_info *info);

/** Begins the close, or ends at once. */
void wring__host_close(wring__host *host, uint16_t code, wring_bytes reason);
void wring__host_stop(wring__host *host);

/** Ends the session for `reason`, with its close code. */
void wring__host_refuse(wring__host *host, wring_result reason);

/** The peer reads again. */
void wring__host_drained(wring__host *host);

/** What the stream's owner has to do after anything it told the host: the same for a server, a
 *  client and an embedder. */
typedef struct wring__settled {
    wring_time_ns deadline; /* when wring__host_expire is due; WRING_TIME_NEVER */
    bool is_over;   /* the session is CLOSED: what is queued goes out, then the stream ends */
    bool has_more;  /* bytes it has kept wait for wring__host_resume in another turn */
    bool owes_pong; /* wring__host_drained is wanted once what is queued has gone out */
} wring__settled;

/** After each call of the functions above. Starts the clock of a close that has just begun. */
static inline wring__settled wring__host_settle(wring__host *host, wring_time_ns now) {
    const wring_session *session = &host->session;
    wring_time_ns deadline = wring_session_deadline(session);
    if (WRING_UNLIKELY(deadline == 0)) { /* a close just began: its clock starts now */
        wring__host_expire(host, now);
        deadline = wring_session_deadline(session);
    }
    return (wring__settled){
        .deadline = deadline,
        .is_over = session->state == WRING_SESSION_CLOSED,
        .has_more = wring__session_has_more(session),
        .owes_pong = wring__session_owes_pong(session),
    };
}

static inline bool wring__host_is_started(const wring__host *host) {
    return host->binding != NULL;
}

#endif
