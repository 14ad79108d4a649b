/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates for the end-to-end tests, good ones and bad ones. Usage: make-certs FOLDER
 */
#include <stddef.h>

#include "tests/certs/certs.h"

#define HERE "DNS:localhost,IP:127.0.0.1,IP:::1"

static const struct cert_spec specs[] = {
    {"second", "ca", "the second server", HERE, 0, 5, false, false},
    {"rsa", "ca", "RSA", HERE, 0, 5, false, true},
    {"expired", "ca", "expired", HERE, -9, -1, false, false},
    {"future", "ca", "future", HERE, 3, 9, false, false},
    {"other-host", "ca", "other", "DNS:other.example,IP:192.0.2.1", 0, 5, false, false},
    {"self-signed", NULL, "nobody's", HERE, 0, 5, false, false},
    {"other-ca", NULL, "other authority", NULL, 0, 10, true, false},
    {"unknown-ca", "other-ca", "stranger", HERE, 0, 5, false, false},
};

int main(int argc, char **argv) {
    if (argc != 2) {
        return 2;
    }
    certs_keep_in(argv[1]);
    certs_make_usual();
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        cert_make(&specs[i]);
    }
    return 0;
}
