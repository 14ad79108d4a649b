/* SPDX-License-Identifier: Apache-2.0
 *
 * The tester is a server of HTTP/2. The clients of all cases share one connection, with one more
 * that stays open on it and is asked after each case.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/conformance/deflate.h"
#include "tests/conformance/h2.h"
#include "tests/conformance/h2_client.h"
#include "tests/conformance/link_loopback.h"
#include "tests/conformance/tls.h"

struct side {
    const bool is_small, is_tls;
    int listener; /* of `port` */
    uint16_t port;
    SSL_CTX *context;
    struct h2 *h;
    wring_client *neighbour_client;
    struct h2_stream *neighbour;
};

struct client_link {
    struct side *side;
    wring_client *client;
    struct h2_stream *stream;
};

static struct side usual;
static struct side small = {.is_small = true};
static struct side tls = {.is_tls = true};

static void check(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "conformance: %s failed\n", what);
        abort();
    }
}

/* ---- the connection -------------------------------------------------------------------------- */

static void side_listen(struct side *side) {
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
static bool has_caller(const struct side *side, int wait_ms) {
    struct pollfd p = {.fd = side->listener, .events = POLLIN};
    return poll(&p, 1, wait_ms) > 0;
}

static void side_drop(struct side *side) {
    h2_stream_free(side->neighbour);
    h2_destroy(side->h);
    wring_client_destroy(side->neighbour_client);
    side->neighbour = NULL;
    side->h = NULL;
    side->neighbour_client = NULL;
}

static struct h2 *side_accept(const struct side *side) {
    const int fd = has_caller(side, 5000) ? accept(side->listener, NULL, NULL) : -1;
    SSL *ssl = fd < 0 || side->context == NULL ? NULL : tls_begin(side->context, fd);
    if (fd < 0 || (side->context != NULL && ssl == NULL)) {
        return NULL;
    }
    const struct h2_setup setup = {.fd = fd, .ssl = ssl, .is_small = side->is_small};
    return h2_create(&setup);
}

static wring_client *client_start(const struct side *side) {
    char url[64];
    snprintf(url, sizeof url, "%s://localhost:%u/", side->is_tls ? "wss" : "ws", side->port);
    return h2_client_create(url, side->is_small);
}

/* One connection for all cases, unless it was lost. */
static bool side_connect(struct side *side) {
    const struct deflate_set *deflate = link_deflate;
    if (side->h != NULL && !h2_is_over(side->h)) {
        return true;
    }
    if (side->port == 0) {
        side_listen(side);
    }
    side_drop(side);
    link_deflate = NULL;
    side->neighbour_client = client_start(side);
    link_deflate = deflate;
    side->h = side_accept(side);
    side->neighbour = side->h == NULL ? NULL : h2_grant(side->h, "", false);
    return side->neighbour != NULL && h2_neighbour_echo(side->neighbour, false);
}

/* ---- a case ---------------------------------------------------------------------------------- */

static void client_close(void *link) {
    struct client_link *l = link;
    wring_client_destroy(l->client);
    h2_stream_free(l->stream);
    free(l);
}

static void *side_open(struct side *side, uint64_t seed) {
    char answer[DEFLATE_TEXT];
    deflate_answer(link_deflate, answer);
    if (!side_connect(side)) {
        return NULL;
    }
    struct client_link *l = malloc(sizeof *l);
    *l = (struct client_link){.side = side, .client = client_start(side)};
    l->stream = h2_grant(side->h, answer, seed == 0);
    if (l->stream == NULL) {
        client_close(l);
        return NULL;
    }
    return l;
}

static void *usual_open(uint64_t seed) {
    return side_open(&usual, seed);
}

static void *small_open(uint64_t seed) {
    return side_open(&small, seed);
}

static void *tls_open(uint64_t seed) {
    return side_open(&tls, seed);
}

static struct moved client_move(void *link, const uint8_t *bytes, size_t len, uint8_t *out,
                                size_t cap) {
    return h2_stream_move(((struct client_link *)link)->stream, bytes, len, out, cap);
}

static void client_shut(void *link, bool at_once) {
    h2_stream_shut(((struct client_link *)link)->stream, at_once);
}

static const char *neighbour_check(const struct client_link *l) {
    return !h2_neighbour_echo(l->side->neighbour, false) ? "the neighbour does not echo"
           : h2_is_over(l->side->h)                      ? "GOAWAY"
           : has_caller(l->side, 0)                      ? "the clients opened a second connection"
                                                         : NULL;
}

static const char *client_reset(void *link, uint32_t code) {
    const struct client_link *l = link;
    h2_stream_reset(l->stream, code);
    return neighbour_check(l);
}

static const char *client_end(void *link) {
    const struct client_link *l = link;
    const char *wrong = h2_stream_end(l->stream);
    return wrong != NULL ? wrong : neighbour_check(l);
}

/* The connection is closed when nobody is on it any more. */
static const char *side_finish(struct side *side) {
    const char *wrong = side->h == NULL || h2_is_over(side->h)
                            ? "the connection is lost"
                            : h2_neighbour_close(side->neighbour, false);
    wring_client_destroy(side->neighbour_client);
    side->neighbour_client = NULL;
    if (wrong == NULL && !h2_wait_over(side->h)) {
        wrong = "the connection is not closed when nobody is on it";
    }
    side_drop(side);
    SSL_CTX_free(side->context);
    close(side->listener);
    return wrong;
}

static const char *usual_finish(void) {
    return side_finish(&usual);
}

static const char *small_finish(void) {
    return side_finish(&small);
}

static const char *tls_finish(void) {
    return side_finish(&tls);
}

const struct link_ops link_client_h2_loopback = {
    .name = "client-h2-loopback",
    .text = "client, HTTP/2",
    .tester_is_client = false,
    .is_stream = true,
    .open = usual_open,
    .move = client_move,
    .shut = client_shut,
    .reset = client_reset,
    .end = client_end,
    .close = client_close,
    .finish = usual_finish,
};

const struct link_ops link_client_h2_small = {
    .name = "client-h2-small",
    .text = "client, HTTP/2 in small pieces and windows",
    .tester_is_client = false,
    .is_stream = true,
    .open = small_open,
    .move = client_move,
    .shut = client_shut,
    .reset = client_reset,
    .end = client_end,
    .close = client_close,
    .finish = small_finish,
};

const struct link_ops link_client_h2_tls = {
    .name = "client-h2-tls",
    .text = "client, HTTP/2 over TLS",
    .tester_is_client = false,
    .is_stream = true,
    .open = tls_open,
    .move = client_move,
    .shut = client_shut,
    .reset = client_reset,
    .end = client_end,
    .close = client_close,
    .finish = tls_finish,
};
