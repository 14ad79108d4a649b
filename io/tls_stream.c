/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS streams: one SSL between our own spans, through a BIO of our own (tls_bio.c). See tls.h.
 */
#include "io/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define RECORD_MAX 16384 /* plaintext bytes, RFC 8446 5.1 */
#define GATHER_MAX 64
/* A peer may send one record without data in this time, and WRING__TLS_EMPTY_MAX at once. */
#define EMPTY_EVERY_NS WRING_NS_PER_SEC

/* Before each call that moves bytes: the thread's BIO is this stream's now. SSL_get_error looks at
 * the thread's queue, where others may have left something. Looking first: clearing an empty queue
 * walks all of it. */
static void tls_enter(wring__tls *tls) {
    BIO_set_data(SSL_get_rbio(tls->ssl), tls);
    if (WRING_UNLIKELY(ERR_peek_error() != 0)) {
        ERR_clear_error();
    }
}

/* ---- making and freeing ---------------------------------------------------------------------- */

/* A session carries the verdict of its own handshake on: it fits only where the same authorities
 * and the same name would be asked for. */
static bool session_fits(const wring__tls *tls, const wring__tls_session *session) {
    return session->context == tls->context &&
           strcmp(session->server_name, tls->client->server_name) == 0;
}

/* RFC 6066 3: an address is no server name; it is only checked. RFC 9525 6.3: names stand in the
 * subjectAltName, and a star stands for one whole label. */
static bool client_name_set(wring__tls *tls) {
    const char *name = tls->client->server_name;
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1) {
        return true;
    }
    SSL_set_hostflags(tls->ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set_tlsext_host_name(tls->ssl, name) == 1 && SSL_set1_host(tls->ssl, name) == 1;
}

/* RFC 6066 3: without the trailing dot of an absolute name. Names in certificates have none either.
 */
static wring__tls_client *client_create(const char *name) {
    size_t len = name == NULL ? 0 : strlen(name);
    len -= len > 1 && name[len - 1] == '.';
    wring__tls_client *client = calloc(1, sizeof *client + len + 1);
    if (client != NULL && len > 0) {
        memcpy(client->server_name, name, len);
    }
    return client;
}

static bool client_set(wring__tls *tls, const wring__tls_options *options) {
    tls->client = client_create(options->server_name);
    if (tls->client == NULL || (options->server_name != NULL && !client_name_set(tls))) {
        return false;
    }
    if (options->alpn.len > 0 &&
        SSL_set_alpn_protos(tls->ssl, options->alpn.data, (unsigned)options->alpn.len) != 0) {
        return false;
    }
    SSL_set_connect_state(tls->ssl);
    return options->session == NULL || !session_fits(tls, options->session) ||
           SSL_set_session(tls->ssl, options->session->ssl) == 1;
}

static bool stream_set(wring__tls *tls, const wring__tls_options *options) {
    tls->ssl = SSL_new(tls->context->ssl);
    BIO *bio = tls->ssl == NULL ? NULL : wring__tls_bio_acquire();
    if (bio == NULL) {
        return false;
    }
    SSL_set_bio(tls->ssl, bio, bio);
    if (tls->context->is_server) {
        SSL_set_accept_state(tls->ssl);
        return true;
    }
    return client_set(tls, options);
}

wring_result wring__tls_create(wring__tls_context *context, const wring__tls_options *options,
                               wring__tls **out) {
    bool has_name = options->server_name != NULL && options->server_name[0] != 0;
    if (options->out == NULL || (!context->is_server && context->verifies && !has_name)) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    wring__tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    tls->context = wring__tls_context_ref(context);
    tls->out = options->out;
    tls->chunks = options->chunks;
    tls->empty_left = WRING__TLS_EMPTY_MAX;
    bool ok = stream_set(tls, options);
    wring__tls_errors_drain();
    if (!ok) {
        wring__tls_destroy(tls);
        return WRING_ERR_NO_MEMORY;
    }
    *out = tls;
    return WRING_OK;
}

static void kept_count(wring__tls *tls, size_t bytes) {
    if (tls->chunks != NULL) { /* it is memory of the worker */
        tls->chunks->held += bytes - tls->kept_bytes;
    }
    tls->kept_bytes = (uint32_t)bytes;
}

static void kept_free(wring__tls *tls) {
    free(tls->kept);
    kept_count(tls, 0);
    tls->kept = NULL;
    tls->rx = (wring_bytes){0};
}

