/* SPDX-License-Identifier: Apache-2.0
 *
 * /primes: work that would hold up a worker, done by a pool.
 */
#include "examples/http_api/api.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define PRIMES_MAX   10000000
#define POOL_THREADS 2
#define POOL_JOBS    64

struct job {
    wring_ref ref; /* the exchange that waits for it */
    unsigned below;
};

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pool_wake = PTHREAD_COND_INITIALIZER;
static struct job pool_jobs[POOL_JOBS];
static size_t pool_head, pool_count;
static pthread_t pool[POOL_THREADS];
static bool pool_stops;

static void job_do(const struct job *job) {
    unsigned primes = 0;
    char text[64];
    for (unsigned n = 2; n < job->below; n++) {
        unsigned divisor = 2;
        while (divisor * divisor <= n && n % divisor != 0) {
            divisor++;
        }
        primes += divisor * divisor > n;
    }
    const int len = snprintf(text, sizeof text, "{\"primes\":%u}", primes);
    const wring_answer answer = {.struct_size = sizeof answer,
                                 .content_type = "application/json",
                                 .body = wring_bytes_of(text, (size_t)len)};
    while (wring_ref_answer(job->ref, &answer) == WRING_ERR_QUEUE_FULL) {
        sched_yield(); /* the worker is behind. Any other error: nobody waits for it any more */
    }
}

static void *pool_run(void *unused) {
    pthread_mutex_lock(&pool_lock);
    while (!pool_stops) {
        if (pool_count == 0) {
            pthread_cond_wait(&pool_wake, &pool_lock);
            continue;
        }
        const struct job job = pool_jobs[pool_head];
        pool_head = (pool_head + 1) % POOL_JOBS;
        pool_count--;
        pthread_mutex_unlock(&pool_lock);
        job_do(&job);
        pthread_mutex_lock(&pool_lock);
    }
    pthread_mutex_unlock(&pool_lock);
    return unused;
}

static bool pool_add(const struct job *job) {
    pthread_mutex_lock(&pool_lock);
    const bool has_room = pool_count < POOL_JOBS;
    if (has_room) {
        pool_jobs[(pool_head + pool_count++) % POOL_JOBS] = *job;
        pthread_cond_signal(&pool_wake);
    }
    pthread_mutex_unlock(&pool_lock);
    return has_room;
}

void api_pool_start(void) {
    for (size_t i = 0; i < POOL_THREADS; i++) {
        if (pthread_create(&pool[i], NULL, pool_run, NULL) != 0) {
            abort();
        }
    }
}

void api_pool_end(void) {
    pthread_mutex_lock(&pool_lock);
    pool_stops = true;
    pthread_cond_broadcast(&pool_wake);
    pthread_mutex_unlock(&pool_lock);
    for (size_t i = 0; i < POOL_THREADS; i++) {
        pthread_join(pool[i], NULL);
    }
}

void api_primes_post(wring_exchange *exchange, const wring_request *request, void *opts) {
    struct job job;
    json_t *body;
    int below = 0;
    (void)opts;
    if (!api_is_allowed(exchange, request) ||
        !api_body_read(exchange, &body, "{s:i!}", "below", (void *)&below)) {
        return;
    }
    json_decref(body);
    if (below < 0 || below > PRIMES_MAX) {
        api_answer_error(exchange, 422, "'below' is not from 0 to 10000000");
        return;
    }
    job.below = (unsigned)below;
    if (wring_exchange_ref(exchange, &job.ref) != WRING_OK || !pool_add(&job)) {
        api_answer_error(exchange, 503, "too much to do: try again later");
    } /* else the exchange has a ref now, and waits for job_do */
}
