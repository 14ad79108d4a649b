/* SPDX-License-Identifier: Apache-2.0
 *
 * The admin port's thread: a poll loop over a few connections of the loopback. See admin.h.
 *
 * Blocking calls there are none; time is monotonic. A connection has one deadline for each whole
 * request and one for being idle between two, and is ended at either.
 */
#include "cli/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define CONNECTIONS_MAX 64
#define DEADLINE_MS     10000 /* a request, and the pause before the next one */
#define LINGER_MS       1000  /* reads on after a refusal, so that a reset does not overtake it */
#define BUFFER_FIRST    4096

struct connection {
    int fd; /* -1: free */
    uint8_t *in;
    size_t in_len;
    size_t in_cap;
    uint8_t *out; /* one response; nothing is read until it is gone */
    size_t out_len;
    size_t out_sent;
    int64_t deadline_ms;
    bool ends;    /* after this response */
    bool lingers; /* what comes is dropped, until the end of it */
    bool told_to_continue;
};

struct admin {
    admin_config config;
    pthread_t thread;
    int listener;
    int wake;
    uint16_t port;
    _Atomic bool ready;
    _Atomic bool stop;
    struct connection connections[CONNECTIONS_MAX];
};

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- one connection -------------------------------------------------------------------------- */

static void connection_end(struct connection *c) {
    close(c->fd);
    free(c->in);
    free(c->out);
    memset(c, 0, sizeof *c);
    c->fd = -1;
}

static bool out_set(struct connection *c, const admin_response *response) {
    c->out_len = response->head_len + response->body_len;
    c->out_sent = 0;
    c->out = malloc(c->out_len);
    if (c->out == NULL) {
        return false;
    }
    memcpy(c->out, response->head, response->head_len);
    memcpy(c->out + response->head_len, response->body, response->body_len);
    return true;
}

/* Sends what it can; false when the connection is over. */
static bool out_send(struct connection *c) {
    while (c->out != NULL) {
        ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        c->out_sent += (size_t)n;
        if (c->out_sent < c->out_len) {
            continue;
        }
        free(c->out);
        c->out = NULL;
        if (c->ends) {
            shutdown(c->fd, SHUT_WR);
            c->lingers = true;
            c->deadline_ms = now_ms() + LINGER_MS;
        }
    }
    return true;
}

/* Between two requests a connection holds no buffer. */
static void in_drop(struct connection *c, size_t count) {
    c->in_len -= count;
    if (c->in_len > 0) {
        memmove(c->in, c->in + count, c->in_len);
    } else {
        free(c->in);
        c->in = NULL;
        c->in_cap = 0;
    }
}

/* Answers what is whole, one after the other. */
static bool requests_answer(const admin *a, struct connection *c) {
    while (c->out == NULL && !c->lingers && c->in_len > 0) {
        admin_response response;
        enum admin_step step = admin_request(&a->config, atomic_load(&a->ready),
                                             (wring_bytes){c->in, c->in_len}, &response);
        if (step == ADMIN_MORE) {
            return true;
        }
        if (step == ADMIN_CONTINUE) {
            static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
            bool first = !c->told_to_continue;
            c->told_to_continue = true;
            return !first || send(c->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL | MSG_DONTWAIT) ==
                                 (ssize_t)sizeof go_on - 1;
        }
        if (!out_set(c, &response)) {
            return false;
        }
        c->told_to_continue = false;
        c->ends = !response.keep_alive;
        c->deadline_ms = now_ms() + DEADLINE_MS;
        in_drop(c, c->ends ? c->in_len : response.used);
        if (!out_send(c)) {
            return false;
        }
    }
    return true;
}

static bool in_reserve(const admin *a, struct connection *c) {
    const size_t most = ADMIN_HEAD_MAX + a->config.body_max;
    if (c->in_len < c->in_cap) {
        return true;
    }
    size_t cap = c->in_cap == 0 ? BUFFER_FIRST : c->in_cap * 2;
    cap = cap < most ? cap : most;
    uint8_t *grown = cap == c->in_cap ? NULL : realloc(c->in, cap);
    if (grown == NULL) {
        return false;
    }
    c->in = grown;
    c->in_cap = cap;
    return true;
}

