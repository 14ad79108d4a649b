/* SPDX-License-Identifier: Apache-2.0
 *
 * bench-floor MODE BACKEND MESSAGE_BYTES [PORT]: see bench/floor/README.md.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/floor/floor.h"

#define MESSAGE_MAX ((long)64 << 20)

static int usage(void) {
    fprintf(stderr, "usage: bench-floor echo|fanout epoll|uring MESSAGE_BYTES [PORT]\n");
    return 2;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        return usage();
    }
    bool echo = strcmp(argv[1], "echo") == 0;
    bool epoll = strcmp(argv[2], "epoll") == 0;
    long message = strtol(argv[3], NULL, 10);
    long port = argc > 4 ? strtol(argv[4], NULL, 10) : 0;
    if ((!echo && strcmp(argv[1], "fanout") != 0) || (!epoll && strcmp(argv[2], "uring") != 0) ||
        message < 0 || message > MESSAGE_MAX || port < 0 || port > 65535) {
        return usage();
    }
    struct floor floor;
    if (!floor_create(&floor, echo ? FLOOR_ECHO : FLOOR_FANOUT, (size_t)message, (int)port)) {
        perror("floor");
        return 1;
    }
    if (!epoll) {
        return floor_run_uring(&floor);
    }
    if (fcntl(floor.listener, F_SETFL, O_NONBLOCK) != 0) {
        perror("floor: fcntl");
        return 1;
    }
    return floor_run_epoll(&floor);
}
