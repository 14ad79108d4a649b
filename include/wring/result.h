/* SPDX-License-Identifier: Apache-2.0
 *
 * Every result the library can give, in one table: the enum below, wring_result_name(),
 * wring_result_text(), the close code a peer is sent and docs/errors.md all come from it.
 *
 * 0 is success; negative is an error; counts come back through out parameters. The numbers are
 * part of the ABI: a row is never renumbered, new rows go to the end of their block.
 */
#ifndef WRING_RESULT_H
#define WRING_RESULT_H

#include <stdint.h>

#include "wring/export.h"

WRING_BEGIN_DECLS

/** Whose fault a result is. */
typedef enum wring_class {
    WRING_CLASS_OK,     /**< success */
    WRING_CLASS_MORE,   /**< not an error: feed more input, or come back later */
    WRING_CLASS_CALLER, /**< the program used the API wrongly */
    WRING_CLASS_PEER,   /**< the other end broke the protocol */
    WRING_CLASS_LIMIT,  /**< a configured limit was reached */
    WRING_CLASS_SYSTEM, /**< the operating system refused */
    WRING_CLASS_FATAL   /**< an invariant broke; a bug in wring */
} wring_class;

/** Every result: X(name, number, class, close code sent to the peer or 0, text). For programs that
 *  walk all of them. */
