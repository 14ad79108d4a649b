/* SPDX-License-Identifier: Apache-2.0
 *
 * What may be changed, asked and told while a server runs, by a thread that is none of its workers:
 * policies of routes, rules of topics, subscriptions of others, visits, statistics, the log.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wring/wring.h"

#define WAIT_MS 20000
#define WORKERS 2

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define ROUTE(...)                                                                                 \
    { .struct_size = sizeof(wring_route), __VA_ARGS__ }
#define RULE(...)                                                                                  \
    { .struct_size = sizeof(wring_topic_rule), __VA_ARGS__ }

/* ---- the log --------------------------------------------------------------------------------- */

#define RECORDS_MAX 256

static struct record {
    char event[32], text[256], peer[64], reason[64];
    wring_log_level level;
    uint64_t repeats;
} records[RECORDS_MAX];
static size_t record_count;
static pthread_mutex_t records_lock = PTHREAD_MUTEX_INITIALIZER;

static void field_keep(struct record *record, const wring_log_field *field) {
    char *into = strcmp(field->name, "peer") == 0     ? record->peer
                 : strcmp(field->name, "reason") == 0 ? record->reason
                                                      : NULL;
    if (into != NULL) {
        snprintf(into, sizeof record->peer, "%s", field->value);
    }
}

static void log_write(const wring_log_record *record, void *opts) {
    CHECK(opts == records && record->struct_size == sizeof *record);
    pthread_mutex_lock(&records_lock);
    CHECK(record_count < RECORDS_MAX);
    struct record *kept = &records[record_count++];
    snprintf(kept->event, sizeof kept->event, "%s", record->event);
    snprintf(kept->text, sizeof kept->text, "%s", record->text);
    kept->level = record->level;
    kept->repeats = record->repeats;
    for (size_t i = 0; i < record->field_count; i++) {
        field_keep(kept, &record->fields[i]);
    }
    pthread_mutex_unlock(&records_lock);
}

/* How many there are of an event; the first and the sum of `repeats`. */
static size_t logged(const char *event, struct record *first, uint64_t *repeats) {
    size_t count = 0;
    pthread_mutex_lock(&records_lock);
    for (size_t i = record_count; i-- > 0;) {
        if (strcmp(records[i].event, event) == 0) {
            *first = records[i];
            *repeats += records[i].repeats;
            count++;
        }
    }
    pthread_mutex_unlock(&records_lock);
    return count;
}

/* ---- the server ------------------------------------------------------------------------------ */

/* "+TOPIC" subscribes, "!N" is told to set_policy from within, all else is echoed. */
static wring_verdict on_message(wring_session *session, const wring_message *message) {
    if (message->opcode != WRING_TEXT) {
        return WRING_CONTINUE;
    }
    CHECK(wring_session_opts(session) == records);
    if (message->payload.len > 1 && message->payload.data[0] == '+') {
        CHECK(wring_session_subscribe(
                  session, wring_bytes_of(message->payload.data + 1, message->payload.len - 1)) ==
              WRING_OK);
    } else if (message->payload.len > 1 && message->payload.data[0] == '!') {
        const wring_policy policy = {.struct_size = sizeof policy, .subscriptions_max = 1};
        CHECK(wring_server_set_policy(wring_session_server(session), "/here", &policy, NULL) ==
              WRING_OK);
    }
    const wring_frame frame = wring_frame_text(message->payload);
    return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

static const wring_handler echo = {
    .struct_size = sizeof echo, .name = "echo", .handle_in = on_message};

static wring_server *server;
static wring_pool *pool;

static void begin(void) {
    const wring_log_config log = {.struct_size = sizeof log,
                                  .level = WRING_LOG_INFO,
                                  .write = log_write,
                                  .opts = records,
                                  .repeat_burst = 3,
                                  .repeat_interval_ms = 600000};
    const wring_route routes[] = {ROUTE(.path = "/a", .handler = &echo, .opts = records),
                                  ROUTE(.path = "/b", .handler = &echo, .opts = records),
                                  ROUTE(.path = "/here", .handler = &echo, .opts = records)};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = WORKERS,
                                        .unpinned = true,
                                        .routes = routes,
                                        .route_count = 3,
                                        .log = &log};
    wring_error error;
    CHECK(wring_server_create(&config, &server, &error) == WRING_OK);
    CHECK(wring_server_start(server, &error) == WRING_OK);
    CHECK(wring_pool_create(NULL, &pool, &error) == WRING_OK);
}

