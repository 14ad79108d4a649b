/* SPDX-License-Identifier: Apache-2.0
 *
 * Clients under test that speak HTTP/2 and echo.
 */
#ifndef WRING_TESTS_CONFORMANCE_H2_CLIENT_H
#define WRING_TESTS_CONFORMANCE_H2_CLIENT_H

#include "wring/client.h"

/* Begins to connect, and offers what link_deflate says. Those with one URL share a connection.
 * Own: give.  `is_small`: with a window of 1 KiB, and without the budget that small windows of the
 * server cost. */
wring_client *h2_client_create(const char *url, bool is_small);

#endif
