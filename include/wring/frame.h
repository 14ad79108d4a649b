/* SPDX-License-Identifier: Apache-2.0
 *
 * What travels: frames an application sends, messages it receives.
 */
#ifndef WRING_FRAME_H
#define WRING_FRAME_H

#include "wring/bytes.h"
#include "wring/export.h"

WRING_BEGIN_DECLS

/** RFC 6455 5.2. */
typedef enum wring_opcode {
    WRING_CONTINUATION = 0x0,
    WRING_TEXT = 0x1,
    WRING_BINARY = 0x2,
    WRING_CLOSE = 0x8,
    WRING_PING = 0x9,
    WRING_PONG = 0xA
} wring_opcode;

/** Which end of the connection: decides who masks (RFC 6455 5.1). */
typedef enum wring_role { WRING_ROLE_SERVER, WRING_ROLE_CLIENT } wring_role;

/** Longest payload of a ping, pong or close frame (RFC 6455 5.5). */
#define WRING_CONTROL_PAYLOAD_MAX 125

/** Where permessage-deflate was negotiated, a message is compressed if that seems worth while: see
 *  wring/deflate.h. A frame may wish otherwise, in `close_code`. */
enum {
    WRING_PLAIN = 1,   /**< never: secrets next to what a peer chose, or known not to shrink */
    WRING_COMPRESS = 2 /**< always, whatever its length and look */
};

/** One outgoing message or control frame. The payload is borrowed for the call it is passed to.
 *  With WRING_CLOSE `payload` is the reason and `close_code` the code: 0 sends an empty close
 *  frame, a code illegal on the wire goes out as 1002. */
typedef struct wring_frame {
    wring_opcode opcode; /**< TEXT, BINARY, PING, PONG or CLOSE */
    uint16_t close_code; /**< CLOSE: the code; TEXT and BINARY: 0, WRING_PLAIN or WRING_COMPRESS */
    wring_bytes payload; /**< TEXT must be valid UTF-8; the library does not check what you send */
} wring_frame;

/** One whole incoming message or control frame. `payload` is borrowed until the callback returns
 *  or the next event is asked for. */
typedef struct wring_message {
    wring_opcode opcode; /**< TEXT, BINARY, PING, PONG or CLOSE; never CONTINUATION */
    uint16_t close_code; /**< CLOSE only: WRING_CLOSE_NO_STATUS if the frame had none */
    wring_bytes payload; /**< CLOSE: the reason */
} wring_message;

/** True when `text` may be the payload of a TEXT frame: whole, valid UTF-8.   RFC: 6455 8.1
 *  Thread: any. Cost: linear, some GB/s. */
WRING_API bool wring_text_is_valid(wring_bytes text);

static inline wring_frame wring_text(wring_bytes payload) {
    wring_frame f = {WRING_TEXT, 0, payload};
    return f;
}

static inline wring_frame wring_binary(wring_bytes payload) {
    wring_frame f = {WRING_BINARY, 0, payload};
    return f;
}

WRING_END_DECLS

#endif
