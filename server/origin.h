/* SPDX-License-Identifier: Apache-2.0
 *
 * The Origin rule of upgrades. A browser lets every page open WebSockets to every server, sends the
 * cookies of that server along, and names the page's origin. A server that accepts any origin lets
 * foreign pages act as its users (cross-site WebSocket hijacking).
 *
 * An upgrade is allowed when it has no Origin (it is not from a browser), when the origin's host is
 * the request's, or when the route lists the origin. Schemes and ports of the former two are not
 * compared: behind a proxy that ends TLS or maps ports the server does not know the public ones.
 *   RFC: 6455 4.2.2, 10.2; 6454 7
 */
#ifndef WRING_SERVER_ORIGIN_H
#define WRING_SERVER_ORIGIN_H

#include "server/proxies.h"
#include "wring/http.h"
#include "wring/server.h"

/** Whether a route may list it: "*", "null", or scheme://host[:port] without a path; no ":"
 *  without a port. */
bool wring__origin_is_legal(wring_bytes text);

/** @param proxies  NULL: none are trusted
 *  @param peer     NULL: not known
 *  Cost: linear in the headers and in the route's list. */
bool wring__origin_is_allowed(const wring_request *request, const wring_route *route,
                              const wring__proxies *proxies, const struct sockaddr_storage *peer);

/** Writes a sentence for the log about an upgrade that was not allowed: what was compared, and what
 *  to configure. Printable, at most about 450 bytes.
 *  Returns the length of the whole sentence, as snprintf. */
size_t wring__origin_refusal(const wring_request *request, const wring__proxies *proxies,
                             const struct sockaddr_storage *peer, char *text, size_t cap);

#endif
