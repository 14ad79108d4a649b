/* SPDX-License-Identifier: Apache-2.0
 *
 * See no_proxy.h.
 */
#include "client/no_proxy.h"

#include <arpa/inet.h>
#include <strings.h>

struct number {
    uint8_t bytes[16];
    uint8_t len; /* 4, 16; 0: not a numeric address */
};

static struct number number_parse(wring_bytes text) {
    struct number out = {.len = 0};
    char copy[INET6_ADDRSTRLEN];
    if (text.len >= 2 && text.data[0] == '[' && text.data[text.len - 1] == ']') {
        text = wring_bytes_of(text.data + 1, text.len - 2);
    }
    if (text.len == 0 || text.len >= sizeof copy) {
        return out;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    if (inet_pton(AF_INET, copy, out.bytes) == 1) {
        out.len = 4;
    } else if (inet_pton(AF_INET6, copy, out.bytes) == 1) {
        out.len = 16;
    }
    return out;
}

/* Digits up to `most`. */
static bool count_parse(wring_bytes text, uint32_t most, uint32_t *out) {
    uint32_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || value > most) {
            return false;
        }
        value = value * 10 + (uint32_t)(text.data[i] - '0');
    }
    *out = value;
    return text.len > 0 && value <= most;
}

static bool network_has(const struct number *network, uint32_t bits, const struct number *host) {
    if (network->len == 0 || network->len != host->len) {
        return false;
    }
    const size_t whole = bits / 8;
    const uint8_t mask = (uint8_t)(0xFF00u >> (bits % 8));
    return memcmp(network->bytes, host->bytes, whole) == 0 &&
           (bits % 8 == 0 || ((network->bytes[whole] ^ host->bytes[whole]) & mask) == 0);
}

/* "10.0.0.0/8". One that is malformed has nobody in it. */
static bool cidr_has(wring_bytes entry, const uint8_t *slash, const struct number *host) {
    const size_t at = (size_t)(slash - entry.data);
    const struct number network = number_parse(wring_bytes_of(entry.data, at));
    uint32_t bits = 0;
    return count_parse(wring_bytes_of(slash + 1, entry.len - at - 1), network.len * 8u, &bits) &&
           network_has(&network, bits, host);
}

/* Takes ":8080" off the entry. False: another port is meant. Colons within an IPv6 address are
 * none. */
static bool port_take(wring_bytes *entry, uint16_t port) {
    const uint8_t *colon = memrchr(entry->data, ':', entry->len);
    if (colon == NULL || number_parse(*entry).len != 0) {
        return true;
    }
    const size_t at = (size_t)(colon - entry->data);
    uint32_t value = 0;
    if (!count_parse(wring_bytes_of(colon + 1, entry->len - at - 1), 65535, &value)) {
        return false;
    }
    entry->len = at;
    return value == port;
}

static wring_bytes undotted(wring_bytes name) {
    name.len -= name.len > 0 && name.data[name.len - 1] == '.';
    return name;
}

/* "example" and ".example" have the name itself and what is below it, as with curl; "*.example" has
 * only what is below. */
static bool domain_has(wring_bytes domain, wring_bytes name) {
    const bool only_below = domain.len > 1 && domain.data[0] == '*' && domain.data[1] == '.';
    if (only_below) {
        domain = wring_bytes_of(domain.data + 1, domain.len - 1);
    }
    if (domain.len > 0 && domain.data[0] == '.') {
        domain = wring_bytes_of(domain.data + 1, domain.len - 1);
    }
    domain = undotted(domain);
    name = undotted(name);
    if (domain.len == 0 || domain.len > name.len) {
        return false;
    }
    const char *end = (const char *)name.data + name.len - domain.len;
    return strncasecmp(end, (const char *)domain.data, domain.len) == 0 &&
           (domain.len == name.len ? !only_below : end[-1] == '.');
}

static bool entry_has(wring_bytes entry, wring_bytes host, uint16_t port) {
    if (entry.len == 1 && entry.data[0] == '*') {
        return true;
    }
    const struct number address = number_parse(host);
    const uint8_t *slash = memchr(entry.data, '/', entry.len);
    if (slash != NULL) {
        return cidr_has(entry, slash, &address);
    }
    if (!port_take(&entry, port)) {
        return false;
    }
    const struct number wanted = number_parse(entry);
    if (wanted.len > 0 || address.len > 0) { /* "0.0.1" is no domain that 127.0.0.1 is in */
        return network_has(&wanted, wanted.len * 8u, &address);
    }
    return domain_has(entry, host);
}

bool wring__no_proxy_has(const char *list, wring_bytes host, uint16_t port) {
    static const char separators[] = ", \t";
    while (*list != 0) {
        list += strspn(list, separators);
        const size_t len = strcspn(list, separators);
        if (len > 0 && entry_has(wring_bytes_of(list, len), host, port)) {
            return true;
        }
        list += len;
    }
    return false;
}