static bool in_receive(const admin *a, struct connection *c) {
    uint8_t dropped[4096];
    if (!c->lingers && !in_reserve(a, c)) {
        return false;
    }
    uint8_t *to = c->lingers ? dropped : c->in + c->in_len;
    size_t room = c->lingers ? sizeof dropped : c->in_cap - c->in_len;
    ssize_t n = recv(c->fd, to, room, MSG_DONTWAIT);
    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    if (c->lingers) {
        return true;
    }
    if (c->in_len == 0) {
        c->deadline_ms = now_ms() + DEADLINE_MS; /* absolute: more bytes do not extend it */
    }
    c->in_len += (size_t)n;
    return requests_answer(a, c);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static struct connection *connection_free(admin *a) {
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (a->connections[i].fd < 0) {
            return &a->connections[i];
        }
    }
    return NULL;
}

static void accept_one(admin *a) {
    struct connection *c = connection_free(a);
    int fd = accept4(a->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    c->fd = fd;
    c->deadline_ms = now_ms() + DEADLINE_MS;
}

/* Fills in what to wait for; returns the longest wait in ms, -1 for ever. */
static int polls_fill(admin *a, struct pollfd *polls) {
    int64_t next = INT64_MAX;
    polls[0] = (struct pollfd){.fd = a->wake, .events = POLLIN};
    /* with every place taken the next ones wait in the listen queue */
    polls[1] =
        (struct pollfd){.fd = connection_free(a) == NULL ? -1 : a->listener, .events = POLLIN};
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        const struct connection *c = &a->connections[i];
        polls[2 + i] = (struct pollfd){.fd = c->fd, .events = c->out == NULL ? POLLIN : POLLOUT};
        next = c->fd >= 0 && c->deadline_ms < next ? c->deadline_ms : next;
    }
    if (next == INT64_MAX) {
        return -1;
    }
    const int64_t wait = next - now_ms();
    return wait < 0 ? 0 : (int)wait + 1;
}

static void connection_step(const admin *a, struct connection *c, short events) {
    bool alive = now_ms() < c->deadline_ms;
    if (alive && (events & POLLOUT) != 0) {
        alive = out_send(c) && requests_answer(a, c);
    } else if (alive && events != 0) {
        alive = in_receive(a, c);
    }
    if (!alive) {
        connection_end(c);
    }
}

static void *admin_run(void *arg) {
    admin *a = arg;
    struct pollfd polls[2 + CONNECTIONS_MAX];
    while (!atomic_load(&a->stop)) {
        int wait = polls_fill(a, polls);
        if (poll(polls, 2 + CONNECTIONS_MAX, wait) < 0) {
            continue;
        }
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
            if (polls[2 + i].fd >= 0) {
                connection_step(a, &a->connections[i], polls[2 + i].revents);
            }
        }
        if (polls[1].revents != 0) {
            accept_one(a);
        }
    }
    return NULL;
}

/* ---- start and stop -------------------------------------------------------------------------- */

static bool listener_open(admin *a) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(a->config.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    const int on = 1;
    a->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (a->listener < 0 || setsockopt(a->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(a->listener, (struct sockaddr *)&address, len) != 0 || listen(a->listener, 64) != 0 ||
        getsockname(a->listener, (struct sockaddr *)&address, &len) != 0) {
        return false;
    }
    a->port = ntohs(address.sin_port);
    return true;
}

static void admin_free(admin *a) {
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (a->connections[i].fd >= 0) {
            connection_end(&a->connections[i]);
        }
    }
    if (a->listener >= 0) {
        close(a->listener);
    }
    if (a->wake >= 0) {
        close(a->wake);
    }
    free(a);
}

admin *admin_start(const admin_config *config) {
    admin *a = calloc(1, sizeof *a);
    if (a == NULL) {
        cli_complain("no memory for the admin port");
        return NULL;
    }
    a->config = *config;
    atomic_store(&a->ready, true);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        a->connections[i].fd = -1;
    }
    a->listener = -1;
    a->wake = eventfd(0, EFD_CLOEXEC);
    if (a->wake < 0 || !listener_open(a)) {
        cli_complain("the admin port 127.0.0.1:%u: %s", config->port, strerror(errno));
        admin_free(a);
        return NULL;
    }
    int failed = pthread_create(&a->thread, NULL, admin_run, a);
    if (failed != 0) {
        cli_complain("the admin port's thread: %s", strerror(failed));
        admin_free(a);
        return NULL;
    }
    return a;
}

uint16_t admin_port(const admin *a) {
    return a->port;
}

void admin_set_ready(admin *a, bool ready) {
    atomic_store(&a->ready, ready);
}

void admin_stop(admin *a) {
    if (a == NULL) {
        return;
    }
    const uint64_t one = 1;
    atomic_store(&a->stop, true);
    ssize_t written = write(a->wake, &one, sizeof one);
    (void)written; /* cannot fail: the counter is far from its end */
    pthread_join(a->thread, NULL);
    admin_free(a);
}
