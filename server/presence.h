/* SPDX-License-Identifier: Apache-2.0
 *
 * Which workers have subscribers of a topic: what publishers of any thread look at, so that a topic
 * nobody on a worker follows costs that worker nothing.
 *
 * A table of slots by the topic's hash, a bit for each worker in each. Topics that share a slot
 * share its bits: then a worker may get a message it has no use for, never miss one. A bit is set
 * before wring_session_subscribe returns, and read by a publish that begins later.
 */
#ifndef WRING_SERVER_PRESENCE_H
#define WRING_SERVER_PRESENCE_H

#include <stdatomic.h>

#include "core/base.h"

#define WRING__PRESENCE_SLOTS (1u << 16)

typedef struct wring__presence {
    _Atomic uint64_t *bits; /* slots x words */
    uint32_t words;         /* of 64 workers */
    uint64_t seed;          /* of the hash: names are chosen by peers */
} wring__presence;

/** Errors: WRING_ERR_NO_MEMORY, WRING_ERR_NO_RANDOM. */
WRING_MUST_CHECK wring_result wring__presence_init(wring__presence *presence, uint32_t workers);
void wring__presence_deinit(wring__presence *presence);

static inline uint32_t wring__presence_slot(uint64_t hash) {
    return (uint32_t)(hash >> 48); /* the topics' buckets use the low bits */
}

static inline void wring__presence_set(wring__presence *presence, uint32_t slot, uint32_t worker) {
    atomic_fetch_or(&presence->bits[(size_t)slot * presence->words + worker / 64],
                    UINT64_C(1) << worker % 64);
}

static inline void wring__presence_clear(wring__presence *presence, uint32_t slot,
                                         uint32_t worker) {
    atomic_fetch_and(&presence->bits[(size_t)slot * presence->words + worker / 64],
                     ~(UINT64_C(1) << worker % 64));
}

/** The bits of workers 64 * word and on. */
static inline uint64_t wring__presence_word(const wring__presence *presence, uint64_t hash,
                                            uint32_t word) {
    return atomic_load(
        &presence->bits[(size_t)wring__presence_slot(hash) * presence->words + word]);
}

#endif
