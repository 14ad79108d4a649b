/* SPDX-License-Identifier: Apache-2.0 */
#include "wring/ref.h"

#include <criterion/criterion.h>

#include "core/ref.h"

#define ELSEWHERE wring__ref_pack(7, 3, 9) /* of a worker that is not there */

static void on_lost(const wring_info *info) {
    (void)info;
    cr_assert_fail("a call that fails does not also call back");
}

Test(push, nothing_to_send_is_sent_and_nobody_is_closed) {
    const wring_frame text = wring_frame_text(wring_str("hi"));
    cr_assert_eq(wring_ref_send(WRING_REF_NONE, NULL, 0), WRING_ERR_CLOSED);
    cr_assert_eq(wring_ref_send(WRING_REF_NONE, &text, 0), WRING_ERR_CLOSED);
    cr_assert_eq(wring_ref_send(WRING_REF_NONE, &text, 1), WRING_ERR_CLOSED);
    cr_assert_eq(wring_ref_send(ELSEWHERE, NULL, 0), WRING_OK, "no frames: nobody is asked");
    cr_assert_eq(wring_ref_send(ELSEWHERE, &text, 1), WRING_ERR_CLOSED);
}

Test(push, a_missing_pointer_is_an_argument_out_of_its_range) {
    const wring_bytes missing = {NULL, 5};
    const wring_frame frames[] = {wring_frame_text(missing), {WRING_CLOSE, 1000, 0, missing}};
    const wring_ref refs[] = {WRING_REF_NONE, ELSEWHERE};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(wring_ref_send(refs[i], NULL, 1), WRING_ERR_INVALID_ARGUMENT);
        cr_assert_eq(wring_ref_send(refs[i], &frames[0], 1), WRING_ERR_INVALID_ARGUMENT);
        cr_assert_eq(wring_ref_send(refs[i], &frames[1], 1), WRING_ERR_INVALID_ARGUMENT);
        cr_assert_eq(wring_ref_close(refs[i], 1000, missing), WRING_ERR_INVALID_ARGUMENT);
        cr_assert_eq(wring_ref_post(refs[i], NULL, on_lost), WRING_ERR_INVALID_ARGUMENT);
    }
}

Test(push, no_reason_is_a_reason) {
    const wring_info info = {1, NULL};
    const wring_ref refs[] = {WRING_REF_NONE, ELSEWHERE};
    for (size_t i = 0; i < 2; i++) {
        const wring_frame close = {WRING_CLOSE, 1000, 0, {NULL, 0}};
        cr_assert_eq(wring_ref_send(refs[i], &close, 1), WRING_ERR_CLOSED);
        cr_assert_eq(wring_ref_close(refs[i], 1000, (wring_bytes){NULL, 0}), WRING_ERR_CLOSED);
        cr_assert_eq(wring_ref_stop(refs[i]), WRING_ERR_CLOSED);
        cr_assert_eq(wring_ref_post(refs[i], &info, on_lost), WRING_ERR_CLOSED);
        cr_assert_eq(wring_ref_post(refs[i], &info, NULL), WRING_ERR_CLOSED);
    }
}
