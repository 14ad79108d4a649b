/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "core/cpu.h"
#include "kernels_compare.h"

/* ---- each implementation against scalar: each comparison a test of its own ---- */

struct pair {
    size_t kernels;
    size_t check;
};

ParameterizedTestParameters(kernels, equal_scalar) {
    static struct pair pairs[8 * WRING_ARRAY_LEN(kernels_checks)];
    size_t n = 0;
    for (size_t i = 0; wring__kernels_at(i) != NULL; i++) {
        for (size_t j = 0; j < WRING_ARRAY_LEN(kernels_checks); j++) {
            pairs[n++] = (struct pair){i, j};
        }
    }
    return cr_make_param_array(struct pair, pairs, n);
}

ParameterizedTest(struct pair *pair, kernels, equal_scalar) {
    const struct wring__kernels *kernels = wring__kernels_at(pair->kernels);
    if (!wring__kernels_can_run(kernels)) {
        cr_skip_test("%s is not tested: this CPU cannot run it", kernels->name);
    }
    const char *wrong = kernels_checks[pair->check].compare(kernels);
    cr_assert_null(wrong, "%s", wrong);
}

/* ---- scalar, the specification, against the words of the RFCs ---- */

/* RFC 6455 5.3: transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4). */
Test(kernels, scalar_masks_as_rfc6455_5_3) {
    static const uint8_t wire_key[4] = {0x37, 0xFA, 0x21, 0x3D};
    uint32_t key;
    memcpy(&key, wire_key, 4);
    uint8_t data[300];
    for (unsigned phase = 0; phase < 9; phase++) {
        memset(data, 0x5A, sizeof data);
        wring__kernels_scalar.mask(data, sizeof data, key, phase);
        for (size_t i = 0; i < sizeof data; i++) {
            cr_assert_eq(data[i], 0x5A ^ wire_key[(phase + i) % 4]);
        }
    }
}

/* The example of RFC 6455 5.7. */
Test(kernels, the_masked_hello_of_rfc6455_5_7) {
    uint8_t hello[] = {0x7F, 0x9F, 0x4D, 0x51, 0x58};
    size_t bad_at;
    uint32_t key;
    memcpy(&key, "\x37\xfa\x21\x3d", 4);
    cr_assert_eq(wring__unmask_utf8(0, hello, hello, sizeof hello, key, &bad_at), 0u);
    cr_assert(memcmp(hello, "Hello", 5) == 0);
}

/* Could these bytes, a lead byte and what follows it, begin (or be) one character?  By arithmetic
 * on the scalar values still in reach, which is not how the automaton's table says it. */
static bool may_begin_character(const uint8_t *bytes, size_t len) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t lead = bytes[0];
    const size_t width = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : 4;
    if ((lead & 0xC0) == 0x80 || lead >= 0xF8 || len > width) {
        return false;
    }
    uint32_t value = width == 1 ? lead : lead & (0x7Fu >> width);
    for (size_t i = 1; i < len; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            return false;
        }
        value = value << 6 | (bytes[i] & 0x3F);
    }
    const unsigned open_bits = 6 * (unsigned)(width - len);
    const uint32_t low = value << open_bits, high = low | ((1u << open_bits) - 1);
    const bool only_surrogates = low >= 0xD800 && high <= 0xDFFF;
    return high >= least[width] && low <= 0x10FFFF && !only_surrogates;
}

static bool is_whole(const uint8_t *bytes, size_t len) {
    const uint8_t lead = bytes[0];
    return len == (lead < 0x80 ? 1u : lead < 0xE0 ? 2u : lead < 0xF0 ? 3u : 4u);
}

/* The index of the first byte after which no text is possible, or len; *open tells whether the
 * text ends inside a character. */