void wring__tls_destroy(wring__tls *tls) {
    if (tls == NULL) {
        return;
    }
    if (tls->ssl != NULL && tls->state != WRING__TLS_FAILED) {
        /* Else OpenSSL takes the session for a bad one and it cannot be resumed. */
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(tls->ssl);
    if (tls->client != NULL) {
        SSL_SESSION_free(tls->client->session);
        free(tls->client);
    }
    wring__tls_context_unref(tls->context);
    kept_free(tls);
    free(tls->reason);
    free(tls);
    wring__tls_errors_drain();
}

/* ---- ciphertext in --------------------------------------------------------------------------- */

/* What is left of rx, and `more` behind it, in memory of our own. */
static wring_result rx_copy(wring__tls *tls, wring_bytes more) {
    size_t len = tls->rx.len + more.len;
    uint8_t *copy = malloc(len);
    if (copy == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    memcpy(copy, tls->rx.data, tls->rx.len);
    if (more.len > 0) {
        memcpy(copy + tls->rx.len, more.data, more.len);
    }
    kept_free(tls);
    tls->kept = copy;
    kept_count(tls, len);
    tls->rx = (wring_bytes){copy, len};
    return WRING_OK;
}

wring_result wring__tls_receive(wring__tls *tls, wring_mut_bytes ciphertext) {
    wring_bytes bytes = {ciphertext.data, ciphertext.len};
    if (tls->state >= WRING__TLS_CLOSED) {
        return WRING_OK; /* nobody will read it */
    }
    if (tls->rx.len > 0) {
        return rx_copy(tls, bytes);
    }
    kept_free(tls);
    tls->rx = bytes;
    return WRING_OK;
}

wring_result wring__tls_keep(wring__tls *tls) {
    if (tls->kept != NULL) {
        return WRING_OK;
    }
    if (tls->rx.len > 0) {
        return rx_copy(tls, (wring_bytes){0});
    }
    tls->rx = (wring_bytes){0};
    return WRING_OK;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void set_state(wring__tls *tls, enum wring__tls_state state) {
    WRING_ASSERT((int)state > (int)tls->state);
    tls->state = (uint8_t)state;
}

static wring_result stream_fail(wring__tls *tls, wring_result result) {
    tls->result = (int16_t)result;
    tls->is_truncated = false;
    if (tls->state !=
        WRING__TLS_FAILED) { /* else it was truncated, and now it cannot write either */
        set_state(tls, WRING__TLS_FAILED);
    }
    kept_free(tls);
    return result;
}

/* A call of OpenSSL's did not give what it was called for. */
static wring_result step_end(wring__tls *tls, int returned) {
    if (tls->is_flooded) {
        wring__tls_errors_drain();
        wring__tls_set_reason(tls,
                              "the peer sent more than %d TLS records without data, such as "
                              "key updates, and more than one a second after that",
                              WRING__TLS_EMPTY_MAX);
        return stream_fail(tls, WRING_ERR_TLS_EMPTY_RECORDS);
    }
    switch (SSL_get_error(tls->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        WRING_ASSERT(tls->rx.len == 0);
        kept_free(tls);
        return WRING_MORE;
    case SSL_ERROR_ZERO_RETURN:
        set_state(tls, WRING__TLS_CLOSED);
        kept_free(tls); /* RFC 8446 6.1: what follows close_notify is ignored */
        return WRING_OK;
    default: /* the queue takes every write, so that WANT_WRITE does not occur */
        return stream_fail(tls, wring__tls_verdict(tls));
    }
}

/* The ephemeral keys have done their work, and OpenSSL would keep them (400 bytes) with the stream.
 * RFC 8446 7.1: a secret should be erased once what is derived from it is there. A new type makes
 * an EVP_PKEY drop its key. */
static void ephemeral_keys_erase(SSL *ssl) {
    EVP_PKEY *ours = NULL;
    EVP_PKEY *theirs = NULL;
    if (SSL_get_tmp_key(ssl, &ours) == 1) {
        (void)EVP_PKEY_set_type(ours, EVP_PKEY_X25519);
        EVP_PKEY_free(ours);
    }
    if (SSL_get_peer_tmp_key(ssl, &theirs) == 1) {
        (void)EVP_PKEY_set_type(theirs, EVP_PKEY_X25519);
        EVP_PKEY_free(theirs);
    }
}

wring_result wring__tls_handshake(wring__tls *tls) {
    if (tls->state != WRING__TLS_HANDSHAKING) {
        return tls->state == WRING__TLS_FAILED ? (wring_result)tls->result : WRING_OK;
    }
    tls_enter(tls);
    int returned = SSL_do_handshake(tls->ssl);
    if (returned != 1) {
        return step_end(tls, returned);
    }
    ephemeral_keys_erase(tls->ssl);
    set_state(tls, WRING__TLS_OPEN);
    return WRING_OK;
}

wring_result wring__tls_read(wring__tls *tls, uint8_t *buffer, size_t len, size_t *n) {
    WRING_ASSERT(len > 0);
    *n = 0;
    wring_result result = wring__tls_handshake(tls);
    if (result != WRING_OK || tls->state == WRING__TLS_CLOSED) {
        return result;
    }
    if (tls->rx.len == 0 && SSL_pending(tls->ssl) == 0) {
        kept_free(tls);
        return WRING_MORE; /* what OpenSSL would say, after taking and freeing a record buffer */
    }
    tls_enter(tls);
    int returned = SSL_read_ex(tls->ssl, buffer, len, n);
    if (returned == 1) {
        tls->empty_left =
            (uint8_t)(tls->empty_left + tls->record_is_charged); /* it was not empty */
        tls->record_is_charged = false;
        return WRING_OK;
    }
    *n = 0;
    return step_end(tls, returned);
}

void wring__tls_pass(wring__tls *tls, wring_time_ns now) {
    if (tls->empty_left == WRING__TLS_EMPTY_MAX) {
        tls->empty_at = now;
        return;
    }
    const uint64_t earned = (now - tls->empty_at) / EMPTY_EVERY_NS;
    tls->empty_at += earned * EMPTY_EVERY_NS;
    tls->empty_left =
        (uint8_t)wring__min_u64(WRING__TLS_EMPTY_MAX, (uint64_t)tls->empty_left + earned);
}

size_t wring__tls_kept(const wring__tls *tls) {
    return tls->kept_bytes;
}

bool wring__tls_has_pending(const wring__tls *tls) {
    return tls->state < WRING__TLS_CLOSED && (tls->rx.len > 0 || SSL_pending(tls->ssl) > 0);
}

/* ---- plaintext in ---------------------------------------------------------------------------- */

static wring_result records_write(wring__tls *tls, const uint8_t *data, size_t len) {
    size_t written = 0;
    if (len == 0) {
        return WRING_OK;
    }
    int returned = SSL_write_ex(tls->ssl, data, len, &written);
    if (returned != 1 || tls->out_of_memory) {
        return stream_fail(tls, wring__tls_verdict(tls));
    }
    WRING_ASSERT(written == len);
    return WRING_OK;
}

/* One record being filled from short pieces. */
struct record {
    size_t used;
    uint8_t bytes[RECORD_MAX];
};

static wring_result record_add(wring__tls *tls, struct record *record, const uint8_t *data,
                               size_t len) {
    while (len > 0) {
        if (record->used == 0 && len >= RECORD_MAX) {
            return records_write(tls, data, len);
        }
        size_t part = wring__min_size(len, RECORD_MAX - record->used);
        memcpy(record->bytes + record->used, data, part);
        record->used += part;
        data += part;
        len -= part;
        if (record->used == RECORD_MAX) {
            record->used = 0;
            wring_result result = records_write(tls, record->bytes, RECORD_MAX);
            if (result != WRING_OK) {
                return result;
            }
        }
    }
    return WRING_OK;
}

/* Short pieces share a record by way of the stack: a record of its own costs each 22 bytes and a
 * start of the cipher, which is more than the copy. Long ones are not copied. */
static wring_result pieces_write(wring__tls *tls, const struct iovec *iov, size_t count) {
    struct record record WRING_UNINITIALIZED;
    record.used = 0;
    for (size_t i = 0; i < count; i++) {
        wring_result result = record_add(tls, &record, iov[i].iov_base, iov[i].iov_len);
        if (result != WRING_OK) {
            return result;
        }
    }
    return records_write(tls, record.bytes, record.used);
}

wring_result wring__tls_write(wring__tls *tls, const struct iovec *iov, size_t count) {
    if (tls->state == WRING__TLS_HANDSHAKING) {
        return WRING_MORE;
    }
    if (!wring__tls_is_writable(tls) || tls->is_shut) {
        return tls->state == WRING__TLS_FAILED ? (wring_result)tls->result : WRING_ERR_CLOSED;
    }
    tls_enter(tls);
    if (count == 1) {
        return records_write(tls, iov[0].iov_base, iov[0].iov_len);
    }
    return pieces_write(tls, iov, count);
}

/* Shortens a gather list to `max` > 0 bytes. */
static size_t iov_cut(struct iovec *iov, size_t count, size_t max) {
    for (size_t i = 0; i < count; i++) {
        if (iov[i].iov_len >= max) {
            iov[i].iov_len = max;
            return i + 1;
        }
        max -= iov[i].iov_len;
    }
    return count;
}

wring_result wring__tls_write_queue(wring__tls *tls, wring__outq *plain, size_t max) {
    struct iovec iov[GATHER_MAX] WRING_UNINITIALIZED;
    size_t taken = 0;
    while (plain->bytes > 0 && taken < max) {
        size_t count = wring__outq_gather(plain, iov, WRING_ARRAY_LEN(iov));
        count = iov_cut(iov, count, max - taken);
        wring_result result = wring__tls_write(tls, iov, count);
        if (result != WRING_OK) {
            return result;
        }
        const size_t bytes = wring__iov_bytes(iov, count);
        wring__outq_consume(plain, tls->chunks, bytes);
        taken += bytes;
    }
    return WRING_OK;
}

/* ---- ending ---------------------------------------------------------------------------------- */

void wring__tls_shutdown(wring__tls *tls) {
    if (tls->is_shut || !wring__tls_is_writable(tls)) {
        return;
    }
    tls->is_shut = true;
    tls_enter(tls);
    if (SSL_shutdown(tls->ssl) < 0) {
        wring__tls_errors_drain(); /* no memory for the alert: the peer will see a truncation */
    }
}

wring_result wring__tls_eof(wring__tls *tls) {
    switch ((enum wring__tls_state)tls->state) {
    case WRING__TLS_CLOSED:
        return WRING_OK;
    case WRING__TLS_FAILED:
        return (wring_result)tls->result;
    case WRING__TLS_HANDSHAKING:
        wring__tls_set_reason(tls, "the stream ended within the TLS handshake");
        return stream_fail(tls, WRING_ERR_TLS_TRUNCATED);
    case WRING__TLS_OPEN:
        wring__tls_set_reason(tls, "the stream ended without a TLS close_notify: the peer broke "
                                   "off, or somebody cut the stream");
        (void)stream_fail(tls, WRING_ERR_TLS_TRUNCATED);
        tls->is_truncated = true;
        return WRING_ERR_TLS_TRUNCATED;
    }
    WRING_UNREACHABLE();
}

bool wring__tls_is_writable(const wring__tls *tls) {
    return tls->state == WRING__TLS_OPEN || tls->state == WRING__TLS_CLOSED || tls->is_truncated;
}

enum wring__tls_state wring__tls_state_of(const wring__tls *tls) {
    return (enum wring__tls_state)tls->state;
}

bool wring__tls_is_established(const wring__tls *tls) {
    return SSL_is_init_finished(tls->ssl) != 0;
}

/* ---- sessions -------------------------------------------------------------------------------- */

wring__tls_session *wring__tls_take_session(wring__tls *tls) {
    if (tls->client == NULL || tls->client->session == NULL || tls->state == WRING__TLS_FAILED) {
        return NULL;
    }
    const char *name = tls->client->server_name;
    size_t size = strlen(name) + 1;
    wring__tls_session *session = calloc(1, sizeof *session + size);
    if (session == NULL) {
        return NULL;
    }
    memcpy(session->server_name, name, size);
    session->ssl = tls->client->session;
    session->context = wring__tls_context_ref(tls->context);
    tls->client->session = NULL;
    return session;
}

bool wring__tls_session_is_reusable(const wring__tls_session *session) {
    return session != NULL && SSL_SESSION_get_protocol_version(session->ssl) < TLS1_3_VERSION;
}

void wring__tls_session_destroy(wring__tls_session *session) {
    if (session != NULL) {
        SSL_SESSION_free(session->ssl);
        wring__tls_context_unref(session->context);
        free(session);
    }
}
