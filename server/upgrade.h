/* SPDX-License-Identifier: Apache-2.0
 *
 * From a request that asks for a WebSocket to its session: the checks, the Origin rule, the route's
 * `upgrade` handler, the 101.
 */
#ifndef WRING_SERVER_UPGRADE_H
#define WRING_SERVER_UPGRADE_H

#include "server/exchange.h"
#include "wring/upgrade.h"

/** RFC 6455 4.2.1, or RFC 8441 of a carried stream, and the Origin.
 *  @param fields  request->headers, or what the carrier had of it
 *  @param text    the sentence of a refusal; room for 512 bytes */
WRING_MUST_CHECK wring_result wring__upgrade_check(wring__peer *peer, const wring__route *route,
                                                   wring_request *request, wring_headers fields,
                                                   char *text);

/** Copies the caller's record and checks what it has of headers.
 *  Errors: WRING_ERR_INVALID_ARGUMENT, WRING_ERR_INVALID_HEADER. */
WRING_MUST_CHECK wring_result wring__accept_adopt(const wring_accept *in, wring_accept *out);

/** Queues the answer that accepts: of HTTP/1.1 the 101.
 *  @param extra  further headers
 *  Errors: WRING_ERR_NO_MEMORY, WRING_ERR_INVALID_HEADER */
WRING_MUST_CHECK wring_result wring__upgrade_accept(wring__peer *peer, const wring__route *route,
                                                    const wring_request *request,
                                                    wring_headers extra);

/** Begins the session. */
void wring__upgrade_begin(wring__peer *peer, const wring__route *route,
                          const wring_request *request);

/** What a request has of TLS. @param names  room for WRING__PEER_NAMES_MAX
 *  Returns false for a plain one. */
#define WRING__PEER_NAMES_MAX 2048
bool wring__upgrade_tls(const wring__peer *peer, wring_tls_info *info, char *names);

#endif
