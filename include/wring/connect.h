/* SPDX-License-Identifier: Apache-2.0
 *
 * WebSockets over HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220): the checks and header lists of an
 * extended CONNECT. The embedder's HTTP stack sends SETTINGS_ENABLE_CONNECT_PROTOCOL = 1, drives
 * the stream, and hands its bytes to a session; the pseudo-header fields are the same for both
 * versions, so wring_h3_* are wring_h2_* by another name.
 *
 * Header lists hold the pseudo-headers (":method") and the regular ones together. Thread: any.
 */
#ifndef WRING_CONNECT_H
#define WRING_CONNECT_H

#include "wring/http.h"

WRING_BEGIN_DECLS

/** What a valid extended CONNECT said. Views borrow from its headers. */
typedef struct wring_connect_info {
    wring_bytes method;
    wring_bytes scheme;
    wring_bytes authority;
    wring_bytes path;
    wring_bytes origin;      /**< empty if there is none */
    wring_bytes subprotocol; /**< the first offered one that is required; empty if none */
} wring_connect_info;

/** Validates an extended CONNECT.
 *  Errors: WRING_ERR_WRONG_METHOD, _WRONG_PROTOCOL, _MISSING_SCHEME, _MISSING_AUTHORITY,
 *  _MISSING_PATH, _BAD_HTTP (a pseudo-header given twice), _UNSUPPORTED_VERSION (a version header
 *  other than 13), _NO_ACCEPTABLE_SUBPROTOCOL.   RFC: 8441 4, 5 */
WRING_API WRING_MUST_CHECK wring_result wring_h2_validate_request(
    wring_headers headers, const wring_upgrade_options *options, wring_connect_info *out);

/** The headers of the 200, at most two. Views borrow from `info`. Returns how many. */
WRING_API size_t wring_h2_response_headers(const wring_connect_info *info, wring_header out[2]);

/** Most headers wring_h2_client_request writes besides `options->extra`. */
#define WRING_CONNECT_HEADERS_MAX 9

/** Builds the headers of an extended CONNECT. `storage` holds the joined subprotocols and must live
 *  as long as the list.
 *  @param peer_allows_connect  the peer sent SETTINGS_ENABLE_CONNECT_PROTOCOL = 1
 *  @param list   room for WRING_CONNECT_HEADERS_MAX + options->extra.count
 *  Errors: WRING_ERR_PEER_NO_CONNECT_PROTOCOL, WRING_ERR_INVALID_HEADER,
 *  WRING_ERR_INVALID_ARGUMENT (storage too small).   RFC: 8441 4 */
WRING_API WRING_MUST_CHECK wring_result
wring_h2_client_request(const char *scheme, const char *authority, const char *path,
                        bool peer_allows_connect, const wring_h1_client_options *options,
                        char *storage, size_t storage_len, wring_header *list, size_t *count);

/** Validates the response to one. Any 2xx accepts.
 *  Errors: WRING_ERR_UNEXPECTED_STATUS, _UNEXPECTED_SUBPROTOCOL, _UNEXPECTED_EXTENSION. */
WRING_API WRING_MUST_CHECK wring_result
wring_h2_validate_response(int status, wring_headers headers,
                           const wring_h1_client_options *options, wring_bytes *subprotocol);

/* RFC 9220: the same over HTTP/3. */
WRING_API WRING_MUST_CHECK wring_result wring_h3_validate_request(
    wring_headers headers, const wring_upgrade_options *options, wring_connect_info *out);
WRING_API size_t wring_h3_response_headers(const wring_connect_info *info, wring_header out[2]);
WRING_API WRING_MUST_CHECK wring_result
wring_h3_client_request(const char *scheme, const char *authority, const char *path,
                        bool peer_allows_connect, const wring_h1_client_options *options,
                        char *storage, size_t storage_len, wring_header *list, size_t *count);
WRING_API WRING_MUST_CHECK wring_result
wring_h3_validate_response(int status, wring_headers headers,
                           const wring_h1_client_options *options, wring_bytes *subprotocol);

WRING_END_DECLS

#endif
