/* SPDX-License-Identifier: Apache-2.0
 *
 * Strings and lookups generated from the one table in wring/result.h.
 */
#include "wring/result.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "core/refusals.h"

struct row {
    wring_result result;
    wring_class class_;
    uint16_t close_code;
    const char *name;
    const char *text;
};

static const struct row rows[] = {
#define WRING_RESULT_ROW(name, number, class_, close, text)                                        \
    {WRING_##name, WRING_CLASS_##class_, close, #name, text},
    WRING_RESULT_TABLE(WRING_RESULT_ROW)
#undef WRING_RESULT_ROW
};

size_t wring__result_row(wring_result result) {
    size_t i = 0;
    while (i < WRING__RESULT_ROWS && rows[i].result != result) {
        i++;
    }
    return i;
}

static const struct row *row_find(wring_result result) {
    const size_t row = wring__result_row(result);
    return row == WRING__RESULT_ROWS ? NULL : &rows[row];
}

const char *wring_result_name(wring_result result) {
    const struct row *row = row_find(result);
    return row == NULL ? "UNKNOWN" : row->name;
}

const char *wring_result_text(wring_result result) {
    const struct row *row = row_find(result);
    return row == NULL ? "unknown result" : row->text;
}

wring_class wring_result_class(wring_result result) {
    const struct row *row = row_find(result);
    return row == NULL ? WRING_CLASS_FATAL : row->class_;
}

uint16_t wring_result_close_code(wring_result result) {
    const struct row *row = row_find(result);
    return row == NULL ? 0 : row->close_code;
}

wring_result wring_error_set(wring_error *error, wring_result code, int system_errno,
                             const char *format, ...) {
    if (error == NULL) {
        return code;
    }
    error->code = code;
    error->system_errno = system_errno;
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return code;
}
