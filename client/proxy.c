/* SPDX-License-Identifier: Apache-2.0
 *
 * Proxies: their URLs, the environment, and the two conversations. See proxy.h.
 */
#include "client/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "client/no_proxy.h"
#include "client/text.h"

#define REPLY_MAX (16 * 1024)

enum stage { STAGE_CONNECT, STAGE_METHOD, STAGE_AUTH, STAGE_REQUEST };

/* ---- where it is ----------------------------------------------------------------------------- */

static bool scheme_take(const char **text, const char *scheme) {
    const size_t len = strlen(scheme);
    if (strncasecmp(*text, scheme, len) != 0) {
        return false;
    }
    *text += len;
    return true;
}

static bool port_parse(wring_bytes text, uint16_t *port) {
    uint32_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || value > 65535) {
            return false;
        }
        value = value * 10 + (uint32_t)(text.data[i] - '0');
    }
    *port = (uint16_t)value;
    return value > 0 && value <= 65535;
}

static wring_result text_decode(wring_bytes text, char **out) {
    const wring_result result = wring__percent_decode(text, out);
    return result == WRING_ERR_INVALID_ARGUMENT ? WRING_ERR_INVALID_CONFIG : result;
}

static wring_result userinfo_parse(wring_bytes text, wring__proxy_config *out) {
    const uint8_t *colon = memchr(text.data, ':', text.len);
    const size_t user_len = colon == NULL ? text.len : (size_t)(colon - text.data);
    const size_t rest = colon == NULL ? text.len : user_len + 1;
    wring_result result = text_decode(wring_bytes_of(text.data, user_len), &out->user);
    if (result == WRING_OK) {
        result = text_decode(wring_bytes_of(text.data + rest, text.len - rest), &out->password);
    }
    if (result != WRING_OK) {
        return result;
    }
    const bool fits = strlen(out->user) <= 255 && strlen(out->password) <= 255;
    return fits ? WRING_OK : WRING_ERR_INVALID_CONFIG;
}

static wring_result host_parse(wring_bytes text, wring__proxy_config *out) {
    size_t host_at = 0;
    size_t host_len = text.len;
    const uint8_t *colon = memrchr(text.data, ':', text.len);
    if (text.len > 0 && text.data[0] == '[') {
        const uint8_t *bracket = memchr(text.data, ']', text.len);
        if (bracket == NULL) {
            return WRING_ERR_INVALID_CONFIG;
        }
        host_at = 1;
        host_len = (size_t)(bracket - text.data) - 1;
        colon = colon != NULL && colon > bracket ? colon : NULL;
    } else if (colon != NULL) {
        host_len = (size_t)(colon - text.data);
    }
    if (host_len == 0 || host_len > 255) {
        return WRING_ERR_INVALID_CONFIG;
    }
    if (colon != NULL) {
        const size_t at = (size_t)(colon - text.data) + 1;
        if (!port_parse(wring_bytes_of(text.data + at, text.len - at), &out->port)) {
            return WRING_ERR_INVALID_CONFIG;
        }
    }
    return text_decode(wring_bytes_of(text.data + host_at, host_len), &out->host);
}

wring_result wring__proxy_parse(const char *text, wring__proxy_config *out) {
    *out = (wring__proxy_config){.kind = WRING__PROXY_HTTP, .port = 8080};
    if (scheme_take(&text, "socks5://") || scheme_take(&text, "socks5h://")) {
        out->kind = WRING__PROXY_SOCKS5;
        out->port = 1080;
    } else if (!scheme_take(&text, "http://") && strstr(text, "://") != NULL) {
        return WRING_ERR_INVALID_CONFIG;
    }
    wring_bytes rest = wring_bytes_of(text, strcspn(text, "/"));
    const uint8_t *at = memrchr(rest.data, '@', rest.len);
    wring_result result = WRING_OK;
    if (at != NULL) {
        const size_t len = (size_t)(at - rest.data);
        result = userinfo_parse(wring_bytes_of(rest.data, len), out);
        rest = wring_bytes_of(rest.data + len + 1, rest.len - len - 1);
    }
    if (result == WRING_OK) {
        result = host_parse(rest, out);
    }
    if (result != WRING_OK) {
        wring__proxy_config_deinit(out);
    }
    return result;
}

