/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/serve.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVERS_MAX 4
#define OPTIONS_MAX 32

static struct {
    pid_t pid;
    char target[80];
} servers[SERVERS_MAX];
static unsigned server_count;

static void servers_stop(void) {
    bool good = true;
    for (unsigned i = 0; i < server_count; i++) {
        int status;
        kill(servers[i].pid, SIGTERM);
        waitpid(servers[i].pid, &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fprintf(stderr, "conformance: a server ended with status %x\n", (unsigned)status);
            good = false;
        }
    }
    if (!good) {
        _exit(1);
    }
}

/* What an offer asks for decides about compression. */
static void serve_run(const char *wring, const char *const *more, const int out[2]) {
    static const char *const usual[] = {"serve",
                                        "--port",
                                        "0",
                                        "--deflate",
                                        "--deflate-server-takeover",
                                        "--deflate-client-takeover",
                                        "--deflate-server-bits",
                                        "15",
                                        "--deflate-client-bits",
                                        "15",
                                        "--deflate-min-bytes",
                                        "1"};
    const char *arguments[OPTIONS_MAX] = {wring};
    unsigned count = 1;
    for (unsigned i = 0; i < sizeof usual / sizeof *usual; i++) {
        arguments[count++] = usual[i];
    }
    for (; *more != NULL && count < OPTIONS_MAX - 1; more++) {
        arguments[count++] = *more;
    }
    dup2(out[1], 1);
    dup2(out[1], 2);
    close(out[0]);
    execv(wring, (char *const *)(uintptr_t)arguments);
    perror(wring);
    _exit(127);
}

/* From its first line. */
static const char *target_read(const char *wring, int out) {
    char line[256], *target = servers[server_count - 1].target;
    FILE *f = fdopen(out, "r"); /* stays open for the server's life */
    while (fgets(line, sizeof line, f) != NULL) {
        const char *url = strstr(line, "://");
        if (url != NULL && sscanf(url, "://%79[^/]", target) == 1) {
            return target;
        }
        fputs(line, stderr);
    }
    fprintf(stderr, "conformance: %s serve did not say where it listens\n", wring);
    exit(1);
}

const char *serve_start(const char *wring, const char *const *more) {
    int out[2];
    pid_t pid;
    if (server_count == SERVERS_MAX || pipe(out) != 0 || (pid = fork()) < 0) {
        perror("conformance");
        exit(1);
    }
    if (pid == 0) {
        serve_run(wring, more, out);
    }
    close(out[1]);
    if (server_count == 0) {
        atexit(servers_stop);
    }
    servers[server_count++].pid = pid;
    return target_read(wring, out[0]);
}
