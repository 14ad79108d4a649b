/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring connect`: lines of standard input to messages, messages to standard output.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/deflate.h"
#include "wring/wring.h"

#define HEADERS_MAX      64
#define SUBPROTOCOLS_MAX 16
#define BLOCK            65536

/* Beside those of cli.h: what a script can tell apart. */
enum { EXIT_CLOSED_ABNORMALLY = 3, EXIT_TIMEOUT = 4, EXIT_TLS = 5, EXIT_REFUSED = 6 };

static const char examples[] =
    "\nExamples:\n"
    "  wring connect ws://127.0.0.1:8080/chat            talk; Ctrl-D ends\n"
    "  echo hello | wring connect --one ws://127.0.0.1:8080/echo\n"
    "  wring connect -v -H 'Authorization: Bearer T' --subprotocol chat wss://example.com/feed\n"
    "  wring connect --binary wss://example.com/upload < file\n"
    "  wring connect --proxy socks5://127.0.0.1:1080 --reconnect 500 wss://example.com/feed\n"
    "\nEach line of input is one text message, without its newline; with --binary each block read "
    "is\n"
    "one binary message. Messages received are printed a line each, with --binary as they are. "
    "When\n"
    "the input ends the session is closed with 1000, after --linger ms for answers that are on "
    "their\n"
    "way. Proxies are taken from https_proxy, http_proxy, all_proxy and no_proxy unless --proxy "
    "is\n"
    "given.\n"
    "\nExit codes: 0 closed in order; 1 failed; 2 used wrongly; 3 the session ended abnormally;\n"
    "4 no answer in time; 5 TLS: the certificate or handshake failed; 6 the server or proxy "
    "refused\n"
    "the upgrade.\n";

struct connect_options {
    char *headers[HEADERS_MAX];
    size_t header_count;
    char *subprotocols[SUBPROTOCOLS_MAX];
    size_t subprotocol_count;
    char *origin;
    char *ca;
    char *cert;
    char *key;
    char *proxy;
    char *source;
    int binary;
    int one;
    int insecure;
    int verbose;
    int no_proxy;
    int timeout;
    int linger;
    int ping;
    int reconnect;
    long long max_message;
    char *url;
};

/* What the main thread and the worker share. */
struct talk {
    const struct connect_options *options;
    int wake[2]; /* a byte: something changed */
    atomic_bool open;
    atomic_bool closed;
    atomic_bool answered; /* --one: a message came */
    wring_result result;  /* once closed */
    uint16_t close_code;
    bool was_open;
    char text[320];
};

/* ---- options --------------------------------------------------------------------------------- */

static bool list_add(char **list, size_t *count, size_t max, char *value, const char *what) {
    if (*count == max) {
        cli_complain("more than %zu %s", max, what);
        free(value);
        return false;
    }
    list[(*count)++] = value;
    return true;
}

static bool options_parse(int argc, const char **argv, struct connect_options *o) {
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
        {"timeout", 't', POPT_ARG_INT, &o->timeout, 0, "from the name to the upgrade (15000)",
         "MS"},
        {"linger", 0, POPT_ARG_INT, &o->linger, 0, "wait for answers when input ends (500)", "MS"},
        {"ping", 'p', POPT_ARG_INT, &o->ping, 0, "a ping when nothing came for so long (off)",
         "MS"},
        {"reconnect", 'r', POPT_ARG_INT, &o->reconnect, 0, "come back, first within so long (off)",
         "MS"},
        {"max-message", 0, POPT_ARG_LONGLONG, &o->max_message, 0, "longest received (64 MiB)",
         "BYTES"},
        CLI_DEFLATE_OPTIONS,
        {"verbose", 'v', POPT_ARG_NONE, &o->verbose, 0, "show handshake, pings and close", NULL},
        {"help", 'h', POPT_ARG_NONE, NULL, 'h', "this text", NULL},
        POPT_TABLEEND,
    };
    cli_parser parser;
    cli_parser_init(&parser, argc, argv, table, "wring connect", "[options] URL", examples);
    int code;
    bool ok = true;
    while (ok && (code = cli_parser_next(&parser)) > 0) {
        ok = code == 'H' ? list_add(o->headers, &o->header_count, HEADERS_MAX, text, "headers")
                         : list_add(o->subprotocols, &o->subprotocol_count, SUBPROTOCOLS_MAX, text,
                                    "subprotocols");
        text = NULL;
    }
    o->url = cli_parser_argument(&parser);
    return cli_parser_end(&parser) && ok;
}

static bool headers_split(const struct connect_options *o, wring_header *list) {
    for (size_t i = 0; i < o->header_count; i++) {
        const char *colon = strchr(o->headers[i], ':');
        if (colon == NULL || colon == o->headers[i]) {
            cli_complain("-H '%s' is not like 'Name: value'", o->headers[i]);
            return false;
        }
        const char *value = colon + 1 + strspn(colon + 1, " \t");
        list[i].name = wring_bytes_of(o->headers[i], (size_t)(colon - o->headers[i]));
        list[i].value = wring_str(value);
    }
    return true;
}

static bool options_check(const struct connect_options *o) {
    if (o->url == NULL) {
        cli_complain("no URL; try 'wring connect --help'");
        return false;
    }
    if (o->timeout < 0 || o->linger < 0 || o->ping < 0 || o->reconnect < 0 || o->max_message < 0) {
        cli_complain("a number is negative; leave an option out for its default");
        return false;
    }
    if ((o->cert == NULL) != (o->key == NULL)) {
        cli_complain("--cert and --key go together");
        return false;
    }
    return true;
}

/* ---- on the worker --------------------------------------------------------------------------- */

static void wake(struct talk *talk) {
    const ssize_t ignored = write(talk->wake[1], "", 1);
    (void)ignored;
}

static void print_text(FILE *to, const char *prefix, wring_bytes text) {
    fprintf(to, "%s%.*s\n", prefix, (int)text.len, (const char *)text.data);
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    struct talk **talk = wring_session_user(session);
    *talk = opts;
    if (!(*talk)->options->verbose) {
        return WRING_CONTINUE;
    }
    if (request->tls != NULL) {
        fprintf(stderr, "* %s, %s%s%s\n", request->tls->version, request->tls->cipher,
                request->tls->resumed ? ", resumed" : "",
                request->tls->peer_verified ? ", certificate verified" : ", not verified");
    }
    print_text(stderr, "> GET ", request->target);
    print_text(stderr, "> Host: ", request->host);
    fputs("< 101 Switching Protocols\n", stderr);
    for (size_t i = 0; i < request->headers.count; i++) {
        const wring_header *header = &request->headers.list[i];
        fprintf(stderr, "< %.*s: %.*s\n", (int)header->name.len, (const char *)header->name.data,
                (int)header->value.len, (const char *)header->value.data);
    }
    return WRING_CONTINUE;
}

static void print_message(struct talk *talk, wring_bytes payload) {
    fwrite(payload.data, 1, payload.len, stdout);
    if (!talk->options->binary) {
        fputc('\n', stdout);
    }
    fflush(stdout);
    atomic_store(&talk->answered, true);
    if (talk->options->one) {
        wake(talk);
    }
}

static wring_verdict on_message(wring_session *session, const wring_message *message) {
    struct talk *talk = *(struct talk **)wring_session_user(session);
    const bool verbose = talk->options->verbose != 0;
    switch (message->opcode) {
    case WRING_TEXT:
    case WRING_BINARY:
        print_message(talk, message->payload);
        break;
    case WRING_PING:
    case WRING_PONG:
        if (verbose) {
            fprintf(stderr, "< %s, %zu bytes\n", message->opcode == WRING_PING ? "ping" : "pong",
                    message->payload.len);
        }
        break;
    case WRING_CLOSE:
        if (verbose) {
            fprintf(stderr, "< close %u %.*s\n", message->close_code, (int)message->payload.len,
                    (const char *)message->payload.data);
        }
        break;
    case WRING_CONTINUATION:
        break;
    }
    return WRING_CONTINUE;
}

static void on_status(wring_client *client, const wring_client_report *report, void *opts) {
    (void)client;
    struct talk *talk = opts;
    atomic_store(&talk->open, report->status == WRING_CLIENT_OPEN);
    talk->was_open = talk->was_open || report->status == WRING_CLIENT_OPEN;
    if (report->status == WRING_CLIENT_WAITING) {
        cli_complain("%s; again in %u ms", report->text, report->delay_ms);
    }
    if (report->status == WRING_CLIENT_CLOSED) {
        talk->result = report->result;
        talk->close_code = report->close_code;
        snprintf(talk->text, sizeof talk->text, "%s", report->text);
        atomic_store(&talk->closed, true);
    }
    wake(talk);
}

/* ---- on the main thread ---------------------------------------------------------------------- */

/* Input that is not yet a message. */
struct input {
    char *data;
    size_t len;
    size_t cap;
    bool end;
};

/* Waits for room in the worker's mailbox rather than lose a message. */
static bool send_message(wring_client *client, const struct connect_options *o, const char *data,
                         size_t len) {
    const wring_frame frame = {o->binary ? WRING_BINARY : WRING_TEXT, 0, wring_bytes_of(data, len)};
    wring_result result;
    while ((result = wring_client_send(client, &frame, 1)) == WRING_ERR_QUEUE_FULL) {
        usleep(1000);
    }
    return result == WRING_OK;
}

static void input_send(struct input *input, wring_client *client, const struct connect_options *o) {
    size_t at = 0;
    while (at < input->len && o->binary == 0) {
        const char *newline = memchr(input->data + at, '\n', input->len - at);
        if (newline == NULL && !input->end) {
            break;
        }
        const size_t len =
            newline == NULL ? input->len - at : (size_t)(newline - (input->data + at));
        if (!send_message(client, o, input->data + at, len)) {
            break;
        }
        at += len + (newline != NULL);
    }
    if (o->binary != 0 && input->len > 0 && send_message(client, o, input->data, input->len)) {
        at = input->len;
    }
    memmove(input->data, input->data + at, input->len - at);
    input->len -= at;
}

static bool input_read(struct input *input) {
    if (input->cap - input->len < BLOCK) {
        char *grown = realloc(input->data, input->cap * 2 + BLOCK);
        if (grown == NULL) {
            return false;
        }
        input->data = grown;
        input->cap = input->cap * 2 + BLOCK;
    }
    const ssize_t n = read(STDIN_FILENO, input->data + input->len, BLOCK);
    if (n > 0) {
        input->len += (size_t)n;
    }
    input->end = n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
    return true;
}

static void drain_pipe(int descriptor) {
    char bytes[64];
    const ssize_t ignored = read(descriptor, bytes, sizeof bytes);
    (void)ignored;
}

/* Until the client is closed. Input is read only while it is open, so that nothing is lost to a
 * reconnect. */
static void converse(struct talk *talk, wring_client *client, int signals) {
    const struct connect_options *o = talk->options;
    struct input input = {0};
    bool closing = false;
    while (!atomic_load(&talk->closed)) {
        const bool reads = atomic_load(&talk->open) && !input.end && !closing;
        struct pollfd polled[] = {{signals, POLLIN, 0},
                                  {talk->wake[0], POLLIN, 0},
                                  {reads ? STDIN_FILENO : -1, POLLIN, 0}};
        const bool lingers = input.end && input.len == 0 && !closing && atomic_load(&talk->open);
        const int ready = poll(polled, 3, lingers && !o->one ? o->linger : -1);
        if (polled[1].revents != 0) {
            drain_pipe(talk->wake[0]);
        }
        if (reads && polled[2].revents != 0 && !input_read(&input)) {
            cli_complain("out of memory");
            closing = true;
        }
        if (atomic_load(&talk->open) && !closing) {
            input_send(&input, client, o);
        }
        const bool over = (ready == 0 && lingers) || (o->one && atomic_load(&talk->answered));
        if (polled[0].revents != 0 && closing) {
            _exit(130); /* a second signal */
        }
        if (over || closing || polled[0].revents != 0) {
            closing = true;
            wring_client_close(client, WRING_CLOSE_NORMAL, wring_str(""));
        }
    }
    free(input.data);
}

static int exit_code(const struct talk *talk) {
    const wring_result result = talk->result;
    if (result == WRING_OK && talk->close_code != WRING_CLOSE_ABNORMAL) {
        return CLI_OK;
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
    if (wring_result_class(result) == WRING_CLASS_PEER) {
        return EXIT_REFUSED;
    }
    return CLI_FAILED;
}

static int run(const struct connect_options *o, const wring_client_config *config,
               struct talk *talk, int signals) {
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
        converse(talk, client, signals);
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

static void options_free(struct connect_options *o) {
    for (size_t i = 0; i < o->header_count; i++) {
        free(o->headers[i]);
    }
    for (size_t i = 0; i < o->subprotocol_count; i++) {
        free(o->subprotocols[i]);
    }
    char *const texts[] = {o->origin, o->ca, o->cert, o->key, o->proxy, o->source, o->url};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        free(texts[i]);
    }
}

static const wring_handler handler = {.name = "connect",
                                      .state_size = sizeof(struct talk *),
                                      .init = on_init,
                                      .handle_in = on_message};

static int connect_with(const struct connect_options *o) {
    struct talk talk = {.options = o};
    wring_header headers[HEADERS_MAX];
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    wring_deflate_config deflate;
    const wring_deflate_config *deflate_given;
    if (!headers_split(o, headers) || !cli_deflate_config(&deflate, &deflate_given)) {
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
        .handler = &handler,
        .handler_opts = &talk,
        .subprotocols = (const char *const *)o->subprotocols,
        .subprotocol_count = o->subprotocol_count,
        .origin = o->origin,
        .headers = {headers, o->header_count},
        .timeout_ms = (uint32_t)o->timeout,
        .session = {.struct_size = sizeof config.session,
                    .max_message = (uint64_t)o->max_message,
                    .max_frame = (uint64_t)o->max_message,
                    .ping_interval_ms = (uint32_t)o->ping},
        .tls = &tls,
        .proxy = o->proxy,
        .proxy_from_env = o->no_proxy == 0,
        .source = o->source,
        .reconnect_min_ms = (uint32_t)o->reconnect,
        .on_status = on_status,
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
    struct connect_options options = {.linger = 500};
    const bool good = options_parse(argc, argv, &options) && options_check(&options);
    const int code = good ? connect_with(&options) : CLI_USAGE;
    options_free(&options);
    return code;
}
