/* SPDX-License-Identifier: Apache-2.0
 *
 * The tester is a server of HTTP/1.1 behind a proxy, at link_port; clients reach the proxy, at
 * link_target, by HTTP/2. One of them stays, so that they share a connection to it.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/conformance/deflate.h"
#include "tests/conformance/h2_client.h"
#include "tests/conformance/link_loopback.h"

struct proxied_link {
    wring_client *client;
    int fd;
};

uint16_t link_port;
static int listener = -1;
static struct proxied_link *stays;

static void check(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "conformance: %s failed\n", what);
        abort();
    }
}

static void begin_listening(void) {
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(link_port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              bind(listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
              listen(listener, 8) == 0,
          "listening");
}

static void proxied_close(void *link) {
    struct proxied_link *l = link;
    wring_client_destroy(l->client);
    if (l->fd >= 0) {
        close(l->fd);
    }
    free(l);
}

static struct proxied_link *connected(void) {
    struct proxied_link *l = malloc(sizeof *l);
    struct pollfd p = {.fd = listener, .events = POLLIN};
    char url[64];
    snprintf(url, sizeof url, "ws://%s/", link_target);
    l->client = h2_client_create(url, false);
    l->fd = poll(&p, 1, 5000) > 0 ? accept(listener, NULL, NULL) : -1;
    if (l->fd < 0 || !loopback_grant(l->fd)) {
        proxied_close(l);
        return NULL;
    }
    loopback_prepare(l->fd);
    return l;
}

static void *proxied_open(const struct link_ops *ops, uint64_t seed) {
    (void)ops;
    const struct deflate_set *deflate = link_deflate;
    (void)seed;
    if (listener < 0) {
        begin_listening();
        link_deflate = NULL;
        stays = connected();
        link_deflate = deflate;
    }
    return connected();
}

static struct moved proxied_move(void *link, const uint8_t *bytes, size_t len, uint8_t *out,
                                 size_t cap) {
    return loopback_move(((struct proxied_link *)link)->fd, bytes, len, out, cap);
}

static const char *proxied_finish(const struct link_ops *ops) {
    (void)ops;
    const bool stayed =
        stays != NULL && wring_client_get_status(stays->client) == WRING_CLIENT_OPEN;
    if (stays != NULL) {
        proxied_close(stays);
    }
    return stayed ? NULL : "the client that was to stay did not";
}

const struct link_ops link_client_proxied = {
    .name = "client-proxied",
    .text = "client, HTTP/2 to a proxy",
    .tester_is_client = false,
    .open = proxied_open,
    .move = proxied_move,
    .close = proxied_close,
    .finish = proxied_finish,
};
