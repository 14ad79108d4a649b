/* SPDX-License-Identifier: Apache-2.0
 *
 * Entry of the wring command: finds the subcommand.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

#include "wring/wring.h"

static const cli_command commands[] = {
    {"serve", "a WebSocket server: /echo, /chat, /topic/NAME and a chat page", cli_serve},
    {"connect", "an interactive client: lines to messages and back", cli_connect},
    {"bench", "a load tester: rates, latencies, lost messages", cli_bench},
};

void cli_complain(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("wring: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* Results that nobody got are no success: a full disk, a reader that is gone, a descriptor that was
 * closed. */
int cli_output_end(int code) {
    const bool had_failed = ferror(stdout) != 0;
    if (fflush(stdout) == 0 && !had_failed) {
        return code;
    }
    /* The errno of a write that failed earlier is lost. Another write fails for the same cause. */
    errno = 0;
    if (fputc('\n', stdout) == EOF || fflush(stdout) != 0) {
        cli_complain("cannot write to standard output: %s", strerror(errno));
    } else {
        cli_complain("cannot write to standard output: a part of it is missing");
    }
    return CLI_FAILED;
}

static void help(FILE *to) {
    fputs("wring: WebSockets on a ring\n\nUsage: wring COMMAND [options]\n\nCommands:\n", to);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\nOptions:\n  -h, --help     this text; `wring COMMAND --help` tells more\n"
          "  -V, --version  the version\n\nExamples:\n  wring serve --port 8080\n"
          "  wring connect ws://127.0.0.1:8080/chat\n",
          to);
}

void cli_parser_init(cli_parser *parser, int argc, const char **argv,
                     const struct poptOption *options, const char *usage, const char *arguments,
                     const char *examples) {
    argv[0] = usage; /* popt's help names the program by it */
    memset(parser, 0, sizeof *parser);
    parser->usage = usage;
    parser->examples = examples;
    parser->context = poptGetContext(usage, argc, argv, options, 0);
    poptSetOtherOptionHelp(parser->context, arguments);
}

void cli_parser_numbers(cli_parser *parser, const cli_number *list, unsigned range) {
    parser->numbers[range] = list;
}

static bool number_take(cli_parser *parser) {
    const unsigned at = (unsigned)(parser->code - CLI_NUMBERS);
    char *text = poptGetOptArg(parser->context);
    const bool ok =
        text != NULL &&
        cli_number_take(&parser->numbers[at / CLI_NUMBERS_MAX][at % CLI_NUMBERS_MAX], text);
    free(text);
    return ok;
}

int cli_parser_next(cli_parser *parser) {
    while ((parser->code = poptGetNextOpt(parser->context)) >= CLI_NUMBERS) {
        if (!number_take(parser)) {
            parser->bad = true;
            return 0;
        }
    }
    if (parser->code == 'h') {
        poptPrintHelp(parser->context, stdout, 0);
        fputs(parser->examples, stdout);
        exit(cli_output_end(CLI_OK));
    }
    return parser->code;
}

char *cli_parser_argument(cli_parser *parser) {
    const char *argument = poptGetArg(parser->context);
    return argument == NULL ? NULL : strdup(argument);
}

bool cli_name_is(wring_bytes name, const char *wanted) {
    return name.len == strlen(wanted) &&
           strncasecmp((const char *)name.data, wanted, name.len) == 0;
}

bool cli_list_add(char **list, size_t *count, size_t max, char *value, const char *what) {
    if (*count == max) {
        cli_complain("more than %zu %s", max, what);
        free(value);
        return false;
    }
    list[(*count)++] = value;
    return true;
}

bool cli_parser_end(cli_parser *parser) {
    const char *extra = poptGetArg(parser->context);
    const bool ok = parser->code == -1 && extra == NULL && !parser->bad;
    if (parser->bad) {
        /* it has been said what */
    } else if (parser->code < -1) {
        cli_complain("%s: %s; try '%s --help'",
                     poptBadOption(parser->context, POPT_BADOPTION_NOALIAS),
                     poptStrerror(parser->code), parser->usage);
    } else if (extra != NULL) {
        cli_complain("unexpected argument '%s'; try '%s --help'", extra, parser->usage);
    }
    poptFreeContext(parser->context);
    return ok;
}

/* The soft limit on descriptors is for programs that use select(); it bounds each worker's table of
 * sockets too. */
static void files_limit_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* then there is less room, and that is all */
    }
}

/* Else a socket would get the number of standard output, and messages to a person go there. Reading
 * from a stand-in is at its end, and a write to one fails: whoever prints is told. */
static void standard_streams_open(void) {
    int fd;
    do {
        fd = open("/dev/null", O_RDONLY);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        close(fd);
    }
}

/* The command that the arguments ask for. Returns its exit code. */
static int command_run(int argc, char **argv) {
    if (argc < 2) {
        help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        help(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("wring " WRING_VERSION);
        return CLI_OK;
    }
    files_limit_raise();
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, (const char **)argv + 1);
        }
    }
    cli_complain("there is no command '%s'; try 'wring --help'", argv[1]);
    return CLI_USAGE;
}

int main(int argc, char **argv) {
    standard_streams_open();
    (void)signal(SIGPIPE, SIG_IGN); /* told by the write that fails: a session can end in order */
    return cli_output_end(command_run(argc, argv));
}
