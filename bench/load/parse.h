/* SPDX-License-Identifier: Apache-2.0
 *
 * What people write on the load tester's command line: "50k", "1m30s", "16k", "127.0.0.2-9".
 * Pure functions; every one says false for text it does not understand whole.
 */
#ifndef WRING_LOAD_PARSE_H
#define WRING_LOAD_PARSE_H

#include <netinet/in.h>

#include "core/base.h"

/** "250", "2.5k", "1m", "1g": powers of 1,000.   For counts and rates. */
bool load_parse_count(const char *text, double *out);

/** "125", "16k", "1m", with or without "b", "ib": powers of 1,024.   For message sizes. */
bool load_parse_bytes(const char *text, uint64_t *out);

/** "30", "30s", "500ms", "5us", "2m", "1h", "1m30s"; no unit means seconds. Not negative. */
bool load_parse_duration(const char *text, wring_duration_ns *out);

/** "5%", "0.05": a share. */
bool load_parse_share(const char *text, double *out);

/** A numeric address to connect from. */
typedef struct load_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t len;
} load_address;

#define LOAD_SOURCES_MAX 4096

/** "127.0.0.2", "127.0.0.2,127.0.0.5", "127.0.0.2-127.0.0.9", "127.0.0.2-9", "fd00::1", or any of
 *  these with commas between them; ranges are of IPv4 only.
 *  @param list  appended to: room for LOAD_SOURCES_MAX in all */
bool load_parse_sources(const char *text, load_address *list, size_t *count);

#endif
