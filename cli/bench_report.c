/* SPDX-License-Identifier: Apache-2.0
 *
 * The report of `wring bench` that people read and paste.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/bench.h"

const char *bench_duration_text(double ns, char text[16]) {
    static const char *const units[] = {"ns", "us", "ms", "s"};
    unsigned unit = 0;
    while (unit < 3 && ns >= 999.5) {
        ns /= 1000;
        unit++;
    }
    const int decimals = unit == 0 || ns >= 99.95 ? 0 : ns >= 9.995 ? 1 : 2;
    (void)snprintf(text, 16, "%.*f %s", decimals, ns, units[unit]);
    return text;
}

const char *bench_count_text(double value, char text[32]) {
    char digits[32];
    const int len = snprintf(digits, sizeof digits, "%.0f", value);
    size_t at = 0;
    for (int i = 0; i < len && at + 1 < 32; i++) {
        if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-') {
            text[at++] = ',';
        }
        text[at++] = digits[i];
    }
    text[at < 32 ? at : 31] = 0;
    return text;
}

const char *bench_bytes_text(double bytes, char text[16]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    while (unit < 4 && bytes >= 1023.5) {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(text, 16, unit == 0 || bytes >= 99.95 ? "%.0f %s" : "%.1f %s", bytes,
                   units[unit]);
    return text;
}

double bench_us_per_message(const load_cpu *cpu, const load_result *r) {
    return r->measured.received == 0
               ? 0
               : (cpu->user_s + cpu->system_s) * 1e6 / (double)r->measured.received;
}

static void percentiles_print(FILE *to, const char *what, const load_histogram *h) {
    static const double points[] = {50, 75, 90, 95, 99, 99.9, 99.99, 99.999};
    char text[16];
    char more[16];
    if (h->count == 0) {
        return;
    }
    fprintf(to, "\n  %s (%" PRIu64 " measured)\n", what, h->count);
    fprintf(to, "    min %s, mean %s, max %s\n", bench_duration_text((double)h->min, text),
            bench_duration_text(load_histogram_mean(h), more),
            bench_duration_text((double)h->max, (char[16]){0}));
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        fprintf(to, "    p%-7g %10s\n", points[i],
                bench_duration_text((double)load_histogram_percentile(h, points[i]), text));
    }
}

void bench_report_print(FILE *to, const bench_options *o, const load_result *r) {
    char text[32];
    const double seconds = r->duration_s > 0 ? r->duration_s : 1;
    fprintf(to, "%s %s\n", bench_mode_name(o->load.mode), o->load.url);
    fprintf(to, "  %s messages/s\n",
            bench_count_text((double)r->measured.received / seconds, text));
    percentiles_print(to, "latency", r->latency);
    fprintf(to, "  lost %" PRIu64 " duplicated %" PRIu64 " reordered %" PRIu64 "\n", r->lost,
            r->duplicated, r->reordered);
    fprintf(to, "  generator CPU %.3f us per message\n", bench_us_per_message(&r->cpu, r));
    for (uint32_t i = 0; i < r->errors.count; i++) {
        fprintf(to, "  %" PRIu64 " x %s\n", r->errors.kinds[i].count, r->errors.kinds[i].text);
    }
}
