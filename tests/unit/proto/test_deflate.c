/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts and their pool: each known way to get permessage-deflate wrong, by its row (C1 ...) in
 * the list of attack and fault classes. What a session makes of it is in test_deflate_machine.c.
 */
#include <malloc.h>

#include "proto/deflate.h"
#include "tests/unit/proto/zlib_peer.h"

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

static const wring_deflate_params no_takeover = {15, 15, true, true, false};
static const wring_deflate_params takeover = {15, 15, false, false, false};

static wring_deflate_config config_of(wring_deflate_config c) {
    wring_deflate_config adopted = {.struct_size = sizeof adopted};
    c.struct_size = sizeof c;
    cr_assert_eq(wring_deflate_config_adopt(&c, &adopted, NULL), WRING_OK);
    return adopted;
}

static wring__deflate *acquire(wring_deflate *pool, wring_deflate_config config,
                               wring_deflate_params params, wring_role role) {
    const wring_deflate_config adopted = config_of(config);
    wring__deflate *d = wring__deflate_acquire(pool, &adopted, &params, role, false);
    cr_assert_not_null(d);
    return d;
}

static wring_result inflate_up_to(wring__deflate *d, wring_bytes wire, uint64_t max,
                                  wring__inflated *out) {
    /* a copy of its exact size, gone before the answer is looked at */
    uint8_t *copy = malloc(wire.len + 1);
    memcpy(copy, wire.data, wire.len);
    wring__inflation inflation = {0};
    wring_result result =
        wring__deflate_inflate(d, d, wring_bytes_of(copy, wire.len), max, &inflation);
    *out = inflation.out;
    memset(copy, 0xDD, wire.len);
    free(copy);
    return result;
}

static void expect_inflated(wring__deflate *d, wring_bytes wire, const void *data, size_t len) {
    wring__inflated out;
    cr_assert_eq(inflate_up_to(d, wire, UINT64_MAX, &out), WRING_OK);
    cr_assert(out.len == len && (len == 0 || memcmp(out.data, data, len) == 0));
    wring__deflate_recycle(d, out.data, out.cap);
}

static void expect_refused(wring__deflate *d, wring_bytes wire, uint64_t max, wring_result want) {
    wring__inflated out;
    cr_expect_eq(inflate_up_to(d, wire, max, &out), want);
    cr_expect_null(out.data);
}

static wring_bytes squeeze(wring__deflate *d, const void *data, size_t len, uint16_t wish) {
    const wring_frame frame = {
        .opcode = WRING_BINARY, .compress = wish, .payload = wring_bytes_of(data, len)};
    wring_bytes out;
    cr_assert_eq(wring__deflate_message(d, &frame, &out), WRING_OK);
    return out;
}

/* ---- C1 to C3: the limit ----------------------------------------------------------------------
 */

Test(deflate, c1_a_bomb_costs_the_cap_and_no_more) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring__deflate *d = acquire(pool, (wring_deflate_config){.inflated_bytes_max = 1 * MIB},
                                no_takeover, WRING_ROLE_SERVER);
    zlib_peer peer;
    zlib_peer_make(&peer, 15, 15);
    uint8_t *zeros = calloc(1, 64 * MIB);
    const wring_bytes wire = zlib_peer_deflate(&peer, zeros, 64 * MIB, Z_SYNC_FLUSH);
    cr_expect_lt(wire.len * 1000, 64 * MIB + 4 * MIB, "the bomb is not a thousand to one");
    wring__inflater *inflater = wring__inflater_create(15, (wring_bytes){0});
    wring__inflated out = {0};
    size_t taken = 0;
    cr_expect_eq(wring__inflater_run(inflater, wire, &taken, 1 * MIB, UINT64_MAX, &out),
                 WRING_ERR_INFLATE_TOO_BIG);
    cr_expect_leq(out.cap, 1 * MIB + 1);
    cr_expect_leq(out.len, 1 * MIB + 1);
    free(out.data);
    wring__inflater_destroy(inflater);
    expect_refused(d, wire, UINT64_MAX, WRING_ERR_INFLATE_TOO_BIG);
    free(zeros);
    zlib_peer_free(&peer);
    wring__deflate_release(d);
    wring_deflate_destroy(pool);
}

