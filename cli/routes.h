/* SPDX-License-Identifier: Apache-2.0
 *
 * What `wring serve` serves.
 */
#ifndef WRING_CLI_ROUTES_H
#define WRING_CLI_ROUTES_H

#include "wring/server.h"

/** What the routes' handlers share: filled in before the server starts. */
typedef struct serve_app {
    wring_server *server;
    _Atomic unsigned chat_next; /* gives each chat session its name */
    _Atomic unsigned chat_online;
} serve_app;

#define SERVE_ROUTES 4

/** Fills in the table; it borrows `app`. */
void serve_routes(serve_app *app, wring_route routes[SERVE_ROUTES]);

#endif
