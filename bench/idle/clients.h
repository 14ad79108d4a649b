/* SPDX-License-Identifier: Apache-2.0
 *
 * The other end of bench-idle: WebSocket connections in a process of their own, so that what the
 * measured process holds is the server's alone. Blocking, one connection after the other.
 */
#ifndef WRING_BENCH_IDLE_CLIENTS_H
#define WRING_BENCH_IDLE_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

struct clients_config {
    bool tls;
    int tls_version;  /* 12 or 13 */
    const char *cert; /* PEM files of a client's certificate; NULL: none */
    const char *key;
    uint32_t streams; /* HTTP/2, and so many sessions on a connection; 0: HTTP/1.1 */
    bool deflate;     /* permessage-deflate is offered, and has to be accepted */
};

/** Starts the process. To be called before any thread is started. */
void clients_start(const struct clients_config *config);

/** Opens `count` more to 127.0.0.1:port and upgrades them. False: said on stderr. */
bool clients_open(uint16_t port, uint32_t count);

/** Each sends one message of `len` bytes and reads it back. */
bool clients_talk(uint32_t len);

bool clients_close(void);
void clients_stop(void);

#endif
