/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of frames in one block: each comes out as it went in, with everything it says.
 */
#include <criterion/criterion.h>

#include "core/packed.h"

static const wring_frame frames[] = {
    {.opcode = WRING_TEXT, .compress = WRING_COMPRESS_NEVER, .payload = {(const uint8_t *)"a", 1}},
    {.opcode = WRING_BINARY, .compress = WRING_COMPRESS_ALWAYS},
    {.opcode = WRING_PING, .payload = {(const uint8_t *)"ping", 4}},
    {.opcode = WRING_TEXT, .payload = {(const uint8_t *)"bcd", 3}},
    {.opcode = WRING_CLOSE, .close_code = 4999, .payload = {(const uint8_t *)"bye", 3}},
};
#define COUNT (sizeof frames / sizeof *frames)

Test(packed, every_frame_comes_out_as_it_went_in) {
    wring__shared *packed = wring__packed_create(frames, COUNT);
    cr_assert_not_null(packed);
    cr_expect_eq(packed->opcode, WRING__PACKED);
    cr_expect_eq(wring__packed_count(packed), COUNT);
    size_t offset = 0;
    for (size_t i = 0; i < COUNT; i++) {
        wring_frame frame;
        memset(&frame, 0xFF, sizeof frame);
        cr_assert(wring__packed_next(packed, &offset, &frame));
        cr_expect_eq(frame.opcode, frames[i].opcode, "frame %zu", i);
        cr_expect_eq(frame.close_code, frames[i].close_code, "frame %zu", i);
        cr_expect_eq(frame.compress, frames[i].compress, "frame %zu", i);
        cr_expect(wring_bytes_equal(frame.payload, frames[i].payload), "frame %zu", i);
    }
    wring_frame none;
    cr_expect_not(wring__packed_next(packed, &offset, &none));
    wring__shared_unref(packed);
}

Test(packed, its_close_frame_is_found) {
    wring_frame close;
    for (size_t count = 1; count <= COUNT; count++) {
        wring__shared *packed = wring__packed_create(frames, count);
        cr_expect_eq(wring__packed_close(packed, &close), count == COUNT);
        wring__shared_unref(packed);
    }
    cr_expect_eq(close.close_code, 4999);
}

Test(packed, a_single_message_is_one_and_keeps_its_wish) {
    for (uint16_t compress = WRING_COMPRESS_DEFAULT; compress <= WRING_COMPRESS_ALWAYS;
         compress++) {
        const wring_frame frame = {
            .opcode = WRING_BINARY, .compress = compress, .payload = wring_str("x")};
        wring__shared *shared = wring__shared_of_frame(&frame);
        cr_assert_not_null(shared);
        cr_expect_eq(shared->compress, compress);
        cr_expect_eq(shared->opcode, WRING_BINARY);
        cr_expect_eq(wring__packed_count(shared), 1u);
        wring__shared_unref(shared);
    }
}
