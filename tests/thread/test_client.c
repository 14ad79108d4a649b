/* SPDX-License-Identifier: Apache-2.0
 *
 * Clients and many threads: sent to, closed and destroyed from anywhere, on threads of a pool and
 * on the server's own workers. Usage: thread-client [rounds [http2]]. With "http2" they share
 * connections of HTTP/2.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wring/wring.h>

#include "client/client.h"
#include "tests/certs/certs.h"

#define THREADS 4
#define WAIT_MS 60000
#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

static unsigned rounds = 20;
static const wring_http2_config *http2; /* NULL: each has a connection */
static char url[64];
static wring_pool *pool;

/* ---- the server ------------------------------------------------------------------------------ */

static wring_verdict echo(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY) {
        const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
    }
    return WRING_CONTINUE;
}

#define MUCH_MESSAGES 4
#define MUCH_BYTES    (12u << 20)

#define FLOOD_MESSAGES 640
#define FLOOD_BYTES    65536

/* 40 MiB at once, each message with its number. */
static wring_verdict flood(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    uint8_t *data = calloc(1, FLOOD_BYTES);
    CHECK(data != NULL);
    for (uint32_t i = 0; i < FLOOD_MESSAGES; i++) {
        memcpy(data, &i, sizeof i);
        const wring_frame frame = wring_frame_binary(wring_bytes_of(data, FLOOD_BYTES));
        CHECK(wring_session_send(session, &frame) == WRING_OK);
    }
    free(data);
    return WRING_CONTINUE;
}

static const wring_handler echo_handler = {
    .struct_size = sizeof echo_handler, .name = "echo", .handle_in = echo};
static const wring_handler flood_handler = {
    .struct_size = sizeof flood_handler, .name = "flood", .init = flood};

static wring_server *server_run_with(uint16_t port, const wring_tls_server_config *tls) {
    static const wring_route routes[] = {
        {.struct_size = sizeof(wring_route), .path = "/echo", .handler = &echo_handler},
        {.struct_size = sizeof(wring_route), .path = "/flood", .handler = &flood_handler}};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .port = port,
                                        .workers = 2,
                                        .routes = routes,
                                        .route_count = 2,
                                        .tls = tls,
                                        .http2 = http2,
                                        .unpinned = true};
    wring_server *server = NULL;
    wring_error error;
    if (wring_server_create(&config, &server, &error) != WRING_OK ||
        wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(error.code == WRING_ERR_BACKEND ? 77 : 1);
    }
    return server;
}

static wring_server *server_run(uint16_t port) {
    wring_server *server = server_run_with(port, NULL);
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/echo", wring_server_port(server));
    return server;
}

/* Below the ports of outgoing connections: none takes it while the server is away, not even one of
 * its own client's, which would then be connected to itself. */
