/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that are begun, continued and ended: what goes out, what may go between, what waits, and
 * what is refused. RFC 6455 5.4.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/machine.h"

static wring_machine *mine;
static wring_machine *other;
static char log_text[512];

static bool takeover;

static wring_machine *machine_of(wring_role role, wring_deflate *deflate) {
    const wring_deflate_params params = {15, 15, !takeover, !takeover, false};
    const wring_machine_config config = {
        .struct_size = sizeof config,
        .role = role,
        .deflate = deflate,
        .deflate_params = deflate == NULL ? NULL : &params,
    };
    wring_machine *machine;
    cr_assert_eq(wring_machine_create(&config, &machine, NULL), WRING_OK);
    cr_assert_eq(wring_machine_open(machine, 1), WRING_OK);
    return machine;
}

static void begin(void) {
    mine = machine_of(WRING_ROLE_SERVER, NULL);
    other = machine_of(WRING_ROLE_CLIENT, NULL);
    log_text[0] = 0;
}

static void end(void) {
    wring_machine_destroy(mine);
    wring_machine_destroy(other);
    cr_expect_eq(wring__shared_bytes(), 0);
}

TestSuite(machine_message, .init = begin, .fini = end);

static void deliver(wring_machine *from, wring_machine *to) {
    for (wring_bytes out; (out = wring_machine_output(from)).len > 0;) {
        uint8_t *copy = malloc(out.len);
        wring_event event;
        memcpy(copy, out.data, out.len);
        cr_assert_eq(wring_machine_feed(to, (wring_mut_bytes){copy, out.len}, 1), WRING_OK);
        wring_machine_sent(from, out.len);
        while (wring_machine_next(to, &event) == WRING_OK) {
            const size_t at = strlen(log_text);
            if (event.kind == WRING_EVENT_END) {
                wring_end ended = {.struct_size = sizeof ended};
                cr_assert_eq(wring_machine_get_end(to, &ended), WRING_OK);
                (void)snprintf(log_text + at, sizeof log_text - at, "END(%u)", ended.close_code);
            } else {
                (void)snprintf(log_text + at, sizeof log_text - at, "%u:%.*s ",
                               event.message.opcode, (int)event.message.payload.len,
                               (const char *)event.message.payload.data);
            }
        }
        free(copy);
    }
}

static void pieces(const char *first, const char *second, const char *last) {
    cr_assert_eq(wring_machine_message_begin(mine, WRING_TEXT, wring_str(first)), WRING_OK);
    cr_assert_eq(wring_machine_message_continue(mine, wring_str(second)), WRING_OK);
    cr_assert_eq(wring_machine_message_end(mine, wring_str(last)), WRING_OK);
}

Test(machine_message, the_bytes_of_its_fragments) {
    static const uint8_t want[] = {0x01, 1, 'a', 0x00, 2, 'b', 'c', 0x80, 1, 'd'};
    pieces("a", "bc", "d");
    const wring_bytes out = wring_machine_output(mine);
    cr_assert_eq(out.len, sizeof want);
    cr_expect_arr_eq(out.data, want, sizeof want);
}

Test(machine_message, empty_pieces_make_no_fragments) {
    static const uint8_t want[] = {0x81, 1, 'x', 0x81, 0, 0x01, 1, 'y', 0x80, 0};
    pieces("", "", "x"); /* in one piece after all */
    pieces("", "", "");
    pieces("", "y", "");
    const wring_bytes out = wring_machine_output(mine);
    cr_assert_eq(out.len, sizeof want);
    cr_expect_arr_eq(out.data, want, sizeof want);
}

static void from_a_client(wring_deflate *deflate) {
    wring_machine *client = machine_of(WRING_ROLE_CLIENT, deflate);
    wring_machine *server = machine_of(WRING_ROLE_SERVER, deflate);
    cr_assert_eq(wring_machine_message_begin(client, WRING_BINARY, wring_str("aaaa")), WRING_OK);
    cr_assert_eq(wring_machine_message_end(client, wring_str("bbbb")), WRING_OK);
    deliver(client, server);
    cr_expect_str_eq(log_text, "2:aaaabbbb ");
    wring_machine_destroy(client);
    wring_machine_destroy(server);
}

Test(machine_message, from_a_client_masked) {
    from_a_client(NULL);
}

