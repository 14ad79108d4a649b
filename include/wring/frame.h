/* SPDX-License-Identifier: Apache-2.0
 *
 * What travels: frames an application sends, messages it receives.
 */
#ifndef WRING_FRAME_H
#define WRING_FRAME_H

#include "wring/bytes.h"
#include "wring/export.h"

WRING_BEGIN_DECLS

/** What a frame is. RFC 6455 5.2. */
typedef enum wring_opcode {
    WRING_CONTINUATION = 0x0, /**< a later fragment; never shown */
    WRING_TEXT = 0x1,         /**< a message in UTF-8 */
    WRING_BINARY = 0x2,       /**< a message of any bytes */
    WRING_CLOSE = 0x8,        /**< the close handshake */
    WRING_PING = 0x9,         /**< asks for a pong */
    WRING_PONG = 0xA          /**< answers a ping */
} wring_opcode;

/** Which end of the connection: decides who masks (RFC 6455 5.1). */
typedef enum wring_role {
    WRING_ROLE_SERVER, /**< accepts masked frames, sends unmasked ones */
    WRING_ROLE_CLIENT  /**< the other way round */
} wring_role;

/** Longest payload of a ping, pong or close frame (RFC 6455 5.5). */
#define WRING_CONTROL_PAYLOAD_MAX 125

/** Where permessage-deflate was negotiated: whether this message is compressed (wring/deflate.h).
 */
typedef enum wring_compress {
    WRING_COMPRESS_DEFAULT = 0, /**< if it is long enough and seems worth while */
    WRING_COMPRESS_NEVER = 1,   /**< secrets next to what a peer chose, or known not to shrink */
    WRING_COMPRESS_ALWAYS = 2   /**< whatever its length and look */
} wring_compress;

/** One outgoing message or control frame. The payload is borrowed for the call it is passed to.
 *  With WRING_CLOSE `payload` is the reason and `close_code` the code: 0 sends an empty close
 *  frame, a code illegal on the wire goes out as 1002. */
typedef struct wring_frame {
    wring_opcode opcode; /**< TEXT, BINARY, PING, PONG or CLOSE */
    uint16_t close_code; /**< CLOSE: the code */
    uint16_t compress;   /**< TEXT and BINARY: a wring_compress */
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

/** A text message.  @param payload  borrowed by the frame; valid UTF-8 */
static inline wring_frame wring_frame_text(wring_bytes payload) {
    wring_frame f = {WRING_TEXT, 0, WRING_COMPRESS_DEFAULT, payload};
    return f;
}

/** A binary message.  @param payload  borrowed by the frame */
static inline wring_frame wring_frame_binary(wring_bytes payload) {
    wring_frame f = {WRING_BINARY, 0, WRING_COMPRESS_DEFAULT, payload};
    return f;
}

WRING_END_DECLS

#endif
