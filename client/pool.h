/* SPDX-License-Identifier: Apache-2.0
 *
 * Worker threads that only clients live on.
 */
#ifndef WRING_CLIENT_POOL_H
#define WRING_CLIENT_POOL_H

#include <pthread.h>
#include <stdatomic.h>

#include "io/worker.h"
#include "wring/client.h"

typedef struct wring__pool_worker {
    wring__worker io; /* first: the io layer's owner pointer and this are the same thing */
    wring_pool *pool;
    pthread_t thread;
    uint32_t number;
    bool initialised;
    bool running; /* the thread was created */
    bool draining;
    wring_result result; /* of starting */
    wring_error error;
} wring__pool_worker;

struct wring_pool {
    wring_pool_config config;
    const wring__backend_ops *backend;
    void *world; /* sim only */
    wring__pool_worker *workers;
    _Atomic uint32_t next;
    pthread_mutex_t lock; /* starting only: guards ready_count */
    pthread_cond_t ready;
    uint32_t ready_count;
};

/** For tests: a pool of one worker over another backend, whose turns the test drives. */
WRING_MUST_CHECK wring_result wring__pool_create_sim(const wring_pool_config *config,
                                                     const wring__backend_ops *backend, void *world,
                                                     wring_pool **out, wring_error *error);
void wring__pool_drain(wring_pool *pool, uint32_t drain_ms);
bool wring__pool_is_done(const wring_pool *pool);

#endif
