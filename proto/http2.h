/* SPDX-License-Identifier: Apache-2.0
 *
 * What the fields of a request of HTTP/2 say. Pure functions.   RFC: 9113 8.3
 */
#ifndef WRING_PROTO_HTTP2_H
#define WRING_PROTO_HTTP2_H

#include "core/base.h"
#include "wring/http.h"

/** Fills in the request that the fields make: its path, query and host, and the fields without the
 *  pseudo-header fields. All of it is borrowed from them. After an error its method is filled in.
 *  @param fields  the pseudo-header fields first, each once
 *  Errors: WRING_ERR_BAD_HTTP (the target), WRING_ERR_BAD_HOST (also a second or other one),
 *          WRING_ERR_TARGET_TOO_BIG. */
WRING_MUST_CHECK wring_result wring__http2_request(wring_headers fields, size_t target_bytes_max,
                                                   wring_request *out);

#endif
