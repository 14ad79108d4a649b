/* SPDX-License-Identifier: Apache-2.0
 *
 * What of HTTP a WebSocket needs: header lists, the request a session began with, and the upgrade
 * helpers for HTTP/1.1 in both roles. No I/O: an embedder with an HTTP stack of its own calls these
 * at the point where the head is parsed.
 */
#ifndef WRING_HTTP_H
#define WRING_HTTP_H

#include "wring/bytes.h"
#include "wring/handler.h"
#include "wring/result.h"
#include "wring/tls.h"

WRING_BEGIN_DECLS

typedef struct wring_header {
    wring_bytes name;
    wring_bytes value;
} wring_header;

/** Headers in the order of the head; names are compared case-insensitively. */
typedef struct wring_headers {
    const wring_header *list;
    size_t count;
} wring_headers;

/** The first header of this name.  @param value  set when found
 *  Thread: any. Cost: linear. */
WRING_API bool wring_headers_get(wring_headers headers, const char *name, wring_bytes *value);

/** How many headers have this name. */
WRING_API size_t wring_headers_count(wring_headers headers, const char *name);

/** Walks the elements of a comma-separated list header, over all headers of that name, as one list
 *  (RFC 9110 5.6.1). Start with a zeroed cursor; quoted strings may hold commas. Linear. */
typedef struct wring_list_cursor {
    size_t header;
    size_t offset;
} wring_list_cursor;
WRING_API bool wring_headers_next(wring_headers headers, const char *name,
                                  wring_list_cursor *cursor, wring_bytes *element);

/** True when the list header `name` has the element `token`, case-insensitively. */
WRING_API bool wring_headers_has_token(wring_headers headers, const char *name, const char *token);

/** The request a session began with. Everything is borrowed. */
struct wring_request {
    wring_bytes method;
    wring_bytes target; /**< as in the request line */
    wring_bytes path;   /**< the target up to '?', raw */
    wring_bytes query;  /**< behind '?', raw; empty if there is none */
    wring_bytes host;
    wring_headers headers;
    wring_bytes origin;        /**< empty if there is none */
    wring_bytes subprotocol;   /**< the one chosen; empty if none. The ones offered, and the
                                    extensions, are read with wring_headers_next */
    wring_bytes peer;          /**< "address:port"; empty where it is not known */
    const wring_tls_info *tls; /**< NULL: not over TLS */
};

/** Fields a head may have. */
#define WRING_HTTP_FIELDS_MAX 64 /* the text of WRING_ERR_TOO_MANY_HEADERS names it */

/** Parses a request head at the start of `bytes`, for an embedder without an HTTP parser.
 *  @param list      room for WRING_HTTP_FIELDS_MAX; with `out` it borrows from `bytes`
 *  @param head_len  length of the head; what follows are the first frames
 *  Errors: WRING_MORE (call again with more of it), WRING_ERR_BAD_HTTP, _BAD_HTTP_VERSION,
 *  _TOO_MANY_HEADERS, _HANDSHAKE_TOO_BIG (64 KiB).
 *  Thread: any. Cost: linear in `bytes` at every call, so bound how often you come back.
 *  RFC: 9112, strictly */
WRING_API WRING_MUST_CHECK wring_result wring_h1_parse_request(wring_bytes bytes,
                                                               wring_header *list,
                                                               wring_request *out,
                                                               size_t *head_len);

/** The same for a response. */
WRING_API WRING_MUST_CHECK wring_result wring_h1_parse_response(wring_bytes bytes,
                                                                wring_header *list, int *status,
                                                                wring_headers *headers,
                                                                size_t *head_len);

/** What a server asks of an upgrade request. Zeroed is legal. */
typedef struct wring_upgrade_options {
    const char *const *required_subprotocols; /**< one of them must be offered */
    size_t required_subprotocol_count;
} wring_upgrade_options;

/** What a valid upgrade request said. Views borrow from its headers. */
typedef struct wring_upgrade_info {
    wring_bytes key;
    char accept[29];         /**< the Sec-WebSocket-Accept value, NUL-terminated */
    wring_bytes origin;      /**< empty if there is none */
    wring_bytes subprotocol; /**< the first offered one that is required; empty if none */
} wring_upgrade_info;

