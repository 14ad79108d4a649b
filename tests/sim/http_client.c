/* SPDX-License-Identifier: Apache-2.0
 *
 * A client of the scenario `http`: it sends its requests one behind the other, without waiting, and
 * checks that the answers come in their order, one each.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/http.h"

static http_world *const w = &http_now;

/* ---- what it asks ---------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void put(http_client *client, const char *format,
                                                      ...) {
    va_list args;
    va_start(args, format);
    const size_t room = sizeof client->out - client->out_len;
    const int len = vsnprintf((char *)client->out + client->out_len, room, format, args);
    va_end(args);
    EXPECT(len >= 0 && (size_t)len < room);
    client->out_len += (size_t)len;
}

static void put_body(http_client *client, const http_ask *ask) {
    size_t at = 0;
    while (at < ask->body_len) {
        size_t len = ask->body_len - at;
        if (ask->is_chunked) {
            len = wring__min_size(len, 1 + http_random(http_random(4) == 0 ? 2000 : 40));
            put(client, "%zx\r\n", len);
        }
        EXPECT(sizeof client->out - client->out_len > len);
        for (size_t i = 0; i < len; i++) {
            client->out[client->out_len++] = http_byte(ask->id, at++);
        }
        put(client, "%s", ask->is_chunked ? "\r\n" : "");
    }
    put(client, "%s", ask->is_chunked ? "0\r\n\r\n" : "");
}

static bool is_upgrade(const http_ask *ask) {
    return ask->kind == HTTP_HOOK || ask->kind == HTTP_SOCKET;
}

static bool has_body(const http_ask *ask) {
    return ask->body_len > 0 && (ask->kind <= HTTP_INFO || ask->kind == HTTP_ECHO ||
                                 ask->kind == HTTP_UPLOAD || ask->kind == HTTP_MISSING);
}

static void put_head(http_client *client, const http_ask *ask) {
    put(client, "%s %s?q=1 HTTP/1.%d\r\nHost: sim\r\nX-Id: %u\r\n",
        ask->is_head      ? "HEAD"
        : is_upgrade(ask) ? "GET"
        : has_body(ask)   ? "POST"
                          : "GET",
        http_paths[ask->kind], !ask->is_10, ask->id);
    if (is_upgrade(ask)) {
        put(client, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    } else if (ask->is_10) {
        put(client, "%s", ask->asks_close ? "" : "Connection: keep-alive\r\n");
    } else {
        put(client, "%s", ask->asks_close ? "Connection: close\r\n" : "");
    }
    put(client, "%s", ask->expects ? "Expect: 100-continue\r\n" : "");
    if (has_body(ask) && ask->is_chunked) {
        put(client, "Transfer-Encoding: chunked\r\n");
    } else if (has_body(ask)) {
        put(client, "Content-Length: %zu\r\n", ask->body_len);
    }
    put(client, "X-Last: here\r\n\r\n");
}

/* Masked with zeros. */
static void put_frames(http_client *client, const http_ask *ask) {
    client->frames = (unsigned)http_random(4);
    for (unsigned i = 0; i < client->frames; i++) {
        char text[24];
        const int len = snprintf(text, sizeof text, "%u.%u", ask->id, i);
        const uint8_t head[6] = {0x81, (uint8_t)(0x80 | len), 0, 0, 0, 0};
        memcpy(client->out + client->out_len, head, sizeof head);
        client->out_len += sizeof head;
        put(client, "%s", text);
    }
}

static size_t body_len(const http_ask *ask) {
    const uint64_t dice = http_random(20);
    const size_t most = w->run.world == NULL || sim_run_pipe_bytes < 1000 ? 200 : HTTP_BODY_MAX;
    if (ask->is_head || ask->kind >= HTTP_HOOK) {
        return 0;
    }
    if (dice == 0 && ask->kind <= HTTP_UPLOAD && ask->kind != HTTP_STREAM) {
        return HTTP_BODY_MAX + 1 + http_random(3000); /* too much */
    }
    return dice < 6 ? 0 : 1 + http_random(dice < 16 ? 60 : most);
}

