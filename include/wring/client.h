/* SPDX-License-Identifier: Apache-2.0
 *
 * WebSocket clients: ws:// and wss://, reconnecting, through proxies. A client lives on a worker
 * thread, of a pool or of a server, and is used in one of two styles:
 *
 *   - with a handler: its callbacks run on the worker, one session after the other. `init` is
 *     called after each upgrade, so it is the place to subscribe again after a reconnect;
 *   - without one: the calling thread waits, sends and receives (wring_client_receive).
 *
 *     wring_pool *pool;
 *     wring_client *client;
 *     wring_pool_create(NULL, &pool, &error);
 *     wring_client_create(wring_pool_loop(pool), "wss://example.com/feed", NULL, &client, &error);
 *     wring_client_wait(client, 5000, &error);
 */
#ifndef WRING_CLIENT_H
#define WRING_CLIENT_H

#include "wring/deflate.h"
#include "wring/handler.h"
#include "wring/http.h"
#include "wring/http2.h"
#include "wring/log.h"
#include "wring/loop.h"
#include "wring/pool.h"
#include "wring/tls.h"

WRING_BEGIN_DECLS

/** What a client is doing. */
typedef enum wring_client_status {
    WRING_CLIENT_CONNECTING, /**< resolving, connecting, TLS, upgrading */
    WRING_CLIENT_OPEN,       /**< there is a session */
    WRING_CLIENT_WAITING,    /**< until the next attempt */
    WRING_CLIENT_CLOSED      /**< for good */
} wring_client_status;

/** The answer that refused an upgrade. Views are borrowed, as the report is. */
typedef struct wring_http_answer {
    uint32_t struct_size;  /**< sizeof(wring_http_answer) */
    int status;            /**< such as 404 */
    bool by_proxy;         /**< a proxy's answer to CONNECT; else the server's to the upgrade */
    bool body_is_whole;    /**< else there was more of it, or it did not come in time */
    wring_bytes reason;    /**< empty when the status line had none */
    wring_headers headers; /**< raw: wring_text_printable before they reach a terminal */
    wring_bytes body;      /**< its first 4 KiB at most, without chunked framing; raw likewise */
} wring_http_answer;

/** What became of a client. Borrowed for the call. */
typedef struct wring_client_report {
    uint32_t struct_size;       /**< sizeof(wring_client_report) */
    wring_client_status status; /**< what the client is doing now */
    wring_result result;        /**< WAITING, CLOSED: how the last attempt or session ended */
    const char *text;           /**< ... as a sentence; never NULL */
    uint16_t close_code;        /**< ... and its close code; 0 if there was no session */
    int http_status;            /**< the server's answer to the upgrade, 0 if there was none. Over
                                     HTTP/2 an accepted one is 200 */
    uint32_t attempt;           /**< the number of this attempt, from 1; WAITING, CLOSED: 0 when
                                          the session that ended was stable */
    uint32_t delay_ms;          /**< WAITING: until the next attempt */
    wring_ref ref;              /**< OPEN: the session, for wring_ref_send and its like */
    const wring_http_answer *answer; /**< WAITING, CLOSED: what refused the last attempt; NULL when
                                          it did not end by an HTTP answer */
    bool by_peer;                    /**< WAITING, CLOSED: as wring_end.by_peer */
    uint32_t http_version; /**< OPEN: what the session runs over, as wring_request.http_version:
                                11 or 20. A client with `http2` that has 11 was not given it */
} wring_client_report;

/** What the next attempt begins with. Given to the application with what the last attempt had. */
typedef struct wring_client_renewal {
    uint32_t struct_size;  /**< sizeof(wring_client_renewal) */
    uint32_t attempt;      /**< from 1, as in the report */
    const char *url;       /**< NULL: as in the last attempt */
    wring_headers headers; /**< as wring_client_config.headers. A NULL `list` and no count: as in
                                the last attempt; a `list` that is not NULL, count 0: none */
} wring_client_renewal;

/** What a client is made from. 0 and NULL take the default. Copied with everything it points to,
 *  except the various `opts`, which are borrowed for the client's life. */
