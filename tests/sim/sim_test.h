/* SPDX-License-Identifier: Apache-2.0
 *
 * What the scenarios share: a server of several workers over one simulated world, clients that are
 * sans-I/O machines on simulated sockets, and the loop that runs both until nothing moves.
 */
#ifndef WRING_TESTS_SIM_TEST_H
#define WRING_TESTS_SIM_TEST_H

#include "core/trace.h"
#include "tests/sim/backend/sim.h"
#include "io/tls.h"
#include "server/server.h"

/* A broken expectation ends the run: the seed is printed and the process aborts. */
#define EXPECT(x) ((x) ? (void)0 : sim_fail(#x, __FILE__, __LINE__))
_Noreturn void sim_fail(const char *what, const char *file, int line);

extern uint64_t sim_seed;                       /* of the run at hand, for messages */
extern const wring_deflate_config *sim_deflate; /* of servers begun from here on */

typedef struct sim_run {
    wring__sim *world;
    wring_server *server;
    wring__tls_context *client_tls; /* of the sim_clients; NULL: plain */
    uint16_t port;
} sim_run;

extern const wring_tls_server_config *sim_run_tls; /* of the servers to come; NULL: plain */
extern const wring_http2_config *sim_run_http2;    /* of the servers to come; NULL: none */
extern wring__h2_counters sim_run_http2_counters;  /* of the runs that ended */
extern bool sim_run_has_room; /* of the servers to come: their receive buffers are many and long */
extern bool sim_run_calm;     /* of the worlds to come: no faults */
extern uint32_t sim_run_pipe_bytes; /* of the worlds to come; 0: by the seed */

void sim_run_begin(sim_run *run, uint64_t seed, const wring_handler *handler, void *opts,
                   uint32_t workers);
void sim_run_begin_mailbox(sim_run *run, uint64_t seed, const wring_handler *handler, void *opts,
                           uint32_t workers, uint32_t mailbox_items);
/* With what the scenario set in `config` and its policy; the rest by the seed. The world begins
 * with the run. */
void sim_run_begin_config(sim_run *run, uint64_t seed, wring_server_config *config);
/* The server's own policy as it is now, with its defaults. */
static inline const wring__policy *sim_run_policy(const sim_run *run) {
    return wring__settings_policy(run->server->settings.newest);
}
/* One round: every worker a turn, in an order by the seed. */
void sim_run_workers(sim_run *run);
/* Drains the server and checks that nothing is left of it. */
void sim_run_end(sim_run *run);

/* What a callback of the server may ask of its session. */
static inline wring_machine_state sim_session_state(const wring_session *session) {
    return wring_machine_get_state(&session->machine);
}

/* TLS: from begin to end its lengths are the same in each run of a seed. */
void sim_tls_random_begin(uint64_t seed);
void sim_tls_random_end(void);
wring_tls_server_config sim_tls_server(void);
wring__tls_context *sim_tls_client(void);

enum sim_client_phase { CLIENT_NEW, CLIENT_UPGRADING, CLIENT_OPEN, CLIENT_GONE };

typedef struct sim_client sim_client;
struct sim_client {
    sim_run *run;
    wring__socket socket;
    wring_machine *machine; /* NULL: not upgraded yet */
    wring__tls *tls;        /* NULL: plain */
    wring__outq tls_out;
    wring_deflate *contexts; /* NULL: nothing is offered */
    enum sim_client_phase phase;
    uint8_t head[2048]; /* the response head */
    size_t head_len;
    uint8_t request[512];
    size_t request_len;
    size_t request_sent;
    char key[25];
    bool must_deflate; /* it offers, if the server accepts; else most do */
    void *carried;     /* of a client that shares its connection with others (tests/h2) */
    bool ended;        /* WRING_EVENT_END came */
    wring_end end;
    void *app;
    void (*on_open)(sim_client *client);
    void (*on_message)(sim_client *client, const wring_message *message);
};

void sim_client_init(sim_client *client, sim_run *run);
/* Dials when new; moves bytes both ways; true when something moved. */
void sim_client_step(sim_client *client);
/* Only reads. */
void sim_client_listen(sim_client *client);
/* Only sends. */
void sim_client_talk(sim_client *client);
void sim_client_send(sim_client *client, wring_frame frame);
/* Cuts the connection, in order or with a reset. */
void sim_client_cut(sim_client *client, bool reset);
void sim_client_deinit(sim_client *client);

/* For what carries a client (sim_client.c; tests/h2): the value of Sec-WebSocket-Extensions, or
 * NULL; the upgrade was accepted; bytes came; no more will. */
const char *sim_client_offer(sim_client *client, char offer[WRING_DEFLATE_TEXT_MAX]);
void sim_client_open(sim_client *client, wring_headers headers);
void sim_client_bytes(sim_client *client, uint8_t *data, size_t len);
void sim_client_eof(sim_client *client);
/* For sim_client_deinit: frees `carried`. */
void sim_client_forget(sim_client *client);

/* What `sim --scenario` knows; the last one has no name. */
typedef struct sim_scenario {
    const char *name;
    void (*run)(uint64_t seed);
    void (*sum)(uint64_t seeds); /* what only many seeds together show; NULL: nothing */
} sim_scenario;
extern const sim_scenario sim_scenarios[];

/* The scenarios. */
void sim_echo(uint64_t seed);
void sim_chat(uint64_t seed);
void sim_bombs(uint64_t seed);
void sim_slow(uint64_t seed);
void sim_sends(uint64_t seed);
void sim_drain(uint64_t seed);
void sim_suspend(uint64_t seed);
void sim_budget(uint64_t seed);
void sim_long(uint64_t seed);
void sim_settings(uint64_t seed);
void sim_http(uint64_t seed);
void sim_http_cases(uint64_t seed);
void sim_http_sum(uint64_t seeds);
void sim_silent(uint64_t seed);
void sim_long_sum(uint64_t seeds);
void sim_pubsub(uint64_t seed);
void sim_pubsub_slow(uint64_t seed);
void sim_the_client(uint64_t seed);
void sim_the_client_with_tls(uint64_t seed);
void sim_the_client_http2(uint64_t seed);
void sim_the_client_http2_tls(uint64_t seed);
void sim_the_client_http2_sum(uint64_t seeds);
void sim_client_trunks(uint64_t seed);
void sim_reconnect(uint64_t seed);
void sim_reconnect_sum(uint64_t seeds);
void sim_client_pause(uint64_t seed);
void sim_client_pause_sum(uint64_t seeds);
void sim_eyeballs(uint64_t seed);

#endif
