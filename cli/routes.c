/* SPDX-License-Identifier: Apache-2.0
 *
 * The routes of `wring serve`: /echo, /chat, /healthz and the chat page; and the table of all.
 *
 * /chat speaks JSON: {"type":"welcome","worker":0,"id":"u1"} to the one who joins,
 * {"type":"message","from":"u1","worker":0,"text":"..."} and {"type":"presence","online":2} to all.
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

/* ---- plain HTTP ------------------------------------------------------------------------------ */

static void healthz_request(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    const wring_header no_store = {wring_str("Cache-Control"), wring_str("no-store")};
    const wring_answer ok = {
        .struct_size = sizeof ok, .headers = {&no_store, 1}, .body = wring_str("ok\n")};
    (void)!wring_exchange_answer(exchange, &ok);
}

static const wring_http_handler healthz_handler = {
    .struct_size = sizeof healthz_handler, .name = "healthz", .request = healthz_request};

static void page_request(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    const wring_answer page = {.struct_size = sizeof page,
                               .content_type = "text/html; charset=utf-8",
                               .body = wring_bytes_of(wring_page_index, wring_page_index_len)};
    (void)!wring_exchange_answer(exchange, &page);
}

static const wring_http_handler page_handler = {
    .struct_size = sizeof page_handler, .name = "page", .request = page_request};

/* ---- the table ------------------------------------------------------------------------------- */

const char *const serve_route_names[SERVE_ROUTES] = {"echo", "chat", "topic", "page", "health"};

size_t serve_routes(serve_app *app, wring_route routes[SERVE_ROUTES]) {
    const wring_route all[SERVE_ROUTES] = {
        [SERVE_ECHO] = {.path = "/echo", .handler = &echo_handler},
        [SERVE_CHAT] = {.path = "/chat", .handler = &chat_handler, .opts = app},
        [SERVE_TOPIC] = serve_topic_route(app),
        [SERVE_PAGE] = {.path = "/", .http = &page_handler},
        [SERVE_HEALTH] = {.path = "/healthz", .http = &healthz_handler},
    };
    size_t count = 0;
    for (size_t i = 0; i < SERVE_ROUTES; i++) {
        if ((app->routes & 1u << i) == 0) {
            continue;
        }
        wring_route *route = &routes[count++];
        *route = all[i];
        route->struct_size = sizeof *route;
        if (route->handler != NULL) {
            route->origins = app->origins.list;
            route->origin_count = app->origins.count;
        }
    }
    return count;
}
