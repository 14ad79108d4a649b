/* SPDX-License-Identifier: Apache-2.0
 *
 * Long frames: for conn.c only. Once a frame is known to bring much more than a read
 * does, the kernel writes the rest of it where the owner assembles it. Such a connection receives
 * operation by operation, and goes back to the shared buffers and multishot when its frames are
 * short again.
 *
 * Where much lies in the sockets, connections need a lane, of which a worker has two: each keeps it
 * until its frame is whole or its share is had, and the others wait in line. So a worker's turn is
 * short beside any number of long frames, and what is assembled is in the cache when it is unmasked
 * and when it is answered. Nobody waits for a peer in a lane: who has nothing in the socket leaves.
 */
#ifndef WRING_IO_CONN_LONG_H
#define WRING_IO_CONN_LONG_H

#include "io/conn.h"

/** Of a worker: who is in a lane and who waits for one. */
typedef struct wring__long_lanes {
    uint64_t *waiting; /* refs, a ring of cap, a power of two; stale ones are passed over */
    uint32_t cap;
    uint32_t head;
    uint32_t count;
    uint32_t taken;
} wring__long_lanes;

void wring__long_lanes_deinit(wring__long_lanes *lanes);

enum wring__long {
    WRING__LONG_NO,    /* the owner has no room for it: receive as ever */
    WRING__LONG_ARMED, /* receives into the owner's room */
    WRING__LONG_WAITS  /* for a lane, and is armed then */
};

enum wring__long wring__conn_long_arm(wring__conn *conn);

/** A completion without a receive buffer came. */
void wring__conn_long_complete(wring__conn *conn, int32_t result);

/** Gives what was received; the caller unrefs the block when the owner has seen it.  NULL: none. */
wring__block *wring__conn_long_take(wring__conn *conn, wring_mut_bytes *bytes);

/** Drops what was received or, with the completion, will be. */
void wring__conn_long_drop(wring__conn *conn);

/** It does not read on now: the next in line has its lane, if it had one. */
void wring__conn_long_leave(wring__conn *conn);

/** After received bytes were given: whether to go on with the next by multishot.
 *  @param longest  bytes of the longest read: of a full buffer's worth, more is likely to come */
void wring__conn_long_choose(wring__conn *conn, size_t longest);

#endif
