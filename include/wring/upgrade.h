/* SPDX-License-Identifier: Apache-2.0
 *
 * The checks and headers of an upgrade, for both ends, without I/O: HTTP/1.1 (RFC 6455 4), HTTP/2
 * (RFC 8441) and HTTP/3 (RFC 9220). An embedder with an HTTP stack of its own calls these at the
 * point where the head is parsed.
 *
 * With HTTP/2 and HTTP/3 the upgrade is an extended CONNECT. The HTTP stack sends
 * SETTINGS_ENABLE_CONNECT_PROTOCOL = 1, drives the stream, and hands its bytes to a session. Header
 * lists hold the pseudo-headers (":method") and the regular ones together. They are the same for
 * both versions, so wring_h3_* do what wring_h2_* do.
 *
 * Thread: any.
 */
#ifndef WRING_UPGRADE_H
#define WRING_UPGRADE_H

#include "wring/http.h"

WRING_BEGIN_DECLS

/* ---- HTTP/1.1 -------------------------------------------------------------------------------- */

/** What a server asks of an upgrade request. */
typedef struct wring_upgrade_options {
    uint32_t struct_size;                     /**< sizeof(wring_upgrade_options) */
    const char *const *required_subprotocols; /**< one of them must be offered */
    size_t required_subprotocol_count;        /**< elements of it; 0: any client is accepted */
} wring_upgrade_options;

/** What a valid upgrade request said. Views borrow from its headers. */
typedef struct wring_h1_upgrade_info {
    uint32_t struct_size;    /**< sizeof(wring_h1_upgrade_info), set by the caller */
    wring_bytes key;         /**< the Sec-WebSocket-Key header */
    char accept[29];         /**< the Sec-WebSocket-Accept value, NUL-terminated */
    wring_bytes origin;      /**< empty if there is none */
    wring_bytes subprotocol; /**< the first offered one that is required; empty if none */
} wring_h1_upgrade_info;

/** Validates an upgrade request.
 *  Errors: WRING_ERR_WRONG_METHOD, _BAD_HOST, _UNEXPECTED_BODY, _MISSING_UPGRADE, _INVALID_UPGRADE,
 *  _MISSING_CONNECTION, _INVALID_CONNECTION, _UNSUPPORTED_VERSION, _MISSING_KEY, _BAD_KEY,
 *  _NO_ACCEPTABLE_SUBPROTOCOL. `Content-Length: 0` is no body. That the version is HTTP/1.1 is the
 *  caller's to check: wring_h1_request_parse does.   Thread: any.   RFC: 6455 4.2.1 */
WRING_API WRING_MUST_CHECK wring_result
wring_h1_request_validate(wring_bytes method, wring_headers headers,
                          const wring_upgrade_options *options, wring_h1_upgrade_info *out);

/** The accept value of a key.  Errors: WRING_ERR_BAD_KEY.   RFC: 6455 4.2.2 */
WRING_API WRING_MUST_CHECK wring_result wring_h1_accept_key(wring_bytes key, char out[29]);

/** A fresh Sec-WebSocket-Key.  Errors: WRING_ERR_NO_RANDOM.   RFC: 6455 4.1 */
WRING_API WRING_MUST_CHECK wring_result wring_h1_client_key(char out[25]);

/** The headers of the 101, written to `storage`. Views borrow from `info`. */
WRING_API wring_headers wring_h1_response_headers(const wring_h1_upgrade_info *info,
                                                  wring_header storage[4]);

/** Writes the whole 101 head.  @param extra  more headers, or an empty list
 *  Errors: WRING_ERR_INVALID_HEADER (CR, LF or NUL in an extra header),
 *  WRING_ERR_INVALID_ARGUMENT when `cap` is too small. */
WRING_API WRING_MUST_CHECK wring_result wring_h1_response_write(const wring_h1_upgrade_info *info,
                                                                wring_headers extra, char *out,
                                                                size_t cap, size_t *len);

/** Can these headers stand in an upgrade request? Refused are those of the handshake itself
 * (Upgrade, Connection, Sec-WebSocket-Key, Sec-WebSocket-Version, Content-Length,
 * Transfer-Encoding, TE ...), a second Host, Origin, Authorization or User-Agent, names that are no
 * token, and control bytes. Errors: WRING_ERR_INVALID_HEADER; `error` (may be NULL) names the
 * header.   Thread: any. */
WRING_API WRING_MUST_CHECK wring_result wring_h1_request_headers_check(wring_headers extra,
                                                                       wring_error *error);

/** What a client asks for. Judging an answer looks at subprotocols, extensions and `extra` only. */
typedef struct wring_upgrade_offer {
    uint32_t struct_size;            /**< sizeof(wring_upgrade_offer) */
    bool peer_allows_connect;        /**< HTTP/2 and 3: the peer sent
                                          SETTINGS_ENABLE_CONNECT_PROTOCOL = 1 */
    const char *scheme;              /**< HTTP/2 and 3: "https" or "http" */
    const char *host;                /**< as the Host header, or :authority: "example.com:8080" */
    const char *target;              /**< path and query, as the request line has it, or :path */
    const char *const *subprotocols; /**< offered, in order of preference */
    size_t subprotocol_count;        /**< elements of it */
    const char *extensions;          /**< the value of Sec-WebSocket-Extensions, or NULL */
    const char *origin;              /**< or NULL */
    wring_headers extra;             /**< as wring_h1_request_headers_check allows. Host, Origin,
                                          Sec-WebSocket-Protocol and -Extensions replace the fields
                                          above; the latter two count as offers when the answer is
                                          judged */
} wring_upgrade_offer;

