/* SPDX-License-Identifier: Apache-2.0
 *
 * An exchange: one HTTP request and its answer. A route names the handler of its exchanges; several
 * exchanges follow each other on one HTTP/1.1 connection, in order.
 *
 *     static void hello(wring_exchange *exchange, const wring_request *request, void *opts) {
 *         const wring_answer answer = {.struct_size = sizeof answer, .body = wring_str("hello\n")};
 *         (void)!wring_exchange_answer(exchange, &answer); // refused: the client gets 500
 *     }
 *     static const wring_http_handler http = {.struct_size = sizeof http, .request = hello};
 *     wring_route route = {.struct_size = sizeof route, .path = "/hello", .http = &http};
 *
 * The upgrade to a WebSocket is an exchange too: the route's `upgrade` handler accepts it
 * (wring_exchange_accept), answers something else, or takes a ref and decides later.
 *
 * Thread: the functions of an exchange are called on its own worker, from one of its callbacks; a
 * pointer to an exchange is good until `done` has returned. Other threads name an exchange by its
 * ref.
 */
#ifndef WRING_EXCHANGE_H
#define WRING_EXCHANGE_H

#include "wring/http.h"

WRING_BEGIN_DECLS

/** One HTTP request and its answer. */
typedef struct wring_exchange wring_exchange;

/** What is answered. 0, NULL and empty take the default. Copied by the call that is given it. */
typedef struct wring_answer {
    uint32_t struct_size; /**< sizeof(wring_answer) */
    uint16_t status;      /**< 200 to 599; default 200 */
    bool ends_connection; /**< no further exchange on this connection */
    const char
        *content_type;     /**< default (also "") "text/plain; charset=utf-8" when there is a body;
                                   not sent when `headers` has a Content-Type */
    wring_headers headers; /**< further ones. Date and those that frame the answer (Content-Length,
                                   Transfer-Encoding, Connection, Proxy-Connection, Keep-Alive,
                                   Upgrade, Trailer, TE) are the library's, and refused here */
    wring_bytes body;      /**< the whole body; of wring_exchange_answer_begin its first piece */
    uint64_t body_bytes;   /**< of wring_exchange_answer_begin: the length of the whole body, if
                                   it is known; default: not known, and the answer is chunked */
} wring_answer;

/** What an upgrade is accepted with. Copied, except `data`. */
typedef struct wring_accept {
    uint32_t struct_size;    /**< sizeof(wring_accept) */
    wring_bytes subprotocol; /**< one that the client offered; default: the first offered one of the
                                  route's list, or none */
    wring_headers headers;   /**< further ones of the answer, such as Set-Cookie */
    void *data;              /**< given to the session's init, as accept_data of its request */
    void (*lost)(void *data); /**< optional: the session was not opened, since the client is gone or
                                   accepting failed. Exactly one of init and this gets `data`. On
                                   the worker, or on the thread that stops it */
} wring_accept;

/** How an exchange ended. */
typedef struct wring_exchange_end {
    uint32_t struct_size; /**< sizeof(wring_exchange_end), set by the library */
    wring_result result;  /**< WRING_OK: answered whole, and queued. Else WRING_ERR_TRUNCATED,
                               WRING_ERR_TLS_TRUNCATED or WRING_ERR_TRANSPORT (the client is gone),
                               WRING_ERR_TIMEOUT, WRING_ERR_SLOW_CONSUMER,
                               WRING_ERR_MESSAGE_TOO_BIG (the body), WRING_ERR_BAD_HTTP (its
                               framing), WRING_ERR_CLOSED (the server stops, or
                               wring_exchange_abort), WRING_ERR_MEMORY_BUDGET, WRING_ERR_NO_MEMORY,
                               WRING_ERR_TOO_MANY_CONNECTIONS (an upgrade that was not decided over
                               had to go for a newer handshake) */
    uint64_t status;      /**< of the answer that was begun; 101: upgraded; 0: none */
    uint64_t rx_bytes;    /**< received of the request's body, with what was beyond its limit */
    uint64_t tx_bytes;    /**< of the answer's body */
} wring_exchange_end;

