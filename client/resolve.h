/* SPDX-License-Identifier: Apache-2.0
 *
 * Names to addresses in a worker's loop, by c-ares, and the order to try them in (RFC 8305).
 */
#ifndef WRING_CLIENT_RESOLVE_H
#define WRING_CLIENT_RESOLVE_H

#include <netinet/in.h>

#include "io/worker.h"

#define WRING__ADDRESSES_MAX 16

typedef struct wring__address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t len;
} wring__address;

typedef struct wring__addresses {
    wring__address list[WRING__ADDRESSES_MAX];
    uint32_t count;
} wring__addresses;

typedef struct wring__resolve wring__resolve;

/** A numeric address; false when it is none. */
bool wring__address_parse(const char *text, uint16_t port, wring__address *out);

/** Begins to resolve. `done` is called once, from the worker's task phase, unless it is cancelled:
 *  `error->code` is WRING_OK, or WRING_ERR_ADDRESS with a sentence.
 *  Errors: WRING_ERR_NO_MEMORY, WRING_ERR_SYSTEM */
WRING_MUST_CHECK wring_result wring__resolve_start(
    wring__worker *worker, const char *host, uint16_t port,
    void (*done)(void *owner, const wring__addresses *addresses, const wring_error *error),
    void *owner, wring__resolve **out);
void wring__resolve_cancel(wring__resolve *resolve); /* NULL is legal */

/** For tests: answers in c-ares' stead, `*after` from now; NULL puts c-ares back. */
typedef wring_result (*wring__resolver)(const char *host, uint16_t port, wring__addresses *out,
                                        wring_duration_ns *after);
void wring__resolve_set_test(wring__resolver resolver);

/** For tests: c-ares asks this port of 127.0.0.1; 0: whom the system names. */
void wring__resolve_set_test_server(uint16_t port);

/** Families by turns, the first address's first, else in the order given.   RFC: 8305 4 */
void wring__addresses_interleave(wring__addresses *addresses);

#endif
