/* SPDX-License-Identifier: Apache-2.0
 *
 * Publishing to a server that is not there, comes up, runs, and goes: from a thread that knows
 * nothing of it. Nothing is touched that is not made yet or is freed already.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "wring/server.h"

#define ROUNDS  30
#define WORKERS 12

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static const wring_handler nothing = {.struct_size = sizeof nothing, .name = "nothing"};
static _Atomic bool over;
static _Atomic unsigned taken, refused;

static void *publish(void *server) {
    const wring_frame frame = {WRING_TEXT, 0, 0, wring_str("news")};
    while (!atomic_load(&over)) {
        const wring_result result = wring_server_publish(server, wring_str("topic"), &frame);
        CHECK(result == WRING_OK || result == WRING_ERR_CLOSED || result == WRING_ERR_QUEUE_FULL);
        atomic_fetch_add(result == WRING_ERR_CLOSED ? &refused : &taken, 1);
    }
    return NULL;
}

static void round_run(void) {
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = WORKERS,
                                        .handler = &nothing,
                                        .receive_buffers = 2,
                                        .receive_buffer_bytes = 256,
                                        .ring_entries = 8,
                                        .mailbox_items = 64,
                                        .unpinned = true};
    wring_server *server;
    wring_error error;
    pthread_t thread;
    CHECK(wring_server_create(&config, &server, &error) == WRING_OK);
    atomic_store(&over, false);
    const unsigned before = atomic_load(&refused);
    CHECK(pthread_create(&thread, NULL, publish, server) == 0);
    while (atomic_load(&refused) == before) { /* it is publishing, to no one yet */
    }
    CHECK(wring_server_start(server, &error) == WRING_OK);
    const unsigned running = atomic_load(&taken);
    while (atomic_load(&taken) == running) {
    }
    wring_server_stop(server, 100);
    const unsigned stopped = atomic_load(&refused);
    while (atomic_load(&refused) == stopped) {
    }
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    wring_server_destroy(server);
}

int main(void) {
    for (int i = 0; i < ROUNDS; i++) {
        round_run();
    }
    printf("%u publishes taken, %u refused\n", atomic_load(&taken), atomic_load(&refused));
    return 0;
}
