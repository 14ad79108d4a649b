/* SPDX-License-Identifier: Apache-2.0
 *
 * The clients, and the connections that a server of the input's has from them.
 */
#ifndef WRING_TESTS_FUZZ_HTTP2_CLIENT_SCENE_H
#define WRING_TESTS_FUZZ_HTTP2_CLIENT_SCENE_H

#include "stream/stream.h"
#include "tests/fuzz/app.h"
#include "tests/h2/judge.h"
#include "tests/sim/backend/sim.h"
#include "wring/client.h"

#define USERS_MAX   6
#define SERVERS_MAX 16
#define SCRIPT_EACH 24

enum {
    FLAG_FAULTS = 1,
    FLAG_ANSWERS = 2, /* each stream is accepted as it comes */
    FLAG_RAW = 4,     /* the server says no SETTINGS by itself */
    FLAG_FEW = 8,     /* its SETTINGS allow one stream at a time */
    FLAG_TRICKLE = 16,
    FLAG_HOLD = 32, /* what it says goes out when it waits */
    FLAG_NONE = 64  /* its SETTINGS do not offer WebSockets */
};

/* What happens: below SAYS_MAX the server sends so many bytes of the input, plus one; up to
 * WAITS_MAX so many rounds pass, and from WAITS_LONG on time as well. Then come frames of the
 * server's, and what the clients do. */
enum { SAYS_MAX = 0x60, WAITS = 0x60, WAITS_LONG = 0x70, WAITS_MAX = 0x80 };
enum act {
    ACT_ANSWER = 0x80,
    ACT_MESSAGE,
    ACT_CLOSE_FRAME,
    ACT_DATA,
    ACT_RESET,
    ACT_WINDOW,
    ACT_SETTING,
    ACT_SETTINGS_ACK,
    ACT_PING,
    ACT_PONG,
    ACT_GOAWAY,
    ACT_FRAME,
    ACT_MUTATE, /* the next frame has a byte changed */
    ACT_MANY,
    ACT_USER = 0xA0,
    ACT_USER_CLOSES,
    ACT_USER_GIVES_UP,
    ACT_PUSH,
    ACT_SHUTDOWN,
    ACT_CLOSE,
    ACT_BREAK,
    ACT_STOP_READING,
    ACT_READ_ON,
    ACT_OTHER /* connection: what follows is said there */
};

typedef struct user {
    wring_client *client; /* NULL: given up */
    fuzz_app app;
    uint32_t stream;
    unsigned opens;
    unsigned closes;
} user;

typedef struct server {
    wring__socket socket;
    h2_buffer unsent;
    h2_judge judge;
    size_t answered; /* streams, by FLAG_ANSWERS */
    bool reads;
    bool end;
    bool shut;
    bool gone;
    bool cut; /* not all that clients send has to arrive */
} server;

struct scene {
    uint8_t flags;
    uint8_t seed;
    wring__sim *world;
    wring_pool *pool;
    wring__socket listener;
    wring_handler handler;
    wring_http2_config http2;
    wring_session_config session;
    wring_bytes script;
    user users[USERS_MAX];
    size_t user_count;
    server servers[SERVERS_MAX];
    size_t server_count;
    size_t at; /* the server that speaks */
    size_t mutate_at;
    uint8_t mutate_mask;
    size_t filled;
};

/* server.c. Those that return bool say whether there was something to do. */
bool servers_accept(struct scene *scene);
bool server_step(struct scene *scene, server *of);
void server_says(struct scene *scene, wring_bytes bytes);
void server_acts(struct scene *scene, wring_bytes *in, uint8_t op);
void servers_end(struct scene *scene);
void servers_free(struct scene *scene);

/* After everything. */
void users_check(struct scene *scene);

#endif
