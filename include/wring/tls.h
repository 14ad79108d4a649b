/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS of servers and clients: TLS 1.2 and 1.3, no renegotiation, no compression; what files to
 * read, and what is known of the other end. RFC 8446, RFC 5246, RFC 6066 3, RFC 7301.
 */
#ifndef WRING_TLS_H
#define WRING_TLS_H

#include "wring/bytes.h"
#include "wring/export.h"

WRING_BEGIN_DECLS

/** A further certificate, for clients that ask for `server_name`: a host name, or "*.example.com"
 *  for every name with one label in place of the star. */
typedef struct wring_tls_sni {
    uint32_t struct_size;    /**< sizeof(wring_tls_sni) */
    const char *server_name; /**< the name, or names, it is for */
    const char *cert_file;   /**< PEM: the certificate, then the chain up to the root */
    const char *key_file;    /**< PEM, not encrypted */
} wring_tls_sni;

/** A server's TLS. 0 and NULL take the default. */
typedef struct wring_tls_server_config {
    uint32_t struct_size;       /**< sizeof(wring_tls_server_config) */
    const char *cert_file;      /**< for clients that name no host, or one that is not in `sni` */
    const char *key_file;       /**< PEM, not encrypted */
    const wring_tls_sni *sni;   /**< certificates for other names */
    size_t sni_count;           /**< elements of it */
    const char *client_ca_file; /**< set: clients need a certificate signed by one of these */
    bool client_optional;       /**< ... or may send none at all */
    bool allow_expired;         /**< start although one of our certificates is out of its dates */
    const char *const *alpn; /**< application protocols, the preferred one first; none: no ALPN */
    size_t alpn_count;       /**< elements of it */
} wring_tls_server_config;

/** A client's TLS. Zeroed: the server's certificate must be signed by one of the system's
 *  authorities and be for the host of the URL. */
typedef struct wring_tls_client_config {
    uint32_t struct_size;    /**< sizeof(wring_tls_client_config) */
    bool no_verify;          /**< accept any certificate: for tests only */
    bool allow_expired;      /**< of our own certificate */
    const char *ca_file;     /**< PEM; NULL: the system's authorities */
    const char *cert_file;   /**< our certificate, for servers that ask for one; NULL: none */
    const char *key_file;    /**< its key */
    const char *const *alpn; /**< application protocols that are offered */
    size_t alpn_count;       /**< elements of it */
} wring_tls_client_config;

/** What a TLS handshake came to. Everything is borrowed. */
typedef struct wring_tls_info {
    uint32_t struct_size;    /**< sizeof(wring_tls_info) */
    const char *version;     /**< "TLSv1.3" */
    const char *cipher;      /**< "TLS_AES_128_GCM_SHA256" */
    const char *server_name; /**< server: what the client asked for; NULL if it named none */
    const char *peer_name;   /**< the names in the peer's verified certificate, one a line:
                                  "CN:alice", "DNS:localhost", "IP:127.0.0.1", "EMAIL:...",
                                  "URI:..."; control bytes and '\' as \xHH. "" if there is none */
    wring_bytes alpn;        /**< empty if none was agreed on */
    bool resumed;            /**< a session of before was resumed */
    bool peer_verified;      /**< the peer sent a certificate, and it was checked and found good */
} wring_tls_info;

WRING_END_DECLS

#endif
