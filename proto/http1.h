/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of an HTTP/1.x request or response: incremental, one pass, strict (RFC 9112, and of its
 * leniencies only the empty lines before a request: no bare LF, no obs-fold, no space before a
 * colon). Then what a request head says: its target, its host, and the length of its body.
 *
 * The head lies in one contiguous buffer of the caller's. While it is incomplete the caller passes
 * the longer buffer again; bytes already examined are not examined again. The parser keeps offsets
 * only, so the buffer may move between calls.
 */
#ifndef WRING_PROTO_HTTP1_H
#define WRING_PROTO_HTTP1_H

#include "core/base.h"
#include "wring/http.h"

#define WRING__HTTP1_FIELDS_MAX WRING_HTTP_FIELDS_MAX

enum wring__http1_kind { WRING__HTTP1_REQUEST, WRING__HTTP1_RESPONSE };

typedef struct wring__http1_field {
    uint32_t name;  /* offset */
    uint32_t value; /* offset */
    uint16_t name_len;
    uint16_t value_len;
} wring__http1_field;

typedef struct wring__http1 {
    uint32_t position;  /* bytes examined */
    uint32_t mark;      /* where the token at hand began */
    uint32_t value_end; /* behind the last byte of the value that is not white space */
    uint32_t head_max;
    uint32_t method; /* offset: empty lines may stand before it */
    uint32_t target; /* offset */
    uint16_t target_len;
    uint16_t target_max;
    uint16_t method_len;
    uint16_t status;
    uint16_t field_count;
    uint8_t kind;
    uint8_t state;
    uint8_t minor;   /* of the version: 0 or 1 */
    uint8_t leading; /* empty lines skipped before a request */
    wring__http1_field fields[WRING__HTTP1_FIELDS_MAX];
} wring__http1;

/** @param head_max    most bytes of the whole head; at most 64 KiB - 1 for any field
 *  @param target_max  most bytes of the request target */
void wring__http1_init(wring__http1 *parser, enum wring__http1_kind kind, uint32_t head_max,
                       uint16_t target_max);

/** Goes on with the head at the start of `buffer`. On WRING_OK `parser->position` is its length;
 *  what follows is not touched.
 *  Errors: WRING_MORE, WRING_ERR_BAD_HTTP, WRING_ERR_BAD_HTTP_VERSION,
 *  WRING_ERR_TARGET_TOO_BIG, WRING_ERR_HANDSHAKE_TOO_BIG (a client's caller says
 *  _RESPONSE_TOO_BIG), WRING_ERR_TOO_MANY_HEADERS. */
WRING_MUST_CHECK wring_result wring__http1_parse(wring__http1 *parser, wring_bytes buffer);

/** Views of a finished head. `list` has room for WRING__HTTP1_FIELDS_MAX. */
wring_headers wring__http1_headers(const wring__http1 *parser, const uint8_t *buffer,
                                   wring_header *list);

/** The reason phrase of a finished response head; empty when the status line has none. */
wring_bytes wring__http1_reason(const wring__http1 *parser, const uint8_t *buffer);

/** Of a finished response head: 1xx but 101, the final answer is still to come.   RFC: 9110 15.2 */
static inline bool wring__http1_is_interim(const wring__http1 *parser) {
    return parser->status >= 100 && parser->status < 200 && parser->status != 101;
}

/** A name of a header or subprotocol: one character or more, no separator.   RFC: 9110 5.6.2 */
bool wring__http1_is_token(wring_bytes text);

/** Bytes that the method of a request may have. */
#define WRING__HTTP1_METHOD_MAX 32

/** A byte of a field's value: visible, space, tab or obs-text; no line end, no control byte.
 *  RFC: 9110 5.5 */
bool wring__http1_is_value_byte(uint8_t byte);

/** The request line's views and the headers as a request. The target is taken apart: of an
 *  absolute-form, path, query and host come from the URI; of CONNECT, the path is the whole target.
 *  Errors: WRING_ERR_BAD_HTTP: the target has none of the four forms, a fragment, or an illegal
 *  authority; then `out` has everything but path, query and host.
 *  RFC: 9112 3.2 */
WRING_MUST_CHECK wring_result wring__http1_request(const wring__http1 *parser,
                                                   const uint8_t *buffer, wring_header *list,
                                                   wring_request *out);

/** The Host header by the rules of the request's version: exactly one and not empty for HTTP/1.1,
 *  at most one for 1.0. Errors: WRING_ERR_BAD_HOST.   RFC: 9112 3.2 */
WRING_MUST_CHECK wring_result wring__http1_host_check(const wring_request *request);

/** How long the body of a request is. Without either header there is none: length 0.
 *  @param minor   of the version
 *  @param length  of a body that is not chunked, at most INT64_MAX
 *  Errors: WRING_ERR_BAD_HTTP (malformed, or ambiguous between us and a proxy),
 *  WRING_ERR_UNSUPPORTED_ENCODING (a transfer coding besides chunked).   RFC: 9112 6 */
WRING_MUST_CHECK wring_result wring__http1_framing(wring_headers headers, unsigned minor,
                                                   bool *chunked, uint64_t *length);

#endif
