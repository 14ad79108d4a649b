/* SPDX-License-Identifier: Apache-2.0
 *
 * The options about permessage-deflate, the same in every command that has them. A command puts
 * CLI_DEFLATE_OPTIONS into its table.
 */
#ifndef WRING_CLI_DEFLATE_H
#define WRING_CLI_DEFLATE_H

#include "cli/cli.h"
#include "wring/deflate.h"

/** popt's entries; takes CLI_DEFLATE_RANGE of the parser's numbers. */
const struct poptOption *cli_deflate_options(void);

/** To be told to the parser by cli_parser_numbers. */
#define CLI_DEFLATE_RANGE 1
extern const cli_number cli_deflate_numbers[];

#define CLI_DEFLATE_OPTIONS                                                                        \
    {                                                                                              \
        NULL, 0, POPT_ARG_INCLUDE_TABLE, (void *)(uintptr_t)cli_deflate_options(), 0,              \
            "permessage-deflate (RFC 7692), off without --deflate:", NULL                          \
    }

/** What was given; `*out` is `config`, or NULL: off. False when it is wrong, and it is told. */
bool cli_deflate_config(wring_deflate_config *config, const wring_deflate_config **out);

/** For --print-config. */
void cli_deflate_print(const wring_deflate_config *config);

#endif
