/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a command where io_uring is forbidden:
 *
 *     forbid-uring EPERM|ENOSYS [--threads] COMMAND [ARGUMENT...]
 *
 * EPERM is what Docker's and containerd's profiles say, ENOSYS is Podman's. With --threads no
 * thread can be started either, as above a limit of processes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/filter/filter.h"

#define SKIP 77

int main(int argc, char **argv) {
    const bool is_eperm = argc > 2 && strcmp(argv[1], "EPERM") == 0;
    if (!is_eperm && !(argc > 2 && strcmp(argv[1], "ENOSYS") == 0)) {
        fputs("usage: forbid-uring EPERM|ENOSYS COMMAND [ARGUMENT...]\n", stderr);
        return 2;
    }
    const int at = strcmp(argv[2], "--threads") == 0 ? 3 : 2;
    if (!filter_forbid_uring(is_eperm ? EPERM : ENOSYS) ||
        (at == 3 && !filter_forbid(SYS_clone3, EAGAIN))) {
        perror("forbid-uring: this system has no seccomp filters");
        return SKIP;
    }
    if (argv[at] != NULL) {
        execvp(argv[at], argv + at);
        perror(argv[at]);
    }
    return 127;
}
