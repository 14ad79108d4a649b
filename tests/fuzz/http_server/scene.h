/* SPDX-License-Identifier: Apache-2.0
 *
 * What happened: the server, its application, and its peer.
 */
#ifndef WRING_TESTS_FUZZ_HTTP_SERVER_SCENE_H
#define WRING_TESTS_FUZZ_HTTP_SERVER_SCENE_H

#include "server/http.h"
#include "server/server.h"
#include "tests/fuzz/http_server/exchanges.h"
#include "tests/sim/backend/sim.h"

enum {
    FLAG_FAULTS = 1,
    FLAG_TIMEOUTS = 2,  /* short ones; else FAR_MS */
    FLAG_KEEP_OPEN = 4, /* the peer never ends its half by itself */
    FLAG_TRICKLE = 8    /* the peer sends in small pieces */
};

struct scene {
    uint8_t flags;
    uint8_t seed;
    wring__sim *world;
    wring_server *server;
    wring_handler handler;
    wring_session_config session;
    uint32_t head_max;
    uint16_t target_max;
    wring__socket socket;
    exchanges *app;
    fuzz_log says;     /* what the peer sends, in all */
    size_t sent;       /* bytes of it that the stream took */
    fuzz_log received; /* what the peer has got */
    wring_time_ns began;
    size_t filled;     /* bytes of bodies in `says` */
    unsigned trickles; /* small pieces that were sent */
    unsigned asks;
    bool reads;
    bool cut;    /* not all the server sends has to arrive */
    bool late;   /* deadlines may have passed */
    bool waited; /* ... while the peer did not read */
    bool end;    /* nothing more comes */
    bool shut;   /* the peer's half is ended */
    bool gone;   /* the peer closed its socket */
    bool draining;
    bool drained; /* ... while the peer was there */
    wring_time_ns drained_at;
};

/* What the peer got is what it is owed. */
void verdict_check(const struct scene *scene);

#endif
