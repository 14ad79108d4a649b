/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers with units, and source addresses. See parse.h.
 */
#include "bench/load/parse.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>

/* strtod takes more than people mean: signs, hexadecimal, "inf". */
static bool number(const char **text, double *out) {
    if (!isdigit((unsigned char)**text) && **text != '.') {
        return false;
    }
    if ((*text)[0] == '0' && ((*text)[1] == 'x' || (*text)[1] == 'X')) {
        return false;
    }
    char *end;
    *out = strtod(*text, &end);
    const bool ok = end != *text && isfinite(*out);
    *text = end;
    return ok;
}

static double power(char suffix, double base) {
    switch (tolower((unsigned char)suffix)) {
    case 'k':
        return base;
    case 'm':
        return base * base;
    case 'g':
        return base * base * base;
    default:
        return 0;
    }
}

bool load_parse_count(const char *text, double *out) {
    if (!number(&text, out)) {
        return false;
    }
    if (*text != 0) {
        const double factor = power(*text++, 1000);
        if (factor == 0) {
            return false;
        }
        *out *= factor;
    }
    return *text == 0;
}

bool load_parse_bytes(const char *text, uint64_t *out) {
    double value;
    if (!number(&text, &value)) {
        return false;
    }
    const double factor = power(*text, 1024);
    if (factor != 0) {
        value *= factor;
        text++;
        text += *text == 'i' ? 1 : 0;
    }
    text += *text == 'b' || *text == 'B' ? 1 : 0;
    if (value > 1e15) {
        return false;
    }
    *out = (uint64_t)value;
    return *text == 0;
}

static bool unit(const char **text, double *ns) {
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    for (size_t i = 0; i < WRING_ARRAY_LEN(units); i++) {
        const size_t len = strlen(units[i].name);
        if (strncmp(*text, units[i].name, len) == 0) {
            *ns = units[i].ns;
            *text += len;
            return true;
        }
    }
    return false;
}

bool load_parse_duration(const char *text, wring_duration_ns *out) {
    double total = 0;
    do {
        double value;
        double ns = 1e9;
        if (!number(&text, &value)) {
            return false;
        }
        if (*text != 0 && !unit(&text, &ns)) {
            return false;
        }
        total += value * ns;
    } while (*text != 0);
    if (total > 1e18) {
        return false;
    }
    *out = (wring_duration_ns)llround(total);
    return true;
}

bool load_parse_share(const char *text, double *out) {
    if (!number(&text, out)) {
        return false;
    }
    if (*text == '%') {
        *out /= 100;
        text++;
    }
    return *text == 0;
}

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
    if (!number(&at, &value) || *at != 0 || value > 255 || value != floor(value)) {
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