static void ask_make(http_client *client, http_ask *ask) {
    const uint64_t dice = http_random(100);
    memset(ask, 0, sizeof *ask);
    ask->client = client;
    ask->id = w->asked_count++;
    w->asked[ask->id] = ask;
    ask->kind = dice < 20 ? HTTP_NOW : (enum http_kind)http_random(HTTP_KINDS);
    if (ask->kind == HTTP_ABORT && http_random(3) > 0) {
        ask->kind = HTTP_STREAM;
    }
    ask->flavour = (unsigned)http_random(1 << 20);
    ask->is_10 = !is_upgrade(ask) && http_random(8) == 0;
    ask->is_head = ask->kind <= HTTP_STREAM && http_random(8) == 0;
    ask->body_len = body_len(ask);
    if (ask->kind == HTTP_STREAM || (ask->kind == HTTP_ABORT && ask->body_len == 0)) {
        ask->body_len += ask->kind == HTTP_ABORT;
    }
    ask->is_chunked = !ask->is_10 && http_random(2) == 0;
    ask->expects = !ask->is_10 && has_body(ask) && http_random(4) == 0;
    ask->asks_close = ask->is_10 ? http_random(2) == 0 : http_random(10) == 0;
    ask->begins_at = client->out_len;
    put_head(client, ask);
    if (has_body(ask)) {
        put_body(client, ask);
    }
    ask->ends_at = client->out_len;
    if (is_upgrade(ask)) {
        put_frames(client, ask);
    }
}

void http_client_plan(http_client *client) {
    const unsigned count = 1 + (unsigned)http_random(HTTP_REQUESTS_MAX);
    memset(client, 0, sizeof *client);
    while (client->count < count) {
        http_ask *ask = &client->asks[client->count++];
        ask_make(client, ask);
        if (is_upgrade(ask)) {
            break; /* what follows is not HTTP */
        }
    }
    client->may_shut = http_random(4) == 0;
}

/* ---- what it is answered --------------------------------------------------------------------- */

static bool text_is(wring_bytes text, const char *other) {
    return wring_bytes_equal(text, wring_str(other));
}

/* The value of a header in the answer's head; empty: there is none. */
static wring_bytes header_of(const http_client *client, size_t head_len, const char *name) {
    char line[64];
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const uint8_t *found = memmem(client->in, head_len, line, strlen(line));
    if (found == NULL) {
        return wring_bytes_of(NULL, 0);
    }
    found += strlen(line);
    const size_t left = head_len - (size_t)(found - client->in);
    const uint8_t *end = memmem(found, left, "\r\n", 2);
    return wring_bytes_of(found, (size_t)(end - found));
}

static size_t number_of(wring_bytes text, int base) {
    char digits[16] = {0};
    EXPECT(text.len > 0 && text.len < sizeof digits);
    memcpy(digits, text.data, text.len);
    return strtoul(digits, NULL, base);
}

struct answer {
    unsigned status;
    size_t head_len;
    size_t len; /* as it lies in `in`, with its head */
    bool is_closing;
    bool has_id;
    bool is_unframed; /* its end is that of the connection: it may be cut, and nobody sees that */
    size_t body_len;
    uint8_t body[65536];
};
static struct answer answer;

/* True: it is there whole. */
static bool chunks_read(const http_client *client) {
    size_t at = answer.head_len;
    answer.body_len = 0;
    for (;;) {
        const uint8_t *line = client->in + at;
        const uint8_t *end = memmem(line, client->in_len - at, "\r\n", 2);
        if (end == NULL) {
            return false;
        }
        const size_t len = number_of(wring_bytes_of(line, (size_t)(end - line)), 16);
        at += (size_t)(end - line) + 2;
        if (client->in_len - at < len + 2) {
            return false;
        }
        memcpy(answer.body + answer.body_len, client->in + at, len);
        answer.body_len += len;
        at += len;
        EXPECT(memcmp(client->in + at, "\r\n", 2) == 0);
        at += 2;
        if (len == 0) {
            answer.len = at;
            return true;
        }
    }
}