static wring_client *dial(const char *path) {
    char url[64];
    wring_client *client;
    wring_error error;
    snprintf(url, sizeof url, "ws://127.0.0.1:%u%s", wring_server_port(server), path);
    CHECK(wring_client_create(wring_pool_loop(pool), url, NULL, &client, &error) == WRING_OK);
    CHECK(wring_client_wait(client, WAIT_MS, &error) == WRING_OK);
    return client;
}

static void say(wring_client *client, const char *text) {
    const wring_frame frame = wring_frame_text(wring_str(text));
    CHECK(wring_client_send(client, &frame, 1) == WRING_OK);
}

static void hear(wring_client *client, const char *text) {
    wring_message message;
    CHECK(wring_client_receive(client, WAIT_MS, &message) == WRING_OK);
    CHECK(wring_bytes_equal(message.payload, wring_str(text)));
}

static void ask(wring_client *client, const char *text) {
    say(client, text);
    hear(client, text);
}

static uint16_t close_code_of(wring_client *client) {
    wring_end end = {.struct_size = sizeof end};
    CHECK(wring_client_wait_closed(client, WAIT_MS, &end) == WRING_OK);
    return end.close_code;
}

static wring_server_stats stats_now(void) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    CHECK(wring_server_get_stats(server, &stats) == WRING_OK);
    return stats;
}

/* ---- policies -------------------------------------------------------------------------------- */

static const char long_text[] = "a message of more than thirty-two bytes, and not of many more";

static void limits_change_without_dropping_anyone(void) {
    wring_session_config limits = {.struct_size = sizeof limits, .message_bytes_max = 32};
    const wring_policy small = {.struct_size = sizeof small, .session = &limits};
    wring_client *a = dial("/a");
    wring_client *other_a = dial("/a");
    wring_client *b = dial("/b");
    ask(a, long_text);
    CHECK(wring_server_set_policy(server, "/a", &small, NULL) == WRING_OK);
    ask(a, "short");
    ask(other_a, "short");
    ask(b, long_text);
    say(a, long_text);
    CHECK(close_code_of(a) == 1009);
    ask(other_a, "still here");
    CHECK(wring_server_refusals(server, WRING_ERR_MESSAGE_TOO_BIG) == 1);
    CHECK(wring_server_set_policy(server, "/a", NULL, NULL) == WRING_OK);
    ask(other_a, long_text);
    wring_client_destroy(a);
    wring_client_destroy(other_a);
    wring_client_destroy(b);
}

/* Nothing is sent or received after the change: the timeout has to be looked for. */
static void a_timeout_reaches_sessions_that_are_silent(void) {
    wring_session_config limits = {.struct_size = sizeof limits, .idle_timeout_ms = 50};
    const wring_policy policy = {.struct_size = sizeof policy, .session = &limits};
    wring_client *b = dial("/b");
    wring_client *a = dial("/a");
    ask(b, "hello");
    CHECK(wring_server_set_policy(server, "/b", &policy, NULL) == WRING_OK);
    CHECK(close_code_of(b) == 1001);
    ask(a, "untouched");
    CHECK(wring_server_set_policy(server, "/b", NULL, NULL) == WRING_OK);
    wring_client_destroy(a);
    wring_client_destroy(b);
}

static void a_callback_may_change_a_policy(void) {
    wring_client *here = dial("/here");
    ask(here, "!1");
    ask(here, "+one");
    wring_server_stats before = stats_now();
    CHECK(before.subscriptions == 1 && before.topics == 1);
    wring_client_destroy(here);
}

/* ---- topics ---------------------------------------------------------------------------------- */

static void publish(const char *topic, const char *text, wring_result expected) {
    const wring_frame frame = wring_frame_text(wring_str(text));
    CHECK(wring_server_publish(server, wring_str(topic), &frame) == expected);
}

/* What this thread sends to the session afterwards: nothing came before it. */
static void heard_nothing(wring_client *client, wring_ref ref) {
    const wring_frame frame = wring_frame_text(wring_str("next"));
    CHECK(wring_ref_send(ref, &frame, 1) == WRING_OK);
    hear(client, "next");
}

