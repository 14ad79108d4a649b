/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring serve`, or any other echo server, at link_target: each case is a stream of one connection
 * of HTTP/2. A neighbour stays open on it, and is asked after each case.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/certs/certs.h"
#include "tests/conformance/deflate.h"
#include "tests/conformance/h2.h"
#include "tests/conformance/link_loopback.h"
#include "tests/conformance/tls.h"

struct side {
    const bool is_small, is_tls;
    struct h2 *h;
    struct h2_stream *neighbour;
};

struct server_link {
    struct side *side;
    struct h2_stream *stream;
};

static struct side usual;
static struct side small = {.is_small = true};
static struct side tls = {.is_tls = true};

/* ---- the connection -------------------------------------------------------------------------- */

static void side_drop(struct side *side) {
    h2_stream_free(side->neighbour);
    h2_destroy(side->h);
    side->neighbour = NULL;
    side->h = NULL;
}

static SSL *side_tls(const struct side *side, int fd) {
    SSL *ssl = NULL;
    if (side->is_tls) {
        SSL_CTX *context = tls_client_context();
        tls_want_h2(context);
        ssl = tls_begin(context, fd);
        SSL_CTX_free(context);
    }
    return ssl;
}

/* One connection for all cases, unless it was lost. */
static bool side_connect(struct side *side) {
    if (side->h != NULL && !h2_is_over(side->h)) {
        return true;
    }
    side_drop(side);
    const int fd = loopback_dial_target();
    SSL *ssl = fd < 0 ? NULL : side_tls(side, fd);
    if (fd < 0 || (side->is_tls && ssl == NULL)) {
        return false;
    }
    const struct h2_setup setup = {
        .fd = fd, .ssl = ssl, .is_client = true, .is_small = side->is_small};
    side->h = h2_create(&setup);
    side->neighbour = side->h == NULL ? NULL : h2_ask(side->h, "", false);
    return side->neighbour != NULL && h2_neighbour_echo(side->neighbour, true);
}

/* ---- a case ---------------------------------------------------------------------------------- */

static void *side_open(struct side *side, uint64_t seed) {
    char offer[DEFLATE_TEXT];
    deflate_offer(link_deflate, offer);
    struct h2_stream *stream = side_connect(side) ? h2_ask(side->h, offer, seed == 0) : NULL;
    if (stream == NULL ||
        (link_deflate != NULL && !deflate_is_granted(link_deflate, h2_stream_head(stream)))) {
        h2_stream_free(stream);
        return NULL;
    }
    struct server_link *l = malloc(sizeof *l);
    *l = (struct server_link){side, stream};
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

static struct moved server_move(void *link, const uint8_t *bytes, size_t len, uint8_t *out,
                                size_t cap) {
    return h2_stream_move(((struct server_link *)link)->stream, bytes, len, out, cap);
}

static void server_shut(void *link, bool at_once) {
    h2_stream_shut(((struct server_link *)link)->stream, at_once);
}

static const char *neighbour_check(const struct server_link *l) {
    return !h2_neighbour_echo(l->side->neighbour, true) ? "the neighbour does not echo"
           : h2_is_over(l->side->h)                     ? "GOAWAY"
                                                        : NULL;
}

static const char *server_reset(void *link, uint32_t code) {
    const struct server_link *l = link;
    h2_stream_reset(l->stream, code);
    return neighbour_check(l);
}

static const char *server_end(void *link) {
    const struct server_link *l = link;
    const char *wrong = h2_stream_end(l->stream);
    return wrong != NULL ? wrong : neighbour_check(l);
}

static void server_close(void *link) {
    struct server_link *l = link;
    h2_stream_free(l->stream);
    free(l);
}

static const char *side_finish(struct side *side) {
    const char *wrong = side->h == NULL || h2_is_over(side->h)
                            ? "the connection is lost"
                            : h2_neighbour_close(side->neighbour, true);
    side_drop(side);
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

/* ---- the servers ----------------------------------------------------------------------------- */

static const char *const *usual_options(void) {
    static const char *const options[] = {"--http2", NULL};
    return options;
}

/* Windows that a peer keeps this small cost it its budget otherwise. */
static const char *const *small_options(void) {
    static const char *const options[] = {
        "--http2", "--http2-window", "1k", "--http2-control-rate", "off", NULL};
    return options;
}

static const char *const *tls_options(void) {
    static const char *options[5] = {"--tls-cert", NULL, "--tls-key"};
    tls_certs();
    options[1] = cert_path("server.pem");
    options[3] = cert_path("server.key");
    return options;
}

const struct link_ops link_server_h2_loopback = {
    .name = "server-h2-loopback",
    .text = "server, HTTP/2",
    .tester_is_client = true,
    .is_stream = true,
    .serve_options = usual_options,
    .open = usual_open,
    .move = server_move,
    .shut = server_shut,
    .reset = server_reset,
    .end = server_end,
    .close = server_close,
    .finish = usual_finish,
};

const struct link_ops link_server_h2_small = {
    .name = "server-h2-small",
    .text = "server, HTTP/2 in small pieces and windows",
    .tester_is_client = true,
    .is_stream = true,
    .serve_options = small_options,
    .open = small_open,
    .move = server_move,
    .shut = server_shut,
    .reset = server_reset,
    .end = server_end,
    .close = server_close,
    .finish = small_finish,
};

const struct link_ops link_server_h2_tls = {
    .name = "server-h2-tls",
    .text = "server, HTTP/2 over TLS",
    .tester_is_client = true,
    .is_stream = true,
    .serve_options = tls_options,
    .open = tls_open,
    .move = server_move,
    .shut = server_shut,
    .reset = server_reset,
    .end = server_end,
    .close = server_close,
    .finish = tls_finish,
};
