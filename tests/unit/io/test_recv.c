/* SPDX-License-Identifier: Apache-2.0
 *
 * Receive buffers and spans: which bytes a connection is given, and when a buffer goes back.
 */
#include "io/recv.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define BUFFERS     8
#define BUFFER_SIZE (128u * 1024)

static uint8_t memory[BUFFERS * BUFFER_SIZE];
static uint16_t returned[64];
static size_t returned_count;
static wring__backend backend;
static wring__recv_pool pool;

static void on_return(wring__backend *unused, const uint16_t *buffers, size_t count) {
    (void)unused;
    memcpy(returned + returned_count, buffers, count * sizeof *buffers);
    returned_count += count;
}

static const wring__backend_ops ops = {.name = "counting", .buffers_return = on_return};

static void begin(void) {
    returned_count = 0;
    for (size_t i = 0; i < sizeof memory; i++) {
        memory[i] = (uint8_t)(i >> 4);
    }
    backend = (wring__backend){.ops = &ops,
                               .buffers = memory,
                               .buffer_count = BUFFERS,
                               .buffer_size = BUFFER_SIZE,
                               .read_size = 16384};
    cr_assert_eq(wring__recv_init(&pool, &backend), WRING_OK);
}

static void end(void) {
    wring__recv_deinit(&pool);
}

static wring__recv_chain chain_make(void) {
    return (wring__recv_chain){WRING__RECV_NONE, WRING__RECV_NONE};
}

static wring__completion received(uint16_t buffer, int32_t len, bool more) {
    const unsigned flags = WRING__COMPLETION_BUFFER | (more ? WRING__COMPLETION_BUFFER_MORE : 0);
    return (wring__completion){1, len, buffer, (uint16_t)flags};
}

static void push(wring__recv_chain *chain, uint16_t buffer, int32_t len, bool more) {
    const wring__completion completion = received(buffer, len, more);
    cr_assert_eq(wring__recv_push(&pool, chain, &completion), WRING_OK);
}

static void expect_given(wring__recv_chain *chain, size_t at, size_t len) {
    const wring__recv_lease lease = wring__recv_take(&pool, chain, false);
    cr_assert_eq(lease.bytes.data, memory + at);
    cr_assert_eq(lease.bytes.len, len);
    wring__recv_done(&pool, &lease);
}

static void expect_returned(size_t count) {
    wring__recv_return(&pool);
    cr_assert_eq(returned_count, count);
}

Test(recv, a_classic_buffer_goes_back_when_its_bytes_were_given) {
    begin();
    wring__recv_chain chain = chain_make();
    push(&chain, 3, 100, false);
    expect_returned(0);
    expect_given(&chain, (size_t)3 * BUFFER_SIZE, 100);
    cr_assert(wring__recv_is_empty(&chain));
    expect_returned(1);
    cr_assert_eq(returned[0], 3);
    end();
}

Test(recv, connections_share_an_incremental_buffer_and_the_last_gives_it_back) {
    begin();
    wring__recv_chain a = chain_make(), b = chain_make();
    push(&a, 0, 100, true);
    push(&b, 0, 50, true);
    push(&a, 0, 30, false);
    expect_given(&a, 0, 100);
    expect_given(&a, 150, 30);
    expect_returned(0);
    expect_given(&b, 100, 50);
    expect_returned(1);
    push(&b, 0, 10, true); /* lent again, from its start */
    expect_given(&b, 0, 10);
    expect_returned(1); /* the kernel goes on in it */
    end();
}

Test(recv, what_a_connection_receives_in_a_row_is_one_span_up_to_a_bound) {
    begin();
    wring__recv_chain chain = chain_make();
    push(&chain, 1, 1000, true);
    push(&chain, 1, 2000, true);
    push(&chain, 1, (int32_t)WRING__RECV_SPAN_MAX - 3000, true);
    push(&chain, 1, 1, true);
    expect_given(&chain, BUFFER_SIZE, WRING__RECV_SPAN_MAX);
    expect_given(&chain, BUFFER_SIZE + WRING__RECV_SPAN_MAX, 1);
    cr_assert(wring__recv_is_empty(&chain));
    push(&chain, 2, 100000, true); /* one receive longer than that is given in pieces */
    expect_given(&chain, (size_t)2 * BUFFER_SIZE, WRING__RECV_SPAN_MAX);
    expect_given(&chain, (size_t)2 * BUFFER_SIZE + WRING__RECV_SPAN_MAX,
                 100000 - WRING__RECV_SPAN_MAX);
    cr_assert(wring__recv_is_empty(&chain));
    end();
}

