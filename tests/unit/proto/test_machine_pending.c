/* SPDX-License-Identifier: Apache-2.0
 *
 * Long messages that are compressed over several turns: what a turn makes, what waits behind them,
 * what may go between their fragments, and how a close ends them. Read by a machine of the other
 * role, so that what arrives is what was sent.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/machine.h"

#define SHARE  1000
#define LONG   25300
#define PLACES 4
#define MANY   7

static wring_deflate *contexts; /* of those who send */
static wring_deflate *theirs;
static uint64_t turn;
static char text[LONG + 1]; /* to be compressed well; NUL-terminated */

static void begin(void) {
    const wring_deflate_config config = {
        .struct_size = sizeof config, .compress_turn_bytes = SHARE, .message_bytes_min = 1};
    cr_assert_eq(wring_deflate_create(&config, &contexts, NULL), WRING_OK);
    cr_assert_eq(wring_deflate_create(&config, &theirs, NULL), WRING_OK);
    for (size_t at = 0; at < LONG; at += 11) {
        (void)snprintf(text + at, sizeof text - at, "%10zu,", at * at);
    }
    turn = 0;
}

static void end(void) {
    wring_deflate_destroy(contexts);
    wring_deflate_destroy(theirs);
    cr_expect_eq(wring__deflate_budget_used(), 0);
}

TestSuite(machine_pending, .init = begin, .fini = end);

static wring_machine *machine_of(wring_deflate *deflate, wring_role role, bool takeover) {
    const wring_deflate_params params = {15, 15, !takeover, !takeover, false};
    const wring_machine_config config = {
        .struct_size = sizeof config, .role = role, .deflate = deflate, .deflate_params = &params};
    wring_machine *machine;
    cr_assert_eq(wring_machine_create(&config, &machine, NULL), WRING_OK);
    cr_assert_eq(wring_machine_open(machine, 1), WRING_OK);
    wring__machine_turn(machine, ++turn); /* from now on turns are told of */
    return machine;
}

static void send(wring_machine *machine, wring_frame frame) {
    cr_assert_eq(wring_machine_send(machine, &frame), WRING_OK);
}

static void turn_of(wring_machine *machine) {
    wring__machine_turn(machine, ++turn);
    wring__machine_pending_go_on(machine);
}

/* What a machine has queued, to the other end; what that sees, as a line: opcode, length, whether
 * it is the text's beginning or else its first bytes. */
static void deliver(wring_machine *from, wring_machine *to, char *log, size_t cap) {
    for (wring_bytes out; (out = wring_machine_output(from)).len > 0;) {
        uint8_t *copy = malloc(out.len);
        wring_event event;
        memcpy(copy, out.data, out.len);
        wring__machine_turn(to, ++turn);
        cr_assert_eq(wring_machine_feed(to, (wring_mut_bytes){copy, out.len}, 1), WRING_OK);
        wring_machine_sent(from, out.len);
        while (wring_machine_next(to, &event) == WRING_OK) {
            const wring_bytes p = event.message.payload;
            const bool is_text = p.len > 100 && p.len <= LONG && memcmp(p.data, text, p.len) == 0;
            const size_t at = strlen(log);
            if (event.kind == WRING_EVENT_END) {
                wring_end ended = {.struct_size = sizeof ended};
                cr_assert_eq(wring_machine_get_end(to, &ended), WRING_OK);
                (void)snprintf(log + at, cap - at, "END %u", ended.close_code);
            } else {
                (void)snprintf(log + at, cap - at, "%u:%zu:%.*s ", event.message.opcode, p.len,
                               is_text ? 4 : (int)wring__min_size(p.len, 8),
                               is_text ? "text" : (const char *)p.data);
            }
        }
        free(copy);
    }
}

static wring_frame long_text(void) {
    return wring_frame_text(wring_bytes_of(text, LONG));
}

static const bool both[] = {false, true};

