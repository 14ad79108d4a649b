/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors by kind. A text may hold what a server sent, such as the reason of its close frame: it is
 * shown on terminals and in JSON, so it is made printable UTF-8 first.
 */
#include <stdio.h>

#include "bench/load/load.h"
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

static void text_take(char *out, size_t cap, const char *text) {
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

void load_errors_add(load_errors *errors, uint64_t count, const char *text) {
    load_error_kind kind;
    text_take(kind.text, sizeof kind.text, text);
    kind.count = count;
    for (uint32_t i = 0; i < errors->count; i++) {
        if (strcmp(errors->kinds[i].text, kind.text) == 0) {
            errors->kinds[i].count += count;
            return;
        }
    }
    if (errors->count == LOAD_ERROR_KINDS) {
        errors->kinds[LOAD_ERROR_KINDS - 1].count += count;
        return;
    }
    if (errors->count + 1 == LOAD_ERROR_KINDS) {
        (void)snprintf(kind.text, sizeof kind.text, "others");
    }
    errors->kinds[errors->count++] = kind;
}

uint64_t load_errors_total(const load_errors *errors) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < errors->count; i++) {
        total += errors->kinds[i].count;
    }
    return total;
}
