/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `wring serve`, and --print-config. See serve.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/deflate.h"
#include "cli/http2.h"
#include "cli/serve.h"

#define DRAIN_MS_DEFAULT   10000
#define ADMIN_BODY_DEFAULT (1 << 20)

static const char examples[] =
    "\nExamples:\n"
    "  wring serve                          chat page and echo on http://127.0.0.1:8080/\n"
    "  wring serve --host 0.0.0.0 --port 80 --workers 4\n"
    "  wring serve --max-message 64k --ping-interval 25s --idle-timeout 1m\n"
    "  wring serve --print-config           every setting and its value, then ends\n"
    "  wring serve --tls-cert cert.pem --tls-key key.pem       https:// and wss://, with HTTP/2\n"
    "  wring serve --http2                  HTTP/2 without TLS too: curl "
    "--http2-prior-knowledge\n"
    "  wring serve --admin-port 9090        then: curl -d hello "
    "http://127.0.0.1:9090/publish/news\n"
    "  wring serve --routes topic,health --allow-publish 'news/*'\n"
    "                                       then: curl -d hello "
    "http://127.0.0.1:8080/topic/news/1\n"
    "  wring serve --origin https://example.com                pages of that site may connect too\n"
    "  wring serve --trusted-proxy 127.0.0.1                   behind nginx on this machine\n"
    "\nRoutes: echo (/echo), chat (/chat), topic (/topic/NAME), page (/) and health (/healthz); "
    "all "
    "by default.\nClients may publish to a topic, by message or by POST, where --allow-publish "
    "says "
    "so: a name, or with\n* at its end every name that begins so. Without it they may publish to "
    "every topic when only this\nmachine can connect (--host 127.0.0.1, the default, and no "
    "--trusted-proxy) or when they need a\ntoken, and else to none. Other machines reach a server "
    "on 127.0.0.1 through a proxy: then say\n--trusted-proxy, --allow-publish or both. The token "
    "comes from --publish-token, or better the "
    "environment's WRING_PUBLISH_TOKEN.\n"
    "\nSizes take k, m and g, with or without iB (1,024s), counts k and m (1,000s), times us, ms, "
    "s, m\nand h; a time without a unit is in milliseconds, of --coalesce and --busy-poll in "
    "microseconds.\n"
    "\nThe admin port is on 127.0.0.1 only: POST /publish/NAME (?binary=1, or Content-Type:\n"
    "application/octet-stream, for a binary message), GET /stats, /healthz, /readyz. With a "
    "token,\n"
    "from --admin-token or better the environment's WRING_ADMIN_TOKEN, the first two need\n"
    "'Authorization: Bearer TOKEN'.\n"
    "\nSignals: SIGINT and SIGTERM close the listener and every session, with 1001, and end with 0 "
    "when all\nare gone or --drain is over; a second one ends at once (130, 143). SIGHUP reads the "
    "certificate files\nagain and prints what came of it. Without TLS it only prints that there "
    "are "
    "none; while stopping it is\nignored. SIGPIPE, SIGXFSZ, SIGUSR1 and SIGUSR2 are ignored, so a "
    "log that nobody reads does not end\nthe server. SIGSTOP pauses the server and SIGCONT goes "
    "on; "
    "no peer is ended for that time.\n"
    "\nTo replace a running server: run it with --share-port from the beginning, start the new "
    "one\n"
    "at the same port with --share-port, and when the new one listens send the old one SIGTERM.\n"
    "The old one needs --share-port to hand new connections to the new one while it stops; "
    "without\n"
    "it those whose handshake is under way are lost.\n";

/* ---- the table --------------------------------------------------------------------------------
 */

/* A process runs one command: so there is one set of options. */
static serve_options given = {.port = 8080,
                              .drain_ms = DRAIN_MS_DEFAULT,
                              .admin_port = ADMIN_OFF,
                              .admin_max_body = ADMIN_BODY_DEFAULT};

/* name, letter, unit, where to, bounds, words, help */
#define COUNT(name, field, max, words, help)                                                       \
    { name, 0, CLI_COUNT, &given.field, NULL, 0, max, words, help }
