/* SPDX-License-Identifier: Apache-2.0
 *
 * Text that others wrote. See text.h.
 */
#include "bench/load/text.h"

#include "proto/kernels.h"

bool load_text_is_utf8(wring_bytes text, size_t *bad_at) {
    const uint32_t state = wring__utf8_feed(WRING__UTF8_COMPLETE, text.data, text.len, bad_at);
    if (wring__utf8_is_complete(state)) {
        return true;
    }
    if (state != WRING__UTF8_REJECT) {
        *bad_at = text.len; /* it ends within a character */
    }
    return false;
}