Test(deflate, c2_the_cap_passes_and_one_more_fails) {
    static const size_t sizes[] = {0, 1, 2, 255, 1023, 1024, 2047, 2048, 2049, 4096, 65535, 65536};
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring__deflate *d = acquire(pool, (wring_deflate_config){0}, no_takeover, WRING_ROLE_SERVER);
    uint8_t *data = malloc(65536);
    for (unsigned kind = 0; kind < 2; kind++) {
        uint64_t random = 7;
        for (size_t i = 0; i < 65536; i++) {
            data[i] = kind == 0 ? 'a' : (uint8_t)zlib_peer_random(&random);
        }
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            zlib_peer peer;
            zlib_peer_make(&peer, 15, 15);
            const wring_bytes wire = zlib_peer_deflate(&peer, data, sizes[i], Z_SYNC_FLUSH);
            wring__inflated out;
            cr_assert_eq(inflate_up_to(d, wire, sizes[i], &out), WRING_OK);
            cr_expect_eq(out.len, sizes[i]);
            wring__deflate_recycle(d, out.data, out.cap);
            cr_assert_eq(inflate_up_to(d, wire, sizes[i] + 1, &out), WRING_OK);
            cr_expect_eq(out.len, sizes[i]);
            wring__deflate_recycle(d, out.data, out.cap);
            if (sizes[i] > 0) {
                expect_refused(d, wire, sizes[i] - 1, WRING_ERR_INFLATE_TOO_BIG);
                expect_refused(d, wire, 0, WRING_ERR_INFLATE_TOO_BIG);
            }
            zlib_peer_free(&peer);
        }
    }
    free(data);
    wring__deflate_release(d);
    wring_deflate_destroy(pool);
}

Test(deflate, c3_output_in_steps_of_any_size_is_the_same) {
    uint8_t data[5000];
    uint64_t random = 1;
    zlib_peer_text(data, sizeof data, &random);
    zlib_peer peer;
    zlib_peer_make(&peer, 15, 15);
    const wring_bytes wire = zlib_peer_deflate(&peer, data, sizeof data, Z_SYNC_FLUSH);
    for (size_t cap = 0; cap < 5200; cap += cap < 64 ? 1 : 61) {
        /* a buffer of exactly `cap`: each write past it is seen by ASan */
        wring__inflated out = {cap == 0 ? NULL : malloc(cap), 0, cap};
        wring__inflater *inflater = wring__inflater_create(15, (wring_bytes){0});
        size_t taken = 0;
        cr_assert_eq(wring__inflater_run(inflater, wire, &taken, sizeof data, UINT64_MAX, &out),
                     WRING_OK);
        cr_expect(out.len == sizeof data && memcmp(out.data, data, sizeof data) == 0);
        wring__inflater_destroy(inflater);
        free(out.data);
    }
    zlib_peer_free(&peer);
}

/* A policy that is replaced while a message is being inflated, in its next turn. */
Test(deflate, c3_a_limit_that_is_lowered_below_what_is_there_ends_the_message) {
    uint8_t *zeros = calloc(1, 4 * MIB);
    zlib_peer peer;
    zlib_peer_make(&peer, 15, 15);
    const wring_bytes wire = zlib_peer_deflate(&peer, zeros, 4 * MIB, Z_SYNC_FLUSH);
    wring__inflater *inflater = wring__inflater_create(15, (wring_bytes){0});
    wring__inflated out = {0};
    size_t taken = 0;
    cr_assert_eq(wring__inflater_run(inflater, wire, &taken, 8 * MIB, 100000, &out), WRING_MORE);
    cr_assert_eq(out.len, 100000);
    const size_t cap = out.cap;
    cr_expect_eq(wring__inflater_run(inflater, wire, &taken, 1000, 100000, &out),
                 WRING_ERR_INFLATE_TOO_BIG);
    cr_expect(out.len == 100000 && out.cap == cap, "it went on writing");
    free(out.data);
    wring__inflater_destroy(inflater);
    zlib_peer_free(&peer);
    free(zeros);
}

