/* SPDX-License-Identifier: Apache-2.0
 *
 * wring_client_create for the tests' scripts. Usage: e2e-client [options] MODE URL
 *
 *   listen   with a handler: each thing that happens is one line of JSON
 *   echo     blocking: text and binary of every size must come back as they went
 *   mirror   blocking: the same for a server that answers in pieces of its own choice
 *   crowd    blocking: as many clients as --crowd says, on one worker, each with one message
 *
 * Exit code 0: the client is closed and nothing was amiss.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wring/wring.h>

#define WAIT_MS 30000

struct options {
    wring_client_config client;
    wring_session_config session;
    wring_tls_client_config tls;
    wring_deflate_config deflate;
    wring_http2_config http2;
    const char *subprotocols[8];
    wring_header headers[8];
    const char *say;
    const char *ping;
    unsigned close_after; /* messages, then 4001 "done" */
    unsigned long long size_max;
    unsigned sessions; /* end after so many; 0: when the client does */
    unsigned crowd;
};

static struct options options = {
    .client = {.struct_size = sizeof options.client,
               .session = &options.session,
               .headers = {options.headers, 0}},
    .session = {.struct_size = sizeof options.session},
    .tls = {.struct_size = sizeof options.tls},
    .http2 = {.struct_size = sizeof options.http2},
    .close_after = 1,
    .size_max = 16 << 20,
};
static unsigned messages, sessions;

/* ---- listen ---------------------------------------------------------------------------------- */

/* Lines of several calls are never mixed: all of them are on the one worker. */
static void print_text(const char *name, wring_bytes text) {
    printf(",\"%s\":\"", name);
    for (size_t i = 0; i < text.len && i < 400; i++) {
        const uint8_t c = text.data[i];
        printf(c < 0x20 || c == '"' || c == '\\' || c > 0x7E ? "\\u%04x" : "%c", c);
    }
    putchar('"');
}

/* What refused the upgrade, if an answer did. */
static void print_answer(const wring_http_answer *answer) {
    if (answer == NULL) {
        return;
    }
    wring_bytes server = {NULL, 0};
    wring_headers_get(answer->headers, "x-test", &server);
    printf(",\"answer\":%d,\"by_proxy\":%s,\"whole\":%s,\"body_len\":%zu,\"headers\":%zu",
           answer->status, answer->by_proxy ? "true" : "false",
           answer->body_is_whole ? "true" : "false", answer->body.len, answer->headers.count);
    print_text("reason", answer->reason);
    print_text("x_test", server);
    print_text("body", answer->body);
}

static void line_end(void) {
    puts("}");
    fflush(stdout);
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)opts;
    printf("{\"event\":\"open\"");
    print_text("method", request->method);
    print_text("subprotocol", request->subprotocol);
    if (request->tls != NULL) {
        printf(",\"version\":\"%s\",\"resumed\":%s,\"verified\":%s", request->tls->version,
               request->tls->resumed ? "true" : "false",
               request->tls->peer_verified ? "true" : "false");
        print_text("alpn", request->tls->alpn);
    }
    line_end();
    wring_result result = WRING_OK;
    if (options.ping != NULL) {
        const wring_frame frame = {WRING_PING, 0, 0, wring_str(options.ping)};
        result = wring_session_send(session, &frame);
    }
    if (options.say != NULL && result == WRING_OK) {
        const wring_frame frame = wring_frame_text(wring_str(options.say));
        result = wring_session_send(session, &frame);
    }
    messages = 0;
    return result == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

static wring_verdict on_message(wring_session *session, const wring_message *message) {
    static const char *const names[16] = {
        [WRING_TEXT] = "text", [WRING_BINARY] = "binary", [WRING_CLOSE] = "close",
        [WRING_PING] = "ping", [WRING_PONG] = "pong",
    };
    printf("{\"event\":\"%s\",\"bytes\":%zu,\"code\":%u", names[message->opcode],
           message->payload.len, message->close_code);
    print_text("payload", message->payload);
    line_end();
    const bool counts = message->opcode == WRING_TEXT || message->opcode == WRING_BINARY;
    if (counts && ++messages == options.close_after) {
        wring_session_close(session, 4001, wring_str("done"));
    }
    return WRING_CONTINUE;
}