/** Callbacks of an exchange. NULL callbacks do nothing. Copied by whoever is given it. */
typedef struct wring_http_handler {
    uint32_t struct_size; /**< sizeof(wring_http_handler) */
    const char *name;     /**< for logs; borrowed */
    size_t state_size;    /**< bytes at wring_exchange_user, zeroed; at most 16 MiB */

    /** Once. Without `body` (below) the request's body has been received whole, and is
     *  request->body. When this returns without an answer, a begun answer, an accept, a ref, or a
     *  body still to come, the client gets 500, and the log a warning. So an answer that is refused
     *  needs no other. `request` is borrowed until `done`: other threads copy what they need. */
    void (*request)(wring_exchange *exchange, const wring_request *request, void *opts);

    /** Takes the body in pieces, as they come. The last call has `is_last`, and may have no bytes;
     *  it comes also for a request without a body. Not called after the exchange was answered
     *  whole. NULL: the body is collected. */
    void (*body)(wring_exchange *exchange, wring_bytes piece, bool is_last);

    /** Each wring_ref_post to the exchange's ref. */
    void (*info)(wring_exchange *exchange, const wring_info *info);

    /** A write was refused with WRING_ERR_QUEUE_FULL, or the queue was above the soft mark: now it
     *  has room again. */
    void (*drained)(wring_exchange *exchange);

    /** Exactly once, last, for each exchange whose `request` was called. Nothing of the exchange
     *  can be used when this has returned. A client that resets its connection is noticed at once.
     *  One that only closes it is not, when its request was received whole: it may have closed its
     *  own direction, and still read the answer. It is noticed by the write that fails, or when
     *  answer_timeout_ms is over. */
    void (*done)(wring_exchange *exchange, const wring_exchange_end *end);
} wring_http_handler;

/* ---- what belongs to it ---------------------------------------------------------------------- */

/** The handler's `state_size` bytes, zeroed at first, aligned to 16; NULL if the size is 0. */
WRING_API void *wring_exchange_user(const wring_exchange *exchange);

/** The `opts` of its route. */
WRING_API void *wring_exchange_opts(const wring_exchange *exchange);

/** Its request, until `done` has returned. */
WRING_API const wring_request *wring_exchange_request(const wring_exchange *exchange);

/** Its server. */
WRING_API wring_server *wring_exchange_server(const wring_exchange *exchange);

/** The worker it lives on. */
WRING_API wring_loop wring_exchange_loop(const wring_exchange *exchange);

/** The number of its worker within its server, from 0. */
WRING_API uint32_t wring_exchange_worker(const wring_exchange *exchange);

/** Bytes queued to the client that the kernel has not taken. */
WRING_API uint64_t wring_exchange_queued_bytes(const wring_exchange *exchange);

/** Takes a name for other threads. An exchange with a ref may be answered later; it has a deadline
 *  all the same (answer_timeout_ms, of an upgrade handshake_timeout_ms). Taking it again gives the
 *  same ref. A ref never names another exchange, also not the next one of the same connection.
 *  Errors: WRING_ERR_TOO_MANY_CONNECTIONS (no slot is free: connections and refs of exchanges share
 *          connections_max), WRING_ERR_INVALID_STATE (it has been answered whole, or
 *          was aborted). */
WRING_API WRING_MUST_CHECK wring_result wring_exchange_ref(wring_exchange *exchange,
                                                           wring_ref *out);

/* ---- answering ------------------------------------------------------------------------------- */

/** Answers, whole. To HEAD the body is not sent, only its length.
 *  @param answer  NULL: status 200 without a body
 *  Errors: WRING_ERR_INVALID_STATE (an answer was begun), WRING_ERR_INVALID_ARGUMENT (the status,
 *          no struct_size, a NULL with a length), WRING_ERR_INVALID_HEADER, WRING_ERR_NO_MEMORY,
 *          WRING_ERR_CLOSED (the client is gone). After an error nothing was answered: answer
 *          something else, or return without an answer and the client gets 500. (Not when a ref was
 *          taken: then the exchange still waits for an answer.)
 *  Cost: one copy of the body.   RFC: 9110 15, 9112 6 */
WRING_API WRING_MUST_CHECK wring_result wring_exchange_answer(wring_exchange *exchange,
                                                              const wring_answer *answer);

/** Begins an answer whose body follows in pieces: chunked, or with body_bytes of known length; to
 *  an HTTP/1.0 client its end is the end of the connection. An answer that has no body (to HEAD, or
 *  with status 204, 205 or 304) has ended with this call: `done` follows with WRING_OK when the
 *  callback has returned.
 *  Errors: as wring_exchange_answer. */
