/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole tables of inputs, each against a machine slow and plain enough to be believed: all opcode
 * sequences up to length 6, all lengths up to 70,000, every split of every UTF-8 sequence class.
 */
#include "tests/unit/proto/machine_feed.h"

/* ---- opcode sequences ------------------------------------------------------------------------ */

#define SEQUENCE_MAX 6

static const uint8_t symbols[] = {0x01, 0x81, 0x02, 0x82, 0x00, 0x80, 0x88,
                                  0x89, 0x8A, 0x83, 0x8B, 0x08, 0x09, 0xC1};
#define SYMBOLS (sizeof symbols)

/* What a sequence leads to: one letter an event, in order. t and b with the number of fragments'
 * bytes, i ping, o pong, c close and normal end, F failure. */
static void reference_run(const uint8_t *frames, size_t count, char *out) {
    unsigned open = 0, pieces = 0;
    for (size_t i = 0; i < count; i++) {
        const unsigned fin = frames[i] >> 7, rsv = frames[i] >> 4 & 7, opcode = frames[i] & 15;
        const bool control = opcode >= 8, known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
        const bool out_of_place = !control && (opcode == 0) != (open != 0);
        if (!known || rsv != 0 || (control && !fin) || out_of_place) {
            *out++ = 'F';
            break;
        }
        if (opcode == 8) {
            *out++ = 'c';
            break;
        }
        if (control) {
            *out++ = opcode == 9 ? 'i' : 'o';
            continue;
        }
        open = opcode == 0 ? open : opcode;
        pieces++;
        if (fin) {
            *out++ = open == 1 ? 't' : 'b';
            *out++ = (char)('0' + pieces);
            open = pieces = 0;
        }
    }
    *out = 0;
}

static void machine_events(wring_machine *machine, char **out) {
    wring_event event;
    while (wring_machine_next(machine, &event) == WRING_OK) {
        if (event.kind == WRING_EVENT_END) {
            const wring_result result = feed_end(machine).result;
            if (result != WRING_OK) {
                cr_assert_eq(result, WRING_ERR_PROTOCOL);
                *(*out)++ = 'F';
            }
            continue;
        }
        *(*out)++ = "?tb?????cio"[event.message.opcode];
        if (event.message.opcode <= WRING_BINARY) {
            *(*out)++ = (char)('0' + event.message.payload.len);
        }
    }
}

static void sequence_check(const uint8_t *frames, size_t count) {
    uint8_t wire[SEQUENCE_MAX * 3];
    char want[32], got[32], *end = got;
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        const bool close =
            (frames[i] & 15) == WRING_CLOSE; /* one byte of payload is illegal there */
        wire[len++] = frames[i];
        wire[len++] = close ? 0 : 1;
        if (!close) {
            wire[len++] = 'x';
        }
    }
    feed f = feed_begin(CLIENT);
    wring_mut_bytes bytes = {wire, len};
    cr_assert_eq(wring_machine_feed(f.machine, bytes, 2), WRING_OK);
    machine_events(f.machine, &end);
    *end = 0;
    wring_machine_destroy(f.machine);
    reference_run(frames, count, want);
    if (strcmp(got, want) != 0) { /* a cr_assert each would take the longest part of the time */
        cr_assert_fail("%02x %02x %02x %02x %02x %02x, %zu frames: got %s, want %s", frames[0],
                       frames[1], frames[2], frames[3], frames[4], frames[5], count, got, want);
    }
}

/* The symbols that end a machine are tried in every place once; what follows them is not seen. */
static bool ends(uint8_t symbol) {
    return (symbol & 0x70) != 0 || (symbol & 15) == 3 || (symbol & 15) == 11 ||
           (symbol & 0x8F) == 8 || (symbol & 0x8F) == 9 || symbol == 0x88;
}

static size_t sequences_from(uint8_t *frames, size_t count) {
    size_t checked = 1;
    sequence_check(frames, count);
    if (count == SEQUENCE_MAX || (count > 1 && ends(frames[count - 2]))) {
        return checked;
    }
    for (size_t s = 0; s < SYMBOLS; s++) {
        frames[count] = symbols[s];
        checked += sequences_from(frames, count + 1);
        frames[count] = 0;
    }
    return checked;
}

