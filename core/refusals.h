/* SPDX-License-Identifier: Apache-2.0
 *
 * How often each result ended something: one thread counts, any thread reads.
 */
#ifndef WRING_CORE_REFUSALS_H
#define WRING_CORE_REFUSALS_H

#include "core/count.h"

#define WRING__RESULT_ONE(name, number, class_, close, text) +1
/** Rows of WRING_RESULT_TABLE. */
#define WRING__RESULT_ROWS (0 WRING_RESULT_TABLE(WRING__RESULT_ONE))

typedef struct wring__refusals {
    uint64_t by_row[WRING__RESULT_ROWS];
} wring__refusals;

/** The place of a result in the table; WRING__RESULT_ROWS for a number that is not in it. */
size_t wring__result_row(wring_result result);

static inline void wring__refusals_count(wring__refusals *refusals, wring_result result) {
    const size_t row = wring__result_row(result);
    if (row < WRING__RESULT_ROWS) {
        wring__count(&refusals->by_row[row], 1);
    }
}

static inline uint64_t wring__refusals_read(const wring__refusals *refusals, wring_result result) {
    const size_t row = wring__result_row(result);
    return row < WRING__RESULT_ROWS ? wring__count_read(&refusals->by_row[row]) : 0;
}

#endif
