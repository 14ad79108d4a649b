/* SPDX-License-Identifier: Apache-2.0
 *
 * One compressor, one inflater: the only file that knows zlib. Messages go in and out whole; the
 * limit on what is inflated is kept inside the loop, to the byte.
 *
 * Contexts are handed from one connection to another, so that each knows the blocks zlib took and
 * clears what a message left there. zlib never refers to it after a reset; this is the second lock.
 */
#include "proto/deflate.h"

#include <stdlib.h>
#include <zlib.h>

/* zlib takes five blocks for a compressor (state, window, chains, heads, output), two for an
 * inflater (state, window). */
#define BLOCKS_MAX 6

/* zlib counts in unsigned int */
#define STEP_MAX ((size_t)1 << 30)

/* RFC 7692 7.2.1: what a sync flush ends with, and the wire does without */
static const uint8_t flush_tail[4] = {0x00, 0x00, 0xFF, 0xFF};

struct blocks {
    struct block {
        uint8_t *data;
        size_t len;
    } list[BLOCKS_MAX];
    unsigned count;
};

/* Zeroed: a context never shows what was in this memory before. */
static void *block_take(void *opaque, unsigned items, unsigned size) {
    struct blocks *blocks = opaque;
    size_t len = (size_t)items * size;
    if (blocks->count == BLOCKS_MAX) {
        return NULL;
    }
    uint8_t *data = calloc(1, len);
    if (data != NULL) {
        blocks->list[blocks->count++] = (struct block){data, len};
    }
    return data;
}

static void block_give(void *opaque, void *data) {
    struct blocks *blocks = opaque;
    for (unsigned i = 0; i < blocks->count; i++) {
        if (blocks->list[i].data == data) {
            blocks->list[i] = blocks->list[--blocks->count];
            break;
        }
    }
    free(data);
}

/* Clears the front of every block but the state's, which comes first: all of them fill from their
 * beginning. Legal only after a reset. */
static void blocks_clear(const struct blocks *blocks, size_t touched) {
    for (unsigned i = 1; i < blocks->count; i++) {
        memset(blocks->list[i].data, 0, wring__min_size(blocks->list[i].len, touched));
    }
}

/* ---- compressor ------------------------------------------------------------------------------ */

struct wring__compressor {
    z_stream stream;
    struct blocks blocks;
    size_t fed; /* since the reset */
    wring__deflate_tuning tuning;
};

wring__deflate_tuning wring__compressor_tuning(const wring__compressor *compressor) {
    return compressor->tuning;
}

wring__compressor *wring__compressor_create(wring__deflate_tuning tuning) {
    wring__compressor *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->tuning = tuning;
    c->stream.zalloc = block_take;
    c->stream.zfree = block_give;
    c->stream.opaque = &c->blocks;
    WRING_ASSERT(tuning.window_bits >= 9 && tuning.window_bits <= 15);
    int made = deflateInit2(&c->stream, tuning.level, Z_DEFLATED, -(int)tuning.window_bits,
                            tuning.mem_level, tuning.strategy);
    if (made != Z_OK) {
        free(c);
        return NULL;
    }
    return c;
}

void wring__compressor_destroy(wring__compressor *compressor) {
    if (compressor != NULL) {
        (void)deflateEnd(&compressor->stream);
        free(compressor);
    }
}

size_t wring__deflate_bound(size_t len) {
    /* Nine bits a byte at worst (fixed codes): zlib's own bound for any window and memLevel
     * (deflateBound), and the flush. */
    return len + (len >> 3) + (len >> 8) + (len >> 9) + 64;
}

/* Runs zlib until it has taken `len` bytes and given all it has. */
static void deflate_step(z_stream *z, const uint8_t *in, size_t len, uint8_t *out, size_t room,
                         int flush) {
    z->next_in = (z_const Bytef *)(uintptr_t)in;
    z->avail_in = (uInt)len;
    z->next_out = out;
    z->avail_out = (uInt)wring__min_size(room, UINT32_MAX);
    int result = deflate(z, flush);
    /* A result from our own buffers: nothing a peer sends comes here. */
    WRING_ASSERT(result == Z_OK && z->avail_in == 0 && z->avail_out > 0);
}

/* What zlib holds back of earlier parts: one block at memLevel 9, and the bytes it looks ahead. */
#define HELD_BACK_MAX ((size_t)136 << 10)

size_t wring__deflate_part_bound(size_t len) {
    return wring__deflate_bound(len) + HELD_BACK_MAX;
}

