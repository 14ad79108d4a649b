/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounds of `wring bench --fail`: a figure of the result, a comparison, a value. Where the
 * comparison holds, the run has failed.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/units.h"

/* ---- the figures ----------------------------------------------------------------------------- */

static double errors_of(const load_result *r) {
    return (double)(load_errors_total(&r->errors) + r->lost + r->duplicated + r->reordered);
}
static double failed_of(const load_result *r) {
    return (double)(r->connections.failed + r->connections.lost);
}
static double unanswered_of(const load_result *r) {
    return (double)r->connections.unanswered;
}
static double unclosed_of(const load_result *r) {
    return (double)r->connections.unclosed;
}
static double lost_of(const load_result *r) {
    return (double)r->lost;
}
static double foreign_of(const load_result *r) {
    return (double)r->foreign;
}
static double unsent_of(const load_result *r) {
    return (double)r->unsent;
}
static double behind_of(const load_result *r) {
    return (double)r->behind_max;
}

static const struct {
    const char *name;
    double (*of)(const load_result *result);
    bool is_time;
} figures[] = {{"rate", bench_rate, false},      {"errors", errors_of, false},
               {"failed", failed_of, false},     {"unanswered", unanswered_of, false},
               {"unclosed", unclosed_of, false}, {"lost", lost_of, false},
               {"foreign", foreign_of, false},   {"unsent", unsent_of, false},
               {"behind", behind_of, true}};

#define FIGURES (sizeof figures / sizeof figures[0])

/* Distributions: "p99" is of the latencies, "connect.p99" of the handshakes, "lag.p99" of what the
 * generator itself was late by. */
static const char *const prefixes[] = {"", "connect.", "lag."};

static const load_histogram *histogram_of(const load_result *r, unsigned which) {
    return which == 0 ? r->latency : which == 1 ? r->connect : r->lag;
}

/* Of messages, or of handshakes where there are none. */
static double tries_of(const load_result *r) {
    const uint64_t dials = r->connections.opened + r->connections.failed;
    const uint64_t tries = r->totals.sent > 0 ? r->totals.sent : dials;
    return tries > 0 ? (double)tries : 1;
}

/* ---- what is written ------------------------------------------------------------------------- */

static bool percentile_parse(const char *name, double *out) {
    const char *at = name + 1;
    return name[0] == 'p' && units_parse_number(&at, out) && *at == 0 && *out > 0 && *out <= 100;
}

static bool histogram_parse(const char *name, bench_bound *bound) {
    for (unsigned i = sizeof prefixes / sizeof prefixes[0]; i-- > 0;) {
        const size_t len = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], len) != 0) {
            continue;
        }
        const char *rest = name + len;
        bound->histogram = i;
        bound->figure = strcmp(rest, "min") == 0                     ? BENCH_MIN
                        : strcmp(rest, "mean") == 0                  ? BENCH_MEAN
                        : strcmp(rest, "max") == 0                   ? BENCH_MAX
                        : percentile_parse(rest, &bound->percentile) ? BENCH_PERCENTILE
                                                                     : BENCH_OTHER;
        return bound->figure != BENCH_OTHER;
    }
    return false;
}

static bool name_parse(const char *name, bench_bound *bound) {
    for (unsigned i = 0; i < FIGURES; i++) {
        if (strcmp(name, figures[i].name) == 0) {
            bound->figure = BENCH_OTHER;
            bound->other = i;
            bound->is_time = figures[i].is_time;
            return true;
        }
    }
    bound->is_time = true;
    return histogram_parse(name, bound);
}

/* A time without a unit could be meant in any: it is asked for. */
static bool value_parse(const char *text, bench_bound *bound) {
    const size_t len = strlen(text);
    if (len == 0) {
        return false;
    }
    if (bound->is_time) {
        uint64_t ns;
        if (!isalpha((unsigned char)text[len - 1]) ||
            !units_parse_duration(text, UNITS_NS_PER_SEC, &ns)) {
            return false;
        }
        bound->value = (double)ns;
        return true;
    }
    bound->is_share = text[len - 1] == '%' && bound->figure == BENCH_OTHER &&
                      strcmp(figures[bound->other].name, "rate") != 0;
    return bound->is_share ? units_parse_share(text, &bound->value)
                           : units_parse_count(text, &bound->value);
}