#define COUNT64(name, field, max, words, help)                                                     \
    { name, 0, CLI_COUNT, NULL, &given.field, 0, max, words, help }
#define TIME(name, unit, field, max, words, help)                                                  \
    { name, 0, unit, &given.field, NULL, 0, max, words, help }
#define SIZE(name, field, min, max, help)                                                          \
    { name, 0, CLI_BYTES, &given.field, NULL, min, max, CLI_ZERO, help }
#define SIZE64(name, field, words, help)                                                           \
    { name, 0, CLI_BYTES, NULL, &given.field, 0, 0, words, help }
#define TEXT(name, field, help, what)                                                              \
    { name, 0, POPT_ARG_STRING, &given.field, 0, help, what }
#define LIST(name, field, help, what)                                                              \
    { name, 0, POPT_ARG_ARGV, &given.field, 0, help, what }
#define SWITCH(name, field, help)                                                                  \
    { name, 0, POPT_ARG_NONE, &given.field, 0, help, NULL }

#define RATE_MAX  1000000000
#define SLOTS_MAX 16777215

static const cli_number numbers[] = {
    COUNT("port", port, 65535, 0, "port; 0 has one picked (8080)"),
    COUNT("workers", config.workers, 255, 0, "threads (one per CPU)"),
    TIME("drain", CLI_MS, drain_ms, 0, 0, "longest wait for sessions to close when stopping (10s)"),
    TIME("drain-ms", CLI_MS, drain_ms, 0, CLI_HIDDEN, "--drain"),
    SIZE64("max-frame", session.frame_bytes_max, CLI_OFF, "longest frame payload (16 MiB)"),
    SIZE64("max-message", session.message_bytes_max, CLI_OFF, "longest message (64 MiB)"),
    SIZE64("max-fragment-bytes", session.fragment_bytes_max, CLI_OFF,
           "what a message's fragments may pin"),
    SIZE64("max-body", config.body_bytes_max, CLI_OFF, "longest body of a request (1 MiB)"),
    COUNT64("max-requests", config.exchanges_max, 0, CLI_OFF, "of one connection (unlimited)"),
    TIME("keep-alive-timeout", CLI_MS, config.keep_alive_timeout_ms, 0, CLI_OFF,
         "without a request until it is closed (1m)"),
    TIME("body-timeout", CLI_MS, config.body_timeout_ms, 0, CLI_OFF,
         "for a body, and 1s for each KiB of it (30s)"),
    TIME("answer-timeout", CLI_MS, config.answer_timeout_ms, 0, CLI_OFF,
         "for an answer to begin and to move (1m)"),
    SIZE64("pause-bytes", config.pause_bytes, 0,
           "queued to a peer before it is read no further (1 MiB)"),
    SIZE64("send-soft", policy.send_soft_bytes, 0,
           "queued to a peer before it counts as slow (64 KiB)"),
    SIZE64("send-hard", policy.send_hard_bytes, 0,
           "queued before the policy acts (twice pause-bytes)"),
    TIME("slow-timeout", CLI_MS, policy.slow_timeout_ms, 0, CLI_OFF,
         "above send-soft until a session ends (off)"),
    TIME("coalesce", CLI_US, config.coalesce_us, 0, CLI_OFF,
         "window in which publishes are gathered (off)"),
    TIME("coalesce-us", CLI_US, config.coalesce_us, 0, CLI_OFF | CLI_HIDDEN, "--coalesce"),
    SIZE("max-handshake-size", config.handshake_bytes_max, 64, 1u << 24,
         "of a request head (64 KiB)"),
    TIME("handshake-timeout", CLI_MS, config.handshake_timeout_ms, 0, CLI_OFF,
         "from accept to upgrade (15s)"),
    TIME("close-timeout", CLI_MS, session.close_timeout_ms, 0, CLI_OFF,
         "to wait for the peer's close (5s)"),
    TIME("idle-timeout", CLI_MS, session.idle_timeout_ms, 0, CLI_OFF,
         "without a byte until a session ends (off)"),
    TIME("ping-interval", CLI_MS, session.ping_interval_ms, 0, CLI_OFF,
         "without a byte until a ping (off)"),
    TIME("pong-timeout", CLI_MS, session.pong_timeout_ms, 0, CLI_OFF, "to wait after a ping (20s)"),
    TIME("max-age", CLI_MS, policy.age_max_ms, 0, CLI_OFF,
         "after which a session is closed, less a tenth (off)"),
    TIME("drain-spread", CLI_MS, config.drain_spread_ms, 0, CLI_OFF,
         "over which closes are spread (1ms each)"),
    COUNT64("max-connections", config.connections_max, SLOTS_MAX, 0, "per worker (1048576)"),
    COUNT64("max-connections-total", config.connections_total_max, 0, CLI_OFF,
            "of all workers (unlimited)"),
    COUNT64("max-per-source", config.connections_per_source_max, 0, CLI_OFF,
            "connections of one address (unlimited)"),
    COUNT64("max-handshakes", config.handshakes_max, SLOTS_MAX, CLI_OFF,
            "unfinished ones, per worker (16384)"),
    COUNT64("max-handshakes-per-source", config.handshakes_per_source_max, 0, CLI_OFF,
            "... of one address"),
    COUNT64("tls-handshake-rate", config.tls_handshakes_per_second, RATE_MAX, CLI_OFF,
            "begun a second, per worker (unlimited)"),
    COUNT64("message-rate", policy.messages_per_second, RATE_MAX, CLI_OFF,
            "messages a second of a connection (unlimited)"),
    COUNT64("message-burst", policy.messages_burst, 0, 0, "... so many at once (twice the rate)"),
    COUNT64("control-rate", policy.controls_per_second, RATE_MAX, CLI_OFF,
            "pings and pongs a second of a connection (100)"),
    COUNT64("control-burst", policy.controls_burst, 0, 0, "... so many at once (500)"),
    {"memory-budget", 0, CLI_BYTES, NULL, &given.config.memory_budget_bytes, 1u << 20, 0,
     CLI_OFF | CLI_ZERO, "of queues, messages (half of the machine's or cgroup's)"},
    COUNT("receive-buffers", config.receive_buffers, 32768, 0, "per worker, a power of two (1024)"),
    SIZE("receive-buffer-size", config.receive_buffer_bytes, 64, 1u << 24, "of one (16448)"),
    TIME("busy-poll", CLI_US, config.busy_poll_us, 1000000, CLI_OFF,
         "look for work so long before sleeping (off)"),
    TIME("busy-poll-us", CLI_US, config.busy_poll_us, 1000000, CLI_OFF | CLI_HIDDEN, "--busy-poll"),
    COUNT("admin-port", admin_port, 65535, CLI_OFF,
          "port on 127.0.0.1 to publish and ask at; 0: picked (off)"),
    SIZE("admin-max-body", admin_max_body, 0, INT32_MAX, "of a message published there (1 MiB)"),
};

