/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring bench find-max`: the highest constant rate whose p99 stays within a bound. Doubles until a
 * rate fails, then halves the interval between the best that held and the least that failed. A rate
 * has failed when it fails twice: one slow second of the machine is no verdict. Where the generator
 * lagged, the server has not failed yet, and the rate is tried more often. A server that answers
 * nothing is not tried at lower rates.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"

#define RATE_FIRST    1000.0
#define RATE_LEAST    1.0
#define RATE_MOST     1e9
#define CLOSE_TO      1.05 /* the two ends are near enough */
#define STEPS_MAX     BENCH_STEPS_MAX
#define TRIES         2
#define TRIES_LAGGING 4

typedef struct search {
    bench_options *options;
    bench_search *found;
    load_result best; /* of the highest rate that held; of the latest run while none did */
    double holds;     /* the highest rate that kept the bound; 0: none yet */
    double fails;     /* the lowest that did not */
    bool answered;    /* something, at any rate */
    int code;         /* of the last run */
    wring_error error;
} search;

static bool keeps_bound(const bench_options *o, const load_result *r) {
    /* a server that ends who cannot keep up has not kept the rate either */
    return r->unsent == 0 && r->lost == 0 && r->connections.lost == 0 && r->latency->count > 0 &&
           load_histogram_percentile(r->latency, 99) <= o->p99_ns;
}

static void step_print(const bench_options *o, const bench_step *step) {
    char rate[32];
    char p50[16];
    char p99[16];
    if (o->quiet == 0) {
        fprintf(stderr, "  %12s/s  p50 %9s  p99 %9s  %s\n", bench_rate_text(step->rate, rate),
                bench_duration_text((double)step->p50_ns, p50),
                bench_duration_text((double)step->p99_ns, p99),
                step->holds    ? "holds"
                : step->unsent ? "is not kept"
                : step->lags   ? "is too slow: the generator lags"
                               : "is too slow");
    }
}

/* A server that is no echo, or is stuck: each lower rate would only take as long. */
static void silence_complain(const load_result *r, double rate) {
    char text[32];
    char sent[32];
    const char *cause = r->errors.count > 0 ? r->errors.kinds[0].text : NULL;
    (void)bench_count_text(rate, text);
    cli_complain("%s at %s/s%s%s (%s messages sent)",
                 r->totals.received == 0 && cause == NULL ? "nothing was answered"
                                                          : "no message was answered right",
                 text, cause == NULL ? "" : ": ", cause == NULL ? "" : cause,
                 bench_count_text((double)r->totals.sent, sent));
}

/* What the run at a rate says to the search. False when there is nothing to search for. */
static bool step_judge(search *s, double rate, const load_result *r, bool *holds) {
    *holds = keeps_bound(s->options, r);
    bench_step *noted = &s->found->steps[s->found->count++];
    *noted = (bench_step){rate,
                          load_histogram_percentile(r->latency, 50),
                          load_histogram_percentile(r->latency, 99),
                          *holds,
                          r->unsent > 0 || r->lost > 0 || r->connections.lost > 0,
                          bench_generator_lags(r)};
    step_print(s->options, noted);
    s->answered = s->answered || r->latency->count > 0;
    if (!s->answered) {
        silence_complain(r, rate);
        s->code = BENCH_NOT_FOUND;
        return false;
    }
    return true;
}

static void result_keep(search *s, const load_result *result) {
    load_result_deinit(&s->best);
    s->best = *result;
}

/* One run at one rate. False when it could not be done, or was interrupted. */
static bool step(search *s, double rate, bool *holds) {
    bench_options *o = s->options;
    load_result result;
    wring_error error;
    bench_live live;
    char title[96];
    char count[32];
    char text[16];
    o->load.rate = rate;
    bench_live_init(&live, o);
    live.panel_only = true;
    (void)snprintf(title, sizeof title, "find-max: %s/s, bound p99 %s",
                   bench_rate_text(rate, count), bench_duration_text((double)o->p99_ns, text));
    live.title = title;
    const load_observer observer = {bench_live_progress, &live};
    const wring_result code = load_execute(&o->load, &observer, &result, &error);
    bench_live_end(&live);
    if (code != WRING_OK || bench_interrupted()) {
        s->code = bench_exit_code_of(code);
        if (code != WRING_OK) {
            cli_complain("%s", error.text);
            s->error = error;
        }
        if (code == WRING_OK && s->holds == 0) {
            result_keep(s, &result);
        } else {
            load_result_deinit(&result);
        }
        return false;
    }
    const bool goes_on = step_judge(s, rate, &result, holds);
    if (s->holds == 0 || (*holds && rate > s->holds)) {
        result_keep(s, &result);
    } else {
        load_result_deinit(&result);
    }
    return goes_on;
}

static bool try_rate(search *s, double rate) {
    bool holds = false;
    int tries = TRIES;
    for (int i = 0; i < tries && !holds; i++) {
        if (s->found->count == STEPS_MAX || !step(s, rate, &holds)) {
            return false;
        }
        tries = s->found->steps[s->found->count - 1].lags ? TRIES_LAGGING : TRIES;
    }
    if (holds) {
        s->holds = rate;
    } else {
        s->fails = rate;
    }
    return true;
}

/* The next rate to try; 0 when the search is over. */
static double rate_next(const search *s, double first) {
    if (s->holds == 0 && s->fails == 0) {
        return first;
    }
    if (s->fails == 0) {
        return s->holds >= RATE_MOST ? 0 : s->holds * 2;
    }
    if (s->holds == 0) {
        return s->fails <= RATE_LEAST ? 0 : s->fails / 4;
    }
    return s->fails / s->holds <= CLOSE_TO ? 0 : (s->fails + s->holds) / 2;
}

/* No rate kept the bound: what was tried, and the report of the latest run. */
static int nothing_held(search *s) {
    bench_options *o = s->options;
    char rate[32];
    char text[16];
    const int code = s->code != CLI_OK ? s->code : BENCH_NOT_FOUND;
    (void)bench_duration_text((double)o->p99_ns, text);
    if (s->code == CLI_OK) {
        cli_complain("not even %s/s keeps a p99 of %s", bench_rate_text(s->fails, rate), text);
    } else if (code != BENCH_INTERRUPTED && code != BENCH_NOT_FOUND) {
        (void)bench_error_write(o, s->error.text); /* it has been said why there was no run */
        return code;
    }
    if (s->best.latency == NULL) {
        (void)bench_error_write(o, "ended by a signal before the first run");
        return code;
    }
    o->search = s->found;
    o->exit_code = code;
    if (o->json == 0) {
        printf("No rate that was tried kept a p99 of at most %s. Of the latest:\n\n", text);
    }
    return bench_results_write(o, &s->best) ? code : CLI_FAILED;
}

static int verdict(search *s) {
    bench_options *o = s->options;
    char rate[32];
    char text[16];
    if (s->holds == 0) {
        return nothing_held(s);
    }
    o->load.rate = s->holds;
    o->search = s->found;
    s->found->rate = s->holds;
    if (o->json == 0) {
        printf("The highest rate with a p99 of at most %s is %s messages/s.\n\n",
               bench_duration_text((double)o->p99_ns, text), bench_rate_text(s->holds, rate));
    }
    o->exit_code = s->code;
    return bench_results_write(o, &s->best) ? s->code : CLI_FAILED;
}

int bench_find_max(bench_options *o) {
    bench_search found = {.p99_ns = o->p99_ns};
    search s = {.options = o, .found = &found, .code = CLI_OK};
    const double first = o->load.rate > 0 ? o->load.rate : RATE_FIRST;
    double rate;
    while ((rate = rate_next(&s, first)) > 0 && try_rate(&s, rate)) {
    }
    const int code = verdict(&s);
    load_result_deinit(&s.best);
    return code;
}
