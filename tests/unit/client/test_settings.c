/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "client/client.h"

static wring_error error;

static wring_result adopt(wring__client_settings *settings, const char *url,
                          const wring_client_config *config) {
    error = (wring_error){0};
    return wring__client_settings_adopt(settings, url, config, &error);
}

Test(settings, defaults) {
    wring__client_settings settings;
    cr_assert_eq(adopt(&settings, "ws://example.com", NULL), WRING_OK);
    cr_assert_eq(settings.config.connect_timeout_ms, 15000);
    cr_assert_eq(settings.config.handshake_bytes_max, 64 * 1024);
    cr_assert_eq(settings.config.reconnect_min_ms, WRING_OFF);
    cr_assert_eq(settings.config.reconnect_max_ms, 30000);
    cr_assert_eq(settings.config.reconnect_attempts, WRING_UNLIMITED);
    cr_assert_eq(settings.config.reconnect_stable_ms, 10000);
    cr_assert_eq(settings.config.inbox_bytes, 4 << 20);
    cr_assert_eq(settings.config.session, &settings.session);
    cr_assert_eq(settings.session.frame_bytes_max, 16 << 20);
    cr_assert_null(settings.config.deflate);
    cr_assert_null(settings.config.handler);
    cr_assert_null(settings.tls);
    wring__client_settings_deinit(&settings);
    wring__client_settings_deinit(&settings);
}

Test(settings, what_the_url_says) {
    static const struct {
        const char *url, *host, *header, *target, *credentials;
        uint16_t port;
    } rows[] = {
        {"ws://a", "a", "a", "/", NULL, 80},
        {"ws://a:80/", "a", "a", "/", NULL, 80},
        {"ws://a:81/b?c=d%20e", "a", "a:81", "/b?c=d%20e", NULL, 81},
        {"ws://a?c", "a", "a", "/?c", NULL, 80},
        {"ws://[::1]:9/", "::1", "[::1]:9", "/", NULL, 9},
        {"ws://u:p@a/", "a", "a", "/", "Basic dTpw", 80},
        {"ws://u@a/", "a", "a", "/", "Basic dTo=", 80},
        {"ws://us%65r:p%3aw@a/", "a", "a", "/", "Basic dXNlcjpwOnc=", 80},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wring__client_settings settings;
        wring_bytes value = {NULL, 0};
        cr_assert_eq(adopt(&settings, rows[i].url, NULL), WRING_OK, "%s", rows[i].url);
        cr_assert_str_eq(settings.host, rows[i].host, "%s", rows[i].url);
        cr_assert_str_eq(settings.host_header, rows[i].header, "%s", rows[i].url);
        cr_assert_str_eq(settings.target, rows[i].target, "%s", rows[i].url);
        cr_assert_eq(settings.url.port, rows[i].port, "%s", rows[i].url);
        const bool found = wring_headers_get(settings.config.headers, "Authorization", &value);
        cr_assert_eq(found, rows[i].credentials != NULL, "%s", rows[i].url);
        if (found) {
            cr_assert(wring_bytes_equal(value, wring_str(rows[i].credentials)));
        }
        wring__client_settings_deinit(&settings);
    }
}

static void expect_header(const wring__client_settings *settings, const char *name,
                          const char *want) {
    wring_bytes value = {NULL, 0};
    cr_assert_eq(wring_headers_count(settings->config.headers, name), 1);
    cr_assert(wring_headers_get(settings->config.headers, name, &value));
    cr_assert(wring_bytes_equal(value, wring_str(want)), "%s", name);
}

Test(settings, given_headers_win) {
    const wring_header headers[] = {{wring_str("authorization"), wring_str("Bearer t")},
                                    {wring_str("host"), wring_str("other:7")}};
    const wring_client_config config = {.struct_size = sizeof config, .headers = {headers, 2}};
    wring__client_settings settings;
    cr_assert_eq(adopt(&settings, "ws://u:p@a/", &config), WRING_OK);
    expect_header(&settings, "Authorization", "Bearer t");
    cr_assert_str_eq(settings.host_header, "other:7");
    cr_assert_str_eq(settings.host, "a"); /* who is dialled, and asked for by TLS */
    wring__client_settings_deinit(&settings);
}

static wring_result renew_nothing(wring_client *client, wring_client_renewal *renewal, void *opts) {
    (void)client;
    (void)renewal;
    (void)opts;
    return WRING_OK;
}

