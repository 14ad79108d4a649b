/* SPDX-License-Identifier: Apache-2.0
 *
 * The other end of permessage-deflate in tests: zlib used directly, with a window of its own.
 */
#ifndef WRING_TESTS_ZLIB_PEER_H
#define WRING_TESTS_ZLIB_PEER_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "wring/bytes.h"

typedef struct zlib_peer {
    z_stream deflate;
    z_stream inflate;
    uint8_t *out; /* of the last call */
    size_t cap;
} zlib_peer;

/* zlib deflates with 9 bits at least, and inflates with 8. */
static inline void zlib_peer_make(zlib_peer *p, int deflate_bits, int inflate_bits) {
    *p = (zlib_peer){.out = malloc(1 << 16), .cap = 1 << 16};
    cr_assert_eq(deflateInit2(&p->deflate, 6, Z_DEFLATED, -deflate_bits, 8, Z_DEFAULT_STRATEGY),
                 Z_OK);
    cr_assert_eq(inflateInit2(&p->inflate, -inflate_bits), Z_OK);
}

static inline void zlib_peer_free(zlib_peer *p) {
    deflateEnd(&p->deflate);
    inflateEnd(&p->inflate);
    free(p->out);
}

static inline void zlib_peer_room(zlib_peer *p, size_t more, z_stream *z) {
    size_t len = (size_t)(z->next_out - p->out);
    if (p->cap - len < more) {
        p->cap = (p->cap + more) * 2;
        p->out = realloc(p->out, p->cap);
    }
    z->next_out = p->out + len;
    z->avail_out = (uInt)(p->cap - len);
}

/* One message as it goes on the wire. `flush` is Z_SYNC_FLUSH, or Z_FINISH for a block with BFINAL
 * and nothing behind it. */
static inline wring_bytes zlib_peer_deflate(zlib_peer *p, const void *data, size_t len, int flush) {
    z_stream *z = &p->deflate;
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)len;
    z->next_out = p->out;
    do {
        zlib_peer_room(p, 65536, z);
        deflate(z, flush);
    } while (z->avail_out == 0);
    size_t made = (size_t)(z->next_out - p->out);
    return wring_bytes_of(p->out, flush == Z_SYNC_FLUSH ? made - 4 : made);
}

/* What a message on the wire says; fails the test when it says nothing sensible. */
static inline wring_bytes zlib_peer_inflate(zlib_peer *p, wring_bytes wire) {
    static const uint8_t tail[4] = {0, 0, 0xFF, 0xFF};
    const wring_bytes parts[2] = {wire, {tail, 4}};
    z_stream *z = &p->inflate;
    z->next_out = p->out;
    for (int i = 0; i < 2; i++) {
        z->next_in = (Bytef *)(uintptr_t)parts[i].data;
        z->avail_in = (uInt)parts[i].len;
        do {
            zlib_peer_room(p, 65536, z);
            int code = inflate(z, Z_SYNC_FLUSH);
            cr_assert(code == Z_OK || code == Z_BUF_ERROR, "the peer's zlib: %d %s", code,
                      z->msg == NULL ? "" : z->msg);
        } while (z->avail_out == 0 || z->avail_in > 0);
    }
    return wring_bytes_of(p->out, (size_t)(z->next_out - p->out));
}

/* A small generator, the same in every run. */
static inline uint64_t zlib_peer_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return *state >> 33;
}

/* Words of a small vocabulary: compresses to about a third. */
static inline void zlib_peer_text(uint8_t *out, size_t len, uint64_t *state) {
    static const char *const words[] = {"price ", "bid ",     "\"ask\":", "12.75, ",
                                        "order ", "{\"id\":", "true ",    "venue "};
    for (size_t i = 0; i < len;) {
        const char *word = words[zlib_peer_random(state) % 8];
        for (size_t j = 0; word[j] != 0 && i < len; j++) {
            out[i++] = (uint8_t)word[j];
        }
    }
}

#endif