Test(machine_pending, a_turn_compresses_the_share_and_no_more) {
    for (int k = 0; k < 4; k++) {
        const bool is_client = k / 2 == 1;
        wring_machine *mine =
            machine_of(contexts, is_client ? WRING_ROLE_CLIENT : WRING_ROLE_SERVER, k % 2 == 1);
        wring_machine *other =
            machine_of(theirs, is_client ? WRING_ROLE_SERVER : WRING_ROLE_CLIENT, k % 2 == 1);
        char log[256] = "";
        send(mine, long_text());
        cr_assert_eq(wring_machine_output(mine).len, 0); /* it is nobody's turn */
        uint64_t owed = wring__machine_pending_bytes(mine);
        cr_assert_eq(owed, LONG);
        cr_assert(wring__machine_has_more(mine) && wring__machine_held(mine) == LONG);
        for (unsigned turns = 1; wring__machine_has_more(mine); turns++) {
            turn_of(mine);
            const uint64_t left = wring__machine_pending_bytes(mine);
            cr_assert_eq(owed - left, owed < SHARE ? owed : SHARE);
            wring__machine_pending_go_on(mine); /* again in the same turn */
            cr_assert_eq(wring__machine_pending_bytes(mine), left);
            owed = left;
            cr_assert_leq(turns, LONG / SHARE + 1);
            deliver(mine, other, log, sizeof log);
        }
        cr_expect_str_eq(log, "1:25300:text ");
        wring_deflate_stats stats = {.struct_size = sizeof stats};
        wring_deflate_get_stats(contexts, &stats);
        cr_expect_eq(stats.tx_messages, (uint64_t)k + 1);
        cr_expect_eq(stats.tx_bytes_before, (uint64_t)(k + 1) * LONG);
        cr_expect_lt(stats.tx_bytes_after, (uint64_t)(k + 1) * LONG / 2);
        cr_expect_geq(stats.tx_interrupted, (uint64_t)(k + 1) * (LONG / SHARE));
        wring_machine_destroy(mine);
        wring_machine_destroy(other);
    }
}

/* A machine of the same pool sends in between, through a compressor the long one has not. */
Test(machine_pending, messages_wait_in_order_and_control_frames_do_not) {
    for (int t = 0; t < 2; t++) {
        wring_machine *mine = machine_of(contexts, WRING_ROLE_SERVER, both[t]);
        wring_machine *other = machine_of(theirs, WRING_ROLE_CLIENT, both[t]);
        wring_machine *beside = machine_of(contexts, WRING_ROLE_SERVER, false);
        wring_machine *reader = machine_of(theirs, WRING_ROLE_CLIENT, false);
        char log[512] = "", log_beside[256] = "";
        wring__shared *published = wring__shared_create(WRING_TEXT, 0, wring_str("shared"));
        wring__machine_frame_shared(published);
        send(mine, wring_frame_text(wring_str("before")));
        send(mine, long_text());
        send(mine, wring_frame_text(wring_str("behind")));
        cr_assert_eq(wring__machine_send_shared(mine, published), WRING_OK);
        send(mine, long_text());
        send(mine, wring_frame_binary(wring_str("last")));
        cr_expect_eq(wring__machine_pending_behind(mine),
                     6 + 6 + LONG + 4 + 4 * WRING__WAITING_OVERHEAD);
        wring__shared_unref(published);
        turn_of(mine);
        turn_of(mine);
        send(mine, (wring_frame){.opcode = WRING_PING, .payload = wring_str("?")});
        while (wring__machine_has_more(mine)) {
            turn_of(mine);
            wring__machine_turn(beside, ++turn);
            send(beside, wring_frame_text(wring_bytes_of(text, 600)));
            log_beside[0] = 0;
            deliver(beside, reader, log_beside, sizeof log_beside);
            cr_assert_str_eq(log_beside, "1:600:text ");
            deliver(mine, other, log, sizeof log);
        }
        cr_expect_str_eq(log, "1:6:before 9:1:? 1:25300:text 1:6:behind 1:6:shared 1:25300:text "
                              "2:4:last ");
        wring_machine_destroy(mine);
        wring_machine_destroy(other);
        wring_machine_destroy(beside);
        wring_machine_destroy(reader);
    }
}

