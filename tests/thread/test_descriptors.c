/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections are no descriptors of the process: a server of three workers and a client of three
 * threads, each in a process whose RLIMIT_NOFILE is far below the connections they hold. Every
 * connection is told who it comes from and compares that with its own address. A server that is
 * full leaves the rest waiting and serves them when there is room again.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wring/wring.h"

#define WORKERS      3
#define SERVER_FILES 160
#define SERVED       360  /* above SERVER_FILES, below WORKERS times that */
#define CROWD        1200 /* above all that the server can hold */
#define CLIENT_FILES 100
#define CLIENTS      250
#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), _exit(1)))

/* What the processes tell each other. */
static struct shared {
    _Atomic uint32_t port;
    _Atomic uint64_t accept_errors;
    _Atomic bool stop;
    _Atomic bool skip;
} * shared;

static void files_limit(rlim_t count) {
    struct rlimit limit = {count, count};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)opts;
    wring_frame frame = wring_frame_text(request->peer);
    CHECK(wring_session_send(session, &frame) == WRING_OK);
    return WRING_CONTINUE;
}

static const wring_handler handler = {
    .struct_size = sizeof handler, .name = "who", .init = on_init};

static int server_run(const char *host) {
    files_limit(SERVER_FILES);
    wring_server_config config = {
        .struct_size = sizeof config, .workers = WORKERS, .host = host, .handler = &handler};
    wring_server *server;
    wring_error error;
    CHECK(wring_server_create(&config, &server, &error) == WRING_OK);
    if (wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        atomic_store(&shared->skip, true);
        return 77;
    }
    atomic_store(&shared->port, wring_server_port(server));
    while (!atomic_load(&shared->stop)) {
        wring_server_stats stats = {.struct_size = sizeof stats};
        wring_server_get_stats(server, &stats);
        atomic_store(&shared->accept_errors, stats.accept_errors);
        usleep(2000);
    }
    wring_server_stop(server, 100);
    wring_server_destroy(server);
    return 0;
}

/* ---- the many at the other end --------------------------------------------------------------- */

static int dial(const char *host) {
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    const uint16_t port = htons((uint16_t)atomic_load(&shared->port));
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};
    const bool is_v4 = inet_pton(AF_INET, host, &v4.sin_addr) == 1;
    CHECK(is_v4 || inet_pton(AF_INET6, host, &v6.sin6_addr) == 1);
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK(is_v4 ? connect(fd, (struct sockaddr *)&v4, sizeof v4) == 0
                : connect(fd, (struct sockaddr *)&v6, sizeof v6) == 0);
    CHECK(write(fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1);
    return fd;
}

static void own_address(int fd, char *out, size_t size) {
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char host[INET6_ADDRSTRLEN];
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, size, "%s:%u", host, ntohs(v4->sin_port));
    } else {
        const struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(out, size, "[%s]:%u", host, ntohs(v6->sin6_port));
    }
}

/* Reads the 101 and the one message: this end's own address. */
static void expect_own_address(int fd) {
    char text[1024];
    size_t len = 0;
    char *body = NULL;
    while (body == NULL || len < (size_t)(body - text) + 2 + (size_t)body[1]) {
        ssize_t n = read(fd, text + len, sizeof text - 1 - len);
        CHECK(n > 0);
        len += (size_t)n;
        text[len] = 0;
        body = strstr(text, "\r\n\r\n");
        body = body == NULL || (size_t)(body + 4 - text) + 2 > len ? NULL : body + 4;
    }
    char own[128];
    own_address(fd, own, sizeof own);
    body[2 + body[1]] = 0;
    if ((uint8_t)body[0] != 0x81 || strcmp(body + 2, own) != 0) {
        fprintf(stderr, "the server takes %s for %s\n", own, body + 2);
        CHECK(false);
    }
}

static void more_than_descriptors(const char *host) {
    static int fds[SERVED];
    for (int i = 0; i < SERVED; i++) {
        fds[i] = dial(host);
    }
    for (int i = 0; i < SERVED; i++) { /* all are held at once: none is closed yet */
        expect_own_address(fds[i]);
    }
    for (int i = 0; i < SERVED; i++) {
        close(fds[i]);
    }
}

/* More than there is room for: some wait until others have gone, and all are served. */
static void more_than_room(const char *host) {
    static struct pollfd fds[CROWD];
    for (int i = 0; i < CROWD; i++) {
        fds[i].fd = dial(host);
        fds[i].events = POLLIN;
    }
    while (atomic_load(&shared->accept_errors) == 0) {
        usleep(2000); /* the server is not full yet */
    }
    for (int left = CROWD; left > 0;) {
        CHECK(poll(fds, CROWD, 60000) > 0);
        for (int i = 0; i < CROWD; i++) {
            if (fds[i].fd >= 0 && fds[i].revents != 0) {
                expect_own_address(fds[i].fd);
                close(fds[i].fd);
                fds[i].fd = -1;
                left--;
            }
        }
    }
}

static int clients_run(const char *host) {
    static wring_client *clients[CLIENTS];
    files_limit(CLIENT_FILES);
    wring_pool_config config = {.struct_size = sizeof config, .threads = 3};
    wring_pool *pool;
    wring_error error;
    char url[128];
    snprintf(url, sizeof url, strchr(host, ':') == NULL ? "ws://%s:%u/" : "ws://[%s]:%u/", host,
             atomic_load(&shared->port));
    CHECK(wring_pool_create(&config, &pool, &error) == WRING_OK);
    for (int i = 0; i < CLIENTS; i++) {
        CHECK(wring_client_create(wring_pool_loop(pool), url, NULL, &clients[i], &error) ==
              WRING_OK);
    }
    for (int i = 0; i < CLIENTS; i++) {
        if (wring_client_wait(clients[i], 60000, &error) != WRING_OK) {
            fprintf(stderr, "client %d: %s\n", i, error.text);
            return 1;
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        CHECK(wring_client_get_status(clients[i]) == WRING_CLIENT_OPEN);
        wring_client_destroy(clients[i]);
    }
    wring_pool_destroy(pool, 1000);
    return 0;
}

static int status_of(pid_t child) {
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int run(const char *host) {
    memset(shared, 0, sizeof *shared);
    pid_t server = fork();
    CHECK(server >= 0);
    if (server == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failure here is not to leave it */
        _exit(server_run(host));
    }
    while (atomic_load(&shared->port) == 0 && !atomic_load(&shared->skip)) {
        usleep(2000);
    }
    if (atomic_load(&shared->skip)) {
        return status_of(server);
    }
    more_than_descriptors(host);
    pid_t client = fork();
    CHECK(client >= 0);
    if (client == 0) {
        _exit(clients_run(host));
    }
    CHECK(status_of(client) == 0);
    more_than_room(host);
    atomic_store(&shared->stop, true);
    return status_of(server);
}

static bool have_v6(void) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool have = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return have;
}

int main(void) {
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_max < CROWD + 100) {
        fprintf(stderr, "RLIMIT_NOFILE is too low for this test's own end\n");
        return 77;
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    int result = run("127.0.0.1");
    if (result == 0 && have_v6()) {
        result = run("::1");
    }
    return result;
}
