/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine's rules, one test a rule. Client-role machines are fed unmasked frames, so that the
 * bytes can be read; the server role has the same code behind the mask.
 */
#include "tests/unit/proto/machine_feed.h"

Test(machine, a_text_a_binary_and_an_empty_message_are_shown) {
    feed_expect(CLIENT, LIT("\x81\x02hi\x82\x03\x01\x02\x03\x81\x00"),
                "TEXT(0,2,hi)BINARY(0,3,\x01\x02\x03)TEXT(0,0,) OUT:");
}

Test(machine, a_server_unmasks) {
    feed_expect(SERVER, LIT("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), /* RFC 6455 5.7 */
                "TEXT(0,5,Hello) OUT:");
}

Test(machine, fragments_are_joined_and_control_frames_come_between) {
    feed_expect(SERVER,
                LIT("\x01\x83\0\0\0\0Hel\x89\x81\0\0\0\0p\x00\x80\0\0\0\0"
                    "\x8a\x81\0\0\0\0q\x80\x82\0\0\0\0lo"),
                "PING(0,1,p)PONG(0,1,q)TEXT(0,5,Hello) OUT:8a0170");
}

Test(machine, an_unmasked_client_frame_is_1002) {
    feed_expect(SERVER, LIT("\x81\x02hi"), "END(ERR_PROTOCOL,1002) OUT:880203ea");
}

Test(machine, a_ping_is_answered_with_its_payload_before_it_is_shown) {
    feed_expect(SERVER, LIT("\x89\x82\x00\x00\x00\x00hi"), "PING(0,2,hi) OUT:8a026869");
}

Test(machine, a_close_is_echoed_once_and_ends_the_machine) {
    feed_expect(SERVER,
                LIT("\x88\x85\x00\x00\x00\x00\x03\xe8"
                    "bye\x81\x80\x00\x00\x00\x00"),
                "CLOSE(1000,3,bye)END(OK,1000) OUT:880203e8");
}

Test(machine, an_empty_close_is_1005_and_echoed_empty) {
    feed_expect(SERVER, LIT("\x88\x80\x00\x00\x00\x00"), "CLOSE(1005,0,)END(OK,1005) OUT:8800");
}

Test(machine, bad_utf8_in_a_close_reason_is_1007) {
    feed_expect(SERVER, LIT("\x88\x84\x00\x00\x00\x00\x03\xe8\xc0\x80"),
                "END(ERR_INVALID_UTF8,1007) OUT:880203ef");
    feed_expect(SERVER, LIT("\x88\x83\x00\x00\x00\x00\x03\xe8\xc3"), /* cut inside a code point */
                "END(ERR_INVALID_UTF8,1007) OUT:880203ef");
}

Test(machine, a_close_code_illegal_on_the_wire_is_1002) {
    feed_expect(SERVER, LIT("\x88\x82\x00\x00\x00\x00\x03\xed"), /* 1005 */
                "END(ERR_BAD_CLOSE_CODE,1002) OUT:880203ea");
}

Test(machine, iana_codes_are_legal_by_opt_in) {
    const feed_config config = {.session = {.allow_iana_close_codes = true}};
    feed_expect(config, LIT("\x88\x82\x00\x00\x00\x00\x03\xf5"),
                "CLOSE(1013,0,)END(OK,1013) OUT:880203f5");
    feed_expect(SERVER, LIT("\x88\x82\x00\x00\x00\x00\x03\xf5"),
                "END(ERR_BAD_CLOSE_CODE,1002) OUT:880203ea");
}

Test(machine, utf8_fails_at_the_first_impossible_byte) {
    /* ED A0: a surrogate; certain at the second of ten promised bytes */
    feed_expect(SERVER, LIT("\x81\x8a\x00\x00\x00\x00\xed\xa0"),
                "END(ERR_INVALID_UTF8,1007) OUT:880203ef");
    /* across fragments */
    feed_expect(SERVER, LIT("\x01\x81\x00\x00\x00\x00\xf4\x00\x81\x00\x00\x00\x00\x90"),
                "END(ERR_INVALID_UTF8,1007) OUT:880203ef");
    /* a text that ends inside a code point */
    feed_expect(SERVER, LIT("\x81\x81\x00\x00\x00\x00\xc3"),
                "END(ERR_INVALID_UTF8,1007) OUT:880203ef");
}

Test(machine, utf8_is_carried_across_fragments) {
    feed_expect(SERVER, LIT("\x01\x81\x00\x00\x00\x00\xc3\x80\x81\x00\x00\x00\x00\xa9"),
                "TEXT(0,2,\xc3\xa9) OUT:");
}

Test(machine, a_frame_over_the_limit_is_1009_before_its_payload) {
    const feed_config config = {.session = {.frame_bytes_max = 10}};
    feed_expect(config, LIT("\x82\x8b"), "END(ERR_MESSAGE_TOO_BIG,1009) OUT:880203f1");
    feed_expect(config,
                LIT("\x82\x8a\x00\x00\x00\x00"
                    "0123456789"),
                "BINARY(0,10,0123456789) OUT:");
}

Test(machine, a_message_over_the_limit_is_1009_at_the_header_that_says_so) {
    const feed_config config = {.session = {.message_bytes_max = 5}};
    feed_expect(config,
                LIT("\x02\x83\x00\x00\x00\x00"
                    "abc\x80\x83"),
                "END(ERR_MESSAGE_TOO_BIG,1009) OUT:880203f1");
    feed_expect(config,
                LIT("\x02\x83\x00\x00\x00\x00"
                    "abc\x80\x82\x00\x00\x00\x00"
                    "de"),
                "BINARY(0,5,abcde) OUT:");
}

Test(machine, a_flood_of_empty_fragments_ends_with_1008) {
    const feed_config config = {.session = {.fragment_bytes_max = 200}};
    feed_expect(config,
                LIT("\x02\x80\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00"
                    "\x00\x80\x00\x00\x00\x00"),
                "END(ERR_TOO_MANY_FRAGMENTS,1008) OUT:880203f0");
}

Test(machine, sixteen_mib_in_256_byte_fragments_pass_with_the_defaults) {
    feed f = feed_begin(SERVER);
    uint8_t frame[4 + 4 + 256];
    for (unsigned i = 0; i <= 65536; i++) {
        bool last = i == 65536;
        uint8_t first = (uint8_t)((i == 0 ? WRING_BINARY : 0) | (last ? WRING__FIN : 0));
        uint32_t key = 0;
        memset(frame, 'x', sizeof frame);
        size_t n = wring__frame_header_write(frame, first, last ? 0 : 256, &key);
        feed_piece(&f, frame, n + (last ? 0 : 256));
    }
    cr_assert_str_eq(f.log, "BINARY(0,16777216,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx)");
    wring_machine_destroy(f.machine);
}

Test(machine, memory_follows_bytes_received_not_bytes_promised) {
    feed f = feed_begin(SERVER);
    uint8_t header[14] = "\x82\xff\x00\x00\x00\x00\x01\x00\x00\x00"; /* 16 MiB promised */
    feed_piece(&f, header, 14);
    feed_piece(&f, (const uint8_t *)"abc", 3);
    cr_assert_leq(f.machine->rx->assembly_cap, 256);
    wring_machine_destroy(f.machine);
}

Test(machine, an_idle_machine_holds_no_buffer) {
    feed f = feed_begin(SERVER);
    feed_piece(&f, (const uint8_t *)"\x82\x82\x00\x00\x00\x00", 6);
    feed_piece(&f, (const uint8_t *)"a", 1);
    cr_assert_not_null(f.machine->rx->assembly);
    feed_piece(&f, (const uint8_t *)"b", 1);
    cr_assert_null(f.machine->rx);
    cr_assert_leq(sizeof(wring_machine), 72);
    wring_machine_destroy(f.machine);
}

Test(machine, an_idle_machine_keeps_no_buffer_of_a_control_frame) {
    static const uint8_t cut_ping[] = {0x89, 0x82, 0, 0, 0, 0, 'h', 'i'};
    feed f = feed_begin(SERVER);
    feed_piece(&f, cut_ping, 7);
    cr_assert_not_null(f.machine->rx->control);
    feed_piece(&f, cut_ping + 7, 1);
    cr_assert_str_eq(f.log, "PING(0,2,hi)");
    cr_assert_null(f.machine->rx);
    wring_machine_destroy(f.machine);
}

Test(machine, an_illegal_close_code_from_the_application_goes_out_as_1002) {
    feed f = feed_begin(SERVER);
    wring_machine_close(f.machine, 1006, wring_str("no"));
    wring_bytes out = wring_machine_output(f.machine);
    cr_assert_eq(out.len, 6);
    cr_assert_arr_eq(out.data, "\x88\x04\x03\xeano", 6);
    cr_assert_eq(wring_machine_get_state(f.machine), WRING_MACHINE_CLOSING);
    wring_machine_close(f.machine, 1000, wring_str("again")); /* once only */
    cr_assert_eq(wring_machine_output(f.machine).len, 6);
    wring_machine_destroy(f.machine);
}

Test(machine, a_long_close_reason_is_cut_between_code_points) {
    feed f = feed_begin(SERVER);
    char reason[200];
    memset(reason, 'a', sizeof reason);
    memcpy(reason + 122, "\xc3\xa9", 2); /* would be split by a cut at 123 */
    wring_machine_close(f.machine, 1000, wring_bytes_of(reason, sizeof reason));
    wring_bytes out = wring_machine_output(f.machine);
    cr_assert_eq(out.len, 2 + 2 + 122);
    wring_machine_destroy(f.machine);
}

Test(machine, nothing_is_sent_after_a_close_frame) {
    feed f = feed_begin(SERVER);
    wring_machine_close(f.machine, 1000, wring_str(""));
    wring_frame frame = wring_frame_text(wring_str("late"));
    cr_assert_eq(wring_machine_send(f.machine, &frame), WRING_ERR_CLOSED);
    wring_machine_destroy(f.machine);
}

Test(machine, messages_that_cross_our_close_are_still_shown) {
    feed f = feed_begin(CLIENT);
    wring_machine_close(f.machine, 1000, wring_str(""));
    feed_piece(&f, (const uint8_t *)"\x81\x01x\x88\x02\x03\xe8", 7);
    cr_assert_str_eq(f.log, "TEXT(0,1,x)CLOSE(1000,0,)END(OK,1000)");
    wring_machine_destroy(f.machine);
}

Test(machine, a_control_payload_over_125_bytes_is_refused_to_the_caller) {
    feed f = feed_begin(SERVER);
    char big[126] = {0};
    wring_frame ping = {.opcode = WRING_PING, .payload = wring_bytes_of(big, sizeof big)};
    cr_assert_eq(wring_machine_send(f.machine, &ping), WRING_ERR_INVALID_ARGUMENT);
    wring_machine_destroy(f.machine);
}

Test(machine, an_opcode_that_is_none_is_refused_to_the_caller) {
    feed f = feed_begin(SERVER);
    for (unsigned opcode = 0; opcode < 256; opcode++) {
        wring_frame frame = {.opcode = (wring_opcode)opcode, .payload = wring_str("x")};
        bool known = opcode == WRING_TEXT || opcode == WRING_BINARY || opcode == WRING_PING ||
                     opcode == WRING_PONG;
        if (opcode != WRING_CLOSE) {
            cr_assert_eq(wring_machine_send(f.machine, &frame),
                         known ? WRING_OK : WRING_ERR_INVALID_ARGUMENT, "opcode %u", opcode);
        }
    }
    cr_assert_eq(wring_machine_output(f.machine).len, 4 * 3);
    wring_machine_destroy(f.machine);
}

Test(machine, the_stream_ending_without_a_close_is_1006) {
    feed f = feed_begin(SERVER);
    wring_machine_fail(f.machine, WRING_ERR_TRUNCATED);
    feed_events(&f);
    wring_machine_fail(f.machine, WRING_ERR_TRUNCATED);
    feed_events(&f);
    cr_assert_str_eq(f.log, "END(ERR_TRUNCATED,1006)");
    cr_assert(wring_machine_is_finished(f.machine));
    wring_machine_destroy(f.machine);
}

static void expect_end_text(const feed *f, const char *expected) {
    const wring_end end = feed_end(f->machine);
    cr_assert_str_eq(end.text, expected);
}

Test(machine, a_peer_that_never_answers_the_close_is_timed_out) {
    const feed_config config = {.session = {.close_timeout_ms = 1000}};
    feed f = feed_begin(config);
    const uint64_t start = UINT64_C(5) << 40;
    wring_machine_close(f.machine, 1000, wring_str(""));
    cr_assert_eq(wring_machine_deadline_ns(f.machine), 0); /* tell me the time */
    wring_machine_expire(f.machine, start);
    cr_assert_eq(wring_machine_deadline_ns(f.machine), start + UINT64_C(1000000000));
    wring_machine_expire(f.machine, start + 999999999);
    feed_events(&f);
    cr_assert_str_eq(f.log, "");
    wring_machine_expire(f.machine, start + 1000000000);
    feed_events(&f);
    cr_assert_str_eq(f.log, "END(ERR_TIMEOUT,1006)");
    expect_end_text(&f, "no close frame within 1000 ms");
    wring_machine_destroy(f.machine);
}

Test(machine, a_ping_goes_out_once_per_silence_and_idleness_ends_it) {
    const feed_config config = {.session = {.ping_interval_ms = 10, .idle_timeout_ms = 25}};
    feed f = feed_begin(config); /* opened at 1 ns */
    const uint64_t ms = 1000000;
    cr_assert_eq(wring_machine_deadline_ns(f.machine), 10 * ms + 1);
    wring_machine_expire(f.machine, 10 * ms + 1);
    cr_assert_eq(wring_machine_output(f.machine).len, 2);
    cr_assert_eq(wring_machine_deadline_ns(f.machine), 25 * ms + 1);
    wring_machine_expire(f.machine, 25 * ms + 1);
    feed_events(&f);
    cr_assert_str_eq(f.log, "END(ERR_TIMEOUT,1006)");
    expect_end_text(&f, "no bytes for 25 ms (idle timeout)");
    wring_machine_destroy(f.machine);
}

Test(machine, an_unanswered_ping_ends_it_and_any_byte_is_an_answer) {
    const feed_config config = {.session = {.ping_interval_ms = 10, .pong_timeout_ms = 5}};
    feed f = feed_begin(config); /* opened at 1 ns */
    const uint64_t ms = 1000000;
    wring_machine_expire(f.machine, 10 * ms + 1);
    cr_assert_eq(wring_machine_deadline_ns(f.machine), 15 * ms + 1);
    wring_machine_expire(f.machine, 15 * ms);
    feed_events(&f);
    cr_assert_str_eq(f.log, "");
    wring_machine_expire(f.machine, 15 * ms + 1);
    feed_events(&f);
    cr_assert_str_eq(f.log, "END(ERR_TIMEOUT,1006)");
    expect_end_text(&f, "no answer to a ping within 5 ms");
    wring_machine_destroy(f.machine);

    f = feed_begin(config);
    wring_machine_expire(f.machine, 10 * ms + 1);
    uint8_t byte[] = {0x81}; /* the first of a frame */
    cr_assert_eq(wring_machine_feed(f.machine, (wring_mut_bytes){byte, 1}, 14 * ms), WRING_OK);
    feed_events(&f);
    cr_assert_eq(wring_machine_deadline_ns(f.machine), 24 * ms);
    wring_machine_destroy(f.machine);
}

/* The owner tells how its queue fares: see wring__machine_tx_tell. */
Test(machine, a_ping_waits_for_what_is_queued_and_a_pong_is_due_from_when_the_ping_is_sent) {
    const feed_config config = {.session = {.ping_interval_ms = 10, .pong_timeout_ms = 5}};
    feed f = feed_begin(config); /* opened at 1 ns */
    const uint64_t ms = 1000000;
    wring__machine_tx_tell(f.machine, true, true);
    wring_machine_expire(f.machine, 12 * ms);
    cr_assert_eq(wring_machine_output(f.machine).len, 0, "something is queued");
    cr_assert_eq(wring_machine_deadline_ns(f.machine), 17 * ms);
    wring__machine_tx_tell(f.machine, true, true); /* the peer took some of it */
    wring_machine_expire(f.machine, 17 * ms);
    cr_assert_eq(wring_machine_output(f.machine).len, 0);
    wring__machine_tx_tell(f.machine, false, true); /* and then all */
    wring_machine_expire(f.machine, 30 * ms);
    cr_assert_eq(wring_machine_output(f.machine).len, 2, "now the ping");
    cr_assert_eq(wring_machine_deadline_ns(f.machine), 35 * ms);
    wring__machine_tx_tell(f.machine, true, true); /* the kernel has the ping */
    wring_machine_expire(f.machine, 35 * ms);
    feed_events(&f);
    cr_assert_str_eq(f.log, "END(ERR_TIMEOUT,1006)");
    wring_machine_destroy(f.machine);
}

Test(machine, a_peer_that_takes_nothing_of_what_is_queued_is_ended_without_a_ping) {
    const feed_config config = {.session = {.ping_interval_ms = 10, .pong_timeout_ms = 5}};
    feed f = feed_begin(config);
    const uint64_t ms = 1000000;
    wring__machine_tx_tell(f.machine, true, false);
    wring_machine_expire(f.machine, 11 * ms);
    wring_machine_expire(f.machine, 16 * ms);
    feed_events(&f);
    cr_assert_str_eq(f.log, "END(ERR_TIMEOUT,1006)");
    expect_end_text(&f, "nothing of what was queued was taken within 5 ms");
    wring_machine_destroy(f.machine);
}

/* Sixteen pongs wait; then only the latest ping's goes out, once the others are gone. */
Test(machine, a_flood_of_pings_is_answered_by_sixteen_pongs_and_the_latest) {
    feed f = feed_begin(SERVER);
    uint8_t pings[100][7];
    for (uint8_t i = 0; i < 100; i++) {
        memcpy(pings[i], (const uint8_t[]){0x89, 0x81, 0, 0, 0, 0, i}, 7);
    }
    cr_assert_eq(wring_machine_feed(f.machine, (wring_mut_bytes){pings[0], sizeof pings}, 2),
                 WRING_OK);
    wring_event event;
    unsigned shown = 0;
    while (wring_machine_next(f.machine, &event) == WRING_OK) {
        shown += event.message.opcode == WRING_PING; /* each is shown all the same */
    }
    cr_expect_eq(shown, 100);
    wring_bytes out = wring_machine_output(f.machine);
    cr_assert_eq(out.len, 16 * 3);
    for (uint8_t i = 0; i < 16; i++) {
        cr_expect_eq(out.data[i * 3 + 2], i);
    }
    wring_machine_sent(f.machine, out.len - 1);
    cr_expect_eq(wring_machine_output(f.machine).len, 1);
    wring_machine_sent(f.machine, 1);
    out = wring_machine_output(f.machine);
    cr_assert_eq(out.len, 3);
    cr_expect_eq(memcmp(out.data, (const uint8_t[]){0x8A, 1, 99}, 3), 0);
    wring_machine_sent(f.machine, 3);
    cr_expect_eq(wring_machine_output(f.machine).len, 0);
    wring_machine_destroy(f.machine);
}

Test(machine, a_client_masks_with_a_fresh_key_each_frame) {
    feed f = feed_begin(CLIENT);
    wring_frame frame = wring_frame_binary(wring_bytes_of("\0\0\0\0\0\0\0\0", 8));
    uint8_t keys[64][4];
    for (int i = 0; i < 64; i++) {
        cr_assert_eq(wring_machine_send(f.machine, &frame), WRING_OK);
        wring_bytes out = wring_machine_output(f.machine);
        cr_assert_eq(out.len, 14);
        cr_assert_eq(out.data[1], 0x88);
        memcpy(keys[i], out.data + 2, 4);
        cr_assert_arr_eq(out.data + 6, keys[i], 4); /* zeros masked are the key */
        for (int j = 0; j < i; j++) {
            cr_assert(memcmp(keys[i], keys[j], 4) != 0); /* 64 of 2^32: a repeat is a bug */
        }
        wring_machine_sent(f.machine, out.len);
    }
    wring_machine_destroy(f.machine);
}

Test(machine, config_errors_name_the_field) {
    wring_machine_config config = {.struct_size = sizeof config, .role = (wring_role)7};
    wring_machine *machine;
    wring_error error;
    cr_assert_eq(wring_machine_create(&config, &machine, &error), WRING_ERR_INVALID_CONFIG);
    cr_assert(strstr(error.text, "role") != NULL);
    config.struct_size = 0;
    cr_assert_eq(wring_machine_create(&config, &machine, &error), WRING_ERR_INVALID_CONFIG);
    cr_assert(strstr(error.text, "struct_size") != NULL);
}

Test(machine, feeding_before_open_or_over_unread_bytes_is_refused) {
    wring_machine *machine;
    wring_error error;
    uint8_t byte[2] = {0x81, 0x80};
    wring_mut_bytes bytes = {byte, 2};
    cr_assert_eq(wring_machine_create(NULL, &machine, &error), WRING_OK);
    cr_assert_eq(wring_machine_feed(machine, bytes, 1), WRING_ERR_INVALID_STATE);
    cr_assert_eq(wring_machine_open(machine, 1), WRING_OK);
    cr_assert_eq(wring_machine_open(machine, 1), WRING_ERR_INVALID_STATE);
    cr_assert_eq(wring_machine_feed(machine, bytes, 1), WRING_OK);
    cr_assert_eq(wring_machine_feed(machine, bytes, 1), WRING_ERR_INVALID_STATE);
    wring_machine_destroy(machine);
}
