/* SPDX-License-Identifier: Apache-2.0
 *
 * A session drives one machine for a handler: the only place where the application's callbacks run.
 * Above it stands the handler, below it whoever owns the stream (a worker's stream, or an
 * embedder's transport), which tells it of bytes and time and then asks what to do
 * (wring__session_settle).
 *
 * Reference rule: a callback may close, reply or stop at any point; the session stays valid until
 * the stream's owner deinits the session, so nothing is freed under a running callback.
 */
#ifndef WRING_PROTO_SESSION_H
#define WRING_PROTO_SESSION_H

#include "proto/machine.h"
#include "wring/handler.h"

/** Copies a handler of the API.
 *  Errors: WRING_ERR_INVALID_CONFIG. */
WRING_MUST_CHECK wring_result wring__handler_adopt(const wring_handler *in, wring_handler *out,
                                                   wring_error *error);

/** A handler and what it is given: one for all sessions of a route. */
typedef struct wring__binding {
    const wring_handler *handler;
    void *opts;
} wring__binding;

/** What a handler sees as its session: the machine, and the handler it speaks to. */
struct wring_session {
    wring_machine machine;         /* first */
    const wring__binding *binding; /* NULL before the start */
};

/** What those who own a session answer for it; NULL: an embedder, who answers nothing. All slots
 * are filled. */
typedef struct wring__session_owner {
    wring_ref (*ref)(const wring_session *session);
    wring_loop (*loop)(const wring_session *session);
    uint32_t (*worker)(const wring_session *session);
    wring_server *(*server)(const wring_session *session);
    wring_client *(*client)(const wring_session *session);
    void (*log)(const wring_session *session, wring_log_level level, const char *event,
                const char *text);
    uint64_t (*queued_bytes)(const wring_session *session);
    void (*pause)(wring_session *session);
    void (*resume)(wring_session *session);
} wring__session_owner;

/** Prepares a session in the caller's storage.  Own: as wring__machine_init. */
void wring__session_init(wring_session *session, wring__machine_common *common, wring__outq *out);
void wring__session_deinit(wring_session *session);

/** The upgrade is done: opens the session and calls init.
 *  @param binding  borrowed for the session's life
 *  @param state    handler->state_size zeroed bytes near the session, or NULL */
void wring__session_start(wring_session *session, const wring__binding *binding, void *state,
                          const wring_request *request, wring_time_ns now);

/** Bytes came; they are unmasked in place. Every message in them is dispatched.
 *  @param block  what they lie in, if an answer may keep it by a reference; or NULL */
void wring__session_rx(wring_session *session, wring_mut_bytes bytes, wring__block *block,
                       wring_time_ns now);

/** Another turn: goes on with what wring__machine_has_more tells of. */
void wring__session_resume(wring_session *session, wring_time_ns now);

/** The stream ended (WRING_ERR_TRUNCATED) or broke. */
void wring__session_fail(wring_session *session, wring_result reason);

/** A due deadline. */
void wring__session_expire(wring_session *session, wring_time_ns now);

/** Gives an info to the handler. False: the session is over or its handler takes none. */
bool wring__session_info(wring_session *session, const wring_info *info);

/** A callback that is not the handler's. */
void wring__session_visit(wring_session *session, wring_verdict (*visit)(wring_session *, void *),
                          void *opts);

/** Begins the close, or ends at once. */
void wring__session_close(wring_session *session, uint16_t code, wring_bytes reason);
void wring__session_stop(wring_session *session);

/** Ends the session for `reason`, with its close code. */
void wring__session_refuse(wring_session *session, wring_result reason);

/** What was queued has gone out: a pong that is owed follows.
 *  @param tell  the handler is told as well: the peer was slow, and reads again */
void wring__session_drained(wring_session *session, bool tell);

/** What the stream's owner has to do after anything it told the session: the same for a server, a
 *  client and an embedder. */
typedef struct wring__settled {
    wring_time_ns deadline; /* when wring__session_expire is due; WRING_TIME_NEVER */
    bool is_over;   /* the session is CLOSED: what is queued goes out, then the stream ends */
    bool has_more;  /* bytes it has kept wait for wring__session_resume in another turn */
    bool owes_pong; /* wring__session_drained is wanted once what is queued has gone out */
} wring__settled;

/** After each call of the functions above. Starts the clock of a close that has just begun. */
static inline wring__settled wring__session_settle(wring_session *session, wring_time_ns now) {
    const wring_machine *machine = &session->machine;
    wring_time_ns deadline = wring_machine_deadline_ns(machine);
    if (WRING_UNLIKELY(deadline == 0)) { /* a close just began: its clock starts now */
        wring__session_expire(session, now);
        deadline = wring_machine_deadline_ns(machine);
    }
    return (wring__settled){
        .deadline = deadline,
        .is_over = machine->state == WRING_MACHINE_CLOSED,
        .has_more = wring__machine_has_more(machine),
        .owes_pong = wring__machine_owes_pong(machine),
    };
}

static inline bool wring__session_is_started(const wring_session *session) {
    return session->binding != NULL;
}

#endif
