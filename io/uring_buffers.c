/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring of receive buffers that all connections of a worker share.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "io/socket.h"
#include "io/uring_internal.h"

/* What a turn used last is forgotten after so many. */
#define WINDOW_TURNS 8192

#define LEAST_RUNS    2
#define LEAST_CLASSIC 32

static uint32_t want_of(const struct uring_backend *backend, uint32_t used) {
    const uint32_t all = backend->super.buffer_count;
    const uint32_t want = used + used / 2 + backend->buffers.least;
    return want < all ? want : all;
}

static void buffer_add(struct uring_backend *backend, uint16_t buffer, int offset) {
    uint8_t *data = wring__backend_buffer(&backend->super, buffer);
    io_uring_buf_ring_add(backend->buffer_ring, data, backend->super.buffer_size, buffer,
                          io_uring_buf_ring_mask(backend->super.buffer_count), offset);
}

static int ring_register(struct uring_backend *backend, uint32_t count, uint16_t flags) {
    struct io_uring_buf_reg registration;
    memset(&registration, 0, sizeof registration);
    registration.ring_addr = (uint64_t)(uintptr_t)backend->buffer_ring;
    registration.ring_entries = count;
    registration.bgid = URING_BUFFER_GROUP;
    registration.pad = flags;
    return io_uring_register_buf_ring(&backend->ring, &registration, 0);
}

/* Incremental buffers (Linux 6.12): the kernel goes on in a buffer where the last receive ended.
 * False: there is too little memory for that, or the kernel has none. */
static bool runs_register(struct uring_backend *backend) {
    uint32_t count;
    uint32_t size;
    if (!wring__buffer_runs(backend->buffers_bytes, backend->super.buffer_count, &count, &size) ||
        ring_register(backend, count, WRING__PBUF_RING_INC) != 0) {
        return false;
    }
    backend->super.buffer_count = count;
    backend->super.buffer_size = size;
    backend->buffers.least = LEAST_RUNS;
    return true;
}

int wring__uring_buffers_open(struct uring_backend *backend) {
    uint32_t count = backend->super.buffer_count;
    struct uring_buffers *buffers = &backend->buffers;
    backend->super.read_size = backend->super.buffer_size;
    backend->buffer_ring_bytes = count * sizeof(struct io_uring_buf);
    backend->buffers_bytes = (size_t)count * backend->super.buffer_size;
    backend->buffer_ring = wring__pages(backend->buffer_ring_bytes);
    backend->super.buffers = wring__pages(backend->buffers_bytes);
    if (backend->buffer_ring == NULL || backend->super.buffers == NULL) {
        return -ENOMEM;
    }
    WRING_POISON(backend->super.buffers, backend->buffers_bytes);
    if (!runs_register(backend)) {
        buffers->least = LEAST_CLASSIC;
        int result = ring_register(backend, count, 0);
        if (result != 0) {
            return result;
        }
    }
    count = backend->super.buffer_count;
    io_uring_buf_ring_init(backend->buffer_ring);
    buffers->home = calloc(count, sizeof *buffers->home);
    if (buffers->home == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = count; i > 0; i--) {
        buffers->home[buffers->home_count++] = (uint16_t)(i - 1);
    }
    buffers->want = want_of(backend, 0);
    return 0;
}

void wring__uring_buffers_close(struct uring_backend *backend) {
    if (backend->buffer_ring != NULL) {
        munmap(backend->buffer_ring, backend->buffer_ring_bytes);
    }
    free(backend->buffers.home);
    if (backend->super.buffers != NULL) {
        WRING_UNPOISON(backend->super.buffers, backend->buffers_bytes);
        munmap(backend->super.buffers, backend->buffers_bytes);
    }
}

void wring__uring_buffers_return(wring__backend *super, const uint16_t *buffers, size_t count) {
    struct uring_backend *backend = uring_of(super);
    for (size_t i = 0; i < count; i++) {
        WRING_POISON(wring__backend_buffer(super, buffers[i]), super->buffer_size);
        backend->buffers.home[backend->buffers.home_count++] = buffers[i];
    }
}

void wring__uring_buffers_fill(struct uring_backend *backend) {
    struct uring_buffers *buffers = &backend->buffers;
    int added = 0;
    while (buffers->lent < buffers->want && buffers->home_count > 0) {
        buffer_add(backend, buffers->home[--buffers->home_count], added++);
        buffers->lent++;
    }
    if (added > 0) {
        io_uring_buf_ring_advance(backend->buffer_ring, added);
    }
}

void wring__uring_buffers_used(struct uring_backend *backend, uint32_t count, bool exhausted) {
    struct uring_buffers *buffers = &backend->buffers;
    WRING_ASSERT(count <= buffers->lent);
    buffers->lent -= count;
    if (count > buffers->used_max) {
        buffers->used_max = count;
        const uint32_t want = want_of(backend, count);
        buffers->want = want > buffers->want ? want : buffers->want;
    }
    if (exhausted) {
        buffers->want = want_of(backend, buffers->want);
    }
    if (++buffers->turns == WINDOW_TURNS) {
        buffers->want = want_of(backend, buffers->used_max);
        buffers->turns = 0;
        buffers->used_max = 0;
    }
}
