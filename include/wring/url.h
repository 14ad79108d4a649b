/* SPDX-License-Identifier: Apache-2.0
 *
 * ws:// and wss:// URLs (RFC 6455 3, RFC 3986).
 */
#ifndef WRING_URL_H
#define WRING_URL_H

#include "wring/bytes.h"
#include "wring/result.h"

WRING_BEGIN_DECLS

/** A parsed URL. Views borrow from the text; nothing is decoded. */
typedef struct wring_url {
    bool secure;          /**< wss */
    wring_bytes userinfo; /**< what stands before '@', percent-encoded; empty if nothing */
    wring_bytes host;     /**< name or address, without the brackets of an IPv6 literal */
    bool host_is_ipv6;    /**< it stood in brackets */
    uint16_t port;        /**< the scheme's default when the URL has none: 80, 443 */
    bool port_is_given;   /**< and is not the default: it belongs in the Host header */
    wring_bytes target;   /**< path and query; empty or beginning with '?' means "/" before it */
} wring_url;

/** Parses a ws:// or wss:// URL; scheme and host are case-insensitive.
 *  Errors: WRING_ERR_INVALID_URL: another scheme, an empty or malformed host, a port outside
 *  1-65535, a fragment (RFC 6455 3 forbids one), a bad percent-encoding, or a byte no URL may have.
 *  Thread: any. Cost: linear. */
WRING_API WRING_MUST_CHECK wring_result wring_url_parse(wring_bytes text, wring_url *out);

WRING_END_DECLS

#endif
