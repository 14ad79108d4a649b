/* SPDX-License-Identifier: Apache-2.0
 *
 * Trunks: connections of HTTP/2 that the clients of a worker share, by origin.
 *
 * An origin is what two clients have to have in common to share a connection: scheme, host, port,
 * proxy, TLS settings, source address, limits. A client that wants HTTP/2 asks its origin first
 * (wring__trunk_seek). An open trunk with room takes the client at once. If there is none, the
 * client dials one, as it would dial a connection of its own, and whoever comes meanwhile waits. A
 * dial that fails is the failed attempt of all that wait for it. One that only took too long is
 * that of the client that dialled: the next one that waits dials then. Each client keeps its own
 * timeout and its own back-off.
 *
 *     dialled -> opening (the server's settings are waited for) -> open -> over
 *
 * A trunk is over when the server goes, when it breaks, or when nobody has used it for
 * wring_http2_config.idle_timeout_ms. From then on it takes no client; sessions on it go on.
 *
 * Where the server has no HTTP/2, or no WebSockets over it, the origin remembers that for a while:
 * clients that do not require HTTP/2 dial connections of HTTP/1.1 without asking again.
 *
 * Clients are served by a task of the origin's, in the timer phase: never in a callback of a
 * connection that may be ending. Thread: the worker.
 */
#ifndef WRING_CLIENT_TRUNK_H
#define WRING_CLIENT_TRUNK_H

#include "core/base.h"
#include "stream/h2.h"

struct wring_client;
struct wring__link;
typedef struct wring__origin wring__origin;
typedef struct wring__trunk wring__trunk;

/** What a client keeps for trunks. Embedded in it. */
typedef struct wring__ride {
    wring__origin *origin; /* where it waits, or for which it dials; NULL: neither */
    struct wring_client *next;
    struct wring_client **link; /* of those who wait; NULL: it does not */
    uint8_t reroutes;           /* of this attempt: trunks that took nobody, or broke */
    uint8_t dials;              /* of this attempt */
    bool is_plain : 1;          /* this attempt offers HTTP/1.1 only */
    bool is_turned_down : 1;    /* the server has no WebSockets over HTTP/2 */
    bool has_failed : 1;        /* so has the dial that it waited for: origin->failure */
} wring__ride;

/** An attempt begins: all is forgotten that the last one learned of its connection. */
void wring__trunk_forget(struct wring_client *client);

/** Before an attempt dials. True: the client has a link on a trunk, or waits for one, or has been
 *  told that its attempt failed. False: it has to dial. */
bool wring__trunk_seek(struct wring_client *client);

/** The client's attempt failed. If others waited for what it dialled, so did theirs. */
void wring__trunk_dial_failed(struct wring_client *client, const wring_error *error);

/** The client waits, or dials for others, no longer. Legal at any time. */
void wring__trunk_leave(struct wring_client *client);
bool wring__trunk_is_waited_for(const struct wring_client *client);

/** How a link that was dialled begins: with HTTP/2 at once; or as ALPN says, and what is offered
 *  then (empty: what the TLS settings say). */
bool wring__trunk_is_prior(const struct wring_client *client);
bool wring__trunk_is_negotiated(const struct wring_client *client);
wring_bytes wring__trunk_alpn(const struct wring_client *client);

/** The client's link is connected and its server speaks HTTP/2: the link becomes the shell of a
 *  trunk. The client waits for it.  Errors: WRING_ERR_NO_MEMORY, and then nothing has changed. */
WRING_MUST_CHECK wring_result wring__trunk_take(struct wring__link *link);

/** The server chose HTTP/1.1, and the link of the client goes on with that. */
void wring__trunk_declined(struct wring_client *client);

/** A link that has no answer yet was ended for `reason`. True: that was the trunk's fault, and the
 *  client waits for another one; the link tells it nothing. */
bool wring__trunk_reroute(struct wring__link *link, wring_result reason);

/** The session of a link on it is open. */
void wring__trunk_is_used(wring__trunk *trunk);

/** A link on it waited in vain: the connection may be dead, which nobody is told of. It takes no
 *  new clients; what is alive on it goes on. */
void wring__trunk_doubt(wring__trunk *trunk);

/** A link on it is gone. */
void wring__trunk_is_left(wring__trunk *trunk);

/** Counts of the worker; NULL: it has none yet. */
const wring__h2_counters *wring__trunk_counters(const struct wring__worker *worker);

#endif