static _Atomic wring_ref found;

static wring_verdict ref_tell(wring_session *session, void *opts) {
    (void)opts;
    atomic_store(&found, wring_session_ref(session));
    return WRING_CONTINUE;
}

/* The only session on the server. */
static wring_ref only_session(void) {
    atomic_store(&found, WRING_REF_NONE);
    const wring_visit visit = {.struct_size = sizeof visit, .session = ref_tell};
    for (uint32_t i = 0; i < WORKERS; i++) {
        CHECK(wring_server_visit(server, i, &visit) == WRING_OK);
    }
    while (atomic_load(&found) == WRING_REF_NONE) {
        usleep(1000);
    }
    return atomic_load(&found);
}

static void alone(void) {
    while (stats_now().sessions > 0) {
        usleep(1000);
    }
}

static void others_subscribe_and_unsubscribe(void) {
    alone();
    wring_client *client = dial("/a");
    ask(client, "hello");
    const wring_ref ref = only_session();
    CHECK(wring_ref_subscribe(ref, wring_str("")) == WRING_ERR_INVALID_ARGUMENT);
    CHECK(wring_ref_subscribe(ref, wring_str("news")) == WRING_OK);
    heard_nothing(client, ref); /* from here on it is subscribed */
    publish("news", "first", WRING_OK);
    hear(client, "first");
    CHECK(wring_ref_unsubscribe(ref, wring_str("news")) == WRING_OK);
    publish("news", "unheard", WRING_OK);
    heard_nothing(client, ref);
    ask(client, "+news");
    publish("news", "second", WRING_OK);
    hear(client, "second");
    CHECK(wring_server_unsubscribe_topic(server, wring_str("news")) == WRING_OK);
    publish("news", "unheard", WRING_OK);
    heard_nothing(client, ref);
    CHECK(stats_now().subscriptions == 0 && stats_now().topics == 0);
    wring_client_destroy(client);
    alone();
    CHECK(wring_ref_subscribe(ref, wring_str("news")) == WRING_OK); /* gone: counted, not lost */
    while (stats_now().mail_lost == 0) {
        usleep(1000);
    }
}

#define MEMBERS 12

static void a_topic_is_closed(void) {
    wring_client *members[MEMBERS];
    for (int i = 0; i < MEMBERS; i++) {
        members[i] = dial(i % 2 == 0 ? "/a" : "/b");
        ask(members[i], i == 0 ? "+other" : "+room");
    }
    publish("room", "goodbye", WRING_OK);
    CHECK(wring_server_close_topic(server, wring_str("room"), 4001, wring_str("closed")) ==
          WRING_OK);
    for (int i = 1; i < MEMBERS; i++) {
        hear(members[i], "goodbye");
        CHECK(close_code_of(members[i]) == 4001);
        wring_client_destroy(members[i]);
    }
    ask(members[0], "not a member");
    wring_client_destroy(members[0]);
}

static void rules_change(void) {
    const wring_topic_rule rules[] = {RULE(.name = "small*", .message_bytes_max = 8),
                                      RULE(.name = "*", .coalesce_us = 2000)};
    wring_client *client = dial("/a");
    ask(client, "+small/1");
    CHECK(wring_server_set_topic_rules(server, rules, 2, NULL) == WRING_OK);
    publish("small/1", "12345678", WRING_OK);
    publish("small/1", "123456789", WRING_ERR_MESSAGE_TOO_BIG);
    hear(client, "12345678");
    ask(client, "+later");
    publish("later", "gathered", WRING_OK);
    hear(client, "gathered");
    CHECK(wring_server_set_topic_rules(server, NULL, 0, NULL) == WRING_OK);
    publish("small/1", "123456789", WRING_OK);
    hear(client, "123456789");
    wring_client_destroy(client);
}

/* ---- visits ---------------------------------------------------------------------------------- */

#define CROWD 40

struct visitor {
    _Atomic unsigned seen, done, whole;
    _Atomic uint64_t told;
};

static wring_verdict visit_one(wring_session *session, void *opts) {
    struct visitor *visitor = opts;
    CHECK(wring_session_server(session) == server && wring_session_client(session) == NULL);
    const unsigned number = atomic_fetch_add(&visitor->seen, 1);
    return number % 2 == 0 ? WRING_CONTINUE : WRING_STOP;
}

