/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings that one thread replaces while others publish and sessions answer; and a TLS
 * configuration whose records are gone when it is read again. What slow sessions make of new
 * settings is in tests/sim/settings.c.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/certs/certs.h"
#include "wring/wring.h"

#define WAIT_MS  60000
#define WORKERS  2
#define MESSAGES 3000

#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

static wring_server *server;
static wring_pool *pool;

/* ---- the server ------------------------------------------------------------------------------ */

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    CHECK(wring_session_subscribe(session, wring_str("news")) == WRING_OK);
    const wring_frame frame = wring_frame_text(wring_str("subscribed"));
    CHECK(wring_session_send(session, &frame) == WRING_OK);
    return WRING_CONTINUE;
}

static const wring_handler handler = {
    .struct_size = sizeof handler, .name = "settings", .init = on_init};

static void begin(const wring_tls_server_config *tls) {
    const wring_policy policy = {.struct_size = sizeof policy, .send_hard_bytes = 64 << 20};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = WORKERS,
                                        .unpinned = true,
                                        .handler = &handler,
                                        .policy = &policy,
                                        .tls = tls};
    wring_error error = {.text = ""};
    if (wring_server_create(&config, &server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    CHECK(wring_pool_create(NULL, &pool, &error) == WRING_OK);
}

static void start(void) {
    wring_error error;
    CHECK(wring_server_start(server, &error) == WRING_OK);
}

static void end(void) {
    wring_pool_destroy(pool, 1000);
    wring_server_stop(server, 1000);
    wring_server_destroy(server);
}

static wring_client *dial(const char *scheme, const wring_tls_client_config *tls) {
    const wring_client_config config = {.struct_size = sizeof config, .tls = tls};
    char url[64];
    wring_client *client;
    wring_message message;
    wring_error error = {.text = ""};
    snprintf(url, sizeof url, "%s://localhost:%u/", scheme, wring_server_port(server));
    CHECK(wring_client_create(wring_pool_loop(pool), url, &config, &client, &error) == WRING_OK);
    if (wring_client_wait(client, WAIT_MS, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    CHECK(wring_client_receive(client, WAIT_MS, &message) == WRING_OK);
    CHECK(wring_bytes_equal(message.payload, wring_str("subscribed")));
    return client;
}

/* ---- one replaces, one publishes, two read --------------------------------------------------- */

static atomic_bool all_published;

static void *publish_all(void *arg) {
    char text[128];
    for (unsigned i = 0; i < MESSAGES; i++) {
        const int len = snprintf(text, sizeof text, "%-100u", i);
        const wring_frame frame = wring_frame_text(wring_bytes_of(text, (size_t)len));
        wring_result result = WRING_ERR_QUEUE_FULL;
        while (result == WRING_ERR_QUEUE_FULL) {
            result = wring_server_publish(server, wring_str("news"), &frame);
        }
        CHECK(result == WRING_OK);
    }
    atomic_store(&all_published, true);
    return arg;
}

static void *replace_all(void *arg) {
    const wring_deflate_config deflate[] = {
        {.struct_size = sizeof deflate[0], .message_bytes_min = 8, .level = 1},
        {.struct_size = sizeof deflate[0], .message_bytes_min = 8, .level = 9}};
    for (unsigned i = 0; !atomic_load(&all_published); i++) {
        const wring_topic_rule rule = {.struct_size = sizeof rule,
                                       .name = "n*",
                                       .slow_policy = WRING_SLOW_DEFAULT + i % 4,
                                       .compress = i % 3 == 0 ? WRING_COMPRESS_NEVER : 0,
                                       .coalesce_us = i % 2 == 0 ? WRING_OFF : 300};
        const wring_policy policy = {.struct_size = sizeof policy,
                                     .send_hard_bytes = 64 << 20,
                                     .send_soft_bytes = i % 2 == 0 ? 1000 : 100000,
                                     .messages_per_second = i % 3 == 0 ? 1000 : 0,
                                     .deflate = &deflate[i % 2]};
        CHECK(wring_server_set_topic_rules(server, &rule, i % 5 != 0, NULL) == WRING_OK);
        CHECK(wring_server_set_policy(server, NULL, &policy, NULL) == WRING_OK);
    }
    return arg;
}

/* In order to the last one; what was missed. Of a thousand that wait the oldest may be dropped. */
static unsigned read_all(wring_client *client) {
    unsigned next = 0;
    unsigned missed = 0;
    while (next < MESSAGES) {
        wring_message message;
        char text[128] = {0};
        CHECK(wring_client_receive(client, WAIT_MS, &message) == WRING_OK);
        CHECK(message.payload.len < sizeof text);
        memcpy(text, message.payload.data, message.payload.len);
        const unsigned number = (unsigned)strtoul(text, NULL, 10);
        CHECK(number >= next && number < MESSAGES);
        missed += number - next;
        next = number + 1;
    }
    return missed;
}

static void order_and_counts_hold_whatever_is_replaced(void) {
    pthread_t publisher;
    pthread_t replacer;
    unsigned missed = 0;
    wring_server_stats stats = {.struct_size = sizeof stats};
    begin(NULL);
    start();
    wring_client *clients[] = {dial("ws", NULL), dial("ws", NULL)};
    CHECK(pthread_create(&publisher, NULL, publish_all, NULL) == 0);
    CHECK(pthread_create(&replacer, NULL, replace_all, NULL) == 0);
    for (int i = 0; i < 2; i++) {
        missed += read_all(clients[i]);
    }
    pthread_join(publisher, NULL);
    pthread_join(replacer, NULL);
    CHECK(wring_server_get_stats(server, &stats) == WRING_OK);
    CHECK(stats.dropped_oldest == missed && stats.dropped_newest == 0 && stats.slow_ended == 0);
    for (int i = 0; i < 2; i++) {
        wring_client_destroy(clients[i]);
    }
    end();
}

/* ---- TLS ------------------------------------------------------------------------------------- */

/* Of records that are gone afterwards, and are not zeros. Only the list has the certificate that
 * clients accept. */
static void begin_with_tls(void) {
    wring_tls_sni *sni = malloc(sizeof *sni);
    wring_tls_server_config *tls = malloc(sizeof *tls);
    CHECK(sni != NULL && tls != NULL);
    *sni = (wring_tls_sni){.struct_size = sizeof *sni,
                           .server_name = "localhost",
                           .cert_file = cert_path("server.pem"),
                           .key_file = cert_path("server.key")};
    *tls = (wring_tls_server_config){.struct_size = sizeof *tls,
                                     .cert_file = cert_path("elsewhere.pem"),
                                     .key_file = cert_path("elsewhere.key"),
                                     .sni = sni,
                                     .sni_count = 1};
    begin(tls);
    memset(sni, 0xA5, sizeof *sni);
    memset(tls, 0xA5, sizeof *tls);
    free(sni);
    free(tls);
}

static void tls_is_read_again_without_the_records_it_was_given_in(void) {
    const struct cert_spec elsewhere = {.name = "elsewhere",
                                        .issuer = "ca",
                                        .common_name = "elsewhere",
                                        .alternatives = "DNS:elsewhere",
                                        .from_days = -1,
                                        .until_days = 30};
    const wring_tls_client_config trusts = {.struct_size = sizeof trusts,
                                            .ca_file = cert_path("ca.pem")};
    wring_error error = {.text = ""};
    cert_make(&elsewhere);
    begin_with_tls();
    start();
    wring_client *before = dial("wss", &trusts);
    for (int i = 0; i < 2; i++) {
        CHECK(wring_server_reload_tls(server, &error) == WRING_OK);
        wring_client *after = dial("wss", &trusts);
        wring_client_destroy(after);
    }
    wring_client_destroy(before);
    end();
}

int main(void) {
    certs_make_usual();
    order_and_counts_hold_whatever_is_replaced();
    tls_is_read_again_without_the_records_it_was_given_in();
    return 0;
}
