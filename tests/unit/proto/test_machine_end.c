/* SPDX-License-Identifier: Apache-2.0
 *
 * How a machine tells its end: wring_machine_get_end and its sentence (wring/close.h).
 */
#include "tests/unit/proto/machine_feed.h"

static void expect_end(feed *f, wring_result result, uint16_t code, bool by_peer,
                       const char *text) {
    feed_events(f);
    const wring_end end = feed_end(f->machine);
    cr_expect_eq(end.result, result, "%s", end.text);
    cr_expect_eq(end.close_code, code, "%s: %u", end.text, end.close_code);
    cr_expect_eq(end.by_peer, by_peer, "%s", end.text);
    cr_expect_str_eq(end.text, text);
    wring_machine_destroy(f->machine);
}

#define PEER_CLOSES(code) "\x88\x82\0\0\0\0" code

Test(machine_end, a_close_is_told_with_its_code_and_who_began_it) {
    const struct {
        uint16_t ours; /* 0: the peer begins */
        const char *bytes;
        size_t len;
        uint16_t code;
        const char *text;
    } rows[] = {
        {0, LIT(PEER_CLOSES("\x03\xe8")), 1000, "closed by the peer with 1000 (normal)"},
        {0, LIT(PEER_CLOSES("\x03\xe9")), 1001, "closed by the peer with 1001 (going_away)"},
        {0, LIT(PEER_CLOSES("\x0f\xa0")), 4000, "closed by the peer with 4000 (private)"},
        {0, LIT("\x88\x80\0\0\0\0"), 1005, "closed by the peer with 1005 (no_status)"},
        {1000, LIT(PEER_CLOSES("\x03\xe8")), 1000, "closed with 1000 (normal)"},
        {3000, LIT(PEER_CLOSES("\x03\xe9")), 1001, "closed with 1001 (going_away)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        feed f = feed_begin(SERVER);
        if (rows[i].ours != 0) {
            wring_machine_close(f.machine, rows[i].ours, wring_str("bye"));
        }
        feed_piece(&f, (const uint8_t *)rows[i].bytes, rows[i].len);
        expect_end(&f, WRING_OK, rows[i].code, rows[i].ours == 0, rows[i].text);
    }
}

Test(machine_end, a_broken_rule_is_told_as_its_result) {
    const struct {
        const char *bytes;
        size_t len;
        wring_result result;
        uint16_t code;
    } rows[] = {
        {LIT("\x81\x02hi"), WRING_ERR_PROTOCOL, 1002},
        {LIT("\x81\x81\0\0\0\0\xff"), WRING_ERR_INVALID_UTF8, 1007},
        {LIT("\x88\x82\0\0\0\0\x03\xee"), WRING_ERR_BAD_CLOSE_CODE, 1002},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        feed f = feed_begin(SERVER);
        feed_piece(&f, (const uint8_t *)rows[i].bytes, rows[i].len);
        expect_end(&f, rows[i].result, rows[i].code, true, wring_result_text(rows[i].result));
    }
}

/* Every sentence of the table fits, whatever ended the stream. */
Test(machine_end, a_stream_that_fails_is_1006_with_the_reason_as_a_whole_sentence) {
#define ROW(name, number, class_, close, text) {WRING_##name, WRING_CLASS_##class_},
    static const struct {
        wring_result result;
        wring_class class_;
    } rows[] = {WRING_RESULT_TABLE(ROW)};
#undef ROW
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const wring_result result = rows[i].result;
        if (rows[i].class_ != WRING_CLASS_OK && rows[i].class_ != WRING_CLASS_MORE) {
            feed f = feed_begin(SERVER);
            const bool by_peer = result == WRING_ERR_TRUNCATED || result == WRING_ERR_TRANSPORT ||
                                 result == WRING_ERR_STREAM_RESET;
            wring_machine_fail(f.machine, result);
            expect_end(&f, result, 1006, by_peer, wring_result_text(result));
        }
    }
}

Test(machine_end, it_is_told_at_any_time_after_the_end_and_not_before) {
    feed f = feed_begin(SERVER);
    wring_end end = {.struct_size = sizeof end};
    cr_expect_eq(wring_machine_get_end(f.machine, &end), WRING_ERR_INVALID_STATE);
    wring_machine_close(f.machine, 1000, wring_str(""));
    cr_expect_eq(wring_machine_get_end(f.machine, &end), WRING_ERR_INVALID_STATE);
    wring_machine_fail(f.machine, WRING_ERR_TRUNCATED);
    for (int i = 0; i < 2; i++) { /* before its event was taken, and after */
        cr_expect_eq(wring_machine_get_end(f.machine, &end), WRING_OK);
        cr_expect_eq(end.result, WRING_ERR_TRUNCATED);
        feed_events(&f);
    }
    wring_machine_fail(f.machine, WRING_ERR_TRANSPORT); /* too late: nothing changes */
    expect_end(&f, WRING_ERR_TRUNCATED, 1006, true, wring_result_text(WRING_ERR_TRUNCATED));
}

