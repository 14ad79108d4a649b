/* SPDX-License-Identifier: Apache-2.0
 *
 * The one way out of a broken invariant: say where, then abort.
 */
#include "core/base.h"

#include <stdio.h>
#include <stdlib.h>

void wring__panic(const char *what, const char *file, int line, const char *function) {
    fprintf(stderr, "wring: %s (%s:%d, %s)\n", what, file, line, function);
    abort();
}
