/* SPDX-License-Identifier: Apache-2.0
 *
 * One admin request to one response. Knows no socket. See admin.h.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli/admin.h"
#include "cli/publish.h"

#define PUBLISH "/publish/"

/* ---- responses ------------------------------------------------------------------------------- */

static void body_add(admin_response *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void body_add(admin_response *out, const char *format, ...) {
    va_list args;
    va_start(args, format);
    size_t room = sizeof out->body - out->body_len;
    int n = vsnprintf(out->body + out->body_len, room, format, args);
    va_end(args);
    out->body_len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* Writes the head for the body at hand. @param extra  whole header lines, or "" */
static enum admin_step answer(admin_response *out, int status, const char *type,
                              const char *extra) {
    int n = snprintf(out->head, sizeof out->head,
                     "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                     "Cache-Control: no-store\r\n%s%s\r\n",
                     status, wring_http_reason(status), type, out->body_len, extra,
                     out->keep_alive ? "" : "Connection: close\r\n");
    out->head_len = n < 0 ? 0 : (size_t)n;
    return ADMIN_ANSWER;
}

static enum admin_step answer_json(admin_response *out, int status) {
    return answer(out, status, "application/json", "");
}

static enum admin_step answer_text(admin_response *out, int status, const char *text,
                                   const char *extra) {
    body_add(out, "%s\n", text);
    return answer(out, status, "text/plain; charset=utf-8", extra);
}

/* What was sent behind such a request cannot be told from a next one: it ends the connection. */
static enum admin_step refuse(admin_response *out, int status, const char *text,
                              const char *extra) {
    out->keep_alive = false;
    return answer_text(out, status, text, extra);
}

/* ---- who may ask ----------------------------------------------------------------------------- */

static bool same_bytes(wring_bytes a, const char *b) {
    return wring_bytes_equal(a, wring_str(b));
}

static bool begins(wring_bytes text, const char *with) {
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.data, with, len) == 0;
}

/* A page in somebody's browser may reach the loopback, under a name of its own choice and with its
 * Origin: neither is answered. */
static bool is_local(const wring_request *request) {
    wring_bytes host = request->host;
    const size_t bracket = begins(host, "[::1]") ? 5 : 0;
    for (size_t i = bracket; i < host.len; i++) {
        if (host.data[i] == ':') {
            host.len = i;
        }
    }
    return request->origin.len == 0 && (same_bytes(host, "127.0.0.1") ||
                                        same_bytes(host, "localhost") || same_bytes(host, "[::1]"));
}

/* ---- the resources --------------------------------------------------------------------------- */

static void backend_add(admin_response *out, uint32_t workers, const wring_server_stats *s) {
    body_add(out, "{\"workers\":%u,\"backend\":\"%s\",\"backend_reason\":\"", workers,
             wring_backend_name(s->backend));
    for (const char *c = s->backend_reason; *c != 0; c++) { /* a sentence of ours: ASCII */
        body_add(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    }
    body_add(out, "\"");
}

static enum admin_step stats(const admin_config *config, admin_response *out) {
    wring_deflate_stats d = {.struct_size = sizeof d};
    wring_server_stats s = {.struct_size = sizeof s, .deflate = &d};
    wring_server_get_stats(config->server, &s);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"connections", s.connections},
        {"accepted", s.accepted},
        {"accept_errors", s.accept_errors},
        {"accept_errno", s.accept_errno},
        {"closed", s.closed},
        {"exchanges", s.exchanges},
        {"sessions", s.sessions},
        {"upgraded", s.upgraded},
        {"rx_messages", s.rx_messages},
        {"tx_messages", s.tx_messages},
        {"rx_bytes", s.rx_bytes},
        {"tx_bytes", s.tx_bytes},
        {"turns", s.turns},
        {"mail_refused", s.mail_refused},
        {"mail_stale", s.mail_stale},
        {"mail_lost", s.mail_lost},
        {"reads_paused", s.reads_paused},
        {"congested", s.congested},
        {"dropped_newest", s.dropped_newest},
        {"dropped_oldest", s.dropped_oldest},
        {"dropped_replaced", s.dropped_replaced},
        {"slow_ended", s.slow_ended},
        {"rate_ended", s.rate_ended},
        {"too_old", s.too_old},
        {"refused_total", s.refused_total},
        {"refused_source", s.refused_source},
        {"memory_held", s.memory_held_bytes},
        {"memory_stops", s.memory_stops},
        {"memory_evicted", s.memory_evicted},
        {"refused_memory", s.refused_memory},
        {"handshakes_evicted", s.handshakes_evicted},
        {"refused_tls_rate", s.refused_tls_rate},
        {"http2_connections", s.http2_connections},
        {"http2_streams", s.http2_streams},
        {"http2_refused", s.http2_refused},
        {"http2_calmed", s.http2_calmed},
        {"deflate_connections", s.deflate_connections},
        {"deflate_published", s.deflate_published},
        {"deflate_published_bytes_before", s.deflate_published_bytes_before},
        {"deflate_published_bytes_after", s.deflate_published_bytes_after},
        {"deflate_tx_messages", d.tx_messages},
        {"deflate_tx_bytes_before", d.tx_bytes_before},
        {"deflate_tx_bytes_after", d.tx_bytes_after},
        {"deflate_tx_plain_messages", d.tx_plain_messages},
        {"deflate_rx_messages", d.rx_messages},
        {"deflate_rx_bytes_before", d.rx_bytes_before},
        {"deflate_rx_bytes_after", d.rx_bytes_after},
        {"deflate_rx_interrupted", d.rx_interrupted},
        {"deflate_tx_interrupted", d.tx_interrupted},
        {"deflate_takeover_refused", d.takeover_refused},
        {"deflate_context_bytes", d.context_bytes},
    };
    backend_add(out, wring_server_worker_count(config->server), &s);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        body_add(out, ",\"%s\":%" PRIu64, rows[i].name, rows[i].value);
    }
    body_add(out, "}\n");
    return answer_json(out, 200);
}

