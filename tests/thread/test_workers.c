/* SPDX-License-Identifier: Apache-2.0
 *
 * The mailbox where it is used: four workers on rings of their own, that sleep in the kernel, and
 * eight foreign threads that post to them. Of every fourth item the worker tells its neighbour, so
 * that workers are producers as well; what the neighbour has no room for waits for the next turn,
 * as an owner's would. Every item arrives once and in its producer's order.
 *
 *     thread-workers [--items N]        pushed by foreign threads in all (default 200,000)
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "io/worker.h"

#define PRODUCERS   8
#define WORKERS     4
#define CELLS       1024
#define PASS_ON     4
#define WAITING_MAX 4096
#define KIND        (WRING__MAIL_WORKER + 1)
#define KIND_PASSED (WRING__MAIL_WORKER + 2)
#define KIND_END    (WRING__MAIL_WORKER + 3)
#define PATIENCE_S  120

#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

static uint64_t items; /* of each producer to each worker */
static pthread_barrier_t up;
static pthread_barrier_t down; /* no one posts any more */
static _Atomic bool no_ring;

static struct hammer_worker {
    wring__worker io;
    unsigned number;
    bool over;
    uint64_t next[PRODUCERS];
    uint64_t passed_next[PRODUCERS];
    wring__mail waiting[WAITING_MAX]; /* for room in the neighbour's mailbox: a ring */
    size_t waiting_head;
    size_t waiting_count;
    _Atomic uint64_t received;
    _Atomic uint64_t passed_on;
    _Atomic uint64_t passed_received;
    _Atomic uint64_t refused; /* its mailbox was full */
} workers[WORKERS];

static wring_result post(struct hammer_worker *to, const wring__mail *mail) {
    const wring_result result = wring__worker_post(&to->io, mail);
    if (result != WRING_OK) {
        CHECK(result == WRING_ERR_QUEUE_FULL);
        atomic_fetch_add(&to->refused, 1);
    }
    return result;
}

/* ---- workers --------------------------------------------------------------------------------- */

static void waiting_post(struct hammer_worker *worker) {
    struct hammer_worker *neighbour = &workers[(worker->number + 1) % WORKERS];
    while (worker->waiting_count > 0 &&
           post(neighbour, &worker->waiting[worker->waiting_head]) == WRING_OK) {
        worker->waiting_head = (worker->waiting_head + 1) % WAITING_MAX;
        worker->waiting_count--;
    }
}

static void pass_on(struct hammer_worker *worker, const wring__mail *mail) {
    if (worker->waiting_count == WAITING_MAX) {
        return; /* its own business: not every fourth, then */
    }
    wring__mail *last =
        &worker->waiting[(worker->waiting_head + worker->waiting_count) % WAITING_MAX];
    *last = *mail;
    last->kind = KIND_PASSED;
    worker->waiting_count++;
    atomic_fetch_add(&worker->passed_on, 1);
    waiting_post(worker);
}

static void on_mail(wring__worker *io, const wring__mail *mail) {
    struct hammer_worker *worker = io->owner;
    if (mail->kind == KIND_END) {
        worker->over = true;
        return;
    }
    CHECK(mail->arg < PRODUCERS && mail->ref == (mail->value ^ mail->arg));
    if (mail->kind == KIND_PASSED) {
        CHECK(mail->value >= worker->passed_next[mail->arg] && mail->value % PASS_ON == 0);
        worker->passed_next[mail->arg] = mail->value + 1;
        atomic_fetch_add(&worker->passed_received, 1);
        return;
    }
    CHECK(mail->kind == KIND);
    CHECK(mail->value == worker->next[mail->arg]);
    worker->next[mail->arg]++;
    if (mail->value % PASS_ON == 0) {
        pass_on(worker, mail);
    }
    atomic_fetch_add(&worker->received, 1); /* last: main looks at the counts in this order */
}

static wring_result no_accept(wring__worker *worker, wring__socket socket) {
    (void)worker;
    (void)socket;
    return WRING_ERR_INVALID_STATE;
}

static void no_timer(wring__worker *worker) {
    (void)worker;
}

static const wring__worker_ops ops = {
    .name = "hammer", .accepted = no_accept, .mail = on_mail, .timer = no_timer};

static wring_backend backend; /* the one that is to be had */

