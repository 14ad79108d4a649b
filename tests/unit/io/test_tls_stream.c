/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/tls_internal.h"
#include "tests/certs/certs.h"
#include "tls_pair.h"

static wring__tls_context *client;
static wring__tls_context *server;

static void setup(void) {
    certs_make_usual();
    server = server_context((wring_tls_server_config){0});
    client = client_context((wring_tls_client_config){0});
}

static void teardown(void) {
    wring__tls_context_unref(client);
    wring__tls_context_unref(server);
}

TestSuite(tls_stream, .init = setup, .fini = teardown);

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void version_set(int version) {
    context_versions(client, version, version);
}

static uint8_t *pattern(size_t len) {
    uint8_t *bytes = malloc(len + 1);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(i * 31 + (i >> 8));
    }
    return bytes;
}

static void expect_got(struct tls_end *end, const uint8_t *bytes, size_t len) {
    cr_assert_eq(end->got_len, len, "%zu bytes, not %zu", end->got_len, len);
    cr_assert(len == 0 || memcmp(end->got, bytes, len) == 0);
    free(end->got);
    end->got = NULL;
    end->got_len = 0;
}

Test(tls_stream, handshake_in_pieces_of_any_size) {
    for (size_t v = 0; v < 2; v++) {
        version_set(versions[v]);
        for (size_t piece = 0; piece < 40; piece++) {
            struct tls_pair pair;
            pair_init(&pair, client, server, "localhost", NULL);
            pair.piece = piece;
            pair_expect_open(&pair);
            wring_tls_info info = wring__tls_info_of(pair.server.tls);
            cr_assert_str_eq(info.version, v == 0 ? "TLSv1.2" : "TLSv1.3");
            cr_assert_str_eq(info.server_name, "localhost");
            cr_assert(!info.resumed);
            cr_assert(!info.peer_verified);
            cr_assert(wring__tls_info_of(pair.client.tls).peer_verified);
            if (v == 1) {
                cr_assert_str_eq(info.cipher, "TLS_AES_128_GCM_SHA256");
            }
            pair_deinit(&pair);
        }
    }
}

Test(tls_stream, bytes_of_any_length_go_both_ways) {
    static const size_t lens[] = {0, 1, 2, 125, 16383, 16384, 16385, 40000, 262144, 1024 * 1024};
    static const size_t pieces[] = {0, 1, 1000, 16411};
    uint8_t *bytes = pattern(1024 * 1024);
    for (size_t v = 0; v < 2; v++) {
        version_set(versions[v]);
        struct tls_pair pair;
        pair_init(&pair, client, server, "localhost", NULL);
        pair_expect_open(&pair);
        for (size_t p = 0; p < WRING_ARRAY_LEN(pieces); p++) {
            for (size_t i = 0; i < WRING_ARRAY_LEN(lens); i++) {
                if (pieces[p] == 1 && lens[i] > 40000) {
                    continue;
                }
                pair.piece = pieces[p];
                end_write(&pair.client, bytes, lens[i]);
                end_write(&pair.server, bytes, lens[i]);
                pair_pump(&pair);
                expect_got(&pair.server, bytes, lens[i]);
                expect_got(&pair.client, bytes, lens[i]);
            }
        }
        pair_deinit(&pair);
    }
    free(bytes);
}

Test(tls_stream, short_pieces_share_a_record) {
    struct tls_pair pair;
    uint8_t *bytes = pattern(100000);
    pair_init(&pair, client, server, "localhost", NULL);
    pair_expect_open(&pair);
    struct iovec iov[20];
    for (size_t i = 0; i < 20; i++) {
        iov[i] = (struct iovec){bytes + i * 100, 100};
    }
    cr_assert_eq(wring__tls_write(pair.server.tls, iov, 20), WRING_OK);
    cr_assert_eq(pair.server.out.bytes, 2000 + 22);
    pair_pump(&pair);
    expect_got(&pair.client, bytes, 2000);

    size_t at = 0;
    static const size_t lens[] = {10, 16000, 0, 20000, 17000, 3, 40000, 1};
    for (size_t i = 0; i < WRING_ARRAY_LEN(lens); i++) {
        iov[i] = (struct iovec){bytes + at, lens[i]};
        at += lens[i];
    }
    cr_assert_eq(wring__tls_write(pair.server.tls, iov, WRING_ARRAY_LEN(lens)), WRING_OK);
    pair_pump(&pair);
    expect_got(&pair.client, bytes, at);
    free(bytes);
    pair_deinit(&pair);
}

