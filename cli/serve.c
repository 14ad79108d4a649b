/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring serve`: options, start, wait for a signal, drain.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/admin.h"
#include "cli/cli.h"
#include "cli/deflate.h"
#include "cli/routes.h"
#include "cli/serve_signals.h"

#define DRAIN_MS_DEFAULT   10000
#define ADMIN_BODY_DEFAULT (1 << 20)
#define ADMIN_OFF          (-1)

static const char examples[] =
    "\nExamples:\n"
    "  wring serve                          chat page and echo on http://127.0.0.1:8080/\n"
    "  wring serve --host 0.0.0.0 --port 80 --workers 4\n"
    "  wring serve --max-message 65536 --ping-interval 25000 --idle-timeout 60000\n"
    "  wring serve --print-config           every setting and its value, then ends\n"
    "  wring serve --tls-cert cert.pem --tls-key key.pem       https:// and wss://\n"
    "  wring serve --admin-port 9090        then: curl -d hello "
    "http://127.0.0.1:9090/publish/news\n"
    "\nThe admin port is on 127.0.0.1 only: POST /publish/NAME (?binary=1, or Content-Type:\n"
    "application/octet-stream, for a binary message), GET /stats, /healthz, /readyz. With a "
    "token,\n"
    "from --admin-token or better the environment's WRING_ADMIN_TOKEN, the first two need\n"
    "'Authorization: Bearer TOKEN'.\n"
    "\nSignals: SIGINT and SIGTERM close the listener and every session, with 1001, and end with 0 "
    "when all\nare gone or --drain-ms is over; a second one ends at once (130, 143). SIGHUP reads "
    "the "
    "certificate files\nagain; without TLS and while stopping it does nothing. SIGPIPE, SIGXFSZ, "
    "SIGUSR1 and SIGUSR2 are ignored:\na log that nobody reads ends nothing. SIGSTOP and SIGCONT "
    "pause the server, which counts against no peer.\n"
    "\nTo replace a running server, start both with --share-port, the new one first; then send the "
    "old one SIGTERM.\n";

struct serve_options {
    char *host;
    int port;
    int workers;
    char *backend;
    int drain_ms;
    int print_config;
    int unpinned;
    int share_port;
    long long max_frame;
    long long max_message;
    long long max_fragment_bytes;
    long long pause_bytes;
    long long send_soft;
    long long send_hard;
    char *slow_policy;
    int slow_timeout;
    int coalesce_us;
    int max_handshake_size;
    int handshake_timeout;
    int close_timeout;
    int idle_timeout;
    int ping_interval;
    int max_connections;
    long long memory_budget;
    int drain_spread;
    int max_connections_total;
    int max_per_source;
    int max_handshakes;
    int max_handshakes_per_source;
    int tls_handshake_rate;
    int message_rate;
    int message_burst;
    int control_rate;
    int control_burst;
    int max_age;
    int pong_timeout;
    int receive_buffers;
    int receive_buffer_size;
    int busy_poll_us;
    int iana_close_codes;
    char *tls_cert;
    char *tls_key;
    char *tls_client_ca;
    int tls_client_optional;
    int admin_port;
    char *admin_token;
    int admin_max_body;
};

#define NUMBER(name, field, help)                                                                  \
    { name, 0, POPT_ARG_INT, &o->field, 0, help, "N" }
#define BYTES(name, field, help)                                                                   \
    { name, 0, POPT_ARG_LONGLONG, &o->field, 0, help, "BYTES" }
#define SWITCH(name, field, help)                                                                  \
    { name, 0, POPT_ARG_NONE, &o->field, 0, help, NULL }

static bool options_parse(int argc, const char **argv, struct serve_options *o) {
    const struct poptOption table[] = {
        {"host", 0, POPT_ARG_STRING, &o->host, 0, "numeric address to listen on (127.0.0.1)",
         "ADDRESS"},
        NUMBER("port", port, "port; 0 has one picked (8080)"),
        SWITCH("share-port", share_port, "others may listen there too, such as a successor"),
        NUMBER("workers", workers, "threads (one per CPU)"),
        {"backend", 0, POPT_ARG_STRING, &o->backend, 0, "auto or uring (auto)", "NAME"},
        NUMBER("drain-ms", drain_ms, "longest wait for sessions to close when stopping (10000)"),
        BYTES("max-frame", max_frame, "longest frame payload (16 MiB)"),
        BYTES("max-message", max_message, "longest message (64 MiB)"),
        BYTES("max-fragment-bytes", max_fragment_bytes, "what a message's fragments may pin"),
        BYTES("pause-bytes", pause_bytes, "queued to a peer before it is read no further (1 MiB)"),
        BYTES("send-soft", send_soft, "queued to a peer before it counts as slow (64 KiB)"),
        BYTES("send-hard", send_hard, "queued before the policy acts (twice pause-bytes)"),
        {"slow-policy", 0, POPT_ARG_STRING, &o->slow_policy, 0,
         "disconnect, drop-newest, drop-oldest or keep-latest (disconnect)", "NAME"},
        NUMBER("slow-timeout", slow_timeout, "ms above send-soft until a session ends (off)"),
        NUMBER("coalesce-us", coalesce_us, "window in which publishes are gathered (off)"),
        NUMBER("max-handshake-size", max_handshake_size, "bytes of a request head (65536)"),
        NUMBER("handshake-timeout", handshake_timeout, "ms from accept to upgrade (15000)"),
        NUMBER("close-timeout", close_timeout, "ms to wait for the peer's close (5000)"),
        NUMBER("idle-timeout", idle_timeout, "ms without a byte until a session ends (off)"),
        NUMBER("ping-interval", ping_interval, "ms without a byte until a ping (off)"),
        NUMBER("max-connections", max_connections, "per worker (1048576)"),
        BYTES("memory-budget", memory_budget,
              "of queues, messages (half of the machine's or cgroup's)"),
        NUMBER("drain-spread", drain_spread, "ms over which closes are spread (1 each)"),
        NUMBER("max-connections-total", max_connections_total, "of all workers (unlimited)"),
        NUMBER("max-per-source", max_per_source, "connections of one address (unlimited)"),
        NUMBER("max-handshakes", max_handshakes, "unfinished ones, per worker (16384)"),
        NUMBER("max-handshakes-per-source", max_handshakes_per_source, "... of one address"),
        NUMBER("tls-handshake-rate", tls_handshake_rate, "begun a second, per worker (unlimited)"),
        NUMBER("message-rate", message_rate, "messages a second of a connection (unlimited)"),
        NUMBER("message-burst", message_burst, "... so many at once (twice the rate)"),
        NUMBER("control-rate", control_rate, "pings and pongs a second of a connection (100)"),
        NUMBER("control-burst", control_burst, "... so many at once (500)"),
        NUMBER("max-age", max_age, "ms after which a session is closed, less a tenth (off)"),
        NUMBER("pong-timeout", pong_timeout, "ms to wait after a ping (20000)"),
        NUMBER("receive-buffers", receive_buffers, "per worker, a power of two (1024)"),
        NUMBER("receive-buffer-size", receive_buffer_size, "bytes (16448)"),
        NUMBER("busy-poll-us", busy_poll_us, "look for work so long before sleeping (0)"),
        SWITCH("iana-close-codes", iana_close_codes, "also accept and send 1012, 1013, 1014"),
        {"tls-cert", 0, POPT_ARG_STRING, &o->tls_cert, 0, "PEM: certificate and chain; wss://",
         "FILE"},
        {"tls-key", 0, POPT_ARG_STRING, &o->tls_key, 0, "PEM: its private key", "FILE"},
        {"tls-client-ca", 0, POPT_ARG_STRING, &o->tls_client_ca, 0,
         "PEM: clients need a certificate signed by one of these", "FILE"},
        SWITCH("tls-client-optional", tls_client_optional, "... or none at all"),
        NUMBER("admin-port", admin_port,
               "port on 127.0.0.1 to publish and ask at; 0: picked (off)"),
        {"admin-token", 0, POPT_ARG_STRING, &o->admin_token, 0, "what its users have to know",
         "TOKEN"},
        NUMBER("admin-max-body", admin_max_body, "bytes of a message published there (1048576)"),
        CLI_DEFLATE_OPTIONS,
        SWITCH("unpinned", unpinned, "do not pin workers to CPUs"),
        SWITCH("print-config", print_config, "print every setting and end"),
        {"help", 'h', POPT_ARG_NONE, NULL, 'h', "this text", NULL},
        POPT_TABLEEND,
    };
    return cli_parse(argc, argv, table, "wring serve", examples);
}

static const char *const policy_names[] = {
    [WRING_SLOW_DISCONNECT] = "disconnect",
    [WRING_SLOW_DROP_NEWEST] = "drop-newest",
    [WRING_SLOW_DROP_OLDEST] = "drop-oldest",
    [WRING_SLOW_KEEP_LATEST] = "keep-latest",
};

/* WRING_SLOW_DEFAULT for a name that is none. */
static wring_slow_policy policy_of(const char *name) {
    for (int i = WRING_SLOW_DISCONNECT; i <= WRING_SLOW_KEEP_LATEST; i++) {
        if (strcmp(name, policy_names[i]) == 0) {
            return (wring_slow_policy)i;
        }
    }
    return WRING_SLOW_DEFAULT;
}

/* Negative numbers would become huge unsigned ones. */
static bool options_check(const struct serve_options *o) {
    const long long numbers[] = {o->port,
                                 o->workers,
                                 o->drain_ms,
                                 o->max_frame,
                                 o->max_message,
                                 o->max_fragment_bytes,
                                 o->pause_bytes,
                                 o->send_soft,
                                 o->send_hard,
                                 o->slow_timeout,
                                 o->coalesce_us,
                                 o->max_handshake_size,
                                 o->handshake_timeout,
                                 o->close_timeout,
                                 o->idle_timeout,
                                 o->ping_interval,
                                 o->max_connections,
                                 o->memory_budget,
                                 o->drain_spread,
                                 o->max_connections_total,
                                 o->max_per_source,
                                 o->max_handshakes,
                                 o->max_handshakes_per_source,
                                 o->tls_handshake_rate,
                                 o->message_rate,
                                 o->message_burst,
                                 o->control_rate,
                                 o->control_burst,
                                 o->max_age,
                                 o->pong_timeout,
                                 o->receive_buffers,
                                 o->receive_buffer_size,
                                 o->busy_poll_us,
                                 o->admin_max_body};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i] < 0) {
            cli_complain("%lld is negative; leave an option out for its default", numbers[i]);
            return false;
        }
    }
    if (o->port > 65535 || o->admin_port > 65535) {
        cli_complain("--port and --admin-port are at most 65535");
        return false;
    }
    if (o->slow_policy != NULL && policy_of(o->slow_policy) == WRING_SLOW_DEFAULT) {
        cli_complain("--slow-policy %s: there are disconnect, drop-newest, drop-oldest and "
                     "keep-latest",
                     o->slow_policy);
        return false;
    }
    if (o->admin_port < ADMIN_OFF) {
        cli_complain("--admin-port %d is negative", o->admin_port);
        return false;
    }
    if (o->backend != NULL && strcmp(o->backend, "auto") != 0 && strcmp(o->backend, "uring") != 0) {
        cli_complain("--backend %s: there are auto and uring", o->backend);
        return false;
    }
    if ((o->tls_cert == NULL) != (o->tls_key == NULL)) {
        cli_complain("--tls-cert and --tls-key go together");
        return false;
    }
    if (o->tls_cert == NULL && (o->tls_client_ca != NULL || o->tls_client_optional != 0)) {
        cli_complain("--tls-client-ca needs --tls-cert and --tls-key");
        return false;
    }
    return true;
}

static wring_server_config config_of(const struct serve_options *o) {
    wring_server_config config = {
        .struct_size = sizeof config,
        .port = (uint16_t)o->port,
        .host = o->host,
        .workers = (uint32_t)o->workers,
        .handshake_timeout_ms = (uint32_t)o->handshake_timeout,
        .max_handshake_size = (uint32_t)o->max_handshake_size,
        .max_connections = (uint32_t)o->max_connections,
        .memory_budget = (uint64_t)o->memory_budget,
        .drain_spread_ms = (uint32_t)o->drain_spread,
        .max_connections_total = (uint32_t)o->max_connections_total,
        .max_connections_per_source = (uint32_t)o->max_per_source,
        .max_handshakes = (uint32_t)o->max_handshakes,
        .max_handshakes_per_source = (uint32_t)o->max_handshakes_per_source,
        .tls_handshake_rate = (uint32_t)o->tls_handshake_rate,
        .message_rate = (uint32_t)o->message_rate,
        .message_burst = (uint32_t)o->message_burst,
        .control_rate = (uint32_t)o->control_rate,
        .control_burst = (uint32_t)o->control_burst,
        .max_age_ms = (uint32_t)o->max_age,
        .pause_bytes = (uint64_t)o->pause_bytes,
        .send_soft_bytes = (uint64_t)o->send_soft,
        .send_hard_bytes = (uint64_t)o->send_hard,
        .slow_policy = o->slow_policy == NULL ? WRING_SLOW_DEFAULT : policy_of(o->slow_policy),
        .slow_timeout_ms = (uint32_t)o->slow_timeout,
        .coalesce_us = (uint32_t)o->coalesce_us,
        .receive_buffers = (uint32_t)o->receive_buffers,
        .receive_buffer_size = (uint32_t)o->receive_buffer_size,
        .busy_poll_us = (uint32_t)o->busy_poll_us,
        .unpinned = o->unpinned != 0,
        .share_port = o->share_port != 0,
        .session = {.struct_size = sizeof config.session,
                    .max_frame = (uint64_t)o->max_frame,
                    .max_message = (uint64_t)o->max_message,
                    .max_fragment_bytes = (uint64_t)o->max_fragment_bytes,
                    .close_timeout_ms = (uint32_t)o->close_timeout,
                    .idle_timeout_ms = (uint32_t)o->idle_timeout,
                    .ping_interval_ms = (uint32_t)o->ping_interval,
                    .pong_timeout_ms = (uint32_t)o->pong_timeout,
                    .allow_iana_close_codes = o->iana_close_codes != 0},
    };
    return config;
}

static const char *admin_token(const struct serve_options *o) {
    const char *token = o->admin_token != NULL ? o->admin_token : getenv("WRING_ADMIN_TOKEN");
    return token == NULL || token[0] == '\0' ? NULL : token;
}

static void print_number(const char *name, uint32_t value) {
    if (value == WRING_OFF) {
        printf("%s = off\n", name);
    } else {
        printf("%s = %u\n", name, value);
    }
}

static void print_admin(const struct serve_options *o) {
    if (o->admin_port == ADMIN_OFF) {
        puts("admin-port = off");
    } else {
        printf("admin-port = %d\n", o->admin_port);
    }
    printf("admin-token = %s\nadmin-max-body = %d\n", admin_token(o) == NULL ? "none" : "set",
           o->admin_max_body);
}

static void print_tls(const wring_tls_server_config *tls) {
    if (tls == NULL) {
        puts("tls-cert = off");
        return;
    }
    printf("tls-cert = %s\ntls-key = %s\n", tls->cert_file, tls->key_file);
    printf("tls-client-ca = %s\ntls-client-optional = %s\n",
           tls->client_ca_file == NULL ? "off" : tls->client_ca_file,
           tls->client_optional ? "yes" : "no");
}

static void print_limits(const wring_server_config *c) {
    printf("memory-budget = %" PRIu64 "\n", c->memory_budget);
    if (c->drain_spread_ms == 0) {
        puts("drain-spread = auto");
    } else {
        print_number("drain-spread", c->drain_spread_ms);
    }
    print_number("max-age", c->max_age_ms);
    print_number("max-connections-total", c->max_connections_total);
    print_number("max-per-source", c->max_connections_per_source);
    print_number("max-handshakes", c->max_handshakes);
    print_number("max-handshakes-per-source", c->max_handshakes_per_source);
    print_number("tls-handshake-rate", c->tls_handshake_rate);
    print_number("message-rate", c->message_rate);
    print_number("message-burst", c->message_burst);
    print_number("control-rate", c->control_rate);
    print_number("control-burst", c->control_burst);
}

static void print_config(const wring_server_config *c, int drain_ms) {
    printf("host = %s\nport = %u\nworkers = %u\nbackend = uring\n", c->host, c->port, c->workers);
    printf("share-port = %s\n", c->share_port ? "yes" : "no");
    printf("max-frame = %" PRIu64 "\nmax-message = %" PRIu64 "\nmax-fragment-bytes = %" PRIu64 "\n",
           c->session.max_frame, c->session.max_message, c->session.max_fragment_bytes);
    printf("pause-bytes = %" PRIu64 "\nmax-handshake-size = %u\nmax-target-size = %u\n",
           c->pause_bytes, c->max_handshake_size, c->max_target_size);
    printf("send-soft = %" PRIu64 "\nsend-hard = %" PRIu64 "\nslow-policy = %s\n",
           c->send_soft_bytes, c->send_hard_bytes, policy_names[c->slow_policy]);
    print_number("slow-timeout", c->slow_timeout_ms);
    print_number("coalesce-us", c->coalesce_us);
    print_number("handshake-timeout", c->handshake_timeout_ms);
    print_number("close-timeout", c->session.close_timeout_ms);
    print_number("idle-timeout", c->session.idle_timeout_ms);
    print_number("ping-interval", c->session.ping_interval_ms);
    print_number("pong-timeout", c->session.pong_timeout_ms);
    print_limits(c);
    print_tls(c->tls);
    cli_deflate_print(c->deflate);
    printf("drain-ms = %d\nmax-connections = %u\nmax-subscriptions = %u\nbacklog = %u\n", drain_ms,
           c->max_connections, c->max_subscriptions, c->backlog);
    printf("receive-buffers = %u\nreceive-buffer-size = %u\nring-entries = %u\n",
           c->receive_buffers, c->receive_buffer_size, c->ring_entries);
    printf("busy-poll-us = %u\n", c->busy_poll_us);
    printf("mailbox-items = %u\niana-close-codes = %s\npinned = %s\n", c->mailbox_items,
           c->session.allow_iana_close_codes ? "yes" : "no", c->unpinned ? "no" : "yes");
}

static bool admin_begin(const struct serve_options *o, serve_app *app, admin **out) {
    admin_config config = {.port = (uint16_t)o->admin_port,
                           .token = admin_token(o),
                           .body_max = (size_t)o->admin_max_body,
                           .server = app->server};
    *out = NULL;
    if (o->admin_port == ADMIN_OFF) {
        return true;
    }
    *out = admin_start(&config);
    if (*out != NULL) {
        printf("wring: admin on http://127.0.0.1:%u/\n", admin_port(*out));
        fflush(stdout);
    }
    return *out != NULL;
}

static void drain(serve_app *app, admin *port, int signal, int drain_ms) {
    fprintf(stderr, "wring: %s: closing every session; once more to end at once\n",
            strsignal(signal));
    if (port != NULL) {
        admin_set_ready(port, false);
    }
    wring_server_stop(app->server, (uint32_t)drain_ms);
    admin_stop(port);
    wring_server_destroy(app->server);
}

static int serve(const wring_server_config *config, serve_app *app,
                 const struct serve_options *options) {
    wring_error error;
    admin *port;
    serve_signals_prepare();
    if (wring_server_create(config, &app->server, &error) != WRING_OK) {
        cli_complain("%s", error.text);
        return CLI_USAGE;
    }
    if (wring_server_start(app->server, &error) != WRING_OK) {
        cli_complain("%s", error.text);
        wring_server_destroy(app->server);
        return CLI_FAILED;
    }
    bool v6 = strchr(config->host, ':') != NULL;
    printf("wring: listening on %s://%s%s%s:%u/ (%u workers, uring)\n",
           config->tls == NULL ? "http" : "https", v6 ? "[" : "", config->host, v6 ? "]" : "",
           wring_server_port(app->server), wring_server_workers(app->server));
    fflush(stdout);
    if (!admin_begin(options, app, &port)) {
        wring_server_stop(app->server, 0);
        wring_server_destroy(app->server);
        return CLI_FAILED;
    }
    drain(app, port, serve_signals_wait(app->server), options->drain_ms);
    return CLI_OK;
}

int cli_serve(int argc, const char **argv) {
    struct serve_options options = {.port = 8080,
                                    .drain_ms = DRAIN_MS_DEFAULT,
                                    .admin_port = ADMIN_OFF,
                                    .admin_max_body = ADMIN_BODY_DEFAULT};
    wring_deflate_config deflate;
    const wring_deflate_config *deflate_given;
    if (!options_parse(argc, argv, &options) || !options_check(&options) ||
        !cli_deflate_config(&deflate, &deflate_given)) {
        return CLI_USAGE;
    }
    static serve_app app;
    static wring_route routes[SERVE_ROUTES];
    serve_routes(&app, routes);
    wring_server_config given = config_of(&options);
    given.routes = routes;
    given.route_count = SERVE_ROUTES;
    const wring_tls_server_config tls = {.struct_size = sizeof tls,
                                         .cert_file = options.tls_cert,
                                         .key_file = options.tls_key,
                                         .client_ca_file = options.tls_client_ca,
                                         .client_optional = options.tls_client_optional != 0};
    given.deflate = deflate_given;
    given.tls = options.tls_cert == NULL ? NULL : &tls;
    wring_server_config config;
    wring_error error;
    int code = CLI_OK;
    if (wring_server_config_adopt(&given, &config, &error) != WRING_OK) {
        cli_complain("%s", error.text);
        code = CLI_USAGE;
    } else if (options.print_config != 0) {
        print_config(&config, options.drain_ms);
        print_admin(&options);
    } else {
        code = serve(&config, &app, &options);
    }
    free(options.host);
    free(options.backend);
    free(options.admin_token);
    free(options.slow_policy);
    free(options.tls_cert);
    free(options.tls_key);
    free(options.tls_client_ca);
    return code;
}