static enum admin_step publish(const admin_config *config, const wring_request *request,
                               wring_bytes body, admin_response *out) {
    char name[WRING_TOPIC_MAX];
    const size_t skip = sizeof PUBLISH - 1;
    const size_t len = publish_name_decode(
        wring_bytes_of(request->path.data + skip, request->path.len - skip), name);
    if (len == 0) {
        return answer_text(out, 404, PUBLISH_NAME_RULE, "");
    }
    wring_frame frame = {publish_opcode(request), 0, WRING_COMPRESS_DEFAULT, body};
    if (frame.opcode == WRING_TEXT && !wring_text_is_valid(body)) {
        return answer_text(out, 400, "the body is not UTF-8: publish it with ?binary=1", "");
    }
    wring_result result = wring_server_publish(config->server, wring_bytes_of(name, len), &frame);
    switch (result) {
    case WRING_OK:
        body_add(out, "{\"bytes\":%zu,\"binary\":%s,\"workers\":%u}\n", body.len,
                 frame.opcode == WRING_BINARY ? "true" : "false",
                 wring_server_topic_workers(config->server, wring_bytes_of(name, len)));
        return answer_json(out, 202);
    case WRING_ERR_QUEUE_FULL:
        return answer_text(out, 503, "a worker's mailbox is full: its subscribers missed this",
                           "Retry-After: 1\r\n");
    default:
        return answer_text(out, 503, wring_result_text(result), "");
    }
}

/* ---- the request ----------------------------------------------------------------------------- */

/* Bytes of the body; false for a length that is none (RFC 9112 6.3). */
static bool content_length(const wring_request *request, size_t *len) {
    wring_bytes text;
    *len = 0;
    if (!wring_headers_get(request->headers, "content-length", &text)) {
        return true;
    }
    if (wring_headers_count(request->headers, "content-length") != 1 || text.len == 0 ||
        text.len > 15) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        *len = *len * 10 + (text.data[i] - (size_t)'0');
    }
    return true;
}

