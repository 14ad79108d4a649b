/* SPDX-License-Identifier: Apache-2.0
 *
 * What of HTTP a WebSocket needs: header lists, heads, and the request that a session began with.
 * No I/O. The checks of an upgrade are in wring/upgrade.h.
 */
#ifndef WRING_HTTP_H
#define WRING_HTTP_H

#include "wring/bytes.h"
#include "wring/handler.h"
#include "wring/result.h"
#include "wring/tls.h"

WRING_BEGIN_DECLS

/** One header field. */
typedef struct wring_header {
    wring_bytes name;  /**< as it stands in the head; ':' is the first byte of a pseudo-header */
    wring_bytes value; /**< without the spaces around it */
} wring_header;

/** Headers in the order of the head; names are compared case-insensitively. */
typedef struct wring_headers {
    const wring_header *list; /**< borrowed from whoever gave the view */
    size_t count;             /**< elements of `list` */
} wring_headers;

/** The first header of this name.  @param value  set when found
 *  Thread: any. Cost: linear. */
WRING_API bool wring_headers_get(wring_headers headers, const char *name, wring_bytes *value);

/** How many headers have this name. */
WRING_API size_t wring_headers_count(wring_headers headers, const char *name);

/** Where wring_headers_next is in a list; zeroed before the first call. */
typedef struct wring_list_cursor {
    size_t header; /**< the library's */
    size_t offset; /**< the library's */
} wring_list_cursor;

/** Walks the elements of a comma-separated list header, over all headers of that name, as one list;
 *  quoted strings may hold commas.
 *  @param cursor   zeroed before the first call
 *  @param element  the next element
 *  Returns false when there is none.   Thread: any. Cost: linear.   RFC: 9110 5.6.1 */
WRING_API bool wring_headers_next(wring_headers headers, const char *name,
                                  wring_list_cursor *cursor, wring_bytes *element);

/** True when the list header `name` has the element `token`, case-insensitively. */
WRING_API bool wring_headers_has_token(wring_headers headers, const char *name, const char *token);

/** The request a session began with. Everything is borrowed. */
struct wring_request {
    uint32_t struct_size;      /**< sizeof(struct wring_request) */
    wring_bytes method;        /**< "GET" */
    wring_bytes target;        /**< as in the request line */
    wring_bytes path;          /**< the target up to '?', raw */
    wring_bytes query;         /**< behind '?', raw; empty if there is none */
    wring_bytes host;          /**< the Host header, or :authority */
    wring_headers headers;     /**< all of them, in order; of a client's session: the answer's */
    wring_bytes origin;        /**< empty if there is none */
    wring_bytes subprotocol;   /**< the one chosen; empty if none. The ones offered, and the
                                    extensions, are read with wring_headers_next */
    wring_bytes peer;          /**< "address:port"; empty where it is not known */
    const wring_tls_info *tls; /**< NULL: not over TLS */
    wring_server *server;      /**< which it came to; NULL for a client's and an embedder's */
};

/** Fields a head may have. */
#define WRING_HTTP_FIELDS_MAX 64 /* the text of WRING_ERR_TOO_MANY_HEADERS names it */

/** Parses a request head at the start of `bytes`, for an embedder without an HTTP parser.
 *  @param list      room for WRING_HTTP_FIELDS_MAX; with `out` it borrows from `bytes`
 *  @param out       its struct_size is set by the caller
 *  @param head_len  length of the head; what follows are the first frames
 *  Errors: WRING_MORE (call again with more of it), WRING_ERR_BAD_HTTP, _BAD_HTTP_VERSION,
 *  _TOO_MANY_HEADERS, _HANDSHAKE_TOO_BIG (64 KiB).
 *  Thread: any. Cost: linear in `bytes` at every call, so bound how often you come back.
 *  RFC: 9112, strictly */
WRING_API WRING_MUST_CHECK wring_result wring_h1_request_parse(wring_bytes bytes,
                                                               wring_header *list,
                                                               wring_request *out,
                                                               size_t *head_len);

/** The same for a response. */
WRING_API WRING_MUST_CHECK wring_result wring_h1_response_parse(wring_bytes bytes,
                                                                wring_header *list, int *status,
                                                                wring_headers *headers,
                                                                size_t *head_len);

/** The HTTP status that tells a client about a failed upgrade: 400, 405, 426, 431, 503 ... */
WRING_API int wring_http_status(wring_result result);

/** "Bad Request" for 400; "" for one this library does not send. */
WRING_API const char *wring_http_reason(int status);

WRING_END_DECLS

#endif
