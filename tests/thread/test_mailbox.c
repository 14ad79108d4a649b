/* SPDX-License-Identifier: Apache-2.0
 *
 * Eight producers, four mailboxes with consumers that really sleep: every item arrives once, in its
 * producer's order, and no consumer sleeps with an item present. Usage: thread-mailbox [items].
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/mailbox.h"

#define PRODUCERS 8
#define CONSUMERS 4

#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

static uint64_t items; /* of each producer to each consumer */

static struct consumer {
    wring__mailbox box;
    int wake_fd;
    uint64_t sleeps;
    _Atomic uint64_t wakes;
    uint64_t next[PRODUCERS];
} consumers[CONSUMERS];

static void push(struct consumer *consumer, const wring__mail *mail) {
    bool must_wake = false;
    while (wring__mailbox_push(&consumer->box, mail, &must_wake) != WRING_OK) {
        sched_yield(); /* full: an answer, not a block */
    }
    if (must_wake) {
        const uint64_t one = 1;
        atomic_fetch_add(&consumer->wakes, 1);
        CHECK(write(consumer->wake_fd, &one, sizeof one) == (ssize_t)sizeof one);
    }
}

static void *produce(void *arg) {
    uint32_t self = (uint32_t)(uintptr_t)arg;
    for (uint64_t i = 0; i < items; i++) {
        for (int c = 0; c < CONSUMERS; c++) {
            wring__mail mail = {.kind = 7, .arg = self, .value = i, .ref = i ^ self};
            push(&consumers[c], &mail);
        }
    }
    return NULL;
}

static void sleep_until_woken(struct consumer *consumer) {
    if (wring__mailbox_prepare_sleep(&consumer->box)) {
        struct pollfd fd = {consumer->wake_fd, POLLIN, 0};
        uint64_t value;
        consumer->sleeps++;
        /* a lost wake-up shows here: nobody else would end this wait */
        CHECK(poll(&fd, 1, 60000) == 1);
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

int main(int argc, char **argv) {
    pthread_t threads[PRODUCERS + CONSUMERS];
    items = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
    for (int c = 0; c < CONSUMERS; c++) {
        CHECK(wring__mailbox_init(&consumers[c].box, 256) == WRING_OK);
        consumers[c].wake_fd = eventfd(0, EFD_CLOEXEC);
        CHECK(pthread_create(&threads[PRODUCERS + c], NULL, consume, &consumers[c]) == 0);
    }
    for (uintptr_t p = 0; p < PRODUCERS; p++) {
        CHECK(pthread_create(&threads[p], NULL, produce, (void *)p) == 0);
    }
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int c = 0; c < CONSUMERS; c++) {
        printf("mailbox %d: %llu items, %llu sleeps, %llu wakes, %llu refused as full\n", c,
               (unsigned long long)(items * PRODUCERS), (unsigned long long)consumers[c].sleeps,
               (unsigned long long)consumers[c].wakes, (unsigned long long)consumers[c].box.full);
        wring__mailbox_deinit(&consumers[c].box);
        close(consumers[c].wake_fd);
    }
    return 0;
}
