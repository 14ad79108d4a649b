/* SPDX-License-Identifier: Apache-2.0
 *
 * Origins of a worker (trunk.h): who waits at them, and what was learned of them. For trunk.c.
 */
#ifndef WRING_CLIENT_ORIGIN_H
#define WRING_CLIENT_ORIGIN_H

#include "client/trunk.h"
#include "io/worker.h"

/** Of a worker. */
typedef struct wring__trunks {
    wring__origin *origins;
    wring__h2_counters counters;
} wring__trunks;

struct wring__origin {
    wring__origin *next;
    wring__trunks *all;
    wring__worker *worker;
    wring__task serve;
    wring__trunk *trunks;         /* open */
    wring__trunk *opening;        /* NULL: none is */
    struct wring_client *dialler; /* NULL: nobody dials for others */
    struct wring_client *waiting; /* in the order in which they are served */
    struct wring_client **tail;
    wring_time_ns plain_until; /* HTTP/1.1 will do */
    wring_time_ns full_until;  /* a trunk takes `full_at` streams and no more */
    uint32_t full_at;
    wring_error failure; /* of the last dial that failed for all */
    char key[];
};

/** The client's origin, made if there is none. NULL when memory is out. */
wring__origin *wring__origin_get(const struct wring_client *client);

/** Whoever waits there is looked at, soon: wring__trunk_serve. */
void wring__origin_wake(wring__origin *origin);
void wring__trunk_serve(wring__task *task);

/** The client waits there, in front of the others or behind them; and no longer. */
void wring__origin_wait(wring__origin *origin, struct wring_client *client, bool first);
void wring__origin_unwait(struct wring_client *client);

#endif