static uint16_t port_pick(void) {
    for (uint32_t i = (uint32_t)getpid();; i++) {
        const uint16_t port = (uint16_t)(10000 + i * 7919u % 20000);
        const struct sockaddr_in address = {.sin_family = AF_INET,
                                            .sin_port = htons(port),
                                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(fd >= 0);
        const bool free_now = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
        close(fd);
        if (free_now) {
            return port;
        }
    }
}

static wring_client *client_of(wring_loop loop, const char *to, const wring_client_config *config) {
    static const wring_client_config none = {.struct_size = sizeof none};
    wring_client_config own = config == NULL ? none : *config;
    wring_client *client = NULL;
    wring_error error;
    own.http2 = http2;
    if (wring_client_create(loop, to, &own, &client, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    return client;
}

static void on_threads(void *(*run)(void *)) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* ---- the blocking style, from several threads at once ---------------------------------------- */

static void *exchange_some(void *arg) {
    for (unsigned round = 0; round < rounds; round++) {
        wring_client *client = client_of(wring_pool_loop(pool), url, NULL);
        CHECK(wring_client_wait(client, WAIT_MS, NULL) == WRING_OK);
        for (int i = 0; i < 20; i++) {
            char text[64];
            wring_message answer;
            const int len = snprintf(text, sizeof text, "%p %u %d", arg, round, i);
            const wring_frame frame = wring_frame_text(wring_bytes_of(text, (size_t)len));
            CHECK(wring_client_ask(client, &frame, WAIT_MS, &answer) == WRING_OK);
            CHECK(wring_bytes_equal(answer.payload, frame.payload));
        }
        if (round % 2 == 0) {
            wring_end end = {.struct_size = sizeof end};
            wring_client_close(client, 4001, wring_str("done"));
            CHECK(wring_client_wait_closed(client, WAIT_MS, &end) == WRING_OK);
            CHECK(end.result == WRING_OK && end.close_code == 4001);
            wring_message none;
            CHECK(wring_client_receive(client, WAIT_MS, &none) == WRING_ERR_CLOSED);
        }
        wring_client_destroy(client);
    }
    return arg;
}

/* ---- one client, many senders ---------------------------------------------------------------- */

static wring_client *shared;
static atomic_uint heard[THREADS]; /* the next number of each sender */
static atomic_uint terminated;

static wring_verdict hear(wring_session *session, const wring_message *message) {
    (void)session;
    if (message->opcode == WRING_BINARY) {
        uint32_t said[2];
        CHECK(message->payload.len == sizeof said);
        memcpy(said, message->payload.data, sizeof said);
        CHECK(said[0] < THREADS && said[1] == heard[said[0]]);
        heard[said[0]]++;
    }
    return WRING_CONTINUE;
}

static void hear_no_more(wring_session *session, const wring_end *end) {
    (void)session;
    CHECK(end->result == WRING_OK);
    terminated++;
}

static const wring_handler hear_handler = {.struct_size = sizeof hear_handler,
                                           .name = "hear",
                                           .handle_in = hear,
                                           .terminate = hear_no_more};

static void *send_many(void *arg) {
    for (uint32_t i = 0; i < rounds * 50; i++) {
        const uint32_t said[2] = {(uint32_t)(uintptr_t)arg, i};
        const wring_frame frame = wring_frame_binary(wring_bytes_of(said, sizeof said));
        wring_result result;
        while ((result = wring_client_send(shared, &frame, 1)) == WRING_ERR_QUEUE_FULL) {
            usleep(100);
        }
        CHECK(result == WRING_OK);
    }
    return arg;
}

static void many_senders_keep_their_order(wring_loop loop) {
    const wring_client_config config = {.struct_size = sizeof config, .handler = &hear_handler};
    shared = client_of(loop, url, &config);
    CHECK(wring_client_wait(shared, WAIT_MS, NULL) == WRING_OK);
    terminated = 0;
    for (int i = 0; i < THREADS; i++) {
        heard[i] = 0;
    }
    on_threads(send_many);
    for (int i = 0; i < THREADS; i++) {
        while (heard[i] < rounds * 50) {
            usleep(1000);
        }
    }
    wring_client_close(shared, WRING_CLOSE_NORMAL, wring_str(""));
    CHECK(wring_client_wait_closed(shared, WAIT_MS, NULL) == WRING_OK);
    CHECK(terminated == 1);
    wring_client_destroy(shared);
}

/* A list behind a close that was sent first: taken, and then lost, all three of it. */
static void what_comes_too_late_is_counted(void) {
    wring_client *client = client_of(wring_pool_loop(pool), url, NULL);
    CHECK(wring_client_wait(client, WAIT_MS, NULL) == WRING_OK);
    const wring_ref ref = wring_client_ref(client);
    const wring_frame frame = wring_frame_text(wring_str("late"));
    const wring_frame frames[] = {frame, frame, frame};
    wring_pool_stats before = {.struct_size = sizeof before};
    wring_pool_stats after = {.struct_size = sizeof after};
    wring_pool_get_stats(pool, &before);
    CHECK(wring_ref_close(ref, WRING_CLOSE_NORMAL, wring_str("")) == WRING_OK);
    CHECK(wring_ref_send(ref, frames, 3) == WRING_OK);
    CHECK(wring_client_wait_closed(client, WAIT_MS, NULL) == WRING_OK);
    do {
        usleep(1000);
        wring_pool_get_stats(pool, &after);
    } while (after.mail_lost == before.mail_lost);
    CHECK(after.mail_lost == before.mail_lost + 3);
    CHECK(after.tx_bytes > before.tx_bytes && after.turns > before.turns);
    wring_client_destroy(client);
}

static void nothing_to_send_and_no_reason(void) {
    wring_client *client = client_of(wring_pool_loop(pool), url, NULL);
    CHECK(wring_client_wait(client, WAIT_MS, NULL) == WRING_OK);
    CHECK(wring_client_send(client, NULL, 0) == WRING_OK);
    CHECK(wring_client_send(client, NULL, 1) == WRING_ERR_INVALID_ARGUMENT);
    CHECK(wring_client_renew(client, WRING_OK, NULL) == WRING_ERR_INVALID_STATE);
    const wring_bytes missing = {NULL, 7};
    wring_end end = {.struct_size = sizeof end};
    wring_client_close(client, WRING_CLOSE_NORMAL, missing);
    CHECK(wring_client_wait_closed(client, WAIT_MS, &end) == WRING_OK);
    CHECK(end.result == WRING_OK && end.close_code == WRING_CLOSE_NORMAL);
    CHECK(wring_client_send(client, NULL, 0) == WRING_ERR_CLOSED);
    wring_client_destroy(client);
}

/* ---- renewals -------------------------------------------------------------------------------- */

static atomic_uint asked;

static wring_result renew_later(wring_client *client, wring_client_renewal *renewal, void *opts) {
    (void)client;
    (void)renewal;
    (void)opts;
    atomic_fetch_add(&asked, 1);
    return WRING_MORE;
}

/* Answers whatever is asked for, until the client is closed. */
static void *renew_all(void *arg) {
    wring_client *client = arg;
    const wring_header header = {wring_str("X-Token"), wring_str("t")};
    while (wring_client_get_status(client) != WRING_CLIENT_CLOSED) {
        const wring_client_renewal renewal = {
            .struct_size = sizeof renewal, .url = url, .headers = {&header, 1}};
        const wring_result result = wring_client_renew(client, WRING_OK, &renewal);
        CHECK(result == WRING_OK || result == WRING_ERR_INVALID_STATE ||
              result == WRING_ERR_CLOSED);
    }
    return NULL;
}

/* Several answer each question; each session is stopped at once, so that there is another. What
 * is renewed is not what a thread that receives meanwhile reads. */
static void each_attempt_is_renewed_once(void) {
    wring_client_config config = {.struct_size = sizeof config,
                                  .reconnect_min_ms = 1,
                                  .reconnect_max_ms = 1,
                                  .renew = renew_later};
    wring_client *client = client_of(wring_pool_loop(pool), url, &config);
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, renew_all, client) == 0);
    }
    while (atomic_load(&asked) < rounds) {
        const wring_ref ref = wring_client_ref(client);
        if (ref != WRING_REF_NONE) {
            const wring_result ignored = wring_ref_stop(ref);
            (void)ignored;
        }
        wring_message message;
        CHECK(wring_client_receive(client, 1, &message) == WRING_ERR_TIMEOUT);
    }
    wring_client_close(client, WRING_CLOSE_NORMAL, wring_str(""));
    CHECK(wring_client_wait_closed(client, WAIT_MS, NULL) == WRING_OK);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    wring_client_destroy(client);
}