/* ---- C4: windows ------------------------------------------------------------------------------
 */

/* Messages whose repeats lie as far back as the window allows, and farther. */
static void windows_check(unsigned bits, bool take_over, wring_role role) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring_deflate_params params = take_over ? takeover : no_takeover;
    params.server_max_window_bits = params.client_max_window_bits = (uint8_t)bits;
    if (bits == 8) { /* as negotiated */
        params.server_no_context_takeover = params.client_no_context_takeover = true;
    }
    wring__deflate *d =
        acquire(pool, (wring_deflate_config){.message_bytes_min = 1, .level = 6}, params, role);
    zlib_peer peer;
    zlib_peer_make(&peer, bits < 9 ? 9 : (int)bits, (int)bits);
    uint8_t *data = malloc(80000);
    uint64_t random = bits;
    for (unsigned round = 0; round < 40; round++) {
        const size_t len = round < 20 ? 1 + round * 37 : 1 + zlib_peer_random(&random) % 80000;
        zlib_peer_text(data, len, &random);
        const wring_bytes ours = squeeze(d, data, len, 0);
        if (bits == 8 && len > 256) {
            cr_expect_eq(ours.len, 0, "compressed with a window the peer does not have");
        }
        if (ours.len > 0) {
            if (!take_over) {
                inflateReset(&peer.inflate);
            }
            const wring_bytes back = zlib_peer_inflate(&peer, ours);
            cr_assert(back.len == len && memcmp(back.data, data, len) == 0);
        }
        if (!take_over || bits == 8) {
            deflateReset(&peer.deflate);
        }
        expect_inflated(d, zlib_peer_deflate(&peer, data, len, Z_SYNC_FLUSH), data, len);
    }
    cr_expect_gt(d->pool == pool ? 1 : 0, 0);
    free(data);
    zlib_peer_free(&peer);
    wring__deflate_release(d);
    wring_deflate_destroy(pool);
}

Test(deflate, c4_every_window_in_both_directions_against_zlib_with_that_window) {
    for (unsigned bits = 8; bits <= 15; bits++) {
        windows_check(bits, false, WRING_ROLE_SERVER);
        windows_check(bits, true, WRING_ROLE_SERVER);
        windows_check(bits, false, WRING_ROLE_CLIENT);
        windows_check(bits, true, WRING_ROLE_CLIENT);
    }
}

Test(deflate, c4_a_window_of_8_compresses_only_what_fits_into_it) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring_deflate_params params = no_takeover;
    params.server_max_window_bits = 8;
    wring__deflate *d =
        acquire(pool, (wring_deflate_config){.message_bytes_min = 1}, params, WRING_ROLE_SERVER);
    uint8_t data[257] = {0};
    cr_expect_gt(squeeze(d, data, 256, 0).len, 0);
    cr_expect_eq(squeeze(d, data, 257, WRING_COMPRESS_ALWAYS).len, 0);
    wring__deflate_release(d);
    wring_deflate_destroy(pool);
}

/* ---- C6: drift --------------------------------------------------------------------------------
 */

/* Ten thousand messages: short, long, random, marked plain or compressed, published past the
 * connection's own compressor, with idle times between. A real inflater follows. */
