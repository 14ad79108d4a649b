/* SPDX-License-Identifier: Apache-2.0
 *
 * C14, the CPU asymmetry of compression: what a turn inflates for one machine and for all of them,
 * what those hold that wait, and that a message over many turns is the message. The same with a
 * server around it, and a bystander, is tests/sim/bombs.c.
 */
#include "proto/deflate.h"
#include "tests/unit/proto/machine_feed.h"
#include "tests/unit/proto/zlib_peer.h"

#define BOMB   200000
#define SHARE  1000
#define PLACES 8
#define MANY   12

static wring_deflate *pool;
static uint8_t zeros[BOMB];
static zlib_peer peer;
static uint8_t wire_copy[4096];
static wring_bytes wire; /* the bomb, compressed */

static void begin(void) {
    pool = wring__deflate_pool_create(NULL);
    zlib_peer_make(&peer, 15, 15);
    const wring_bytes made = zlib_peer_deflate(&peer, zeros, sizeof zeros, Z_SYNC_FLUSH);
    cr_assert(made.len < sizeof wire_copy);
    memcpy(wire_copy, made.data, made.len);
    wire = wring_bytes_of(wire_copy, made.len);
}

static void end(void) {
    zlib_peer_free(&peer);
    wring_deflate_destroy(pool);
    cr_expect_eq(wring__deflate_budget_used(), 0);
}

TestSuite(deflate_turns, .init = begin, .fini = end);

static wring__deflate *acquire(bool takeover) {
    const wring_deflate_config config = {
        .struct_size = sizeof config, .inflate_turn_bytes = SHARE, .message_bytes_min = 1};
    wring_deflate_config adopted = {.struct_size = sizeof adopted};
    cr_assert_eq(wring_deflate_config_adopt(&config, &adopted, NULL), WRING_OK);
    wring_deflate_params params = {15, 15, !takeover, !takeover, false};
    wring__deflate *d = wring__deflate_acquire(pool, &adopted, &params, WRING_ROLE_SERVER, false);
    cr_assert_not_null(d);
    return d;
}

/* One turn of the machine `who` names. */
static wring_result turn_of(wring__deflate *d, const void *who, uint64_t turn, wring_bytes message,
                            wring__inflation *inflation) {
    wring__deflate_turn(d, who, turn);
    return wring__deflate_inflate(d, who, message, UINT64_MAX, inflation);
}

static void let_go(wring__deflate *d, wring__inflation *inflation) {
    wring__deflate_recycle(d, inflation->out.data, inflation->out.cap);
    memset(inflation, 0, sizeof *inflation);
}

static void small_message_is_read(wring__deflate *d, uint64_t turn) {
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    wring__inflation small = {0};
    cr_assert_eq(turn_of(d, &small, turn, wring_bytes_of(hello, sizeof hello), &small), WRING_OK);
    cr_assert(small.out.len == 5 && memcmp(small.out.data, "Hello", 5) == 0);
    let_go(d, &small);
}

Test(deflate_turns, c14_a_turn_inflates_the_share_and_no_more) {
    for (int takeover = 0; takeover < 2; takeover++) {
        wring__deflate *d = acquire(takeover), *other = acquire(takeover);
        wring__inflation bomb = {0};
        uint64_t turn = 1;
        while (turn_of(d, d, turn, wire, &bomb) == WRING_MORE) {
            cr_assert_eq(bomb.out.len, turn * SHARE);
            /* asked again in the same turn, or while it is another's: nothing */
            cr_assert_eq(turn_of(d, d, turn, wire, &bomb), WRING_MORE);
            cr_assert_eq(bomb.out.len, turn * SHARE);
            small_message_is_read(other, turn); /* between two of its steps */
            cr_assert_eq(wring__deflate_inflate(d, d, wire, UINT64_MAX, &bomb), WRING_MORE);
            cr_assert_eq(bomb.out.len, turn * SHARE);
            turn++;
            if (takeover) { /* the middle of a message is no time to park a window */
                wring__deflate_expire(d, 0, wring__deflate_deadline(d, 0));
            }
        }
        cr_expect_eq(turn, BOMB / SHARE + 1); /* one more shows that there is no more */
        cr_expect(bomb.out.len == BOMB && memcmp(bomb.out.data, zeros, BOMB) == 0);
        let_go(d, &bomb);
        wring__deflate_release(d);
        wring__deflate_release(other);
    }
}

