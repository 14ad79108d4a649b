/* SPDX-License-Identifier: Apache-2.0
 *
 * The routes of `wring serve`: /echo, /chat, /topic/NAME, /healthz and the chat page.
 *
 * /chat speaks JSON: {"type":"welcome","worker":0,"id":"u1"} to the one who joins,
 * {"type":"message","from":"u1","worker":0,"text":"..."} and {"type":"presence","online":2} to all.
 *
 * Who connects to /topic/NAME subscribes to NAME; what it sends goes to all others there.
 */
#include "cli/routes.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

extern const unsigned char wring_page_index[];
extern const size_t wring_page_index_len;

/* ---- /echo ----------------------------------------------------------------------------------- */

static wring_verdict echo_in(wring_session *session, const wring_message *message) {
    if (message->opcode != WRING_TEXT && message->opcode != WRING_BINARY) {
        return WRING_CONTINUE;
    }
    wring_frame frame = {message->opcode, 0, WRING_COMPRESS_DEFAULT, message->payload};
    return wring_session_send(session, &frame) == WRING_ERR_NO_MEMORY ? WRING_STOP : WRING_CONTINUE;
}

static const wring_handler echo_handler = {
    .struct_size = sizeof echo_handler, .name = "echo", .handle_in = echo_in};

/* ---- /chat ----------------------------------------------------------------------------------- */

#define CHAT_TOPIC    "\x01chat" /* no name of a /topic has control characters */
#define CHAT_TEXT_MAX 4096

struct chat {
    serve_app *app;
    unsigned id;
};

static void chat_publish(const struct chat *chat, const char *json, int len) {
    wring_frame frame = wring_frame_text(wring_bytes_of(json, (size_t)len));
    /* A full mailbox loses a chat line on that worker; the server counts it. */
    (void)!wring_server_publish(chat->app->server, wring_str(CHAT_TOPIC), &frame);
}

static void chat_presence(const struct chat *chat, unsigned online) {
    char json[64];
    chat_publish(chat, json,
                 snprintf(json, sizeof json, "{\"type\":\"presence\",\"online\":%u}", online));
}

static wring_verdict chat_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    struct chat *chat = wring_session_user(session);
    chat->app = opts;
    chat->id = atomic_fetch_add(&chat->app->chat_next, 1) + 1;
    char json[96];
    int len = snprintf(json, sizeof json, "{\"type\":\"welcome\",\"worker\":%u,\"id\":\"u%u\"}",
                       wring_session_worker(session), chat->id);
    wring_frame welcome = wring_frame_text(wring_bytes_of(json, (size_t)len));
    if (wring_session_subscribe(session, wring_str(CHAT_TOPIC)) != WRING_OK ||
        wring_session_send(session, &welcome) != WRING_OK) {
        wring_session_close(session, WRING_CLOSE_INTERNAL_ERROR, wring_str("out of memory"));
    }
    chat_presence(chat, atomic_fetch_add(&chat->app->chat_online, 1) + 1);
    return WRING_CONTINUE;
}

/* Writes `text` as the inside of a JSON string; the text is valid UTF-8, the session saw to it. */
static size_t json_escape(char *out, wring_bytes text) {
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\') {
            out[n++] = '\\';
            out[n++] = (char)c;
        } else if (c < 0x20) {
            out[n++] = '\\';
            out[n++] = 'u';
            out[n++] = '0';
            out[n++] = '0';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        } else {
            out[n++] = (char)c;
        }
    }
    return n;
}

static wring_verdict chat_in(wring_session *session, const wring_message *message) {
    struct chat *chat = wring_session_user(session);
    if (message->opcode != WRING_TEXT) {
        return WRING_CONTINUE;
    }
    if (message->payload.len > CHAT_TEXT_MAX) {
        wring_session_close(session, WRING_CLOSE_MESSAGE_TOO_BIG,
                            wring_str("a chat line is at most 4,096 bytes"));
        return WRING_CONTINUE;
    }
    char json[CHAT_TEXT_MAX * 6 + 128]; /* a control byte becomes six */
    int head =
        snprintf(json, 128, "{\"type\":\"message\",\"from\":\"u%u\",\"worker\":%u,\"text\":\"",
                 chat->id, wring_session_worker(session));
    size_t len = (size_t)head + json_escape(json + head, message->payload);
    json[len++] = '"';
    json[len++] = '}';
    chat_publish(chat, json, (int)len);
    return WRING_CONTINUE;
}