static void drift_check(wring_deflate_params params) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring__deflate *d = acquire(pool, (wring_deflate_config){0}, params, WRING_ROLE_SERVER);
    zlib_peer peer;
    zlib_peer_make(&peer, 15, 15);
    wring__compressor *other = wring__compressor_create(d->tx);
    uint8_t data[4096], wire[8192];
    uint64_t random = 99, compressed = 0;
    wring_time_ns now = 1;
    for (unsigned i = 0; i < 10000; i++) {
        const size_t len = zlib_peer_random(&random) % sizeof data;
        zlib_peer_text(data, len, &random);
        if (zlib_peer_random(&random) % 4 == 0) {
            for (size_t j = 0; j < len; j++) {
                data[j] = (uint8_t)zlib_peer_random(&random);
            }
        }
        wring_bytes out;
        if (zlib_peer_random(&random) % 8 == 0 && len > 0) { /* made elsewhere */
            out =
                wring_bytes_of(wire, wring__compressor_run(other, wring_bytes_of(data, len), wire));
            wring__compressor_reset(other);
            wring__deflate_bypassed(d);
        } else {
            out = squeeze(d, data, len, (uint16_t)(zlib_peer_random(&random) % 3));
        }
        if (out.len > 0) {
            compressed++;
            if (params.server_no_context_takeover) {
                inflateReset(&peer.inflate);
            }
            const wring_bytes back = zlib_peer_inflate(&peer, out);
            cr_assert(back.len == len && memcmp(back.data, data, len) == 0, "message %u", i);
        }
        if (zlib_peer_random(&random) % 64 == 0) {
            now += UINT64_C(40) * WRING_NS_PER_SEC;
            wring__deflate_expire(d, 1, now);
        }
    }
    cr_expect_gt(compressed, 3000);
    wring__compressor_destroy(other);
    zlib_peer_free(&peer);
    wring__deflate_release(d);
    wring_deflate_destroy(pool);
}

Test(deflate, c6_windows_never_drift_over_ten_thousand_mixed_messages) {
    drift_check(takeover);
    drift_check(no_takeover);
}

Test(deflate, c6_what_is_plain_is_decided_before_a_byte_is_fed) {
    uint8_t text[2048], noise[2048];
    uint64_t random = 3;
    zlib_peer_text(text, sizeof text, &random);
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)zlib_peer_random(&random);
    }
    cr_expect(wring__deflate_is_worth(wring_bytes_of(text, sizeof text), 256, 0));
    cr_expect(wring__deflate_is_worth(wring_bytes_of(text, 256), 256, 0));
    cr_expect_not(wring__deflate_is_worth(wring_bytes_of(text, 255), 256, 0));
    cr_expect_not(wring__deflate_is_worth(wring_bytes_of(text, sizeof text), WRING_OFF, 0));
    cr_expect_not(
        wring__deflate_is_worth(wring_bytes_of(text, sizeof text), 256, WRING_COMPRESS_NEVER));
    cr_expect_not(wring__deflate_is_worth(wring_bytes_of(noise, sizeof noise), 256, 0));
    cr_expect_not(wring__deflate_is_worth(wring_bytes_of(noise, 600), 256, 0));
    cr_expect(wring__deflate_is_worth(wring_bytes_of(noise, 1), 256, WRING_COMPRESS_ALWAYS));
    cr_expect_not(wring__deflate_is_worth(wring_bytes_of(noise, 0), 256, WRING_COMPRESS_ALWAYS));
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)digits[noise[i] & 63];
    }
    cr_expect(wring__deflate_is_worth(wring_bytes_of(noise, sizeof noise), 256, 0), "base64");
}

/* ---- C7: BFINAL -------------------------------------------------------------------------------
 */

/* RFC 7692 7.2.3.4: "Hello" in a block with BFINAL, and the byte that lets 00 00 FF FF follow. */
#define HELLO_END   "\xf3\x48\xcd\xc9\xc9\x07\x00"
#define HELLO_FINAL HELLO_END "\x00"

