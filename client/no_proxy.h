/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of hosts to reach without a proxy, as no_proxy has it. Pure.
 */
#ifndef WRING_CLIENT_NO_PROXY_H
#define WRING_CLIENT_NO_PROXY_H

#include "core/base.h"

/** Is the host in the list? Entries are separated by commas or spaces:
 *
 *      *                      every host
 *      example.com            the name and all names below it; ".example.com" and "*.example.com"
 * too 10.0.0.1, ::1, [::1]   an address, whichever way it is written 10.0.0.0/8, fd00::/8   the
 * addresses of a network example.com:8080       any but the last two with a port: that port only
 *
 *  @param host  a name, or a numeric address without brackets */
bool wring__no_proxy_has(const char *list, wring_bytes host, uint16_t port);

#endif
