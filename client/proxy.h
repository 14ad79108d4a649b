/* SPDX-License-Identifier: Apache-2.0
 *
 * Proxies, without I/O: HTTP CONNECT (RFC 9110 9.3.6, RFC 7617) and SOCKS5 (RFC 1928, RFC 1929).
 * Names are resolved by the proxy.
 */
#ifndef WRING_CLIENT_PROXY_H
#define WRING_CLIENT_PROXY_H

#include "client/refusal.h"
#include "core/outq.h"
#include "wring/url.h"

enum wring__proxy_kind { WRING__PROXY_NONE, WRING__PROXY_HTTP, WRING__PROXY_SOCKS5 };

/** Where the proxy is. Strings are its own, percent-decoded. */
typedef struct wring__proxy_config {
    enum wring__proxy_kind kind;
    uint16_t port;
    char *host;
    char *user; /* NULL: no authentication */
    char *password;
} wring__proxy_config;

/** "http://user:password@host:port", "socks5://", "socks5h://"; without a scheme, http. Port 8080
 *  and 1080 by default.
 *  Own: give, wring__proxy_config_deinit.  Errors: WRING_ERR_INVALID_CONFIG, WRING_ERR_NO_MEMORY */
WRING_MUST_CHECK wring_result wring__proxy_parse(const char *text, wring__proxy_config *out);

/** The proxy the environment names for this URL; kind NONE when there is none. Errors as above. */
WRING_MUST_CHECK wring_result wring__proxy_from_env(const wring_url *url, wring__proxy_config *out);

void wring__proxy_config_deinit(wring__proxy_config *config);

/** A conversation with a proxy. */
typedef struct wring__proxy {
    const wring__proxy_config *config;
    const char *host; /* the target's */
    uint16_t port;
    uint8_t stage;
    uint8_t interim_count; /* answers before the final one: RFC 9110 15.2 */
    size_t interim_bytes;
    wring__refusal *refusal; /* the answer behind WRING_ERR_PROXY, if there is one: whoever sets
                                it to NULL owns it */
    wring__outq *out;
    wring__chunk_cache *chunks;
    size_t len;
    size_t cap;
    uint8_t *reply; /* what came and was not yet understood */
} wring__proxy;

/** Queues the first bytes. `config`, `host` and `out` are borrowed until deinit.
 *  Errors: WRING_ERR_NO_MEMORY */
WRING_MUST_CHECK wring_result wring__proxy_start(wring__proxy *proxy,
                                                 const wring__proxy_config *config,
                                                 const char *host, uint16_t port, wring__outq *out,
                                                 wring__chunk_cache *chunks);
void wring__proxy_deinit(wring__proxy *proxy);

/** Takes received bytes. WRING_OK: the tunnel stands; bytes from *used on belong to it.
 *  Errors: WRING_MORE, WRING_ERR_PROXY (`error` says what it answered), WRING_ERR_NO_MEMORY */
WRING_MUST_CHECK wring_result wring__proxy_rx(wring__proxy *proxy, wring_bytes bytes, size_t *used,
                                              wring_error *error);

#endif
