/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "bench/load/engine.h"

#define TAGS_TEST(name) Test(tags, name, .init = load_tags_init)

TAGS_TEST(an_echo_tag_is_its_number) {
    static const uint64_t numbers[] = {
        0, 1, 63, 64, 4095, 4096, UINT64_C(1) << 40, (UINT64_C(1) << 48) - 1};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uint8_t tag[LOAD_ECHO_TAG];
        uint64_t number = 0;
        load_echo_tag_write(tag, numbers[i]);
        cr_assert(load_echo_tag_read(tag, sizeof tag, &number));
        cr_assert_eq(number, numbers[i]);
        cr_assert(load_echo_tag_read(tag, 3, &number)); /* its lowest digits */
        cr_assert_eq(number, numbers[i] & ((1u << 18) - 1));
    }
}

TAGS_TEST(neighbours_differ_in_the_first_byte) { /* so that a message of one byte is numbered */
    for (uint64_t number = 0; number < 1000; number++) {
        uint8_t one[LOAD_ECHO_TAG];
        uint8_t two[LOAD_ECHO_TAG];
        load_echo_tag_write(one, number);
        load_echo_tag_write(two, number + 1);
        cr_assert_neq(one[0], two[0]);
    }
}

TAGS_TEST(a_tag_needs_no_escape_in_json) {
    for (uint64_t number = 0; number < 64 * 64; number++) {
        uint8_t tag[LOAD_ECHO_TAG];
        load_echo_tag_write(tag, number * 68719476737);
        for (size_t i = 0; i < sizeof tag; i++) {
            cr_assert(tag[i] > 0x20 && tag[i] < 0x7f && tag[i] != '"' && tag[i] != '\\');
        }
    }
}

TAGS_TEST(letters_outside_the_alphabet_are_refused) {
    uint64_t number;
    cr_assert_not(load_echo_tag_read((const uint8_t *)"AAAA AAA", 8, &number));
    cr_assert_not(load_echo_tag_read((const uint8_t *)"AAAAAAA\xff", 8, &number));
}

TAGS_TEST(a_fan_out_tag_has_publisher_number_and_time) {
    const load_fanout_tag tag = {4095, 123456789012, UINT64_C(1) << 59};
    uint8_t text[LOAD_FANOUT_TAG];
    load_fanout_tag got;
    load_fanout_tag_write(text, &tag);
    cr_assert(load_fanout_tag_read(text, &got));
    cr_assert_eq(got.publisher, tag.publisher);
    cr_assert_eq(got.number, tag.number);
    cr_assert_eq(got.sent, tag.sent);
}

TAGS_TEST(a_fan_out_tag_is_found_where_there_is_room_for_it) {
    const load_fanout_tag tag = {1, 2, 3};
    uint8_t text[200];
    for (size_t at = 0; at <= sizeof text - LOAD_FANOUT_TAG; at++) {
        memset(text, 'w', sizeof text); /* its first letter */
        load_fanout_tag_write(text + at, &tag);
        cr_assert_eq(load_fanout_tag_find(text, sizeof text), at);
        const size_t cut = at + LOAD_FANOUT_TAG - 1;
        cr_assert_eq(load_fanout_tag_find(text, cut), cut, "half a tag is none");
    }
    cr_assert_eq(load_fanout_tag_find(text, 0), 0u);
}
