/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of e2e-http-server share. See http_server.c.
 */
#ifndef WRING_TESTS_E2E_HTTP_SERVER_H
#define WRING_TESTS_E2E_HTTP_SERVER_H

#include <wring/wring.h>

extern const wring_handler http_echo;      /* echoes messages */
extern const wring_handler http_greeter;   /* says who was let in, then echoes */
extern const wring_handler http_peer;      /* says whose connection this is, then echoes */
extern const wring_http_handler http_auth; /* decides over upgrades */
extern const wring_policy http_deflate;    /* messages may be compressed */

/** A call that failed goes to standard error, except where the client had gone. */
void check(wring_result result, const char *what);
void answer_text(wring_exchange *exchange, uint16_t status, const char *text);

/** The `done` of every handler of exchanges. */
void on_done(wring_exchange *exchange, const wring_exchange_end *end);

/** Runs `run` on a thread of its own, which the end of the program waits for. */
void task_start(wring_exchange *exchange, void (*run)(wring_ref, uint64_t), uint64_t number);

/** A value of the query as a string; empty if there is none. */
void query_text(const wring_request *request, const char *name, char *out, size_t cap);

#endif