static void visit_done(uint64_t visited, bool is_whole, void *opts) {
    struct visitor *visitor = opts;
    atomic_fetch_add(&visitor->told, visited);
    atomic_fetch_add(&visitor->whole, is_whole);
    atomic_fetch_add(&visitor->done, 1);
}

static void every_session_is_visited_once(void) {
    static struct visitor visitor;
    wring_client *crowd[CROWD];
    alone();
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = dial("/a");
    }
    const wring_visit visit = {
        .struct_size = sizeof visit, .session = visit_one, .done = visit_done, .opts = &visitor};
    for (uint32_t i = 0; i < WORKERS; i++) {
        CHECK(wring_server_visit(server, i, &visit) == WRING_OK);
    }
    CHECK(wring_server_visit(server, WORKERS, &visit) == WRING_ERR_INVALID_ARGUMENT);
    while (atomic_load(&visitor.done) < WORKERS) {
        usleep(1000);
    }
    CHECK(visitor.seen == CROWD && visitor.told == CROWD && visitor.whole == WORKERS);
    while (stats_now().sessions > CROWD / 2) { /* every other one was stopped */
        usleep(1000);
    }
    for (int i = 0; i < CROWD; i++) {
        wring_client_destroy(crowd[i]);
    }
    alone();
}

/* ---- refusals, the log ----------------------------------------------------------------------- */

static void request_nothing(void) {
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(wring_server_port(server)),
                                   .sin_addr = {htonl(INADDR_LOOPBACK)}};
    static const char request[] = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n";
    char answer[512];
    const int sock = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(sock, (const struct sockaddr *)&at, sizeof at) == 0);
    CHECK(send(sock, request, sizeof request - 1, 0) == (ssize_t)sizeof request - 1);
    const ssize_t len = recv(sock, answer, sizeof answer - 1, 0);
    CHECK(len > 12 && memcmp(answer, "HTTP/1.1 404", 12) == 0);
    close(sock);
}

#define REFUSED 25

static void refusals_are_counted_and_told_a_few_times(void) {
    struct record first = {.event = ""};
    uint64_t repeats = 0;
    for (int i = 0; i < REFUSED; i++) {
        request_nothing();
    }
    CHECK(wring_server_refusals(server, WRING_ERR_NOT_FOUND) == REFUSED);
    CHECK(wring_server_refusals(server, (wring_result)12345) == 0);
    CHECK(logged("request_refused", &first, &repeats) == 3 && repeats == 0);
    CHECK(first.level == WRING_LOG_INFO && strncmp(first.peer, "127.0.0.1:", 10) == 0);
    CHECK(strcmp(first.reason, "ERR_NOT_FOUND") == 0 && strstr(first.text, "404") != NULL);
}

static void the_end_is_told(void) {
    struct record first = {.event = ""};
    uint64_t repeats = 0;
    wring_pool_destroy(pool, 1000);
    const wring_server_stats last = stats_now();
    CHECK(last.rx_messages > 0 && last.tx_messages >= last.rx_messages && last.upgraded > CROWD);
    wring_server_stop(server, 1000);
    CHECK(logged("request_refused", &first, &repeats) == 3 && repeats == 0);
    CHECK(logged("records_left_out", &first, &repeats) >= 1 && repeats >= REFUSED - 3);
    CHECK(logged("started", &first, &repeats) == 1 && logged("stopped", &first, &repeats) == 1);
    CHECK(logged("policy_changed", &first, &repeats) > 1);
    const wring_visit visit = {.struct_size = sizeof visit, .session = visit_one};
    CHECK(wring_server_visit(server, 0, &visit) == WRING_ERR_CLOSED);
    wring_server_destroy(server);
}

int main(void) {
    begin();
    limits_change_without_dropping_anyone();
    a_timeout_reaches_sessions_that_are_silent();
    a_callback_may_change_a_policy();
    others_subscribe_and_unsubscribe();
    a_topic_is_closed();
    rules_change();
    every_session_is_visited_once();
    refusals_are_counted_and_told_a_few_times();
    the_end_is_told();
    CHECK(wring_version_number() == WRING_VERSION_NUMBER &&
          strcmp(wring_version(), WRING_VERSION) == 0);
    return 0;
}