Test(settings, a_renewal_replaces_url_and_headers_or_nothing) {
    const wring_header first = {wring_str("X-First"), wring_str("1")};
    const wring_header token = {wring_str("Authorization"), wring_str("Bearer 2")};
    const wring_header broken = {wring_str("Upgrade"), wring_str("x")};
    const wring_client_config config = {.struct_size = sizeof config,
                                        .headers = {&first, 1},
                                        .origin = "o",
                                        .renew = renew_nothing};
    wring__client_settings settings;
    cr_assert_eq(adopt(&settings, "ws://u:p@a/one", &config), WRING_OK);
    cr_assert_eq(settings.given.count, 1);
    for (int round = 0; round < 3; round++) { /* with what it has itself, too */
        cr_assert_eq(wring__client_settings_renew(&settings, "ws://b:9/two",
                                                  (wring_headers){&token, 1}, &error),
                     WRING_OK);
        cr_assert_eq(
            wring__client_settings_renew(&settings, settings.url_text, settings.given, &error),
            WRING_OK);
        cr_assert_str_eq(settings.host, "b");
        cr_assert_str_eq(settings.host_header, "b:9");
        cr_assert_str_eq(settings.target, "/two");
        cr_assert_str_eq(settings.config.origin, "o");
        expect_header(&settings, "Authorization", "Bearer 2");
        cr_assert_eq(wring_headers_count(settings.config.headers, "x-first"), 0);
        cr_assert_eq(wring__client_settings_renew(&settings, "http://c", settings.given, &error),
                     WRING_ERR_INVALID_URL);
        cr_assert_eq(
            wring__client_settings_renew(&settings, "ws://c", (wring_headers){&broken, 1}, &error),
            WRING_ERR_INVALID_HEADER);
        cr_assert_eq(wring__client_settings_renew(&settings, "wss://c", settings.given, &error),
                     WRING_ERR_INVALID_URL);
        cr_assert_eq(
            wring__client_settings_renew(&settings, NULL, (wring_headers){NULL, 0}, &error),
            WRING_OK);
        expect_header(&settings, "Authorization", "Bearer 2");
        cr_assert_str_eq(settings.target, "/two");
        cr_assert_str_eq(settings.host, "b", "what cannot be used changes nothing");
    }
    wring__client_settings_deinit(&settings);
    const wring_tls_client_config tls = {.struct_size = sizeof tls};
    wring_client_config secure = config;
    secure.tls = &tls;
    cr_assert_eq(adopt(&settings, "ws://a/", &secure), WRING_OK);
    cr_assert_eq(wring__client_settings_renew(&settings, "wss://a", settings.given, &error),
                 WRING_OK);
    cr_assert(settings.url.secure && settings.tls != NULL);
    wring__client_settings_deinit(&settings);
}

Test(settings, a_renewed_url_has_the_proxy_of_the_environment) {
    clearenv();
    setenv("http_proxy", "http://p:1", 1);
    setenv("no_proxy", "a", 1);
    const wring_client_config config = {.struct_size = sizeof config, .proxy_from_env = true};
    wring__client_settings settings;
    cr_assert_eq(adopt(&settings, "ws://a/", &config), WRING_OK);
    cr_assert_eq(settings.proxy.kind, WRING__PROXY_NONE);
    const wring_headers none = {NULL, 0};
    cr_assert_eq(wring__client_settings_renew(&settings, "ws://b/", none, &error), WRING_OK);
    cr_assert_str_eq(settings.proxy.host, "p");
    cr_assert_eq(wring__client_settings_renew(&settings, "ws://a/", none, &error), WRING_OK);
    cr_assert_eq(settings.proxy.kind, WRING__PROXY_NONE);
    setenv("http_proxy", "ftp://p", 1);
    cr_assert_eq(wring__client_settings_renew(&settings, "ws://b/", none, &error),
                 WRING_ERR_INVALID_CONFIG);
    wring__client_settings_deinit(&settings);
}

