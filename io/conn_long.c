/* SPDX-License-Identifier: Apache-2.0
 *
 * Receiving where the owner wants the bytes. See conn_long.h.
 */
#include "io/conn_long.h"

#include "io/worker.h"

/* A frame is long when it lacks so many reads. */
#define LONG_READS 2

bool wring__conn_long_arm(wring__conn *conn) {
    wring__backend *backend = conn->worker->backend;
    WRING_ASSERT(!conn->is_direct);
    if (conn->state != WRING__CONN_OPEN || !wring__recv_is_empty(&conn->received) ||
        conn->stash != NULL) {
        return false;
    }
    wring__block *block = conn->ops->room(conn);
    if (block == NULL) {
        return false;
    }
    conn->direct = wring__block_ref(block);
    conn->is_direct = true;
    WRING_POISON(block->data + block->at, block->len);
    backend->ops->recv_into(backend, conn->socket,
                            wring__token_pack(WRING__OP_RECV, conn->slot, conn->generation),
                            block->data + block->at, block->len);
    return true;
}

void wring__conn_long_complete(wring__conn *conn, int32_t result) {
    if (!conn->is_direct) {
        return;
    }
    wring__block *block = conn->direct;
    WRING_UNPOISON(block->data + block->at, block->len);
    block->len = result > 0 ? (size_t)result : 0;
    wring__count(&conn->worker->counters.rx_bytes, block->len);
    wring__count(&conn->worker->counters.rx_direct, 1);
    if (block->len == 0 || conn->state != WRING__CONN_OPEN) {
        wring__conn_long_drop(conn);
    }
}

wring__block *wring__conn_long_take(wring__conn *conn, wring_mut_bytes *bytes) {
    if (!conn->is_direct || conn->recv_armed) {
        return NULL;
    }
    wring__block *block = conn->direct;
    conn->direct = NULL;
    conn->is_direct = false;
    bytes->data = block->data + block->at;
    bytes->len = block->len;
    return block;
}

void wring__conn_long_drop(wring__conn *conn) {
    if (conn->is_direct && !conn->recv_armed) {
        wring__block_unref(conn->direct);
        conn->direct = NULL;
        conn->is_direct = false;
    }
}

void wring__conn_long_choose(wring__conn *conn, size_t longest) {
    if (conn->ops->missing == NULL || conn->tls != NULL || conn->state != WRING__CONN_OPEN) {
        return;
    }
    if (conn->one_shot) {
        conn->one_shot = conn->ops->missing(conn) > 0;
        return;
    }
    const uint32_t read_size = conn->worker->backend->read_size;
    if (longest >= read_size && conn->ops->missing(conn) >= (uint64_t)LONG_READS * read_size) {
        conn->one_shot = true;
        wring__conn_recv_cancel(conn);
    }
}