static bool body_read(const http_client *client, const http_ask *ask) {
    const wring_bytes length = header_of(client, answer.head_len, "Content-Length");
    const bool is_chunked = header_of(client, answer.head_len, "Transfer-Encoding").len > 0;
    EXPECT(length.len == 0 || !is_chunked);
    answer.body_len = 0;
    answer.len = answer.head_len;
    answer.is_unframed = false;
    if (ask != NULL && ask->is_head &&
        (answer.status == 408 || (answer.status == 503 && ask->requested == 0))) {
        answer.len = client->in_len; /* who has no head knows no method: a body may come */
        return client->had_end;
    }
    if ((ask != NULL && ask->is_head) || answer.status == 204 || answer.status == 304 ||
        answer.status < 200) {
        return true;
    }
    if (is_chunked) {
        EXPECT(ask != NULL && !ask->is_10);
        return chunks_read(client);
    }
    if (length.len == 0) {
        EXPECT(answer.is_closing && ask != NULL && ask->is_10);
        answer.is_unframed = true;
        answer.len = client->in_len;
    } else {
        answer.len += number_of(length, 10);
    }
    if (client->in_len < answer.len || (length.len == 0 && !client->had_end)) {
        return false;
    }
    answer.body_len = answer.len - answer.head_len;
    memcpy(answer.body, client->in + answer.head_len, answer.body_len);
    return true;
}

/* The body that the handler of the request answers with. */
static void body_check(const http_ask *ask) {
    if (ask->is_head) {
        return;
    }
    if (ask->kind == HTTP_STREAM || ask->kind == HTTP_ECHO || answer.is_unframed) {
        EXPECT(answer.body_len == ask->body_len ||
               (answer.is_unframed && answer.body_len < ask->body_len));
        for (size_t i = 0; i < answer.body_len; i++) {
            EXPECT(answer.body[i] == http_byte(ask->id, i));
        }
    } else {
        EXPECT(answer.body_len > 0 &&
               number_of(wring_bytes_of(answer.body, answer.body_len), 10) == ask->id);
    }
}

/* What the library answers itself. */
static bool is_refusal_due(const http_ask *ask) {
    switch (answer.status) {
    case 404:
        return ask->kind == HTTP_MISSING;
    case 405:
        return false;
    case 500:
        return ask->kind == HTTP_SILENT;
    case 413:
        return ask->body_len > HTTP_BODY_MAX && answer.is_closing;
    case 400: /* the body ended early */
        return has_body(ask) && answer.is_closing;
    case 408:
        return answer.is_closing;
    case 503: /* the server drains, or no answer came in time */
        return answer.is_closing;
    default:
        return false;
    }
}

static void answer_check(http_client *client, http_ask *ask) {
    if (ask == NULL || ask->begins_at >= client->out_sent) {
        /* Nothing was asked: it waited for too long, or the server stops. */
        EXPECT((answer.status == 408 || answer.status == 503) && answer.is_closing);
        EXPECT(!answer.has_id && client->next == 0);
        return;
    }
    const bool is_whole = client->out_sent >= ask->ends_at;
    if (answer.has_id) {
        EXPECT(number_of(header_of(client, answer.head_len, "X-Id"), 10) == ask->id);
        EXPECT(ask->requested == 1);
        EXPECT(is_whole || ask->kind == HTTP_UPLOAD || ask->kind == HTTP_ECHO);
        EXPECT(ask->kind != HTTP_SILENT && ask->kind != HTTP_MISSING && ask->kind != HTTP_SOCKET);
        body_check(ask);
    } else {
        EXPECT(is_refusal_due(ask));
    }
    EXPECT(!is_upgrade(ask) || answer.is_closing);
    EXPECT(!ask->asks_close || answer.is_closing);
    ask->is_seen = !answer.is_unframed || ask->end.result == WRING_OK;
    ask->status = answer.status;
    ask->seen_bytes = answer.body_len;
    ask->is_unframed = answer.is_unframed;
}

/* Takes one answer off what came. */
static bool answer_take(http_client *client) {
    http_ask *ask = client->next < client->count ? &client->asks[client->next] : NULL;
    const uint8_t *end = memmem(client->in, client->in_len, "\r\n\r\n", 4);
    EXPECT(client->in_len == 0 || !client->must_end);
    if (end == NULL) {
        return false;
    }
    EXPECT(memcmp(client->in, "HTTP/1.1 ", 9) == 0);
    answer.head_len = (size_t)(end - client->in) + 4;
    answer.status = (unsigned)number_of(wring_bytes_of(client->in + 9, 3), 10);
    answer.has_id = header_of(client, answer.head_len, "X-Id").len > 0;
    answer.is_closing =
        text_is(header_of(client, answer.head_len, "Connection"), "close") ||
        (ask != NULL && ask->is_10 && header_of(client, answer.head_len, "Connection").len == 0);
    if (!body_read(client, ask)) {
        return false;
    }
    if (answer.status == 100) {
        EXPECT(ask != NULL && ask->expects && !client->had_continue);
        client->had_continue = true;
    } else if (answer.status == 101) {
        EXPECT(ask != NULL && is_upgrade(ask) && client->out_sent >= ask->ends_at);
        ask->is_seen = client->is_upgraded = true;
        ask->status = 101;
        client->next++;
    } else {
        answer_check(client, ask);
        client->must_end = answer.is_closing;
        client->had_continue = false;
        client->next++;
    }
    client->in_len -= answer.len;
    memmove(client->in, client->in + answer.len, client->in_len);
    return !client->is_upgraded;
}

