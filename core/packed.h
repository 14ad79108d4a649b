/* SPDX-License-Identifier: Apache-2.0
 *
 * A list of frames packed into one shared block, so that mail carries it like a single message.
 */
#ifndef WRING_CORE_PACKED_H
#define WRING_CORE_PACKED_H

#include "core/shared.h"
#include "wring/frame.h"

/** The opcode of a shared block that holds a packed list. */
#define WRING__PACKED 0xFF

/** Copies frames into one block.  NULL when memory is out. */
wring__shared *wring__packed_create(const wring_frame *frames, size_t count);

/** Walks a packed list; start with offset 0. Views borrow from the block. */
bool wring__packed_next(const wring__shared *packed, size_t *offset, wring_frame *frame);

/** The frames in it; 1 for a message that is no list. */
size_t wring__packed_count(const wring__shared *message);

/** The close frame of a packed list; false for one without, and for a message that is no list. */
bool wring__packed_close(const wring__shared *message, wring_frame *close);

#endif
