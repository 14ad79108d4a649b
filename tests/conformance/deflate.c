/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/deflate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

const struct deflate_set *link_deflate;

static void check(bool ok) {
    if (!ok) {
        abort();
    }
}

/* ---- texts ---- */

static void put(char *out, const char *text) {
    check(strlen(out) + strlen(text) < DEFLATE_TEXT);
    memcpy(out + strlen(out), text, strlen(text) + 1);
}

static void put_bits(char *out, const char *name, int bits) {
    char text[64];
    if (bits != 0) {
        snprintf(text, sizeof text, "; %s_max_window_bits=%d", name, bits);
        put(out, text);
    }
}

void deflate_offer(const struct deflate_set *set, char out[DEFLATE_TEXT]) {
    out[0] = 0;
    if (set == NULL) {
        return;
    }
    if (set->several) { /* each wrong in its own way: RFC 7692 5.1, 7.1 */
        put(out, "x-unknown; a=\"b,c\", permessage-deflate; unheard_of, "
                 "permessage-deflate; server_max_window_bits=16, "
                 "permessage-deflate; client_no_context_takeover=1, ");
    }
    put(out, "permessage-deflate");
    put(out, set->peer_takeover ? "" : "; server_no_context_takeover");
    put(out, set->own_takeover ? "" : "; client_no_context_takeover");
    put_bits(out, "server", set->peer_bits);
    put_bits(out, "client", set->own_bits);
}

void deflate_answer(const struct deflate_set *set, char out[DEFLATE_TEXT]) {
    out[0] = 0;
    if (set == NULL) {
        return;
    }
    put(out, "permessage-deflate");
    put(out, set->own_takeover ? "" : "; server_no_context_takeover");
    put(out, set->peer_takeover ? "" : "; client_no_context_takeover");
    put_bits(out, "server", set->own_bits);
    put_bits(out, "client", set->peer_bits);
}

bool deflate_is_granted(const struct deflate_set *set, const char *head) {
    char bits[64];
    snprintf(bits, sizeof bits, "server_max_window_bits=%d", set->peer_bits);
    return strcasestr(head, "Sec-WebSocket-Extensions: permessage-deflate") != NULL &&
           (set->peer_takeover || strstr(head, "server_no_context_takeover") != NULL) &&
           (set->peer_bits == 0 || strstr(head, bits) != NULL);
}

static uint8_t bits_of(int bits) {
    return (uint8_t)(bits == 0 ? 15 : bits);
}

wring_deflate_config deflate_client_config(const struct deflate_set *set) {
    return (wring_deflate_config){
        .struct_size = sizeof(wring_deflate_config),
        .server_context_takeover = set->own_takeover,
        .client_context_takeover = set->peer_takeover,
        .server_max_window_bits = bits_of(set->own_bits),
        .client_max_window_bits = bits_of(set->peer_bits),
        .message_bytes_min = 1,
    };
}

wring_deflate_params deflate_client_params(const struct deflate_set *set) {
    return (wring_deflate_params){bits_of(set->own_bits), bits_of(set->peer_bits),
                                  !set->own_takeover, !set->peer_takeover, set->own_bits != 0};
}

/* ---- compressing ---- */

struct squeezer {
    z_stream z;
    bool takeover;
    uint8_t *out;
};

struct squeezer *squeezer_create(const struct deflate_set *set) {
    struct squeezer *s = calloc(1, sizeof *s);
    check(s != NULL);
    s->takeover = set->own_takeover;
    check(deflateInit2(&s->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -bits_of(set->own_bits), 8,
                       Z_DEFAULT_STRATEGY) == Z_OK);
    return s;
}

void squeezer_destroy(struct squeezer *s) {
    if (s != NULL) {
        deflateEnd(&s->z);
        free(s->out);
        free(s);
    }
}

const uint8_t *squeeze(struct squeezer *s, const void *data, size_t len, size_t *out_len) {
    const size_t cap = len + len / 4 + 64;
    free(s->out);
    s->out = malloc(cap);
    check(s->out != NULL);
    if (len == 0) { /* RFC 7692 7.2.3.6 */
        s->out[0] = 0;
        *out_len = 1;
        return s->out;
    }
    s->z.next_in = (z_const Bytef *)(uintptr_t)data;
    s->z.avail_in = (uInt)len;
    s->z.next_out = s->out;
    s->z.avail_out = (uInt)cap;
    check(deflate(&s->z, Z_SYNC_FLUSH) == Z_OK && s->z.avail_in == 0 && s->z.avail_out > 0);
    *out_len = cap - s->z.avail_out - 4; /* 7.2.1 */
    if (!s->takeover) {
        deflateReset(&s->z);
    }
    return s->out;
}

/* ---- inflating ---- */

struct expander {
    z_stream z;
    bool takeover;
    uint8_t *out;
    size_t cap;
};

struct expander *expander_create(const struct deflate_set *set) {
    struct expander *e = calloc(1, sizeof *e);
    check(e != NULL);
    e->takeover = set->peer_takeover;
    check(inflateInit2(&e->z, -bits_of(set->peer_bits)) == Z_OK);
    return e;
}

void expander_destroy(struct expander *e) {
    if (e != NULL) {
        inflateEnd(&e->z);
        free(e->out);
        free(e);
    }
}

static bool run(struct expander *e, const void *data, size_t len, size_t *made) {
    e->z.next_in = (z_const Bytef *)(uintptr_t)data;
    e->z.avail_in = (uInt)len;
    do {
        if (e->cap - *made < 4096) {
            e->cap = e->cap * 2 + 8192;
            e->out = realloc(e->out, e->cap);
            check(e->out != NULL);
        }
        e->z.next_out = e->out + *made;
        e->z.avail_out = (uInt)(e->cap - *made);
        const int code = inflate(&e->z, Z_SYNC_FLUSH);
        *made = e->cap - e->z.avail_out;
        if (code != Z_OK && code != Z_BUF_ERROR) {
            return false;
        }
    } while (e->z.avail_out == 0 || e->z.avail_in > 0);
    return true;
}

const uint8_t *expand(struct expander *e, const void *data, size_t len, size_t *out_len) {
    *out_len = 0;
    const bool good = run(e, data, len, out_len) && run(e, "\x00\x00\xff\xff", 4, out_len);
    if (!e->takeover) {
        inflateReset(&e->z);
    }
    return good ? e->out : NULL;
}
