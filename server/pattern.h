/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns of topic names: exact, or with a '*' at the end, which matches any rest.
 */
#ifndef WRING_SERVER_PATTERN_H
#define WRING_SERVER_PATTERN_H

#include "core/base.h"

static inline bool wring__pattern_matches(const char *pattern, wring_bytes name) {
    const size_t len = strlen(pattern);
    if (len > 0 && pattern[len - 1] == '*') {
        return name.len >= len - 1 && (len == 1 || memcmp(name.data, pattern, len - 1) == 0);
    }
    return wring_bytes_equal(name, wring_bytes_of(pattern, len));
}

#endif