/* ---- let go of at any moment ----------------------------------------------------------------- */

static void *connect_and_leave(void *arg) {
    for (unsigned i = 0; i < rounds * 5; i++) {
        wring_client *client = client_of(wring_pool_loop(pool), url, NULL);
        if (i % 3 == 1) {
            usleep(i * 37 % 1000);
        }
        if (i % 5 == 2) {
            const wring_frame frame = wring_frame_text(wring_str("perhaps"));
            (void)!wring_client_send(client, &frame, 1);
        }
        wring_client_destroy(client);
    }
    return arg;
}

/* ---- a full inbox ---------------------------------------------------------------------------- */

static void a_full_inbox_holds_the_server_back(const wring_server *server) {
    char to[64];
    snprintf(to, sizeof to, "ws://127.0.0.1:%u/flood", wring_server_port(server));
    const wring_client_config config = {.struct_size = sizeof config, .inbox_bytes = 1 << 20};
    wring_client *client = client_of(wring_pool_loop(pool), to, &config);
    wring_server_stats before = {.struct_size = sizeof before};
    wring_server_stats after = {.struct_size = sizeof after};
    wring_server_get_stats(server, &before);
    CHECK(wring_client_wait(client, WAIT_MS, NULL) == WRING_OK);
    usleep(500000);
    wring_server_get_stats(server, &after);
    CHECK(after.tx_bytes - before.tx_bytes < (uint64_t)FLOOD_MESSAGES * FLOOD_BYTES);
    for (uint32_t i = 0; i < FLOOD_MESSAGES; i++) {
        wring_message message;
        uint32_t number;
        CHECK(wring_client_receive(client, WAIT_MS, &message) == WRING_OK);
        CHECK(message.payload.len == FLOOD_BYTES);
        memcpy(&number, message.payload.data, sizeof number);
        CHECK(number == i);
    }
    wring_client_destroy(client);
}

