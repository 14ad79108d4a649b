/* SPDX-License-Identifier: Apache-2.0
 *
 * The wring command: what its subcommands share. Exit codes: 0 done, 1 failed, 2 used wrongly.
 */
#ifndef WRING_CLI_CLI_H
#define WRING_CLI_CLI_H

#include <popt.h>
#include <stdbool.h>
#include <stddef.h>

#define CLI_OK     0
#define CLI_FAILED 1
#define CLI_USAGE  2

/** One subcommand. `run` gets argv from its own name on. */
typedef struct cli_command {
    const char *name;
    const char *summary;
    int (*run)(int argc, const char **argv);
} cli_command;

int cli_serve(int argc, const char **argv);

/** Parses all options; false after an error, which was printed with what to do. `--help` prints the
 *  table and `examples` and exits. */
bool cli_parse(int argc, const char **argv, const struct poptOption *options, const char *usage,
               const char *examples);

/** "wring: ..." on stderr. */
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
