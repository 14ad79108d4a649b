/* SPDX-License-Identifier: Apache-2.0
 *
 * Is a message of the user's fit to be sent as text?
 */
#ifndef WRING_LOAD_TEXT_H
#define WRING_LOAD_TEXT_H

#include "wring/bytes.h"

/** @param bad_at  set to the offset of the first bad byte */
bool load_text_is_utf8(wring_bytes text, size_t *bad_at);

#endif