static uint64_t inbox_of(wring_client *client, bool *is_full) {
    pthread_mutex_lock(&client->lock);
    const uint64_t bytes = client->inbox_bytes;
    *is_full = client->inbox_full;
    pthread_mutex_unlock(&client->lock);
    return bytes;
}

/* The same by what the inbox holds: with TLS nothing stopped the reading of it once. */
static void a_full_inbox_is_read_no_further_with_tls(void) {
    char to[64];
    certs_make_usual();
    const wring_tls_server_config server_tls = {.struct_size = sizeof server_tls,
                                                .cert_file = cert_path("server.pem"),
                                                .key_file = cert_path("server.key")};
    const wring_tls_client_config client_tls = {.struct_size = sizeof client_tls,
                                                .ca_file = cert_path("ca.pem")};
    const wring_client_config config = {
        .struct_size = sizeof config, .inbox_bytes = 1 << 20, .tls = &client_tls};
    wring_server *server = server_run_with(port_pick(), &server_tls);
    snprintf(to, sizeof to, "wss://127.0.0.1:%u/echo", wring_server_port(server));
    wring_client *client = client_of(wring_pool_loop(pool), to, &config);
    CHECK(wring_client_wait(client, WAIT_MS, NULL) == WRING_OK);
    static uint8_t data[4096];
    uint32_t sent = 0;
    bool full = false;
    for (; sent < 4000; sent++) { /* what comes back comes in small records */
        memcpy(data, &sent, sizeof sent);
        const wring_frame frame = wring_frame_binary(wring_bytes_of(data, sizeof data));
        if (wring_client_send(client, &frame, 1) != WRING_OK) {
            break;
        }
        usleep(sent % 4 == 0 ? 100 : 0);
        CHECK(inbox_of(client, &full) < 2 << 20);
    }
    CHECK(sent > 512); /* more than the inbox takes */
    while (!full) {
        (void)inbox_of(client, &full);
        usleep(1000);
    }
    for (uint32_t i = 0; i < sent; i++) {
        wring_message message;
        uint32_t number;
        CHECK(inbox_of(client, &full) < 2 << 20);
        CHECK(wring_client_receive(client, WAIT_MS, &message) == WRING_OK);
        memcpy(&number, message.payload.data, sizeof number);
        CHECK(message.payload.len == sizeof data && number == i);
    }
    wring_client_destroy(client);
    wring_server_stop(server, 1000);
    wring_server_destroy(server);
}

