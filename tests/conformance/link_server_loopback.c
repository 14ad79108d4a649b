/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring serve`, or any other echo server, at link_target.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/conformance/deflate.h"
#include "tests/conformance/link_loopback.h"

const char *link_target = "127.0.0.1:8080";

int loopback_dial_target(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    unsigned port;
    if (sscanf(link_target, "%63[^:]:%u", host, &port) != 2 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        return -1;
    }
    address.sin_port = htons((uint16_t)port);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool head_is_right(char *head, size_t len) {
    head[len] = 0;
    return link_deflate == NULL ? strstr(head, "Sec-WebSocket-Extensions") == NULL
                                : deflate_is_granted(link_deflate, head);
}

static void *server_open(const struct link_ops *ops, uint64_t seed) {
    (void)ops;
    static const char start[] = "GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    char request[1024], head[1024], offer[DEFLATE_TEXT];
    size_t len = 0;
    (void)seed;
    deflate_offer(link_deflate, offer);
    const int request_len = snprintf(request, sizeof request, "%s%s%s%s\r\n", start,
                                     offer[0] == 0 ? "" : "Sec-WebSocket-Extensions: ", offer,
                                     offer[0] == 0 ? "" : "\r\n");
    const int fd = loopback_dial_target();
    if (fd < 0 || !loopback_write(fd, request, (size_t)request_len) ||
        !loopback_read_head(fd, head, sizeof head - 1, &len) ||
        memcmp(head, "HTTP/1.1 101 ", 13) != 0 || !head_is_right(head, len)) {
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    loopback_prepare(fd);
    int *link = malloc(sizeof *link);
    *link = fd;
    return link;
}

static struct moved server_move(void *link, const uint8_t *bytes, size_t len, uint8_t *out,
                                size_t cap) {
    return loopback_move(*(int *)link, bytes, len, out, cap);
}

static void server_close(void *link) {
    close(*(int *)link);
    free(link);
}

static const char *const *serve_options(void) {
    static const char *const none[] = {NULL};
    return none;
}

const struct link_ops link_server_loopback = {
    .name = "server-loopback",
    .text = "server, loopback",
    .tester_is_client = true,
    .serve_options = serve_options,
    .open = server_open,
    .move = server_move,
    .close = server_close,
};
