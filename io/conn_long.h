/* SPDX-License-Identifier: Apache-2.0
 *
 * Long frames: for conn.c only. Once a frame is known to bring much more than a read
 * does, the kernel writes the rest of it where the owner assembles it. Such a connection receives
 * operation by operation, and goes back to the shared buffers and multishot when its frames are
 * short again.
 */
#ifndef WRING_IO_CONN_LONG_H
#define WRING_IO_CONN_LONG_H

#include "io/conn.h"

/** Receives into the owner's room, if it has some. */
bool wring__conn_long_arm(wring__conn *conn);

/** A completion without a receive buffer came. */
void wring__conn_long_complete(wring__conn *conn, int32_t result);

/** Gives what was received; the caller unrefs the block when the owner has seen it.  NULL: none. */
wring__block *wring__conn_long_take(wring__conn *conn, wring_mut_bytes *bytes);

/** Drops what was received or, with the completion, will be. */
void wring__conn_long_drop(wring__conn *conn);

/** After received bytes were given: whether to go on with the next by multishot.
 *  @param longest  bytes of the longest read: of a full buffer's worth, more is likely to come */
void wring__conn_long_choose(wring__conn *conn, size_t longest);

#endif
