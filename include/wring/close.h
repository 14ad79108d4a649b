/* SPDX-License-Identifier: Apache-2.0
 *
 * How sessions end: close codes (RFC 6455 7.4 and the IANA registry), and the record of an end.
 */
#ifndef WRING_CLOSE_H
#define WRING_CLOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "wring/export.h"
#include "wring/result.h"

WRING_BEGIN_DECLS

/** Longest close reason: a control frame's 125 bytes less the two of the code (RFC 6455 5.5). */
#define WRING_CLOSE_REASON_MAX 123

/** The registered codes. Applications may use 3000-4999 as well. A code passed to any call of the
 *  library: 0 or WRING_CLOSE_NO_STATUS sends an empty close frame, and the reason is ignored.
 *  Another code that is illegal on the wire goes out as 1002. */
typedef enum wring_close_code {
    WRING_CLOSE_NORMAL = 1000,           /**< all is done */
    WRING_CLOSE_GOING_AWAY = 1001,       /**< the server stops, or the page is left */
    WRING_CLOSE_PROTOCOL_ERROR = 1002,   /**< the peer broke the protocol */
    WRING_CLOSE_UNSUPPORTED_DATA = 1003, /**< such as binary where only text is taken */
    WRING_CLOSE_RESERVED = 1004,         /**< never on the wire */
    WRING_CLOSE_NO_STATUS = 1005,        /**< local only: the peer's close frame had no code */
    WRING_CLOSE_ABNORMAL = 1006,         /**< local only: the stream ended without a close frame */
    WRING_CLOSE_INVALID_UTF8 = 1007,     /**< a text message is not UTF-8 */
    WRING_CLOSE_POLICY_VIOLATION = 1008, /**< a rule of the application or a rate was broken */
    WRING_CLOSE_MESSAGE_TOO_BIG = 1009,  /**< larger than the limit */
    WRING_CLOSE_EXTENSION_REQUIRED = 1010, /**< a client misses an extension */
    WRING_CLOSE_INTERNAL_ERROR = 1011,     /**< the server cannot go on */
    WRING_CLOSE_SERVICE_RESTART = 1012,    /**< IANA; legal on the wire only by opt-in */
    WRING_CLOSE_TRY_AGAIN_LATER = 1013,    /**< IANA; legal on the wire only by opt-in */
    WRING_CLOSE_BAD_GATEWAY = 1014,        /**< IANA; legal on the wire only by opt-in */
    WRING_CLOSE_TLS_HANDSHAKE = 1015       /**< never on the wire */
} wring_close_code;

/** May this code travel in a close frame: 1000-1003, 1007-1011, 3000-4999.
 *  Thread: any.   RFC: 6455 7.4 */
WRING_API bool wring_close_valid_on_wire(uint32_t code);

/** The same with 1012-1014, which IANA registered after RFC 6455; sessions accept and send them
 *  when `allow_iana_close_codes` is set.   Thread: any. */
WRING_API bool wring_close_valid_on_wire_iana(uint32_t code);

/** "message_too_big" for 1009, "registered" for 3000-3999, "private" for 4000-4999, "reserved" for
 *  what is never on the wire and "unassigned" for the rest.   Thread: any. */
WRING_API const char *wring_close_reason_name(uint32_t code);

/** How a session ended. The library's, borrowed for the call, when it is given to `terminate`. */
typedef struct wring_end {
    uint32_t struct_size; /**< sizeof(wring_end) */
    wring_result result;  /**< WRING_OK after a close handshake, WRING_STOP or wring_ref_stop; else
                               why the session ended */
    uint16_t close_code;  /**< after a close handshake the peer's code, 1005 if it had none; after a
                               stop, or when the peer broke a rule or a limit, the code we sent;
                               else 1006 */
    bool by_peer;         /**< the peer closed first, broke a rule or a limit, fell silent, or its
                               stream ended or broke */
    char text[101];       /**< the result as a sentence: of a timeout, which one it was */
} wring_end;

WRING_END_DECLS

#endif
