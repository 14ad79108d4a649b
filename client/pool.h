/* SPDX-License-Identifier: Apache-2.0
 *
 * Worker threads that only clients live on.
 */
#ifndef WRING_CLIENT_POOL_H
#define WRING_CLIENT_POOL_H

#include <stdatomic.h>

#include "io/group.h"
#include "wring/client.h"

typedef struct wring__pool_worker {
    wring__worker io; /* first: the io layer's owner pointer and this are the same thing */
    wring__member member;
    wring_pool *pool;
} wring__pool_worker;

struct wring_pool {
    wring_pool_config config;
    wring__log log;
    wring__group group;
    wring__pool_worker *workers;
    _Atomic uint32_t next;
};

/** A pool on a backend of the caller's choice. One that is driven has a single worker. */
WRING_MUST_CHECK wring_result wring__pool_create_on(const wring_pool_config *config,
                                                    wring__backend_choice backend, wring_pool **out,
                                                    wring_error *error);
void wring__pool_drain(wring_pool *pool, uint32_t drain_ms);
bool wring__pool_is_done(const wring_pool *pool);

#endif
