/* SPDX-License-Identifier: Apache-2.0
 *
 * Which kernels this process uses.
 */
#include "proto/kernels.h"

const struct wring__kernels *wring__kernels(void) {
    return &wring__kernels_scalar;
}
