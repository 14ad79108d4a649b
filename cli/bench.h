/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring bench`: what its files share. The engine is bench/load.
 *
 *   bench.c          the command: which mode, signals, exit code
 *   bench_options.c  the command line
 *   bench_modes.c    the modes, and which option belongs to which
 *   bench_headers.c  -H
 *   bench_live.c     progress: a panel on a terminal, lines elsewhere
 *   bench_report.c   the report people paste
 *   bench_json.c     the report programs read
 *   bench_svg.c      the picture
 *   bench_findmax.c  the highest rate under a latency bound
 *   bench_plan.c     -n, --ramp, --connect-ramp
 *   bench_bounds.c   --fail
 *   bench_summary.c  the short report for build servers
 *   bench_outputs.c  what is written where
 *   bench_compare.c  two JSON reports side by side
 */
#ifndef WRING_CLI_BENCH_H
#define WRING_CLI_BENCH_H

#include "bench/load/load.h"
#include "cli/cli.h"

/* Beside those of cli.h: what a script can tell apart. */
enum {
    BENCH_REGRESSION = 3,    /* compare */
    BENCH_ERRORS = 4,        /* it ran, but connections or messages failed */
    BENCH_NOT_FOUND = 5,     /* find-max: no rate keeps the bound */
    BENCH_BOUND_CROSSED = 6, /* --fail */
    BENCH_INTERRUPTED = 130
};

typedef enum bench_command {
    BENCH_ECHO,
    BENCH_FANOUT,
    BENCH_CONNECT,
    BENCH_IDLE,
    BENCH_FIND_MAX,
    BENCH_COMPARE
} bench_command;

#define BENCH_STEPS_MAX 100

/** What find-max tried. */
typedef struct bench_step {
    double rate;
    uint64_t p50_ns;
    uint64_t p99_ns;
    bool holds;
    bool unsent; /* or lost: the rate was not kept */
    bool lags;   /* the generator: bench_generator_lags */
} bench_step;

typedef struct bench_search {
    double rate; /* the highest that holds */
    wring_duration_ns p99_ns;
    size_t count;
    bench_step steps[BENCH_STEPS_MAX];
} bench_search;

#define BENCH_HEADERS_MAX      LOAD_HEADERS_MAX
#define BENCH_SUBPROTOCOLS_MAX 16

#define BENCH_BOUNDS_MAX 32

enum bench_figure { BENCH_OTHER, BENCH_MIN, BENCH_MEAN, BENCH_MAX, BENCH_PERCENTILE };

/** "p99>10ms" of --fail, and what came of it. */
typedef struct bench_bound {
    const char *text;
    enum bench_figure figure;
    unsigned histogram; /* which distribution */
    unsigned other;     /* BENCH_OTHER: which figure */
    double percentile;
    bool above; /* it fails above the value, else below */
    bool or_equal;
    bool is_time;  /* ns */
    bool is_share; /* of all messages sent */
    double value;

    double got;
    bool is_missing; /* nothing was measured */
    bool is_crossed;
} bench_bound;

/** The command line: texts as they were given, and what they were parsed to. */
typedef struct bench_options {
    bench_command command;
    load_mode searched; /* by find-max */
    load_config load;
    char *connections, *duration, *rate, *connect_rate, *size, *message, *message_file, *warmup;
    char *messages, *ramp, *connect_ramp;
    char *streams;
    char *source_ip, *connect_timeout, *publishers, *topics, *p99, *tolerance, *interval;
    char *backend;
    char *threads, *pipeline, *burst, *server_pid;
    int http2, text, binary, insecure, json, quiet, any_answer, verify, deflate, verbose;
    char *ca, *cert, *key, *origin;
    char *headers[BENCH_HEADERS_MAX];
    size_t header_count;
    char *subprotocols[BENCH_SUBPROTOCOLS_MAX];
    size_t subprotocol_count;
    char *fails[BENCH_BOUNDS_MAX];
    size_t fail_count;
    char *json_file, *hdr_file, *svg_file, *summary_file;
    char *first, *second; /* URL; of compare: two files */

    wring_header header_list[BENCH_HEADERS_MAX];
    wring_tls_client_config tls;
    load_address sources[LOAD_SOURCES_MAX];
    char *message_bytes;
    char *url_shown;
    bench_bound bounds[BENCH_BOUNDS_MAX];
    int exit_code; /* of the run, when it is over */
    wring_duration_ns p99_ns;
    double tolerance_share;
    const bench_search *search; /* find-max, when it is over */
} bench_options;

/** False when the line was wrong; it has been said what. `--help` exits. */
bool bench_options_parse(int argc, const char **argv, bench_options *options);
void bench_options_free(bench_options *options);

/** False when an option is given that the mode does not use; it is told. */
bool bench_modes_check(const bench_options *options);
/** -H, --origin and --subprotocol, for the request. False when one is wrong; it is told. */
bool bench_headers_take(bench_options *options);
/** -n and the ramps. False when they do not go together; it is told. */
bool bench_plan_adopt(bench_options *options);
/** May a run have that rate? 0 is for stages. False when not; it is told. */
bool bench_rate_check(const char *option, const char *text, double rate);
bool bench_bounds_parse(bench_options *options);

/** bench_message.c: what is sent, from the options that say so. False: it has complained. */
bool bench_message_take(bench_options *options);

/** A copy of the URL with "***" for a password; NULL when memory is out. */
char *bench_url_shown(const char *url);

const char *bench_mode_name(load_mode mode);
/** False when it is not the name of a mode. */
bool bench_command_of(const char *name, bench_command *out);
/** Tells that the first argument is neither a mode nor a URL, and which mode is like it. */
void bench_word_complain(const bench_options *options);

/* ---- progress -------------------------------------------------------------------------------- */

typedef struct bench_live {
    const bench_options *options;
    bool panel_only;      /* no lines */
    bool panel;           /* a terminal: redrawn in place */
    bool color;           /* NO_COLOR is not set */
    int lines;            /* of the panel as it stands */
    unsigned long second; /* of the last line about opening */
    const char *title;    /* find-max: what is being tried; NULL else */
} bench_live;

void bench_live_init(bench_live *live, const bench_options *options);
/** A load_observer's progress; `arg` is the bench_live. False after a signal. */
bool bench_live_progress(void *arg, const load_progress *progress);
void bench_live_end(bench_live *live);

/** SIGINT or SIGTERM came. */
bool bench_interrupted(void);

/* ---- results --------------------------------------------------------------------------------- */

void bench_report_print(FILE *to, const bench_options *options, const load_result *result);

/** One JSON object and a newline.  False when memory or `to` failed. */
bool bench_json_print(FILE *to, const bench_options *options, const load_result *result);

/** The figures of all bounds. True when one is crossed. */
bool bench_bounds_check(bench_options *options, const load_result *result);
/** Is a bound about errors? Then it says which are too many. */
bool bench_bounds_judge_errors(const bench_options *options);
/** "12.3 ms", as it was measured.  Writes into `text`, which it returns. */
const char *bench_bound_got(const bench_bound *bound, char text[32]);

bool bench_summary_print(FILE *to, const bench_options *options, const load_result *result);

bool bench_svg_write(const char *path, const bench_options *options, const load_result *result);

/** Before the run: can all files be written? False when one cannot; it is told. */
bool bench_outputs_check(const bench_options *options);
/** All that was asked for: report or JSON, and files. */
bool bench_results_write(const bench_options *options, const load_result *result);
/** Of a run that came to no result: JSON and summary with the reason, where they are asked for. */
bool bench_error_write(const bench_options *options, const char *why);
/** Closes what `fopen` gave, and complains when that or what was done before (`ok`) failed. */
bool bench_file_close(FILE *file, const char *path, bool ok);

/** Constant rate: was the generator so late (p99 over a tenth of the latency's) that its own lag is
 *  what the latencies show? */
bool bench_generator_lags(const load_result *result);

/** Of a run that came to none: the URL and files of --ca, --cert and --key are part of the usage.
 */
int bench_exit_code_of(wring_result code);

/** Did anything go wrong that a script should know of? */
bool bench_has_errors(const load_result *result);

int bench_find_max(bench_options *options);
int bench_compare(const bench_options *options);

/** "12.3 us", "4.56 ms": three digits.  Writes into `text`, which it returns. */
const char *bench_duration_text(double ns, char text[16]);
/** "12,345,678". */
const char *bench_count_text(double value, char text[32]);
/** "0.4", "12,345": of a second. Below ten with three digits, because a slow rate is no 0. */
const char *bench_rate_text(double value, char text[32]);
/** "1 connection", "64 connections". */
const char *bench_counted_text(uint64_t count, const char *noun, char text[64]);
/** What `-c` counts: "connection", or with --http2 "session". */
const char *bench_session_noun(const load_config *load);
/** "1.23 MiB". */
const char *bench_bytes_text(double bytes, char text[16]);

/** Right answers, deliveries or handshakes a second of the measured time. */
double bench_rate(const load_result *result);
/** CPU time of the generator for each message, in microseconds; 0 without messages. */
double bench_us_per_message(const load_cpu *cpu, const load_result *result);

/** Writes a file by `write`, and says what failed. */
bool bench_file_write(const char *path,
                      bool (*write)(FILE *to, const bench_options *options,
                                    const load_result *result),
                      const bench_options *options, const load_result *result);

#endif