Test(machine_message, with_compression_it_is_not_compressed) {
    const wring_deflate_config config = {.struct_size = sizeof config, .message_bytes_min = 1};
    wring_deflate *deflate;
    cr_assert_eq(wring_deflate_create(&config, &deflate, NULL), WRING_OK);
    from_a_client(deflate);
    wring_deflate_stats stats = {.struct_size = sizeof stats};
    wring_deflate_get_stats(deflate, &stats);
    cr_expect_eq(stats.tx_messages, 0);
    wring_deflate_destroy(deflate);
}

Test(machine_message, control_frames_go_between_and_messages_of_its_own_are_refused) {
    const wring_frame ping = {.opcode = WRING_PING, .payload = wring_str("?")};
    const wring_frame text = wring_frame_text(wring_str("no"));
    cr_assert_eq(wring_machine_message_begin(mine, WRING_TEXT, wring_str("a")), WRING_OK);
    cr_expect_eq(wring_machine_send(mine, &ping), WRING_OK);
    cr_expect_eq(wring_machine_send(mine, &text), WRING_ERR_MESSAGE_OPEN);
    cr_expect_eq(wring_machine_message_begin(mine, WRING_BINARY, wring_str("no")),
                 WRING_ERR_MESSAGE_OPEN);
    cr_assert_eq(wring_machine_message_end(mine, wring_str("b")), WRING_OK);
    cr_expect_eq(wring_machine_send(mine, &text), WRING_OK);
    deliver(mine, other);
    cr_expect_str_eq(log_text, "9:? 1:ab 1:no ");
}

static void shared_send(const char *text) {
    wring__shared *shared = wring__shared_create(WRING_TEXT, 0, wring_str(text));
    wring__machine_frame_shared(shared);
    cr_assert_eq(wring__machine_send_shared(mine, shared), WRING_OK);
    wring__shared_unref(shared);
}

Test(machine_message, what_others_send_waits_in_order) {
    const wring_frame mail = wring_frame_text(wring_str("mail"));
    cr_assert_eq(wring_machine_message_begin(mine, WRING_TEXT, wring_str("a")), WRING_OK);
    shared_send("published");
    cr_expect_eq(wring__machine_send_admitted(mine, &mail), WRING_OK);
    cr_expect_eq(wring__machine_pending_behind(mine), 9 + 4 + 2 * WRING__WAITING_OVERHEAD);
    cr_expect_eq(wring__machine_pending_bytes(mine), 9 + 4 + 2 * WRING__WAITING_OVERHEAD);
    cr_expect(!wring__machine_has_more(mine)); /* it is not turns that it waits for */
    cr_assert_eq(wring_machine_message_continue(mine, wring_str("b")), WRING_OK);
    cr_assert_eq(wring_machine_message_end(mine, wring_str("")), WRING_OK);
    cr_expect_eq(wring__machine_pending_bytes(mine), 0);
    shared_send("after");
    deliver(mine, other);
    cr_expect_str_eq(log_text, "1:ab 1:published 1:mail 1:after ");
}

Test(machine_message, a_close_goes_between_and_what_waited_is_counted) {
    uint64_t lost = 5;
    mine->common->lost = &lost;
    cr_assert_eq(wring_machine_message_begin(mine, WRING_TEXT, wring_str("a")), WRING_OK);
    shared_send("published");
    shared_send("published");
    wring_machine_close(mine, 4000, wring_str("why"));
    cr_expect_eq(lost, 7);
    cr_expect_eq(wring_machine_message_continue(mine, wring_str("b")), WRING_ERR_CLOSED);
    cr_expect_eq(wring_machine_message_end(mine, wring_str("b")), WRING_ERR_CLOSED);
    cr_expect_eq(wring_machine_message_begin(mine, WRING_TEXT, wring_str("b")), WRING_ERR_CLOSED);
    deliver(mine, other);
    cr_expect_str_eq(log_text, "8:why END(4000)");
}