Test(recv, what_nobody_wants_frees_its_buffer_only_at_its_end) {
    begin();
    wring__completion completion = received(5, 10, true);
    wring__recv_discard(&pool, &completion);
    expect_returned(0);
    wring__recv_chain chain = chain_make();
    push(&chain, 5, 20, true);
    completion = received(5, 0, false); /* an error that names a buffer */
    wring__recv_discard(&pool, &completion);
    expect_returned(0);
    wring__recv_drop(&pool, &chain);
    cr_assert(wring__recv_is_empty(&chain));
    expect_returned(1);
    end();
}

Test(recv, kept_bytes_hold_their_buffer_and_a_quarter_may_be_held) {
    begin();
    wring__block *kept[BUFFERS];
    size_t count = 0;
    for (uint16_t i = 0; i < BUFFERS; i++) {
        wring__recv_chain chain = chain_make();
        push(&chain, i, 600, false);
        const wring__recv_lease lease = wring__recv_take(&pool, &chain, true);
        if (lease.block != NULL) {
            kept[count++] = wring__block_ref(lease.block);
        }
        wring__recv_done(&pool, &lease);
    }
    cr_assert_eq(count, BUFFERS / 4);
    expect_returned(BUFFERS - count);
    wring__block_unref(kept[0]);
    expect_returned(BUFFERS - 1);
    cr_assert_eq(returned[BUFFERS - 2], 0);
    wring__block_unref(kept[1]);
    expect_returned(BUFFERS);
    end();
}

/* Gives all of the chain; what may be kept is kept. Returns how many references that made. */
static size_t give_and_keep(wring__recv_chain *chain, wring__block **kept) {
    size_t count = 0;
    while (!wring__recv_is_empty(chain)) {
        const wring__recv_lease lease = wring__recv_take(&pool, chain, true);
        if (lease.block != NULL) {
            kept[count++] = wring__block_ref(lease.block);
        }
        wring__recv_done(&pool, &lease);
    }
    return count;
}

/* Two connections have bytes in each buffer: the first is given all of its own, and no buffer is
 * done with until the second is. */
Test(recv, a_buffer_counts_from_its_first_reference) {
    begin();
    wring__block *kept[2 * BUFFERS];
    wring__recv_chain a = chain_make(), b = chain_make();
    for (uint16_t i = 0; i < BUFFERS; i++) {
        push(&a, i, 600, true);
        push(&b, i, 600, false);
    }
    size_t count = give_and_keep(&a, kept);
    cr_assert_eq(count, BUFFERS / 4);
    cr_assert_eq(pool.kept_count, BUFFERS / 4);
    count += give_and_keep(&b, kept + count); /* in the same buffers: it pins no more */
    cr_assert_eq(count, 2 * (BUFFERS / 4));
    expect_returned(BUFFERS - BUFFERS / 4);
    for (size_t i = 0; i < count; i++) {
        wring__block_unref(kept[i]);
    }
    cr_assert_eq(pool.kept_count, 0);
    expect_returned(BUFFERS);
    end();
}

/* Kept, and let go of, while the kernel still writes into the buffer. */
Test(recv, a_buffer_let_go_of_before_its_end_counts_no_more) {
    begin();
    wring__block *kept[2];
    wring__recv_chain chain = chain_make();
    push(&chain, 0, 600, true);
    cr_assert_eq(give_and_keep(&chain, kept), 1);
    cr_assert_eq(pool.kept_count, 1);
    wring__block_unref(kept[0]);
    push(&chain, 0, 600, false);
    cr_assert_eq(give_and_keep(&chain, kept), 1);
    cr_assert_eq(pool.kept_count, 1);
    expect_returned(0);
    wring__block_unref(kept[0]);
    cr_assert_eq(pool.kept_count, 0);
    expect_returned(1);
    end();
}

Test(recv, spans_are_as_many_as_their_numbers_and_then_an_error) {
    begin();
    static wring__recv_chain chains[WRING__RECV_NONE];
    const wring__completion one = received(0, 1, true);
    for (uint32_t i = 0; i < WRING__RECV_NONE; i++) {
        chains[i] = chain_make();
        cr_assert_eq(wring__recv_push(&pool, &chains[i], &one), WRING_OK, "%u", i);
    }
    wring__recv_chain last = chain_make();
    cr_assert_eq(wring__recv_push(&pool, &last, &one), WRING_ERR_NO_MEMORY);
    cr_assert(wring__recv_is_empty(&last));
    for (uint32_t i = 0; i < WRING__RECV_NONE; i++) {
        wring__recv_drop(&pool, &chains[i]);
    }
    expect_returned(0);
    end();
}
