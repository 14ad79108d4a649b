/* SPDX-License-Identifier: Apache-2.0
 *
 * What the scenarios of the product's own client share: a pool of one worker in the same world as
 * the server, servers that are wrong (client_peer.c), and an observer of one client that knows what
 * may happen to it (client_watch.c).
 */
#ifndef WRING_TESTS_SIM_CLIENT_TEST_H
#define WRING_TESTS_SIM_CLIENT_TEST_H

#include "client/client.h"
#include "client/pool.h"
#include "tests/sim/sim_test.h"

typedef struct client_world {
    sim_run run; /* the server, which echoes */
    wring_pool *pool;
    bool cuts;   /* connections break for no reason */
    bool calm;   /* no faults */
    bool slow;   /* bytes take their time, or both ends may stop reading */
    bool still;  /* nothing moved in the last round */
    bool shares; /* the server has HTTP/2, and so have its clients */
    const wring_http2_config *server_http2; /* NULL: by the seed */
    bool server_has_none;
    bool refuses;    /* ... and takes fewer sessions of a connection than it says */
    bool falls_back; /* ... or has no WebSockets over it */
    bool is_frozen;  /* the server does nothing, and says so to nobody */
    unsigned idle_rounds;
} client_world;

void client_world_begin(client_world *world, uint64_t seed, bool tls);
void client_world_begin_calm(client_world *world, uint64_t seed);
/* With HTTP/2. What it has of that is by the seed. */
void client_world_begin_http2(client_world *world, uint64_t seed, bool tls);
void client_world_begin_http2_calm(client_world *world, uint64_t seed,
                                   const wring_http2_config *server, bool tls);
/* Of the pools that ended. */
extern wring__h2_counters client_world_http2;
/* A turn of every worker; moves the clock when nothing happened since `before`. */
void client_world_workers(client_world *world);
void client_world_advance(client_world *world, uint64_t before);
/* Drains and checks that nothing is left. */
void client_world_end(client_world *world);
uint64_t client_random(client_world *world, uint64_t bound);

/* ---- servers that are wrong ------------------------------------------------------------------ */

/* X(name, what the client has to say, or else, whether it may come to a session) */
#define PEER_BEHAVIOURS(X)                                                                         \
    X(RESETS, TRUNCATED, TRUNCATED, false)                                                         \
    X(ENDS, TRUNCATED, TRUNCATED, false)                                                           \
    X(IS_SILENT, TIMEOUT, TIMEOUT, false)                                                          \
    X(ENDS_WITHIN_THE_HEAD, TRUNCATED, TRUNCATED, false)                                           \
    X(STOPS_WITHIN_THE_HEAD, TIMEOUT, TIMEOUT, false)                                              \
    X(ANSWERS_ANOTHER_KEY, ACCEPT_MISMATCH, ACCEPT_MISMATCH, false)                                \
    X(ANSWERS_NO_KEY, MISSING_ACCEPT, MISSING_ACCEPT, false)                                       \
    X(ANSWERS_503, UNEXPECTED_STATUS, UNEXPECTED_STATUS, false)                                    \
    X(ANSWERS_WITHOUT_END, HANDSHAKE_RESPONSE_TOO_BIG, HANDSHAKE_RESPONSE_TOO_BIG, false)          \
    X(SPEAKS_ANOTHER_PROTOCOL, BAD_HTTP, BAD_HTTP_VERSION, false)                                  \
    X(OPENS_AND_ENDS, TRUNCATED, TRANSPORT, true)                                                  \
    X(OPENS_AND_RESETS, TRANSPORT, TRUNCATED, true)                                                \
    X(OPENS_AND_MASKS, PROTOCOL, PROTOCOL, true)                                                   \
    X(OPENS_WITH_BAD_UTF8, INVALID_UTF8, INVALID_UTF8, true)                                       \
    X(OPENS_AND_IS_SILENT, TIMEOUT, TIMEOUT, true)                                                 \
    X(OPENS_AND_ECHOES_NO_CLOSE, TIMEOUT, TIMEOUT, true)                                           \
    X(OPENS_AND_CLOSES, CLOSES_WELL, CLOSES_WELL, true)                                            \
    X(OPENS_AND_ANSWERS_PINGS_LATE, CLOSES_WELL, CLOSES_WELL, true)

#define WRING_ERR_CLOSES_WELL WRING_OK

enum behaviour {
#define PEER_ENUM(name, first, second, opens) PEER_##name,
    PEER_BEHAVIOURS(PEER_ENUM)
#undef PEER_ENUM
        PEER_COUNT
};

struct behaviour_facts {
    const char *name;
    wring_result first, second;
    bool opens;
};
extern const struct behaviour_facts behaviour_facts[PEER_COUNT];

#define PEER_MESSAGES   2 /* "m0" and "m1", before what goes wrong in a session */
#define PEER_CLOSE      4000
#define PEER_PONG_NS    (37 * WRING_NS_PER_MS)
#define PEER_PONGS      3
#define PEER_IDLE_MS    3000
#define PEER_PING_MS    500
#define PEER_HEAD_MAX   1024
#define PEER_REASON_503 "Over Capacity"

struct peer {
    client_world *world;
    uint16_t port;
    wring__socket listener;
    wring__socket socket;
    enum behaviour behaviour; /* of the connection at hand */
    int only;                 /* one behaviour for all connections; -1: the seed picks each */
    bool tls;                 /* the client speaks TLS, and hears none */
    bool answered;
    bool shut;
    uint8_t in[4096];
    size_t in_len; /* the request, then frames */
    uint8_t out[4096];
    size_t out_len;
    size_t out_sent;
    unsigned pongs;
    wring_time_ns pong_at; /* WRING_TIME_NEVER: none is owed */
};

void peer_init(struct peer *peer, client_world *world, uint16_t port);
void peer_step(struct peer *peer);
void peer_deinit(struct peer *peer);

/* ---- the observer ---------------------------------------------------------------------------- */

struct watch {
    client_world *world;
    wring_client *client; /* NULL once given up */
    wring_client_config config;
    wring_session_config session; /* of config */
    struct peer *peer;            /* NULL: the real server */
    wring_result dial_result; /* OK, or how every attempt ends: nobody listens, nobody answers */
    bool asked_to_close;
    wring_time_ns asked_at;

    /* what on_status told */
    int status; /* -1: nothing yet */
    unsigned opens, closes, waits;
    uint32_t attempt, backoff;
    uint32_t bound_ms, delay_ms; /* of the last wait */
    wring_time_ns connecting_at, opened_at, waiting_until;
    wring_result last;

    /* the session at hand */
    bool in_session;
    wring_end end;
    wring_time_ns closing_at; /* WRING_TIME_NEVER: not from here */
    uint64_t seen;            /* messages of this session */
    uint64_t pongs;
    void (*on_session)(struct watch *watch, wring_session *session);
    wring_verdict (*on_message)(struct watch *watch, wring_session *session,
                                const wring_message *message);
    void (*on_change)(struct watch *watch, const wring_client_report *report);
};

extern const wring_handler watch_handler;

/* Fills in callbacks; the rest of watch->config and watch->session is the scenario's. Then it
 * connects, and both have their defaults. */
void watch_connect(struct watch *watch, const char *url);
void watch_close(struct watch *watch);
/* Its handler ends the session at hand; the first who closes it starts the clock. */
void watch_session_closes(struct watch *watch);
/* Gives the client up, at any time. */
void watch_give_up(struct watch *watch);
bool watch_is_over(const struct watch *watch);

#endif
