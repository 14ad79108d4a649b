/* SPDX-License-Identifier: Apache-2.0
 *
 * Exchanges that other threads answer: late, twice, when they are over, when their connection has
 * the next one, when their server stops or is gone; between clients that read everything, leave, or
 * reset. Each request has a number, and so has its answer.
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

#define ROUNDS       6 /* the odd ones end in the middle */
#define WORKERS      3
#define ANSWERERS    4
#define CLIENTS      4
#define CONNECTIONS  60 /* of a client, in a round */
#define REQUESTS_MAX 5  /* of a connection */
#define IDS_MAX      (ROUNDS * CLIENTS * CONNECTIONS * REQUESTS_MAX + 1)
#define JOBS_MAX     (2 * IDS_MAX)
#define OLD_MAX      100
#define GIVEN_MAX    (4 * IDS_MAX)

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Of a request, by its number. */
static struct { _Atomic unsigned requested, done, stopped; } asks[IDS_MAX];
static _Atomic unsigned id_count = 1;

/* What was accepted with. */
static struct given {
    _Atomic unsigned init, lost;
    unsigned id;
    bool is_taken;
} given_list[GIVEN_MAX];
static _Atomic unsigned given_count;

struct job {
    wring_ref ref;
    unsigned id;
    bool is_hook;
};
static struct job jobs[JOBS_MAX];
static unsigned job_count;
static pthread_mutex_t jobs_lock = PTHREAD_MUTEX_INITIALIZER;

static _Atomic bool is_stopping, is_over;
static _Atomic uint64_t whole, refused, upgraded, cut, closed_refs;
static uint16_t port;

static unsigned dice(unsigned *seed, unsigned bound) {
    return (unsigned)rand_r(seed) % bound;
}

static void job_add(struct job job) {
    pthread_mutex_lock(&jobs_lock);
    if (job_count < JOBS_MAX) {
        jobs[job_count++] = job;
    }
    pthread_mutex_unlock(&jobs_lock);
}

static bool job_take(unsigned *seed, struct job *job) {
    pthread_mutex_lock(&jobs_lock);
    const bool has = job_count > 0;
    if (has) {
        const unsigned at = dice(seed, job_count);
        *job = jobs[at];
        jobs[at] = jobs[--job_count];
    }
    pthread_mutex_unlock(&jobs_lock);
    return has;
}

/* Refs that nobody uses while their exchange goes on. */
static struct job old[OLD_MAX];
static unsigned old_count;

static void old_add(const struct job *job) {
    pthread_mutex_lock(&jobs_lock);
    if (old_count < OLD_MAX) {
        old[old_count++] = *job;
    }
    pthread_mutex_unlock(&jobs_lock);
}

/* ---- the server ------------------------------------------------------------------------------ */

static unsigned number_of(wring_bytes text) {
    char digits[12] = {0};
    CHECK(text.len > 0 && text.len < sizeof digits);
    memcpy(digits, text.data, text.len);
    const unsigned number = (unsigned)strtoul(digits, NULL, 10);
    CHECK(number > 0 && number < IDS_MAX);
    return number;
}

static void on_request(wring_exchange *exchange, const wring_request *request, void *opts) {
    const unsigned id = number_of(request->query);
    wring_ref ref;
    CHECK(atomic_fetch_add(&asks[id].requested, 1) == 0);
    CHECK(wring_exchange_ref(exchange, &ref) == WRING_OK);
    job_add((struct job){ref, id, opts != NULL});
}

static void on_done(wring_exchange *exchange, const wring_exchange_end *end) {
    const unsigned id = number_of(wring_exchange_request(exchange)->query);
    CHECK(end->result != WRING_OK || end->status != 0);
    CHECK(atomic_load(&asks[id].requested) == 1 && atomic_fetch_add(&asks[id].done, 1) == 0);
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    struct given *given = request->accept_data;
    (void)session;
    (void)opts;
    CHECK(given != NULL && given->id == number_of(request->query));
    CHECK(atomic_fetch_add(&given->init, 1) == 0 && atomic_load(&given->lost) == 0);
    return WRING_CONTINUE;
}

static void on_lost(void *data) {
    struct given *given = data;
    CHECK(atomic_fetch_add(&given->lost, 1) == 0 && atomic_load(&given->init) == 0);
}

static wring_server *server_begin(void) {
    static const wring_http_handler late = {
        .struct_size = sizeof late, .name = "late", .request = on_request, .done = on_done};
    static const wring_handler sessions = {
        .struct_size = sizeof sessions, .name = "sessions", .init = on_init};
    static char is_hook;
    const wring_route routes[] = {{.struct_size = sizeof routes[0], .path = "/late", .http = &late},
                                  {.struct_size = sizeof routes[0],
                                   .path = "/hook",
                                   .handler = &sessions,
                                   .upgrade = &late,
                                   .opts = &is_hook}};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = WORKERS,
                                        .unpinned = true,
                                        .routes = routes,
                                        .route_count = 2,
                                        .mailbox_items = 64,
                                        .handshake_timeout_ms = 500,
                                        .answer_timeout_ms = 300};
    wring_server *server;
    wring_error error;
    CHECK(wring_server_create(&config, &server, &error) == WRING_OK);
    CHECK(wring_server_start(server, &error) == WRING_OK);
    port = wring_server_port(server);
    return server;
}

