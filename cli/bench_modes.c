/* SPDX-License-Identifier: Apache-2.0
 *
 * The modes of `wring bench`: their names, and which option belongs to which. An option that its
 * mode does not use is refused: a user who gives one expects it to do something.
 */
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"

static const char *const command_names[] = {"echo", "fanout",   "connect",
                                            "idle", "find-max", "compare"};

#define COMMANDS (sizeof command_names / sizeof command_names[0])

const char *bench_mode_name(load_mode mode) {
    return command_names[mode];
}

bool bench_command_of(const char *name, bench_command *out) {
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, command_names[i]) == 0) {
            *out = (bench_command)i;
            return true;
        }
    }
    return false;
}

/* ---- a word that is no mode ------------------------------------------------------------------ */

#define WORD_MAX 16

/* How many letters have to be added, left out or replaced to make `b` of `a` (Levenshtein). */
static size_t distance(const char *a, const char *b) {
    size_t row[WORD_MAX + 1];
    const size_t len = strlen(b);
    for (size_t i = 0; i <= len; i++) {
        row[i] = i;
    }
    for (size_t i = 0; a[i] != 0; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            const size_t replaced = corner + (a[i] != b[j] ? 1 : 0);
            const size_t other = 1 + (row[j] < row[j + 1] ? row[j] : row[j + 1]);
            corner = row[j + 1];
            row[j + 1] = replaced < other ? replaced : other;
        }
    }
    return row[len];
}

/* The name that a person may have mistyped; NULL when none is near. */
static const char *command_near(const char *word) {
    const char *near = NULL;
    size_t best = strlen(word) < 5 ? 2 : 3;
    for (size_t i = 0; i < COMMANDS && strlen(word) <= WORD_MAX; i++) {
        const size_t away = distance(word, command_names[i]);
        if (away < best) {
            best = away;
            near = command_names[i];
        }
    }
    return near;
}

void bench_word_complain(const bench_options *o) {
    const char *near = command_near(o->first);
    cli_complain("'%s' is neither a mode (echo, fanout, connect, idle, find-max, compare) nor a "
                 "URL like ws://host:port/path%s%s%s",
                 o->first, near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
                 near == NULL ? "" : "?");
}

/* ---- options --------------------------------------------------------------------------------- */

enum {
    E = 1 << 0,     /* echo */
    F = 1 << 1,     /* fanout */
    C = 1 << 2,     /* connect */
    I = 1 << 3,     /* idle */
    MAX_E = 1 << 4, /* find-max, of echo */
    MAX_F = 1 << 5, /* find-max, of fanout */
    X = 1 << 6,     /* compare */
    MAX = MAX_E | MAX_F,
    RUNS = E | F | C | I | MAX /* every mode that opens connections */
};

typedef struct rule {
    const char *option;
    bool is_given;
    int modes;           /* that use the option */
    const char *instead; /* what a user of another mode may have meant; NULL: nothing */
} rule;

static int mode_of(const bench_options *o) {
    static const int modes[] = {E, F, C, I, MAX_E, X};
    return o->command == BENCH_FIND_MAX && o->searched == LOAD_FANOUT ? MAX_F : modes[o->command];
}

/* "echo, fanout and find-max" */
static const char *modes_text(int modes, char text[96]) {
    static const struct {
        int modes;
        const char *name;
    } names[] = {{E, "echo"},
                 {F, "fanout"},
                 {C, "connect"},
                 {I, "idle"},
                 {MAX, "find-max"},
                 {MAX_E, "find-max echo"},
                 {MAX_F, "find-max fanout"},
                 {X, "compare"}};
    text[0] = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((modes & names[i].modes) != names[i].modes) {
            continue;
        }
        modes &= ~names[i].modes;
        const size_t len = strlen(text);
        (void)snprintf(text + len, 96 - len, "%s%s",
                       len == 0     ? ""
                       : modes == 0 ? " and "
                                    : ", ",
                       names[i].name);
    }
    return text;
}

static bool rules_check(const bench_options *o, const rule *rules, size_t count) {
    const int mode = mode_of(o);
    for (size_t i = 0; i < count; i++) {
        if (rules[i].is_given && (rules[i].modes & mode) == 0) {
            char ours[96];
            char theirs[96];
            const bool is_max = (mode & MAX) != 0 && (rules[i].modes & MAX) == 0;
            cli_complain("bench %s: %s is for %s%s%s", is_max ? "find-max" : modes_text(mode, ours),
                         rules[i].option, modes_text(rules[i].modes, theirs),
                         rules[i].instead == NULL ? "" : "; ",
                         rules[i].instead == NULL ? "" : rules[i].instead);
            return false;
        }
    }
    return true;
}

