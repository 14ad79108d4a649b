/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts and sessions shared by threads: four of them shake hands over the same contexts and
 * resume each other's sessions, while a fifth replaces the server's context as a reload does.
 * Usage: thread-tls [handshakes of each thread].
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/tls.h"
#include "tests/certs/certs.h"

#define THREADS 4
#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

static wring__tls_context *client;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static wring__tls_context *server;   /* under lock */
static wring__tls_session *exchange; /* under lock */
static atomic_uint resumed;
static atomic_uint running;
static unsigned handshakes = 100;

static wring__tls_context *server_make(wring__tls_context *previous) {
    wring_tls_server_config config = {.struct_size = sizeof config,
                                      .cert_file = cert_path("server.pem"),
                                      .key_file = cert_path("server.key")};
    wring__tls_context *context = NULL;
    CHECK(wring__tls_context_server(&config, previous, &context, NULL) == WRING_OK);
    return context;
}

static bool carry(wring__outq *from, wring__tls *to) {
    uint8_t plain[256];
    uint8_t block[4096];
    struct iovec iov;
    size_t n;
    bool moved = from->bytes > 0;
    while (wring__outq_gather(from, &iov, 1) == 1) {
        size_t len = iov.iov_len < sizeof block ? iov.iov_len : sizeof block;
        memcpy(block, iov.iov_base, len);
        wring__outq_consume(from, NULL, len);
        CHECK(wring__tls_receive(to, (wring_mut_bytes){block, len}) == WRING_OK);
        CHECK(wring__tls_read(to, plain, sizeof plain, &n) == WRING_MORE);
    }
    return moved;
}

static void shake_hands(void) {
    wring__outq out[2] = {{0}, {0}};
    wring__tls *ends[2] = {NULL, NULL};
    pthread_mutex_lock(&lock);
    wring__tls_context *current = wring__tls_context_ref(server);
    wring__tls_session *session = exchange;
    exchange = NULL;
    pthread_mutex_unlock(&lock);
    wring__tls_options options = {.out = &out[0], .server_name = "localhost", .session = session};
    CHECK(wring__tls_create(client, &options, &ends[0]) == WRING_OK);
    options = (wring__tls_options){.out = &out[1]};
    CHECK(wring__tls_create(current, &options, &ends[1]) == WRING_OK);
    wring__tls_session_destroy(session);
    wring__tls_context_unref(current);
    CHECK(wring__tls_handshake(ends[0]) == WRING_MORE);
    while (carry(&out[0], ends[1]) || carry(&out[1], ends[0])) {
    }
    CHECK(wring__tls_state_of(ends[0]) == WRING__TLS_OPEN);
    CHECK(wring__tls_state_of(ends[1]) == WRING__TLS_OPEN);
    resumed += wring__tls_info_of(ends[0]).resumed;
    session = wring__tls_take_session(ends[0]);
    pthread_mutex_lock(&lock);
    wring__tls_session *old = exchange;
    exchange = session;
    pthread_mutex_unlock(&lock);
    wring__tls_session_destroy(old);
    for (int i = 0; i < 2; i++) {
        wring__tls_destroy(ends[i]);
        wring__outq_deinit(&out[i], NULL);
    }
}

static void *worker(void *arg) {
    for (unsigned i = 0; i < handshakes; i++) {
        shake_hands();
    }
    running--;
    return arg;
}

static void reload_while_running(void) {
    while (running > 0) {
        wring__tls_context *fresh = server_make(server); /* only this thread writes it */
        pthread_mutex_lock(&lock);
        wring__tls_context *old = server;
        server = fresh;
        pthread_mutex_unlock(&lock);
        wring__tls_context_unref(old);
        usleep(2000);
    }
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    if (argc > 1) {
        handshakes = (unsigned)strtoul(argv[1], NULL, 10);
    }
    certs_make_usual();
    server = server_make(NULL);
    wring_tls_client_config config = {.struct_size = sizeof config, .ca_file = cert_path("ca.pem")};
    CHECK(wring__tls_context_client(&config, &client, NULL) == WRING_OK);
    running = THREADS;
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, worker, NULL) == 0);
    }
    reload_while_running();
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    wring__tls_session_destroy(exchange);
    wring__tls_context_unref(client);
    wring__tls_context_unref(server);
    printf("%u handshakes, %u resumed\n", THREADS * handshakes, resumed);
    CHECK(handshakes < 2 || resumed > 0);
    return 0;
}