static size_t part_run(wring__compressor *compressor, wring_bytes part, bool last, uint8_t *out,
                       size_t room) {
    z_stream *z = &compressor->stream;
    size_t made = 0, taken = 0;
    WRING_ASSERT(part.len > 0); /* a flush of nothing twice is an error to zlib */
    while (taken < part.len) {
        const size_t len = wring__min_size(part.len - taken, STEP_MAX);
        const bool flush = last && taken + len == part.len;
        deflate_step(z, part.data + taken, len, out + made, room - made,
                     flush ? Z_SYNC_FLUSH : Z_NO_FLUSH);
        made = (size_t)(z->next_out - out);
        taken += len;
    }
    z->next_in = NULL; /* the caller's memory is not remembered */
    z->next_out = NULL;
    compressor->fed += part.len;
    WRING_ASSERT(!last || made >= 4);
    return last ? made - 4 : made;
}

size_t wring__compressor_run(wring__compressor *compressor, wring_bytes payload, uint8_t *out) {
    const size_t room = wring__deflate_bound(payload.len);
    const size_t made = part_run(compressor, payload, true, out, room);
    WRING_ASSERT(made >= 1 && memcmp(out + made, flush_tail, 4) == 0);
    return made;
}

size_t wring__compressor_part(wring__compressor *compressor, wring_bytes part, bool last,
                              uint8_t *out) {
    return part_run(compressor, part, last, out, wring__deflate_part_bound(part.len));
}

size_t wring__compressor_flush(wring__compressor *compressor, uint8_t *out) {
    z_stream *z = &compressor->stream;
    deflate_step(z, NULL, 0, out, wring__deflate_part_bound(0), Z_SYNC_FLUSH);
    const size_t made = (size_t)(z->next_out - out);
    z->next_out = NULL;
    return made;
}

void wring__compressor_reset(wring__compressor *compressor) {
    if (compressor->fed == 0) {
        return;
    }
    int result = deflateReset(&compressor->stream);
    WRING_ASSERT(result == Z_OK);
    /* chains have two bytes a position; zlib clears up to 258 bytes beyond the window's end */
    blocks_clear(&compressor->blocks, 2 * compressor->fed + 1024);
    compressor->fed = 0;
}

size_t wring__compressor_memory(wring__deflate_tuning tuning) {
    return sizeof(wring__compressor) + 6000 + ((size_t)1 << (tuning.window_bits + 2)) +
           ((size_t)1 << (tuning.mem_level + 9));
}

/* ---- inflater -------------------------------------------------------------------------------- */

struct wring__inflater {
    z_stream stream;
    struct blocks blocks;
    size_t given; /* since the reset */
};

wring__inflater *wring__inflater_create(uint8_t window_bits, wring_bytes window) {
    wring__inflater *i = calloc(1, sizeof *i);
    if (i == NULL) {
        return NULL;
    }
    i->stream.zalloc = block_take;
    i->stream.zfree = block_give;
    i->stream.opaque = &i->blocks;
    if (inflateInit2(&i->stream, -(int)window_bits) != Z_OK) {
        free(i);
        return NULL;
    }
    if (window.len > 0 && inflateSetDictionary(&i->stream, window.data, (uInt)window.len) != Z_OK) {
        wring__inflater_destroy(i);
        return NULL;
    }
    i->given = window.len;
    return i;
}

void wring__inflater_destroy(wring__inflater *inflater) {
    if (inflater != NULL) {
        (void)inflateEnd(&inflater->stream);
        free(inflater);
    }
}

/* Room for more output: twice what there is, at most one byte beyond `max`, which tells a message
 * that is as long as it may be from one that is longer. */