/* ---- who answers ----------------------------------------------------------------------------- */

static wring_result answer(const struct job *job) {
    char text[16];
    snprintf(text, sizeof text, "%u", job->id);
    const wring_header header = {wring_str("X-Id"), wring_str(text)};
    const wring_answer answer = {.struct_size = sizeof answer,
                                 .status = job->is_hook ? 403 : 200,
                                 .headers = {&header, 1},
                                 .body = wring_str(text)};
    return wring_ref_answer(job->ref, &answer);
}

static wring_result accept_it(const struct job *job) {
    char text[16];
    snprintf(text, sizeof text, "%u", job->id);
    const wring_header header = {wring_str("X-Id"), wring_str(text)};
    const unsigned at = atomic_fetch_add(&given_count, 1);
    CHECK(at < GIVEN_MAX);
    struct given *given = &given_list[at];
    given->id = job->id;
    const wring_accept accept = {
        .struct_size = sizeof accept, .headers = {&header, 1}, .data = given, .lost = on_lost};
    const wring_result result = wring_ref_accept(job->ref, &accept);
    given->is_taken = result == WRING_OK;
    return result;
}

static void job_run(const struct job *job, unsigned *seed) {
    const unsigned way = dice(seed, 16);
    if (way == 0) {
        old_add(job);
        return; /* the ref is dropped: its deadline ends it */
    }
    wring_result result;
    if (way == 1) {
        atomic_store(&asks[job->id].stopped, 1);
        result = wring_ref_stop(job->ref);
    } else {
        result = job->is_hook && way % 2 == 0 ? accept_it(job) : answer(job);
    }
    CHECK(result == WRING_OK || result == WRING_ERR_CLOSED || result == WRING_ERR_QUEUE_FULL);
    atomic_fetch_add(&closed_refs, result == WRING_ERR_CLOSED);
    if (result == WRING_ERR_QUEUE_FULL || way % 4 == 3) {
        job_add(*job); /* again, or for another thread as well */
    }
}

static void *answerer_run(void *number) {
    unsigned seed = (unsigned)(uintptr_t)number;
    while (!atomic_load(&is_over)) {
        struct job job;
        if (job_take(&seed, &job)) {
            job_run(&job, &seed);
        } else {
            usleep(100);
        }
    }
    return NULL;
}

/* ---- who asks -------------------------------------------------------------------------------- */

struct client {
    unsigned seed;
    int fd;
    unsigned ids[REQUESTS_MAX];
    unsigned count;
    unsigned next; /* the first that has no answer yet */
    bool has_hook; /* the last one is an upgrade */
    bool is_last;  /* the last answer ends the connection */
    char in[8192];
    size_t in_len;
};

static bool client_dial(struct client *client) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const struct timeval patience = {.tv_sec = 60};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(client->fd >= 0);
    CHECK(setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    if (connect(client->fd, (const struct sockaddr *)&address, sizeof address) == 0) {
        return true;
    }
    CHECK(atomic_load(&is_stopping));
    close(client->fd);
    return false;
}

