/* SPDX-License-Identifier: Apache-2.0
 *
 * /topic/NAME of `wring serve`. Who connects by WebSocket subscribes to NAME. Where clients may
 * publish, what a subscriber sends goes to all others there, and the body of a POST to all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/publish.h"
#include "cli/routes.h"
#include "wring/exchange.h"

#define TOPIC_PREFIX "/topic/"

/* ---- who may publish ------------------------------------------------------------------------- */

static bool topic_is_open(const serve_publish *publish, wring_bytes name) {
    for (size_t i = 0; i < publish->topics.count; i++) {
        const wring_bytes pattern = wring_str(publish->topics.list[i]);
        const bool is_prefix = pattern.len > 0 && pattern.data[pattern.len - 1] == '*';
        const size_t len = is_prefix ? pattern.len - 1 : pattern.len;
        if ((is_prefix ? name.len >= len : name.len == len) &&
            memcmp(name.data, pattern.data, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_same_text(wring_bytes a, wring_bytes b) {
    return a.len == b.len && strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0;
}

/* The host of "host", "host:port", "[address]:port". */
static wring_bytes host_of(wring_bytes authority) {
    size_t len = authority.len;
    while (len > 0 && authority.data[len - 1] >= '0' && authority.data[len - 1] <= '9') {
        len--;
    }
    const bool has_port = len > 0 && authority.data[len - 1] == ':';
    return wring_bytes_of(authority.data, has_port ? len - 1 : authority.len);
}

/* A browser lets every page post to every server, and names the page's origin. The library compares
 * the origins of upgrades; those of other requests are the application's to compare. As there,
 * ports are not compared: a proxy may have changed them. */
static bool origin_is_allowed(const serve_app *app, const wring_request *request) {
    const wring_bytes origin = request->origin;
    size_t scheme = 0;
    for (size_t i = 0; i < app->origins.count; i++) {
        const wring_bytes listed = wring_str(app->origins.list[i]);
        if (wring_bytes_equal(listed, wring_str("*")) || is_same_text(listed, origin)) {
            return true;
        }
    }
    while (scheme + 3 <= origin.len && memcmp(origin.data + scheme, "://", 3) != 0) {
        scheme++;
    }
    return origin.len == 0 ||
           (scheme + 3 <= origin.len &&
            is_same_text(host_of(wring_bytes_of(origin.data + scheme + 3, origin.len - scheme - 3)),
                         host_of(request->host)));
}

static wring_bytes topic_name(const wring_request *request) {
    const size_t prefix = sizeof TOPIC_PREFIX - 1;
    return wring_bytes_of(request->path.data + prefix, request->path.len - prefix);
}

/* ---- WebSockets ------------------------------------------------------------------------------ */

struct topic {
    char *name; /* its own block: most connections of a server have another route. NULL: joined none
                 */
    size_t len;
    const char *refusal; /* why this client may not publish; NULL: it may */
};

static const char *publish_refusal(const serve_app *app, const wring_request *request,
                                   wring_bytes name) {
    if (!topic_is_open(&app->publish, name)) {
        return "clients may not publish to this topic (--allow-publish)";
    }
    return publish_token_is_right(app->publish.token, request)
               ? NULL
               : "to publish here, connect with the bearer token";
}

static wring_verdict topic_init(wring_session *session, const wring_request *request, void *opts) {
    struct topic *topic = wring_session_user(session);
    const wring_bytes name = topic_name(request);
    if (!publish_name_is_legal(name)) {
        wring_session_close(session, WRING_CLOSE_POLICY_VIOLATION, wring_str(PUBLISH_NAME_RULE));
        return WRING_CONTINUE;
    }
    char *kept = malloc(name.len);
    if (kept == NULL || wring_session_subscribe(session, name) != WRING_OK) {
        free(kept);
        wring_session_close(session, WRING_CLOSE_INTERNAL_ERROR, wring_str("out of memory"));
        return WRING_CONTINUE;
    }
    memcpy(kept, name.data, name.len);
    topic->name = kept;
    topic->len = name.len;
    topic->refusal = publish_refusal(opts, request, name);
    return WRING_CONTINUE;
}

static wring_verdict topic_in(wring_session *session, const wring_message *message) {
    const struct topic *topic = wring_session_user(session);
    if (topic->name == NULL || (message->opcode != WRING_TEXT && message->opcode != WRING_BINARY)) {
        return WRING_CONTINUE;
    }
    if (topic->refusal != NULL) {
        wring_session_close(session, WRING_CLOSE_POLICY_VIOLATION, wring_str(topic->refusal));
        return WRING_CONTINUE;
    }
    wring_frame frame = {message->opcode, 0, WRING_COMPRESS_DEFAULT, message->payload};
    /* A full mailbox loses it on that worker; the server counts it. */
    (void)!wring_session_publish(session, wring_bytes_of(topic->name, topic->len), &frame);
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

/* ---- POST ------------------------------------------------------------------------------------ */

static void answer_text(wring_exchange *exchange, uint16_t status, const char *text,
                        wring_header header) {
    char body[256];
    const int len = snprintf(body, sizeof body, "%s\n", text);
    const wring_answer answer = {.struct_size = sizeof answer,
                                 .status = status,
                                 .headers = {&header, header.name.len == 0 ? 0 : 1},
                                 .body = wring_bytes_of(body, (size_t)len)};
    (void)!wring_exchange_answer(exchange, &answer); /* else the client gets 500, or is gone */
}

static const wring_header no_header = {.name = {NULL, 0}};

/* Answers what may not be published. True: it was answered. */
static bool post_refuse(const serve_app *app, wring_exchange *exchange,
                        const wring_request *request) {
    const wring_bytes name = topic_name(request);
    if (!publish_name_is_legal(name)) {
        answer_text(exchange, 404, PUBLISH_NAME_RULE, no_header);
    } else if (!topic_is_open(&app->publish, name)) {
        answer_text(exchange, 403, "clients may not publish to this topic", no_header);
    } else if (!origin_is_allowed(app, request)) {
        answer_text(exchange, 403, "pages of this Origin may not publish here", no_header);
    } else if (!publish_token_is_right(app->publish.token, request)) {
        answer_text(exchange, 401, "the bearer token is missing or wrong",
                    (wring_header){wring_str("WWW-Authenticate"), wring_str("Bearer")});
    } else if (publish_opcode(request) == WRING_TEXT && !wring_text_is_valid(request->body)) {
        answer_text(exchange, 400, "the body is not UTF-8: publish it with ?binary=1", no_header);
    } else {
        return false;
    }
    return true;
}

static void post_request(wring_exchange *exchange, const wring_request *request, void *opts) {
    const serve_app *app = opts;
    if (post_refuse(app, exchange, request)) {
        return;
    }
    const wring_bytes name = topic_name(request);
    const wring_frame frame = {publish_opcode(request), 0, WRING_COMPRESS_DEFAULT, request->body};
    const wring_result result = wring_server_publish(app->server, name, &frame);
    if (result != WRING_OK) {
        answer_text(exchange, 503,
                    result == WRING_ERR_QUEUE_FULL
                        ? "a worker's mailbox is full: its subscribers missed this"
                        : wring_result_text(result),
                    (wring_header){wring_str("Retry-After"), wring_str("1")});
        return;
    }
    char json[96];
    const int len = snprintf(json, sizeof json, "{\"bytes\":%zu,\"binary\":%s,\"workers\":%u}\n",
                             request->body.len, frame.opcode == WRING_BINARY ? "true" : "false",
                             wring_server_topic_workers(app->server, name));
    const wring_answer answer = {.struct_size = sizeof answer,
                                 .status = 202,
                                 .content_type = "application/json",
                                 .body = wring_bytes_of(json, (size_t)len)};
    (void)!wring_exchange_answer(exchange, &answer);
}

static const wring_http_handler post_handler = {
    .struct_size = sizeof post_handler, .name = "publish", .request = post_request};

wring_route serve_topic_route(serve_app *app) {
    return (wring_route){.struct_size = sizeof(wring_route),
                         .path = TOPIC_PREFIX "*",
                         .handler = &topic_handler,
                         .opts = app,
                         .methods = "POST",
                         .http = &post_handler};
}
