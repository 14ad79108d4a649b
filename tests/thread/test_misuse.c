/* SPDX-License-Identifier: Apache-2.0
 *
 * Mistakes of a program that would make a worker wait for itself, or free what runs: each ends the
 * program, and the last words say which function was called where. Each is a process of its own.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wring/wring.h"

#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

extern char **environ;

static wring_server *server;
static wring_pool *pool;
static const char *mistake;

static void make_mistake(void) {
    if (strcmp(mistake, "stop") == 0) {
        wring_server_stop(server, 0);
    } else if (strcmp(mistake, "destroy") == 0) {
        wring_server_destroy(server);
    } else if (strcmp(mistake, "pool") == 0) {
        wring_pool_destroy(pool, 0);
    }
}

static wring_verdict begin(wring_session *session, const wring_request *request, void *opts) {
    (void)session, (void)request, (void)opts;
    make_mistake();
    return WRING_CONTINUE;
}

static const wring_handler quiet = {.struct_size = sizeof quiet};
static const wring_handler client_handler = {.struct_size = sizeof client_handler, .init = begin};

static void visited(uint64_t count, bool is_whole, void *opts) {
    (void)count, (void)is_whole, (void)opts;
    make_mistake();
}

static wring_verdict visit_session(wring_session *session, void *opts) {
    (void)session, (void)opts;
    return WRING_CONTINUE;
}

static void pool_run(void) {
    char url[64];
    wring_client *client;
    const wring_pool_config config = {.struct_size = sizeof config, .threads = 1};
    const wring_client_config client_config = {.struct_size = sizeof client_config,
                                               .handler = &client_handler};
    CHECK(wring_pool_create(&config, &pool, NULL) == WRING_OK);
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", wring_server_port(server));
    CHECK(wring_client_create(wring_pool_loop(pool), url, &client_config, &client, NULL) ==
          WRING_OK);
}

static int child(void) {
    const struct rlimit no_core = {0, 0};
    const wring_server_config config = {
        .struct_size = sizeof config, .handler = &quiet, .workers = 1};
    const wring_visit visit = {
        .struct_size = sizeof visit, .session = visit_session, .done = visited};
    setrlimit(RLIMIT_CORE, &no_core);
    CHECK(wring_server_create(&config, &server, NULL) == WRING_OK);
    CHECK(wring_server_start(server, NULL) == WRING_OK);
    if (strcmp(mistake, "pool") == 0) {
        pool_run();
    } else if (strcmp(mistake, "running") == 0) {
        wring_server_destroy(server);
    } else {
        CHECK(wring_server_visit(server, 0, &visit) == WRING_OK);
    }
    for (;;) {
        pause();
    }
}

/* What the child wrote to stderr until it ended. */
static void words_read(int from, char *text, size_t cap) {
    size_t len = 0;
    ssize_t got;
    while (len + 1 < cap && (got = read(from, text + len, cap - 1 - len)) > 0) {
        len += (size_t)got;
    }
    text[len] = 0;
    close(from);
}

static void expect_words(char *program, const char *what, const char *words) {
    int ends[2];
    int status;
    pid_t pid;
    char text[1024];
    posix_spawn_file_actions_t actions;
    char *const arguments[] = {program, (char *)"--child", (char *)(uintptr_t)what, NULL};
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO) == 0);
    CHECK(posix_spawn(&pid, program, &actions, NULL, arguments, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    words_read(ends[0], text, sizeof text);
    CHECK(waitpid(pid, &status, 0) == pid);
    printf("%s: %s", what, text);
    fflush(stdout);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(strstr(text, words) != NULL);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--child") == 0) {
        mistake = argv[2];
        return child();
    }
    expect_words(argv[0], "stop", "wring_server_stop was called from a callback on a worker");
    expect_words(argv[0], "destroy", "wring_server_destroy was called from a callback on a worker");
    expect_words(argv[0], "running", "wring_server_destroy was called while the server runs");
    expect_words(argv[0], "pool", "wring_pool_destroy was called from a callback on a worker");
    return 0;
}
