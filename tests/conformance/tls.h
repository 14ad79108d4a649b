/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS of the tester, by OpenSSL, with the certificates of tests/certs.
 */
#ifndef WRING_TESTS_CONFORMANCE_TLS_H
#define WRING_TESTS_CONFORMANCE_TLS_H

#include <openssl/ssl.h>

/* The certificates exist from then on; twice is legal. */
void tls_certs(void);
/* Own: give. */
SSL_CTX *tls_server_context(void);
SSL_CTX *tls_client_context(void);
/* Of either role: "h2" or nothing, by ALPN. */
void tls_want_h2(SSL_CTX *context);
/* The handshake on a connected socket that still blocks. NULL: it failed. */
SSL *tls_begin(SSL_CTX *context, int fd);

#endif
