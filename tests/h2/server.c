/* SPDX-License-Identifier: Apache-2.0
 *
 * A server that speaks cleartext HTTP/2 beside HTTP/1.1, for the scripts. It echoes, and what comes
 * to /chat reaches all who are there. It says "port N"; the end of input ends it in order.
 *
 *     h2-server [CERTIFICATE KEY]    with them all of that is inside TLS
 */
#include <stdio.h>

#include "server/server.h"
#include "wring/ref.h"

static wring_server *server;

static wring_verdict chat_join(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    return wring_session_subscribe(session, wring_str("all")) == WRING_OK ? WRING_CONTINUE
                                                                          : WRING_STOP;
}

static wring_verdict chat_in(wring_session *session, const wring_message *message) {
    (void)session;
    if (message->opcode == WRING_TEXT) {
        const wring_frame frame = wring_frame_text(message->payload);
        return wring_server_publish(server, wring_str("all"), &frame) == WRING_OK ? WRING_CONTINUE
                                                                                  : WRING_STOP;
    }
    return WRING_CONTINUE;
}

static wring_verdict echo_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY) {
        const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
    }
    return WRING_CONTINUE;
}

/* The body of a request, with a pause behind each piece. */
struct upload {
    unsigned long long bytes;
    wring_ref ref;
};

static void upload_begin(wring_exchange *exchange, const wring_request *request, void *opts) {
    struct upload *upload = wring_exchange_user(exchange);
    (void)request;
    (void)opts;
    if (wring_exchange_ref(exchange, &upload->ref) != WRING_OK) {
        wring_exchange_abort(exchange);
    }
}

static void upload_body(wring_exchange *exchange, wring_bytes piece, bool is_last) {
    struct upload *upload = wring_exchange_user(exchange);
    char text[64];
    upload->bytes += piece.len;
    if (is_last) {
        const int len = snprintf(text, sizeof text, "%llu bytes\n", upload->bytes);
        const wring_answer answer = {.struct_size = sizeof answer,
                                     .body = wring_bytes_of(text, (size_t)len)};
        if (wring_exchange_answer(exchange, &answer) != WRING_OK) {
            wring_exchange_abort(exchange);
        }
    } else {
        const wring_info info = {.tag = 1};
        wring_exchange_pause(exchange);
        if (wring_ref_post(upload->ref, &info, NULL) != WRING_OK) {
            wring_exchange_abort(exchange);
        }
    }
}

static void upload_info(wring_exchange *exchange, const wring_info *info) {
    (void)info;
    wring_exchange_resume(exchange);
}

int main(int argc, char **argv) {
    static const wring_handler echo = {
        .struct_size = sizeof echo, .name = "echo", .handle_in = echo_in};
    static const wring_handler chat = {
        .struct_size = sizeof chat, .name = "chat", .init = chat_join, .handle_in = chat_in};
    static const wring_http_handler upload = {.struct_size = sizeof upload,
                                              .name = "upload",
                                              .state_size = sizeof(struct upload),
                                              .request = upload_begin,
                                              .body = upload_body,
                                              .info = upload_info};
    const wring_route routes[] = {
        {.struct_size = sizeof(wring_route), .path = "/echo", .handler = &echo},
        {.struct_size = sizeof(wring_route), .path = "/chat", .handler = &chat},
        {.struct_size = sizeof(wring_route),
         .path = "/upload",
         .methods = "POST",
         .http = &upload}};
    const wring_tls_server_config tls = {.struct_size = sizeof tls,
                                         .cert_file = argc > 2 ? argv[1] : NULL,
                                         .key_file = argc > 2 ? argv[2] : NULL};
    static const wring_http2_config http2 = {.struct_size = sizeof http2, .cleartext = true};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = 2,
                                        .http2 = &http2,
                                        .routes = routes,
                                        .route_count = 3,
                                        .tls = argc > 2 ? &tls : NULL};
    wring_error error;
    if (wring_server_create(&config, &server, &error) == WRING_OK) {
        if (wring_server_start(server, &error) == WRING_OK) {
            printf("port %u\n", wring_server_port(server));
            fflush(stdout);
            while (getchar() != EOF) {
            }
            wring_server_stop(server, 500); /* some clients of the scripts answer no close */
            wring_server_destroy(server);
            return 0;
        }
    }
    fprintf(stderr, "%s\n", error.text);
    return 1;
}
