/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated world's own memory: in a file of its own, so that a linker's --wrap finds every
 * call of it.
 */
#include <stdlib.h>

#include "tests/sim/backend/sim_world.h"

void *wring__sim_memory(void *block, size_t size) {
    if (size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, size);
}
