/* SPDX-License-Identifier: Apache-2.0
 *
 * Clients of a scenario that share connections of HTTP/2: what tests/sim/sim_client.c is for
 * HTTP/1.1. A client is a stream. It is read when it is stepped, and only then gives credit back;
 * its connection is moved by whoever is stepped.
 */
#ifndef WRING_TESTS_SIM_H2_H
#define WRING_TESTS_SIM_H2_H

#include "tests/sim/sim_test.h"

/* How the run's clients behave. */
typedef struct sim_h2_plan {
    uint32_t window;      /* what each stream may be sent before it is read */
    unsigned share;       /* most streams of a connection */
    bool is_full;         /* a connection is dialled when the others are full; else, now and then */
    bool ends_first;      /* a client ends its side as soon as its session is over */
    bool is_tortured;     /* the server's memory may be out: GOAWAY may say INTERNAL_ERROR */
    const char *protocol; /* of :protocol; NULL: a plain GET */
} sim_h2_plan;

extern sim_h2_plan sim_h2_plan_now;
extern wring_http2_config sim_h2_config; /* of the server */

/* By the seed; the run's server speaks HTTP/2. */
void sim_h2_begin(uint64_t seed);
/* Every connection is closed, or this fails. */
void sim_h2_end(void);

/* The status of the answer; 0: there is none. */
int sim_h2_status(const sim_client *client);
/* Its stream was reset with that code, or its connection ended. */
bool sim_h2_was_reset(const sim_client *client);
/* Says GOAWAY on the client's connection, which goes on. */
void sim_h2_go_away(sim_client *client);
/* Breaks the client's connection: all its clients are gone. */
void sim_h2_cut_connection(sim_client *client, bool reset);
/* They share one that has not ended. */
bool sim_h2_is_beside(const sim_client *client, const sim_client *other);
/* Sends what its session has, and reads nothing of it. */
void sim_h2_push(sim_client *client);
/* It takes its place on a connection and sends no request. */
void sim_h2_join(sim_client *client);
/* Connections made so far in this run. */
unsigned sim_h2_connections(void);

#endif
