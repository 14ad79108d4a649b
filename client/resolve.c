/* SPDX-License-Identifier: Apache-2.0
 *
 * The only file that knows c-ares: one channel for each name, so that a changed resolv.conf is
 * seen, its sockets waited for by the worker's ring. See resolve.h.
 */
#include "client/resolve.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

struct socket_watch {
    wring__watch watch;
    wring__resolve *resolve;
    ares_socket_t socket;
    uint32_t events; /* 0: unused */
};

struct wring__resolve {
    wring__worker *worker;
    ares_channel channel;
    wring__task task; /* c-ares' own timeouts; and telling the end outside its callbacks */
    struct socket_watch sockets[ARES_GETSOCK_MAXNUM];
    void (*done)(void *owner, const wring__addresses *addresses, const wring_error *error);
    void *owner;
    wring__addresses addresses;
    wring_error error;
    uint16_t port;
    bool is_over;
    bool must_cancel; /* a socket could not be waited for: the task ends it */
};

static wring__resolver test_resolver;

void wring__resolve_set_test(wring__resolver resolver) {
    test_resolver = resolver;
}

static uint16_t test_server_port;

void wring__resolve_set_test_server(uint16_t port) {
    test_server_port = port;
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_status;

static void library_init(void) {
    library_status = ares_library_init(ARES_LIB_INIT_ALL);
}

bool wring__address_parse(const char *text, uint16_t port, wring__address *out) {
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        out->len = sizeof out->v4;
        return true;
    }
    if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        out->len = sizeof out->v6;
        return true;
    }
    return false;
}

/* ---- c-ares in the loop ---------------------------------------------------------------------- */

/* May run within a callback of c-ares, where it must not be told to cancel: it would go on with a
 * query that it has freed. */
static void rearm(struct socket_watch *socket) {
    wring__resolve *resolve = socket->resolve;
    if (socket->events != 0 && socket->watch.generation == 0 &&
        wring__worker_watch(resolve->worker, &socket->watch, socket->socket, socket->events) !=
            WRING_OK) {
        resolve->must_cancel = true;
    }
}

static void schedule(wring__resolve *resolve) {
    struct timeval left;
    if (resolve->is_over || resolve->must_cancel) {
        wring__worker_schedule(resolve->worker, &resolve->task, resolve->worker->now);
    } else if (ares_timeout(resolve->channel, NULL, &left) != NULL) {
        const wring_duration_ns wait = (wring_duration_ns)left.tv_sec * WRING_NS_PER_SEC +
                                       (wring_duration_ns)left.tv_usec * 1000 + WRING_NS_PER_MS;
        wring__worker_schedule(resolve->worker, &resolve->task, resolve->worker->now + wait);
    }
}

static void on_ready(wring__watch *watch, int32_t events) {
    struct socket_watch *socket = WRING_CONTAINER_OF(watch, struct socket_watch, watch);
    wring__resolve *resolve = socket->resolve;
    const bool readable = events < 0 || (events & (POLLIN | POLLERR | POLLHUP)) != 0;
    const bool writable = events < 0 || (events & (POLLOUT | POLLERR | POLLHUP)) != 0;
    ares_process_fd(resolve->channel, readable ? socket->socket : ARES_SOCKET_BAD,
                    writable ? socket->socket : ARES_SOCKET_BAD);
    rearm(socket);
    schedule(resolve);
}

/* What c-ares wants to know of a socket; nothing, before it closes it. */
static void on_socket(void *arg, ares_socket_t descriptor, int readable, int writable) {
    wring__resolve *resolve = arg;
    struct socket_watch *unused = NULL;
    struct socket_watch *found = NULL;
    for (size_t i = 0; i < WRING_ARRAY_LEN(resolve->sockets); i++) {
        struct socket_watch *socket = &resolve->sockets[i];
        if (socket->events == 0) {
            unused = socket;
        } else if (socket->socket == descriptor) {
            found = socket;
        }
    }
    if (found == NULL) {
        found = unused;
    }
    if (found == NULL) {
        return; /* more sockets than it promised: that server's answer is not seen */
    }
    wring__worker_unwatch(resolve->worker, &found->watch);
    found->watch.ready = on_ready;
    found->resolve = resolve;
    found->socket = descriptor;
    found->events = (readable ? POLLIN : 0u) | (writable ? POLLOUT : 0u);
    rearm(found);
}

static void addresses_take(wring__resolve *resolve, const struct ares_addrinfo *info) {
    wring__addresses *out = &resolve->addresses;
    for (const struct ares_addrinfo_node *node = info->nodes;
         node != NULL && out->count < WRING__ADDRESSES_MAX; node = node->ai_next) {
        wring__address *address = &out->list[out->count];
        if (node->ai_family == AF_INET && node->ai_addrlen == sizeof address->v4) {
            memcpy(&address->v4, node->ai_addr, sizeof address->v4);
            address->v4.sin_port = htons(resolve->port);
        } else if (node->ai_family == AF_INET6 && node->ai_addrlen == sizeof address->v6) {
            memcpy(&address->v6, node->ai_addr, sizeof address->v6);
            address->v6.sin6_port = htons(resolve->port);
        } else {
            continue;
        }
        address->len = node->ai_addrlen;
        out->count++;
    }
}

