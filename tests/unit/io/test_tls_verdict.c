/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <openssl/ssl.h>

#include "io/tls.h"
#include "tests/certs/certs.h"
#include "tls_pair.h"

TestSuite(tls_verdict, .init = certs_make_usual);

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void contexts_unref(wring__tls_context *client, wring__tls_context *server) {
    wring__tls_context_unref(client);
    wring__tls_context_unref(server);
}

static void expect_end(struct tls_end *end, wring_result result, const char *reason) {
    cr_assert_eq(end->result, result, "%s, not %s: %s", wring_result_name(end->result),
                 wring_result_name(result), end_reason(end));
    cr_assert(strstr(end_reason(end), reason) != NULL, "'%s' is not in: %s", reason,
              end_reason(end));
    uint8_t byte;
    size_t n;
    cr_assert_eq(wring__tls_read(end->tls, &byte, 1, &n), result, "it stays");
}

/* ---- the server's certificate ---------------------------------------------------------------- */

struct fault {
    const char *cert;
    const char *ca;
    const char *host;
    wring_result client;
    const char *reason;
    const char *alert;
};

static void fault_try(const struct fault *fault, int version) {
    char cert[32], key[32];
    snprintf(cert, sizeof cert, "%s.pem", fault->cert);
    snprintf(key, sizeof key, "%s.key", fault->cert);
    wring__tls_context *server = server_context((wring_tls_server_config){
        .cert_file = cert_path(cert), .key_file = cert_path(key), .allow_expired = true});
    wring__tls_context *client =
        client_context((wring_tls_client_config){.ca_file = cert_path(fault->ca)});
    context_versions(client, version, version);
    struct tls_pair pair;
    pair_init(&pair, client, server, fault->host, NULL);
    pair_pump(&pair);
    expect_end(&pair.client, fault->client, fault->reason);
    expect_end(&pair.server, WRING_ERR_TLS_CERTIFICATE_REFUSED, fault->alert);
    cr_assert(!wring__tls_info_of(pair.client.tls).peer_verified);
    cr_assert(wring__tls_take_session(pair.client.tls) == NULL);
    pair_deinit(&pair);
    contexts_unref(client, server);
}

Test(tls_verdict, each_fault_of_a_certificate_has_its_result_and_reason) {
    static const struct cert_spec specs[] = {
        {.name = "old",
         .issuer = "ca",
         .common_name = "old",
         .alternatives = "DNS:localhost",
         .from_days = -9,
         .until_days = -2},
        {.name = "young",
         .issuer = "ca",
         .common_name = "young",
         .alternatives = "DNS:localhost",
         .from_days = 2,
         .until_days = 9},
        {.name = "alone", .common_name = "alone", .alternatives = "DNS:localhost", .until_days = 9},
        {.name = "ca2", .common_name = "another authority", .until_days = 9, .is_authority = true},
        {.name = "nonames", .issuer = "ca", .common_name = "localhost", .until_days = 9},
    };
    static const struct fault faults[] = {
        {"old", "ca.pem", "localhost", WRING_ERR_TLS_CERTIFICATE_EXPIRED, "expired on 20",
         "certificate expired"},
        {"young", "ca.pem", "localhost", WRING_ERR_TLS_CERTIFICATE_EXPIRED, "not valid before 20",
         "bad certificate"},
        {"alone", "ca.pem", "localhost", WRING_ERR_TLS_SELF_SIGNED, "CN:alone", "unknown CA"},
        {"server", "ca2.pem", "localhost", WRING_ERR_TLS_UNKNOWN_CA, "issuer", "unknown CA"},
        {"server", "ca.pem", "example.com", WRING_ERR_TLS_WRONG_HOST, "not for the host 'example",
         "bad certificate"},
        {"server", "ca.pem", "a.b.wild.example", WRING_ERR_TLS_WRONG_HOST, "DNS:*.wild.example",
         "bad certificate"},
        {"server", "ca.pem", "127.0.0.2", WRING_ERR_TLS_WRONG_HOST, "IP:127.0.0.1",
         "bad certificate"},
        {"nonames", "ca.pem", "localhost", WRING_ERR_TLS_WRONG_HOST, "CN:localhost",
         "bad certificate"},
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(specs); i++) {
        cert_make(&specs[i]);
    }
    for (size_t i = 0; i < WRING_ARRAY_LEN(faults); i++) {
        fault_try(&faults[i], TLS1_2_VERSION);
        fault_try(&faults[i], TLS1_3_VERSION);
    }
}

Test(tls_verdict, names_and_addresses_that_fit_are_accepted) {
    static const char *const hosts[] = {"localhost", "LOCALHOST",  "x.wild.example", "127.0.0.1",
                                        "::1",       "localhost.", "x.wild.example."};
    wring__tls_context *server = server_context((wring_tls_server_config){0});
    wring__tls_context *client = client_context((wring_tls_client_config){0});
    for (size_t i = 0; i < WRING_ARRAY_LEN(hosts); i++) {
        struct tls_pair pair;
        pair_init(&pair, client, server, hosts[i], NULL);
        pair_expect_open(&pair);
        const char *asked = wring__tls_info_of(pair.server.tls).server_name;
        const bool is_address = i == 3 || i == 4;
        cr_assert_eq(asked == NULL, is_address, "%s", hosts[i]);
        /* RFC 6066 3: no trailing dot */
        cr_assert(asked == NULL || strncmp(asked, hosts[i], strlen(asked)) == 0);
        cr_assert(asked == NULL || asked[strlen(asked) - 1] != '.', "%s", asked);
        pair_deinit(&pair);
    }
    contexts_unref(client, server);
}