Test(machine_message, text_is_checked_across_its_pieces) {
    cr_expect_eq(wring_machine_message_begin(mine, WRING_TEXT, wring_str("\xff")),
                 WRING_ERR_INVALID_UTF8);
    cr_assert_eq(wring_machine_message_begin(mine, WRING_TEXT, wring_str("\xe2\x82")), WRING_OK);
    cr_expect_eq(wring_machine_message_end(mine, wring_str("")), WRING_ERR_INVALID_UTF8);
    cr_expect_eq(wring_machine_message_continue(mine, wring_str("x")), WRING_ERR_INVALID_UTF8);
    cr_expect_eq(wring_machine_message_continue(mine, wring_str("\xac ")),
                 WRING_OK); /* as it was before */
    cr_expect_eq(wring_machine_message_end(mine, wring_str("\xc3")), WRING_ERR_INVALID_UTF8);
    cr_expect_eq(wring_machine_message_end(mine, wring_str("\xc3\xa9")), WRING_OK);
    cr_assert_eq(wring_machine_message_begin(mine, WRING_BINARY, wring_str("\xff")), WRING_OK);
    cr_assert_eq(wring_machine_message_end(mine, wring_str("\xfe")), WRING_OK);
    deliver(mine, other);
    cr_expect_str_eq(log_text, "1:\xe2\x82\xac \xc3\xa9 2:\xff\xfe ");
}

Test(machine_message, calls_out_of_order_and_a_full_queue) {
    cr_expect_eq(wring_machine_message_continue(mine, wring_str("x")), WRING_ERR_INVALID_STATE);
    cr_expect_eq(wring_machine_message_end(mine, wring_str("x")), WRING_ERR_INVALID_STATE);
    cr_expect_eq(wring_machine_message_begin(mine, WRING_PING, wring_str("x")),
                 WRING_ERR_INVALID_ARGUMENT);
    mine->common->queue_max = 4;
    cr_assert_eq(wring_machine_message_begin(mine, WRING_TEXT, wring_str("aaaa")), WRING_OK);
    cr_expect_eq(wring_machine_message_continue(mine, wring_str("b")), WRING_ERR_QUEUE_FULL);
    cr_expect_eq(wring_machine_message_end(mine, wring_str("b")), WRING_ERR_QUEUE_FULL);
    cr_expect_eq(wring_machine_message_end(mine, wring_str("")), WRING_OK);
    cr_expect_eq(wring_machine_message_begin(mine, WRING_TEXT, wring_str("b")),
                 WRING_ERR_QUEUE_FULL);
    deliver(mine, other);
    cr_expect_str_eq(log_text, "1:aaaa ");
}

/* What is being compressed in shares goes out before, and at once; with takeover what comes later
 * does not refer to it. */
static void behind_one_in_shares(void) {
    const wring_deflate_config config = {
        .struct_size = sizeof config, .message_bytes_min = 1, .compress_turn_bytes = 20};
    wring_deflate *deflate;
    cr_assert_eq(wring_deflate_create(&config, &deflate, NULL), WRING_OK);
    wring_machine *long_one = machine_of(WRING_ROLE_SERVER, deflate);
    wring_machine *reader = machine_of(WRING_ROLE_CLIENT, deflate);
    const wring_frame frame =
        wring_frame_text(wring_str("a text of more than twenty bytes, and so on"));
    const wring_frame mail =
        wring_frame_text(wring_str("a mail of more than twenty bytes, and so on"));
    wring__machine_turn(long_one, 1);
    cr_assert_eq(wring_machine_send(long_one, &frame), WRING_OK);
    wring__machine_pending_go_on(long_one);
    cr_assert(wring__machine_has_more(long_one));
    cr_assert_eq(wring_machine_message_begin(long_one, WRING_TEXT, wring_str("a")), WRING_OK);
    cr_expect_eq(wring__machine_send_admitted(long_one, &mail), WRING_OK);
    cr_expect(!wring__machine_has_more(long_one));
    cr_assert_eq(wring_machine_message_end(long_one, wring_str("b")), WRING_OK);
    for (uint64_t turn = 2; wring__machine_has_more(long_one); turn++) {
        wring__machine_turn(long_one, turn);
        wring__machine_pending_go_on(long_one);
    }
    wring__machine_turn(long_one, 99);
    const wring_frame again = wring_frame_text(wring_str("a text of more than"));
    cr_assert_eq(wring_machine_send(long_one, &again), WRING_OK);
    wring__machine_turn(reader, 100);
    deliver(long_one, reader);
    cr_expect_str_eq(log_text, "1:a text of more than twenty bytes, and so on 1:ab "
                               "1:a mail of more than twenty bytes, and so on "
                               "1:a text of more than ");
    wring_machine_destroy(long_one);
    wring_machine_destroy(reader);
    wring_deflate_destroy(deflate);
}

Test(machine_message, behind_one_in_shares) {
    behind_one_in_shares();
    takeover = true;
    log_text[0] = 0;
    behind_one_in_shares();
}