Test(tls_stream, a_queue_of_plaintext_is_encrypted_whole) {
    struct tls_pair pair;
    wring__outq plain = {0};
    uint8_t *bytes = pattern(300000);
    pair_init(&pair, client, server, "localhost", NULL);
    cr_assert_eq(wring__outq_append(&plain, &pair.server.chunks, wring_bytes_of(bytes, 10)),
                 WRING_OK);
    cr_assert_eq(wring__tls_write_queue(pair.server.tls, &plain, SIZE_MAX), WRING_MORE);
    cr_assert_eq(plain.bytes, 10, "nothing is taken before the handshake is over");
    pair_expect_open(&pair);
    for (size_t at = 10; at < 300000; at += 1000) {
        size_t len = 300000 - at < 1000 ? 300000 - at : 1000;
        wring_bytes part = {bytes + at, len};
        cr_assert_eq(wring__outq_append(&plain, &pair.server.chunks, part), WRING_OK);
    }
    cr_assert_eq(wring__tls_write_queue(pair.server.tls, &plain, SIZE_MAX), WRING_OK);
    cr_assert_eq(plain.bytes, 0);
    pair_pump(&pair);
    expect_got(&pair.client, bytes, 300000);
    wring__outq_deinit(&plain, &pair.server.chunks);
    free(bytes);
    pair_deinit(&pair);
}

Test(tls_stream, a_reader_that_pauses_loses_nothing) {
    struct tls_pair pair;
    uint8_t *bytes = pattern(60000);
    uint8_t *got = malloc(60000);
    size_t len, n, read = 0;
    pair_init(&pair, client, server, "localhost", NULL);
    pair_expect_open(&pair);
    end_write(&pair.client, bytes, 60000);
    uint8_t *wire = end_take(&pair.client, &len);
    for (size_t at = 0; at < len; at += 7000) {
        size_t part = len - at < 7000 ? len - at : 7000;
        uint8_t *block = malloc(part);
        memcpy(block, wire + at, part);
        cr_assert_eq(wring__tls_receive(pair.server.tls, (wring_mut_bytes){block, part}), WRING_OK);
        if (wring__tls_read(pair.server.tls, got + read, 100, &n) == WRING_OK) {
            read += n;
        }
        cr_assert_eq(wring__tls_keep(pair.server.tls), WRING_OK);
        cr_assert_eq(wring__tls_keep(pair.server.tls), WRING_OK);
        free(block);
    }
    while (wring__tls_has_pending(pair.server.tls)) {
        cr_assert_eq(wring__tls_read(pair.server.tls, got + read, 60000 - read, &n), WRING_OK);
        read += n;
    }
    cr_assert_eq(read, 60000);
    cr_assert_eq(memcmp(got, bytes, 60000), 0);
    cr_assert_eq(wring__tls_read(pair.server.tls, got, 1, &n), WRING_MORE);
    free(wire);
    free(bytes);
    free(got);
    pair_deinit(&pair);
}

/* ---- ends ------------------------------------------------------------------------------------ */

Test(tls_stream, close_notify_is_a_clean_end_and_the_other_way_stays_open) {
    for (size_t v = 0; v < 2; v++) {
        struct tls_pair pair;
        struct iovec iov = {"late", 4};
        version_set(versions[v]);
        pair_init(&pair, client, server, "localhost", NULL);
        wring__tls_shutdown(pair.client.tls); /* while handshaking: nothing */
        pair_expect_open(&pair);
        end_write(&pair.client, "last", 4);
        wring__tls_shutdown(pair.client.tls);
        wring__tls_shutdown(pair.client.tls);
        cr_assert_eq(wring__tls_write(pair.client.tls, &iov, 1), WRING_ERR_CLOSED);
        pair_pump(&pair);
        expect_got(&pair.server, (const uint8_t *)"last", 4);
        cr_assert_eq(pair.server.result, WRING_OK);
        cr_assert_eq(wring__tls_state_of(pair.server.tls), WRING__TLS_CLOSED);
        cr_assert_eq(wring__tls_eof(pair.server.tls), WRING_OK);
        cr_assert_str_empty(end_reason(&pair.server));
        end_write(&pair.server, "late", 4);
        wring__tls_shutdown(pair.server.tls);
        pair_pump(&pair);
        expect_got(&pair.client, (const uint8_t *)"late", 4);
        cr_assert_eq(wring__tls_eof(pair.client.tls), WRING_OK);
        end_feed(&pair.server, (const uint8_t *)"after the end", 13);
        cr_assert_eq(pair.server.result, WRING_OK);
        pair_deinit(&pair);
    }
}