#define WRING_RESULT_TABLE(X)                                                                      \
    X(OK, 0, OK, 0, "success")                                                                     \
    X(MORE, -1, MORE, 0, "more input is needed")                                                   \
    X(ERR_INVALID_ARGUMENT, -10, CALLER, 0, "an argument is out of its range")                     \
    X(ERR_INVALID_CONFIG, -11, CALLER, 0, "a configuration field is out of its range")             \
    X(ERR_INVALID_STATE, -12, CALLER, 0, "the call is not legal in this state")                    \
    X(ERR_INVALID_HEADER, -13, CALLER, 0, "a header has a CR, LF, NUL or other illegal byte")      \
    X(ERR_INVALID_URL, -14, CALLER, 0, "the URL is not a well-formed ws:// or wss:// URL")         \
    X(ERR_CLOSED, -15, CALLER, 0, "the connection is closed or closing")                           \
    X(ERR_PEER_NO_CONNECT_PROTOCOL, -17, CALLER, 0,                                                \
      "the peer did not advertise SETTINGS_ENABLE_CONNECT_PROTOCOL = 1")                           \
    X(ERR_TLS_CONFIG, -18, CALLER, 0, "a certificate, key or other TLS setting cannot be used")    \
    X(ERR_MESSAGE_OPEN, -19, CALLER, 0, "a message that was begun in fragments is not ended yet")  \
    X(ERR_PROTOCOL, -30, PEER, 1002, "the peer broke the framing rules of RFC 6455")               \
    X(ERR_INVALID_UTF8, -31, PEER, 1007, "a text message or close reason is not valid UTF-8")      \
    X(ERR_BAD_CLOSE_CODE, -32, PEER, 1002, "a close frame carries a code illegal on the wire")     \
    X(ERR_BAD_DEFLATE, -33, PEER, 1007, "a compressed message does not inflate")                   \
    X(ERR_TRUNCATED, -34, PEER, 0, "the stream ended without a close handshake")                   \
    X(ERR_STREAM_RESET, -35, PEER, 0, "the peer reset the stream of HTTP/2")                       \
    X(ERR_STREAM_REFUSED, -36, PEER, 0,                                                            \
      "the peer took no new stream of HTTP/2: try again on another connection")                    \
    X(ERR_BAD_HTTP2, -37, PEER, 0, "the peer broke the rules of HTTP/2")                           \
    X(ERR_MISDIRECTED, -38, PEER, 0,                                                               \
      "the request is for a host that has another certificate than this connection")               \
    X(ERR_EXPECTATION, -49, PEER, 0, "the Expect header asks for more than 100-continue")          \
    X(ERR_BAD_HTTP, -50, PEER, 0, "the HTTP head, or the framing of a body, is malformed")         \
    X(ERR_BAD_HTTP_VERSION, -51, PEER, 0, "the HTTP version is not 1.0 or 1.1")                    \
    X(ERR_UNEXPECTED_BODY, -52, PEER, 0, "an upgrade request announces a body")                    \
    X(ERR_BAD_HOST, -53, PEER, 0, "the host is missing, malformed, or given twice")                \
    X(ERR_WRONG_METHOD, -54, PEER, 0, "the method is not allowed here")                            \
    X(ERR_MISSING_UPGRADE, -55, PEER, 0, "the Upgrade header is missing")                          \
    X(ERR_INVALID_UPGRADE, -56, PEER, 0, "the Upgrade header does not list websocket")             \
    X(ERR_MISSING_CONNECTION, -57, PEER, 0, "the Connection header is missing")                    \
    X(ERR_INVALID_CONNECTION, -58, PEER, 0, "the Connection header does not list upgrade")         \
    X(ERR_UNSUPPORTED_VERSION, -59, PEER, 0, "Sec-WebSocket-Version is not 13")                    \
    X(ERR_MISSING_KEY, -60, PEER, 0, "the Sec-WebSocket-Key header is missing")                    \
    X(ERR_BAD_KEY, -61, PEER, 0, "Sec-WebSocket-Key is not 16 bytes in base64")                    \
    X(ERR_NO_ACCEPTABLE_SUBPROTOCOL, -62, PEER, 0, "none of the required subprotocols is offered") \
    X(ERR_UNEXPECTED_STATUS, -63, PEER, 0, "the response status does not accept the upgrade")      \
    X(ERR_MISSING_ACCEPT, -64, PEER, 0, "the Sec-WebSocket-Accept header is missing")              \
    X(ERR_ACCEPT_MISMATCH, -65, PEER, 0, "Sec-WebSocket-Accept does not match the key sent")       \
    X(ERR_UNEXPECTED_SUBPROTOCOL, -66, PEER, 0, "the server chose a subprotocol nobody offered")   \
    X(ERR_UNEXPECTED_EXTENSION, -67, PEER, 0, "the server chose an extension nobody offered")      \
    X(ERR_WRONG_PROTOCOL, -68, PEER, 0, ":protocol is not websocket")                              \
    X(ERR_MISSING_SCHEME, -69, PEER, 0, "the :scheme pseudo-header is missing")                    \
    X(ERR_MISSING_AUTHORITY, -70, PEER, 0, "the :authority pseudo-header is missing")              \
    X(ERR_MISSING_PATH, -71, PEER, 0, "the :path pseudo-header is missing")                        \
    X(ERR_NOT_FOUND, -72, PEER, 0, "nothing is served at this path")                               \
    X(ERR_UNSUPPORTED_ENCODING, -73, PEER, 0, "the transfer coding is not chunked alone")          \
    X(ERR_FOREIGN_ORIGIN, -74, PEER, 0, "the Origin is not the server's, and not allowed")         \
    X(ERR_TLS_CERTIFICATE_EXPIRED, -75, PEER, 0,                                                   \
      "the peer's certificate has expired or is not valid yet")                                    \
    X(ERR_TLS_SELF_SIGNED, -76, PEER, 0, "the peer's certificate is self-signed and not trusted")  \
    X(ERR_TLS_UNKNOWN_CA, -77, PEER, 0, "no trusted authority signed the peer's certificate")      \
    X(ERR_TLS_WRONG_HOST, -78, PEER, 0, "the peer's certificate is for another name")              \
    X(ERR_TLS_BAD_CERTIFICATE, -79, PEER, 0, "the peer's certificate fails another check")         \
    X(ERR_TLS_NO_CERTIFICATE, -80, PEER, 0,                                                        \
      "the client sent no certificate where one is required")                                      \
    X(ERR_TLS_CERTIFICATE_REFUSED, -81, PEER, 0, "the peer refused our certificate")               \
    X(ERR_TLS_NO_SHARED, -82, PEER, 0, "no TLS version, cipher or application protocol in common") \
    X(ERR_TLS_NOT_TLS, -83, PEER, 0, "the peer does not speak TLS")                                \
    X(ERR_TLS_PROTOCOL, -84, PEER, 0, "the peer broke the TLS protocol")                           \
    X(ERR_TLS_ALERT, -85, PEER, 0, "the peer ended TLS with an alert")                             \
    X(ERR_TLS_TRUNCATED, -86, PEER, 0, "the stream ended without a TLS close_notify")              \
    X(ERR_PROXY, -87, PEER, 0, "the proxy refused, or broke its protocol")                         \
    X(ERR_BAD_EXTENSION, -88, PEER, 0, "the server's answer to an extension offer is malformed")   \
    X(ERR_EXTENSION_MISMATCH, -89, PEER, 0,                                                        \
      "the server's answer to an extension offer contradicts it")                                  \
    X(ERR_MESSAGE_TOO_BIG, -90, LIMIT, 1009, "a frame or message is larger than the limit")        \
    X(ERR_TOO_MANY_FRAGMENTS, -91, LIMIT, 1008, "a message's fragments pin too much memory")       \
    X(ERR_INFLATE_TOO_BIG, -92, LIMIT, 1009, "a message inflates beyond the limit")                \
    X(ERR_HANDSHAKE_TOO_BIG, -93, LIMIT, 0, "the request head is larger than the limit")           \
    X(ERR_HANDSHAKE_RESPONSE_TOO_BIG, -94, LIMIT, 0, "the response head is larger than the limit") \
    X(ERR_TOO_MANY_HEADERS, -95, LIMIT, 0, "the head has more than 64 header fields")              \
    X(ERR_QUEUE_FULL, -96, LIMIT, 0, "a bounded queue is full; try again later")                   \
    X(ERR_TIMEOUT, -97, LIMIT, 0, "a deadline passed")                                             \
    X(ERR_TOO_MANY_CONNECTIONS, -98, LIMIT, 0, "the connection limit is reached")                  \
    X(ERR_SLOW_CONSUMER, -99, LIMIT, 1008, "the peer reads too slowly for what it is sent")        \
    X(ERR_RATE_LIMIT, -100, LIMIT, 1008, "the peer sends more messages than the limit allows")     \
    X(ERR_TOO_MANY_TOPICS, -101, LIMIT, 0, "the topic or subscription limit is reached")           \
    X(ERR_MEMORY_BUDGET, -102, LIMIT, 1008, "the memory budget is used up; the largest had to go") \
    X(ERR_TARGET_TOO_BIG, -103, LIMIT, 0, "the request target is longer than the limit")           \
    X(ERR_TLS_EMPTY_RECORDS, -110, LIMIT, 0, "the peer sends too many TLS records without data")   \
    X(ERR_NO_MEMORY, -120, SYSTEM, 1011, "out of memory")                                          \
    X(ERR_SYSTEM, -121, SYSTEM, 0, "a system call failed")                                         \
    X(ERR_BACKEND, -122, SYSTEM, 0, "the I/O backend cannot be set up")                            \
    X(ERR_ADDRESS, -123, SYSTEM, 0, "the address cannot be resolved or bound")                     \
    X(ERR_TRANSPORT, -124, SYSTEM, 0, "the transport failed")                                      \
    X(ERR_NO_RANDOM, -125, SYSTEM, 1011, "the system's random source failed")                      \
    X(ERR_CONNECT, -126, SYSTEM, 0, "no connection could be made")                                 \
    X(ERR_INTERNAL, -150, FATAL, 1011, "an internal invariant broke")

