/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors by kind. A text may hold what a server sent, such as the reason of its close frame: it is
 * shown on terminals and in JSON, so it is made printable UTF-8 first.
 */
#include <stdio.h>

#include "bench/load/load.h"

void load_errors_add(load_errors *errors, uint64_t count, const char *text) {
    load_error_kind kind;
    (void)wring_text_printable(wring_str(text), kind.text, sizeof kind.text);
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