Test(deflate, c7_a_block_with_bfinal_does_not_end_the_connection) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    for (unsigned kind = 0; kind < 2; kind++) {
        wring__deflate *d = acquire(pool, (wring_deflate_config){0},
                                    kind == 0 ? takeover : no_takeover, WRING_ROLE_SERVER);
        for (unsigned i = 0; i < 3; i++) {
            expect_inflated(d, wring_bytes_of(HELLO_FINAL, 8), "Hello", 5);
            /* without the byte: what a whole-buffer compressor sends */
            expect_inflated(d, wring_bytes_of(HELLO_END, 7), "Hello", 5);
            /* a final block, then one that is not: still one message */
            expect_inflated(d, wring_bytes_of(HELLO_END "\xf2\x48\xcd\xc9\xc9\x07\x00", 14),
                            "HelloHello", 10);
            /* RFC 7692 7.2.3.1 and 7.2.3.3: one block; one that is stored */
            expect_inflated(d, wring_bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00", 7), "Hello", 5);
            expect_inflated(d, wring_bytes_of("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11),
                            "Hello", 5);
            /* 7.2.3.5: two blocks */
            expect_inflated(
                d, wring_bytes_of("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13),
                "Hello", 5);
            /* 7.2.3.6: nothing at all, and nothing in a final block */
            expect_inflated(d, wring_bytes_of("\x00", 1), "", 0);
            expect_inflated(d, wring_bytes_of("\x02\x00", 2), "", 0);
            expect_inflated(d, wring_bytes_of("\x01", 1), "", 0);
        }
        wring__deflate_release(d);
    }
    wring_deflate_destroy(pool);
}

Test(deflate, c7_the_window_is_kept_over_a_block_with_bfinal) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring__deflate *d = acquire(pool, (wring_deflate_config){0}, takeover, WRING_ROLE_SERVER);
    expect_inflated(d, wring_bytes_of(HELLO_FINAL, 8), "Hello", 5);
    /* RFC 7692 7.2.3.2: the second Hello refers to the first */
    expect_inflated(d, wring_bytes_of("\xf2\x00\x11\x00\x00", 5), "Hello", 5);
    wring__deflate_release(d);
    d = acquire(pool, (wring_deflate_config){0}, no_takeover, WRING_ROLE_SERVER);
    expect_inflated(d, wring_bytes_of(HELLO_FINAL, 8), "Hello", 5);
    expect_refused(d, wring_bytes_of("\xf2\x00\x11\x00\x00", 5), UINT64_MAX, WRING_ERR_BAD_DEFLATE);
    wring__deflate_release(d);
    wring_deflate_destroy(pool);
}

/* ---- C9, C13: what does not inflate -----------------------------------------------------------
 */

Test(deflate, c9_after_an_error_the_next_connection_is_served_and_the_cap_is_1009) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring__deflate *d = acquire(pool, (wring_deflate_config){.inflated_bytes_max = 4}, no_takeover,
                                WRING_ROLE_SERVER);
    wring__deflate *next = acquire(pool, (wring_deflate_config){0}, no_takeover, WRING_ROLE_SERVER);
    const wring_bytes hello = {(const uint8_t *)"\xf2\x48\xcd\xc9\xc9\x07\x00", 7};
    expect_refused(d, hello, UINT64_MAX, WRING_ERR_INFLATE_TOO_BIG);
    cr_expect_eq(wring_result_close_code(WRING_ERR_INFLATE_TOO_BIG), 1009);
    expect_inflated(next, hello, "Hello", 5);
    expect_refused(d, wring_bytes_of("\xff\xff\xff", 3), UINT64_MAX, WRING_ERR_BAD_DEFLATE);
    cr_expect_eq(wring_result_close_code(WRING_ERR_BAD_DEFLATE), 1007);
    expect_inflated(next, hello, "Hello", 5);
    wring__deflate_release(d);
    wring__deflate_release(next);
    wring_deflate_destroy(pool);
}

Test(deflate, a_message_that_stops_inside_a_block_does_not_inflate) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring__deflate *d = acquire(pool, (wring_deflate_config){0}, no_takeover, WRING_ROLE_SERVER);
    static const uint8_t stored[] = "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
    for (size_t len = 0; len < sizeof stored - 1; len++) {
        /* 1 is an empty message; with 6 the four bytes put behind it make the block's five */
        if (len != 1 && len != 6) {
            expect_refused(d, wring_bytes_of(stored, len), UINT64_MAX, WRING_ERR_BAD_DEFLATE);
        }
    }
    static const uint8_t hello[] = "\xf2\x48\xcd\xc9\xc9\x07\x00";
    for (size_t len = 0; len < sizeof hello - 1; len++) {
        expect_refused(d, wring_bytes_of(hello, len), UINT64_MAX, WRING_ERR_BAD_DEFLATE);
    }
    wring__deflate_release(d);
    wring_deflate_destroy(pool);
}