#define NUMBERS (sizeof numbers / sizeof numbers[0])

static bool line_parse(int argc, const char **argv) {
    struct poptOption number_table[NUMBERS + 1] = {0};
    const struct poptOption table[] = {
        TEXT("host", host, "numeric address to listen on (127.0.0.1)", "ADDRESS"),
        TEXT("backend", backend, CLI_BACKEND_HELP, "NAME"),
        TEXT("routes", routes, "what is served (echo,chat,topic,page,health)", "NAMES"),
        LIST("allow-publish", allow_publish,
             "topics clients may publish to: a name, PREFIX* or off; repeat it", "TOPIC"),
        TEXT("publish-token", publish_token, "what a client that publishes has to know", "TOKEN"),
        LIST("origin", origins, "pages that may connect besides our own; \"*\": all; repeat it",
             "ORIGIN"),
        LIST("trusted-proxy", trusted_proxies,
             "its X-Forwarded-Host counts: address, network or unix; repeat it", "ADDRESS"),
        TEXT("slow-policy", slow_policy,
             "disconnect, drop-newest, drop-oldest or keep-latest (disconnect)", "NAME"),
        SWITCH("iana-close-codes", iana_close_codes, "also accept and send 1012, 1013, 1014"),
        TEXT("tls-cert", tls_cert, "PEM: certificate and chain; wss://", "FILE"),
        TEXT("tls-key", tls_key, "PEM: its private key", "FILE"),
        TEXT("tls-client-ca", tls_client_ca,
             "PEM: clients need a certificate signed by one of these", "FILE"),
        SWITCH("tls-client-optional", tls_client_optional, "... or none at all"),
        TEXT("admin-token", admin_token, "what the admin port's users have to know", "TOKEN"),
        SWITCH("share-port", share_port, "others may listen there too, such as a successor"),
        SWITCH("unpinned", unpinned, "do not pin workers to CPUs"),
        SWITCH("print-config", print_config, "print every setting and end"),
        {"help", 'h', POPT_ARG_NONE, NULL, 'h', "this text", NULL},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, number_table, 0, "Ports, limits, sizes and times:", NULL},
        CLI_HTTP2_OPTIONS,
        CLI_DEFLATE_OPTIONS,
        POPT_TABLEEND,
    };
    cli_parser parser;
    cli_numbers_fill(number_table, numbers, NUMBERS, 0);
    cli_parser_init(&parser, argc, argv, table, "wring serve", "[options]", examples);
    cli_parser_numbers(&parser, numbers, 0);
    cli_parser_numbers(&parser, cli_deflate_numbers, CLI_DEFLATE_RANGE);
    cli_parser_numbers(&parser, cli_http2_numbers, CLI_HTTP2_RANGE);
    while (cli_parser_next(&parser) > 0) {
    }
    return cli_parser_end(&parser);
}