/** Validates an upgrade request.
 *  Errors: WRING_ERR_WRONG_METHOD, _BAD_HOST, _UNEXPECTED_BODY, _MISSING_UPGRADE, _INVALID_UPGRADE,
 *  _MISSING_CONNECTION, _INVALID_CONNECTION, _UNSUPPORTED_VERSION, _MISSING_KEY, _BAD_KEY,
 *  _NO_ACCEPTABLE_SUBPROTOCOL.   Thread: any.   RFC: 6455 4.2.1 */
WRING_API WRING_MUST_CHECK wring_result
wring_h1_validate_request(wring_bytes method, wring_headers headers,
                          const wring_upgrade_options *options, wring_upgrade_info *out);

/** The accept value of a key.  Errors: WRING_ERR_BAD_KEY.   RFC: 6455 4.2.2 */
WRING_API WRING_MUST_CHECK wring_result wring_h1_accept_key(wring_bytes key, char out[29]);

/** A fresh Sec-WebSocket-Key.  Errors: WRING_ERR_NO_RANDOM.   RFC: 6455 4.1 */
WRING_API WRING_MUST_CHECK wring_result wring_h1_client_key(char out[25]);

/** The headers of the 101, as a list of at most four. Views borrow from `info`.
 *  Returns how many were written. */
WRING_API size_t wring_h1_response_headers(const wring_upgrade_info *info, wring_header out[4]);

/** Writes the whole 101 head.  @param extra  more headers, or an empty list
 *  Errors: WRING_ERR_INVALID_HEADER (CR, LF or NUL in an extra header),
 *  WRING_ERR_INVALID_ARGUMENT when `cap` is too small. */
WRING_API WRING_MUST_CHECK wring_result wring_h1_response_write(const wring_upgrade_info *info,
                                                                wring_headers extra, char *out,
                                                                size_t cap, size_t *len);

/** Can these headers stand in an upgrade request? Refused are those of the handshake itself
 * (Upgrade, Connection, Sec-WebSocket-Key, Sec-WebSocket-Version, Content-Length,
 * Transfer-Encoding, TE ...), a second Host, Origin, Authorization or User-Agent, names that are no
 * token, and control bytes. Errors: WRING_ERR_INVALID_HEADER; `error` (may be NULL) names the
 * header.   Thread: any. */
WRING_API WRING_MUST_CHECK wring_result wring_h1_request_headers_check(wring_headers extra,
                                                                       wring_error *error);

/** What a client asks for. Zeroed is legal. */
typedef struct wring_h1_client_options {
    const char *const *subprotocols; /**< offered, in order of preference */
    size_t subprotocol_count;
    const char *extensions; /**< the value of Sec-WebSocket-Extensions, or NULL */
    const char *origin;     /**< or NULL */
    wring_headers extra;    /**< as wring_h1_request_headers_check allows. Host, Origin,
                                 Sec-WebSocket-Protocol and -Extensions replace the fields above;
                                 the latter two count as offers when the answer is judged */
} wring_h1_client_options;

/** Writes the whole upgrade request.  @param key  from wring_h1_client_key
 *  Errors: WRING_ERR_INVALID_HEADER, WRING_ERR_INVALID_ARGUMENT (too small).   RFC: 6455 4.1 */
WRING_API WRING_MUST_CHECK wring_result
wring_h1_request_write(const char *host, const char *target, const char *key,
                       const wring_h1_client_options *options, char *out, size_t cap, size_t *len);

/** Validates the response to an upgrade request.
 *  Errors: WRING_ERR_UNEXPECTED_STATUS, _MISSING_UPGRADE, _INVALID_UPGRADE, _MISSING_CONNECTION,
 *  _INVALID_CONNECTION, _MISSING_ACCEPT, _ACCEPT_MISMATCH, _UNEXPECTED_SUBPROTOCOL,
 *  _UNEXPECTED_EXTENSION (any, when `options` offers none).   RFC: 6455 4.1 */
WRING_API WRING_MUST_CHECK wring_result
wring_h1_validate_response(int status, wring_headers headers, const char *key,
                           const wring_h1_client_options *options, wring_bytes *subprotocol);

/** The HTTP status that tells a client about a failed upgrade: 400, 405, 426, 431, 503 ... */
WRING_API int wring_http_status(wring_result result);

/** "Bad Request" for 400; "" for one this library does not send. */
WRING_API const char *wring_http_reason(int status);

WRING_END_DECLS

#endif
