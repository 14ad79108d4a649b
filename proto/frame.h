/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 6455 5.2: the header of one frame, both directions. Pure functions; payloads, messages and
 * what to answer are the session's.
 */
#ifndef WRING_PROTO_FRAME_H
#define WRING_PROTO_FRAME_H

#include "core/base.h"
#include "wring/frame.h"

/** 2 bytes, 8 of extended length, 4 of masking key. */
#define WRING__FRAME_HEADER_MAX 14

/** What the header of the next frame is judged by. */
typedef struct wring__frame_rules {
    wring_role role;      /* our own: a server requires masks, a client refuses them */
    bool message_is_open; /* a fragmented message awaits its continuation */
    bool compression;     /* permessage-deflate negotiated: RSV1 may begin a message */
    uint64_t frame_bytes_max;
    uint64_t message_left; /* payload bytes the message under assembly may still grow by */
} wring__frame_rules;

typedef struct wring__frame_header {
    uint8_t opcode;
    bool fin;
    bool rsv1;
    bool masked;
    uint8_t header_len;
    uint32_t key; /* the four bytes as they lie in memory */
    uint64_t payload_len;
} wring__frame_header;

static inline bool wring__opcode_is_control(uint8_t opcode) {
    return (opcode & 0x8) != 0;
}

/** Decodes a header from the first `len` bytes of a frame.
 *  Fails at the first byte that makes failure certain, also inside the extended length.
 *  Errors: WRING_MORE; WRING_ERR_PROTOCOL; WRING_ERR_MESSAGE_TOO_BIG.   RFC: 6455 5.2, 5.4, 5.5 */
WRING_MUST_CHECK wring_result wring__frame_header_decode(const uint8_t *bytes, size_t len,
                                                         const wring__frame_rules *rules,
                                                         wring__frame_header *out);

/** Length of the header wring__frame_header_write would write. */
static inline size_t wring__frame_header_len(uint64_t payload_len, bool masked) {
    size_t extended = payload_len < 126 ? 0 : payload_len <= UINT16_MAX ? 2 : 8;
    return 2 + extended + (masked ? 4 : 0);
}

/** Writes a header in its shortest form (RFC 6455 5.2); `key` is the masking key or NULL.
 *  @param first  FIN, RSV and opcode as on the wire
 *  Returns the bytes written. */
size_t wring__frame_header_write(uint8_t *out, uint8_t first, uint64_t payload_len,
                                 const uint32_t *key);

#define WRING__FIN  0x80
#define WRING__RSV1 0x40
#define WRING__MASK 0x80 /* in the second byte */

#endif