Test(tls_stream, an_end_without_close_notify_is_a_truncation) {
    struct tls_pair pair;
    pair_init(&pair, client, server, "localhost", NULL);
    cr_assert_eq(wring__tls_eof(pair.client.tls), WRING_ERR_TLS_TRUNCATED);
    cr_assert(strstr(end_reason(&pair.client), "handshake") != NULL);
    pair_deinit(&pair);

    pair_init(&pair, client, server, "localhost", NULL);
    pair_expect_open(&pair);
    end_write(&pair.client, "cut", 3);
    size_t len;
    uint8_t *wire = end_take(&pair.client, &len);
    end_feed(&pair.server, wire, len - 1);
    free(wire);
    cr_assert_eq(pair.server.result, WRING_MORE);
    cr_assert_eq(wring__tls_eof(pair.server.tls), WRING_ERR_TLS_TRUNCATED);
    cr_assert(strstr(end_reason(&pair.server), "close_notify") != NULL);
    struct iovec iov = {"x", 1};
    /* what we owe the peer goes out: it may only have ended its own half */
    cr_assert_eq(wring__tls_write(pair.server.tls, &iov, 1), WRING_OK);
    wring__tls_shutdown(pair.server.tls);
    cr_assert_eq(wring__tls_write(pair.server.tls, &iov, 1), WRING_ERR_TLS_TRUNCATED);
    pair_pump(&pair);
    expect_got(&pair.client, (const uint8_t *)"x", 1);
    cr_assert_eq(wring__tls_eof(pair.server.tls), WRING_ERR_TLS_TRUNCATED);
    pair_deinit(&pair);
}

/* ---- resumption ------------------------------------------------------------------------------ */

static wring__tls_session *session_from(wring__tls_context *to, const wring__tls_session *offer,
                                        bool expect_resumed) {
    struct tls_pair pair;
    pair_init(&pair, client, to, "localhost", offer);
    pair_expect_open(&pair);
    cr_assert_eq(wring__tls_info_of(pair.client.tls).resumed, expect_resumed);
    cr_assert_eq(wring__tls_info_of(pair.server.tls).resumed, expect_resumed);
    cr_assert(wring__tls_info_of(pair.client.tls).peer_verified);
    end_write(&pair.client, "hello", 5);
    pair_pump(&pair);
    expect_got(&pair.server, (const uint8_t *)"hello", 5);
    wring__tls_session *session = wring__tls_take_session(pair.client.tls);
    cr_assert(wring__tls_take_session(pair.client.tls) == NULL);
    pair_deinit(&pair);
    return session;
}

Test(tls_stream, a_session_is_resumed_also_after_a_reload) {
    for (size_t v = 0; v < 2; v++) {
        version_set(versions[v]);
        wring__tls_session *first = session_from(server, NULL, false);
        cr_assert(first != NULL);
        wring__tls_session *second = session_from(server, first, true);
        wring__tls_context *reloaded = server_context_after((wring_tls_server_config){0}, server);
        wring__tls_context *unrelated = server_context((wring_tls_server_config){0});
        wring__tls_session *third = session_from(reloaded, second != NULL ? second : first, true);
        wring__tls_session *fourth = session_from(unrelated, third != NULL ? third : first, false);
        wring__tls_session_destroy(first);
        wring__tls_session_destroy(second);
        wring__tls_session_destroy(third);
        wring__tls_session_destroy(fourth);
        wring__tls_context_unref(reloaded);
        wring__tls_context_unref(unrelated);
    }
}

