/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 9220: what differs from RFC 8441 lies in the embedder's HTTP/3 stack.
 */
#include "wring/connect.h"

wring_result wring_h3_validate_request(wring_headers headers, const wring_upgrade_options *options,
                                       wring_connect_info *out) {
    return wring_h2_validate_request(headers, options, out);
}

size_t wring_h3_response_headers(const wring_connect_info *info, wring_header out[2]) {
    return wring_h2_response_headers(info, out);
}

wring_result wring_h3_client_request(const char *scheme, const char *authority, const char *path,
                                     bool peer_allows_connect,
                                     const wring_h1_client_options *options, char *storage,
                                     size_t storage_len, wring_header *list, size_t *count) {
    return wring_h2_client_request(scheme, authority, path, peer_allows_connect, options, storage,
                                   storage_len, list, count);
}

wring_result wring_h3_validate_response(int status, wring_headers headers,
                                        const wring_h1_client_options *options,
                                        wring_bytes *subprotocol) {
    return wring_h2_validate_response(status, headers, options, subprotocol);
}
