/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the clients' process of bench-idle: one connection, and what it does over HTTP/2.
 */
#ifndef WRING_BENCH_IDLE_CLIENT_H
#define WRING_BENCH_IDLE_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MAX 65000

struct client {
    int descriptor;
    uint32_t streams; /* sessions on it; 0: HTTP/1.1, and it is one */
    SSL *ssl;         /* NULL: plain */
};

bool client_write(const struct client *client, const void *data, size_t len);
bool client_read(const struct client *client, uint8_t *data, size_t len);

/* Opens client->streams sessions. */
bool client_h2_open(const struct client *client);

/* Each sends `frame` and reads its answer. */
bool client_h2_talk(const struct client *client, const uint8_t *frame, size_t len);

#endif