Test(settings, everything_is_copied) {
    char text[] = "value";
    const char *subprotocols[] = {text, text};
    wring_header headers[] = {{wring_str(text), wring_str(text)}};
    wring_handler handler = {.struct_size = sizeof handler, .state_size = 9};
    wring_session_config session = {.struct_size = sizeof session, .idle_timeout_ms = 7};
    wring_deflate_config deflate = {.struct_size = sizeof deflate, .level = 3};
    const wring_client_config config = {.struct_size = sizeof config,
                                        .handler = &handler,
                                        .subprotocols = subprotocols,
                                        .subprotocol_count = 2,
                                        .extensions = text,
                                        .origin = text,
                                        .headers = {headers, 1},
                                        .session = &session,
                                        .deflate = &deflate};
    wring__client_settings settings;
    cr_assert_eq(adopt(&settings, "ws://u:p@a", &config), WRING_OK);
    memset(text, 'x', strlen(text));
    subprotocols[1] = NULL;
    headers[0].value.len = 0;
    memset(&handler, 0, sizeof handler);
    memset(&session, 0, sizeof session);
    memset(&deflate, 0, sizeof deflate);
    const wring_client_config *kept = &settings.config;
    cr_assert_str_eq(kept->subprotocols[1], "value");
    cr_assert_str_eq(kept->extensions, "value");
    cr_assert_str_eq(kept->origin, "value");
    cr_assert_eq(kept->headers.count, 2); /* the URL's credentials came behind */
    cr_assert(wring_bytes_equal(kept->headers.list[0].name, wring_str("value")));
    cr_assert(wring_bytes_equal(kept->headers.list[0].value, wring_str("value")));
    cr_assert_eq(kept->handler->state_size, 9);
    cr_assert_eq(kept->session->idle_timeout_ms, 7);
    cr_assert_eq(kept->deflate->level, 3);
    wring__client_settings_deinit(&settings);
}

Test(settings, http2_is_copied_with_its_defaults) {
    wring_http2_config http2 = {.struct_size = sizeof http2, .required = true, .sessions_max = 7};
    const wring_client_config config = {.struct_size = sizeof config, .http2 = &http2};
    wring__client_settings settings;
    cr_assert_eq(adopt(&settings, "wss://a", &config), WRING_OK);
    http2.sessions_max = 8;
    cr_assert_eq(settings.config.http2, &settings.http2);
    cr_assert_eq(settings.http2.sessions_max, 7);
    cr_assert_eq(settings.http2.idle_timeout_ms, 1000);
    cr_assert(settings.http2.required && !settings.has_alpn);
    wring__client_settings_deinit(&settings);
}

static void expect_refused(const char *url, const wring_client_config *config, wring_result result,
                           const char *why) {
    wring__client_settings settings;
    cr_assert_eq(adopt(&settings, url, config), result, "%s: %d", why, (int)error.code);
    cr_assert_eq(error.code, result);
    cr_assert_not_null(strstr(error.text, why), "'%s' is not in '%s'", why, error.text);
}

Test(settings, errors_name_the_field) {
#define CONFIG(...)                                                                                \
    &(wring_client_config) {                                                                       \
        .struct_size = sizeof(wring_client_config), __VA_ARGS__                                    \
    }
    static const char *const bad_name[] = {"a b"};
    static const wring_header bad_header[] = {
        {{(const uint8_t *)"A", 1}, {(const uint8_t *)"\r\n", 2}}};
    const char *url = "ws://a";
    expect_refused(url, &(wring_client_config){0}, WRING_ERR_INVALID_CONFIG, "struct_size");
    expect_refused(url, CONFIG(.handshake_bytes_max = 63), WRING_ERR_INVALID_CONFIG,
                   "handshake_bytes_max");
    expect_refused(url, CONFIG(.handshake_bytes_max = (16 << 20) + 1), WRING_ERR_INVALID_CONFIG,
                   "handshake_bytes_max");
    expect_refused(url, CONFIG(.reconnect_min_ms = 2, .reconnect_max_ms = 1),
                   WRING_ERR_INVALID_CONFIG, "reconnect_min_ms");
    expect_refused(url, CONFIG(.proxy = "ftp://x"), WRING_ERR_INVALID_CONFIG, "proxy");
    expect_refused(url, CONFIG(.source = "a"), WRING_ERR_INVALID_CONFIG, "source");
    expect_refused(url, CONFIG(.subprotocols = bad_name, .subprotocol_count = 1),
                   WRING_ERR_INVALID_HEADER, "subprotocols has \"a b\"");
    expect_refused(url, CONFIG(.headers = {bad_header, 1}), WRING_ERR_INVALID_HEADER, "headers");
    const wring_header upgrade = {wring_str("Upgrade"), wring_str("h2c")};
    expect_refused(url, CONFIG(.headers = {&upgrade, 1}), WRING_ERR_INVALID_HEADER, "'Upgrade'");
    const wring_header extensions = {wring_str("Sec-WebSocket-Extensions"), wring_str("x")};
    const wring_deflate_config deflate = {.struct_size = sizeof deflate};
    expect_refused(url, CONFIG(.headers = {&extensions, 1}, .deflate = &deflate),
                   WRING_ERR_INVALID_CONFIG, "deflate");
    expect_refused(url, CONFIG(.origin = "a\nb"), WRING_ERR_INVALID_HEADER, "origin");
    expect_refused(NULL, NULL, WRING_ERR_INVALID_URL, "NULL");
    expect_refused(url, CONFIG(.headers = {NULL, 1}), WRING_ERR_INVALID_CONFIG, "headers");
    expect_refused(url, CONFIG(.subprotocol_count = 1), WRING_ERR_INVALID_CONFIG, "subprotocols");
    static const char *const no_tokens[] = {"", "a,b", "a\r\nb", "caf\xC3\xA9", NULL};
    static const char *const named[] = {"\"\"", "\"a,b\"", "\"a\\x0d\\x0ab\"", "\"caf", "NULL"};
    for (size_t i = 0; i < sizeof no_tokens / sizeof *no_tokens; i++) {
        expect_refused(url, CONFIG(.subprotocols = &no_tokens[i], .subprotocol_count = 1),
                       WRING_ERR_INVALID_HEADER, named[i]);
    }
    const wring_header hollow = {wring_str("A"), {NULL, 3}};
    expect_refused(url, CONFIG(.headers = {&hollow, 1}), WRING_ERR_INVALID_CONFIG, "headers");
    expect_refused("wss://a", CONFIG(.tls = &(wring_tls_client_config){0}),
                   WRING_ERR_INVALID_CONFIG, "tls");
    expect_refused(url, CONFIG(.session = &(wring_session_config){0}), WRING_ERR_INVALID_CONFIG,
                   "wring_session_config");
    expect_refused(url, CONFIG(.handler = &(wring_handler){0}), WRING_ERR_INVALID_CONFIG,
                   "wring_handler");
    expect_refused(url, CONFIG(.deflate = &(wring_deflate_config){0}), WRING_ERR_INVALID_CONFIG,
                   "wring_deflate_config");
    const wring_tls_client_config tls = {.struct_size = sizeof tls, .ca_file = "/nonexistent"};
    expect_refused("wss://a", CONFIG(.tls = &tls), WRING_ERR_TLS_CONFIG, "/nonexistent");
    expect_refused("http://a", NULL, WRING_ERR_INVALID_URL, "http://a");
    expect_refused("ws://a%00b/", NULL, WRING_ERR_INVALID_URL, "%00");
    expect_refused("ws://u%00:p@b/", NULL, WRING_ERR_INVALID_URL, "%00");
    char *longest = malloc(9000);
    memset(longest, 'a', 8999);
    memcpy(longest, "ws://", 5);
    longest[8999] = 0;
    expect_refused(longest, NULL, WRING_ERR_INVALID_URL, "8 KiB");
    free(longest);
#undef CONFIG
}

