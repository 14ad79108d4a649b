/* SPDX-License-Identifier: Apache-2.0
 *
 * A connected loopback socket as a link's stream.
 */
#ifndef WRING_TESTS_CONFORMANCE_LINK_LOOPBACK_H
#define WRING_TESTS_CONFORMANCE_LINK_LOOPBACK_H

#include "tests/conformance/link.h"

/* A socket connected to link_target; -1: nobody is there. */
int loopback_dial_target(void);
struct moved loopback_move(int fd, const uint8_t *bytes, size_t len, uint8_t *out, size_t cap);
/* Blocking: all of it. */
bool loopback_write(int fd, const char *bytes, size_t len);
/* Reads a head, to "\r\n\r\n" and not a byte more. */
bool loopback_read_head(int fd, char *out, size_t cap, size_t *len);
/* Reads a client's request and grants it, with what link_deflate says. */
bool loopback_grant(int fd);
/* Each write its own segment, and no waiting in calls. */
void loopback_prepare(int fd);

#endif
