/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory budget of a server: what its workers hold in out queues, in bytes received while
 * reading is paused, and in messages under assembly, and what the process holds in shared messages.
 * Not the connections themselves, which their number limits.
 *
 *     50 %  messages under assembly grow by what came, not to twice their size
 *     85 %  nothing more is read, until it is below 80 %; a worker with hardly a share of it reads
 *     90 %  the largest holders are ended; also after a second above 85 %
 *     95 %  connections are refused
 *
 * Each worker publishes what it holds and looks at the sum once a turn: no message pays for it.
 */
#ifndef WRING_SERVER_MEMORY_H
#define WRING_SERVER_MEMORY_H

#include "io/worker.h"

struct wring__server_worker;

typedef struct wring__memory {
    wring__task task;             /* looks again while reading is stopped, whatever else happens */
    wring_time_ns stopped_since;  /* 0: everything is read */
    wring_time_ns evict_again_at; /* what was ended needs some turns to give its memory back */
    bool refuses;                 /* connections */
} wring__memory;

void wring__memory_init(struct wring__server_worker *worker);
void wring__memory_deinit(struct wring__server_worker *worker);

/** Whether the budget is used up but for its last tenth, with what this worker holds by now. Within
 *  a turn, where much may be queued before the next look. */
bool wring__memory_is_short(const struct wring__server_worker *worker);

/** At the end of a turn. May run callbacks of sessions it ends. */
void wring__memory_look(struct wring__server_worker *worker);

#endif
