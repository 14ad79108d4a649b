/* SPDX-License-Identifier: Apache-2.0
 *
 * What happened: the server, its applications, and its peers on two connections.
 */
#ifndef WRING_TESTS_FUZZ_HTTP2_SCENE_H
#define WRING_TESTS_FUZZ_HTTP2_SCENE_H

#include "server/server.h"
#include "tests/fuzz/http_server/exchanges.h"
#include "tests/h2/judge.h"
#include "tests/sim/backend/sim.h"

#define SESSIONS_MAX 600
#define STREAMS_MAX  200 /* opened by the grammar */

enum {
    FLAG_FAULTS = 1,
    FLAG_TIMEOUTS = 2, /* short ones; else FAR_MS */
    FLAG_STINGY = 4,   /* the peer gives no windows at the end */
    FLAG_TRICKLE = 8,  /* the peer sends in small pieces */
    FLAG_RAW = 16,     /* it says no preface by itself */
    FLAG_HOLD = 32,    /* what it says goes out when it waits */
    FLAG_TIGHT = 64    /* few slots, sessions and requests, small budgets */
};

/* An echo session on a stream, or one of HTTP/1.1. */
typedef struct carried {
    fuzz_app app;
    uint64_t tag; /* the stream; 0: HTTP/1.1 */
} carried;

/* One end of a connection to the server. */
typedef struct fuzz_peer {
    wring__socket socket;
    h2_buffer unsent;
    h2_buffer first; /* what was sent, until it is clear what it speaks */
    h2_judge judge;
    bool is_judged; /* it speaks HTTP/2 */
    bool is_http1;
    bool reads;
    bool end;  /* nothing more comes */
    bool shut; /* its half is ended */
    bool gone; /* it closed its socket */
    bool cut;  /* not all the server sends has to arrive */
} fuzz_peer;

/* The one that behaves. */
typedef struct fuzz_neighbour {
    fuzz_peer peer;
    unsigned said; /* messages */
    unsigned heard;
    bool has_page;
    bool is_done;
} fuzz_neighbour;

struct scene {
    uint8_t flags;
    uint8_t seed;
    wring__sim *world;
    wring_server *server;
    wring_handler handler;
    wring_session_config session;
    wring_http2_config http2;
    exchanges *app;
    wring_bytes session_script;
    carried *sessions[SESSIONS_MAX];
    size_t session_count;
    fuzz_peer peer;
    fuzz_neighbour neighbour;
    uint32_t streams[STREAMS_MAX];
    size_t stream_count;
    uint32_t stream_next;
    size_t filled;
    size_t mutate_at;
    uint8_t mutate_mask;
    wring_time_ns began;
    bool late; /* deadlines may have passed */
    bool draining;
};

extern struct scene *scene_now;

/* What a handler of sessions begins with: app.h's for several at a time. */
wring_handler sessions_handler(void);
uint64_t tag_of_exchange(const wring_exchange *exchange);

/* peer.c */
void peer_init(struct scene *scene, fuzz_peer *peer);
void peer_free(fuzz_peer *peer);
void peer_send(const struct scene *scene, fuzz_peer *peer);
void peer_receive(const struct scene *scene, fuzz_peer *peer);
void peer_shutdown(const struct scene *scene, fuzz_peer *peer);
void peer_close(const struct scene *scene, fuzz_peer *peer, bool reset);

/* script.c: what the input's peer says with one byte of the input; false: it is none of its. */
bool script_says(struct scene *scene, wring_bytes *in, uint8_t op);
void script_begins(struct scene *scene);
/* Windows for everything that is owed. */
void script_gives(struct scene *scene);

/* neighbour.c */
void neighbour_begin(struct scene *scene);
/* False: it had nothing to do. */
bool neighbour_act(struct scene *scene);
void neighbour_end(struct scene *scene);
extern const wring_handler neighbour_session;
extern const wring_http_handler neighbour_page;

/* verdict.c */
/* Everything is quiet, and nothing hinders the server: what it owes is there. */
void verdict_quiet(const struct scene *scene);
void verdict_check(const struct scene *scene);

#endif
