/* SPDX-License-Identifier: Apache-2.0
 *
 * What wring_client_create was given: checked, defaults filled in, everything copied.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"
#include "client/text.h"
#include "core/sized.h"
#include "proto/upgrade.h"
#include "wring/upgrade.h"

#define URL_MAX 8192

/* A copy that lives as long as the settings. */
struct wring__owned {
    struct wring__owned *next;
    _Alignas(16) char data[];
};

static void *own(wring__client_settings *settings, const void *data, size_t len) {
    struct wring__owned *block = malloc(sizeof *block + len + 1);
    if (block == NULL) {
        return NULL;
    }
    if (len > 0) {
        memcpy(block->data, data, len);
    }
    block->data[len] = 0;
    block->next = settings->owned;
    settings->owned = block;
    return block->data;
}

static bool own_text(wring__client_settings *settings, const char **text) {
    if (*text != NULL) {
        *text = own(settings, *text, strlen(*text));
        return *text != NULL;
    }
    return true;
}

static bool own_list(wring__client_settings *settings, const char *const **list, size_t count) {
    if (count == 0) {
        return true;
    }
    const char **copy = own(settings, *list, count * sizeof *copy);
    for (size_t i = 0; copy != NULL && i < count; i++) {
        if (!own_text(settings, &copy[i])) {
            return false;
        }
    }
    *list = copy;
    return copy != NULL;
}

static bool own_headers(wring__client_settings *settings, wring_headers *headers) {
    if (headers->count == 0) {
        return true;
    }
    wring_header *copy = own(settings, headers->list, headers->count * sizeof *copy);
    for (size_t i = 0; copy != NULL && i < headers->count; i++) {
        copy[i].name.data = own(settings, copy[i].name.data, copy[i].name.len);
        copy[i].value.data = own(settings, copy[i].value.data, copy[i].value.len);
        if (copy[i].name.data == NULL || copy[i].value.data == NULL) {
            return false;
        }
    }
    headers->list = copy;
    return copy != NULL;
}

static wring_result bad(wring_error *error, const char *field, const char *what) {
    return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0, "%s %s", field, what);
}

static wring_result no_memory(wring_error *error) {
    return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "out of memory");
}

/* ---- the URL --------------------------------------------------------------------------------- */

static wring_result target_make(wring__client_settings *settings, wring_error *error) {
    const wring_bytes target = settings->url.target;
    const bool slash = target.len == 0 || target.data[0] != '/';
    char *text = NULL;
    if (asprintf(&text, "%s%.*s", slash ? "/" : "", (int)target.len,
                 target.len == 0 ? "" : (const char *)target.data) < 0) {
        return no_memory(error);
    }
    settings->target = own(settings, text, strlen(text));
    free(text);
    return settings->target == NULL ? no_memory(error) : WRING_OK;
}

static wring_result url_decode(wring_bytes text, char **out, wring_error *error) {
    const wring_result result = wring__percent_decode(text, out);
    if (result == WRING_ERR_INVALID_ARGUMENT) {
        return wring_error_set(error, WRING_ERR_INVALID_URL, 0, "the URL has a %%00 in it");
    }
    return result == WRING_OK ? result : no_memory(error);
}

static wring_result host_make(wring__client_settings *settings, wring_error *error) {
    const wring_url *url = &settings->url;
    wring_result result = url_decode(url->host, &settings->host, error);
    if (result != WRING_OK) {
        return result;
    }
    if (strlen(settings->host) > 255) {
        return wring_error_set(error, WRING_ERR_INVALID_URL, 0,
                               "the URL's host is longer than 255 bytes");
    }
    char port[8] = "";
    if (url->port_is_given) {
        (void)snprintf(port, sizeof port, ":%u", url->port);
    }
    char header[300];
    (void)snprintf(header, sizeof header, "%s%s%s%s", url->host_is_ipv6 ? "[" : "", settings->host,
                   url->host_is_ipv6 ? "]" : "", port);
    wring_bytes given = wring_str(header);
    (void)wring_headers_get(settings->config.headers, "host", &given);
    settings->host_header = own(settings, given.data, given.len);
    return settings->host_header == NULL ? no_memory(error) : WRING_OK;
}

