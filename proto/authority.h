/* SPDX-License-Identifier: Apache-2.0
 *
 * The grammar of hosts and ports, for URLs, Host headers and targets in absolute-form. Pure
 * functions.   RFC: 3986 3.2
 */
#ifndef WRING_PROTO_AUTHORITY_H
#define WRING_PROTO_AUTHORITY_H

#include "core/base.h"

/** Every byte is alphanumeric, one of `also`, or part of a percent-encoding.   RFC: 3986 2 */
bool wring__uri_text_is_legal(wring_bytes text, const char *also);

/** Without brackets: eight groups of up to four hex digits, "::" at most once in place of some, the
 *  last two also as an IPv4 address. No zones (RFC 6874): they mean nothing to another host.
 *  RFC: 3986 3.2.2 */
bool wring__ipv6_is_legal(wring_bytes text);

/** Digits only, up to 65535; none at all is legal and gives 0.   RFC: 3986 3.2.3 */
bool wring__port_parse(wring_bytes digits, uint32_t *port);

/** A host that is not empty, then ":" and a port, or nothing: the value of a Host header. No
 *  userinfo. A name may have any byte of a reg-name; brackets hold an IPv6 address (no IPvFuture,
 *  which nobody has defined).   RFC: 9110 7.2 */
bool wring__authority_is_legal(wring_bytes text);

#endif
