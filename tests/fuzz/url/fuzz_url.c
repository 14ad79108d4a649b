/* SPDX-License-Identifier: Apache-2.0
 *
 * wring_url_parse: the views lie in the text in the order of its parts and leave nothing out; what
 * is accepted has only legal bytes; spelled anew from its parts it means the same. An IPv6 literal
 * is accepted exactly when inet_pton takes it.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "wring/url.h"

static wring_result parse(wring_bytes text, wring_url *out, uint8_t **copy) {
    *copy = fuzz_copy(text);
    return wring_url_parse(wring_bytes_of(*copy, text.len), out);
}

static wring_result verdict(wring_bytes text) {
    wring_url url;
    uint8_t *copy;
    wring_result result = parse(text, &url, &copy);
    free(copy);
    return result;
}

/* The byte at `at`, 0 behind the end. */
static uint8_t byte_at(wring_bytes text, size_t at) {
    return at < text.len ? text.data[at] : 0;
}

/* Walks the text by the parts found: every byte belongs to a part or is a delimiter. */
static void parts_check(wring_bytes text, const wring_url *url) {
    size_t at = url->secure ? 6 : 5;
    FUZZ_CHECK(text.len > at && text.data[at - 1] == '/' && text.data[at - 2] == '/');
    if (url->userinfo.len > 0) {
        FUZZ_CHECK(url->userinfo.data == text.data + at);
        at += url->userinfo.len;
        FUZZ_CHECK(byte_at(text, at) == '@');
    }
    at += byte_at(text, at) == '@';
    FUZZ_CHECK(url->host_is_ipv6 == (byte_at(text, at) == '['));
    at += url->host_is_ipv6;
    FUZZ_CHECK(url->host.len > 0 && url->host.data == text.data + at);
    at += url->host.len;
    if (url->host_is_ipv6) {
        FUZZ_CHECK(byte_at(text, at++) == ']');
    }
    unsigned standard = url->secure ? 443 : 80;
    unsigned port = 0;
    bool digits = false;
    if (byte_at(text, at) == ':') {
        for (at++; byte_at(text, at) >= '0' && byte_at(text, at) <= '9'; at++) {
            port = port * 10 + (byte_at(text, at) - '0');
            digits = true;
            FUZZ_CHECK(port <= 65535);
        }
    }
    FUZZ_CHECK(url->port == (digits ? port : standard));
    FUZZ_CHECK(url->port > 0 && url->port_is_given == (url->port != standard));
    FUZZ_CHECK(at + url->target.len == text.len);
    FUZZ_CHECK(url->target.len == 0 || url->target.data == text.data + at);
    FUZZ_CHECK(url->target.len == 0 || text.data[at] == '/' || text.data[at] == '?');
}

/* Nothing that could end a request line, a header or a host name. */
static void bytes_check(wring_bytes text, const wring_url *url) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        FUZZ_CHECK(c > ' ' && c < 0x7F);
        FUZZ_CHECK(c != '#' && c != '"' && c != '<' && c != '>' && c != '\\' && c != '^');
        FUZZ_CHECK(c != '`' && c != '{' && c != '|' && c != '}');
        FUZZ_CHECK(c != '%' || (i + 2 < text.len &&
                                strchr("0123456789abcdefABCDEF", text.data[i + 1]) != NULL));
    }
    for (size_t i = 0; i < url->host.len; i++) {
        uint8_t c = url->host.data[i];
        FUZZ_CHECK(c != '@' && c != '/' && c != '?' && c != '[' && c != ']');
        FUZZ_CHECK(url->host_is_ipv6 || c != ':');
    }
}

static bool same(const wring_url *a, const wring_url *b) {
    return a->secure == b->secure && a->host_is_ipv6 == b->host_is_ipv6 && a->port == b->port &&
           a->port_is_given == b->port_is_given && wring_bytes_equal(a->userinfo, b->userinfo) &&
           wring_bytes_equal(a->host, b->host) && wring_bytes_equal(a->target, b->target);
}

static void respell_check(const wring_url *url) {
    fuzz_log text = {0};
    char port[8];
    fuzz_log_bytes(&text, wring_str(url->secure ? "wSs://" : "WS://"));
    fuzz_log_bytes(&text, url->userinfo);
    fuzz_log_bytes(&text, wring_str(url->userinfo.len > 0 ? "@" : ""));
    fuzz_log_bytes(&text, wring_str(url->host_is_ipv6 ? "[" : ""));
    fuzz_log_bytes(&text, url->host);
    fuzz_log_bytes(&text, wring_str(url->host_is_ipv6 ? "]" : ""));
    snprintf(port, sizeof port, ":%u", url->port);
    fuzz_log_bytes(&text, wring_str(port));
    fuzz_log_bytes(&text, url->target);
    wring_url again;
    uint8_t *copy;
    FUZZ_CHECK(parse(wring_bytes_of(text.data, text.len), &again, &copy) == WRING_OK);
    FUZZ_CHECK(same(url, &again));
    free(copy);
    fuzz_log_free(&text);
}

/* One byte more makes a URL illegal, whatever it was. */
static void appended_check(wring_bytes text) {
    static const char bad[] = {'#', ' ', '\0', '\n', '%', '\\', (char)0x80};
    uint8_t *longer = malloc(text.len + 1);
    FUZZ_CHECK(longer != NULL);
    if (text.len > 0) {
        memcpy(longer, text.data, text.len);
    }
    for (size_t i = 0; i < sizeof bad; i++) {
        longer[text.len] = (uint8_t)bad[i];
        FUZZ_CHECK(verdict(wring_bytes_of(longer, text.len + 1)) == WRING_ERR_INVALID_URL);
    }
    free(longer);
}

/* The input as an IPv6 literal. */
static void ipv6_check(wring_bytes text) {
    char host[64];
    struct in6_addr address;
    if (text.len >= sizeof host || memchr(text.data, 0, text.len) != NULL ||
        memchr(text.data, ']', text.len) != NULL) {
        return;
    }
    memcpy(host, text.data, text.len);
    host[text.len] = 0;
    fuzz_log url = {0};
    fuzz_log_bytes(&url, wring_str("ws://["));
    fuzz_log_bytes(&url, text);
    fuzz_log_bytes(&url, wring_str("]"));
    FUZZ_CHECK((verdict(wring_bytes_of(url.data, url.len)) == WRING_OK) ==
               (inet_pton(AF_INET6, host, &address) == 1));
    fuzz_log_free(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    wring_bytes text = {data, len};
    wring_url url;
    uint8_t *copy;
    wring_result result = parse(text, &url, &copy);
    FUZZ_CHECK(result == WRING_OK || result == WRING_ERR_INVALID_URL);
    if (result == WRING_OK) {
        parts_check(wring_bytes_of(copy, len), &url);
        bytes_check(wring_bytes_of(copy, len), &url);
        respell_check(&url);
    }
    free(copy);
    appended_check(text);
    if (len > 0) {
        ipv6_check(text);
    }
    return 0;
}
