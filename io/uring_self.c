/* SPDX-License-Identifier: Apache-2.0
 *
 * A dialled socket that is connected to itself. When nobody listens at a port of this machine that
 * lies among the ephemeral ones, the kernel may pick that very port for the connecting end, and
 * TCP's simultaneous open (RFC 9293 3.5) succeeds: the client would talk to itself, and hold the
 * port that a server wants back. Only a descriptor can be asked for both addresses, so it is kept
 * beside the table's entry until such a dial is over. Descriptors may be few (RLIMIT_NOFILE bounds
 * a process's, not the tables'): no dial is to fail for want of one that is kept here, so beyond
 * half of the limit none is.
 */
#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/socket.h"
#include "io/uring_internal.h"

#define PORT_FIRST 32768 /* where the kernel does not tell */
#define PORT_LAST  60999

static bool address_is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
}

static uint16_t address_port(const struct sockaddr *address) {
    return ntohs(address->sa_family == AF_INET
                     ? ((const struct sockaddr_in *)(const void *)address)->sin_port
                     : ((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
}

/* Descriptors are given out from the lowest: a low one says that many are left, in all threads. */
static int fd_bound(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    return limit.rlim_cur / 2 < INT_MAX ? (int)(limit.rlim_cur / 2) : INT_MAX;
}

/* Read when it is needed first: most backends never dial. */
static void bounds_read(struct uring_dials *dials) {
    unsigned first = PORT_FIRST;
    unsigned last = PORT_LAST;
    char text[32] = "";
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (file != NULL) {
        if (fgets(text, sizeof text, file) == NULL || sscanf(text, "%u %u", &first, &last) != 2) {
            first = PORT_FIRST;
            last = PORT_LAST;
        }
        (void)fclose(file);
    }
    dials->port_first = (uint16_t)first;
    dials->port_last = (uint16_t)last;
    dials->fd_bound = fd_bound();
}

void wring__uring_dial_keep(struct uring_backend *backend, wring__socket socket, int fd,
                            const struct sockaddr *address) {
    struct uring_dials *dials = &backend->dials;
    if (dials->port_last == 0) {
        bounds_read(dials);
    }
    const uint16_t port = address_port(address);
    if (dials->count == URING_DIALS_MAX || fd >= dials->fd_bound || port < dials->port_first ||
        port > dials->port_last || !address_is_loopback(address)) {
        close(fd);
        return;
    }
    dials->list[dials->count++] = (struct uring_dial){socket, fd};
}

/* The kept descriptor of a dial, which is kept no longer; -1: there is none. */
static int dial_take(struct uring_dials *dials, wring__socket socket) {
    for (uint32_t i = 0; i < dials->count; i++) {
        if (dials->list[i].socket == socket) {
            const int fd = dials->list[i].fd;
            dials->list[i] = dials->list[--dials->count];
            return fd;
        }
    }
    return -1;
}

bool wring__uring_dialled(wring__backend *super, wring__socket socket) {
    const bool is_direct = (socket & URING_DIRECT) != 0;
    const int fd = is_direct ? dial_take(&uring_of(super)->dials, socket) : socket;
    const bool itself = fd >= 0 && wring__socket_is_itself(fd);
    if (is_direct && fd >= 0) {
        close(fd);
    }
    return itself;
}

void wring__uring_dials_close(struct uring_backend *backend) {
    struct uring_dials *dials = &backend->dials;
    while (dials->count > 0) {
        close(dials->list[--dials->count].fd);
    }
}