Test(deflate_turns, c14_several_messages_share_a_turn) {
    wring__deflate *d = acquire(false);
    uint8_t text[400];
    memset(text, 'a', sizeof text);
    zlib_peer one;
    zlib_peer_make(&one, 15, 15);
    const wring_bytes message = zlib_peer_deflate(&one, text, sizeof text, Z_SYNC_FLUSH);
    for (uint64_t turn = 1; turn < 4; turn++) {
        wring__inflation third = {0};
        for (int i = 0; i < 2; i++) {
            wring__inflation whole = {0};
            cr_assert_eq(turn_of(d, d, turn, message, &whole), WRING_OK);
            let_go(d, &whole);
        }
        cr_assert_eq(turn_of(d, d, turn, message, &third), WRING_MORE);
        cr_assert_eq(third.out.len, SHARE - 2 * sizeof text);
        wring__deflate_abandon(d, &third);
    }
    zlib_peer_free(&one);
    wring__deflate_release(d);
}

/* Few at a time: those that wait hold nothing, with takeover what one share makes. */
static void few_at_a_time(bool takeover) {
    wring__deflate *d[MANY];
    wring__inflation bombs[MANY];
    unsigned done = 0;
    memset(bombs, 0, sizeof bombs);
    for (unsigned i = 0; i < MANY; i++) {
        d[i] = acquire(takeover);
    }
    for (uint64_t turn = 1; done < MANY; turn++) {
        cr_assert(turn < 3 * BOMB / SHARE);
        size_t made = 0;
        for (unsigned i = 0; i < MANY; i++) {
            const size_t before = bombs[i].out.len;
            wring_result result =
                d[i] == NULL ? WRING_ERR_CLOSED : turn_of(d[i], &bombs[i], turn, wire, &bombs[i]);
            made += bombs[i].out.len - wring__min_size(before, bombs[i].out.len);
            cr_assert(result == WRING_ERR_CLOSED || bombs[i].has_place || result == WRING_OK ||
                      bombs[i].out.len == (takeover ? SHARE : 0));
            if (result == WRING_OK) {
                cr_assert(bombs[i].out.len == BOMB && memcmp(bombs[i].out.data, zeros, BOMB) == 0);
                let_go(d[i], &bombs[i]);
                wring__deflate_release(d[i]);
                d[i] = NULL;
                done++;
            }
        }
        cr_assert_leq(made, (takeover && turn == 1 ? MANY : PLACES) * SHARE);
        wring__deflate *other = acquire(takeover);
        small_message_is_read(other, turn); /* needs no place */
        wring__deflate_release(other);
    }
}

Test(deflate_turns, c14_eight_large_messages_at_a_time) {
    few_at_a_time(false);
}

Test(deflate_turns, c14_eight_large_messages_at_a_time_with_takeover) {
    few_at_a_time(true);
}

Test(deflate_turns, c14_what_is_given_up_leaves_its_place) {
    for (int takeover = 0; takeover < 2; takeover++) {
        for (int round = 0; round < 3; round++) {
            wring__deflate *d[MANY];
            wring__inflation bombs[MANY];
            unsigned placed = 0;
            memset(bombs, 0, sizeof bombs);
            for (unsigned i = 0; i < MANY; i++) {
                d[i] = acquire(takeover);
                cr_assert_eq(turn_of(d[i], &bombs[i], 1, wire, &bombs[i]), WRING_MORE);
                placed += bombs[i].has_place;
            }
            cr_expect_eq(placed, PLACES);
            for (unsigned i = 0; i < MANY; i++) {
                wring__deflate_abandon(d[i], &bombs[i]);
                wring__deflate_release(d[i]);
            }
        }
    }
}

/* A message that fails after some turns is as one that fails at once. */
Test(deflate_turns, c14_a_limit_is_kept_over_turns) {
    wring__deflate *d = acquire(false);
    wring__inflation bomb = {0};
    wring_result result = WRING_MORE;
    for (uint64_t turn = 1; result == WRING_MORE; turn++) {
        wring__deflate_turn(d, d, turn);
        result = wring__deflate_inflate(d, d, wire, BOMB - 1, &bomb);
        cr_assert_leq(bomb.out.cap, BOMB);
    }
    cr_expect_eq(result, WRING_ERR_INFLATE_TOO_BIG);
    cr_expect(bomb.out.data == NULL && !bomb.has_place);
    small_message_is_read(d, 1000);
    wring__deflate_release(d);
}

/* ---- a machine ------------------------------------------------------------------------------- */

static void log_events(wring_machine *machine, char *log, size_t cap) {
    wring_event event;
    while (wring_machine_next(machine, &event) == WRING_OK) {
        const size_t at = strlen(log);
        if (event.kind == WRING_EVENT_END) {
            wring_end end = {.struct_size = sizeof end};
            cr_assert_eq(wring_machine_get_end(machine, &end), WRING_OK);
            snprintf(log + at, cap - at, "END(%d)", (int)end.result);
            continue;
        }
        uint32_t sum = 0;
        for (size_t i = 0; i < event.message.payload.len; i++) {
            sum = sum * 31 + event.message.payload.data[i];
        }
        snprintf(log + at, cap - at, "%d:%zu:%x ", (int)event.message.opcode,
                 event.message.payload.len, sum);
    }
}

