/* SPDX-License-Identifier: Apache-2.0
 *
 * The short report of `wring bench --summary`: Markdown, for the pages that build servers show of a
 * job. It is appended, so that several runs of a job stand below each other.
 */
#include <stdio.h>

#include "cli/bench.h"

static void title_print(FILE *to, const bench_options *o, const load_result *r) {
    static const char *const what[] = {"answers", "deliveries", "handshakes", "connections"};
    const load_config *load = &o->load;
    char text[64];
    fprintf(to, "### wring bench %s: %s\n\n", bench_mode_name(load->mode),
            bench_interrupted()      ? "interrupted"
            : o->exit_code == CLI_OK ? "passed"
                                     : "FAILED");
    if (load->mode == LOAD_IDLE) {
        fprintf(to, "%s held",
                bench_counted_text(r->connections.opened, bench_session_noun(load), text));
    } else {
        fprintf(to, "%s %s/s", bench_rate_text(bench_rate(r), text), what[load->mode]);
    }
    fprintf(to, " over %.3g s%s, `%s`\n\n", r->duration_s,
            bench_interrupted() ? " until a signal ended the run" : "", load->url_shown);
}

static void latency_print(FILE *to, const char *what, const load_histogram *h) {
    static const double points[] = {50, 90, 99, 99.9};
    char text[16];
    if (h->count == 0) {
        return;
    }
    fprintf(to, "| %s | %s |", what, bench_duration_text(load_histogram_mean(h), text));
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        fprintf(to, " %s |",
                bench_duration_text((double)load_histogram_percentile(h, points[i]), text));
    }
    fprintf(to, " %s |\n", bench_duration_text((double)h->max, text));
}

static void errors_print(FILE *to, const load_result *r) {
    for (uint32_t i = 0; i < r->errors.count; i++) {
        char count[32];
        fprintf(to, "- %s x %s\n", bench_count_text((double)r->errors.kinds[i].count, count),
                r->errors.kinds[i].text);
    }
    if (r->lost + r->duplicated + r->reordered > 0) {
        char lost[32];
        char duplicated[32];
        char reordered[32];
        fprintf(to, "- messages: %s lost, %s repeated, %s out of order\n",
                bench_count_text((double)r->lost, lost),
                bench_count_text((double)r->duplicated, duplicated),
                bench_count_text((double)r->reordered, reordered));
    }
}

bool bench_summary_print(FILE *to, const bench_options *o, const load_result *r) {
    title_print(to, o, r);
    if (r->latency->count + r->connect->count > 0) {
        fputs("| | mean | p50 | p90 | p99 | p99.9 | max |\n|---|--:|--:|--:|--:|--:|--:|\n", to);
        const bool is_connect = o->load.mode == LOAD_CONNECT; /* the latency is a handshake's */
        latency_print(to, is_connect ? "handshake" : "latency", r->latency);
        if (!is_connect) {
            latency_print(to, "handshake", r->connect);
        }
        latency_print(to, "generator's lag", r->lag);
        fputc('\n', to);
    }
    for (size_t i = 0; i < o->fail_count; i++) {
        char got[32];
        fprintf(to, "- %s `%s`: %s\n", o->bounds[i].is_crossed ? "**crossed**" : "kept",
                o->bounds[i].text, bench_bound_got(&o->bounds[i], got));
    }
    if (bench_generator_lags(r)) {
        fputs("- the generator, not the server, is what was measured: its own lag is over a tenth "
              "of the latency (p99)\n",
              to);
    }
    errors_print(to, r);
    fputc('\n', to);
    return ferror(to) == 0;
}
