/* SPDX-License-Identifier: Apache-2.0
 *
 * A value that changes over time in stages: a rate of messages, a number of connections. In each
 * stage it goes in a straight line to the stage's value; after the last one it stays. Pure
 * functions of times relative to the begin of the ramp.
 */
#ifndef WRING_LOAD_RAMP_H
#define WRING_LOAD_RAMP_H

#include "core/base.h"

#define LOAD_STAGES_MAX 64

typedef struct load_ramp {
    double from;    /* the value at the begin */
    uint32_t count; /* 0: there is no ramp */
    struct {
        wring_duration_ns duration;
        double value; /* at its end */
    } stages[LOAD_STAGES_MAX];
} load_ramp;

/** "10s:100,30s:1k": durations and values. A stage of no duration is a step.
 *  False for text that is not understood whole. `from` is left alone. */
bool load_ramp_parse(const char *text, load_ramp *ramp);

wring_duration_ns load_ramp_duration(const load_ramp *ramp);
double load_ramp_max(const load_ramp *ramp);

double load_ramp_value(const load_ramp *ramp, wring_duration_ns at);

/** Of a rate a second: how many are due in the first `at` ns. */
double load_ramp_count(const load_ramp *ramp, wring_duration_ns at);

/** Of a rate a second: when `count` have become due; WRING_TIME_NEVER when so many never are. */
wring_duration_ns load_ramp_due(const load_ramp *ramp, double count);

/** Of a number: when it is `value` for the first time; WRING_TIME_NEVER when it never is. */
wring_duration_ns load_ramp_reach(const load_ramp *ramp, double value);

#endif