static atomic_int gone_with; /* a close code; 0: not gone yet */

static void on_gone(wring_client *client, const wring_client_report *report, void *opts) {
    (void)client;
    (void)opts;
    if (report->status == WRING_CLIENT_CLOSED) {
        CHECK(report->result == WRING_OK); /* and not the timeout, though nobody receives */
        gone_with = report->close_code;
    }
}

static void given_up_with_a_full_inbox_it_closes_in_order(const wring_server *server) {
    static const wring_session_config session = {.struct_size = sizeof session,
                                                 .close_timeout_ms = WAIT_MS};
    char to[64];
    snprintf(to, sizeof to, "ws://127.0.0.1:%u/flood", wring_server_port(server));
    for (int closes_first = 0; closes_first < 2; closes_first++) {
        const wring_client_config config = {.struct_size = sizeof config,
                                            .inbox_bytes = 1 << 20,
                                            .session = &session,
                                            .on_status = on_gone};
        wring_client *client = client_of(wring_pool_loop(pool), to, &config);
        gone_with = 0;
        CHECK(wring_client_wait(client, WAIT_MS, NULL) == WRING_OK);
        if (closes_first) { /* the inbox fills while it closes */
            wring_client_close(client, WRING_CLOSE_NORMAL, wring_str(""));
            CHECK(wring_client_wait_closed(client, 200, NULL) == WRING_ERR_TIMEOUT);
        }
        wring_client_destroy(client);
        while (gone_with == 0) {
            usleep(1000);
        }
        CHECK(gone_with == WRING_CLOSE_NORMAL);
    }
}

/* Far more than sockets hold, in both directions at once: the client reads while it sends. */
static void much_at_once_comes_back(const wring_server *server) {
    char to[64];
    uint8_t *data = calloc(1, MUCH_BYTES);
    CHECK(data != NULL);
    snprintf(to, sizeof to, "ws://127.0.0.1:%u/echo", wring_server_port(server));
    const wring_client_config config = {.struct_size = sizeof config, .inbox_bytes = 1u << 30};
    wring_client *client = client_of(wring_pool_loop(pool), to, &config);
    CHECK(wring_client_wait(client, WAIT_MS, NULL) == WRING_OK);
    for (uint32_t i = 0; i < MUCH_MESSAGES; i++) {
        memcpy(data, &i, sizeof i);
        const wring_frame frame = wring_frame_binary(wring_bytes_of(data, MUCH_BYTES));
        CHECK(wring_client_send(client, &frame, 1) == WRING_OK);
    }
    free(data);
    for (uint32_t i = 0; i < MUCH_MESSAGES; i++) {
        wring_message message;
        CHECK(wring_client_receive(client, WAIT_MS, &message) == WRING_OK);
        CHECK(message.payload.len == MUCH_BYTES && memcmp(message.payload.data, &i, sizeof i) == 0);
    }
    wring_client_destroy(client);
}

/* ---- servers that end, loops that end -------------------------------------------------------- */

static void back_when_the_server_is(wring_server **server) {
    const uint16_t port = wring_server_port(*server);
    const wring_client_config config = {
        .struct_size = sizeof config, .reconnect_min_ms = 5, .reconnect_max_ms = 50};
    wring_client *client = client_of(wring_pool_loop(pool), url, &config);
    for (int life = 0; life < 3; life++) {
        const wring_frame frame = wring_frame_text(wring_str("still there?"));
        wring_message answer;
        CHECK(wring_client_wait(client, WAIT_MS, NULL) == WRING_OK);
        CHECK(wring_client_ask(client, &frame, WAIT_MS, &answer) == WRING_OK);
        wring_server_stop(*server, 1000);
        wring_server_destroy(*server);
        while (wring_client_get_status(client) == WRING_CLIENT_OPEN) {
            usleep(1000);
        }
        *server = server_run(port);
    }
    wring_client_destroy(client);
}

