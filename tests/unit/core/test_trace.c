/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "core/trace.h"

Test(trace, the_hash_depends_on_order_and_values) {
    wring__trace_entry entries[2];
    wring__trace a = {.entries = entries, .cap = 2};
    wring__trace b = {0};
    wring__trace_install(&a);
    WRING_TRACE(PUBLISH, 1, 2);
    WRING_TRACE(PUBLISH, 3, 4);
    WRING_TRACE(HANDLE_IN, 5, 6);
    wring__trace_install(&b);
    WRING_TRACE(PUBLISH, 3, 4);
    WRING_TRACE(PUBLISH, 1, 2);
    WRING_TRACE(HANDLE_IN, 5, 6);
    wring__trace_install(NULL);
    WRING_TRACE(HANDLE_IN, 7, 8); /* nobody listens */
    cr_assert_neq(a.hash, b.hash);
    cr_assert_eq(a.count, 3);
    cr_assert_eq(entries[0].sequence, 2); /* the ring went round */
    cr_assert_str_eq(wring__trace_name(entries[0].point), "HANDLE_IN");
}