Test(machine_tables, opcode_sequences_up_to_length_6, .timeout = 300) {
    uint8_t frames[SEQUENCE_MAX] = {0};
    const size_t checked = sequences_from(frames, 0);
    cr_assert_gt(checked, 700000, "%zu", checked);
}

/* ---- lengths --------------------------------------------------------------------------------- */

#define LENGTH_MAX 70000

/* Sanitized and unoptimised builds take every 61st length and those where something changes. */
static size_t length_after(size_t len) {
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
    return len + 1;
#else
    const bool edge = len < 300 || (len >= 65400 && len < 65700);
    return edge ? len + 1 : len + 61;
#endif
}

static void length_check(wring_machine *from, wring_machine *to, const uint8_t *payload,
                         size_t len) {
    wring_frame frame = {.opcode = WRING_BINARY, .payload = wring_bytes_of(payload, len)};
    wring_event event = {0};
    size_t seen = 0;
    cr_assert_eq(wring_machine_send(from, &frame), WRING_OK);
    for (wring_bytes out; (out = wring_machine_output(from)).len > 0;) {
        wring_mut_bytes bytes = {(uint8_t *)(uintptr_t)out.data, out.len};
        cr_assert_eq(wring_machine_feed(to, bytes, 2), WRING_OK);
        while (wring_machine_next(to, &event) == WRING_OK) {
            seen++;
            if (event.kind != WRING_EVENT_MESSAGE || event.message.payload.len != len ||
                memcmp(event.message.payload.data, payload, len) != 0) {
                cr_assert_fail("length %zu did not come back as it went", len);
            }
        }
        wring_machine_sent(from, out.len);
    }
    cr_assert_eq(seen, 1, "length %zu: %zu messages", len, seen);
}

static void lengths_check(feed_config from_config, feed_config to_config) {
    feed from = feed_begin(from_config), to = feed_begin(to_config);
    uint8_t *payload = malloc(LENGTH_MAX);
    for (size_t i = 0; i < LENGTH_MAX; i++) {
        payload[i] = (uint8_t)(i * 131 >> 3);
    }
    for (size_t len = 0; len <= LENGTH_MAX; len = length_after(len)) {
        length_check(from.machine, to.machine, payload, len);
    }
    free(payload);
    wring_machine_destroy(from.machine);
    wring_machine_destroy(to.machine);
}

Test(machine_tables, all_lengths_to_70000_from_client_to_server, .timeout = 300) {
    lengths_check(CLIENT, SERVER);
}

Test(machine_tables, all_lengths_to_70000_from_server_to_client, .timeout = 300) {
    lengths_check(SERVER, CLIENT);
}

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

/* How many bytes of `data` can be the start of a valid text: RFC 3629 by the value of the code
 * point. `whole` tells whether all of it is one. */
static size_t reference_utf8(const uint8_t *data, size_t len, bool *whole) {
    size_t i = 0;
    while (i < len) {
        const uint8_t lead = data[i];
        const size_t n = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        uint32_t low = n < 2 ? lead : lead & (0x7Fu >> n), high;
        static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
        if (n == 0 || lead > 0xF4) {
            break;
        }
        size_t k = 1;
        for (;; k++) { /* the code points still possible are low to high */
            const unsigned missing = 6 * (unsigned)(n - k);
            const uint32_t from = low << missing;
            high = from | ((1u << missing) - 1);
            const bool possible =
                high >= least[n] && from <= 0x10FFFF && !(from >= 0xD800 && high <= 0xDFFF);
            if (!possible) {
                *whole = false;
                return k == 1 ? i : i + k - 1;
            }
            if (k == n || i + k == len || (data[i + k] & 0xC0) != 0x80) {
                break;
            }
            low = low << 6 | (data[i + k] & 0x3F);
        }
        if (k < n) {
            *whole = false;
            return i + k;
        }
        i += n;
    }
    *whole = i == len;
    return i;
}

