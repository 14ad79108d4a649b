/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of io/tls share: the structs behind the handles of tls.h, and the steps one file
 * does for another. OpenSSL's names stay within these files.
 */
#ifndef WRING_IO_TLS_INTERNAL_H
#define WRING_IO_TLS_INTERNAL_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "io/tls.h"

/** A certificate with its key and the authorities between it and the root. */
typedef struct wring__tls_identity {
    char *server_name; /* lower case; NULL for the default one */
    X509 *cert;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
} wring__tls_identity;

/** The keys of a server's session tickets, shared by the contexts that replace one another. */
typedef struct wring__tls_tickets wring__tls_tickets;

struct wring__tls_context {
    atomic_uint refs;
    bool is_server;
    bool verifies;      /* the peer's certificate is checked if there is one */
    bool has_client_ca; /* server */
    SSL_CTX *ssl;
    wring__tls_identity *identities; /* server: by name */
    size_t identity_count;
    wring__tls_tickets *tickets; /* server */
    unsigned alpn_len;
    uint8_t alpn[256]; /* as on the wire: length, name, length, name ... RFC 7301 3.1 */
};

struct wring__tls_session {
    SSL_SESSION *ssl;
    wring__tls_context *context; /* shared */
    char server_name[];
};

/** What only a client's stream has. */
typedef struct wring__tls_client {
    SSL_SESSION *session; /* the newest */
    char server_name[];   /* "": none */
} wring__tls_client;

/** An idle connection has one: it is kept small. */
struct wring__tls {
    SSL *ssl;
    wring__tls_context *context; /* shared */
    wring__outq *out;
    wring__chunk_cache *chunks;
    wring_bytes rx;            /* received, not yet taken by OpenSSL */
    uint8_t *kept;             /* our copy that rx looks into; NULL while rx is borrowed */
    wring__tls_client *client; /* NULL: the role is server */
    char *reason;              /* a sentence, once failed */
    wring_time_ns empty_at;
    uint32_t kept_bytes; /* of our copy */
    int16_t result;      /* wring_result, once failed */
    uint8_t state;
    uint8_t empty_left; /* records that may begin and carry nothing, at this moment */
    uint16_t body_left; /* bytes of the record's body that OpenSSL lacks */
    uint8_t header_len; /* bytes of the next record's header that OpenSSL has */
    uint8_t length_high;
    bool record_is_charged : 1; /* the last one that began counts as empty: until it gives data */
    bool is_flooded : 1;        /* by records that carry nothing */
    bool out_of_memory : 1;     /* the queue had no room: OpenSSL only sees a failed write */
    bool is_shut : 1;           /* close_notify was queued */
    bool is_truncated : 1; /* failed by its end only: what we send is still good, and still due */
};

_Static_assert(sizeof(struct wring__tls) <= 96, "an idle connection with TLS would become larger");

/** Records without data that a peer may send at once: key updates, tickets, alerts, empty ones. */
#define WRING__TLS_EMPTY_MAX 64

/** tls_bio.c: this thread's BIO, with a reference for the caller; NULL: no memory. */
BIO *wring__tls_bio_acquire(void);

/** tls_tickets.c.  NULL: no memory, or no random bytes. */
wring__tls_tickets *wring__tls_tickets_create(void);
wring__tls_tickets *wring__tls_tickets_ref(wring__tls_tickets *tickets);
void wring__tls_tickets_unref(wring__tls_tickets *tickets); /* NULL is legal */
/** The tickets of this context's streams are made with context->tickets. */
WRING_MUST_CHECK bool wring__tls_tickets_install(wring__tls_context *context);
/** When is it? Tests have a clock of their own. */
extern wring_time_ns (*wring__tls_tickets_clock)(void);

/** Within a call of OpenSSL's: the stream it works for. */
static inline wring__tls *wring__tls_of(const SSL *ssl) {
    return BIO_get_data(SSL_get_rbio(ssl));
}

/** tls_files.c: reads PEM files. `what` names the file's role in the error's sentence. */
wring_result wring__tls_certs_load(const char *path, const char *what, STACK_OF(X509) * *certs,
                                   wring_error *error);
wring_result wring__tls_identity_load(wring__tls_identity *identity, const char *cert_file,
                                      const char *key_file, bool allow_expired, wring_error *error);
void wring__tls_identity_deinit(wring__tls_identity *identity);

/** tls_verdict.c: empties this thread's OpenSSL error queue and returns the entry that says most,
 *  0 if there was none. Takes a typed result and a sentence from it. */
unsigned long wring__tls_errors_drain(void);
const char *wring__tls_error_text(unsigned long code);
wring_result wring__tls_verdict(wring__tls *tls);
void wring__tls_set_reason(wring__tls *tls, const char *format, ...) WRING_PRINTF(2, 3);
int wring__tls_on_verify(int ok, X509_STORE_CTX *store);

/** tls_peer.c: the names in a certificate, `separator` between them. As snprintf. */
size_t wring__tls_names_write(const X509 *cert, char separator, char *text, size_t cap);
void wring__tls_time_write(const ASN1_TIME *time, char *text, size_t cap);

#endif
