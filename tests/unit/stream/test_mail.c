/* SPDX-License-Identifier: Apache-2.0
 *
 * What each frame of wring_ref_send says of its compression is obeyed, alone and in a list.
 */
#include <criterion/criterion.h>

#include "tests/unit/stream/world.h"

#define LONG 3000

static wring_ref ref; /* of the server's session */
static size_t received[8];
static unsigned received_count;
static unsigned wanted;

static wring_verdict server_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    ref = wring_session_ref(session);
    return WRING_CONTINUE;
}

static wring_verdict client_in(wring_session *session, const wring_message *message) {
    (void)session;
    if (message->opcode == WRING_BINARY && received_count < 8) {
        received[received_count++] = message->payload.len;
    }
    return WRING_CONTINUE;
}

static const wring_handler of_server = {.struct_size = sizeof of_server, .init = server_init};
static const wring_handler of_client = {.struct_size = sizeof of_client, .handle_in = client_in};

static bool is_joined(void) {
    return ref != WRING_REF_NONE;
}

static bool all_came(void) {
    return received_count >= wanted;
}

static world joined(const wring_policy *policy, const wring_deflate_config *deflate) {
    const world_config config = {.of_server = &of_server,
                                 .policy = policy,
                                 .of_client = &of_client,
                                 .client_deflate = deflate};
    ref = WRING_REF_NONE;
    world w = world_begin(&config);
    world_run(&w, is_joined);
    return w;
}

/* Messages that the server's worker has compressed. */
static uint64_t compressed(const world *w) {
    wring_deflate_stats deflate = {.struct_size = sizeof deflate};
    wring_server_stats stats = {.struct_size = sizeof stats, .deflate = &deflate};
    cr_assert_eq(wring_server_get_stats(w->server, &stats), WRING_OK);
    return deflate.tx_messages;
}

/* Sends and waits until it came. Returns how many of them were compressed. */
static uint64_t send(world *w, const wring_frame *frames, size_t count) {
    const uint64_t before = compressed(w);
    received_count = 0;
    wanted = (unsigned)count;
    cr_assert_eq(wring_ref_send(ref, frames, count), WRING_OK);
    world_run(w, all_came);
    for (size_t i = 0; i < count; i++) {
        cr_expect_eq(received[i], frames[i].payload.len, "frame %zu", i);
    }
    return compressed(w) - before;
}

static const uint8_t zeros[LONG];

static const struct {
    size_t len;
    uint16_t compress;
    unsigned compressed;
} rows[] = {
    {20, WRING_COMPRESS_DEFAULT, 0}, {20, WRING_COMPRESS_NEVER, 0},
    {20, WRING_COMPRESS_ALWAYS, 1},  {LONG, WRING_COMPRESS_DEFAULT, 1},
    {LONG, WRING_COMPRESS_NEVER, 0}, {LONG, WRING_COMPRESS_ALWAYS, 1},
    {0, WRING_COMPRESS_ALWAYS, 0}, /* nothing to compress */
};
#define ROWS (sizeof rows / sizeof *rows)

static wring_frame frame_of(size_t row) {
    return (wring_frame){.opcode = WRING_BINARY,
                         .compress = rows[row].compress,
                         .payload = wring_bytes_of(zeros, rows[row].len)};
}

Test(mail, a_frame_is_compressed_as_it_says) {
    const wring_deflate_config deflate = {.struct_size = sizeof deflate};
    const wring_policy policy = {.struct_size = sizeof policy, .deflate = &deflate};
    world w = joined(&policy, &deflate);
    wring_frame list[ROWS];
    uint64_t sum = 0;
    for (size_t i = 0; i < ROWS; i++) {
        list[i] = frame_of(i);
        cr_expect_eq(send(&w, &list[i], 1), rows[i].compressed, "alone, row %zu", i);
        sum += rows[i].compressed;
    }
    cr_expect_eq(send(&w, list, ROWS), sum, "in a list");
    for (size_t i = 0; i + 1 < ROWS; i++) { /* two and two: which it was */
        cr_expect_eq(send(&w, &list[i], 2), rows[i].compressed + rows[i + 1].compressed,
                     "rows %zu and %zu", i, i + 1);
    }
    world_end(&w);
}

Test(mail, without_compression_the_wish_is_nothing) {
    world w = joined(NULL, NULL);
    wring_frame list[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        list[i] = frame_of(i);
        cr_expect_eq(send(&w, &list[i], 1), 0u);
    }
    cr_expect_eq(send(&w, list, ROWS), 0u);
    world_end(&w);
}
