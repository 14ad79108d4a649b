/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress of `wring bench`: one line for each interval.
 */
#include <stdio.h>

#include "cli/bench.h"

void bench_live_init(bench_live *live, const bench_options *options) {
    *live = (bench_live){.options = options, .last_phase = -1};
}

bool bench_live_progress(void *arg, const load_progress *p) {
    bench_live *live = arg;
    char count[32];
    char p50[16];
    char p99[16];
    char max[16];
    if (live->options->quiet == 0 && p->sample != NULL) {
        const double seconds = p->sample->seconds > 0 ? p->sample->seconds : 1;
        fprintf(stderr, "%6.1f s  %12s/s  p50 %9s  p99 %9s  max %9s\n",
                p->sample->t + p->sample->seconds,
                bench_count_text((double)p->sample->messages / seconds, count),
                bench_duration_text((double)p->sample->p50_ns, p50),
                bench_duration_text((double)p->sample->p99_ns, p99),
                bench_duration_text((double)p->sample->max_ns, max));
    }
    return !bench_interrupted();
}

void bench_live_end(bench_live *live) {
    (void)live;
}
