/* SPDX-License-Identifier: Apache-2.0
 *
 * Views of memory that somebody else owns. A view never frees and never outlives what it borrows
 * from; each function says until when its views are good.
 */
#ifndef WRING_BYTES_H
#define WRING_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wring/export.h"

WRING_BEGIN_DECLS

/** A read-only view. `data` may be NULL when `len` is 0. Not NUL-terminated. */
typedef struct wring_bytes {
    const uint8_t *data; /**< the first byte */
    size_t len;          /**< how many bytes */
} wring_bytes;

/** A view its holder may write through (unmasking happens in place). */
typedef struct wring_mut_bytes {
    uint8_t *data; /**< the first byte */
    size_t len;    /**< how many bytes */
} wring_mut_bytes;

/** View of a C string, without its terminating NUL; NULL gives an empty view. */
static inline wring_bytes wring_str(const char *s) {
    wring_bytes b = {(const uint8_t *)s, s == NULL ? 0 : strlen(s)};
    return b;
}

/** View of `len` bytes. */
static inline wring_bytes wring_bytes_of(const void *data, size_t len) {
    wring_bytes b = {(const uint8_t *)data, len};
    return b;
}

/** Writes a peer's text so that it can stand in a terminal, a log or a sentence: valid UTF-8 as it
 *  is, except control characters (C0, C1), bidirectional and invisible ones, which become \x1b or
 *  \u202e; bytes that are no UTF-8 become \xff. Tab and line feed are written out as well.
 *  @param out  room for `cap` bytes; a NUL ends the text, and "..." what did not fit
 *  Returns the length written.   Thread: any. Cost: linear in `cap`. */
WRING_API size_t wring_text_printable(wring_bytes text, char *out, size_t cap);

/** True when both views show the same bytes. Not in constant time. */
static inline bool wring_bytes_equal(wring_bytes a, wring_bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

WRING_END_DECLS

#endif