static void on_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    printf("{\"event\":\"end\",\"result\":\"%s\",\"code\":%u,\"by_peer\":%s",
           wring_result_name(end->result), end->close_code, end->by_peer ? "true" : "false");
    line_end();
}

static void on_status(wring_client *client, const wring_client_report *report, void *opts) {
    (void)opts;
    if (report->status == WRING_CLIENT_OPEN) {
        sessions++;
    }
    if (report->status == WRING_CLIENT_WAITING || report->status == WRING_CLIENT_CLOSED) {
        printf("{\"event\":\"%s\",\"result\":\"%s\",\"code\":%u,\"http_status\":%d,\"attempt\":%u,"
               "\"delay_ms\":%u",
               report->status == WRING_CLIENT_CLOSED ? "closed" : "waiting",
               wring_result_name(report->result), report->close_code, report->http_status,
               report->attempt, report->delay_ms);
        print_text("why", wring_str(report->text));
        print_answer(report->answer);
        line_end();
        if (options.sessions > 0 && sessions == options.sessions) {
            wring_client_close(client, 1000, wring_str(""));
        }
    }
}

static int listen_to(wring_client *client) {
    while (wring_client_wait_closed(client, WAIT_MS, NULL) != WRING_OK) {
    }
    return 0;
}

/* ---- renewing -------------------------------------------------------------------------------- */

struct renewal {
    wring_client *client;
    wring_client_renewal renewal;
    char token[40];
    wring_header header;
};

/* A token by the attempt, and the path "renewed". What is asked for is in static memory of ours. */
static void renewal_fill(struct renewal *r, uint32_t attempt, const char *url) {
    static char renewed[512];
    const char *slash = strchr(strstr(url, "//") + 2, '/');
    (void)snprintf(renewed, sizeof renewed, "%.*s/renewed",
                   slash == NULL ? (int)strlen(url) : (int)(slash - url), url);
    (void)snprintf(r->token, sizeof r->token, "Bearer %u", attempt);
    r->header = (wring_header){wring_str("Authorization"), wring_str(r->token)};
    r->renewal = (wring_client_renewal){.struct_size = sizeof r->renewal,
                                        .attempt = attempt,
                                        .url = renewed,
                                        .headers = {&r->header, 1}};
}

static void *renew_later(void *arg) {
    struct renewal *r = arg;
    const wring_result result = wring_client_renew(r->client, WRING_OK, &r->renewal);
    const wring_result again = wring_client_renew(r->client, WRING_OK, NULL);
    if (result != WRING_OK || again != WRING_ERR_INVALID_STATE) {
        fprintf(stderr, "renewed: %s, %s\n", wring_result_name(result), wring_result_name(again));
    }
    return NULL;
}

/* opts: "now", "later" (from another thread), "never", or the number of a result. "token" and "url"
 * leave the other one as it is, later; "token-now" and "url-now" at once. */
static wring_result on_renew(wring_client *client, wring_client_renewal *renewal, void *opts) {
    static struct renewal r;
    r.client = client;
    renewal_fill(&r, renewal->attempt, renewal->url);
    const char *way = opts;
    if (strncmp(way, "token", 5) == 0) {
        r.renewal.url = NULL;
    } else if (strncmp(way, "url", 3) == 0) {
        r.renewal.headers = (wring_headers){NULL, 0};
    }
    const size_t len = strlen(way);
    if (len >= 3 && strcmp(way + len - 3, "now") == 0) {
        *renewal = r.renewal;
        return WRING_OK;
    }
    if (strcmp(way, "later") == 0 || strcmp(way, "token") == 0 || strcmp(way, "url") == 0) {
        pthread_t thread;
        const bool started = pthread_create(&thread, NULL, renew_later, &r) == 0;
        return started && pthread_detach(thread) == 0 ? WRING_MORE : WRING_ERR_SYSTEM;
    }
    return strcmp(opts, "never") == 0 ? WRING_MORE : (wring_result)strtol(opts, NULL, 10);
}

