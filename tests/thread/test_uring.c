/* SPDX-License-Identifier: Apache-2.0
 *
 * The io_uring backend at its seam, with a file table, with one that is too small, and without:
 * accepts come one by one with the right address, a cancelled accept ends once, dialled and
 * accepted sockets carry bytes, and a slot closed and dialled again in the same turn is the new
 * ring wakes another by a message with its next submit, and when that fails all the same.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/ref.h"
#include "io/recv.h"
#include "io/uring_internal.h"

#define CONNECTIONS 300
#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

enum { ACCEPT = 1, CANCEL, RECV, SEND, CLOSE, CONNECT };

static wring__backend *backend;
static wring__recv_pool received;
static wring__socket listener;
static struct sockaddr_in where;

static uint64_t token(uint8_t op, uint32_t slot) {
    return wring__token_pack(op, slot, 1);
}

/* One completion; a turn where there is none. */
static wring__completion next(void) {
    static wring__completion completions[16];
    static size_t count;
    static size_t taken;
    while (taken == count) {
        taken = 0;
        CHECK(backend->ops->turn(backend, WRING_TIME_NEVER, completions, 16, &count) == WRING_OK);
    }
    return completions[taken++];
}

/* The bytes of a receive; their buffer goes back when it may. */
static void take(const wring__completion *got, void *out) {
    wring__recv_chain chain = {WRING__RECV_NONE, WRING__RECV_NONE};
    CHECK((got->flags & WRING__COMPLETION_BUFFER) != 0);
    CHECK(wring__recv_push(&received, &chain, got) == WRING_OK);
    const wring__recv_lease lease = wring__recv_take(&received, &chain, false);
    memcpy(out, lease.bytes.data, (size_t)got->result);
    wring__recv_done(&received, &lease);
    wring__recv_return(&received);
}

static int dial_plain(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&where, sizeof where) == 0);
    return fd;
}

static void expect_peer(wring__socket socket, uint16_t port) {
    struct sockaddr_storage address;
    CHECK(backend->ops->peer(backend, socket, &address));
    const struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    CHECK(v4->sin_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK(v4->sin_port == port);
}

static uint16_t own_port(int fd) {
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    return address.sin_port;
}

/* The bytes say which of the connections it is; its address has to be that one's. */
static void accept_many(void) {
    static int fds[CONNECTIONS];
    static wring__socket accepted[CONNECTIONS];
    backend->ops->accept(backend, listener, token(ACCEPT, 0));
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        fds[i] = dial_plain();
        CHECK(write(fds[i], &i, sizeof i) == sizeof i);
    }
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        wring__completion completion = next();
        CHECK(completion.token == token(ACCEPT, 0) && completion.result >= 0);
        CHECK((completion.flags & WRING__COMPLETION_MORE) != 0);
        accepted[i] = completion.result;
    }
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        uint32_t number;
        backend->ops->recv(backend, accepted[i], token(RECV, i));
        wring__completion got = next();
        CHECK(got.token == token(RECV, i) && got.result == sizeof number);
        take(&got, &number);
        CHECK(number < CONNECTIONS);
        expect_peer(accepted[i], own_port(fds[number]));
        close(fds[number]);
        got = next();
        CHECK(got.token == token(RECV, i) && got.result == 0); /* its end */
        backend->ops->close_socket(backend, accepted[i], token(CLOSE, i));
        CHECK(next().token == token(CLOSE, i));
    }
}

/* A socket that holds megabytes brings no more of them than a connection is given in a turn. Where
 * the kernel can: Linux 6.17. */
