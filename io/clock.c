/* SPDX-License-Identifier: Apache-2.0
 *
 * Peers' time. See clock.h.
 */
#include "io/clock.h"

/* What does not count of a turn, its work and its wait together, that took longer than it should.
 */
static wring_duration_ns gap_of(wring_time_ns last, wring_time_ns asked, wring_time_ns now) {
    const wring_time_ns expected = asked < last ? last : asked;
    return expected < now && now - expected > WRING__CLOCK_TURN_MAX
               ? now - last - WRING__CLOCK_TURN_MAX
               : 0;
}

void wring__clock_turn(wring__clock *clock, wring_time_ns last, wring_time_ns asked,
                       wring_time_ns now, size_t completions) {
    const wring_duration_ns gap = gap_of(last, asked, now);
    if (WRING_UNLIKELY(gap > 0)) {
        clock->lost += gap;
        if (!clock->catching_up) { /* else a worker that is always slow would judge nobody */
            clock->catching_up = true;
            clock->resumed = now;
        }
    }
    clock->peer_now = now - clock->lost;
    if (WRING_UNLIKELY(clock->catching_up)) {
        const wring_duration_ns since = now - clock->resumed;
        const bool all_taken = completions == 0 && since >= WRING__CLOCK_QUIET;
        clock->catching_up = !all_taken && since < WRING__CLOCK_CATCH_UP_MAX;
    }
}