static size_t frame_put(uint8_t *to, uint8_t first, wring_bytes payload) {
    const size_t header = payload.len < 126 ? 2 : 4;
    to[0] = first;
    to[1] = payload.len < 126 ? (uint8_t)payload.len : 126;
    if (header == 4) {
        to[2] = (uint8_t)(payload.len >> 8);
        to[3] = (uint8_t)payload.len;
    }
    memcpy(to + header, payload.data, payload.len);
    return header + payload.len;
}

/* Bombs, plain messages, a ping and a bomb in fragments, one behind the other. */
static size_t stream_make(uint8_t *to) {
    const size_t half = wire.len / 2;
    size_t len = frame_put(to, 0xC2, wire);
    len += frame_put(to + len, 0x81, wring_str("hello"));
    len += frame_put(to + len, 0x89, wring_str("?"));
    len += frame_put(to + len, 0xC1, wire);
    len += frame_put(to + len, 0x41, wring_bytes_of(wire.data, half));
    len += frame_put(to + len, 0x80, wring_bytes_of(wire.data + half, wire.len - half));
    len += frame_put(to + len, 0x82, wring_str("abc"));
    return len;
}

/* @param cut  bytes a feed  @param share  0: no turns; else of each turn */
static void run(const uint8_t *stream, size_t len, size_t cut, uint64_t share, char *log,
                size_t cap) {
    const wring_deflate_config contexts = {.struct_size = sizeof contexts,
                                           .inflate_turn_bytes = share};
    const wring_deflate_params params = {15, 15, true, true, false};
    wring_deflate *mine;
    cr_assert_eq(wring_deflate_create(&contexts, &mine, NULL), WRING_OK);
    const wring_machine_config config = {.struct_size = sizeof config,
                                         .role = WRING_ROLE_CLIENT,
                                         .deflate = mine,
                                         .deflate_params = &params};
    wring_machine *machine;
    cr_assert_eq(wring_machine_create(&config, &machine, NULL), WRING_OK);
    cr_assert_eq(wring_machine_open(machine, 1), WRING_OK);
    uint64_t turn = 0;
    log[0] = 0;
    for (size_t at = 0; at < len; at += cut) {
        const size_t piece = wring__min_size(cut, len - at);
        uint8_t *copy = malloc(piece);
        memcpy(copy, stream + at, piece);
        if (share > 0) {
            wring__machine_turn(machine, ++turn);
        }
        cr_assert_eq(wring_machine_feed(machine, (wring_mut_bytes){copy, piece}, 1), WRING_OK);
        log_events(machine, log, cap);
        memset(copy, 0xDD, piece); /* what was lent is the caller's again */
        free(copy);
        while (wring__machine_has_more(machine)) {
            wring__machine_turn(machine, ++turn);
            log_events(machine, log, cap);
        }
    }
    cr_expect(share == 0 || turn > 3 * BOMB / share);
    cr_expect_eq(wring__machine_held(machine), 0);
    wring_machine_destroy(machine);
    wring_deflate_destroy(mine);
}

Test(deflate_turns, c14_a_machine_tells_the_same_over_turns) {
    static uint8_t stream[8192];
    const size_t len = stream_make(stream);
    char want[2048], got[2048];
    run(stream, len, len, 0, want, sizeof want);
    cr_assert_not_null(strstr(want, "2:200000:0 1:5:"), "%s", want);
    cr_assert_not_null(strstr(want, "2:3:"), "%s", want);
    static const size_t cuts[] = {1, 2, 7, 100, 333, 8192};
    static const uint64_t shares[] = {997, 4096, 65536};
    for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
        for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
            run(stream, len, cuts[c], shares[s], got, sizeof got);
            cr_expect_str_eq(got, want);
        }
    }
}

