/* SPDX-License-Identifier: Apache-2.0
 *
 * The wring command: what its subcommands share. Exit codes: 0 done, 1 failed, 2 used wrongly.
 */
#ifndef WRING_CLI_CLI_H
#define WRING_CLI_CLI_H

#include <popt.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/numbers.h"
#include "wring/backend.h"
#include "wring/bytes.h"

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
int cli_connect(int argc, const char **argv);
int cli_bench(int argc, const char **argv);

/** A walk over options and arguments. `--help` prints the table and `examples` and exits. */
typedef struct cli_parser {
    poptContext context;
    const char *usage;
    const char *examples;
    const cli_number *numbers[CLI_NUMBER_LISTS]; /* those of each range of codes */
    bool bad;                                    /* a value was wrong, and it was told */
    int code;                                    /* of the last step */
} cli_parser;

/** @param usage  "wring serve"   @param arguments  "[options] URL" */
void cli_parser_init(cli_parser *parser, int argc, const char **argv,
                     const struct poptOption *options, const char *usage, const char *arguments,
                     const char *examples);

/** Lets cli_parser_next take the options that cli_numbers_fill made of `list`. */
void cli_parser_numbers(cli_parser *parser, const cli_number *list, unsigned range);

/** The `val` of the next option that has one; 0 or less at the end, or after a wrong number. */
int cli_parser_next(cli_parser *parser);

/** A copy of the next argument that is no option; NULL when there is none. */
char *cli_parser_argument(cli_parser *parser);

/** A header's name, ASCII case aside. RFC 9110 5.1 */
bool cli_name_is(wring_bytes name, const char *wanted);

/** Keeps the value of an option that may be repeated; complains when there are `max` already.
 *  @param what  "headers"
 *  Own: value is taken, also on failure. */
bool cli_list_add(char **list, size_t *count, size_t max, char *value, const char *what);

/** False after an error, or when an argument is left; printed with what to do. */
bool cli_parser_end(cli_parser *parser);

/** The exit code of a command that ends with `code`: CLI_FAILED when its standard output could not
 * be written, which it tells. Each way out of the command leads through here. */
int cli_output_end(int code);

/** The value of --backend; NULL: not given. False: it is none, which it tells. */
bool cli_backend_parse(const char *name, wring_backend *out);

/** Before anything runs: where it falls back to epoll one line on stderr says why. */
void cli_backend_tell(wring_backend wanted);

/** For --print-config: the setting, what it comes to here, and why. False: to nothing. */
bool cli_backend_print(wring_backend wanted);

#define CLI_BACKEND_HELP "auto, uring or epoll: what moves the bytes ($WRING_BACKEND, else auto)"

/** "wring: ..." on stderr. */
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
