/* SPDX-License-Identifier: Apache-2.0
 *
 * The time by which a worker judges its peers. A worker that did not run (SIGSTOP, a paused virtual
 * machine, a frozen cgroup, a handler that slept) heard nobody, and must not take that for its
 * peers' silence. So peers' time stands still in such a gap, and after it no peer is judged until
 * what came meanwhile has been taken.
 *
 * Pure: the caller tells of each turn. One thread.
 */
#ifndef WRING_IO_CLOCK_H
#define WRING_IO_CLOCK_H

#include "core/base.h"

/** A turn may last so much longer than it was asked to. Of one that lasted longer, just so much
 * counts against the peers: it may have been suspended from its beginning. It is not zero: peers'
 * time must go on for a worker all of whose turns are long. */
#define WRING__CLOCK_TURN_MAX (100 * WRING_NS_PER_MS)
/** While a peer has a deadline, no wait is asked to last longer. A suspension inside a wait is seen
 *  by its length only: of a short wait no more than that much is in doubt. */
#define WRING__CLOCK_WAIT_MAX WRING_NS_PER_SEC
/** After a gap: no completion came for so long, so everything that waited has been taken. */
#define WRING__CLOCK_QUIET (10 * WRING_NS_PER_MS)
/** ... or completions came all the time for so long: peers are judged all the same. */
#define WRING__CLOCK_CATCH_UP_MAX WRING_NS_PER_SEC

typedef struct wring__clock {
    wring_time_ns peer_now; /* peers' time: behind the machine's by `lost` */
    wring_duration_ns lost; /* the sum of all gaps */
    wring_time_ns resumed;  /* when the last gap ended; the machine's time */
    bool catching_up;       /* no peer may be judged */
} wring__clock;

static inline void wring__clock_init(wring__clock *clock, wring_time_ns now) {
    *clock = (wring__clock){.peer_now = now};
}

/** A wait is over.
 *  @param last         when the wait before this one was over
 *  @param asked        until when it was to last at most: 0 not at all, or WRING_TIME_NEVER
 *  @param completions  how many it brought */
void wring__clock_turn(wring__clock *clock, wring_time_ns last, wring_time_ns asked,
                       wring_time_ns now, size_t completions);

/** The machine's time of a moment of peers' time; 0 and WRING_TIME_NEVER stay what they are. */
static inline wring_time_ns wring__clock_machine(const wring__clock *clock, wring_time_ns at) {
    return at == 0 || at == WRING_TIME_NEVER ? at : at + clock->lost;
}

#endif
