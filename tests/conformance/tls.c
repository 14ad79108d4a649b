/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/tls.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/certs/certs.h"

static const unsigned char h2[] = {2, 'h', '2'};

static void check(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "conformance: %s failed\n", what);
        abort();
    }
}

void tls_certs(void) {
    static bool made;
    if (!made) {
        made = true;
        certs_make_usual();
    }
}

static SSL_CTX *context_make(const SSL_METHOD *method) {
    SSL_CTX *context = SSL_CTX_new(method);
    tls_certs();
    check(context != NULL, "SSL_CTX_new");
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

SSL_CTX *tls_server_context(void) {
    SSL_CTX *context = context_make(TLS_server_method());
    check(SSL_CTX_use_certificate_file(context, cert_path("server.pem"), SSL_FILETYPE_PEM) == 1 &&
              SSL_CTX_use_PrivateKey_file(context, cert_path("server.key"), SSL_FILETYPE_PEM) == 1,
          "the certificate");
    return context;
}

SSL_CTX *tls_client_context(void) {
    SSL_CTX *context = context_make(TLS_client_method());
    check(SSL_CTX_load_verify_locations(context, cert_path("ca.pem"), NULL) == 1, "the authority");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return context;
}

static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                  const unsigned char *in, unsigned in_len, void *opts) {
    (void)ssl;
    (void)opts;
    return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, h2, sizeof h2, in,
                                 in_len) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void tls_want_h2(SSL_CTX *context) {
    check(SSL_CTX_set_alpn_protos(context, h2, sizeof h2) == 0, "ALPN");
    SSL_CTX_set_alpn_select_cb(context, choose, NULL);
}

SSL *tls_begin(SSL_CTX *context, int fd) {
    const unsigned char *name;
    unsigned len;
    SSL *ssl = SSL_new(context);
    check(ssl != NULL && SSL_set_fd(ssl, fd) == 1, "SSL_new");
    const bool is_client = SSL_CTX_get_ssl_method(context) == TLS_client_method();
    if ((is_client ? SSL_connect(ssl) : SSL_accept(ssl)) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_get0_alpn_selected(ssl, &name, &len);
    if (len != 2 || memcmp(name, "h2", 2) != 0) {
        SSL_free(ssl);
        return NULL;
    }
    return ssl;
}