/* After so many turns, in each way, with what waits: the close frame comes behind it all, at once.
 */
Test(machine_pending, a_close_sends_the_rest_as_it_is) {
    for (int how = 0; how < 2 * 2 * 4; how++) {
        const bool takeover = how % 2 == 1;
        const unsigned turns = how / 2 % 2 == 0 ? 0 : 5;
        wring_machine *mine = machine_of(contexts, WRING_ROLE_SERVER, takeover);
        wring_machine *other = machine_of(theirs, WRING_ROLE_CLIENT, takeover);
        char log[512] = "";
        send(mine, long_text());
        send(mine, wring_frame_text(wring_str("behind")));
        for (unsigned i = 0; i < turns; i++) {
            turn_of(mine);
        }
        switch (how / 4) {
        case 0:
            wring_machine_close(mine, 4001, wring_str(""));
            break;
        case 1:
            wring__machine_stop(mine);
            break;
        case 2:
            wring__machine_refuse(mine, WRING_ERR_SLOW_CONSUMER);
            break;
        default:
            wring_machine_close(other, 4002, wring_str(""));
            deliver(other, mine, log, sizeof log);
            log[0] = 0;
        }
        cr_expect(!wring__machine_has_more(mine));
        deliver(mine, other, log, sizeof log);
        cr_expect_eq(strncmp(log, "1:25300:text 1:6:behind 8:", 26), 0, "%d: %s", how, log);
        wring_machine_destroy(mine);
        wring_machine_destroy(other);
    }
}

Test(machine_pending, what_cannot_be_sent_is_given_up) {
    for (int how = 0; how < 4; how++) {
        wring_machine *mine = machine_of(contexts, WRING_ROLE_SERVER, how % 2 == 1);
        send(mine, long_text());
        send(mine, wring_frame_text(wring_str("behind")));
        turn_of(mine);
        if (how / 2 == 0) {
            wring_machine_fail(mine, WRING_ERR_TRUNCATED);
            cr_expect(!wring__machine_has_more(mine));
            cr_expect_eq(wring__machine_held(mine), 0);
        }
        wring_machine_destroy(mine); /* or with it on its way */
    }
    cr_expect_eq(wring__shared_bytes(), 0);
}

/* Nothing is gained: one plain frame, as it would have been at once. Unless it has to be
 * compressed. */
/* A connection that broke while a long answer was compressed: what its session sends afterwards
   must
 * not bring out what the compressor had held back, in a buffer made for a short message. */
Test(machine_pending, a_message_after_one_that_was_dropped_is_of_its_own_size) {
    wring_machine *mine = machine_of(contexts, WRING_ROLE_SERVER, true);
    send(mine, long_text());
    turn_of(mine);
    cr_assert(wring__machine_has_more(mine));
    wring__machine_pending_drop(mine);
    for (int i = 0; i < 50; i++) {
        wring_frame frame = wring_frame_text(wring_str("short"));
        frame.compress = WRING_COMPRESS_ALWAYS;
        send(mine, frame);
    }
    wring_machine_destroy(mine);
}

Test(machine_pending, what_does_not_shrink_goes_plain) {
    static uint8_t noise[8192];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof noise; i++) { /* 100 values: not random to the sample's eye */
        x = x * 1664525 + 1013904223;
        noise[i] = (uint8_t)((x >> 24) % 250);
    }
    for (size_t i = 0; i < 4; i++) { /* where it is sampled it looks like text */
        memset(noise + i * 2048, 'a', 60);
    }
    for (int forced = 0; forced < 2; forced++) {
        wring_machine *mine = machine_of(contexts, WRING_ROLE_SERVER, false);
        wring_machine *other = machine_of(theirs, WRING_ROLE_CLIENT, false);
        char log[256] = "";
        wring_frame frame = wring_frame_binary(wring_bytes_of(noise, sizeof noise));
        frame.close_code = forced == 1 ? WRING_COMPRESS_ALWAYS : 0;
        send(mine, frame);
        unsigned turns = 0;
        while (wring__machine_has_more(mine)) {
            turn_of(mine);
            turns++;
        }
        deliver(mine, other, log, sizeof log);
        cr_expect_eq(strncmp(log, "2:8192:", 7), 0, "%s", log);
        cr_expect(forced == 1 ? turns > 8 : turns <= 9, "%u", turns);
        wring_machine_destroy(mine);
        wring_machine_destroy(other);
    }
}

