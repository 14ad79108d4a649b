/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring connect`: lines of standard input to messages, messages to standard output. Here: options
 * and exit codes; see connect.h.
 */
#include "cli/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/deflate.h"

static const char examples[] =
    "\nExamples:\n"
    "  wring connect ws://127.0.0.1:8080/chat            talk; Ctrl-D ends\n"
    "  echo hello | wring connect --one ws://127.0.0.1:8080/echo\n"
    "  wring connect wss://example.com/feed | head -1    the first message, then a close\n"
    "  wring connect -v -H 'Authorization: Bearer T' --subprotocol chat wss://example.com/feed\n"
    "  wring connect --binary wss://example.com/upload < file\n"
    "  wring connect --json wss://example.com/feed | jq 'select(.event == \"message\").data'\n"
    "  echo '{\"type\":\"binary\",\"data\":\"AP8=\"}' | wring connect --json-input "
    "wss://example.com/in\n"
    "  wring connect --http2 -v wss://example.com/feed   a WebSocket on a stream of HTTP/2\n"
    "  wring connect --proxy socks5://127.0.0.1:1080 --reconnect 500ms wss://example.com/feed\n"
    "  wring connect --reconnect 500ms --linger off wss://example.com/feed < /dev/null >> log\n"
    "\nEach line of input is one text message, without its end (LF or CRLF); with --binary each "
    "block read\nis one binary message. A line that is not UTF-8 ends the input with an error, at "
    "a terminal it is only\nrefused. Messages received are printed a line each, with --binary as "
    "they are. At a terminal received\nmessages are marked '<' and control characters are written "
    "out; the lines sent are kept in\n$XDG_STATE_HOME/wring/history; NO_COLOR turns colours "
    "off.\n"
    "When the input has ended and no message came for --linger, the session is closed with 1000; "
    "with 'off' it\ngoes on. At a terminal Ctrl-D closes it after --linger, whatever comes. "
    "Proxies are taken from\nhttps_proxy, http_proxy, all_proxy and no_proxy unless --proxy is "
    "given. Times take us, ms, s, m and h,\nwithout a unit they are milliseconds; sizes take k, m "
    "and g.\n"
    "\nExit codes: 0 closed in order (1000, 1001, no code, ours); 1 failed, or input or output "
    "failed; "
    "2 used\nwrongly; 3 the session ended abnormally or with another code; 4 no answer in time; "
    "5 TLS: the\ncertificate or handshake failed; 6 the server or proxy refused, or broke off, the "
    "upgrade; 130 SIGINT,\nSIGTERM or SIGHUP before a session was open, or a second one that did "
    "not "
    "wait for the close; 141\n(SIGPIPE) the reader of the output has gone.\n";

/* ---- options --------------------------------------------------------------------------------- */

static bool options_parse(int argc, const char **argv, connect_options *o) {
    const cli_number numbers[] = {
        {"timeout", 't', CLI_MS, &o->timeout_ms, NULL, 0, 0, 0,
         "from the name to the upgrade (15s)"},
        {"linger", 0, CLI_MS, &o->linger_ms, NULL, 0, INT32_MAX, CLI_OFF,
         "wait for answers when input ends (500ms); off: for ever"},
        {"ping", 'p', CLI_MS, &o->ping_ms, NULL, 0, 0, CLI_OFF,
         "a ping when nothing came for so long (off)"},
        {"pong-timeout", 0, CLI_MS, &o->pong_timeout_ms, NULL, 0, 0, CLI_OFF,
         "nothing came for so long after it: lost (20s)"},
        {"reconnect", 'r', CLI_MS, &o->reconnect_ms, NULL, 0, 0, 0,
         "come back, first within so long (off)"},
        {"max-message", 0, CLI_BYTES, NULL, &o->message_bytes_max, 0, 0, CLI_OFF,
         "longest received, or line sent (64 MiB)"},
    };
    struct poptOption number_table[sizeof numbers / sizeof numbers[0] + 1] = {0};
    char *text = NULL;
    const struct poptOption table[] = {
        {"header", 'H', POPT_ARG_STRING, &text, 'H', "one more for the request; may be repeated",
         "'NAME: VALUE'"},
        {"subprotocol", 's', POPT_ARG_STRING, &text, 's', "offered; may be repeated", "NAME"},
        {"origin", 'o', POPT_ARG_STRING, &o->origin, 0, "the Origin header", "ORIGIN"},
        {"binary", 'b', POPT_ARG_NONE, &o->binary, 0, "binary messages, output as it is", NULL},
        {"json", 'j', POPT_ARG_NONE, &o->json, 0, "print each event as a JSON object", NULL},
        {"json-input", 'J', POPT_ARG_NONE, &o->json_input, 0, "read a JSON object a line", NULL},
        {"one", '1', POPT_ARG_NONE, &o->one, 0, "end after the first message received", NULL},
        {"http2", 0, POPT_ARG_NONE, &o->http2, 0,
         "as a stream of HTTP/2 (RFC 8441), with ws:// too; fails where the server has none", NULL},
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
        {"backend", 0, POPT_ARG_STRING, &o->backend, 0, CLI_BACKEND_HELP, "NAME"},
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

/* The text may quote the server. */
static void complain_of_server(const char *text) {
    fputs("wring: ", stderr);
    connect_tame(stderr, wring_str(text), wring_text_is_valid(wring_str(text)), "  ");
    fputc('\n', stderr);
}

/* A stopped terminal must not keep the command from ending. */
static void silence_blocked_stderr(void) {
    struct pollfd polled = {STDERR_FILENO, POLLOUT, 0};
    const int nowhere = poll(&polled, 1, 0) == 1 ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) {
        (void)dup2(nowhere, STDERR_FILENO);
        close(nowhere);
    }
}

/* What went wrong at our own ends comes first: the session's end follows from that. */
static int exit_code(connect_talk *talk) {
    const int output_error = atomic_load(&talk->output.error);
    if (talk->output_stuck) {
        silence_blocked_stderr();
        cli_complain("ended while standard output or error was blocked: some output was dropped");
        return CLI_FAILED;
    }
    if (output_error == EPIPE) {
        return CONNECT_READER_GONE;
    }
    if (output_error != 0) {
        cli_complain("cannot write to standard output: %s", strerror(output_error));
        return CLI_FAILED;
    }
    if (talk->why[0] != 0 && !talk->why_told) {
        complain_of_server(talk->why);
    }
    return talk->code;
}

/* The output thread may still be blocked when the command ends, so what it uses is never freed. */
static connect_talk talk;

static void output_changed(void *owner) {
    connect_wake(owner);
}

/* Asked for by name: nothing else will do. */
static const wring_http2_config http2_only = {
    .struct_size = sizeof http2_only, .cleartext = true, .required = true};

static int run(const connect_options *o, const wring_client_config *config, int signals) {
    wring_pool *pool = NULL;
    wring_client *client = NULL;
    wring_error error;
    int code = CLI_FAILED;
    const wring_pool_config on = {.struct_size = sizeof on, .backend = o->backend_wanted};
    if (o->verbose != 0) {
        cli_backend_tell(on.backend);
    }
    wring_result result = wring_pool_create(&on, &pool, &error);
    if (result == WRING_OK) {
        code = CLI_USAGE;
        result = wring_client_create(wring_pool_loop(pool), o->url, config, &client, &error);
    }
    if (result == WRING_OK) {
        connect_converse(&talk, client, signals);
        code = exit_code(&talk);
        if (o->verbose && wring_client_rtt_ns(client) > 0) {
            fprintf(stderr, "* round trip %.3f ms\n", (double)wring_client_rtt_ns(client) / 1e6);
        }
    } else {
        connect_output_abandon(&talk.output);
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
    char *const texts[] = {o->origin, o->ca,     o->cert,    o->key,
                           o->proxy,  o->source, o->backend, o->url};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        free(texts[i]);
    }
}

/* Signals that end the command, and those the editor needs. One that our parent has set to be
 * ignored (nohup, a shell's background job) stays ignored. */
static int signals_open(bool edits) {
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP};
    sigset_t signals;
    sigemptyset(&signals);
    for (size_t i = 0; i < (edits ? 5 : 3); i++) {
        struct sigaction action;
        if (sigaction(wanted[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            sigaddset(&signals, wanted[i]);
        }
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a write says so, and the session is closed in order */
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

static bool talk_init(const connect_options *o, int *signals) {
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    const bool types = isatty(STDIN_FILENO) != 0;
    talk.options = o;
    talk.shows_person = types && isatty(STDERR_FILENO);
    talk.shows_terminal = isatty(STDOUT_FILENO) != 0;
    talk.shows_arrows = types && talk.shows_terminal && !o->json;
    talk.colours = (no_color == NULL || *no_color == 0) && terminal != NULL &&
                   strcmp(terminal, "dumb") != 0 && isatty(STDERR_FILENO);
    talk.output.owner = &talk;
    talk.output.read_on = connect_read_on;
    talk.output.changed = output_changed;
    talk.output.colours = talk.colours;
    int lines = -1;
    *signals = signals_open(talk.shows_person && connect_editor_can_run());
    if (*signals < 0 || pipe2(talk.wake, O_CLOEXEC | O_NONBLOCK) != 0 ||
        !connect_output_start(&talk.output, talk.shows_person, &lines)) {
        cli_complain("%s", strerror(errno));
        return false;
    }
    talk.input = lines >= 0 ? lines : STDIN_FILENO;
    return true;
}

static int connect_with(const connect_options *o) {
    int signals;
    wring_deflate_config deflate;
    const wring_deflate_config *deflate_given;
    if (!cli_deflate_config(&deflate, &deflate_given)) {
        return CLI_USAGE;
    }
    if (!talk_init(o, &signals)) {
        return CLI_FAILED;
    }
    const wring_tls_client_config tls = {.struct_size = sizeof tls,
                                         .no_verify = o->insecure != 0,
                                         .ca_file = o->ca,
                                         .cert_file = o->cert,
                                         .key_file = o->key};
    const wring_session_config session = {.struct_size = sizeof session,
                                          .message_bytes_max = o->message_bytes_max,
                                          .frame_bytes_max = o->message_bytes_max,
                                          .ping_interval_ms = o->ping_ms,
                                          .pong_timeout_ms = o->pong_timeout_ms,
                                          .allow_iana_close_codes = true};
    const wring_client_config config = {
        .struct_size = sizeof config,
        .handler = &connect_handler,
        .handler_opts = &talk,
        .subprotocols = o->subprotocol_count == 0 ? NULL : (const char *const *)o->subprotocols,
        .subprotocol_count = o->subprotocol_count,
        .origin = o->origin,
        .headers = {o->headers, o->header_count},
        .connect_timeout_ms = o->timeout_ms,
        .session = &session,
        .tls = &tls,
        .proxy = o->proxy,
        .proxy_from_env = o->no_proxy == 0,
        .source = o->source,
        .reconnect_min_ms = o->reconnect_ms,
        .on_status = connect_on_status,
        .on_status_opts = &talk,
        .deflate = deflate_given,
        .http2 = o->http2 != 0 ? &http2_only : NULL,
        .on_handshake = o->verbose ? connect_on_handshake : NULL,
        .on_handshake_opts = &talk,
    };
    const int code = run(o, &config, signals);
    close(signals);
    return code;
}

static int end_with(int code) {
    if (talk.output_stuck) {
        _exit(code); /* exit() would flush the editor's stream, where its thread is blocked */
    }
    if (code == CONNECT_READER_GONE) { /* as every filter ends, and quietly */
        (void)signal(SIGPIPE, SIG_DFL);
        (void)raise(SIGPIPE);
    }
    return code;
}

int cli_connect(int argc, const char **argv) {
    static connect_options options = {.linger_ms = CONNECT_LINGER_UNSET};
    const bool good = options_parse(argc, argv, &options) &&
                      cli_backend_parse(options.backend, &options.backend_wanted) &&
                      options_check(&options) && headers_split(&options);
    const int code = good ? connect_with(&options) : CLI_USAGE;
    const int end = end_with(code);
    options_free(&options);
    return end;
}
