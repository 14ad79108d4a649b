/* SPDX-License-Identifier: Apache-2.0
 *
 * The version of the headers, and of the library that runs (https://semver.org).
 */
#ifndef WRING_VERSION_H
#define WRING_VERSION_H

#include <stdint.h>

#include "wring/export.h"

WRING_BEGIN_DECLS

#define WRING_VERSION_MAJOR 0       /**< of these headers */
#define WRING_VERSION_MINOR 1       /**< of these headers */
#define WRING_VERSION_PATCH 0       /**< of these headers */
#define WRING_VERSION       "0.1.0" /**< of these headers */
/** For comparisons: WRING_VERSION_NUMBER >= 0x000100. One byte each: major, minor, patch. */
#define WRING_VERSION_NUMBER                                                                       \
    (WRING_VERSION_MAJOR << 16 | WRING_VERSION_MINOR << 8 | WRING_VERSION_PATCH)

/** The library's own version: WRING_VERSION of the headers it was built from.   Thread: any. */
WRING_API const char *wring_version(void);

/** The same as a number: WRING_VERSION_NUMBER of the headers it was built from.   Thread: any. */
WRING_API uint32_t wring_version_number(void);

WRING_END_DECLS

#endif
