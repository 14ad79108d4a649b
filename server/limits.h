/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits of a server's connections: how many there are, how many have not finished their handshake,
 * how many one address has, how fast a peer may send, and how old a session may become.
 */
#ifndef WRING_SERVER_LIMITS_H
#define WRING_SERVER_LIMITS_H

#include "server/sources.h"
#include "wring/policy.h"
#include "wring/handler.h"

struct wring__peer;
struct wring__server_worker;

/** A token bucket kept as one time: when it will be full again (the generic cell rate algorithm).
 */
typedef struct wring__meter {
    wring_time_ns full_at;
} wring__meter;

/** Takes one token; false when there is none.
 *  @param interval  between two tokens   @param burst  tokens of a full bucket, at least 1 */
static inline bool wring__meter_take(wring__meter *meter, wring_time_ns now,
                                     wring_duration_ns interval, uint32_t burst) {
    const wring_duration_ns most = interval * (burst - 1);
    wring_time_ns full_at = meter->full_at > now ? meter->full_at : now;
    if (full_at > now + most + interval) {
        full_at = now; /* of a policy that was slower: this one begins anew */
    }
    if (full_at - now > most) {
        return false;
    }
    meter->full_at = full_at + interval;
    return true;
}

/** The unfinished handshakes of a worker, in the order they came. */
typedef struct wring__handshakes {
    uint64_t *refs; /* a ring; many of them are over by now */
    uint32_t cap;
    uint32_t head;
    uint32_t tracked;
    uint32_t count; /* unfinished */
} wring__handshakes;

WRING_MUST_CHECK wring_result wring__limits_init(struct wring__server_worker *worker);
void wring__limits_deinit(struct wring__server_worker *worker);

/** A connection came in: counts it, before anything is made of it.
 *  Errors: WRING_ERR_TOO_MANY_CONNECTIONS, WRING_ERR_RATE_LIMIT, WRING_ERR_NO_MEMORY; then nothing
 *  is counted. */
WRING_MUST_CHECK wring_result wring__limits_enter(struct wring__server_worker *worker, int socket,
                                                  wring__source **source);
/** What wring__limits_enter counted had no connection made of it. */
void wring__limits_undo(struct wring__server_worker *worker, wring__source *source);

/** Its handshake begins; the oldest one is ended when there are too many. */
void wring__limits_opened(struct wring__peer *peer, wring__source *source);
/** It is over. Once is enough. */
void wring__limits_handshake_over(struct wring__peer *peer);
/** The upgrade was accepted: rates and age count from now. */
void wring__limits_upgraded(struct wring__peer *peer);
void wring__limits_closed(struct wring__peer *peer);

/** Whether the session may have this message: WRING_OK or WRING_ERR_RATE_LIMIT. */
wring_result wring__limits_admit(wring_session *session, const wring_message *message);

/** Whether the connection may make this request: WRING_OK or WRING_ERR_RATE_LIMIT. To a policy
 *  requests are messages. */
wring_result wring__limits_admit_request(struct wring__peer *peer, const wring_policy *policy);

#endif
