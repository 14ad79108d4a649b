/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "core/ref.h"
#include "core/slots.h"

Test(slots, a_stale_name_finds_nothing) {
    wring__slots slots;
    int object;
    uint32_t slot;
    uint32_t generation;
    cr_assert_eq(wring__slots_init(&slots, 1), WRING_OK);
    uint32_t last = 0;
    for (int i = 0; i < 100000; i++) { /* one slot, used over and over */
        cr_assert_eq(wring__slots_acquire(&slots, &object, &slot, &generation), WRING_OK);
        cr_assert_neq(generation, 0);
        cr_assert_neq(generation, last);
        cr_assert_eq(wring__slots_get(&slots, slot, generation), &object);
        cr_assert_null(wring__slots_get(&slots, slot, last));
        wring__slots_release(&slots, slot, generation);
        cr_assert_null(wring__slots_get(&slots, slot, generation));
        last = generation;
    }
    wring__slots_deinit(&slots);
}

Test(slots, the_limit_is_an_error_and_a_slot_rests_before_reuse) {
    wring__slots slots;
    int objects[3];
    uint32_t slot[3];
    uint32_t generation[3];
    cr_assert_eq(wring__slots_init(&slots, 2), WRING_OK);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(wring__slots_acquire(&slots, &objects[i], &slot[i], &generation[i]), WRING_OK);
    }
    cr_assert_eq(wring__slots_acquire(&slots, &objects[2], &slot[2], &generation[2]),
                 WRING_ERR_TOO_MANY_CONNECTIONS);
    wring__slots_release(&slots, slot[1], generation[1]);
    wring__slots_release(&slots, slot[0], generation[0]);
    cr_assert_eq(wring__slots_acquire(&slots, &objects[2], &slot[2], &generation[2]), WRING_OK);
    cr_assert_eq(slot[2], slot[1]); /* the one that rested longer */
    wring__slots_deinit(&slots);
}

Test(slots, two_tables_do_not_share_generations) {
    wring__slots a;
    wring__slots b;
    int object;
    uint32_t slot;
    uint32_t first;
    uint32_t second;
    cr_assert_eq(wring__slots_init(&a, 0), WRING_OK);
    cr_assert_eq(wring__slots_acquire(&a, &object, &slot, &first), WRING_OK);
    wring__slots_deinit(&a);
    cr_assert_eq(wring__slots_init(&b, 0), WRING_OK);
    cr_assert_eq(wring__slots_acquire(&b, &object, &slot, &second), WRING_OK);
    cr_assert_neq(first, second);
    wring__slots_deinit(&b);
}

Test(ref, packs_and_unpacks) {
    uint64_t ref = wring__ref_pack(255, WRING__SLOT_MAX, UINT32_MAX - 1);
    cr_assert_eq(wring__ref_worker(ref), 255);
    cr_assert_eq(wring__ref_slot(ref), WRING__SLOT_MAX);
    cr_assert_eq(wring__ref_generation(ref), UINT32_MAX - 1);
    cr_assert_eq(wring__token_op(wring__token_pack(3, 5, 7)), 3);
}