/* user:password before the host becomes Basic credentials, behind the caller's own headers. An
 * Authorization among those wins: it was given for this request alone. */
static wring_result userinfo_add(wring__client_settings *settings, wring_error *error) {
    const wring_bytes info = settings->url.userinfo;
    if (info.len == 0 || wring_headers_count(settings->config.headers, "authorization") > 0) {
        return WRING_OK;
    }
    const uint8_t *colon = memchr(info.data, ':', info.len);
    const size_t user_len = colon == NULL ? info.len : (size_t)(colon - info.data);
    const size_t rest = colon == NULL ? info.len : user_len + 1;
    char *user = NULL;
    char *password = NULL;
    wring_result result = url_decode(wring_bytes_of(info.data, user_len), &user, error);
    if (result == WRING_OK) {
        result = url_decode(wring_bytes_of(info.data + rest, info.len - rest), &password, error);
    }
    char *value = result == WRING_OK ? wring__basic_credentials(user, password) : NULL;
    free(user);
    free(password);
    if (result != WRING_OK) {
        return result;
    }
    wring_headers *headers = &settings->config.headers;
    const char *kept = value == NULL ? NULL : own(settings, value, strlen(value));
    wring_header *list = kept == NULL ? NULL : calloc(headers->count + 1, sizeof *list);
    free(value);
    if (list == NULL) {
        return no_memory(error);
    }
    if (headers->count > 0) {
        memcpy(list, headers->list, headers->count * sizeof *list);
    }
    list[headers->count] = (wring_header){wring_str("Authorization"), wring_str(kept)};
    headers->list = own(settings, list, (headers->count + 1) * sizeof *list);
    headers->count++;
    free(list);
    return headers->list == NULL ? no_memory(error) : WRING_OK;
}

/* For a sentence, which may end in a log: without user, password and query. */
static void url_shown(const char *text, char *out, size_t cap) {
    const char *scheme_end = strstr(text, "://");
    const char *authority = scheme_end == NULL ? text : scheme_end + 3;
    const char *host = authority;
    const size_t len = strcspn(authority, "/?#");
    for (size_t i = 0; i < len; i++) {
        host = authority[i] == '@' ? authority + i + 1 : host;
    }
    char bare[160];
    (void)snprintf(bare, sizeof bare, "%.*s%s%.*s%s", (int)(authority - text), text,
                   host == authority ? "" : "...@", (int)strcspn(host, "?"), host,
                   strchr(host, '?') == NULL ? "" : "?...");
    (void)wring_text_printable(wring_str(bare), out, cap);
}