static size_t first_impossible(const uint8_t *text, size_t len, bool *open) {
    size_t start = 0;
    for (size_t i = 0; i < len; i++) {
        if (!may_begin_character(text + start, i + 1 - start)) {
            return i;
        }
        start = is_whole(text + start, i + 1 - start) ? i + 1 : start;
    }
    *open = start < len;
    return len;
}

static void check_scalar(const uint8_t *text, size_t len) {
    bool open = false;
    const size_t want = first_impossible(text, len, &open);
    size_t bad_at = len;
    const uint32_t state = wring__kernels_scalar.utf8_feed(0, text, len, &bad_at);
    cr_assert_eq(bad_at, want, "%02x %02x %02x %02x", text[0], text[1], text[2], text[3]);
    cr_assert_eq(state == WRING__UTF8_REJECT, want < len);
    cr_assert(want < len || wring__utf8_is_complete(state) == !open);
}

Test(kernels, scalar_rejects_the_first_impossible_byte_of_every_sequence) {
    for (uint32_t first_two = 0; first_two < 0x10000; first_two++) {
        uint8_t text[4] = {(uint8_t)(first_two >> 8), (uint8_t)first_two};
        for (uint32_t third = 0; third < 256; third += text[0] >= 0xC0 ? 1 : 15) {
            text[2] = (uint8_t)third;
            for (uint32_t fourth = 0; fourth < 256; fourth += text[0] >= 0xF0 ? 3 : 51) {
                text[3] = (uint8_t)fourth;
                check_scalar(text, 4);
            }
        }
    }
}