static bool on_retry(wring_client *client, const wring_client_report *report, uint32_t *delay_ms,
                     void *opts) {
    (void)client;
    *delay_ms = 0;
    return report->http_status == (int)strtol(opts, NULL, 10);
}

/* ---- echo, mirror ---------------------------------------------------------------------------- */

static int complain(const char *what, wring_result result, size_t size) {
    fprintf(stderr, "%s: %s, at %zu bytes\n", what, wring_result_name(result), size);
    return 1;
}

static int echo_one(wring_client *client, wring_opcode opcode, const uint8_t *data, size_t size) {
    const wring_frame frame = {.opcode = opcode, .payload = wring_bytes_of(data, size)};
    wring_message answer;
    wring_result result = wring_client_ask(client, &frame, WAIT_MS, &answer);
    if (result != WRING_OK) {
        return complain("no answer", result, size);
    }
    if (answer.opcode != opcode || answer.payload.len != size ||
        (size > 0 && memcmp(answer.payload.data, data, size) != 0)) {
        return complain("another answer", result, answer.payload.len);
    }
    return 0;
}

static int mirror_one(wring_client *client, const uint8_t *data, size_t size) {
    const wring_frame frame = wring_frame_text(wring_bytes_of(data, size));
    wring_result result = wring_client_send(client, &frame, 1);
    size_t got = 0;
    while (result == WRING_OK && got < size) {
        wring_message answer;
        result = wring_client_receive(client, WAIT_MS, &answer);
        if (result == WRING_OK &&
            (got + answer.payload.len > size ||
             memcmp(answer.payload.data, data + got, answer.payload.len) != 0)) {
            return complain("another answer", result, got);
        }
        got += result == WRING_OK ? answer.payload.len : 0;
    }
    return result == WRING_OK ? 0 : complain("no answer", result, got);
}

static int all_sizes(wring_client *client, bool mirror) {
    static const size_t sizes[] = {0, 1, 125, 126, 4096, 65535, 65536, 1 << 20, 16 << 20};
    wring_error error;
    if (wring_client_wait(client, WAIT_MS, &error) != WRING_OK) {
        fprintf(stderr, "%s: %s\n", wring_result_name(error.code), error.text);
        return 1;
    }
    int failed = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && sizes[i] <= options.size_max; i++) {
        const size_t size = sizes[i];
        uint8_t *data = malloc(size + 1);
        for (size_t k = 0; k < size; k++) {
            data[k] = (uint8_t)(' ' + (k * 7 + k / 251) % 95);
        }
        if (mirror) {
            failed += size == 0 ? 0 : mirror_one(client, data, size);
        } else {
            failed += echo_one(client, WRING_TEXT, data, size);
            for (size_t k = 0; k < size; k++) {
                data[k] ^= 0xA5;
            }
            failed += echo_one(client, WRING_BINARY, data, size);
        }
        free(data);
    }
    wring_end end = {.struct_size = sizeof end};
    wring_client_close(client, 4001, wring_str("done"));
    if (wring_client_wait_closed(client, WAIT_MS, &end) != WRING_OK) {
        return complain("no close", WRING_ERR_TIMEOUT, 0);
    }
    printf("%s %u\n", wring_result_name(end.result), end.close_code);
    return failed != 0 || end.result != WRING_OK;
}

/* ---- crowd ----------------------------------------------------------------------------------- */

#define CROWD_MAX 2000

