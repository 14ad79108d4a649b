/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/2: WebSockets and requests as streams of one connection (RFC 9113, RFC 8441).
 *
 *     const wring_http2_config http2 = {.struct_size = sizeof http2};
 *     wring_server_config config = {.struct_size = sizeof config, .http2 = &http2, ...};
 *
 * A stream is to a handler what a connection of HTTP/1.1 is: routes, exchanges, sessions, refs,
 * topics, limits and compression are the same.
 */
#ifndef WRING_HTTP2_H
#define WRING_HTTP2_H

#include "wring/config.h"
#include "wring/export.h"
#include "wring/result.h"

WRING_BEGIN_DECLS

/** How connections of HTTP/2 behave. 0 takes the default. */
typedef struct wring_http2_config {
    uint32_t struct_size; /**< sizeof(wring_http2_config) */
    bool cleartext;     /**< without TLS too. A server takes connections that begin with the preface
                               of HTTP/2, and those of HTTP/1.x as before; a client begins with it.
                               Default: only where TLS agreed on it (ALPN "h2") */
    bool no_websockets; /**< a server does not offer WebSockets over HTTP/2. Browsers then open
                               connections of HTTP/1.1 for them. Default: it does (RFC 8441 3) */
    bool required;      /**< a client accepts nothing else. Default: with TLS it takes HTTP/1.1
                               from a server that has no HTTP/2, or no WebSockets over it */
    uint32_t requests_max; /**< of a server: streams that a connection may have at a time besides
                                sessions_max, so that WebSockets never keep out requests. Both
                                together are announced, and requests may use all of them; default
                                100 */
    uint32_t sessions_max; /**< WebSockets of one connection at a time; one more gets
                                REFUSED_STREAM. Default 1,000 */
    uint32_t window_bytes; /**< what the peer may send on one stream before it is consumed, and so
                                the most that a paused stream holds; default 256 KiB, at least
                                64 */
    uint32_t connection_window_bytes; /**< what may be on its way on all streams of a connection
                                           together; default 1 MiB, at least 65,535 */
    uint32_t idle_timeout_ms; /**< of a client: a connection without a session is closed after this
                                   time; default 1,000; WRING_OFF: at once */
    uint64_t resets_per_second;   /**< streams that the peer resets, or makes us reset, of one
                                     connection; default 33; WRING_UNLIMITED */
    uint64_t resets_burst;        /**< this many at once; default 1,000 */
    uint64_t controls_per_second; /**< SETTINGS, PING, PRIORITY, streams that had to be refused,
                                       empty DATA, and DATA that the peer's windows cut to a few
                                       bytes again and again, of one connection; default 100;
                                       WRING_UNLIMITED. Whoever goes beyond one of these limits
                                       gets ENHANCE_YOUR_CALM, and the connection ends */
    uint64_t controls_burst;      /**< this many at once; default 1,000 */
} wring_http2_config;

/** Fills in every default and checks, as servers and clients do.
 *  @param in  NULL: all defaults
 *  Errors: WRING_ERR_INVALID_CONFIG (`error` names the field).   Thread: any. */
WRING_API WRING_MUST_CHECK wring_result wring_http2_config_adopt(const wring_http2_config *in,
                                                                 wring_http2_config *out,
                                                                 wring_error *error);

WRING_END_DECLS

#endif
