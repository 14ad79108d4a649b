/* SPDX-License-Identifier: Apache-2.0
 *
 * Rates: a token bucket in 8 bytes.
 */
#ifndef WRING_CORE_METER_H
#define WRING_CORE_METER_H

#include "core/base.h"
#include "wring/config.h"

/** A token bucket kept as one time: when it will be full again (the generic cell rate algorithm).
 */
typedef struct wring__meter {
    wring_time_ns full_at;
} wring__meter;

/** Takes one token; false when there is none.
 *  @param interval  between two tokens   @param burst  tokens of a full bucket, at least 1 */
static inline bool wring__meter_take(wring__meter *meter, wring_time_ns now,
                                     wring_duration_ns interval, uint32_t burst) {
    const wring_duration_ns most = interval * (burst - 1);
    wring_time_ns full_at = meter->full_at > now ? meter->full_at : now;
    if (full_at > now + most + interval) {
        full_at = now; /* of a policy that was slower: this one begins anew */
    }
    if (full_at - now > most) {
        return false;
    }
    meter->full_at = full_at + interval;
    return true;
}

/** The same for a rate as configurations have it: tokens a second, or WRING_UNLIMITED. A burst
 *  beyond 32 bits is no limit that anyone reaches. */
static inline bool wring__meter_take_rate(wring__meter *meter, wring_time_ns now, uint64_t rate,
                                          uint64_t burst) {
    const uint32_t most = burst > UINT32_MAX ? UINT32_MAX : (uint32_t)burst;
    return rate == WRING_UNLIMITED || wring__meter_take(meter, now, WRING_NS_PER_SEC / rate, most);
}

#endif
