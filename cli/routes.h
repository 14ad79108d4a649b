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

#define SERVE_ROUTES 5

/** A topic's name from a path: percent-decoded. Returns its length; 0 for one that is none: empty,
 *  too long, a malformed escape, a control byte. */
size_t serve_topic_name(wring_bytes raw, char name[WRING_TOPIC_MAX]);

/** Fills in the table; it borrows `app`. */
void serve_routes(serve_app *app, wring_route routes[SERVE_ROUTES]);

#endif
