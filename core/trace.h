/* SPDX-License-Identifier: Apache-2.0
 *
 * Trace points: one load and one predictable branch when nobody listens. A listener is a sink
 * installed for the calling thread; a test compares two runs of one seed by the hash of their
 * entries.
 */
#ifndef WRING_CORE_TRACE_H
#define WRING_CORE_TRACE_H

#include "core/base.h"
#include "core/trace_points.h"

enum wring__trace_point {
#define WRING_TRACE_ENUM(name, a, b) WRING__TRACE_##name,
    WRING_TRACE_POINTS(WRING_TRACE_ENUM)
#undef WRING_TRACE_ENUM
        WRING__TRACE_COUNT
};

typedef struct wring__trace_entry {
    uint64_t sequence;
    uint64_t a;
    uint64_t b;
    enum wring__trace_point point;
} wring__trace_entry;

/** Keeps the last `cap` entries and a hash over all. The storage is the caller's. */
typedef struct wring__trace {
    wring__trace_entry *entries;
    size_t cap;
    uint64_t count;
    uint64_t hash; /* order-sensitive */
} wring__trace;

extern _Thread_local wring__trace *wring__trace_current;

/** Installs a sink for this thread; NULL takes it away. */
void wring__trace_install(wring__trace *trace);
void wring__trace_record(wring__trace *trace, enum wring__trace_point point, uint64_t a,
                         uint64_t b);
const char *wring__trace_name(enum wring__trace_point point);

#define WRING_TRACE(point, a, b)                                                                   \
    do {                                                                                           \
        if (WRING_UNLIKELY(wring__trace_current != NULL)) {                                        \
            wring__trace_record(wring__trace_current, WRING__TRACE_##point, (a), (b));             \
        }                                                                                          \
    } while (0)

/** A stop of docs/TOUR.md: `tests/thread/test_tour.c` follows a message along them. Debug builds
 * only: on the path of every message even a branch is too much. */
#ifdef WRING_DEBUG
extern void (*wring__trace_on_stop)(const char *function); /* set before any worker runs; or NULL */
#define WRING_TRACE_STOP()                                                                         \
    do {                                                                                           \
        if (wring__trace_on_stop != NULL) {                                                        \
            wring__trace_on_stop(__func__);                                                        \
        }                                                                                          \
    } while (0)
#else
#define WRING_TRACE_STOP() ((void)0)
#endif

#endif
