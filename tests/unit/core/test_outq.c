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

/* ---- from one queue to another --------------------------------------------------------------- */

static wring__shared *shared_make(uint8_t fill, size_t len) {
    static uint8_t bytes[100000];
    memset(bytes, fill, len);
    wring__shared *shared = wring__shared_create(WRING_BINARY, 0, wring_bytes_of(bytes, len));
    cr_assert(shared != NULL);
    return shared;
}

/* Written pieces of all sizes and shared messages, moved in steps: whole segments, parts of them,
 * what is short enough to be copied. */
Test(outq, what_is_moved_comes_out_in_order_at_every_step) {
    static uint8_t want[60000];
    static uint8_t got[60000];
    for (size_t step = 1; step < 50000; step = step * 3 + 1) {
        wring__chunk_cache cache;
        wring__outq from = {0};
        wring__outq to = {0};
        size_t len = 0;
        wring__chunk_cache_init(&cache);
        for (size_t i = 0; i < 12; i++) {
            const size_t size = i * i * 40 + 1;
            memset(want + len, (int)i, size);
            if (i % 3 == 0) {
                wring__shared *shared = shared_make((uint8_t)i, size);
                const wring_bytes wire = wring__shared_wire(shared);
                cr_assert_eq(wring__outq_append_shared(&from, &cache, shared), WRING_OK);
                memcpy(want + len, wire.data, wire.len);
                len += wire.len;
                wring__shared_unref(shared);
            } else {
                cr_assert_eq(wring__outq_append(&from, &cache, wring_bytes_of(want + len, size)),
                             WRING_OK);
                len += size;
            }
        }
        for (size_t left = len; left > 0;) {
            const size_t part = wring__min_size(left, step);
            cr_assert_eq(wring__outq_move(&from, &to, &cache, part), WRING_OK);
            left -= part;
            cr_assert(from.bytes == left && to.bytes == len - left);
        }
        cr_assert(from.head == NULL && from.tail == NULL);
        take_all(&to, &cache, got, 1000);
        cr_assert_arr_eq(got, want, len);
        cr_assert_eq(wring__chunk_cache_held(&cache), 0);
        wring__chunk_cache_deinit(&cache);
    }
}

Test(outq, a_part_of_a_shared_message_is_moved_without_a_copy) {
    wring__chunk_cache cache;
    wring__outq from = {0};
    wring__outq to = {0};
    struct iovec iov[2];
    wring__chunk_cache_init(&cache);
    wring__shared *shared = shared_make('x', 50000);
    const wring_bytes wire = wring__shared_wire(shared);
    cr_assert_eq(wring__outq_append_shared(&from, &cache, shared), WRING_OK);
    cr_assert_eq(wring__outq_move(&from, &to, &cache, 8192), WRING_OK);
    cr_assert_eq(wring__outq_gather(&to, iov, 2), 1);
    cr_assert(iov[0].iov_base == wire.data && iov[0].iov_len == 8192);
    cr_assert_eq(wring__outq_gather(&from, iov, 2), 1);
    cr_assert(iov[0].iov_base == wire.data + 8192);
    wring__outq_deinit(&from, &cache);
    wring__outq_deinit(&to, &cache);
    wring__shared_unref(shared);
    cr_assert_eq(wring__chunk_cache_held(&cache), 0);
    wring__chunk_cache_deinit(&cache);
}
