/* SPDX-License-Identifier: Apache-2.0
 *
 * Signals of `wring serve`, and a look at the server once a second. See serve_signals.h.
 */
#include "cli/serve_signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

/* Seconds without an error after which accepting is well again. */
#define WELL_AFTER 5

/* ---- errors of accepting --------------------------------------------------------------------- */

struct accept_log {
    uint64_t errors;
    uint32_t told; /* errno; 0: none */
    int quiet;     /* seconds */
};

static const char *accept_advice(uint32_t system_errno) {
    switch (system_errno) {
    case ENOSPC:
        return "this user may not watch more with epoll; raise "
               "/proc/sys/fs/epoll/max_user_watches";
    case EMFILE:
        return "the process may not have more descriptors; raise the limit (ulimit -n, "
               "LimitNOFILE=) or set --max-connections-total below it. Connections wait until some "
               "end";
    case ENFILE:
        return "the machine has no descriptors left; raise fs.file-max. Connections wait until "
               "some end";
    case ENOBUFS:
    case ENOMEM:
        return "the kernel has no memory for sockets; see net.ipv4.tcp_mem and the memory limit of "
               "the control group. Connections wait";
    case EPERM:
        return "a firewall or a security module forbids it; see the kernel's log";
    case ENOSYS:
    case EINVAL:
        return "a seccomp profile forbids accepting, or the kernel cannot; see docs/containers.md";
    default:
        return "that connection is lost, others are accepted";
    }
}

static void accept_look(struct accept_log *log, const wring_server *server) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    wring_server_get_stats(server, &stats);
    const bool more = stats.accept_errors > log->errors;
    log->errors = stats.accept_errors;
    log->quiet = more ? 0 : log->quiet + 1;
    if (more && stats.accept_errno != log->told) {
        log->told = stats.accept_errno;
        cli_complain("cannot accept a connection: %s: %s", strerror((int)stats.accept_errno),
                     accept_advice(stats.accept_errno));
    } else if (log->told != 0 && log->quiet == WELL_AFTER) {
        log->told = 0;
        cli_complain("connections are accepted again");
    }
}

/* ---- signals --------------------------------------------------------------------------------- */

static void end_at_once(int signal) {
    static const char text[] = "\nwring: second signal, ending at once\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(128 + signal);
}

static void set_action(int signal, void (*action)(int)) {
    struct sigaction how = {.sa_handler = action};
    sigaction(signal, &how, NULL);
}

static void waited_for(sigset_t *out) {
    sigemptyset(out);
    sigaddset(out, SIGINT);
    sigaddset(out, SIGTERM);
    sigaddset(out, SIGHUP);
}

void serve_signals_prepare(void) {
    sigset_t signals;
    waited_for(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* in every thread: taken here, one at a time */
    /* A log that nobody reads any more, or that may not grow, is no reason to end. */
    set_action(SIGPIPE, SIG_IGN);
    set_action(SIGHUP, SIG_DFL); /* nohup has it ignored, and then nobody could wait for it */
    set_action(SIGXFSZ, SIG_IGN);
    set_action(SIGUSR1, SIG_IGN);
    set_action(SIGUSR2, SIG_IGN);
}

static void reload(wring_server *server) {
    wring_error error;
    if (wring_server_reload_tls(server, &error) == WRING_OK) {
        cli_complain("SIGHUP: the certificates were read again");
    } else if (error.code == WRING_ERR_INVALID_STATE) {
        cli_complain("SIGHUP: there are no certificates to read again; the server goes on");
    } else {
        cli_complain("SIGHUP: %s; what was in use goes on", error.text);
    }
}

int serve_signals_wait(wring_server *server) {
    const struct timespec second = {.tv_sec = 1};
    struct accept_log log = {0};
    sigset_t signals;
    waited_for(&signals);
    int signal = 0;
    while (signal != SIGINT && signal != SIGTERM) {
        signal = sigtimedwait(&signals, NULL, &second);
        if (signal == SIGHUP) {
            reload(server);
        } else if (signal < 0) {
            accept_look(&log, server);
        }
    }
    set_action(SIGHUP, SIG_IGN); /* what ends needs no certificates */
    set_action(SIGINT, end_at_once);
    set_action(SIGTERM, end_at_once);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    return signal;
}
