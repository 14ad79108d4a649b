/* SPDX-License-Identifier: Apache-2.0
 *
 * The body of an HTTP/1.1 response, for its first bytes only: where a refused upgrade says why. The
 * framings are Content-Length, chunked, and the end of the connection (RFC 9112 6.3).
 */
#ifndef WRING_PROTO_HTTP1_BODY_H
#define WRING_PROTO_HTTP1_BODY_H

#include "core/base.h"
#include "wring/http.h"

typedef struct wring__http1_body {
    uint64_t left; /* bytes of the body, or of the chunk at hand */
    uint8_t state;
    uint8_t digits; /* of the chunk's size so far */
} wring__http1_body;

/** Chooses the framing that `status` and `headers` announce. */
void wring__http1_body_init(wring__http1_body *body, int status, wring_headers headers);

/** Copies what `bytes` hold of the body behind out[*len].
 *  @param len  bytes in `out` so far, at most `cap`; grows
 *  Returns WRING_OK when the body has ended or `out` is full.
 *  Errors: WRING_MORE, WRING_ERR_BAD_HTTP (malformed chunks; *len is what came before them) */
WRING_MUST_CHECK wring_result wring__http1_body_feed(wring__http1_body *body, wring_bytes bytes,
                                                     uint8_t *out, size_t cap, size_t *len);

/** True once the whole body was taken. */
bool wring__http1_body_has_ended(const wring__http1_body *body);

#endif
