/* SPDX-License-Identifier: Apache-2.0
 *
 * Links that are streams of one connection of HTTP/2, in either role of the tester. A neighbour
 * stays open on the connection, and is asked after each case.
 */
#ifndef WRING_TESTS_CONFORMANCE_LINK_H2_H
#define WRING_TESTS_CONFORMANCE_LINK_H2_H

#include "tests/conformance/h2.h"
#include "tests/conformance/link.h"
#include "wring/client.h"

struct h2_role;

/* The connection, opened anew when it was lost. */
struct h2_side {
    const struct h2_role *role;
    const bool is_small, is_tls;
    struct h2 *h;
    struct h2_stream *neighbour;
    /* the tester is a server */
    int listener; /* of `port` */
    uint16_t port;
    SSL_CTX *context;
    wring_client *neighbour_client;
};

struct h2_link {
    struct h2_side *side;
    struct h2_stream *stream;
    wring_client *client; /* the tester is a server */
};

struct h2_role {
    bool tester_is_client;
    /* NULL: it is not to be had. The neighbour's client, if it has one, begins to connect. */
    struct h2 *(*connect)(struct h2_side *side);
    /* A stream with what link_deflate says. NULL: the other side did not do its part. */
    struct h2_stream *(*stream)(struct h2_link *link, bool fair_weather);
    const char *(*neighbour_check)(const struct h2_side *side); /* Optional. */
    const char *(*finish)(struct h2_side *side);                /* Optional. */
};

void *h2_link_open(const struct link_ops *ops, uint64_t seed);
struct moved h2_link_move(void *link, const uint8_t *bytes, size_t len, uint8_t *out, size_t cap);
void h2_link_shut(void *link, bool at_once);
const char *h2_link_reset(void *link, uint32_t code);
const char *h2_link_end(void *link);
void h2_link_close(void *link);
const char *h2_link_finish(const struct link_ops *ops);

/* What the link_ops of every side have. */
#define H2_LINK_OPS                                                                                \
    .is_stream = true, .open = h2_link_open, .move = h2_link_move, .shut = h2_link_shut,           \
    .reset = h2_link_reset, .end = h2_link_end, .close = h2_link_close, .finish = h2_link_finish

#endif
