/* SPDX-License-Identifier: Apache-2.0
 *
 * A host drives one session for a handler: the only place where the application's callbacks run.
 * Above it stands the handler, below it whoever owns the stream (a worker's connection, or an
 * embedder's transport), which tells it of bytes, time and mail and then asks what to do.
 *
 * Reference rule: a callback may close, reply or stop at any point; the session stays valid until
 * the stream's owner deinits the host, so nothing is freed under a running callback.
 */
#ifndef WRING_PROTO_HOST_H
#define WRING_PROTO_HOST_H

#include "core/mailbox.h"
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

/** Bytes came; they are unmasked in place. Every message in them is dispatched. */
void wring__host_rx(wring__host *host, wring_mut_bytes bytes, wring_time_ns now);

/** Another turn: goes on with what wring__session_has_more tells of. */
void wring__host_resume(wring__host *host, wring_time_ns now);

/** The stream ended (WRING_ERR_TRUNCATED) or broke. */
void wring__host_fail(wring__host *host, wring_result reason);

/** A due deadline. */
void wring__host_expire(wring__host *host, wring_time_ns now);

/** Does what mail for this session asks for, and frees what it carried.
 *  Returns how much of it was lost, counted as wring__mail_count does: the session is over, or has
 *  sent its close frame. A list of frames is sent whole, however much is queued. */
size_t wring__host_mail(wring__host *host, const wring__mail *mail);

/** Begins the close, or ends at once. */
void wring__host_close(wring__host *host, uint16_t code, wring_bytes reason);
void wring__host_stop(wring__host *host);

/** Ends the session for `reason`, with its close code. */
void wring__host_refuse(wring__host *host, wring_result reason);

/** The peer reads again. */
void wring__host_drained(wring__host *host);

/** When wring__host_expire is due, WRING_TIME_NEVER for never. Starts the clock of a close that has
 *  just begun. */
wring_time_ns wring__host_deadline(wring__host *host, wring_time_ns now);

static inline bool wring__host_is_started(const wring__host *host) {
    return host->session.host_started;
}

/** True once the session is CLOSED: the stream should be shut after what is queued. */
static inline bool wring__host_is_closed(const wring__host *host) {
    return host->session.state == WRING_SESSION_CLOSED;
}

#endif
