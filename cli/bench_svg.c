/* SPDX-License-Identifier: Apache-2.0
 *
 * The picture of a run: latency by percentile above, rate and p99 over time below.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"

#define WIDTH  860
#define HEIGHT 640

/* A plot: its place in the picture, and the ranges of its axes. */
typedef struct plot {
    FILE *to;
    double left, top, width, height;
    double x_min, x_max;
    double y_min, y_max; /* logarithms where the axis is logarithmic */
} plot;

static double x_at(const plot *p, double x) {
    return p->left + (x - p->x_min) / (p->x_max - p->x_min) * p->width;
}
static double y_at(const plot *p, double y) {
    return p->top + p->height - (y - p->y_min) / (p->y_max - p->y_min) * p->height;
}

static void text_at(FILE *to, double x, double y, const char *class, const char *text) {
    fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
    for (; *text != 0; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        default:
            fputc((unsigned char)*text < 0x20 ? ' ' : *text, to);
        }
    }
    fputs("</text>\n", to);
}

static void grid_y(const plot *p, double y, const char *text) {
    fprintf(p->to, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n",
            p->left, y_at(p, y), p->left + p->width, y_at(p, y));
    text_at(p->to, p->left - 8, y_at(p, y) + 4, "end", text);
}

static void grid_x(const plot *p, double x, const char *text) {
    fprintf(p->to, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n",
            x_at(p, x), p->top, x_at(p, x), p->top + p->height);
    text_at(p->to, x_at(p, x), p->top + p->height + 18, "middle", text);
}

/* A step of 1, 2 or 5 times a power of ten that gives about five lines. */
static double nice_step(double range) {
    const double rough = range / 5;
    const double power = pow(10, floor(log10(rough)));
    const double left = rough / power;
    return (left > 5 ? 10 : left > 2 ? 5 : left > 1 ? 2 : 1) * power;
}

/* ---- latency by percentile ------------------------------------------------------------------- */

static void latency_axes(const plot *p) {
    static const struct {
        const char *name;
        double percentile;
    } ticks[] = {{"0", 0},         {"50 %", 50},       {"90 %", 90},        {"99 %", 99},
                 {"99.9 %", 99.9}, {"99.99 %", 99.99}, {"99.999 %", 99.999}};
    char text[16];
    for (size_t i = 0; i < sizeof ticks / sizeof ticks[0]; i++) {
        grid_x(p, -log10(1 - ticks[i].percentile / 100), ticks[i].name);
    }
    for (double y = ceil(p->y_min); y <= p->y_max + 1e-9; y++) {
        grid_y(p, y, bench_duration_text(pow(10, y), text));
    }
}

static void latency_plot(FILE *to, const load_histogram *h) {
    const plot p = {.to = to,
                    .left = 80,
                    .top = 80,
                    .width = WIDTH - 110,
                    .height = 210,
                    .x_min = 0,
                    .x_max = 5.1,
                    .y_min = floor(log10(h->min == 0 ? 1 : (double)h->min)),
                    .y_max = ceil(log10((double)h->max + 1))};
    text_at(to, p.left, p.top - 12, "title", "Latency by percentile");
    latency_axes(&p);
    fputs("<polyline class=\"latency\" points=\"", to);
    for (double x = 0; x <= 5.0001; x += 0.02) {
        const double percentile = 100 * (1 - pow(10, -x));
        const double value = (double)load_histogram_percentile(h, percentile);
        fprintf(to, "%.1f,%.1f ", x_at(&p, x), y_at(&p, log10(value < 1 ? 1 : value)));
    }
    fputs("\"/>\n", to);
}

/* ---- over time ------------------------------------------------------------------------------- */

static double rate_of(const load_sample *sample) {
    return sample->seconds > 0 ? (double)sample->messages / sample->seconds : 0;
}

static void time_axes(const plot *p) {
    char text[32];
    const double x_step = nice_step(p->x_max - p->x_min);
    for (double x = 0; x <= p->x_max + 1e-9; x += x_step) {
        (void)snprintf(text, sizeof text, "%g s", x);
        grid_x(p, x, text);
    }
    const double y_step = nice_step(p->y_max);
    for (double y = 0; y <= p->y_max + 1e-9; y += y_step) {
        grid_y(p, y, bench_count_text(y, text));
    }
}