static wring_result inflated_grow(wring__inflated *out, uint64_t max) {
    if (out->len < out->cap) {
        return WRING_OK;
    }
    uint64_t cap = wring__min_u64(out->cap < 1024 ? 2048 : (uint64_t)out->cap * 2, max + 1);
    uint8_t *grown = realloc(out->data, (size_t)cap);
    if (grown == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    out->data = grown;
    out->cap = (size_t)cap;
    return WRING_OK;
}

/* What is made of one message: at most `max` bytes of it are legal, at `pause` it is interrupted.
 */
struct bounds {
    uint64_t max;
    uint64_t pause;
};

/* Inflates until `in` is used up, the output has all of it, or the stream has ended.
 * WRING_MORE: the pause is reached, and there may be more. */
static wring_result inflate_all(z_stream *z, const uint8_t *in, size_t len, struct bounds bounds,
                                wring__inflated *out, bool *ended) {
    z->next_in = (z_const Bytef *)(uintptr_t)in;
    z->avail_in = (uInt)len;
    for (;;) {
        if (out->len > bounds.max) { /* the limit was lowered meanwhile */
            return WRING_ERR_INFLATE_TOO_BIG;
        }
        wring_result result = inflated_grow(out, bounds.max);
        if (result != WRING_OK) {
            return result;
        }
        const uint64_t end = wring__min_u64(bounds.max + 1, bounds.pause);
        const uint64_t left = wring__min_u64(out->cap, end) - out->len;
        const uInt room = (uInt)wring__min_u64(left, STEP_MAX);
        z->next_out = out->data + out->len;
        z->avail_out = room;
        int code = inflate(z, Z_SYNC_FLUSH);
        out->len += room - z->avail_out;
        if (out->len > bounds.max) {
            return WRING_ERR_INFLATE_TOO_BIG;
        }
        if (code == Z_MEM_ERROR) {
            return WRING_ERR_NO_MEMORY;
        }
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
            return WRING_ERR_BAD_DEFLATE;
        }
        *ended = code == Z_STREAM_END;
        if (*ended || z->avail_out > 0) {
            return WRING_OK;
        }
        if (out->len == bounds.pause) {
            return WRING_MORE;
        }
    }
}

/* One run of input, from `*taken` on: also when that is its end, since zlib may hold output back. A
 * block with BFINAL ends zlib's stream but not the message (RFC 7692 7.2.3.4): what follows begins
 * at a byte, and its window is the same. */
static wring_result inflate_run(z_stream *z, wring_bytes in, size_t *taken, struct bounds bounds,
                                wring__inflated *out, bool *ended) {
    do {
        const size_t step = wring__min_size(in.len - *taken, STEP_MAX);
        wring_result result = inflate_all(z, in.data + *taken, step, bounds, out, ended);
        *taken += step - z->avail_in;
        if (result != WRING_OK) {
            return result;
        }
        if (*ended && inflateResetKeep(z) != Z_OK) {
            return WRING_ERR_BAD_DEFLATE;
        }
    } while (*taken < in.len);
    return WRING_OK;
}

/* A message whose last block had BFINAL and no more is whole: the four bytes would begin a block of
 * their own. Of others they are the end; what little they can bring is not interrupted. */
static wring_result inflate_tail(z_stream *z, uint64_t max, wring__inflated *out) {
    const struct bounds bounds = {max, UINT64_MAX};
    size_t taken = 0;
    bool ended = false;
    wring_result result =
        inflate_run(z, wring_bytes_of(flush_tail, sizeof flush_tail), &taken, bounds, out, &ended);
    const bool between_blocks = (z->data_type & 128) != 0;
    return result == WRING_OK && !ended && !between_blocks ? WRING_ERR_BAD_DEFLATE : result;
}

wring_result wring__inflater_run(wring__inflater *inflater, wring_bytes payload, size_t *taken,
                                 uint64_t max, uint64_t step, wring__inflated *out) {
    z_stream *z = &inflater->stream;
    const size_t before = out->len;
    const struct bounds bounds = {max, step < UINT64_MAX - before ? before + step : UINT64_MAX};
    bool ended = false;
    WRING_ASSERT(step > 0);
    const uint64_t input_max = step < WRING__INFLATE_INPUT ? 1 : step / WRING__INFLATE_INPUT;
    const wring_bytes share = {payload.data,
                               *taken + (size_t)wring__min_u64(payload.len - *taken, input_max)};
    wring_result result = inflate_run(z, share, taken, bounds, out, &ended);
    if (result == WRING_OK && share.len < payload.len) {
        result = WRING_MORE;
    } else if (result == WRING_OK && !ended) {
        result = inflate_tail(z, max, out);
    }
    z->next_in = NULL; /* the caller's memory is not remembered */
    z->next_out = NULL;
    inflater->given += out->len - before;
    return result;
}

void wring__inflater_reset(wring__inflater *inflater) {
    int result = inflateReset(&inflater->stream);
    WRING_ASSERT(result == Z_OK);
    blocks_clear(&inflater->blocks, inflater->given);
    inflater->given = 0;
}

size_t wring__inflater_window(wring__inflater *inflater, uint8_t out[32768]) {
    uInt len = 0;
    int result = inflateGetDictionary(&inflater->stream, out, &len);
    WRING_ASSERT(result == Z_OK);
    return len;
}

size_t wring__inflater_memory(uint8_t window_bits) {
    return sizeof(wring__inflater) + 7200 + ((size_t)1 << window_bits);
}