static int crowd_talk(wring_client *const *clients, unsigned count) {
    int failed = 0;
    for (unsigned i = 0; i < count && failed == 0; i++) {
        wring_error error;
        if (wring_client_wait(clients[i], WAIT_MS, &error) != WRING_OK) {
            fprintf(stderr, "client %u: %s: %s\n", i, wring_result_name(error.code), error.text);
            failed = 1;
        }
    }
    for (unsigned i = 0; i < count && failed == 0; i++) {
        uint8_t data[300];
        memset(data, 'a' + (int)(i % 26), sizeof data);
        failed = echo_one(clients[i], WRING_TEXT, data, i % sizeof data);
    }
    for (unsigned i = 0; i < count; i++) {
        wring_client_close(clients[i], 4001, wring_str("done"));
    }
    for (unsigned i = 0; i < count; i++) {
        wring_end end = {.struct_size = sizeof end};
        const wring_result result = wring_client_wait_closed(clients[i], WAIT_MS, &end);
        failed |= result != WRING_OK || end.result != WRING_OK || end.close_code != 4001;
    }
    return failed;
}

static int crowd_run(wring_pool *pool, const char *url) {
    static wring_client *clients[CROWD_MAX];
    const wring_loop loop = wring_pool_loop(pool);
    unsigned count = 0;
    wring_error error;
    while (count < options.crowd && count < CROWD_MAX &&
           wring_client_create(loop, url, &options.client, &clients[count], &error) == WRING_OK) {
        count++;
    }
    const int failed = crowd_talk(clients, count);
    for (unsigned i = 0; i < count; i++) {
        wring_client_destroy(clients[i]);
    }
    printf("%u clients\n", count);
    return failed != 0 || count < options.crowd;
}

/* ---- options --------------------------------------------------------------------------------- */

static void header_add(char *text) {
    char *colon = strchr(text, ':');
    if (colon != NULL) {
        *colon = 0;
        options.headers[options.client.headers.count++] =
            (wring_header){wring_str(text), wring_str(colon + 1)};
    }
}

/* "SERVER_TAKEOVER CLIENT_TAKEOVER SERVER_BITS CLIENT_BITS", each a number */
static bool deflate_take(const char *text) {
    unsigned n[4];
    if (sscanf(text, "%u %u %u %u", &n[0], &n[1], &n[2], &n[3]) != 4) {
        return false;
    }
    options.deflate = (wring_deflate_config){.struct_size = sizeof options.deflate,
                                             .server_context_takeover = n[0] != 0,
                                             .client_context_takeover = n[1] != 0,
                                             .server_max_window_bits = (uint8_t)n[2],
                                             .client_max_window_bits = (uint8_t)n[3],
                                             .message_bytes_min = 1};
    options.client.deflate = &options.deflate;
    return true;
}

/* "allowed", "required" or "prior": cleartext without asking; with "-N", at most N sessions a
 * connection. */
static bool http2_take(const char *text) {
    const char *dash = strchr(text, '-');
    options.http2.required = strncmp(text, "required", 8) == 0;
    options.http2.cleartext = strncmp(text, "prior", 5) == 0;
    options.http2.sessions_max = dash == NULL ? 0 : (uint32_t)strtoul(dash + 1, NULL, 10);
    options.client.http2 = &options.http2;
    return options.http2.required || options.http2.cleartext || strncmp(text, "allowed", 7) == 0;
}

/* What a run does, apart from the client's configuration. */
static bool course_take(int option, char *value, uint32_t number) {
    wring_client_config *client = &options.client;
    switch (option) {
    case 'y':
        options.say = value;
        return true;
    case 'p':
        options.ping = value;
        return true;
    case 'n':
        options.close_after = number;
        return true;
    case 'S':
        options.sessions = number;
        return true;
    case 'w':
        client->renew = on_renew;
        client->renew_opts = value;
        return true;
    case 'W':
        client->retry = on_retry;
        client->retry_opts = value;
        return true;
    case 'M':
        options.size_max = number;
        return true;
    case 'N':
        options.crowd = number;
        return true;
    case 'D':
        return deflate_take(value);
    case '2':
        return http2_take(value);
    default:
        return false;
    }
}

