/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring serve`: start, wait for a signal, drain. The options are in serve_options.c.
 */
#include "cli/serve.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/admin.h"
#include "cli/cli.h"
#include "cli/deflate.h"
#include "cli/http2.h"
#include "cli/routes.h"
#include "cli/serve_signals.h"

/* Not through stdout, whose failure would be the command's: a server serves on without its log. */
static void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void log_line(const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vdprintf(STDOUT_FILENO, format, args);
    va_end(args);
}

/* A page that may not connect is most often a proxy that is not configured: that is said, with what
 * to do. Other refusals are only counted. */
static void refusal_write(const wring_log_record *record, void *opts) {
    (void)opts;
    for (size_t i = 0; i < record->field_count; i++) {
        if (strcmp(record->fields[i].name, "reason") == 0 &&
            strcmp(record->fields[i].value, wring_result_name(WRING_ERR_FOREIGN_ORIGIN)) == 0) {
            fprintf(stderr, "wring: %s (of `wring serve`: --origin, --trusted-proxy)\n",
                    record->text);
        }
    }
}

static const wring_log_config refusals = {
    .struct_size = sizeof refusals, .level = WRING_LOG_INFO, .write = refusal_write};

static bool admin_begin(const serve_options *o, serve_app *app, admin **out) {
    admin_config config = {.port = (uint16_t)o->admin_port,
                           .token = serve_admin_token(o),
                           .body_max = (size_t)o->admin_max_body,
                           .server = app->server};
    *out = NULL;
    if (o->admin_port == ADMIN_OFF) {
        return true;
    }
    *out = admin_start(&config);
    if (*out != NULL) {
        log_line("wring: admin on http://127.0.0.1:%u/\n", admin_port(*out));
    }
    return *out != NULL;
}

static void drain(serve_app *app, admin *port, int signal, uint32_t drain_ms) {
    fprintf(stderr, "wring: %s: closing every session; once more to end at once\n",
            strsignal(signal));
    if (port != NULL) {
        admin_set_ready(port, false);
    }
    wring_server_stop(app->server, drain_ms);
    admin_stop(port);
    wring_server_destroy(app->server);
}

static int serve(const wring_server_config *config, serve_app *app, const serve_options *options) {
    wring_error error;
    admin *port;
    serve_signals_prepare();
    if (wring_server_create(config, &app->server, &error) != WRING_OK) {
        cli_complain("%s", error.text);
        return CLI_USAGE;
    }
    cli_backend_tell(config->backend);
    if (wring_server_start(app->server, &error) != WRING_OK) {
        cli_complain("%s", error.text);
        wring_server_destroy(app->server);
        return CLI_FAILED;
    }
    bool v6 = strchr(config->host, ':') != NULL;
    wring_server_stats stats = {.struct_size = sizeof stats};
    wring_server_get_stats(app->server, &stats);
    log_line("wring: listening on %s://%s%s%s:%u/ (%u workers, %s)\n",
             config->tls == NULL ? "http" : "https", v6 ? "[" : "", config->host, v6 ? "]" : "",
             wring_server_port(app->server), wring_server_worker_count(app->server),
             wring_backend_name(stats.backend));
    if (!admin_begin(options, app, &port)) {
        wring_server_stop(app->server, 0);
        wring_server_destroy(app->server);
        return CLI_FAILED;
    }
    drain(app, port, serve_signals_wait(app->server), options->drain_ms);
    return CLI_OK;
}

int cli_serve(int argc, const char **argv) {
    serve_options options;
    wring_deflate_config deflate;
    const wring_deflate_config *deflate_given;
    wring_http2_config http2;
    const wring_http2_config *http2_given;
    if (!serve_options_parse(argc, argv, &options) ||
        !cli_deflate_config(&deflate, &deflate_given) ||
        !cli_http2_config(options.tls_cert != NULL, &http2, &http2_given)) {
        return CLI_USAGE;
    }
    static serve_app app;
    static wring_route routes[SERVE_ROUTES];
    if (!serve_http_parse(&options, &app)) {
        return CLI_USAGE;
    }
    wring_server_config given = serve_config_of(&options);
    given.routes = routes;
    given.route_count = serve_routes(&app, routes);
    given.log = &refusals;
    given.http2 = http2_given;
    const wring_tls_server_config tls = {.struct_size = sizeof tls,
                                         .cert_file = options.tls_cert,
                                         .key_file = options.tls_key,
                                         .client_ca_file = options.tls_client_ca,
                                         .client_optional = options.tls_client_optional != 0};
    options.policy.deflate = deflate_given;
    given.tls = options.tls_cert == NULL ? NULL : &tls;
    wring_server_config config = {.struct_size = sizeof config};
    wring_policy policy = {.struct_size = sizeof policy};
    wring_session_config session = {.struct_size = sizeof session};
    wring_error error;
    int code = CLI_OK;
    if (wring_server_config_adopt(&given, &config, &error) != WRING_OK ||
        wring_policy_adopt(&options.policy, config.pause_bytes, &policy, &session, &error) !=
            WRING_OK) {
        cli_complain("%s", error.text);
        code = CLI_USAGE;
    } else if (options.print_config != 0) {
        code = serve_config_print(&config, &policy, &options, &app) ? CLI_OK : CLI_FAILED;
    } else {
        code = serve(&config, &app, &options);
    }
    serve_options_free(&options);
    return code;
}