static void on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *info) {
    (void)timeouts;
    wring__resolve *resolve = arg;
    if (info != NULL) {
        addresses_take(resolve, info);
        ares_freeaddrinfo(info);
    }
    if (resolve->addresses.count == 0) {
        (void)wring_error_set(&resolve->error, WRING_ERR_ADDRESS, 0, "%s",
                              status == ARES_SUCCESS ? "it has no address" : ares_strerror(status));
    }
    resolve->is_over = true; /* told by the task: not from within c-ares */
}

static void resolve_free(wring__resolve *resolve) {
    wring__worker_unschedule(resolve->worker, &resolve->task);
    if (resolve->channel != NULL) {
        ares_destroy(resolve->channel);
    }
    for (size_t i = 0; i < WRING_ARRAY_LEN(resolve->sockets); i++) {
        wring__worker_unwatch(resolve->worker, &resolve->sockets[i].watch);
    }
    free(resolve);
}

static void on_task(wring__task *task) {
    wring__resolve *resolve = WRING_CONTAINER_OF(task, wring__resolve, task);
    if (!resolve->is_over) {
        if (resolve->must_cancel) {
            resolve->must_cancel = false;
            ares_cancel(resolve->channel); /* the end is told as any other failure */
        } else {
            ares_process_fd(resolve->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        }
        schedule(resolve);
        return;
    }
    resolve->done(resolve->owner, &resolve->addresses, &resolve->error);
    resolve_free(resolve);
}

static void test_resolve(wring__resolve *resolve, const char *host) {
    wring_duration_ns after = 0;
    wring_result result = test_resolver(host, resolve->port, &resolve->addresses, &after);
    if (result != WRING_OK) {
        (void)wring_error_set(&resolve->error, result, 0, "the test says so");
    }
    resolve->is_over = true;
    wring__worker_schedule(resolve->worker, &resolve->task, resolve->worker->now + after);
}

static bool channel_open(wring__resolve *resolve) {
    struct ares_options options;
    struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    int set = ARES_OPT_SOCK_STATE_CB;
    memset(&options, 0, sizeof options);
    options.sock_state_cb = on_socket;
    options.sock_state_cb_data = resolve;
    if (test_server_port != 0) {
        options.servers = &loopback;
        options.nservers = 1;
        options.udp_port = options.tcp_port = test_server_port;
        set |= ARES_OPT_SERVERS | ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT;
    }
    return library_status == ARES_SUCCESS &&
           ares_init_options(&resolve->channel, &options, set) == ARES_SUCCESS;
}

wring_result wring__resolve_start(wring__worker *worker, const char *host, uint16_t port,
                                  void (*done)(void *owner, const wring__addresses *addresses,
                                               const wring_error *error),
                                  void *owner, wring__resolve **out) {
    pthread_once(&library_once, library_init);
    wring__resolve *resolve = calloc(1, sizeof *resolve);
    if (resolve == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    resolve->worker = worker;
    resolve->done = done;
    resolve->owner = owner;
    resolve->port = port;
    resolve->task.run = on_task;
    if (test_resolver != NULL) {
        test_resolve(resolve, host);
        *out = resolve;
        return WRING_OK;
    }
    if (!channel_open(resolve)) {
        free(resolve);
        return WRING_ERR_SYSTEM;
    }
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    ares_getaddrinfo(resolve->channel, host, NULL, &hints, on_addresses, resolve);
    schedule(resolve);
    *out = resolve;
    return WRING_OK;
}

void wring__resolve_cancel(wring__resolve *resolve) {
    if (resolve != NULL) {
        resolve_free(resolve);
    }
}

/* ---- the order ------------------------------------------------------------------------------- */

void wring__addresses_interleave(wring__addresses *addresses) {
    wring__addresses in = *addresses;
    bool taken[WRING__ADDRESSES_MAX] = {false};
    sa_family_t last = AF_UNSPEC;
    for (uint32_t n = 0; n < in.count; n++) {
        uint32_t pick = WRING__ADDRESSES_MAX;
        for (uint32_t i = 0; i < in.count; i++) {
            if (!taken[i] && (pick == WRING__ADDRESSES_MAX || in.list[i].any.sa_family != last)) {
                pick = i;
                if (in.list[i].any.sa_family != last) {
                    break;
                }
            }
        }
        taken[pick] = true;
        last = in.list[pick].any.sa_family;
        addresses->list[n] = in.list[pick];
    }
}
