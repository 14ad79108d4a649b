/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a command where io_uring is forbidden:
 *
 *     forbid-uring EPERM|ENOSYS COMMAND [ARGUMENT...]
 *
 * EPERM is what Docker's and containerd's profiles say, ENOSYS is Podman's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/filter/filter.h"

#define SKIP 77

int main(int argc, char **argv) {
    const bool is_eperm = argc > 2 && strcmp(argv[1], "EPERM") == 0;
    if (!is_eperm && !(argc > 2 && strcmp(argv[1], "ENOSYS") == 0)) {
        fputs("usage: forbid-uring EPERM|ENOSYS COMMAND [ARGUMENT...]\n", stderr);
        return 2;
    }
    if (!filter_forbid_uring(is_eperm ? EPERM : ENOSYS)) {
        perror("forbid-uring: this system has no seccomp filters");
        return SKIP;
    }
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