static bool worker_open(struct hammer_worker *worker) {
    const wring__worker_config config = {
        .backend = wring__backend_ops_of(backend),
        .backend_config = {.entries = 8, .buffer_count = 1, .buffer_size = 64},
        .ops = &ops,
        .owner = worker,
        .group = workers, /* they wake each other through their rings */
        .mailbox_items = CELLS,
        .index = (uint8_t)(worker->number + 1)};
    wring_error error;
    if (wring__worker_init(&worker->io, &config, &error) == WRING_OK) {
        return true;
    }
    fprintf(stderr, "%s\n", error.text);
    atomic_store(&no_ring, true);
    return false;
}

static void *work(void *arg) {
    struct hammer_worker *worker = arg;
    const bool open = worker_open(worker);
    pthread_barrier_wait(&up);
    while (!atomic_load(&no_ring) && !worker->over) {
        /* with nothing waiting it sleeps until there is mail: a lost wake-up would hang here */
        const wring_time_ns deadline = worker->waiting_count > 0 ? 0 : WRING_TIME_NEVER;
        CHECK(wring__worker_turn(&worker->io, deadline) == WRING_OK);
        waiting_post(worker);
    }
    pthread_barrier_wait(&down);
    if (open) {
        CHECK(atomic_load(&worker->io.mail_refused) == atomic_load(&worker->refused));
        wring__worker_deinit(&worker->io);
    }
    return NULL;
}

/* ---- producers and main ---------------------------------------------------------------------- */

static void *produce(void *arg) {
    const uint32_t self = (uint32_t)(uintptr_t)arg;
    for (uint64_t i = 0; i < items; i++) {
        for (int w = 0; w < WORKERS; w++) {
            const wring__mail mail = {.kind = KIND, .arg = self, .value = i, .ref = i ^ self};
            while (post(&workers[w], &mail) != WRING_OK) {
                sched_yield();
            }
        }
    }
    return NULL;
}

static bool all_has_arrived(void) {
    for (unsigned w = 0; w < WORKERS; w++) {
        if (atomic_load(&workers[w].received) != items * PRODUCERS) {
            return false;
        }
    }
    for (unsigned w = 0; w < WORKERS; w++) {
        if (atomic_load(&workers[w].passed_on) !=
            atomic_load(&workers[(w + 1) % WORKERS].passed_received)) {
            return false;
        }
    }
    return true;
}

static void hammer(void) {
    pthread_t producers[PRODUCERS];
    for (uintptr_t p = 0; p < PRODUCERS; p++) {
        CHECK(pthread_create(&producers[p], NULL, produce, (void *)p) == 0);
    }
    for (int p = 0; p < PRODUCERS; p++) {
        pthread_join(producers[p], NULL);
    }
    const struct timespec a_moment = {.tv_nsec = 1000000};
    for (int ms = 0; !all_has_arrived(); ms++) {
        CHECK(ms < PATIENCE_S * 1000);
        (void)nanosleep(&a_moment, NULL);
    }
    const wring__mail end = {.kind = KIND_END};
    for (int w = 0; w < WORKERS; w++) {
        CHECK(post(&workers[w], &end) == WRING_OK);
    }
}

int main(int argc, char **argv) {
    pthread_t threads[WORKERS];
    const bool given = argc == 3 && strcmp(argv[1], "--items") == 0;
    if (argc != 1 && !given) {
        fputs("usage: thread-workers [--items N]\n", stderr);
        return 2;
    }
    CHECK(wring_backend_pick(WRING_BACKEND_AUTO, &backend, NULL) == WRING_OK);
    items = (given ? strtoull(argv[2], NULL, 10) : 200000) / (PRODUCERS * WORKERS);
    CHECK(pthread_barrier_init(&up, NULL, WORKERS + 1) == 0);
    CHECK(pthread_barrier_init(&down, NULL, WORKERS + 1) == 0);
    for (unsigned w = 0; w < WORKERS; w++) {
        workers[w].number = w;
        CHECK(pthread_create(&threads[w], NULL, work, &workers[w]) == 0);
    }
    pthread_barrier_wait(&up);
    if (!atomic_load(&no_ring)) {
        hammer();
    }
    pthread_barrier_wait(&down);
    for (int w = 0; w < WORKERS; w++) {
        pthread_join(threads[w], NULL);
        printf("worker %d: %llu from threads, %llu from its neighbour, %llu refused as full\n", w,
               (unsigned long long)atomic_load(&workers[w].received),
               (unsigned long long)atomic_load(&workers[w].passed_received),
               (unsigned long long)atomic_load(&workers[w].refused));
    }
    return atomic_load(&no_ring) ? 77 : 0;
}