static bool option_take(int option, char *value) {
    wring_client_config *client = &options.client;
    const uint32_t number = value == NULL ? 0 : (uint32_t)strtoul(value, NULL, 10);
    switch (option) {
    case 'C':
        options.tls.ca_file = value;
        return true;
    case 'c':
        options.tls.cert_file = value;
        return true;
    case 'k':
        options.tls.key_file = value;
        return true;
    case 'i':
        options.tls.no_verify = true;
        return true;
    case 'x':
        client->proxy = value;
        return true;
    case 'e':
        client->proxy_from_env = true;
        return true;
    case 't':
        client->connect_timeout_ms = number;
        return true;
    case 's':
        options.subprotocols[client->subprotocol_count++ % 8] = value;
        return true;
    case 'E':
        client->extensions = value;
        return true;
    case 'H':
        header_add(value);
        return true;
    case 'm':
        client->handshake_bytes_max = number;
        return true;
    case 'T':
        options.session.close_timeout_ms = number;
        return true;
    case 'r':
        client->reconnect_min_ms = number;
        return true;
    case 'R':
        client->reconnect_max_ms = number;
        return true;
    case 'a':
        client->reconnect_attempts = number;
        return true;
    default:
        return course_take(option, value, number);
    }
}

static bool options_parse(int argc, char **argv) {
    static const struct option table[] = {
        {"ca", 1, NULL, 'C'},
        {"cert", 1, NULL, 'c'},
        {"key", 1, NULL, 'k'},
        {"insecure", 0, NULL, 'i'},
        {"proxy", 1, NULL, 'x'},
        {"env", 0, NULL, 'e'},
        {"timeout", 1, NULL, 't'},
        {"subprotocol", 1, NULL, 's'},
        {"extensions", 1, NULL, 'E'},
        {"header", 1, NULL, 'H'},
        {"max-handshake", 1, NULL, 'm'},
        {"close-timeout", 1, NULL, 'T'},
        {"reconnect", 1, NULL, 'r'},
        {"attempts", 1, NULL, 'a'},
        {"reconnect-max", 1, NULL, 'R'},
        {"renew", 1, NULL, 'w'},
        {"retry", 1, NULL, 'W'},
        {"say", 1, NULL, 'y'},
        {"ping", 1, NULL, 'p'},
        {"close-after", 1, NULL, 'n'},
        {"sessions", 1, NULL, 'S'},
        {"max", 1, NULL, 'M'},
        {"deflate", 1, NULL, 'D'},
        {"http2", 1, NULL, '2'},
        {"crowd", 1, NULL, 'N'},
        {NULL, 0, NULL, 0},
    };
    int option;
    bool ok = true;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        ok = option_take(option, optarg) && ok;
    }
    return ok && argc - optind == 2;
}

int main(int argc, char **argv) {
    static const wring_handler handler = {.struct_size = sizeof handler,
                                          .name = "listen",
                                          .init = on_init,
                                          .handle_in = on_message,
                                          .terminate = on_terminate};
    if (!options_parse(argc, argv)) {
        fputs("Usage: e2e-client [options] listen|echo|mirror|crowd URL\n", stderr);
        return 2;
    }
    const char *mode = argv[optind];
    wring_pool *pool;
    wring_client *client;
    wring_error error;
    options.client.tls = &options.tls;
    options.client.subprotocols = options.subprotocols;
    if (strcmp(mode, "listen") == 0) {
        options.client.handler = &handler;
        options.client.on_status = on_status;
    }
    if (wring_pool_create(NULL, &pool, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 2;
    }
    int code = 2;
    if (strcmp(mode, "crowd") == 0) {
        code = crowd_run(pool, argv[optind + 1]);
    } else if (wring_client_create(wring_pool_loop(pool), argv[optind + 1], &options.client,
                                   &client, &error) == WRING_OK) {
        code = strcmp(mode, "listen") == 0 ? listen_to(client)
                                           : all_sizes(client, strcmp(mode, "mirror") == 0);
        wring_client_destroy(client);
    } else {
        printf("{\"event\":\"refused\",\"result\":\"%s\"", wring_result_name(error.code));
        print_text("why", wring_str(error.text));
        line_end();
    }
    wring_pool_destroy(pool, 1000);
    return code;
}
