/* SPDX-License-Identifier: Apache-2.0
 *
 * The body of an HTTP/1.x message, of either role: by length, chunked, or up to the end of the
 * connection (RFC 9112 6.3, 7.1). A pull decoder: it yields pieces in place, without a copy, and
 * keeps nothing but its state between calls. Strict: chunk lines and trailers are read by their
 * grammar, with CRLF and nothing else, and within bounds. No I/O.
 *
 *     wring_bytes piece;
 *     size_t used;
 *     while (wring__http1_body_next(&body, in, &used, &piece) == WRING_OK) {
 *         in = wring_bytes_of(in.data + used, in.len - used);
 *         if (piece.len == 0) {
 *             break; // the body has ended; `in` is what follows it
 *         }
 *     }
 */
#ifndef WRING_PROTO_HTTP1_BODY_H
#define WRING_PROTO_HTTP1_BODY_H

#include "core/base.h"
#include "wring/http.h"

#define WRING__HTTP1_EXTENSION_BYTES_MAX 4096u /* chunk extensions of one body */
#define WRING__HTTP1_TRAILER_BYTES_MAX   8192u
#define WRING__HTTP1_TRAILER_FIELDS_MAX  64u

typedef struct wring__http1_body {
    uint64_t left;            /* bytes of the body, or of the chunk at hand */
    uint32_t extension_bytes; /* of all chunks so far */
    uint16_t trailer_bytes;
    uint8_t trailer_fields;
    uint8_t digits; /* of the chunk's size so far */
    uint8_t state;
} wring__http1_body;

/** @param length  of a body that is not chunked; 0: it has ended before it began */
void wring__http1_body_begin(wring__http1_body *body, bool chunked, uint64_t length);

/** Of a response: chooses the framing that `status` and `headers` announce. That may be the end of
 *  the connection: then the body never has_ended.   RFC: 9112 6.3 */
void wring__http1_body_begin_response(wring__http1_body *body, int status, wring_headers headers);

/** The next piece of the body.
 *  @param used   bytes of `in` that this call consumed, also on an error; the next call begins
 *                behind them
 *  @param piece  a view into `in`. Empty: the body has ended, and what is behind *used is the next
 *                message
 *  Errors: WRING_MORE (`in` is used up), WRING_ERR_BAD_HTTP (bad chunks or trailers: so it stays).
 *  RFC: 9112 7.1 */
WRING_MUST_CHECK wring_result wring__http1_body_next(wring__http1_body *body, wring_bytes in,
                                                     size_t *used, wring_bytes *piece);

/** Bytes that are known to come: of a body by length what is left of it; else 0. */
uint64_t wring__http1_body_known_left(const wring__http1_body *body);

/** True once the whole body was taken. */
bool wring__http1_body_has_ended(const wring__http1_body *body);

#endif
