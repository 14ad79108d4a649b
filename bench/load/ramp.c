/* SPDX-License-Identifier: Apache-2.0
 *
 * A value that changes over time in stages. See ramp.h.
 */
#include "bench/load/ramp.h"

#include <math.h>

#include "cli/units.h"

/* ---- what is written ------------------------------------------------------------------------- */

static bool stage_parse(const char *text, size_t len, load_ramp *ramp) {
    char part[64];
    if (len >= sizeof part || ramp->count == LOAD_STAGES_MAX) {
        return false;
    }
    memcpy(part, text, len);
    part[len] = 0;
    char *colon = strchr(part, ':');
    if (colon == NULL) {
        return false;
    }
    *colon = 0;
    return units_parse_duration(part, UNITS_NS_PER_SEC, &ramp->stages[ramp->count].duration) &&
           units_parse_count(colon + 1, &ramp->stages[ramp->count++].value);
}

bool load_ramp_parse(const char *text, load_ramp *ramp) {
    ramp->count = 0;
    for (;;) {
        const size_t len = strcspn(text, ",");
        if (!stage_parse(text, len, ramp)) {
            return false;
        }
        if (text[len] == 0) {
            return true;
        }
        text += len + 1;
    }
}

/* ---- what it is ------------------------------------------------------------------------------ */

wring_duration_ns load_ramp_duration(const load_ramp *ramp) {
    wring_duration_ns total = 0;
    for (uint32_t i = 0; i < ramp->count; i++) {
        total += ramp->stages[i].duration;
    }
    return total;
}

double load_ramp_max(const load_ramp *ramp) {
    double max = ramp->from;
    for (uint32_t i = 0; i < ramp->count; i++) {
        max = ramp->stages[i].value > max ? ramp->stages[i].value : max;
    }
    return max;
}

double load_ramp_value(const load_ramp *ramp, wring_duration_ns at) {
    double value = ramp->from;
    for (uint32_t i = 0; i < ramp->count; i++) {
        const wring_duration_ns duration = ramp->stages[i].duration;
        if (at < duration) {
            return value + (ramp->stages[i].value - value) * (double)at / (double)duration;
        }
        at -= duration;
        value = ramp->stages[i].value;
    }
    return value;
}

double load_ramp_count(const load_ramp *ramp, wring_duration_ns at) {
    double count = 0;
    double value = ramp->from;
    for (uint32_t i = 0; i < ramp->count; i++) {
        const double whole = (double)ramp->stages[i].duration / 1e9;
        const double slope = whole > 0 ? (ramp->stages[i].value - value) / whole : 0;
        const bool last = at < ramp->stages[i].duration;
        const double seconds = last ? (double)at / 1e9 : whole;
        count += (value + slope * seconds / 2) * seconds;
        if (last) {
            return count;
        }
        at -= ramp->stages[i].duration;
        value = ramp->stages[i].value;
    }
    return count + value * (double)at / 1e9;
}

/* Seconds until `count` are due, at a rate that begins with `value` and grows by `slope` a second:
 * value * t + slope / 2 * t^2 = count, in the form that stays exact as the slope goes to 0. */
static double seconds_for(double value, double slope, double count) {
    const double root = value * value + 2 * slope * count;
    const double below = value + sqrt(root > 0 ? root : 0);
    return count <= 0 ? 0 : below > 0 ? 2 * count / below : INFINITY;
}

static wring_duration_ns nanoseconds(double seconds) {
    return seconds < 9e9 ? (wring_duration_ns)(seconds * 1e9) : WRING_TIME_NEVER;
}

wring_duration_ns load_ramp_due(const load_ramp *ramp, double count) {
    wring_duration_ns from = 0;
    double value = ramp->from;
    for (uint32_t i = 0; i < ramp->count; i++) {
        const double whole = (double)ramp->stages[i].duration / 1e9;
        const double here = (value + ramp->stages[i].value) / 2 * whole;
        if (count < here) {
            const double slope = (ramp->stages[i].value - value) / whole;
            return from + nanoseconds(seconds_for(value, slope, count));
        }
        count -= here;
        from += ramp->stages[i].duration;
        value = ramp->stages[i].value;
    }
    const wring_duration_ns rest = nanoseconds(value > 0 ? count / value : INFINITY);
    return rest == WRING_TIME_NEVER ? rest : from + rest;
}

wring_duration_ns load_ramp_reach(const load_ramp *ramp, double wanted) {
    wring_duration_ns from = 0;
    double value = ramp->from;
    if (wanted <= value) {
        return 0;
    }
    for (uint32_t i = 0; i < ramp->count; i++) {
        const double end = ramp->stages[i].value;
        const double duration = (double)ramp->stages[i].duration;
        if (wanted <= end) {
            return from + (wring_duration_ns)((wanted - value) / (end - value) * duration);
        }
        from += ramp->stages[i].duration;
        value = end;
    }
    return WRING_TIME_NEVER;
}
