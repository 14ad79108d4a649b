/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress of `wring bench` on standard error: a panel redrawn in place on a terminal, a line for
 * each interval elsewhere.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/bench.h"

#define SPARKS_MAX       40
#define BAR              24
#define ERRORS_SHOWN_MAX 4
#define PANEL_WIDE       90 /* columns */

static const char *const phases[] = {[LOAD_OPENING] = "opening",
                                     [LOAD_WARMUP] = "warming up",
                                     [LOAD_MEASURING] = "measuring",
                                     [LOAD_DRAINING] = "waiting for the last answers",
                                     [LOAD_CLOSING] = "closing"};

/* ---- a terminal's lines ---------------------------------------------------------------------- */

static int columns(void) {
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

/* Cuts UTF-8 text to `width` characters, each of one column; escape sequences have none. */
static size_t cut(const char *text, int width) {
    size_t at = 0;
    while (text[at] != 0) {
        if (text[at] == '\x1b') {
            at += strcspn(text + at, "m");
            at += text[at] != 0;
            continue;
        }
        if (width-- == 0) {
            break;
        }
        do {
            at++;
        } while (((unsigned char)text[at] & 0xc0) == 0x80);
    }
    return at;
}

/* Of all escape sequences a row has only colours and weights: ESC [ ... m */
static void colors_strip(char *text) {
    char *out = text;
    while (*text != 0) {
        if (*text == '\x1b') {
            text += strcspn(text, "m");
            text += *text != 0;
        } else {
            *out++ = *text++;
        }
    }
    *out = 0;
}

static void row(bench_live *live, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void row(bench_live *live, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!live->color) {
        colors_strip(text);
    }
    /* a full last column would wrap on some terminals; 0m ends a colour that was cut */
    fprintf(stderr, "%.*s%s\x1b[K\n", (int)cut(text, columns() - 1), text,
            live->color ? "\x1b[0m" : "");
    live->lines++;
}

/* ---- the parts of the panel ------------------------------------------------------------------ */

static const char *bar(double share, char text[BAR * 3 + 1]) {
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    const int full = (int)(share * BAR + 0.5);
    size_t at = 0;
    for (int i = 0; i < BAR; i++) {
        memcpy(text + at, i < full ? "\xe2\x96\x88" : "\xe2\x96\x91", 3);
        at += 3;
    }
    text[at] = 0;
    return text;
}

static double sample_rate(const load_sample *sample) {
    return sample->seconds > 0 ? (double)sample->messages / sample->seconds : 0;
}

/* Eighths of a block, from U+2581 on, relative to the highest shown. */
static const char *sparks(const load_progress *p, char text[SPARKS_MAX * 3 + 1]) {
    const size_t from = p->series_count > SPARKS_MAX ? p->series_count - SPARKS_MAX : 0;
    double peak = 0;
    size_t at = 0;
    for (size_t i = from; i < p->series_count; i++) {
        const double rate = sample_rate(&p->series[i]);
        peak = rate > peak ? rate : peak;
    }
    for (size_t i = from; i < p->series_count && peak > 0; i++) {
        const int level = (int)(sample_rate(&p->series[i]) / peak * 7 + 0.5);
        text[at++] = (char)0xe2;
        text[at++] = (char)0x96;
        text[at++] = (char)(0x81 + level);
    }
    text[at] = 0;
    return text;
}

static void panel_head(bench_live *live, const load_progress *p) {
    const load_config *load = &live->options->load;
    char blocks[BAR * 3 + 1];
    char left[32] = "";
    double share = 1;
    row(live, "\x1b[1mwring bench %s\x1b[0m  %s", bench_mode_name(load->mode), load->url_shown);
    if (live->title != NULL) {
        row(live, "%s", live->title);
    }
    const double whole = (double)load->duration / 1e9;
    if (p->phase == LOAD_OPENING) {
        share = p->wanted == 0 ? 1 : (double)(p->opened + p->failed) / (double)p->wanted;
    } else if (p->phase == LOAD_MEASURING && load->duration == LOAD_ENDLESS) {
        share = (double)p->messages / (double)load->messages;
    } else if (p->phase == LOAD_MEASURING) {
        share = 1 - p->left_s / whole;
    } else if (p->phase == LOAD_WARMUP) {
        share = 0;
    }
    if (p->phase == LOAD_MEASURING && load->duration == LOAD_ENDLESS) {
        (void)snprintf(left, sizeof left, "%.0f %% of -n", 100 * share);
    } else if (p->phase == LOAD_MEASURING ||
               (p->phase == LOAD_WARMUP && load->duration != LOAD_ENDLESS)) {
        (void)snprintf(left, sizeof left, "%.0f s left",
                       p->left_s + (p->phase == LOAD_WARMUP ? whole : 0));
    }
    const bool holds = load->mode == LOAD_IDLE && p->phase == LOAD_MEASURING;
    row(live, "%s  %s  %s", bar(share, blocks), holds ? "holding" : phases[p->phase], left);
    row(live, "%s", "");
}

static void panel_connections(bench_live *live, const load_progress *p) {
    char opened[32];
    char wanted[32];
    char carriers[80] = "";
    char count[64];
    const load_config *load = &live->options->load;
    const bool repeats = load->mode == LOAD_CONNECT;
    const char *what = load->http2 ? "sessions   " : "connections";
    if (p->phase == LOAD_CLOSING) {
        row(live, "  %s  %s left", what, bench_count_text((double)p->left, opened));
        return;
    }
    if (load->http2) {
        (void)snprintf(carriers, sizeof carriers, ", on %s",
                       bench_counted_text(p->carriers, "connection", count));
    }
    row(live, "  %s  %s%s%s open%s%s", what, bench_count_text((double)p->opened, opened),
        repeats ? "" : " of ", repeats ? "" : bench_count_text((double)p->wanted, wanted),
        repeats ? "ed so far" : "", carriers);
}

static void panel_figures(bench_live *live, const load_progress *p) {
    static const double points[] = {50, 90, 99, 99.9};
    char count[32];
    char text[16];
    char blocks[SPARKS_MAX * 3 + 1];
    char line[256];
    size_t at = 0;
    const double rate = p->series_count == 0 ? 0 : sample_rate(&p->series[p->series_count - 1]);
    row(live, "  rate         \x1b[1m%12s/s\x1b[0m  \x1b[36m%s\x1b[0m",
        bench_rate_text(rate, count), sparks(p, blocks));
    /* on 80 columns there is no room for all of them beside the greatest */
    const size_t left_out = columns() < PANEL_WIDE ? 1 : sizeof points / sizeof points[0];
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        at += i == left_out
                  ? 0
                  : (size_t)snprintf(
                        line + at, sizeof line - at, "p%g %s   ", points[i],
                        bench_duration_text(
                            (double)load_histogram_percentile(p->latency, points[i]), text));
    }
    row(live, "  latency      %smax %s", line, bench_duration_text((double)p->latency->max, text));
    if (live->options->load.rate > 0 && p->series_count > 0) {
        row(live, "  lag          p99 %s in the last interval: the generator's own",
            bench_duration_text((double)p->series[p->series_count - 1].lag_p99_ns, text));
    }
}

