/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that returns from main while its server and its clients still talk over TLS ends as any
 * other does. OpenSSL would clean up at exit, under the workers (wring__tls_library_init).
 *
 * Each try is a process of its own, which has used nothing of OpenSSL before the library does.
 * Usage: thread-exit [tries].
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/certs/certs.h"
#include "wring/wring.h"

#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

#define CLIENTS 40

extern char **environ;

static wring_verdict answer(wring_session *session, const wring_message *message) {
    const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
    return message->opcode > WRING_BINARY || wring_session_send(session, &frame) == WRING_OK
               ? WRING_CONTINUE
               : WRING_STOP;
}

static wring_verdict begin(wring_session *session, const wring_request *request, void *opts) {
    static const uint8_t text[3000];
    const wring_frame frame = {.opcode = WRING_BINARY, .payload = {text, sizeof text}};
    (void)request, (void)opts;
    return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

static const wring_handler handler = {.struct_size = sizeof handler, .handle_in = answer};
static const wring_handler client_handler = {
    .struct_size = sizeof client_handler, .init = begin, .handle_in = answer};

static wring_server *server_run(const char *cert, const char *key) {
    const wring_tls_server_config tls = {
        .struct_size = sizeof tls, .cert_file = cert, .key_file = key};
    const wring_server_config config = {
        .struct_size = sizeof config, .handler = &handler, .workers = 4, .tls = &tls};
    wring_server *server;
    CHECK(wring_server_create(&config, &server, NULL) == WRING_OK);
    CHECK(wring_server_start(server, NULL) == WRING_OK);
    return server;
}

/* Handshakes and messages go on while main returns, each time at another moment. */
static int child(const char *cert, const char *key, unsigned moment) {
    char url[64];
    const wring_pool_config pool_config = {.struct_size = sizeof pool_config, .threads = 4};
    const wring_tls_client_config tls = {.struct_size = sizeof tls, .no_verify = true};
    const wring_client_config config = {
        .struct_size = sizeof config, .tls = &tls, .handler = &client_handler};
    wring_pool *pool;
    wring_server *server = server_run(cert, key);
    CHECK(wring_pool_create(&pool_config, &pool, NULL) == WRING_OK);
    snprintf(url, sizeof url, "wss://127.0.0.1:%u/", wring_server_port(server));
    for (int i = 0; i < CLIENTS; i++) {
        wring_client *client;
        CHECK(wring_client_create(wring_pool_loop(pool), url, &config, &client, NULL) == WRING_OK);
    }
    usleep(1000 * moment);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "--child") == 0) {
        return child(argv[2], argv[3], (unsigned)strtoul(argv[4], NULL, 10));
    }
    const unsigned tries = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 40;
    certs_make_usual();
    for (unsigned i = 0; i < tries; i++) {
        char moment[16];
        pid_t pid;
        int status;
        snprintf(moment, sizeof moment, "%u", i % 40);
        char *const arguments[] = {argv[0],
                                   (char *)"--child",
                                   (char *)(uintptr_t)cert_path("server.pem"),
                                   (char *)(uintptr_t)cert_path("server.key"),
                                   moment,
                                   NULL};
        CHECK(posix_spawn(&pid, argv[0], NULL, NULL, arguments, environ) == 0);
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    printf("%u programs ended while their workers ran\n", tries);
    return 0;
}
