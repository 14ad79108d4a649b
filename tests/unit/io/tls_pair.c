/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_pair.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "io/tls_internal.h"
#include "tests/certs/certs.h"

wring__tls_context *server_context(wring_tls_server_config config) {
    return server_context_after(config, NULL);
}

wring__tls_context *server_context_after(wring_tls_server_config config,
                                         const wring__tls_context *previous) {
    wring__tls_context *context = NULL;
    wring_error error = {0};
    config.struct_size = sizeof config;
    if (config.cert_file == NULL) {
        config.cert_file = cert_path("server.pem");
        config.key_file = cert_path("server.key");
    }
    wring_result result = wring__tls_context_server(&config, previous, &context, &error);
    cr_assert_eq(result, WRING_OK, "%s", error.text);
    return context;
}

wring__tls_context *client_context(wring_tls_client_config config) {
    wring__tls_context *context = NULL;
    wring_error error = {0};
    config.struct_size = sizeof config;
    if (config.ca_file == NULL) {
        config.ca_file = cert_path("ca.pem");
    }
    wring_result result = wring__tls_context_client(&config, &context, &error);
    cr_assert_eq(result, WRING_OK, "%s", error.text);
    return context;
}

void context_versions(wring__tls_context *context, int min, int max) {
    cr_assert(SSL_CTX_set_min_proto_version(context->ssl, min));
    cr_assert(SSL_CTX_set_max_proto_version(context->ssl, max));
}

void context_ciphers(wring__tls_context *context, const char *tls12) {
    cr_assert(SSL_CTX_set_cipher_list(context->ssl, tls12));
}

static void end_init(struct tls_end *end, wring__tls_context *context, const char *server_name,
                     const wring__tls_session *session) {
    memset(end, 0, sizeof *end);
    wring__chunk_cache_init(&end->chunks);
    wring__tls_options options = {
        .out = &end->out, .chunks = &end->chunks, .server_name = server_name, .session = session};
    cr_assert_eq(wring__tls_create(context, &options, &end->tls), WRING_OK);
    end->result = WRING_MORE;
}

static void end_deinit(struct tls_end *end) {
    wring__tls_destroy(end->tls);
    wring__outq_deinit(&end->out, &end->chunks);
    wring__chunk_cache_deinit(&end->chunks);
    free(end->got);
}

void pair_init(struct tls_pair *pair, wring__tls_context *client, wring__tls_context *server,
               const char *server_name, const wring__tls_session *session) {
    end_init(&pair->client, client, server_name, session);
    end_init(&pair->server, server, NULL, NULL);
    pair->piece = 0;
    cr_assert_eq(wring__tls_handshake(pair->client.tls), WRING_MORE);
}

void pair_deinit(struct tls_pair *pair) {
    end_deinit(&pair->client);
    end_deinit(&pair->server);
    cr_assert_eq(ERR_peek_error(), 0, "OpenSSL's error queue was not drained");
}

uint8_t *end_take(struct tls_end *end, size_t *len) {
    struct iovec iov;
    uint8_t *bytes = malloc(end->out.bytes + 1);
    *len = 0;
    while (end->out.bytes > 0) {
        cr_assert_eq(wring__outq_gather(&end->out, &iov, 1), 1);
        memcpy(bytes + *len, iov.iov_base, iov.iov_len);
        *len += iov.iov_len;
        wring__outq_consume(&end->out, &end->chunks, iov.iov_len);
    }
    return bytes;
}

static void end_read(struct tls_end *end) {
    uint8_t buffer[5000];
    size_t n = 0;
    while ((end->result = wring__tls_read(end->tls, buffer, sizeof buffer, &n)) == WRING_OK &&
           n > 0) {
        end->got = realloc(end->got, end->got_len + n);
        memcpy(end->got + end->got_len, buffer, n);
        end->got_len += n;
    }
}

void end_feed(struct tls_end *end, const uint8_t *bytes, size_t len) {
    uint8_t *block = malloc(len);
    memcpy(block, bytes, len);
    cr_assert_eq(wring__tls_receive(end->tls, (wring_mut_bytes){block, len}), WRING_OK);
    end_read(end);
    free(block);
}

static bool carry(struct tls_pair *pair, struct tls_end *from, struct tls_end *to) {
    size_t len;
    uint8_t *bytes = end_take(from, &len);
    size_t piece = pair->piece == 0 ? len : pair->piece;
    for (size_t at = 0; at < len; at += piece) {
        end_feed(to, bytes + at, len - at < piece ? len - at : piece);
    }
    free(bytes);
    return len > 0;
}

void pair_pump(struct tls_pair *pair) {
    bool moved = true;
    while (moved) {
        moved = carry(pair, &pair->client, &pair->server);
        moved |= carry(pair, &pair->server, &pair->client);
    }
}

void pair_expect_open(struct tls_pair *pair) {
    pair_pump(pair);
    cr_assert_eq(wring__tls_state_of(pair->client.tls), WRING__TLS_OPEN, "client: %s",
                 end_reason(&pair->client));
    cr_assert_eq(wring__tls_state_of(pair->server.tls), WRING__TLS_OPEN, "server: %s",
                 end_reason(&pair->server));
}

void end_write(struct tls_end *end, const void *bytes, size_t len) {
    struct iovec iov = {(void *)(uintptr_t)bytes, len};
    cr_assert_eq(wring__tls_write(end->tls, &iov, 1), WRING_OK);
}

const char *end_reason(struct tls_end *end) {
    wring__tls_reason(end->tls, end->reason, sizeof end->reason);
    return end->reason;
}
