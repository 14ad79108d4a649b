/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections of the floor: the upgrade, the counting of frames, what is to be sent.
 */
#include "bench/floor/floor.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wring/upgrade.h>

#define BACKLOG 4096

static int listener_open(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    /* Accepted sockets inherit both options. */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return -1;
    }
    printf("floor: listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

bool floor_create(struct floor *floor, enum floor_mode mode, size_t message, int port) {
    size_t head = message < 126 ? 2 : message < 65536 ? 4 : 10;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return false;
    }
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    *floor = (struct floor){.mode = mode,
                            .rx_frame = head + 4 + message,
                            .tx_frame = head + message,
                            .conns_max = files.rlim_cur < 65536 ? files.rlim_cur : 65536};
    floor->conns = calloc(floor->conns_max, sizeof *floor->conns);
    bool tape = mode == FLOOR_ECHO ? floor_tape_echo(&floor->tape, message, floor->tx_frame)
                                   : floor_tape_fanout(&floor->tape);
    if (floor->conns == NULL || !tape) {
        return false;
    }
    floor->listener = listener_open(port);
    return floor->listener >= 0;
}

void floor_opened(struct floor *floor, size_t index) {
    floor->conns[index] = (struct floor_conn){.state = FLOOR_HEAD};
    if (index >= floor->conns_top) {
        floor->conns_top = index + 1;
    }
}

void floor_freed(struct floor *floor, size_t index) {
    struct floor_conn *conn = &floor->conns[index];
    free(conn->rx);
    free(conn->reply);
    *conn = (struct floor_conn){.state = FLOOR_FREE};
    while (floor->conns_top > 0 && floor->conns[floor->conns_top - 1].state == FLOOR_FREE) {
        floor->conns_top--;
    }
}

/* The 101 for a complete head, or 0 when there is no key in it. */
static size_t upgrade_reply(const uint8_t *head, size_t len, char reply[FLOOR_REPLY_MAX]) {
    static const char name[] = "\r\nsec-websocket-key:";
    char text[FLOOR_HEAD_MAX + 1];
    for (size_t i = 0; i < len; i++) { /* names in small letters; the key is read from `head` */
        text[i] = (char)(head[i] >= 'A' && head[i] <= 'Z' ? head[i] + 32 : head[i]);
    }
    text[len] = 0;
    const char *found = strstr(text, name);
    char accept[29];
    if (found == NULL) {
        return 0;
    }
    size_t at = (size_t)(found - text) + sizeof name - 1;
    at += strspn(text + at, " \t");
    wring_bytes key = wring_bytes_of(head + at, strcspn(text + at, " \t\r"));
    if (wring_h1_accept_key(key, accept) != WRING_OK) {
        return 0;
    }
    int written = snprintf(reply, FLOOR_REPLY_MAX,
                           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                           accept);
    return (size_t)written;
}

/* A head that comes in pieces waits in conn->rx. */
static bool head_append(struct floor_conn *conn, const uint8_t *data, size_t len) {
    if (conn->rx == NULL && (conn->rx = malloc(FLOOR_HEAD_MAX)) == NULL) {
        return false;
    }
    memcpy(conn->rx + conn->part, data, len);
    conn->part += (uint32_t)len;
    return true;
}

/* A client does not send before it has the 101: nothing follows the head. */
static bool head_received(struct floor *floor, struct floor_conn *conn, const uint8_t *data,
                          size_t len, char reply[FLOOR_REPLY_MAX], size_t *reply_len) {
    bool is_over = len >= 4 && memcmp(data + len - 4, "\r\n\r\n", 4) == 0;
    if (conn->part + len > FLOOR_HEAD_MAX) {
        return false;
    }
    if (!is_over || conn->part > 0) {
        if (!head_append(conn, data, len)) {
            return false;
        }
        data = conn->rx;
        len = conn->part;
        is_over = len >= 4 && memcmp(data + len - 4, "\r\n\r\n", 4) == 0;
    }
    if (!is_over) {
        return true;
    }
    *reply_len = upgrade_reply(data, len, reply);
    free(conn->rx);
    conn->rx = NULL;
    conn->part = 0;
    conn->state = FLOOR_RAW;
    conn->tx_done = conn->tx_goal = floor->tape.end;
    return *reply_len > 0;
}

static bool is_close(uint8_t first) {
    return (first & 0x0f) == 8; /* RFC 6455 5.5.1 */
}

static const char close_frame[] = {(char)0x88, 2, 0x03, (char)0xe8}; /* 1000 */

static bool echo_received(struct floor *floor, struct floor_conn *conn, const uint8_t *data,
                          size_t len) {
    size_t have = conn->part + len;
    size_t frames = have / floor->rx_frame;
    size_t part = have % floor->rx_frame;
    conn->part = (uint32_t)part;
    conn->tx_goal += frames * floor->tx_frame;
    return part == 0 || part > len || !is_close(data[len - part]);
}

/* Whole frames go on the tape from where they were received, a rest waits in conn->rx. */
static bool fanout_received(struct floor *floor, struct floor_conn *conn, const uint8_t *data,
                            size_t len) {
    /* Who has all of the tape is spared what it publishes itself. */
    bool own = conn->tx_done == floor->tape.end && !conn->sending;
    while (len > 0) {
        if (conn->part == 0 && is_close(data[0])) {
            return false;
        }
        if (conn->part == 0 && len >= floor->rx_frame) {
            floor_tape_publish(&floor->tape, data, floor->rx_frame);
            data += floor->rx_frame;
            len -= floor->rx_frame;
            continue;
        }
        size_t want = floor->rx_frame - conn->part;
        size_t take = len < want ? len : want;
        if (conn->rx == NULL && (conn->rx = malloc(floor->rx_frame)) == NULL) {
            return false;
        }
        memcpy(conn->rx + conn->part, data, take);
        conn->part += (uint32_t)take;
        if (conn->part == floor->rx_frame) {
            floor_tape_publish(&floor->tape, conn->rx, floor->rx_frame);
            conn->part = 0;
        }
        data += take;
        len -= take;
    }
    if (own) {
        conn->tx_done = floor->tape.end;
    }
    return true;
}

bool floor_received(struct floor *floor, struct floor_conn *conn, const uint8_t *data, size_t len,
                    char reply[FLOOR_REPLY_MAX], size_t *reply_len) {
    *reply_len = 0;
    switch (conn->state) {
    case FLOOR_HEAD:
        return head_received(floor, conn, data, len, reply, reply_len);
    case FLOOR_RAW:
        if (floor->mode == FLOOR_ECHO ? echo_received(floor, conn, data, len)
                                      : fanout_received(floor, conn, data, len)) {
            return true;
        }
        if (conn->sending) {
            return false;
        }
        *reply_len = sizeof close_frame;
        memcpy(reply, close_frame, sizeof close_frame);
        conn->state = FLOOR_BYE;
        return true;
    case FLOOR_BYE:
    case FLOOR_CLOSING:
        return true;
    case FLOOR_FREE:
        break;
    }
    return false;
}

struct floor_run floor_pending(const struct floor *floor, const struct floor_conn *conn) {
    uint64_t goal = floor->mode == FLOOR_ECHO ? conn->tx_goal : floor->tape.end;
    uint64_t len = goal - conn->tx_done;
    return (struct floor_run){.data = floor->tape.data + conn->tx_done % floor->tape.size,
                              .len = len < floor->tape.run ? (size_t)len : floor->tape.run};
}

bool floor_is_overrun(const struct floor *floor, const struct floor_conn *conn) {
    return floor->mode == FLOOR_FANOUT && floor->tape.end - conn->tx_done > floor->tape.size / 2;
}
