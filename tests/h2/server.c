/* SPDX-License-Identifier: Apache-2.0
 *
 * A server that speaks cleartext HTTP/2 beside HTTP/1.1, for the scripts. It echoes, and what comes
 * to /chat reaches all who are there. It says "port N"; the end of input ends it in order.
 *
 *     h2-server [CERTIFICATE KEY]    with them all of that is inside TLS
 */
#include <stdio.h>

#include "server/server.h"
#include "tests/h2/carrier.h"

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

int main(int argc, char **argv) {
    static const wring_handler echo = {
        .struct_size = sizeof echo, .name = "echo", .handle_in = echo_in};
    static const wring_handler chat = {
        .struct_size = sizeof chat, .name = "chat", .init = chat_join, .handle_in = chat_in};
    const wring_route routes[] = {
        {.struct_size = sizeof(wring_route), .path = "/echo", .handler = &echo},
        {.struct_size = sizeof(wring_route), .path = "/chat", .handler = &chat}};
    const wring_tls_server_config tls = {.struct_size = sizeof tls,
                                         .cert_file = argc > 2 ? argv[1] : NULL,
                                         .key_file = argc > 2 ? argv[2] : NULL};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = 2,
                                        .routes = routes,
                                        .route_count = 2,
                                        .tls = argc > 2 ? &tls : NULL};
    wring_error error;
    if (wring_server_create(&config, &server, &error) == WRING_OK) {
        server->carrier = &h2_carrier;
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