static void rate_line(const plot *p, const load_result *r) {
    fputs("<polyline class=\"rate\" points=\"", p->to);
    for (size_t i = 0; i < r->series_count; i++) {
        const load_sample *sample = &r->series[i];
        const double y = y_at(p, rate_of(sample));
        fprintf(p->to, "%.1f,%.1f %.1f,%.1f ", x_at(p, sample->t), y,
                x_at(p, sample->t + sample->seconds), y);
    }
    fputs("\"/>\n", p->to);
}

/* On an axis of its own at the right, from nothing to the highest. */
static void p99_line(const plot *rates, const load_result *r) {
    plot p = *rates;
    char text[16];
    p.y_min = 0;
    p.y_max = 1;
    for (size_t i = 0; i < r->series_count; i++) {
        p.y_max = (double)r->series[i].p99_ns > p.y_max ? (double)r->series[i].p99_ns : p.y_max;
    }
    fputs("<polyline class=\"p99\" points=\"", p.to);
    for (size_t i = 0; i < r->series_count; i++) {
        const load_sample *sample = &r->series[i];
        fprintf(p.to, "%.1f,%.1f ", x_at(&p, sample->t + sample->seconds / 2),
                y_at(&p, (double)sample->p99_ns));
    }
    fputs("\"/>\n", p.to);
    text_at(p.to, p.left + p.width + 6, p.top + 4, "p99label", bench_duration_text(p.y_max, text));
    text_at(p.to, p.left + p.width + 6, p.top + p.height + 4, "p99label", "0");
}

static void time_plot(FILE *to, const load_result *r) {
    plot p = {.to = to,
              .left = 80,
              .top = 370,
              .width = WIDTH - 150,
              .height = 210,
              .x_min = 0,
              .x_max = r->duration_s > 0 ? r->duration_s : 1,
              .y_min = 0,
              .y_max = 1};
    for (size_t i = 0; i < r->series_count; i++) {
        const double rate = rate_of(&r->series[i]);
        p.y_max = rate > p.y_max ? rate : p.y_max;
    }
    p.y_max *= 1.05;
    text_at(to, p.left, p.top - 12, "title", "Over time");
    text_at(to, p.left + 100, p.top - 12, "ratelabel", "messages a second");
    text_at(to, p.left + 240, p.top - 12, "p99label", "p99 latency (right)");
    time_axes(&p);
    rate_line(&p, r);
    p99_line(&p, r);
}

/* ---- the picture ----------------------------------------------------------------------------- */

static const char style[] =
    "<style>text{font:12px sans-serif;fill:#444}.head{font-size:16px;font-weight:bold;fill:#111}"
    ".title{font-size:13px;font-weight:bold;fill:#111}.end{text-anchor:end}"
    ".middle{text-anchor:middle}.grid{stroke:#ddd;stroke-width:1}"
    "polyline{fill:none;stroke-width:2;stroke-linejoin:round}.latency,.rate{stroke:#1b6ca8}"
    ".p99{stroke:#d1495b}.p99label{fill:#d1495b}.ratelabel{fill:#1b6ca8}</style>\n";

static bool svg_print(FILE *to, const bench_options *o, const load_result *r) {
    char head[512];
    char count[32];
    char p50[16];
    char p99[16];
    const load_histogram *h = r->latency->count > 0 ? r->latency : r->connect;
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\">\n%s<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT, style);
    (void)snprintf(head, sizeof head, "%s %s", bench_mode_name(o->load.mode), o->load.url_shown);
    text_at(to, 20, 26, "head", head);
    (void)snprintf(head, sizeof head, "%s/s, p50 %s, p99 %s%s",
                   bench_rate_text(bench_rate(r), count),
                   bench_duration_text((double)load_histogram_percentile(h, 50), p50),
                   bench_duration_text((double)load_histogram_percentile(h, 99), p99),
                   o->load.mode != LOAD_ECHO ? ""
                   : o->load.rate > 0        ? " at a constant rate"
                                             : " in a closed loop");
    if (r->lag->count > 0) {
        const size_t at = strlen(head);
        (void)snprintf(head + at, sizeof head - at, ", the generator's own lag p99 %s%s",
                       bench_duration_text((double)load_histogram_percentile(r->lag, 99), p50),
                       bench_generator_lags(r) ? ": it is what was measured" : "");
    }
    text_at(to, 20, 46, "sub", head);
    if (h->count > 0) {
        latency_plot(to, h);
    }
    if (r->series_count > 0) {
        time_plot(to, r);
    }
    fputs("</svg>\n", to);
    return ferror(to) == 0;
}

bool bench_svg_write(const char *path, const bench_options *o, const load_result *r) {
    return bench_file_write(path, svg_print, o, r);
}
