/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens to the session of `wring connect`, as text for people or as JSON (--json). Each
 * function makes one record; messages and JSON go to standard output, all else to standard error.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/connect.h"
#include "cli/connect_json.h"

/* ---- text ------------------------------------------------------------------------------------ */

/* Bytes of one piece: all of its characters, shown at their longest, fit the buffer. */
#define TAME_BYTES 256

static bool is_continuation(uint8_t byte) {
    return (byte & 0xC0) == 0x80;
}

/* How many bytes of a line are shown at once: no character is cut in two. */
static size_t piece_of(const uint8_t *at, size_t len) {
    if (len <= TAME_BYTES) {
        return len;
    }
    size_t piece = TAME_BYTES;
    while (piece > TAME_BYTES - 4 && is_continuation(at[piece])) {
        piece--;
    }
    return piece;
}

static void tame_line(FILE *to, wring_bytes line, bool text) {
    char shown[TAME_BYTES * 10 + 1];
    while (line.len > 0) {
        const size_t taken = text ? piece_of(line.data, line.len) : 1;
        if (!text && line.data[0] >= 0x80) { /* no text: not even where it looks like some */
            fprintf(to, "\\x%02x", line.data[0]);
        } else {
            (void)wring_text_printable(wring_bytes_of(line.data, taken), shown, sizeof shown);
            fputs(shown, to);
        }
        line = wring_bytes_of(line.data + taken, line.len - taken);
    }
}

void connect_tame(FILE *to, wring_bytes bytes, bool text, const char *indent) {
    size_t from = 0;
    for (size_t i = 0; i <= bytes.len; i++) {
        const bool ends = i == bytes.len || bytes.data[i] == '\n' || bytes.data[i] == '\t';
        if (ends && i > from) {
            tame_line(to, wring_bytes_of(bytes.data + from, i - from), text);
        }
        if (ends && i < bytes.len) {
            fputc(bytes.data[i], to);
            fputs(bytes.data[i] == '\n' ? indent : "", to);
        }
        from = ends ? i + 1 : from;
    }
}

/* Mind that a record is open until it is put: nothing else may be shown in between. */
static void put(connect_talk *talk, FILE *record) {
    (void)connect_output_put(&talk->output, record, false);
}

/* "* ...": how it goes, for a person. */
static FILE *note_open(const connect_talk *talk) {
    FILE *to = connect_record_open(STDERR_FILENO);
    fputs(talk->colours ? "\033[33m*\033[0m " : "* ", to);
    return to;
}

void connect_complain(connect_talk *talk, const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(talk->complaint, sizeof talk->complaint, format, args);
    va_end(args);
    FILE *to = connect_record_open(STDERR_FILENO);
    fprintf(to, "wring: %s\n", talk->complaint);
    put(talk, to);
}

void connect_close_text(const connect_talk *talk, uint16_t code, char *out, size_t cap) {
    (void)snprintf(out, cap, "the server %s with %u (%s)%s%s",
                   talk->closed_by_peer ? "closed" : "answered our close", code,
                   wring_close_reason_name(code), talk->close_reason[0] == 0 ? "" : " ",
                   talk->close_reason);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* {"time":"2026-01-02T03:04:05.678Z","event":"message" */
static FILE *event_open(const char *event) {
    FILE *to = connect_record_open(STDOUT_FILENO);
    struct timespec now;
    struct tm parts;
    char text[32] = "";
    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &parts) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    }
    fprintf(to, "{\"time\":\"%s.%03ldZ\",\"event\":\"%s\"", text, now.tv_nsec / 1000000, event);
    return to;
}

static void event_string(FILE *to, const char *name, wring_bytes text) {
    fprintf(to, ",\"%s\":", name);
    connect_json_string(to, text);
}

static void event_base64(FILE *to, const char *name, wring_bytes bytes) {
    fprintf(to, ",\"%s\":", name);
    connect_json_base64(to, bytes);
}

/* A sentence may quote a server whose words are not UTF-8: then those bytes are written out. */
static void event_sentence(FILE *to, const char *text) {
    char *shown = NULL;
    size_t len = 0;
    FILE *tamed = open_memstream(&shown, &len);
    if (tamed != NULL) {
        connect_tame(tamed, wring_str(text), wring_text_is_valid(wring_str(text)), "");
        (void)fclose(tamed);
        event_string(to, "text", wring_bytes_of(shown, len));
    }
    free(shown);
}

