/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "proto/frame.h"

static const wring__frame_rules server_rules = {
    .role = WRING_ROLE_SERVER, .frame_bytes_max = UINT64_MAX >> 1, .message_left = UINT64_MAX};
static const wring__frame_rules client_rules = {
    .role = WRING_ROLE_CLIENT, .frame_bytes_max = UINT64_MAX >> 1, .message_left = UINT64_MAX};

static wring_result decode(const char *bytes, size_t len, const wring__frame_rules *rules) {
    wring__frame_header header;
    return wring__frame_header_decode((const uint8_t *)bytes, len, rules, &header);
}

Test(frame, every_first_byte_in_both_states_against_the_rule_in_words) {
    for (int open = 0; open < 2; open++) {
        for (int compression = 0; compression < 2; compression++) {
            for (int first = 0; first < 256; first++) {
                wring__frame_rules rules = server_rules;
                rules.message_is_open = open != 0;
                rules.compression = compression != 0;
                int opcode = first & 15;
                bool fin = (first & 0x80) != 0;
                bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
                bool control = opcode >= 8;
                bool place = control || (opcode == 0 ? open != 0 : open == 0);
                bool rsv = (first & 0x30) == 0 &&
                           ((first & 0x40) == 0 || (compression && (opcode == 1 || opcode == 2)));
                bool legal = known && place && rsv && (!control || fin);
                char byte = (char)first;
                cr_assert_eq(decode(&byte, 1, &rules), legal ? WRING_MORE : WRING_ERR_PROTOCOL,
                             "first byte %02x, open %d, compression %d", (unsigned)first, open,
                             compression);
            }
        }
    }
}

Test(frame, the_mask_bit_must_fit_the_role) {
    cr_assert_eq(decode("\x81\x00", 2, &server_rules), WRING_ERR_PROTOCOL);
    cr_assert_eq(decode("\x81\x80", 2, &server_rules), WRING_MORE);
    cr_assert_eq(decode("\x81\x80", 2, &client_rules), WRING_ERR_PROTOCOL);
    cr_assert_eq(decode("\x81\x00", 2, &client_rules), WRING_OK);
}

Test(frame, a_control_frame_is_at_most_125_bytes) {
    cr_assert_eq(decode("\x89\x7d", 2, &client_rules), WRING_OK);
    cr_assert_eq(decode("\x89\x7e", 2, &client_rules), WRING_ERR_PROTOCOL);
    cr_assert_eq(decode("\x8a\x7f", 2, &client_rules), WRING_ERR_PROTOCOL);
    cr_assert_eq(decode("\x88\x01", 2, &client_rules), WRING_ERR_PROTOCOL); /* half a code */
}

Test(frame, lengths_must_be_minimal_and_fail_as_soon_as_they_cannot_be) {
    cr_assert_eq(decode("\x82\x7e\x00", 3, &client_rules), WRING_MORE);
    cr_assert_eq(decode("\x82\x7e\x00\x7d", 4, &client_rules), WRING_ERR_PROTOCOL);
    cr_assert_eq(decode("\x82\x7e\x00\x7e", 4, &client_rules), WRING_OK);
    cr_assert_eq(decode("\x82\x7f\0\0\0\0\0", 7, &client_rules), WRING_MORE);
    cr_assert_eq(decode("\x82\x7f\0\0\0\0\0\0", 8, &client_rules), WRING_ERR_PROTOCOL);
    cr_assert_eq(decode("\x82\x7f\0\0\0\0\0\1\0\0", 10, &client_rules), WRING_OK);
}

Test(frame, the_top_bit_of_a_64_bit_length_fails_at_its_first_byte) {
    cr_assert_eq(decode("\x82\x7f\x80", 3, &client_rules), WRING_ERR_PROTOCOL);
    cr_assert_eq(decode("\x82\x7f\xff", 3, &client_rules), WRING_ERR_PROTOCOL);
}

Test(frame, a_length_over_the_limit_fails_at_the_byte_that_makes_it_certain) {
    wring__frame_rules rules = client_rules;
    rules.frame_bytes_max = 0xFFFF;
    cr_assert_eq(decode("\x82\x7f\0\0\0\0\0", 7, &rules), WRING_MORE);
    cr_assert_eq(decode("\x82\x7f\0\0\0\0\1", 7, &rules), WRING_ERR_MESSAGE_TOO_BIG);
    rules.frame_bytes_max = 0xFF;
    cr_assert_eq(decode("\x82\x7e\1", 3, &rules), WRING_ERR_MESSAGE_TOO_BIG);
    rules.frame_bytes_max = UINT64_MAX;
    rules.message_left = 4;
    cr_assert_eq(decode("\x82\x05", 2, &rules), WRING_ERR_MESSAGE_TOO_BIG);
    cr_assert_eq(decode("\x89\x05", 2, &rules), WRING_OK); /* control frames are not counted */
}

Test(frame, every_length_up_to_70000_round_trips) {
    uint8_t bytes[WRING__FRAME_HEADER_MAX];
    for (uint64_t length = 0; length <= 70000; length++) {
        for (int masked = 0; masked < 2; masked++) {
            uint32_t key = 0x12345678;
            size_t n = wring__frame_header_write(bytes, 0x82, length, masked ? &key : NULL);
            cr_assert_eq(n, wring__frame_header_len(length, masked != 0));
            wring__frame_header header;
            cr_assert_eq(wring__frame_header_decode(
                             bytes, n, masked ? &server_rules : &client_rules, &header),
                         WRING_OK);
            cr_assert_eq(header.payload_len, length);
            cr_assert_eq(header.header_len, n);
            cr_assert(!masked || header.key == key);
            for (size_t cut = 0; cut < n; cut++) {
                cr_assert_eq(wring__frame_header_decode(
                                 bytes, cut, masked ? &server_rules : &client_rules, &header),
                             WRING_MORE);
            }
        }
    }
}
