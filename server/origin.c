/* SPDX-License-Identifier: Apache-2.0
 *
 * The Origin rule. See origin.h.
 */
#include "server/origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "proto/upgrade.h"

/* ---- hosts ----------------------------------------------------------------------------------- */

typedef struct host {
    wring_bytes name; /* without brackets */
    bool is_ipv6;
    uint8_t address[16]; /* where is_ipv6: one address has several texts */
    uint32_t port;       /* 0: none was given */
} host;

static uint8_t lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool is_same_text(wring_bytes a, wring_bytes b) {
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

static bool is_alnum(uint8_t c) {
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

/* The bytes of names as browsers send them, which are ASCII (RFC 6454 6.2). */
static bool is_name(wring_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];
        if (!is_alnum(c) && c != '-' && c != '.' && c != '_' && c != '~') {
            return false;
        }
    }
    return text.len > 0 && text.len <= 255;
}

static bool ipv6_parse(wring_bytes text, host *out) {
    char address[INET6_ADDRSTRLEN];
    if (text.len >= sizeof address || memchr(text.data, 0, text.len) != NULL) {
        return false;
    }
    memcpy(address, text.data, text.len);
    address[text.len] = 0;
    out->name = text;
    out->is_ipv6 = inet_pton(AF_INET6, address, out->address) == 1;
    return out->is_ipv6;
}

/* Nothing, or ":port". "host:" is legal: RFC 3986 3.2.3. */
static bool port_parse(wring_bytes text, uint32_t *port) {
    *port = 0;
    if (text.len == 0) {
        return true;
    }
    if (text.data[0] != ':' || text.len > 6) {
        return false;
    }
    for (size_t i = 1; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        *port = *port * 10 + (text.data[i] - '0');
    }
    return text.len == 1 || (*port > 0 && *port <= UINT16_MAX);
}

/* A name or address and perhaps a port, as Host has them. */
static bool host_parse(wring_bytes text, host *out) {
    *out = (host){.port = 0};
    const bool is_bracketed = text.len > 0 && text.data[0] == '[';
    const uint8_t *end =
        text.len == 0 ? NULL : memchr(text.data, is_bracketed ? ']' : ':', text.len);
    const size_t len = end == NULL ? text.len : (size_t)(end - text.data);
    if (is_bracketed) {
        return end != NULL && ipv6_parse(wring_bytes_of(text.data + 1, len - 1), out) &&
               port_parse(wring_bytes_of(end + 1, text.len - len - 1), &out->port);
    }
    if (end != NULL && memchr(end + 1, ':', text.len - len - 1) != NULL) {
        return ipv6_parse(text, out); /* some proxies leave the brackets out */
    }
    out->name = wring_bytes_of(text.data, len);
    return is_name(out->name) &&
           port_parse(wring_bytes_of(text.data + len, text.len - len), &out->port);
}

static bool is_same_host(const host *a, const host *b) {
    if (a->is_ipv6 || b->is_ipv6) {
        return a->is_ipv6 && b->is_ipv6 && memcmp(a->address, b->address, sizeof a->address) == 0;
    }
    return is_same_text(a->name, b->name);
}

/* ---- origins --------------------------------------------------------------------------------- */

typedef struct origin {
    wring_bytes scheme;
    host host; /* its port is filled in where the scheme has a default */
} origin;

static bool is_scheme(wring_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];
        if (!is_alnum(c) && (i == 0 || (c != '+' && c != '-' && c != '.'))) {
            return false;
        }
    }
    return text.len > 0 && text.data[0] > '9';
}

static uint32_t default_port(wring_bytes scheme) {
    if (wring__text_is(scheme, "https") || wring__text_is(scheme, "wss")) {
        return 443;
    }
    return wring__text_is(scheme, "http") || wring__text_is(scheme, "ws") ? 80 : 0;
}

static bool origin_parse(wring_bytes text, origin *out) {
    const uint8_t *colon = text.len == 0 ? NULL : memchr(text.data, ':', text.len);
    const size_t len = colon == NULL ? 0 : (size_t)(colon - text.data);
    if (colon == NULL || text.len - len < 3 || memcmp(colon, "://", 3) != 0) {
        return false;
    }
    out->scheme = wring_bytes_of(text.data, len);
    if (!is_scheme(out->scheme) ||
        !host_parse(wring_bytes_of(colon + 3, text.len - len - 3), &out->host)) {
        return false;
    }
    out->host.port = out->host.port == 0 ? default_port(out->scheme) : out->host.port;
    return true;
}

static bool is_null(wring_bytes text) {
    return wring_bytes_equal(text, wring_str("null"));
}

/* A browser never sends "https://example.com:": whoever lists that forgot the port. */
bool wring__origin_is_legal(wring_bytes text) {
    origin parsed;
    return wring_bytes_equal(text, wring_str("*")) || is_null(text) ||
           (origin_parse(text, &parsed) && text.data[text.len - 1] != ':');
}

static bool is_listed(const wring_route *route, wring_bytes text, const origin *sent) {
    for (size_t i = 0; i < route->origin_count; i++) {
        const wring_bytes entry = wring_str(route->origins[i]);
        origin listed;
        if (wring_bytes_equal(entry, wring_str("*")) || (is_null(entry) && is_null(text))) {
            return true;
        }
        if (sent != NULL && origin_parse(entry, &listed) &&
            is_same_text(listed.scheme, sent->scheme) && listed.host.port == sent->host.port &&
            is_same_host(&listed.host, &sent->host)) {
            return true;
        }
    }
    return false;
}