static bool event_put(connect_talk *talk, FILE *to, bool may_pause) {
    fputs("}\n", to);
    return connect_output_put(&talk->output, to, may_pause);
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool message_as_json(connect_talk *talk, const wring_message *message) {
    FILE *to = event_open("message");
    if (message->opcode == WRING_TEXT) {
        fputs(",\"type\":\"text\"", to);
        event_string(to, "data", message->payload);
    } else {
        fputs(",\"type\":\"binary\"", to);
        event_base64(to, "data", message->payload);
    }
    return event_put(talk, to, true);
}

bool connect_show_message(connect_talk *talk, const wring_message *message) {
    if (talk->options->json) {
        return message_as_json(talk, message);
    }
    FILE *to = connect_record_open(STDOUT_FILENO);
    if (talk->shows_arrows) {
        fputs(talk->colours ? "\033[32m<\033[0m " : "< ", to);
    }
    if (talk->shows_terminal) {
        connect_tame(to, message->payload, message->opcode == WRING_TEXT,
                     talk->shows_arrows ? "  " : "");
    } else if (message->payload.len > 0) {
        fwrite(message->payload.data, 1, message->payload.len, to);
    }
    if (!talk->options->binary || talk->shows_terminal) {
        fputc('\n', to);
    }
    return connect_output_put(&talk->output, to, true);
}

static wring_bytes reason_of(const connect_talk *talk) {
    return wring_bytes_of(talk->close_reason, talk->close_reason_len);
}

/* "1000 (normal) bye" */
static void close_put(FILE *to, uint16_t code, wring_bytes reason) {
    fprintf(to, "%u (%s)%s", code, wring_close_reason_name(code), reason.len == 0 ? "" : " ");
    connect_tame(to, reason, true, "  ");
    fputc('\n', to);
}

static void control_as_json(connect_talk *talk, const wring_message *message) {
    if (message->opcode != WRING_CLOSE) { /* a close is told by connect_show_end */
        FILE *to = event_open(message->opcode == WRING_PING ? "ping" : "pong");
        event_base64(to, "data", message->payload);
        (void)event_put(talk, to, false);
    }
}

void connect_show_control(connect_talk *talk, const wring_message *message) {
    if (talk->options->json) {
        control_as_json(talk, message);
    }
    if (!talk->options->verbose) {
        return;
    }
    FILE *to = connect_record_open(STDERR_FILENO);
    if (message->opcode == WRING_CLOSE) {
        fputs("< close ", to);
        close_put(to, message->close_code, message->payload);
    } else {
        fprintf(to, "< %s, %zu bytes\n", message->opcode == WRING_PING ? "ping" : "pong",
                message->payload.len);
    }
    put(talk, to);
}

/* ---- the session ----------------------------------------------------------------------------- */

/* One line of a peer's text, at most 4 KiB: nothing in it ends the line or turns it round. */
static void show_line(FILE *to, const char *before, wring_bytes text) {
    char shown[4096];
    (void)wring_text_printable(text, shown, sizeof shown);
    fprintf(to, "%s%s\n", before, shown);
}

static void show_header(FILE *to, char direction, const wring_header *header) {
    fprintf(to, "%c %.*s", direction, (int)header->name.len, (const char *)header->name.data);
    show_line(to, ": ", header->value);
}

/* Headers whose values are secrets: a protocol is often pasted into a report. */
static bool is_secret(wring_bytes name) {
    static const char *const secrets[] = {"authorization", "proxy-authorization", "cookie"};
    bool secret = false;
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        secret = secret || cli_name_is(name, secrets[i]);
    }
    return secret;
}

/* A line of the request. Of a secret's value only the scheme is shown: "Bearer", "Basic". */
static void show_request_line(FILE *to, wring_bytes line) {
    const uint8_t *colon = memchr(line.data, ':', line.len);
    const size_t name_len = colon == NULL ? 0 : (size_t)(colon - line.data);
    if (colon == NULL || !is_secret(wring_bytes_of(line.data, name_len))) {
        show_line(to, "> ", line);
        return;
    }
    size_t shown = name_len + 1;
    while (shown < line.len && line.data[shown] == ' ') {
        shown++;
    }
    const uint8_t *space = memchr(line.data + shown, ' ', line.len - shown);
    const bool has_scheme = space != NULL && (line.data[0] | 0x20) != 'c'; /* not of a cookie */
    shown = has_scheme ? (size_t)(space - line.data) + 1 : shown;
    fprintf(to, "> %.*s(hidden)\n", (int)shown, (const char *)line.data);
}

static void show_request(FILE *to, wring_bytes head) {
    size_t at = 0;
    while (at < head.len) {
        const uint8_t *end = memchr(head.data + at, '\r', head.len - at);
        const size_t len = end == NULL ? head.len - at : (size_t)(end - head.data) - at;
        if (len > 0) {
            show_request_line(to, wring_bytes_of(head.data + at, len));
        }
        at += len + 2; /* CR LF */
    }
    fputs(">\n", to);
}

void connect_show_handshake(connect_talk *talk, bool sent, wring_bytes bytes) {
    FILE *to = connect_record_open(STDERR_FILENO);
    if (sent) {
        show_request(to, bytes);
    } else {
        char shown[512 * 4 + 1];
        (void)wring_text_printable(bytes, shown, sizeof shown);
        fprintf(to, "* no answer to an upgrade; its first %zu bytes: %s\n", bytes.len, shown);
    }
    put(talk, to);
}