/* Without spaces; false when it does not fit. */
static bool packed(const char *text, char *out, size_t cap) {
    size_t len = 0;
    for (; *text != 0; text++) {
        if (!isspace((unsigned char)*text)) {
            if (len + 1 == cap) {
                return false;
            }
            out[len++] = *text;
        }
    }
    out[len] = 0;
    return true;
}

static bool bound_parse(const char *text, bench_bound *bound) {
    char line[64];
    *bound = (bench_bound){.text = text};
    if (!packed(text, line, sizeof line)) {
        return false;
    }
    char *compare = line + strcspn(line, "<>");
    if (*compare == 0) {
        return false;
    }
    bound->above = *compare == '>';
    bound->or_equal = compare[1] == '=';
    const char *value = compare + 1 + (bound->or_equal ? 1 : 0);
    *compare = 0;
    return name_parse(line, bound) && value_parse(value, bound);
}

bool bench_bounds_parse(bench_options *o) {
    for (size_t i = 0; i < o->fail_count; i++) {
        if (!bound_parse(o->fails[i], &o->bounds[i])) {
            cli_complain("--fail '%s' is not like 'p99>10ms', 'p99.9>=1s', 'mean>5ms', "
                         "'connect.p99>50ms', 'lag.p99>1ms', 'rate<20k', 'errors>0' or "
                         "'errors>0.1%%'; figures are pN, min, mean, max (also connect.pN and "
                         "lag.pN), rate, errors, failed, unanswered, unclosed, lost, foreign, "
                         "unsent, behind",
                         o->fails[i]);
            return false;
        }
    }
    return true;
}

/* ---- what came of them ------------------------------------------------------------------------
 */

static double measured(const bench_bound *bound, const load_result *r) {
    const load_histogram *h = histogram_of(r, bound->histogram);
    switch (bound->figure) {
    case BENCH_MIN:
        return (double)h->min;
    case BENCH_MEAN:
        return load_histogram_mean(h);
    case BENCH_MAX:
        return (double)h->max;
    case BENCH_PERCENTILE:
        return (double)load_histogram_percentile(h, bound->percentile);
    case BENCH_OTHER:
        break;
    }
    const double value = figures[bound->other].of(r);
    return bound->is_share ? value / tries_of(r) : value;
}

static bool is_crossed(const bench_bound *bound) {
    if (bound->is_missing) {
        return true; /* nothing was measured that could have kept it */
    }
    if (bound->or_equal && bound->got == bound->value) {
        return true;
    }
    return bound->above ? bound->got > bound->value : bound->got < bound->value;
}

bool bench_bounds_check(bench_options *o, const load_result *r) {
    bool crossed = false;
    for (size_t i = 0; i < o->fail_count; i++) {
        bench_bound *bound = &o->bounds[i];
        bound->is_missing =
            bound->figure != BENCH_OTHER && histogram_of(r, bound->histogram)->count == 0;
        bound->got = bound->is_missing ? 0 : measured(bound, r);
        bound->is_crossed = is_crossed(bound);
        crossed = crossed || bound->is_crossed;
    }
    return crossed;
}

bool bench_bounds_judge_errors(const bench_options *o) {
    for (size_t i = 0; i < o->fail_count; i++) {
        if (o->bounds[i].figure == BENCH_OTHER && figures[o->bounds[i].other].of == errors_of) {
            return true;
        }
    }
    return false;
}

const char *bench_bound_got(const bench_bound *bound, char text[32]) {
    if (bound->is_missing) {
        (void)snprintf(text, 32, "nothing was measured");
    } else if (bound->is_time) {
        char duration[16];
        (void)snprintf(text, 32, "%s", bench_duration_text(bound->got, duration));
    } else if (bound->is_share) {
        (void)snprintf(text, 32, "%.3g %%", bound->got * 100);
    } else {
        (void)bench_count_text(bound->got, text);
    }
    return text;
}
