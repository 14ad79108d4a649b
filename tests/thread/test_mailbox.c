/* SPDX-License-Identifier: Apache-2.0
 *
 * Eight producers, four mailboxes with consumers that really sleep: every item arrives once, in its
 * producer's order, no consumer sleeps with an item present, and every refusal is told and counted.
 *
 *     thread-mailbox [--items N] [--stall] [--pace]
 *
 *   --items  pushed in all (default 640,000)
 *   --stall  producers are stopped by signals wherever they are, in the middle of a push as well
 *   --pace   producers pause now and then, so that consumers sleep before almost every item
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/mailbox.h"

#define PRODUCERS 8
#define CONSUMERS 4
#define CELLS     256 /* few: producers find it full all the time */

#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

static uint64_t items; /* of each producer to each consumer */
static bool stall;
static bool pace;
static _Atomic unsigned producing;
static _Atomic uint64_t stalled_in_push;
static _Thread_local volatile sig_atomic_t in_push;

static struct consumer {
    wring__mailbox box;
    int wake_fd;
    uint64_t announced; /* times it said that it is going to sleep */
    uint64_t sleeps;
    _Atomic uint64_t wakes;
    _Atomic uint64_t refused;
    uint64_t next[PRODUCERS];
} consumers[CONSUMERS];

static void pause_ns(long ns) {
    const struct timespec time = {.tv_nsec = ns};
    (void)nanosleep(&time, NULL);
}

/* ---- producers ------------------------------------------------------------------------------- */

static void push(struct consumer *consumer, const wring__mail *mail) {
    wring_result result;
    bool must_wake = false;
    do {
        in_push = 1;
        result = wring__mailbox_push(&consumer->box, mail, &must_wake);
        in_push = 0;
        if (result != WRING_OK) { /* full: an answer, not a block */
            CHECK(result == WRING_ERR_QUEUE_FULL && !must_wake);
            atomic_fetch_add_explicit(&consumer->refused, 1, memory_order_relaxed);
            sched_yield();
        }
    } while (result != WRING_OK);
    if (must_wake) {
        const uint64_t one = 1;
        atomic_fetch_add(&consumer->wakes, 1);
        CHECK(write(consumer->wake_fd, &one, sizeof one) == (ssize_t)sizeof one);
    }
}

static void *produce(void *arg) {
    const uint32_t self = (uint32_t)(uintptr_t)arg;
    uint32_t random = self + 1;
    for (uint64_t i = 0; i < items; i++) {
        for (int c = 0; c < CONSUMERS; c++) {
            wring__mail mail = {.kind = 7, .arg = self, .value = i, .ref = i ^ self};
            push(&consumers[c], &mail);
        }
        random = random * 1664525 + 1013904223;
        if (pace && random >> 28 == 0) {
            pause_ns((long)(random >> 12 & 0xFFFF));
        }
    }
    atomic_fetch_sub(&producing, 1);
    return NULL;
}

/* Runs on a producer's thread, between any two of its instructions. */
static void stop_here(int signal_number) {
    (void)signal_number;
    if (in_push != 0) {
        atomic_fetch_add_explicit(&stalled_in_push, 1, memory_order_relaxed);
    }
    pause_ns(200000);
}

static void stall_producers(const pthread_t *producers) {
    unsigned next = 0;
    while (atomic_load(&producing) > 0) {
        /* a thread that has ended is still joinable, so its name is good */
        (void)pthread_kill(producers[next++ % PRODUCERS], SIGUSR1);
        pause_ns(50000);
    }
}

/* ---- consumers ------------------------------------------------------------------------------- */

static void sleep_until_woken(struct consumer *consumer) {
    consumer->announced++;
    if (wring__mailbox_prepare_sleep(&consumer->box)) {
        struct pollfd fd = {consumer->wake_fd, POLLIN, 0};
        uint64_t value;
        consumer->sleeps++;
        /* a lost wake-up shows here: nobody else would end this wait */
        CHECK(poll(&fd, 1, 120000) == 1);
        CHECK(read(consumer->wake_fd, &value, sizeof value) == (ssize_t)sizeof value);
    }
    wring__mailbox_awake(&consumer->box);
}

static void *consume(void *arg) {
    struct consumer *consumer = arg;
    uint64_t left = items * PRODUCERS;
    while (left > 0) {
        wring__mail mail;
        if (!wring__mailbox_pop(&consumer->box, &mail)) {
            sleep_until_woken(consumer);
            continue;
        }
        CHECK(mail.kind == 7 && mail.arg < PRODUCERS);
        CHECK(mail.value == consumer->next[mail.arg]); /* no loss, no repetition, in order */
        CHECK(mail.ref == (mail.value ^ mail.arg));
        consumer->next[mail.arg]++;
        left--;
    }
    return NULL;
}

static void check(struct consumer *consumer) {
    wring__mail mail;
    CHECK(!wring__mailbox_pop(&consumer->box, &mail)); /* and nothing beyond them */
    CHECK(atomic_load(&consumer->box.full) == atomic_load(&consumer->refused));
    CHECK(atomic_load(&consumer->wakes) <= consumer->announced);
    printf("mailbox %d: %llu items, %llu sleeps, %llu wakes, %llu refused as full\n",
           (int)(consumer - consumers), (unsigned long long)(items * PRODUCERS),
           (unsigned long long)consumer->sleeps, (unsigned long long)atomic_load(&consumer->wakes),
           (unsigned long long)atomic_load(&consumer->refused));
    wring__mailbox_deinit(&consumer->box);
    close(consumer->wake_fd);
}

/* ---- main ------------------------------------------------------------------------------------ */

static void options_read(int argc, char **argv) {
    uint64_t total = 640000;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--items") == 0 && i + 1 < argc) {
            total = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--stall") == 0) {
            stall = true;
        } else if (strcmp(argv[i], "--pace") == 0) {
            pace = true;
        } else {
            fputs("usage: thread-mailbox [--items N] [--stall] [--pace]\n", stderr);
            exit(2);
        }
    }
    items = (total + PRODUCERS * CONSUMERS - 1) / (PRODUCERS * CONSUMERS);
}

int main(int argc, char **argv) {
    pthread_t threads[PRODUCERS + CONSUMERS];
    struct timespec begin;
    struct timespec end;
    const struct sigaction action = {.sa_handler = stop_here, .sa_flags = SA_RESTART};
    options_read(argc, argv);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    atomic_store(&producing, PRODUCERS);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int c = 0; c < CONSUMERS; c++) {
        CHECK(wring__mailbox_init(&consumers[c].box, CELLS) == WRING_OK);
        consumers[c].wake_fd = eventfd(0, EFD_CLOEXEC);
        CHECK(pthread_create(&threads[PRODUCERS + c], NULL, consume, &consumers[c]) == 0);
    }
    for (uintptr_t p = 0; p < PRODUCERS; p++) {
        CHECK(pthread_create(&threads[p], NULL, produce, (void *)p) == 0);
    }
    if (stall) {
        stall_producers(threads);
    }
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++) {
        pthread_join(threads[i], NULL);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    for (int c = 0; c < CONSUMERS; c++) {
        check(&consumers[c]);
    }
    const double seconds =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    printf("%llu items in %.1f s: none lost, none twice, all in order; %llu stalls in a push\n",
           (unsigned long long)(items * PRODUCERS * CONSUMERS), seconds,
           (unsigned long long)atomic_load(&stalled_in_push));
    return 0;
}