static void chat_terminate(wring_session *session, const wring_end *end) {
    (void)end;
    struct chat *chat = wring_session_user(session);
    chat_presence(chat, atomic_fetch_sub(&chat->app->chat_online, 1) - 1);
}

static const wring_handler chat_handler = {.struct_size = sizeof chat_handler,
                                           .name = "chat",
                                           .state_size = sizeof(struct chat),
                                           .init = chat_init,
                                           .handle_in = chat_in,
                                           .terminate = chat_terminate};

/* ---- /topic/NAME ----------------------------------------------------------------------------- */

#define TOPIC_PREFIX "/topic/"

struct topic {
    char *name; /* its own block: most connections of a server have another route. NULL: joined none
                 */
    size_t len;
};

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t serve_topic_name(wring_bytes raw, char name[WRING_TOPIC_MAX]) {
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        int c = raw.data[i];
        if (c == '%') { /* RFC 3986 2.1 */
            int high = i + 2 < raw.len ? hex_digit(raw.data[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_digit(raw.data[i + 2]);
            c = low < 0 ? 0 : high << 4 | low;
            i += 2;
        }
        if (c < 0x20 || c == 0x7F || len == WRING_TOPIC_MAX) {
            return 0;
        }
        name[len++] = (char)c;
    }
    return len;
}

static wring_verdict topic_init(wring_session *session, const wring_request *request, void *opts) {
    (void)opts;
    struct topic *topic = wring_session_user(session);
    const size_t prefix = sizeof TOPIC_PREFIX - 1;
    wring_bytes raw = wring_bytes_of(request->path.data + prefix, request->path.len - prefix);
    char name[WRING_TOPIC_MAX];
    const size_t len = serve_topic_name(raw, name);
    if (len == 0) {
        wring_session_close(session, WRING_CLOSE_POLICY_VIOLATION,
                            wring_str("a topic's name has 1 to 255 bytes, none a control byte"));
        return WRING_CONTINUE;
    }
    char *kept = malloc(len);
    if (kept == NULL || wring_session_subscribe(session, wring_bytes_of(name, len)) != WRING_OK) {
        free(kept);
        wring_session_close(session, WRING_CLOSE_INTERNAL_ERROR, wring_str("out of memory"));
        return WRING_CONTINUE;
    }
    memcpy(kept, name, len);
    topic->name = kept;
    topic->len = len;
    return WRING_CONTINUE;
}

static wring_verdict topic_in(wring_session *session, const wring_message *message) {
    const struct topic *topic = wring_session_user(session);
    if (topic->name != NULL && (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY)) {
        wring_frame frame = {message->opcode, 0, WRING_COMPRESS_DEFAULT, message->payload};
        /* A full mailbox loses it on that worker; the server counts it. */
        (void)!wring_session_publish(session, wring_bytes_of(topic->name, topic->len), &frame);
    }
    return WRING_CONTINUE;
}

static void topic_terminate(wring_session *session, const wring_end *end) {
    (void)end;
    struct topic *topic = wring_session_user(session);
    free(topic->name);
}

static const wring_handler topic_handler = {.struct_size = sizeof topic_handler,
                                            .name = "topic",
                                            .state_size = sizeof(struct topic),
                                            .init = topic_init,
                                            .handle_in = topic_in,
                                            .terminate = topic_terminate};

/* ---- plain HTTP ------------------------------------------------------------------------------ */

static void respond_healthz(const wring_request *request, wring_http_response *response,
                            void *opts) {
    (void)request;
    (void)opts;
    response->body = wring_str("ok\n");
}

static void respond_page(const wring_request *request, wring_http_response *response, void *opts) {
    (void)request;
    (void)opts;
    response->content_type = "text/html; charset=utf-8";
    response->body = wring_bytes_of(wring_page_index, wring_page_index_len);
}

void serve_routes(serve_app *app, wring_route routes[SERVE_ROUTES]) {
    routes[0] = (wring_route){.path = "/echo", .handler = &echo_handler};
    routes[1] = (wring_route){.path = "/chat", .handler = &chat_handler, .opts = app};
    routes[2] = (wring_route){.path = "/healthz", .respond = respond_healthz};
    routes[3] = (wring_route){.path = "/", .respond = respond_page};
    routes[4] = (wring_route){.path = TOPIC_PREFIX "*", .handler = &topic_handler};
    for (size_t i = 0; i < SERVE_ROUTES; i++) {
        routes[i].struct_size = sizeof routes[i];
    }
}