/* ---- what goes together -----------------------------------------------------------------------
 */

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

static bool marks_check(const wring_policy *c) {
    const uint64_t soft = c->send_soft_bytes == 0 ? 64 * 1024 : c->send_soft_bytes;
    if (c->send_hard_bytes != 0 && c->send_hard_bytes <= soft) {
        cli_complain("--send-hard '%" PRIu64 "' is not above --send-soft, which is %" PRIu64,
                     c->send_hard_bytes, soft);
        return false;
    }
    return true;
}

static bool options_check(const serve_options *o) {
    const uint32_t buffers = o->config.receive_buffers;
    if (!marks_check(&o->policy)) {
        return false;
    }
    if ((buffers & (buffers - 1)) != 0) {
        cli_complain("--receive-buffers '%u' is not a power of two up to 32768", buffers);
        return false;
    }
    if (o->slow_policy != NULL && policy_of(o->slow_policy) == WRING_SLOW_DEFAULT) {
        cli_complain("--slow-policy %s: there are disconnect, drop-newest, drop-oldest and "
                     "keep-latest",
                     o->slow_policy);
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

bool serve_options_parse(int argc, const char **argv, serve_options *o) {
    const bool ok = line_parse(argc, argv);
    *o = given;
    return ok && cli_backend_parse(o->backend, &o->config.backend) && options_check(o);
}

void serve_options_free(serve_options *o) {
    char *const texts[] = {o->host,    o->backend,       o->slow_policy, o->tls_cert,
                           o->tls_key, o->tls_client_ca, o->admin_token};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        free(texts[i]);
    }
    serve_http_free(o);
}

wring_server_config serve_config_of(serve_options *o) {
    wring_server_config config = o->config;
    config.struct_size = sizeof config;
    config.policy = &o->policy;
    o->policy.struct_size = sizeof o->policy;
    o->policy.session = &o->session;
    o->session.struct_size = sizeof o->session;
    config.port = (uint16_t)o->port;
    config.host = o->host;
    serve_http_config(o, &config);
    config.unpinned = o->unpinned != 0;
    config.share_port = o->share_port != 0;
    o->session.allow_iana_close_codes = o->iana_close_codes != 0;
    if (o->slow_policy != NULL) {
        o->policy.slow_policy = policy_of(o->slow_policy);
    }
    return config;
}

const char *serve_admin_token(const serve_options *o) {
    const char *token = o->admin_token != NULL ? o->admin_token : getenv("WRING_ADMIN_TOKEN");
    return token == NULL || token[0] == '\0' ? NULL : token;
}

/* ---- --print-config ---------------------------------------------------------------------------
 */

static void print_admin(const serve_options *o) {
    if (o->admin_port == ADMIN_OFF) {
        puts("admin-port = off");
    } else {
        printf("admin-port = %u\n", o->admin_port);
    }
    printf("admin-token = %s\nadmin-max-body = %u\n", serve_admin_token(o) == NULL ? "none" : "set",
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

static void print_http2(const wring_server_config *c) {
    wring_http2_config http2 = {.struct_size = sizeof http2};
    const bool is_on =
        c->http2 != NULL && wring_http2_config_adopt(c->http2, &http2, NULL) == WRING_OK;
    cli_http2_print(c->tls != NULL, is_on ? &http2 : NULL);
}

static void print_limits(const wring_server_config *c, const wring_policy *p) {
    cli_print_u64("memory-budget", c->memory_budget_bytes);
    if (c->drain_spread_ms == 0) {
        puts("drain-spread = auto");
    } else {
        cli_print_u32("drain-spread", c->drain_spread_ms);
    }
    cli_print_u32("max-age", p->age_max_ms);
    cli_print_u64("max-connections-total", c->connections_total_max);
    cli_print_u64("max-per-source", c->connections_per_source_max);
    cli_print_u64("max-handshakes", c->handshakes_max);
    cli_print_u64("max-handshakes-per-source", c->handshakes_per_source_max);
    cli_print_u64("tls-handshake-rate", c->tls_handshakes_per_second);
    cli_print_u64("message-rate", p->messages_per_second);
    cli_print_u64("message-burst", p->messages_burst);
    cli_print_u64("control-rate", p->controls_per_second);
    cli_print_u64("control-burst", p->controls_burst);
}

static bool print_server(const wring_server_config *c, const wring_policy *p, uint32_t drain_ms) {
    const wring_session_config *session = p->session;
    printf("host = %s\nport = %u\nworkers = %u\n", c->host, c->port, c->workers);
    const bool has_backend = cli_backend_print(c->backend);
    printf("share-port = %s\n", c->share_port ? "yes" : "no");
    cli_print_u64("max-frame", session->frame_bytes_max);
    cli_print_u64("max-message", session->message_bytes_max);
    cli_print_u64("max-fragment-bytes", session->fragment_bytes_max);
    printf("pause-bytes = %" PRIu64 "\nmax-handshake-size = %u\nmax-target-size = %u\n",
           c->pause_bytes, c->handshake_bytes_max, c->target_bytes_max);
    printf("send-soft = %" PRIu64 "\nsend-hard = %" PRIu64 "\nslow-policy = %s\n",
           p->send_soft_bytes, p->send_hard_bytes, policy_names[p->slow_policy]);
    cli_print_u32("slow-timeout", p->slow_timeout_ms);
    cli_print_u32("coalesce-us", c->coalesce_us);
    cli_print_u32("handshake-timeout", c->handshake_timeout_ms);
    cli_print_u32("close-timeout", session->close_timeout_ms);
    cli_print_u32("idle-timeout", session->idle_timeout_ms);
    cli_print_u32("ping-interval", session->ping_interval_ms);
    cli_print_u32("pong-timeout", session->pong_timeout_ms);
    print_limits(c, p);
    print_tls(c->tls);
    print_http2(c);
    cli_deflate_print(p->deflate);
    printf("drain-ms = %u\nmax-connections = %" PRIu64 "\nmax-subscriptions = %" PRIu64
           "\nbacklog = %u\n",
           drain_ms, c->connections_max, p->subscriptions_max, c->backlog);
    printf("receive-buffers = %u\nreceive-buffer-size = %u\nring-entries = %u\n",
           c->receive_buffers, c->receive_buffer_bytes, c->ring_entries);
    cli_print_u32("busy-poll-us", c->busy_poll_us);
    printf("mailbox-items = %u\niana-close-codes = %s\npinned = %s\n", c->mailbox_items,
           session->allow_iana_close_codes ? "yes" : "no", c->unpinned ? "no" : "yes");
    return has_backend;
}

bool serve_config_print(const wring_server_config *config, const wring_policy *policy,
                        const serve_options *o, const serve_app *app) {
    const bool can_run = print_server(config, policy, o->drain_ms);
    serve_http_print(config, app);
    print_admin(o);
    return can_run;
}
