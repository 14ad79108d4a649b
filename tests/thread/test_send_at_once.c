/* SPDX-License-Identifier: Apache-2.0
 *
 * What the io_uring backend promises of sends at once, with real sockets: one that took everything
 * is not told of, one that did not is; none waits for room, and none holds up a receive; they are
 * known only when every completion was handed out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/ref.h"
#include "io/uring_internal.h"

#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

enum { RECV = 1, SEND, AT_ONCE };

struct pair {
    int near; /* the backend's */
    int far;  /* ours */
};

static wring__backend *backend;
static wring__completion completions[16];
static uint8_t piece[32 * 1024];

static uint64_t token(uint8_t op) {
    return wring__token_pack(op, 0, 1);
}

static struct pair pair_open(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
    struct pair pair = {.far = socket(AF_INET, SOCK_STREAM, 0)};
    const int room = 64 * 1024; /* fixed: buffers that the kernel tunes grow by themselves */
    CHECK(setsockopt(pair.far, SOL_SOCKET, SO_RCVBUF, &room, sizeof room) == 0);
    CHECK(connect(pair.far, (struct sockaddr *)&at, sizeof at) == 0);
    pair.near = accept(listener, NULL, NULL);
    CHECK(pair.near >= 0);
    CHECK(setsockopt(pair.near, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) == 0);
    close(listener);
    return pair;
}

static size_t turn(wring_time_ns deadline, size_t max) {
    size_t count = 0;
    CHECK(backend->ops->turn(backend, deadline, completions, max, &count) == WRING_OK);
    return count;
}

/* In `parts`, as a plain send or as a gathered one. */
static void send_at_once(int socket, size_t len, size_t parts) {
    static struct iovec iov[2];
    iov[0] = (struct iovec){piece, len - (parts - 1)};
    iov[1] = (struct iovec){piece, 1};
    backend->ops->send_at_once(backend, socket, token(AT_ONCE), iov, parts);
}

static void what_was_taken_is_not_told(struct pair pair, size_t parts) {
    uint8_t got[16];
    send_at_once(pair.near, 5, parts);
    CHECK(turn(0, 16) == 0 && backend->sends_known);
    CHECK(recv(pair.far, got, sizeof got, 0) == 5);
}

/* Whether all that has left was acknowledged. A busy machine acknowledges late, and each
 * acknowledgement makes room. */
static bool is_settled(int socket) {
    int queued = 0;
    int unsent = 0;
    CHECK(ioctl(socket, SIOCOUTQ, &queued) == 0 && ioctl(socket, SIOCOUTQNSD, &unsent) == 0);
    return queued == unsent;
}

/* Nobody reads: sooner or later one is short or takes nothing, and then all do. Returns what the
 * socket took. */
static size_t fill(struct pair pair, size_t parts) {
    size_t taken = 0;
    for (int refused = 0;;) {
        const bool settled = is_settled(pair.near);
        send_at_once(pair.near, sizeof piece, parts);
        const size_t count = turn(0, 16);
        CHECK(backend->sends_known);
        if (count == 0) {
            taken += sizeof piece;
            continue;
        }
        CHECK(count == 1 && completions[0].token == token(AT_ONCE));
        CHECK(completions[0].result == -EAGAIN ||
              (completions[0].result > 0 && completions[0].result < (int32_t)sizeof piece));
        if (completions[0].result == -EAGAIN) {
            refused = settled ? refused + 1 : 0;
            if (refused == 8) {
                return taken;
            }
            sched_yield();
            continue;
        }
        taken += (size_t)completions[0].result;
    }
}

/* The send to the full socket waits; what comes for somebody else ends the wait all the same. */
static void a_full_socket_holds_up_nobody(struct pair full, size_t taken) {
    const struct iovec last = {piece, 5};
    struct pair other = pair_open();
    uint8_t in[8];
    uint8_t got[65536];
    backend->ops->recv_into(backend, other.near, token(RECV), in, sizeof in, false);
    backend->ops->send(backend, full.near, token(SEND), &last, 1);
    CHECK(turn(0, 16) == 0); /* both wait */
    send_at_once(full.near, sizeof piece, 1);
    send_at_once(other.near, 5, 1);
    CHECK(turn(WRING_TIME_NEVER, 16) == 1 && completions[0].result == -EAGAIN);
    CHECK(recv(other.far, got, sizeof got, 0) == 5); /* the other has its answer, and asks again */
    CHECK(send(other.far, "again", 5, 0) == 5);
    send_at_once(other.near, 5, 2);
    CHECK(turn(WRING_TIME_NEVER, 16) == 1); /* only the receive: the full one waits on */
    CHECK(completions[0].token == token(RECV) && completions[0].result == 5);
    for (size_t left = taken + 5; left > 0;) {
        const ssize_t some = recv(full.far, got, sizeof got, MSG_DONTWAIT);
        CHECK(some > 0 || errno == EAGAIN);
        left -= some > 0 ? (size_t)some : 0;
        if (turn(0, 16) == 1) {
            CHECK(completions[0].token == token(SEND) && completions[0].result == 5);
        }
    }
    close(other.near);
    close(other.far);
}

/* More failures than fit one answer, or even the completion queue. */
static void known_when_all_were_handed_out(struct pair full, unsigned failures) {
    for (unsigned i = 0; i < failures; i++) {
        send_at_once(full.near, sizeof piece, 1);
    }
    for (unsigned i = 0; i < failures; i++) {
        CHECK(turn(0, 1) == 1 && completions[0].result == -EAGAIN);
        CHECK(backend->sends_known == (i + 1 == failures));
    }
}

static void a_broken_stream_is_told(struct pair pair) {
    const struct linger none = {.l_onoff = 1};
    CHECK(setsockopt(pair.far, SOL_SOCKET, SO_LINGER, &none, sizeof none) == 0);
    close(pair.far); /* a reset */
    send_at_once(pair.near, 5, 1);
    CHECK(turn(0, 16) == 1);
    CHECK(completions[0].result == -ECONNRESET || completions[0].result == -EPIPE);
    close(pair.near);
}

int main(void) {
    const wring__backend_config config = {.entries = 8, .buffer_count = 16};
    wring_error error;
    if (wring__backend_uring.open(&config, &backend, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 77;
    }
    for (size_t parts = 1; parts <= 2; parts++) {
        struct pair pair = pair_open();
        what_was_taken_is_not_told(pair, parts);
        const size_t taken = fill(pair, parts);
        known_when_all_were_handed_out(pair, 5);
        known_when_all_were_handed_out(pair, 200);
        a_full_socket_holds_up_nobody(pair, taken);
        a_broken_stream_is_told(pair);
    }
    backend->ops->close(backend);
    return 0;
}
