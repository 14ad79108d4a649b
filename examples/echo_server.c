/* SPDX-License-Identifier: Apache-2.0
 *
 * Echoes every text and binary message. Usage: echo_server [port]; ends with its standard input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <wring/wring.h>

static wring_verdict echo(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY) {
        const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
    }
    return WRING_CONTINUE;
}

int main(int argc, char **argv) {
    static const wring_handler handler = {
        .struct_size = sizeof handler, .name = "echo", .handle_in = echo};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .port =
                                            argc > 1 ? (uint16_t)strtoul(argv[1], NULL, 10) : 8080,
                                        .handler = &handler};
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