Test(tls_verdict, a_verifying_client_needs_a_name_and_others_do_not) {
    wring__tls_context *server = server_context((wring_tls_server_config){0});
    wring__tls_context *strict = client_context((wring_tls_client_config){0});
    wring__tls_context *lax = client_context((wring_tls_client_config){.no_verify = true});
    wring__outq out = {0};
    wring__tls *tls = NULL;
    wring__tls_options options = {.out = &out};
    cr_assert_eq(wring__tls_create(strict, &options, &tls), WRING_ERR_INVALID_ARGUMENT);
    options.server_name = "";
    cr_assert_eq(wring__tls_create(strict, &options, &tls), WRING_ERR_INVALID_ARGUMENT);
    struct tls_pair pair;
    char name[8] = "x";
    pair_init(&pair, lax, server, NULL, NULL);
    pair_expect_open(&pair);
    cr_assert(!wring__tls_info_of(pair.client.tls).peer_verified);
    cr_assert_eq(wring__tls_peer_name(pair.client.tls, name, sizeof name), 0);
    cr_assert_str_empty(name);
    pair_deinit(&pair);
    contexts_unref(lax, strict);
    wring__tls_context_unref(server);
}

/* ---- the client's certificate ---------------------------------------------------------------- */

static void mutual_try(bool optional, const char *cert, int version, wring_result server_result,
                       const char *server_reason, wring_result client_result) {
    char pem[32], key[32];
    snprintf(pem, sizeof pem, "%s.pem", cert == NULL ? "" : cert);
    snprintf(key, sizeof key, "%s.key", cert == NULL ? "" : cert);
    wring__tls_context *server = server_context((wring_tls_server_config){
        .client_ca_file = cert_path("ca.pem"), .client_optional = optional});
    wring__tls_context *client =
        client_context((wring_tls_client_config){.cert_file = cert == NULL ? NULL : cert_path(pem),
                                                 .key_file = cert == NULL ? NULL : cert_path(key),
                                                 .allow_expired = true});
    context_versions(client, version, version);
    struct tls_pair pair;
    pair_init(&pair, client, server, "localhost", NULL);
    pair_pump(&pair);
    if (server_result == WRING_OK) {
        char names[200];
        pair_expect_open(&pair);
        size_t len = wring__tls_peer_name(pair.server.tls, names, sizeof names);
        cr_assert_eq(wring__tls_info_of(pair.server.tls).peer_verified, cert != NULL);
        cr_assert_eq(len, strlen(names));
        cr_assert_str_eq(names, server_reason);
    } else {
        expect_end(&pair.server, server_result, server_reason);
        expect_end(&pair.client, client_result, "alert");
    }
    pair_deinit(&pair);
    contexts_unref(client, server);
}

Test(tls_verdict, mutual_tls_with_and_without_a_certificate) {
    static const struct cert_spec specs[] = {
        {.name = "mallory", .common_name = "mallory", .until_days = 5},
        {.name = "late", .issuer = "ca", .common_name = "l", .from_days = -9, .until_days = -2},
    };
    cert_make(&specs[0]);
    cert_make(&specs[1]);
    for (int v = 0; v < 2; v++) {
        const char *alice = "CN:alice\nEMAIL:alice@example.com\nURI:spiffe://example.com/alice";
        wring_result without = v == 0 ? WRING_ERR_TLS_NO_SHARED /* handshake_failure in 1.2 */
                                      : WRING_ERR_TLS_CERTIFICATE_REFUSED;
        mutual_try(false, "client", versions[v], WRING_OK, alice, WRING_OK);
        mutual_try(true, "client", versions[v], WRING_OK, alice, WRING_OK);
        mutual_try(true, NULL, versions[v], WRING_OK, "", WRING_OK);
        mutual_try(false, NULL, versions[v], WRING_ERR_TLS_NO_CERTIFICATE, "certificate", without);
        mutual_try(true, "mallory", versions[v], WRING_ERR_TLS_SELF_SIGNED, "CN:mallory",
                   WRING_ERR_TLS_CERTIFICATE_REFUSED);
        mutual_try(false, "late", versions[v], WRING_ERR_TLS_CERTIFICATE_EXPIRED, "expired on",
                   WRING_ERR_TLS_CERTIFICATE_REFUSED);
    }
}

