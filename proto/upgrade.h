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

/** No CR, LF, NUL or other control byte: nothing that could end a line. */
bool wring__header_text_is_safe(wring_bytes text);

#endif
