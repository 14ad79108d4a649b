/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "core/mailbox.h"

Test(mailbox, keeps_order_and_refuses_when_full) {
    wring__mailbox box;
    wring__mail mail = {0};
    bool wake;
    cr_assert_eq(wring__mailbox_init(&box, 4), WRING_OK);
    for (int lap = 0; lap < 10; lap++) {
        for (uint32_t i = 0; i < 4; i++) {
            mail.arg = i;
            cr_assert_eq(wring__mailbox_push(&box, &mail, &wake), WRING_OK);
        }
        cr_assert_eq(wring__mailbox_push(&box, &mail, &wake), WRING_ERR_QUEUE_FULL);
        for (uint32_t i = 0; i < 4; i++) {
            cr_assert(wring__mailbox_pop(&box, &mail));
            cr_assert_eq(mail.arg, i);
        }
        cr_assert(!wring__mailbox_pop(&box, &mail));
    }
    cr_assert_eq(box.full, 10);
    wring__mailbox_deinit(&box);
}

Test(mailbox, one_wake_per_sleep) {
    wring__mailbox box;
    wring__mail mail = {0};
    bool wake;
    cr_assert_eq(wring__mailbox_init(&box, 16), WRING_OK);
    cr_assert_eq(wring__mailbox_push(&box, &mail, &wake), WRING_OK);
    cr_assert(!wake);                               /* awake */
    cr_assert(!wring__mailbox_prepare_sleep(&box)); /* something is there */
    cr_assert(wring__mailbox_pop(&box, &mail));
    cr_assert(wring__mailbox_prepare_sleep(&box));
    cr_assert_eq(wring__mailbox_push(&box, &mail, &wake), WRING_OK);
    cr_assert(wake);
    cr_assert_eq(wring__mailbox_push(&box, &mail, &wake), WRING_OK);
    cr_assert(!wake); /* the first one wakes */
    wring__mailbox_deinit(&box);
}
