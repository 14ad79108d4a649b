/* SPDX-License-Identifier: Apache-2.0
 *
 * A TLS server for the tests' scripts, with what `wring serve` has no options for: certificates by
 * name, ALPN, the verified identity shown. Usage: e2e-tls-server FOLDER [ca-file]
 *
 * It says "port N". Each session is greeted with a line of JSON about its TLS, then echoed; how it
 * ended goes to standard error. Each line of input reloads the certificates and is answered with
 * the result; the end of input ends it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wring/wring.h>

static int json_name(char *out, size_t cap, const char *name) {
    size_t len = 0;
    for (; *name != 0 && len + 8 < cap; name++) {
        len += (size_t)snprintf(out + len, cap - len, *name == '\n' ? "\\n" : "%c", *name);
    }
    out[len] = 0;
    return (int)len;
}

static wring_verdict greet(wring_session *session, const wring_request *request, void *opts) {
    (void)opts;
    const wring_tls_info *tls = request->tls;
    char names[512] = "";
    char text[1024];
    json_name(names, sizeof names, tls->peer_name);
    const int len =
        snprintf(text, sizeof text,
                 "{\"version\":\"%s\",\"cipher\":\"%s\",\"server_name\":\"%s\",\"peer\":\"%s\","
                 "\"alpn\":\"%.*s\",\"resumed\":%s,\"verified\":%s}",
                 tls->version, tls->cipher, tls->server_name == NULL ? "" : tls->server_name, names,
                 (int)tls->alpn.len, tls->alpn.len == 0 ? "" : (const char *)tls->alpn.data,
                 tls->resumed ? "true" : "false", tls->peer_verified ? "true" : "false");
    const wring_frame frame = wring_frame_text(wring_bytes_of(text, (size_t)len));
    return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

static wring_verdict echo(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY) {
        const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
    }
    return WRING_CONTINUE;
}

static void ended(wring_session *session, const wring_end *end) {
    (void)session;
    fprintf(stderr, "end %s %u\n", wring_result_name(end->result), end->close_code);
}

static char *path(const char *folder, const char *file) {
    static char paths[8][256];
    static int turn;
    char *text = paths[turn++ % 8];
    snprintf(text, sizeof paths[0], "%s/%s", folder, file);
    return text;
}

static void reload_by_line(wring_server *server) {
    char line[64];
    wring_error error;
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (wring_server_reload_tls(server, &error) == WRING_OK) {
            puts("OK");
        } else {
            printf("%s %s\n", wring_result_name(error.code), error.text);
        }
        fflush(stdout);
    }
}

int main(int argc, char **argv) {
    static const wring_handler handler = {.struct_size = sizeof handler,
                                          .name = "greet",
                                          .init = greet,
                                          .handle_in = echo,
                                          .terminate = ended};
    static const char *const alpn[] = {"http/1.1", "wring"};
    if (argc < 2) {
        return 2;
    }
    const wring_tls_sni sni[] = {
        {.struct_size = sizeof(wring_tls_sni),
         .server_name = "rsa.example",
         .cert_file = path(argv[1], "rsa.pem"),
         .key_file = path(argv[1], "rsa.key")},
        {.struct_size = sizeof(wring_tls_sni),
         .server_name = "*.second.example",
         .cert_file = path(argv[1], "second.pem"),
         .key_file = path(argv[1], "second.key")},
    };
    const wring_tls_server_config tls = {
        .struct_size = sizeof tls,
        .cert_file = path(argv[1], "server.pem"),
        .key_file = path(argv[1], "server.key"),
        .sni = sni,
        .sni_count = 2,
        .client_ca_file = argc > 2 ? argv[2] : NULL,
        .client_optional = true,
        .alpn = alpn,
        .alpn_count = 2,
    };
    const wring_server_config config = {.struct_size = sizeof config,
                                        .handler = &handler,
                                        .workers = 2,
                                        .handshake_timeout_ms = 60000,
                                        .tls = &tls};
    wring_server *server;
    wring_error error;
    if (wring_server_create(&config, &server, &error) != WRING_OK ||
        wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    printf("port %u\n", wring_server_port(server));
    fflush(stdout);
    reload_by_line(server);
    wring_server_stop(server, 1000);
    wring_server_destroy(server);
    return 0;
}