Test(tls_verdict, a_resumed_client_keeps_its_name) {
    wring__tls_context *server =
        server_context((wring_tls_server_config){.client_ca_file = cert_path("ca.pem")});
    wring__tls_context *client = client_context((wring_tls_client_config){
        .cert_file = cert_path("client.pem"), .key_file = cert_path("client.key")});
    for (int v = 0; v < 2; v++) {
        wring__tls_session *session = NULL;
        context_versions(client, versions[v], versions[v]);
        for (int round = 0; round < 2; round++) {
            struct tls_pair pair;
            char names[200];
            pair_init(&pair, client, server, "localhost", session);
            pair_expect_open(&pair);
            cr_assert_eq(wring__tls_info_of(pair.server.tls).resumed, round == 1);
            size_t len = wring__tls_peer_name(pair.server.tls, names, sizeof names);
            cr_assert_eq(strncmp(names, "CN:alice\n", 9), 0);
            cr_assert_eq(wring__tls_peer_name(pair.server.tls, names, 5), len);
            cr_assert_str_eq(names, "CN:a");
            wring__tls_session_destroy(session);
            session = wring__tls_take_session(pair.client.tls);
            pair_deinit(&pair);
        }
        wring__tls_session_destroy(session);
    }
    contexts_unref(client, server);
}

Test(tls_verdict, a_name_cannot_forge_a_line) {
    static const struct cert_spec spec = {.name = "forger",
                                          .issuer = "ca",
                                          .common_name = "eve\nDNS:bank.example\\",
                                          .until_days = 5};
    cert_make(&spec);
    mutual_try(false, "forger", TLS1_3_VERSION, WRING_OK, "CN:eve\\x0aDNS:bank.example\\x5c",
               WRING_OK);
}

Test(tls_verdict, a_name_cannot_drive_a_terminal) {
    static const struct cert_spec spec = {
        .name = "shifty", .common_name = "m\xc2\x9b[2J\xe2\x80\xae!", .until_days = 5};
    cert_make(&spec);
    mutual_try(true, "shifty", TLS1_3_VERSION, WRING_ERR_TLS_SELF_SIGNED, "CN:m\\u009b[2J\\u202e!",
               WRING_ERR_TLS_CERTIFICATE_REFUSED);
}

/* ---- everything else ------------------------------------------------------------------------- */

Test(tls_verdict, no_version_or_cipher_in_common) {
    wring__tls_context *server = server_context((wring_tls_server_config){0});
    wring__tls_context *client = client_context((wring_tls_client_config){0});
    struct tls_pair pair;
    context_versions(client, TLS1_2_VERSION, TLS1_2_VERSION);
    context_versions(server, TLS1_3_VERSION, TLS1_3_VERSION);
    pair_init(&pair, client, server, "localhost", NULL);
    pair_pump(&pair);
    expect_end(&pair.server, WRING_ERR_TLS_NO_SHARED, "unsupported protocol");
    expect_end(&pair.client, WRING_ERR_TLS_NO_SHARED, "protocol version");
    pair_deinit(&pair);
    contexts_unref(client, server);

    static const struct cert_spec spec = {
        .name = "rsa", .issuer = "ca", .common_name = "rsa", .until_days = 5, .is_rsa = true};
    cert_make(&spec);
    server = server_context((wring_tls_server_config){0});
    client = client_context((wring_tls_client_config){0});
    context_versions(client, TLS1_2_VERSION, TLS1_2_VERSION);
    context_ciphers(client,
                    "ECDHE-RSA-AES128-GCM-SHA256"); /* the server's key is of another kind */
    pair_init(&pair, client, server, "localhost", NULL);
    pair_pump(&pair);
    expect_end(&pair.server, WRING_ERR_TLS_NO_SHARED, "no shared cipher");
    expect_end(&pair.client, WRING_ERR_TLS_NO_SHARED, "handshake failure");
    pair_deinit(&pair);
    contexts_unref(client, server);
}

static void expect_not_tls(bool to_server, const char *bytes, size_t piece, const char *reason) {
    wring__tls_context *server = server_context((wring_tls_server_config){0});
    wring__tls_context *client = client_context((wring_tls_client_config){0});
    struct tls_pair pair;
    pair_init(&pair, client, server, "localhost", NULL);
    struct tls_end *end = to_server ? &pair.server : &pair.client;
    size_t len = strlen(bytes);
    for (size_t at = 0; at < len; at += piece) {
        end_feed(end, (const uint8_t *)bytes + at, len - at < piece ? len - at : piece);
    }
    expect_end(end, WRING_ERR_TLS_NOT_TLS, reason);
    pair_deinit(&pair);
    contexts_unref(client, server);
}

Test(tls_verdict, plain_text_on_a_tls_port_is_recognised) {
    static const size_t pieces[] = {1, 4, 1000};
    for (size_t i = 0; i < WRING_ARRAY_LEN(pieces); i++) {
        expect_not_tls(true, "GET /chat HTTP/1.1\r\nHost: a\r\n\r\n", pieces[i], "plain HTTP");
        expect_not_tls(true, "POST / HTTP/1.1\r\nHost: a\r\n\r\n", pieces[i], "plain HTTP");
        expect_not_tls(true, "SSH-2.0-OpenSSH_9.2\r\n", pieces[i], "does not speak TLS");
        expect_not_tls(false, "HTTP/1.1 400 Bad Request\r\n\r\n", pieces[i], "does not speak TLS");
    }
}
