/* SPDX-License-Identifier: Apache-2.0
 *
 * Which implementation of the kernels runs here: a table, best first, and one choice.
 *
 * The choice is an atomic pointer to constant data, at first to functions that choose and then call
 * what was chosen; two threads that do so at once store the same value, so there is nothing to lock
 * and no constructor to run. Rejected: GNU ifunc, which runs before the environment can be read
 * safely and which sanitizers and static musl builds do not take.
 */
#include "proto/kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "core/cpu.h"

static const struct wring__kernels *const implementations[] = {
#if defined(__x86_64__)
    &wring__kernels_avx512,
    &wring__kernels_avx2,
    &wring__kernels_sse41,
#elif defined(__aarch64__)
    &wring__kernels_neon,
#endif
    &wring__kernels_scalar,
};

/* ---- until someone has chosen ---- */

static void mask_first(uint8_t *data, size_t len, uint32_t key, unsigned phase) {
    wring__kernels_select()->mask(data, len, key, phase);
}

static void mask_copy_first(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                            unsigned phase) {
    wring__kernels_select()->mask_copy(dst, src, len, key, phase);
}

static uint32_t utf8_feed_first(uint32_t state, const uint8_t *data, size_t len, size_t *bad_at) {
    return wring__kernels_select()->utf8_feed(state, data, len, bad_at);
}

static uint32_t unmask_utf8_first(uint32_t state, uint8_t *dst, const uint8_t *src, size_t len,
                                  uint32_t key, size_t *bad_at) {
    return wring__kernels_select()->unmask_utf8(state, dst, src, len, key, bad_at);
}

static const struct wring__kernels choosing = {
    .name = "not chosen yet",
    .mask = mask_first,
    .mask_copy = mask_copy_first,
    .utf8_feed = utf8_feed_first,
    .unmask_utf8 = unmask_utf8_first,
};

_Atomic(const struct wring__kernels *) wring__kernels_chosen = &choosing;

/* ---- choosing ---- */

const struct wring__kernels *wring__kernels_at(size_t index) {
    return index < WRING_ARRAY_LEN(implementations) ? implementations[index] : NULL;
}

static bool has_all(uint32_t features, const struct wring__kernels *kernels) {
    return (features & kernels->needs) == kernels->needs;
}

bool wring__kernels_can_run(const struct wring__kernels *kernels) {
    return has_all(wring__cpu_features(), kernels);
}

/* The best that runs here, or the wanted one if it does. Scalar is last and needs nothing. */
static const struct wring__kernels *best(const char *wanted) {
    const uint32_t features = wring__cpu_features();
    const struct wring__kernels *found = NULL;
    for (size_t i = 0; i < WRING_ARRAY_LEN(implementations); i++) {
        const struct wring__kernels *candidate = implementations[i];
        if (!has_all(features, candidate)) {
            continue;
        }
        if (wanted != NULL && strcmp(wanted, candidate->name) == 0) {
            return candidate;
        }
        found = found == NULL ? candidate : found;
    }
    return found;
}

const struct wring__kernels *wring__kernels_select(void) {
    const struct wring__kernels *kernels = best(getenv("WRING_ISA"));
    atomic_store_explicit(&wring__kernels_chosen, kernels, memory_order_relaxed);
    return kernels;
}
