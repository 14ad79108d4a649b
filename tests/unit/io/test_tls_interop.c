/* SPDX-License-Identifier: Apache-2.0
 *
 * Our streams against the openssl command, over a Unix socket.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/tls.h"
#include "tests/certs/certs.h"
#include "tls_pair.h"

#define WAIT_MS 10000

TestSuite(tls_interop, .init = certs_make_usual);

struct command {
    pid_t pid;
    int in;  /* what we write it reads */
    int out; /* what it prints */
};

static struct command command_start(const char *const *args) {
    int in[2], out[2];
    cr_assert_eq(pipe(in), 0);
    cr_assert_eq(pipe(out), 0);
    struct command command = {fork(), in[1], out[0]};
    if (command.pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        dup2(out[1], STDERR_FILENO);
        close(in[1]);
        close(out[0]);
        execvp(args[0], (char *const *)(uintptr_t)args);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    return command;
}

static int command_end(struct command *command, char *printed, size_t cap) {
    int status = 0;
    size_t len = 0;
    ssize_t n;
    close(command->in);
    while (len + 1 < cap && (n = read(command->out, printed + len, cap - 1 - len)) > 0) {
        len += (size_t)n;
    }
    printed[len] = 0;
    close(command->out);
    waitpid(command->pid, &status, 0);
    return status;
}

static void send_all(struct tls_end *end, int socket) {
    size_t len;
    uint8_t *bytes = end_take(end, &len);
    cr_assert_eq(write(socket, bytes, len), (ssize_t)len);
    free(bytes);
}

/* Until `want` plaintext bytes are there, the peer ends or something fails. */
static void talk(struct tls_end *end, int socket, size_t want) {
    uint8_t bytes[4096];
    send_all(end, socket);
    while (end->got_len < want && end->result == WRING_MORE) {
        struct pollfd ready = {socket, POLLIN, 0};
        cr_assert_eq(poll(&ready, 1, WAIT_MS), 1, "the other side is silent");
        ssize_t n = read(socket, bytes, sizeof bytes);
        if (n <= 0) {
            end->result = wring__tls_eof(end->tls);
            return;
        }
        end_feed(end, bytes, (size_t)n);
        send_all(end, socket);
    }
}

static void client_try(const char *version, const char *version_name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", cert_path("socket"));
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(listener, 1), 0);
    const char *const args[] = {"openssl",
                                "s_client",
                                "-unix",
                                address.sun_path,
                                "-CAfile",
                                cert_path("ca.pem"),
                                "-verify_hostname",
                                "localhost",
                                "-verify_return_error",
                                "-servername",
                                "localhost",
                                "-alpn",
                                "http/1.1",
                                "-quiet",
                                version,
                                NULL};
    struct command command = command_start(args);
    struct pollfd ready = {listener, POLLIN, 0};
    cr_assert_eq(poll(&ready, 1, WAIT_MS), 1, "nobody connects");
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    wring__tls_context *server = server_context(
        (wring_tls_server_config){.alpn = (const char *const[]){"http/1.1"}, .alpn_count = 1});
    wring__tls_context *client = client_context((wring_tls_client_config){0});
    struct tls_pair pair; /* its client goes unused */
    pair_init(&pair, client, server, "localhost", NULL);
    cr_assert_eq(write(command.in, "hello\n", 6), 6);
    talk(&pair.server, peer, 6);
    cr_assert_eq(pair.server.got_len, 6, "%s", end_reason(&pair.server));
    wring_tls_info info = wring__tls_info_of(pair.server.tls);
    cr_assert_str_eq(info.version, version_name);
    cr_assert_str_eq(info.server_name, "localhost");
    cr_assert(wring_bytes_equal(info.alpn, wring_str("http/1.1")));
    end_write(&pair.server, "welcome\n", 8);
    wring__tls_shutdown(pair.server.tls);
    talk(&pair.server, peer, 7); /* its close_notify */
    cr_assert_eq(pair.server.result, WRING_OK, "%s", end_reason(&pair.server));
    close(peer);
    close(listener);
    unlink(address.sun_path);
    char printed[4096];
    command_end(&command, printed, sizeof printed);
    cr_assert(strstr(printed, "welcome\n") != NULL, "%s", printed);
    pair_deinit(&pair);
    wring__tls_context_unref(client);
    wring__tls_context_unref(server);
}

Test(tls_interop, the_openssl_client_is_served) {
    signal(SIGPIPE, SIG_IGN);
    if (system("openssl version > /dev/null 2>&1") != 0) {
        cr_skip("there is no openssl command");
    }
    client_try("-tls1_3", "TLSv1.3");
    client_try("-tls1_2", "TLSv1.2");
}
