/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS contexts: what all streams of a server or client have in common. Built once, read by every
 * worker afterwards. See tls.h.
 */
#include "core/sized.h"
#include "io/tls_internal.h"

#include <ctype.h>
#include <openssl/err.h>
#include <strings.h>

/* TLS 1.2: forward secrecy and AEAD only (RFC 9325 4.2). TLS 1.3: the 128-bit cipher first, it is
 * the fastest and strong enough; clients without AES hardware get ChaCha20 (PRIORITIZE_CHACHA). */
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS     "X25519:P-256:P-384"

static wring_result out_of_memory(wring_error *error) {
    wring__tls_errors_drain();
    return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "out of memory");
}

static wring_result refused(wring_error *error, const char *what, const char *value) {
    unsigned long code = wring__tls_errors_drain();
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
        return out_of_memory(error);
    }
    return wring_error_set(error, WRING_ERR_TLS_CONFIG, 0, "%s '%s' cannot be used: %s", what,
                           value, wring__tls_error_text(code));
}

/* ---- both roles ------------------------------------------------------------------------------ */

static wring_result ssl_create(const SSL_METHOD *method, SSL_CTX **out, wring_error *error) {
    SSL_CTX *ssl = SSL_CTX_new(method);
    if (ssl == NULL) {
        return out_of_memory(error);
    }
    *out = ssl;
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS); /* an idle stream keeps no record buffers */
    if (SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ssl, CIPHERS_12) != 1 ||
        SSL_CTX_set_ciphersuites(ssl, CIPHERS_13) != 1 ||
        SSL_CTX_set1_groups_list(ssl, GROUPS) != 1) {
        return refused(error, "OpenSSL: the cipher list", CIPHERS_12);
    }
    return WRING_OK;
}

static wring_result alpn_encode(wring__tls_context *context, const char *const *alpn, size_t count,
                                wring_error *error) {
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(alpn[i]);
        if (len == 0 || len > 255 || context->alpn_len + 1 + len > sizeof context->alpn) {
            return wring_error_set(error, WRING_ERR_TLS_CONFIG, 0,
                                   "alpn: the name '%.64s' is empty, or the list is longer than "
                                   "%zu bytes",
                                   alpn[i], sizeof context->alpn);
        }
        context->alpn[context->alpn_len] = (uint8_t)len;
        memcpy(&context->alpn[context->alpn_len + 1], alpn[i], len);
        context->alpn_len += 1 + (unsigned)len;
    }
    return WRING_OK;
}

static wring_result identity_use(SSL_CTX *ssl, const wring__tls_identity *identity,
                                 const char *cert_file, wring_error *error) {
    if (SSL_CTX_use_cert_and_key(ssl, identity->cert, identity->key, identity->chain, 1) != 1) {
        return refused(error, "the certificate in", cert_file);
    }
    return WRING_OK;
}

/* Loads a certificate and makes it the one a context shows. */
static wring_result identity_install(SSL_CTX *ssl, const char *cert_file, const char *key_file,
                                     bool allow_expired, wring_error *error) {
    wring__tls_identity identity = {0};
    wring_result result =
        wring__tls_identity_load(&identity, cert_file, key_file, allow_expired, error);
    if (result == WRING_OK) {
        result = identity_use(ssl, &identity, cert_file, error);
    }
    wring__tls_identity_deinit(&identity);
    return result;
}

/* `names`: also tell clients which authorities are meant. */
static wring_result authorities_install(SSL_CTX *ssl, const char *path, bool names,
                                        wring_error *error) {
    STACK_OF(X509) *certs = NULL;
    wring_result result = wring__tls_certs_load(path, "authorities", &certs, error);
    for (int i = 0; result == WRING_OK && i < sk_X509_num(certs); i++) {
        X509 *cert = sk_X509_value(certs, i);
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), cert) != 1 ||
            (names && SSL_CTX_add_client_CA(ssl, cert) != 1)) {
            result = refused(error, "the authorities file", path);
        }
    }
    sk_X509_pop_free(certs, X509_free);
    return result;
}

static void context_free(wring__tls_context *context) {
    for (size_t i = 0; i < context->identity_count; i++) {
        wring__tls_identity_deinit(&context->identities[i]);
    }
    free(context->identities);
    SSL_CTX_free(context->ssl);
    wring__tls_tickets_unref(context->tickets);
    free(context);
}

static wring__tls_context *context_alloc(bool is_server) {
    wring__tls_context *context = calloc(1, sizeof *context);
    if (context != NULL) {
        atomic_init(&context->refs, 1);
        context->is_server = is_server;
    }
    return context;
}

wring__tls_context *wring__tls_context_ref(wring__tls_context *context) {
    atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

void wring__tls_context_unref(wring__tls_context *context) {
    /* acq_rel: the freeing thread must see every reader done */
    if (context != NULL &&
        atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) == 1) {
        context_free(context);
    }
}

/* ---- server ---------------------------------------------------------------------------------- */

