/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "core/outq.h"

Test(block, large_ones_are_kept_within_bounds_and_found_again) {
    wring__block_cache cache;
    wring__block_cache_init(&cache);
    cache.kept_bytes_max = 300000; /* 0 under ASan */
    wring__block *small = wring__block_make(&cache, 1000);
    wring__block *a = wring__block_make(&cache, 100000);
    wring__block *b = wring__block_make(&cache, 200000);
    wring__block *c = wring__block_make(&cache, 200000);
    wring__block_unref(small);
    wring__block_unref(a);
    wring__block_unref(b);
    wring__block_unref(c); /* more than is kept */
    cr_assert_eq(cache.kept_bytes, 300000);
    cr_assert_null(wring__block_take_kept(&cache, 200001));
    cr_assert_null(wring__block_take_kept(&cache, 1000)); /* not worth a large one */
    cr_assert_eq(wring__block_take_kept(&cache, 150000), b);
    cr_assert_eq(wring__block_make(&cache, 65536), a);
    cr_assert_eq(cache.kept_bytes, 0);
    wring__block_unref(a);
    wring__block_unref(b);
    wring__block_cache_deinit(&cache);
}

Test(block, growing_keeps_the_bytes_and_prefers_a_kept_block) {
    wring__block_cache cache;
    wring__block_cache_init(&cache);
    cache.kept_bytes_max = 1000000;
    wring__block *kept = wring__block_make(&cache, 500000);
    wring__block_unref(kept);
    wring__block *block = wring__block_make(&cache, 4);
    memcpy(block->data, "abcd", 4);
    block = wring__block_grow(&cache, block, 4, 1000);
    cr_assert(block != NULL && block->cap == 1000 && memcmp(block->data, "abcd", 4) == 0);
    block = wring__block_grow(&cache, block, 4, 400000);
    cr_assert(block == kept && block->cap == 500000 && memcmp(block->data, "abcd", 4) == 0);
    wring__block_unref(block);
    wring__block_cache_deinit(&cache);
}

Test(block, sizes_that_no_memory_has_are_refused) {
    cr_assert_null(wring__block_make(NULL, SIZE_MAX));
}

static int released;

static void on_released(wring__block *block) {
    (void)block;
    released++;
}

Test(block, a_queue_holds_it_until_its_last_byte_is_taken) {
    static uint8_t bytes[10] = "0123456789";
    wring__block block = {.data = bytes, .cap = 10, .refs = 1, .released = on_released};
    wring__outq q = {0};
    struct iovec iov;
    cr_assert_eq(wring__outq_append_block(&q, NULL, &block, wring_bytes_of(bytes + 2, 5)),
                 WRING_OK);
    cr_assert_eq(wring__outq_append(&q, NULL, wring_str("more")), WRING_OK);
    wring__block_unref(&block);
    cr_assert(released == 0 && q.bytes == 9);
    cr_assert_eq(wring__outq_gather(&q, &iov, 1), 1);
    cr_assert(iov.iov_base == bytes + 2 && iov.iov_len == 5);
    wring__outq_consume(&q, NULL, 4);
    cr_assert_eq(released, 0);
    wring__outq_consume(&q, NULL, 1);
    cr_assert_eq(released, 1);
    wring__outq_deinit(&q, NULL);
}

Test(block, a_queue_that_ends_lets_go) {
    static uint8_t bytes[10];
    wring__block block = {.data = bytes, .cap = 10, .refs = 1, .released = on_released};
    wring__outq q = {0};
    cr_assert_eq(wring__outq_append_block(&q, NULL, &block, wring_bytes_of(bytes, 10)), WRING_OK);
    wring__outq_deinit(&q, NULL);
    cr_assert_eq(block.refs, 1);
}
