/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes before the session of a peer: the request, and its answer.
 */
#ifndef WRING_SERVER_REQUEST_H
#define WRING_SERVER_REQUEST_H

#include "server/peer.h"

/** Bytes of a connection that has no session yet: of its request head, and what comes behind it. */
void wring__request_rx(wring__peer *peer, wring_mut_bytes bytes, wring__block *block);

/** Routes a request and answers it, or begins its session.
 *  @param fields  what tells whether it asks for a WebSocket: request->headers, or what a carrier
 *                 had of it (stream/carrier.h) */
void wring__request_take(wring__peer *peer, wring_request *request, wring_headers fields);

/** Answers with the status that belongs to `result`, and ends the stream. */
void wring__request_refuse(wring__peer *peer, wring_result result);
/** ... with a 503, because the server is shutting down. */
void wring__request_refuse_draining(wring__peer *peer);

#endif
