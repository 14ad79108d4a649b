/* SPDX-License-Identifier: Apache-2.0
 *
 * How the tester reaches what it tests. A link is one connection on which the opening handshake is
 * done; bytes the other side sent behind its handshake come with the first move.
 */
#ifndef WRING_TESTS_CONFORMANCE_LINK_H
#define WRING_TESTS_CONFORMANCE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a move did. */
struct moved {
    size_t sent;
    size_t received;
    bool end;     /* the other side sends no more */
    bool reset;   /* the stream broke */
    bool timeout; /* nothing moved for five seconds, of the clock or of the world */
};

struct link_ops {
    const char *name;
    const char *text; /* for the report */
    bool tester_is_client;
    bool is_stream; /* of HTTP/2: it has to end in order (RFC 8441 5), a reset is wrong */
    /* The options of the `wring serve` at link_target. NULL: the link needs no server. */
    const char *const *(*serve_options)(void);
    void *side; /* of link_h2.c */
    void *(*open)(const struct link_ops *ops, uint64_t seed);
    /* Sends up to `len` bytes and receives what is there, as soon as either is possible. */
    struct moved (*move)(void *link, const uint8_t *bytes, size_t len, uint8_t *out, size_t cap);
    /* Of streams: END_STREAM goes out with the last byte of the next moves, or at once. */
    void (*shut)(void *link, bool at_once);
    /* Of streams: RST_STREAM. NULL, or what is wrong then. */
    const char *(*reset)(void *link, uint32_t code);
    /* Once the other side has ended in order: NULL, or what is wrong then. Optional. */
    const char *(*end)(void *link);
    void (*close)(void *link);
    /* After the last case: NULL, or what was left wrong. Optional. */
    const char *(*finish)(const struct link_ops *ops);
};

extern const struct link_ops link_server_loopback; /* `wring serve` at link_target */
extern const struct link_ops link_server_sim;
extern const struct link_ops link_client_loopback; /* a machine in client role */
extern const struct link_ops link_client_sim;
extern const struct link_ops link_client_wss; /* wring_client_create, over TLS */
/* Streams of one connection of HTTP/2, beside one that stays. */
extern const struct link_ops link_server_h2_loopback, link_server_h2_small, link_server_h2_tls;
extern const struct link_ops link_client_h2_loopback, link_client_h2_small, link_client_h2_tls;

/* Clients of HTTP/2 at a proxy, which speaks HTTP/1.1 to the tester. */
extern const struct link_ops link_client_proxied;

extern const char *link_target; /* host:port of the server, or of link_client_proxied's proxy */
extern uint16_t link_port;      /* where the proxy looks for the tester */
extern bool link_is_proxied;    /* a proxy is in between: it may reset a stream that has ended */

#endif
