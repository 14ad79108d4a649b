/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring connect` on the client's worker: messages to standard output, all else to standard error.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/connect.h"

static void wake(connect_talk *talk) {
    const ssize_t ignored = write(talk->wake[1], "", 1);
    (void)ignored;
}

static connect_talk *talk_of(wring_session *session) {
    return *(connect_talk **)wring_session_user(session);
}

/* ---- what is shown --------------------------------------------------------------------------- */

static void put_bytes(FILE *to, wring_bytes bytes) {
    if (bytes.len > 0) {
        fwrite(bytes.data, 1, bytes.len, to);
    }
}

/* A server's text must not move the cursor or retitle the window: control characters, C0 and C1,
 * are written out. `text`: it is UTF-8; else every byte beyond ASCII is as well. */
static void put_tamed(FILE *to, wring_bytes bytes, bool text) {
    for (size_t i = 0; i < bytes.len; i++) {
        const uint8_t c = bytes.data[i];
        const bool spaces = c == '\t' || c == '\n';
        if (text && c == 0xC2 && i + 1 < bytes.len && bytes.data[i + 1] < 0xA0) {
            fprintf(to, "\\u%04x", bytes.data[++i]);
        } else if ((c < 0x20 && !spaces) || c == 0x7F || (c >= 0x80 && !text)) {
            fprintf(to, "\\x%02x", c);
        } else {
            fputc(c, to);
        }
    }
}

/* One line of a server's text, at most 4 KiB: nothing in it ends the line or turns it round. */
static void put_line(wring_bytes text) {
    char shown[4096];
    (void)wring_text_printable(text, shown, sizeof shown);
    fprintf(stderr, "%s\n", shown);
}

static void show(const char *prefix, wring_bytes text) {
    fputs(prefix, stderr);
    put_line(text);
}

static void show_header(char direction, wring_bytes name, wring_bytes value) {
    fprintf(stderr, "%c %.*s: ", direction, (int)name.len, (const char *)name.data);
    put_line(value);
}

static bool is_given(const connect_options *o, const char *name) {
    return wring_headers_count((wring_headers){o->headers, o->header_count}, name) > 0;
}

static void show_subprotocols(const connect_options *o) {
    for (size_t i = 0; i < o->subprotocol_count; i++) {
        fprintf(stderr, "%s%s", i == 0 ? "> Sec-WebSocket-Protocol: " : ", ", o->subprotocols[i]);
    }
    if (o->subprotocol_count > 0) {
        fputc('\n', stderr);
    }
}

/* What was asked for and what was answered; credentials of the URL are left out. */
static void show_handshake(const connect_options *o, const wring_request *request) {
    if (request->tls != NULL) {
        fprintf(stderr, "* %s, %s%s%s\n", request->tls->version, request->tls->cipher,
                request->tls->resumed ? ", resumed" : "",
                request->tls->peer_verified ? ", certificate verified" : ", not verified");
    }
    fprintf(stderr, "> GET %.*s HTTP/1.1\n", (int)request->target.len,
            (const char *)request->target.data);
    show("> Host: ", request->host);
    if (!is_given(o, "sec-websocket-protocol")) {
        show_subprotocols(o);
    }
    if (o->origin != NULL && !is_given(o, "origin")) {
        show("> Origin: ", wring_str(o->origin));
    }
    for (size_t i = 0; i < o->header_count; i++) {
        const wring_headers one = {&o->headers[i], 1};
        if (wring_headers_count(one, "host") == 0) { /* it is shown above */
            show_header('>', o->headers[i].name, o->headers[i].value);
        }
    }
    fputs("< HTTP/1.1 101 Switching Protocols\n", stderr);
    for (size_t i = 0; i < request->headers.count; i++) {
        show_header('<', request->headers.list[i].name, request->headers.list[i].value);
    }
}

/* The answer that refused: status line, headers, and as much of the body as the library kept. */
static void show_refusal(const wring_http_answer *answer) {
    if (answer->by_proxy) {
        fputs("* the proxy's answer:\n", stderr);
    }
    fprintf(stderr, "< HTTP/1.1 %d ", answer->status);
    show("", answer->reason);
    for (size_t i = 0; i < answer->headers.count; i++) {
        show_header('<', answer->headers.list[i].name, answer->headers.list[i].value);
    }
    fputs("<\n", stderr);
    if (answer->body.len > 0) {
        put_tamed(stderr, answer->body, wring_text_is_valid(answer->body));
        fputc('\n', stderr);
    }
    if (!answer->body_is_whole) {
        fprintf(stderr, "* the body's first %zu bytes\n", answer->body.len);
    }
}

/* ---- the handler ----------------------------------------------------------------------------- */

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    connect_talk *talk = opts;
    *(connect_talk **)wring_session_user(session) = talk;
    if (talk->options->verbose) {
        show_handshake(talk->options, request);
    }
    if (talk->shows_person) {
        fprintf(stderr, "* connected to %.*s; Ctrl-D ends\n", (int)request->host.len,
                (const char *)request->host.data);
    }
    return WRING_CONTINUE;
}

static bool print_message(connect_talk *talk, const wring_message *message) {
    if (talk->options->one && atomic_load(&talk->answered)) {
        return true; /* the close is on its way */
    }
    if (talk->shows_terminal && !talk->options->binary) {
        put_tamed(stdout, message->payload, message->opcode == WRING_TEXT);
    } else {
        put_bytes(stdout, message->payload);
    }
    if (!talk->options->binary) {
        fputc('\n', stdout);
    }
    const bool written = fflush(stdout) == 0 && !ferror(stdout);
    if (!written) {
        atomic_store(&talk->output_error, errno == 0 ? EIO : errno);
    }
    atomic_store(&talk->answered, true);
    if (talk->options->one || atomic_load(&talk->input_ended)) {
        wake(talk);
    }
    return written;
}

static void keep_reason(connect_talk *talk, wring_bytes reason) {
    (void)wring_text_printable(reason, talk->close_reason, sizeof talk->close_reason);
}

static wring_verdict on_message(wring_session *session, const wring_message *message) {
    connect_talk *talk = talk_of(session);
    const bool verbose = talk->options->verbose != 0;
    switch (message->opcode) {
    case WRING_TEXT:
    case WRING_BINARY:
        return print_message(talk, message) ? WRING_CONTINUE : WRING_STOP;
    case WRING_PING:
    case WRING_PONG:
        if (verbose) {
            fprintf(stderr, "< %s, %zu bytes\n", message->opcode == WRING_PING ? "ping" : "pong",
                    message->payload.len);
        }
        break;
    case WRING_CLOSE:
        keep_reason(talk, message->payload);
        if (verbose) {
            fprintf(stderr, "< close %u ", message->close_code);
            show("", message->payload);
        }
        break;
    case WRING_CONTINUATION:
        break;
    }
    return WRING_CONTINUE;
}

static void on_terminate(wring_session *session, const wring_end *end) {
    connect_talk *talk = talk_of(session);
    talk->closed_by_peer = end->by_peer;
    if (talk->shows_person && end->result == WRING_OK) {
        fprintf(stderr, "* closed with %u ", end->close_code);
        show("", wring_str(talk->close_reason));
    }
}

/* ---- is everything sent? --------------------------------------------------------------------- */

static wring_verdict on_info(wring_session *session, const wring_info *info) {
    connect_talk *talk = info->data;
    if (wring_session_output(session).len == 0) {
        atomic_store(&talk->sent_all, true);
        wake(talk);
    }
    atomic_store(&talk->asked, false);
    return WRING_CONTINUE;
}

static void info_lost(const wring_info *info) {
    connect_talk *talk = info->data;
    atomic_store(&talk->asked, false);
}

void connect_ask(connect_talk *talk, wring_client *client) {
    const wring_info info = {0, talk};
    if (!atomic_exchange(&talk->asked, true) &&
        wring_post(wring_client_ref(client), &info, info_lost) != WRING_OK) {
        atomic_store(&talk->asked, false); /* asked again a moment later */
    }
}

const wring_handler connect_handler = {.name = "connect",
                                       .state_size = sizeof(connect_talk *),
                                       .init = on_init,
                                       .handle_in = on_message,
                                       .handle_info = on_info,
                                       .terminate = on_terminate};

void connect_on_status(wring_client *client, const wring_client_report *report, void *opts) {
    (void)client;
    connect_talk *talk = opts;
    atomic_store(&talk->open, report->status == WRING_CLIENT_OPEN);
    talk->was_open = talk->was_open || report->status == WRING_CLIENT_OPEN;
    if (report->answer != NULL && talk->options->verbose) {
        show_refusal(report->answer);
    }
    if (report->status == WRING_CLIENT_WAITING) {
        cli_complain("%s; again in %u ms", report->text, report->delay_ms);
    }
    if (report->status == WRING_CLIENT_CLOSED) {
        talk->result = report->result;
        talk->close_code = report->close_code;
        (void)snprintf(talk->text, sizeof talk->text, "%s", report->text);
        atomic_store(&talk->closed, true);
    }
    wake(talk);
}