static wring_result url_adopt(wring__client_settings *settings, const char *url,
                              wring_error *error) {
    if (url == NULL) {
        return wring_error_set(error, WRING_ERR_INVALID_URL, 0, "the URL is NULL");
    }
    const size_t len = strnlen(url, URL_MAX + 1);
    const char *text = len > URL_MAX ? NULL : own(settings, url, len);
    if (len > URL_MAX) {
        return wring_error_set(error, WRING_ERR_INVALID_URL, 0, "the URL is longer than 8 KiB");
    }
    if (text == NULL) {
        return no_memory(error);
    }
    settings->url_text = text;
    if (wring_url_parse(wring_bytes_of(text, len), &settings->url) != WRING_OK) {
        char shown[200];
        url_shown(text, shown, sizeof shown);
        return wring_error_set(error, WRING_ERR_INVALID_URL, 0,
                               "'%s' is not a well-formed ws:// or wss:// URL", shown);
    }
    wring_result result = host_make(settings, error);
    if (result == WRING_OK) {
        result = target_make(settings, error);
    }
    return result == WRING_OK ? userinfo_add(settings, error) : result;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void default_u32(uint32_t *field, uint32_t value) {
    *field = *field == 0 ? value : *field;
}

bool wring__headers_are_views(wring_headers headers) {
    bool good = headers.list != NULL || headers.count == 0;
    for (size_t i = 0; good && i < headers.count; i++) {
        const wring_header *header = &headers.list[i];
        good = (header->name.data != NULL || header->name.len == 0) &&
               (header->value.data != NULL || header->value.len == 0);
    }
    return good;
}

/* What is no token cannot stand in the header: the same error as that of a bad header. */
static wring_result subprotocols_check(const wring_client_config *config, wring_error *error) {
    const wring_result result = wring__list_check(config->subprotocols, config->subprotocol_count,
                                                  "subprotocols", "subprotocol_count", error);
    if (result != WRING_OK) {
        return result;
    }
    wring_error why = {.text = ""};
    return wring__subprotocols_check(config->subprotocols, config->subprotocol_count, &why) ==
                   WRING_OK
               ? WRING_OK
               : wring_error_set(error, WRING_ERR_INVALID_HEADER, 0, "%s", why.text);
}

static wring_result config_adopt(wring__client_settings *settings, const wring_client_config *in,
                                 wring_error *error) {
    wring_client_config *config = &settings->config;
    const wring_client_config none = {.struct_size = sizeof none};
    const wring_result sized = wring__sized_adopt(config, sizeof *config, in == NULL ? &none : in,
                                                  offsetof(wring_client_config, connect_timeout_ms),
                                                  "wring_client_config", error);
    if (sized != WRING_OK) {
        return sized;
    }
    default_u32(&config->connect_timeout_ms, 15000);
    default_u32(&config->reconnect_min_ms, WRING_OFF);
    default_u32(&config->handshake_bytes_max, 64 * 1024);
    default_u32(&config->reconnect_max_ms, 30000);
    default_u32(&config->reconnect_stable_ms, 10000);
    config->inbox_bytes = config->inbox_bytes == 0 ? UINT64_C(4) << 20 : config->inbox_bytes;
    config->reconnect_attempts =
        config->reconnect_attempts == 0 ? WRING_UNLIMITED : config->reconnect_attempts;
    if (config->handshake_bytes_max < 64 || config->handshake_bytes_max > (1u << 24)) {
        return bad(error, "handshake_bytes_max", "is below 64 bytes or above 16 MiB");
    }
    if (config->reconnect_min_ms != WRING_OFF &&
        config->reconnect_min_ms > config->reconnect_max_ms) {
        return bad(error, "reconnect_min_ms", "is above reconnect_max_ms");
    }
    if (!wring__headers_are_views(config->headers)) {
        return bad(error, "headers", "have a count or a length, and NULL");
    }
    wring_result result = subprotocols_check(config, error);
    if (result != WRING_OK) {
        return result;
    }
    result = wring__session_config_adopt(config->session, &settings->session, error);
    config->session = &settings->session;
    if (result == WRING_OK && config->handler != NULL) {
        result = wring__handler_adopt(config->handler, &settings->handler, error);
        config->handler = &settings->handler;
    }
    const bool copied = own_list(settings, &config->subprotocols, config->subprotocol_count) &&
                        own_text(settings, &config->extensions) &&
                        own_text(settings, &config->origin) &&
                        own_headers(settings, &config->headers);
    if (result != WRING_OK || !copied) {
        return result == WRING_OK ? no_memory(error) : result;
    }
    if (config->deflate != NULL) {
        result = wring__deflate_config_adopt(config->deflate, &settings->deflate, error);
        config->deflate = &settings->deflate;
    }
    if (result == WRING_OK && config->http2 != NULL) {
        settings->http2.struct_size = sizeof settings->http2;
        result = wring_http2_config_adopt(config->http2, &settings->http2, error);
        config->http2 = &settings->http2;
    }
    return result;
}

wring_upgrade_offer wring__client_offer(const wring__client_settings *settings) {
    const wring_client_config *config = &settings->config;
    return (wring_upgrade_offer){
        .struct_size = sizeof(wring_upgrade_offer),
        .host = settings->host_header,
        .target = settings->target,
        .subprotocols = config->subprotocols,
        .subprotocol_count = config->subprotocol_count,
        .extensions = config->extensions,
        .origin = config->origin,
        .extra = config->headers,
    };
}

/* So many headers of the application's fit into a request of HTTP/2, beside those of our own. */
#define HTTP2_HEADERS_MAX 60

static wring_result http2_check(const wring__client_settings *settings, wring_error *error) {
    const wring_http2_config *http2 = settings->config.http2;
    if (http2 == NULL) {
        return WRING_OK;
    }
    if (http2->required && !http2->cleartext && !settings->url.secure) {
        return bad(error, "http2",
                   "is required, and ws:// has HTTP/2 only where http2.cleartext is set");
    }
    return settings->config.headers.count <= HTTP2_HEADERS_MAX
               ? WRING_OK
               : bad(error, "headers", "are more than 60, the most with http2");
}

/* The request is written once to see that every header can be sent. */
static wring_result headers_check(const wring__client_settings *settings, wring_error *error) {
    const wring_client_config *config = &settings->config;
    const wring_upgrade_offer offer = wring__client_offer(settings);
    const size_t cap = 64 * 1024;
    size_t len = 0;
    if (config->deflate != NULL &&
        wring_headers_count(config->headers, "sec-websocket-extensions") > 0) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "headers: Sec-WebSocket-Extensions would replace the offer of "
                               "`deflate`; give one of the two, or use `extensions`");
    }
    wring_result result = http2_check(settings, error);
    if (result != WRING_OK) {
        return result;
    }
    char *scratch = malloc(cap);
    if (scratch == NULL) {
        return no_memory(error);
    }
    result = wring_h1_request_write(&offer, "AAAAAAAAAAAAAAAAAAAAAA==", scratch, cap, &len);
    free(scratch);
    if (result == WRING_ERR_INVALID_HEADER) {
        return wring_error_set(error, result, 0,
                               "origin or extensions: a CR, LF, NUL or other illegal byte");
    }
    return result == WRING_OK ? result
                              : bad(error, "headers", "make a request of more than 64 KiB");
}