Test(settings, errors_of_http2_name_the_field) {
    wring_http2_config http2 = {.struct_size = sizeof http2, .required = true};
    wring_client_config config = {.struct_size = sizeof config, .http2 = &http2};
    expect_refused("ws://a", &config, WRING_ERR_INVALID_CONFIG, "cleartext");
    http2.cleartext = true;
    http2.window_bytes = 1;
    expect_refused("ws://a", &config, WRING_ERR_INVALID_CONFIG, "window_bytes");
    http2.window_bytes = 0;
    wring_header many[61];
    for (size_t i = 0; i < WRING_ARRAY_LEN(many); i++) {
        many[i] = (wring_header){wring_str("x-many"), wring_str("1")};
    }
    config.headers = (wring_headers){many, 61};
    expect_refused("ws://a", &config, WRING_ERR_INVALID_CONFIG, "60");
    config.http2 = NULL;
    wring__client_settings settings;
    cr_assert_eq(adopt(&settings, "ws://a", &config), WRING_OK);
    wring__client_settings_deinit(&settings);
}

Test(settings, clients_with_equal_tls_share_a_context) {
    static const char *const alpn[] = {"x"};
    wring_tls_client_config one = {.struct_size = sizeof one, .no_verify = true};
    wring_tls_client_config other = {
        .struct_size = sizeof other, .no_verify = true, .alpn = alpn, .alpn_count = 1};
    wring__client_settings a;
    wring__client_settings b;
    wring__client_settings c;
    const wring_client_config with_one = {.struct_size = sizeof with_one, .tls = &one};
    const wring_client_config with_other = {.struct_size = sizeof with_other, .tls = &other};
    cr_assert_eq(adopt(&a, "wss://a", &with_one), WRING_OK);
    cr_assert_eq(adopt(&b, "wss://b", &with_one), WRING_OK);
    cr_assert_eq(adopt(&c, "wss://a", &with_other), WRING_OK);
    cr_assert_eq(a.tls, b.tls);
    cr_assert_neq(a.tls, c.tls);
    wring__client_settings_deinit(&a);
    cr_assert_not_null(wring__tls_share_context(b.tls));
    wring__client_settings_deinit(&b);
    wring__client_settings_deinit(&c);
}