WRING_API WRING_MUST_CHECK wring_result wring_exchange_answer_begin(wring_exchange *exchange,
                                                                    const wring_answer *answer);

/** Sends a piece of the body. An empty one sends nothing.
 *  Errors: WRING_ERR_INVALID_STATE (no answer was begun, or it has ended), WRING_ERR_QUEUE_FULL
 *          (nothing was taken, because send_hard_bytes are queued, or memory_budget_bytes is nearly
 *          used up and some bytes are queued; `drained` tells when to go on),
 *          WRING_ERR_INVALID_ARGUMENT (more than body_bytes, a NULL with a length),
 *          WRING_ERR_NO_MEMORY, WRING_ERR_CLOSED (nobody reads on: the client is gone, or the
 *          answer has no body). After WRING_ERR_CLOSED nothing needs to be done: `done` follows. */
WRING_API WRING_MUST_CHECK wring_result wring_exchange_answer_write(wring_exchange *exchange,
                                                                    wring_bytes piece);

/** Ends a begun answer, once. Returns WRING_OK also for a begun one that has no body.
 *  Errors: WRING_ERR_INVALID_STATE (none was begun, it has ended, or fewer than body_bytes were
 *          written: then the connection is cut, so that the client sees it), WRING_ERR_CLOSED. */
WRING_API WRING_MUST_CHECK wring_result wring_exchange_answer_end(wring_exchange *exchange);

/** Ends the exchange and its connection at once: a begun answer is left incomplete, so that the
 *  client sees that it failed. For an answer without a length and without chunks (to HTTP/1.0) the
 *  connection is reset, because an orderly end would be the end of the answer. Answers before it
 *  that are queued still leave, unless this one was begun. `done` follows, with WRING_ERR_CLOSED.
 *  To be used for begun answers: where none was begun, the client learns more from a status. */
WRING_API void wring_exchange_abort(wring_exchange *exchange);

/** Accepts an upgrade: the client gets 101, and the session of the route's handler begins. Only in
 *  an exchange of a route's `upgrade` handler. The session begins when the callback has returned.
 *  @param accept  NULL: nothing further
 *  Errors: WRING_ERR_INVALID_STATE (no upgrade, or it was answered), WRING_ERR_INVALID_HEADER,
 *          WRING_ERR_UNEXPECTED_SUBPROTOCOL (the client did not offer it), WRING_ERR_NO_MEMORY,
 *          WRING_ERR_CLOSED. Then nothing was answered, and `data` stays the caller's: `lost` is
 *          not called.   RFC: 6455 4.2.2 */
WRING_API WRING_MUST_CHECK wring_result wring_exchange_accept(wring_exchange *exchange,
                                                              const wring_accept *accept);

/* ---- receiving ------------------------------------------------------------------------------- */

/** Takes no more of the body: TCP slows the client down. Pieces that were received before may still
 *  come. Only for handlers with `body`. Until it is resumed body_timeout_ms does not run;
 *  answer_timeout_ms does. */
WRING_API void wring_exchange_pause(wring_exchange *exchange);

/** Takes the body again: to be called from info or drained. */
WRING_API void wring_exchange_resume(wring_exchange *exchange);

/* ---- from any thread ------------------------------------------------------------------------- */

/** Answers an exchange by its ref. WRING_OK means that the worker's mailbox took it. When the
 *  exchange is over by then, the answer is dropped and counted in mail_lost of wring_server_stats.
 *  Own: copied.  Errors: WRING_ERR_CLOSED (no such worker), WRING_ERR_QUEUE_FULL (try again),
 *       WRING_ERR_INVALID_ARGUMENT, WRING_ERR_INVALID_HEADER, WRING_ERR_NO_MEMORY: as of
 *       wring_exchange_answer.
 *  Thread: any. Cost: one allocation. */
WRING_API WRING_MUST_CHECK wring_result wring_ref_answer(wring_ref ref, const wring_answer *answer);

/** Accepts an upgrade by its ref. WRING_OK means that the mailbox took it; then exactly one of init
 *  and accept->lost gets `data`. When the worker refuses it, such as for a subprotocol that the
 *  client did not offer, the client gets 500.
 *  Errors: as wring_ref_answer; then `lost` is not called.   Thread: any. Cost: one allocation. */
WRING_API WRING_MUST_CHECK wring_result wring_ref_accept(wring_ref ref, const wring_accept *accept);

WRING_END_DECLS

#endif