static void show_answer(FILE *to, const wring_request *request) {
    if (request->tls != NULL) {
        fprintf(to, "* %s, %s%s%s\n", request->tls->version, request->tls->cipher,
                request->tls->resumed ? ", resumed" : "",
                request->tls->peer_verified ? ", certificate verified" : ", not verified");
    }
    fputs(request->http_version == 20 ? "< HTTP/2 200\n" : "< HTTP/1.1 101 Switching Protocols\n",
          to);
    for (size_t i = 0; i < request->headers.count; i++) {
        show_header(to, '<', &request->headers.list[i]);
    }
}

void connect_show_refusal(connect_talk *talk, const wring_http_answer *answer) {
    FILE *to = connect_record_open(STDERR_FILENO);
    if (answer->by_proxy) {
        fputs("* the proxy's answer:\n", to);
    }
    if (talk->options->http2 != 0 && !answer->by_proxy) {
        fprintf(to, "< HTTP/2 %d\n", answer->status);
    } else {
        fprintf(to, "< HTTP/1.1 %d", answer->status);
        show_line(to, " ", answer->reason);
    }
    for (size_t i = 0; i < answer->headers.count; i++) {
        show_header(to, '<', &answer->headers.list[i]);
    }
    fputs("<\n", to);
    if (answer->body.len > 0) {
        connect_tame(to, answer->body, wring_text_is_valid(answer->body), "");
        fputc('\n', to);
    }
    if (!answer->body_is_whole) {
        fprintf(to, "* the body's first %zu bytes\n", answer->body.len);
    }
    put(talk, to);
}

void connect_show_open(connect_talk *talk, const wring_request *request) {
    if (talk->options->verbose) {
        FILE *to = connect_record_open(STDERR_FILENO);
        show_answer(to, request);
        put(talk, to);
    }
    if (talk->options->json) {
        FILE *to = event_open("open");
        event_string(to, "host", request->host);
        event_string(to, "target", request->target);
        if (request->subprotocol.len > 0) {
            event_string(to, "subprotocol", request->subprotocol);
        }
        (void)event_put(talk, to, false);
    }
    if (talk->shows_person) {
        FILE *to = note_open(talk);
        const char *key = connect_linger_ms(talk->options) < 0 ? "Ctrl-C" : "Ctrl-D";
        fprintf(to, "connected to %.*s; %s ends\n", (int)request->host.len,
                (const char *)request->host.data, key);
        put(talk, to);
    }
}

/* Code and reason of a close are those of the side that began it. */
static bool is_own_close(const connect_talk *talk, wring_result result, bool by_peer) {
    return result == WRING_OK && !by_peer && atomic_load(&talk->closing);
}

static wring_bytes own_reason(const connect_talk *talk) {
    return wring_bytes_of(talk->own_reason, talk->own_reason_len);
}

void connect_show_end(connect_talk *talk, const wring_end *end) {
    if (!talk->options->json) {
        return;
    }
    const bool own = is_own_close(talk, end->result, end->by_peer);
    const uint16_t code = own ? talk->own_code : end->close_code;
    FILE *to = event_open("close");
    fprintf(to, ",\"code\":%u,\"name\":\"%s\"", code, wring_close_reason_name(code));
    event_string(to, "reason", own ? own_reason(talk) : reason_of(talk));
    fprintf(to, ",\"by\":\"%s\"", end->by_peer ? "server" : "client");
    if (code != end->close_code) {
        fprintf(to, ",\"answer\":%u", end->close_code);
    }
    (void)event_put(talk, to, false);
}

void connect_show_closed(connect_talk *talk) {
    if (!talk->shows_person) {
        return;
    }
    const bool own = is_own_close(talk, talk->result, talk->closed_by_peer);
    FILE *to = note_open(talk);
    fputs("closed with ", to);
    close_put(to, own ? talk->own_code : talk->close_code,
              own ? own_reason(talk) : reason_of(talk));
    put(talk, to);
}

void connect_show_failure(connect_talk *talk, const char *text) {
    if (talk->options->json) {
        FILE *to = event_open("error");
        event_sentence(to, text);
        (void)event_put(talk, to, false);
    }
}

void connect_show_waiting(connect_talk *talk, const char *text, uint32_t delay_ms) {
    if (talk->options->json) {
        FILE *to = event_open("reconnect");
        event_sentence(to, text);
        fprintf(to, ",\"delay_ms\":%u", delay_ms);
        (void)event_put(talk, to, false);
    }
    FILE *to = connect_record_open(STDERR_FILENO);
    fputs("wring: ", to);
    connect_tame(to, wring_str(text), wring_text_is_valid(wring_str(text)), "  ");
    fprintf(to, "; again in %u ms\n", delay_ms);
    put(talk, to);
}
