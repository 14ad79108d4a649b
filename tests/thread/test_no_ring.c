/* SPDX-License-Identifier: Apache-2.0
 *
 * A server where io_uring is not to be had: forbidden or hidden by a container's profile, an old
 * kernel, no locked memory. Asked for by name, it fails to start with one sentence that says what,
 * why and what to do, and leaves nothing behind; the process goes on. Left to itself it falls back
 * to epoll, unless it is memory or descriptors that are lacking.
 */
#include <errno.h>
#include <netinet/in.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/filter/filter.h"
#include "wring/wring.h"

#define SKIP 77
#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x);                          \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static const wring_handler nothing = {.struct_size = sizeof nothing, .name = "nothing"};

static unsigned open_files(void) {
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void refused(const char *why, int system_errno, wring_backend wanted) {
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = 2,
                                        .handler = &nothing,
                                        .unpinned = true,
                                        .backend = wanted};
    wring_server *server;
    wring_error error;
    const unsigned before = open_files();
    CHECK(wring_server_create(&config, &server, &error) == WRING_OK);
    for (int again = 0; again < 2; again++) {
        memset(&error, 0, sizeof error);
        CHECK(wring_server_start(server, &error) == WRING_ERR_BACKEND);
        CHECK(error.code == WRING_ERR_BACKEND && error.system_errno == system_errno);
        CHECK(strncmp(error.text, "io_uring: ", 10) == 0);
        CHECK(strstr(error.text, strerror(system_errno)) != NULL);
        CHECK(strstr(error.text, why) != NULL);
        CHECK(strchr(error.text, '\n') == NULL);
    }
    CHECK(wring_server_port(server) == 0);
    wring_server_destroy(server);
    CHECK(open_files() == before);
    printf("%s\n", error.text);
    fflush(stdout);
}

/* A server and a pool of their own choice run on epoll, and tell why. */
static void falls_back(const char *why, int system_errno) {
    const wring_server_config config = {
        .struct_size = sizeof config, .workers = 2, .handler = &nothing, .unpinned = true};
    wring_server *server;
    wring_pool *pool;
    wring_error error;
    wring_backend picked;
    wring_server_stats stats = {.struct_size = sizeof stats};
    wring_pool_stats of_pool = {.struct_size = sizeof of_pool};
    CHECK(wring_server_create(&config, &server, &error) == WRING_OK);
    CHECK(wring_server_start(server, &error) == WRING_OK);
    wring_server_get_stats(server, &stats);
    CHECK(stats.backend == WRING_BACKEND_EPOLL && strstr(stats.backend_reason, why) != NULL);
    CHECK(strncmp(stats.backend_reason, "io_uring: ", 10) == 0);
    CHECK(wring_pool_create(NULL, &pool, &error) == WRING_OK);
    wring_pool_get_stats(pool, &of_pool);
    CHECK(of_pool.backend == WRING_BACKEND_EPOLL && strstr(of_pool.backend_reason, why) != NULL);
    wring_pool_destroy(pool, 100);
    wring_server_stop(server, 100);
    wring_server_destroy(server);
    CHECK(wring_backend_pick(WRING_BACKEND_AUTO, &picked, &error) == WRING_OK);
    CHECK(picked == WRING_BACKEND_EPOLL && error.system_errno == system_errno);
}

/* Each in a process of its own: a filter stays. */
static int in_child(long number, int system_errno, const char *why, bool may_fall_back) {
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(unsetenv("WRING_BACKEND") == 0);
        if (!filter_forbid(number, system_errno)) {
            _exit(SKIP); /* no filters here, so nobody is filtered */
        }
        refused(why, system_errno, WRING_BACKEND_URING);
        if (may_fall_back) {
            falls_back(why, system_errno);
        } else {
            refused(why, system_errno, WRING_BACKEND_AUTO);
        }
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static wring_server *epoll_server(void) {
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = 1,
                                        .handler = &nothing,
                                        .unpinned = true,
                                        .backend = WRING_BACKEND_EPOLL};
    wring_server *server;
    wring_error error;
    CHECK(wring_server_create(&config, &server, &error) == WRING_OK);
    CHECK(wring_server_start(server, &error) == WRING_OK);
    return server;
}

