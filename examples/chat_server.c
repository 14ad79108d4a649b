/* SPDX-License-Identifier: Apache-2.0
 *
 * A chat room: what one says, all hear, on every worker. The path is the room.
 * Usage: chat_server [port]; ends with its standard input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wring/wring.h>

struct room { /* a session's state: the room it is in */
    size_t len;
    char name[64];
};

static wring_verdict join(wring_session *session, const wring_request *request, void *opts) {
    (void)opts;
    struct room *room = wring_session_user(session);
    room->len = request->path.len < sizeof room->name ? request->path.len : sizeof room->name;
    memcpy(room->name, request->path.data, room->len);
    const wring_bytes topic = wring_bytes_of(room->name, room->len);
    return wring_session_subscribe(session, topic) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

static wring_verdict say(wring_session *session, const wring_message *message) {
    if (message->opcode != WRING_TEXT) {
        return WRING_CONTINUE;
    }
    const struct room *room = wring_session_user(session);
    const wring_bytes topic = wring_bytes_of(room->name, room->len);
    const wring_frame frame = wring_frame_text(message->payload);
    if (wring_server_publish(wring_session_server(session), topic, &frame) != WRING_OK) {
        wring_session_close(session, WRING_CLOSE_TRY_AGAIN_LATER, wring_str("busy"));
    }
    return WRING_CONTINUE;
}

int main(int argc, char **argv) {
    static const wring_handler handler = {.struct_size = sizeof handler,
                                          .name = "chat",
                                          .state_size = sizeof(struct room),
                                          .init = join,
                                          .handle_in = say};
    const wring_session_config session = {.struct_size = sizeof session,
                                          .allow_iana_close_codes = true};
    const wring_policy policy = {.struct_size = sizeof policy, .session = &session};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .port =
                                            argc > 1 ? (uint16_t)strtoul(argv[1], NULL, 10) : 8080,
                                        .handler = &handler,
                                        .policy = &policy};
    wring_server *server;
    wring_error error;
    if (wring_server_create(&config, &server, &error) != WRING_OK ||
        wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    printf("listening on port %u\n", wring_server_port(server));
    fflush(stdout);
    while (getchar() != EOF) {
    }
    wring_server_stop(server, 1000);
    wring_server_destroy(server);
    return 0;
}
