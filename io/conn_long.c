/* SPDX-License-Identifier: Apache-2.0
 *
 * Receiving where the owner wants the bytes. See conn_long.h.
 */
#include "io/conn_long.h"

#include <stdlib.h>

#include "io/conn_rx.h"

/* A frame is long when it lacks so many reads. */
#define LONG_READS 2
/* Received without a long frame in progress before multishot is armed again: the first read of a
 * frame does not show yet that it is long. */
#define SHORT_READS 2
/* Lanes of a worker, and receives in one while others wait (at most 256 KiB each: the session's
 * room). */
#define LANES       2
#define SHARE       4
#define WAITING_MIN 64

/* ---- lanes ----------------------------------------------------------------------------------- */

void wring__long_lanes_deinit(wring__long_lanes *lanes) {
    WRING_ASSERT(lanes->taken == 0);
    free(lanes->waiting);
    memset(lanes, 0, sizeof *lanes);
}

static bool waiting_grow(wring__long_lanes *lanes) {
    const uint32_t cap = lanes->cap == 0 ? WAITING_MIN : lanes->cap * 2;
    uint64_t *grown = malloc(cap * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < lanes->count; i++) {
        grown[i] = lanes->waiting[(lanes->head + i) & (lanes->cap - 1)];
    }
    free(lanes->waiting);
    lanes->waiting = grown;
    lanes->cap = cap;
    lanes->head = 0;
    return true;
}

/* False: no memory to stand in line with. */
static bool lane_wait(wring__conn *conn) {
    wring__long_lanes *lanes = &conn->super.worker->lanes;
    if (lanes->count == lanes->cap && !waiting_grow(lanes)) {
        return false;
    }
    lanes->waiting[(lanes->head + lanes->count) & (lanes->cap - 1)] =
        wring__ref_pack(0, conn->super.slot, conn->super.generation);
    lanes->count++;
    wring__end_rx_stop(&conn->super, WRING__RX_STOP_LANE);
    wring__count(&conn->super.worker->counters.rx_waited, 1);
    return true;
}

static wring__conn *waiting_pop(wring__worker *worker) {
    wring__long_lanes *lanes = &worker->lanes;
    while (lanes->count > 0) {
        const uint64_t ref = lanes->waiting[lanes->head];
        lanes->head = (lanes->head + 1) & (lanes->cap - 1);
        lanes->count--;
        wring__conn *conn =
            wring__worker_conn(worker, wring__ref_slot(ref), wring__ref_generation(ref));
        if (conn != NULL) {
            wring__end_rx_go(&conn->super, WRING__RX_STOP_LANE);
            return conn;
        }
    }
    return NULL;
}

void wring__conn_long_leave(wring__conn *conn) {
    WRING_ASSERT(!conn->has_lane || conn->super.worker->lanes.taken > 0);
    if (!conn->has_lane) {
        return;
    }
    wring__worker *worker = conn->super.worker;
    conn->has_lane = false;
    worker->lanes.taken--;
    wring__conn *next;
    while (worker->lanes.taken < LANES && (next = waiting_pop(worker)) != NULL) {
        wring__conn_recv_on(next);
    }
}

/* False: it waits in line. */
static bool lane_take(wring__conn *conn) {
    wring__long_lanes *lanes = &conn->super.worker->lanes;
    if (!conn->has_lane && lanes->taken >= LANES) {
        return !lane_wait(conn);
    }
    if (!conn->has_lane) {
        conn->has_lane = true;
        conn->long_receives = 0;
        lanes->taken++;
    } else if (conn->long_receives == SHARE && lanes->count > 0 && lane_wait(conn)) {
        wring__conn_long_leave(conn);
        return false;
    }
    conn->long_receives = (uint8_t)(conn->long_receives % SHARE + 1);
    return true;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static wring__block *room_of(wring__conn *conn) {
    const bool may = conn->super.state == WRING__END_OPEN && conn->stash == NULL &&
                     wring__recv_is_empty(&conn->received) &&
                     conn->super.ops->missing(&conn->super) > 0;
    return may ? conn->super.ops->room(&conn->super) : NULL;
}

enum wring__long wring__conn_long_arm(wring__conn *conn) {
    wring__backend *backend = conn->super.worker->backend;
    WRING_ASSERT(!conn->is_direct);
    if ((conn->super.rx_stop & WRING__RX_STOP_LANE) != 0 && conn->super.state == WRING__END_OPEN) {
        return WRING__LONG_WAITS;
    }
    const bool more = conn->long_more && conn->super.state == WRING__END_OPEN &&
                      conn->super.ops->missing(&conn->super) > 0;
    if (more && !lane_take(conn)) {
        return WRING__LONG_WAITS;
    }
    wring__block *block = room_of(conn);
    if (!more || block == NULL) {
        wring__conn_long_leave(conn);
    }
    if (block == NULL) {
        return WRING__LONG_NO;
    }
    if (!more && conn->super.worker->lanes.taken > 0) {
        block->len = wring__min_size(block->len, backend->read_size); /* a long run takes a lane */
    }
    conn->direct = wring__block_ref(block);
    conn->is_direct = true;
    WRING_POISON(block->data + block->at, block->len);
    backend->ops->recv_into(backend, conn->socket, wring__conn_token(conn, WRING__OP_RECV),
                            block->data + block->at, block->len, more);
    return WRING__LONG_ARMED;
}

void wring__conn_long_complete(wring__conn *conn, int32_t result) {
    if (!conn->is_direct) {
        return;
    }
    wring__block *block = conn->direct;
    WRING_UNPOISON(block->data + block->at, block->len);
    const size_t len = result > 0 ? (size_t)result : 0;
    conn->long_more = len == block->len;
    block->len = len;
    wring__count(&conn->super.worker->counters.rx_bytes, len);
    wring__count(&conn->super.worker->counters.rx_direct, 1);
    if (len == 0) {
        wring__conn_long_leave(conn);
    }
    if (len == 0 || conn->super.state != WRING__END_OPEN) {
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
    const uint32_t read_size = conn->super.worker->backend->read_size;
    const bool begun = conn->one_shot > 0;
    if (!begun && longest < read_size) {
        return; /* nearly all */
    }
    if (conn->super.ops->missing == NULL || conn->super.tls != NULL ||
        conn->super.state != WRING__END_OPEN) {
        return;
    }
    if (conn->super.ops->missing(&conn->super) >= (uint64_t)LONG_READS * read_size) {
        conn->one_shot = SHORT_READS;
        if (!begun) {
            wring__conn_recv_cancel(conn);
        }
    } else if (begun) {
        conn->one_shot--;
    }
}
