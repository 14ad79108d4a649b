/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/outq.h"

static void take_all(wring__outq *q, wring__chunk_cache *cache, uint8_t *out, size_t step) {
    while (q->bytes > 0) {
        struct iovec iov[4];
        size_t n = wring__outq_gather(q, iov, 4);
        cr_assert(n > 0);
        size_t len = wring__min_size(iov[0].iov_len, step);
        memcpy(out, iov[0].iov_base, len);
        out += len;
        wring__outq_consume(q, cache, len);
    }
}

Test(outq, bytes_come_out_as_they_went_in_at_every_step) {
    static uint8_t want[200000];
    static uint8_t got[200000];
    static const size_t sizes[] = {0, 1, 22, 900, 976, 977, 16000, 16448, 16449, 40000};
    for (size_t step = 1; step < 60000; step = step * 3 + 1) {
        wring__outq q = {0};
        wring__chunk_cache cache;
        wring__chunk_cache_init(&cache);
        size_t len = 0;
        for (size_t i = 0; i < WRING_ARRAY_LEN(sizes); i++) {
            memset(want + len, (int)(i + 1), sizes[i]);
            cr_assert_eq(wring__outq_append(&q, &cache, wring_bytes_of(want + len, sizes[i])),
                         WRING_OK);
            len += sizes[i];
        }
        cr_assert_eq(q.bytes, len);
        take_all(&q, &cache, got, step);
        cr_assert_arr_eq(got, want, len);
        wring__outq_deinit(&q, &cache);
        wring__chunk_cache_deinit(&cache);
    }
}

Test(outq, appending_does_not_move_what_is_lent) {
    wring__outq q = {0};
    struct iovec before;
    struct iovec after;
    cr_assert_eq(wring__outq_append(&q, NULL, wring_str("one")), WRING_OK);
    cr_assert_eq(wring__outq_gather(&q, &before, 1), 1);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(wring__outq_append(&q, NULL, wring_str("more")), WRING_OK);
    }
    cr_assert_eq(wring__outq_gather(&q, &after, 1), 1);
    cr_assert_eq(before.iov_base, after.iov_base);
    wring__outq_deinit(&q, NULL);
}

Test(outq, a_shared_message_is_referenced_and_released_with_its_last_byte) {
    wring__outq a = {0};
    wring__outq b = {0};
    uint8_t payload[1000];
    memset(payload, 'x', sizeof payload);
    wring__shared *shared = wring__shared_create(2, 0, wring_bytes_of(payload, sizeof payload));
    cr_assert_eq(wring__outq_append_shared(&a, NULL, shared), WRING_OK);
    cr_assert_eq(wring__outq_append_shared(&b, NULL, shared), WRING_OK);
    cr_assert_eq(shared->refs, 3);
    wring__outq_consume(&a, NULL, 999);
    cr_assert_eq(shared->refs, 3);
    wring__outq_consume(&a, NULL, 1);
    cr_assert_eq(shared->refs, 2);
    wring__outq_deinit(&b, NULL);
    cr_assert_eq(shared->refs, 1);
    wring__shared_unref(shared);
}

Test(outq, an_abandoned_reservation_leaves_nothing) {
    wring__outq q = {0};
    cr_assert_not_null(wring__outq_reserve(&q, NULL, 100));
    struct iovec iov;
    cr_assert_eq(wring__outq_gather(&q, &iov, 1), 0);
    cr_assert_eq(q.bytes, 0);
    wring__outq_deinit(&q, NULL);
}

/* Several short publishes in a turn: the first is referenced, the rest need no 16 KiB each. */
Test(outq, what_is_short_behind_a_shared_message_takes_a_small_chunk) {
    wring__outq q = {0};
    wring__chunk_cache cache;
    wring__chunk_cache_init(&cache);
    cache.keep_max[0] = cache.keep_max[1] = cache.keep_max[2] = 8; /* under ASan as well */
    wring__shared *shared = wring__shared_create(2, 0, wring_str("short"));
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(wring__outq_append_shared(&q, &cache, shared), WRING_OK);
    }
    wring__outq_consume(&q, &cache, q.bytes);
    cr_assert_eq(cache.free_count[0], 1);
    cr_assert_eq(cache.free_count[1], 1);
    cr_assert_eq(cache.free_count[2], 0);
    wring__shared_unref(shared);
    wring__chunk_cache_deinit(&cache);
}
