/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates made on the spot in a temporary folder: one for each process, removed at exit.
 */
#ifndef WRING_TESTS_CERTS_CERTS_H
#define WRING_TESTS_CERTS_CERTS_H

#include <stdbool.h>

struct cert_spec {
    const char *name;   /* <name>.pem and <name>.key are written */
    const char *issuer; /* the name of an earlier one; NULL: self-signed */
    const char *common_name;
    const char *alternatives; /* "DNS:localhost,IP:127.0.0.1", NULL for none */
    int from_days;            /* relative to now */
    int until_days;
    bool is_authority;
    bool is_rsa; /* else P-256 */
};

void cert_make(const struct cert_spec *spec);

/** ca, server (localhost, *.wild.example, 127.0.0.1, ::1), client (alice), by ca. */
void certs_make_usual(void);

/** Writes into this existing folder instead, and leaves everything there. Before all others. */
void certs_keep_in(const char *path);

/** Path of a file in the folder, good until 16 further calls. */
const char *cert_path(const char *file);
void cert_write(const char *file, const char *text);

#endif
