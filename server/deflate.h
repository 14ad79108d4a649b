/* SPDX-License-Identifier: Apache-2.0
 *
 * permessage-deflate of a server. A published message is compressed by its publisher, once for each
 * window that connections of this server have negotiated, before any worker sees it: so no worker
 * waits for another, and none compresses what another has.
 */
#ifndef WRING_SERVER_DEFLATE_H
#define WRING_SERVER_DEFLATE_H

#include <stdatomic.h>

#include "core/shared.h"
#include "proto/deflate.h"
#include "server/policy.h"
#include "wring/server.h"

struct wring__peer;
struct wring__server_worker;

/** By window bits; 8: a window so small that only short messages are compressed. */
typedef struct wring__server_deflate {
    _Atomic uint32_t users[16];            /* connections that negotiated it */
    _Atomic(wring__compressor *) kept[16]; /* for the next publisher, one each */
    _Atomic uint64_t published;            /* times a published message was compressed */
    _Atomic uint64_t published_before;
    _Atomic uint64_t published_after;
} wring__server_deflate;

/** The compressors of publishers go: they may be made in another way now, or the server ends.
 *  Thread: any. */
void wring__server_deflate_changed(wring_server *server);

/** The contexts of all who live on a worker, clients included.  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__server_deflate_attach(struct wring__server_worker *worker);

/** At the upgrade: what is agreed on is the session's from here on.
 *  Returns the response's Sec-WebSocket-Extensions, in `out`; empty: none. */
wring_bytes wring__server_deflate_agree(struct wring__peer *peer, const wring__policy *policy,
                                        wring_headers headers, char out[WRING_DEFLATE_TEXT_MAX]);
void wring__server_deflate_leave(struct wring__peer *peer);

/** Adds the compressed forms to a message that is about to be handed over.
 *  @param config  adopted; zeroed: nothing is compressed   Thread: any. */
void wring__server_deflate_publication(wring_server *server, wring__shared *message,
                                       const wring_frame *frame,
                                       const wring_deflate_config *config);

/** Fills in its part.  Errors: WRING_ERR_INVALID_ARGUMENT (out->deflate without its size). */
wring_result wring__server_deflate_stats(const wring_server *server, wring_server_stats *out);

#endif