/* RFC 6455 7.1.5: a stop is no close of the peer's. */
Test(machine_end, a_stop_has_the_code_of_our_own_close) {
    feed f = feed_begin(SERVER);
    wring__machine_stop(f.machine);
    expect_end(&f, WRING_OK, 1000, false, "closed with 1000 (normal)");
    f = feed_begin(SERVER);
    wring_machine_close(f.machine, 4001, wring_str(""));
    wring__machine_stop(f.machine);
    expect_end(&f, WRING_OK, 4001, false, "closed with 4001 (private)");
    f = feed_begin(SERVER);
    wring__machine_refuse(f.machine, WRING_ERR_RATE_LIMIT);
    expect_end(&f, WRING_ERR_RATE_LIMIT, 1008, true, wring_result_text(WRING_ERR_RATE_LIMIT));
}

Test(machine_end, a_stop_has_the_code_that_went_out_not_the_one_asked_for) {
    static const uint16_t asked[] = {0, 1005, 1006, 1012, 2999, 65535};
    static const uint16_t sent[] = {1005, 1005, 1002, 1002, 1002, 1002};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        feed f = feed_begin(SERVER);
        wring_machine_close(f.machine, asked[i], wring_str("x"));
        cr_expect_eq(wring_machine_output(f.machine).len, sent[i] == 1005 ? 2u : 5u);
        wring__machine_stop(f.machine);
        cr_expect_eq(feed_end(f.machine).close_code, sent[i], "asked for %u", asked[i]);
        wring_machine_destroy(f.machine);
    }
}

Test(machine_end, a_program_of_another_age_is_given_as_much_as_it_knows) {
    feed f = feed_begin(SERVER);
    feed_piece(&f, (const uint8_t *)PEER_CLOSES("\x03\xe9"), 8);
    struct {
        wring_end end;
        uint64_t more;
    } newer = {.end = {.struct_size = sizeof newer}, .more = 7};
    cr_expect_eq(wring_machine_get_end(f.machine, &newer.end), WRING_OK);
    cr_expect_eq(newer.end.struct_size, sizeof newer);
    cr_expect_eq(newer.end.close_code, 1001);
    cr_expect_eq(newer.more, 0u);
    wring_end older = {.struct_size = offsetof(wring_end, text)};
    memset(older.text, 'x', sizeof older.text);
    cr_expect_eq(wring_machine_get_end(f.machine, &older), WRING_OK);
    cr_expect(older.by_peer && older.close_code == 1001 && older.text[0] == 'x');
    older.struct_size = 0;
    cr_expect_eq(wring_machine_get_end(f.machine, &older), WRING_ERR_INVALID_ARGUMENT);
    wring_machine_destroy(f.machine);
}

/* ---- limits that change ---------------------------------------------------------------------- */

/* As a server's worker does when a policy is replaced: between two fragments of a message. */
Test(machine_limits, a_message_has_the_limit_it_began_with) {
    static const uint8_t first[] = "\x01\x04"
                                   "abcd";
    static const uint8_t last[] = "\x80\x04"
                                  "efgh";
    static const uint8_t next[] = "\x81\x05"
                                  "ijklm";
    feed f =
        feed_begin((feed_config){.role = WRING_ROLE_CLIENT, .session = {.message_bytes_max = 8}});
    feed_piece(&f, first, sizeof first - 1);
    f.machine->common->config.message_bytes_max = 4;
    feed_piece(&f, last, sizeof last - 1);
    cr_expect_str_eq(f.log, "TEXT(0,8,abcdefgh)");
    feed_piece(&f, next, sizeof next - 1);
    cr_expect_str_eq(f.log, "TEXT(0,8,abcdefgh)END(ERR_MESSAGE_TOO_BIG,1009)");
    wring_machine_destroy(f.machine);
}

Test(machine_limits, a_raised_limit_counts_from_the_next_message) {
    static const uint8_t first[] = "\x01\x04"
                                   "abcd";
    static const uint8_t whole[] = "\x81\x08"
                                   "abcdefgh";
    static const uint8_t last[] = "\x80\x04"
                                  "efgh";
    feed f =
        feed_begin((feed_config){.role = WRING_ROLE_CLIENT, .session = {.message_bytes_max = 4}});
    f.machine->common->config.message_bytes_max = 8;
    feed_piece(&f, whole, sizeof whole - 1);
    f.machine->common->config.message_bytes_max = 4;
    feed_piece(&f, first, sizeof first - 1);
    f.machine->common->config.message_bytes_max = 8;
    feed_piece(&f, last, sizeof last - 1);
    cr_expect_str_eq(f.log, "TEXT(0,8,abcdefgh)END(ERR_MESSAGE_TOO_BIG,1009)");
    wring_machine_destroy(f.machine);
}