Test(machine_pending, few_are_under_way_at_a_time) {
    wring_machine *mine[MANY];
    unsigned done = 0;
    for (unsigned i = 0; i < MANY; i++) {
        mine[i] = machine_of(contexts, WRING_ROLE_SERVER, i % 2 == 1);
        send(mine[i], long_text());
    }
    for (unsigned rounds = 0; done < MANY; rounds++) {
        unsigned worked = 0;
        cr_assert_lt(rounds, 3 * LONG / SHARE);
        done = 0;
        for (unsigned i = 0; i < MANY; i++) {
            const uint64_t before = wring__machine_pending_bytes(mine[i]);
            turn_of(mine[i]);
            worked += wring__machine_pending_bytes(mine[i]) < before;
            done += !wring__machine_has_more(mine[i]);
        }
        /* who ends gives its place to the next of the same round */
        cr_expect_leq(worked, rounds % (LONG / SHARE + 1) == LONG / SHARE ? MANY : PLACES);
    }
    for (unsigned i = 0; i < MANY; i++) {
        wring_machine_destroy(mine[i]);
    }
}

Test(machine_pending, a_full_queue_counts_what_waits) {
    wring_machine *mine = machine_of(contexts, WRING_ROLE_SERVER, false);
    const wring_frame frame = long_text();
    const wring_frame ping = {.opcode = WRING_PING, .payload = wring_str("")};
    mine->common->queue_max = 2 * LONG;
    send(mine, frame);
    send(mine, frame);
    cr_expect_eq(wring_machine_send(mine, &frame), WRING_ERR_QUEUE_FULL);
    cr_expect_eq(wring_machine_send(mine, &ping), WRING_OK);
    cr_expect_eq(wring__machine_send_admitted(mine, &frame), WRING_OK);
    cr_expect_eq(wring__machine_pending_bytes(mine), 3 * LONG + 2 * WRING__WAITING_OVERHEAD);
    wring_machine_destroy(mine);
}

Test(machine_pending, empty_messages_that_wait_fill_the_queue_too) {
    wring_machine *mine = machine_of(contexts, WRING_ROLE_SERVER, false);
    const wring_frame empty = wring_frame_text(wring_str(""));
    mine->common->queue_max = 2 * LONG;
    send(mine, long_text());
    unsigned count = 0;
    while (wring_machine_send(mine, &empty) == WRING_OK) {
        cr_assert_lt(count++, LONG);
    }
    wring_machine_destroy(mine);
}

/* Many short ones behind a long one are not all compressed in the turn that ends it. */
Test(machine_pending, short_ones_that_waited_have_their_share_too) {
    wring_machine *mine = machine_of(contexts, WRING_ROLE_SERVER, false);
    wring_machine *other = machine_of(theirs, WRING_ROLE_CLIENT, false);
    char log[1024] = "";
    send(mine, wring_frame_text(wring_bytes_of(text, SHARE + 1)));
    for (int i = 0; i < 20; i++) {
        send(mine, wring_frame_text(wring_bytes_of(text, 400)));
    }
    unsigned turns = 0;
    while (wring__machine_has_more(mine)) {
        turn_of(mine);
        turns++;
    }
    deliver(mine, other, log, sizeof log);
    cr_expect_eq(strlen(log), strlen("1:1001:text ") + 20 * strlen("1:400:text "), "%s", log);
    cr_expect_geq(turns, 20u * 400 / SHARE);
    wring_machine_destroy(mine);
    wring_machine_destroy(other);
}
