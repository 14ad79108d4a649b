/* SPDX-License-Identifier: Apache-2.0
 *
 * What a client is told, and TLS contexts.
 */
#include <string.h>

#include "client/client.h"
#include "tests/certs/certs.h"
#include "tests/torture/torture.h"

static wring_result settings(const char *url, const char *proxy, bool tls) {
    static const char *const subprotocols[] = {"chat", "superchat"};
    const wring_header headers[] = {{wring_str("X-One"), wring_str("1")},
                                    {wring_str("X-Two"), wring_str("2")}};
    wring_tls_client_config tls_config = {.struct_size = sizeof tls_config};
    if (tls) {
        tls_config.ca_file = cert_path("ca.pem");
        tls_config.cert_file = cert_path("client.pem");
        tls_config.key_file = cert_path("client.key");
    }
    const wring_http2_config http2 = {.struct_size = sizeof http2};
    const wring_client_config config = {
        .struct_size = sizeof config,
        .http2 = tls ? &http2 : NULL,
        .subprotocols = subprotocols,
        .subprotocol_count = 2,
        .extensions = "x-nothing",
        .origin = "https://example.com",
        .headers = {headers, 2},
        .proxy = proxy,
        .tls = tls ? &tls_config : NULL,
    };
    wring__client_settings adopted;
    wring_error error = {0};
    const wring_result result = wring__client_settings_adopt(&adopted, url, &config, &error);
    CHECK(result == WRING_OK || (error.code == result && error.text[0] != 0));
    wring__client_settings_deinit(&adopted);
    return result;
}

static wring_result plain_settings(void) {
    return settings("ws://us%65r:p%20w@example.com:81/a/b?c", NULL, false);
}

static wring_result settings_with_http_proxy(void) {
    return settings("ws://[::1]/", "http://user:p%40ss@127.0.0.1:3128", false);
}

static wring_result settings_with_socks_proxy(void) {
    return settings("ws://example.com", "socks5://user:pass@127.0.0.1", false);
}

static wring_result tls_settings(void) {
    static bool made;
    if (!made) {
        certs_make_usual();
        made = true;
    }
    return settings("wss://example.com/", NULL, true);
}

static wring_result server_create(void) {
    static const wring_handler handler = {.struct_size = sizeof handler, .name = "none"};
    const wring_tls_sni sni = {.struct_size = sizeof sni,
                               .server_name = "localhost",
                               .cert_file = cert_path("server.pem"),
                               .key_file = cert_path("server.key")};
    const wring_tls_server_config tls = {.struct_size = sizeof tls,
                                         .cert_file = cert_path("server.pem"),
                                         .key_file = cert_path("server.key"),
                                         .sni = &sni,
                                         .sni_count = 1};
    const wring_server_config config = {
        .struct_size = sizeof config, .workers = 3, .handler = &handler, .tls = &tls};
    wring_server *server = NULL;
    wring_error error = {0};
    const wring_result result = wring_server_create(&config, &server, &error);
    CHECK(result == WRING_OK || (error.code == result && error.text[0] != 0));
    wring_server_destroy(server);
    return result;
}

const torture_case torture_client[] = {
    {"client settings", plain_settings, false},
    {"client settings, HTTP proxy", settings_with_http_proxy, false},
    {"client settings, SOCKS5 proxy", settings_with_socks_proxy, false},
    {"client settings, TLS", tls_settings, false},
    {"server with TLS", server_create, false},
    {0},
};
