/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/TOUR.md is what a message really does: one is followed from the socket of one worker to the
 * socket of another, and the functions it passes are those of the page, in that order. The stops
 * (WRING_TRACE_STOP) exist in debug builds only; elsewhere this is skipped.
 *
 *     thread-tour PATH-OF-TOUR.md
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/trace.h"
#include "wring/wring.h"

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#ifndef WRING_DEBUG

int main(void) {
    puts("skipped: the stops are in debug builds only");
    return 77;
}

#else

#define STOPS_MAX    64
#define THREADS_MAX  16
#define CLIENTS_MAX  64
#define WAIT_MS      20000
#define FIRST_WORKER 0

struct walk {
    const char *stops[STOPS_MAX];
    size_t count;
    pthread_t thread;
};

static struct walk walks[THREADS_MAX];
static _Atomic unsigned walk_count;
static _Atomic bool armed;
static _Thread_local struct walk *mine;
static pthread_t worker_threads[2];

static void on_stop(const char *function) {
    if (!atomic_load(&armed)) {
        return;
    }
    if (mine == NULL) {
        mine = &walks[atomic_fetch_add(&walk_count, 1)];
        mine->thread = pthread_self();
    }
    if (mine->count < STOPS_MAX) {
        mine->stops[mine->count++] = function;
    }
}

/* ---- the application ------------------------------------------------------------------------- */

static wring_server *server;

static unsigned worker_of(const wring_session *session) {
    unsigned worker = 0;
    while (wring_server_loop(server, worker) != wring_session_loop(session)) {
        CHECK(++worker < wring_server_worker_count(server));
    }
    return worker;
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)opts;
    char text[16];
    const unsigned worker = worker_of(session);
    worker_threads[worker] = pthread_self();
    if (wring_bytes_equal(request->path, wring_str("/listen")) &&
        wring_session_subscribe(session, wring_str("tour")) != WRING_OK) {
        return WRING_STOP;
    }
    const int len = snprintf(text, sizeof text, "%u", worker);
    const wring_frame frame = {WRING_TEXT, 0, 0, wring_bytes_of(text, (size_t)len)};
    return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

static wring_verdict on_message(wring_session *session, const wring_message *message) {
    (void)session;
    const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
    return wring_server_publish(server, wring_str("tour"), &frame) == WRING_OK ? WRING_CONTINUE
                                                                               : WRING_STOP;
}

static const wring_handler handler = {
    .struct_size = sizeof handler, .name = "tour", .init = on_init, .handle_in = on_message};

/* ---- the message ----------------------------------------------------------------------------- */

/* A client whose session is on that worker: which one accepts is the kernel's choice. */
static wring_client *client_on(wring_pool *pool, const char *path, char worker) {
    char url[64];
    (void)snprintf(url, sizeof url, "ws://127.0.0.1:%u%s", wring_server_port(server), path);
    for (int i = 0; i < CLIENTS_MAX; i++) {
        wring_client *client;
        wring_error error;
        wring_message message;
        CHECK(wring_client_create(wring_pool_loop(pool), url, NULL, &client, &error) == WRING_OK);
        CHECK(wring_client_wait(client, WAIT_MS, &error) == WRING_OK);
        CHECK(wring_client_receive(client, WAIT_MS, &message) == WRING_OK);
        if (message.payload.data[0] == (uint8_t)worker) {
            return client;
        }
        wring_client_destroy(client);
    }
    fprintf(stderr, "no connection came to worker %c\n", worker);
    exit(1);
}

static const struct walk *walk_of(pthread_t thread) {
    for (unsigned i = 0; i < atomic_load(&walk_count); i++) {
        if (pthread_equal(walks[i].thread, thread)) {
            return &walks[i];
        }
    }
    fprintf(stderr, "a worker passed no stop\n");
    exit(1);
}

static size_t find(const struct walk *walk, size_t from, const char *stop) {
    while (from < walk->count && strcmp(walk->stops[from], stop) != 0) {
        from++;
    }
    return from;
}

/* From the turn in which the bytes of the second message came to the moment it is handed out. The
 * turn of the first had begun before anybody looked. */
static size_t arrival(const struct walk *walk, const char **out) {
    const size_t first = find(walk, 0, "hand_out");
    const size_t received = find(walk, first, "wring__recv_push");
    const size_t handed = find(walk, received, "hand_out");
    CHECK(handed < walk->count && received >= 2);
    size_t n = 0;
    for (size_t i = received - 2; i <= handed; i++) {
        out[n++] = walk->stops[i];
    }
    return n;
}

/* From the mailbox of the other worker to its send. */
static size_t departure(const struct walk *walk, const char **out) {
    const size_t taken = find(walk, 0, "wring__deliver");
    const size_t sent = find(walk, taken, "wring__conn_send");
    CHECK(sent < walk->count);
    size_t n = 0;
    for (size_t i = taken; i <= sent; i++) {
        out[n++] = walk->stops[i];
    }
    return n;
}

/* ---- the page -------------------------------------------------------------------------------- */

static size_t page_read(const char *path, char names[STOPS_MAX][64]) {
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    char line[512];
    size_t count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        char source[64];
        int number;
        if (sscanf(line, "%d. `%63[^:]:%63[a-z_0-9]`", &number, source, names[count]) == 3) {
            CHECK(++count < STOPS_MAX);
        }
    }
    fclose(file);
    return count;
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    const wring_server_config config = {
        .struct_size = sizeof config, .workers = 2, .handler = &handler, .unpinned = true};
    wring_error error;
    wring_pool *pool;
    wring__trace_on_stop = on_stop;
    CHECK(wring_server_create(&config, &server, &error) == WRING_OK);
    if (wring_server_start(server, &error) == WRING_ERR_BACKEND) {
        printf("skipped: %s\n", error.text);
        return 77;
    }
    CHECK(wring_pool_create(NULL, &pool, &error) == WRING_OK);
    wring_client *sender = client_on(pool, "/send", '0');
    wring_client *listener = client_on(pool, "/listen", '1');

    wring_message message;
    const wring_frame frame = {WRING_TEXT, 0, 0, wring_str("a small text message")};
    atomic_store(&armed, true);
    for (int i = 0; i < 2; i++) {
        CHECK(wring_client_send(sender, &frame, 1) == WRING_OK);
        CHECK(wring_client_receive(listener, WAIT_MS, &message) == WRING_OK);
    }
    atomic_store(&armed, false);
    wring_client_destroy(sender);
    wring_client_destroy(listener);
    wring_pool_destroy(pool, 1000);
    wring_server_stop(server, 1000);
    wring_server_destroy(server);

    const char *passed[2 * STOPS_MAX];
    size_t count = arrival(walk_of(worker_threads[0]), passed);
    count += departure(walk_of(worker_threads[1]), passed + count);
    static char page[STOPS_MAX][64];
    const size_t stops = page_read(argv[1], page);
    bool same = count == stops && count > 0;
    for (size_t i = 0; i < count || i < stops; i++) {
        const char *really = i < count ? passed[i] : "-";
        const char *told = i < stops ? page[i] : "-";
        same = same && strcmp(really, told) == 0;
        printf("%2zu  %-28s %s\n", i + 1, really, told);
    }
    puts(same ? "docs/TOUR.md tells what happens" : "docs/TOUR.md (right) tells something else");
    return same ? 0 : 1;
}

#endif
