/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "io/tls.h"
#include "tests/certs/certs.h"
#include "tls_pair.h"

TestSuite(tls_context, .init = certs_make_usual);

static void expect_refused(wring_tls_server_config config, const char *a, const char *b) {
    config.struct_size = sizeof config;
    wring__tls_context *context = NULL;
    wring_error error = {0};
    cr_assert_eq(wring__tls_context_server(&config, NULL, &context, &error), WRING_ERR_TLS_CONFIG);
    cr_assert(context == NULL);
    cr_assert_eq(error.code, WRING_ERR_TLS_CONFIG);
    cr_assert(strstr(error.text, a) != NULL, "'%s' is not in: %s", a, error.text);
    cr_assert(strstr(error.text, b) != NULL, "'%s' is not in: %s", b, error.text);
    cr_assert_eq(ERR_peek_error(), 0);
    cr_assert_eq(wring__tls_context_server(&config, NULL, &context, NULL), WRING_ERR_TLS_CONFIG);
}

static void expect_pair_refused(const char *cert, const char *key, const char *a, const char *b) {
    expect_refused((wring_tls_server_config){.cert_file = cert == NULL ? NULL : cert_path(cert),
                                             .key_file = key == NULL ? NULL : cert_path(key)},
                   a, b);
}

Test(tls_context, a_fault_names_the_file_and_what_is_wrong) {
    cert_write("empty.pem", "");
    cert_write("text.pem", "this is no certificate\n");
    cert_write("damaged.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    cert_write("sealed.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                             "MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBDtS+iRqFr0Zg9RfjOD\n"
                             "eqNMAgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQ6cDhDPqLpDGHPwLw\n"
                             "5cnCkgRAs0vMCsBoYMEJEcqZTRGRAobdmGKSyLVTjx2XmXyHWsK9HnKtCHqnTi2x\n"
                             "cVZzrlUQtEvNmG4O1nFA0r0yK5BGqQ==\n"
                             "-----END ENCRYPTED PRIVATE KEY-----\n");
    static const struct cert_spec old = {
        .name = "old", .common_name = "old", .from_days = -9, .until_days = -2};
    static const struct cert_spec young = {
        .name = "young", .common_name = "young", .from_days = 2, .until_days = 9};
    cert_make(&old);
    cert_make(&young);
    expect_pair_refused(NULL, NULL, "no certificate file", "given");
    expect_pair_refused("server.pem", NULL, "no key file", "given");
    expect_pair_refused("absent.pem", "server.key", "absent.pem", "No such file");
    expect_pair_refused("server.pem", "absent.key", "absent.key", "No such file");
    expect_pair_refused("empty.pem", "server.key", "empty.pem", "not PEM");
    expect_pair_refused("text.pem", "server.key", "text.pem", "not PEM");
    expect_pair_refused("server.key", "server.key", "server.key", "not PEM");
    expect_pair_refused("damaged.pem", "server.key", "damaged.pem", "damaged");
    expect_pair_refused("server.pem", "server.pem", "server.pem", "no private key");
    expect_pair_refused("server.pem", "text.pem", "text.pem", "no private key");
    expect_pair_refused("server.pem", "sealed.key", "sealed.key", "encrypted");
    expect_pair_refused("server.pem", "client.key", "client.key", "does not match");
    expect_pair_refused("old.pem", "old.key", "old.pem", "expired on 20");
    expect_pair_refused("young.pem", "young.key", "young.pem", "not valid before 20");
}

Test(tls_context, the_errno_is_kept) {
    wring_tls_client_config config = {.struct_size = sizeof config, .ca_file = cert_path("absent")};
    wring__tls_context *context = NULL;
    wring_error error;
    cr_assert_eq(wring__tls_context_client(&config, &context, &error), WRING_ERR_TLS_CONFIG);
    cr_assert_eq(error.system_errno, ENOENT);
    cr_assert(strstr(error.text, "authorities") != NULL);
}

