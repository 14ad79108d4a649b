/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits of a server's connections: how many there are, how many have not finished their handshake,
 * how many one address has, how fast a peer may send, and how old a session may become.
 */
#ifndef WRING_SERVER_LIMITS_H
#define WRING_SERVER_LIMITS_H

#include "core/meter.h"
#include "server/sources.h"
#include "wring/policy.h"
#include "wring/handler.h"

struct wring__peer;
struct wring__server_worker;

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

/** A stream of a connection is to have a session: to the limit of its source it is a connection.
 *  Errors: WRING_ERR_TOO_MANY_CONNECTIONS, WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__limits_stream_enter(struct wring__peer *peer);
void wring__limits_stream_leave(struct wring__peer *peer);

/** Whether the session may have this message: WRING_OK or WRING_ERR_RATE_LIMIT. */
wring_result wring__limits_admit(wring_session *session, const wring_message *message);

/** Whether the connection may make this request: WRING_OK or WRING_ERR_RATE_LIMIT. To a policy
 *  requests are messages. */
wring_result wring__limits_admit_request(struct wring__peer *peer, const wring_policy *policy);

#endif
