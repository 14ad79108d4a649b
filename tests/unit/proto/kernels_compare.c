/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* mask_copy and unmask_utf8 may also move what they unmask, towards its start. */
#define SHIFT_MAX  13
#define LEN_MAX    512
#define OFFSET_MAX 64
#define TEXT_MAX   12000 /* more than two chunks of the fused loop */

const struct kernels_check kernels_checks[5] = {
    {"masks", kernels_compare_masks},   {"sequences", kernels_compare_sequences},
    {"splits", kernels_compare_splits}, {"bounds", kernels_compare_bounds},
    {"random", kernels_compare_random},
};

static char failure[256];

#define FAIL(...) (snprintf(failure, sizeof failure, __VA_ARGS__), (const char *)failure)

uint64_t kernels_random(uint64_t *seed) {
    uint64_t z = (*seed += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* ---- pages with forbidden ones on both sides ---- */

struct pages {
    uint8_t *first; /* the first byte that may be touched */
    uint8_t *end;   /* the first behind that may not */
    size_t page;
};

static struct pages pages_open(void) {
    struct pages pages = {.page = (size_t)sysconf(_SC_PAGESIZE)};
    uint8_t *all = mmap(NULL, 3 * pages.page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all + pages.page, pages.page, PROT_READ | PROT_WRITE) != 0) {
        perror("guard pages");
        abort();
    }
    pages.first = all + pages.page;
    pages.end = pages.first + pages.page;
    return pages;
}

static void pages_close(struct pages pages) {
    munmap(pages.first - pages.page, 3 * pages.page);
}

/* ---- masks ---- */

static uint8_t pattern(size_t i) {
    return (uint8_t)(i * 131 + (i >> 8) + 7);
}

/* Bytes outside [from, to) still hold the pattern. */
static bool is_pattern_outside(const uint8_t *page, size_t from, size_t to, size_t size) {
    const size_t low = from > 128 ? from - 128 : 0;
    const size_t high = to + 128 < size ? to + 128 : size;
    for (size_t i = low; i < high; i++) {
        if ((i < from || i >= to) && page[i] != pattern(i)) {
            return false;
        }
    }
    return true;
}

static void fill_pattern(uint8_t *page, size_t from, size_t len) {
    for (size_t i = from; i < from + len; i++) {
        page[i] = pattern(i);
    }
}

static const char *compare_mask_at(const struct wring__kernels *kernels, struct pages in,
                                   struct pages out, size_t at, size_t len, unsigned phase) {
    const uint32_t key = UINT32_C(0x84C2B1F7) + (uint32_t)len;
    uint8_t want[LEN_MAX + 1];
    wring__kernels_scalar.mask_copy(want, in.first + at, len, key, phase);
    kernels->mask_copy(out.first + at, in.first + at, len, key, phase);
    const bool copied = memcmp(out.first + at, want, len) == 0 &&
                        is_pattern_outside(out.first, at, at + len, out.page) &&
                        is_pattern_outside(in.first, at, at, in.page);
    memcpy(out.first + at, in.first + at, len);
    const size_t shift = at < LEN_MAX ? 0 : 1 + len % SHIFT_MAX; /* where there is room before */
    kernels->mask_copy(out.first + at - shift, out.first + at, len, key, phase);
    const bool moved = memcmp(out.first + at - shift, want, len) == 0;
    fill_pattern(out.first, at - shift, len + shift);
    memcpy(out.first + at, in.first + at, len);
    kernels->mask(out.first + at, len, key, phase);
    const bool masked = memcmp(out.first + at, want, len) == 0 &&
                        is_pattern_outside(out.first, at, at + len, out.page);
    fill_pattern(out.first, at, len);
    return copied && moved && masked
               ? NULL
               : FAIL("%s %s: length %zu at %zu, phase %u, moved by %zu", kernels->name,
                      copied && moved ? "mask" : "mask_copy", len, at, phase, shift);
}

const char *kernels_compare_masks(const struct wring__kernels *kernels) {
    const struct pages in = pages_open(), out = pages_open();
    fill_pattern(in.first, 0, in.page);
    fill_pattern(out.first, 0, out.page);
    const char *wrong = NULL;
    for (size_t len = 0; len <= LEN_MAX && wrong == NULL; len++) {
        for (size_t offset = 0; offset < OFFSET_MAX && wrong == NULL; offset++) {
            const unsigned phase = (unsigned)(len + offset) & 3;
            for (unsigned p = 0; p < 4 && wrong == NULL; p++) {
                wrong = compare_mask_at(kernels, in, out, offset, len, p);
            }
            if (wrong == NULL) {
                wrong = compare_mask_at(kernels, in, out, in.page - len - offset, len, phase);
            }
        }
    }
    pages_close(in);
    pages_close(out);
    return wrong;
}

/* ---- UTF-8 ---- */

struct outcome {
    uint32_t state;
    size_t bad_at;
};

#define NOWHERE ((size_t)-1)

static bool same(struct outcome a, struct outcome b) {
    return a.state == b.state && a.bad_at == b.bad_at;
}

static struct outcome feed(const struct wring__kernels *kernels, uint32_t state,
                           const uint8_t *text, size_t len) {
    struct outcome got = {.bad_at = NOWHERE};
    got.state = kernels->utf8_feed(state, text, len, &got.bad_at);
    return got;
}

/* How far behind its place a masked text lies. */
static size_t shift_of(size_t len) {
    return len % SHIFT_MAX;
}

/* The fused loop over a masked copy in `room`; a text that comes back changed is an outcome that
 * equals nothing. */
static struct outcome feed_masked(const struct wring__kernels *kernels, uint32_t state,
                                  const uint8_t *text, size_t len, uint8_t *room) {
    const uint32_t key = UINT32_C(0xC8A57F13);
    const size_t shift = shift_of(len);
    wring__kernels_scalar.mask_copy(room + shift, text, len, key, 0);
    struct outcome got = {.bad_at = NOWHERE};
    got.state = kernels->unmask_utf8(state, room, room + shift, len, key, &got.bad_at);
    if (memcmp(room, text, len) != 0) {
        got.state = UINT32_MAX;
    }
    return got;
}

static const char *compare_piece(const struct wring__kernels *kernels, uint32_t *state,
                                 const uint8_t *text, size_t len, uint8_t *room) {
    const struct outcome want = feed(&wring__kernels_scalar, *state, text, len);
    const struct outcome plain = feed(kernels, *state, text, len);
    const struct outcome fused = feed_masked(kernels, *state, text, len, room);
    if (!same(plain, want) || !same(fused, want)) {
        return FAIL("%s %s: length %zu from state %u: state %u bad_at %zd, not %u %zd",
                    kernels->name, same(plain, want) ? "unmask_utf8" : "utf8_feed", len, *state,
                    same(plain, want) ? fused.state : plain.state,
                    (ssize_t)(same(plain, want) ? fused.bad_at : plain.bad_at), want.state,
                    (ssize_t)want.bad_at);
    }
    *state = want.state;
    return NULL;
}

/* A text, cut at two places (or fewer: a cut may be an end). */
static const char *compare_cut(const struct wring__kernels *kernels, const uint8_t *text,
                               size_t len, size_t cut, size_t cut2) {
    static uint8_t room[TEXT_MAX + SHIFT_MAX];
    uint32_t state = WRING__UTF8_COMPLETE;
    const char *wrong = compare_piece(kernels, &state, text, cut, room);
    if (wrong == NULL) {
        wrong = compare_piece(kernels, &state, text + cut, cut2 - cut, room);
    }
    return wrong != NULL ? wrong : compare_piece(kernels, &state, text + cut2, len - cut2, room);
}

/* Longer than what any implementation leaves to the scalar one, so that vectors do the work. */
#define SEQUENCE_TEXT 100

/* The sequence at a place in ASCII that moves on with each call, so that it crosses vectors. */
static const char *compare_sequence(const struct wring__kernels *kernels, const uint8_t *sequence,
                                    size_t len) {
    static uint8_t text[SEQUENCE_TEXT];
    static size_t at;
    at = at + len + 1 >= sizeof text ? 0 : at + 1;
    memset(text, 'a', sizeof text);
    memcpy(text + at, sequence, len);
    const struct outcome want =
        feed(&wring__kernels_scalar, WRING__UTF8_COMPLETE, text, sizeof text);
    const struct outcome got = feed(kernels, WRING__UTF8_COMPLETE, text, sizeof text);
    return same(got, want)
               ? NULL
               : FAIL("%s utf8_feed: %02x %02x %02x %02x (%zu bytes) at %zu: state %u bad_at %zd",
                      kernels->name, sequence[0], sequence[1], sequence[2], sequence[3], len, at,
                      got.state, (ssize_t)got.bad_at);
}

/* All values of a third byte where the kernels are optimised; else those around each limit of
 * RFC 3629, since no kernel looks at more than the high nibble of a third byte. */
static size_t third_step(size_t third) {
#if defined(__OPTIMIZE__) && defined(__x86_64__) /* not under an emulator */
    return third + 1;
#else
    return (third & 15) == 15 ? third + 1 : third | 15;
#endif
}

static const char *compare_thirds(const struct wring__kernels *kernels, uint8_t *sequence) {
    static const uint8_t fourths[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
    const char *wrong = NULL;
    for (size_t third = 0; third < 256 && wrong == NULL; third = third_step(third)) {
        sequence[2] = (uint8_t)third;
        wrong = compare_sequence(kernels, sequence, 3);
        const bool matters = sequence[0] >= 0xF0 && ((third & 15) == 0 || (third & 15) == 15);
        for (size_t i = 0; matters && i < sizeof fourths && wrong == NULL; i++) {
            sequence[3] = fourths[i];
            wrong = compare_sequence(kernels, sequence, 4);
        }
    }
    return wrong;
}

const char *kernels_compare_sequences(const struct wring__kernels *kernels) {
    const char *wrong = NULL;
    for (size_t first_two = 0; first_two < 0x10000 && wrong == NULL; first_two++) {
        uint8_t sequence[4] = {(uint8_t)(first_two >> 8), (uint8_t)first_two, 0, 0};
        wrong = compare_sequence(kernels, sequence, 2);
        if (wrong == NULL && sequence[1] == 0) {
            wrong = compare_sequence(kernels, sequence, 1);
        }
        if (wrong == NULL) {
            wrong = compare_thirds(kernels, sequence);
        }
    }
    return wrong;
}

/* One of each class of RFC 3629 4, at its limits; then what each limit forbids. */
static const char *const classes[] = {
    "\x7F",
    "\xC2\x80",
    "\xDF\xBF",
    "\xE0\xA0\x80",
    "\xE1\x80\x80",
    "\xEC\xBF\xBF",
    "\xED\x80\x80",
    "\xED\x9F\xBF",
    "\xEE\x80\x80",
    "\xEF\xBF\xBF",
    "\xF0\x90\x80\x80",
    "\xF1\x80\x80\x80",
    "\xF3\xBF\xBF\xBF",
    "\xF4\x8F\xBF\xBF",
    "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
    "\x80",
    "\xBF",
    "\xC0\x80",
    "\xC1\xBF",
    "\xC2",
    "\xC2\xC2\x80",
    "\xDF\xC0",
    "\xE0\x80\x80",
    "\xE0\x9F\xBF",
    "\xE0\xA0",
    "\xE1\x80",
    "\xE1\x80\xC0",
    "\xED\xA0\x80",
    "\xED\xBF\xBF",
    "\xF0\x80\x80\x80",
    "\xF0\x8F\xBF\xBF",
    "\xF0\x90\x80",
    "\xF1\x80",
    "\xF4\x90\x80\x80",
    "\xF4\xBF\xBF\xBF",
    "\xF5\x80\x80\x80",
    "\xF8\x88\x80\x80",
    "\xFE",
    "\xFF",
    "\xC2\x80\x80",
    "\xE1\x80\x80\x80",
    "\xF1\x80\x80\x80\x80",
};

static const char *compare_class_at(const struct wring__kernels *kernels, const char *sequence,
                                    size_t at, size_t after) {
    uint8_t text[TEXT_MAX];
    const size_t len = at + strlen(sequence) + after;
    memset(text, 'x', len);
    memcpy(text + at, sequence, strlen(sequence));
    const char *wrong = NULL;
    for (size_t cut = 0; cut <= strlen(sequence) && wrong == NULL; cut++) {
        for (size_t cut2 = cut; cut2 <= strlen(sequence) && wrong == NULL; cut2++) {
            wrong = compare_cut(kernels, text, len, at + cut, at + cut2);
        }
    }
    return wrong;
}

const char *kernels_compare_splits(const struct wring__kernels *kernels) {
    static const size_t afters[] = {0, 1, 3, 40, 61, 90};
    const char *wrong = NULL;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        for (size_t at = 0; at < 140; at++) {
            for (size_t j = 0; j < sizeof afters / sizeof afters[0] && wrong == NULL; j++) {
                wrong = compare_class_at(kernels, classes[i], at, afters[j]);
            }
        }
    }
    return wrong;
}

/* Text that begins right behind, or ends right before, a page that may not be touched. */
const char *kernels_compare_bounds(const struct wring__kernels *kernels) {
    const struct pages in = pages_open(), out = pages_open();
    const char *wrong = NULL;
    uint64_t seed = 1;
    for (size_t len = 0; len <= LEN_MAX && wrong == NULL; len++) {
        for (unsigned round = 0; round < 16 && wrong == NULL; round++) {
            const bool at_end = (round & 1) != 0;
            uint8_t *text = at_end ? in.end - len : in.first;
            uint8_t *room = at_end ? out.end - len - shift_of(len) : out.first;
            kernels_random_text(text, len, 1 + (round >> 1 & 3), &seed);
            if (round >= 8 && len > 0) {
                text[kernels_random(&seed) % len] ^= 0x80;
            }
            uint32_t state = WRING__UTF8_COMPLETE;
            wrong = compare_piece(kernels, &state, text, len, room);
        }
    }
    pages_close(in);
    pages_close(out);
    return wrong;
}

/* ---- random texts ---- */

static uint32_t random_character(unsigned width, uint64_t *seed) {
    static const uint32_t first[] = {0, 0, 0x80, 0x800, 0x10000, 0x110000};
    for (;;) {
        const uint32_t span = first[width + 1] - first[width];
        const uint32_t character = first[width] + (uint32_t)(kernels_random(seed) % span);
        if (character < 0xD800 || character > 0xDFFF) {
            return character;
        }
    }
}

static void put_character(uint8_t *at, uint32_t character, unsigned width) {
    static const uint8_t lead[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    for (unsigned i = width; i-- > 1; character >>= 6) {
        at[i] = (uint8_t)(0x80 | (character & 0x3F));
    }
    at[0] = (uint8_t)(lead[width] | character);
}

void kernels_random_text(uint8_t *text, size_t len, unsigned width_max, uint64_t *seed) {
    size_t i = 0;
    while (i < len) {
        const unsigned width = 1 + (unsigned)(kernels_random(seed) % width_max);
        if (width > len - i) {
            text[i++] = 'z';
            continue;
        }
        /* The first widths[] entry is ASCII: 0-7F. */
        put_character(text + i,
                      width == 1 ? (uint32_t)(kernels_random(seed) & 0x7F)
                                 : random_character(width, seed),
                      width);
        i += width;
    }
}

static void mutate(uint8_t *text, size_t len, uint64_t *seed) {
    const size_t at = kernels_random(seed) % len;
    switch (kernels_random(seed) & 3) {
    case 0:
        text[at] ^= (uint8_t)(1u << (kernels_random(seed) & 7));
        break;
    case 1:
        text[at] = (uint8_t)kernels_random(seed);
        break;
    case 2: /* a byte goes missing */
        memmove(text + at, text + at + 1, len - at - 1);
        break;
    default: /* a byte comes twice */
        memmove(text + at + (at + 1 < len), text + at, len - at - 1);
        break;
    }
}

const char *kernels_compare_random(const struct wring__kernels *kernels) {
    uint8_t text[TEXT_MAX];
    for (uint64_t round = 0; round < 6000; round++) {
        uint64_t seed = round;
        const size_t len = 1 + kernels_random(&seed) % ((round & 31) == 0 ? TEXT_MAX : 200);
        kernels_random_text(text, len, 1 + (unsigned)(round & 3), &seed);
        for (uint64_t n = kernels_random(&seed) % 3; n > 0; n--) {
            mutate(text, len, &seed);
        }
        const size_t cut = kernels_random(&seed) % (len + 1);
        const size_t cut2 = cut + kernels_random(&seed) % (len - cut + 1);
        const char *wrong = compare_cut(kernels, text, len, cut, cut2);
        if (wrong != NULL) {
            const size_t used = strlen(failure);
            snprintf(failure + used, sizeof failure - used, " (seed %llu)",
                     (unsigned long long)round);
            return failure;
        }
    }
    return NULL;
}