Test(kernels, an_impossible_byte_fails_at_once_even_at_the_end_of_a_piece) {
    static const struct {
        const char *text;
        size_t bad_at;
    } rows[] = {{"\xC0", 0},
                {"\xC1", 0},
                {"\xF5", 0},
                {"\xFF", 0},
                {"\x80", 0},
                {"\xED\xA0", 1},
                {"\xE0\x80", 1},
                {"\xF0\x8F", 1},
                {"\xF4\x90", 1},
                {"\xE1\x41", 1},
                {"\xC2\xC2", 1},
                {"\xE1\x80\x41", 2},
                {"\xF1\x80\x80\xC0", 3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t bad_at = 99;
        cr_assert_eq(
            wring__utf8_feed(0, (const uint8_t *)rows[i].text, strlen(rows[i].text), &bad_at),
            WRING__UTF8_REJECT);
        cr_assert_eq(bad_at, rows[i].bad_at, "row %zu", i);
    }
}

Test(kernels, every_character_is_accepted_and_every_prefix_of_it_is_open) {
    for (uint32_t c = 0x80; c <= 0x10FFFF; c += c < 0x11000 ? 1 : 7) {
        uint8_t text[4];
        const size_t width = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        uint32_t rest = c;
        for (size_t i = width; i-- > 1; rest >>= 6) {
            text[i] = (uint8_t)(0x80 | (rest & 0x3F));
        }
        text[0] = (uint8_t)((0xF00u >> width & 0xFF) | rest);
        uint32_t state = WRING__UTF8_COMPLETE;
        size_t bad_at;
        for (size_t i = 0; i < width && state != WRING__UTF8_REJECT; i++) {
            cr_assert(i == 0 || !wring__utf8_is_complete(state));
            state = wring__utf8_feed(state, text + i, 1, &bad_at);
        }
        const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
        cr_assert_eq(state, surrogate ? WRING__UTF8_REJECT : WRING__UTF8_COMPLETE, "U+%04X", c);
    }
}

Test(kernels, a_rejected_text_stays_rejected) {
    static const uint8_t text[200] = {0};
    for (size_t len = 1; len <= sizeof text; len++) {
        size_t bad_at = 99;
        cr_assert_eq(wring__utf8_feed(WRING__UTF8_REJECT, text, len, &bad_at), WRING__UTF8_REJECT);
        cr_assert_eq(bad_at, 0);
    }
}

/* ---- properties ---- */

Test(kernels, masking_twice_gives_the_payload_back) {
    uint8_t payload[700], data[700];
    for (uint64_t round = 0; round < 5000; round++) {
        uint64_t seed = round;
        const size_t len = kernels_random(&seed) % sizeof payload;
        for (size_t i = 0; i < len; i++) {
            payload[i] = (uint8_t)kernels_random(&seed);
        }
        const uint32_t key = (uint32_t)kernels_random(&seed);
        const unsigned phase = (unsigned)kernels_random(&seed);
        memcpy(data, payload, len);
        wring__mask(data, len, key, phase);
        wring__mask(data, len, key, phase);
        cr_assert(memcmp(data, payload, len) == 0, "seed %llu", (unsigned long long)round);
    }
}

Test(kernels, masking_in_pieces_equals_masking_at_once) {
    uint8_t whole[700], pieces[700];
    for (uint64_t round = 0; round < 5000; round++) {
        uint64_t seed = round;
        const size_t len = kernels_random(&seed) % sizeof whole;
        kernels_random_text(whole, len, 4, &seed);
        const uint32_t key = (uint32_t)kernels_random(&seed);
        for (size_t i = 0; i < len;) {
            const size_t piece = 1 + kernels_random(&seed) % (len - i);
            wring__mask_copy(pieces + i, whole + i, piece, key, (unsigned)i);
            i += piece;
        }
        wring__mask(whole, len, key, 0);
        cr_assert(memcmp(whole, pieces, len) == 0, "seed %llu", (unsigned long long)round);
    }
}

/* ---- the choice ---- */

Test(kernels, the_first_of_the_table_that_runs_here_is_chosen) {
    unsetenv("WRING_ISA");
    size_t i = 0;
    while (!wring__kernels_can_run(wring__kernels_at(i))) {
        i++;
    }
    cr_assert_eq(wring__kernels_select(), wring__kernels_at(i));
    cr_assert_eq(wring__kernels(), wring__kernels_at(i));
}

Test(kernels, the_environment_chooses_what_runs_here_and_nothing_else) {
    const struct wring__kernels *kernels;
    unsetenv("WRING_ISA");
    const struct wring__kernels *best = wring__kernels_select();
    for (size_t i = 0; (kernels = wring__kernels_at(i)) != NULL; i++) {
        setenv("WRING_ISA", kernels->name, 1);
        const bool runs = wring__kernels_can_run(kernels);
        cr_assert_eq(wring__kernels_select(), runs ? kernels : best);
    }
    setenv("WRING_ISA", "altivec", 1);
    cr_assert_eq(wring__kernels_select(), best);
}

Test(kernels, scalar_is_the_last_of_the_table_and_needs_nothing) {
    const struct wring__kernels *last = NULL;
    for (size_t i = 0; wring__kernels_at(i) != NULL; i++) {
        last = wring__kernels_at(i);
    }
    cr_assert_eq(last, &wring__kernels_scalar);
    cr_assert_eq(last->needs, 0u);
}

#if defined(__x86_64__)
Test(cpu, features_agree_with_the_compiler_s_own_probe) {
    const uint32_t features = wring__cpu_features();
    __builtin_cpu_init();
    cr_assert_eq((features & WRING__CPU_SSSE3) != 0, !!__builtin_cpu_supports("ssse3"));
    cr_assert_eq((features & WRING__CPU_SSE41) != 0, !!__builtin_cpu_supports("sse4.1"));
    cr_assert_eq((features & WRING__CPU_AVX2) != 0, !!__builtin_cpu_supports("avx2"));
    cr_assert_eq((features & WRING__CPU_BMI1) != 0, !!__builtin_cpu_supports("bmi"));
    cr_assert_eq((features & WRING__CPU_BMI2) != 0, !!__builtin_cpu_supports("bmi2"));
    cr_assert_eq((features & WRING__CPU_AVX512BW) != 0, !!__builtin_cpu_supports("avx512bw"));
}
#endif
