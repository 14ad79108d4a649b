/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a run of `wring bench` is and what changes in its course: -n, --ramp, --connect-ramp,
 * and what of them goes together.
 */
#include <math.h>

#include "cli/bench.h"
#include "cli/units.h"

static bool count_adopt(bench_options *o) {
    double value;
    if (o->messages == NULL) {
        return true;
    }
    if (!units_parse_count(o->messages, &value) || value < 1 || value > 1e15 ||
        value != floor(value)) {
        cli_complain("-n '%s' is not a number of messages like 500, 20k or 1m", o->messages);
        return false;
    }
    o->load.messages = (uint64_t)value;
    if (o->duration == NULL) {
        o->load.duration = LOAD_ENDLESS;
    }
    return true;
}

static bool ramp_read(const char *option, const char *text, load_ramp *ramp) {
    if (load_ramp_parse(text, ramp) && load_ramp_max(ramp) > 0) {
        return true;
    }
    cli_complain("%s '%s' is not like 10s:1k,30s:1k,10s:0 (TIME:VALUE: in TIME the value goes to "
                 "VALUE, and one VALUE is above 0; at most %d stages)",
                 option, text, LOAD_STAGES_MAX);
    return false;
}

#define RATE_MIN 0.001 /* messages in a second: one in a quarter of an hour */
#define RATE_MAX 1e9   /* one in a nanosecond, which is what the clock counts */

bool bench_rate_check(const char *option, const char *text, double rate) {
    if (rate != 0 && (rate < RATE_MIN || rate > RATE_MAX)) {
        cli_complain("%s '%s': a rate is from 0.001 to 1g (1,000,000,000) a second", option, text);
        return false;
    }
    return true;
}

static bool rate_ramp_adopt(bench_options *o) {
    load_config *load = &o->load;
    load->ramp.from = load->rate; /* -r, or 0 */
    if (!ramp_read("--ramp", o->ramp, &load->ramp)) {
        return false;
    }
    for (uint32_t i = 0; i < load->ramp.count; i++) {
        if (!bench_rate_check("--ramp", o->ramp, load->ramp.stages[i].value)) {
            return false;
        }
    }
    load->rate = load_ramp_max(&load->ramp);
    return true;
}

static bool connect_ramp_adopt(bench_options *o) {
    load_config *load = &o->load;
    double before = 0;
    if (!ramp_read("--connect-ramp", o->connect_ramp, &load->connect_ramp)) {
        return false;
    }
    for (uint32_t i = 0; i < load->connect_ramp.count; i++) {
        const double value = load->connect_ramp.stages[i].value;
        if (value < before || value != floor(value) || value > 1u << 24) {
            cli_complain("--connect-ramp '%s': connections are whole numbers, and only opened: no "
                         "stage has fewer than the one before",
                         o->connect_ramp);
            return false;
        }
        before = value;
    }
    if (o->connections != NULL || o->connect_rate != NULL) {
        cli_complain("--connect-ramp says how many connections and when: leave out -c and "
                     "--connect-rate");
        return false;
    }
    load->connections = (uint32_t)before;
    return true;
}

bool bench_plan_adopt(bench_options *o) {
    load_config *load = &o->load;
    const bool ramps = o->ramp != NULL || o->connect_ramp != NULL;
    if (!count_adopt(o) || (o->ramp != NULL && !rate_ramp_adopt(o)) ||
        (o->connect_ramp != NULL && !connect_ramp_adopt(o))) {
        return false;
    }
    if (ramps && o->warmup != NULL) {
        cli_complain("a ramp is measured from its begin: leave out --warmup");
        return false;
    }
    if (ramps && o->duration == NULL && o->messages == NULL) {
        const wring_duration_ns rate = load_ramp_duration(&load->ramp);
        const wring_duration_ns connect = load_ramp_duration(&load->connect_ramp);
        load->duration = rate > connect ? rate : connect;
        if (load->duration == 0) {
            cli_complain("%s '%s' is a step, which takes no time: -d says how long the run is",
                         o->ramp != NULL ? "--ramp" : "--connect-ramp",
                         o->ramp != NULL ? o->ramp : o->connect_ramp);
            return false;
        }
    }
    if ((ramps || o->messages != NULL) && o->warmup == NULL) {
        load->warmup = 0;
    }
    return true;
}
