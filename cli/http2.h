/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `wring serve` about HTTP/2.
 */
#ifndef WRING_CLI_HTTP2_H
#define WRING_CLI_HTTP2_H

#include "cli/cli.h"
#include "wring/http2.h"

/** popt's entries; takes CLI_HTTP2_RANGE of the parser's numbers. */
const struct poptOption *cli_http2_options(void);

/** To be told to the parser by cli_parser_numbers. */
#define CLI_HTTP2_RANGE 2
extern const cli_number cli_http2_numbers[];

#define CLI_HTTP2_OPTIONS                                                                          \
    {                                                                                              \
        NULL, 0, POPT_ARG_INCLUDE_TABLE, (void *)(uintptr_t)cli_http2_options(), 0,                \
            "HTTP/2 (RFC 9113, RFC 8441). Without an option: on with TLS, off without TLS:", NULL  \
    }

/** What was given; `*out` is `config`, or NULL: HTTP/1.x only. False when it is wrong, and it is
 *  told. */
bool cli_http2_config(bool has_tls, wring_http2_config *config, const wring_http2_config **out);

/** For --print-config.  @param config  adopted; NULL: off */
void cli_http2_print(bool has_tls, const wring_http2_config *config);

#endif