/* What the head alone decides: before a byte of a body is waited for. ADMIN_MORE: go on. */
static enum admin_step judge(const admin_config *config, const wring_request *request,
                             admin_response *out) {
    const bool is_publish = begins(request->path, PUBLISH);
    const bool is_stats = same_bytes(request->path, "/stats");
    const char *method = is_publish ? "POST" : "GET";
    if (!is_publish && !is_stats && !same_bytes(request->path, "/healthz") &&
        !same_bytes(request->path, "/readyz")) {
        return answer_text(out, 404, "there are /publish/NAME, /stats, /healthz and /readyz", "");
    }
    if ((is_publish || is_stats) && !publish_token_is_right(config->token, request)) {
        return answer_text(out, 401, "the bearer token is missing or wrong",
                           "WWW-Authenticate: Bearer\r\n");
    }
    if (!same_bytes(request->method, method)) {
        return is_publish ? answer_text(out, 405, "messages are posted", "Allow: POST\r\n")
                          : answer_text(out, 405, "this is only read", "Allow: GET\r\n");
    }
    return ADMIN_MORE;
}

static enum admin_step act(const admin_config *config, bool ready, const wring_request *request,
                           wring_bytes body, admin_response *out) {
    if (begins(request->path, PUBLISH)) {
        return publish(config, request, body, out);
    }
    if (same_bytes(request->path, "/stats")) {
        return stats(config, out);
    }
    const bool good = ready || same_bytes(request->path, "/healthz");
    return answer_text(out, good ? 200 : 503, good ? "ok" : "draining", "");
}

static enum admin_step head_failed(wring_result result, wring_bytes bytes, admin_response *out) {
    if (result == WRING_MORE && bytes.len < ADMIN_HEAD_MAX) {
        return ADMIN_MORE;
    }
    return result == WRING_MORE
               ? refuse(out, 431, "the request head is over 8 KiB", "")
               : refuse(out, wring_http_status(result), wring_result_text(result), "");
}

enum admin_step admin_request(const admin_config *config, bool ready, wring_bytes bytes,
                              admin_response *out) {
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_request request = {.struct_size = sizeof request};
    size_t head_len = 0;
    size_t body_len = 0;
    memset(out, 0, sizeof *out);
    wring_result result = wring_h1_request_parse(bytes, list, &request, &head_len);
    if (result != WRING_OK) {
        return head_failed(result, bytes, out);
    }
    if (wring_headers_count(request.headers, "host") != 1) {
        return refuse(out, 400, "one Host header is needed", "");
    }
    if (!is_local(&request)) {
        return refuse(out, 403, "only for programs on this machine, asked by a loopback name", "");
    }
    if (wring_headers_count(request.headers, "transfer-encoding") != 0) {
        return refuse(out, 411, "send the body with a Content-Length", "");
    }
    if (!content_length(&request, &body_len)) {
        return refuse(out, 400, "Content-Length is not a number", "");
    }
    if (body_len > config->body_max) {
        return refuse(out, 413, "the body is over the limit of --admin-max-body", "");
    }
    const bool whole = bytes.len - head_len >= body_len;
    out->used = head_len + body_len;
    out->keep_alive = whole && !wring_headers_has_token(request.headers, "connection", "close");
    enum admin_step step = judge(config, &request, out);
    if (step == ADMIN_ANSWER) {
        return step;
    }
    if (!whole) {
        bool waits = bytes.len == head_len && /* RFC 9110 10.1.1 */
                     wring_headers_has_token(request.headers, "expect", "100-continue");
        return waits ? ADMIN_CONTINUE : ADMIN_MORE;
    }
    return act(config, ready, &request, wring_bytes_of(bytes.data + head_len, body_len), out);
}
