/* SPDX-License-Identifier: Apache-2.0
 *
 * What a load run sends: payloads and the tags in them (tx.c).
 */
#ifndef WRING_LOAD_PAYLOAD_H
#define WRING_LOAD_PAYLOAD_H

#include "bench/load/load.h"
#include "core/shared.h"

typedef struct load_thread load_thread;
typedef struct load_link load_link;

/* In front of a generated payload stands its tag, as far as there is room: letters of a 64-letter
 * alphabet that no JSON string escapes, low bits first. Echo: the message's number on its
 * connection. Fan-out: a magic, then publisher, number and time. */
#define LOAD_ECHO_TAG     8
#define LOAD_FANOUT_MAGIC 4
#define LOAD_FANOUT_TAG   26
/* A server may wrap what it fans out: the magic is looked for in so many bytes. */
#define LOAD_HEAD_MAX 256

typedef struct load_payload {
    uint8_t *plain;      /* the longest payload; all others are its prefixes, but for the tag */
    uint8_t *masked;     /* the same as on the wire, under `key` */
    wring__shared *tail; /* what follows the tag in a long message of fixed size */
    size_t len;          /* of `plain` */
    size_t wire_len;     /* of `masked`: another one only when it is compressed */
    size_t tag_at;       /* in `masked` */
    uint32_t key;
    uint64_t tag_key; /* `key` twice, turned to where the tag stands */
    uint8_t first;    /* FIN, RSV1 and opcode */
    bool tagged;
    bool deflated;
} load_payload;

WRING_MUST_CHECK wring_result load_payload_make(load_payload *payload, const load_config *config);
void load_payload_free(load_payload *payload);

/** Queues one message of `len` bytes that begins with `tag`.  Errors: WRING_ERR_NO_MEMORY */
WRING_MUST_CHECK wring_result load_tx_message(load_link *link, const uint8_t *tag, size_t tag_len,
                                              size_t len);
WRING_MUST_CHECK wring_result load_tx_control(load_link *link, uint8_t opcode, const uint8_t *data,
                                              size_t len);

typedef struct load_fanout_tag {
    uint32_t publisher;
    uint64_t number;
    wring_time_ns sent;
} load_fanout_tag;

/** Before any tag is written, and before threads start. */
void load_tags_init(void);
void load_echo_tag_write(uint8_t out[LOAD_ECHO_TAG], uint64_t number);
/** Of a payload shorter than the tag, its `len` letters: the lowest digits of the number. */
bool load_echo_tag_read(const uint8_t *tag, size_t len, uint64_t *number);
void load_fanout_tag_write(uint8_t out[LOAD_FANOUT_TAG], const load_fanout_tag *tag);
/** `bytes` are at least LOAD_FANOUT_TAG long and begin with the magic. */
bool load_fanout_tag_read(const uint8_t *bytes, load_fanout_tag *tag);
/** Where the magic stands, `len` if nowhere with room for the tag. */
size_t load_fanout_tag_find(const uint8_t *bytes, size_t len);

#endif