/* Feeds `text` as one message in pieces: bit i of `cuts` cuts behind byte i, by a new read, and by
 * a new frame if the same bit of `frames` is set too. Returns the bytes fed when it failed, or
 * len + 1 if it failed with the end of the message, or SIZE_MAX. */
static size_t utf8_fed(const uint8_t *text, size_t len, unsigned cuts, unsigned frames) {
    feed f = feed_begin(SERVER);
    size_t at = 0, failed = SIZE_MAX;
    bool begun = false;
    while (failed == SIZE_MAX && at <= len) {
        size_t to = at + 1; /* the frame is text[at..to) */
        for (; to < len && !(frames & cuts & 1u << (to - 1)); to++) {
        }
        to = to > len ? len : to;
        const bool last = to == len;
        const uint8_t header[] = {(uint8_t)((begun ? 0 : WRING_TEXT) | (last ? 0x80 : 0)),
                                  (uint8_t)(0x80 | (to - at)),
                                  0,
                                  0,
                                  0,
                                  0};
        begun = true;
        feed_piece(&f, header, sizeof header);
        do {
            size_t end = at + 1;
            for (; end < to && !(cuts & 1u << (end - 1)); end++) {
            }
            end = end > to ? to : end;
            feed_piece(&f, text + at, end - at);
            at = end;
            if (strstr(f.log, "END(ERR_INVALID_UTF8,1007)") != NULL) {
                failed = at;
            }
        } while (failed == SIZE_MAX && at < to);
        if (last) {
            break;
        }
    }
    const bool shown = strncmp(f.log, "TEXT(", 5) == 0;
    cr_assert_eq(shown, failed == SIZE_MAX, "%s", f.log);
    wring_machine_destroy(f.machine);
    return failed;
}

static void utf8_check(const uint8_t *text, size_t len) {
    bool whole;
    const size_t good = reference_utf8(text, len, &whole);
    for (unsigned cuts = 0; cuts < 1u << (len > 0 ? len - 1 : 0); cuts++) {
        for (unsigned frames = 0; frames <= cuts; frames++) {
            if ((frames & cuts) != frames) {
                continue;
            }
            const size_t failed = utf8_fed(text, len, cuts, frames);
            size_t want = SIZE_MAX; /* the end of the piece that holds the first impossible byte */
            if (!whole) {
                want = good < len ? good + 1 : len;
                for (; want < len && !(cuts & 1u << (want - 1)); want++) {
                }
            }
            cr_assert_eq(failed, want,
                         "%02x %02x %02x %02x %02x (%zu bytes), cuts %x, frames %x: failed at %zd, "
                         "want %zd",
                         text[0], text[1], text[2], text[3], text[4], len, cuts, frames,
                         (ssize_t)failed, (ssize_t)want);
        }
    }
}

/* Every class of lead byte with every class of each byte behind it, in front of nothing, of ASCII
 * and of another character: at each limit of RFC 3629's table, on both sides. */
static const uint8_t leads[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC,
                                0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF};
static const uint8_t seconds[] = {0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC2};
static const uint8_t thirds[] = {0x41, 0x80, 0xBF, 0xC0};

Test(machine_tables, every_split_of_every_utf8_sequence_class, .timeout = 300) {
    uint8_t text[8] = {0};
    for (size_t a = 0; a < sizeof leads; a++) {
        text[0] = leads[a];
        utf8_check(text, 1);
        for (size_t b = 0; b < sizeof seconds; b++) {
            text[1] = seconds[b];
            utf8_check(text, 2);
            for (size_t c = 0; c < sizeof thirds; c++) {
                text[2] = thirds[c];
                utf8_check(text, 3);
                for (size_t d = 0; d < sizeof thirds; d++) {
                    text[3] = thirds[d];
                    utf8_check(text, 4);
                    text[4] = 'z';
                    utf8_check(text, 5);
                    text[4] = 0;
                }
                text[3] = 0;
            }
            text[2] = 0;
        }
        text[1] = 0;
    }
}
