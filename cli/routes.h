/* SPDX-License-Identifier: Apache-2.0
 *
 * What `wring serve` serves.
 *
 *   routes.c       the table; echo, chat, page, health
 *   topic_route.c  topics, and who may publish to them
 */
#ifndef WRING_CLI_ROUTES_H
#define WRING_CLI_ROUTES_H

#include "wring/server.h"

/** Names of the routes, as --routes takes them: the bit of each is 1 << its index. */
enum { SERVE_ECHO, SERVE_CHAT, SERVE_TOPIC, SERVE_PAGE, SERVE_HEALTH, SERVE_ROUTES };
extern const char *const serve_route_names[SERVE_ROUTES];

/** Texts of options. Borrowed. */
typedef struct serve_texts {
    const char *const *list;
    size_t count;
} serve_texts;

/** Which clients may publish, to which topics. */
typedef struct serve_publish {
    serve_texts topics; /* names; with a '*' at the end: all that begin so. None: to no topic */
    const char *token;  /* what a publisher's request has as its bearer token; NULL: nothing */
} serve_publish;

/** What the routes' handlers share: filled in before the server starts. */
typedef struct serve_app {
    wring_server *server;
    _Atomic unsigned chat_next; /* gives each chat session its name */
    _Atomic unsigned chat_online;
    unsigned routes;     /* bits: which ones are served */
    serve_texts origins; /* allowed besides the server's own */
    serve_publish publish;
} serve_app;

/** Fills in the table; it borrows `app`. Returns how many there are. */
size_t serve_routes(serve_app *app, wring_route routes[SERVE_ROUTES]);

/** The route of topics: WebSockets, and POST. */
wring_route serve_topic_route(serve_app *app);

#endif
