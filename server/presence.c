/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of who has subscribers. See presence.h.
 */
#include "server/presence.h"

#include <stdlib.h>
#include <sys/random.h>

wring_result wring__presence_init(wring__presence *presence, uint32_t workers) {
    memset(presence, 0, sizeof *presence);
    if (getrandom(&presence->seed, sizeof presence->seed, 0) != (ssize_t)sizeof presence->seed) {
        return WRING_ERR_NO_RANDOM;
    }
    presence->words = (workers + 63) / 64;
    presence->bits = calloc((size_t)WRING__PRESENCE_SLOTS * presence->words, sizeof(uint64_t));
    return presence->bits == NULL ? WRING_ERR_NO_MEMORY : WRING_OK;
}

void wring__presence_deinit(wring__presence *presence) {
    free(presence->bits);
    memset(presence, 0, sizeof *presence);
}
