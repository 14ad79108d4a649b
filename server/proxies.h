/* SPDX-License-Identifier: Apache-2.0
 *
 * The trusted proxies of a server: addresses and networks whose X-Forwarded-Host counts.
 */
#ifndef WRING_SERVER_PROXIES_H
#define WRING_SERVER_PROXIES_H

#include <sys/socket.h>

#include "core/base.h"

typedef struct wring__proxies wring__proxies;

/** @param list  addresses ("10.0.0.1", "::1"), networks ("10.0.0.0/8", "fd00::/8"), and "unix" for
 *               every peer of a Unix socket
 *  @param out   freed with wring__proxies_free; NULL for an empty list
 *  Errors: WRING_ERR_INVALID_CONFIG, WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__proxies_init(const char *const *list, size_t count,
                                                  wring__proxies **out, wring_error *error);

/** NULL is legal. */
void wring__proxies_free(wring__proxies *proxies);

/** IPv4 peers of an IPv6 socket (::ffff:10.0.0.1) are IPv4 peers here.
 *  @param proxies  NULL: nobody is trusted
 *  @param peer     NULL: not known, and not trusted */
bool wring__proxies_trust(const wring__proxies *proxies, const struct sockaddr_storage *peer);

#endif
