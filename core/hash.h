/* SPDX-License-Identifier: Apache-2.0
 *
 * A keyed hash for names that peers choose: SipHash-1-3 (Aumasson and Bernstein), so that nobody
 * who does not know the key can aim names at one bucket.
 */
#ifndef WRING_CORE_HASH_H
#define WRING_CORE_HASH_H

#include "core/base.h"

uint64_t wring__hash(uint64_t seed, wring_bytes name);

#endif