/* The echoes of its frames, and the server's close. */
static bool frame_take(http_client *client) {
    const http_ask *ask = &client->asks[client->next - 1];
    char text[24];
    if (client->in_len < 2 || client->in_len < 2u + client->in[1]) {
        return false;
    }
    EXPECT(client->in[0] == 0x81 || client->in[0] == 0x88);
    if (client->in[0] == 0x81) {
        const int len = snprintf(text, sizeof text, "%u.%u", ask->id, client->echoes++);
        EXPECT(client->in[1] == len && memcmp(client->in + 2, text, (size_t)len) == 0);
    } else {
        EXPECT(client->in[1] >= 2 && (client->in[2] << 8 | client->in[3]) == 1001);
    }
    const size_t used = 2u + client->in[1];
    client->in_len -= used;
    memmove(client->in, client->in + used, client->in_len);
    return true;
}

static void take_all(http_client *client) {
    while (!client->is_upgraded && answer_take(client)) {
    }
    while (client->is_upgraded && frame_take(client)) {
    }
}

/* ---- what it does ---------------------------------------------------------------------------- */

static void cut(http_client *client, bool reset) {
    client->is_over = true;
    wring__sim_peer_close(w->run.world, client->socket, reset);
}

static void receive(http_client *client) {
    uint8_t *room = client->in + client->in_len;
    const size_t cap = wring__min_size(1 + http_random(3000), sizeof client->in - client->in_len);
    bool end = false;
    bool reset = false;
    EXPECT(cap > 0);
    const size_t len = wring__sim_peer_recv(w->run.world, client->socket, room, cap, &end, &reset);
    client->in_len += len;
    client->had_end = end && !reset;
    if (len > 0 || end) {
        take_all(client);
    }
    if (end) {
        cut(client, false);
    }
}

static void transmit(http_client *client) {
    const size_t left = client->out_len - client->out_sent;
    if (left > 0 && !client->has_shut) {
        const size_t len = 1 + http_random(http_random(3) == 0 ? left : wring__min_size(left, 30));
        client->out_sent += wring__sim_peer_send(
            w->run.world, client->socket, wring_bytes_of(client->out + client->out_sent, len));
    }
    if (!client->has_shut &&
        ((left == 0 && client->may_shut) || (client->may_shut && http_random(400) == 0))) {
        client->has_shut = true;
        wring__sim_peer_shutdown(w->run.world, client->socket);
    }
}

void http_client_step(http_client *client) {
    if (!client->has_dialled) {
        client->has_dialled = true;
        client->socket = wring__sim_dial(w->run.world, w->run.port);
        if (client->socket == WRING__SOCKET_NONE) { /* the server stops already */
            EXPECT(w->is_draining);
            client->is_over = true;
        }
    }
    if (client->is_over || client->waits_until > wring__sim_now(w->run.world)) {
        return;
    }
    if (http_random(60) == 0) {
        client->has_waited = true;
        client->waits_until = wring__sim_now(w->run.world) +
                              http_random(http_random(4) == 0 ? 1500 : 20) * WRING_NS_PER_MS;
        wring__sim_alarm(w->run.world, client->waits_until);
        return;
    }
    transmit(client);
    receive(client);
    const bool is_content =
        client->next == client->count && (!client->is_upgraded || client->echoes == client->frames);
    const bool awaits_echoes = client->is_upgraded && client->out_sent == client->out_len;
    if (!client->is_over &&
        ((http_random(2000) == 0 && !awaits_echoes) || (is_content && http_random(20) == 0))) {
        client->is_cut = !is_content;
        cut(client, http_random(2) == 0);
    }
}