/* "*.example.com" is any name of one label before ".example.com" (RFC 9525 6.3). */
static bool name_matches(const char *pattern, const char *name) {
    if (pattern[0] == '*' && pattern[1] == '.') {
        const char *dot = strchr(name, '.');
        return dot != NULL && dot != name && strcasecmp(pattern + 1, dot) == 0;
    }
    return strcasecmp(pattern, name) == 0;
}

/* Exact names win over wildcards, whatever their order. */
static const wring__tls_identity *identity_find(const wring__tls_context *context,
                                                const char *name) {
    const wring__tls_identity *found = NULL;
    for (size_t i = 0; i < context->identity_count; i++) {
        const wring__tls_identity *identity = &context->identities[i];
        if (name_matches(identity->server_name, name)) {
            if (identity->server_name[0] != '*') {
                return identity;
            }
            found = found == NULL ? identity : found;
        }
    }
    return found;
}

/* Called when the ClientHello is read. Changing the certificate, not the SSL_CTX: tickets, ALPN and
 * client authorities stay those of the one context. */
static int on_certificate(SSL *ssl, void *arg) {
    const wring__tls_context *context = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const wring__tls_identity *identity = name == NULL ? NULL : identity_find(context, name);
    if (identity == NULL) {
        return 1; /* the default one */
    }
    SSL_certs_clear(ssl); /* else one of another key type could still be chosen */
    return SSL_use_cert_and_key(ssl, identity->cert, identity->key, identity->chain, 1);
}

bool wring__tls_is_for(const wring__tls *tls, const char *host) {
    const char *name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
    return name == NULL || identity_find(tls->context, name) == identity_find(tls->context, host);
}

/* Without it OpenSSL does not tell the client that the name was heard. */
static int on_server_name(SSL *ssl, int *alert, void *arg) {
    (void)alert;
    (void)arg;
    return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) == NULL ? SSL_TLSEXT_ERR_NOACK
                                                                      : SSL_TLSEXT_ERR_OK;
}

/* RFC 7301 3.2: our order decides; nothing in common ends the handshake. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *offered, unsigned offered_len, void *arg) {
    const wring__tls_context *context = arg;
    unsigned char *chosen = NULL;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_len, context->alpn, context->alpn_len, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

void wring__tls_library_init(void) {
    /* OpenSSL would clean up at exit() while our threads still use it, and crash them. */
    (void)OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL);
}

/* Tried on a context of its own, so that OpenSSL objects now and not in a handshake. */
static wring_result identity_load(wring__tls_context *context, const wring_tls_sni *sni,
                                  bool allow_expired, wring_error *error) {
    wring__tls_identity *identity = &context->identities[context->identity_count];
    if (sni->server_name == NULL || sni->server_name[0] == 0) {
        return wring_error_set(error, WRING_ERR_TLS_CONFIG, 0, "sni[%zu] has no server_name",
                               context->identity_count);
    }
    SSL_CTX *trial = NULL;
    wring_result result = ssl_create(TLS_server_method(), &trial, error);
    if (result == WRING_OK) {
        result =
            wring__tls_identity_load(identity, sni->cert_file, sni->key_file, allow_expired, error);
    }
    if (result == WRING_OK) {
        context->identity_count++;
        identity->server_name = strdup(sni->server_name);
        result = identity->server_name == NULL
                     ? out_of_memory(error)
                     : identity_use(trial, identity, sni->cert_file, error);
    }
    SSL_CTX_free(trial);
    return result;
}

static wring_result sni_load(wring__tls_context *context, const wring_tls_server_config *config,
                             wring_error *error) {
    if (config->sni_count == 0) {
        return WRING_OK;
    }
    wring_tls_sni *list = calloc(config->sni_count, sizeof *list);
    context->identities = calloc(config->sni_count, sizeof *context->identities);
    if (context->identities == NULL || list == NULL) {
        free(list);
        return out_of_memory(error);
    }
    wring_result result =
        wring__sized_list_adopt(list, sizeof *list, config->sni, config->sni_count,
                                offsetof(wring_tls_sni, key_file), "wring_tls_sni", error);
    for (size_t i = 0; result == WRING_OK && i < config->sni_count; i++) {
        result = identity_load(context, &list[i], config->allow_expired, error);
    }
    free(list);
    return result;
}

static wring_result clients_verify(wring__tls_context *context,
                                   const wring_tls_server_config *config, wring_error *error) {
    if (config->client_ca_file == NULL) {
        return WRING_OK;
    }
    context->verifies = true;
    context->has_client_ca = true;
    SSL_CTX_set_verify(context->ssl,
                       SSL_VERIFY_PEER |
                           (config->client_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT),
                       wring__tls_on_verify);
    return authorities_install(context->ssl, config->client_ca_file, true, error);
}

/* Sessions live in tickets with the clients: no cache that workers would lock. One ticket a
 * handshake, as a WebSocket client comes back once. */
