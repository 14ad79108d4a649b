/* SPDX-License-Identifier: Apache-2.0
 *
 * A peer's text made fit for a terminal, a log or an error's sentence. See wring/bytes.h.
 */
#include <stdio.h>

#include "core/base.h"

/* The length of the UTF-8 sequence at the start of `text` and its character; 0 when it is none.
 * RFC 3629 4: no overlong forms, no surrogates, nothing above U+10FFFF. */
static size_t utf8_decode(wring_bytes text, uint32_t *character) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t first = text.data[0];
    const size_t len = first < 0x80   ? 1
                       : first < 0xC2 ? 0
                       : first < 0xE0 ? 2
                       : first < 0xF0 ? 3
                       : first < 0xF5 ? 4
                                      : 0;
    if (len == 0 || len > text.len) {
        return 0;
    }
    uint32_t value = len == 1 ? first : first & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((text.data[i] & 0xC0) != 0x80) {
            return 0;
        }
        value = value << 6 | (text.data[i] & 0x3Fu);
    }
    *character = value;
    return value >= least[len] && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF) ? len : 0;
}

/* What moves the cursor, changes the direction of text, ends a line or cannot be seen. */
static bool is_hidden(uint32_t c) {
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x1F},     {0x7F, 0x9F},       /* C0, DEL, C1 */
        {0xAD, 0xAD},     {0x61C, 0x61C},     /* soft hyphen, Arabic letter mark */
        {0x200B, 0x200F}, {0x2028, 0x202E},   /* zero width, marks, separators, embeddings */
        {0x2060, 0x206F}, {0xFEFF, 0xFEFF},   /* isolates, byte order mark */
        {0xFFF9, 0xFFFB}, {0xE0000, 0xE0FFF}, /* annotations, tags */
    };
    for (size_t i = 0; i < WRING_ARRAY_LEN(ranges); i++) {
        if (c >= ranges[i].first && c <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

/* How the piece at the start of `text` is shown. Returns the bytes of `text` it stands for. */
static size_t piece_show(wring_bytes text, char shown[12]) {
    uint32_t c = 0;
    const size_t len = utf8_decode(text, &c);
    if (len == 0) {
        (void)snprintf(shown, 12, "\\x%02x", text.data[0]);
        return 1;
    }
    if (!is_hidden(c)) {
        memcpy(shown, text.data, len);
        shown[len] = 0;
    } else if (c < 0x80) {
        (void)snprintf(shown, 12, "\\x%02x", (unsigned)c);
    } else {
        (void)snprintf(shown, 12, c > 0xFFFF ? "\\U%08x" : "\\u%04x", (unsigned)c);
    }
    return len;
}

size_t wring_text_printable(wring_bytes text, char *out, size_t cap) {
    static const char cut[] = "...";
    size_t len = 0;
    size_t safe = 0; /* where the mark of a cut still fits */
    size_t at = 0;
    if (cap == 0) {
        return 0;
    }
    while (at < text.len) {
        char shown[12];
        const size_t taken = piece_show(wring_bytes_of(text.data + at, text.len - at), shown);
        const size_t more = strlen(shown);
        if (len + more >= cap) {
            break;
        }
        memcpy(out + len, shown, more);
        len += more;
        at += taken;
        safe = len + sizeof cut <= cap ? len : safe;
    }
    if (at < text.len && cap >= sizeof cut) {
        memcpy(out + safe, cut, sizeof cut - 1);
        len = safe + sizeof cut - 1;
    }
    out[len] = 0;
    return len;
}
