/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates and keys from PEM files. The OpenSSL loaders that take a path are not used: they do
 * not tell a missing file from a damaged one. See tls.h.
 */
#include "io/tls_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe has so long to bring its bytes (a shell's process substitution). A server that reads its
 * certificates again must not wait for ever: it answers to signals meanwhile. */
#define PIPE_PATIENCE_MS 2000

static bool is_readable(int descriptor) {
    struct stat status;
    struct pollfd one = {.fd = descriptor, .events = POLLIN};
    return fstat(descriptor, &status) == 0 &&
           (!S_ISFIFO(status.st_mode) || poll(&one, 1, PIPE_PATIENCE_MS) == 1);
}

/* NULL with errno set. */
static FILE *stream_open(const char *path) {
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return NULL;
    }
    if (!is_readable(descriptor) || fcntl(descriptor, F_SETFL, 0) != 0) {
        close(descriptor);
        errno = ETIMEDOUT; /* nobody writes to the pipe */
        return NULL;
    }
    FILE *stream = fdopen(descriptor, "r");
    if (stream == NULL) {
        close(descriptor);
    }
    return stream;
}

static wring_result file_open(const char *path, const char *what, BIO **file, wring_error *error) {
    FILE *stream = path == NULL ? NULL : stream_open(path);
    if (stream == NULL) {
        int system_errno = path == NULL ? 0 : errno;
        return wring_error_set(
            error, WRING_ERR_TLS_CONFIG, system_errno,
            path == NULL ? "no %s file%s is given%s" : "the %s file '%s' cannot be opened: %s",
            what, path == NULL ? "" : path, path == NULL ? "" : strerror(system_errno));
    }
    *file = BIO_new_fp(stream, BIO_CLOSE);
    if (*file == NULL) {
        fclose(stream);
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "out of memory");
    }
    return WRING_OK;
}

/* No terminal to ask at, and a server must start unattended. */
static int passphrase_refuse(char *buffer, int size, int writing, void *asked) {
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static wring_result certs_read(BIO *file, const char *path, const char *what,
                               STACK_OF(X509) * certs, wring_error *error) {
    X509 *cert;
    bool asked = false;
    while ((cert = PEM_read_bio_X509(file, NULL, passphrase_refuse, &asked)) != NULL) {
        if (sk_X509_push(certs, cert) <= 0) {
            X509_free(cert);
            return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "out of memory");
        }
    }
    /* The loop ends at the end of the file, which is fine, or at a block that does not parse. */
    unsigned long last = ERR_peek_last_error();
    bool at_end = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    unsigned long code = wring__tls_errors_drain();
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "out of memory");
    }
    if (!at_end) {
        return wring_error_set(error, WRING_ERR_TLS_CONFIG, 0,
                               "the %s file '%s' holds a damaged certificate: %s", what, path,
                               wring__tls_error_text(code));
    }
    if (sk_X509_num(certs) == 0) {
        return wring_error_set(error, WRING_ERR_TLS_CONFIG, 0,
                               "the %s file '%s' is not PEM: it has no BEGIN CERTIFICATE line",
                               what, path);
    }
    return WRING_OK;
}

wring_result wring__tls_certs_load(const char *path, const char *what, STACK_OF(X509) * *certs,
                                   wring_error *error) {
    BIO *file = NULL;
    wring_result result = file_open(path, what, &file, error);
    if (result != WRING_OK) {
        return result;
    }
    STACK_OF(X509) *read = sk_X509_new_null();
    if (read == NULL) {
        result = wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "out of memory");
    } else {
        result = certs_read(file, path, what, read, error);
    }
    BIO_free(file);
    if (result != WRING_OK) {
        sk_X509_pop_free(read, X509_free);
        return result;
    }
    *certs = read;
    return WRING_OK;
}

static wring_result key_load(const char *path, EVP_PKEY **key, wring_error *error) {
    BIO *file = NULL;
    wring_result result = file_open(path, "key", &file, error);
    if (result != WRING_OK) {
        return result;
    }
    bool asked = false;
    *key = PEM_read_bio_PrivateKey(file, NULL, passphrase_refuse, &asked);
    BIO_free(file);
    unsigned long code = wring__tls_errors_drain();
    if (*key != NULL) {
        return WRING_OK;
    }
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "out of memory");
    }
    return wring_error_set(error, WRING_ERR_TLS_CONFIG, 0,
                           asked ? "the key file '%s' is encrypted: store the key without a "
                                   "passphrase, readable by its user only"
                                 : "the key file '%s' is not PEM or holds no private key",
                           path);
}

static wring_result dates_check(const X509 *cert, const char *path, wring_error *error) {
    const ASN1_TIME *from = X509_get0_notBefore(cert);
    const ASN1_TIME *until = X509_get0_notAfter(cert);
    char when[64];
    if (X509_cmp_current_time(until) < 0) {
        wring__tls_time_write(until, when, sizeof when);
        return wring_error_set(error, WRING_ERR_TLS_CONFIG, 0,
                               "the certificate in '%s' expired on %s", path, when);
    }
    if (X509_cmp_current_time(from) > 0) {
        wring__tls_time_write(from, when, sizeof when);
        return wring_error_set(error, WRING_ERR_TLS_CONFIG, 0,
                               "the certificate in '%s' is not valid before %s", path, when);
    }
    return WRING_OK;
}

wring_result wring__tls_identity_load(wring__tls_identity *identity, const char *cert_file,
                                      const char *key_file, bool allow_expired,
                                      wring_error *error) {
    wring_result result = wring__tls_certs_load(cert_file, "certificate", &identity->chain, error);
    if (result == WRING_OK) {
        identity->cert = sk_X509_shift(identity->chain);
        result = key_load(key_file, &identity->key, error);
    }
    if (result == WRING_OK && X509_check_private_key(identity->cert, identity->key) != 1) {
        wring__tls_errors_drain();
        result = wring_error_set(error, WRING_ERR_TLS_CONFIG, 0,
                                 "the key in '%s' does not match the certificate in '%s'", key_file,
                                 cert_file);
    }
    if (result == WRING_OK && !allow_expired) {
        result = dates_check(identity->cert, cert_file, error);
    }
    if (result != WRING_OK) {
        wring__tls_identity_deinit(identity);
    }
    return result;
}

void wring__tls_identity_deinit(wring__tls_identity *identity) {
    free(identity->server_name);
    X509_free(identity->cert);
    EVP_PKEY_free(identity->key);
    sk_X509_pop_free(identity->chain, X509_free);
    memset(identity, 0, sizeof *identity);
}
