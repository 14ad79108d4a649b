/* SPDX-License-Identifier: Apache-2.0
 *
 * How many connections, and how many unfinished handshakes, each source address has on a server.
 * An IPv6 source is its /64: one host has all of that. Only kept when a limit asks for it.
 *
 * Thread: any; one lock, taken once at an accept, an upgrade and a close, never for a message.
 */
#ifndef WRING_SERVER_SOURCES_H
#define WRING_SERVER_SOURCES_H

#include <pthread.h>
#include <sys/socket.h>

#include "core/base.h"

typedef struct wring__source wring__source;

typedef struct wring__sources {
    pthread_mutex_t lock;
    wring__source **buckets; /* NULL: nothing is limited */
    uint32_t bucket_count;   /* a power of two */
    uint32_t count;
    uint32_t connections_max; /* of one source; UINT32_MAX: any */
    uint32_t handshakes_max;
    uint64_t seed;
} wring__sources;

/** Errors: WRING_ERR_NO_MEMORY, WRING_ERR_NO_RANDOM. */
WRING_MUST_CHECK wring_result wring__sources_init(wring__sources *sources, uint32_t connections_max,
                                                  uint32_t handshakes_max);
void wring__sources_deinit(wring__sources *sources);

static inline bool wring__sources_are_limited(const wring__sources *sources) {
    return sources->buckets != NULL;
}

/** One more connection, its handshake unfinished.
 *  Errors: WRING_ERR_TOO_MANY_CONNECTIONS, WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__sources_enter(wring__sources *sources,
                                                   const struct sockaddr_storage *address,
                                                   wring__source **out);

/** One more session on a connection of a source that is here; its handshake is over.
 *  Errors: WRING_ERR_TOO_MANY_CONNECTIONS. */
WRING_MUST_CHECK wring_result wring__sources_join(wring__sources *sources, wring__source *source);

/** Its handshake is over. */
void wring__sources_upgraded(wring__sources *sources, wring__source *source);

/** It is closed.  @param in_handshake  wring__sources_upgraded was never called */
void wring__sources_leave(wring__sources *sources, wring__source *source, bool in_handshake);

#endif
