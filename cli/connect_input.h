/* SPDX-License-Identifier: Apache-2.0
 *
 * The input of `wring connect`: what is read becomes messages, no faster than the server takes
 * them. Thread: the main one.
 */
#ifndef WRING_CLI_CONNECT_INPUT_H
#define WRING_CLI_CONNECT_INPUT_H

#include "cli/connect.h"
#include "cli/connect_json.h"

/* Handed to the worker and not known to be sent: then the input waits in its pipe. */
#define CONNECT_UNSENT_MAX (1 << 20)

typedef struct connect_input {
    char *data; /* what is not yet a message */
    size_t len;
    size_t cap;
    size_t seen; /* no newline up to here */
    size_t unsent;
    size_t line; /* number of the last line that was taken */
    bool end;
    bool closes;          /* --json-input asked for the close in `close` */
    connect_action close; /* its payload is freed by connect_input_deinit */
} connect_input;

/** Reads what is there. A failure is told and ends the input. */
void connect_input_read(connect_talk *talk, connect_input *input);

/** Sends what is a message by now, while the session takes it. */
void connect_input_send(connect_talk *talk, connect_input *input, wring_client *client);

void connect_input_deinit(connect_input *input);

#endif