/* ---- the rule -------------------------------------------------------------------------------- */

/* Each proxy that does not replace X-Forwarded-Host adds the Host that it received at the end. The
 * last element is thus from the proxy that is connected to us, which is trusted; those before it
 * are from whoever is connected to that proxy, and may be forged. */
static bool forwarded_host(const wring_request *request, wring_bytes *out) {
    wring_list_cursor cursor = {0, 0};
    bool found = false;
    wring_bytes element;
    while (wring_headers_next(request->headers, "x-forwarded-host", &cursor, &element)) {
        *out = element;
        found = true;
    }
    return found;
}

/* The host that the client asked for, as far as we can know. */
static wring_bytes public_host(const wring_request *request, const wring__proxies *proxies,
                               const struct sockaddr_storage *peer) {
    wring_bytes forwarded;
    return wring__proxies_trust(proxies, peer) && forwarded_host(request, &forwarded)
               ? forwarded
               : request->host;
}

/* 0, 1 or more; an embedder's request may have it outside of the headers. */
static size_t origin_take(const wring_request *request, wring_bytes *text) {
    const size_t count = wring_headers_count(request->headers, "origin");
    *text = request->origin;
    if (count > 0) {
        (void)wring_headers_get(request->headers, "origin", text);
    }
    return count == 0 && request->origin.len > 0 ? 1 : count;
}

bool wring__origin_is_allowed(const wring_request *request, const wring_route *route,
                              const wring__proxies *proxies, const struct sockaddr_storage *peer) {
    wring_bytes text;
    origin sent;
    host asked;
    const size_t count = origin_take(request, &text);
    if (count != 1) {
        return count == 0;
    }
    const bool is_origin = origin_parse(text, &sent);
    if (is_listed(route, text, is_origin ? &sent : NULL)) {
        return true;
    }
    return is_origin && host_parse(public_host(request, proxies, peer), &asked) &&
           is_same_host(&sent.host, &asked);
}

/* ---- the sentence ---------------------------------------------------------------------------- */

#define SHOWN_MAX 72 /* of a peer's text */

/* As trusted_proxies would name the peer. */
static const char *peer_text(const struct sockaddr_storage *peer, char out[INET6_ADDRSTRLEN]) {
    const void *address = NULL;
    int family = peer == NULL ? AF_UNSPEC : peer->ss_family;
    if (family == AF_UNIX) {
        return "\"unix\"";
    }
    if (family == AF_INET) {
        address = &((const struct sockaddr_in *)peer)->sin_addr;
    } else if (family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)peer)->sin6_addr;
        const bool is_mapped = IN6_IS_ADDR_V4MAPPED(v6);
        address = v6->s6_addr + (is_mapped ? 12 : 0);
        family = is_mapped ? AF_INET : AF_INET6;
    }
    return address == NULL || inet_ntop(family, address, out, INET6_ADDRSTRLEN) == NULL
               ? "its address"
               : out;
}

/* The origin `sent` has another host. */
static int mismatch_write(const wring_request *request, bool is_trusted,
                          const struct sockaddr_storage *peer, const char *sent,
                          wring_mut_bytes out) {
    char asked[SHOWN_MAX];
    char name[INET6_ADDRSTRLEN];
    char *text = (char *)out.data;
    wring_bytes forwarded = {0};
    const bool is_forwarded = forwarded_host(request, &forwarded);
    const bool is_used = is_forwarded && is_trusted;
    (void)wring_text_printable(is_used ? forwarded : request->host, asked, sizeof asked);
    if (is_used) {
        return snprintf(text, out.len,
                        "the origin \"%s\" is not of the X-Forwarded-Host \"%s\": if its pages may "
                        "connect, list it in the route's origins",
                        sent, asked);
    }
    if (is_forwarded) {
        return snprintf(text, out.len,
                        "the origin \"%s\" is not of the host \"%s\": if its pages may connect, "
                        "list it in the route's origins; X-Forwarded-Host was not used: if the "
                        "peer is your proxy, list %s in trusted_proxies",
                        sent, asked, peer_text(peer, name));
    }
    return snprintf(text, out.len,
                    "the origin \"%s\" is not of the host \"%s\": if its pages may connect, list "
                    "it in the route's origins; if a proxy changed Host, let it pass Host on, or "
                    "send X-Forwarded-Host and list %s in trusted_proxies",
                    sent, asked, peer_text(peer, name));
}

size_t wring__origin_refusal(const wring_request *request, const wring__proxies *proxies,
                             const struct sockaddr_storage *peer, char *text, size_t cap) {
    char shown[SHOWN_MAX];
    wring_bytes sent;
    origin parsed;
    int len;
    const size_t count = origin_take(request, &sent);
    (void)wring_text_printable(sent, shown, sizeof shown);
    if (count > 1) {
        len = snprintf(text, cap, "the upgrade has %zu Origin headers, and may have one", count);
    } else if (is_null(sent)) {
        len =
            snprintf(text, cap,
                     "the origin is \"null\" (a file, or a frame in a sandbox): if such pages may "
                     "connect, list \"null\" in the route's origins");
    } else if (!origin_parse(sent, &parsed)) {
        len = snprintf(text, cap, "the origin \"%s\" is not of the form scheme://host:port", shown);
    } else {
        len = mismatch_write(request, wring__proxies_trust(proxies, peer), peer, shown,
                             (wring_mut_bytes){(uint8_t *)text, cap});
    }
    return len < 0 ? 0 : (size_t)len;
}
