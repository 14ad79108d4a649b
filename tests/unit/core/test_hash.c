/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "core/hash.h"

Test(hash, differs_by_seed_and_by_every_bit_of_the_name) {
    uint8_t name[24] = {0};
    for (size_t len = 1; len <= sizeof name; len++) {
        uint64_t base = wring__hash(1, wring_bytes_of(name, len));
        cr_assert_neq(base, wring__hash(2, wring_bytes_of(name, len)));
        cr_assert_neq(base, wring__hash(1, wring_bytes_of(name, len - 1)));
        for (size_t bit = 0; bit < len * 8; bit++) {
            name[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            cr_assert_neq(base, wring__hash(1, wring_bytes_of(name, len)));
            name[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    }
}
