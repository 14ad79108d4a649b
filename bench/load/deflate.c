/* SPDX-License-Identifier: Apache-2.0
 *
 * Prebuilt compressed messages. See deflate.h.
 */
#include "bench/load/deflate.h"

#include <stdlib.h>
#include <zlib.h>

#define RAW_WINDOW    (-15)
#define LEVEL         6
#define MEM_LEVEL     8
#define SYNC_TAIL_LEN 4 /* 00 00 FF FF, left out on the wire: RFC 7692 7.2.1 */

static size_t stored_write(uint8_t *out, const uint8_t *plain, size_t len) {
    if (len == 0) {
        return 0;
    }
    out[0] = 0; /* not the last block, stored, then up to the byte's end nothing */
    out[1] = (uint8_t)len;
    out[2] = (uint8_t)(len >> 8);
    out[3] = (uint8_t)~out[1];
    out[4] = (uint8_t)~out[2];
    memcpy(out + LOAD_DEFLATE_STORED_HEADER, plain, len);
    return LOAD_DEFLATE_STORED_HEADER + len;
}

wring_result load_deflate(const uint8_t *plain, size_t len, size_t stored, uint8_t **out,
                          size_t *out_len) {
    z_stream z = {0};
    WRING_ASSERT(stored <= len && stored <= UINT16_MAX && len <= UINT32_MAX);
    if (deflateInit2(&z, LEVEL, Z_DEFLATED, RAW_WINDOW, MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        return WRING_ERR_NO_MEMORY;
    }
    const size_t cap =
        LOAD_DEFLATE_STORED_HEADER + stored + deflateBound(&z, (uLong)(len - stored)) + 16;
    *out = malloc(cap);
    if (*out == NULL) {
        deflateEnd(&z);
        return WRING_ERR_NO_MEMORY;
    }
    const size_t head = stored_write(*out, plain, stored);
    z.next_in = (Bytef *)(uintptr_t)(plain + stored);
    z.avail_in = (uInt)(len - stored);
    z.next_out = *out + head;
    z.avail_out = (uInt)(cap - head);
    const int code = deflate(&z, Z_SYNC_FLUSH);
    WRING_ASSERT(code == Z_OK && z.avail_in == 0 && z.avail_out > 0);
    *out_len = head + z.total_out - SYNC_TAIL_LEN;
    deflateEnd(&z);
    return WRING_OK;
}

struct load_inflater {
    z_stream z;
};

load_inflater *load_inflater_create(void) {
    load_inflater *inflater = calloc(1, sizeof *inflater);
    if (inflater != NULL && inflateInit2(&inflater->z, RAW_WINDOW) != Z_OK) {
        free(inflater);
        return NULL;
    }
    return inflater;
}

void load_inflater_destroy(load_inflater *inflater) {
    if (inflater != NULL) {
        inflateEnd(&inflater->z);
        free(inflater);
    }
}

void load_inflater_reset(load_inflater *inflater) {
    inflateReset(&inflater->z);
}

bool load_inflate(load_inflater *inflater, const uint8_t *data, size_t len,
                  void (*take)(void *arg, const uint8_t *data, size_t len), void *arg) {
    z_stream *z = &inflater->z;
    uint8_t out[16 * 1024];
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)len;
    do {
        z->next_out = out;
        z->avail_out = sizeof out;
        const int code = inflate(z, Z_SYNC_FLUSH);
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
            return false;
        }
        take(arg, out, sizeof out - z->avail_out);
        if (code == Z_STREAM_END) {
            inflateReset(z); /* RFC 7692 7.2.3.5: a final block may be followed by more */
        }
    } while (z->avail_in > 0 || z->avail_out == 0);
    return true;
}

bool load_inflate_head(load_inflater *inflater, const uint8_t *data, size_t len, uint8_t *out,
                       size_t cap, size_t *out_len) {
    z_stream *z = &inflater->z;
    inflateReset(z);
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)len;
    z->next_out = out;
    z->avail_out = (uInt)cap;
    const int code = inflate(z, Z_SYNC_FLUSH);
    *out_len = cap - z->avail_out;
    return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR;
}
