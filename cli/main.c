/* SPDX-License-Identifier: Apache-2.0
 *
 * Entry of the wring command: finds the subcommand.
 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wring/wring.h"

static const cli_command commands[] = {
    {"serve", "a WebSocket server: /echo, /chat and a chat page", cli_serve},
};

void cli_complain(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("wring: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

static void help(FILE *to) {
    fputs("wring: WebSockets on a ring\n\nUsage: wring COMMAND [options]\n\nCommands:\n", to);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\nOptions:\n  --help     this text; `wring COMMAND --help` tells more\n"
          "  --version  the version\n\nExample:\n  wring serve --port 8080\n",
          to);
}

bool cli_parse(int argc, const char **argv, const struct poptOption *options, const char *usage,
               const char *examples) {
    argv[0] = usage; /* popt's help names the program by it */
    poptContext context = poptGetContext(usage, argc, argv, options, 0);
    poptSetOtherOptionHelp(context, "[options]");
    int code;
    while ((code = poptGetNextOpt(context)) == 'h') {
        poptPrintHelp(context, stdout, 0);
        fputs(examples, stdout);
        exit(CLI_OK);
    }
    const char *extra = poptGetArg(context);
    bool ok = code == -1 && extra == NULL;
    if (code < -1) {
        cli_complain("%s: %s; try '%s --help'", poptBadOption(context, POPT_BADOPTION_NOALIAS),
                     poptStrerror(code), usage);
    } else if (extra != NULL) {
        cli_complain("unexpected argument '%s'; try '%s --help'", extra, usage);
    }
    poptFreeContext(context);
    return ok;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        help(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("wring " WRING_VERSION);
        return CLI_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, (const char **)argv + 1);
        }
    }
    cli_complain("there is no command '%s'; try 'wring --help'", argv[1]);
    return CLI_USAGE;
}
