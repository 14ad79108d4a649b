/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring bench`: runs the load generator and tells what came of it.
 */
#include "cli/bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

bool bench_interrupted(void) {
    return interrupted != 0;
}

/* The first one ends the run with its report, the second one the program. */
static void on_signal(int number) {
    (void)number;
    if (interrupted != 0) {
        _Exit(BENCH_INTERRUPTED);
    }
    interrupted = 1;
}

static void signals_catch(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) { /* not by nohup */
        sigaction(SIGHUP, &action, NULL);
    }
}

bool bench_has_errors(const load_result *r) {
    return r->connections.failed > 0 || r->connections.lost > 0 || r->lost > 0 ||
           r->duplicated > 0 || r->reordered > 0 || load_errors_total(&r->errors) > 0;
}

/* With -v: what a server said that refused, a line of it a line here. */
static void refusal_print(const load_result *result) {
    char line[512];
    char *at = result->refusal;
    while (at != NULL && *at != 0) {
        char *end = at + strcspn(at, "\n");
        char *next = *end == 0 ? end : end + 1;
        *end = 0;
        if (end > at && end[-1] == '\r') {
            end[-1] = 0;
        }
        (void)wring_text_printable(wring_str(at), line, sizeof line);
        fprintf(stderr, "< %s\n", line);
        at = next;
    }
}

static void bounds_complain(const bench_options *o) {
    for (size_t i = 0; i < o->fail_count; i++) {
        if (o->bounds[i].is_crossed) {
            char got[32];
            cli_complain("--fail '%s': %s%s", o->bounds[i].text,
                         o->bounds[i].is_missing ? "" : "it was ",
                         bench_bound_got(&o->bounds[i], got));
        }
    }
}

static int verdict(bench_options *o, const load_result *result) {
    const bool crossed = bench_bounds_check(o, result);
    return bench_interrupted()                                         ? BENCH_INTERRUPTED
           : crossed                                                   ? BENCH_BOUND_CROSSED
           : bench_has_errors(result) && !bench_bounds_judge_errors(o) ? BENCH_ERRORS
                                                                       : CLI_OK;
}

int bench_exit_code_of(wring_result code) {
    const bool is_usage = code == WRING_ERR_INVALID_URL || code == WRING_ERR_TLS_CONFIG;
    return bench_interrupted() ? BENCH_INTERRUPTED : is_usage ? CLI_USAGE : CLI_FAILED;
}

static int run(bench_options *o) {
    load_result result;
    wring_error error;
    bench_live live;
    bench_live_init(&live, o);
    const load_observer observer = {bench_live_progress, &live};
    const wring_result code = load_execute(&o->load, &observer, &result, &error);
    bench_live_end(&live);
    int exit_code = CLI_FAILED;
    refusal_print(&result);
    if (code != WRING_OK) {
        cli_complain("%s", error.text);
        exit_code = bench_exit_code_of(code);
        (void)bench_error_write(o, error.text); /* it has failed all the same */
    } else {
        o->exit_code = verdict(o, &result);
        exit_code = bench_results_write(o, &result) ? o->exit_code : CLI_FAILED;
        bounds_complain(o);
    }
    load_result_deinit(&result);
    return exit_code;
}

int cli_bench(int argc, const char **argv) {
    static bench_options options; /* holds long lists */
    int code = CLI_USAGE;
    if (bench_options_parse(argc, argv, &options)) {
        signals_catch();
        code = CLI_FAILED;
    }
    const bool runs = code == CLI_FAILED && bench_outputs_check(&options);
    if (runs && options.command != BENCH_COMPARE && options.quiet == 0) {
        cli_backend_tell(options.load.backend);
    }
    if (runs) {
        switch (options.command) {
        case BENCH_ECHO:
        case BENCH_FANOUT:
        case BENCH_CONNECT:
        case BENCH_IDLE:
            code = run(&options);
            break;
        case BENCH_FIND_MAX:
            code = bench_find_max(&options);
            break;
        case BENCH_COMPARE:
            code = bench_compare(&options);
            break;
        }
    }
    bench_options_free(&options);
    return code;
}