/* What a long message was put together in is kept for the next one. */
static wring_client *client_that_keeps(wring_loop loop) {
    static const uint8_t data[100000];
    const wring_frame frame = wring_frame_binary(wring_bytes_of(data, sizeof data));
    wring_client *client = client_of(loop, url, NULL);
    wring_message answer;
    CHECK(wring_client_wait(client, WAIT_MS, NULL) == WRING_OK);
    CHECK(wring_client_ask(client, &frame, WAIT_MS, &answer) == WRING_OK);
    CHECK(answer.payload.len == sizeof data);
    return client;
}

/* Clients outlive their loops, with nothing left that is the loop's. */
static void loops_that_end(wring_server *server) {
    const wring_loop loop = wring_server_loop(server, 1);
    wring_client *guest = client_that_keeps(loop);
    wring_client *other = client_that_keeps(wring_pool_loop(pool));
    wring_server_stop(server, 2000); /* its own guest included */
    CHECK(wring_client_wait_closed(guest, WAIT_MS, NULL) == WRING_OK);
    CHECK(wring_client_wait_closed(other, WAIT_MS, NULL) == WRING_OK);
    wring_server_destroy(server);

    const wring_loop pooled = wring_pool_loop(pool);
    const wring_client_config again = {.struct_size = sizeof again, .reconnect_min_ms = 10};
    wring_client *waiting = client_of(pooled, url, &again); /* nobody listens any more */
    wring_pool_destroy(pool, 1000);
    CHECK(wring_client_wait_closed(waiting, WAIT_MS, NULL) == WRING_OK);
    const wring_frame frame = wring_frame_text(wring_str("late"));
    CHECK(wring_client_send(waiting, &frame, 1) == WRING_ERR_CLOSED);
    wring_client *none;
    CHECK(wring_client_create(pooled, url, NULL, &none, NULL) == WRING_ERR_CLOSED);
    CHECK(wring_client_create(loop, url, NULL, &none, NULL) == WRING_ERR_CLOSED);
    CHECK(wring_client_create(WRING_LOOP_NONE, url, NULL, &none, NULL) == WRING_ERR_CLOSED);
    wring_client_destroy(guest);
    wring_client_destroy(other);
    wring_client_destroy(waiting);
}

/* That is what this run is about. */
static void connections_are_shared(const wring_server *server) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    CHECK(wring_server_get_stats(server, &stats) == WRING_OK);
    CHECK(http2 == NULL ? stats.http2_connections == 0
                        : stats.http2_connections > 0 && stats.http2_streams >= THREADS * rounds);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        rounds = (unsigned)strtoul(argv[1], NULL, 10);
    }
    static const wring_http2_config prior = {.struct_size = sizeof prior, .cleartext = true};
    http2 = argc > 2 ? &prior : NULL;
    wring_server *server = server_run(port_pick());
    const wring_pool_config config = {.struct_size = sizeof config, .threads = 2};
    CHECK(wring_pool_create(&config, &pool, NULL) == WRING_OK);
    on_threads(exchange_some);
    connections_are_shared(server);
    many_senders_keep_their_order(wring_pool_loop(pool));
    many_senders_keep_their_order(wring_server_loop(server, 0)); /* a client of its own server */
    what_comes_too_late_is_counted();
    nothing_to_send_and_no_reason();
    each_attempt_is_renewed_once();
    on_threads(connect_and_leave);
    a_full_inbox_holds_the_server_back(server);
    a_full_inbox_is_read_no_further_with_tls();
    given_up_with_a_full_inbox_it_closes_in_order(server);
    much_at_once_comes_back(server);
    back_when_the_server_is(&server);
    loops_that_end(server);
    return 0;
}
