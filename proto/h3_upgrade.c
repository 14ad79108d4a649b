/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 9220: what differs from RFC 8441 lies in the embedder's HTTP/3 stack.
 */
#include "wring/upgrade.h"

wring_result wring_h3_request_validate(wring_headers headers, const wring_upgrade_options *options,
                                       wring_h2_upgrade_info *out) {
    return wring_h2_request_validate(headers, options, out);
}

wring_headers wring_h3_response_headers(const wring_h2_upgrade_info *info,
                                        wring_header storage[2]) {
    return wring_h2_response_headers(info, storage);
}

wring_result wring_h3_request_headers(const wring_upgrade_offer *offer, wring_mut_bytes storage,
                                      wring_header *list, wring_headers *out) {
    return wring_h2_request_headers(offer, storage, list, out);
}

wring_result wring_h3_response_validate(const wring_upgrade_offer *offer, int status,
                                        wring_headers headers, wring_bytes *subprotocol) {
    return wring_h2_response_validate(offer, status, headers, subprotocol);
}
