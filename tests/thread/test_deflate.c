/* SPDX-License-Identifier: Apache-2.0
 *
 * Published messages and compression over real threads: subscribers on three workers, with and
 * without takeover, with two windows, without compression; publishers on four threads at once. Each
 * subscriber gets every message of every publisher as it was and in order, and a message is
 * compressed once for each window, whoever and however many subscribe.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wring/wring.h"

#define WORKERS    3
#define CLIENTS    24
#define PUBLISHERS 4
#define MESSAGES   300
#define LEN        700

#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

static wring_server *server;
static atomic_uint subscribed;
static atomic_uint received;
static atomic_uint echoed;

/* ---- the server ------------------------------------------------------------------------------ */

static wring_verdict server_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    CHECK(wring_session_subscribe(session, wring_str("news")) == WRING_OK);
    return WRING_CONTINUE;
}

/* The answer passes through the connection's own compressor, between published messages. */
static wring_verdict server_in(wring_session *session, const wring_message *message) {
    const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
    if (message->opcode == WRING_TEXT) {
        CHECK(wring_session_send(session, &frame) == WRING_OK);
    }
    return WRING_CONTINUE;
}

/* ---- clients --------------------------------------------------------------------------------- */

struct seen {
    unsigned next[PUBLISHERS];
};

/* "publisher number " and then words that shrink. */
static size_t message_write(char out[LEN + 1], unsigned publisher, unsigned number) {
    int len = snprintf(out, LEN + 1, "%u %u ", publisher, number);
    while (len < LEN) {
        len += snprintf(out + len, (size_t)(LEN + 1 - len), "item %u of many, ", number);
    }
    return LEN;
}

static wring_verdict client_init(wring_session *session, const wring_request *request, void *opts) {
    (void)session;
    (void)request;
    (void)opts;
    atomic_fetch_add(&subscribed, 1);
    return WRING_CONTINUE;
}

static wring_verdict client_in(wring_session *session, const wring_message *message) {
    struct seen *seen = wring_session_user(session);
    char want[LEN + 1];
    unsigned publisher, number;
    if (message->opcode == WRING_TEXT) {
        atomic_fetch_add(&echoed, 1);
        return WRING_CONTINUE;
    }
    if (message->opcode != WRING_BINARY) {
        return WRING_CONTINUE;
    }
    CHECK(message->payload.len == LEN);
    memcpy(want, message->payload.data, LEN);
    want[LEN] = 0;
    CHECK(sscanf(want, "%u %u", &publisher, &number) == 2 && publisher < PUBLISHERS);
    CHECK(number == seen->next[publisher]++);
    (void)message_write(want, publisher, number);
    CHECK(memcmp(want, message->payload.data, LEN) == 0);
    if (number % 16 == 0) { /* something of our own on this connection */
        const wring_frame frame = wring_frame_text(wring_bytes_of(want, LEN));
        CHECK(wring_session_send(session, &frame) == WRING_OK);
    }
    atomic_fetch_add(&received, 1);
    return WRING_CONTINUE;
}

static wring_client *client_start(wring_pool *pool, unsigned kind) {
    static const wring_handler handler = {.struct_size = sizeof handler,
                                          .name = "subscriber",
                                          .state_size = sizeof(struct seen),
                                          .init = client_init,
                                          .handle_in = client_in};
    const wring_deflate_config deflate = {.struct_size = sizeof deflate,
                                          .server_context_takeover = kind == 2,
                                          .client_context_takeover = kind == 2,
                                          .server_max_window_bits = kind == 3 ? 10 : 15};
    const wring_client_config config = {
        .struct_size = sizeof config, .handler = &handler, .deflate = kind == 0 ? NULL : &deflate};
    wring_client *client;
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", wring_server_port(server));
    CHECK(wring_client_create(wring_pool_loop(pool), url, &config, &client, NULL) == WRING_OK);
    CHECK(wring_client_wait(client, 10000, NULL) == WRING_OK);
    return client;
}

/* ---- publishers ------------------------------------------------------------------------------ */

static void *publish(void *number) {
    const unsigned self = (unsigned)(uintptr_t)number;
    char text[LEN + 1];
    for (unsigned i = 0; i < MESSAGES; i++) {
        const size_t len = message_write(text, self, i);
        const wring_frame frame = wring_frame_binary(wring_bytes_of(text, len));
        CHECK(wring_server_publish(server, wring_str("news"), &frame) == WRING_OK);
    }
    return NULL;
}

static void wait_for(const atomic_uint *counter, unsigned want, const char *what) {
    for (unsigned i = 0; atomic_load(counter) < want; i++) {
        if (i > 60000) {
            fprintf(stderr, "FAILED: %u of %u %s\n", atomic_load(counter), want, what);
            abort();
        }
        usleep(1000);
    }
}

int main(void) {
    static const wring_handler handler = {
        .struct_size = sizeof handler, .name = "news", .init = server_init, .handle_in = server_in};
    const wring_deflate_config deflate = {.struct_size = sizeof deflate,
                                          .server_context_takeover = true,
                                          .client_context_takeover = true,
                                          .server_max_window_bits = 15};
    const wring_policy policy = {.struct_size = sizeof policy, .deflate = &deflate};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = WORKERS,
                                        .handler = &handler,
                                        .policy = &policy,
                                        .unpinned = true};
    wring_pool *pool;
    wring_client *clients[CLIENTS];
    pthread_t threads[PUBLISHERS];
    wring_deflate_stats of_connections = {.struct_size = sizeof of_connections};
    wring_server_stats stats = {.struct_size = sizeof stats, .deflate = &of_connections};
    CHECK(wring_server_create(&config, &server, NULL) == WRING_OK);
    CHECK(wring_server_start(server, NULL) == WRING_OK);
    CHECK(wring_pool_create(NULL, &pool, NULL) == WRING_OK);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = client_start(pool, i % 4);
    }
    wait_for(&subscribed, CLIENTS, "subscribers");
    wring_server_get_stats(server, &stats);
    CHECK(stats.deflate_connections == CLIENTS * 3 / 4);
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, publish, (void *)(uintptr_t)i) == 0);
    }
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        pthread_join(threads[i], NULL);
    }
    wait_for(&received, CLIENTS * PUBLISHERS * MESSAGES, "messages");
    wait_for(&echoed, CLIENTS * PUBLISHERS * ((MESSAGES + 15) / 16), "echoes");
    wring_server_get_stats(server, &stats);
    printf("%u messages to %u subscribers: compressed %llu times, %llu to %llu bytes\n",
           PUBLISHERS * MESSAGES, CLIENTS, (unsigned long long)stats.deflate_published,
           (unsigned long long)stats.deflate_published_bytes_before,
           (unsigned long long)stats.deflate_published_bytes_after);
    CHECK(stats.deflate_published == 2 * PUBLISHERS * MESSAGES); /* windows of 15 and of 10 */
    CHECK(stats.deflate_published_bytes_after * 3 < stats.deflate_published_bytes_before);
    CHECK(of_connections.tx_messages > 0 && of_connections.rx_messages > 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        wring_client_destroy(clients[i]);
    }
    wring_pool_destroy(pool, 1000);
    wring_server_stop(server, 1000);
    wring_server_get_stats(server, &stats);
    CHECK(stats.deflate_connections == 0 && of_connections.context_bytes == 0);
    wring_server_destroy(server);
    return 0;
}
