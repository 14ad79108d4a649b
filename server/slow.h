/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections whose peer reads more slowly than it is sent to: the marks and the policies.
 *
 * Above the soft mark a connection is congested; when its queue is back at half of it, it has
 * drained and its handler is told. At the hard mark the policy of what is published decides. No
 * user code is called from here. One thread.
 */
#ifndef WRING_SERVER_SLOW_H
#define WRING_SERVER_SLOW_H

#include "server/backlog.h"
#include "server/peer.h"
#include "wring/server.h"

/** Looks at the queue after something was appended to it. */
void wring__slow_look(wring__peer *peer);

/** Queues a published message as the policy allows: to the connection, to its backlog, or not at
 *  all, counted.  @param id  for WRING_SLOW_KEEP_LATEST: replaces one that waits with the same */
void wring__slow_publish(wring__peer *peer, wring_slow_policy policy, wring__shared *message,
                         uint64_t id);

/** For what came by wring_ref_send: true when it is to be given to the session, as a whole. Else it
 * was counted and must be freed: at the hard mark it ends the session or is dropped; nothing that
 * waits is given up for it, as it has neither topic nor key. The close frame of a list that is
 * dropped is sent all the same, so callbacks may run. */
bool wring__slow_takes(wring__peer *peer, const wring__mail *mail);

/** The queue is short again: moves the backlog on. True when nothing of it waits any more. */
bool wring__slow_drained(wring__peer *peer, bool *tell);

/** When a congested session is ended; WRING_TIME_NEVER. */
wring_time_ns wring__slow_deadline(const wring__peer *peer);

/** Its marks may be others now. */
void wring__slow_review(wring__peer *peer);

/** The session is over: what waits is dropped, counted. */
void wring__slow_end(wring__peer *peer);

#endif