Test(tls_context, faults_of_the_further_settings) {
    wring_tls_server_config config = {.struct_size = sizeof config,
                                      .cert_file = cert_path("server.pem"),
                                      .key_file = cert_path("server.key")};
    wring_tls_sni sni[2] = {
        {.struct_size = sizeof(wring_tls_sni), "a.example", config.cert_file, config.key_file},
        {.struct_size = sizeof(wring_tls_sni),
         "b.example",
         config.cert_file,
         cert_path("client.key")}};
    config.sni = sni;
    config.sni_count = 2;
    expect_refused(config, "client.key", "does not match");
    sni[1].server_name = "";
    expect_refused(config, "sni[1]", "server_name");
    config.sni_count = 0;
    static const char *const alpn[] = {"http/1.1", ""};
    config.alpn = alpn;
    config.alpn_count = 2;
    expect_refused(config, "alpn", "empty");
    config.alpn_count = 0;
    config.client_ca_file = config.key_file;
    expect_refused(config, "server.key", "not PEM");
}

Test(tls_context, a_chain_and_several_authorities_are_read) {
    static const struct cert_spec middle = {.name = "middle",
                                            .issuer = "ca",
                                            .common_name = "middle",
                                            .until_days = 5,
                                            .is_authority = true};
    static const struct cert_spec leaf = {.name = "leaf",
                                          .issuer = "middle",
                                          .common_name = "leaf",
                                          .alternatives = "DNS:leaf.example",
                                          .until_days = 5};
    cert_make(&middle);
    cert_make(&leaf);
    char all[8192] = "";
    static const char *const files[] = {"leaf.pem", "middle.pem"};
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(cert_path(files[i]), "r");
        size_t len = strlen(all);
        all[len + fread(all + len, 1, sizeof all - 1 - len, file)] = 0;
        fclose(file);
    }
    cert_write("chain.pem", all);
    wring__tls_context *server = server_context((wring_tls_server_config){
        .cert_file = cert_path("chain.pem"), .key_file = cert_path("leaf.key")});
    wring__tls_context *client = client_context((wring_tls_client_config){0});
    struct tls_pair pair;
    pair_init(&pair, client, server, "leaf.example", NULL);
    pair_expect_open(&pair);
    pair_deinit(&pair);
    wring__tls_context_unref(client);
    wring__tls_context_unref(server);
}

Test(tls_context, a_context_outlives_its_last_holder_but_the_streams) {
    wring__tls_context *server = server_context((wring_tls_server_config){0});
    wring__tls_context *client = client_context((wring_tls_client_config){0});
    struct tls_pair pair;
    pair_init(&pair, client, server, "localhost", NULL);
    wring__tls_context_unref(client);
    wring__tls_context_unref(server);
    pair_expect_open(&pair);
    wring__tls_session *session = wring__tls_take_session(pair.client.tls);
    pair_deinit(&pair);
    wring__tls_session_destroy(session);
    wring__tls_session_destroy(NULL);
    wring__tls_context_unref(NULL);
    wring__tls_destroy(NULL);
}

/* ---- SNI ------------------------------------------------------------------------------------- */

static void sni_certs_make(void) {
    static const struct cert_spec specs[] = {
        {.name = "default",
         .issuer = "ca",
         .common_name = "default",
         .alternatives = "DNS:default.example",
         .until_days = 5,
         .is_rsa = true},
        {.name = "exact",
         .issuer = "ca",
         .common_name = "exact",
         .alternatives = "DNS:www.example.com",
         .until_days = 5},
        {.name = "wild",
         .issuer = "ca",
         .common_name = "wild",
         .alternatives = "DNS:*.example.com",
         .until_days = 5},
    };
    for (unsigned i = 0; i < WRING_ARRAY_LEN(specs); i++) {
        cert_make(&specs[i]);
    }
}

