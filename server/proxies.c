/* SPDX-License-Identifier: Apache-2.0
 *
 * Trusted proxies. See proxies.h.
 */
#include "server/proxies.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "core/sized.h"

typedef struct network {
    uint8_t address[16];
    uint8_t address_len; /* 4: IPv4, 16: IPv6 */
    uint8_t bits;        /* of the address that count */
} network;

struct wring__proxies {
    size_t count;
    bool unix_sockets;
    network list[];
};

static bool address_parse(const char *text, network *out) {
    if (inet_pton(AF_INET, text, out->address) == 1) {
        out->address_len = 4;
        return true;
    }
    out->address_len = 16;
    return inet_pton(AF_INET6, text, out->address) == 1;
}

/* The bits behind the '/', up to `most`; -1: malformed. */
static int bits_parse(const char *text, int most) {
    int bits = 0;
    const size_t len = strlen(text);
    if (len == 0 || len > 3 || strspn(text, "0123456789") != len) {
        return -1;
    }
    for (const char *c = text; *c != 0; c++) {
        bits = bits * 10 + (*c - '0');
    }
    return bits <= most ? bits : -1;
}

/* A network of mapped addresses (::ffff:10.0.0.0/104) is one of IPv4. */
static void unmap(network *out) {
    static const uint8_t prefix[12] = {[10] = 0xFF, [11] = 0xFF};
    if (out->address_len == 16 && out->bits >= 96 && memcmp(out->address, prefix, 12) == 0) {
        memmove(out->address, out->address + 12, 4);
        out->address_len = 4;
        out->bits = (uint8_t)(out->bits - 96);
    }
}

static bool network_parse(const char *text, network *out) {
    char address[INET6_ADDRSTRLEN];
    const size_t len = strcspn(text, "/");
    if (len >= sizeof address) {
        return false;
    }
    memcpy(address, text, len);
    address[len] = 0;
    if (!address_parse(address, out)) {
        return false;
    }
    const int most = out->address_len * 8;
    const int bits = text[len] == 0 ? most : bits_parse(text + len + 1, most);
    if (bits < 0) {
        return false;
    }
    out->bits = (uint8_t)bits;
    unmap(out);
    return true;
}

static wring_result entry_take(wring__proxies *proxies, const char *text, wring_error *error) {
    char shown[64];
    if (text == NULL) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "server config: trusted_proxies has an element that is NULL");
    }
    if (strcmp(text, "unix") == 0) {
        proxies->unix_sockets = true;
        return WRING_OK;
    }
    if (network_parse(text, &proxies->list[proxies->count])) {
        proxies->count++;
        return WRING_OK;
    }
    (void)wring_text_printable(wring_str(text), shown, sizeof shown);
    return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                           "server config: trusted_proxies has \"%s\", which is no address "
                           "(10.0.0.1), network (10.0.0.0/8) or \"unix\"",
                           shown);
}

wring_result wring__proxies_init(const char *const *list, size_t count, wring__proxies **out,
                                 wring_error *error) {
    wring_error why = {.text = ""};
    *out = NULL;
    if (wring__list_check(list, count, "trusted_proxies", "trusted_proxy_count", &why) !=
        WRING_OK) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0, "server config: %s", why.text);
    }
    if (count == 0) {
        return WRING_OK;
    }
    wring__proxies *proxies = count > (SIZE_MAX - sizeof *proxies) / sizeof(network)
                                  ? NULL
                                  : calloc(1, sizeof *proxies + count * sizeof(network));
    if (proxies == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for the trusted proxies");
    }
    wring_result result = WRING_OK;
    for (size_t i = 0; i < count && result == WRING_OK; i++) {
        result = entry_take(proxies, list[i], error);
    }
    if (result != WRING_OK) {
        wring__proxies_free(proxies);
        return result;
    }
    *out = proxies;
    return WRING_OK;
}

void wring__proxies_free(wring__proxies *proxies) {
    free(proxies);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static network network_of(const struct sockaddr_storage *peer) {
    network out = {.address_len = 4, .bits = 32};
    if (peer->ss_family == AF_INET) {
        memcpy(out.address, &((const struct sockaddr_in *)peer)->sin_addr, 4);
        return out;
    }
    memcpy(out.address, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
    out.address_len = 16;
    out.bits = 128;
    unmap(&out);
    return out;
}

static bool network_has(const network *net, const network *peer) {
    const size_t whole = net->bits / 8;
    const unsigned rest = net->bits % 8;
    return net->address_len == peer->address_len &&
           memcmp(net->address, peer->address, whole) == 0 &&
           (rest == 0 || (net->address[whole] ^ peer->address[whole]) >> (8 - rest) == 0);
}

bool wring__proxies_trust(const wring__proxies *proxies, const struct sockaddr_storage *peer) {
    if (proxies == NULL || peer == NULL) {
        return false;
    }
    if (peer->ss_family == AF_UNIX) {
        return proxies->unix_sockets;
    }
    if (peer->ss_family != AF_INET && peer->ss_family != AF_INET6) {
        return false;
    }
    const network from = network_of(peer);
    for (size_t i = 0; i < proxies->count; i++) {
        if (network_has(&proxies->list[i], &from)) {
            return true;
        }
    }
    return false;
}
