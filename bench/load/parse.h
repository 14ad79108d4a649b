/* SPDX-License-Identifier: Apache-2.0
 *
 * Source addresses as people write them on the load tester's command line: "127.0.0.2-9". Numbers
 * with units are read by cli/units.h.
 */
#ifndef WRING_LOAD_PARSE_H
#define WRING_LOAD_PARSE_H

#include <netinet/in.h>

#include "core/base.h"

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
