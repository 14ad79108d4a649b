/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of `wring connect`, and what its two threads share.
 *
 *   connect.c          options, exit codes
 *   connect_input.c    the main thread: standard input, signals, when to end
 *   connect_session.c  the worker: what comes is printed
 */
#ifndef WRING_CLI_CONNECT_H
#define WRING_CLI_CONNECT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "wring/wring.h"

#define CONNECT_HEADERS_MAX      64
#define CONNECT_SUBPROTOCOLS_MAX 16

typedef struct connect_options {
    char *header_texts[CONNECT_HEADERS_MAX];
    wring_header headers[CONNECT_HEADERS_MAX]; /* views of the texts */
    size_t header_count;
    char *subprotocols[CONNECT_SUBPROTOCOLS_MAX];
    size_t subprotocol_count;
    char *origin;
    char *ca;
    char *cert;
    char *key;
    char *proxy;
    char *source;
    int binary;
    int one;
    int insecure;
    int verbose;
    int no_proxy;
    uint32_t timeout_ms;
    uint32_t linger_ms;
    uint32_t ping_ms;
    uint32_t reconnect_ms;
    uint64_t max_message;
    char *url;
} connect_options;

typedef struct connect_talk {
    const connect_options *options;
    int wake[2];         /* a byte: something changed */
    bool shows_person;   /* both ends of the talk are a terminal: say how it goes */
    bool shows_terminal; /* output is a terminal: what comes must not drive it */
    atomic_bool open;
    atomic_bool closed;
    atomic_bool answered;    /* a message came */
    atomic_bool input_ended; /* each further message is worth a wake */
    atomic_bool asked;       /* the worker was asked whether all is sent */
    atomic_bool sent_all;    /* ... and it is */
    atomic_int output_error; /* errno of writing to standard output */

    /* the worker's until `closed` */
    wring_result result;
    uint16_t close_code;
    bool was_open;
    bool closed_by_peer;
    char close_reason[4 * WRING_CONTROL_PAYLOAD_MAX + 1]; /* printable */
    char text[320];
} connect_talk;

/** Its opts are the connect_talk. */
extern const wring_handler connect_handler;
void connect_on_status(wring_client *client, const wring_client_report *report, void *opts);

/** Asks the worker whether everything is sent; the answer is `sent_all` and a wake. */
void connect_ask(connect_talk *talk, wring_client *client);

/** Until the client is closed.  @param signals  a signalfd of those that end it */
void connect_converse(connect_talk *talk, wring_client *client, int signals);

#endif