typedef struct wring_client_config {
    uint32_t struct_size;            /**< sizeof(wring_client_config) */
    const wring_handler *handler;    /**< NULL: messages wait for wring_client_receive */
    void *handler_opts;              /**< given to the handler; borrowed for the client's life */
    const char *const *subprotocols; /**< offered, in order of preference */
    size_t subprotocol_count;        /**< elements of `subprotocols` */
    const char *extensions;          /**< the value of Sec-WebSocket-Extensions */
    const char *origin;              /**< the value of Origin; NULL: none is sent */
    wring_headers headers; /**< more for the upgrade request, as wring_h1_request_headers_check
                                allows. Host, Origin, Authorization, Sec-WebSocket-Protocol and
                                -Extensions replace what the client would send itself */

    uint32_t connect_timeout_ms;         /**< from the name to the upgrade; default 15,000 */
    uint32_t handshake_bytes_max;        /**< response head; default 64 KiB */
    const wring_session_config *session; /**< limits and timeouts; NULL: the defaults */
    const wring_tls_client_config *tls;  /**< for wss://; NULL takes every default */
    const char *proxy;   /**< "http://user:password@host:port" (CONNECT, RFC 9110 9.3.6) or
                              "socks5://..." (RFC 1928, names resolved by the proxy) */
    bool proxy_from_env; /**< without `proxy`: from https_proxy (wss) or http_proxy (ws), all_proxy
                              and no_proxy, as curl reads them */
    const char *source;  /**< numeric address to connect from */

    uint32_t reconnect_min_ms;    /**< longest first delay; default WRING_OFF: no reconnecting */
    uint32_t reconnect_max_ms;    /**< longest delay of all; default 30,000 */
    uint32_t reconnect_stable_ms; /**< open for so long, the delays begin anew; default 10,000 */
    uint64_t reconnect_attempts;  /**< in a row without a stable session, then it is closed;
                                       default WRING_UNLIMITED */

    uint64_t inbox_bytes; /**< without a handler: messages waiting before the server is read no
                               further; default 4 MiB */

    /** Each change, on the client's worker; CLOSED on the thread that stops it when the client
     * never got there. CLOSED comes exactly once, also after wring_client_destroy, and last: no
     * callback of this configuration, its handler and its log is called after it. */
    void (*on_status)(wring_client *client, const wring_client_report *report, void *opts);
    void *on_status_opts; /**< given to on_status */

    const wring_deflate_config *deflate; /**< permessage-deflate is offered; NULL: it is not */
    const wring_log_config *log;         /**< NULL: the pool's or the server's */

    /** Called on the client's worker before each attempt, the first included: for tokens that
     *  expire. It may change `renewal`; what is put there is copied when it returns. The scheme
     *  may become wss only where `tls` is set or the first URL was wss.
     *  Returns WRING_OK; WRING_MORE when wring_client_renew will answer within connect_timeout_ms;
     *  or an error, which ends the attempt and is judged by `retry` as another failure: by default
     *  WRING_ERR_CLOSED ends the client and WRING_ERR_TIMEOUT is tried again. */
    wring_result (*renew)(wring_client *client, wring_client_renewal *renewal, void *opts);
    void *renew_opts; /**< given to renew */

    /** Where reconnecting is on: is there another attempt after this end? On the client's worker.
     *  NULL: wring_client_report_is_retryable decides.  @param delay_ms  what would be waited, with
     *  a Retry-After of the server in it; may be changed */
    bool (*retry)(wring_client *client, const wring_client_report *report, uint32_t *delay_ms,
                  void *opts);
    void *retry_opts; /**< given to retry */

    /** Shows the handshake with the server, on the client's worker. `sent`: the upgrade request, as
     *  it goes out: credentials included. Else the first bytes, at most 512, of an answer that was
     *  neither an upgrade nor a refusal, raw: wring_text_printable before they reach a terminal.
     *  Over HTTP/2: its fields, one a line. */
    void (*on_handshake)(wring_client *client, bool sent, wring_bytes bytes, void *opts);
    void *on_handshake_opts; /**< given to on_handshake */

    /** Sessions as streams of a connection of HTTP/2 (RFC 8441), which all clients of a worker
     *  share that have the same origin, proxy and settings. With wss:// ALPN decides: a server
     *  that has no HTTP/2, or no WebSockets over it, gets connections of HTTP/1.1, unless
     *  `required`. With ws:// only where `cleartext` is set, and then without a fall-back.
     *  NULL: HTTP/1.1 only */
    const wring_http2_config *http2;
} wring_client_config;

/** Whether another attempt is worth while: the rule of clients without a `retry`. Final are errors
 *  of the caller's own (WRING_CLASS_CALLER); answers of 3xx and 4xx except 408, 425 and 429, and
 *  501 and 505; a server's
 * close codes 4000 to 4999; and its 1008 when the session was not stable. All else is tried again.
 * Thread: any. */
WRING_API bool wring_client_report_is_retryable(const wring_client_report *report);

/** Makes a client and begins to connect. Delays grow twofold from reconnect_min_ms, and each is
 *  drawn evenly from zero to that bound, so that a crowd does not come back at once.
 *  @param config  NULL takes every default
 *  Own:    give, until wring_client_destroy
 *  Errors: WRING_ERR_INVALID_URL, WRING_ERR_INVALID_HEADER, WRING_ERR_INVALID_CONFIG,
 *          WRING_ERR_TLS_CONFIG, WRING_ERR_CLOSED (no such loop), WRING_ERR_QUEUE_FULL,
 *          WRING_ERR_NO_MEMORY; `error` says which value is meant
 *  Thread: any. RFC: 6455 4.1 */
