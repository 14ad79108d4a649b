/* SPDX-License-Identifier: Apache-2.0
 *
 * A client that echoes: the sans-I/O machine in client role, without a stream.
 */
#ifndef WRING_TESTS_CONFORMANCE_ECHO_CLIENT_H
#define WRING_TESTS_CONFORMANCE_ECHO_CLIENT_H

#include "wring/deflate.h"
#include "wring/machine.h"

/* With what link_deflate says; `contexts` are to be destroyed after the machine. */
wring_machine *echo_client_create(wring_deflate **contexts);
/* The bytes are used up. */
void echo_client_feed(wring_machine *machine, wring_mut_bytes bytes);
/* True when the stream is to be shut. */
bool echo_client_is_done(const wring_machine *machine);

#endif
