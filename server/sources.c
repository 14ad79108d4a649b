/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections by source address. See sources.h.
 */
#include "server/sources.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/hash.h"

#define BUCKETS_FIRST 256

struct wring__source {
    struct wring__source *next;
    uint64_t hash;
    uint8_t key[9]; /* family, then 4 bytes of IPv4 or 8 of IPv6 */
    uint32_t connections;
    uint32_t handshakes;
};

wring_result wring__sources_init(wring__sources *sources, uint32_t connections_max,
                                 uint32_t handshakes_max) {
    memset(sources, 0, sizeof *sources);
    pthread_mutex_init(&sources->lock, NULL);
    if (connections_max == UINT32_MAX && handshakes_max == UINT32_MAX) {
        return WRING_OK;
    }
    if (getrandom(&sources->seed, sizeof sources->seed, 0) != (ssize_t)sizeof sources->seed) {
        return WRING_ERR_NO_RANDOM;
    }
    sources->connections_max = connections_max;
    sources->handshakes_max = handshakes_max;
    sources->bucket_count = BUCKETS_FIRST;
    sources->buckets = calloc(sources->bucket_count, sizeof(wring__source *));
    return sources->buckets == NULL ? WRING_ERR_NO_MEMORY : WRING_OK;
}

void wring__sources_deinit(wring__sources *sources) {
    WRING_ASSERT(sources->count == 0); /* every connection has left */
    free(sources->buckets);
    pthread_mutex_destroy(&sources->lock);
    memset(sources, 0, sizeof *sources);
}

static void key_of(const struct sockaddr_storage *address, uint8_t key[9]) {
    memset(key, 0, 9);
    if (address->ss_family == AF_INET) {
        key[0] = 4;
        memcpy(key + 1, &((const struct sockaddr_in *)address)->sin_addr, 4);
        return;
    }
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6)) {
        key[0] = 4;
        memcpy(key + 1, &v6->s6_addr[12], 4);
    } else if (address->ss_family == AF_INET6) {
        key[0] = 6;
        memcpy(key + 1, v6->s6_addr, 8);
    }
}

static wring__source **link_of(wring__sources *sources, const uint8_t key[9], uint64_t hash) {
    wring__source **link = &sources->buckets[hash & (sources->bucket_count - 1)];
    while (*link != NULL && ((*link)->hash != hash || memcmp((*link)->key, key, 9) != 0)) {
        link = &(*link)->next;
    }
    return link;
}

/* Twice the buckets; when memory is out the old ones do, only slower. */
static void grow(wring__sources *sources) {
    const uint32_t old_count = sources->bucket_count;
    wring__source **old = sources->buckets;
    wring__source **grown = calloc((size_t)old_count * 2, sizeof *grown);
    if (grown == NULL) {
        return;
    }
    sources->buckets = grown;
    sources->bucket_count = old_count * 2;
    for (uint32_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            wring__source *source = old[i];
            old[i] = source->next;
            wring__source **bucket = &grown[source->hash & (sources->bucket_count - 1)];
            source->next = *bucket;
            *bucket = source;
        }
    }
    free(old);
}

static wring__source *source_make(wring__sources *sources, const uint8_t key[9], uint64_t hash) {
    wring__source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        return NULL;
    }
    if (sources->count >= sources->bucket_count) {
        grow(sources);
    }
    source->hash = hash;
    memcpy(source->key, key, 9);
    wring__source **bucket = &sources->buckets[hash & (sources->bucket_count - 1)];
    source->next = *bucket;
    *bucket = source;
    sources->count++;
    return source;
}

static void source_drop(wring__sources *sources, wring__source *source) {
    wring__source **link = link_of(sources, source->key, source->hash);
    *link = source->next;
    sources->count--;
    free(source);
}

static wring_result enter(wring__sources *sources, const uint8_t key[9], wring__source **out) {
    const uint64_t hash = wring__hash(sources->seed, wring_bytes_of(key, 9));
    wring__source *source = *link_of(sources, key, hash);
    if (source != NULL && (source->connections >= sources->connections_max ||
                           source->handshakes >= sources->handshakes_max)) {
        return WRING_ERR_TOO_MANY_CONNECTIONS;
    }
    if (source == NULL) {
        source = source_make(sources, key, hash);
    }
    if (source == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    source->connections++;
    source->handshakes++;
    *out = source;
    return WRING_OK;
}

wring_result wring__sources_enter(wring__sources *sources, const struct sockaddr_storage *address,
                                  wring__source **out) {
    uint8_t key[9];
    key_of(address, key);
    pthread_mutex_lock(&sources->lock);
    wring_result result = enter(sources, key, out);
    pthread_mutex_unlock(&sources->lock);
    return result;
}

wring_result wring__sources_join(wring__sources *sources, wring__source *source) {
    pthread_mutex_lock(&sources->lock);
    const bool has_room = source->connections < sources->connections_max;
    source->connections += has_room;
    pthread_mutex_unlock(&sources->lock);
    return has_room ? WRING_OK : WRING_ERR_TOO_MANY_CONNECTIONS;
}

void wring__sources_upgraded(wring__sources *sources, wring__source *source) {
    pthread_mutex_lock(&sources->lock);
    source->handshakes--;
    pthread_mutex_unlock(&sources->lock);
}

void wring__sources_leave(wring__sources *sources, wring__source *source, bool in_handshake) {
    pthread_mutex_lock(&sources->lock);
    source->handshakes -= in_handshake;
    if (--source->connections == 0) {
        source_drop(sources, source);
    }
    pthread_mutex_unlock(&sources->lock);
}
