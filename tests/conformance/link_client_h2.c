/* SPDX-License-Identifier: Apache-2.0
 *
 * The tester is a server of HTTP/2. The clients of all cases share one connection, with the one of
 * the neighbour.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/conformance/deflate.h"
#include "tests/conformance/h2_client.h"
#include "tests/conformance/link_h2.h"
#include "tests/conformance/tls.h"

static void check(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "conformance: %s failed\n", what);
        abort();
    }
}

static void side_listen(struct h2_side *side) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    side->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(side->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
              listen(side->listener, 8) == 0 &&
              getsockname(side->listener, (struct sockaddr *)&address, &len) == 0,
          "listening");
    side->port = ntohs(address.sin_port);
    if (side->is_tls) {
        side->context = tls_server_context();
        tls_want_h2(side->context);
    }
}

/* A socket that waits is one more than the clients need. */
static bool has_caller(const struct h2_side *side, int wait_ms) {
    struct pollfd p = {.fd = side->listener, .events = POLLIN};
    return poll(&p, 1, wait_ms) > 0;
}

static wring_client *client_start(const struct h2_side *side) {
    char url[64];
    snprintf(url, sizeof url, "%s://localhost:%u/", side->is_tls ? "wss" : "ws", side->port);
    return h2_client_create(url, side->is_small);
}

static struct h2 *side_accept(struct h2_side *side) {
    if (side->port == 0) {
        side_listen(side);
    }
    side->neighbour_client = client_start(side);
    const int fd = has_caller(side, 5000) ? accept(side->listener, NULL, NULL) : -1;
    SSL *ssl = fd < 0 || side->context == NULL ? NULL : tls_begin(side->context, fd);
    if (fd < 0 || (side->context != NULL && ssl == NULL)) {
        return NULL;
    }
    const struct h2_setup setup = {.fd = fd, .ssl = ssl, .is_small = side->is_small};
    return h2_create(&setup);
}

static struct h2_stream *stream_grant(struct h2_link *link, bool fair_weather) {
    char answer[DEFLATE_TEXT];
    deflate_answer(link_deflate, answer);
    link->client = client_start(link->side);
    return h2_grant(link->side->h, answer, fair_weather);
}

static const char *nobody_calls(const struct h2_side *side) {
    return has_caller(side, 0) ? "the clients opened a second connection" : NULL;
}

/* The connection is closed when nobody is on it any more. */
static const char *side_is_left(struct h2_side *side) {
    wring_client_destroy(side->neighbour_client);
    side->neighbour_client = NULL;
    return h2_wait_over(side->h) ? NULL : "the connection is not closed when nobody is on it";
}

static const struct h2_role role = {.tester_is_client = false,
                                    .connect = side_accept,
                                    .stream = stream_grant,
                                    .neighbour_check = nobody_calls,
                                    .finish = side_is_left};
static struct h2_side usual = {.role = &role};
static struct h2_side small = {.role = &role, .is_small = true};
static struct h2_side tls = {.role = &role, .is_tls = true};

const struct link_ops link_client_h2_loopback = {
    .name = "client-h2-loopback", .text = "client, HTTP/2", .side = &usual, H2_LINK_OPS};

const struct link_ops link_client_h2_small = {.name = "client-h2-small",
                                              .text = "client, HTTP/2 in small pieces and windows",
                                              .side = &small,
                                              H2_LINK_OPS};

const struct link_ops link_client_h2_tls = {
    .name = "client-h2-tls", .text = "client, HTTP/2 over TLS", .side = &tls, H2_LINK_OPS};
