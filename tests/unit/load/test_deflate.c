/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/deflate.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void fill(uint8_t *out, size_t len) {
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)((uint8_t) "the quick brown fox "[i % 20] + (i / 1000) % 7);
    }
}

/* What a receiver does: the tail that is left out on the wire, then inflate. RFC 7692 7.2.2 */
static size_t inflated(const uint8_t *wire, size_t len, uint8_t *out, size_t cap) {
    static const uint8_t tail[] = {0, 0, 0xff, 0xff};
    uint8_t *whole = malloc(len + sizeof tail);
    memcpy(whole, wire, len);
    memcpy(whole + len, tail, sizeof tail);
    load_inflater *inflater = load_inflater_create();
    size_t n = 0;
    cr_assert(load_inflate_head(inflater, whole, len + sizeof tail, out, cap, &n));
    load_inflater_destroy(inflater);
    free(whole);
    return n;
}

Test(deflate, every_length_and_every_stored_part_comes_back) {
    static uint8_t plain[70000];
    static uint8_t back[70001];
    static const size_t lengths[] = {0, 1, 7, 8, 9, 26, 27, 125, 126, 1024, 65535, 65536, 70000};
    static const size_t stored[] = {0, 1, 8, 26};
    fill(plain, sizeof plain);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (size_t j = 0; j < sizeof stored / sizeof stored[0]; j++) {
            const size_t part = stored[j] < lengths[i] ? stored[j] : lengths[i];
            uint8_t *wire = NULL;
            size_t len = 0;
            cr_assert_eq(load_deflate(plain, lengths[i], part, &wire, &len), WRING_OK);
            cr_assert_gt(len, 0u, "RFC 7692 7.2.3.6: an empty message has a byte");
            cr_assert_eq(inflated(wire, len, back, sizeof back), lengths[i]);
            cr_assert(memcmp(back, plain, lengths[i]) == 0, "%zu with %zu stored", lengths[i],
                      part);
            free(wire);
        }
    }
}

Test(deflate, the_stored_part_can_be_changed_and_the_rest_stays) {
    uint8_t plain[1000];
    uint8_t back[1001];
    uint8_t *wire = NULL;
    size_t len = 0;
    memset(plain, 'a', sizeof plain); /* everything could refer to the beginning */
    cr_assert_eq(load_deflate(plain, sizeof plain, 8, &wire, &len), WRING_OK);
    cr_assert_lt(len, 100u);
    memcpy(wire + LOAD_DEFLATE_STORED_HEADER, "12345678", 8);
    memcpy(plain, "12345678", 8);
    cr_assert_eq(inflated(wire, len, back, sizeof back), sizeof plain);
    cr_assert_arr_eq(back, plain, sizeof plain);
    free(wire);
}

Test(deflate, only_the_beginning_is_inflated) {
    static uint8_t plain[70000];
    uint8_t head[26];
    uint8_t *wire = NULL;
    size_t len = 0;
    size_t n = 0;
    fill(plain, sizeof plain);
    cr_assert_eq(load_deflate(plain, sizeof plain, 0, &wire, &len), WRING_OK);
    load_inflater *inflater = load_inflater_create();
    for (int i = 0; i < 3; i++) { /* nothing is carried from one to the next */
        cr_assert(load_inflate_head(inflater, wire, 256, head, sizeof head, &n));
        cr_assert_eq(n, sizeof head);
        cr_assert_arr_eq(head, plain, sizeof head);
    }
    load_inflater_destroy(inflater);
    free(wire);
}

Test(deflate, what_is_no_stream_is_refused) {
    static const uint8_t bad[] = {0x06, 0xff, 0xff, 0xff};
    uint8_t out[16];
    size_t n;
    load_inflater *inflater = load_inflater_create();
    cr_assert_not(load_inflate_head(inflater, bad, sizeof bad, out, sizeof out, &n));
    load_inflater_destroy(inflater);
}