Test(deflate, c13_no_bytes_of_a_peer_reach_an_assertion) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    uint64_t random = 11;
    uint8_t wire[64];
    for (unsigned i = 0; i < 20000; i++) {
        wring__deflate *d = acquire(pool, (wring_deflate_config){.inflated_bytes_max = 10000},
                                    i % 2 == 0 ? takeover : no_takeover, WRING_ROLE_SERVER);
        const size_t len = zlib_peer_random(&random) % sizeof wire;
        for (size_t j = 0; j < len; j++) {
            wire[j] = (uint8_t)zlib_peer_random(&random);
        }
        wring__inflated out;
        for (unsigned again = 0; again < 2; again++) {
            if (inflate_up_to(d, wring_bytes_of(wire, len), 10000, &out) == WRING_OK) {
                cr_expect_leq(out.len, 10000);
                wring__deflate_recycle(d, out.data, out.cap);
            }
        }
        wring__deflate_release(d);
    }
    wring_deflate_destroy(pool);
}

/* ---- C10 to C12: memory -----------------------------------------------------------------------
 */

Test(deflate, c10_a_hundred_thousand_messages_take_no_more_memory_than_ten) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring__deflate *own = acquire(pool, (wring_deflate_config){0}, takeover, WRING_ROLE_SERVER);
    wring__deflate *shared =
        acquire(pool, (wring_deflate_config){0}, no_takeover, WRING_ROLE_SERVER);
    uint8_t data[512];
    uint64_t random = 5;
    zlib_peer_text(data, sizeof data, &random);
    size_t before = 0;
    for (unsigned i = 0; i < 100000; i++) {
        wring__deflate *d = i % 2 == 0 ? own : shared;
        const wring_bytes wire = squeeze(d, data, sizeof data, 0);
        cr_assert_gt(wire.len, 0);
        expect_inflated(shared, wring_bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00", 7), "Hello", 5);
        if (i == 10) {
            before = mallinfo2().uordblks;
        }
    }
    cr_expect_leq(mallinfo2().uordblks, before + 1024);
    wring__deflate_release(own);
    wring__deflate_release(shared);
    wring_deflate_destroy(pool);
}

Test(deflate, c11_the_callers_memory_may_go_when_the_call_returns) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring__deflate *d = acquire(pool, (wring_deflate_config){0}, takeover, WRING_ROLE_SERVER);
    zlib_peer peer;
    zlib_peer_make(&peer, 15, 15);
    uint8_t want[1000];
    uint64_t random = 6;
    for (unsigned i = 0; i < 50; i++) {
        zlib_peer_text(want, sizeof want, &random);
        uint8_t *data = malloc(sizeof want);
        memcpy(data, want, sizeof want);
        const wring_bytes wire = squeeze(d, data, sizeof want, 0);
        memset(data, 0, sizeof want);
        free(data);
        const wring_bytes back = zlib_peer_inflate(&peer, wire);
        cr_assert(back.len == sizeof want && memcmp(back.data, want, sizeof want) == 0);
    }
    zlib_peer_free(&peer);
    wring__deflate_release(d);
    wring_deflate_destroy(pool);
}

Test(deflate, c12_a_shared_compressor_shows_nothing_of_the_last_connection) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring__deflate *d = acquire(pool, (wring_deflate_config){0}, no_takeover, WRING_ROLE_SERVER);
    wring_deflate *clean_pool = wring__deflate_pool_create(NULL);
    wring__deflate *clean =
        acquire(clean_pool, (wring_deflate_config){0}, no_takeover, WRING_ROLE_SERVER);
    uint8_t secret[4000], guess[600], first[1000];
    uint64_t random = 8;
    zlib_peer_text(secret, sizeof secret, &random);
    memcpy(guess, secret + 100, sizeof guess);
    wring_bytes out = squeeze(clean, guess, sizeof guess, 0);
    cr_assert_leq(out.len, sizeof first);
    memcpy(first, out.data, out.len);
    const wring_bytes want = {first, out.len};
    (void)squeeze(d, secret, sizeof secret, 0);
    out = squeeze(d, guess, sizeof guess, 0);
    cr_expect(wring_bytes_equal(out, want), "compressed by what another connection sent");
    wring__deflate_release(d);
    wring__deflate_release(clean);
    wring_deflate_destroy(pool);
    wring_deflate_destroy(clean_pool);
}