static void client_ask(struct client *client) {
    char out[2048];
    size_t len = 0;
    client->count = 1 + dice(&client->seed, REQUESTS_MAX);
    client->has_hook = dice(&client->seed, 3) == 0;
    for (unsigned i = 0; i < client->count; i++) {
        const bool is_hook = client->has_hook && i == client->count - 1;
        client->ids[i] = atomic_fetch_add(&id_count, 1);
        len += (size_t)snprintf(
            out + len, sizeof out - len, "GET /%s?%u HTTP/1.1\r\nHost: h\r\n%s\r\n",
            is_hook ? "hook" : "late", client->ids[i],
            is_hook ? "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    : "");
    }
    CHECK(len < sizeof out);
    (void)!send(client->fd, out, len, MSG_NOSIGNAL);
}

/* Takes one answer off what came; false: it is not there whole. */
static bool answer_take(struct client *client) {
    client->in[client->in_len] = 0;
    const char *end = strstr(client->in, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    char head[sizeof client->in];
    const size_t head_len = (size_t)(end - client->in) + 4;
    memcpy(head, client->in, head_len);
    head[head_len] = 0;
    const char *length = strstr(head, "Content-Length: ");
    const char *id = strstr(head, "X-Id: ");
    const size_t body_len = length == NULL ? 0 : strtoul(length + 16, NULL, 10);
    const unsigned long status = strtoul(head + 9, NULL, 10);
    if (client->in_len < head_len + body_len) {
        return false;
    }
    CHECK(client->next < client->count && !client->is_last); /* nobody is answered twice */
    const bool is_hook = client->has_hook && client->next == client->count - 1;
    CHECK(status == 503 || status == (is_hook ? 403 : 200) || (is_hook && status == 101));
    CHECK((status == 503) == (id == NULL));
    CHECK(id == NULL || strtoul(id + 6, NULL, 10) == client->ids[client->next]);
    client->is_last = strstr(head, "Connection: close\r\n") != NULL || status == 101;
    atomic_fetch_add(status == 101 ? &upgraded : status == 200 ? &whole : &refused, 1);
    client->next++;
    client->in_len -= head_len + body_len;
    memmove(client->in, client->in + head_len + body_len, client->in_len);
    return status != 101;
}

/* Somebody's wring_ref_stop ends the connection at once; answers before it may be queued still. */
static bool is_stopped(const struct client *client) {
    for (unsigned i = client->next; i < client->count; i++) {
        if (atomic_load(&asks[client->ids[i]].stopped) == 1) {
            return true;
        }
    }
    return false;
}

static void client_read(struct client *client) {
    while (client->next < client->count && !client->is_last) {
        const size_t room = sizeof client->in - 1 - client->in_len;
        const ssize_t got = recv(client->fd, client->in + client->in_len, room, 0);
        if (got <= 0) {
            CHECK(atomic_load(&is_stopping) || is_stopped(client));
            atomic_fetch_add(&cut, 1);
            return;
        }
        client->in_len += (size_t)got;
        while (answer_take(client)) {
        }
        if (dice(&client->seed, 20) == 0) {
            return; /* it has enough */
        }
    }
}

static void *client_run(void *number) {
    struct client client = {.seed = 1000 + (unsigned)(uintptr_t)number};
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        const struct linger reset = {.l_onoff = 1};
        client.next = 0;
        client.in_len = 0;
        client.is_last = false;
        if (!client_dial(&client)) {
            break;
        }
        client_ask(&client);
        if (dice(&client.seed, 6) > 0) {
            client_read(&client);
        }
        if (dice(&client.seed, 3) == 0) {
            (void)setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        close(client.fd);
    }
    return NULL;
}

/* ---- a round --------------------------------------------------------------------------------- */

static void round_check(unsigned first_id, unsigned first_given) {
    for (unsigned i = first_id; i < atomic_load(&id_count); i++) {
        CHECK(atomic_load(&asks[i].requested) == atomic_load(&asks[i].done));
    }
    for (unsigned i = first_given; i < atomic_load(&given_count); i++) {
        struct given *given = &given_list[i];
        CHECK(atomic_load(&given->init) + atomic_load(&given->lost) == (given->is_taken ? 1u : 0u));
    }
}

/* Refs of a server that is gone. Most stay for the next round, whose exchanges they do not name. */
static void old_refs_check(void) {
    job_count = 0;
    for (unsigned i = 0; i < old_count; i++) {
        CHECK(answer(&old[i]) == WRING_ERR_CLOSED);
        atomic_fetch_add(&closed_refs, 1);
        job_add(old[i]);
    }
    old_count = 0;
}

static void round_run(unsigned number) {
    const unsigned first_id = atomic_load(&id_count);
    const unsigned first_given = atomic_load(&given_count);
    pthread_t clients[CLIENTS];
    pthread_t answerers[ANSWERERS];
    atomic_store(&is_stopping, false);
    atomic_store(&is_over, false);
    wring_server *server = server_begin();
    for (uintptr_t i = 0; i < ANSWERERS; i++) {
        const uintptr_t seed = number * 100 + i;
        CHECK(pthread_create(&answerers[i], NULL, answerer_run, (void *)seed) == 0);
    }
    for (uintptr_t i = 0; i < CLIENTS; i++) {
        const uintptr_t seed = number * 100 + i;
        CHECK(pthread_create(&clients[i], NULL, client_run, (void *)seed) == 0);
    }
    if (number % 2 == 1) {
        while (atomic_load(&id_count) - first_id < CLIENTS * CONNECTIONS) {
            usleep(200);
        }
        atomic_store(&is_stopping, true);
        wring_server_stop(server, number % 4 == 1 ? 0 : 100);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        CHECK(pthread_join(clients[i], NULL) == 0);
    }
    wring_server_stop(server, 100); /* refs are out */
    atomic_store(&is_over, true);
    for (unsigned i = 0; i < ANSWERERS; i++) {
        CHECK(pthread_join(answerers[i], NULL) == 0);
    }
    wring_server_destroy(server);
    round_check(first_id, first_given);
    old_refs_check();
}

int main(void) {
    for (unsigned i = 0; i < ROUNDS; i++) {
        round_run(i);
    }
    printf("%llu answered, %llu refused, %llu upgraded, %llu cut; %llu answers after the end\n",
           (unsigned long long)atomic_load(&whole), (unsigned long long)atomic_load(&refused),
           (unsigned long long)atomic_load(&upgraded), (unsigned long long)atomic_load(&cut),
           (unsigned long long)atomic_load(&closed_refs));
    CHECK(atomic_load(&whole) > 0 && atomic_load(&upgraded) > 0 && atomic_load(&closed_refs) > 0);
    return 0;
}
