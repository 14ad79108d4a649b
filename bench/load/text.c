/* SPDX-License-Identifier: Apache-2.0
 *
 * Text that others wrote. See text.h.
 */
#include "bench/load/text.h"

#include <string.h>

#include "proto/kernels.h"

/* The length of the printable character at `text`, 0 when there is none. */
static size_t character_len(const char *text) {
    const uint8_t *bytes = (const uint8_t *)text;
    if (bytes[0] < 0x80) {
        return bytes[0] >= 0x20 && bytes[0] != 0x7f;
    }
    if (bytes[0] == 0xc2 && bytes[1] < 0xa0) {
        return 0; /* U+0080 to U+009F: controls, to some terminals */
    }
    size_t bad_at;
    uint32_t state = WRING__UTF8_COMPLETE;
    for (size_t len = 1; len <= 4 && bytes[len - 1] != 0; len++) {
        state = wring__utf8_feed(state, bytes + len - 1, 1, &bad_at);
        if (wring__utf8_is_complete(state)) {
            return len;
        }
    }
    return 0;
}

void load_text_printable(char *out, size_t cap, const char *text) {
    size_t at = 0;
    while (*text != 0) {
        size_t len = character_len(text);
        const char *from = len == 0 ? "?" : text;
        text += len == 0 ? 1 : len;
        len = len == 0 ? 1 : len;
        if (at + len >= cap) {
            break; /* whole characters only */
        }
        memcpy(out + at, from, len);
        at += len;
    }
    out[at] = 0;
}

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