static int dial(const wring_server *server) {
    const struct sockaddr_in where = {.sin_family = AF_INET,
                                      .sin_port = htons(wring_server_port(server)),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&where, sizeof where) == 0);
    return fd;
}

/* A filter that does not know epoll_pwait2: waits with a deadline go on, by the older call. */
static void waits_without_pwait2(int system_errno) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    char answer[12];
    if (!filter_forbid(SYS_epoll_pwait2, system_errno)) {
        _exit(SKIP);
    }
    wring_server *server = epoll_server();
    const int fd = dial(server); /* from here on a handshake's deadline runs */
    usleep(20000);
    CHECK(write(fd, request, sizeof request - 1) == sizeof request - 1);
    CHECK(recv(fd, answer, sizeof answer, MSG_WAITALL) == sizeof answer);
    CHECK(memcmp(answer, "HTTP/1.1 101", sizeof answer) == 0);
    close(fd);
    wring_server_stop(server, 100);
    wring_server_destroy(server);
}

/* Who waits to be accepted can never be: stopping ends all the same. */
static void stops_without_accept(int system_errno) {
    if (!filter_forbid(SYS_accept4, system_errno)) {
        _exit(SKIP);
    }
    wring_server *server = epoll_server();
    const int fd = dial(server);
    wring_server_stop(server, 100);
    wring_server_destroy(server);
    close(fd);
}

static int in_child_of(void (*run)(int system_errno), int system_errno) {
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60); /* what hangs is ended */
        run(system_errno);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* No locked memory at all: newer kernels do not count it, older ones refuse the ring. */
static void without_locked_memory(void) {
    const struct rlimit none = {0, 0};
    const wring_server_config config = {
        .struct_size = sizeof config, .workers = 1, .handler = &nothing, .unpinned = true};
    wring_server *server;
    wring_error error;
    CHECK(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
    CHECK(wring_server_create(&config, &server, &error) == WRING_OK);
    const wring_result result = wring_server_start(server, &error);
    if (result == WRING_OK) {
        wring_server_stop(server, 100);
    } else {
        CHECK(result == WRING_ERR_BACKEND);
        CHECK(error.system_errno != ENOMEM || strstr(error.text, "locked-memory") != NULL);
    }
    wring_server_destroy(server);
}

int main(void) {
    static const struct {
        long call;
        int system_errno;
        const char *why;
        bool may_fall_back;
    } cases[] = {
        {SYS_io_uring_setup, EPERM, "seccomp profile", true},
        {SYS_io_uring_setup, EACCES, "seccomp profile", true},
        {SYS_io_uring_setup, ENOSYS, "container profile hides it", true},
        {SYS_io_uring_setup, EOPNOTSUPP, "kernel is too old", true},
        {SYS_io_uring_setup, ENOMEM, "locked-memory limit", false},
        {SYS_io_uring_setup, EINVAL, "kernel is too old", true},
        {SYS_io_uring_setup, EMFILE, "raise the limit (ulimit -n", false},
        {SYS_io_uring_register, EPERM, "seccomp profile", true},
        {SYS_io_uring_enter, EPERM, "seccomp profile", true},
        {SYS_io_uring_enter, ENOSYS, "container profile hides it", true},
        {SYS_io_uring_register, EINVAL, "kernel is too old", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int status =
            in_child(cases[i].call, cases[i].system_errno, cases[i].why, cases[i].may_fall_back);
        if (status != 0) {
            return status;
        }
    }
    static const int answers[] = {EPERM, ENOSYS, EACCES, EOPNOTSUPP};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        CHECK(in_child_of(waits_without_pwait2, answers[i]) == 0);
        CHECK(in_child_of(stops_without_accept, answers[i]) == 0);
    }
    without_locked_memory();
    return 0;
}