static void panel_errors(bench_live *live, const load_progress *p) {
    if (p->errors->count == 0) {
        row(live, "  errors       none");
    }
    for (uint32_t i = 0; i < p->errors->count && i < ERRORS_SHOWN_MAX; i++) {
        char count[32];
        row(live, "  %-11s  \x1b[31m%s x %s", i == 0 ? "errors" : "",
            bench_count_text((double)p->errors->kinds[i].count, count), p->errors->kinds[i].text);
    }
    if (p->errors->count > ERRORS_SHOWN_MAX) {
        row(live, "               and %u more kinds", p->errors->count - ERRORS_SHOWN_MAX);
    }
}

static void panel_draw(bench_live *live, const load_progress *p) {
    if (live->lines > 0) {
        fprintf(stderr, "\x1b[%dA", live->lines);
    }
    live->lines = 0;
    panel_head(live, p);
    panel_connections(live, p);
    if (live->options->load.mode != LOAD_IDLE) {
        panel_figures(live, p);
    }
    panel_errors(live, p);
    row(live, "  \x1b[2mCtrl-C ends it with the report so far");
    fputs("\x1b[J", stderr);
    fflush(stderr);
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Most openings and closings are over before there is anything to say. */
static void line_connections(bench_live *live, const load_progress *p) {
    char count[32];
    char wanted[64];
    const unsigned long second = (unsigned long)p->elapsed_s;
    const char *noun = bench_session_noun(&live->options->load);
    if (second == live->second) {
        return;
    }
    live->second = second;
    if (p->phase == LOAD_OPENING) {
        char failed[32];
        fprintf(stderr, "%6.1f s  opening: %s of %s, %s failed\n", p->elapsed_s,
                bench_count_text((double)p->opened, count),
                bench_counted_text(p->wanted, noun, wanted),
                bench_count_text((double)p->failed, failed));
    } else {
        fprintf(stderr, "%6.1f s  closing: %s left\n", p->elapsed_s,
                bench_counted_text(p->left, noun, wanted));
    }
}

static void line_sample(const bench_live *live, const load_progress *p) {
    char count[32];
    char p50[16];
    char p99[16];
    char max[16];
    char held[64];
    const load_sample *sample = p->sample;
    if (live->options->load.mode == LOAD_IDLE) {
        fprintf(
            stderr, "%6.1f s  %s held, %s lost\n", sample->t + sample->seconds,
            bench_counted_text(p->opened - p->lost, bench_session_noun(&live->options->load), held),
            bench_count_text((double)p->lost, count));
        return;
    }
    fprintf(stderr, "%6.1f s  %12s/s  p50 %9s  p99 %9s  max %9s", sample->t + sample->seconds,
            bench_rate_text(sample_rate(sample), count),
            bench_duration_text((double)sample->p50_ns, p50),
            bench_duration_text((double)sample->p99_ns, p99),
            bench_duration_text((double)sample->max_ns, max));
    if (live->options->load.rate > 0) {
        fprintf(stderr, "  lag p99 %9s", bench_duration_text((double)sample->lag_p99_ns, p50));
    }
    const uint64_t errors = load_errors_total(p->errors);
    if (errors > 0) {
        fprintf(stderr, "  %s", bench_counted_text(errors, "error", held));
    }
    fputc('\n', stderr);
}

/* ---- the observer ---------------------------------------------------------------------------- */

void bench_live_init(bench_live *live, const bench_options *options) {
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR"); /* https://no-color.org: set and not empty */
    *live = (bench_live){.options = options};
    live->color = no_color == NULL || no_color[0] == 0;
    live->panel = options->quiet == 0 && isatty(STDERR_FILENO) == 1 && term != NULL &&
                  strcmp(term, "dumb") != 0;
}

bool bench_live_progress(void *arg, const load_progress *p) {
    bench_live *live = arg;
    if (live->panel) {
        panel_draw(live, p);
    } else if (live->options->quiet == 0 && !live->panel_only) {
        if ((p->phase == LOAD_OPENING || p->phase == LOAD_CLOSING) &&
            live->options->load.mode != LOAD_CONNECT) {
            line_connections(live, p);
        }
        if (p->sample != NULL) {
            line_sample(live, p);
        }
    }
    return !bench_interrupted();
}

/* The panel gives way to the report. */
void bench_live_end(bench_live *live) {
    if (live->panel && live->lines > 0) {
        fprintf(stderr, "\x1b[%dA\x1b[J", live->lines);
        fflush(stderr);
        live->lines = 0;
    }
}
