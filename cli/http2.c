/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `wring serve` about HTTP/2. See http2.h.
 */
#include "cli/http2.h"

#include <stdio.h>
#include <string.h>

#include "wring/config.h"

/* A process runs one command: so there is one set of options. */
static struct {
    int cleartext;
    int off;
    int no_websockets;
    wring_http2_config config; /* its numbers */
} given;

#define RATE_MAX   1000000000
#define WINDOW_MAX INT32_MAX

const cli_number cli_http2_numbers[] = {
    {"http2-requests", 0, CLI_COUNT, &given.config.requests_max, NULL, 1, 1u << 20, 0,
     "streams of one connection besides --http2-sessions (100)"},
    {"http2-sessions", 0, CLI_COUNT, &given.config.sessions_max, NULL, 1, 1u << 20, 0,
     "WebSockets of one connection at a time; one more is refused (1000)"},
    {"http2-window", 0, CLI_BYTES, &given.config.window_bytes, NULL, 64, WINDOW_MAX, 0,
     "what a client may send on a stream before it is read (256 KiB)"},
    {"http2-connection-window", 0, CLI_BYTES, &given.config.connection_window_bytes, NULL, 65535,
     WINDOW_MAX, 0, "... on all streams of a connection (1 MiB)"},
    {"http2-reset-rate", 0, CLI_COUNT, NULL, &given.config.resets_per_second, 0, RATE_MAX, CLI_OFF,
     "streams that a client may reset, or have reset, a second; more ends its connection (33)"},
    {"http2-reset-burst", 0, CLI_COUNT, NULL, &given.config.resets_burst, 0, 0, 0,
     "... so many at once (1000)"},
    {"http2-control-rate", 0, CLI_COUNT, NULL, &given.config.controls_per_second, 0, RATE_MAX,
     CLI_OFF,
     "SETTINGS, PING and empty frames a client may send a second; more ends its connection (100)"},
    {"http2-control-burst", 0, CLI_COUNT, NULL, &given.config.controls_burst, 0, 0, 0,
     "... so many at once (1000)"},
};

#define NUMBERS (sizeof cli_http2_numbers / sizeof cli_http2_numbers[0])

const struct poptOption *cli_http2_options(void) {
    static const struct poptOption others[] = {
        {"http2", 0, POPT_ARG_NONE, &given.cleartext, 0,
         "HTTP/2 without TLS too, beside HTTP/1.x (prior knowledge)", NULL},
        {"no-http2", 0, POPT_ARG_NONE, &given.off, 0, "HTTP/1.x only, also with TLS", NULL},
        {"no-http2-websockets", 0, POPT_ARG_NONE, &given.no_websockets, 0,
         "HTTP/2 for requests only; browsers use HTTP/1.1 for WebSockets", NULL},
    };
    static struct poptOption table[sizeof others / sizeof others[0] + NUMBERS + 1];
    memcpy(table, others, sizeof others);
    cli_numbers_fill(table + sizeof others / sizeof others[0], cli_http2_numbers, NUMBERS,
                     CLI_HTTP2_RANGE);
    return table; /* the last entry is zeroed: the end */
}

static bool has_others(void) {
    const wring_http2_config *c = &given.config;
    return given.no_websockets || c->requests_max || c->sessions_max || c->window_bytes ||
           c->connection_window_bytes || c->resets_per_second || c->resets_burst ||
           c->controls_per_second || c->controls_burst;
}

bool cli_http2_config(bool has_tls, wring_http2_config *config, const wring_http2_config **out) {
    *out = NULL;
    if (given.off && (given.cleartext || has_others())) {
        cli_complain("--no-http2 does not go together with the other options about HTTP/2");
        return false;
    }
    if (!given.off && !has_tls && !given.cleartext && has_others()) {
        cli_complain("the options about HTTP/2 need --http2, or --tls-cert and --tls-key");
        return false;
    }
    if (given.off || (!has_tls && !given.cleartext)) {
        return true;
    }
    *config = given.config;
    config->struct_size = sizeof *config;
    config->cleartext = given.cleartext != 0;
    config->no_websockets = given.no_websockets != 0;
    *out = config;
    return true;
}

void cli_http2_print(bool has_tls, const wring_http2_config *config) {
    if (config == NULL) {
        puts("http2 = off");
        return;
    }
    printf("http2 = %s\nhttp2-websockets = %s\n", has_tls ? "tls" : "cleartext",
           config->no_websockets ? "no" : "yes");
    cli_print_u32("http2-requests", config->requests_max);
    cli_print_u32("http2-sessions", config->sessions_max);
    cli_print_u32("http2-window", config->window_bytes);
    cli_print_u32("http2-connection-window", config->connection_window_bytes);
    cli_print_u64("http2-reset-rate", config->resets_per_second);
    cli_print_u64("http2-reset-burst", config->resets_burst);
    cli_print_u64("http2-control-rate", config->controls_per_second);
    cli_print_u64("http2-control-burst", config->controls_burst);
}