static void expect_shown(wring__tls_context *server, const char *server_name, const char *shown) {
    wring__tls_context *client = client_context((wring_tls_client_config){0});
    struct tls_pair pair;
    char names[200];
    pair_init(&pair, client, server, server_name, NULL);
    pair_pump(&pair);
    if (shown == NULL) {
        cr_assert_eq(pair.client.result, WRING_ERR_TLS_WRONG_HOST, "%s", server_name);
        cr_assert(strstr(end_reason(&pair.client), "DNS:default.example") != NULL);
    } else {
        pair_expect_open(&pair);
        wring__tls_peer_name(pair.client.tls, names, sizeof names);
        cr_assert_eq(strncmp(names, shown, strlen(shown)), 0, "%s: %s", server_name, names);
        cr_assert_str_eq(wring__tls_info_of(pair.server.tls).server_name, server_name);
    }
    pair_deinit(&pair);
    wring__tls_context_unref(client);
}

Test(tls_context, the_server_name_chooses_the_certificate) {
    sni_certs_make();
    wring_tls_sni sni[] = {
        {.struct_size = sizeof(wring_tls_sni),
         "*.example.com",
         cert_path("wild.pem"),
         cert_path("wild.key")},
        {.struct_size = sizeof(wring_tls_sni),
         "www.example.com",
         cert_path("exact.pem"),
         cert_path("exact.key")},
    };
    wring__tls_context *server =
        server_context((wring_tls_server_config){.cert_file = cert_path("default.pem"),
                                                 .key_file = cert_path("default.key"),
                                                 .sni = sni,
                                                 .sni_count = 2});
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (int i = 0; i < 2; i++) {
        context_versions(server, versions[i], versions[i]);
        expect_shown(server, "default.example", "CN:default");
        expect_shown(server, "www.example.com", "CN:exact");
        expect_shown(server, "WWW.Example.com", "CN:exact");
        expect_shown(server, "api.example.com", "CN:wild");
        expect_shown(server, "a.b.example.com", NULL);
        expect_shown(server, "example.com", NULL);
        expect_shown(server, "127.0.0.1", NULL);
    }
    wring__tls_context_unref(server);
}

/* ---- ALPN ------------------------------------------------------------------------------------ */

static void alpn_try(const char *const *offered, size_t count, const char *agreed) {
    static const char *const ours[] = {"http/1.1", "h2"};
    wring__tls_context *server =
        server_context((wring_tls_server_config){.alpn = ours, .alpn_count = 2});
    wring__tls_context *client =
        client_context((wring_tls_client_config){.alpn = offered, .alpn_count = count});
    struct tls_pair pair;
    pair_init(&pair, client, server, "localhost", NULL);
    pair_pump(&pair);
    if (agreed == NULL) {
        cr_assert_eq(pair.server.result, WRING_ERR_TLS_NO_SHARED);
        cr_assert_eq(pair.client.result, WRING_ERR_TLS_NO_SHARED);
        cr_assert(strstr(end_reason(&pair.client), "no application protocol") != NULL, "%s",
                  end_reason(&pair.client));
    } else {
        pair_expect_open(&pair);
        cr_assert(wring_bytes_equal(wring__tls_info_of(pair.client.tls).alpn, wring_str(agreed)));
        cr_assert(wring_bytes_equal(wring__tls_info_of(pair.server.tls).alpn, wring_str(agreed)));
    }
    pair_deinit(&pair);
    wring__tls_context_unref(client);
    wring__tls_context_unref(server);
}

Test(tls_context, the_servers_order_of_application_protocols_decides) {
    alpn_try((const char *const[]){"h2", "http/1.1"}, 2, "http/1.1");
    alpn_try((const char *const[]){"h3", "h2"}, 2, "h2");
    alpn_try(NULL, 0, "");
    alpn_try((const char *const[]){"h3"}, 1, NULL);
}