static wring_result routes_adopt(wring__client_settings *settings, wring_error *error) {
    wring_client_config *config = &settings->config;
    wring_result result = WRING_OK;
    settings->proxy_is_from_env = config->proxy == NULL && config->proxy_from_env;
    if (config->proxy != NULL) {
        result = wring__proxy_parse(config->proxy, &settings->proxy);
    } else if (config->proxy_from_env) {
        result = wring__proxy_from_env(&settings->url, &settings->proxy);
    }
    config->proxy = NULL;
    if (result != WRING_OK) {
        return result == WRING_ERR_NO_MEMORY
                   ? no_memory(error)
                   : bad(error, "proxy", "is not like http://user:password@host:port or socks5://");
    }
    if (config->source != NULL && !wring__address_parse(config->source, 0, &settings->source)) {
        return bad(error, "source", "is not a numeric address");
    }
    config->source = NULL;
    /* without TLS now, but perhaps after a renewal */
    if (settings->url.secure || (config->tls != NULL && config->renew != NULL)) {
        const wring_tls_client_config none = {.struct_size = sizeof none};
        wring_tls_client_config tls;
        result = wring__sized_adopt(&tls, sizeof tls, config->tls == NULL ? &none : config->tls,
                                    sizeof tls.struct_size + 1, "wring_tls_client_config", error);
        if (result == WRING_OK) {
            settings->has_alpn = tls.alpn_count > 0;
            result = wring__tls_share_get(&tls, &settings->tls, error);
        }
    }
    config->tls = NULL;
    return result;
}

