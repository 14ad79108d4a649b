/* SPDX-License-Identifier: Apache-2.0
 *
 * Structs that begin with their size, between programs and libraries of different ages.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/sized.h"

struct old {
    uint32_t struct_size;
    uint32_t a;
};

struct now {
    uint32_t struct_size;
    uint32_t a;
    uint64_t b;
};

struct later {
    uint32_t struct_size;
    uint32_t a;
    uint64_t b;
    uint64_t c;
};

static wring_result adopt(struct now *out, const void *in, wring_error *error) {
    return wring__sized_adopt(out, sizeof *out, in, offsetof(struct now, a), "now", error);
}

Test(sized, an_older_program_gets_the_default_of_what_it_does_not_know) {
    const struct old in = {.struct_size = sizeof in, .a = 7};
    struct now out;
    memset(&out, 0xff, sizeof out);
    cr_assert_eq(adopt(&out, &in, NULL), WRING_OK);
    cr_assert(out.struct_size == sizeof out && out.a == 7 && out.b == 0);
}

Test(sized, a_newer_program_may_not_set_what_is_unknown_here) {
    struct later in = {.struct_size = sizeof in, .a = 7, .b = 8};
    struct now out;
    wring_error error;
    cr_assert_eq(adopt(&out, &in, &error), WRING_OK);
    cr_assert(out.struct_size == sizeof out && out.a == 7 && out.b == 8);
    in.c = UINT64_C(1) << 63; /* the last byte of it */
    cr_assert_eq(adopt(&out, &in, &error), WRING_ERR_INVALID_CONFIG);
    cr_assert(strstr(error.text, "newer library") != NULL, "%s", error.text);
}

Test(sized, a_size_that_was_never_set_is_told) {
    const uint32_t sizes[] = {0, 1, 3, 1000000, UINT32_MAX};
    for (size_t i = 0; i < WRING_ARRAY_LEN(sizes); i++) {
        const struct now in = {.struct_size = sizes[i]};
        struct now out;
        wring_error error;
        cr_assert_eq(adopt(&out, &in, &error), WRING_ERR_INVALID_CONFIG);
        cr_assert_str_eq(error.text, "now: struct_size is not set: use sizeof(now)");
    }
}

Test(sized, what_is_received_is_as_long_as_the_caller_knows_it) {
    const struct now full = {.struct_size = sizeof full, .a = 7, .b = 8};
    struct {
        struct old old;
        uint32_t behind;
    } older = {.old = {.struct_size = sizeof older.old}, .behind = 0xabcd};
    cr_assert_eq(wring__sized_give(&older.old, &full, sizeof full), WRING_OK);
    cr_assert(older.old.struct_size == sizeof older.old && older.old.a == 7);
    cr_assert_eq(older.behind, 0xabcd);
    struct later newer = {.struct_size = sizeof newer, .c = 9};
    cr_assert_eq(wring__sized_give(&newer, &full, sizeof full), WRING_OK);
    cr_assert(newer.struct_size == sizeof newer && newer.b == 8 && newer.c == 0);
    struct now unset = {.struct_size = 0};
    cr_assert_eq(wring__sized_give(&unset, &full, sizeof full), WRING_ERR_INVALID_ARGUMENT);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static wring_result list_adopt(struct now out[3], const void *in, wring_error *error) {
    memset(out, 0xff, 3 * sizeof *out);
    return wring__sized_list_adopt(out, sizeof *out, in, 3, offsetof(struct now, a), "now", error);
}

/* The stride is the size that the program knows, which is not ours. */
Test(sized, a_list_has_the_stride_of_its_first_element) {
    const struct old old[] = {{sizeof *old, 1}, {sizeof *old, 2}, {sizeof *old, 3}};
    const struct now now[] = {{sizeof *now, 1, 5}, {sizeof *now, 2, 6}, {sizeof *now, 3, 7}};
    const struct later later[] = {
        {sizeof *later, 1, 5, 0}, {sizeof *later, 2, 6, 0}, {sizeof *later, 3, 7, 0}};
    const void *const lists[] = {old, now, later};
    for (size_t k = 0; k < WRING_ARRAY_LEN(lists); k++) {
        struct now out[3];
        cr_assert_eq(list_adopt(out, lists[k], NULL), WRING_OK);
        for (uint32_t i = 0; i < 3; i++) {
            cr_assert_eq(out[i].struct_size, sizeof *out);
            cr_assert_eq(out[i].a, i + 1);
            cr_assert_eq(out[i].b, k == 0 ? 0 : i + 5);
        }
    }
}

Test(sized, elements_of_different_sizes_are_refused) {
    for (size_t i = 1; i < 3; i++) {
        struct now in[] = {{sizeof *in, 1, 5}, {sizeof *in, 2, 6}, {sizeof *in, 3, 7}};
        struct now out[3];
        wring_error error;
        in[i].struct_size = i == 1 ? 0 : sizeof(struct later);
        cr_assert_eq(list_adopt(out, in, &error), WRING_ERR_INVALID_CONFIG);
        char begin[32];
        (void)snprintf(begin, sizeof begin, "now: element %zu ", i);
        cr_assert_not_null(strstr(error.text, begin), "%s", error.text);
        cr_assert_not_null(strstr(error.text, "sizeof(now)"), "%s", error.text);
    }
}

Test(sized, each_element_of_a_list_is_checked) {
    struct later in[] = {{sizeof *in, 1, 5, 0}, {sizeof *in, 2, 6, 0}, {sizeof *in, 3, 7, 1}};
    struct now out[3];
    wring_error error;
    cr_assert_eq(list_adopt(out, in, &error), WRING_ERR_INVALID_CONFIG);
    cr_assert_not_null(strstr(error.text, "newer library"), "%s", error.text);
    const struct now unset[3] = {{.a = 1}};
    cr_assert_eq(list_adopt(out, unset, &error), WRING_ERR_INVALID_CONFIG);
    cr_assert_str_eq(error.text, "now: struct_size is not set: use sizeof(now)");
}

Test(sized, an_empty_list_may_be_null) {
    struct now out;
    cr_assert_eq(
        wring__sized_list_adopt(&out, sizeof out, NULL, 0, offsetof(struct now, a), "now", NULL),
        WRING_OK);
}

Test(sized, a_count_without_a_list_is_refused) {
    struct now out[3];
    wring_error error = {.text = ""};
    cr_assert_eq(list_adopt(out, NULL, &error), WRING_ERR_INVALID_CONFIG);
    cr_assert_not_null(strstr(error.text, "now"), "%s", error.text);
}
