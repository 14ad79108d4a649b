/* SPDX-License-Identifier: Apache-2.0
 *
 * The floor on epoll: level triggered, one recv() and at most one send() for a readable socket.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/floor/floor.h"

#define EVENTS 1024

static void conn_close(struct floor *floor, int fd) {
    close(fd); /* leaves the epoll set */
    floor_freed(floor, (size_t)fd);
}

static void conn_watch(int epoll, int fd, bool writable) {
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0U), .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) != 0) {
        perror("floor: epoll_ctl");
        exit(1);
    }
}

static void accept_all(struct floor *floor, int epoll) {
    int fd;
    while ((fd = accept4(floor->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if ((size_t)fd >= floor->conns_max || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            close(fd);
            continue;
        }
        floor_opened(floor, (size_t)fd);
    }
}

/* Sends what is pending; what does not fit waits for EPOLLOUT. */
static bool conn_flush(struct floor *floor, int epoll, int fd) {
    struct floor_conn *conn = &floor->conns[fd];
    struct floor_run run = floor_pending(floor, conn);
    bool blocked = false;
    while (run.len > 0 && !blocked) {
        ssize_t sent = send(fd, run.data, run.len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            return false;
        }
        conn->tx_done += sent > 0 ? (uint64_t)sent : 0;
        blocked = sent < (ssize_t)run.len;
        run = floor_pending(floor, conn);
    }
    if (blocked != conn->sending) {
        conn->sending = blocked;
        conn_watch(epoll, fd, blocked);
    }
    return true;
}

static bool conn_readable(struct floor *floor, int epoll, int fd, uint8_t *buffer) {
    struct floor_conn *conn = &floor->conns[fd];
    char reply[FLOOR_REPLY_MAX];
    size_t reply_len;
    ssize_t len = recv(fd, buffer, FLOOR_RUN_MAX, 0);
    if (len <= 0) {
        return len < 0 && errno == EAGAIN;
    }
    if (!floor_received(floor, conn, buffer, (size_t)len, reply, &reply_len)) {
        return false;
    }
    if (reply_len > 0) { /* the first bytes on a fresh socket always fit */
        return send(fd, reply, reply_len, MSG_NOSIGNAL) == (ssize_t)reply_len &&
               conn->state != FLOOR_BYE;
    }
    bool echo = floor->mode == FLOOR_ECHO && conn->state == FLOOR_RAW && !conn->sending;
    return !echo || conn_flush(floor, epoll, fd);
}

static void fanout_flush(struct floor *floor, int epoll) {
    for (size_t i = 0; i < floor->conns_top; i++) {
        struct floor_conn *conn = &floor->conns[i];
        if (conn->state != FLOOR_RAW || conn->tx_done == floor->tape.end) {
            continue;
        }
        bool ok = !floor_is_overrun(floor, conn);
        if (ok && !conn->sending) {
            ok = conn_flush(floor, epoll, (int)i);
        }
        if (!ok) {
            conn_close(floor, (int)i);
        }
    }
}

static void event_take(struct floor *floor, int epoll, const struct epoll_event *event,
                       uint8_t *buffer) {
    int fd = event->data.fd;
    if (floor->conns[fd].state == FLOOR_FREE) {
        return;
    }
    bool ok = true;
    if ((event->events & EPOLLOUT) != 0) {
        ok = conn_flush(floor, epoll, fd);
    }
    if (ok && (event->events & ~(uint32_t)EPOLLOUT) != 0) {
        ok = conn_readable(floor, epoll, fd, buffer);
    }
    if (!ok) {
        conn_close(floor, fd);
    }
}

int floor_run_epoll(struct floor *floor) {
    static struct epoll_event events[EVENTS];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    uint8_t *buffer = malloc(FLOOR_RUN_MAX);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = floor->listener};
    if (epoll < 0 || buffer == NULL ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, floor->listener, &event) != 0) {
        perror("floor: epoll");
        return 1;
    }
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        uint64_t end = floor->tape.end;
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == floor->listener) {
                accept_all(floor, epoll);
            } else {
                event_take(floor, epoll, &events[i], buffer);
            }
        }
        if (floor->tape.end != end) {
            fanout_flush(floor, epoll);
        }
    }
}
