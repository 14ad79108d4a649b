/* SPDX-License-Identifier: Apache-2.0
 *
 * The tester's own HTTP/2 (RFC 9113, RFC 8441): a connection of either role by nghttp2, with
 * WebSockets as streams of it. Nothing here uses the library under test.
 *
 * One thread. A connection moves only inside these calls.
 */
#ifndef WRING_TESTS_CONFORMANCE_H2_H
#define WRING_TESTS_CONFORMANCE_H2_H

#include <openssl/ssl.h>

#include "tests/conformance/link.h"

struct h2;
struct h2_stream;

struct h2_setup {
    int fd;         /* connected; taken */
    SSL *ssl;       /* over it, with "h2" agreed on; taken. NULL: cleartext */
    bool is_client; /* the tester's role */
    bool is_small;  /* windows of 97 bytes, and DATA of 1 to 40: frames of WebSockets are cut
                       everywhere. On streams in fair weather 4,000 bytes, and DATA of 1 to 4,000 */
};

/* Sends the preface and the settings, and waits for those of the other side. NULL: it has none, or
 * a server that takes no WebSockets. */
struct h2 *h2_create(const struct h2_setup *setup);
void h2_destroy(struct h2 *h);
/* The other side ended the connection, said GOAWAY, or broke a rule that costs the connection. */
bool h2_is_over(const struct h2 *h);
/* Waits until the other side ends the connection. False: it does not. */
bool h2_wait_over(struct h2 *h);

/* As a client: asks for a WebSocket at /echo. NULL: anything but a 200. The stream's head is the
 * answer's.  `offer`: Sec-WebSocket-Extensions, "" for none. */
struct h2_stream *h2_ask(struct h2 *h, const char *offer, bool fair_weather);
/* As a server: waits for a request and grants it. NULL: none comes, or it is wrong.  `answer`:
 * Sec-WebSocket-Extensions, "" for none. */
struct h2_stream *h2_grant(struct h2 *h, const char *answer, bool fair_weather);

/* Lines of "name: value". */
const char *h2_stream_head(const struct h2_stream *s);
/* As link_ops.move: `end` is END_STREAM, `reset` RST_STREAM or a lost connection without it. */
struct moved h2_stream_move(struct h2_stream *s, const uint8_t *bytes, size_t len, uint8_t *out,
                            size_t cap);
/* Ends the tester's side with END_STREAM: on the last byte of the next move if that sends all, or
 * at once on a DATA frame of its own. */
void h2_stream_shut(struct h2_stream *s, bool at_once);
void h2_stream_reset(struct h2_stream *s, uint32_t code);
/* Ends the tester's side with END_STREAM if it has not, behind the other side's, and waits until
 * the stream is over. NULL, or what was wrong. */
const char *h2_stream_end(struct h2_stream *s);
/* Frees it; one that is not over is reset with CANCEL. NULL is legal. */
void h2_stream_free(struct h2_stream *s);

/* A WebSocket that stays open while others come and go: says something, and waits for the echo.
 * False: it does not come, or not as it was sent. */
bool h2_neighbour_echo(struct h2_stream *s, bool tester_is_client);
/* Its close handshake, begun by the tester, and the end of the stream. NULL, or what was wrong. */
const char *h2_neighbour_close(struct h2_stream *s, bool tester_is_client);

#endif
