/* SPDX-License-Identifier: Apache-2.0
 *
 * A head (of a request, a response, a proxy's answer) that may come in pieces: parsed where it lies
 * when it comes whole, which is the usual case, else collected in memory that grows with what was
 * received.
 */
#ifndef WRING_PROTO_HEAD_H
#define WRING_PROTO_HEAD_H

#include "proto/http1.h"

typedef struct wring__head {
    wring__http1 parser;
    size_t len;
    size_t cap;
    uint8_t *data;
} wring__head;

/** Feeds received bytes.
 *  @param head     *head is NULL before the first piece; wring__head_free frees it
 *  @param scratch  initialised (wring__http1_init) when *head is NULL; used for a head in one piece
 *  @param parser   set, unless WRING_MORE: the parser that came to the result
 *  @param data     set likewise: the head and what came behind it, borrowed from `bytes` or *head
 *  Errors: WRING_MORE, those of wring__http1_parse, WRING_ERR_NO_MEMORY */
WRING_MUST_CHECK wring_result wring__head_feed(wring__head **head, wring__http1 *scratch,
                                               wring_mut_bytes bytes, wring__http1 **parser,
                                               wring_mut_bytes *data);

/** NULL is legal; sets it to NULL. */
void wring__head_free(wring__head **head);

#endif
