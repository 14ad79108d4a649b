/* SPDX-License-Identifier: Apache-2.0
 *
 * What travels in mail besides a single message: a list of frames packed into one shared block, a
 * posted info, a call on the worker's thread.
 */
#ifndef WRING_CORE_PACKED_H
#define WRING_CORE_PACKED_H

#include "core/mailbox.h"
#include "core/shared.h"
#include "wring/frame.h"
#include "wring/handler.h"

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

/** The payload of posted mail. */
typedef struct wring__posted {
    wring_info info;
    void (*lost)(const wring_info *info);
} wring__posted;

/** Work for a worker's thread: embedded in the poster's struct. One of the two is called, once. */
typedef struct wring__call {
    void (*run)(struct wring__call *call, void *worker); /* worker: the wring__worker */
    void (*lost)(struct wring__call *call);              /* the worker ended first */
} wring__call;

/** What is lost when nobody reads this mail: frames, but for a close frame, or a posted info. */
size_t wring__mail_count(const wring__mail *mail);

/** Nobody will read this mail: tells its sender if it asked for that, and frees what it carried. */
void wring__mail_lost(const wring__mail *mail);

#endif
