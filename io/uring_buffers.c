/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring of receive buffers that all connections of a worker share.
 */
#include <errno.h>
#include <sys/mman.h>

#include "io/uring_internal.h"

static void buffer_add(struct uring_backend *backend, uint16_t buffer, int offset) {
    uint8_t *data = wring__backend_buffer(&backend->super, buffer);
    WRING_POISON(data, backend->super.buffer_size);
    io_uring_buf_ring_add(backend->buffer_ring, data, backend->super.buffer_size, buffer,
                          io_uring_buf_ring_mask(backend->super.buffer_count), offset);
}

int wring__uring_buffers_open(struct uring_backend *backend) {
    uint32_t count = backend->super.buffer_count;
    backend->buffer_ring_bytes = count * sizeof(struct io_uring_buf);
    backend->buffers_bytes = (size_t)count * backend->super.buffer_size;
    backend->buffer_ring = wring__uring_pages(backend->buffer_ring_bytes);
    backend->super.buffers = wring__uring_pages(backend->buffers_bytes);
    if (backend->buffer_ring == NULL || backend->super.buffers == NULL) {
        return -ENOMEM;
    }
    struct io_uring_buf_reg registration;
    memset(&registration, 0, sizeof registration);
    registration.ring_addr = (uint64_t)(uintptr_t)backend->buffer_ring;
    registration.ring_entries = count;
    registration.bgid = URING_BUFFER_GROUP;
    int result = io_uring_register_buf_ring(&backend->ring, &registration, 0);
    if (result != 0) {
        return result;
    }
    io_uring_buf_ring_init(backend->buffer_ring);
    for (uint32_t i = 0; i < count; i++) {
        buffer_add(backend, (uint16_t)i, (int)i);
    }
    io_uring_buf_ring_advance(backend->buffer_ring, (int)count);
    return 0;
}

void wring__uring_buffers_close(struct uring_backend *backend) {
    if (backend->buffer_ring != NULL) {
        munmap(backend->buffer_ring, backend->buffer_ring_bytes);
    }
    if (backend->super.buffers != NULL) {
        WRING_UNPOISON(backend->super.buffers, backend->buffers_bytes);
        munmap(backend->super.buffers, backend->buffers_bytes);
    }
}

void wring__uring_buffers_return(wring__backend *super, const uint16_t *buffers, size_t count) {
    struct uring_backend *backend = uring_of(super);
    for (size_t i = 0; i < count; i++) {
        buffer_add(backend, buffers[i], (int)i);
    }
    io_uring_buf_ring_advance(backend->buffer_ring, (int)count);
}