Test(deflate, c12_a_shared_inflater_shows_nothing_of_the_last_connection) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring__deflate *d = acquire(pool, (wring_deflate_config){0}, no_takeover, WRING_ROLE_SERVER);
    wring__deflate *own = acquire(pool, (wring_deflate_config){0}, takeover, WRING_ROLE_SERVER);
    static uint8_t secret[40000];
    uint64_t random = 8;
    zlib_peer_text(secret, sizeof secret, &random);
    zlib_peer peer;
    zlib_peer_make(&peer, 15, 15);
    for (unsigned i = 0; i < 3; i++) {
        deflateReset(&peer.deflate);
        const wring_bytes wire = zlib_peer_deflate(&peer, secret, sizeof secret, Z_SYNC_FLUSH);
        expect_inflated(d, wire, secret, sizeof secret);
        /* fixed code, a match of 3 at distance 1, 5 and 24577: refers to what is not there */
        expect_refused(d, wring_bytes_of("\x02\x02\x00\x00", 4), UINT64_MAX, WRING_ERR_BAD_DEFLATE);
        expect_refused(d, wring_bytes_of("\xf2\x00\x11\x00\x00", 5), UINT64_MAX,
                       WRING_ERR_BAD_DEFLATE);
        expect_refused(own, wring_bytes_of("\xf2\x00\x11\x00\x00", 5), UINT64_MAX,
                       WRING_ERR_BAD_DEFLATE);
    }
    zlib_peer_free(&peer);
    wring__deflate_release(d);
    wring__deflate_release(own);
    wring_deflate_destroy(pool);
}

/* ---- sharing, budget, idleness ----------------------------------------------------------------
 */

Test(deflate, sessions_without_takeover_share_one_state_for_equal_parameters) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring__deflate *a = acquire(pool, (wring_deflate_config){0}, no_takeover, WRING_ROLE_SERVER);
    wring__deflate *b = acquire(pool, (wring_deflate_config){0}, no_takeover, WRING_ROLE_SERVER);
    wring_deflate_params smaller = no_takeover;
    smaller.server_max_window_bits = 9;
    wring__deflate *c = acquire(pool, (wring_deflate_config){0}, smaller, WRING_ROLE_SERVER);
    wring__deflate *d = acquire(pool, (wring_deflate_config){0}, takeover, WRING_ROLE_SERVER);
    cr_expect_eq(a, b);
    cr_expect_neq(a, c);
    cr_expect_neq(a, d);
    wring__deflate_release(a);
    wring__deflate_release(c);
    wring__deflate_release(d);
    wring__deflate *e = acquire(pool, (wring_deflate_config){0}, no_takeover, WRING_ROLE_SERVER);
    cr_expect_eq(b, e);
    wring__deflate_release(b);
    wring__deflate_release(e);
    wring_deflate_destroy(pool);
}

Test(deflate, beyond_the_budget_connections_go_without_takeover) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    const wring_deflate_config config =
        config_of((wring_deflate_config){.server_context_takeover = true,
                                         .client_context_takeover = true,
                                         .server_max_window_bits = 15,
                                         .client_max_window_bits = 15,
                                         .takeover_budget_bytes = 300000});
    wring__deflate *list[16];
    unsigned with = 0;
    uint8_t data[1000];
    uint64_t random = 2;
    zlib_peer_text(data, sizeof data, &random);
    for (unsigned i = 0; i < 16; i++) {
        wring_deflate_params params = takeover;
        list[i] = wring__deflate_acquire(pool, &config, &params, WRING_ROLE_SERVER, true);
        cr_expect_eq(params.server_no_context_takeover, params.client_no_context_takeover);
        with += !params.server_no_context_takeover;
        cr_expect_gt(squeeze(list[i], data, sizeof data, 0).len, 0);
        cr_expect_leq(wring__deflate_budget_used(), 300000);
    }
    cr_expect(with > 0 && with < 16, "%u", with);
    wring_deflate_stats stats = {.struct_size = sizeof stats};
    wring_deflate_get_stats(pool, &stats);
    cr_expect_eq(stats.takeover_refused, 16 - with);
    cr_expect_gt(stats.context_bytes, 0);
    const wring_deflate_config offer = wring__deflate_offer_config(pool, &config);
    cr_expect_not(offer.server_context_takeover || offer.client_context_takeover);
    for (unsigned i = 0; i < 16; i++) {
        wring__deflate_release(list[i]);
    }
    cr_expect_eq(wring__deflate_budget_used(), 0);
    wring_deflate_destroy(pool);
}

