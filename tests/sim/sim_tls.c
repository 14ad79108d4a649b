/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS in a simulated world: certificates, and randomness that replays.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_METHOD: no provider does what it does here */
#include <openssl/rand.h>

#include "tests/certs/certs.h"
#include "tests/sim/sim_test.h"

/* ---- randomness that replays ----------------------------------------------------------------- */

/* The lengths of TLS messages must be the same in each run of a seed. Integers in DER have no
 * leading zeros: every byte here has the same highest bit. */
static uint64_t bytes_state;

static int bytes_draw(unsigned char *bytes, int len) {
    for (int i = 0; i < len; i++) {
        bytes_state = bytes_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bytes[i] = (unsigned char)(0x40 | (bytes_state >> 58));
    }
    return 1;
}

static int bytes_status(void) {
    return 1;
}

static const RAND_METHOD bytes_method = {
    .bytes = bytes_draw, .pseudorand = bytes_draw, .status = bytes_status};

static void certificates_make(void) {
    static bool made;
    static const struct cert_spec authority = {.name = "ca",
                                               .common_name = "authority",
                                               .until_days = 9,
                                               .is_authority = true,
                                               .is_rsa = true};
    static const struct cert_spec server = {.name = "server",
                                            .issuer = "ca",
                                            .common_name = "sim",
                                            .alternatives = "IP:127.0.0.1",
                                            .until_days = 9,
                                            .is_rsa = true};
    if (!made) { /* with RSA, whose signatures have one length */
        cert_make(&authority);
        cert_make(&server);
        made = true;
    }
}

void sim_tls_random_begin(uint64_t seed) {
    EXPECT(RAND_set_rand_method(&bytes_method) == 1);
    bytes_state = seed;
}

void sim_tls_random_end(void) {
    EXPECT(RAND_set_rand_method(NULL) == 1);
}

wring_tls_server_config sim_tls_server(void) {
    certificates_make();
    return (wring_tls_server_config){.struct_size = sizeof(wring_tls_server_config),
                                     .cert_file = cert_path("server.pem"),
                                     .key_file = cert_path("server.key")};
}

wring__tls_context *sim_tls_client(void) {
    wring__tls_context *context = NULL;
    certificates_make();
    const wring_tls_client_config config = {.struct_size = sizeof config,
                                            .ca_file = cert_path("ca.pem")};
    EXPECT(wring__tls_context_client(&config, &context, NULL) == WRING_OK);
    return context;
}