/* ---- the age of ticket keys, by a clock of the test's ---- */

#define HOUR_NS (UINT64_C(3600) * WRING_NS_PER_SEC)

static wring_time_ns tickets_now;

static wring_time_ns tickets_clock(void) {
    return tickets_now;
}

static wring__tls_context *aged_server(void) {
    tickets_now = HOUR_NS;
    wring__tls_tickets_clock = tickets_clock;
    return server_context((wring_tls_server_config){0});
}

/* A session is used up by the handshake that offers it: it is the same hour for all of them. */
static void sessions_make(wring__tls_context *from, wring__tls_session **out, size_t count) {
    for (size_t i = 0; i < count; i++) {
        out[i] = session_from(from, NULL, false);
        cr_assert_not_null(out[i]);
    }
}

static void expect_resumed(wring__tls_context *to, wring__tls_session *offer, bool resumed) {
    wring__tls_session_destroy(session_from(to, offer, resumed));
    wring__tls_session_destroy(offer);
}

Test(tls_stream, ticket_keys_rotate_and_the_one_before_is_accepted) {
    for (size_t v = 0; v < 2; v++) {
        version_set(versions[v]);
        wring__tls_context *aged = aged_server();
        wring__tls_session *first[3], *second[2];
        sessions_make(aged, first, 3);
        tickets_now += 11 * HOUR_NS;
        expect_resumed(aged, first[0], true); /* the key is current */
        tickets_now += 2 * HOUR_NS;
        expect_resumed(aged, first[1], true); /* 13 hours: the one before */
        sessions_make(aged, second, 2);
        tickets_now += 12 * HOUR_NS;
        expect_resumed(aged, first[2], false); /* 25 */
        expect_resumed(aged, second[0], true);
        tickets_now += 48 * HOUR_NS; /* nobody came meanwhile: both are too old */
        expect_resumed(aged, second[1], false);
        wring__tls_context_unref(aged);
    }
}

/* A reload every hour neither keeps a key alive nor loses one. */
Test(tls_stream, ticket_keys_age_across_reloads) {
    wring__tls_context *aged = aged_server();
    wring__tls_session *first[30];
    sessions_make(aged, first, 30);
    for (int hour = 1; hour <= 30; hour++) {
        tickets_now += HOUR_NS;
        wring__tls_context *next = server_context_after((wring_tls_server_config){0}, aged);
        wring__tls_context_unref(aged);
        aged = next;
        expect_resumed(aged, first[hour - 1], hour < 24);
    }
    wring__tls_context_unref(aged);
}

Test(tls_stream, a_session_of_another_name_or_context_is_not_offered) {
    wring__tls_session *session = session_from(server, NULL, false);
    wring__tls_context *other = client_context((wring_tls_client_config){0});
    struct tls_pair pair;
    pair_init(&pair, client, server, "127.0.0.1", session);
    pair_expect_open(&pair);
    cr_assert(!wring__tls_info_of(pair.client.tls).resumed);
    pair_deinit(&pair);
    pair_init(&pair, other, server, "localhost", session);
    pair_expect_open(&pair);
    cr_assert(!wring__tls_info_of(pair.client.tls).resumed);
    pair_deinit(&pair);
    wring__tls_context_unref(other);
    wring__tls_session_destroy(session);
}

/* ---- requests of the peer ------------------------------------------------------------------- */

Test(tls_stream, the_ephemeral_keys_are_erased_after_the_handshake) {
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct tls_pair pair;
        version_set(version);
        pair_init(&pair, client, server, "localhost", NULL);
        pair_expect_open(&pair);
        SSL *ssls[] = {pair.client.tls->ssl, pair.server.tls->ssl};
        for (unsigned i = 0; i < 2; i++) {
            EVP_PKEY *key = NULL;
            if (SSL_get_tmp_key(ssls[i], &key) == 1) {
                uint8_t raw[64];
                size_t len = sizeof raw;
                cr_assert_neq(EVP_PKEY_get_raw_private_key(key, raw, &len), 1);
                EVP_PKEY_free(key);
            }
        }
        pair_deinit(&pair);
    }
    ERR_clear_error();
}

