/* SPDX-License-Identifier: Apache-2.0
 *
 * Properties that hold for every input, tried with thousands of seeded ones. A failure names the
 * seed; SEED=n runs that one alone.
 */
#include "proto/kernels.h"
#include "tests/unit/proto/machine_feed.h"

#define CASES 5000

static uint64_t draw(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static size_t below(uint64_t *state, size_t limit) {
    return (size_t)(draw(state) % limit);
}

static void for_each_seed(void (*check)(uint64_t seed)) {
    const char *only = getenv("SEED");
    if (only != NULL) {
        check(strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t seed = 0; seed < CASES; seed++) {
        check(seed);
    }
}

/* Small mostly, at times past the 16-bit length. */
static size_t draw_len(uint64_t *state) {
    static const size_t limits[] = {1, 8, 126, 130, 1000, 70000};
    return below(state, limits[below(state, 6)] + 1);
}

static void draw_bytes(uint64_t *state, uint8_t *out, size_t len) {
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)draw(state);
    }
}

/* A valid text: characters of one to four bytes. */
static size_t draw_text(uint64_t *state, uint8_t *out, size_t len) {
    static const char *const characters[] = {"a", "Z", "ß", "Ж", "€", "한", "😀", "🌍"};
    size_t at = 0;
    while (at < len) {
        const char *c = characters[below(state, 8)];
        const size_t n = strlen(c);
        if (at + n > len) {
            c = "-";
        }
        memcpy(out + at, c, at + n > len ? 1 : n);
        at += at + n > len ? 1 : n;
    }
    return at;
}

static void check_involution(uint64_t seed) {
    uint64_t state = seed;
    const size_t len = draw_len(&state);
    uint8_t *data = malloc(len + 1), *before = malloc(len + 1);
    draw_bytes(&state, data, len);
    memcpy(before, data, len);
    const uint32_t key = (uint32_t)draw(&state);
    const unsigned phase = (unsigned)below(&state, 4);
    wring__mask(data, len, key, phase);
    const bool changed = len >= 4 && key != 0 ? memcmp(data, before, len) != 0 : true;
    cr_assert(changed, "seed %lu", (unsigned long)seed);
    wring__mask(data, len, key, phase);
    cr_assert_eq(memcmp(data, before, len), 0, "seed %lu", (unsigned long)seed);
    free(data);
    free(before);
}

Test(machine_properties, masking_twice_is_nothing, .timeout = 120) {
    for_each_seed(check_involution);
}

/* What `from` has queued, in pieces of random size, to `to`. */
static void carry(uint64_t *state, feed *from, feed *to) {
    for (wring_bytes out; (out = wring_machine_output(from->machine)).len > 0;) {
        const size_t n = 1 + below(state, out.len);
        feed_piece(to, out.data, n);
        wring_machine_sent(from->machine, n);
    }
}

static void check_round_trip(uint64_t seed, feed_config from_config, feed_config to_config) {
    uint64_t state = seed;
    feed from = feed_begin(from_config), to = feed_begin(to_config), want = {0};
    uint8_t *payload = malloc(70001);
    for (size_t i = 1 + below(&state, 5); i > 0; i--) {
        const wring_opcode opcode =
            (wring_opcode[]){WRING_TEXT, WRING_BINARY, WRING_PONG}[below(&state, 3)];
        size_t len = opcode == WRING_PONG ? below(&state, 126) : draw_len(&state);
        char text[100];
        if (opcode == WRING_BINARY) {
            draw_bytes(&state, payload, len);
        } else {
            len = draw_text(&state, payload, len);
        }
        wring_frame frame = {.opcode = opcode, .payload = wring_bytes_of(payload, len)};
        cr_assert_eq(wring_machine_send(from.machine, &frame), WRING_OK);
        snprintf(text, sizeof text, "%s(0,%zu,%.*s)",
                 opcode == WRING_TEXT     ? "TEXT"
                 : opcode == WRING_BINARY ? "BINARY"
                                          : "PONG",
                 len, len > 40 ? 40 : (int)len, (const char *)payload);
        feed_log(&want, text);
    }
    wring_machine_close(from.machine, 1001, wring_bytes_of("away", 4));
    feed_log(&want, "CLOSE(1001,4,away)END(OK,1001)");
    carry(&state, &from, &to);
    cr_assert_str_eq(to.log, want.log, "seed %lu", (unsigned long)seed);
    carry(&state, &to, &from);
    cr_assert_str_eq(from.log, "CLOSE(1001,0,)END(OK,1001)", "seed %lu", (unsigned long)seed);
    cr_assert(wring_machine_is_finished(from.machine) && wring_machine_is_finished(to.machine));
    free(payload);
    wring_machine_destroy(from.machine);
    wring_machine_destroy(to.machine);
}

