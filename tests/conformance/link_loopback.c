/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/link_loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct moved loopback_move(int fd, const uint8_t *bytes, size_t len, uint8_t *out, size_t cap) {
    struct moved moved = {0};
    struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (len > 0 ? POLLOUT : 0))};
    if (poll(&p, 1, 5000) <= 0) {
        moved.timeout = true;
        return moved;
    }
    if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
        const ssize_t n = recv(fd, out, cap, 0);
        moved.received = n > 0 ? (size_t)n : 0;
        moved.end = n == 0;
        moved.reset = n < 0 && errno != EAGAIN;
    }
    if (p.revents & POLLOUT && !moved.end && !moved.reset) {
        const ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        moved.sent = n > 0 ? (size_t)n : 0;
        /* a write that fails because the other side has gone: what it said is still to be read */
    }
    return moved;
}

bool loopback_write(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        const ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

bool loopback_read_head(int fd, char *out, size_t cap, size_t *len) {
    for (*len = 0; *len < cap;) {
        if (recv(fd, out + *len, 1, 0) != 1) {
            return false;
        }
        if (++*len >= 4 && memcmp(out + *len - 4, "\r\n\r\n", 4) == 0) {
            return true;
        }
    }
    return false;
}

void loopback_prepare(int fd) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}
