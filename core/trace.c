/* SPDX-License-Identifier: Apache-2.0
 *
 * The trace sink. See trace.h.
 */
#include "core/trace.h"

_Thread_local wring__trace *wring__trace_current;

#ifdef WRING_DEBUG
void (*wring__trace_on_stop)(const char *function);
#endif

void wring__trace_install(wring__trace *trace) {
    wring__trace_current = trace;
}

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash ^= value;
    hash *= UINT64_C(0x100000001B3); /* FNV-1a, a word at a time */
    return hash ^ (hash >> 29);
}

void wring__trace_record(wring__trace *trace, enum wring__trace_point point, uint64_t a,
                         uint64_t b) {
    trace->hash = mix(mix(mix(trace->hash, (uint64_t)point + 1), a), b);
    if (trace->cap > 0) {
        wring__trace_entry *entry = &trace->entries[trace->count % trace->cap];
        entry->sequence = trace->count;
        entry->point = point;
        entry->a = a;
        entry->b = b;
    }
    trace->count++;
}

const char *wring__trace_name(enum wring__trace_point point) {
    static const char *const names[] = {
#define WRING_TRACE_NAME(name, a, b) #name,
        WRING_TRACE_POINTS(WRING_TRACE_NAME)
#undef WRING_TRACE_NAME
    };
    return point < WRING__TRACE_COUNT ? names[point] : "?";
}