static void receive_ends_after_its_share(void) {
    static const uint8_t bytes[65536];
    const uint32_t share = uring_of(backend)->recv_total;
    if (share == 0) {
        return;
    }
    const int fd = dial_plain();
    const wring__completion accepted = next();
    CHECK(accepted.token == token(ACCEPT, 0) && accepted.result >= 0);
    size_t sent = 0;
    for (ssize_t n; (n = send(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) {
        sent += (size_t)n;
    }
    CHECK(sent >= 3 * (size_t)(share + share / 2));
    for (int round = 0; round < 3; round++) {
        size_t sum = 0;
        bool more = true;
        backend->ops->recv(backend, accepted.result, token(RECV, 0));
        while (more) {
            const wring__completion got = next();
            CHECK(got.token == token(RECV, 0) && (got.result > 0 || got.result == -ENOBUFS));
            sum += got.result > 0 ? (size_t)got.result : 0;
            more = (got.flags & WRING__COMPLETION_MORE) != 0;
            if (got.result > 0) {
                wring__recv_discard(&received, &got);
                wring__recv_return(&received);
            }
        }
        CHECK(sum < share + share / 2); /* the last one may go beyond it */
    }
    backend->ops->close_socket(backend, accepted.result, token(CLOSE, 0));
    CHECK(next().token == token(CLOSE, 0));
    close(fd);
}

/* `together`: in the turn that arms it, so that nothing is under way that could end. */
static void accept_cancel(bool together) {
    if (together) {
        backend->ops->accept(backend, listener, token(ACCEPT, 0));
    }
    backend->ops->cancel(backend, WRING__SOCKET_NONE, token(ACCEPT, 0), token(CANCEL, 0));
    bool ended = false;
    bool cancelled = false;
    while (!ended || !cancelled) {
        wring__completion completion = next();
        CHECK((completion.flags & WRING__COMPLETION_MORE) == 0);
        if (completion.token == token(ACCEPT, 0)) {
            CHECK(completion.result == -ECANCELED && !ended);
            ended = true;
        } else {
            CHECK(completion.token == token(CANCEL, 0) && !cancelled);
            cancelled = true;
        }
    }
}

static wring__socket dial_backend(void) {
    wring__dial_config config = {.address = (struct sockaddr *)&where, .address_len = sizeof where};
    wring__socket socket;
    CHECK(backend->ops->connect(backend, &config, token(CONNECT, 0), &socket) == WRING_OK);
    return socket;
}

/* What has happened since a dial; the far end's receives are numbered, as they overlap. */
struct events {
    wring__socket accepted;
    bool connected, sent, closed, ended, hello;
};

static void event_take(struct events *events, wring__socket near, uint32_t round) {
    static const struct iovec text = {"hello", 5};
    wring__completion got = next();
    switch (wring__token_op(got.token)) {
    case ACCEPT:
        events->accepted = got.result;
        backend->ops->recv(backend, got.result, token(RECV, round));
        break;
    case CONNECT:
        CHECK(got.result == 0 && !backend->ops->dialled(backend, near));
        events->connected = true;
        backend->ops->send(backend, near, token(SEND, 0), &text, 1);
        break;
    case SEND:
        CHECK(got.result == 5);
        events->sent = true;
        break;
    case CLOSE:
        CHECK(got.result == 0);
        events->closed = true;
        break;
    case RECV:
        if (got.result == 0) {
            CHECK(wring__token_slot(got.token) + 1 == round);
            events->ended = true;
            break;
        }
        CHECK(wring__token_slot(got.token) == round && got.result == 5);
        char hello[5];
        take(&got, hello);
        CHECK(memcmp(hello, "hello", sizeof hello) == 0);
        events->hello = true;
        break;
    default:
        CHECK(false);
    }
}

/* Closing and dialling again at once: the slot is the same, the file may not be. */
static void dial_and_send(void) {
    backend->ops->accept(backend, listener, token(ACCEPT, 0));
    wring__socket near = dial_backend();
    wring__socket far = WRING__SOCKET_NONE;
    for (uint32_t round = 0; round < 4; round++) {
        struct events events = {.accepted = WRING__SOCKET_NONE};
        while (!events.connected || !events.sent || !events.hello ||
               (round > 0 && (!events.closed || !events.ended))) {
            event_take(&events, near, round);
        }
        expect_peer(near, where.sin_port);
        if (round > 0) {
            backend->ops->close_socket(backend, far, token(CLOSE, 0));
            CHECK(next().token == token(CLOSE, 0));
        }
        far = events.accepted;
        backend->ops->close_socket(backend, near, token(CLOSE, 0));
        near = dial_backend();
    }
}

/* ---- waking ---------------------------------------------------------------------------------- */

static _Atomic(wring__backend *) sleeper;
static _Atomic uint32_t wakes;

static void *sleep_thrice(void *unused) {
    (void)unused;
    const wring__backend_config config = {.entries = 8};
    wring__backend *own;
    wring_error error;
    CHECK(wring__backend_uring.open(&config, &own, &error) == WRING_OK);
    atomic_store(&sleeper, own);
    for (uint32_t i = 0; i < 3; i++) {
        wring__completion completions[4];
        size_t count = 0;
        CHECK(own->ops->turn(own, WRING_TIME_NEVER, completions, 4, &count) == WRING_OK);
        CHECK(count == 0);
        atomic_store(&wakes, i + 1);
    }
    return own;
}

static void wake_and_expect(wring__backend *from, uint32_t count) {
    wring__completion completions[4];
    size_t got = 0;
    wring__backend *other = atomic_load(&sleeper);
    other->ops->wake(other, from);
    while (atomic_load(&wakes) <
           count) { /* a message goes with a submit, its failure comes after */
        CHECK(backend->ops->turn(backend, 0, completions, 4, &got) == WRING_OK && got == 0);
    }
}

static void wake_another(void) {
    pthread_t thread;
    void *own;
    atomic_store(&sleeper, NULL);
    atomic_store(&wakes, 0);
    CHECK(pthread_create(&thread, NULL, sleep_thrice, NULL) == 0);
    while (atomic_load(&sleeper) == NULL) {
    }
    struct uring_backend *other = uring_of(atomic_load(&sleeper));
    wake_and_expect(NULL, 1);
    wake_and_expect(backend, 2);
    const int ring_fd = other->ring.ring_fd;
    other->ring.ring_fd = other->wake_fd; /* no ring: the message fails */
    wake_and_expect(backend, 3);
    CHECK((uring_of(backend)->can & URING_CAN_MSG_RING) == 0);
    other->ring.ring_fd = ring_fd;
    pthread_join(thread, &own);
    wring__backend_uring.close(own);
}

/* Too little memory for incremental receive buffers, which the default has where the kernel can. */
#define FEW_BUFFERS 16

static int run(uint32_t direct_sockets, uint32_t busy_poll_us, uint32_t buffer_count) {
    const wring__backend_ops *ops = &wring__backend_uring;
    wring__backend_config config = {.entries = 64,
                                    .direct_sockets = direct_sockets,
                                    .busy_poll_us = busy_poll_us,
                                    .buffer_count = buffer_count};
    wring__listen_config listen = {.host = "127.0.0.1", .backlog = 1024};
    wring_error error;
    uint16_t port;
    if (ops->open(&config, &backend, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 77;
    }
    CHECK(buffer_count == 0 || backend->buffer_count == buffer_count);
    CHECK(wring__recv_init(&received, backend) == WRING_OK);
    CHECK(ops->listen(&listen, &listener, &port, &error) == WRING_OK);
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    where.sin_port = htons(port);
    wake_another();
    accept_many();
    receive_ends_after_its_share();
    accept_cancel(false);
    accept_cancel(true);
    dial_and_send();
    wring__recv_deinit(&received);
    ops->close(backend);
    ops->unlisten(&listen, listener);
    return 0;
}

int main(void) {
    static const uint32_t tables[] = {0, 1, 70, WRING__DIRECT_NONE};
    int result = 0;
    for (size_t i = 0; i < WRING_ARRAY_LEN(tables) && result == 0; i++) {
        result = run(tables[i], i % 2 == 0 ? 0 : 100, i < 2 ? 0 : FEW_BUFFERS);
    }
    return result;
}
