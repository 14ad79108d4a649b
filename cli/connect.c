/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring connect`: lines of standard input to messages, messages to standard output. Here: options
 * and exit codes; see connect.h.
 */
#include "cli/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/deflate.h"

/* Beside those of cli.h: what a script can tell apart. */
enum { EXIT_CLOSED_ABNORMALLY = 3, EXIT_TIMEOUT = 4, EXIT_TLS = 5, EXIT_REFUSED = 6 };

static const char examples[] =
    "\nExamples:\n"
    "  wring connect ws://127.0.0.1:8080/chat            talk; Ctrl-D ends\n"
    "  echo hello | wring connect --one ws://127.0.0.1:8080/echo\n"
    "  wring connect -v -H 'Authorization: Bearer T' --subprotocol chat wss://example.com/feed\n"
    "  wring connect --binary wss://example.com/upload < file\n"
    "  wring connect --proxy socks5://127.0.0.1:1080 --reconnect 500ms wss://example.com/feed\n"
    "\nEach line of input is one text message, without its newline; with --binary each block read "
    "is one\nbinary message. Messages received are printed a line each, with --binary as they are; "
    "at a terminal\ncontrol characters are written out. When the input has ended and no message "
    "came "
    "for --linger, the\nsession is closed with 1000. Proxies are taken from https_proxy, "
    "http_proxy, all_proxy and no_proxy\nunless --proxy is given. Times take us, ms, s, m and h, "
    "without a unit they are milliseconds; "
    "sizes take\nk, m and g.\n"
    "\nExit codes: 0 closed in order (1000, 1001 or no code); 1 failed; 2 used wrongly; 3 the "
    "session ended\nabnormally or with another code; 4 no answer in time; 5 TLS: the certificate "
    "or "
    "handshake failed;\n6 the server or proxy refused, or broke off, the upgrade.\n";

/* ---- options --------------------------------------------------------------------------------- */

static bool options_parse(int argc, const char **argv, connect_options *o) {
    const cli_number numbers[] = {
        {"timeout", 't', CLI_MS, &o->timeout_ms, NULL, 0, 0, 0,
         "from the name to the upgrade (15s)"},
        {"linger", 0, CLI_MS, &o->linger_ms, NULL, 0, INT32_MAX, 0,
         "wait for answers when input ends (500ms)"},
        {"ping", 'p', CLI_MS, &o->ping_ms, NULL, 0, 0, CLI_OFF,
         "a ping when nothing came for so long (off)"},
        {"reconnect", 'r', CLI_MS, &o->reconnect_ms, NULL, 0, 0, 0,
         "come back, first within so long (off)"},
        {"max-message", 0, CLI_BYTES, NULL, &o->max_message, 0, 0, CLI_OFF,
         "longest received (64 MiB)"},
    };
    struct poptOption number_table[sizeof numbers / sizeof numbers[0] + 1] = {0};
    char *text = NULL;
    const struct poptOption table[] = {
        {"header", 'H', POPT_ARG_STRING, &text, 'H', "one more for the request; may be repeated",
         "'NAME: VALUE'"},
        {"subprotocol", 's', POPT_ARG_STRING, &text, 's', "offered; may be repeated", "NAME"},
        {"origin", 'o', POPT_ARG_STRING, &o->origin, 0, "the Origin header", "ORIGIN"},
        {"binary", 'b', POPT_ARG_NONE, &o->binary, 0, "binary messages, output as it is", NULL},
        {"one", '1', POPT_ARG_NONE, &o->one, 0, "end after the first message received", NULL},
        {"insecure", 'k', POPT_ARG_NONE, &o->insecure, 0, "accept any certificate", NULL},
        {"ca", 0, POPT_ARG_STRING, &o->ca, 0, "PEM: authorities to trust (the system's)", "FILE"},
        {"cert", 0, POPT_ARG_STRING, &o->cert, 0, "PEM: our own certificate", "FILE"},
        {"key", 0, POPT_ARG_STRING, &o->key, 0, "PEM: its private key", "FILE"},
        {"proxy", 'x', POPT_ARG_STRING, &o->proxy, 0, "http:// or socks5://, with user:password@",
         "URL"},
        {"no-proxy", 0, POPT_ARG_NONE, &o->no_proxy, 0, "not even one from the environment", NULL},
        {"source", 0, POPT_ARG_STRING, &o->source, 0, "address to connect from", "ADDRESS"},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, number_table, 0, "Sizes and times:", NULL},
        CLI_DEFLATE_OPTIONS,
        {"verbose", 'v', POPT_ARG_NONE, &o->verbose, 0, "show handshake, pings and close", NULL},
        {"help", 'h', POPT_ARG_NONE, NULL, 'h', "this text", NULL},
        POPT_TABLEEND,
    };
    cli_parser parser;
    cli_numbers_fill(number_table, numbers, sizeof numbers / sizeof numbers[0], 0);
    cli_parser_init(&parser, argc, argv, table, "wring connect", "[options] URL", examples);
    cli_parser_numbers(&parser, numbers, 0);
    cli_parser_numbers(&parser, cli_deflate_numbers, CLI_DEFLATE_RANGE);
    int code;
    bool ok = true;
    while (ok && (code = cli_parser_next(&parser)) > 0) {
        ok = code == 'H' ? cli_list_add(o->header_texts, &o->header_count, CONNECT_HEADERS_MAX,
                                        text, "headers")
                         : cli_list_add(o->subprotocols, &o->subprotocol_count,
                                        CONNECT_SUBPROTOCOLS_MAX, text, "subprotocols");
        text = NULL;
    }
    o->url = cli_parser_argument(&parser);
    return cli_parser_end(&parser) && ok;
}

static bool headers_split(connect_options *o) {
    for (size_t i = 0; i < o->header_count; i++) {
        const char *text = o->header_texts[i];
        const char *colon = strchr(text, ':');
        if (colon == NULL || colon == text) {
            cli_complain("-H '%s' is not like 'Name: value'", text);
            return false;
        }
        const char *value = colon + 1 + strspn(colon + 1, " \t");
        o->headers[i].name = wring_bytes_of(text, (size_t)(colon - text));
        o->headers[i].value = wring_str(value);
    }
    return true;
}

static bool options_check(const connect_options *o) {
    if (o->url == NULL) {
        cli_complain("no URL; try 'wring connect --help'");
        return false;
    }
    if ((o->cert == NULL) != (o->key == NULL)) {
        cli_complain("--cert and --key go together");
        return false;
    }
    return true;
}

/* ---- running ----------------------------------------------------------------------------------
 */

static bool ended_in_order(const connect_talk *talk) {
    switch (talk->close_code) {
    case WRING_CLOSE_NORMAL:
    case WRING_CLOSE_GOING_AWAY:
    case WRING_CLOSE_NO_STATUS:
        return talk->result == WRING_OK;
    default: /* the server's reason to end it; one that answers ours repeats our code */
        return talk->result == WRING_OK && !talk->closed_by_peer;
    }
}

static int exit_code(const connect_talk *talk) {
    const wring_result result = talk->result;
    const int output_error = atomic_load(&talk->output_error);
    if (output_error != 0) {
        cli_complain("cannot write to standard output: %s", strerror(output_error));
        return CLI_FAILED;
    }
    if (ended_in_order(talk)) {
        return CLI_OK;
    }
    if (result == WRING_OK) {
        cli_complain("the server closed with %u (%s) %s", talk->close_code,
                     wring_close_reason_name(talk->close_code), talk->close_reason);
        return EXIT_CLOSED_ABNORMALLY;
    }
    cli_complain("%s", talk->text);
    if (talk->was_open) {
        return EXIT_CLOSED_ABNORMALLY;
    }
    if (result == WRING_ERR_TIMEOUT) {
        return EXIT_TIMEOUT;
    }
    if (result <= WRING_ERR_TLS_CERTIFICATE_EXPIRED && result >= WRING_ERR_TLS_TRUNCATED) {
        return EXIT_TLS;
    }
    return wring_result_class(result) == WRING_CLASS_PEER ? EXIT_REFUSED : CLI_FAILED;
}

static int run(const connect_options *o, const wring_client_config *config, connect_talk *talk,
               int signals) {
    wring_pool *pool = NULL;
    wring_client *client = NULL;
    wring_error error;
    if (wring_pool_create(NULL, &pool, &error) != WRING_OK) {
        cli_complain("%s", error.text);
        return CLI_FAILED;
    }
    const wring_result result =
        wring_connect(wring_pool_loop(pool), o->url, config, &client, &error);
    int code = CLI_USAGE;
    if (result == WRING_OK) {
        connect_converse(talk, client, signals);
        code = exit_code(talk);
        if (o->verbose && wring_client_rtt_ns(client) > 0) {
            fprintf(stderr, "* round trip %.3f ms\n", (double)wring_client_rtt_ns(client) / 1e6);
        }
    } else {
        cli_complain("%s", error.text);
    }
    wring_client_destroy(client);
    wring_pool_destroy(pool, 1000);
    return code;
}

static void options_free(connect_options *o) {
    for (size_t i = 0; i < o->header_count; i++) {
        free(o->header_texts[i]);
    }
    for (size_t i = 0; i < o->subprotocol_count; i++) {
        free(o->subprotocols[i]);
    }
    char *const texts[] = {o->origin, o->ca, o->cert, o->key, o->proxy, o->source, o->url};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        free(texts[i]);
    }
}

static int connect_with(const connect_options *o) {
    connect_talk talk = {.options = o,
                         .shows_person = isatty(STDIN_FILENO) && isatty(STDERR_FILENO),
                         .shows_terminal = isatty(STDOUT_FILENO)};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    wring_deflate_config deflate;
    const wring_deflate_config *deflate_given;
    if (!cli_deflate_config(&deflate, &deflate_given)) {
        return CLI_USAGE;
    }
    if (signal_fd < 0 || pipe2(talk.wake, O_CLOEXEC | O_NONBLOCK) != 0) {
        cli_complain("%s", strerror(errno));
        return CLI_FAILED;
    }
    const wring_tls_client_config tls = {.struct_size = sizeof tls,
                                         .no_verify = o->insecure != 0,
                                         .ca_file = o->ca,
                                         .cert_file = o->cert,
                                         .key_file = o->key};
    const wring_client_config config = {
        .struct_size = sizeof config,
        .handler = &connect_handler,
        .handler_opts = &talk,
        .subprotocols = (const char *const *)o->subprotocols,
        .subprotocol_count = o->subprotocol_count,
        .origin = o->origin,
        .headers = {o->headers, o->header_count},
        .timeout_ms = o->timeout_ms,
        .session = {.struct_size = sizeof config.session,
                    .max_message = o->max_message,
                    .max_frame = o->max_message,
                    .ping_interval_ms = o->ping_ms},
        .tls = &tls,
        .proxy = o->proxy,
        .proxy_from_env = o->no_proxy == 0,
        .source = o->source,
        .reconnect_min_ms = o->reconnect_ms,
        .on_status = connect_on_status,
        .on_status_opts = &talk,
        .deflate = deflate_given,
    };
    const int code = run(o, &config, &talk, signal_fd);
    close(talk.wake[0]);
    close(talk.wake[1]);
    close(signal_fd);
    return code;
}

int cli_connect(int argc, const char **argv) {
    connect_options options = {.linger_ms = 500};
    const bool good =
        options_parse(argc, argv, &options) && options_check(&options) && headers_split(&options);
    const int code = good ? connect_with(&options) : CLI_USAGE;
    options_free(&options);
    return code;
}
