/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/certs/certs.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MADE_MAX 16
#define DAY_S    86400L

static char folder[96];
#define PATH_BYTES 192
static char files[64][PATH_BYTES];
static int file_count;
static struct {
    const char *name;
    X509 *cert;
    EVP_PKEY *key;
} made[MADE_MAX];
static int made_count;

static void check(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "certificates for tests: %s failed\n", what);
        abort();
    }
}

static void folder_remove(void) {
    for (int i = 0; i < file_count; i++) {
        unlink(files[i]);
    }
    rmdir(folder);
    for (int i = 0; i < made_count; i++) {
        X509_free(made[i].cert);
        EVP_PKEY_free(made[i].key);
    }
}

void certs_keep_in(const char *path) {
    check(folder[0] == 0 && strlen(path) < sizeof folder, "choosing the folder");
    snprintf(folder, sizeof folder, "%s", path);
}

const char *cert_path(const char *file) {
    static char paths[16][PATH_BYTES];
    static unsigned turn;
    if (folder[0] == 0) {
        snprintf(folder, sizeof folder, "/tmp/wring-tls-XXXXXX");
        check(mkdtemp(folder) != NULL, "mkdtemp");
        atexit(folder_remove);
    }
    char *path = paths[turn++ % 16];
    snprintf(path, PATH_BYTES, "%s/%s", folder, file);
    return path;
}

static FILE *cert_file(const char *name, const char *suffix) {
    char file[64];
    snprintf(file, sizeof file, "%s%s", name, suffix);
    const char *path = cert_path(file);
    check(file_count < 64, "counting files");
    snprintf(files[file_count++], sizeof files[0], "%s", path);
    FILE *stream = fopen(path, "w");
    check(stream != NULL, path);
    return stream;
}

void cert_write(const char *file, const char *text) {
    FILE *stream = cert_file(file, "");
    fputs(text, stream);
    fclose(stream);
}

static void extension_add(X509 *cert, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    check(extension != NULL, value);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

void cert_make(const struct cert_spec *spec) {
    check(made_count < MADE_MAX, "counting certificates");
    EVP_PKEY *key = spec->is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509 *issuer = cert;
    EVP_PKEY *issuer_key = key;
    for (int i = 0; spec->issuer != NULL && i < made_count; i++) {
        if (strcmp(made[i].name, spec->issuer) == 0) {
            issuer = made[i].cert;
            issuer_key = made[i].key;
        }
    }
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1000 + made_count);
    X509_gmtime_adj(X509_getm_notBefore(cert), spec->from_days * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(cert), spec->until_days * DAY_S);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                               (const unsigned char *)spec->common_name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer));
    extension_add(cert, issuer, NID_basic_constraints,
                  spec->is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (spec->alternatives != NULL) {
        extension_add(cert, issuer, NID_subject_alt_name, spec->alternatives);
    }
    check(X509_sign(cert, issuer_key, EVP_sha256()) > 0, "signing");
    FILE *stream = cert_file(spec->name, ".pem");
    PEM_write_X509(stream, cert);
    fclose(stream);
    stream = cert_file(spec->name, ".key");
    PEM_write_PrivateKey(stream, key, NULL, NULL, 0, NULL, NULL);
    fclose(stream);
    made[made_count].name = spec->name;
    made[made_count].cert = cert;
    made[made_count++].key = key;
}

void certs_make_usual(void) {
    static const struct cert_spec specs[] = {
        {.name = "ca", .common_name = "test authority", .until_days = 10, .is_authority = true},
        {.name = "server",
         .issuer = "ca",
         .common_name = "the server",
         .alternatives = "DNS:localhost,DNS:*.wild.example,IP:127.0.0.1,IP:::1",
         .until_days = 5},
        {.name = "client",
         .issuer = "ca",
         .common_name = "alice",
         .alternatives = "email:alice@example.com,URI:spiffe://example.com/alice",
         .until_days = 5},
    };
    for (unsigned i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        cert_make(&specs[i]);
    }
}