/** Writes the whole upgrade request.  @param key  from wring_h1_client_key
 *  Errors: WRING_ERR_INVALID_HEADER, WRING_ERR_INVALID_ARGUMENT (too small).   RFC: 6455 4.1 */
WRING_API WRING_MUST_CHECK wring_result wring_h1_request_write(const wring_upgrade_offer *offer,
                                                               const char *key, char *out,
                                                               size_t cap, size_t *len);

/** Validates the response to an upgrade request.
 *  Errors: WRING_ERR_UNEXPECTED_STATUS, _MISSING_UPGRADE, _INVALID_UPGRADE, _MISSING_CONNECTION,
 *  _INVALID_CONNECTION, _MISSING_ACCEPT, _ACCEPT_MISMATCH, _UNEXPECTED_SUBPROTOCOL,
 *  _UNEXPECTED_EXTENSION (any, when `offer` has none).   RFC: 6455 4.1 */
WRING_API WRING_MUST_CHECK wring_result wring_h1_response_validate(const wring_upgrade_offer *offer,
                                                                   const char *key, int status,
                                                                   wring_headers headers,
                                                                   wring_bytes *subprotocol);

/* ---- HTTP/2: extended CONNECT ---------------------------------------------------------------- */

/** What a valid extended CONNECT said. Views borrow from its headers. */
typedef struct wring_h2_upgrade_info {
    uint32_t struct_size;    /**< sizeof(wring_h2_upgrade_info), set by the caller */
    wring_bytes method;      /**< :method, which is "CONNECT" */
    wring_bytes scheme;      /**< :scheme */
    wring_bytes authority;   /**< :authority */
    wring_bytes path;        /**< :path, with its query */
    wring_bytes origin;      /**< empty if there is none */
    wring_bytes subprotocol; /**< the first offered one that is required; empty if none */
} wring_h2_upgrade_info;

/** Validates an extended CONNECT.
 *  Errors: WRING_ERR_WRONG_METHOD, _WRONG_PROTOCOL, _MISSING_SCHEME, _MISSING_AUTHORITY,
 *  _MISSING_PATH, _BAD_HTTP (a pseudo-header given twice), _UNSUPPORTED_VERSION (a version header
 *  other than 13), _NO_ACCEPTABLE_SUBPROTOCOL.   RFC: 8441 4, 5 */
WRING_API WRING_MUST_CHECK wring_result wring_h2_request_validate(
    wring_headers headers, const wring_upgrade_options *options, wring_h2_upgrade_info *out);

/** The headers of the 200, written to `storage`. Views borrow from `info`. */
WRING_API wring_headers wring_h2_response_headers(const wring_h2_upgrade_info *info,
                                                  wring_header storage[2]);

/** Most headers wring_h2_request_headers writes besides `offer->extra`. */
#define WRING_H2_REQUEST_HEADERS_MAX 9

/** Builds the headers of an extended CONNECT.
 *  @param storage  holds the joined subprotocols; lives as long as the list
 *  @param list     room for WRING_H2_REQUEST_HEADERS_MAX + offer->extra.count
 *  @param out      the list, as a view
 *  Errors: WRING_ERR_PEER_NO_CONNECT_PROTOCOL, WRING_ERR_INVALID_HEADER,
 *  WRING_ERR_INVALID_ARGUMENT (storage too small).   RFC: 8441 4 */
WRING_API WRING_MUST_CHECK wring_result wring_h2_request_headers(const wring_upgrade_offer *offer,
                                                                 wring_mut_bytes storage,
                                                                 wring_header *list,
                                                                 wring_headers *out);

/** Validates the response to one. Any 2xx accepts.
 *  Errors: WRING_ERR_UNEXPECTED_STATUS, _UNEXPECTED_SUBPROTOCOL, _UNEXPECTED_EXTENSION. */
WRING_API WRING_MUST_CHECK wring_result wring_h2_response_validate(const wring_upgrade_offer *offer,
                                                                   int status,
                                                                   wring_headers headers,
                                                                   wring_bytes *subprotocol);

/* ---- HTTP/3: the same (RFC 9220) ------------------------------------------------------------- */

/** wring_h2_request_validate for HTTP/3.   RFC: 9220 3 */
WRING_API WRING_MUST_CHECK wring_result wring_h3_request_validate(
    wring_headers headers, const wring_upgrade_options *options, wring_h2_upgrade_info *out);

/** wring_h2_response_headers for HTTP/3. */
WRING_API wring_headers wring_h3_response_headers(const wring_h2_upgrade_info *info,
                                                  wring_header storage[2]);

/** wring_h2_request_headers for HTTP/3.   RFC: 9220 3 */
WRING_API WRING_MUST_CHECK wring_result wring_h3_request_headers(const wring_upgrade_offer *offer,
                                                                 wring_mut_bytes storage,
                                                                 wring_header *list,
                                                                 wring_headers *out);

/** wring_h2_response_validate for HTTP/3. */
WRING_API WRING_MUST_CHECK wring_result wring_h3_response_validate(const wring_upgrade_offer *offer,
                                                                   int status,
                                                                   wring_headers headers,
                                                                   wring_bytes *subprotocol);

WRING_END_DECLS

#endif
