/* SPDX-License-Identifier: Apache-2.0
 *
 * A hierarchical timer wheel: eight levels of 64 slots, one tick a millisecond. Setting and
 * cancelling are O(1); a timer moves down at most once per level. It never fires early.
 *
 * Callback-free: the caller pops due timers one at a time and may set or cancel any meanwhile.
 * One thread.
 */
#ifndef WRING_CORE_WHEEL_H
#define WRING_CORE_WHEEL_H

#include "core/base.h"

/** Embedded in what is timed; zeroed means not set. */
typedef struct wring_timer {
    struct wring_timer *next;
    struct wring_timer **link; /* what points here; NULL when not set */
    wring_time_ns deadline;
} wring_timer;

#define WRING__WHEEL_LEVELS 8
#define WRING__WHEEL_SLOTS  64

typedef struct wring__wheel {
    uint64_t tick; /* ms; every slot up to it is empty */
    uint64_t occupied[WRING__WHEEL_LEVELS];
    wring_timer *slots[WRING__WHEEL_LEVELS][WRING__WHEEL_SLOTS];
    wring_timer *due;
    wring_timer **due_tail; /* due timers come out in the order they fell due */
} wring__wheel;

void wring__wheel_init(wring__wheel *wheel, wring_time_ns now);

/** Sets or moves a timer. A deadline in the past is due at once. */
void wring__wheel_set(wring__wheel *wheel, wring_timer *timer, wring_time_ns deadline);

/** Legal on a timer that is not set. */
void wring__wheel_cancel(wring__wheel *wheel, wring_timer *timer);

static inline bool wring__wheel_is_set(const wring_timer *timer) {
    return timer->link != NULL;
}

/** A time no later than the earliest timer's, after which expire makes progress;
 *  WRING_TIME_NEVER when no timer is set. */
wring_time_ns wring__wheel_next(const wring__wheel *wheel);

/** Takes out one timer that is due at `now`, NULL when there is none (left). */
wring_timer *wring__wheel_expire(wring__wheel *wheel, wring_time_ns now);

#endif