static bool load_options_check(const bench_options *o) {
    const char *rate = mode_of(o) == C   ? "--connect-rate limits handshakes a second"
                       : mode_of(o) == I ? "--connect-rate limits connections opened a second"
                                         : NULL;
    const char *size = (mode_of(o) & (F | MAX_F)) == 0
                           ? NULL
                           : "fanout numbers its messages: --size says how long they are";
    const char *ramp = mode_of(o) == I ? "connections have --connect-ramp" : rate;
    const rule rules[] = {
        {"-c", o->connections != NULL, RUNS, NULL},
        {"-t", o->threads != NULL, RUNS, NULL},
        {"-d", o->duration != NULL, RUNS, NULL},
        {"--warmup", o->warmup != NULL, RUNS, NULL},
        {"-n", o->messages != NULL, E | F | C, "-d limits the time"},
        {"--http2", o->http2 != 0, RUNS, NULL},
        {"--streams", o->streams != NULL, RUNS, NULL},
        {"-r", o->rate != NULL, E | F | MAX, rate},
        {"--ramp", o->ramp != NULL, E | F, ramp},
        {"--connect-ramp", o->connect_ramp != NULL, E | I, NULL},
        {"--connect-rate", o->connect_rate != NULL, RUNS, NULL},
        {"-s (--size)", o->size != NULL, E | F | MAX, NULL},
        {"-m (--message)", o->message != NULL, E | MAX_E, size},
        {"--message-file", o->message_file != NULL, E | MAX_E, size},
        {"--text", o->text != 0, E | F | MAX, NULL},
        {"-b (--binary)", o->binary != 0, E | F | MAX, NULL},
        {"-p (--pipeline)", o->pipeline != NULL, E | F | MAX, NULL},
        {"--any-answer", o->any_answer != 0, E | MAX_E, NULL},
        {"--verify", o->verify != 0, E | MAX_E, NULL},
        {"--deflate", o->deflate != 0, RUNS, NULL},
        {"-P (--publishers)", o->publishers != NULL, F | MAX_F, "-c says how many connections"},
        {"--burst", o->burst != NULL, F | MAX_F, "--pipeline says how many messages are under way"},
        {"--topics", o->topics != NULL, F | MAX_F, NULL},
        {"--p99", o->p99 != NULL, MAX, "--fail 'p99>5ms' judges one run"},
        {"--fail", o->fail_count > 0, E | F | C | I, "--p99 is the bound of find-max"},
        {"--tolerance", o->tolerance != NULL, X, "it says what is no regression yet"},
    };
    return rules_check(o, rules, sizeof rules / sizeof rules[0]);
}

/* Requests, TLS and reports: every mode has them that opens connections. */
static bool run_options_check(const bench_options *o) {
    const char *json = "it prints text, and its exit code is 3 when the second report is worse";
    const rule rules[] = {
        {"-H", o->header_count > 0, RUNS, NULL},
        {"--subprotocol", o->subprotocol_count > 0, RUNS, NULL},
        {"--origin", o->origin != NULL, RUNS, NULL},
        {"-k", o->insecure != 0, RUNS, NULL},
        {"--ca", o->ca != NULL, RUNS, NULL},
        {"--cert", o->cert != NULL, RUNS, NULL},
        {"--key", o->key != NULL, RUNS, NULL},
        {"--source-ip", o->source_ip != NULL, RUNS, NULL},
        {"--connect-timeout", o->connect_timeout != NULL, RUNS, NULL},
        {"--server-pid", o->server_pid != NULL, RUNS, NULL},
        {"--interval", o->interval != NULL, RUNS, NULL},
        {"-j (--json)", o->json != 0, RUNS, json},
        {"-o (--json-file)", o->json_file != NULL, RUNS, json},
        {"--summary", o->summary_file != NULL, RUNS, json},
        {"--hdr", o->hdr_file != NULL, E | F | C | MAX, "latencies are of messages or handshakes"},
        {"--svg", o->svg_file != NULL, E | F | C | MAX, "it draws latencies and rate"},
        {"-v", o->verbose != 0, RUNS, NULL},
    };
    return rules_check(o, rules, sizeof rules / sizeof rules[0]);
}

bool bench_modes_check(const bench_options *o) {
    return load_options_check(o) && run_options_check(o);
}