WRING_API WRING_MUST_CHECK wring_result wring_client_create(wring_loop loop, const char *url,
                                                            const wring_client_config *config,
                                                            wring_client **out, wring_error *error);

/** Answers a `renew` that returned WRING_MORE. Everything is copied. A URL or header that is wrong
 *  is no error of this call: it ends the attempt, as an error from `renew` does.
 *  @param result   WRING_OK, or the error that ends the attempt
 *  @param renewal  NULL: URL and headers as in the last attempt; `attempt` is ignored
 *  Errors: WRING_ERR_INVALID_ARGUMENT (`result` is WRING_MORE, or a count or length with NULL),
 *  WRING_ERR_INVALID_STATE (nothing is asked for: the attempt is over, or was answered),
 *  WRING_ERR_CLOSED, WRING_ERR_QUEUE_FULL, WRING_ERR_NO_MEMORY.   Thread: any. */
WRING_API WRING_MUST_CHECK wring_result wring_client_renew(wring_client *client,
                                                           wring_result result,
                                                           const wring_client_renewal *renewal);

/** Begins the close handshake and ends reconnecting; twice is legal. What the server sends before
 *  its close frame still comes: an inbox left full delays the end by close_timeout_ms.
 *  Thread: any. */
WRING_API void wring_client_close(wring_client *client, uint16_t code, wring_bytes reason);

/** Gives the client up. An open session is closed with 1000, and messages that nobody received are
 *  dropped. Callbacks may still run after this call has returned: the last one is `on_status` with
 *  WRING_CLIENT_CLOSED, and every `opts` is borrowed until then. The worker frees the client. NULL
 *  is legal.
 *  Thread: any, callbacks included. */
WRING_API void wring_client_destroy(wring_client *client);

/** The session at hand; WRING_REF_NONE when it is not open.   Thread: any. */
WRING_API wring_ref wring_client_ref(const wring_client *client);

/** What the client is doing.   Thread: any. */
WRING_API wring_client_status wring_client_get_status(const wring_client *client);

/** Round trip of the last keepalive ping (ping_interval_ms) in ns, 0 before the first.
 *  Thread: any. */
WRING_API uint64_t wring_client_rtt_ns(const wring_client *client);

/** Sends frames, in order and together. Errors as wring_ref_send; WRING_ERR_CLOSED when it is not
 * open. Thread: any. */
WRING_API WRING_MUST_CHECK wring_result wring_client_send(wring_client *client,
                                                          const wring_frame *frames, size_t count);

/* ---- the blocking style: any thread but a worker --------------------------------------------- */

/** Waits until it is open.
 *  @param timeout_ms  0 does not wait; WRING_OFF waits without a limit
 *  Errors: WRING_ERR_TIMEOUT; when it is closed, why: `error` says more. */
WRING_API WRING_MUST_CHECK wring_result wring_client_wait(wring_client *client, uint32_t timeout_ms,
                                                          wring_error *error);

/** The next text or binary message of a client without a handler. A reconnect in between is not
 *  reported: messages of the next session follow.
 *  @param timeout_ms  0 does not wait; WRING_OFF waits without a limit
 *  @param message  borrowed until the next wring_client_receive, wring_client_ask or
 *                  wring_client_destroy, also when that call fails
 *  Errors: WRING_ERR_TIMEOUT; WRING_ERR_CLOSED when it is closed and nothing is left;
 *          WRING_ERR_INVALID_STATE when the client has a handler
 *  Thread: any but a worker; one receiving thread at a time */
WRING_API WRING_MUST_CHECK wring_result wring_client_receive(wring_client *client,
                                                             uint32_t timeout_ms,
                                                             wring_message *message);

/** Sends one frame and waits for the next message: a request and its answer.
 *  Errors: those of wring_client_send and wring_client_receive. */
WRING_API WRING_MUST_CHECK wring_result wring_client_ask(wring_client *client,
                                                         const wring_frame *frame,
                                                         uint32_t timeout_ms,
                                                         wring_message *answer);

/** Waits until it is closed for good.
 *  @param timeout_ms  0 does not wait; WRING_OFF waits without a limit
 *  @param end  how the last session ended, its struct_size set; NULL is legal
 *  Errors: WRING_ERR_TIMEOUT; WRING_ERR_INVALID_ARGUMENT when `end` has no struct_size. */
WRING_API WRING_MUST_CHECK wring_result wring_client_wait_closed(wring_client *client,
                                                                 uint32_t timeout_ms,
                                                                 wring_end *end);

WRING_END_DECLS

#endif
