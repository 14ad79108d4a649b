/* SPDX-License-Identifier: Apache-2.0
 *
 * A client of a scenario that writes its frames itself, in front of a judge (judge.h) of all that
 * the server says.
 */
#ifndef WRING_TESTS_H2_RAW_H
#define WRING_TESTS_H2_RAW_H

#include "tests/h2/judge.h"
#include "tests/sim/sim_test.h"

typedef struct raw_client {
    sim_run *run;
    wring__socket socket;
    h2_buffer unsent;
    h2_judge judge;
    uint32_t next;  /* stream that it opens */
    bool is_paused; /* reads nothing */
    bool has_agreed;
    bool end; /* nothing more comes */
    bool reset;
    bool is_closed;
} raw_client;

/* Dials, and says the preface and SETTINGS. @param window  of its streams */
void raw_begin(raw_client *client, sim_run *run, const wring_http2_config *server, uint32_t window);
void raw_free(raw_client *client);

/* Moves bytes both ways; no more than `most` are sent. Closes when the server has. */
void raw_step(raw_client *client, size_t most);
void raw_close(raw_client *client, bool reset);

/* A request; its body follows, if it does not end. Returns its stream. */
uint32_t raw_ask(raw_client *client, const char *method, const char *path, bool ends);
/* A WebSocket. */
uint32_t raw_connect(raw_client *client, const char *path);
/* One of its messages. */
void raw_text(raw_client *client, uint32_t stream, const char *text);

/* NULL: it is not known to the judge yet. */
const h2_judged_stream *raw_stream(const raw_client *client, uint32_t stream);
/* The status of the answer; 0: there is none. */
unsigned raw_status(const raw_client *client, uint32_t stream);
/* Bytes that may be sent on it. */
size_t raw_room(const raw_client *client, uint32_t stream);
/* It was told that it is too busy, and nothing else follows. */
bool raw_is_calmed(const raw_client *client);

/* Workers and clients, until nothing moves; time stands still unless the world delays bytes. */
void raw_settle(sim_run *run, raw_client *clients, size_t count);
/* ... and for so long. */
void raw_wait(sim_run *run, raw_client *clients, size_t count, wring_duration_ns time);

#endif
