/* SPDX-License-Identifier: Apache-2.0
 *
 * A server that answers each message with itself in fragments, for the scripts. It says "port
 * N"; the end of input ends it.
 *
 * A message goes out in pieces of 1, 2, 4 ... 4,096, 1, 2 ... bytes, wherever that cuts characters,
 * with a ping behind every fifth. Behind the eighth "shout" is published to all sessions.
 */
#include <stdio.h>
#include <string.h>
#include <wring/wring.h>

static wring_server *server;

static wring_verdict join(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    return wring_session_subscribe(session, wring_str("all")) == WRING_OK ? WRING_CONTINUE
                                                                          : WRING_STOP;
}

static wring_result pieces_send(wring_session *session, wring_bytes payload) {
    const wring_frame ping = {WRING_PING, 0, 0, wring_str("between")};
    size_t len = 1;
    wring_result result = WRING_OK;
    for (unsigned i = 0; payload.len > len && result == WRING_OK; i++) {
        result = wring_session_message_continue(session, wring_bytes_of(payload.data, len));
        payload = wring_bytes_of(payload.data + len, payload.len - len);
        len = len == 4096 ? 1 : len * 2;
        if (result == WRING_OK && i % 5 == 4) {
            result = wring_session_send(session, &ping);
        }
        if (result == WRING_OK && i == 7) { /* it waits for the end */
            const wring_frame shout = wring_frame_text(wring_str("shout"));
            result = wring_server_publish(server, wring_str("all"), &shout);
        }
    }
    return result == WRING_OK ? wring_session_message_end(session, payload) : result;
}

static wring_verdict answer(wring_session *session, const wring_message *message) {
    if (message->opcode != WRING_TEXT && message->opcode != WRING_BINARY) {
        return WRING_CONTINUE;
    }
    wring_result result = wring_session_message_begin(session, message->opcode, wring_str(""));
    if (result == WRING_OK) {
        result = pieces_send(session, message->payload);
    }
    if (result != WRING_OK) {
        fprintf(stderr, "%s\n", wring_result_text(result));
    }
    return result == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

int main(int argc, char **argv) {
    static const wring_handler handler = {
        .struct_size = sizeof handler, .name = "pieces", .init = join, .handle_in = answer};
    static const wring_deflate_config deflate = {.struct_size = sizeof deflate,
                                                 .server_context_takeover = true,
                                                 .client_context_takeover = true,
                                                 .message_bytes_min = 1};
    const wring_policy policy = {.struct_size = sizeof policy,
                                 .controls_per_second = WRING_UNLIMITED,
                                 .deflate = argc > 1 ? &deflate : NULL};
    const wring_server_config config = {
        .struct_size = sizeof config, .handler = &handler, .workers = 2, .policy = &policy};
    wring_error error;
    (void)argv;
    if (wring_server_create(&config, &server, &error) != WRING_OK ||
        wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    printf("port %u\n", wring_server_port(server));
    fflush(stdout);
    while (getchar() != EOF) {
    }
    wring_server_stop(server, 5000);
    wring_server_destroy(server);
    return 0;
}