static void check_client_to_server(uint64_t seed) {
    check_round_trip(seed, CLIENT, SERVER);
}

static void check_server_to_client(uint64_t seed) {
    check_round_trip(seed, SERVER, CLIENT);
}

Test(machine_properties, client_to_server_round_trip, .timeout = 120) {
    for_each_seed(check_client_to_server);
}

Test(machine_properties, server_to_client_round_trip, .timeout = 120) {
    for_each_seed(check_server_to_client);
}

/* A stream of frames, most of them legal: one in eight has a byte changed at random. */
static size_t draw_stream(uint64_t *state, uint8_t *out, size_t room) {
    size_t at = 0;
    bool open = false;
    while (room - at > 400 && below(state, 12) != 0) {
        const size_t kind = below(state, 10);
        const bool control = kind >= 7;
        const bool fin = control || below(state, 3) != 0;
        const size_t len = below(state, control ? 20 : 200);
        const uint8_t data_opcode = open ? 0 : (uint8_t)(1 + below(state, 2));
        const uint8_t opcode = !control                ? data_opcode
                               : kind == 9 && len > 16 ? 8
                               : kind == 7             ? 9
                                                       : 10;
        uint8_t *frame = out + at;
        *frame++ = (uint8_t)((fin ? 0x80 : 0) | opcode);
        *frame++ = (uint8_t)(0x80 | (len < 126 ? len : 126));
        if (len >= 126) {
            *frame++ = (uint8_t)(len >> 8);
            *frame++ = (uint8_t)len;
        }
        const uint32_t key = (uint32_t)draw(state);
        memcpy(frame, &key, 4);
        draw_text(state, frame + 4, len);
        if (opcode == 8) {
            memcpy(frame + 4, "\x03\xe8", 2);
        }
        wring__mask(frame + 4, len, key, 0);
        at = (size_t)(frame + 4 + len - out);
        open = control ? open : !fin;
    }
    if (at > 0 && below(state, 8) == 0) {
        out[below(state, at)] ^= (uint8_t)(1 + below(state, 255));
    }
    return at;
}

static void check_chunks(uint64_t seed) {
    uint64_t state = seed;
    uint8_t stream[3000];
    char whole[4096], bytewise[4096];
    const size_t len = draw_stream(&state, stream, sizeof stream);
    feed_run(SERVER, stream, len, 0, 0, whole);
    feed_run(SERVER, stream, len, 1, 0, bytewise);
    cr_assert_str_eq(bytewise, whole, "seed %lu", (unsigned long)seed);
    if (len > 1) {
        const size_t step = 1 + below(&state, 50), cut = 1 + below(&state, len - 1);
        feed_run(SERVER, stream, len, step, cut, bytewise);
        cr_assert_str_eq(bytewise, whole, "seed %lu, step %zu, cut %zu", (unsigned long)seed, step,
                         cut);
    }
}

Test(machine_properties, pieces_make_no_difference, .timeout = 120) {
    for_each_seed(check_chunks);
}