wring_result wring__client_settings_adopt(wring__client_settings *settings, const char *url,
                                          const wring_client_config *config, wring_error *error) {
    memset(settings, 0, sizeof *settings);
    wring_result result = config_adopt(settings, config, error);
    settings->given = settings->config.headers;
    if (result == WRING_OK) {
        result = url_adopt(settings, url, error);
    }
    if (result == WRING_OK) {
        result = wring_h1_request_headers_check(settings->config.headers, error);
    }
    if (result == WRING_OK) {
        result = headers_check(settings, error);
    }
    if (result == WRING_OK) {
        result = routes_adopt(settings, error);
    }
    if (result != WRING_OK) {
        wring__client_settings_deinit(settings);
    }
    return result;
}

/* ---- renewed --------------------------------------------------------------------------------- */

static void owned_free(struct wring__owned *list) {
    while (list != NULL) {
        struct wring__owned *block = list;
        list = block->next;
        free(block);
    }
}

/* Into `next`, a copy of the settings that owns nothing of theirs. */
static wring_result renewal_make(wring__client_settings *next, const char *url,
                                 wring_headers headers, wring_error *error) {
    next->config.headers = headers;
    if (!wring__headers_are_views(headers)) {
        return bad(error, "headers", "of a renewal have a count or a length, and NULL");
    }
    if (!own_headers(next, &next->config.headers)) {
        return no_memory(error);
    }
    next->given = next->config.headers;
    wring_result result = url_adopt(next, url, error);
    if (result == WRING_OK && next->url.secure && next->tls == NULL) {
        result =
            wring_error_set(error, WRING_ERR_INVALID_URL, 0,
                            "a renewed URL can be wss:// only if the first one was or if `tls` "
                            "was set");
    }
    if (result == WRING_OK) {
        result = wring_h1_request_headers_check(next->config.headers, error);
    }
    if (result == WRING_OK) {
        result = headers_check(next, error);
    }
    if (result == WRING_OK && next->proxy_is_from_env) {
        result = wring__proxy_from_env(&next->url, &next->proxy);
        result = result == WRING_ERR_NO_MEMORY ? no_memory(error)
                 : result == WRING_OK          ? WRING_OK
                                      : bad(error, "proxy", "of the environment is malformed");
    }
    return result;
}

/* Only these fields: threads that receive read the rest of the configuration meanwhile. */
static void renewal_put(wring__client_settings *settings, const wring__client_settings *next) {
    free(settings->host);
    owned_free(settings->renewed);
    if (next->proxy_is_from_env) {
        wring__proxy_config_deinit(&settings->proxy);
        settings->proxy = next->proxy;
    }
    settings->config.headers = next->config.headers;
    settings->given = next->given;
    settings->url = next->url;
    settings->url_text = next->url_text;
    settings->host = next->host;
    settings->host_header = next->host_header;
    settings->target = next->target;
    settings->renewed = next->owned;
}

wring_result wring__client_settings_renew(wring__client_settings *settings, const char *url,
                                          wring_headers headers, wring_error *error) {
    wring__client_settings next = *settings;
    url = url == NULL ? settings->url_text : url;
    headers = headers.list == NULL && headers.count == 0 ? settings->given : headers;
    next.owned = NULL;
    next.host = NULL;
    if (next.proxy_is_from_env) {
        next.proxy = (wring__proxy_config){.kind = WRING__PROXY_NONE};
    }
    const wring_result result = renewal_make(&next, url, headers, error);
    if (result != WRING_OK) {
        free(next.host);
        if (next.proxy_is_from_env) {
            wring__proxy_config_deinit(&next.proxy);
        }
        owned_free(next.owned);
        return result;
    }
    renewal_put(settings, &next);
    return WRING_OK;
}

void wring__client_settings_deinit(wring__client_settings *settings) {
    owned_free(settings->owned);
    owned_free(settings->renewed);
    free(settings->host);
    wring__proxy_config_deinit(&settings->proxy);
    wring__tls_share_release(settings->tls);
    memset(settings, 0, sizeof *settings);
}
