/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring's own file table. A connection in it is no descriptor of the process: RLIMIT_NOFILE
 * bounds each ring's table, not their sum, and an operation needs no look-up in the process's
 * table. What can only be done with a descriptor (asking for the peer's address) is done before.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/socket.h"
#include "io/uring_internal.h"

/* Eight bytes of kernel memory each. Beyond them come plain descriptors. */
#define FILES_MAX (1u << 18)

static void *table_pages(size_t count, size_t size) {
    return wring__pages(count * size);
}

void wring__uring_files_open(struct uring_backend *backend, uint32_t count) {
    struct uring_files *files = &backend->files;
    struct rlimit limit;
    if (count == WRING__DIRECT_NONE || getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    count = count == 0 || count > FILES_MAX ? FILES_MAX : count;
    count = limit.rlim_cur < count ? (uint32_t)limit.rlim_cur : count;
    files->count = count;
    files->free_slots = table_pages(count, sizeof *files->free_slots);
    files->peers = table_pages(count, sizeof *files->peers);
    if (count == 0 || files->free_slots == NULL || files->peers == NULL ||
        io_uring_register_files_sparse(&backend->ring, count) != 0) {
        wring__uring_files_close(backend);
        return;
    }
    backend->can |= URING_CAN_DIRECT;
}

void wring__uring_files_close(struct uring_backend *backend) {
    struct uring_files *files = &backend->files;
    if (files->free_slots != NULL) {
        munmap(files->free_slots, files->count * sizeof *files->free_slots);
    }
    if (files->peers != NULL) {
        munmap(files->peers, files->count * sizeof *files->peers);
    }
    memset(files, 0, sizeof *files);
}

uint32_t wring__uring_slot_acquire(struct uring_backend *backend) {
    struct uring_files *files = &backend->files;
    if (files->free_count > 0) {
        return files->free_slots[--files->free_count];
    }
    return files->unused < files->count ? files->unused++ : URING_SLOT_NONE;
}

void wring__uring_slot_release(struct uring_backend *backend, uint32_t slot) {
    struct uring_files *files = &backend->files;
    WRING_ASSERT(slot < files->unused && files->free_count < files->unused);
    files->free_slots[files->free_count++] = slot;
}

/* ---- who is at the other end ----------------------------------------------------------------- */

void wring__uring_peer_set(struct uring_backend *backend, uint32_t slot,
                           const struct sockaddr *address) {
    struct uring_peer *peer = &backend->files.peers[slot];
    memset(peer, 0, sizeof *peer);
    peer->family = address->sa_family;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        memcpy(peer->address, &v4->sin_addr, sizeof v4->sin_addr);
        peer->port = v4->sin_port;
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        memcpy(peer->address, &v6->sin6_addr, sizeof v6->sin6_addr);
        peer->port = v6->sin6_port;
        peer->scope = v6->sin6_scope_id;
    }
}

bool wring__uring_peer(wring__backend *super, wring__socket socket, struct sockaddr_storage *out) {
    if ((socket & URING_DIRECT) == 0) {
        return wring__socket_peer(socket, out);
    }
    memset(out, 0, sizeof *out);
    const struct uring_peer *peer = &uring_of(super)->files.peers[socket & ~URING_DIRECT];
    if (peer->family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = peer->port;
        memcpy(&v4->sin_addr, peer->address, sizeof v4->sin_addr);
    } else if (peer->family == AF_INET6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = peer->port;
        v6->sin6_scope_id = peer->scope;
        memcpy(&v6->sin6_addr, peer->address, sizeof v6->sin6_addr);
    }
    return peer->family == AF_INET || peer->family == AF_INET6;
}

/* ---- dialling and closing -------------------------------------------------------------------- */

/* A dialled socket is made and bound as a descriptor and then moved into the table: while it is
 * dialled the process needs one descriptor, not one for each connection. uring_self.c keeps a few
 * more. */
static wring__socket socket_to_table(struct uring_backend *backend, int fd,
                                     const struct sockaddr *address) {
    const uint32_t slot = wring__uring_slot_acquire(backend);
    if (slot == URING_SLOT_NONE) {
        return fd;
    }
    if (backend->files.close_queued) { /* or the close of the slot's last file would hit this one */
        wring__uring_submit(backend);
    }
    if (io_uring_register_files_update(&backend->ring, slot, &fd, 1) != 1) {
        wring__uring_slot_release(backend, slot);
        return fd;
    }
    wring__uring_dial_keep(backend, (wring__socket)slot | URING_DIRECT, fd, address);
    wring__uring_peer_set(backend, slot, address);
    return (wring__socket)slot | URING_DIRECT;
}

wring_result wring__uring_connect(wring__backend *super, const wring__dial_config *config,
                                  uint64_t token, wring__socket *out) {
    struct uring_backend *backend = uring_of(super);
    int fd = wring__socket_make(config, 0);
    if (fd < 0) {
        return WRING_ERR_SYSTEM;
    }
    *out = socket_to_table(backend, fd, config->address);
    struct io_uring_sqe *sqe = wring__uring_sqe(backend);
    io_uring_prep_connect(sqe, *out, config->address, config->address_len);
    uring_sqe_address(sqe, *out, token);
    return WRING_OK;
}

void wring__uring_close_socket(wring__backend *super, wring__socket socket, uint64_t token) {
    struct uring_backend *backend = uring_of(super);
    struct io_uring_sqe *sqe = wring__uring_sqe(backend);
    if ((socket & URING_DIRECT) == 0) {
        io_uring_prep_close(sqe, socket);
    } else {
        /* The slot may be given out again at once: operations are begun in the order they are
         * queued, and this one is done where it begins. */
        const uint32_t slot = (uint32_t)(socket & ~URING_DIRECT);
        io_uring_prep_close_direct(sqe, slot);
        wring__uring_slot_release(backend, slot);
        backend->files.close_queued = true;
    }
    io_uring_sqe_set_data64(sqe, token);
}
