/* SPDX-License-Identifier: Apache-2.0
 *
 * permessage-deflate in a machine: RFC 7692 6 and 7.2, one test a rule; every input whole, byte by
 * byte and cut at each point.
 */
#include "proto/deflate.h"
#include "tests/unit/proto/machine_feed.h"
#include "tests/unit/proto/zlib_peer.h"

static wring_deflate *pool;
static const wring_deflate_params takeover = {15, 15, false, false, false};
static const wring_deflate_params no_takeover = {15, 15, true, true, false};

static void begin(void) {
    const wring_deflate_config config = {.struct_size = sizeof config, .message_bytes_min = 1};
    cr_assert_eq(wring_deflate_create(&config, &pool, NULL), WRING_OK);
}

static void end(void) {
    wring_deflate_destroy(pool);
}

TestSuite(deflate_machine, .init = begin, .fini = end);

static feed_config with(wring_role role, const wring_deflate_params *params) {
    return (feed_config){.role = role, .deflate = pool, .deflate_params = params};
}

/* Both ways, so that nothing depends on takeover. */
static void expect(const void *bytes, size_t len, const char *want) {
    feed_expect(with(WRING_ROLE_CLIENT, &takeover), bytes, len, want);
    feed_expect(with(WRING_ROLE_CLIENT, &no_takeover), bytes, len, want);
}

#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"

