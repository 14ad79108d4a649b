/* SPDX-License-Identifier: Apache-2.0
 *
 * The version that was built, for programs that were built with other headers.
 */
#include "wring/version.h"

const char *wring_version(void) {
    return WRING_VERSION;
}

uint32_t wring_version_number(void) {
    return WRING_VERSION_NUMBER;
}
