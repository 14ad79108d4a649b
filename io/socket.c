/* SPDX-License-Identifier: Apache-2.0
 *
 * See socket.h.
 */
#include "io/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* ---- listening ------------------------------------------------------------------------------- */

static bool address_parse(const char *host, uint16_t port, struct sockaddr_storage *out,
                          socklen_t *len) {
    memset(out, 0, sizeof *out);
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *len = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *len = sizeof *v6;
        return true;
    }
    return false;
}

static uint16_t socket_port(int fd) {
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    return address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                                         : ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static wring_result listen_error(const wring__listen_config *config, const char *step,
                                 int system_errno, wring_error *error) {
    const char *advice = "";
    if (system_errno == EADDRINUSE) {
        advice = config->exclusive || !config->reuse_port
                     ? "; another program listens there: end it, take another port, or share the "
                       "port (share_port, --share-port)"
                     : "; a program without share_port (--share-port) listens there: end it or "
                       "take another port";
    } else if (system_errno == EACCES) {
        advice = "; ports below 1024 need CAP_NET_BIND_SERVICE";
    }
    return wring_error_set(error, WRING_ERR_ADDRESS, system_errno,
                           "cannot listen on %s port %u: %s: %s%s", config->host, config->port,
                           step, strerror(system_errno), advice);
}

wring_result wring__socket_listen(const wring__listen_config *config, wring__socket *out,
                                  uint16_t *port, wring_error *error) {
    struct sockaddr_storage address;
    socklen_t len;
    if (!address_parse(config->host, config->port, &address, &len)) {
        return wring_error_set(error, WRING_ERR_ADDRESS, 0,
                               "'%s' is not a numeric IPv4 or IPv6 address", config->host);
    }
    const int on = 1;
    const bool share_first = config->reuse_port && !config->exclusive;
    const char *step = "socket";
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0;
    if (ok) {
        step = "setsockopt";
        /* TCP_NODELAY is inherited by accepted sockets: no system call per connection */
        ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
             (!share_first || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
             setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
    }
    if (ok) {
        step = "bind";
        ok = bind(fd, (struct sockaddr *)&address, len) == 0;
    }
    if (ok) {
        step = "listen";
        ok = listen(fd, config->backlog) == 0;
    }
    if (ok && config->reuse_port && config->exclusive) {
        step = "SO_REUSEPORT"; /* set now, it shares with those that come after, not before */
        ok = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
    }
    if (!ok) {
        const int saved = errno;
        if (fd >= 0) {
            close(fd);
        }
        return listen_error(config, step, saved, error);
    }
    *out = fd;
    *port = socket_port(fd);
    return WRING_OK;
}

void wring__socket_unlisten(const wring__listen_config *config, wring__socket listener) {
    (void)config;
    close(listener);
}

bool wring__socket_is_accept_error_of_one(int32_t result) {
    switch (-result) {
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

/* A filter of the listener that drops each SYN. Its sender repeats it after a second, and the
 * kernel then picks among the listeners that are left. The last ACK of a handshake has no SYN. */
void wring__socket_turn_away(wring__socket listener) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* the flags of the TCP header */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {sizeof code / sizeof code[0], code};
    /* Forbidden, new connections come until the listener is closed; a few may be reset then. */
    (void)setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

bool wring__socket_set_nonblocking(int fd) {
    const int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && ((flags & O_NONBLOCK) != 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
}

#define ACCEPT_ERRORS_MAX 64 /* in a row */

wring__socket wring__socket_accept_past_errors(wring__backend *backend, int listener,
                                               int32_t (*accept)(wring__backend *backend,
                                                                 int listener)) {
    int32_t result = -EAGAIN;
    if (wring__socket_set_nonblocking(listener)) {
        int errors = 0;
        do {
            result = accept(backend, listener);
        } while (result < 0 && wring__socket_is_accept_error_of_one(result) &&
                 ++errors < ACCEPT_ERRORS_MAX);
    }
    return result;
}

int wring__socket_accept(int listener, int flags) {
    int fd;
    do {
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | flags);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* ---- dialling -------------------------------------------------------------------------------- */

const struct sockaddr wring__socket_nowhere = {.sa_family = AF_UNSPEC};

int wring__socket_make(const wring__dial_config *config, int flags) {
    const int on = 1;
    int fd = socket(config->address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    bool ok = fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
    if (ok && config->source != NULL) {
        /* the port is picked by connect, so that a source address serves each target with all */
        ok = setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) == 0 &&
             bind(fd, config->source, config->source_len) == 0;
    }
    if (!ok && fd >= 0) {
        const int saved = errno;
        close(fd);
        errno = saved;
    }
    return ok ? fd : -1;
}

static bool is_connected_to_itself(int fd) {
    struct sockaddr_storage ours = {.ss_family = AF_UNSPEC};
    struct sockaddr_storage theirs = {.ss_family = AF_UNSPEC};
    socklen_t ours_len = sizeof ours;
    socklen_t theirs_len = sizeof theirs;
    return getsockname(fd, (struct sockaddr *)&ours, &ours_len) == 0 &&
           getpeername(fd, (struct sockaddr *)&theirs, &theirs_len) == 0 &&
           ours_len == theirs_len && memcmp(&ours, &theirs, ours_len) == 0;
}

bool wring__socket_is_itself(int fd) {
    const bool itself = is_connected_to_itself(fd);
    if (itself) {
        const struct linger none = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    }
    return itself;
}

/* ---- others ---------------------------------------------------------------------------------- */

bool wring__socket_peer(int fd, struct sockaddr_storage *out) {
    socklen_t len = sizeof *out;
    memset(out, 0, sizeof *out);
    return getpeername(fd, (struct sockaddr *)out, &len) == 0;
}

wring_time_ns wring__machine_now(wring__backend *backend) {
    (void)backend;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (wring_time_ns)ts.tv_sec * WRING_NS_PER_SEC + (wring_time_ns)ts.tv_nsec;
}

void *wring__pages(size_t bytes) {
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

/* Short messages of many connections lie close together, long ones in one run; so that all of them
 * stay in the cache, and few frames straddle two buffers. */
#define RUN_BYTES_MAX ((size_t)256 << 10)
#define RUN_BYTES_MIN ((size_t)64 << 10)
#define RUNS_GOOD     16 /* fewer: shorter ones */
#define RUNS_MIN      8  /* fewer: one receive in each buffer */

bool wring__buffer_runs(size_t total, uint32_t count_max, uint32_t *count, uint32_t *size) {
    size_t run = RUN_BYTES_MAX;
    while (run > RUN_BYTES_MIN && total / run < RUNS_GOOD) {
        run /= 2;
    }
    *count = 1;
    while (*count * 2 <= total / run && *count * 2 <= count_max) {
        *count *= 2;
    }
    *size = (uint32_t)(total / *count) & ~63U;
    return *count >= RUNS_MIN;
}
