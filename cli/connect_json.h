/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON for `wring connect`: strings and base64 to write, the objects of --json-input to read.
 * Thread: any.
 */
#ifndef WRING_CLI_CONNECT_JSON_H
#define WRING_CLI_CONNECT_JSON_H

#include <stdbool.h>
#include <stdio.h>

#include "wring/wring.h"

/** A JSON string, quotes included. Everything that could drive a terminal is escaped.
 *  @param text  valid UTF-8 */
void connect_json_string(FILE *to, wring_bytes text);

/** The base64 of `bytes` (RFC 4648 4) as a JSON string. */
void connect_json_base64(FILE *to, wring_bytes bytes);

typedef enum connect_action_kind {
    CONNECT_ACTION_NONE, /* an object of --json that asks for nothing, or an empty line */
    CONNECT_ACTION_SEND, /* a frame of `opcode` */
    CONNECT_ACTION_CLOSE
} connect_action_kind;

typedef struct connect_action {
    connect_action_kind kind;
    wring_opcode opcode;
    uint16_t close_code;
    uint8_t *payload; /* of the frame, or the reason of the close */
    size_t len;
} connect_action;

/** What an object asks for: {"event": "message", "type": "text" or "binary", "data": ...}, "ping"
 *  or "pong" with data in base64, "close" with code and reason. "event" and "type" may be left out.
 *  @param why  set when it is wrong
 *  Own: free action->payload.   Returns false when it is wrong. */
bool connect_json_parse(wring_bytes line, connect_action *action, const char **why);

#endif
