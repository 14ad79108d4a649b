/* SPDX-License-Identifier: Apache-2.0
 *
 * Source addresses. See parse.h.
 */
#include "bench/load/parse.h"

#include <arpa/inet.h>
#include <math.h>

#include "cli/units.h"

/* ---- source addresses ------------------------------------------------------------------------ */

static bool address(const char *text, load_address *out) {
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->len = sizeof out->v4;
        return true;
    }
    if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->len = sizeof out->v6;
        return true;
    }
    return false;
}

/* The end of a range: an address, or the last number of one. */
static bool range_end(const char *text, const load_address *first, load_address *out) {
    if (address(text, out)) {
        return out->any.sa_family == AF_INET;
    }
    const char *at = text;
    double value;
    if (!units_parse_number(&at, &value) || *at != 0 || value > 255 || value != floor(value)) {
        return false;
    }
    *out = *first;
    const uint32_t network = ntohl(first->v4.sin_addr.s_addr) & 0xffffff00u;
    out->v4.sin_addr.s_addr = htonl(network | (uint32_t)value);
    return true;
}

static bool range(char *text, load_address *list, size_t *count) {
    char *dash = strchr(text, '-');
    load_address first;
    load_address last;
    if (dash != NULL) {
        *dash = 0;
    }
    if (!address(text, &first)) {
        return false;
    }
    last = first;
    if (dash != NULL && (first.any.sa_family != AF_INET || !range_end(dash + 1, &first, &last))) {
        return false;
    }
    if (first.any.sa_family == AF_INET6) {
        list[(*count)++] = first;
        return true;
    }
    const uint32_t from = ntohl(first.v4.sin_addr.s_addr);
    const uint32_t to = ntohl(last.v4.sin_addr.s_addr);
    if (to < from || to - from >= LOAD_SOURCES_MAX - *count) {
        return false;
    }
    for (uint32_t at = from; at - from <= to - from; at++) {
        list[*count] = first;
        list[(*count)++].v4.sin_addr.s_addr = htonl(at);
    }
    return true;
}

bool load_parse_sources(const char *text, load_address *list, size_t *count) {
    char part[2 * INET6_ADDRSTRLEN + 2];
    for (;;) {
        const size_t len = strcspn(text, ",");
        if (len == 0 || len >= sizeof part || *count >= LOAD_SOURCES_MAX) {
            return false;
        }
        memcpy(part, text, len);
        part[len] = 0;
        if (!range(part, list, count)) {
            return false;
        }
        if (text[len] == 0) {
            return true;
        }
        text += len + 1;
    }
}
