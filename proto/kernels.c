/* SPDX-License-Identifier: Apache-2.0
 *
 * Which implementation of the kernels runs here: a table, best first, and one choice.
 *
 * The choice is an atomic pointer to constant data. Whoever finds it unset computes it; two
 * threads that do so at once compute and store the same value, so there is nothing to lock and no
 * constructor to run. Rejected: GNU ifunc, which runs before the environment can be read safely
 * and which sanitizers and static musl builds do not take.
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

static _Atomic(const struct wring__kernels *) chosen;

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
    atomic_store_explicit(&chosen, kernels, memory_order_relaxed);
    return kernels;
}

/* Relaxed is enough: what the pointer leads to is constant and was there before main(). */
const struct wring__kernels *wring__kernels(void) {
    const struct wring__kernels *kernels = atomic_load_explicit(&chosen, memory_order_relaxed);
    return WRING_LIKELY(kernels != NULL) ? kernels : wring__kernels_select();
}
