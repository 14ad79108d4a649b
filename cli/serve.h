/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of `wring serve`.
 *
 *   serve.c          start, wait for a signal, drain
 *   serve_options.c  the command line, --print-config
 *   serve_http.c     what is served to whom: routes, publishing, origins
 *   serve_signals.c  what each signal does
 *   routes.c         the routes
 *   admin.c          the admin port
 */
#ifndef WRING_CLI_SERVE_H
#define WRING_CLI_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/routes.h"
#include "wring/wring.h"

#define ADMIN_OFF WRING_OFF

/** What was given. 0 and NULL: the default. */
typedef struct serve_options {
    char *host;
    char *backend;
    char *slow_policy;
    char *tls_cert;
    char *tls_key;
    char *tls_client_ca;
    char *admin_token;
    char *routes;
    char *publish_token;
    char **allow_publish; /* lists end with NULL */
    char **origins;
    char **trusted_proxies;
    int print_config;
    int unpinned;
    int share_port;
    int iana_close_codes;
    int tls_client_optional;
    uint32_t port;
    uint32_t drain_ms;
    uint32_t admin_port;
    uint32_t admin_max_body;
    wring_server_config config; /* the numbers of it, and of what it points to */
    wring_policy policy;
    wring_session_config session;
} serve_options;

/** False when the line was wrong; it has been said what. `--help` exits. */
bool serve_options_parse(int argc, const char **argv, serve_options *options);
void serve_options_free(serve_options *options);

/** The configuration that was asked for, without routes, TLS and compression. Points into the
 *  options. */
wring_server_config serve_config_of(serve_options *options);

/** From --admin-token or the environment; NULL: none. */
const char *serve_admin_token(const serve_options *options);

/** Every setting of an adopted configuration and policy. */
bool serve_config_print(const wring_server_config *config, const wring_policy *policy,
                        const serve_options *options, const serve_app *app);

/* ---- serve_http.c ---------------------------------------------------------------------------- */

/** Fills in which routes there are, who may publish, and the origins. Borrows from the options.
 *  False when an option was wrong; it has been said what. */
bool serve_http_parse(const serve_options *options, serve_app *app);

/** Sets the trusted proxies. Borrows from the options. */
void serve_http_config(const serve_options *options, wring_server_config *config);

/** The part of --print-config. */
void serve_http_print(const wring_server_config *config, const serve_app *app);

void serve_http_free(serve_options *options);

#endif
