/* SPDX-License-Identifier: Apache-2.0
 *
 * From a request to who answers it: its checks, its route, its exchange or upgrade.
 */
#ifndef WRING_SERVER_REQUEST_H
#define WRING_SERVER_REQUEST_H

#include "proto/http1.h"
#include "server/peer.h"

/** A head was parsed, to `result`.  @param data  the head and whatever came behind it
 *  Returns how many bytes of it were used: the head, and its body if that was there whole. */
size_t wring__request_take(wring__peer *peer, const wring__http1 *parser, wring_result result,
                           wring_mut_bytes data);

/** A request of a carried stream.  @param fields  with its pseudo-header fields
 *  @param ends    no body follows */
void wring__request_carried(wring__peer *peer, wring_headers fields, bool ends);

/** The same, of a head beyond a limit: `fields` are those below it. */
void wring__request_carried_refuse(wring__peer *peer, wring_headers fields, wring_result result);

/** Answers with the status that belongs to `result`, and ends the connection. */
void wring__request_refuse(wring__peer *peer, wring_result result);
/** ... with a 503, because the server is shutting down. */
void wring__request_refuse_draining(wring__peer *peer);

/** Answers the exchange at hand so; it may go on. */
void wring__request_answer_refusal(wring__peer *peer, wring_result result, const char *text);

#endif
