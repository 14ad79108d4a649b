/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies: decoded whole and in pieces, which has to come to the same, and judged by whole lines.
 * Each piece of input is a copy of its own size, so that ASan sees a read past it.
 *
 *     mode | length (16 bits) | cuts | body and what follows it
 */
#include <stdlib.h>

#include "proto/http1_body.h"
#include "tests/fuzz/fuzz.h"

enum mode { CHUNKED, LENGTH, UNTIL_EOF };

struct taken {
    fuzz_log body;
    size_t used;
    wring_result result;
};

/* ---- the decoder ----------------------------------------------------------------------------- */

static wring__http1_body begin(enum mode mode, uint64_t length) {
    wring__http1_body body;
    if (mode == UNTIL_EOF) {
        wring__http1_body_begin_response(&body, 403, (wring_headers){NULL, 0});
    } else {
        wring__http1_body_begin(&body, mode == CHUNKED, length);
    }
    return body;
}

static void feed(wring__http1_body *body, wring_bytes bytes, struct taken *taken) {
    uint8_t *copy = fuzz_copy(bytes);
    wring_bytes in = {copy, bytes.len};
    wring_bytes piece;
    do {
        size_t used = SIZE_MAX;
        taken->result = wring__http1_body_next(body, in, &used, &piece);
        FUZZ_CHECK(used <= in.len);
        if (piece.len > 0) {
            FUZZ_CHECK(taken->result == WRING_OK && piece.len <= used);
            FUZZ_CHECK(piece.data + piece.len == in.data + used);
            fuzz_log_bytes(&taken->body, piece);
        }
        taken->used += used;
        (void)fuzz_take(&in, used);
    } while (piece.len > 0);
    FUZZ_CHECK(taken->result != WRING_MORE || in.len == 0);
    FUZZ_CHECK((taken->result == WRING_OK) == wring__http1_body_has_ended(body));
    FUZZ_CHECK(body->extension_bytes <= WRING__HTTP1_EXTENSION_BYTES_MAX + 1);
    free(copy);
}

static struct taken decode(wring__http1_body body, wring_bytes in, fuzz_cuts *cuts) {
    struct taken taken = {.result = WRING_MORE};
    do {
        const size_t len = in.len == 0 || cuts == NULL ? in.len : fuzz_cuts_next(cuts, in.len);
        feed(&body, fuzz_take(&in, len), &taken);
    } while (in.len > 0 && taken.result == WRING_MORE);
    return taken;
}

/* ---- the judge ------------------------------------------------------------------------------- */

/* A line that ends with CRLF and has neither before. */
static bool line_take(wring_bytes *in, wring_bytes *line) {
    for (size_t i = 0; i + 1 < in->len && in->data[i] != '\n'; i++) {
        if (in->data[i] == '\r') {
            const bool whole = in->data[i + 1] == '\n';
            *line = fuzz_take(in, i);
            (void)fuzz_take(in, 2);
            return whole;
        }
    }
    return false;
}

static bool is_text(wring_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if ((text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] == 0x7F) {
            return false;
        }
    }
    return true;
}

/* size [ BWS ";" anything ] */
static bool size_line(wring_bytes line, uint64_t *size, size_t *extensions) {
    char digits[17] = {0};
    char *end = digits;
    const wring_bytes hex = {line.data, wring__min_size(line.len, 16)};
    if (hex.len == 0 || hex.data[0] < '0') { /* strtoull would skip spaces and take a sign */
        return false;
    }
    memcpy(digits, hex.data, hex.len);
    if (digits[0] == '0' && (digits[1] | 0x20) == 'x') {
        digits[1] = 0; /* ... and a prefix */
    }
    *size = strtoull(digits, &end, 16);
    if (end == digits || *size > INT64_MAX) {
        return false;
    }
    (void)fuzz_take(&line, (size_t)(end - digits));
    *extensions += line.len == 0 ? 0 : line.len - 1;
    if (line.len == 0) {
        return true;
    }
    wring_bytes rest = line;
    while (rest.len > 0 && (rest.data[0] == ' ' || rest.data[0] == '\t')) {
        (void)fuzz_take(&rest, 1);
    }
    return rest.len > 0 && rest.data[0] == ';' && is_text(rest) && *extensions <= 4096;
}

static bool trailer_line(wring_bytes line) {
    static const char others[] = "!#$%&'*+-.^_`|~";
    size_t len = 0;
    while (len < line.len && line.data[len] != ':') {
        const uint8_t c = line.data[len++];
        const bool alnum =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == 0 || strchr(others, c) == NULL)) {
            return false;
        }
    }
    return len > 0 && len < line.len && is_text(line);
}

static bool trailers_take(wring_bytes *in) {
    size_t bytes = 0;
    size_t fields = 0;
    wring_bytes line;
    while (line_take(in, &line)) {
        if (line.len == 0) {
            return true;
        }
        bytes += line.len + 1;
        if (++fields > 64 || bytes > 8192 || !trailer_line(line)) {
            return false;
        }
    }
    return false;
}

/* Is there a whole, legal chunked body at the start? */
static bool judge(wring_bytes in, struct taken *out) {
    const wring_bytes all = in;
    size_t extensions = 0;
    uint64_t size = 1;
    while (size > 0) {
        wring_bytes line;
        if (!line_take(&in, &line) || !size_line(line, &size, &extensions)) {
            return false;
        }
        if (size > 0) {
            if (in.len < 2 || size > in.len - 2 || memcmp(in.data + size, "\r\n", 2) != 0) {
                return false;
            }
            fuzz_log_bytes(&out->body, fuzz_take(&in, (size_t)size));
            (void)fuzz_take(&in, 2);
        }
    }
    const bool legal = trailers_take(&in);
    out->used = all.len - in.len;
    return legal;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    wring_bytes in = {data, len};
    const enum mode mode = (enum mode)(fuzz_u8(&in) % 3);
    const uint64_t length = fuzz_u16(&in);
    fuzz_cuts cuts = fuzz_cuts_take(&in);
    const wring__http1_body body = begin(mode, length);
    struct taken whole = decode(body, in, NULL);
    struct taken cut = decode(body, in, &cuts);
    FUZZ_CHECK(whole.result == cut.result && whole.used == cut.used);
    FUZZ_CHECK(fuzz_log_equal(&whole.body, &cut.body));
    if (mode == CHUNKED) {
        struct taken want = {.used = 0};
        FUZZ_CHECK(judge(in, &want) == (whole.result == WRING_OK));
        FUZZ_CHECK(whole.result != WRING_OK ||
                   (want.used == whole.used && fuzz_log_equal(&want.body, &whole.body)));
        fuzz_log_free(&want.body);
    } else {
        const size_t most = mode == LENGTH ? wring__min_size((size_t)length, in.len) : in.len;
        const bool ended = mode == LENGTH && length == most;
        FUZZ_CHECK(whole.result == (ended ? WRING_OK : WRING_MORE) && whole.used == most);
        FUZZ_CHECK(wring_bytes_equal(wring_bytes_of(whole.body.data, whole.body.len),
                                     wring_bytes_of(in.data, most)));
    }
    fuzz_log_free(&whole.body);
    fuzz_log_free(&cut.body);
    return 0;
}
