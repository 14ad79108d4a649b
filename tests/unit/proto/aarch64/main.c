/* SPDX-License-Identifier: Apache-2.0
 *
 * The comparisons of ../kernels_compare.h as a plain program, for CPUs of another kind under an
 * emulator (run.sh): every implementation of the build that the CPU can run.
 */
#include <stdio.h>

#include "../kernels_compare.h"

int main(void) {
    int wrong_count = 0, compared = 0;
    const struct wring__kernels *kernels;
    for (size_t i = 0; (kernels = wring__kernels_at(i)) != NULL; i++) {
        const bool compares = kernels != &wring__kernels_scalar && wring__kernels_can_run(kernels);
        for (size_t j = 0; compares && j < 5; j++) {
            const char *wrong = kernels_checks[j].compare(kernels);
            printf("%s %s: %s\n", kernels->name, kernels_checks[j].name,
                   wrong == NULL ? "equal" : wrong);
            wrong_count += wrong != NULL;
            compared++;
        }
    }
    return wrong_count == 0 && compared > 0 ? 0 : 1;
}