void wring__proxy_config_deinit(wring__proxy_config *config) {
    free(config->host);
    free(config->user);
    free(config->password);
    *config = (wring__proxy_config){0};
}

/* ---- the environment ------------------------------------------------------------------------- */

static const char *env_first(const char *const *names) {
    for (; *names != NULL; names++) {
        const char *value = getenv(*names);
        if (value != NULL && value[0] != 0) {
            return value;
        }
    }
    return NULL;
}

wring_result wring__proxy_from_env(const wring_url *url, wring__proxy_config *out) {
    /* HTTP_PROXY in capitals is left out: CGI lets a peer set it */
    static const char *const plain[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const secure[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                         NULL};
    static const char *const none[] = {"no_proxy", "NO_PROXY", NULL};
    *out = (wring__proxy_config){.kind = WRING__PROXY_NONE};
    const char *text = env_first(url->secure ? secure : plain);
    const char *exceptions = env_first(none);
    if (text == NULL ||
        (exceptions != NULL && wring__no_proxy_has(exceptions, url->host, url->port))) {
        return WRING_OK;
    }
    return wring__proxy_parse(text, out);
}

/* ---- the conversations ----------------------------------------------------------------------- */

static wring_result queue(wring__proxy *proxy, const void *data, size_t len) {
    return wring__outq_append(proxy->out, proxy->chunks, wring_bytes_of(data, len));
}

static wring_result http_start(wring__proxy *proxy) {
    const bool v6 = strchr(proxy->host, ':') != NULL;
    char *credentials = NULL;
    if (proxy->config->user != NULL) {
        credentials = wring__basic_credentials(proxy->config->user, proxy->config->password);
        if (credentials == NULL) {
            return WRING_ERR_NO_MEMORY;
        }
    }
    char *text = NULL;
    const char *open = v6 ? "[" : "";
    const char *close = v6 ? "]" : "";
    int len = asprintf(&text, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n%s%s%s\r\n", open,
                       proxy->host, close, proxy->port, open, proxy->host, close, proxy->port,
                       credentials == NULL ? "" : "Proxy-Authorization: ",
                       credentials == NULL ? "" : credentials, credentials == NULL ? "" : "\r\n");
    wring_result result = len < 0 ? WRING_ERR_NO_MEMORY : queue(proxy, text, (size_t)len);
    free(len < 0 ? NULL : text);
    free(credentials);
    return result;
}

wring_result wring__proxy_start(wring__proxy *proxy, const wring__proxy_config *config,
                                const char *host, uint16_t port, wring__outq *out,
                                wring__chunk_cache *chunks) {
    *proxy =
        (wring__proxy){.config = config, .host = host, .port = port, .out = out, .chunks = chunks};
    if (config->kind == WRING__PROXY_HTTP) {
        proxy->stage = STAGE_CONNECT;
        return http_start(proxy);
    }
    static const uint8_t anonymous[] = {5, 1, 0};
    static const uint8_t with_password[] = {5, 2, 0, 2};
    proxy->stage = STAGE_METHOD;
    return config->user == NULL ? queue(proxy, anonymous, sizeof anonymous)
                                : queue(proxy, with_password, sizeof with_password);
}

void wring__proxy_deinit(wring__proxy *proxy) {
    free(proxy->reply);
    free(proxy->refusal);
    proxy->reply = NULL;
    proxy->refusal = NULL;
}

static wring_result reply_append(wring__proxy *proxy, wring_bytes bytes) {
    if (proxy->cap - proxy->len < bytes.len) {
        const size_t cap = proxy->len + bytes.len + 256;
        uint8_t *grown = realloc(proxy->reply, cap);
        if (grown == NULL) {
            return WRING_ERR_NO_MEMORY;
        }
        proxy->reply = grown;
        proxy->cap = cap;
    }
    memcpy(proxy->reply + proxy->len, bytes.data, bytes.len);
    proxy->len += bytes.len;
    return WRING_OK;
}

/* A refusal, for the application. HTTP/1.0 is common among proxies; its heads are read as those of
 * 1.1. One that is not well-formed is told by its status line alone. */
static wring_result http_refused(wring__proxy *proxy, size_t line_len, wring_error *error) {
    wring__http1 parser;
    proxy->reply[strlen("HTTP/1.")] = '1';
    wring__http1_init(&parser, WRING__HTTP1_RESPONSE, REPLY_MAX, UINT16_MAX);
    if (wring__http1_parse(&parser, wring_bytes_of(proxy->reply, proxy->len)) != WRING_OK) {
        char line[160];
        (void)wring_text_printable(wring_bytes_of(proxy->reply, line_len), line, sizeof line);
        return wring_error_set(error, WRING_ERR_PROXY, 0, "the proxy answered CONNECT with '%s'",
                               line);
    }
    proxy->refusal = wring__refusal_create(&parser, proxy->reply, true);
    if (proxy->refusal == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    (void)wring__refusal_feed(proxy->refusal, wring_bytes_of(proxy->reply + parser.position,
                                                             proxy->len - parser.position));
    *error = proxy->refusal->error;
    return WRING_ERR_PROXY;
}

static wring_result not_http(wring_error *error) {
    return wring_error_set(error, WRING_ERR_PROXY, 0, "the proxy does not speak HTTP");
}

static wring_result too_long(wring_error *error) {
    return wring_error_set(error, WRING_ERR_PROXY, 0, "the proxy's answer is too long");
}

/* A whole head of `len` bytes. Of one that accepts or is interim only the status line is looked
 * at. */
static wring_result http_head(wring__proxy *proxy, size_t len, size_t *used, wring_error *error) {
    static const char like[] = "HTTP/1.1 200";
    const char *line = (const char *)proxy->reply;
    const size_t line_len = (size_t)((uint8_t *)memchr(line, '\r', len) - proxy->reply);
    if (line_len < sizeof like - 1 || line[8] != ' ' || strspn(line + 9, "0123456789") != 3) {
        return not_http(error);
    }
    if (line[9] == '1' && memcmp(line + 9, "101", 3) != 0) { /* RFC 9110 15.2 */
        proxy->interim_bytes += len;
        proxy->interim_count++;
        *used = len;
        return proxy->interim_count > WRING__INTERIM_MAX ? too_long(error) : WRING_MORE;
    }
    if (line[9] != '2') {
        return http_refused(proxy, line_len, error);
    }
    *used = len;
    return WRING_OK;
}

static wring_result http_reply(wring__proxy *proxy, size_t *used, wring_error *error) {
    static const char begin[] = "HTTP/1.";
    const size_t shown = wring__min_size(proxy->len, sizeof begin - 1);
    if (shown > 0 && memcmp(proxy->reply, begin, shown) != 0) {
        return not_http(error);
    }
    const uint8_t *end = memmem(proxy->reply, proxy->len, "\r\n\r\n", 4);
    const size_t len = end == NULL ? proxy->len : (size_t)(end - proxy->reply) + 4;
    if (proxy->interim_bytes + len > REPLY_MAX) {
        return too_long(error);
    }
    return end == NULL ? WRING_MORE : http_head(proxy, len, used, error);
}

static wring_result socks_refused(wring_error *error, const char *why) {
    return wring_error_set(error, WRING_ERR_PROXY, 0, "the SOCKS5 proxy refused: %s", why);
}

/* RFC 1928 5: the target as an address of four or sixteen bytes, or as a name behind its length. A
 * proxy need not take a numeric address for a name. */
static size_t socks_target(const char *host, uint8_t *out) {
    if (inet_pton(AF_INET, host, out + 1) == 1) {
        out[0] = 1;
        return 1 + 4;
    }
    if (inet_pton(AF_INET6, host, out + 1) == 1) {
        out[0] = 4;
        return 1 + 16;
    }
    const size_t len = strlen(host);
    WRING_ASSERT(len <= 255);
    out[0] = 3;
    out[1] = (uint8_t)len;
    memcpy(out + 2, host, len);
    return 2 + len;
}

static wring_result socks_request(wring__proxy *proxy) {
    uint8_t request[7 + 255] = {5, 1, 0};
    const size_t len = 3 + socks_target(proxy->host, request + 3);
    request[len] = (uint8_t)(proxy->port >> 8);
    request[len + 1] = (uint8_t)proxy->port;
    proxy->stage = STAGE_REQUEST;
    return queue(proxy, request, len + 2);
}

static wring_result socks_authenticate(wring__proxy *proxy) {
    uint8_t message[3 + 255 + 255];
    const size_t user = strlen(proxy->config->user);
    const size_t password = strlen(proxy->config->password);
    message[0] = 1;
    message[1] = (uint8_t)user;
    memcpy(message + 2, proxy->config->user, user);
    message[2 + user] = (uint8_t)password;
    memcpy(message + 3 + user, proxy->config->password, password);
    proxy->stage = STAGE_AUTH;
    return queue(proxy, message, 3 + user + password);
}

static wring_result socks_method(wring__proxy *proxy, size_t *used, wring_error *error) {
    if (proxy->len < 2) {
        return WRING_MORE;
    }
    *used = 2;
    if (proxy->reply[0] != 5) {
        return socks_refused(error, "it does not speak version 5");
    }
    wring_result result = WRING_ERR_PROXY;
    if (proxy->reply[1] == 0) {
        result = socks_request(proxy);
    } else if (proxy->reply[1] == 2 && proxy->config->user != NULL) {
        result = socks_authenticate(proxy);
    } else {
        return socks_refused(error, proxy->config->user == NULL ? "it wants a user and password"
                                                                : "it takes no user and password");
    }
    return result == WRING_OK ? WRING_MORE : result;
}

static wring_result socks_auth(wring__proxy *proxy, size_t *used, wring_error *error) {
    if (proxy->len < 2) {
        return WRING_MORE;
    }
    *used = 2;
    if (proxy->reply[1] != 0) {
        return socks_refused(error, "wrong user or password");
    }
    wring_result result = socks_request(proxy);
    return result == WRING_OK ? WRING_MORE : result;
}

static wring_result socks_connected(wring__proxy *proxy, size_t *used, wring_error *error) {
    static const char *const why[] = {"",
                                      "general failure",
                                      "not allowed by its rules",
                                      "network unreachable",
                                      "host unreachable",
                                      "connection refused",
                                      "TTL expired",
                                      "it does not connect",
                                      "address type not supported"};
    if (proxy->len < 5) {
        return WRING_MORE;
    }
    const uint8_t code = proxy->reply[1];
    if (proxy->reply[0] != 5 || code != 0) {
        return socks_refused(error, code < WRING_ARRAY_LEN(why) ? why[code] : "unknown reason");
    }
    size_t address = 0;
    switch (proxy->reply[3]) {
    case 1:
        address = 4;
        break;
    case 3:
        address = 1u + proxy->reply[4];
        break;
    case 4:
        address = 16;
        break;
    default:
        return socks_refused(error, "its answer is malformed");
    }
    const size_t len = 4 + address + 2;
    if (proxy->len < len) {
        return WRING_MORE;
    }
    *used = len;
    return WRING_OK;
}

static wring_result step(wring__proxy *proxy, size_t *used, wring_error *error) {
    switch ((enum stage)proxy->stage) {
    case STAGE_CONNECT:
        return http_reply(proxy, used, error);
    case STAGE_METHOD:
        return socks_method(proxy, used, error);
    case STAGE_AUTH:
        return socks_auth(proxy, used, error);
    case STAGE_REQUEST:
        return socks_connected(proxy, used, error);
    }
    WRING_UNREACHABLE();
}

wring_result wring__proxy_rx(wring__proxy *proxy, wring_bytes bytes, size_t *used,
                             wring_error *error) {
    const size_t before = proxy->len;
    wring_result result = reply_append(proxy, bytes);
    size_t eaten = 0; /* of all replies so far */
    while (result == WRING_OK) {
        size_t taken = 0;
        result = step(proxy, &taken, error);
        const bool moved = result == WRING_OK || (result == WRING_MORE && taken > 0);
        if (!moved) {
            break;
        }
        eaten += taken;
        memmove(proxy->reply, proxy->reply + taken, proxy->len - taken);
        proxy->len -= taken;
        if (result == WRING_OK) {
            *used = eaten - before;
            break;
        }
        result = WRING_OK; /* the next reply may be there already */
    }
    return result;
}
