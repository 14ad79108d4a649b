/* SPDX-License-Identifier: Apache-2.0
 *
 * What the upgrades of all HTTP versions share: choosing a subprotocol and judging an answer.
 */
#ifndef WRING_PROTO_UPGRADE_H
#define WRING_PROTO_UPGRADE_H

#include "wring/upgrade.h"

/** The first offered subprotocol that is required; empty when none is required.
 *  Errors: WRING_ERR_NO_ACCEPTABLE_SUBPROTOCOL. */
WRING_MUST_CHECK wring_result wring__subprotocol_choose(wring_headers headers,
                                                        const wring_upgrade_options *options,
                                                        wring_bytes *chosen);

/** A list of subprotocols that a configuration has: a count, and tokens.   RFC: 6455 4.1
 *  Errors: WRING_ERR_INVALID_CONFIG; the sentence names the field, and no record. */
WRING_MUST_CHECK wring_result wring__subprotocols_check(const char *const *list, size_t count,
                                                        wring_error *error);

/** What wring_h1_request_validate checks. Writes `key` and `subprotocol` of `info` only: the accept
 *  value, which costs a SHA-1, is for whoever writes the 101. */
WRING_MUST_CHECK wring_result wring__h1_request_check(wring_bytes method, wring_headers headers,
                                                      const wring_upgrade_options *options,
                                                      wring_h1_upgrade_info *info);

/** The server chose nothing that was not offered.
 *  Errors: WRING_ERR_UNEXPECTED_SUBPROTOCOL, WRING_ERR_UNEXPECTED_EXTENSION. */
WRING_MUST_CHECK wring_result wring__answer_check(wring_headers headers,
                                                  const wring_upgrade_offer *offer,
                                                  wring_bytes *subprotocol);

/** Fill in the caller's; NULL: nothing is asked, or offered.
 *  Errors: WRING_ERR_INVALID_ARGUMENT (struct_size). */
WRING_MUST_CHECK wring_result wring__upgrade_options_adopt(const wring_upgrade_options *in,
                                                           wring_upgrade_options *out);
WRING_MUST_CHECK wring_result wring__upgrade_offer_adopt(const wring_upgrade_offer *in,
                                                         wring_upgrade_offer *out);

/** Equal to `want`, ASCII case aside. */
bool wring__text_is(wring_bytes text, const char *want);

/** How many headers have this name. `value` is that of the first; as it was when there is none. */
size_t wring__headers_find_named(wring_headers headers, wring_bytes name, wring_bytes *value);

/** The same; inline, so that the length of a literal is known when it is compiled. */
static inline size_t wring__headers_find(wring_headers headers, const char *name,
                                         wring_bytes *value) {
    return wring__headers_find_named(headers, wring_str(name), value);
}

/** wring_headers_has_token, for literals in the same way. */
bool wring__headers_has_token(wring_headers headers, wring_bytes name, wring_bytes token);

/** No CR, LF, NUL or other control byte: nothing that could end a line. */
bool wring__header_text_is_safe(wring_bytes text);

#endif
