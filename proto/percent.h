/* SPDX-License-Identifier: Apache-2.0
 *
 * Percent-encoding in pieces, for callers that measure before they write: see wring_percent_decode.
 */
#ifndef WRING_PROTO_PERCENT_H
#define WRING_PROTO_PERCENT_H

#include "core/base.h"

/** How many bytes `text` has when it is decoded. Returns false when a '%' has no two digits behind
 *  it.   RFC: 3986 2.1 */
bool wring__percent_measure(wring_bytes text, size_t *len);

/** The byte at `*at`, decoded; moves `*at` behind it. Only for a text that was measured.
 *  @param plus_is_space  '+' is a space, as forms write it */
uint8_t wring__percent_take(wring_bytes text, size_t *at, bool plus_is_space);

/** Decodes a text that was measured.
 *  @param out  room for the measured length; may be text.data */
void wring__percent_write(wring_bytes text, bool plus_is_space, uint8_t *out);

#endif