Test(deflate, contexts_are_released_after_an_idle_time_and_go_on_where_they_were) {
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    wring__deflate *d = acquire(pool, (wring_deflate_config){.takeover_idle_ms = 1000}, takeover,
                                WRING_ROLE_SERVER);
    zlib_peer peer;
    zlib_peer_make(&peer, 15, 15);
    uint8_t data[3000];
    uint64_t random = 4;
    wring_time_ns now = 1;
    cr_expect_eq(wring__deflate_deadline(d, now), WRING_TIME_NEVER);
    for (unsigned i = 0; i < 20; i++) {
        zlib_peer_text(data, sizeof data, &random);
        expect_inflated(d, zlib_peer_deflate(&peer, data, sizeof data, Z_SYNC_FLUSH), data,
                        sizeof data);
        const wring_bytes wire = squeeze(d, data, sizeof data, 0);
        const wring_bytes back = zlib_peer_inflate(&peer, wire);
        cr_assert(back.len == sizeof data && memcmp(back.data, data, sizeof data) == 0);
        cr_assert(d->compressor != NULL && d->inflater != NULL);
        now = wring__deflate_deadline(d, now); /* used since: it stays for one more time */
        wring__deflate_expire(d, 1, now);
        cr_assert_not_null(d->compressor);
        now = wring__deflate_deadline(d, 1);
        wring__deflate_expire(d, 1, now);
        cr_assert(d->compressor == NULL && d->inflater == NULL);
        cr_expect_leq(d->window_len, 32768);
        cr_expect_eq(wring__deflate_deadline(d, now), WRING_TIME_NEVER);
    }
    zlib_peer_free(&peer);
    wring__deflate_release(d);
    wring_deflate_destroy(pool);
}

Test(deflate, figures_add_up) {
    wring_deflate *pool;
    cr_assert_eq(wring_deflate_create(NULL, &pool, NULL), WRING_OK);
    wring__deflate *d = acquire(pool, (wring_deflate_config){0}, no_takeover, WRING_ROLE_SERVER);
    uint8_t data[1000] = {0};
    const size_t len = squeeze(d, data, sizeof data, 0).len;
    (void)squeeze(d, data, 10, 0);
    expect_inflated(d, wring_bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00", 7), "Hello", 5);
    wring_deflate_stats stats = {.struct_size = sizeof stats};
    wring_deflate_get_stats(pool, &stats);
    cr_expect(stats.tx_messages == 1 && stats.tx_bytes_before == 1000);
    cr_expect(stats.tx_bytes_after == len && stats.tx_plain_messages == 1);
    cr_expect(stats.rx_messages == 1 && stats.rx_bytes_before == 7 && stats.rx_bytes_after == 5);
    wring__deflate_release(d);
    wring_deflate_destroy(pool);
}

Test(deflate, message_bytes_min_has_a_value_for_all_messages_and_one_for_none) {
    const wring_bytes one = wring_str("x");
    const wring_bytes text = wring_str("a message that is long enough to be worth it");
    cr_expect(wring__deflate_is_worth(one, WRING_DEFLATE_ALL, 0));
    cr_expect(wring__deflate_is_worth(text, WRING_DEFLATE_ALL, 0));
    cr_expect_not(wring__deflate_is_worth(wring_str(""), WRING_DEFLATE_ALL, 0));
    cr_expect_not(wring__deflate_is_worth(text, 256, 0));
    cr_expect_not(wring__deflate_is_worth(text, WRING_OFF, 0));
    cr_expect(
        wring__deflate_is_worth(text, WRING_OFF, WRING_COMPRESS_ALWAYS)); /* asked for by name */
}