static wring_result tickets_set(wring__tls_context *context, const wring__tls_context *previous,
                                wring_error *error) {
    static const uint8_t session_context[] = "wring";
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_session_id_context(context->ssl, session_context, sizeof session_context - 1) !=
            1 ||
        SSL_CTX_set_num_tickets(context->ssl, 1) != 1) {
        return out_of_memory(error);
    }
    /* A ticket vouches for the client's certificate: not carried over where the authorities may
     * have changed. */
    const bool carries = previous != NULL && !previous->has_client_ca && !context->has_client_ca;
    context->tickets =
        carries ? wring__tls_tickets_ref(previous->tickets) : wring__tls_tickets_create();
    return context->tickets != NULL && wring__tls_tickets_install(context) ? WRING_OK
                                                                           : out_of_memory(error);
}

static wring_result server_set(wring__tls_context *context, const wring_tls_server_config *config,
                               const wring__tls_context *previous, wring_error *error) {
    wring_result result = ssl_create(TLS_server_method(), &context->ssl, error);
    if (result == WRING_OK) {
        result = alpn_encode(context, config->alpn, config->alpn_count, error);
    }
    if (result == WRING_OK) {
        result = identity_install(context->ssl, config->cert_file, config->key_file,
                                  config->allow_expired, error);
    }
    if (result == WRING_OK) {
        result = sni_load(context, config, error);
    }
    if (result == WRING_OK) {
        result = clients_verify(context, config, error);
    }
    if (result == WRING_OK) {
        result = tickets_set(context, previous, error);
    }
    if (result != WRING_OK) {
        return result;
    }
    if (context->identity_count > 0) {
        SSL_CTX_set_cert_cb(context->ssl, on_certificate, context);
    }
    if (context->alpn_len > 0) {
        SSL_CTX_set_alpn_select_cb(context->ssl, on_alpn, context);
    }
    SSL_CTX_set_tlsext_servername_callback(context->ssl, on_server_name);
    return WRING_OK;
}

wring_result wring__tls_context_server(const wring_tls_server_config *asked,
                                       const wring__tls_context *previous, wring__tls_context **out,
                                       wring_error *error) {
    wring_tls_server_config config;
    wring_result result =
        wring__sized_adopt(&config, sizeof config, asked, sizeof config.struct_size + 1,
                           "wring_tls_server_config", error);
    if (result != WRING_OK) {
        return result;
    }
    wring__tls_library_init(); /* first: OpenSSL's first initialisation decides */
    ERR_clear_error();
    wring__tls_context *context = context_alloc(true);
    if (context == NULL) {
        return out_of_memory(error);
    }
    result = server_set(context, &config, previous, error);
    wring__tls_errors_drain(); /* OpenSSL leaves entries even where it succeeded */
    if (result != WRING_OK) {
        wring__tls_context_unref(context);
        return result;
    }
    *out = context;
    return WRING_OK;
}

/* ---- client ---------------------------------------------------------------------------------- */

/* Keeps the newest session in its stream. 1: the reference is ours. */
static int on_session(SSL *ssl, SSL_SESSION *session) {
    wring__tls *tls = wring__tls_of(ssl);
    SSL_SESSION_free(tls->client->session);
    tls->client->session = session;
    return 1;
}

static wring_result client_set(wring__tls_context *context, const wring_tls_client_config *config,
                               wring_error *error) {
    wring_result result = ssl_create(TLS_client_method(), &context->ssl, error);
    if (result == WRING_OK) {
        result = alpn_encode(context, config->alpn, config->alpn_count, error);
    }
    if (result == WRING_OK && config->cert_file != NULL) {
        result = identity_install(context->ssl, config->cert_file, config->key_file,
                                  config->allow_expired, error);
    }
    if (result != WRING_OK) {
        return result;
    }
    SSL_CTX_set_session_cache_mode(context->ssl,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context->ssl, on_session);
    if (context->alpn_len > 0 &&
        SSL_CTX_set_alpn_protos(context->ssl, context->alpn, context->alpn_len) != 0) {
        return out_of_memory(error);
    }
    context->verifies = !config->no_verify;
    if (config->no_verify) {
        return WRING_OK;
    }
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, wring__tls_on_verify);
    if (config->ca_file != NULL) {
        return authorities_install(context->ssl, config->ca_file, false, error);
    }
    return SSL_CTX_set_default_verify_paths(context->ssl) == 1
               ? WRING_OK
               : refused(error, "the authorities of", "the system");
}

wring_result wring__tls_context_client(const wring_tls_client_config *asked,
                                       wring__tls_context **out, wring_error *error) {
    wring_tls_client_config config;
    wring_result result =
        wring__sized_adopt(&config, sizeof config, asked, sizeof config.struct_size + 1,
                           "wring_tls_client_config", error);
    if (result != WRING_OK) {
        return result;
    }
    wring__tls_library_init(); /* first: OpenSSL's first initialisation decides */
    ERR_clear_error();
    wring__tls_context *context = context_alloc(false);
    if (context == NULL) {
        return out_of_memory(error);
    }
    result = client_set(context, &config, error);
    wring__tls_errors_drain(); /* OpenSSL leaves entries even where it succeeded */
    if (result != WRING_OK) {
        wring__tls_context_unref(context);
        return result;
    }
    *out = context;
    return WRING_OK;
}
