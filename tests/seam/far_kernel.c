/* SPDX-License-Identifier: Apache-2.0
 *
 * The far ends over the kernel: sockets that do not wait, on the loopback.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#include "tests/seam/seam.h"

static struct sockaddr_in loopback(uint16_t port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
}

static uint16_t own_port(int fd) {
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    CHECK(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    return ntohs(at.sin_port);
}

static int listen_with(int backlog, uint16_t *port) {
    const struct sockaddr_in at = loopback(0);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0);
    CHECK(listen(fd, backlog) == 0);
    *port = own_port(fd);
    return fd;
}

static int far_listen(seam *world, uint16_t *port) {
    (void)world;
    return listen_with(64, port);
}

static void far_close(seam *world, int far) {
    (void)world;
    CHECK(close(far) == 0);
}

static int far_accept(seam *world, int listener) {
    (void)world;
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK(fd >= 0 || errno == EAGAIN || errno == ECONNABORTED);
    return fd;
}

static int dial_begin(uint16_t port) {
    const struct sockaddr_in at = loopback(port);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0);
    CHECK(connect(fd, (const struct sockaddr *)&at, sizeof at) == 0 || errno == EINPROGRESS);
    return fd;
}

static int far_dial(seam *world, uint16_t port) {
    (void)world;
    return dial_begin(port);
}

static size_t far_send(seam *world, int far, const uint8_t *data, size_t len) {
    (void)world;
    const ssize_t taken = send(far, data, len, MSG_NOSIGNAL);
    return taken > 0 ? (size_t)taken : 0;
}

static size_t far_receive(seam *world, seam_peer *peer, uint8_t *out, size_t cap) {
    (void)world;
    const ssize_t got = recv(peer->name, out, cap, 0);
    peer->is_reset = peer->is_reset || (got < 0 && errno != EAGAIN);
    peer->is_ended = peer->is_ended || got == 0 || peer->is_reset;
    return got > 0 ? (size_t)got : 0;
}

static void far_shut(seam *world, int far) {
    (void)world;
    CHECK(shutdown(far, SHUT_WR) == 0);
}

static void far_reset(seam *world, int far) {
    const struct linger none = {.l_onoff = 1};
    CHECK(setsockopt(far, SOL_SOCKET, SO_LINGER, &none, sizeof none) == 0);
    far_close(world, far);
}

static uint16_t far_port(seam *world, int far) {
    (void)world;
    return own_port(far);
}

static uint16_t far_refusing_port(seam *world) {
    uint16_t port;
    far_close(world, listen_with(1, &port));
    return port;
}

/* A listener whose queue is full: the kernel drops who comes next, and answers nothing. */
static uint16_t far_silent_port(seam *world) {
    uint16_t port;
    world->silent_listener = listen_with(0, &port);
    for (size_t i = 0; i < WRING_ARRAY_LEN(world->fillers); i++) {
        world->fillers[i] = dial_begin(port);
    }
    return port;
}

static void far_step(seam *world) {
    (void)world; /* the kernel's time goes on by itself */
}

const seam_far seam_far_kernel = {
    .listen = far_listen,
    .unlisten = far_close,
    .accept = far_accept,
    .dial = far_dial,
    .send = far_send,
    .receive = far_receive,
    .shut = far_shut,
    .close = far_close,
    .reset = far_reset,
    .port = far_port,
    .refusing_port = far_refusing_port,
    .silent_port = far_silent_port,
    .step = far_step,
};