Test(deflate_machine, the_examples_of_the_rfc_are_read) {
    /* 7.2.3.1: one block; 7.2.3.3: stored; 7.2.3.4: BFINAL; 7.2.3.5: two blocks; 7.2.3.6: empty */
    expect(LIT("\xc1\x07" HELLO), "TEXT(0,5,Hello) OUT:");
    expect(LIT("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "TEXT(0,5,Hello) OUT:");
    expect(LIT("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "TEXT(0,5,Hello) OUT:");
    expect(LIT("\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
           "TEXT(0,5,Hello) OUT:");
    expect(LIT("\xc1\x01\x00\xc2\x02\x02\x00"), "TEXT(0,0,)BINARY(0,0,) OUT:");
}

Test(deflate_machine, the_window_is_shared_over_messages_with_takeover_only) {
    /* 7.2.3.2 */
    feed_expect(with(WRING_ROLE_CLIENT, &takeover),
                LIT("\xc1\x07" HELLO "\xc1\x05\xf2\x00\x11\x00\x00"),
                "TEXT(0,5,Hello)TEXT(0,5,Hello) OUT:");
    char got[4096];
    feed_run(with(WRING_ROLE_CLIENT, &no_takeover),
             (const uint8_t *)"\xc1\x07" HELLO "\xc1\x05\xf2\x00\x11\x00\x00", 16, 0, 0, got);
    cr_expect_not_null(strstr(got, "TEXT(0,5,Hello)END(ERR_BAD_DEFLATE,1007)"), "%s", got);
}

Test(deflate_machine, fragments_have_rsv1_on_the_first_only) {
    /* RFC 7692 7.2.3.1: fragmented */
    expect(LIT("\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"), "TEXT(0,5,Hello) OUT:");
    expect(LIT("\x41\x00\x00\x03\xf2\x48\xcd\x00\x00\x80\x04\xc9\xc9\x07\x00"),
           "TEXT(0,5,Hello) OUT:");
    char got[4096];
    feed_run(with(WRING_ROLE_CLIENT, &takeover),
             (const uint8_t *)"\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00", 11, 0, 0, got);
    cr_expect_eq(strncmp(got, "END(ERR_PROTOCOL,1002)", 22), 0, "%s", got);
}

Test(deflate_machine, control_frames_come_between_compressed_fragments) {
    feed_expect(with(WRING_ROLE_SERVER, &takeover),
                LIT("\x41\x83\0\0\0\0\xf2\x48\xcd\x89\x81\0\0\0\0p\x00\x80\0\0\0\0"
                    "\x8a\x81\0\0\0\0q\x80\x84\0\0\0\0\xc9\xc9\x07\x00"),
                "PING(0,1,p)PONG(0,1,q)TEXT(0,5,Hello) OUT:8a0170");
}

Test(deflate_machine, rsv1_on_a_control_or_continuation_frame_is_1002) {
    static const char *const frames[] = {"\xc9\x80\0\0\0\0", "\xca\x80\0\0\0\0", "\xc8\x80\0\0\0\0",
                                         "\xc0\x80\0\0\0\0"};
    for (size_t i = 0; i < 4; i++) {
        feed_expect(with(WRING_ROLE_SERVER, &takeover), frames[i], 6,
                    "END(ERR_PROTOCOL,1002) OUT:880203ea");
    }
    /* RSV2 and RSV3 belong to nobody */
    feed_expect(with(WRING_ROLE_SERVER, &takeover), LIT("\xa1\x80\0\0\0\0"),
                "END(ERR_PROTOCOL,1002) OUT:880203ea");
    feed_expect(with(WRING_ROLE_SERVER, &takeover), LIT("\xd1\x80\0\0\0\0"),
                "END(ERR_PROTOCOL,1002) OUT:880203ea");
}

Test(deflate_machine, rsv1_without_the_extension_is_1002) {
    feed_expect(SERVER, LIT("\xc1\x87\0\0\0\0" HELLO), "END(ERR_PROTOCOL,1002) OUT:880203ea");
}

Test(deflate_machine, plain_messages_come_between_compressed_ones) {
    expect(LIT("\x81\x02hi\xc1\x07" HELLO "\x82\x03"
               "abc"
               "\xc2\x07" HELLO),
           "TEXT(0,2,hi)TEXT(0,5,Hello)BINARY(0,3,abc)BINARY(0,5,Hello) OUT:");
}

Test(deflate_machine, corrupt_data_is_1007) {
    feed_expect(with(WRING_ROLE_SERVER, &takeover), LIT("\xc1\x83\0\0\0\0\xff\xff\xff"),
                "END(ERR_BAD_DEFLATE,1007) OUT:880203ef");
    feed_expect(with(WRING_ROLE_SERVER, &no_takeover), LIT("\xc2\x80\0\0\0\0"),
                "END(ERR_BAD_DEFLATE,1007) OUT:880203ef");
}

Test(deflate_machine, a_text_that_inflates_to_bad_utf8_is_1007) {
    zlib_peer peer;
    zlib_peer_make(&peer, 15, 15);
    uint8_t frame[64] = {0xc1, 0x80};
    const wring_bytes wire = zlib_peer_deflate(&peer, "ab\xc0\x80", 4, Z_SYNC_FLUSH);
    frame[1] |= (uint8_t)wire.len;
    memcpy(frame + 6, wire.data, wire.len);
    feed_expect(with(WRING_ROLE_SERVER, &takeover), frame, 6 + wire.len,
                "END(ERR_INVALID_UTF8,1007) OUT:880203ef");
    frame[0] = 0xc2; /* bytes are bytes */
    char got[4096];
    feed_run(with(WRING_ROLE_SERVER, &takeover), frame, 6 + wire.len, 0, 0, got);
    cr_expect_eq(strncmp(got, "BINARY(0,4,", 11), 0, "%s", got);
    zlib_peer_free(&peer);
}

Test(deflate_machine, c1_beyond_message_bytes_max_or_inflated_bytes_max_is_1009) {
    zlib_peer peer;
    zlib_peer_make(&peer, 15, 15);
    static uint8_t zeros[100000];
    uint8_t frame[200] = {0xc2, 0x80};
    const wring_bytes wire = zlib_peer_deflate(&peer, zeros, sizeof zeros, Z_SYNC_FLUSH);
    cr_assert(wire.len <= 125);
    frame[1] |= (uint8_t)wire.len;
    memcpy(frame + 6, wire.data, wire.len);
    feed_config config = with(WRING_ROLE_SERVER, &no_takeover);
    char got[4096];
    config.session.message_bytes_max = sizeof zeros;
    feed_run(config, frame, 6 + wire.len, 0, 0, got);
    cr_expect_eq(strncmp(got, "BINARY(0,100000,", 16), 0, "%s", got);
    config.session.message_bytes_max = sizeof zeros - 1;
    feed_expect(config, frame, 6 + wire.len, "END(ERR_INFLATE_TOO_BIG,1009) OUT:880203f1");
    wring_deflate *small;
    const wring_deflate_config tight = {.struct_size = sizeof tight, .inflated_bytes_max = 99999};
    cr_assert_eq(wring_deflate_create(&tight, &small, NULL), WRING_OK);
    config = with(WRING_ROLE_SERVER, &takeover);
    config.deflate = small;
    feed_expect(config, frame, 6 + wire.len, "END(ERR_INFLATE_TOO_BIG,1009) OUT:880203f1");
    wring_deflate_destroy(small);
    zlib_peer_free(&peer);
}

/* ---- both ends ------------------------------------------------------------------------------- */

static wring_machine *open_machine(wring_role role, const wring_deflate_params *params) {
    return feed_begin(with(role, params)).machine;
}

/* Everything `from` has to send goes to `to` in pieces of random length; returns the messages. */
static unsigned carry(wring_machine *from, wring_machine *to, uint64_t *random, const uint8_t *want,
                      size_t want_len) {
    unsigned messages = 0;
    for (wring_bytes out; (out = wring_machine_output(from)).len > 0;) {
        size_t len = 1 + zlib_peer_random(random) % out.len;
        uint8_t *copy = malloc(len);
        memcpy(copy, out.data, len);
        cr_assert_eq(wring_machine_feed(to, (wring_mut_bytes){copy, len}, 2), WRING_OK);
        wring_event event;
        while (wring_machine_next(to, &event) == WRING_OK) {
            cr_assert_eq(event.kind, WRING_EVENT_MESSAGE);
            cr_assert(event.message.payload.len == want_len &&
                      (want_len == 0 || memcmp(event.message.payload.data, want, want_len) == 0));
            messages++;
        }
        free(copy);
        wring_machine_sent(from, len);
    }
    return messages;
}

static void talk(const wring_deflate_params *params, unsigned rounds) {
    wring_machine *client = open_machine(WRING_ROLE_CLIENT, params);
    wring_machine *server = open_machine(WRING_ROLE_SERVER, params);
    uint64_t random = 21;
    static uint8_t data[70000];
    for (unsigned i = 0; i < rounds; i++) {
        const size_t len = zlib_peer_random(&random) % (i % 10 == 0 ? sizeof data : 600);
        zlib_peer_text(data, len, &random);
        const wring_frame frame = {.opcode = WRING_TEXT,
                                   .compress = (uint16_t)(zlib_peer_random(&random) % 3),
                                   .payload = wring_bytes_of(data, len)};
        cr_assert_eq(wring_machine_send(client, &frame), WRING_OK);
        cr_assert_eq(carry(client, server, &random, data, len), 1);
        cr_assert_eq(wring_machine_send(server, &frame), WRING_OK);
        cr_assert_eq(carry(server, client, &random, data, len), 1);
    }
    wring_machine_destroy(client);
    wring_machine_destroy(server);
}

Test(deflate_machine, c8_messages_survive_any_chunking_with_and_without_takeover) {
    talk(&takeover, 400);
    talk(&no_takeover, 400);
}

Test(deflate_machine, every_pair_of_windows_and_takeovers_talks) {
    for (unsigned bits = 0; bits < 64; bits++) {
        wring_deflate_params params = {(uint8_t)(8 + bits % 8), (uint8_t)(8 + bits / 8),
                                       bits % 3 == 0, bits % 5 == 0, true};
        params.server_no_context_takeover |= params.server_max_window_bits == 8;
        params.client_no_context_takeover |= params.client_max_window_bits == 8;
        talk(&params, 12);
    }
}

Test(deflate_machine, c8_every_chunking_of_a_short_exchange) {
    /* two messages of 9 bytes on the wire: each of the 2^17 ways to cut them */
    static const uint8_t wire[] = "\xc1\x07" HELLO "\xc1\x07" HELLO;
    for (unsigned cuts = 0; cuts < 1u << 17; cuts += 7) {
        wring_machine *machine = open_machine(WRING_ROLE_CLIENT, &takeover);
        unsigned messages = 0;
        for (size_t at = 0; at < 18;) {
            size_t end_at = at + 1;
            while (end_at < 18 && (cuts >> (end_at - 1) & 1) == 0) {
                end_at++;
            }
            uint8_t piece[18];
            memcpy(piece, wire + at, end_at - at);
            cr_assert_eq(wring_machine_feed(machine, (wring_mut_bytes){piece, end_at - at}, 2),
                         WRING_OK);
            wring_event event;
            while (wring_machine_next(machine, &event) == WRING_OK) {
                cr_assert(event.kind == WRING_EVENT_MESSAGE && event.message.payload.len == 5 &&
                          memcmp(event.message.payload.data, "Hello", 5) == 0);
                messages++;
            }
            at = end_at;
        }
        cr_assert_eq(messages, 2);
        wring_machine_destroy(machine);
    }
}

Test(deflate_machine, what_is_short_or_marked_plain_goes_without_rsv1) {
    const wring_deflate_config config = {.struct_size = sizeof config};
    wring_deflate *usual;
    cr_assert_eq(wring_deflate_create(&config, &usual, NULL), WRING_OK);
    feed_config from = with(WRING_ROLE_SERVER, &no_takeover);
    from.deflate = usual;
    wring_machine *machine = feed_begin(from).machine;
    static const uint8_t zeros[300];
    static const struct {
        size_t len;
        uint16_t wish;
        uint8_t first;
    } rows[] = {{255, 0, 0x82},
                {256, 0, 0xc2},
                {300, WRING_COMPRESS_NEVER, 0x82},
                {20, WRING_COMPRESS_ALWAYS, 0xc2},
                {0, WRING_COMPRESS_ALWAYS, 0x82},
                {0, 0, 0x82}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const wring_frame frame = {.opcode = WRING_BINARY,
                                   .compress = rows[i].wish,
                                   .payload = wring_bytes_of(zeros, rows[i].len)};
        cr_assert_eq(wring_machine_send(machine, &frame), WRING_OK);
        const wring_bytes out = wring_machine_output(machine);
        cr_expect_eq(out.data[0], rows[i].first, "row %zu", i);
        wring_machine_sent(machine, out.len);
    }
    wring_machine_destroy(machine);
    wring_deflate_destroy(usual);
}

Test(deflate_machine, a_machine_gives_its_contexts_back_when_idle) {
    wring_machine *machine = open_machine(WRING_ROLE_SERVER, &takeover);
    static const uint8_t zeros[300];
    const wring_frame frame = {.opcode = WRING_BINARY,
                               .payload = wring_bytes_of(zeros, sizeof zeros)};
    cr_expect_eq(wring_machine_deadline_ns(machine), WRING_TIME_NEVER);
    cr_assert_eq(wring_machine_send(machine, &frame), WRING_OK);
    cr_expect_gt(wring__deflate_budget_used(), 0);
    const uint64_t before = wring__deflate_budget_used();
    for (unsigned i = 0; i < 2; i++) {
        const uint64_t due = wring_machine_deadline_ns(machine);
        cr_assert_neq(due, WRING_TIME_NEVER);
        wring_machine_expire(machine, due);
    }
    cr_expect_eq(wring_machine_deadline_ns(machine), WRING_TIME_NEVER);
    cr_expect_lt(wring__deflate_budget_used(), before);
    cr_expect_eq(wring_machine_get_state(machine), WRING_MACHINE_OPEN);
    wring_machine_destroy(machine);
    cr_expect_eq(wring__deflate_budget_used(), 0);
}

Test(deflate_machine, a_configuration_without_parameters_is_told) {
    const wring_machine_config config = {.struct_size = sizeof config, .deflate = pool};
    wring_machine *machine;
    wring_error error;
    cr_expect_eq(wring_machine_create(&config, &machine, &error), WRING_ERR_INVALID_CONFIG);
    cr_expect_not_null(strstr(error.text, "deflate_params"));
}
