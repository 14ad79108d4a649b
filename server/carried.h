/* SPDX-License-Identifier: Apache-2.0
 *
 * Peers that are streams of one connection of HTTP/2 (stream/h2.h).
 * What is said here of a connection is `below`: it keeps its place in the limits of connections
 * (total, source, handshakes), and has no session.
 */
#ifndef WRING_SERVER_CARRIED_H
#define WRING_SERVER_CARRIED_H

#include "server/peer.h"
#include "stream/h2.h"
#include "wring/upgrade.h"

/** Before the request head of a connection is complete: true when it was taken over as one of
 *  HTTP/2, with these bytes, or when it was ended. */
bool wring__carried_take(wring__peer *peer, wring_mut_bytes bytes, wring__block *block);

/** It is a connection that carries peers. */
bool wring__carried_is_below(const wring__endpoint *end);
void wring__carried_drain(wring__endpoint *end);
/** The connection of a carried peer. */
wring__peer *wring__carried_below(const wring__peer *peer);

/** For the request of a peer that is carried, what proto/h1_upgrade.c is for others. */
WRING_MUST_CHECK wring_result wring__carried_validate(wring_headers fields,
                                                      const wring_upgrade_options *options,
                                                      wring_h1_upgrade_info *out);
WRING_MUST_CHECK wring_result wring__carried_accept(wring__peer *peer, wring_bytes subprotocol,
                                                    wring_headers extra);
/** Tells the client to send its body: 100. */
void wring__carried_continue(wring__peer *peer);
/** The head of an answer. Its body follows in the peer's queue, unless it `ends` with that. */
WRING_MUST_CHECK wring_result wring__carried_answer(wring__peer *peer, int status,
                                                    wring_headers headers, bool ends);

#endif
