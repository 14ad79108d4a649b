/* SPDX-License-Identifier: Apache-2.0
 *
 * Peers that are streams of one connection: a carrier (stream/carrier.h) takes the connection and
 * makes peers on it. What is said here of a connection is `below`: it keeps its place in the limits
 * of connections (total, source, handshakes), and has no session.
 */
#ifndef WRING_SERVER_CARRIED_H
#define WRING_SERVER_CARRIED_H

#include "server/peer.h"
#include "stream/carrier.h"
#include "wring/upgrade.h"

struct wring__server_worker;

/** Before the request head of a connection is complete: true when the server's carrier has taken it
 *  over, and these bytes, or when the connection was ended. */
bool wring__carried_take(wring__peer *peer, wring_mut_bytes bytes, wring__block *block);

/** A connection that a carrier has taken. */
bool wring__carried_is_below(const struct wring__server_worker *worker, const wring__endpoint *end);
void wring__carried_drain(const struct wring__server_worker *worker, wring__endpoint *end);

/** For the request of a peer that is carried, what proto/h1_upgrade.c is for others. */
WRING_MUST_CHECK wring_result wring__carried_validate(wring_headers fields,
                                                      const wring_upgrade_options *options,
                                                      wring_h1_upgrade_info *out);
WRING_MUST_CHECK wring_result wring__carried_accept(wring__peer *peer, wring_bytes subprotocol,
                                                    wring_headers extra);
/** The head of an answer. Its body follows in the peer's queue. */
WRING_MUST_CHECK wring_result wring__carried_answer(wring__peer *peer, int status,
                                                    wring_headers headers);

#endif