Test(tls_stream, a_key_update_is_answered) {
    struct tls_pair pair;
    version_set(TLS1_3_VERSION);
    pair_init(&pair, client, server, "localhost", NULL);
    pair_expect_open(&pair);
    for (int round = 0; round < 3; round++) {
        cr_assert(SSL_key_update(pair.client.tls->ssl, SSL_KEY_UPDATE_REQUESTED));
        end_write(&pair.client, "new", 3);
        pair_pump(&pair);
        expect_got(&pair.server, (const uint8_t *)"new", 3);
        end_write(&pair.server, "keys", 4);
        pair_pump(&pair);
        expect_got(&pair.client, (const uint8_t *)"keys", 4);
    }
    pair_deinit(&pair);
}

Test(tls_stream, a_renegotiation_is_refused_and_the_stream_goes_on) {
    struct tls_pair pair;
    version_set(TLS1_2_VERSION);
    SSL_CTX_clear_options(client->ssl, SSL_OP_NO_RENEGOTIATION);
    pair_init(&pair, client, server, "localhost", NULL);
    pair_expect_open(&pair);
    cr_assert(SSL_renegotiate(pair.client.tls->ssl));
    BIO_set_data(SSL_get_rbio(pair.client.tls->ssl), pair.client.tls); /* the thread's, shared */
    SSL_do_handshake(pair.client.tls->ssl);
    size_t len;
    uint8_t *hello = end_take(&pair.client, &len);
    end_feed(&pair.server, hello, len);
    free(hello);
    cr_assert_eq(wring__tls_state_of(pair.server.tls), WRING__TLS_OPEN);
    cr_assert_eq(pair.server.result, WRING_MORE);
    cr_assert(pair.server.out.bytes > 0, "no_renegotiation");
    pair_pump(&pair); /* OpenSSL's client takes that for the end */
    cr_assert_eq(wring__tls_state_of(pair.client.tls), WRING__TLS_FAILED);
    pair_deinit(&pair);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static bool has_failed(struct tls_end *end) {
    return wring__tls_state_of(end->tls) == WRING__TLS_FAILED ||
           wring__tls_eof(end->tls) == WRING_ERR_TLS_TRUNCATED;
}

Test(tls_stream, a_flipped_byte_of_a_record_is_an_error) {
    for (size_t v = 0; v < 2; v++) {
        version_set(versions[v]);
        for (size_t at = 0; at < 5 + 8 + 4 + 1 + 16; at++) {
            struct tls_pair pair;
            size_t len;
            pair_init(&pair, client, server, "localhost", NULL);
            pair_expect_open(&pair);
            end_write(&pair.client, "abcd", 4);
            uint8_t *wire = end_take(&pair.client, &len);
            if (at < len) {
                wire[at] ^= (uint8_t)(1u << (at % 8));
                end_feed(&pair.server, wire, len);
                cr_assert_eq(pair.server.got_len, 0);
                cr_assert(has_failed(&pair.server), "byte %zu", at);
                cr_assert(strlen(end_reason(&pair.server)) > 10);
                pair_pump(&pair);
            }
            free(wire);
            pair_deinit(&pair);
        }
    }
}

/* The version in a ClientHello's record header is the one byte nobody looks at (RFC 8446 5.1). */
static void flight_flip(bool from_client, size_t *at, uint8_t flip) {
    struct tls_pair pair;
    size_t len;
    pair_init(&pair, client, server, "localhost", NULL);
    if (!from_client) {
        uint8_t *hello = end_take(&pair.client, &len);
        end_feed(&pair.server, hello, len);
        free(hello);
    }
    struct tls_end *from = from_client ? &pair.client : &pair.server;
    struct tls_end *to = from_client ? &pair.server : &pair.client;
    uint8_t *wire = end_take(from, &len);
    bool unread = from_client && *at == 2;
    if (*at < len) {
        wire[*at] ^= flip;
        end_feed(to, wire, len);
        pair_pump(&pair);
        bool failed = has_failed(&pair.client) || has_failed(&pair.server);
        cr_assert(failed || unread, "byte %zu of the %s's flight", *at,
                  from_client ? "client" : "server");
    } else {
        *at = SIZE_MAX;
    }
    free(wire);
    pair_deinit(&pair);
}

Test(tls_stream, a_flipped_byte_of_the_handshake_is_an_error) {
    for (size_t v = 0; v < 2; v++) {
        version_set(versions[v]);
        for (int from_client = 0; from_client < 2; from_client++) {
            size_t at = 0;
            while (at != SIZE_MAX) {
                flight_flip(from_client == 1, &at, (uint8_t)(1u << (at % 8)));
                at += at == SIZE_MAX ? 0 : 3;
                at = at == 3 ? 2 : at;
            }
        }
    }
}

Test(tls_stream, noise_never_opens_a_stream) {
    uint32_t random = 12345;
    for (int round = 0; round < 2000; round++) {
        struct tls_pair pair;
        uint8_t noise[300];
        pair_init(&pair, client, server, "localhost", NULL);
        for (size_t i = 0; i < sizeof noise; i++) {
            random = random * 1664525 + 1013904223;
            noise[i] = (uint8_t)(random >> 24);
        }
        if (round % 2 == 1) {
            noise[0] = 22, noise[1] = 3, noise[2] = 1, noise[3] = 0;
        }
        struct tls_end *to = round % 4 < 2 ? &pair.server : &pair.client;
        end_feed(to, noise, sizeof noise);
        cr_assert(has_failed(to));
        cr_assert_neq(wring__tls_state_of(to->tls), WRING__TLS_OPEN);
        pair_deinit(&pair);
    }
}

/* ---- size ------------------------------------------------------------------------------------ */

#ifndef WRING_ASAN
static void idle_measure(int version) {
    enum { STREAMS = 1000 };
    static struct tls_pair pairs[STREAMS];
    wring__chunk_cache none = {0};
    version_set(version);
    size_t before = 0;
    for (int i = -1; i < STREAMS; i++) {
        struct tls_pair *pair = &pairs[i < 0 ? 0 : i];
        pair_init(pair, client, server, "localhost", NULL);
        pair->client.chunks = none; /* keep_max 0: nothing stays behind in caches */
        pair->server.chunks = none;
        pair_expect_open(pair);
        end_write(&pair->client, "ping", 4);
        end_write(&pair->server, "pong", 4);
        pair_pump(pair);
        free(pair->server.got);
        pair->server.got = NULL;
        wring__tls_destroy(pair->client.tls);
        pair->client.tls = NULL;
        free(pair->client.got);
        pair->client.got = NULL;
        if (i < 0) {
            pair_deinit(pair);
            before = mallinfo2().uordblks;
        }
    }
    size_t bytes = (mallinfo2().uordblks - before) / STREAMS;
    fprintf(stderr, "idle server stream, %s: %zu bytes\n",
            wring__tls_info_of(pairs[0].server.tls).version, bytes);
    /* OpenSSL 3.0's own structs are 13 KiB of it; later versions have larger ones. */
    size_t max = OpenSSL_version_num() < 0x30100000L ? 14 * 1024 : 28 * 1024;
    cr_assert(bytes <= max, "%zu bytes", bytes);
    for (int i = 0; i < STREAMS; i++) {
        pair_deinit(&pairs[i]);
    }
}

Test(tls_stream, an_idle_stream_is_small) {
    idle_measure(TLS1_3_VERSION);
    idle_measure(TLS1_2_VERSION);
}
#endif

/* ---- records without data ---------------------------------------------------------------------
 */

static void key_update(struct tls_end *end, int kind) {
    cr_assert_eq(SSL_key_update(end->tls->ssl, kind), 1);
    BIO_set_data(SSL_get_rbio(end->tls->ssl), end->tls);
    cr_assert_eq(SSL_do_handshake(end->tls->ssl), 1);
}

static void ticket_send(struct tls_end *end) {
    cr_assert_eq(SSL_new_session_ticket(end->tls->ssl), 1);
    BIO_set_data(SSL_get_rbio(end->tls->ssl), end->tls);
    cr_assert_eq(SSL_do_handshake(end->tls->ssl), 1);
}

static void expect_flooded(struct tls_end *end) {
    cr_assert_eq(end->result, WRING_ERR_TLS_EMPTY_RECORDS, "%d", end->result);
    cr_assert_eq(wring__tls_state_of(end->tls), WRING__TLS_FAILED);
    cr_assert_not_null(strstr(end_reason(end), "without data"), "%s", end_reason(end));
}

/* All in one run of bytes: OpenSSL would deal with all of them within one call. */
Test(tls_stream, key_updates_past_the_budget_end_the_stream) {
    static const int kinds[] = {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED};
    version_set(TLS1_3_VERSION);
    for (size_t k = 0; k < WRING_ARRAY_LEN(kinds); k++) {
        struct tls_pair pair;
        pair_init(&pair, client, server, "localhost", NULL);
        pair_expect_open(&pair);
        wring__tls_pass(pair.server.tls, 1000 * WRING_NS_PER_SEC); /* the handshake's are earned */
        wring__tls_pass(pair.client.tls, 1000 * WRING_NS_PER_SEC); /* it is answered */
        for (int i = 0; i < WRING__TLS_EMPTY_MAX; i++) {
            key_update(&pair.client, kinds[k]);
        }
        pair_pump(&pair);
        cr_assert_eq(pair.server.result, WRING_MORE);
        end_write(&pair.client, "x", 1); /* data is not what the budget is for, but begins */
        pair_pump(&pair);
        expect_flooded(&pair.server);
        pair_deinit(&pair);
    }
}

Test(tls_stream, one_record_without_data_a_second_goes_on_for_ever) {
    version_set(TLS1_3_VERSION);
    struct tls_pair pair;
    pair_init(&pair, client, server, "localhost", NULL);
    pair_expect_open(&pair);
    wring_time_ns now = WRING_NS_PER_SEC;
    for (int i = 0; i < 10 * WRING__TLS_EMPTY_MAX; i++) {
        now += WRING_NS_PER_SEC;
        wring__tls_pass(pair.server.tls, now);
        wring__tls_pass(pair.server.tls,
                        now + WRING_NS_PER_SEC / 3); /* no second is earned twice */
        key_update(&pair.client, SSL_KEY_UPDATE_NOT_REQUESTED);
        end_write(&pair.client, "x", 1);
        pair_pump(&pair);
        cr_assert_eq(pair.server.result, WRING_MORE);
    }
    cr_assert_eq(pair.server.got_len, 10 * WRING__TLS_EMPTY_MAX);
    for (int i = 0; i < 2 * WRING__TLS_EMPTY_MAX; i++) { /* twice a second is too often */
        now += WRING_NS_PER_SEC / 2;
        wring__tls_pass(pair.server.tls, now);
        key_update(&pair.client, SSL_KEY_UPDATE_NOT_REQUESTED);
        key_update(&pair.client, SSL_KEY_UPDATE_NOT_REQUESTED);
        pair_pump(&pair);
    }
    expect_flooded(&pair.server);
    pair_deinit(&pair);
}

Test(tls_stream, tickets_without_end_are_refused_by_a_client) {
    version_set(TLS1_3_VERSION);
    struct tls_pair pair;
    pair_init(&pair, client, server, "localhost", NULL);
    pair_expect_open(&pair);
    for (int i = 0; i <= WRING__TLS_EMPTY_MAX; i++) {
        ticket_send(&pair.server);
        pair_pump(&pair);
    }
    expect_flooded(&pair.client);
    pair_deinit(&pair);
}

/* Records with data are never counted, however they are cut: byte by byte, or as short as can be.
 */
Test(tls_stream, records_with_data_cost_nothing_of_the_budget) {
    for (size_t v = 0; v < 2; v++) {
        version_set(versions[v]);
        for (size_t piece = 0; piece < 8; piece++) {
            struct tls_pair pair;
            pair_init(&pair, client, server, "localhost", NULL);
            pair_expect_open(&pair);
            pair.piece = piece;
            const uint8_t left = pair.server.tls->empty_left;
            for (int i = 0; i < 10 * WRING__TLS_EMPTY_MAX; i++) {
                end_write(&pair.client, "x", 1);
            }
            pair_pump(&pair);
            cr_assert_eq(pair.server.got_len, 10 * WRING__TLS_EMPTY_MAX);
            cr_assert_eq(pair.server.tls->empty_left, left);
            pair_deinit(&pair);
        }
    }
}
