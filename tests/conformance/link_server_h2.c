/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring serve`, or any other echo server, at link_target: each case is a stream of one connection
 * of HTTP/2.
 */
#include "tests/certs/certs.h"
#include "tests/conformance/deflate.h"
#include "tests/conformance/link_h2.h"
#include "tests/conformance/link_loopback.h"
#include "tests/conformance/tls.h"

static SSL *side_tls(const struct h2_side *side, int fd) {
    SSL *ssl = NULL;
    if (side->is_tls) {
        SSL_CTX *context = tls_client_context();
        tls_want_h2(context);
        ssl = tls_begin(context, fd);
        SSL_CTX_free(context);
    }
    return ssl;
}

static struct h2 *side_dial(struct h2_side *side) {
    const int fd = loopback_dial_target();
    SSL *ssl = fd < 0 ? NULL : side_tls(side, fd);
    if (fd < 0 || (side->is_tls && ssl == NULL)) {
        return NULL;
    }
    const struct h2_setup setup = {
        .fd = fd, .ssl = ssl, .is_client = true, .is_small = side->is_small};
    return h2_create(&setup);
}

static struct h2_stream *stream_ask(struct h2_link *link, bool fair_weather) {
    char offer[DEFLATE_TEXT];
    deflate_offer(link_deflate, offer);
    struct h2_stream *stream = h2_ask(link->side->h, offer, fair_weather);
    if (stream != NULL && link_deflate != NULL &&
        !deflate_is_granted(link_deflate, h2_stream_head(stream))) {
        h2_stream_free(stream);
        return NULL;
    }
    return stream;
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

static const struct h2_role role = {
    .tester_is_client = true, .connect = side_dial, .stream = stream_ask};
static struct h2_side usual = {.role = &role};
static struct h2_side small = {.role = &role, .is_small = true};
static struct h2_side tls = {.role = &role, .is_tls = true};

const struct link_ops link_server_h2_loopback = {.name = "server-h2-loopback",
                                                 .text = "server, HTTP/2",
                                                 .tester_is_client = true,
                                                 .serve_options = usual_options,
                                                 .side = &usual,
                                                 H2_LINK_OPS};

const struct link_ops link_server_h2_small = {.name = "server-h2-small",
                                              .text = "server, HTTP/2 in small pieces and windows",
                                              .tester_is_client = true,
                                              .serve_options = small_options,
                                              .side = &small,
                                              H2_LINK_OPS};

const struct link_ops link_server_h2_tls = {.name = "server-h2-tls",
                                            .text = "server, HTTP/2 over TLS",
                                            .tester_is_client = true,
                                            .serve_options = tls_options,
                                            .side = &tls,
                                            H2_LINK_OPS};
