/* SPDX-License-Identifier: Apache-2.0
 *
 * A client's and a server's TLS stream joined in memory: what one queues the other is lent, in
 * pieces of a chosen size, each in a block of exactly its size so that ASan sees any overrun.
 */
#ifndef WRING_TESTS_TLS_PAIR_H
#define WRING_TESTS_TLS_PAIR_H

#include "io/tls.h"

struct tls_end {
    wring__tls *tls;
    wring__outq out;
    wring__chunk_cache chunks;
    wring_result result; /* of the last read */
    uint8_t *got;        /* plaintext */
    size_t got_len;
    char reason[320];
};

struct tls_pair {
    struct tls_end client;
    struct tls_end server;
    size_t piece; /* 0: whole */
};

/** Contexts from the usual certificates, changed by what is set in the configurations. */
wring__tls_context *server_context(wring_tls_server_config config);
wring__tls_context *server_context_after(wring_tls_server_config config,
                                         const wring__tls_context *previous);
wring__tls_context *client_context(wring_tls_client_config config);
void context_versions(wring__tls_context *context, int min, int max);
void context_ciphers(wring__tls_context *context, const char *tls12);

void pair_init(struct tls_pair *pair, wring__tls_context *client, wring__tls_context *server,
               const char *server_name, const wring__tls_session *session);
void pair_deinit(struct tls_pair *pair);

/** Moves bytes both ways until nothing moves. */
void pair_pump(struct tls_pair *pair);
void pair_expect_open(struct tls_pair *pair);

/** Takes all queued ciphertext out; the caller frees. */
uint8_t *end_take(struct tls_end *end, size_t *len);
/** Lends a piece and reads all plaintext there is. */
void end_feed(struct tls_end *end, const uint8_t *bytes, size_t len);
void end_write(struct tls_end *end, const void *bytes, size_t len);
const char *end_reason(struct tls_end *end);

#endif
