/* SPDX-License-Identifier: Apache-2.0
 *
 * What publishing over HTTP needs, at a topic's path and at the admin port: the topic's name, the
 * kind of message, the bearer token.
 */
#ifndef WRING_CLI_PUBLISH_H
#define WRING_CLI_PUBLISH_H

#include "wring/frame.h"
#include "wring/http.h"
#include "wring/topic.h"

#define PUBLISH_NAME_RULE "a topic's name has 1 to 255 bytes, none a control byte"

/** True for 1 to WRING_TOPIC_MAX bytes, none of them a control byte. */
bool publish_name_is_legal(wring_bytes name);

/** Percent-decodes a topic's name from a raw path. Returns its length; 0: it is not legal. */
size_t publish_name_decode(wring_bytes raw, char name[WRING_TOPIC_MAX]);

/** ?binary=1 and ?binary=0 decide; else the type: octets are binary, all else is text. */
wring_opcode publish_opcode(const wring_request *request);

/** Whether a request has the bearer token. Takes as long for a wrong one as for the right one.
 *  @param token  NULL: none is needed */
bool publish_token_is_right(const char *token, const wring_request *request);

#endif