/** What a call came to. Negative is an error, except WRING_MORE. */
typedef enum wring_result {
#define WRING_RESULT_ENUM(name, number, class_, close, text) WRING_##name = number,
    WRING_RESULT_TABLE(WRING_RESULT_ENUM)
#undef WRING_RESULT_ENUM
} wring_result;

/** "ERR_PROTOCOL" for WRING_ERR_PROTOCOL; "UNKNOWN" for a number not in the table. Any thread. */
WRING_API const char *wring_result_name(wring_result result);

/** One sentence for people. Any thread. */
WRING_API const char *wring_result_text(wring_result result);

/** Whose fault it is; WRING_CLASS_FATAL for a number not in the table. Any thread. */
WRING_API wring_class wring_result_class(wring_result result);

/** The close code the peer is sent for this error, 0 where none is (RFC 6455 7.4.1). Any thread. */
WRING_API uint16_t wring_result_close_code(wring_result result);

/** An error with what a person needs to act on it: which limit, which value, which file. A call
 *  that takes one writes it when it fails, and leaves it alone when it succeeds (wring_backend_pick
 *  writes it in either case). NULL is legal.
 *  Out-parameters of a call that failed have no defined value, except pointers to what it should
 *  have created: those are NULL. */
typedef struct wring_error {
    wring_result code; /**< what went wrong; the call's result */
    int system_errno;  /**< the errno behind it, 0 if none */
    char text[320];    /**< NUL-terminated sentence, never empty when code is an error */
} wring_error;

/** Fills `error` (may be NULL) and returns `code`, so that it can end a function. Any thread. */
WRING_API wring_result wring_error_set(wring_error *error, wring_result code, int system_errno,
                                       const char *format, ...) WRING_PRINTF(4, 5);

WRING_END_DECLS

#endif
