/* SPDX-License-Identifier: Apache-2.0
 *
 * What is sent: the payload is made and masked once for the whole run, under one key. RFC 6455 5.3
 * wants a fresh key for each frame, to keep a script in a browser from choosing the bytes on the
 * wire; here nobody else chooses them, and a message costs a copy. A frame is its header, the
 * masked tag, and a prefix of the masked payload.
 */
#include <stdlib.h>

#include "bench/load/engine.h"
#include "proto/crypto.h"
#include "proto/frame.h"
#include "proto/kernels.h"

/* A payload of fixed size above it is sent by reference, not copied. */
#define COPY_MAX 4096

/* ---- tags ------------------------------------------------------------------------------------ */

static const char digits[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char magic[LOAD_FANOUT_MAGIC] = {'w', 'R', 'n', 'G'};

enum { PUBLISHER_DIGITS = 4, NUMBER_DIGITS = 8, TIME_DIGITS = 10 };

/* Two letters at a time. */
static uint16_t pairs[64 * 64];

void load_tags_init(void) {
    for (unsigned i = 0; i < WRING_ARRAY_LEN(pairs); i++) {
        const char pair[2] = {digits[i & 63], digits[i >> 6]};
        memcpy(&pairs[i], pair, sizeof pair);
    }
}

static uint8_t *digits_write(uint8_t *out, uint64_t value, unsigned count) {
    for (unsigned i = 0; i < count; i += 2) {
        memcpy(out + i, &pairs[value & 4095], 2);
        value >>= 12;
    }
    return out + count;
}

static unsigned digit_value(uint8_t digit) {
    if (digit >= 'A' && digit <= 'Z') {
        return digit - 'A';
    }
    if (digit >= 'a' && digit <= 'z') {
        return digit - 'a' + 26u;
    }
    if (digit >= '0' && digit <= '9') {
        return digit - '0' + 52u;
    }
    return digit == '-' ? 62 : digit == '_' ? 63 : 64;
}

static bool digits_read(const uint8_t *text, unsigned count, uint64_t *value) {
    *value = 0;
    for (unsigned i = count; i-- > 0;) {
        const unsigned digit = digit_value(text[i]);
        if (digit > 63) {
            return false;
        }
        *value = *value << 6 | digit;
    }
    return true;
}

void load_echo_tag_write(uint8_t out[LOAD_ECHO_TAG], uint64_t number) {
    digits_write(out, number, LOAD_ECHO_TAG);
}

bool load_echo_tag_read(const uint8_t *tag, size_t len, uint64_t *number) {
    return len > 0 && digits_read(tag, (unsigned)wring__min_size(len, LOAD_ECHO_TAG), number);
}

void load_fanout_tag_write(uint8_t out[LOAD_FANOUT_TAG], const load_fanout_tag *tag) {
    memcpy(out, magic, sizeof magic);
    out = digits_write(out + sizeof magic, tag->publisher, PUBLISHER_DIGITS);
    out = digits_write(out, tag->number, NUMBER_DIGITS);
    digits_write(out, tag->sent, TIME_DIGITS);
}

bool load_fanout_tag_read(const uint8_t *bytes, load_fanout_tag *tag) {
    uint64_t publisher;
    bytes += sizeof magic;
    const bool ok = digits_read(bytes, PUBLISHER_DIGITS, &publisher) &&
                    digits_read(bytes + PUBLISHER_DIGITS, NUMBER_DIGITS, &tag->number) &&
                    digits_read(bytes + PUBLISHER_DIGITS + NUMBER_DIGITS, TIME_DIGITS, &tag->sent);
    tag->publisher = (uint32_t)publisher;
    return ok;
}

size_t load_fanout_tag_find(const uint8_t *bytes, size_t len) {
    if (len < LOAD_FANOUT_TAG) {
        return len;
    }
    const uint8_t *found = memmem(bytes, len - LOAD_FANOUT_TAG + sizeof magic, magic, sizeof magic);
    return found == NULL ? len : (size_t)(found - bytes);
}

/* ---- the payload ----------------------------------------------------------------------------- */

/* Readable text, so that one sees in a capture what it is, and that compresses as text does. */
static void fill_text(uint8_t *out, size_t len) {
    static const char *const words[] = {"ring ", "socket ", "frame ",  "message ",
                                        "of ",   "the ",    "server ", "push ",
                                        "and ",  "to ",     "each ",   "load "};
    uint64_t random = 88172645463325252u;
    size_t at = 0;
    while (at < len) {
        const char *word = words[load_random(&random) % WRING_ARRAY_LEN(words)];
        for (; *word != 0 && at < len; word++) {
            out[at++] = (uint8_t)*word;
        }
    }
}

static void fill_binary(uint8_t *out, size_t len) {
    uint64_t random = 88172645463325252u;
    for (size_t at = 0; at < len; at++) {
        out[at] = (uint8_t)(load_random(&random) >> 32);
    }
}

static size_t tag_room(const load_config *config) {
    return config->mode == LOAD_FANOUT ? LOAD_FANOUT_TAG : LOAD_ECHO_TAG;
}

static void payload_fill(load_payload *payload, const load_config *config) {
    if (config->has_message) {
        memcpy(payload->plain, config->message.data, config->message.len);
    } else if (config->binary) {
        fill_binary(payload->plain, payload->len);
    } else {
        fill_text(payload->plain, payload->len);
    }
}

/* What is on the wire for it. The tag of a compressed one stands in a stored block. */
static wring_result wire_make(load_payload *payload, const load_config *config) {
    payload->wire_len = payload->len;
    if (config->deflate) {
        const size_t tag = payload->tagged ? wring__min_size(tag_room(config), payload->len) : 0;
        const wring_result result =
            load_deflate(payload->plain, payload->len, tag, &payload->masked, &payload->wire_len);
        if (result != WRING_OK) {
            return result;
        }
        payload->deflated = true;
        payload->tag_at = tag == 0 ? 0 : LOAD_DEFLATE_STORED_HEADER;
        payload->first |= WRING__RSV1;
    } else {
        payload->masked = malloc(payload->len + 1);
        if (payload->masked == NULL) {
            return WRING_ERR_NO_MEMORY;
        }
        memcpy(payload->masked, payload->plain, payload->len);
    }
    wring__mask(payload->masked, payload->wire_len, payload->key, 0);
    wring__mask((uint8_t *)&payload->tag_key, sizeof payload->tag_key, payload->key,
                (unsigned)payload->tag_at); /* of zeros: the key itself */
    return WRING_OK;
}

/* The part that all long messages have in common can be lent to the kernel for all at once. */
static wring_result tail_make(load_payload *payload, const load_config *config) {
    const size_t tag = payload->tagged ? payload->tag_at + tag_room(config) : 0;
    if (payload->wire_len <= COPY_MAX || (!config->has_message && !config->sizes.fixed)) {
        return WRING_OK;
    }
    payload->tail =
        wring__shared_create(0, 0, wring_bytes_of(payload->masked + tag, payload->wire_len - tag));
    return payload->tail == NULL ? WRING_ERR_NO_MEMORY : WRING_OK;
}

wring_result load_payload_make(load_payload *payload, const load_config *config) {
    load_tags_init();
    payload->len = config->has_message ? config->message.len : config->sizes.max;
    payload->tagged = !config->has_message;
    payload->first = (uint8_t)(WRING__FIN | (config->binary ? WRING_BINARY : WRING_TEXT));
    payload->plain = malloc(payload->len + 1);
    if (payload->plain == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    wring_result result = wring__random_key(&payload->key);
    if (result != WRING_OK) {
        return result;
    }
    payload_fill(payload, config);
    result = wire_make(payload, config);
    return result == WRING_OK ? tail_make(payload, config) : result;
}

void load_payload_free(load_payload *payload) {
    if (payload->tail != NULL) {
        wring__shared_unref(payload->tail);
    }
    free(payload->plain);
    free(payload->masked);
    memset(payload, 0, sizeof *payload);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void tag_mask(uint8_t *out, const uint8_t *tag, size_t len, uint64_t key) {
    const uint8_t *bytes = (const uint8_t *)&key;
    uint64_t eight;
    size_t i = 0;
    for (; i + sizeof eight <= len; i += sizeof eight) {
        memcpy(&eight, tag + i, sizeof eight);
        eight ^= key;
        memcpy(out + i, &eight, sizeof eight);
    }
    for (; i < len; i++) {
        out[i] = tag[i] ^ bytes[i & 7];
    }
}

wring_result load_tx_message(load_link *link, const uint8_t *tag, size_t tag_len, size_t len) {
    const load_payload *payload = &link->thread->run->payload;
    wring__chunk_cache *chunks = &link->thread->worker.chunks;
    const bool by_reference = payload->tail != NULL;
    const size_t wire = payload->deflated ? payload->wire_len : len;
    const size_t copied = by_reference ? wire - payload->tail->payload_len : wire;
    uint8_t *out = wring__outq_reserve(&link->end.out, chunks, WRING__FRAME_HEADER_MAX + copied);
    if (out == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    const size_t header = wring__frame_header_write(out, payload->first, wire, &payload->key);
    memcpy(out + header, payload->masked, copied);
    tag_mask(out + header + payload->tag_at, tag, wring__min_size(tag_len, len), payload->tag_key);
    wring__outq_commit(&link->end.out, header + copied);
    wring_result result = WRING_OK;
    if (by_reference) {
        result = wring__outq_append_shared(&link->end.out, chunks, payload->tail);
    }
    wring__end_flush(&link->end);
    return result;
}

wring_result load_tx_control(load_link *link, uint8_t opcode, const uint8_t *data, size_t len) {
    const uint32_t key = link->thread->run->payload.key;
    uint8_t *out = wring__outq_reserve(&link->end.out, &link->thread->worker.chunks,
                                       WRING__FRAME_HEADER_MAX + len);
    if (out == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    const size_t header = wring__frame_header_write(out, (uint8_t)(WRING__FIN | opcode), len, &key);
    if (len > 0) {
        wring__mask_copy(out + header, data, len, key, 0);
    }
    wring__outq_commit(&link->end.out, header + len);
    wring__end_flush(&link->end);
    return WRING_OK;
}