Test(deflate_turns, c14_a_machine_may_end_in_the_middle) {
    static uint8_t stream[8192];
    const size_t len = stream_make(stream);
    const wring_deflate_params kinds[] = {{15, 15, true, true, false},
                                          {15, 15, false, false, false}};
    const wring_deflate_config contexts = {.struct_size = sizeof contexts,
                                           .inflate_turn_bytes = 500};
    for (int how = 0; how < 8; how++) {
        wring_deflate *mine;
        cr_assert_eq(wring_deflate_create(&contexts, &mine, NULL), WRING_OK);
        const wring_machine_config config = {.struct_size = sizeof config,
                                             .role = WRING_ROLE_CLIENT,
                                             .deflate = mine,
                                             .deflate_params = &kinds[how & 1]};
        wring_machine *machine;
        char log[2048] = "";
        cr_assert_eq(wring_machine_create(&config, &machine, NULL), WRING_OK);
        cr_assert_eq(wring_machine_open(machine, 1), WRING_OK);
        wring__machine_turn(machine, 1);
        cr_assert_eq(wring_machine_feed(machine, (wring_mut_bytes){stream, len}, 1), WRING_OK);
        log_events(machine, log, sizeof log);
        cr_assert(wring__machine_has_more(machine) && wring__machine_held(machine) > 0);
        if (how / 2 == 0) {
            wring_machine_fail(machine, WRING_ERR_TRUNCATED);
        } else if (how / 2 == 1) {
            wring_machine_close(machine, 1000, wring_str(""));
            wring__machine_turn(machine, 2);
        } else if (how / 2 == 2) {
            wring__machine_stop(machine);
        }
        log_events(machine, log, sizeof log);
        cr_expect(how / 2 == 1 || how / 2 == 3 || strstr(log, "END(") != NULL, "%s", log);
        cr_expect_eq(wring__machine_has_more(machine), how / 2 == 1 || how / 2 == 3);
        wring_machine_destroy(machine);
        wring_deflate_destroy(mine);
        cr_expect_eq(wring__deflate_budget_used(), 0);
    }
}

/* ---- input that makes nothing ---- */

/* Each five bytes are an empty stored block (RFC 1951 3.2.4): work, and no output. */
static wring_bytes empty_blocks(size_t count) {
    static const uint8_t block[] = {0x00, 0x00, 0x00, 0xff, 0xff};
    static uint8_t bytes[5 * BOMB / 10];
    cr_assert_leq(count * sizeof block, sizeof bytes);
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + i * sizeof block, block, sizeof block);
    }
    return wring_bytes_of(bytes, count * sizeof block - 4); /* the flush of the last is implied */
}

Test(deflate_turns, c14_input_that_inflates_to_nothing_is_charged) {
    for (int takeover = 0; takeover < 2; takeover++) {
        wring__deflate *d = acquire(takeover);
        const wring_bytes message = empty_blocks(BOMB / 10);
        wring__inflation inflation = {0};
        uint64_t turn = 1;
        size_t before = 0;
        while (turn_of(d, d, turn, message, &inflation) == WRING_MORE) {
            cr_assert_gt(inflation.taken, before); /* it gets on */
            cr_assert_leq(inflation.taken - before, SHARE / 4);
            before = inflation.taken;
            cr_assert_eq(turn_of(d, d, turn, message, &inflation), WRING_MORE);
            cr_assert_eq(inflation.taken, before); /* that was its turn */
            turn++;
        }
        cr_assert_geq(turn, message.len / (SHARE / 4));
        cr_assert_eq(inflation.out.len, 0);
        let_go(d, &inflation);
        wring__deflate_release(d);
    }
}

/* What came out of nothing is also charged to the messages that follow in the turn. */
Test(deflate_turns, c14_a_message_of_empty_blocks_leaves_less_of_the_turn) {
    wring__deflate *d = acquire(false);
    const wring_bytes small = empty_blocks(SHARE / 4 / 5);
    wring__inflation first = {0}, second = {0};
    cr_assert_eq(turn_of(d, d, 1, small, &first), WRING_OK);
    let_go(d, &first);
    cr_assert_eq(turn_of(d, d, 1, small, &second), WRING_MORE);
    cr_assert_eq(turn_of(d, d, 2, small, &second), WRING_OK);
    let_go(d, &second);
    wring__deflate_release(d);
}

/* Cut by the input's bound wherever it is: the message is the message. */
Test(deflate_turns, c14_what_does_not_shrink_is_whole_after_its_turns) {
    static uint8_t noise[20000];
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)(i * i >> 7 ^ i * 2654435761u >> 13);
    }
    zlib_peer one;
    zlib_peer_make(&one, 15, 15);
    const wring_bytes message = zlib_peer_deflate(&one, noise, sizeof noise, Z_SYNC_FLUSH);
    wring__deflate *d = acquire(false);
    wring__inflation whole = {0};
    uint64_t turn = 1;
    while (turn_of(d, d, turn, message, &whole) == WRING_MORE) {
        turn++;
    }
    cr_assert_geq(turn, message.len / (SHARE / 4));
    cr_assert(whole.out.len == sizeof noise && memcmp(whole.out.data, noise, sizeof noise) == 0);
    let_go(d, &whole);
    wring__deflate_release(d);
    zlib_peer_free(&one);
}
